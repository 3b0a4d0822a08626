// rollout watch: one line for each change, until the rollout ends or waits for people.
//
// A rollout may be watched for days, so each event lives in an arena of its own and only the last
// one is kept.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/stops.h"
#include "coordinator/cli/watch_report.h"

#include "base/clock.h"
#include "trust/approval.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_MAX    (64u * 1024 * 1024)
#define PATIENCE_MS  60000 // for a coordinator that is being restarted
#define TRY_AGAIN_MS 500
#define WATCH_MAX_MS (30ull * 86400 * 1000)

struct watching {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_rpc_stream *stream;
    const char *id;
    char until_environment[DR_NAME_MAX + 1];
    const char *until_state;
    struct dr_arena *last_arena; // of `last`
    const Drover__V1__Rollout *last;
    uint64_t after;
    int64_t deadline; // 0: none
    int cancel_fd;
    struct dr_watch_report report;
};

static enum dr_rc
read_options(struct watching *w, struct dr_err *err)
{
    const char *until = dr_cli_option(w->cli, "until");
    const char *equals = until ? strchr(until, '=') : NULL;
    uint64_t timeout = 0;
    enum dr_rc rc = dr_cli_duration(w->cli, "timeout", WATCH_MAX_MS, 0, &timeout, err);
    w->deadline = timeout ? dr_monotonic_ms() + (int64_t)timeout : 0;
    if (rc != DR_OK || until == NULL) {
        return rc;
    }
    if (equals == NULL || (size_t)(equals - until) > DR_NAME_MAX ||
        !dr_rollout_is_state(equals + 1)) {
        dr_err_set(err, DR_E_USAGE, "--until takes ENVIRONMENT=STATE, not '%s'", until);
        return dr_err_hint(err, "--until staging=applied; states: ready, running, applied, "
                                "reverted, failed");
    }
    snprintf(w->until_environment, sizeof(w->until_environment), "%.*s", (int)(equals - until),
             until);
    w->until_state = equals + 1;
    return rc;
}

