// freeze, veto: one person stops an environment or a rollout; k people let it go on.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/stage.h"
#include "coordinator/cli/stops.h"

#include "base/clock.h"

#include <string.h>

#define STOP_MAX_MS (3650ull * 86400 * 1000)

static enum dr_rc
put_stop(struct dr_remote *remote, Drover__V1__Signoff msg, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    const char *note = dr_cli_option(cli, "note");
    struct dr_key key = {0};
    struct dr_bytes wire;
    uint8_t digest[32];
    uint64_t valid_ms = 0;
    Drover__V1__PutDocumentReply *reply = NULL;
    msg.cluster_id = remote->trust->root.msg->cluster_id;
    msg.note = dr_arena_str(cli->arena, note ? note : "");
    msg.time = dr_now_unix_s();
    enum dr_rc rc = dr_cli_duration(cli, "expires", STOP_MAX_MS, 0, &valid_ms, err);
    msg.expires = valid_ms > 0 ? msg.time + (int64_t)(valid_ms / 1000) : 0;
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
    rc = rc == DR_OK ? dr_signoff_build(cli->arena, msg, &key, &wire, digest, err) : rc;
    dr_key_fini(&key);
    return rc == DR_OK ? dr_remote_put(remote, DR_TYPE_SIGNOFF, wire, NULL, 0, &reply, err) : rc;
}

static enum dr_rc
check_environment(const struct dr_remote *remote, const char *name, struct dr_err *err)
{
    struct dr_buf known = {0};
    const Drover__V1__Root *root = remote->trust->root.msg;
    if (dr_root_approvers(root, name) != NULL) {
        return DR_OK;
    }
    for (size_t i = 0; i < root->n_approvers; i++) {
        dr_buf_printf(&known, "%s%s", i ? ", " : "", root->approvers[i]->environment);
    }
    dr_err_set(err, DR_E_NOT_FOUND, "there is no environment '%s'", name);
    dr_err_hint(err, "one of: %s", known.data ? known.data : "");
    dr_buf_fini(&known);
    return err->rc;
}

static void
say_done(struct dr_cli *cli, const char *what, const char *subject, uint32_t have, uint32_t need)
{
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:i, s:i}", "schema", "drover.v1.Stop",
                                     "done", what, "subject", subject, "signatures", (int)have,
                                     "needed", (int)need));
    }
}

