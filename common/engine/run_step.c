// One step of a run: a unit in a transaction, with its retries, and what is shared with units
// outside of one. See run_internal.h.
#include "engine/run_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/guard.h"
#include "sql/classify.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_FIRST_MS 250u
#define BACKOFF_MAX_MS   5000u

// ------------------------------------------------------------------------------------------- rows

static void
copy32(uint8_t out[32], const ProtobufCBinaryData *from)
{
    if (from->len == 32) {
        memcpy(out, from->data, 32);
    }
}

void
dr_run_row(const struct dr_engine_run *run, const struct dr_step *step, enum dr_ledger_kind kind,
           struct dr_ledger_row *out, uint8_t (*parents)[32])
{
    const Drover__V1__PlanRevision *r = step->revision;
    *out = (struct dr_ledger_row){
        .tenant = run->engine->options.tenant,
        .position = run->position + 1,
        .kind = kind,
        .direction = step->direction,
        .revision_id = r->id,
        .parents_count = r->n_parents,
        .parents = (const uint8_t(*)[32])parents,
        .unit_number = step->unit == DR_NO_UNIT ? UINT32_MAX : (uint32_t)step->unit,
        .completes = kind != DR_LEDGER_INTENT && kind != DR_LEDGER_FAILED && step->is_last,
    };
    copy32(out->revision_digest, &r->digest);
    for (size_t i = 0; i < r->n_parents; i++) {
        copy32(parents[i], &r->parents[i]);
    }
    if (step->unit != DR_NO_UNIT) {
        copy32(out->unit_digest, &r->units[step->unit]->digest);
    }
    memcpy(out->plan_sha256, run->job->plan_sha256, 32);
    if (run->job->approval_sha256 != NULL) {
        memcpy(out->approval_sha256, run->job->approval_sha256, 32);
    }
    memcpy(out->previous, run->head, 32);
    dr_ledger_seal(out);
}

void
dr_run_change(const struct dr_engine_run *run, const struct dr_step *step,
              const struct dr_ledger_row *row, struct dr_ledger_change *out)
{
    bool is_up = step->direction == DR_LEDGER_UP;
    *out = (struct dr_ledger_change){.row = row, .touches = step->direction != DR_LEDGER_REMEDY};
    if (!out->touches) {
        return;
    }
    out->depends = (const char *const *)step->revision->depends_ids;
    out->depends_count = step->revision->n_depends_ids;
    bool is_undone = row->kind == DR_LEDGER_FAILED && step->is_alone; // as if it had not begun
    out->removes = is_up ? is_undone : row->completes;
    out->is_head = is_up ? row->completes : step->was_head;
    out->state = is_undone && step->was_head ? DR_LEDGER_APPLIED
                 : !is_up                    ? DR_LEDGER_GOING_DOWN
                 : row->completes            ? DR_LEDGER_APPLIED
                                             : DR_LEDGER_GOING_UP;
    out->since = out->state == DR_LEDGER_APPLIED ? 0 : run->since;
    if (row->completes) {
        out->demoted = is_up ? step->changed : NULL;
        out->demoted_count = is_up ? step->changed_count : 0;
        out->promoted = is_up ? NULL : step->changed;
        out->promoted_count = is_up ? 0 : step->changed_count;
    }
}

void
dr_run_advance(struct dr_engine_run *run, const struct dr_ledger_row *row, bool is_durable)
{
    run->position = row->position;
    memcpy(run->head, row->head, 32);
    if (is_durable) {
        run->durable_position = row->position;
        memcpy(run->durable_head, row->head, 32);
    }
}

// ----------------------------------------------------------------------------------------- result

