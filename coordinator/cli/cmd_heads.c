// heads, branches, show: how the revisions of the folder stand to each other, in Alembic's formats.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/commands.h"

#include <string.h>

enum dr_rc
dr_cmd_heads(struct dr_cli *cli, struct dr_err *err)
{
    static const struct dr_chain_look look = {.has_labels = true};
    struct dr_graph *graph = NULL;
    struct dr_nodes heads = {0};
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_heads(graph, cli->arena, &heads, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_chain_print_json(cli, "drover.v1.Heads", &heads, NULL);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < heads.count; i++) {
            if (dr_cli_has(cli, "verbose")) {
                dr_chain_block(cli, heads.items[i], NULL, &out);
            } else {
                dr_chain_line(heads.items[i], &look, &out);
            }
            dr_buf_str(&out, "\n");
        }
        dr_chain_print(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

static void
add_branchpoint(const struct dr_cli *cli, const struct dr_node *node, struct dr_buf *out)
{
    bool is_verbose = dr_cli_has(cli, "verbose");
    const struct dr_chain_look look = {
        .has_labels = true, .has_points = true, .has_message = is_verbose};
    const struct dr_chain_look own = {.has_labels = true, .has_points = true};
    if (is_verbose) {
        dr_chain_block(cli, node, NULL, out);
    } else {
        dr_chain_line(node, &own, out);
    }
    for (size_t i = 0; i < node->child_count; i++) {
        dr_buf_printf(out, "\n%*s -> ", (int)strlen(node->revision->id), "");
        dr_chain_line(node->children[i], &look, out);
    }
    dr_buf_str(out, "\n\n");
}

enum dr_rc
dr_cmd_branches(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes points = {0};
    struct dr_buf out = {0};
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_chain_all(cli, graph, &points, err) : rc;
    rc = rc == DR_OK ? dr_graph_walk(graph, cli->arena, &points, err) : rc;
    size_t n = points.count;
    points.count = 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        if (dr_node_is_branchpoint(points.items[i])) {
            add_branchpoint(cli, points.items[i], &out);
            points.items[points.count++] = points.items[i];
        }
    }
    dr_chain_print(cli, &out);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_chain_print_json(cli, "drover.v1.Branches", &points, NULL);
    }
    dr_graph_free(&graph);
    return rc;
}

// The nodes of an expression; a lone place is that place, a range is what lies in it.
static enum dr_rc
nodes_of(struct dr_cli *cli, const struct dr_graph *graph, const char *expr, struct dr_nodes *out,
         struct dr_err *err)
{
    struct dr_names current = {0};
    enum dr_rc rc = dr_chain_current(cli, expr, &current, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (strchr(expr, ':') != NULL) {
        return dr_graph_history(graph, expr, &current, cli->arena, out, err);
    }
    struct dr_place place = {0};
    rc = dr_graph_resolve(graph, expr, &current, cli->arena, &place, err);
    *out = place.nodes;
    return rc;
}

enum dr_rc
dr_cmd_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? nodes_of(cli, graph, cli->args[0], &nodes, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_chain_print_json(cli, "drover.v1.Show", &nodes, NULL);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < nodes.count; i++) {
            dr_chain_block(cli, nodes.items[i], NULL, &out);
            dr_buf_str(&out, "\n");
            if (dr_cli_has(cli, "sql")) {
                dr_buf_add(&out, nodes.items[i]->revision->bytes, nodes.items[i]->revision->size);
            }
        }
        dr_chain_print(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}
