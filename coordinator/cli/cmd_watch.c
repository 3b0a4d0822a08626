// rollout list, show, watch, pause, resume, retry, abort.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"

#include "base/clock.h"
#include "rpc/reflect.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_cmd_rollout_list(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"ROLLOUT", "STATE", "FROM", "TO", "BY", "REASON", NULL};
    struct dr_remote remote = {0};
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__RolloutList *reply = NULL;
    json_t *json = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_OPERATOR_LIST_ROLLOUTS, &request.base, &reply, err)
             : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        rc = dr_json_from_message_full(&reply->base, &json, err);
        if (rc == DR_OK) {
            json_object_set_new(json, "schema", json_string("drover.v1.RolloutList"));
            dr_print_json(cli, json);
        }
    } else if (rc == DR_OK) {
        struct dr_table *table = dr_table_new(columns);
        for (size_t i = 0; table != NULL && i < reply->n_rollouts; i++) {
            const Drover__V1__Rollout *r = reply->rollouts[i];
            const char *cells[] = {r->id,
                                   r->state,
                                   r->from[0] ? r->from : "base",
                                   r->to[0] ? r->to : "base",
                                   r->created_by,
                                   r->reason,
                                   NULL};
            dr_table_row(table, SIZE_MAX, cells);
        }
        if (reply->n_rollouts > 0 && table != NULL) {
            dr_table_print(table, stdout);
        } else {
            printf("No rollout yet. next: drover upgrade head\n");
        }
        dr_table_free(&table);
    }
    dr_remote_close(&remote);
    return rc;
}

static enum dr_rc
print_rollout(struct dr_cli *cli, const Drover__V1__Rollout *rollout, struct dr_err *err)
{
    json_t *json = NULL;
    if (cli->format == DR_CLI_TEXT) {
        dr_rollout_tree(cli, rollout);
        return DR_OK;
    }
    enum dr_rc rc = dr_json_from_message_full(&rollout->base, &json, err);
    if (rc == DR_OK) {
        json_object_set_new(json, "schema", json_string("drover.v1.Rollout"));
        dr_print_json(cli, json);
    }
    return rc;
}

