// Report, ends of runs: APPLIED, REVERTED, FAILED and REFUSED. What a run did is told unit by unit:
// other environments' gates count these proofs.
#include "agent/report_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "trust/approval.h"
#include "trust/plandoc.h"
#include "trust/strict.h"

#include <string.h>

#define MINUTE_MS 60000

// ------------------------------------------------------------------------------ FAILED, REFUSED

// For the coordinator: one line, plain, cut; the worker's text holds the server's primary message
// and no rows.
enum dr_rc
dr_report_set_reason(struct dr_agent_slot *slot, Drover__V1__Attestation *msg, struct dr_err *err)
{
    struct dr_buf shown = {0};
    size_t len = strlen(slot->failure.message);
    dr_show(&shown, slot->failure.message, len > DR_REPORT_DETAIL_MAX ? DR_REPORT_DETAIL_MAX : len,
            false);
    msg->detail = shown.failed ? NULL : dr_arena_strn(slot->arena, shown.data, shown.len);
    dr_buf_fini(&shown);
    msg->code = dr_report_lend(dr_rc_name(slot->failure.rc));
    return msg->detail == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
}

// Units of one direction that the run did, up to the limit of one document.
static size_t
units_of(const struct dr_report *report, const Drover__V1__WorkerResult *result,
         Drover__V1__Mode mode, Drover__V1__UnitProof ***out)
{
    size_t n = 0;
    *out = dr_arena_array(report->slot->arena, result->n_units + 1, sizeof **out);
    for (size_t i = 0; *out != NULL && i < result->n_units; i++) {
        if (result->units[i]->mode == mode) {
            (*out)[n++] = result->units[i];
        }
    }
    return n;
}

static enum dr_rc
say_failed(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(FAILED));
    enum dr_rc rc = dr_report_set_reason(slot, &msg, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (result != NULL) {
        dr_report_add_state(&msg, result);
        msg.fingerprint_before = result->fingerprint_before;
        msg.sqlstate = result->sqlstate;
        msg.n_units = result->n_units < DR_REPORT_UNITS_MAX ? result->n_units : DR_REPORT_UNITS_MAX;
        msg.units = result->units;
        bool did_something = slot->run.exists && result->n_units > 0 && !result->reversed;
        msg.flags = result->is_partial || did_something ? DR_REPORT_FLAG(PARTIAL) : 0;
    }
    return dr_report_say(report, &msg, NULL, NULL, err);
}

enum dr_rc
dr_report_failed(struct dr_agent_slot *slot, struct dr_err *err)
{
    const Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_report report;
    enum dr_rc rc = dr_report_begin(slot, &report, err);
    rc = rc != DR_OK ? rc : say_failed(&report, result, err);
    if (rc == DR_OK && result != NULL && result->reversed) {
        Drover__V1__Mode back =
            slot->mode == DROVER__V1__MODE__DOWN ? DROVER__V1__MODE__UP : DROVER__V1__MODE__DOWN;
        Drover__V1__Attestation msg =
            dr_report_word(&report, back == DROVER__V1__MODE__DOWN ? DR_REPORT_KIND(REVERTED)
                                                                   : DR_REPORT_KIND(APPLIED));
        dr_report_add_state(&msg, result);
        msg.mode = back;
        msg.fingerprint_before = result->fingerprint_before;
        msg.n_units = units_of(&report, result, back, &msg.units);
        msg.n_units = msg.n_units < DR_REPORT_UNITS_MAX ? msg.n_units : DR_REPORT_UNITS_MAX;
        rc = dr_report_say(&report, &msg, NULL, NULL, err);
    }
    report.change.ends_run = slot->run.exists;
    report.change.ends_task = slot->task.id;
    report.change.drops_ready = slot->run.exists;
    if (result != NULL && slot->run.exists) {
        rc = rc != DR_OK ? rc : dr_report_drift_over(&report, result, err);
        dr_report_note_record(&report, result);
    }
    rc = rc != DR_OK ? rc : dr_report_commit(&report, err);
    if (rc == DR_OK && slot->run.exists) {
        slot->wants_state = true;
    }
    return rc;
}

// ------------------------------------------------------------------------- APPLIED, REVERTED

static bool
has_unit(const Drover__V1__WorkerResult *result, const Drover__V1__Unit *unit,
         Drover__V1__Mode mode)
{
    for (size_t i = 0; i < result->n_units; i++) {
        if (result->units[i]->mode == mode &&
            dr_data_eq(result->units[i]->unit_digest, unit->digest)) {
            return true;
        }
    }
    return false;
}

static bool
is_to_run(const Drover__V1__WorkerRun *spec, const Drover__V1__PlanRevision *revision)
{
    for (size_t i = 0; i < spec->n_to_run; i++) {
        if (dr_data_eq(spec->to_run[i], revision->digest)) {
            return true;
        }
    }
    return false;
}