enum dr_rc
dr_cmd_freeze_add(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
    const char *environment = cli->args[0];
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? check_environment(&remote, environment, err) : rc;
    msg.kind = DROVER__V1__SIGNOFF_KIND__FREEZE;
    msg.environment = dr_arena_str(cli->arena, environment);
    rc = rc == DR_OK ? put_stop(&remote, msg, err) : rc;
    if (rc == DR_OK) {
        dr_say(cli,
               "Frozen: %s. Nothing starts there; what runs is finished.\n"
               "next: drover freeze lift %s  (takes the approvers' signatures)\n",
               environment, environment);
        say_done(cli, "frozen", environment, 1, 1);
    }
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_cmd_veto(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_stage stage;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_stage_load(&remote, cli->args[0], dr_cli_option(cli, "environment"), &stage, err)
             : rc;
    for (size_t i = 0; rc == DR_OK && i < stage.n_plans; i++) {
        Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
        msg.kind = DROVER__V1__SIGNOFF_KIND__VETO;
        msg.environment = stage.said->environment;
        msg.plan_sha256 = stage.plans[i].named->plan_sha256;
        rc = put_stop(&remote, msg, err);
    }
    if (rc == DR_OK) {
        dr_say(cli, "Vetoed: %s in %s. No agent starts it.\nnext: drover veto lift %s -e %s\n",
               stage.rollout->id, stage.said->environment, stage.rollout->id,
               stage.said->environment);
        say_done(cli, "vetoed", stage.rollout->id, 1, 1);
    }
    dr_remote_close(&remote);
    return rc;
}

// What is lifted, from what its author signed.
static void
say_stop(struct dr_cli *cli, const struct dr_stop *stop, const char *environment)
{
    const Drover__V1__Signoff *msg = stop->signoff.msg;
    dr_say(cli, "You lift in %s: the %s of %s, %s ago: %s\n", environment, dr_stop_word(stop),
           stop->person, dr_print_age(cli, msg->time),
           msg->note[0] ? dr_print_safe(cli, msg->note) : "no reason given");
}

// Lifts every stop that still holds and that `plans` (NULL: freezes) is about.
static enum dr_rc
lift_all(struct dr_remote *remote, const char *environment, const struct dr_stage *stage,
         struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    struct dr_stop *stops = NULL;
    struct dr_key key = {0};
    size_t n = 0;
    size_t done = 0;
    uint32_t have = 0;
    uint32_t need = 0;
    enum dr_rc rc = dr_stops_load(remote, environment, &stops, &n, err);
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        const Drover__V1__Signoff *msg = stops[i].signoff.msg;
        bool is_meant = stage == NULL && msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE;
        for (size_t p = 0; stage != NULL && p < stage->n_plans; p++) {
            is_meant =
                is_meant || (msg->kind == DROVER__V1__SIGNOFF_KIND__VETO &&
                             dr_data_eq(msg->plan_sha256, stage->plans[p].named->plan_sha256));
        }
        if (is_meant && !stops[i].is_over && !stops[i].is_lifted) {
            say_stop(cli, &stops[i], environment);
            rc = dr_stop_lift(remote, &stops[i], environment, &key, &have, &need, err);
            done++;
        }
    }
    dr_key_fini(&key);
    if (rc == DR_OK && done == 0) {
        dr_err_set(err, DR_E_NOT_FOUND, "nothing holds '%s'",
                   stage ? stage->rollout->id : environment);
        return dr_err_hint(err, "drover freeze list");
    }
    if (rc == DR_OK) {
        dr_say(cli,
               have >= need ? "Lifted: %s, %u of %u signatures\n"
                            : "Signed: lift of %s, %u of %u. It waits for another approver\n",
               stage ? stage->rollout->id : environment, have, need);
        say_done(cli, have >= need ? "lifted" : "waits", stage ? stage->rollout->id : environment,
                 have, need);
    }
    return rc;
}

enum dr_rc
dr_cmd_freeze_lift(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? check_environment(&remote, cli->args[0], err) : rc;
    rc = rc == DR_OK ? lift_all(&remote, cli->args[0], NULL, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_cmd_veto_lift(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_stage stage;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_stage_load(&remote, cli->args[0], dr_cli_option(cli, "environment"), &stage, err)
             : rc;
    rc = rc == DR_OK ? lift_all(&remote, stage.said->environment, &stage, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

static const char *
state_of(const struct dr_stop *stop)
{
    return stop->is_lifted ? "lifted"
           : stop->is_over ? "expired"
           : stop->lift    ? "lift waits"
                           : "holds";
}

static void
print_stops(struct dr_cli *cli, const struct dr_stop *stops, size_t n)
{
    static const char *const columns[] = {"STOP", "ENVIRONMENT", "STATE", "BY",
                                          "AGE",  "NOTE",        NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    json_t *list = json_array();
    for (size_t i = 0; table != NULL && i < n; i++) {
        const Drover__V1__Signoff *msg = stops[i].signoff.msg;
        const char *environment = msg->environment[0] ? msg->environment : "all";
        dr_table_row(table, SIZE_MAX,
                     (const char *[]){dr_stop_word(&stops[i]), environment, state_of(&stops[i]),
                                      stops[i].person, dr_print_age(cli, msg->time), msg->note,
                                      NULL});
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "stop", dr_stop_word(&stops[i]),
                            "environment", environment, "state", state_of(&stops[i]), "person",
                            stops[i].person, "time", (json_int_t)msg->time, "expires",
                            (json_int_t)msg->expires, "note", msg->note));
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:O}", "schema", "drover.v1.Stops", "stops", list));
    } else if (n == 0) {
        dr_say(cli, "Nothing is stopped.\n");
    } else if (table != NULL) {
        dr_table_print(table, stdout);
    }
    json_decref(list);
    dr_table_free(&table);
}

enum dr_rc
dr_cmd_freeze_list(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_stop *stops = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? dr_stops_load(&remote, NULL, &stops, &n, err) : rc;
    if (rc == DR_OK) {
        print_stops(cli, stops, n);
    }
    dr_remote_close(&remote);
    return rc;
}
