// A rollout on its way to the coordinator: targets, plans, files, and the request itself.
#include "coordinator/cli/creating.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/estimate_view.h"
#include "coordinator/cli/loss_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/rollout_view.h"

#include <stdio.h>
#include <string.h>

static Drover__V1__Mode
mode_of(const struct dr_creating *c)
{
    return c->mode != DROVER__V1__MODE__MODE_NONE ? c->mode
           : c->is_down                           ? DROVER__V1__MODE__DOWN
                                                  : DROVER__V1__MODE__UP;
}

static bool
is_named(const struct dr_creating *c, const char *target)
{
    size_t i = 0;
    while (i < c->targets_exact.count && !dr_str_eq(c->targets_exact.items[i], target)) {
        i++;
    }
    return i < c->targets_exact.count;
}

bool
dr_creating_wants(const struct dr_creating *c, const Drover__V1__Target *target)
{
    if (c->targets_exact.count > 0) {
        return target != NULL && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
               is_named(c, target->name);
    }
    const char *environment = c->target ? NULL : dr_cli_option(c->cli, "environment");
    const char *glob = c->target ? NULL : dr_cli_option(c->cli, "target");
    return target != NULL && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
           (c->target == NULL || dr_str_eq(c->target, target->name)) &&
           (environment == NULL || dr_str_eq(environment, target->environment)) &&
           (glob == NULL || dr_str_glob(glob, target->name));
}

enum dr_rc
dr_creating_targets(struct dr_creating *c, struct dr_err *err)
{
    const struct dr_trust *trust = c->remote.trust;
    for (size_t i = 0; i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;
        if (dr_creating_wants(c, target) && (unsigned)target->engine < DR_COUNT_OF(c->has_engine)) {
            c->has_engine[target->engine] = true;
            c->targets++;
        }
    }
    if (c->targets > 0) {
        return DR_OK;
    }
    const char *environment = dr_cli_option(c->cli, "environment");
    const char *glob = c->target ? c->target : dr_cli_option(c->cli, "target");
    dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target%s%s%s%s%s%s", glob ? " '" : "",
               glob ? glob : "", glob ? "'" : "", environment ? " in '" : "",
               environment ? environment : "", environment ? "'" : "");
    return dr_err_hint(err, glob || environment
                                ? "drover status shows all targets"
                                : "drover agent add NAME -e ENV --public-key FILE --target "
                                  "ENV/NAME=ENGINE");
}

