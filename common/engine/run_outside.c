// A unit outside of a transaction: intent row, statement, probe, checks, done row. See
// run_internal.h.
//
// Whatever happens between the rows, the next run finds the intent and asks the probe: the effect
// is there (done), it is not (run it), or half of it is (clean up, then run it). A statement that
// no probe knows stops the run.
#include "engine/run_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/guard.h"
#include "sql/classify.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TRIES_MAX 3u // of clean-up and statement in one run

struct outside {
    struct dr_engine_run *run;
    const struct dr_step *step;
    const Drover__V1__Unit *unit;
    struct dr_exec exec;
    struct dr_exec_result done;
    uint32_t retries;
};

// Commits one row by itself; a lost connection is looked into.
static enum dr_rc
write_row(struct outside *o, enum dr_ledger_kind kind, struct dr_err *err)
{
    uint8_t parents[DR_LEDGER_PARENTS_MAX][32] = {{0}};
    struct dr_ledger_row row;
    struct dr_ledger_change change;
    struct dr_engine_run *run = o->run;
    dr_run_row(run, o->step, kind, &row, parents);
    dr_run_change(run, o->step, &row, &change);
    enum dr_rc rc = run->engine->ops->note(run->engine->driver, &change, err);
    if (rc == DR_E_COMMIT_UNKNOWN || rc == DR_E_DB_LOST) {
        bool is_done = false;
        rc = dr_run_recover(run, &row, 0, &is_done, err);
    }
    if (rc == DR_OK && !run->must_read) {
        dr_run_advance(run, &row, true);
    }
    return rc;
}

static enum dr_rc
probe(struct outside *o, enum dr_probe_state *out, struct dr_err *err)
{
    struct dr_engine *e = o->run->engine;
    return e->ops->probe(e->driver, o->unit->probe, o->unit->probe_object, o->exec.statements, out,
                         err);
}

static enum dr_rc
clean(struct outside *o, struct dr_err *err)
{
    struct dr_engine *e = o->run->engine;
    enum dr_rc rc =
        e->ops->clean(e->driver, o->unit->probe, o->unit->probe_object, o->exec.statements, err);
    if (rc == DR_OK && DR_FAILPOINT("engine-clean-after")) {
        return dr_err_set(err, DR_E_IO, "failpoint");
    }
    return rc;
}

static enum dr_rc
in_doubt(struct outside *o, struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_NEEDS_REPAIR,
                     "a statement of revision '%s' outside of a transaction was begun, and nothing "
                     "can tell whether it took effect",
                     o->step->revision->id);
    return dr_err_at(err, o->step->revision->id, o->exec.count > 0 ? o->exec.statements[0].line : 0,
                     0);
}

// After a failure of the statement: its debris is removed and a row says that it left nothing.
// Where that is not certain the intent stays open, and the next run looks again.
static enum dr_rc
undo(struct outside *o, struct dr_err *err)
{
    enum dr_probe_state state = DR_PROBE_UNKNOWN;
    struct dr_err ignored = {0};
    enum dr_rc rc = probe(o, &state, &ignored);
    if (rc == DR_OK && state == DR_PROBE_DEBRIS) {
        rc = clean(o, &ignored);
        state = DR_PROBE_ABSENT;
    }
    if (rc == DR_OK && state != DR_PROBE_DONE) {
        rc = write_row(o, DR_LEDGER_FAILED, &ignored);
    }
    if (rc != DR_OK || state == DR_PROBE_DONE) {
        o->run->result->outcome = DR_ENGINE_REPAIR;
        (void)dr_err_hint(err, "what it left is looked at by the next run");
    }
    return err->rc;
}

// The row that is surely there stands for the connection: with both keys held, the old session has
// ended. The ledger is read again then, and finds the intent.
static enum dr_rc
connect_again(struct dr_engine_run *run, struct dr_err *err)
{
    struct dr_ledger_row row = {.position = run->position};
    bool is_there = false;
    memcpy(row.head, run->head, 32);
    enum dr_rc rc = dr_run_recover(run, &row, 0, &is_there, err);
    run->must_read = true;
    return rc;
}

static enum dr_rc
statement(struct outside *o, struct dr_err *err)
{
    struct dr_engine_run *run = o->run;
    enum dr_rc rc = run->engine->ops->outside(run->engine->driver, &o->exec, &o->done, err);
    if (rc == DR_E_COMMIT_UNKNOWN || rc == DR_E_DB_LOST) {
        return connect_again(run, err);
    }
    if (rc == DR_OK && DR_FAILPOINT("engine-outside-after")) {
        return dr_err_set(err, DR_E_IO, "failpoint");
    }
    return rc == DR_OK ? DR_OK : undo(o, err);
}

