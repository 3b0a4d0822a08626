// upgrade and downgrade through the coordinator: the plans are made here, and a rollout of them is
// asked for.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/loss_view.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/words.h"

#include <stdio.h>
#include <string.h>

static size_t
count_applied(struct dr_creating *c, const struct dr_names *heads)
{
    struct dr_nodes applied = {0};
    struct dr_err ignored = {0};
    return dr_graph_applied(c->graph, heads, c->cli->arena, &applied, &ignored) == DR_OK
               ? applied.count
               : 0;
}

// A target that has a withdrawn revision goes down first.
static enum dr_rc
check_withdrawn(const struct dr_creating *c, const char *target, const struct dr_names *heads,
                struct dr_err *err)
{
    struct dr_nodes applied = {0};
    struct dr_err ignored = {0};
    if (dr_graph_applied(c->graph, heads, c->cli->arena, &applied, &ignored) != DR_OK) {
        return DR_OK;
    }
    for (size_t i = 0; i < applied.count; i++) {
        const struct dr_node *node = applied.items[i];
        if (node->withdrawn != NULL) {
            (void)dr_err_set(err, DR_E_WITHDRAWN,
                             "'%s' has revision '%s', which was withdrawn (%.200s) and has to go "
                             "down first",
                             target, node->revision->id, node->withdrawn);
            return dr_err_hint(err, "drover downgrade %s -t %s",
                               node->parent_count > 0 ? node->parents[0]->revision->id : "base",
                               target);
        }
    }
    return DR_OK;
}

// Of the wanted targets' newest words: the one furthest behind for an upgrade (a target without a
// word counts as base), furthest ahead for a downgrade.
static enum dr_rc
find_current(struct dr_creating *c, struct dr_err *err)
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
        if (!dr_creating_wants(c, target)) {
            continue;
        }
        rc = dr_words_heads(
            c->cli->arena,
            dr_words_newest(&words, target->name, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE),
            &heads, err);
        rc = rc == DR_OK && !c->is_down ? check_withdrawn(c, target->name, &heads, err) : rc;
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
choose_nodes(struct dr_creating *c, struct dr_err *err)
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
run_rollout(struct dr_cli *cli, bool is_down, struct dr_err *err)
{
    struct dr_creating c = {.cli = cli, .expr = cli->args[0], .is_down = is_down};
    Drover__V1__Rollout *rollout = NULL;
    enum dr_rc rc = dr_creating_on_failure(&c, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &c.graph, err) : rc;
    rc = rc == DR_OK ? dr_graph_check_heads(c.graph, err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &c.remote, err) : rc;
    rc = rc == DR_OK ? dr_creating_targets(&c, err) : rc;
    rc = rc == DR_OK ? find_current(&c, err) : rc;
    rc = rc == DR_OK ? choose_nodes(&c, err) : rc;
    if (rc == DR_OK && c.nodes.count == 0) {
        dr_creating_say_nothing(&c);
    } else if (rc == DR_OK && dr_cli_has(cli, "dry-run")) {
        rc = dr_creating_dry_run(&c, err);
    } else if (rc == DR_OK) {
        if (is_down) {
            dr_loss_warn_base(cli, c.expr);
        }
        rc = dr_creating_create(&c, &rollout, err);
        if (rc == DR_OK) {
            dr_creating_say(&c, rollout);
        }
    }
    dr_remote_close(&c.remote);
    dr_graph_free(&c.graph);
    return rc == DR_OK && rollout != NULL && dr_cli_has(cli, "wait")
               ? dr_creating_watch(cli, rollout->id, err)
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
