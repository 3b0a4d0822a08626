// The walk of a rehearsal. See rehearse.h.
//
// Only what the target lacks (or, for a way down, holds) goes back and there again: revisions that
// it has are the ground. Where one of them has no way back, the ground is behind it: what comes
// after is tried both ways, and the result says from where on.
#include "engine/rehearse_internal.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/fingerprint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TIMEOUT_MS (3600ull * 1000)

struct walk {
    const struct dr_rehearse_options *options;
    const struct dr_engine_job *job;
    const struct dr_engine_state *state;
    struct dr_arena *arena;
    struct dr_rehearsal *out;
    struct dr_copy copy;
    struct dr_engine *engine;
    struct dr_engine_state now; // of the copy
    Drover__V1__PlanRevision **revisions;
    size_t count; // to be done
    size_t fixed; // of these from the front: they cannot go back
    bool is_down;
    bool is_partial;
    int timer; // readable when the time is over
    int64_t deadline_ms;
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

struct dr_db_wait
dr_rehearse_wait(int64_t deadline_ms, int cancel_fd)
{
    return (struct dr_db_wait){.deadline_ms = deadline_ms, .cancel_fd = cancel_fd};
}

const char *
dr_rehearse_stage_word(enum dr_rehearse_stage stage, Drover__V1__Mode mode)
{
    bool is_down = mode == DROVER__V1__MODE__DOWN;
    switch (stage) {
    case DR_REHEARSE_COPY:
        return "copy";
    case DR_REHEARSE_THERE:
        return is_down ? "down" : "up";
    case DR_REHEARSE_BACK:
        return is_down ? "up" : "down";
    case DR_REHEARSE_AGAIN:
        return is_down ? "down again" : "up again";
    case DR_REHEARSE_ESTIMATE:
        return "sizes";
    }
    return "";
}

static void
enter(struct walk *w, enum dr_rehearse_stage stage)
{
    w->out->stage = stage;
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_arg, stage, NULL);
    }
}

static void
on_progress(void *arg, const struct dr_engine_progress *p)
{
    struct walk *w = arg;
    if (w->options->progress != NULL) {
        w->options->progress(w->options->progress_arg, w->out->stage, p);
    }
}

// ------------------------------------------------------------------------------------------- copy

static void
close_copy(struct dr_copy *copy)
{
    dr_cluster_stop(&copy->cluster);
    dr_scratch_close(&copy->scratch);
    dr_backup_copy_close(&copy->restored);
    copy->url = NULL;
}

static enum dr_rc
read_copy(struct walk *w, struct dr_err *err)
{
    return dr_engine_read_state(w->engine, w->arena, true, false, &w->now, err);
}

static enum dr_rc
open_engine(struct walk *w, const struct dr_engine_state *owned, struct dr_err *err)
{
    const struct dr_engine_options options = {
        .url = w->copy.url,
        .schema = w->options->schema,
        .tenant = w->options->tenant,
        .environment = w->options->environment,
        .tolerate = w->options->tolerate,
        .tolerate_count = w->options->tolerate_count,
        .target = "rehearsal",
        .owner = owned == NULL ? NULL : owned->owner,
        .owner_key = owned == NULL ? NULL : owned->owner_key,
        .observes = true,
        .cancel_fd = w->options->cancel_fd,
        .stop_fd = w->timer,
        .progress = on_progress,
        .progress_arg = w,
    };
    dr_engine_close(&w->engine);
    return dr_engine_open(&options, &w->engine, err);
}

