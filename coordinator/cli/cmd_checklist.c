// checklist: the gates of a rollout with what opened them; `show [ITEM]` opens the evidence, `sign
// ITEM` puts my word on one.

#include "coordinator/cli/checklist_show.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/stage.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static enum dr_rc
gates_json(const struct dr_stage *s, const struct dr_stage_gate *gates, size_t n, json_t *list)
{
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:b, s:b, s:s, s:s}", "environment", s->said->environment,
                            "item", dr_gate_name(gates[i].gate), "open", gates[i].is_open, "after",
                            gates[i].is_after, "text", gates[i].text ? gates[i].text : "", "next",
                            gates[i].next ? gates[i].next : ""));
    }
    return DR_OK;
}

// What the first gate that is closed asks to be typed, of those before or after the run.
static const char *
next_of(const struct dr_stage_gate *gates, size_t n, bool is_after)
{
    for (size_t i = 0; i < n; i++) {
        if (!gates[i].is_open && gates[i].is_after == is_after && gates[i].next != NULL &&
            gates[i].next[0] != '\0') {
            return gates[i].next;
        }
    }
    return "";
}

// One environment of the list. Returns how many gates hold its start.
static enum dr_rc
show_environment(struct dr_remote *remote, const char *rollout, const char *environment,
                 json_t *list, size_t *out_closed, struct dr_err *err)
{
    struct dr_stage stage;
    struct dr_stage_gate *gates = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_stage_load(remote, rollout, environment, &stage, err);
    rc = rc == DR_OK ? dr_stage_gates(&stage, &gates, &n, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (remote->cli->format != DR_CLI_TEXT) {
        *out_closed = 0;
        return gates_json(&stage, gates, n, list);
    }
    dr_say(remote->cli, "%s, approval %u of %u\n", stage.said->environment, stage.said->signatures,
           stage.said->needed);
    *out_closed = dr_stage_print_gates(&stage, gates, n);
    const char *next = next_of(gates, n, false);
    next = next[0] != '\0' ? next : next_of(gates, n, true);
    if (next[0] != '\0') {
        dr_say(remote->cli, "  next: %s\n", next);
    }
    return DR_OK;
}

static enum dr_rc
show_all(struct dr_remote *remote, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    const char *only = dr_cli_option(cli, "environment");
    bool is_found = false;
    json_t *list = json_array();
    id.id = dr_arena_str(cli->arena, cli->args[0]);
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err);
    for (size_t i = 0; rc == DR_OK && i < rollout->n_stages; i++) {
        size_t closed = 0;
        if (only == NULL || dr_str_eq(only, rollout->stages[i]->environment)) {
            rc = show_environment(remote, cli->args[0], rollout->stages[i]->environment, list,
                                  &closed, err);
            is_found = true;
        }
    }
    if (rc == DR_OK && !is_found) {
        rc = dr_err_set(err, DR_E_NOT_FOUND, "rollout '%s' does not go to '%s'", cli->args[0],
                        only != NULL ? only : "");
        (void)dr_err_hint(err, "drover rollout show %s", cli->args[0]);
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:O}", "schema", "drover.v1.Checklist", "gates", list));
    }
    json_decref(list);
    return rc;
}

// What I looked at: the digests of all verified evidence of this rollout's units, in order.
static void
digest_of_evidence(const struct dr_stage *s, uint8_t out[32])
{
    struct dr_buf all = {0};
    for (size_t i = 0; i < s->n_evidence; i++) {
        dr_buf_add(&all, s->evidence[i].sha256, 32);
    }
    dr_sha256((struct dr_bytes){(const uint8_t *)all.data, all.len}, out);
    dr_buf_fini(&all);
}

// The log itself where a person reads the log.
static void
digest_of_item(const struct dr_stage *s, const char *item, uint8_t out[32])
{
    if (dr_str_eq(item, DR_CHECKLIST_LOGS)) {
        dr_checklist_log_sha256(s, out);
    } else {
        digest_of_evidence(s, out);
    }
}

// What stands in the signature: the version that runs, and the person's own words.
static const char *
note_of(struct dr_cli *cli)
{
    const char *note = dr_cli_option(cli, "note");
    const char *version = dr_cli_option(cli, "app-version");
    const char *text = version == NULL ? dr_arena_str(cli->arena, note ? note : "")
                                       : dr_arena_printf(cli->arena, "version %s%s%s", version,
                                                         note ? ", " : "", note ? note : "");
    return text ? text : "";
}

// An item that is asked for afterwards means nothing before something ran there.
static enum dr_rc
check_time(const struct dr_stage *s, const Drover__V1__Gate *gate, struct dr_err *err)
{
    bool is_time = !gate->after;
    for (size_t i = 0; !is_time && i < s->said->n_targets; i++) {
        const char *state = s->said->targets[i]->state;
        is_time = dr_str_eq(state, "applied") || dr_str_eq(state, "reverted");
    }
    if (is_time) {
        return DR_OK;
    }
    dr_err_set(err, DR_E_WAITING, "'%s' is signed afterwards: nothing of %s has run in '%s' yet",
               gate->item, s->rollout->id, s->said->environment);
    return dr_err_hint(err, "drover rollout watch %s", s->rollout->id);
}