static enum dr_rc
upload_plan(struct dr_creating *c, Drover__V1__Engine engine,
            Drover__V1__CreateRolloutRequest *request, struct dr_err *err)
{
    struct dr_plan plan = {0};
    Drover__V1__EnginePlan *row = dr_arena_alloc(c->cli->arena, sizeof(*row));
    uint8_t *digest = dr_arena_alloc(c->cli->arena, 32);
    if (row == NULL || digest == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc =
        dr_plan_compile(c->cli->project->name, engine, &c->nodes, c->cli->arena, &plan, err);
    rc = rc == DR_OK ? dr_remote_put_blob(&c->remote, plan.digest, plan.packed, err) : rc;
    drover__v1__engine_plan__init(row);
    memcpy(digest, plan.digest, 32);
    row->engine = engine;
    row->plan_sha256 = dr_data(digest, 32);
    request->plans[request->n_plans++] = row;
    return rc;
}

static enum dr_rc
fill_request(struct dr_creating *c, Drover__V1__CreateRolloutRequest *request, struct dr_err *err)
{
    struct dr_arena *arena = c->cli->arena;
    const char *message = dr_cli_option(c->cli, "message");
    const struct dr_node *last = c->nodes.items[c->nodes.count - 1];
    const struct dr_node *first = c->nodes.items[0];
    const char *below = first->parent_count ? first->parents[0]->revision->id : "";
    bool is_back = mode_of(c) == DROVER__V1__MODE__DOWN || mode_of(c) == DROVER__V1__MODE__UNSTAMP;
    request->mode = mode_of(c);
    request->remedy = dr_arena_str(arena, c->remedy ? c->remedy : "");
    request->from = dr_arena_str(arena, is_back ? last->revision->id : below);
    request->to = dr_arena_str(arena, is_back ? below : last->revision->id);
    request->message = dr_arena_str(arena, message ? message : "");
    request->environments = dr_arena_array(arena, 1, sizeof(char *));
    request->targets = dr_arena_array(arena, c->targets_exact.count + 1, sizeof(char *));
    request->undo_of = dr_arena_str(arena, c->undo_of ? c->undo_of : "");
    request->plans = dr_arena_array(arena, DR_COUNT_OF(c->has_engine), sizeof(*request->plans));
    if (!request->from || !request->remedy || !request->to || !request->message ||
        !request->environments || !request->targets || !request->plans || !request->undo_of) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    request->on_failure = c->on_failure;
    const char *after = dr_cli_option(c->cli, "after");
    const char *item = dr_cli_option(c->cli, "after-item");
    if (item != NULL && after == NULL) {
        dr_err_set(err, DR_E_USAGE, "--after-item is an item of the rollout that --after names");
        return dr_err_hint(err, "--after R-1 --after-item %s", item);
    }
    request->after = dr_arena_str(arena, after ? after : "");
    request->after_item = dr_arena_str(arena, item ? item : "");
    if (!request->after || !request->after_item) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < c->targets_exact.count; i++) {
        char *name = dr_arena_str(arena, c->targets_exact.items[i]);
        if (name == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        request->targets[request->n_targets++] = name;
    }
    if (c->targets_exact.count > 0) {
        return DR_OK;
    }
    if (c->target == NULL && dr_cli_option(c->cli, "environment") != NULL) {
        request->environments[request->n_environments++] =
            dr_arena_str(arena, dr_cli_option(c->cli, "environment"));
    }
    const char *target = c->target ? c->target : dr_cli_option(c->cli, "target");
    if (target != NULL) {
        request->targets[request->n_targets++] = dr_arena_str(arena, target);
    }
    return DR_OK;
}

static enum dr_rc
upload_all(struct dr_creating *c, Drover__V1__CreateRolloutRequest *request, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < c->nodes.count; i++) {
        const struct dr_revision *r = c->nodes.items[i]->revision;
        rc = dr_remote_put_blob(&c->remote, c->nodes.items[i]->file_sha256,
                                (struct dr_bytes){(const uint8_t *)r->bytes, r->size}, err);
    }
    for (int engine = 1; rc == DR_OK && engine < (int)DR_COUNT_OF(c->has_engine); engine++) {
        if (c->has_engine[engine]) {
            rc = upload_plan(c, (Drover__V1__Engine)engine, request, err);
        }
    }
    return rc;
}

enum dr_rc
dr_creating_create(struct dr_creating *c, Drover__V1__Rollout **out, struct dr_err *err)
{
    Drover__V1__CreateRolloutRequest request = DROVER__V1__CREATE_ROLLOUT_REQUEST__INIT;
    enum dr_rc rc = fill_request(c, &request, err);
    rc = rc == DR_OK ? upload_all(c, &request, err) : rc;
    rc = rc == DR_OK ? dr_remote_call(&c->remote, DR_METHOD_OPERATOR_CREATE_ROLLOUT, &request.base,
                                      out, err)
                     : rc;
    if (rc == DR_OK && !dr_rollout_id_is_valid((*out)->id)) {
        return dr_err_set(err, DR_E_INVALID, "the coordinator calls the new rollout '%s'",
                          (*out)->id);
    }
    return rc;
}

enum dr_rc
dr_creating_on_failure(struct dr_creating *c, struct dr_err *err)
{
    const char *text = dr_cli_option(c->cli, "on-failure");
    if (text != NULL && !dr_str_eq(text, "hold") && !dr_str_eq(text, "reverse")) {
        return dr_err_set(err, DR_E_USAGE, "--on-failure is hold or reverse, not '%s'", text);
    }
    c->on_failure = text != NULL && dr_str_eq(text, "reverse") ? DROVER__V1__ON_FAILURE__REVERSE
                                                               : DROVER__V1__ON_FAILURE__HOLD;
    return DR_OK;
}

