// Report, backups: the answer to an order. What is learnt about the newest backup is a BACKUP,
// which gates look at: one that was found bad opens none. Anything else is told in a STATE.
#include "agent/report_internal.h"

#include "base/log.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

static void
add_answer(struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result,
           Drover__V1__Attestation *msg)
{
    bool failed = slot->failure.rc != DR_OK;
    msg->code = dr_report_lend(failed ? dr_rc_name(slot->failure.rc) : "");
    msg->detail = dr_report_lend(failed ? slot->failure.message : result->detail);
    if (slot->order_now.has_nonce) {
        msg->nonce = dr_data(slot->order_now.nonce, 32);
    }
}

// As it was when the backup was taken, so that a READY finds it only for that state.
static enum dr_rc
say_newest(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    const Drover__V1__Attestation *note = result->noted;
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(BACKUP));
    msg.n_heads = note->n_heads;
    msg.heads = note->heads;
    msg.fingerprint = note->fingerprint;
    msg.ledger_head = note->ledger_head;
    msg.identity = note->identity;
    msg.started = result->started;
    msg.finished = result->finished;
    msg.duration_ms = result->duration_ms;
    msg.backup = note->backup;
    add_answer(report->slot, result, &msg);
    return dr_report_say(report, &msg, NULL, &report->change.backup, err);
}

static enum dr_rc
say_state(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    struct dr_agent_record record = {0};
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(STATE));
    enum dr_rc rc = dr_agent_state_record(slot->agent->state, slot->target->name, &record, err);
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    dr_report_add_state(&msg, result);
    msg.root_expires = trust->root.msg->expires;
    msg.fleet_expires = trust->fleet.msg == NULL ? 0 : trust->fleet.msg->expires;
    msg.flags = dr_report_flags(slot, result, &record);
    msg.backup = result->noted == NULL ? NULL : result->noted->backup;
    add_answer(slot, result, &msg);
    return dr_report_say(report, &msg, NULL, NULL, err);
}

enum dr_rc
dr_report_backup(struct dr_agent_slot *slot, struct dr_err *err)
{
    const Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_report report;
    bool is_newest = result != NULL && result->noted != NULL && result->is_newest &&
                     result->noted->backup != NULL;
    bool has_state = result != NULL && result->ledger_head.len == 32;
    int64_t waiting = 0;
    enum dr_rc rc = dr_agent_state_outbox_count(slot->agent->state, &waiting, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (slot->agent->is_stopping && slot->failure.rc == DR_E_INTERRUPTED) {
        return DR_OK; // it is done after the restart
    }
    if ((!is_newest && !has_state) || waiting >= DR_AGENT_OUTBOX_MAX) {
        dr_log(DR_LOG_WARN, "an order about backups cannot be answered: the target is away",
               "target", slot->target->name, "order", slot->order_now.what, "reason",
               slot->failure.message, NULL);
        return dr_agent_state_end_order(slot->agent->state, slot->order_now.place, err);
    }
    rc = dr_report_begin(slot, &report, err);
    report.change.ends_order = slot->order_now.place;
    rc = rc != DR_OK ? rc
         : is_newest ? say_newest(&report, result, err)
                     : say_state(&report, result, err);
    return rc != DR_OK ? rc : dr_report_commit(&report, err);
}
