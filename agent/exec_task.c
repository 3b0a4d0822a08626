// Exec, tasks: what a PREPARE and a BUNDLE need before a worker starts. A PREPARE may run nothing
// but preflights of revisions in the approved chain; a BUNDLE runs only what trust/verify accepts,
// checked twice: when it came, and when the worker holds the locks.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "trust/attest.h"
#include "trust/strict.h"

#include <string.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){.data = data.data, .len = data.len};
}

static enum dr_rc
need(struct dr_agent_slot *slot, const uint8_t sha256[32], struct dr_err *err)
{
    if (slot->blobs == NULL) {
        slot->blobs = dr_arena_array(slot->arena, DR_SLOT_BLOBS_MAX, sizeof *slot->blobs);
    }
    if (slot->blobs == NULL || slot->n_blobs >= DR_SLOT_BLOBS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a plan with more than %u files", DR_SLOT_BLOBS_MAX - 1);
    }
    memcpy(slot->blobs[slot->n_blobs++], sha256, 32);
    return DR_OK;
}

// ------------------------------------------------------------------------------------ begin

static enum dr_rc
begin_prepare(struct dr_agent_slot *slot, struct dr_err *err)
{
    const Drover__V1__Prepare *prepare = drover__v1__prepare__unpack(
        dr_arena_protobuf(slot->arena), slot->task.body.len, slot->task.body.data);
    if (prepare == NULL || prepare->plan_sha256.len != 32) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "the order to prepare does not decode");
    }
    memcpy(slot->plan_sha256, prepare->plan_sha256.data, 32);
    slot->has_plan_sha256 = true;
    slot->mode =
        prepare->mode == DROVER__V1__MODE__MODE_NONE ? DROVER__V1__MODE__UP : prepare->mode;
    slot->rollout = prepare->rollout;
    slot->with_backup = prepare->with_backup && !dr_str_eq(slot->agent->config->backup, "none");
    return need(slot, slot->plan_sha256, err);
}

static enum dr_rc
begin_bundle(struct dr_agent_slot *slot, struct dr_err *err)
{
    struct dr_agent *agent = slot->agent;
    struct dr_approval approval = {0};
    slot->bundle = drover__v1__bundle__unpack(dr_arena_protobuf(slot->arena), slot->task.body.len,
                                              slot->task.body.data);
    if (slot->bundle == NULL) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "the bundle does not decode");
    }
    slot->rollout = slot->bundle->rollout;
    bool changed = false;
    enum dr_rc rc = DR_OK;
    if (slot->bundle->trust != NULL) {
        rc = dr_trust_store_update(agent->trust, slot->bundle->trust, dr_now_unix_s(), &changed,
                                   err);
        if (changed) {
            dr_exec_keys_choose(agent);
            dr_exec_drift_policy(agent);
        }
    }
    if (rc != DR_OK) {
        return rc;
    }
    // Not verified yet: it only says which plan to fetch.
    rc = dr_approval_decode(slot->arena, bytes_of(slot->bundle->approval), &approval, err);
    if (rc != DR_OK) {
        return rc;
    }
    memcpy(slot->approval_sha256, approval.sha256, 32);
    slot->has_approval_sha256 = true;
    memcpy(slot->plan_sha256, approval.msg->plan_sha256.data, 32);
    slot->has_plan_sha256 = true;
    slot->mode = approval.msg->mode;
    return need(slot, slot->plan_sha256, err);
}

enum dr_rc
dr_exec_task_begin(struct dr_agent_slot *slot, struct dr_err *err)
{
    return slot->task.kind == DROVER__V1__PUSH_KIND__PUSH_PREPARE ? begin_prepare(slot, err)
                                                                  : begin_bundle(slot, err);
}

// ----------------------------------------------------------------------------------- bundle

