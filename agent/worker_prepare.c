// Worker, JOB_PREPARE: backup, preflights in READ ONLY transactions, and a look before and after,
// so that the backup is of the state that READY names. Nothing is written to the database.
#include "agent/worker_internal.h"

#include "engine/loss.h"
#include "engine/rights.h"
#include "revision/plan.h"

#include <stdio.h>
#include <string.h>

static bool
has_preflight(const Drover__V1__PlanRevision *revision)
{
    bool has = false;
    for (size_t i = 0; i < revision->n_units; i++) {
        Drover__V1__UnitKind kind = revision->units[i]->kind;
        has = has || kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT ||
              kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN;
    }
    return has;
}

// Nobody has signed this plan: only what the chain's own files call a preflight may run.
static enum dr_rc
check_preflights(struct dr_worker *worker, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < worker->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = worker->plan->revisions[i];
        const char *bytes = NULL;
        size_t len = 0;
        if (has_preflight(revision)) {
            rc = dr_worker_file(worker, revision->file_sha256.data, &bytes, &len, err);
            rc = rc != DR_OK ? rc
                             : dr_plan_check_preflights(revision, worker->plan->engine, bytes, len,
                                                        worker->arena, err);
        }
    }
    return rc;
}

// What a way down would take, for READY.
static enum dr_rc
count_losses(struct dr_worker *worker, const struct dr_engine_job *job, struct dr_err *err)
{
    struct dr_loss *losses = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_engine_losses(worker->engine, job, worker->arena, &losses, &n, err);
    Drover__V1__Loss **list = dr_arena_array(worker->arena, n + 1, sizeof *list);
    Drover__V1__Loss *rows = dr_arena_array(worker->arena, n + 1, sizeof *rows);
    if (rc == DR_OK && (list == NULL || rows == NULL)) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        char *const texts[] = {dr_arena_str(worker->arena, losses[i].revision_id),
                               dr_arena_str(worker->arena, losses[i].table),
                               dr_arena_str(worker->arena, losses[i].column),
                               dr_arena_str(worker->arena, losses[i].note)};
        for (size_t k = 0; k < DR_COUNT_OF(texts); k++) {
            if (texts[k] == NULL) {
                return dr_err_set(err, DR_E_NOMEM, "out of memory");
            }
        }
        drover__v1__loss__init(&rows[i]);
        rows[i].revision = texts[0];
        rows[i].table = texts[1];
        rows[i].column = texts[2];
        rows[i].note = texts[3];
        rows[i].count = losses[i].count;
        rows[i].is_estimate = losses[i].is_estimate;
        rows[i].is_unknown = losses[i].is_unknown;
        list[i] = &rows[i];
    }
    worker->result.n_losses = rc == DR_OK ? n : 0;
    worker->result.losses = list;
    return rc;
}

// What goes up or down has preflights; nothing else asks for them.
static enum dr_rc
run_preflights(struct dr_worker *worker, struct dr_err *err)
{
    struct dr_check_result *checks = NULL;
    size_t count = 0;
    if (worker->run->mode != DROVER__V1__MODE__UP && worker->run->mode != DROVER__V1__MODE__DOWN &&
        worker->run->mode != DROVER__V1__MODE__PROVE) {
        return DR_OK;
    }
    enum dr_rc rc = check_preflights(worker, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_engine_job job = {
        .plan = worker->plan,
        .mode = worker->run->mode,
        .file = dr_worker_file,
        .file_arg = worker,
        .remedy = worker->run->remedy,
    };
    memcpy(job.plan_sha256, worker->run->plan_sha256.data, 32);
    rc = dr_engine_preflight(worker->engine, &job, worker->arena, &checks, &count, err);
    return rc == DR_OK ? count_losses(worker, &job, err) : rc;
}

static bool
same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

// A role that may not do what the plan needs is told before anybody approves.
static enum dr_rc
check_rights(struct dr_worker *worker, struct dr_err *err)
{
    struct dr_engine_job job = {.plan = worker->plan,
                                .mode = worker->run->mode,
                                .file = dr_worker_file,
                                .file_arg = worker};
    return dr_engine_check_rights(worker->engine, &job, worker->arena, err);
}

enum dr_rc
dr_worker_prepare(struct dr_worker *worker, struct dr_err *err)
{
    enum dr_rc rc = dr_worker_load_plan(worker, err);
    rc = rc != DR_OK ? rc : dr_worker_open(worker, err);
    rc = rc != DR_OK ? rc : dr_worker_look(worker, err);
    rc = rc != DR_OK ? rc : check_rights(worker, err);
    if (rc != DR_OK) {
        return rc;
    }
    ProtobufCBinaryData head = worker->result.ledger_head;
    ProtobufCBinaryData fingerprint = worker->result.fingerprint;
    bool is_asked = worker->run->preflights_done && same(head, worker->run->expected_ledger_head) &&
                    same(fingerprint, worker->run->expected_fingerprint);
    if (worker->run->with_rehearsal && !(is_asked && worker->run->rehearsal_done)) {
        rc = dr_worker_rehearse(worker, err);
    }
    if (rc == DR_OK && worker->run->with_backup) {
        rc = dr_worker_take_backup(worker, err);
    }
    rc = rc != DR_OK || is_asked ? rc : run_preflights(worker, err);
    rc = rc != DR_OK ? rc : dr_worker_look(worker, err);
    if (rc == DR_OK && (!same(head, worker->result.ledger_head) ||
                        !same(fingerprint, worker->result.fingerprint))) {
        return dr_err_set(err, DR_E_STATE_CHANGED,
                          "somebody changed the target '%s' while it was prepared",
                          worker->run->target);
    }
    return rc == DR_OK && worker->result.backup != NULL ? dr_worker_note_backup(worker, err) : rc;
}
