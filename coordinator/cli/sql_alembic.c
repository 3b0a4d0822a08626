#include "coordinator/cli/sql_alembic.h"

#include <string.h>

#define TABLE "alembic_version"

static bool
needs(const struct dr_node *node, const struct dr_node *other)
{
    for (size_t i = 0; i < node->parent_count; i++) {
        if (node->parents[i] == other) {
            return true;
        }
    }
    for (size_t i = 0; i < node->depends_on_count; i++) {
        if (node->depends_on[i] == other) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_sql_alembic_begin(struct dr_sql_alembic *out, const struct dr_graph *graph,
                     const struct dr_nodes *nodes, bool is_down, struct dr_arena *arena,
                     struct dr_err *err)
{
    size_t count = dr_graph_count(graph);
    *out = (struct dr_sql_alembic){graph, dr_arena_array(arena, count + 1, sizeof(bool)), is_down};
    if (out->have == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < nodes->count; i++) {
        out->have[nodes->items[i]->index] = true;
    }
    for (size_t i = count; i-- > 0;) {
        const struct dr_node *n = dr_graph_at(graph, i);
        for (size_t k = 0; out->have[i] && k < n->parent_count; k++) {
            out->have[n->parents[k]->index] = true;
        }
        for (size_t k = 0; out->have[i] && k < n->depends_on_count; k++) {
            out->have[n->depends_on[k]->index] = true;
        }
    }
    for (size_t i = 0; i < nodes->count && !is_down; i++) {
        out->have[nodes->items[i]->index] = false;
    }
    return DR_OK;
}

// Does something that is there, but for `without`, stand on the node?
static bool
is_needed(const struct dr_sql_alembic *state, const struct dr_node *node,
          const struct dr_node *without)
{
    for (size_t i = node->index + 1; i < dr_graph_count(state->graph); i++) {
        const struct dr_node *n = dr_graph_at(state->graph, i);
        if (state->have[i] && n != without && needs(n, node)) {
            return true;
        }
    }
    return false;
}

static bool
is_any(const struct dr_sql_alembic *state)
{
    return memchr(state->have, true, dr_graph_count(state->graph)) != NULL;
}

// The row of `node` takes the place of those that it stands on, or gives it back to them.
void
dr_sql_alembic_step(struct dr_sql_alembic *state, const struct dr_node *node, struct dr_buf *out)
{
    const char *id = node->revision->id;
    size_t moved = 0;
    if (!state->is_down && !is_any(state)) {
        dr_buf_str(out, "CREATE TABLE " TABLE " (\n    version_num VARCHAR(32) NOT NULL,\n"
                        "    CONSTRAINT " TABLE "_pkc PRIMARY KEY (version_num)\n);\n");
    }
    for (size_t i = 0; i < node->parent_count + node->depends_on_count; i++) {
        const struct dr_node *below =
            i < node->parent_count ? node->parents[i] : node->depends_on[i - node->parent_count];
        const char *other = below->revision->id;
        if (is_needed(state, below, node)) {
            continue;
        }
        if (moved++ == 0) {
            dr_buf_printf(
                out, "UPDATE " TABLE " SET version_num='%s' WHERE " TABLE ".version_num = '%s';\n",
                state->is_down ? other : id, state->is_down ? id : other);
        } else if (state->is_down) {
            dr_buf_printf(out, "INSERT INTO " TABLE " (version_num) VALUES ('%s');\n", other);
        } else {
            dr_buf_printf(out, "DELETE FROM " TABLE " WHERE " TABLE ".version_num = '%s';\n",
                          other);
        }
    }
    if (moved == 0 && state->is_down) {
        dr_buf_printf(out, "DELETE FROM " TABLE " WHERE " TABLE ".version_num = '%s';\n", id);
    } else if (moved == 0) {
        dr_buf_printf(out, "INSERT INTO " TABLE " (version_num) VALUES ('%s');\n", id);
    }
    state->have[node->index] = !state->is_down;
}
