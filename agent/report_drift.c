// Report, drift: what somebody changed in a target since the agent's last run there, and what a run
// left that its rehearsal did not.
#include "agent/report_internal.h"

#include "base/clock.h"
#include "engine/fingerprint.h"
#include "engine/repair.h"
#include "trust/strict.h"

#include <string.h>

static bool
has_digest(const uint8_t sha256[32])
{
    static const uint8_t NONE[32];
    return memcmp(sha256, NONE, 32) != 0;
}

void
dr_report_keep_schema(struct dr_report *report, const Drover__V1__WorkerResult *result)
{
    if (result->fingerprint.len == 32) {
        memcpy(report->schema.fingerprint, result->fingerprint.data, 32);
        report->schema.text =
            (struct dr_bytes){.data = result->schema.data, .len = result->schema.len};
        report->change.schema = &report->schema;
    }
}

// A text without what the worker was told to tolerate.
static enum dr_rc
tolerate(struct dr_agent_slot *slot, const char *text, struct dr_buf *out, struct dr_err *err)
{
    return dr_fingerprint_tolerate(text, (const char *const *)slot->spec->tolerances,
                                   slot->spec->n_tolerances, out, err);
}

static enum dr_rc
name_objects(struct dr_report *report, const Drover__V1__WorkerResult *result, const char *known,
             Drover__V1__Attestation *msg, struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    struct dr_buf before = {0};
    struct dr_buf after = {0};
    size_t count = 0;
    if (known == NULL || result->schema.len == 0) {
        msg->detail = dr_report_lend("the schema's text is not kept: what differs cannot be named");
        return DR_OK;
    }
    const char *found =
        dr_arena_strn(slot->arena, (const char *)result->schema.data, result->schema.len);
    if (found == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = tolerate(slot, known, &before, err);
    rc = rc != DR_OK ? rc : tolerate(slot, found, &after, err);
    rc = rc != DR_OK
             ? rc
             : dr_fingerprint_objects(slot->arena, before.data, after.data, DR_REPORT_OBJECTS_MAX,
                                      &msg->objects, &msg->n_objects, &count, err);
    msg->objects_count = (uint32_t)count;
    dr_buf_fini(&before);
    dr_buf_fini(&after);
    return rc;
}

enum dr_rc
dr_report_add_rehearsal(struct dr_report *report, const Drover__V1__Attestation *ready,
                        const Drover__V1__WorkerResult *result, Drover__V1__Attestation *msg,
                        struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    const char *text = NULL;
    if (ready == NULL || ready->rehearsed_sha256.len != 32) {
        return DR_OK;
    }
    msg->rehearsed_sha256 = ready->rehearsed_sha256;
    enum dr_rc rc = dr_agent_state_rehearsed(slot->agent->state, slot->arena, slot->target->name,
                                             ready->rehearsed_sha256.data, &text, err);
    bool is_kept = rc == DR_OK && text != NULL && result->schema.len > 0;
    return is_kept ? name_objects(report, result, text, msg, err) : rc;
}

static enum dr_rc
say(struct dr_report *report, const Drover__V1__WorkerResult *result, const uint8_t *was,
    Drover__V1__Attestation *msg, struct dr_err *err)
{
    uint8_t difference[32];
    dr_report_add_state(msg, result);
    msg->mode = DROVER__V1__MODE__MODE_NONE;
    msg->plan_sha256.len = 0;
    msg->approval_sha256.len = 0;
    msg->started = report->drift.since;
    if (was != NULL) {
        dr_repair_difference(was, result->fingerprint.data, difference);
        msg->fingerprint_before = dr_data(was, 32);
        msg->difference_sha256 = dr_data(difference, sizeof difference);
    }
    report->change.drift = &report->drift;
    return dr_report_say(report, msg, NULL, NULL, err);
}

enum dr_rc
dr_report_drift(struct dr_report *report, const Drover__V1__WorkerResult *result,
                const struct dr_exec_known *known, uint32_t flags, struct dr_err *err)
{
    const struct dr_agent_record *record = &known->record;
    struct dr_agent_drift told = {0};
    bool is_drift = (flags & DR_REPORT_FLAG(DRIFT)) != 0;
    if (!record->exists || !has_digest(record->fingerprint) || result->fingerprint.len != 32 ||
        !dr_data_is(result->ledger_head, record->ledger_head)) {
        return DR_OK; // rows came or went that are not this agent's: another flag tells that
    }
    enum dr_rc rc =
        dr_agent_state_drift(report->slot->agent->state, report->slot->target->name, &told, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!is_drift && known->text == NULL && result->schema.len > 0) {
        dr_report_keep_schema(report, result);
    }
    bool is_told = told.exists && memcmp(told.fingerprint, result->fingerprint.data, 32) == 0;
    if (is_drift == told.exists && (is_told || !is_drift)) {
        return DR_OK;
    }
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(DRIFT));
    report->drift = (struct dr_agent_drift){.exists = is_drift,
                                            .since = told.exists ? told.since : dr_now_unix_s()};
    memcpy(report->drift.fingerprint, result->fingerprint.data, 32);
    if (is_drift) {
        msg.flags = DR_REPORT_FLAG(DRIFT);
        rc = name_objects(report, result, known->text, &msg, err);
    } else {
        msg.detail = dr_report_lend("it is gone: the schema is what the last run left");
    }
    return rc != DR_OK ? rc : say(report, result, record->fingerprint, &msg, err);
}

enum dr_rc
dr_report_drift_over(struct dr_report *report, const Drover__V1__WorkerResult *result,
                     struct dr_err *err)
{
    struct dr_agent_drift told = {0};
    enum dr_rc rc =
        dr_agent_state_drift(report->slot->agent->state, report->slot->target->name, &told, err);
    if (rc != DR_OK || !told.exists || result->fingerprint.len != 32) {
        return rc;
    }
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(DRIFT));
    report->drift = (struct dr_agent_drift){.since = told.since};
    msg.detail =
        dr_report_lend("a run was approved that began with it: the schema is what it left");
    return say(report, result, NULL, &msg, err);
}
