// rollout list, show, pause, resume, promote, retry, abort.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_cmd_rollout_list(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"ROLLOUT", "STATE", "FROM", "TO", "BY", "REASON", NULL};
    struct dr_remote remote = {0};
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__RolloutList *reply = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_OPERATOR_LIST_ROLLOUTS, &request.base, &reply, err)
             : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        rc = dr_print_message(cli, "drover.v1.RolloutList", &reply->base, err);
    } else if (rc == DR_OK) {
        struct dr_table *table = dr_table_new(cli, columns);
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
            dr_say(cli, "No rollout yet. next: drover upgrade head\n");
        }
        dr_table_free(&table);
    }
    dr_remote_close(&remote);
    return rc;
}

static enum dr_rc
print_rollout(struct dr_cli *cli, const Drover__V1__Rollout *rollout, struct dr_err *err)
{
    if (cli->format != DR_CLI_TEXT) {
        return dr_print_message(cli, "drover.v1.Rollout", &rollout->base, err);
    }
    dr_rollout_tree(cli, rollout);
    return DR_OK;
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
