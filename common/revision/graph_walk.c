#include "revision/graph_internal.h"

#include <string.h>

// What people see of the graph: the order of a history, and the labels of a branch.

static size_t
need_count(const struct dr_node *node)
{
    return node->parent_count + node->depends_on_count;
}

static size_t
need_at(const struct dr_node *node, size_t i)
{
    return i < node->parent_count ? node->parents[i]->index
                                  : node->depends_on[i - node->parent_count]->index;
}

// A node is told when all that stands on it was. Of those that can be told, the one that became
// ready last goes first: so a line is followed down to where it branched off.
enum dr_rc
dr_graph_walk(const struct dr_graph *graph, struct dr_arena *arena, struct dr_nodes *nodes,
              struct dr_err *err)
{
    bool *set = dr_graph_set(graph, arena);
    size_t *waiting = dr_arena_array(arena, graph->count, sizeof *waiting);
    size_t *stack = dr_arena_array(arena, graph->count, sizeof *stack);
    size_t depth = 0, done = 0;
    if (set == NULL || waiting == NULL || stack == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        set[nodes->items[i]->index] = true;
    }
    for (size_t i = 0; i < graph->count; i++) {
        for (size_t k = 0; set[i] && k < need_count(&graph->nodes[i]); k++) {
            waiting[need_at(&graph->nodes[i], k)]++;
        }
    }
    for (size_t i = 0; i < graph->count; i++) {
        if (set[i] && waiting[i] == 0) {
            stack[depth++] = i;
        }
    }
    while (depth > 0) {
        const struct dr_node *node = &graph->nodes[stack[--depth]];
        nodes->items[done++] = node;
        for (size_t k = need_count(node); k-- > 0;) {
            size_t need = need_at(node, k);
            if (--waiting[need] == 0 && set[need]) {
                stack[depth++] = need;
            }
        }
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ range

static enum dr_rc
names_of(const struct dr_nodes *nodes, struct dr_arena *arena, struct dr_names *out,
         struct dr_err *err)
{
    const char **items = dr_arena_array(arena, nodes->count + 1, sizeof *items);
    if (items == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        items[i] = nodes->items[i]->revision->id;
    }
    *out = (struct dr_names){items, nodes->count};
    return DR_OK;
}

enum dr_rc
dr_graph_ends(const struct dr_graph *graph, const char *left, const char *right,
              const struct dr_names *current, struct dr_arena *arena, struct dr_place out[2],
              struct dr_err *err)
{
    const char *const ends[2] = {left, right};
    struct dr_names other = {0};
    int first = left[0] == '-' ? 1 : 0;
    enum dr_rc rc = dr_graph_resolve(graph, ends[first], current, arena, &out[first], err);
    rc = rc == DR_OK ? names_of(&out[first].nodes, arena, &other, err) : rc;
    char sign = ends[1 - first][0];
    bool is_relative = (first == 1 && sign == '-') || (first == 0 && sign == '+');
    return rc == DR_OK ? dr_graph_resolve(graph, ends[1 - first], is_relative ? &other : current,
                                          arena, &out[1 - first], err)
                       : rc;
}

enum dr_rc
dr_graph_history(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    struct dr_place ends[2] = {0};
    const char *colon = strchr(expr, ':');
    bool *above = dr_graph_set(graph, arena), *below = dr_graph_set(graph, arena);
    if (colon == NULL || strchr(colon + 1, ':') != NULL) {
        dr_err_set(err, DR_E_REVISION_EXPRESSION,
                   "history range requires [start]:[end], [start]:, or :[end], not '%.100s'", expr);
        return dr_err_hint(err, "drover history -r %.100s:", expr);
    }
    const char *left = colon == expr ? "base" : dr_arena_strn(arena, expr, (size_t)(colon - expr));
    if (left == NULL || above == NULL || below == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_graph_ends(graph, left, colon[1] == '\0' ? "heads" : colon + 1, current,
                                  arena, ends, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (size_t i = 0; i < ends[0].nodes.count; i++) {
        above[ends[0].nodes.items[i]->index] = true;
    }
    for (size_t i = 0; i < ends[1].nodes.count; i++) {
        dr_graph_add_ancestors(graph, ends[1].nodes.items[i], below);
    }
    for (size_t i = 0; i < graph->count; i++) { // by parent alone, as Alembic has it
        const struct dr_node *n = &graph->nodes[i];
        for (size_t k = 0; k < n->parent_count && !above[i]; k++) {
            above[i] = above[n->parents[k]->index];
        }
        below[i] = below[i] && (above[i] || ends[0].nodes.count == 0);
    }
    rc = dr_graph_list(graph, below, false, arena, out, err);
    if (rc == DR_OK && out->count == 0 && ends[0].nodes.count > 0 && ends[1].nodes.count > 0) {
        dr_err_set(err, DR_E_REVISION_EXPRESSION,
                   "requested range '%.100s' does not refer to ancestor/descendant revisions along "
                   "the same branch",
                   expr);
        return dr_err_hint(err, "write the older revision first; drover history shows the order");
    }
    return rc;
}

// ----------------------------------------------------------------------------------------- labels

// The lists of labels while they grow: one for each node.
struct growing {
    struct dr_graph *graph;
    const char ***items;
    bool *set;
};

static enum dr_rc
add_label(struct growing *w, size_t index, const char *label, struct dr_err *err)
{
    struct dr_names *names = &w->graph->nodes[index].labels;
    size_t count = names->count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names->items[i], label) == 0) {
            return DR_OK;
        }
    }
    if ((count & (count - 1)) == 0) { // full: there is room up to the next power of two
        const char **more =
            dr_arena_array(w->graph->arena, count == 0 ? 1 : 2 * count, sizeof *more);
        if (more == NULL) {
            return dr_graph_nomem(err);
        }
        for (size_t i = 0; i < count; i++) {
            more[i] = names->items[i];
        }
        w->items[index] = more;
    }
    w->items[index][count] = label;
    *names = (struct dr_names){w->items[index], count + 1};
    return DR_OK;
}

// A point where lines part, counting those that only depend on it.
static bool
is_parting(const struct dr_node *node)
{
    return node->child_count + node->dependant_count > 1;
}

// Is there one line only from the node to its head? Then its labels reach below it, too.
static bool
is_one_line(const struct dr_node *node)
{
    while (!is_parting(node) && !dr_node_is_mergepoint(node) && node->child_count == 1) {
        node = node->children[0];
    }
    return !is_parting(node) && !dr_node_is_mergepoint(node) && node->child_count == 0;
}

// As Alembic has it: a label belongs to all that stands on its revision by parent, and, while no
// other line parts, to what that one stands on.
static enum dr_rc
spread(struct growing *w, const struct dr_node *from, const char *label, struct dr_err *err)
{
    struct dr_graph *g = w->graph;
    memset(w->set, 0, g->count * sizeof *w->set);
    w->set[from->index] = true;
    for (size_t i = from->index + 1; i < g->count; i++) {
        for (size_t k = 0; k < g->nodes[i].parent_count && !w->set[i]; k++) {
            w->set[i] = w->set[g->nodes[i].parents[k]->index];
        }
    }
    const struct dr_node *below = is_one_line(from) ? from : NULL;
    while (below != NULL && !is_parting(below) && !dr_node_is_mergepoint(below)) {
        w->set[below->index] = true;
        below = below->parent_count > 0 ? below->parents[0] : NULL;
    }
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < g->count; i++) {
        rc = w->set[i] ? add_label(w, i, label, err) : DR_OK;
    }
    return rc;
}

enum dr_rc
dr_graph_spread_labels(struct dr_graph *graph, struct dr_err *err)
{
    struct growing w = {.graph = graph};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < graph->count; i++) {
        const struct dr_names *own = &graph->nodes[i].revision->labels;
        if (own->count > 0 && w.set == NULL) {
            w.set = dr_graph_set(graph, graph->arena);
            w.items = dr_arena_array(graph->arena, graph->count, sizeof *w.items);
        }
        for (size_t k = 0; rc == DR_OK && k < own->count; k++) {
            rc = w.set == NULL || w.items == NULL
                     ? dr_graph_nomem(err)
                     : spread(&w, &graph->nodes[i], own->items[k], err);
        }
    }
    return rc;
}
