// rollout list, show, pause, resume, promote, retry, abort.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/estimate_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"

#include "rpc/reflect.h"
#include "trust/approval.h"
#include "trust/plandoc.h"

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

// What one plan means for others, where agents rehearsed it; without that its bytes are not asked
// for.
static enum dr_rc
load_estimate(struct dr_remote *remote, ProtobufCBinaryData sha256, Drover__V1__Mode mode,
              struct dr_estimates *out, struct dr_err *err)
{
    struct dr_bytes packed = {0};
    Drover__V1__Plan *plan = NULL;
    if (sha256.len != 32) {
        return dr_err_set(err, DR_E_INVALID, "the coordinator names a plan without digest");
    }
    enum dr_rc rc = dr_estimates_load(remote, sha256.data, NULL, mode, out, err);
    if (rc != DR_OK || out->words.count == 0) {
        return rc;
    }
    rc = dr_remote_get_blob(remote, sha256.data, DR_PLANDOC_MAX, &packed, err);
    rc = rc == DR_OK ? dr_plandoc_decode(remote->cli->arena, packed, sha256.data, &plan, err) : rc;
    out->plan = plan;
    return rc;
}

// The rollout is shown also where they cannot be had.
static enum dr_rc
load_estimates(struct dr_remote *remote, const Drover__V1__Rollout *r, struct dr_estimates **out,
               struct dr_err *err)
{
    *out = dr_arena_array(remote->cli->arena, r->n_plans + 1, sizeof **out);
    if (*out == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    Drover__V1__Mode mode =
        dr_approval_is_down(r->mode) ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
    for (size_t i = 0; i < r->n_plans; i++) {
        struct dr_err why = {0};
        if (load_estimate(remote, r->plans[i]->plan_sha256, mode, &(*out)[i], &why) != DR_OK) {
            (*out)[i] = (struct dr_estimates){0};
            dr_print_note(remote->cli, "note: what agents rehearsed cannot be shown: %s",
                          why.message);
        }
    }
    return DR_OK;
}

static enum dr_rc
print_with_estimates(struct dr_cli *cli, const Drover__V1__Rollout *r,
                     const struct dr_estimates *estimates, struct dr_err *err)
{
    if (cli->format == DR_CLI_TEXT) {
        dr_rollout_tree(cli, r);
        for (size_t i = 0; i < r->n_plans; i++) {
            dr_estimates_print(cli, &estimates[i], "As agents rehearsed it:");
        }
        return DR_OK;
    }
    json_t *fields = NULL;
    enum dr_rc rc = dr_json_from_message_full(&r->base, &fields, err);
    json_t *list = json_array();
    for (size_t i = 0; rc == DR_OK && i < r->n_plans; i++) {
        dr_estimates_json(cli, &estimates[i], list);
    }
    if (rc == DR_OK) {
        json_object_set_new(fields, "schema", json_string("drover.v1.Rollout"));
        json_object_set(fields, "estimates", list);
        dr_print_json(cli, json_incref(fields));
    }
    json_decref(list);
    json_decref(fields);
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
    struct dr_estimates *estimates = NULL;
    rc = rc == DR_OK ? load_estimates(&remote, rollout, &estimates, err) : rc;
    rc = rc == DR_OK ? print_with_estimates(cli, rollout, estimates, err) : rc;
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
