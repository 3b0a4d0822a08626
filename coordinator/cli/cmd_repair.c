// repair: what of a target is half done, and the safe ways out of it; --resume and --reverse go
// them. One database is looked at here, a target in repair_target.c.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/repairing.h"

#include "db/db.h"

#include <stdio.h>
#include <unistd.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
look_direct(struct dr_direct *d, struct dr_repairing *r, struct dr_err *err)
{
    Drover__V1__Engine engine;
    char shown[512];
    dr_db_url_show(d->url, shown, sizeof(shown));
    r->facts.target = dr_arena_str(r->cli->arena, shown);
    r->facts.where = dr_arena_printf(r->cli->arena, "--url %s", dr_print_safe(r->cli, shown));
    if (r->facts.target == NULL || r->facts.where == NULL) {
        return no_memory(err);
    }
    enum dr_rc rc = dr_chain_engine(d->url, &engine, err);
    rc = rc == DR_OK ? dr_engine_read_state(d->engine, r->cli->arena, false, true, &d->state, err)
                     : rc;
    rc = rc == DR_OK ? dr_repairing_find(r, &d->state.ledger, err) : rc;
    if (rc != DR_OK || r->nodes.count == 0) {
        r->repair = (struct dr_repair){.held_by = "", .no_resume = "", .no_reverse = ""};
        return rc;
    }
    d->nodes = r->nodes;
    rc = dr_plan_compile(r->cli->project->name, engine, &r->nodes, r->cli->arena, &d->plan, err);
    if (rc == DR_OK) {
        struct dr_engine_job job = dr_direct_job(d);
        rc = dr_engine_repair(d->engine, &job, r->cli->arena, &r->repair, err);
    }
    dr_repairing_name_ends(r);
    return rc;
}

static enum dr_rc
go_direct(struct dr_direct *d, struct dr_repairing *r, bool is_reverse, struct dr_err *err)
{
    if (r->nodes.count == 0) {
        dr_direct_nothing(d);
        return DR_OK;
    }
    enum dr_rc rc =
        dr_direct_check_owner(d, "drover repair TARGET without --url, which makes a rollout", err);
    rc = rc == DR_OK ? dr_repairing_check(r, is_reverse, err) : rc;
    d->mode = dr_repairing_mode(r, is_reverse);
    d->is_down = d->mode == DROVER__V1__MODE__DOWN;
    d->expr = r->facts.undone;
    rc = rc == DR_OK && d->is_down ? dr_direct_confirm(d, err) : rc;
    return rc == DR_OK ? dr_direct_run(d, err) : rc;
}

static enum dr_rc
repair_direct(struct dr_cli *cli, const char *url, struct dr_err *err)
{
    struct dr_direct d = {.cli = cli, .url = url};
    struct dr_repairing r = {.cli = cli,
                             .facts = {.trouble = "", .finished = "", .undone = "base"}};
    int cancel_fd = dr_cli_cancel_fd();
    enum dr_rc rc = dr_chain_files_load(cli, &d.graph, err);
    rc = rc == DR_OK ? dr_direct_open(&d, cancel_fd, err) : rc;
    r.graph = d.graph;
    rc = rc == DR_OK ? look_direct(&d, &r, err) : rc;
    if (rc == DR_OK && (dr_cli_has(cli, "resume") || dr_cli_has(cli, "reverse"))) {
        rc = go_direct(&d, &r, dr_cli_has(cli, "reverse"), err);
    } else if (rc == DR_OK) {
        dr_repair_print(cli, &r.facts, &r.repair, d.graph);
    }
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    if (cancel_fd >= 0) {
        close(cancel_fd);
    }
    return rc;
}

enum dr_rc
dr_cmd_repair(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    const char *url = rc != DR_OK           ? NULL
                      : cli->args_count > 0 ? dr_cli_option(cli, "url")
                                            : dr_project_direct_url(cli);
    if (rc == DR_OK && dr_cli_has(cli, "resume") && dr_cli_has(cli, "reverse")) {
        return dr_err_set(err, DR_E_USAGE, "--resume and --reverse are two ways: choose one");
    }
    if (rc != DR_OK || (url != NULL && cli->args_count == 0)) {
        return rc != DR_OK ? rc : repair_direct(cli, url, err);
    }
    if (url != NULL || cli->args_count == 0) {
        (void)dr_err_set(err, DR_E_USAGE,
                         url ? "--url names one database, so no target can be named"
                             : "no target is named");
        return dr_err_hint(err, "drover repair production/orders, or --url postgresql:///name");
    }
    return dr_repair_target(cli, err);
}
