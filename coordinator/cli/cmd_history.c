// history, heads, branches, show, sql: the chain in the folder, in Alembic's formats.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <stdio.h>
#include <string.h>

static json_t *
node_json(const struct dr_cli *cli, const struct dr_node *node)
{
    char digest[65];
    dr_hex(digest, node->digest, 32);
    json_t *parents = json_array();
    for (size_t i = 0; i < node->parent_count; i++) {
        json_array_append_new(parents, json_string(node->parents[i]->revision->id));
    }
    json_t *labels = json_array();
    for (size_t i = 0; i < node->revision->labels.count; i++) {
        json_array_append_new(labels, json_string(node->revision->labels.items[i]));
    }
    json_t *children = json_array();
    for (size_t i = 0; i < node->child_count; i++) {
        json_array_append_new(children, json_string(node->children[i]->revision->id));
    }
    const char *sql = dr_cli_has(cli, "sql") ? node->revision->bytes : NULL;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:s, s:s, s:s*}", "id", node->revision->id,
                     "message", node->revision->message, "parents", parents, "children", children,
                     "branchLabels", labels, "isHead", dr_node_is_head(node), "digest", digest,
                     "path", dr_project_shown(cli, node->revision->path), "sql", sql);
}

static void
print_nodes_json(const struct dr_cli *cli, const char *schema, const struct dr_nodes *nodes,
                 bool newest_first)
{
    json_t *list = json_array();
    for (size_t i = 0; i < nodes->count; i++) {
        json_array_append_new(
            list, node_json(cli, nodes->items[newest_first ? nodes->count - 1 - i : i]));
    }
    dr_print_json(cli, json_pack("{s:s, s:o}", "schema", schema, "revisions", list));
}

static enum dr_rc
all_nodes(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
          struct dr_err *err)
{
    out->count = dr_graph_count(graph);
    out->items = dr_arena_array(cli->arena, out->count + 1, sizeof(*out->items));
    if (out->items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = dr_graph_at(graph, i);
    }
    return DR_OK;
}

static void
print_buf(const struct dr_cli *cli, struct dr_buf *out)
{
    dr_say(cli, "%s", out->data ? out->data : "");
    dr_buf_fini(out);
}

enum dr_rc
dr_cmd_history(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    const char *range = dr_cli_option(cli, "rev-range");
    if (rc == DR_OK) {
        static const struct dr_names none = {0};
        rc = range ? dr_graph_between(graph, range, &none, cli->arena, &nodes, err)
                   : all_nodes(cli, graph, &nodes, err);
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.History", &nodes, true);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = nodes.count; i > 0; i--) {
            if (dr_cli_has(cli, "verbose")) {
                dr_chain_block(cli, nodes.items[i - 1], &out);
            } else {
                dr_chain_line(nodes.items[i - 1], "", &out);
            }
            dr_buf_str(&out, "\n");
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_cmd_heads(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes heads = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_heads(graph, cli->arena, &heads, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.Heads", &heads, false);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < heads.count; i++) {
            if (dr_cli_has(cli, "verbose")) {
                dr_chain_block(cli, heads.items[i], &out);
            } else {
                dr_buf_str(&out, heads.items[i]->revision->id);
                dr_chain_marks(heads.items[i], &out);
            }
            dr_buf_str(&out, "\n");
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_cmd_branches(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes points = {0};
    struct dr_buf out = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? all_nodes(cli, graph, &points, err) : rc;
    size_t n = points.count;
    points.count = 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        const struct dr_node *node = points.items[i];
        if (!dr_node_is_branchpoint(node)) {
            continue;
        }
        points.items[points.count++] = node;
        dr_buf_str(&out, node->revision->id);
        dr_chain_marks(node, &out);
        dr_buf_str(&out, "\n");
        for (size_t j = 0; j < node->child_count; j++) {
            dr_buf_printf(&out, "%*s -> %s", (int)strlen(node->revision->id), "",
                          node->children[j]->revision->id);
            dr_chain_marks(node->children[j], &out);
            dr_buf_str(&out, "\n");
        }
    }
    print_buf(cli, &out);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.Branches", &points, false);
    }
    dr_graph_free(&graph);
    return rc;
}

// The nodes of an expression; a lone place is that place, a range is what lies in it.
static enum dr_rc
nodes_of(struct dr_cli *cli, const struct dr_graph *graph, const char *expr, struct dr_nodes *out,
         struct dr_err *err)
{
    static const struct dr_names none = {0};
    if (strchr(expr, ':') != NULL) {
        return dr_graph_between(graph, expr, &none, cli->arena, out, err);
    }
    struct dr_place place = {0};
    enum dr_rc rc = dr_graph_resolve(graph, expr, &none, cli->arena, &place, err);
    *out = place.nodes;
    return rc;
}

enum dr_rc
dr_cmd_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? nodes_of(cli, graph, cli->args[0], &nodes, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.Show", &nodes, false);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < nodes.count; i++) {
            dr_chain_block(cli, nodes.items[i], &out);
            dr_buf_str(&out, "\n");
            if (dr_cli_has(cli, "sql")) {
                dr_buf_add(&out, nodes.items[i]->revision->bytes, nodes.items[i]->revision->size);
            }
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

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
