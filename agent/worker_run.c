// Worker, JOB_RUN: takes the locks, tells exec what it found, waits until exec has consumed the
// approval, then runs the plan. With REVERSE it takes back what this run did when the run fails.
#include "agent/worker_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/backup_folder.h"

#include <string.h>

#define LEAKS_TOLD_MAX 200u // bytes of what one unit left, in a document

static enum dr_rc
send_facts(struct dr_worker *worker, const struct dr_engine_state *found, struct dr_err *err)
{
    Drover__V1__WorkerResult facts = DROVER__V1__WORKER_RESULT__INIT;
    enum dr_rc rc = dr_worker_fill_state(worker, found, &facts, err);
    if (rc != DR_OK) {
        return rc;
    }
    // dr_engine_open refuses a pooler and a standby.
    facts.has_lock_a = found->has_key_a;
    facts.has_lock_b = found->saw_key_b;
    facts.identity = worker->result.identity;
    size_t len = drover__v1__worker_result__get_packed_size(&facts);
    uint8_t *packed = dr_arena_alloc(worker->arena, len);
    if (packed == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    (void)drover__v1__worker_result__pack(&facts, packed);
    const struct dr_bytes body = {.data = packed, .len = len};
    return dr_pipe_send_simple(&worker->pipe, DROVER__V1__PIPE_KIND__PIPE_FACTS, 0, NULL, body,
                               NULL, err);
}

static enum dr_rc
ask_to_begin(void *arg, const struct dr_engine_state *found, struct dr_err *err)
{
    struct dr_worker *worker = arg;
    (void)DR_FAILPOINT("agent-worker-facts");
    enum dr_rc rc = send_facts(worker, found, err);
    Drover__V1__PipeFrame *frame = NULL;
    rc = rc != DR_OK ? rc : dr_pipe_wait(&worker->pipe, DR_WORKER_GO_MS, &frame, err);
    if (rc == DR_OK && frame->kind != DROVER__V1__PIPE_KIND__PIPE_GO) {
        rc = dr_err_set(err, DR_E_INTERRUPTED, "the run was cancelled before it began");
    }
    dr_pipe_frame_free(&frame);
    if (rc == DR_OK) {
        (void)DR_FAILPOINT("agent-worker-go");
    }
    return rc;
}

static bool
is_as_expected(ProtobufCBinaryData expected, const uint8_t found[32])
{
    return expected.len != 32 || memcmp(expected.data, found, 32) == 0;
}

// Goes on only from where the approval began, or from behind it: as long as the ledger has no new
// row, what READY saw must still be there; one that has fewer rows is that of another time.
static enum dr_rc
check_resumed(void *arg, const struct dr_engine_state *found, struct dr_err *err)
{
    const struct dr_worker *worker = arg;
    const Drover__V1__WorkerRun *run = worker->run;
    bool is_begun = found->position > run->expected_position;
    if (is_begun || (found->position == run->expected_position &&
                     is_as_expected(run->expected_ledger_head, found->ledger_head) &&
                     is_as_expected(run->expected_fingerprint, found->fingerprint))) {
        return DR_OK;
    }
    return dr_err_set(err, DR_E_STATE_CHANGED,
                      "somebody changed the target '%s' after its approval was consumed and before "
                      "the run could go on",
                      run->target);
}

static enum dr_rc
add_units(struct dr_worker *worker, const struct dr_engine_result *from, struct dr_err *err)
{
    Drover__V1__WorkerResult *out = &worker->result;
    size_t total = out->n_units + from->units_count;
    if (total > DR_WORKER_UNITS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "%zu units ran", total);
    }
    Drover__V1__UnitProof **list = dr_arena_array(worker->arena, total + 1, sizeof *list);
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < out->n_units; i++) {
        list[i] = out->units[i];
    }
    for (size_t i = 0; i < from->units_count; i++) {
        const struct dr_engine_unit *unit = &from->units[i];
        Drover__V1__UnitProof *proof = dr_arena_alloc(worker->arena, sizeof *proof);
        if (proof == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        drover__v1__unit_proof__init(proof);
        proof->revision_digest = dr_worker_data(worker->arena, unit->revision_digest, 32);
        proof->unit_digest = dr_worker_data(worker->arena, unit->unit_digest, 32);
        proof->mode = unit->mode;
        proof->finished = unit->finished;
        proof->leaks =
            dr_arena_strn(worker->arena, unit->leaks, strnlen(unit->leaks, LEAKS_TOLD_MAX));
        if (proof->leaks == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        list[out->n_units + i] = proof;
    }
    out->units = list;
    out->n_units = total;
    return DR_OK;
}

static ProtobufCBinaryData
digest_or_none(struct dr_worker *worker, const uint8_t sha256[32])
{
    static const uint8_t ZERO[32];
    return memcmp(sha256, ZERO, 32) == 0 ? (ProtobufCBinaryData){0}
                                         : dr_worker_data(worker->arena, sha256, 32);
}

// What the engine said, whether it succeeded or not.
static enum dr_rc
take_result(struct dr_worker *worker, const struct dr_engine_result *from, struct dr_err *err)
{
    Drover__V1__WorkerResult *out = &worker->result;
    enum dr_rc rc = add_units(worker, from, err);
    if (rc != DR_OK) {
        return rc;
    }
    out->outcome = (uint32_t)from->outcome;
    out->fingerprint_before = digest_or_none(worker, from->fingerprint_before);
    out->fingerprint_up = digest_or_none(worker, from->fingerprint_up);
    out->fingerprint_down = digest_or_none(worker, from->fingerprint_down);
    out->proved = from->proved;
    out->fixed_units = (uint32_t)from->fixed_units;
    out->fingerprint_fixed = digest_or_none(worker, from->fingerprint_fixed);
    rc = dr_worker_fill_heads(worker->arena, from->fixed_heads, from->fixed_heads_count,
                              &out->fixed_heads, &out->n_fixed_heads, err);
    if (rc != DR_OK) {
        return rc;
    }
    out->lock_retries += from->retries;
    out->failed_line = from->failed_line;
    out->failed_revision =
        dr_arena_str(worker->arena, from->failed_revision == NULL ? "" : from->failed_revision);
    out->sqlstate = dr_arena_str(worker->arena, from->sqlstate);
    if (out->failed_revision == NULL || out->sqlstate == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return DR_OK;
}

// The part of the plan that this approval lets run: revisions that were there before are not taken
// back.
static enum dr_rc
own_part(struct dr_worker *worker, Drover__V1__Plan *out, struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    *out = *worker->plan;
    out->n_revisions = 0;
    out->revisions =
        dr_arena_array(worker->arena, worker->plan->n_revisions + 1, sizeof *out->revisions);
    if (out->revisions == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < worker->plan->n_revisions; i++) {
        Drover__V1__PlanRevision *revision = worker->plan->revisions[i];
        for (size_t k = 0; k < run->n_to_run; k++) {
            if (run->to_run[k].len == 32 &&
                memcmp(run->to_run[k].data, revision->digest.data, 32) == 0) {
                out->revisions[out->n_revisions++] = revision;
                break;
            }
        }
    }
    return DR_OK;
}

// `failure` stays the run's error; the result says whether the way back was gone to its end.
static void
reverse(struct dr_worker *worker, struct dr_engine_job job, struct dr_err *failure)
{
    Drover__V1__Plan part;
    struct dr_engine_result result = {0};
    struct dr_err err = {0};
    enum dr_rc rc = own_part(worker, &part, &err);
    if (rc == DR_OK && part.n_revisions > 0) {
        job.plan = &part;
        job.mode =
            job.mode == DROVER__V1__MODE__DOWN ? DROVER__V1__MODE__UP : DROVER__V1__MODE__DOWN;
        job.begin = NULL;
        job.expect_head = NULL;
        job.expect_fingerprint = NULL;
        rc = dr_engine_run(worker->engine, &job, worker->arena, &result, &err);
        if (rc == DR_OK) {
            rc = add_units(worker, &result, &err);
        }
        worker->result.reversed = rc == DR_OK;
    }
    if (rc != DR_OK) {
        (void)dr_err_wrap(failure, "and the way back failed (%s)", err.message);
    }
}

static bool
may_reverse(const struct dr_worker *worker, const struct dr_engine_result *result, enum dr_rc rc)
{
    return worker->run->on_failure == DROVER__V1__ON_FAILURE__REVERSE && rc != DR_E_INTERRUPTED &&
           rc != DR_E_DB_LOST && rc != DR_E_COMMIT_UNKNOWN && result->units_count > 0 &&
           result->outcome == DR_ENGINE_ROLLED_BACK &&
           (worker->run->mode == DROVER__V1__MODE__UP ||
            worker->run->mode == DROVER__V1__MODE__DOWN);
}

// After a success the engine's own words are enough.
static enum dr_rc
take_end(struct dr_worker *worker, const struct dr_engine_result *from, struct dr_err *err)
{
    Drover__V1__WorkerResult *out = &worker->result;
    enum dr_rc rc = dr_worker_fill_heads(worker->arena, from->heads, from->heads_count, &out->heads,
                                         &out->n_heads, err);
    out->ledger_head = dr_worker_data(worker->arena, from->ledger_head, 32);
    out->fingerprint = dr_worker_data(worker->arena, from->fingerprint_after, 32);
    out->position = from->position;
    if (rc == DR_OK && (out->ledger_head.data == NULL || out->fingerprint.data == NULL)) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return rc != DR_OK ? rc
                       : dr_worker_fill_schema(worker, from->fingerprint_after,
                                               from->fingerprint_text, err);
}

// After a failure: what the target is now, as far as it still can be asked. The order to stop is
// taken from the channel first: while it lies there every call ends at once.
static void
look_after(struct dr_worker *worker, const struct dr_engine_result *result)
{
    Drover__V1__PipeFrame *frame = NULL;
    struct dr_err ignored = {0};
    while (dr_pipe_receive(&worker->pipe, &frame, NULL) == DR_OK && frame != NULL) {
        dr_pipe_frame_free(&frame);
    }
    if (result->position > 0 && take_end(worker, result, &ignored) != DR_OK) {
        worker->result.n_heads = 0;
    }
    worker->result.fingerprint.len = 0; // after a failure the engine does not read it
    Drover__V1__WorkerResult keep = worker->result;
    if (dr_worker_look(worker, &ignored) == DR_OK) {
        worker->result.units = keep.units;
        worker->result.n_units = keep.n_units;
    } else {
        worker->result = keep;
    }
}

// A backup that went or changed since READY named it is told before anything is begun.
static enum dr_rc
check_backup(const Drover__V1__WorkerRun *run, struct dr_err *err)
{
    struct dr_backup backup = {0};
    if (run->resume || run->backup == NULL) {
        return DR_OK;
    }
    if (!dr_backup_of_record(run->backup, &backup)) {
        return dr_err_set(err, DR_E_INTERNAL, "the record of the backup does not fit");
    }
    return dr_backup_check_there(&backup, err);
}

enum dr_rc
dr_worker_run(struct dr_worker *worker, struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    struct dr_engine_result result = {0};
    enum dr_rc rc = dr_worker_load_plan(worker, err);
    rc = rc != DR_OK ? rc : check_backup(run, err);
    rc = rc != DR_OK ? rc : dr_worker_open(worker, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_engine_job job = {
        .plan = worker->plan,
        .mode = run->mode,
        .approval_sha256 = run->approval_sha256.len == 32 ? run->approval_sha256.data : NULL,
        .remedy = run->remedy,
        .with_fingerprints = true,
        .owns = true, // once exec has compared what was found and consumed the approval
        .take_over = run->take_over,
        .former_key = run->former_key.len == 32 ? run->former_key.data : NULL,
        .file = dr_worker_file,
        .file_arg = worker,
        .begin = run->resume ? check_resumed : ask_to_begin,
        .begin_arg = worker,
    };
    if (!run->resume && run->expected_ledger_head.len == 32) {
        job.expect_head = run->expected_ledger_head.data;
    }
    if (!run->resume && run->expected_fingerprint.len == 32) {
        job.expect_fingerprint = run->expected_fingerprint.data;
    }
    memcpy(job.plan_sha256, run->plan_sha256.data, 32);
    rc = dr_engine_run(worker->engine, &job, worker->arena, &result, err);
    struct dr_err lost = {0};
    if (take_result(worker, &result, &lost) != DR_OK) {
        return rc != DR_OK ? rc : dr_err_set(err, lost.rc, "%s", lost.message);
    }
    if (rc != DR_OK && may_reverse(worker, &result, rc)) {
        reverse(worker, job, err);
    }
    if (rc == DR_OK) {
        return take_end(worker, &result, err);
    }
    look_after(worker, &result);
    return rc;
}
