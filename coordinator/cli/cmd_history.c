// history: the chain in the folder, in Alembic's formats; with a database the state of each
// revision there.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/commands.h"

#include <string.h>

// Does one of the heads (not the node itself) stand on the node, or depend on it?
static bool
is_needed(struct dr_cli *cli, const struct dr_graph *graph, const struct dr_names *heads,
          const char *id)
{
    struct dr_nodes below = {0};
    struct dr_err ignored = {0};
    bool found = false;
    for (size_t i = 0; i < heads->count && !found; i++) {
        const struct dr_names other = {&heads->items[i], 1};
        bool is_other = !dr_str_eq(heads->items[i], id);
        below.count = 0;
        if (is_other && dr_graph_applied(graph, &other, cli->arena, &below, &ignored) != DR_OK) {
            continue; // not in this folder
        }
        for (size_t k = 0; k < below.count; k++) {
            found = found || dr_str_eq(below.items[k]->revision->id, id);
        }
    }
    return found;
}

// Of the database's heads those that no other one needs: what Alembic marks.
static enum dr_rc
keep_tops(struct dr_cli *cli, const struct dr_graph *graph, struct dr_names *heads,
          struct dr_err *err)
{
    const char **kept = dr_arena_array(cli->arena, heads->count + 1, sizeof(*kept));
    size_t count = 0;
    if (kept == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < heads->count; i++) {
        kept[count] = heads->items[i];
        count += is_needed(cli, graph, heads, heads->items[i]) ? 0 : 1;
    }
    *heads = (struct dr_names){kept, count};
    return DR_OK;
}

static enum dr_rc
choose(struct dr_cli *cli, const struct dr_graph *graph, const struct dr_names *current,
       struct dr_nodes *out, struct dr_err *err)
{
    const char *range = dr_cli_option(cli, "rev-range");
    enum dr_rc rc = range ? dr_graph_history(graph, range, current, cli->arena, out, err)
                          : dr_chain_all(cli, graph, out, err);
    return rc == DR_OK ? dr_graph_walk(graph, cli->arena, out, err) : rc;
}

static void
print_lines(const struct dr_cli *cli, const struct dr_nodes *nodes, const struct dr_names *current)
{
    const struct dr_chain_look look = {.has_parents = true,
                                       .has_labels = true,
                                       .has_points = true,
                                       .has_message = true,
                                       .current = current};
    struct dr_buf out = {0};
    for (size_t i = 0; i < nodes->count; i++) {
        if (dr_cli_has(cli, "verbose")) {
            dr_chain_block(cli, nodes->items[i], current, &out);
        } else {
            dr_chain_line(nodes->items[i], &look, &out);
        }
        dr_buf_str(&out, "\n");
    }
    dr_chain_print(cli, &out);
}

enum dr_rc
dr_cmd_history(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct dr_chain_state state = {0};
    const char *range = dr_cli_option(cli, "rev-range");
    bool is_indicated = dr_cli_has(cli, "indicate-current");
    const char *target = dr_cli_option(cli, "target");
    bool is_table =
        dr_cli_has(cli, "state") || target != NULL ||
        (dr_cli_option(cli, "url") != NULL && !is_indicated && !dr_cli_has(cli, "verbose"));
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    if (rc == DR_OK && (is_table || is_indicated || dr_chain_asks_database(range))) {
        rc = target != NULL ? dr_chain_state_of_target(cli, graph, target, &state, err)
                            : dr_chain_state_read(cli, is_table, &state, err);
    }
    rc = rc == DR_OK ? choose(cli, graph, &state.heads, &nodes, err) : rc;
    rc = rc == DR_OK && is_indicated ? keep_tops(cli, graph, &state.heads, err) : rc;
    const struct dr_names *current = is_indicated ? &state.heads : NULL;
    if (rc == DR_OK && is_table) {
        dr_chain_state_print(cli, graph, &nodes, &state);
    } else if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_chain_print_json(cli, "drover.v1.History", &nodes, current);
    } else if (rc == DR_OK) {
        print_lines(cli, &nodes, current);
    }
    dr_graph_free(&graph);
    return rc;
}
