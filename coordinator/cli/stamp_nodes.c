// From a place in the graph and a ledger to what is to be recorded. See stamp_nodes.h.
#include "coordinator/cli/stamp_nodes.h"

#include <string.h>

struct choosing {
    const struct dr_graph *graph;
    struct dr_arena *arena;
    bool *wanted; // per node of the graph: it is the place, or leads to it
    bool *place;  // per node: it is the place
    bool *above;  // per node: it stands on the place
    bool is_base;
};

static void
want(struct choosing *c, const struct dr_node *node)
{
    c->wanted[node->index] = true;
}

// Nodes come parents first, so one pass down and one pass up are enough.
static void
spread(struct choosing *c)
{
    size_t n = dr_graph_count(c->graph);
    for (size_t i = n; i > 0; i--) {
        const struct dr_node *node = dr_graph_at(c->graph, i - 1);
        for (size_t k = 0; c->wanted[node->index] && k < node->parent_count; k++) {
            want(c, node->parents[k]);
        }
        for (size_t k = 0; c->wanted[node->index] && k < node->depends_on_count; k++) {
            want(c, node->depends_on[k]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct dr_node *node = dr_graph_at(c->graph, i);
        bool stands = c->is_base;
        for (size_t k = 0; k < node->parent_count; k++) {
            size_t at = node->parents[k]->index;
            stands = stands || c->place[at] || c->above[at];
        }
        c->above[node->index] = stands && !c->wanted[node->index];
    }
}

static enum dr_rc
check_known(const struct dr_graph *graph, const struct dr_ledger_view *view, struct dr_err *err)
{
    for (size_t i = 0; i < view->revisions_count; i++) {
        const struct dr_ledger_revision *v = &view->revisions[i];
        const struct dr_node *node = dr_graph_find(graph, v->id);
        if (node == NULL) {
            return dr_err_set(err, DR_E_REVISION_UNKNOWN,
                              "the database holds revision '%s', which is not in this folder",
                              v->id);
        }
        if (memcmp(node->digest, v->digest, 32) != 0) {
            return dr_err_set(err, DR_E_REVISION_CHANGED,
                              "the database holds revision '%s' with other content than its file "
                              "has now",
                              v->id);
        }
    }
    return DR_OK;
}

static void
sort_out(const struct choosing *c, const struct dr_ledger_view *view, struct dr_stamp_nodes *out)
{
    for (size_t i = 0; i < dr_graph_count(c->graph); i++) {
        const struct dr_node *node = dr_graph_at(c->graph, i);
        const struct dr_ledger_revision *v = dr_ledger_find(view, node->revision->id);
        bool is_whole = v != NULL && v->state == DR_LEDGER_APPLIED;
        bool is_half = v != NULL && !is_whole;
        bool goes = v != NULL && !c->wanted[i] && (is_half || c->above[i]);
        if (c->wanted[i] && !is_whole) {
            out->up.items[out->up.count++] = node;
        }
        if (goes) {
            out->down.items[out->down.count++] = node;
        }
        if (c->wanted[i] || (is_whole && !goes)) {
            out->after.items[out->after.count++] = node;
        }
    }
}

enum dr_rc
dr_stamp_choose(const struct dr_graph *graph, const char *expr, const struct dr_ledger_view *view,
                struct dr_arena *arena, struct dr_stamp_nodes *out, struct dr_err *err)
{
    size_t n = dr_graph_count(graph);
    struct choosing c = {.graph = graph,
                         .arena = arena,
                         .wanted = dr_arena_array(arena, n + 1, sizeof(bool)),
                         .place = dr_arena_array(arena, n + 1, sizeof(bool)),
                         .above = dr_arena_array(arena, n + 1, sizeof(bool))};
    struct dr_stamp_nodes nodes = {
        .up.items = dr_arena_array(arena, n + 1, sizeof(*nodes.up.items)),
        .down.items = dr_arena_array(arena, n + 1, sizeof(*nodes.down.items)),
        .after.items = dr_arena_array(arena, n + 1, sizeof(*nodes.after.items))};
    const char **heads = dr_arena_array(arena, view->revisions_count + 1, sizeof(*heads));
    struct dr_names current = {.items = heads};
    struct dr_place place = {0};
    if (!c.wanted || !c.place || !c.above || !nodes.up.items || !nodes.down.items ||
        !nodes.after.items || !heads) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = check_known(graph, view, err);
    for (size_t i = 0; i < view->revisions_count; i++) {
        if (view->revisions[i].is_head) {
            heads[current.count++] = view->revisions[i].id;
        }
    }
    rc = rc == DR_OK ? dr_graph_resolve(graph, expr, &current, arena, &place, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    for (size_t i = 0; i < place.nodes.count; i++) {
        c.place[place.nodes.items[i]->index] = true;
        want(&c, place.nodes.items[i]);
    }
    c.is_base = place.is_base;
    spread(&c);
    sort_out(&c, view, &nodes);
    *out = nodes;
    return DR_OK;
}
