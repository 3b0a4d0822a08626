// Preflight and verify sections of a run. See run_internal.h.
//
// Preflights of everything that is pending run before the first change, so that a run stops while
// nothing has happened. One that names an object which an earlier pending revision makes cannot be
// asked yet: it is asked again right before its own revision.
//
// Before a READY nobody has approved a run yet. Preflights are then the only bytes of a revision
// that reach the database, so they are held to a list of functions (sql/preflight.h), to short
// time-outs and to one bound over all of them.
#include "engine/run_internal.h"

#include "base/clock.h"
#include "sql/preflight.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool
applies(const struct dr_engine_run *run, const Drover__V1__Unit *unit)
{
    const char *environment = run->engine->options.environment;
    return unit->only[0] == '\0' || strcmp(unit->only, environment) == 0;
}

enum dr_rc
dr_run_checks(struct dr_engine_run *run, size_t revision, Drover__V1__UnitKind kind,
              struct dr_arena *arena, struct dr_check **out, size_t *out_count, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    struct dr_check *list = NULL;
    size_t n = 0;
    for (size_t i = 0; i < r->n_units; i++) {
        const Drover__V1__Unit *u = r->units[i];
        if (u->kind != kind || !applies(run, u)) {
            continue;
        }
        if (list == NULL) {
            list = dr_arena_array(arena, r->n_units, sizeof *list);
        }
        struct dr_statement *statements;
        size_t count;
        enum dr_rc rc = list == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                                     : dr_run_statements(run, revision, u, arena, &statements,
                                                         &count, NULL, err);
        if (rc != DR_OK) {
            return rc;
        }
        list[n++] = (struct dr_check){.name = u->name[0] != '\0' ? u->name : r->id,
                                      .statements = statements,
                                      .count = count,
                                      .expect_empty = u->expect == DROVER__V1__EXPECT__EXPECT_EMPTY,
                                      .max_ms = u->max_ms,
                                      .sample = u->sample,
                                      .statement_timeout_ms = u->statement_timeout_ms};
    }
    *out = list;
    *out_count = n;
    return DR_OK;
}

enum dr_rc
dr_run_keep_check(struct dr_engine_run *run, const struct dr_check_result *check,
                  struct dr_err *err)
{
    struct dr_engine_result *res = run->result;
    if (res->checks_count == run->checks_cap) {
        size_t cap = run->checks_cap == 0 ? 8 : run->checks_cap * 2;
        struct dr_check_result *list = dr_arena_array(run->arena, cap, sizeof *list);
        if (list == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left");
        }
        if (res->checks_count > 0) {
            memcpy(list, res->checks, res->checks_count * sizeof *list);
        }
        res->checks = list;
        run->checks_cap = cap;
    }
    res->checks[res->checks_count++] = *check;
    return DR_OK;
}

static enum dr_rc
judge(struct dr_engine_run *run, size_t revision, const struct dr_check *check,
      const struct dr_check_result *got, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    if (got->verdict == DR_CHECK_PASSED) {
        return DR_OK;
    }
    run->result->failed_revision = r->id;
    run->result->failed_line = check->count > 0 ? check->statements[0].line : 0;
    (void)snprintf(run->result->sqlstate, sizeof run->result->sqlstate, "%s", got->sqlstate);
    (void)snprintf(run->result->detail, sizeof run->result->detail, "preflight '%s' failed",
                   got->name);
    (void)dr_err_set(err, DR_E_PREFLIGHT_FAILED, "preflight '%s' of revision '%s' failed: %s",
                     got->name, r->id, got->reason);
    return dr_err_at(err, r->id, run->result->failed_line, 0);
}

// Refuses what may not run before an approval.
static enum dr_rc
forbid(struct dr_engine_run *run, size_t revision, const struct dr_check *check, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    enum dr_sql_dialect dialect = (enum dr_sql_dialect)run->job->plan->engine;
    for (size_t i = 0; i < check->count; i++) {
        const struct dr_statement *s = &check->statements[i];
        struct dr_sql_preflight_fault fault;
        if (!dr_sql_preflight_allowed(dialect, s->text, s->len, &fault)) {
            uint32_t line, column;
            dr_sql_position(s->text, s->len, fault.offset, &line, &column);
            (void)dr_err_set(err, DR_E_PREFLIGHT_FORBIDDEN, "preflight '%s' of revision '%s': %s",
                             check->name, r->id, fault.message);
            (void)dr_err_hint(err, "%s", fault.help);
            return dr_err_at(err, r->id, s->line + line - 1, 0);
        }
    }
    return DR_OK;
}

