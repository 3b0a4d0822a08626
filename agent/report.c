// Report: what the agent signs when something is known. Attestations and all that changes along
// with them are one durable transaction; only then does net see them. READY, BACKUP and STATE are
// here, the ends of runs in report_run.c.
#include "agent/report_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "engine/repair.h"
#include "trust/approval.h"
#include "trust/envelope.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_report_begin(struct dr_agent_slot *slot, struct dr_report *out, struct dr_err *err)
{
    *out = (struct dr_report){.slot = slot, .change = {.target = slot->target->name}};
    return dr_agent_state_attest(slot->agent->state, &out->change.attest, err);
}

// ------------------------------------------------------------------------------ one document

// protobuf-c's structures are not const; packing only reads.
char *
dr_report_lend(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text == NULL ? "" : text};
    return u.out;
}

Drover__V1__Attestation
dr_report_word(const struct dr_report *report, Drover__V1__AttestationKind kind)
{
    const struct dr_agent_slot *slot = report->slot;
    const struct dr_agent_config *config = slot->agent->config;
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    Drover__V1__Attestation msg = DROVER__V1__ATTESTATION__INIT;
    msg.kind = kind;
    msg.cluster_id = trust->root.msg->cluster_id;
    msg.target = dr_report_lend(slot->target->name);
    msg.environment = dr_report_lend(config->environment);
    msg.agent = dr_report_lend(config->agent);
    msg.engine = slot->target->engine;
    msg.time = dr_now_unix_s();
    msg.mode = slot->mode;
    msg.root_version = trust->root.msg->version;
    msg.fleet_version = trust->fleet.msg == NULL ? 0 : trust->fleet.msg->version;
    msg.chain_version = trust->chain.msg == NULL ? 0 : trust->chain.msg->version;
    if (slot->has_plan_sha256) {
        msg.plan_sha256 = dr_data(slot->plan_sha256, 32);
    }
    if (slot->has_approval_sha256) {
        msg.approval_sha256 = dr_data(slot->approval_sha256, 32);
    }
    return msg;
}

// What the worker found, for every kind that tells a state.
void
dr_report_add_state(Drover__V1__Attestation *msg, const Drover__V1__WorkerResult *result)
{
    msg->n_heads = result->n_heads;
    msg->heads = result->heads;
    msg->fingerprint = result->fingerprint;
    msg->ledger_head = result->ledger_head;
    msg->identity = result->identity;
    msg->started = result->started;
    msg->finished = result->finished;
    msg->duration_ms = result->duration_ms;
}

enum dr_rc
dr_report_say(struct dr_report *report, const Drover__V1__Attestation *msg, uint8_t out_sha256[32],
              struct dr_bytes *out_payload, struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    if (report->change.n_outgoing >= DR_REPORT_OUTGOING_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "too many attestations at once");
    }
    struct dr_agent_outgoing *one = &report->outgoing[report->change.n_outgoing];
    struct dr_attest_state next = {0};
    enum dr_rc rc =
        dr_attest_build(slot->arena, *msg, dr_exec_signing_key(slot->agent), &report->change.attest,
                        &one->envelope, one->sha256, &next, err);
    if (rc != DR_OK) {
        return rc;
    }
    one->kind = (int)msg->kind;
    report->change.attest = next;
    report->change.n_outgoing++;
    if (out_sha256 != NULL) {
        memcpy(out_sha256, one->sha256, 32);
    }
    if (out_payload != NULL) {
        struct dr_envelope envelope;
        rc = dr_envelope_parse(one->envelope, DR_TYPE_ATTESTATION, &envelope, err);
        *out_payload = envelope.payload;
    }
    return rc;
}

enum dr_rc
dr_report_commit(struct dr_report *report, struct dr_err *err)
{
    report->change.outgoing = report->outgoing;
    enum dr_rc rc = dr_agent_state_commit(report->slot->agent->state, &report->change, err);
    if (rc == DR_OK) {
        (void)DR_FAILPOINT("agent-reported");
    }
    for (size_t i = 0; rc == DR_OK && i < report->change.n_outgoing; i++) {
        const ProtobufCEnumValue *kind = protobuf_c_enum_descriptor_get_value(
            &drover__v1__attestation_kind__descriptor, report->outgoing[i].kind);
        dr_log(DR_LOG_INFO, "attested", "target", report->slot->target->name, "kind",
               kind == NULL ? "?" : kind->name, "rollout", report->slot->rollout, NULL);
    }
    return rc;
}