enum dr_rc
dr_creating_dry_run(struct dr_creating *c, struct dr_err *err)
{
    const struct dr_trust *trust = c->remote.trust;
    struct dr_estimates estimates[DR_COUNT_OF(c->has_engine)] = {0};
    enum dr_rc rc = DR_OK;
    for (int engine = 1; rc == DR_OK && engine < (int)DR_COUNT_OF(c->has_engine); engine++) {
        struct dr_plan plan = {0};
        rc = c->has_engine[engine]
                 ? dr_plan_compile(c->cli->project->name, (Drover__V1__Engine)engine, &c->nodes,
                                   c->cli->arena, &plan, err)
                 : DR_OK;
        // Somebody may have rehearsed it: for a rollout of the same revisions.
        rc = rc == DR_OK && c->has_engine[engine]
                 ? dr_estimates_load(&c->remote, plan.digest, plan.message,
                                     c->is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP,
                                     &estimates[engine], err)
                 : rc;
    }
    if (rc != DR_OK) {
        return rc;
    }
    json_t *known = json_array();
    for (size_t i = 1; i < DR_COUNT_OF(estimates); i++) {
        dr_estimates_print(c->cli, &estimates[i], "As agents rehearsed it:");
        dr_estimates_json(c->cli, &estimates[i], known);
    }
    json_t *targets = json_array();
    for (size_t i = 0; i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;
        if (dr_creating_wants(c, target)) {
            dr_say(c->cli, "On target %s\n", target->name);
            json_array_append_new(targets, json_string(target->name));
        }
    }
    if (c->is_down && c->expr != NULL) {
        dr_loss_warn_base(c->cli, c->expr);
    }
    dr_chain_say_dry_run(c->cli, &c->nodes, c->is_down, targets, NULL, known);
    return DR_OK;
}

static void
say_json(const struct dr_creating *c, const char *id, const char *from, const char *to)
{
    if (c->cli->format == DR_CLI_JSON && id[0] != '\0' && dr_cli_has(c->cli, "wait")) {
        return; // the rollout itself is printed at the end
    }
    dr_print_json(c->cli, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "schema",
                                    "drover.v1.RolloutCreated", "id", id, "from", from, "to", to,
                                    "revisions", (int)c->nodes.count, "targets", (int)c->targets));
}

void
dr_creating_say(const struct dr_creating *c, const Drover__V1__Rollout *r)
{
    const struct dr_cli *cli = c->cli;
    if (cli->format != DR_CLI_TEXT) {
        say_json(c, r->id, r->from, r->to);
        return;
    }
    dr_say(cli, "Rollout %s  %s -> %s   %zu revision%s, %zu target%s\n", r->id,
           r->from[0] ? r->from : "base", r->to[0] ? r->to : "base", c->nodes.count,
           c->nodes.count == 1 ? "" : "s", c->targets, c->targets == 1 ? "" : "s");
    for (size_t i = 0; i < r->n_plans; i++) {
        char digest[20];
        dr_print_digest(digest, r->plans[i]->plan_sha256.data, r->plans[i]->plan_sha256.len);
        dr_say(cli, "  plan %s  %s\n", digest,
               r->plans[i]->engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql");
    }
    const char *environment = r->n_stages ? r->stages[0]->environment : "staging";
    if (!dr_cli_has(cli, "wait")) {
        dr_say(cli, "next: drover rollout watch %s, then drover approve %s -e %s\n", r->id, r->id,
               environment);
    }
}

enum dr_rc
dr_creating_watch(struct dr_cli *cli, const char *rollout, struct dr_err *err)
{
    const char **args = dr_arena_array(cli->arena, 2, sizeof(*args));
    if (args == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    args[0] = rollout;
    cli->args = args;
    return dr_cmd_rollout_watch(cli, err);
}

void
dr_creating_say_nothing(const struct dr_creating *c)
{
    if (c->cli->format != DR_CLI_TEXT) {
        say_json(c, "", "", "");
    }
    dr_say(c->cli, "Nothing to do: every target is there already\n");
}
