// upgrade and downgrade through the coordinator: the plans are made here, and a rollout of them is
// asked for.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/words.h"

#include <stdio.h>
#include <string.h>

struct creating {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_graph *graph;
    const char *expr;
    bool is_down;
    struct dr_names current; // heads of the target that is furthest behind (up) or ahead (down)
    struct dr_nodes nodes;   // parents first
    bool has_engine[3];      // by number of Engine
    size_t targets;
    Drover__V1__OnFailure on_failure;
};

static bool
is_wanted(const struct dr_cli *cli, const Drover__V1__Target *target)
{
    const char *environment = dr_cli_option(cli, "environment");
    const char *glob = dr_cli_option(cli, "target");
    return target != NULL && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
           (environment == NULL || dr_str_eq(environment, target->environment)) &&
           (glob == NULL || dr_str_glob(glob, target->name));
}

static enum dr_rc
choose_targets(struct creating *c, struct dr_err *err)
{
    const struct dr_trust *trust = c->remote.trust;
    for (size_t i = 0; i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;
        if (is_wanted(c->cli, target) && (unsigned)target->engine < DR_COUNT_OF(c->has_engine)) {
            c->has_engine[target->engine] = true;
            c->targets++;
        }
    }
    if (c->targets > 0) {
        return DR_OK;
    }
    const char *environment = dr_cli_option(c->cli, "environment");
    const char *glob = dr_cli_option(c->cli, "target");
    dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target%s%s%s%s%s%s", glob ? " '" : "",
               glob ? glob : "", glob ? "'" : "", environment ? " in '" : "",
               environment ? environment : "", environment ? "'" : "");
    return dr_err_hint(err, glob || environment
                                ? "drover status shows all targets"
                                : "drover agent add NAME -e ENV --public-key FILE --target "
                                  "ENV/NAME=ENGINE");
}

static size_t
count_applied(struct creating *c, const struct dr_names *heads)
{
    struct dr_nodes applied = {0};
    struct dr_err ignored = {0};
    return dr_graph_applied(c->graph, heads, c->cli->arena, &applied, &ignored) == DR_OK
               ? applied.count
               : 0;
}

// Of the wanted targets' newest words: the one furthest behind for an upgrade (a target without a
// word counts as base), furthest ahead for a downgrade.
static enum dr_rc
find_current(struct creating *c, struct dr_err *err)
{
    const struct dr_trust *trust = c->remote.trust;
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_words words = {0};
    size_t best = 0;
    bool any = false;
    enum dr_rc rc =
        dr_remote_call(&c->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err);
    rc = rc == DR_OK ? dr_words_load(&c->remote, reply, &words, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;
        struct dr_names heads = {0};
        if (!is_wanted(c->cli, target)) {
            continue;
        }
        rc = dr_words_heads(
            c->cli->arena,
            dr_words_newest(&words, target->name, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE),
            &heads, err);
        size_t n = rc == DR_OK ? count_applied(c, &heads) : 0;
        if (!any || (c->is_down ? n > best : n < best)) {
            c->current = heads;
            best = n;
            any = true;
        }
    }
    return rc;
}

// The revisions of the plan, parents first. An upgrade's plan begins at base of what the target
// furthest behind lacks.
static enum dr_rc
choose_nodes(struct creating *c, struct dr_err *err)
{
    enum dr_rc rc =
        c->is_down
            ? dr_graph_downgrade(c->graph, c->expr, &c->current, c->cli->arena, &c->nodes, err)
            : dr_graph_upgrade(c->graph, c->expr, &c->current, c->cli->arena, &c->nodes, err);
    for (size_t i = 0; rc == DR_OK && c->is_down && i < c->nodes.count / 2; i++) {
        const struct dr_node *other = c->nodes.items[c->nodes.count - 1 - i];
        c->nodes.items[c->nodes.count - 1 - i] = c->nodes.items[i];
        c->nodes.items[i] = other;
    }
    for (size_t i = 0; rc == DR_OK && i < c->nodes.count; i++) {
        struct dr_chain_revision found;
        if (c->remote.trust->chain.msg == NULL ||
            !dr_chain_find(&c->remote.trust->chain, c->nodes.items[i]->digest, &found)) {
            dr_err_set(err, DR_E_WAITING, "revision '%s' is not in the approved chain",
                       c->nodes.items[i]->revision->id);
            return dr_err_hint(err, "drover submit, then drover approve chain");
        }
    }
    return rc;
}

static enum dr_rc
upload_plan(struct creating *c, Drover__V1__Engine engine,
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
fill_request(struct creating *c, Drover__V1__CreateRolloutRequest *request, struct dr_err *err)
{
    struct dr_arena *arena = c->cli->arena;
    const char *message = dr_cli_option(c->cli, "message");
    const struct dr_node *last = c->nodes.items[c->nodes.count - 1];
    const struct dr_node *first = c->nodes.items[0];
    const char *below = first->parent_count ? first->parents[0]->revision->id : "";
    request->mode = c->is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
    request->from = dr_arena_str(arena, c->is_down ? last->revision->id : below);
    request->to = dr_arena_str(arena, c->is_down ? below : last->revision->id);
    request->message = dr_arena_str(arena, message ? message : "");
    request->environments = dr_arena_array(arena, 1, sizeof(char *));
    request->targets = dr_arena_array(arena, 1, sizeof(char *));
    request->plans = dr_arena_array(arena, DR_COUNT_OF(c->has_engine), sizeof(*request->plans));
    if (!request->from || !request->to || !request->message || !request->environments ||
        !request->targets || !request->plans) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    request->on_failure = c->on_failure;
    if (dr_cli_option(c->cli, "environment") != NULL) {
        request->environments[request->n_environments++] =
            dr_arena_str(arena, dr_cli_option(c->cli, "environment"));
    }
    if (dr_cli_option(c->cli, "target") != NULL) {
        request->targets[request->n_targets++] =
            dr_arena_str(arena, dr_cli_option(c->cli, "target"));
    }
    return DR_OK;
}

static enum dr_rc
upload_all(struct creating *c, Drover__V1__CreateRolloutRequest *request, struct dr_err *err)
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

static enum dr_rc
create(struct creating *c, Drover__V1__Rollout **out, struct dr_err *err)
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

static void
say_json(const struct creating *c, const char *id, const char *from, const char *to)
{
    if (c->cli->format == DR_CLI_JSON && id[0] != '\0' && dr_cli_has(c->cli, "wait")) {
        return; // the rollout itself is printed at the end
    }
    dr_print_json(c->cli, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "schema",
                                    "drover.v1.RolloutCreated", "id", id, "from", from, "to", to,
                                    "revisions", (int)c->nodes.count, "targets", (int)c->targets));
}