// Takes the arena that the event lives in.
static enum dr_rc
take_event(struct watching *w, const Drover__V1__RolloutEvent *event, struct dr_arena **take,
           struct dr_err *err)
{
    Drover__V1__Rollout *r = event->rollout;
    if (event->entry != NULL && event->entry->index > w->after) {
        w->after = event->entry->index;
    }
    if (r == NULL) {
        return DR_OK;
    }
    if (r->next_target != 0) { // an event carries only the first targets of a large rollout
        enum dr_rc rc = dr_remote_all_targets(&w->remote, *take, r, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    dr_arena_free(&w->last_arena);
    w->last_arena = *take;
    w->last = r;
    *take = NULL;
    return dr_watch_take(&w->report, r, w->after, err);
}

// DR_E_USAGE when what is waited for cannot come.
static enum dr_rc
check_until(const struct watching *w, struct dr_err *err)
{
    bool is_known = w->until_state == NULL || w->last == NULL;
    for (size_t i = 0; !is_known && i < w->last->n_stages; i++) {
        is_known = dr_str_eq(w->last->stages[i]->environment, w->until_environment);
    }
    if (!is_known) {
        dr_err_set(err, DR_E_USAGE, "rollout '%s' has no target in '%s'", w->id,
                   w->until_environment);
        return dr_err_hint(err, "drover rollout show %s", w->id);
    }
    if (w->until_state != NULL && w->last != NULL && dr_str_eq(w->until_state, "applied") &&
        dr_approval_is_down(w->last->mode)) {
        dr_err_set(err, DR_E_USAGE, "rollout '%s' goes down: nothing there will be 'applied'",
                   w->id);
        return dr_err_hint(err, "--until %s=reverted", w->until_environment);
    }
    return DR_OK;
}

static bool
is_over(const struct watching *w)
{
    if (w->last == NULL) {
        return false;
    }
    enum dr_rollout_verdict where = dr_rollout_where(w->last);
    if (w->until_state == NULL) {
        return where != DR_ROLLOUT_GOES_ON;
    }
    return dr_rollout_all_in(w->last, w->until_environment, w->until_state) ||
           where == DR_ROLLOUT_FAILED || where == DR_ROLLOUT_DONE;
}

static enum dr_rc
open_stream(struct watching *w, struct dr_err *err)
{
    Drover__V1__WatchRequest request = DROVER__V1__WATCH_REQUEST__INIT;
    dr_rpc_stream_close(&w->stream);
    request.rollout = dr_arena_str(w->cli->arena, w->id);
    request.after_log_index = w->after;
    return dr_rpc_stream_open(w->remote.client, DR_METHOD_OPERATOR_WATCH_ROLLOUT, &request.base,
                              &w->stream, err);
}

// The coordinator went away: again until it is back, or for good.
static enum dr_rc
open_again(struct watching *w, struct dr_err *err)
{
    int64_t patience = dr_monotonic_ms() + PATIENCE_MS;
    dr_watch_note(&w->report, "note: the coordinator went away, trying again");
    for (;;) {
        enum dr_rc rc = open_stream(w, err);
        bool again = rc == DR_E_UNREACHABLE && dr_monotonic_ms() < patience &&
                     (w->deadline == 0 || dr_monotonic_ms() < w->deadline);
        if (!again) {
            return rc;
        }
        struct pollfd cancel = {.fd = w->cancel_fd, .events = POLLIN};
        if (poll(&cancel, 1, TRY_AGAIN_MS) > 0) {
            return dr_err_set(err, DR_E_INTERRUPTED, "interrupted");
        }
    }
}

// What is left of the time to wait for the next event, in ms; 0: the time is over.
static uint32_t
time_left(const struct watching *w)
{
    int64_t now = dr_monotonic_ms();
    int64_t left = dr_watch_patience(&w->report);
    if (w->deadline != 0 && w->deadline - now < left) {
        left = w->deadline - now;
    }
    return left > 0 ? (uint32_t)left : 0;
}

static enum dr_rc
next_event(struct watching *w, uint32_t left, struct dr_err *err)
{
    ProtobufCMessage *item = NULL;
    struct dr_arena *arena = dr_arena_new(EVENT_MAX);
    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_rpc_stream_next(w->stream, left, w->cancel_fd, arena, &item, err);
    if (rc == DR_OK && item != NULL) {
        rc = take_event(w, (const Drover__V1__RolloutEvent *)item, &arena, err);
    } else if (rc == DR_E_UNREACHABLE || rc == DR_OK) {
        rc = open_again(w, err);
    } else if (rc == DR_E_TIMEOUT) {
        rc = DR_OK;
    }
    dr_arena_free(&arena);
    return rc;
}

static enum dr_rc
follow(struct watching *w, struct dr_err *err)
{
    enum dr_rc rc = open_stream(w, err);
    while (rc == DR_OK && !is_over(w)) {
        uint32_t left = time_left(w);
        rc = left > 0 ? next_event(w, left, err)
                      : dr_err_set(err, DR_E_TIMEOUT,
                                   "rollout '%s' goes on, but the time to watch it is over", w->id);
        rc = rc == DR_OK ? check_until(w, err) : rc;
        if (rc == DR_OK) {
            dr_watch_tick(&w->report, w->last);
        }
    }
    if (rc == DR_E_INTERRUPTED) {
        dr_err_set(err, rc, "rollout '%s' goes on without being watched", w->id);
    }
    return rc == DR_E_INTERRUPTED || rc == DR_E_TIMEOUT
               ? dr_err_hint(err, "drover rollout watch %s", w->id)
               : rc;
}

// The command that goes on from here: lifting what holds it, or the approval.
static void
say_waiting(struct watching *w, const Drover__V1__StageStatus *waiting)
{
    struct dr_stop *stops = NULL;
    size_t n = 0;
    struct dr_err ignored = {0}; // without the stops the approval says it
    const char *environment = waiting->environment;
    const struct dr_stop *stop =
        dr_stops_load(&w->remote, environment, &stops, &n, &ignored) == DR_OK
            ? dr_stops_holding(stops, n, environment, w->last)
            : NULL;
    dr_say(w->cli, "Waiting for people in %s: %u of %u signatures\n", environment,
           waiting->signatures, waiting->needed);
    if (stop != NULL) {
        dr_say(w->cli, "Stopped: %s\nnext: %s\n", dr_stop_text(w->cli, stop, environment),
               dr_stop_way_out(w->cli, stop, environment, w->last));
        return;
    }
    dr_say(w->cli, "next: drover approve %s -e %s\n", w->id, environment);
}

static bool
has_held(const Drover__V1__Rollout *r)
{
    for (size_t i = 0; i < r->n_stages; i++) {
        for (size_t t = 0; t < r->stages[i]->n_targets; t++) {
            if (dr_str_eq(r->stages[i]->targets[t]->state, "held")) {
                return true;
            }
        }
    }
    return false;
}

static void
say_end(struct watching *w)
{
    const Drover__V1__StageStatus *waiting = dr_rollout_waiting_stage(w->last);
    enum dr_rollout_verdict where = dr_rollout_where(w->last);
    bool reached =
        w->until_state != NULL && dr_rollout_all_in(w->last, w->until_environment, w->until_state);
    w->cli->exit_code = reached                      ? 0
                        : where == DR_ROLLOUT_WAITS  ? 8
                        : where == DR_ROLLOUT_FAILED ? has_held(w->last) ? 7 : 6
                        : w->until_state != NULL     ? 1 // it ended elsewhere
                                                     : 0;
    if (reached) {
        return;
    }
    if (where == DR_ROLLOUT_WAITS && waiting == NULL) {
        dr_say(w->cli, "%s is paused: %s\nnext: drover rollout resume %s\n", w->id,
               dr_print_safe(w->cli, w->last->pause_reason), w->id);
    } else if (where == DR_ROLLOUT_WAITS) {
        say_waiting(w, waiting);
    } else if (where == DR_ROLLOUT_FAILED) {
        dr_say(w->cli, "%s has failed. next: drover why %s\n", w->id, w->id);
    } else if (w->until_state != NULL) {
        dr_say(w->cli, "%s has ended without '%s' in %s. next: drover rollout show %s\n", w->id,
               w->until_state, w->until_environment, w->id);
    } else {
        dr_say(w->cli, "%s is done\n", w->id);
    }
}

static void
fini(struct watching *w)
{
    dr_arena_free(&w->last_arena);
    dr_rpc_stream_close(&w->stream);
    dr_remote_close(&w->remote);
    if (w->cancel_fd >= 0) {
        close(w->cancel_fd);
    }
}

enum dr_rc
dr_cmd_rollout_watch(struct dr_cli *cli, struct dr_err *err)
{
    struct watching w = {.cli = cli, .id = cli->args[0], .cancel_fd = -1};
    enum dr_rc rc = read_options(&w, err);
    w.cancel_fd = rc == DR_OK ? dr_cli_cancel_fd() : -1;
    rc = rc == DR_OK ? dr_watch_begin(&w.report, cli, err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &w.remote, err) : rc;
    rc = rc == DR_OK ? follow(&w, err) : rc;
    dr_watch_end(&w.report, w.last, rc != DR_OK);
    if (rc == DR_OK) {
        say_end(&w);
        if (cli->format == DR_CLI_JSON) {
            rc = dr_print_message(cli, "drover.v1.Rollout", &w.last->base, err);
        }
    }
    fini(&w);
    return rc;
}