static enum dr_rc
limit_time(const struct dr_engine_run *run, struct dr_check *check, struct dr_err *err)
{
    uint32_t timeout =
        check->statement_timeout_ms == 0 ? DR_UNAPPROVED_STATEMENT_MS : check->statement_timeout_ms;
    check->statement_timeout_ms =
        timeout < DR_UNAPPROVED_STATEMENT_MAX_MS ? timeout : DR_UNAPPROVED_STATEMENT_MAX_MS;
    check->deadline_ms = run->preflight_deadline_ms;
    check->is_unapproved = true;
    if (dr_monotonic_ms() >= run->preflight_deadline_ms) {
        return dr_err_set(err, DR_E_PREFLIGHT_FAILED,
                          "the preflights took longer than %d s, so '%s' was not asked",
                          DR_UNAPPROVED_PHASE_MS / 1000, check->name);
    }
    return DR_OK;
}

// The way down has preflights of its own.
static Drover__V1__UnitKind
preflight_kind(const struct dr_engine_run *run)
{
    return run->job->mode == DROVER__V1__MODE__DOWN ? DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN
                                                    : DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT;
}

enum dr_rc
dr_run_preflight(struct dr_engine_run *run, size_t revision, bool may_defer, struct dr_err *err)
{
    struct dr_check *checks;
    size_t count;
    enum dr_rc rc =
        dr_run_checks(run, revision, preflight_kind(run), run->arena, &checks, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        struct dr_check_result got = {0};
        rc = run->is_unapproved ? limit_time(run, &checks[i], err) : DR_OK;
        if (rc != DR_OK) {
            return rc;
        }
        rc = run->engine->ops->check(run->engine->driver, &checks[i], true, run->arena, &got, err);
        if (rc != DR_OK) {
            return dr_err_wrap(err, "preflight '%s'", checks[i].name);
        }
        if (got.verdict == DR_CHECK_DEFERRED && !may_defer) {
            got.verdict = DR_CHECK_ERROR;
        } else if (got.verdict == DR_CHECK_FAILED && may_defer && !checks[i].expect_empty) {
            got.verdict = DR_CHECK_DEFERRED; // a revision before it may make it true
        }
        rc = dr_run_keep_check(run, &got, err);
        if (rc == DR_OK && got.verdict == DR_CHECK_DEFERRED) {
            run->deferred[revision] = true;
        } else if (rc == DR_OK) {
            rc = judge(run, revision, &checks[i], &got, err);
        }
    }
    return rc;
}

// Before the first of them runs.
static enum dr_rc
forbid_all(struct dr_engine_run *run, const struct dr_schedule *schedule, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && run->is_unapproved && i < schedule->count; i++) {
        struct dr_check *checks = NULL;
        size_t count = 0, revision = schedule->steps[i].revision_index;
        rc = dr_run_checks(run, revision, preflight_kind(run), run->arena, &checks, &count, err);
        for (size_t k = 0; rc == DR_OK && k < count; k++) {
            rc = forbid(run, revision, &checks[k], err);
        }
    }
    return rc;
}

enum dr_rc
dr_run_preflights(struct dr_engine_run *run, const struct dr_schedule *schedule, struct dr_err *err)
{
    enum dr_rc first = forbid_all(run, schedule, err);
    if (first != DR_OK) {
        return first;
    }
    for (size_t i = 0; i < schedule->count; i++) {
        const struct dr_step *step = &schedule->steps[i];
        struct dr_err one = {0};
        if (!step->is_first || step->direction == DR_LEDGER_REMEDY) {
            continue;
        }
        enum dr_rc rc = dr_run_preflight(run, step->revision_index, step->place > 1, &one);
        if (rc != DR_OK && first == DR_OK) {
            first = rc;
            *err = one;
        }
        if (rc != DR_OK && rc != DR_E_PREFLIGHT_FAILED) {
            *err = one;
            return rc;
        }
    }
    return first;
}