enum dr_rc
dr_cmd_rollout_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    if (rc == DR_OK) {
        id.id = dr_arena_str(cli->arena, cli->args[0]);
        rc = dr_remote_call(&remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err);
    }
    rc = rc == DR_OK ? print_rollout(cli, rollout, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_cmd_rollout_order(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__RolloutOrder order = DROVER__V1__ROLLOUT_ORDER__INIT;
    Drover__V1__Rollout *rollout = NULL;
    const char *target = dr_cli_option(cli, "target");
    const char *note = dr_cli_option(cli, "note");
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    if (rc == DR_OK) {
        order.id = dr_arena_str(cli->arena, cli->args[0]);
        order.order = dr_arena_str(cli->arena, strchr(cli->command->name, ' ') + 1);
        order.target = dr_arena_str(cli->arena, target ? target : "");
        order.note = dr_arena_str(cli->arena, note ? note : "");
        rc = dr_remote_call(&remote, DR_METHOD_OPERATOR_ORDER_ROLLOUT, &order.base, &rollout, err);
    }
    rc = rc == DR_OK ? print_rollout(cli, rollout, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

// -----------------------------------------------------------------------------------------------------------
// watch

struct watching {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_rpc_stream *stream;
    const char *id;
    char until_environment[DR_NAME_MAX + 1];
    const char *until_state;
    char **shown; // per target: what was printed last
    size_t n_shown;
    uint64_t after;
    const Drover__V1__Rollout *last;
    int64_t deadline; // 0: none
};

static enum dr_rc
read_until(struct watching *w, struct dr_err *err)
{
    const char *until = dr_cli_option(w->cli, "until");
    const char *equals = until ? strchr(until, '=') : NULL;
    uint64_t timeout = 0;
    enum dr_rc rc = dr_cli_duration(w->cli, "timeout", 30ull * 86400 * 1000, 0, &timeout, err);
    w->deadline = timeout ? dr_monotonic_ms() + (int64_t)timeout : 0;
    if (until == NULL) {
        return rc;
    }
    if (equals == NULL || (size_t)(equals - until) > DR_NAME_MAX) {
        dr_err_set(err, DR_E_USAGE, "--until takes ENVIRONMENT=STATE, not '%s'", until);
        return dr_err_hint(err, "--until staging=applied");
    }
    snprintf(w->until_environment, sizeof(w->until_environment), "%.*s", (int)(equals - until),
             until);
    w->until_state = equals + 1;
    return rc;
}

// One line for each target whose state or reason is new.
static void
print_changes(struct watching *w, const Drover__V1__Rollout *r)
{
    size_t k = 0;
    for (size_t i = 0; i < r->n_stages; i++) {
        for (size_t t = 0; t < r->stages[i]->n_targets; t++, k++) {
            const Drover__V1__TargetStatus *row = r->stages[i]->targets[t];
            char *line = dr_arena_printf(w->cli->arena, "%s: %s", row->state, row->reason);
            if (k >= w->n_shown || line == NULL ||
                (w->shown[k] != NULL && dr_str_eq(w->shown[k], line))) {
                continue;
            }
            w->shown[k] = line;
            enum dr_tone tone = dr_rollout_tone(row->state);
            if (!dr_str_eq(row->state, "pending")) {
                printf("%-28s %s%-11s%s %s\n", dr_print_safe(w->cli, row->target),
                       dr_tone_begin(w->cli, tone), row->state, dr_tone_end(w->cli, tone),
                       dr_print_safe(w->cli, row->reason));
            }
        }
    }
    fflush(stdout);
}

static enum dr_rc
take_event(struct watching *w, const Drover__V1__RolloutEvent *event, struct dr_err *err)
{
    json_t *json = NULL;
    if (event->rollout == NULL) {
        return DR_OK;
    }
    const Drover__V1__Rollout *r = event->rollout;
    if (w->shown == NULL) {
        for (size_t i = 0; i < r->n_stages; i++) {
            w->n_shown += r->stages[i]->n_targets;
        }
        w->shown = dr_arena_array(w->cli->arena, w->n_shown + 1, sizeof(*w->shown));
        if (w->shown == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
    }
    w->last = r;
    w->after = r->log_index;
    if (w->cli->format == DR_CLI_TEXT) {
        print_changes(w, r);
        return DR_OK;
    }
    enum dr_rc rc = dr_json_from_message(&event->base, &json, err);
    if (rc == DR_OK) {
        json_object_set_new(json, "schema", json_string("drover.v1.RolloutEvent"));
        dr_print_json(w->cli, json);
        fflush(stdout);
    }
    return rc;
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
           where == DR_ROLLOUT_FAILED;
}

static enum dr_rc
open_stream(struct watching *w, struct dr_err *err)
{
    Drover__V1__WatchRequest request = DROVER__V1__WATCH_REQUEST__INIT;
    dr_rpc_stream_close(&w->stream);
    request.rollout = dr_arena_str(w->cli->arena, w->id);
    return dr_rpc_stream_open(w->remote.client, DR_METHOD_OPERATOR_WATCH_ROLLOUT, &request.base,
                              &w->stream, err);
}

static enum dr_rc
follow(struct watching *w, struct dr_err *err)
{
    enum dr_rc rc = open_stream(w, err);
    while (rc == DR_OK && !is_over(w)) {
        ProtobufCMessage *item = NULL;
        int64_t left = w->deadline ? w->deadline - dr_monotonic_ms() : 30000;
        if (left <= 0) {
            dr_err_set(err, DR_E_TIMEOUT, "the rollout goes on, but the time to watch it is over");
            return dr_err_hint(err, "drover rollout watch %s", w->id);
        }
        rc = dr_rpc_stream_next(w->stream, (uint32_t)(left < 30000 ? left : 30000), -1,
                                w->cli->arena, &item, err);
        if (rc == DR_E_TIMEOUT) {
            rc = DR_OK;
        } else if (rc == DR_E_UNREACHABLE || (rc == DR_OK && item == NULL)) {
            dr_print_note(w->cli, "note: the coordinator went away, trying again");
            rc = open_stream(w, err);
        } else if (rc == DR_OK) {
            rc = take_event(w, (const Drover__V1__RolloutEvent *)item, err);
        }
    }
    return rc;
}

static void
say_end(struct watching *w)
{
    const Drover__V1__StageStatus *waiting = dr_rollout_waiting_stage(w->last);
    enum dr_rollout_verdict where = dr_rollout_where(w->last);
    bool reached =
        w->until_state != NULL && dr_rollout_all_in(w->last, w->until_environment, w->until_state);
    w->cli->exit_code = reached || where == DR_ROLLOUT_DONE ? 0
                        : where == DR_ROLLOUT_WAITS         ? 8
                        : where == DR_ROLLOUT_FAILED        ? 6
                                                            : 0;
    if (w->cli->format != DR_CLI_TEXT || reached) {
        return;
    }
    if (where == DR_ROLLOUT_WAITS) {
        printf("Waiting for people in %s: %u of %u signatures\nnext: drover approve %s -e %s\n",
               waiting->environment, waiting->signatures, waiting->needed, w->id,
               waiting->environment);
    } else {
        printf("%s %s\n", w->id,
               where == DR_ROLLOUT_DONE ? "is done" : "has failed; next: drover rollout show");
    }
}

enum dr_rc
dr_cmd_rollout_watch(struct dr_cli *cli, struct dr_err *err)
{
    struct watching w = {.cli = cli, .id = cli->args[0]};
    enum dr_rc rc = read_until(&w, err);
    rc = rc == DR_OK ? dr_remote_open(cli, &w.remote, err) : rc;
    rc = rc == DR_OK ? follow(&w, err) : rc;
    if (rc == DR_OK) {
        say_end(&w);
    }
    dr_rpc_stream_close(&w.stream);
    dr_remote_close(&w.remote);
    return rc;
}