enum dr_rc
dr_run_keep_unit(struct dr_engine_run *run, const struct dr_step *step,
                 const struct dr_exec_result *done, uint64_t duration_ms, uint32_t retries,
                 struct dr_err *err)
{
    struct dr_engine_result *res = run->result;
    if (res->units_count == run->units_cap) {
        size_t cap = run->units_cap == 0 ? 32 : run->units_cap * 2;
        struct dr_engine_unit *list = dr_arena_array(run->arena, cap, sizeof *list);
        uint64_t *positions = dr_arena_array(run->arena, cap, sizeof *positions);
        if (list == NULL || positions == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left");
        }
        if (res->units_count > 0) {
            memcpy(list, res->units, res->units_count * sizeof *list);
            memcpy(positions, run->positions, res->units_count * sizeof *positions);
        }
        res->units = list;
        run->positions = positions;
        run->units_cap = cap;
    }
    const char *leaks = done->leaks[0] == '\0' ? "" : dr_arena_str(run->arena, done->leaks);
    struct dr_engine_unit *u = &res->units[res->units_count];
    *u = (struct dr_engine_unit){.revision_id = step->revision->id,
                                 .mode = step->direction == DR_LEDGER_DOWN ? DROVER__V1__MODE__DOWN
                                                                           : DROVER__V1__MODE__UP,
                                 .finished = dr_now_unix_s(),
                                 .duration_ms = duration_ms,
                                 .retries = retries,
                                 .leaks = leaks == NULL ? "" : leaks,
                                 .touched_count = done->touched_count,
                                 .touched = done->touched};
    copy32(u->revision_digest, &step->revision->digest);
    if (step->unit != DR_NO_UNIT) {
        copy32(u->unit_digest, &step->revision->units[step->unit]->digest);
    }
    run->positions[res->units_count++] = run->position;
    res->retries += retries;
    return DR_OK;
}

void
dr_run_tell(struct dr_engine_run *run, const struct dr_tick *tick, bool is_done)
{
    const struct dr_step *s = run->step;
    if (run->engine->options.progress == NULL || s == NULL) {
        return;
    }
    struct dr_engine_progress p = {
        .direction = s->direction == DR_LEDGER_DOWN ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP,
        .revision_id = s->revision->id,
        .revision = s->place,
        .revisions = run->revisions,
        .unit = s->number,
        .units = s->total,
        .statement = tick == NULL ? (is_done ? run->statements : 1) : tick->statement + 1,
        .statements = run->statements,
        .elapsed_ms = tick == NULL ? 0 : tick->elapsed_ms,
        .attempt = run->attempt,
        .done = is_done,
        .blockers_count = tick == NULL ? 0 : tick->blockers_count,
        .blockers = tick == NULL ? NULL : tick->blockers,
        .server = tick == NULL ? NULL : tick->server,
    };
    run->engine->options.progress(run->engine->options.progress_arg, &p);
}

// Who held the lock goes into the report; what they run does not.
static void
name_blockers(struct dr_engine_run *run, struct dr_err *err)
{
    struct dr_engine_result *res = run->result;
    if (res->blockers_count > 0) {
        const struct dr_blocker *b = &res->blockers[0];
        char since[64] = "";
        if (!b->is_hidden) {
            (void)snprintf(since, sizeof since, ", %s for %llu s", b->state,
                           (unsigned long long)(b->age_ms / 1000));
        }
        (void)dr_err_hint(err,
                          "pid %d (%s, user %s%s) holds the lock: end or wait for it, then run it "
                          "again",
                          (int)b->pid, b->application, b->user, since);
        (void)snprintf(res->detail, sizeof res->detail, "lock not had; blocked by pid %d (%s%s)",
                       (int)b->pid, b->application, since);
    }
}

enum dr_rc
dr_run_failed(struct dr_engine_run *run, const struct dr_step *step,
              const struct dr_exec_result *done, enum dr_rc rc, struct dr_err *err)
{
    struct dr_engine_result *res = run->result;
    res->failed_revision = step->revision->id;
    res->failed_line = err->line;
    (void)snprintf(res->sqlstate, sizeof res->sqlstate, "%s", done->sqlstate);
    (void)snprintf(res->detail, sizeof res->detail, "%s", done->detail);
    if (run->engine->options.owner_key == NULL) { // what an agent holds may be sent
        memcpy(res->words, done->words, sizeof res->words);
    }
    if (done->blockers_count > 0) {
        memcpy(res->blockers, done->blockers, sizeof res->blockers);
        res->blockers_count = done->blockers_count;
    }
    switch (rc) {
    case DR_E_DB_LOCK_TIMEOUT:
        err->rc = DR_E_LOCK_TIMEOUT;
        name_blockers(run, err);
        break;
    case DR_E_NEEDS_REPAIR:
    case DR_E_COMMIT_UNKNOWN:
    case DR_E_VERIFY_FAILED:
    case DR_E_INTERRUPTED:
    case DR_E_BLOCKS_OTHERS:
    case DR_E_ALEMBIC_MOVED:
    case DR_E_LOCKED:
    case DR_E_NOMEM:
        break;
    default:
        err->rc = DR_E_ENGINE_FAILED;
        break;
    }
    return dr_err_wrap(err, "revision '%s'", step->revision->id);
}