// ------------------------------------------------------------------------------------- flags

static bool
is_same(ProtobufCBinaryData a, const uint8_t b[32])
{
    return a.len == 32 && memcmp(a.data, b, 32) == 0;
}

// After a failure the rows are known, but not always the schema.
static bool
has_fingerprint(const struct dr_agent_record *record)
{
    static const uint8_t NONE[32];
    return memcmp(record->fingerprint, NONE, 32) != 0;
}

uint32_t
dr_report_flags(const struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result,
                const struct dr_agent_record *record)
{
    uint32_t flags = 0;
    bool is_mine = dr_exec_is_own_key(slot->agent, result->owner_key.data, result->owner_key.len);
    bool head_is_known = record->exists && is_same(result->ledger_head, record->ledger_head);
    if (record->exists && !head_is_known && result->position <= record->position) {
        flags |= DR_REPORT_FLAG(REGRESSED);
    }
    if (record->exists && !head_is_known && result->position > record->position) {
        flags |= DR_REPORT_FLAG(FOREIGN); // the rows beyond are not this agent's, whoever owns it
    }
    if (result->owner[0] != '\0' && !is_mine) {
        flags |= DR_REPORT_FLAG(FOREIGN);
    }
    if (head_is_known && has_fingerprint(record) &&
        !is_same(result->fingerprint, record->fingerprint)) {
        flags |= DR_REPORT_FLAG(DRIFT);
    }
    if (result->is_partial) {
        flags |= DR_REPORT_FLAG(PARTIAL);
    }
    if (!record->exists && result->position > 0 && is_mine) {
        flags |= DR_REPORT_FLAG(NEW_EPOCH);
    }
    return flags;
}

// The newest unit of a run, or the heads where it is not known which: what the ledger's last row
// was for.
static void
name_last(const struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result, char *out,
          size_t out_size)
{
    const Drover__V1__UnitProof *last =
        result->n_units > 0 ? result->units[result->n_units - 1] : NULL;
    (void)snprintf(out, out_size, "at %s", result->n_heads > 0 ? result->heads[0]->id : "base");
    for (size_t i = 0; last != NULL && slot->plan != NULL && i < slot->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = slot->plan->revisions[i];
        for (size_t u = 0; u < revision->n_units; u++) {
            if (dr_data_eq(revision->digest, last->revision_digest) &&
                dr_data_eq(revision->units[u]->digest, last->unit_digest)) {
                (void)snprintf(out, out_size, "section %zu of revision '%s', %s", u + 1,
                               revision->id,
                               last->mode == DROVER__V1__MODE__DOWN ? "taken down" : "applied");
            }
        }
    }
}

// What is missing in a ledger that ends before what this agent has seen committed; "" otherwise.
static const char *
missing_text(const struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result,
             const struct dr_agent_record *record, uint32_t flags)
{
    if ((flags & DR_REPORT_FLAG(REGRESSED)) == 0) {
        return "";
    }
    const char *text = dr_arena_printf(
        slot->arena, "row %llu of the ledger is gone (%s); it ends at row %llu, at %s",
        (unsigned long long)record->position, record->what[0] != '\0' ? record->what : "unknown",
        (unsigned long long)result->position, result->n_heads > 0 ? result->heads[0]->id : "base");
    return text == NULL ? "" : text;
}

// What the target was left with, under the tolerances that the worker had.
static enum dr_rc
know(struct dr_agent_slot *slot, struct dr_exec_known *out, struct dr_err *err)
{
    return dr_exec_known(slot, slot->spec->tolerances, slot->spec->n_tolerances, out, err);
}

void
dr_report_note_record(struct dr_report *report, const Drover__V1__WorkerResult *result)
{
    if (result->ledger_head.len == 32) {
        memcpy(report->record.ledger_head, result->ledger_head.data, 32);
        memset(report->record.fingerprint, 0, 32); // not known after some failures
        if (result->fingerprint.len == 32) {
            memcpy(report->record.fingerprint, result->fingerprint.data, 32);
        }
        report->record.position = result->position;
        name_last(report->slot, result, report->record.what, sizeof report->record.what);
        report->change.record = &report->record;
        dr_report_keep_schema(report, result);
    }
}