static enum dr_rc
fill_input(struct dr_agent_slot *slot, struct dr_verify_me *me, struct dr_verify_input *out,
           struct dr_err *err)
{
    struct dr_agent *agent = slot->agent;
    ProtobufCBinaryData *stops = NULL;
    *me = (struct dr_verify_me){
        .target = slot->target->name,
        .environment = agent->config->environment,
        .agent = agent->config->agent,
        .engine = slot->target->engine,
    };
    memcpy(me->signing_key, dr_exec_signing_key(agent)->public_key, 32);
    *out = (struct dr_verify_input){
        .me = me,
        .trust = dr_trust_store_get(agent->trust),
        .bundle = slot->bundle,
        .now = dr_now_unix_s(),
    };
    enum dr_rc rc = dr_agent_state_stops(agent->state, slot->arena, &stops, &out->n_stops, err);
    out->stops = stops;
    rc = rc != DR_OK ? rc
                     : dr_exec_blob_read(agent, slot->arena, slot->plan_sha256, &out->plan, err);
    rc = rc != DR_OK ? rc
                     : dr_agent_state_ready(agent->state, slot->arena, slot->target->name,
                                            &out->ready, err);
    return rc != DR_OK ? rc
                       : dr_agent_state_backup(agent->state, slot->arena, slot->target->name,
                                               &out->backup, err);
}

// Runs all checks of the bundle now. The verdict is in the arena.
static enum dr_rc
verify(struct dr_agent_slot *slot, struct dr_verdict *out, struct dr_err *err)
{
    struct dr_verify_me me;
    struct dr_verify_input input;
    enum dr_rc rc = fill_input(slot, &me, &input, err);
    rc = rc != DR_OK ? rc : dr_verify(slot->arena, &input, out, err);
    if (rc == DR_OK && !dr_verdict_is_accepted(out)) {
        return dr_err_set(err, DR_E_CHECK_SKIPPED, "the verdict is not complete");
    }
    return rc;
}

// ---------------------------------------------------------------------------------- go on

static bool
has_all(const struct dr_agent_slot *slot)
{
    for (size_t i = 0; i < slot->n_blobs; i++) {
        if (!dr_exec_blob_has(slot->agent, slot->blobs[i])) {
            return false;
        }
    }
    return true;
}

static enum dr_rc
open_plan(struct dr_agent_slot *slot, struct dr_err *err)
{
    struct dr_bytes bytes = {0};
    struct dr_verdict verdict = {0};
    Drover__V1__Plan *plan = NULL;
    enum dr_rc rc = dr_exec_blob_read(slot->agent, slot->arena, slot->plan_sha256, &bytes, err);
    rc = rc != DR_OK ? rc : dr_plandoc_decode(slot->arena, bytes, slot->plan_sha256, &plan, err);
    if (rc != DR_OK) {
        return rc;
    }
    slot->plan = plan;
    rc = slot->bundle == NULL ? dr_exec_task_check_prepare(slot, err) : verify(slot, &verdict, err);
    for (size_t i = 0; rc == DR_OK && i < plan->n_revisions; i++) {
        rc = need(slot, plan->revisions[i]->file_sha256.data, err);
    }
    return rc;
}

enum dr_rc
dr_exec_task_go_on(struct dr_agent_slot *slot, bool *out_is_whole, struct dr_err *err)
{
    *out_is_whole = false;
    if (!has_all(slot)) {
        return DR_OK;
    }
    if (slot->plan == NULL) {
        enum dr_rc rc = open_plan(slot, err);
        if (rc != DR_OK || !has_all(slot)) {
            return rc;
        }
    }
    *out_is_whole = true;
    return DR_OK;
}

// ------------------------------------------------------------------------------ job, consume

static enum dr_rc
copy_path(struct dr_agent_slot *slot, const char *from, char **out, struct dr_err *err)
{
    *out = dr_arena_str(slot->arena, from == NULL ? "" : from);
    return *out == NULL ? no_memory(err) : DR_OK;
}

static ProtobufCBinaryData
copy_data(struct dr_agent_slot *slot, const uint8_t *bytes, size_t len)
{
    return (ProtobufCBinaryData){.len = len, .data = dr_arena_copy(slot->arena, bytes, len)};
}

// A ledger that this agent's key before this one owns is its own.
static enum dr_rc
copy_former(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    static const uint8_t NONE[32];
    uint8_t former[32];
    enum dr_rc rc = dr_agent_state_former_key(slot->agent->state, former, err);
    if (rc == DR_OK && memcmp(former, NONE, 32) != 0) {
        run->former_key = copy_data(slot, former, 32);
    }
    return rc;
}