// The copy of an owned ledger is worked on in its owner's name.
static enum dr_rc
open_copy(struct walk *w, struct dr_err *err)
{
    struct dr_identity identity;
    struct dr_buf lines = {0};
    enum dr_rc rc = open_engine(w, NULL, err);
    rc = rc == DR_OK ? read_copy(w, err) : rc;
    if (rc == DR_OK && w->now.owner[0] != '\0') {
        const struct dr_engine_state owned = w->now;
        rc = open_engine(w, &owned, err);
        rc = rc == DR_OK ? read_copy(w, err) : rc;
    }
    if (rc != DR_OK) {
        return rc;
    }
    dr_engine_identity(w->engine, &identity);
    w->out->server_version = dr_arena_str(w->arena, identity.server_version);
    if (w->state != NULL && w->state->fingerprint_text != NULL &&
        memcmp(w->state->fingerprint, w->now.fingerprint, 32) != 0) {
        (void)dr_fingerprint_diff(w->state->fingerprint_text, w->now.fingerprint_text,
                                  DR_REHEARSE_DIFF_LINES, &lines);
        w->out->unlike = dr_arena_str(w->arena, lines.data == NULL ? "" : lines.data);
    }
    dr_buf_fini(&lines);
    return w->out->server_version == NULL || w->out->unlike == NULL ? no_memory(err) : DR_OK;
}

static enum dr_rc
make_copy(struct walk *w, struct dr_err *err)
{
    bool is_sqlite = w->job->plan->engine == DROVER__V1__ENGINE__SQLITE;
    bool has_ledger = w->state != NULL && w->state->has_ledger;
    if (w->options->url == NULL && w->options->backup == NULL) {
        return dr_err_set(err, DR_E_INVALID, "a rehearsal needs a target or a backup");
    }
    w->out->backup_sha256 = w->options->backup == NULL ? NULL : w->options->backup->sha256;
    enter(w, DR_REHEARSE_COPY);
    enum dr_rc rc =
        is_sqlite ? dr_copy_sqlite(&w->copy, w->options, w->arena, err)
                  : dr_copy_pg(&w->copy, w->options, has_ledger, w->deadline_ms, w->arena, err);
    w->out->has_network = w->copy.cluster != NULL && dr_cluster_has_network(w->copy.cluster);
    return rc == DR_OK ? open_copy(w, err) : rc;
}

// ------------------------------------------------------------------------------------------- plan

// The revisions that are to go, in the plan's order: up those that are not there, down those that
// are.
static enum dr_rc
choose(struct walk *w, struct dr_err *err)
{
    const Drover__V1__Plan *plan = w->job->plan;
    w->revisions = dr_arena_array(w->arena, plan->n_revisions + 1, sizeof(void *));
    if (w->revisions == NULL) {
        return no_memory(err);
    }
    w->is_down = w->job->mode == DROVER__V1__MODE__DOWN;
    w->is_partial = w->now.is_partial;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const struct dr_ledger_revision *there =
            dr_ledger_find(&w->now.ledger, plan->revisions[i]->id);
        bool is_whole = there != NULL && there->state == DR_LEDGER_APPLIED;
        if (w->is_down ? there != NULL : !is_whole) {
            w->revisions[w->count++] = plan->revisions[i];
        }
    }
    for (size_t i = 0; !w->is_down && i < w->count; i++) {
        if (w->revisions[i]->no_down) {
            w->fixed = i + 1;
            w->out->no_way_back = w->revisions[i]->id;
        }
    }
    return DR_OK;
}

// -------------------------------------------------------------------------------------------- run

static bool
is_over(const struct walk *w)
{
    return dr_monotonic_ms() >= w->deadline_ms;
}

static enum dr_rc
run_part(struct walk *w, size_t from, size_t to, bool is_down, struct dr_err *err)
{
    Drover__V1__Plan plan = *w->job->plan;
    struct dr_engine_job job = *w->job;
    plan.revisions = w->revisions + from;
    plan.n_revisions = to - from;
    job.plan = &plan;
    job.mode = is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
    job.expect_head = job.expect_fingerprint = NULL;
    job.approval_sha256 = NULL;
    job.owns = job.take_over = job.has_work = false;
    job.begin = NULL;
    w->out->result = (struct dr_engine_result){0};
    if (from == to) {
        return DR_OK;
    }
    enum dr_rc rc = dr_engine_run(w->engine, &job, w->arena, &w->out->result, err);
    if (rc == DR_E_INTERRUPTED && is_over(w)) {
        return dr_err_set(err, DR_E_TIMEOUT, "the rehearsal took longer than it may");
    }
    return rc;
}