static void
say_created(const struct creating *c, const Drover__V1__Rollout *r)
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

static void
say_nothing_to_do(const struct creating *c)
{
    if (c->cli->format != DR_CLI_TEXT) {
        say_json(c, "", "", "");
    }
    dr_say(c->cli, "Nothing to do: every target is there already\n");
}

// Everything but the upload: the plans are compiled, the targets named.
static enum dr_rc
dry_run(struct creating *c, struct dr_err *err)
{
    const struct dr_trust *trust = c->remote.trust;
    enum dr_rc rc = DR_OK;
    for (int engine = 1; rc == DR_OK && engine < (int)DR_COUNT_OF(c->has_engine); engine++) {
        struct dr_plan plan = {0};
        rc = c->has_engine[engine]
                 ? dr_plan_compile(c->cli->project->name, (Drover__V1__Engine)engine, &c->nodes,
                                   c->cli->arena, &plan, err)
                 : DR_OK;
    }
    if (rc != DR_OK) {
        return rc;
    }
    json_t *targets = json_array();
    for (size_t i = 0; i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;
        if (is_wanted(c->cli, target)) {
            dr_say(c->cli, "On target %s\n", target->name);
            json_array_append_new(targets, json_string(target->name));
        }
    }
    dr_chain_say_dry_run(c->cli, &c->nodes, c->is_down, targets);
    return DR_OK;
}

static enum dr_rc
read_on_failure(struct creating *c, struct dr_err *err)
{
    const char *text = dr_cli_option(c->cli, "on-failure");
    if (text != NULL && !dr_str_eq(text, "hold") && !dr_str_eq(text, "reverse")) {
        return dr_err_set(err, DR_E_USAGE, "--on-failure is hold or reverse, not '%s'", text);
    }
    c->on_failure = text != NULL && dr_str_eq(text, "reverse") ? DROVER__V1__ON_FAILURE__REVERSE
                                                               : DROVER__V1__ON_FAILURE__HOLD;
    return DR_OK;
}

static enum dr_rc
watch(struct dr_cli *cli, const char *rollout, struct dr_err *err)
{
    const char **args = dr_arena_array(cli->arena, 2, sizeof(*args));
    if (args == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    args[0] = rollout;
    cli->args = args;
    return dr_cmd_rollout_watch(cli, err);
}

static enum dr_rc
run_rollout(struct dr_cli *cli, bool is_down, struct dr_err *err)
{
    struct creating c = {.cli = cli, .expr = cli->args[0], .is_down = is_down};
    Drover__V1__Rollout *rollout = NULL;
    enum dr_rc rc = read_on_failure(&c, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &c.graph, err) : rc;
    rc = rc == DR_OK ? dr_graph_check_heads(c.graph, err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &c.remote, err) : rc;
    rc = rc == DR_OK ? choose_targets(&c, err) : rc;
    rc = rc == DR_OK ? find_current(&c, err) : rc;
    rc = rc == DR_OK ? choose_nodes(&c, err) : rc;
    if (rc == DR_OK && c.nodes.count == 0) {
        say_nothing_to_do(&c);
    } else if (rc == DR_OK && dr_cli_has(cli, "dry-run")) {
        rc = dry_run(&c, err);
    } else if (rc == DR_OK) {
        rc = create(&c, &rollout, err);
        if (rc == DR_OK) {
            say_created(&c, rollout);
        }
    }
    dr_remote_close(&c.remote);
    dr_graph_free(&c.graph);
    return rc == DR_OK && rollout != NULL && dr_cli_has(cli, "wait") ? watch(cli, rollout->id, err)
                                                                     : rc;
}

static enum dr_rc
direct_or_rollout(struct dr_cli *cli, bool is_down, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *url = dr_project_direct_url(cli);
    if (url != NULL) {
        return dr_cmd_direct_run(cli, url, is_down, err);
    }
    if (cli->project->coordinator[0] == '\0') {
        dr_err_set(err, DR_E_USAGE, "no database and no coordinator is named");
        return dr_err_hint(err, "drover %s %s --url postgresql:///name, or --url sqlite:FILE",
                           cli->command->name, cli->args[0]);
    }
    return run_rollout(cli, is_down, err);
}

enum dr_rc
dr_cmd_upgrade(struct dr_cli *cli, struct dr_err *err)
{
    return direct_or_rollout(cli, false, err);
}

enum dr_rc
dr_cmd_downgrade(struct dr_cli *cli, struct dr_err *err)
{
    return direct_or_rollout(cli, true, err);
}