static enum dr_rc
fill_common(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    const struct dr_agent_config *config = slot->agent->config;
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *entry =
        dr_fleet_target(trust->entries, trust->n_entries, slot->target->name);
    enum dr_rc rc = copy_path(slot, slot->target->name, &run->target, err);
    rc = rc != DR_OK ? rc : copy_path(slot, config->environment, &run->environment, err);
    rc = rc != DR_OK ? rc : copy_path(slot, config->agent, &run->agent, err);
    rc = rc != DR_OK ? rc : copy_path(slot, config->backups, &run->backup_folder, err);
    rc = rc != DR_OK ? rc : copy_path(slot, config->pg_bindir, &run->pg_bindir, err);
    rc = rc != DR_OK ? rc : copy_path(slot, slot->agent->blob_folder, &run->blob_folder, err);
    rc = rc != DR_OK ? rc : copy_path(slot, slot->rollout, &run->rollout, err);
    run->engine = slot->target->engine;
    run->keep_s = config->backup_keep_ms / 1000;
    run->owner_key = copy_data(slot, dr_exec_signing_key(slot->agent)->public_key, 32);
    rc = rc != DR_OK ? rc : copy_former(slot, run, err);
    if (entry != NULL) {
        run->identity = entry->msg->target->identity; // lent: packed before trust changes
    }
    if (slot->has_plan_sha256) {
        run->plan_sha256 = copy_data(slot, slot->plan_sha256, 32);
    }
    return rc;
}

// The fingerprint leaves out what the environment's policy tolerates; its text is told where it is
// not the one that is known.
static enum dr_rc
fill_drift(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    struct dr_exec_known known = {0};
    if (policy != NULL) {
        run->n_tolerances = policy->msg->environment->n_tolerances; // lent, as above
        run->tolerances = policy->msg->environment->tolerances;
    }
    run->wants_schema = true;
    if (run->job == DROVER__V1__WORKER_JOB__JOB_RUN) {
        return DR_OK;
    }
    enum dr_rc rc = dr_exec_known(slot, run->tolerances, run->n_tolerances, &known, err);
    if (rc == DR_OK && known.text != NULL) {
        run->known_fingerprint = copy_data(slot, known.record.fingerprint, 32);
    }
    run->wants_schema = rc == DR_OK && known.record.exists;
    return rc;
}