// A run that was cut off and gone on with tells only its last part; what went before it did too,
// for it is done now.
static enum dr_rc
add_earlier(struct dr_agent_slot *slot, Drover__V1__WorkerResult *result, struct dr_err *err)
{
    struct dr_bytes bytes = {0};
    Drover__V1__Plan *plan = NULL;
    bool is_down = slot->mode == DROVER__V1__MODE__DOWN;
    Drover__V1__Mode mode = is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
    Drover__V1__UnitKind kind =
        is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    enum dr_rc rc = dr_exec_blob_read(slot->agent, slot->arena, slot->plan_sha256, &bytes, err);
    rc = rc != DR_OK ? rc : dr_plandoc_decode(slot->arena, bytes, slot->plan_sha256, &plan, err);
    size_t most = result->n_units;
    for (size_t i = 0; rc == DR_OK && i < plan->n_revisions; i++) {
        most += plan->revisions[i]->n_units;
    }
    Drover__V1__UnitProof **list =
        rc == DR_OK ? dr_arena_array(slot->arena, most + 1, sizeof *list) : NULL;
    if (list == NULL) {
        return rc != DR_OK ? rc : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    size_t n = 0;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        for (size_t u = 0; is_to_run(slot->spec, revision) && u < revision->n_units; u++) {
            const Drover__V1__Unit *unit = revision->units[u];
            bool is_elsewhere =
                unit->only[0] != '\0' && !dr_str_eq(unit->only, slot->spec->environment);
            if (unit->kind != kind || is_elsewhere || has_unit(result, unit, mode)) {
                continue;
            }
            Drover__V1__UnitProof *proof = dr_arena_alloc(slot->arena, sizeof *proof);
            if (proof == NULL) {
                return dr_err_set(err, DR_E_NOMEM, "out of memory");
            }
            drover__v1__unit_proof__init(proof);
            proof->revision_digest = revision->digest;
            proof->unit_digest = unit->digest;
            proof->mode = mode;
            proof->finished = result->finished;
            list[n++] = proof;
        }
    }
    for (size_t i = 0; i < result->n_units; i++) {
        list[n++] = result->units[i];
    }
    result->units = list;
    result->n_units = n;
    return DR_OK;
}

// One leg of a run: its units, in as many documents as they need.
static enum dr_rc
say_leg(struct dr_report *report, Drover__V1__Attestation msg, Drover__V1__UnitProof **units,
        size_t n, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    do {
        msg.units = units;
        msg.n_units = n < DR_REPORT_UNITS_MAX ? n : DR_REPORT_UNITS_MAX;
        units += msg.n_units;
        n -= msg.n_units;
        rc = dr_report_say(report, &msg, NULL, NULL, err);
    } while (rc == DR_OK && n > 0);
    return rc;
}

// What READY saw: of a run that was gone on with, the last start saw only a part. NULL when memory
// is out.
static const Drover__V1__Attestation *
ready_of(struct dr_agent_slot *slot, struct dr_err *err)
{
    struct dr_attestation ready = {0};
    return dr_attest_decode(slot->arena, slot->run.ready, true, &ready, err) == DR_OK ? ready.msg
                                                                                      : NULL;
}

// What cannot go back went up before the proof began. The ledger's head between two legs is not
// known.
static enum dr_rc
say_fixed(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(APPLIED));
    dr_report_add_state(&msg, result);
    msg.fingerprint = result->fingerprint_fixed;
    msg.fingerprint_before = result->fingerprint_before;
    msg.n_heads = result->n_fixed_heads;
    msg.heads = result->fixed_heads;
    msg.ledger_head.len = 0;
    return say_leg(report, msg, result->units, result->fixed_units, err);
}