static enum dr_rc
check_item(const struct dr_stage *s, const char *item, struct dr_err *err)
{
    struct dr_buf known = {0};
    const Drover__V1__Environment *policy = s->policy->msg->environment;
    for (size_t i = 0; i < policy->n_gates; i++) {
        if (policy->gates[i]->kind != DROVER__V1__GATE_KIND__GATE_SIGNOFF) {
            continue;
        }
        if (dr_str_eq(policy->gates[i]->item, item)) {
            dr_buf_fini(&known);
            return check_time(s, policy->gates[i], err);
        }
        dr_buf_printf(&known, "%s%s", known.len ? ", " : "", policy->gates[i]->item);
    }
    dr_err_set(err, DR_E_NOT_FOUND, "'%s' is no item that people sign in '%s'", item,
               s->said->environment);
    dr_err_hint(err, "one of: %s", known.data ? known.data : "none");
    dr_buf_fini(&known);
    return err->rc;
}

static enum dr_rc
sign_item(struct dr_remote *remote, const char *item, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    const char *note = note_of(cli);
    struct dr_stage stage;
    struct dr_key key = {0};
    uint8_t seen[32];
    enum dr_rc rc =
        dr_stage_load(remote, cli->args[0], dr_cli_option(cli, "environment"), &stage, err);
    rc = rc == DR_OK ? check_item(&stage, item, err) : rc;
    if (rc == DR_OK && cli->format == DR_CLI_TEXT && dr_str_eq(item, DR_CHECKLIST_LOGS)) {
        rc = dr_checklist_show(&stage, item, NULL, err);
    }
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < stage.n_plans; i++) {
        Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
        struct dr_bytes wire;
        uint8_t digest[32];
        Drover__V1__PutDocumentReply *reply = NULL;
        digest_of_item(&stage, item, seen);
        msg.cluster_id = remote->trust->root.msg->cluster_id;
        msg.kind = DROVER__V1__SIGNOFF_KIND__ITEM;
        msg.environment = stage.said->environment;
        msg.plan_sha256 = stage.plans[i].named->plan_sha256;
        msg.item = dr_arena_str(cli->arena, item);
        msg.note = dr_arena_str(cli->arena, note);
        msg.seen_sha256 = dr_data(seen, 32);
        msg.time = dr_now_unix_s();
        rc = dr_signoff_build(cli->arena, msg, &key, &wire, digest, err);
        rc = rc == DR_OK ? dr_remote_put(remote, DR_TYPE_SIGNOFF, wire, NULL, 0, &reply, err) : rc;
    }
    dr_key_fini(&key);
    if (rc == DR_OK && cli->format == DR_CLI_TEXT) {
        dr_say(cli, "Signed: %s of %s in %s\n", item, stage.rollout->id, stage.said->environment);
    } else if (rc == DR_OK) {
        char hex[65];
        dr_hex(hex, seen, 32);
        dr_print_json(cli,
                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "schema", "drover.v1.Signed",
                                "document", "signoff", "rollout", stage.rollout->id, "item", item,
                                "environment", stage.said->environment, "seen_sha256", hex));
    }
    return rc;
}

static enum dr_rc
show_one(struct dr_remote *remote, const char *environment, const char *item, json_t *list,
         struct dr_err *err)
{
    struct dr_stage stage;
    enum dr_rc rc = dr_stage_load(remote, remote->cli->args[0], environment, &stage, err);
    return rc == DR_OK ? dr_checklist_show(&stage, item, list, err) : rc;
}

// All items of all environments.
static enum dr_rc
show_each(struct dr_remote *remote, json_t *list, struct dr_err *err)
{
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    id.id = dr_arena_str(remote->cli->arena, remote->cli->args[0]);
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err);
    for (size_t i = 0; rc == DR_OK && i < rollout->n_stages; i++) {
        rc = show_one(remote, rollout->stages[i]->environment, NULL, list, err);
    }
    return rc;
}

// `item` NULL: all.
static enum dr_rc
show_items(struct dr_remote *remote, const char *item, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    const char *environment = dr_cli_option(cli, "environment");
    json_t *list = cli->format != DR_CLI_TEXT ? json_array() : NULL;
    enum dr_rc rc = item == NULL && environment == NULL
                        ? show_each(remote, list, err)
                        : show_one(remote, environment, item, list, err);
    if (rc == DR_OK && list != NULL) {
        dr_print_json(cli,
                      json_pack("{s:s, s:O}", "schema", "drover.v1.ChecklistItems", "items", list));
    }
    json_decref(list);
    return rc;
}

enum dr_rc
dr_cmd_checklist(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    bool signs = cli->args_count == 3 && dr_str_eq(cli->args[1], "sign");
    bool shows = cli->args_count >= 2 && dr_str_eq(cli->args[1], "show");
    if (cli->args_count != 1 && !signs && !shows) {
        dr_err_set(err, DR_E_USAGE,
                   "'drover checklist' takes a rollout, or a rollout and 'sign ITEM' or 'show "
                   "[ITEM]'");
        return dr_err_hint(err, "drover checklist %s sign logs-reviewed", cli->args[0]);
    }
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    if (rc == DR_OK) {
        rc = signs   ? sign_item(&remote, cli->args[2], err)
             : shows ? show_items(&remote, cli->args_count == 3 ? cli->args[2] : NULL, err)
                     : show_all(&remote, err);
    }
    dr_remote_close(&remote);
    return rc;
}
