// sql: what would run, byte for byte.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <stdio.h>
#include <string.h>

// The units of one direction of a compiled plan, byte for byte.
static enum dr_rc
print_units(const struct dr_cli *cli, const struct dr_graph *graph,
            const Drover__V1__PlanRevision *revision, bool is_down, json_t *list,
            struct dr_err *err)
{
    const struct dr_node *node = dr_graph_find(graph, revision->id);
    Drover__V1__UnitKind kind =
        is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    struct dr_buf out = {0};
    enum dr_rc rc = DR_OK;
    dr_say(cli, "-- Running %s %s, %s\n", is_down ? "downgrade" : "upgrade", revision->id,
           revision->message);
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        if (revision->units[i]->kind == kind) {
            rc = dr_plan_unit_sql(&out, revision->units[i], node->revision->bytes,
                                  node->revision->size, err);
            dr_buf_str(&out, "\n");
        }
    }
    if (cli->format == DR_CLI_TEXT) {
        fwrite(out.data ? out.data : "", 1, out.len, stdout);
    } else {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", revision->id, "message",
                                              revision->message, "sql", out.data ? out.data : ""));
    }
    dr_buf_fini(&out);
    return rc;
}

enum dr_rc
dr_cmd_sql(struct dr_cli *cli, struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct dr_plan plan = {0};
    const char *engine = dr_cli_option(cli, "engine");
    bool is_down = dr_cli_has(cli, "down");
    bool is_sqlite = engine != NULL && dr_str_eq(engine, "sqlite");
    if (engine != NULL && !is_sqlite && !dr_str_eq(engine, "postgresql")) {
        return dr_err_set(err, DR_E_USAGE, "--engine is postgresql or sqlite, not '%s'", engine);
    }
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_between(graph, cli->args[0], &none, cli->arena, &nodes, err) : rc;
    rc = rc == DR_OK ? dr_plan_compile(cli->project->name,
                                       is_sqlite ? DROVER__V1__ENGINE__SQLITE
                                                 : DROVER__V1__ENGINE__POSTGRESQL,
                                       &nodes, cli->arena, &plan, err)
                     : rc;
    size_t n = rc == DR_OK ? plan.message->n_revisions : 0;
    json_t *list = json_array();
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = print_units(cli, graph, plan.message->revisions[is_down ? n - 1 - i : i], is_down,
                         list, err);
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:O}", "schema", "drover.v1.Sql", "engine",
                                     is_sqlite ? "sqlite" : "postgresql", "direction",
                                     is_down ? "down" : "up", "revisions", list));
    }
    json_decref(list);
    dr_graph_free(&graph);
    return rc;
}