// ------------------------------------------------------------------------------------ retry, lost

static bool
may_pass(enum dr_rc rc)
{
    return rc == DR_E_DB_LOCK_TIMEOUT || rc == DR_E_DB_DEADLOCK || rc == DR_E_LOCKED ||
           rc == DR_E_DB_BUSY;
}

// Full jitter: anything from nothing up to a bound that doubles.
static enum dr_rc
back_off(struct dr_engine_run *run, uint32_t attempt, struct dr_err *err)
{
    uint32_t bound = BACKOFF_FIRST_MS, random = 0;
    for (uint32_t i = 1; i < attempt && bound < BACKOFF_MAX_MS; i++) {
        bound *= 2;
    }
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        random = bound;
    }
    struct pollfd p[2] = {{.fd = run->engine->options.cancel_fd, .events = POLLIN},
                          {.fd = run->engine->options.stop_fd, .events = POLLIN}};
    return poll(p, 2, (int)(random % (bound + 1))) > 0
               ? dr_err_set(err, DR_E_INTERRUPTED, "interrupted")
               : DR_OK;
}

enum dr_rc
dr_run_recover(struct dr_engine_run *run, const struct dr_ledger_row *row, uint64_t transaction,
               bool *out_done, struct dr_err *err)
{
    struct dr_err why = *err;
    if (++run->recoveries > DR_RECOVERIES_MAX) {
        return dr_err_set(err, DR_E_COMMIT_UNKNOWN, "the connection was lost %u times",
                          DR_RECOVERIES_MAX);
    }
    enum dr_rc rc = run->engine->ops->recover(run->engine->driver, row, transaction, out_done, err);
    if (rc != DR_OK) {
        if (err->rc != DR_E_NEEDS_REPAIR) {
            err->rc = DR_E_COMMIT_UNKNOWN; // nobody has to mend it: the next run looks first
        }
        return dr_err_wrap(err, "%s; then", why.message);
    }
    run->must_read = !*out_done;
    return DR_OK;
}

// ------------------------------------------------------------------------------------------- unit

static void
set_timeouts(const Drover__V1__Unit *unit, struct dr_exec *exec)
{
    uint64_t lock = 0, statement = 0;
    bool is_unlimited = false;
    for (size_t i = 0; i < unit->n_statements; i++) {
        uint64_t l = dr_sql_lock_timeout_ms(unit, unit->statements[i]);
        uint64_t s = dr_sql_statement_timeout_ms(unit, unit->statements[i]);
        lock = l != 0 && (lock == 0 || l < lock) ? l : lock;
        statement = s > statement ? s : statement;
        is_unlimited |= s == 0;
    }
    exec->lock_timeout_ms = lock;
    exec->statement_timeout_ms = is_unlimited ? 0 : statement;
}

