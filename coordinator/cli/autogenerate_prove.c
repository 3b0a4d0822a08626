// A generated revision is believed when it has run: up must give the desired schema, down what was
// there before.

#include "coordinator/cli/autogenerate.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "engine/run.h"

#include <stdio.h>
#include <string.h>

#define LEFT_SHOWN 40u

static enum dr_rc
run(struct dr_autogenerate *a, struct dr_graph *graph, const struct dr_plan *plan,
    Drover__V1__Mode mode, struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    struct dr_engine *engine = NULL;
    struct dr_engine_result result = {0};
    const struct dr_engine_options options = {.url = a->chain.url,
                                              .schema = dr_cli_option(cli, "schema"),
                                              .environment = dr_cli_option(cli, "environment"),
                                              .target = "scratch"};
    struct dr_engine_job job = {
        .plan = plan->message, .mode = mode, .file = dr_chain_file, .file_arg = graph};
    memcpy(job.plan_sha256, plan->digest, 32);
    enum dr_rc rc = dr_engine_open(&options, &engine, err);
    rc = rc == DR_OK ? dr_engine_run(engine, &job, cli->arena, &result, err) : rc;
    dr_engine_close(&engine);
    return rc == DR_OK ? dr_schema_source_read(&a->shared, &a->chain, err) : rc;
}

static enum dr_rc
compare(struct dr_autogenerate *a, const char *want, const char *direction, json_t *rows,
        bool *proved, struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    struct dr_schema_change *list = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_schema_diff(a->chain.print, want, cli->arena, &list, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        const struct dr_schema_change *c = &list[i];
        const char *what = c->sign == '+'   ? "is not made"
                           : c->sign == '-' ? "is still there"
                                            : "is not as it should be";
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "section", direction,
                                              "object", c->object, "what", what, "is", c->before,
                                              "should_be", c->after));
        if (i < LEFT_SHOWN) {
            dr_say(cli, "Left for hand work, %s: %s %s\n", direction, c->object, what);
        }
    }
    if (rc == DR_OK && count > LEFT_SHOWN) {
        dr_say(cli, "... and %zu more\n", count - LEFT_SHOWN);
    }
    *proved = *proved && count == 0;
    return rc;
}

enum dr_rc
dr_autogenerate_prove(struct dr_autogenerate *a, const char *id, json_t *rows, bool *out_proved,
                      struct dr_err *err)
{
    struct dr_cli *cli = a->shared.cli;
    struct dr_graph *graph = NULL;
    struct dr_plan plan = {0};
    struct dr_nodes one = {.items = dr_arena_array(cli->arena, 1, sizeof(*one.items)), .count = 1};
    bool proved = true;
    if (one.items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    one.items[0] = rc == DR_OK ? dr_graph_find(graph, id) : NULL;
    if (rc == DR_OK && one.items[0] == NULL) {
        rc = dr_err_set(err, DR_E_NOT_FOUND, "revision '%s' is not in the folder", id);
    }
    rc = rc == DR_OK ? dr_plan_compile(cli->project->name,
                                       a->engine == DR_DB_SQLITE ? DROVER__V1__ENGINE__SQLITE
                                                                 : DROVER__V1__ENGINE__POSTGRESQL,
                                       &one, cli->arena, &plan, err)
                     : rc;
    rc = rc == DR_OK ? run(a, graph, &plan, DROVER__V1__MODE__UP, err) : rc;
    rc = rc == DR_OK ? compare(a, a->desired.print, "up", rows, &proved, err) : rc;
    rc = rc == DR_OK ? run(a, graph, &plan, DROVER__V1__MODE__DOWN, err) : rc;
    rc = rc == DR_OK ? compare(a, a->before, "down", rows, &proved, err) : rc;
    dr_graph_free(&graph);
    *out_proved = rc == DR_OK && proved;
    return rc;
}