// --------------------------------------------------------------------------- READY and BACKUP

// The newest BACKUP, when it is of the state that the worker found; NULL otherwise.
static enum dr_rc
find_backup(struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result,
            Drover__V1__BackupRecord **out, struct dr_err *err)
{
    struct dr_bytes payload = {0};
    struct dr_attestation kept = {0};
    *out = result->backup;
    if (*out != NULL) {
        return DR_OK;
    }
    enum dr_rc rc =
        dr_agent_state_backup(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    if (rc != DR_OK || payload.len == 0) {
        return rc;
    }
    rc = dr_attest_decode(slot->arena, payload, true, &kept, err);
    if (rc == DR_OK && kept.msg->backup != NULL &&
        dr_data_eq(kept.msg->backup->fingerprint, result->fingerprint) &&
        dr_data_eq(kept.msg->ledger_head, result->ledger_head)) {
        *out = kept.msg->backup;
    }
    return rc;
}

static enum dr_rc
say_backup(struct dr_report *report, const Drover__V1__WorkerResult *result, struct dr_err *err)
{
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(BACKUP));
    if (result->backup == NULL) {
        return DR_OK;
    }
    dr_report_add_state(&msg, result);
    msg.backup = result->backup;
    msg.detail = dr_report_lend(result->detail);
    return dr_report_say(report, &msg, NULL, &report->change.backup, err);
}