static enum dr_rc
prepare(struct dr_engine_run *run, const struct dr_step *step, struct dr_arena *scratch,
        struct dr_exec *exec, struct dr_err *err)
{
    bool is_up = step->direction == DR_LEDGER_UP;
    struct dr_statement *statements = NULL;
    struct dr_check *checks = NULL;
    struct dr_guard_facts facts = {0};
    enum dr_rc rc = DR_OK;
    exec->revision_id = exec->file = step->revision->id;
    exec->arena = run->arena;
    if (step->unit != DR_NO_UNIT) {
        const Drover__V1__Unit *unit = step->revision->units[step->unit];
        set_timeouts(unit, exec);
        exec->max_block_ms = unit->max_block_ms;
        rc = dr_run_statements(run, step->revision_index, unit, scratch, &statements, &exec->count,
                               &facts, err);
    }
    if (rc == DR_OK && step->is_last && step->kind != DR_LEDGER_STAMP &&
        step->direction != DR_LEDGER_REMEDY) {
        rc = dr_run_checks(run, step->revision_index,
                           is_up ? DROVER__V1__UNIT_KIND__UNIT_VERIFY
                                 : DROVER__V1__UNIT_KIND__UNIT_VERIFY_DOWN,
                           scratch, &checks, &exec->checks_count, err);
    }
    exec->statements = statements;
    exec->checks = checks;
    exec->may_leak = facts.may_leak;
    exec->may_call = facts.may_call;
    exec->rebuilds = facts.names_foreign_keys || (facts.drops_table && facts.renames_table);
    run->statements = exec->count;
    return rc;
}

static enum dr_rc
keep_checks(struct dr_engine_run *run, const struct dr_exec_result *done, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < done->checks_count; i++) {
        rc = dr_run_keep_check(run, &done->checks[i], err);
    }
    return rc;
}

// Tries until it is done, the budget is used up, or it fails for good.
static enum dr_rc
try_unit(struct dr_engine_run *run, const struct dr_step *step, struct dr_exec *exec,
         struct dr_exec_result *done, struct dr_err *err)
{
    int64_t deadline = dr_monotonic_ms() + (int64_t)run->engine->options.retry_budget_ms;
    uint32_t limit = step->unit == DR_NO_UNIT ? 0 : step->revision->units[step->unit]->retry;
    const struct dr_ledger_row *row = exec->change->row;
    for (run->attempt = 1;; run->attempt++) {
        if (DR_FAILPOINT("engine-unit-begin")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
        dr_run_tell(run, NULL, false);
        enum dr_rc rc = run->engine->ops->unit(run->engine->driver, exec, done, err);
        if (rc == DR_E_COMMIT_UNKNOWN || rc == DR_E_DB_LOST) {
            bool is_done = false;
            rc = dr_run_recover(run, row, done->transaction, &is_done, err);
            done->committed = is_done;
            return rc;
        }
        bool is_over = dr_monotonic_ms() >= deadline || (limit > 0 && run->attempt > limit);
        if (rc == DR_OK || !may_pass(rc) || is_over) {
            return rc;
        }
        struct dr_err stopped = {0};
        if (back_off(run, run->attempt, &stopped) != DR_OK) {
            *err = stopped;
            return DR_E_INTERRUPTED;
        }
        *err = (struct dr_err){0};
    }
}

enum dr_rc
dr_run_step(struct dr_engine_run *run, const struct dr_step *step, bool is_synchronous,
            struct dr_err *err)
{
    uint8_t parents[DR_LEDGER_PARENTS_MAX][32] = {{0}};
    struct dr_ledger_row row;
    struct dr_ledger_change change;
    struct dr_exec exec = {.change = &change, .synchronous = is_synchronous};
    struct dr_exec_result done = {.failed_statement = SIZE_MAX};
    struct dr_arena *scratch = dr_arena_new(DR_SCRATCH_MAX);
    int64_t start = dr_monotonic_ms();
    if (scratch == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    dr_run_row(run, step, step->kind, &row, parents);
    dr_run_change(run, step, &row, &change);
    enum dr_rc rc = prepare(run, step, scratch, &exec, err);
    if (rc == DR_OK) {
        rc = try_unit(run, step, &exec, &done, err);
        struct dr_err ignored = {0};
        enum dr_rc kept = keep_checks(run, &done, &ignored);
        rc = rc == DR_OK ? kept : dr_run_failed(run, step, &done, rc, err);
    }
    dr_arena_free(&scratch);
    if (rc != DR_OK || run->must_read) {
        return rc;
    }
    dr_run_advance(run, &row, is_synchronous);
    rc = dr_run_keep_unit(run, step, &done, (uint64_t)(dr_monotonic_ms() - start), run->attempt - 1,
                          err);
    dr_run_tell(run, NULL, true);
    return rc;
}