// PROVE: up, down, up. The heads after the way back are those that it began with: READY's, or those
// of what cannot go back.
static enum dr_rc
say_proof(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    const Drover__V1__Attestation *ready = ready_of(report->slot, err);
    size_t fixed = result->fixed_units, down = fixed;
    if (ready == NULL) {
        return err->rc;
    }
    while (down < result->n_units && result->units[down]->mode != DROVER__V1__MODE__DOWN) {
        down++;
    }
    size_t again = down;
    while (again < result->n_units && result->units[again]->mode == DROVER__V1__MODE__DOWN) {
        again++;
    }
    Drover__V1__Attestation up = dr_report_word(report, DR_REPORT_KIND(APPLIED));
    dr_report_add_state(&up, result);
    up.fingerprint = result->fingerprint_up;
    up.fingerprint_before = fixed > 0 ? result->fingerprint_fixed : result->fingerprint_before;
    Drover__V1__Attestation back = up;
    back.kind = DR_REPORT_KIND(REVERTED);
    back.fingerprint = result->fingerprint_down;
    back.fingerprint_before = result->fingerprint_up;
    back.n_heads = fixed > 0 ? result->n_fixed_heads : ready->n_heads;
    back.heads = fixed > 0 ? result->fixed_heads : ready->heads;
    up.ledger_head.len = 0;
    back.ledger_head.len = 0;
    Drover__V1__Attestation last = dr_report_word(report, DR_REPORT_KIND(APPLIED));
    dr_report_add_state(&last, result);
    last.fingerprint_before = result->fingerprint_down;
    enum dr_rc rc = dr_report_add_rehearsal(report, ready, result, &last, err);
    rc = rc == DR_OK && fixed > 0 ? say_fixed(report, result, err) : rc;
    rc = rc != DR_OK ? rc : say_leg(report, up, result->units + fixed, down - fixed, err);
    rc = rc != DR_OK ? rc : say_leg(report, back, result->units + down, again - down, err);
    return rc != DR_OK ? rc
                       : say_leg(report, last, result->units + again, result->n_units - again, err);
}

enum dr_rc
dr_report_run(struct dr_agent_slot *slot, struct dr_err *err)
{
    Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_report report;
    enum dr_rc rc = dr_report_begin(slot, &report, err);
    bool is_up_or_down = slot->mode == DROVER__V1__MODE__UP || slot->mode == DROVER__V1__MODE__DOWN;
    if (rc == DR_OK && slot->spec->resume && is_up_or_down) {
        rc = add_earlier(slot, result, err);
    }
    if (rc == DR_OK && slot->mode == DROVER__V1__MODE__PROVE) {
        rc = say_proof(&report, result, err);
    } else if (rc == DR_OK) {
        const Drover__V1__Attestation *ready = ready_of(slot, err);
        Drover__V1__Attestation msg =
            dr_report_word(&report, dr_approval_is_down(slot->mode) ? DR_REPORT_KIND(REVERTED)
                                                                    : DR_REPORT_KIND(APPLIED));
        dr_report_add_state(&msg, result);
        msg.fingerprint_before = ready == NULL ? result->fingerprint_before : ready->fingerprint;
        rc = dr_report_add_rehearsal(&report, ready, result, &msg, err);
        rc = rc != DR_OK ? rc : say_leg(&report, msg, result->units, result->n_units, err);
    }
    rc = rc != DR_OK ? rc : dr_report_drift_over(&report, result, err);
    rc = rc != DR_OK ? rc : dr_report_say_state(&report, result, 0, err);
    dr_report_note_record(&report, result);
    report.change.ends_run = true;
    report.change.drops_ready = true;
    return rc != DR_OK ? rc : dr_report_commit(&report, err);
}

// ---------------------------------------------------------------------------------- REFUSED

// A hostile coordinator can make an agent refuse as often as it likes; it cannot make it sign as
// often.
static bool
is_too_often(struct dr_agent_slot *slot)
{
    int64_t now = dr_monotonic_ms();
    if (slot->refusals == 0 || now - slot->refusals_since_ms > MINUTE_MS) {
        slot->refusals_since_ms = now;
        slot->refusals = 0;
    }
    return ++slot->refusals > DR_SLOT_REFUSALS_MAX;
}

enum dr_rc
dr_report_refused(struct dr_agent_slot *slot, struct dr_err *err)
{
    struct dr_report report;
    int64_t waiting = 0;
    dr_log(DR_LOG_WARN, "refused", "target", slot->target->name, "rollout", slot->rollout, "code",
           dr_rc_name(slot->failure.rc), "reason", slot->failure.message, NULL);
    enum dr_rc rc = dr_agent_state_outbox_count(slot->agent->state, &waiting, err);
    rc = rc != DR_OK ? rc : dr_report_begin(slot, &report, err);
    if (rc == DR_OK && waiting < DR_AGENT_OUTBOX_MAX && !is_too_often(slot)) {
        const Drover__V1__WorkerResult *result = slot->worker.result;
        bool has_rehearsal = result != NULL && result->rehearsal != NULL;
        rc = has_rehearsal ? dr_report_say_rehearsed(&report, result, NULL, err) : DR_OK;
        Drover__V1__Attestation msg = dr_report_word(&report, DR_REPORT_KIND(REFUSED));
        rc = rc != DR_OK ? rc : dr_report_set_reason(slot, &msg, err);
        rc = rc != DR_OK ? rc : dr_report_say(&report, &msg, NULL, NULL, err);
    }
    report.change.ends_task = slot->task.id;
    return rc != DR_OK ? rc : dr_report_commit(&report, err);
}