// The rehearsal that READY stands on: this one, or that of the open READY when neither plan nor
// target have changed since.
static enum dr_rc
find_rehearsal(struct dr_report *report, const Drover__V1__WorkerResult *result, uint8_t out[32],
               bool *out_found, struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    struct dr_bytes payload = {0};
    struct dr_attestation ready = {0};
    *out_found = result->rehearsal != NULL;
    if (*out_found) {
        enum dr_rc said = dr_report_say_rehearsed(report, result, out, err);
        if (said == DR_OK) {
            memcpy(report->rehearsed.sha256, out, 32);
            report->rehearsed.time = dr_now_unix_s();
            report->rehearsed.text = (struct dr_bytes){.data = result->rehearsed_schema.data,
                                                       .len = result->rehearsed_schema.len};
            report->change.rehearsed = &report->rehearsed;
        }
        return said;
    }
    if (!slot->spec->rehearsal_done || !slot->spec->with_rehearsal) {
        return DR_OK;
    }
    enum dr_rc rc =
        dr_agent_state_ready(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    rc = rc == DR_OK && payload.len > 0 ? dr_attest_decode(slot->arena, payload, true, &ready, err)
                                        : rc;
    if (rc == DR_OK && ready.msg != NULL && ready.msg->rehearsed_sha256.len == 32) {
        memcpy(out, ready.msg->rehearsed_sha256.data, 32);
        *out_found = true;
    }
    return rc;
}

enum dr_rc
dr_report_ready(struct dr_agent_slot *slot, struct dr_err *err)
{
    const Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_report report;
    struct dr_exec_known known = {0};
    const struct dr_agent_record *record = &known.record;
    Drover__V1__BackupRecord *backup = NULL;
    uint8_t nonce[32], rehearsed[32];
    bool has_rehearsal = false;
    enum dr_rc rc = dr_report_begin(slot, &report, err);
    rc = rc != DR_OK ? rc : know(slot, &known, err);
    rc = rc != DR_OK ? rc : find_backup(slot, result, &backup, err);
    rc = rc != DR_OK ? rc : find_rehearsal(&report, result, rehearsed, &has_rehearsal, err);
    rc = rc != DR_OK ? rc : say_backup(&report, result, err);
    uint32_t flags = rc != DR_OK ? 0 : dr_report_flags(slot, result, record);
    rc = rc != DR_OK ? rc : dr_report_drift(&report, result, &known, flags, err);
    if (rc != DR_OK) {
        return rc;
    }
    Drover__V1__Attestation msg = dr_report_word(&report, DR_REPORT_KIND(READY));
    dr_random(nonce, sizeof nonce);
    dr_report_add_state(&msg, result);
    msg.nonce = dr_data(nonce, sizeof nonce);
    uint8_t difference[32];
    if (dr_approval_is_stamp(slot->mode) && result->fingerprint.len == 32) {
        dr_repair_difference(record->fingerprint, result->fingerprint.data, difference);
        msg.difference_sha256 = dr_data(difference, sizeof difference);
    }
    msg.flags = flags | (backup == NULL ? DR_REPORT_FLAG(NO_BACKUP) : 0);
    msg.detail = dr_report_lend(missing_text(slot, result, record, msg.flags));
    msg.backup = backup;
    msg.n_units = result->n_units; // the halves of a PARTIAL revision
    msg.units = result->units;
    if (has_rehearsal) {
        msg.rehearsed_sha256 = dr_data(rehearsed, sizeof rehearsed);
    }
    msg.n_losses = result->n_losses;
    msg.losses = result->losses;
    rc = dr_report_say(&report, &msg, report.change.ready_sha256, &report.change.ready, err);
    report.change.ends_task = slot->task.id;
    return rc != DR_OK ? rc : dr_report_commit(&report, err);
}

// ------------------------------------------------------------------------------------- STATE

// Does the open READY still say what is there?
static enum dr_rc
check_ready(struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result, bool *out_is_void,
            struct dr_err *err)
{
    struct dr_bytes payload = {0};
    struct dr_attestation ready = {0};
    *out_is_void = false;
    enum dr_rc rc =
        dr_agent_state_ready(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    if (rc != DR_OK || payload.len == 0) {
        return rc;
    }
    rc = dr_attest_decode(slot->arena, payload, true, &ready, err);
    if (rc == DR_OK) {
        *out_is_void = !dr_data_eq(ready.msg->ledger_head, result->ledger_head) ||
                       !dr_data_eq(ready.msg->fingerprint, result->fingerprint);
    }
    return rc;
}

enum dr_rc
dr_report_say_state(struct dr_report *report, const Drover__V1__WorkerResult *result,
                    uint32_t flags, struct dr_err *err)
{
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(STATE));
    dr_report_add_state(&msg, result);
    const struct dr_trust *trust = dr_trust_store_get(report->slot->agent->trust);
    msg.root_expires = trust->root.msg->expires;
    msg.fleet_expires = trust->fleet.msg == NULL ? 0 : trust->fleet.msg->expires;
    msg.mode = DROVER__V1__MODE__MODE_NONE;
    msg.flags = flags;
    msg.detail = dr_report_lend(report->missing);
    msg.n_probes = result->n_probes;
    msg.probes = result->probes;
    if (result->is_partial && result->n_units <= DR_REPORT_UNITS_MAX) {
        msg.n_units = result->n_units; // the halves
        msg.units = result->units;
    }
    return dr_report_say(report, &msg, NULL, NULL, err);
}

// A look that nobody asked for says nothing when all is as it was.
static bool
is_silent(const struct dr_report *report)
{
    return !report->change.drops_ready && report->change.n_outgoing == 0;
}

enum dr_rc
dr_report_state(struct dr_agent_slot *slot, struct dr_err *err)
{
    const Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_report report;
    struct dr_exec_known known = {0};
    int64_t waiting = 0;
    if (slot->gives_up) {
        return dr_report_failed(slot, err);
    }
    enum dr_rc rc = dr_agent_state_outbox_count(slot->agent->state, &waiting, err);
    rc = rc != DR_OK ? rc : dr_report_begin(slot, &report, err);
    rc = rc != DR_OK ? rc : know(slot, &known, err);
    rc = rc != DR_OK ? rc : check_ready(slot, result, &report.change.drops_ready, err);
    if (rc == DR_OK && waiting < DR_AGENT_OUTBOX_MAX) {
        uint32_t flags = dr_report_flags(slot, result, &known.record);
        report.missing = missing_text(slot, result, &known.record, flags);
        rc = dr_report_drift(&report, result, &known, flags, err);
        if (rc == DR_OK && (slot->wants_state || result->n_probes > 0 || !is_silent(&report))) {
            rc = dr_report_say_state(&report, result, flags, err);
        }
    }
    bool has_change = rc == DR_OK && (!is_silent(&report) || report.change.schema != NULL);
    rc = !has_change ? rc : dr_report_commit(&report, err);
    if (rc == DR_OK) {
        slot->wants_state = false;
        slot->wants_probe = slot->wants_probe && !slot->is_probing;
        dr_exec_drift_looked(slot);
    }
    return rc;
}
