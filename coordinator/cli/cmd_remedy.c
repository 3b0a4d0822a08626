// remedy: runs one remedy section, at once on one database, as a rollout of its own with a
// coordinator. Nothing but a person asks for one.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <stdio.h>
#include <unistd.h>

// The revision that the first argument names, alone.
static enum dr_rc
find_revision(const struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
              struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_place place = {0};
    enum dr_rc rc = dr_graph_resolve(graph, cli->args[0], &none, cli->arena, &place, err);
    if (rc == DR_OK && place.nodes.count != 1) {
        (void)dr_err_set(err, DR_E_USAGE, "'%s' is not one revision", cli->args[0]);
        return dr_err_hint(err, "drover history shows their names");
    }
    *out = place.nodes;
    return rc;
}

// DR_E_NOT_FOUND with the names that there are.
static enum dr_rc
check_name(const struct dr_cli *cli, const struct dr_node *node, struct dr_err *err)
{
    const struct dr_revision *r = node->revision;
    const char *first = NULL;
    for (size_t i = 0; i < r->section_count; i++) {
        const struct dr_section *s = &r->sections[i];
        if (s->kind != DR_SECTION_REMEDY) {
            continue;
        }
        if (dr_str_eq(s->name, cli->args[1])) {
            return DR_OK;
        }
        first = first == NULL ? s->name : first;
    }
    (void)dr_err_set(err, DR_E_NOT_FOUND, "revision '%s' has no remedy '%s'", r->id, cli->args[1]);
    return first == NULL
               ? dr_err_hint(err, "drover show %s --sql shows its sections", r->id)
               : dr_err_hint(err, "drover remedy %s \"%s\"", r->id, dr_print_safe(cli, first));
}

// ------------------------------------------------------------------------------------------ direct

static enum dr_rc
run_direct(struct dr_direct *d, Drover__V1__Engine engine, struct dr_err *err)
{
    struct dr_cli *cli = d->cli;
    bool go = false;
    enum dr_rc rc = dr_engine_read_state(d->engine, cli->arena, false, false, &d->state, err);
    rc = rc == DR_OK
             ? dr_direct_check_owner(d, "drover remedy without --url, which makes a rollout", err)
             : rc;
    rc = rc == DR_OK
             ? dr_plan_compile(cli->project->name, engine, &d->nodes, cli->arena, &d->plan, err)
             : rc;
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_ask_yes(cli, "A remedy changes rows. Run it?", &go, err);
    if (rc == DR_OK && !go) {
        return dr_err_set(err, DR_E_INTERRUPTED, "nothing was done");
    }
    return rc == DR_OK ? dr_direct_run(d, err) : rc;
}

static enum dr_rc
remedy_direct(struct dr_cli *cli, const char *url, struct dr_err *err)
{
    struct dr_direct d = {.cli = cli,
                          .url = url,
                          .expr = cli->args[0],
                          .mode = DROVER__V1__MODE__REMEDY,
                          .remedy = cli->args[1]};
    Drover__V1__Engine engine = DROVER__V1__ENGINE__ENGINE_NONE;
    int cancel_fd = dr_cli_cancel_fd();
    enum dr_rc rc = dr_chain_engine(url, &engine, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &d.graph, err) : rc;
    rc = rc == DR_OK ? find_revision(cli, d.graph, &d.nodes, err) : rc;
    rc = rc == DR_OK ? check_name(cli, d.nodes.items[0], err) : rc;
    rc = rc == DR_OK ? dr_direct_open(&d, cancel_fd, err) : rc;
    rc = rc == DR_OK ? run_direct(&d, engine, err) : rc;
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    if (cancel_fd >= 0) {
        close(cancel_fd);
    }
    return rc;
}

// ------------------------------------------------------------------------------- by a coordinator

static enum dr_rc
remedy_rollout(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_creating c = {.cli = cli,
                            .expr = cli->args[0],
                            .mode = DROVER__V1__MODE__REMEDY,
                            .remedy = cli->args[1],
                            .on_failure = DROVER__V1__ON_FAILURE__HOLD};
    Drover__V1__Rollout *rollout = NULL;
    enum dr_rc rc = dr_chain_files_load(cli, &c.graph, err);
    rc = rc == DR_OK ? find_revision(cli, c.graph, &c.nodes, err) : rc;
    rc = rc == DR_OK ? check_name(cli, c.nodes.items[0], err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &c.remote, err) : rc;
    rc = rc == DR_OK ? dr_creating_targets(&c, err) : rc;
    rc = rc == DR_OK ? dr_creating_create(&c, &rollout, err) : rc;
    if (rc == DR_OK) {
        dr_creating_say(&c, rollout);
    }
    dr_remote_close(&c.remote);
    dr_graph_free(&c.graph);
    return rc == DR_OK && dr_cli_has(cli, "wait") ? dr_creating_watch(cli, rollout->id, err) : rc;
}

enum dr_rc
dr_cmd_remedy(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    const char *url = rc == DR_OK ? dr_project_direct_url(cli) : NULL;
    if (rc != DR_OK || url != NULL) {
        return rc != DR_OK ? rc : remedy_direct(cli, url, err);
    }
    if (cli->project->coordinator[0] == '\0') {
        (void)dr_err_set(err, DR_E_USAGE, "no database and no coordinator is named");
        return dr_err_hint(err, "drover remedy %s \"%s\" --url postgresql:///name", cli->args[0],
                           dr_print_safe(cli, cli->args[1]));
    }
    return remedy_rollout(cli, err);
}