static const Drover__V1__Unit *
find_unit(const struct walk *w, const struct dr_engine_unit *u)
{
    for (size_t i = 0; i < w->count; i++) {
        const Drover__V1__PlanRevision *r = w->revisions[i];
        for (size_t k = 0; r->digest.len == 32 && k < r->n_units; k++) {
            if (memcmp(r->digest.data, u->revision_digest, 32) == 0 &&
                r->units[k]->digest.len == 32 &&
                memcmp(r->units[k]->digest.data, u->unit_digest, 32) == 0) {
                return r->units[k];
            }
        }
    }
    return NULL;
}

static enum dr_rc
keep_unit(struct walk *w, const struct dr_engine_unit *u, struct dr_rehearsed_unit *out,
          struct dr_err *err)
{
    const Drover__V1__Unit *unit = find_unit(w, u);
    *out = (struct dr_rehearsed_unit){.revision_id = u->revision_id,
                                      .mode = u->mode,
                                      .duration_ms = u->duration_ms,
                                      .statements = unit == NULL ? 0 : unit->n_statements,
                                      .tables_count = u->touched_count};
    memcpy(out->revision_digest, u->revision_digest, 32);
    memcpy(out->unit_digest, u->unit_digest, 32);
    out->tables = dr_arena_array(w->arena, u->touched_count + 1, sizeof *out->tables);
    if (out->tables == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < u->touched_count; i++) {
        const struct dr_touched *t = &u->touched[i];
        out->tables[i] = (struct dr_rehearsed_table){
            .table = t->table, .lock = t->lock, .is_rewritten = t->is_rewritten};
    }
    return DR_OK;
}

// Adds the units of the last run to what is told.
static enum dr_rc
keep_units(struct walk *w, struct dr_err *err)
{
    const struct dr_engine_result *result = &w->out->result;
    size_t all = w->out->units_count + result->units_count;
    struct dr_rehearsed_unit *list = dr_arena_array(w->arena, all + 1, sizeof *list);
    enum dr_rc rc = list == NULL ? no_memory(err) : DR_OK;
    if (rc == DR_OK && w->out->units_count > 0) {
        memcpy(list, w->out->units, w->out->units_count * sizeof *list);
    }
    for (size_t i = 0; rc == DR_OK && i < result->units_count; i++) {
        rc = keep_unit(w, &result->units[i], &list[w->out->units_count + i], err);
    }
    if (rc == DR_OK) {
        w->out->units = list;
        w->out->units_count = all;
    }
    return rc;
}

// A run whose units are kept, also when it fails.
static enum dr_rc
run_and_keep(struct walk *w, size_t from, size_t to, bool is_down, struct dr_err *err)
{
    struct dr_err later = {0};
    enum dr_rc rc = run_part(w, from, to, is_down, err);
    enum dr_rc kept = keep_units(w, &later);
    if (rc == DR_OK && kept != DR_OK) {
        *err = later;
        rc = kept;
    }
    return rc;
}

// ---------------------------------------------------------------------------------------- compare

static enum dr_rc
compare(struct walk *w, const struct dr_engine_state *expected, const char *what,
        struct dr_err *err)
{
    struct dr_buf lines = {0};
    if (memcmp(expected->fingerprint, w->now.fingerprint, 32) == 0) {
        return DR_OK;
    }
    size_t n = dr_fingerprint_diff(expected->fingerprint_text, w->now.fingerprint_text,
                                   DR_REHEARSE_DIFF_LINES, &lines);
    w->out->differences = dr_arena_str(w->arena, lines.data == NULL ? "" : lines.data);
    dr_buf_fini(&lines);
    if (w->out->differences == NULL) {
        w->out->differences = "";
    }
    return dr_err_set(err, DR_E_REHEARSAL_DIFFERS, "%s: %zu object%s differ%s", what, n,
                      n == 1 ? "" : "s", n == 1 ? "s" : "");
}