// Until the probe is content.
static enum dr_rc
bring_about(struct outside *o, bool is_resumed, struct dr_err *err)
{
    enum dr_probe_state state = DR_PROBE_ABSENT;
    enum dr_rc rc = is_resumed ? probe(o, &state, err) : DR_OK;
    for (uint32_t i = 0; rc == DR_OK && i < TRIES_MAX; i++) {
        if (state == DR_PROBE_DONE) {
            return DR_OK;
        }
        if (state == DR_PROBE_UNKNOWN) {
            return in_doubt(o, err);
        }
        if (state == DR_PROBE_DEBRIS) {
            rc = clean(o, err);
        } else {
            rc = statement(o, err);
            if (rc != DR_OK || o->run->must_read ||
                o->unit->probe == DROVER__V1__PROBE__PROBE_NONE ||
                o->unit->probe == DROVER__V1__PROBE__PROBE_IDEMPOTENT ||
                o->unit->probe == DROVER__V1__PROBE__PROBE_REINDEX) {
                return rc;
            }
        }
        if (rc == DR_OK) {
            rc = probe(o, &state, err);
        }
    }
    if (rc == DR_OK && state != DR_PROBE_DONE) {
        rc = dr_err_set(err, DR_E_NEEDS_REPAIR,
                        "revision '%s' ran, but its effect on '%s' is not there",
                        o->step->revision->id, o->unit->probe_object);
    }
    return rc;
}

// Verify sections of a revision whose last unit is outside: before the done row, so that a failure
// leaves it undone.
static enum dr_rc
verify(struct outside *o, struct dr_arena *scratch, struct dr_err *err)
{
    struct dr_engine_run *run = o->run;
    bool is_up = o->step->direction == DR_LEDGER_UP;
    struct dr_check *checks = NULL;
    size_t count = 0;
    enum dr_rc rc = o->step->is_last
                        ? dr_run_checks(run, o->step->revision_index,
                                        is_up ? DROVER__V1__UNIT_KIND__UNIT_VERIFY
                                              : DROVER__V1__UNIT_KIND__UNIT_VERIFY_DOWN,
                                        scratch, &checks, &count, err)
                        : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        struct dr_check_result got = {0};
        rc = run->engine->ops->check(run->engine->driver, &checks[i], false, run->arena, &got, err);
        if (rc == DR_OK) {
            rc = dr_run_keep_check(run, &got, err);
        }
        if (rc == DR_OK && got.verdict != DR_CHECK_PASSED) {
            (void)dr_err_set(err, DR_E_VERIFY_FAILED, "verify '%s' of revision '%s' failed: %s",
                             got.name, o->step->revision->id, got.reason);
            (void)dr_err_hint(
                err,
                "its statement outside of a transaction stays; mend the cause, then run it again");
            rc = dr_err_at(err, o->step->revision->id,
                           checks[i].count > 0 ? checks[i].statements[0].line : 0, 0);
            run->result->outcome = DR_ENGINE_REPAIR;
        }
    }
    return rc;
}

static enum dr_rc
walk(struct outside *o, struct dr_arena *scratch, struct dr_err *err)
{
    struct dr_statement *statements = NULL;
    enum dr_rc rc = dr_run_statements(o->run, o->step->revision_index, o->unit, scratch,
                                      &statements, &o->exec.count, NULL, err);
    o->exec.statements = statements;
    if (rc == DR_OK && o->exec.count != 1) {
        rc = dr_err_set(err, DR_E_PLAN_MISMATCH,
                        "a section outside of a transaction has more than one statement");
    }
    if (rc == DR_OK && !o->step->has_intent) {
        if (DR_FAILPOINT("engine-intent-before")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
        rc = write_row(o, DR_LEDGER_INTENT, err);
        if (rc == DR_OK && DR_FAILPOINT("engine-intent-after")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
    }
    if (rc == DR_OK && !o->run->must_read) {
        rc = bring_about(o, o->step->has_intent, err);
    }
    if (rc == DR_OK && !o->run->must_read) {
        rc = verify(o, scratch, err);
    }
    if (rc == DR_E_DB_LOST) { // while probing, cleaning up or verifying
        rc = connect_again(o->run, err);
    }
    if (rc == DR_OK && !o->run->must_read) {
        rc = write_row(o, DR_LEDGER_DONE, err);
        if (rc == DR_OK && DR_FAILPOINT("engine-done-after")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
    }
    return rc;
}

enum dr_rc
dr_run_outside(struct dr_engine_run *run, const struct dr_step *step, struct dr_err *err)
{
    const Drover__V1__Unit *unit = step->revision->units[step->unit];
    struct outside o = {
        .run = run, .step = step, .unit = unit, .done = {.failed_statement = SIZE_MAX}};
    struct dr_arena *scratch = dr_arena_new(DR_SCRATCH_MAX);
    int64_t start = dr_monotonic_ms();
    if (scratch == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    o.exec = (struct dr_exec){.revision_id = step->revision->id,
                              .file = step->revision->id,
                              .max_block_ms = unit->max_block_ms,
                              .arena = run->arena};
    if (unit->n_statements == 1) {
        o.exec.lock_timeout_ms = dr_sql_lock_timeout_ms(unit, unit->statements[0]);
        o.exec.statement_timeout_ms = dr_sql_statement_timeout_ms(unit, unit->statements[0]);
    }
    run->statements = 1;
    run->attempt = 1;
    dr_run_tell(run, NULL, false);
    enum dr_rc rc = walk(&o, scratch, err);
    dr_arena_free(&scratch);
    if (rc != DR_OK) {
        return dr_run_failed(run, step, &o.done, rc, err);
    }
    if (run->must_read) {
        return DR_OK;
    }
    rc = dr_run_keep_unit(run, step, &o.done, (uint64_t)(dr_monotonic_ms() - start), 0, err);
    dr_run_tell(run, NULL, true);
    return rc;
}