// The backup that the gates were shown, where READY has one: the newest.
static enum dr_rc
fill_backup(struct dr_agent_slot *slot, const Drover__V1__Attestation *ready,
            Drover__V1__WorkerRun *run, struct dr_err *err)
{
    struct dr_bytes payload = {0};
    struct dr_attestation kept = {0};
    if (ready->backup == NULL) {
        return DR_OK;
    }
    enum dr_rc rc =
        dr_agent_state_backup(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    if (rc == DR_OK && payload.len > 0) {
        rc = dr_attest_decode(slot->arena, payload, true, &kept, err);
        run->backup = rc == DR_OK ? kept.msg->backup : NULL;
    }
    return rc;
}

static enum dr_rc
fill_run(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    struct dr_verdict verdict = {0};
    enum dr_rc rc = verify(slot, &verdict, err);
    if (rc != DR_OK) {
        return rc;
    }
    run->mode = verdict.approval.msg->mode;
    run->on_failure = verdict.approval.msg->on_failure;
    run->approval_sha256 = copy_data(slot, verdict.approval.sha256, 32);
    run->not_before = verdict.approval.msg->not_before;
    run->expected_ledger_head = verdict.ready->ledger_head;
    run->expected_fingerprint = verdict.ready->fingerprint;
    run->take_over =
        (verdict.leaf->acknowledged_flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_FOREIGN) != 0;
    rc = copy_path(slot, verdict.approval.msg->remedy, &run->remedy, err);
    rc = rc != DR_OK ? rc : fill_backup(slot, verdict.ready, run, err);
    if (rc != DR_OK) {
        return rc;
    }
    run->to_run = dr_arena_array(slot->arena, verdict.plan->n_revisions + 1, sizeof *run->to_run);
    if (run->to_run == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < verdict.plan->n_revisions; i++) {
        if (verdict.is_to_run[i]) {
            run->to_run[run->n_to_run++] = verdict.plan->revisions[i]->digest;
        }
    }
    return rc;
}

// A copy that shares nothing with the trusted documents: they may be replaced while the worker
// runs.
static enum dr_rc
own(struct dr_agent_slot *slot, const Drover__V1__WorkerRun *run, Drover__V1__WorkerRun **out,
    struct dr_err *err)
{
    size_t len = drover__v1__worker_run__get_packed_size(run);
    uint8_t *packed = dr_arena_alloc(slot->arena, len);
    if (packed == NULL) {
        return no_memory(err);
    }
    (void)drover__v1__worker_run__pack(run, packed);
    *out = drover__v1__worker_run__unpack(dr_arena_protobuf(slot->arena), len, packed);
    return *out == NULL ? no_memory(err) : DR_OK;
}

enum dr_rc
dr_exec_task_spec(struct dr_agent_slot *slot, Drover__V1__WorkerJob job,
                  Drover__V1__WorkerRun **out, struct dr_err *err)
{
    Drover__V1__WorkerRun *run = dr_arena_alloc(slot->arena, sizeof *run);
    if (run == NULL) {
        return no_memory(err);
    }
    drover__v1__worker_run__init(run);
    run->job = job;
    run->mode = slot->mode;
    run->with_backup = slot->with_backup;
    enum dr_rc rc = fill_common(slot, run, err);
    rc = rc != DR_OK ? rc : fill_drift(slot, run, err);
    if (rc == DR_OK && job == DROVER__V1__WORKER_JOB__JOB_RUN) {
        rc = fill_run(slot, run, err);
    }
    if (rc == DR_OK && job == DROVER__V1__WORKER_JOB__JOB_PREPARE) {
        rc = dr_exec_fill_prepare(slot, run, err);
    }
    if (rc == DR_OK && job != DROVER__V1__WORKER_JOB__JOB_RUN) {
        rc = dr_exec_backup_spec(slot, run,
                                 err); // a run's job is kept, and needs no server for restores
    }
    if (rc == DR_OK && job == DROVER__V1__WORKER_JOB__JOB_STATE) {
        rc = dr_exec_probe_fill(slot, run, err);
    }
    return rc != DR_OK ? rc : own(slot, run, out, err);
}

static enum dr_rc
check_facts(const struct dr_verdict *verdict, const Drover__V1__WorkerResult *facts,
            struct dr_err *err)
{
    if (facts->ledger_head.len != 32 || facts->fingerprint.len != 32) {
        return dr_err_set(err, DR_E_INTERNAL, "the worker found no ledger head or fingerprint");
    }
    struct dr_database_facts found = {
        .identity = facts->identity,
        .is_pooler = facts->is_pooler,
        .is_standby = facts->is_standby,
        .has_lock_a = facts->has_lock_a,
        .has_lock_b = facts->has_lock_b,
    };
    memcpy(found.ledger_head, facts->ledger_head.data, 32);
    memcpy(found.fingerprint, facts->fingerprint.data, 32);
    return dr_verify_database(verdict, &found, err);
}

enum dr_rc
dr_exec_task_consume(struct dr_agent_slot *slot, const Drover__V1__WorkerResult *facts,
                     struct dr_err *err)
{
    struct dr_verdict verdict = {0};
    // Again and whole: a stop, a newer fleet or the expiry may have come since the worker was
    // started.
    enum dr_rc rc = verify(slot, &verdict, err);
    rc = rc != DR_OK ? rc : check_facts(&verdict, facts, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_bytes ready = {0};
    rc = dr_agent_state_ready(slot->agent->state, slot->arena, slot->target->name, &ready, err);
    if (rc != DR_OK) {
        return rc;
    }
    Drover__V1__WorkerRun begun = *slot->spec;
    begun.expected_position = facts->position;
    size_t len = drover__v1__worker_run__get_packed_size(&begun);
    uint8_t *spec = dr_arena_alloc(slot->arena, len);
    if (spec == NULL) {
        return no_memory(err);
    }
    (void)drover__v1__worker_run__pack(&begun, spec);
    struct dr_agent_run run = {
        .exists = true,
        .ready = ready,
        .spec = {.data = spec, .len = len},
        .started = dr_now_unix_s(),
        .attempts = 1,
    };
    memcpy(run.approval_sha256, verdict.approval.sha256, 32);
    memcpy(run.ready_sha256, verdict.ready_sha256, 32);
    rc = dr_agent_state_consume(slot->agent->state, slot->target->name, &run, slot->task.id, err);
    if (rc == DR_OK) {
        slot->run = run;
        slot->task = (struct dr_agent_task){0};
    }
    return rc;
}