static enum dr_rc
go_back_and_again(struct walk *w, const struct dr_engine_state *ground, struct dr_err *err)
{
    const struct dr_engine_state there = w->now;
    enter(w, DR_REHEARSE_BACK);
    enum dr_rc rc = run_and_keep(w, w->fixed, w->count, !w->is_down, err);
    rc = rc == DR_OK ? read_copy(w, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    w->out->went_back = true;
    memcpy(w->out->back, w->now.fingerprint, 32);
    rc = compare(w, ground,
                 w->is_down ? "going up again does not give the schema from before"
                            : "the way down does not give the schema from before",
                 err);
    if (rc != DR_OK) {
        return rc;
    }
    enter(w, DR_REHEARSE_AGAIN);
    rc = run_part(w, w->fixed, w->count, w->is_down, err);
    rc = rc == DR_OK ? read_copy(w, err) : rc;
    return rc == DR_OK
               ? compare(w, &there, "going again does not give what the first way gave", err)
               : rc;
}

// A copy that begins half-way through a revision has no state to come back to.
static enum dr_rc
walk_all(struct walk *w, struct dr_err *err)
{
    memcpy(w->out->before, w->now.fingerprint, 32);
    enter(w, DR_REHEARSE_THERE);
    enum dr_rc rc = run_and_keep(w, 0, w->fixed, w->is_down, err);
    rc = rc == DR_OK && w->fixed > 0 ? read_copy(w, err) : rc;
    const struct dr_engine_state ground = w->now;
    rc = rc == DR_OK ? run_and_keep(w, w->fixed, w->count, w->is_down, err) : rc;
    rc = rc == DR_OK ? read_copy(w, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    memcpy(w->out->there, w->now.fingerprint, 32);
    w->out->there_text = w->now.fingerprint_text;
    return w->is_partial || w->fixed == w->count ? DR_OK : go_back_and_again(w, &ground, err);
}

// ------------------------------------------------------------------------------------------- main

static enum dr_rc
start_clock(struct walk *w, struct dr_err *err)
{
    uint64_t ms = w->options->timeout_ms == 0 ? TIMEOUT_MS : w->options->timeout_ms;
    const struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000}};
    w->deadline_ms = dr_monotonic_ms() + (int64_t)ms;
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->timer < 0 || timerfd_settime(w->timer, 0, &at, NULL) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a timer");
    }
    return DR_OK;
}

static enum dr_rc
estimate(struct walk *w, struct dr_err *err)
{
    const char *url = w->options->backup == NULL ? w->options->url : w->copy.url;
    enter(w, DR_REHEARSE_ESTIMATE);
    return dr_rehearse_estimate(w->out, url, w->deadline_ms, w->options->cancel_fd, err);
}

enum dr_rc
dr_rehearse(const struct dr_rehearse_options *options, const struct dr_engine_job *job,
            const struct dr_engine_state *state, struct dr_arena *arena, struct dr_rehearsal *out,
            struct dr_err *err)
{
    struct walk w = {
        .options = options, .job = job, .state = state, .arena = arena, .out = out, .timer = -1};
    int64_t started = dr_monotonic_ms();
    struct dr_err later = {0};
    *out = (struct dr_rehearsal){
        .server_version = "", .no_way_back = "", .unlike = "", .differences = ""};
    enum dr_rc rc = start_clock(&w, err);
    rc = rc == DR_OK ? make_copy(&w, err) : rc;
    rc = rc == DR_OK ? choose(&w, err) : rc;
    if (rc == DR_OK) {
        rc = walk_all(&w, err);
        enum dr_rehearse_stage came_to = out->stage;
        // How large the tables are is worth to be known also when something failed.
        enum dr_rc asked = out->units_count > 0 ? estimate(&w, &later) : DR_OK;
        if (rc == DR_OK && asked != DR_OK) {
            *err = later;
            rc = asked;
        }
        out->stage = came_to;
    }
    dr_engine_close(&w.engine);
    close_copy(&w.copy);
    if (w.timer >= 0) {
        (void)close(w.timer);
    }
    out->duration_ms = (uint64_t)(dr_monotonic_ms() - started);
    return rc;
}
