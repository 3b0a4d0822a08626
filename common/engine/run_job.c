// A job from its first look to its last flush. See run.h.
//
// The ledger is the only memory: the schedule is made from plan and ledger, and whenever a
// connection was lost the ledger is read again and the schedule made anew. Units commit without
// waiting for the disk, except the last of a schedule and everything outside of a transaction; a
// server that crashes in between loses a suffix of them, which the ledger shows.
#include "engine/run_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "revision/file.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_CHECK_ROWS 2000u // ledgers up to this many rows are checked whole before a run

// ------------------------------------------------------------------------------------------- look

enum dr_rc
dr_run_check_plan(const struct dr_engine *e, const struct dr_engine_job *job, struct dr_err *err)
{
    const Drover__V1__Plan *plan = job->plan;
    Drover__V1__Engine mine =
        e->ops == &dr_driver_pg ? DROVER__V1__ENGINE__POSTGRESQL : DROVER__V1__ENGINE__SQLITE;
    if (plan->engine != mine) {
        return dr_err_set(err, DR_E_INVALID, "the plan is not for %s", e->ops->name);
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *r = plan->revisions[i];
        bool is_good = dr_revision_id_valid(r->id) && r->digest.len == 32 &&
                       r->n_parents <= DR_LEDGER_PARENTS_MAX && r->n_parent_ids == r->n_parents;
        for (size_t k = 0; is_good && k < r->n_parents; k++) {
            is_good = r->parents[k].len == 32 && dr_revision_id_valid(r->parent_ids[k]);
        }
        for (size_t k = 0; is_good && k < r->n_depends_ids; k++) {
            is_good = dr_revision_id_valid(r->depends_ids[k]);
        }
        for (size_t k = 0; is_good && k < r->n_units; k++) {
            is_good = r->units[k]->digest.len == 32;
        }
        if (!is_good) {
            return dr_err_set(err, DR_E_INVALID, "revision %zu of the plan is malformed", i + 1);
        }
    }
    return DR_OK;
}

static enum dr_rc
remedy_step(struct dr_engine_run *run, struct dr_schedule *out, struct dr_err *err)
{
    const Drover__V1__Plan *plan = run->job->plan;
    const char *name = run->job->remedy == NULL ? "" : run->job->remedy;
    struct dr_step *step = dr_arena_alloc(run->arena, sizeof *step);
    if (step == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        for (size_t k = 0; k < plan->revisions[i]->n_units; k++) {
            const Drover__V1__Unit *u = plan->revisions[i]->units[k];
            if (u->kind == DROVER__V1__UNIT_KIND__UNIT_REMEDY && strcmp(u->name, name) == 0) {
                *step = (struct dr_step){.revision = plan->revisions[i],
                                         .revision_index = i,
                                         .unit = k,
                                         .direction = DR_LEDGER_REMEDY,
                                         .kind = DR_LEDGER_DONE,
                                         .number = 1,
                                         .total = 1,
                                         .place = 1};
                *out = (struct dr_schedule){.steps = step, .count = 1, .revisions = 1};
                return DR_OK;
            }
        }
    }
    return dr_err_set(err, DR_E_NOT_FOUND, "the plan has no remedy '%s'", name);
}

static enum dr_rc
make_schedule(struct dr_engine_run *run, enum dr_ledger_direction direction, const bool *mask,
              const struct dr_ledger_view *view, struct dr_schedule *out, struct dr_err *err)
{
    bool is_stamp =
        run->job->mode == DROVER__V1__MODE__STAMP || run->job->mode == DROVER__V1__MODE__UNSTAMP;
    switch (direction) {
    case DR_LEDGER_UP:
        return dr_schedule_up(run->job->plan, mask, view, is_stamp, run->arena, out, err);
    case DR_LEDGER_DOWN:
        return dr_schedule_down(run->job->plan, mask, view, is_stamp, run->arena, out, err);
    default:
        return remedy_step(run, out, err);
    }
}

