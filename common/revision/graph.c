#include "revision/graph_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

size_t
dr_graph_count(const struct dr_graph *graph)
{
    return graph->count;
}

const struct dr_node *
dr_graph_at(const struct dr_graph *graph, size_t index)
{
    return index < graph->count ? &graph->nodes[index] : NULL;
}

bool
dr_node_is_head(const struct dr_node *node)
{
    return node->withdrawn == NULL && node->child_count == node->withdrawn_child_count;
}

bool
dr_node_is_base(const struct dr_node *node)
{
    return node->parent_count == 0;
}

bool
dr_node_is_branchpoint(const struct dr_node *node)
{
    return node->child_count - node->withdrawn_child_count > 1;
}

bool
dr_node_is_mergepoint(const struct dr_node *node)
{
    return node->parent_count > 1;
}

void
dr_node_marks(const struct dr_node *node, char out[DR_NODE_MARKS_SIZE])
{
    const struct {
        bool is_so;
        char letter;
    } marks[] = {{dr_node_is_head(node), 'h'},
                 {node->dependant_count > 0, 'd'},
                 {dr_node_is_branchpoint(node), 'b'},
                 {dr_node_is_mergepoint(node), 'm'}};
    for (size_t i = 0; i < DR_COUNT_OF(marks); i++) {
        if (marks[i].is_so) {
            *out++ = marks[i].letter;
        }
    }
    *out = '\0';
}

bool *
dr_graph_set(const struct dr_graph *graph, struct dr_arena *arena)
{
    return dr_arena_array(arena, graph->count, sizeof(bool));
}

static size_t
need_count(const struct dr_node *node)
{
    return node->parent_count + node->depends_on_count;
}

static const struct dr_node *
need_at(const struct dr_node *node, size_t i)
{
    return i < node->parent_count ? node->parents[i] : node->depends_on[i - node->parent_count];
}

void
dr_graph_add_ancestors(const struct dr_graph *graph, const struct dr_node *node, bool *set)
{
    set[node->index] = true;
    for (size_t i = node->index + 1; i-- > 0;) {
        for (size_t k = 0; set[i] && k < need_count(&graph->nodes[i]); k++) {
            set[need_at(&graph->nodes[i], k)->index] = true;
        }
    }
}

void
dr_graph_add_descendants(const struct dr_graph *graph, bool *set)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct dr_node *n = &graph->nodes[i];
        for (size_t k = 0; !set[i] && k < need_count(n); k++) {
            set[i] = set[need_at(n, k)->index];
        }
    }
}

enum dr_rc
dr_graph_list(const struct dr_graph *graph, const bool *set, bool is_newest_first,
              struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    const struct dr_node **items = dr_arena_array(arena, graph->count, sizeof *items);
    size_t count = 0;
    if (items == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < graph->count; i++) {
        size_t at = is_newest_first ? graph->count - 1 - i : i;
        if (set[at]) {
            items[count++] = &graph->nodes[at];
        }
    }
    *out = (struct dr_nodes){items, count};
    return DR_OK;
}

enum dr_rc
dr_graph_heads(const struct dr_graph *graph, struct dr_arena *arena, struct dr_nodes *out,
               struct dr_err *err)
{
    bool *set = dr_graph_set(graph, arena);
    if (set == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < graph->count; i++) {
        set[i] = dr_node_is_head(&graph->nodes[i]);
    }
    return dr_graph_list(graph, set, false, arena, out, err);
}

enum dr_rc
dr_graph_applied(const struct dr_graph *graph, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    struct dr_nodes heads = {0};
    bool *set = dr_graph_set(graph, arena);
    if (set == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_graph_current(graph, current, arena, &heads, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (size_t i = 0; i < heads.count; i++) {
        dr_graph_add_ancestors(graph, heads.items[i], set);
    }
    return dr_graph_list(graph, set, false, arena, out, err);
}

// The labels that a head's own line carries, one after the other in order of place: two heads with
// the same text belong to one branch.
static char *
branch_of(const struct dr_graph *graph, const struct dr_node *head, struct dr_arena *arena)
{
    bool *set = dr_graph_set(graph, arena);
    char *text = dr_arena_str(arena, "");
    if (set == NULL) {
        return NULL;
    }
    set[head->index] = true;
    for (size_t i = head->index + 1; i-- > 0;) {
        const struct dr_node *n = &graph->nodes[i];
        for (size_t k = 0; set[i] && k < n->parent_count; k++) {
            set[n->parents[k]->index] = true;
        }
        for (size_t k = 0; set[i] && text != NULL && k < n->revision->labels.count; k++) {
            text = dr_arena_printf(arena, "%s%s ", text, n->revision->labels.items[k]);
        }
    }
    return text;
}

static enum dr_rc
fail_heads(const struct dr_node *a, const struct dr_node *b, const char *branch, struct dr_err *err)
{
    const char *x = a->revision->id, *y = b->revision->id;
    size_t len = strlen(branch);
    if (len == 0) {
        dr_err_set(err, DR_E_REVISION_HEADS, "the chain has two heads, '%s' and '%s'", x, y);
    } else {
        dr_err_set(err, DR_E_REVISION_HEADS, "branch '%.*s' has two heads, '%s' and '%s'",
                   (int)len - 1, branch, x, y);
    }
    dr_err_hint(err, "drover merge %s %s -m \"merge\"", x, y);
    return dr_err_at(err, b->revision->path, b->revision->revises_line, 1);
}

enum dr_rc
dr_graph_check_heads(const struct dr_graph *graph, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(64u * 1024 * 1024);
    struct dr_nodes heads = {0};
    if (arena == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_graph_heads(graph, arena, &heads, err);
    char **branches = rc == DR_OK ? dr_arena_array(arena, heads.count, sizeof *branches) : NULL;
    if (rc == DR_OK && branches == NULL) {
        rc = dr_graph_nomem(err);
    }
    for (size_t i = 0; rc == DR_OK && i < heads.count; i++) {
        branches[i] = branch_of(graph, heads.items[i], arena);
        if (branches[i] == NULL) {
            rc = dr_graph_nomem(err);
        }
        for (size_t k = 0; rc == DR_OK && k < i; k++) {
            if (strcmp(branches[k], branches[i]) == 0) {
                rc = fail_heads(heads.items[k], heads.items[i], branches[i], err);
            }
        }
    }
    dr_arena_free(&arena);
    return rc;
}