static enum dr_rc
load_files(struct dr_engine_run *run, const struct dr_schedule *schedule, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < schedule->count; i++) {
        rc = schedule->steps[i].kind == DR_LEDGER_STAMP
                 ? DR_OK
                 : dr_run_load(run, schedule->steps[i].revision_index, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------- work

static enum dr_ledger_direction
direction_of(Drover__V1__Mode mode)
{
    bool is_down = mode == DROVER__V1__MODE__DOWN || mode == DROVER__V1__MODE__UNSTAMP;
    return is_down                            ? DR_LEDGER_DOWN
           : mode == DROVER__V1__MODE__REMEDY ? DR_LEDGER_REMEDY
                                              : DR_LEDGER_UP;
}

static bool
is_outside(const struct dr_step *step)
{
    return step->unit != DR_NO_UNIT && step->kind != DR_LEDGER_STAMP &&
           step->revision->units[step->unit]->outside_transaction;
}

static enum dr_rc
work_step(struct dr_engine_run *run, const struct dr_step *step, bool is_synchronous,
          struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    run->step = step;
    bool is_asked = step->direction == direction_of(run->job->mode); // not on PROVE's way back
    if (step->is_first && is_asked && run->deferred[step->revision_index]) {
        rc = dr_run_preflight(run, step->revision_index, false, err);
        run->deferred[step->revision_index] = rc != DR_OK;
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (step->since != 0) {
        run->since = step->since;
    } else if (step->is_first) {
        run->since = run->position + 1;
    }
    return is_outside(step) ? dr_run_outside(run, step, err)
                            : dr_run_step(run, step, is_synchronous, err);
}

// Told to stop: what is committed stays, the next unit does not begin.
static enum dr_rc
check_stop(const struct dr_engine_run *run, struct dr_err *err)
{
    struct pollfd p[2] = {{.fd = run->engine->options.cancel_fd, .events = POLLIN},
                          {.fd = run->engine->options.stop_fd, .events = POLLIN}};
    return poll(p, 2, 0) > 0 ? dr_err_set(err, DR_E_INTERRUPTED, "interrupted between two units")
                             : DR_OK;
}

// All of one direction, however often the ledger has to be read.
enum dr_rc
dr_run_work(struct dr_engine_run *run, enum dr_ledger_direction direction, const bool *mask,
            struct dr_schedule *schedule, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    for (;;) {
        enum dr_rc rc = DR_OK;
        run->must_read = false;
        run->revisions = schedule->revisions;
        for (size_t i = 0; rc == DR_OK && !run->must_read && i < schedule->count; i++) {
            rc = check_stop(run, err);
            rc = rc == DR_OK ? work_step(run, &schedule->steps[i], i + 1 == schedule->count, err)
                             : rc;
        }
        if (rc != DR_OK || !run->must_read) {
            return rc;
        }
        struct dr_ledger_view view;
        rc = e->ops->ledger_read(e->driver, run->arena, DR_LEDGER_LIST, &view, err);
        if (rc == DR_OK) {
            rc = dr_run_note_position(run, &view, err);
        }
        if (rc == DR_OK) {
            rc = make_schedule(run, direction, mask, &view, schedule, err);
        }
        if (rc == DR_OK && direction == DR_LEDGER_REMEDY && run->position > run->durable_position) {
            return DR_OK; // a remedy has no state of its own: its row is there
        }
        if (rc != DR_OK) {
            return rc;
        }
    }
}

enum dr_rc
dr_run_phase(struct dr_engine_run *run, enum dr_ledger_direction direction, const bool *mask,
             uint8_t fingerprint[32], struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_ledger_view view;
    struct dr_schedule schedule;
    enum dr_rc rc = e->ops->ledger_read(e->driver, run->arena, DR_LEDGER_LIST, &view, err);
    if (rc == DR_OK) {
        rc = make_schedule(run, direction, mask, &view, &schedule, err);
    }
    rc = rc == DR_OK ? load_files(run, &schedule, err) : rc;
    rc = rc == DR_OK ? dr_run_work(run, direction, mask, &schedule, err) : rc;
    const char **text = &run->result->fingerprint_text;
    return rc == DR_OK ? e->ops->fingerprint(e->driver, run->arena, fingerprint, text, err) : rc;
}

// ------------------------------------------------------------------------------------------ start

static enum dr_rc
check_expected(struct dr_engine_run *run, const struct dr_ledger_view *view, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    const struct dr_engine_job *job = run->job;
    if (job->expect_head != NULL && memcmp(job->expect_head, view->head, 32) != 0) {
        return dr_err_set(err, DR_E_STATE_CHANGED,
                          "the ledger is not where it was when the target was looked at");
    }
    bool wants = job->with_fingerprints || job->mode == DROVER__V1__MODE__PROVE ||
                 job->expect_fingerprint != NULL;
    enum dr_rc rc = wants ? e->ops->fingerprint(e->driver, run->arena,
                                                run->result->fingerprint_before, NULL, err)
                          : DR_OK;
    if (rc == DR_OK && job->expect_fingerprint != NULL &&
        memcmp(job->expect_fingerprint, run->result->fingerprint_before, 32) != 0) {
        rc = dr_err_set(err, DR_E_STATE_CHANGED,
                        "the schema is not what it was when the target was looked at");
    }
    return rc;
}

static enum dr_rc
check_owner(const struct dr_engine_run *run, const struct dr_ledger_view *view, struct dr_err *err)
{
    const struct dr_engine_job *job = run->job;
    bool was_mine = job->former_key != NULL && memcmp(job->former_key, view->owner_key, 32) == 0;
    return job->owns && (job->take_over || was_mine) ? DR_OK
                                                     : dr_run_check_owner(run->engine, view, err);
}

// A look without a lock, so that a run with nothing to do disturbs nobody.
static enum dr_rc
look_before(struct dr_engine_run *run, struct dr_ledger_view *view, struct dr_schedule *schedule,
            bool *out_todo, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    enum dr_rc rc = e->ops->ledger_read(e->driver, run->arena, DR_LEDGER_LIST, view, err);
    if (rc == DR_OK) {
        rc = check_owner(run, view, err);
    }
    if (rc == DR_OK) {
        rc = make_schedule(run, direction_of(run->job->mode), NULL, view, schedule, err);
    }
    if (rc == DR_OK) {
        *out_todo =
            schedule->count > 0 || run->job->begin != NULL || run->job->expect_fingerprint != NULL;
    }
    return rc;
}

// Everything that can be known before the first write. `*out_todo` false: there is nothing to do,
// and nothing was locked.
static enum dr_rc
look(struct dr_engine_run *run, struct dr_schedule *schedule, bool *out_todo, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_ledger_view view = {.position = run->job->seen_position};
    enum dr_ledger_direction direction = direction_of(run->job->mode);
    enum dr_rc rc = run->job->has_work ? DR_OK : look_before(run, &view, schedule, out_todo, err);
    *out_todo = run->job->has_work || *out_todo;
    if (rc != DR_OK || !*out_todo) {
        return rc;
    }
    rc = e->ops->lock(e->driver, e->options.lock_wait_ms, err);
    if (rc == DR_OK && DR_FAILPOINT("engine-locked")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        rc = e->ops->ledger_read(
            e->driver, run->arena,
            view.position <= WHOLE_CHECK_ROWS ? DR_LEDGER_WHOLE : DR_LEDGER_LIST, &view, err);
    }
    if (rc == DR_OK) {
        rc = check_owner(run, &view, err);
    }
    if (rc == DR_OK) {
        rc = check_expected(run, &view, err);
    }
    if (rc == DR_OK) {
        rc = make_schedule(run, direction, NULL, &view, schedule, err);
    }
    run->durable_position = 0;
    if (rc == DR_OK) {
        rc = dr_run_note_position(run, &view, err);
        run->durable_position = view.position;
        memcpy(run->durable_head, view.head, 32);
        run->begun_at =
            view.revisions_count > 0 ? view.revisions[view.revisions_count - 1].id : NULL;
    }
    rc = rc == DR_OK ? load_files(run, schedule, err) : rc;
    rc = rc == DR_OK && schedule->count > 0 ? dr_run_alembic_check(run, &view, err) : rc;
    if (rc == DR_OK && run->job->begin != NULL) {
        struct dr_engine_state found;
        rc = dr_run_state(e, run->arena, &view, &found, err);
        memcpy(found.fingerprint, run->result->fingerprint_before, 32);
        // lock() gives A only after it had B, too.
        found.has_key_a = found.saw_key_b = true;
        rc = rc == DR_OK ? run->job->begin(run->job->begin_arg, &found, err) : rc;
    }
    return rc == DR_OK ? dr_run_own(run, &view, err) : rc;
}

static enum dr_rc
do_job(struct dr_engine_run *run, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_schedule schedule = {0};
    bool is_todo = false;
    Drover__V1__Mode mode = run->job->mode;
    enum dr_rc rc = look(run, &schedule, &is_todo, err);
    if (rc != DR_OK || !is_todo || schedule.count == 0) {
        run->result->outcome = rc == DR_OK ? DR_ENGINE_NOTHING : run->result->outcome;
        return rc;
    }
    if (mode == DROVER__V1__MODE__UP || mode == DROVER__V1__MODE__DOWN ||
        mode == DROVER__V1__MODE__PROVE) {
        rc = dr_run_preflights(run, &schedule, err);
    }
    if (rc == DR_OK) {
        rc = e->ops->ledger_ensure(e->driver, err);
    }
    rc = rc == DR_OK ? dr_run_alembic_make(run, err) : rc;
    if (rc == DR_OK && DR_FAILPOINT("engine-ledger-made")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        rc = mode == DROVER__V1__MODE__PROVE
                 ? dr_run_prove(run, &schedule, err)
                 : dr_run_work(run, direction_of(mode), NULL, &schedule, err);
    }
    if (rc == DR_OK && DR_FAILPOINT("engine-run-end")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        run->result->outcome = DR_ENGINE_DONE;
    }
    return rc;
}

// -------------------------------------------------------------------------------------------- end

// What is told of the target is what the ledger says once everything is flushed. A failure here is
// the run's only if there was none before.
static enum dr_rc
finish(struct dr_engine_run *run, enum dr_rc rc, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_engine_result *res = run->result;
    struct dr_ledger_view view;
    struct dr_err later = {0};
    enum dr_rc last = DR_OK;
    e->ops->shield(e->driver, true);
    if (rc != DR_OK && run->position > run->durable_position) {
        last = e->ops->flush(e->driver, &later);
    }
    if (last == DR_OK) {
        last = e->ops->ledger_read(e->driver, run->arena, DR_LEDGER_HEADS, &view, &later);
    }
    if (last == DR_OK) {
        res->position = view.position;
        memcpy(res->ledger_head, view.head, 32);
        last = dr_run_heads(&view, run->arena, &res->heads, &res->heads_count, &later);
    }
    bool wants = run->job->with_fingerprints && run->job->mode != DROVER__V1__MODE__PROVE;
    if (last == DR_OK && rc == DR_OK && wants) {
        const char **text = &res->fingerprint_text;
        last = e->ops->fingerprint(e->driver, run->arena, res->fingerprint_after, text, &later);
    }
    e->ops->shield(e->driver, false);
    if (rc == DR_OK && last != DR_OK) {
        *err = later;
        return dr_err_wrap(err, "everything ran, but what is there could not be read");
    }
    if (rc != DR_OK && last != DR_OK) {
        res->units_count = 0; // nothing can be said of them: the ledger will tell
    }
    return rc;
}

enum dr_rc
dr_engine_run(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
              struct dr_engine_result *out, struct dr_err *err)
{
    int64_t start = dr_monotonic_ms();
    struct dr_engine_run run = {.engine = engine, .job = job, .arena = arena, .result = out};
    *out = (struct dr_engine_result){.failed_revision = "", .started = dr_now_unix_s()};
    enum dr_rc rc = dr_run_check_plan(engine, job, err);
    if (rc != DR_OK) {
        return rc;
    }
    run.files = dr_arena_array(arena, job->plan->n_revisions + 1, sizeof *run.files);
    run.deferred = dr_arena_array(arena, job->plan->n_revisions + 1, sizeof *run.deferred);
    if (run.files == NULL || run.deferred == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    engine->current = &run;
    rc = do_job(&run, err);
    run.step = NULL;
    rc = finish(&run, rc, err);
    engine->ops->unlock(engine->driver);
    engine->current = NULL;
    if (rc != DR_OK && out->outcome != DR_ENGINE_REPAIR) {
        bool is_in_doubt =
            rc == DR_E_NEEDS_REPAIR || rc == DR_E_LEDGER_BEHIND || rc == DR_E_COMMIT_UNKNOWN;
        out->outcome = is_in_doubt ? DR_ENGINE_REPAIR : DR_ENGINE_ROLLED_BACK;
    }
    out->finished = dr_now_unix_s();
    out->duration_ms = (uint64_t)(dr_monotonic_ms() - start);
    return rc;
}

enum dr_rc
dr_engine_preflight(struct dr_engine *engine, const struct dr_engine_job *job,
                    struct dr_arena *arena, struct dr_check_result **out, size_t *out_count,
                    struct dr_err *err)
{
    struct dr_engine_result result = {.failed_revision = ""};
    struct dr_engine_run run = {.engine = engine,
                                .job = job,
                                .arena = arena,
                                .result = &result,
                                .is_unapproved = true,
                                .preflight_deadline_ms =
                                    dr_monotonic_ms() + DR_UNAPPROVED_PHASE_MS};
    struct dr_ledger_view view;
    struct dr_schedule schedule = {0};
    *out = NULL;
    *out_count = 0;
    enum dr_rc rc = dr_run_check_plan(engine, job, err);
    run.files = dr_arena_array(arena, job->plan->n_revisions + 1, sizeof *run.files);
    run.deferred = dr_arena_array(arena, job->plan->n_revisions + 1, sizeof *run.deferred);
    if (rc == DR_OK && (run.files == NULL || run.deferred == NULL)) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc == DR_OK) {
        rc = engine->ops->ledger_read(engine->driver, arena, DR_LEDGER_LIST, &view, err);
    }
    if (rc == DR_OK) {
        rc = job->mode == DROVER__V1__MODE__DOWN
                 ? dr_schedule_down(job->plan, NULL, &view, false, arena, &schedule, err)
                 : dr_schedule_up(job->plan, NULL, &view, false, arena, &schedule, err);
    }
    if (rc == DR_OK) {
        rc = load_files(&run, &schedule, err);
    }
    if (rc == DR_OK) {
        rc = dr_run_preflights(&run, &schedule, err);
    }
    *out = result.checks;
    *out_count = result.checks_count;
    return rc;
}
