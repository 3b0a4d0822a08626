#include "revision/graph_internal.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

// Ranges: what an upgrade or a downgrade runs. All of it is sets: what the database has, what it
// shall have.

// What `nodes` and all that they stand on add to a new set.
static enum dr_rc
closure(const struct dr_graph *graph, const struct dr_nodes *nodes, struct dr_arena *arena,
        bool **out, struct dr_err *err)
{
    bool *set = dr_graph_set(graph, arena);
    if (set == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        dr_graph_add_ancestors(graph, nodes->items[i], set);
    }
    *out = set;
    return DR_OK;
}

static enum dr_rc
current_set(const struct dr_graph *graph, const struct dr_names *current, struct dr_arena *arena,
            bool **out, struct dr_err *err)
{
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_graph_current(graph, current, arena, &nodes, err);
    return rc == DR_OK ? closure(graph, &nodes, arena, out, err) : rc;
}

static enum dr_rc
check_withdrawn(const struct dr_graph *graph, const bool *have, const bool *want,
                struct dr_err *err)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct dr_node *node = &graph->nodes[i];
        const char *id = node->revision->id;
        if (node->withdrawn != NULL && have[i]) {
            dr_err_set(err, DR_E_WITHDRAWN,
                       "the database has revision '%s', which was withdrawn (%.200s) and has to go "
                       "down first",
                       id, node->withdrawn);
            return dr_err_hint(err, "drover downgrade %s",
                               node->parent_count > 0 ? node->parents[0]->revision->id : "base");
        }
        if (node->withdrawn != NULL && want[i]) {
            dr_err_set(err, DR_E_WITHDRAWN, "revision '%s' was withdrawn: %.200s", id,
                       node->withdrawn);
            return dr_err_hint(err, "drover history shows what took its place");
        }
    }
    return DR_OK;
}

enum dr_rc
dr_graph_upgrade(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    struct dr_place place = {0};
    bool *have = NULL, *want = NULL;
    enum dr_rc rc = current_set(graph, current, arena, &have, err);
    rc = rc == DR_OK ? dr_graph_resolve(graph, expr, current, arena, &place, err) : rc;
    rc = rc == DR_OK ? closure(graph, &place.nodes, arena, &want, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    rc = check_withdrawn(graph, have, want, err);
    if (rc != DR_OK) {
        return rc;
    }
    bool is_above = false;
    for (size_t i = 0; i < graph->count; i++) {
        is_above = is_above || (have[i] && !want[i]);
        want[i] = want[i] && !have[i];
    }
    enum dr_rc listed = dr_graph_list(graph, want, false, arena, out, err);
    if (listed == DR_OK && out->count == 0 && is_above && expr[0] == '-') {
        dr_err_set(err, DR_E_REVISION_STEP, "'%.100s' lies below what the database has", expr);
        return dr_err_hint(err, "drover downgrade %s", expr);
    }
    return listed;
}

// True when a node of the set has no child and no dependant in it.
static bool
is_top(const struct dr_graph *graph, const bool *set, size_t index)
{
    for (size_t i = index + 1; i < graph->count; i++) {
        const struct dr_node *n = &graph->nodes[i];
        for (size_t k = 0; set[i] && k < n->parent_count; k++) {
            if (n->parents[k]->index == index) {
                return false;
            }
        }
        for (size_t k = 0; set[i] && k < n->depends_on_count; k++) {
            if (n->depends_on[k]->index == index) {
                return false;
            }
        }
    }
    return true;
}

// Takes the newest revision off `steps` times; moves it from `have` to `off`. With a branch only
// its members are taken.
static enum dr_rc
take_off(const struct dr_graph *graph, const char *expr, unsigned long steps, const bool *branch,
         bool *have, bool *off, struct dr_err *err)
{
    for (unsigned long s = 0; s < steps; s++) {
        size_t found = 0, top = 0;
        for (size_t i = 0; i < graph->count; i++) {
            if (have[i] && (branch == NULL || branch[i]) && is_top(graph, have, i)) {
                top = i;
                found++;
            }
        }
        if (found == 0) {
            dr_err_set(err, DR_E_REVISION_STEP,
                       "relative revision '%.100s': only %lu can be taken off", expr, s);
            return dr_err_hint(err, "drover downgrade base");
        }
        if (found > 1) {
            dr_err_set(err, DR_E_REVISION_STEP,
                       "relative revision '%.100s': %zu heads could be taken off", expr, found);
            return dr_err_hint(err, "name the branch (label@-1) or the revision that shall stay");
        }
        have[top] = false;
        off[top] = true;
    }
    return DR_OK;
}

// The revision named by `label` and all that stands on it by parent.
static enum dr_rc
branch_set(const struct dr_graph *graph, const char *expr, const char *at, struct dr_arena *arena,
           bool **out, struct dr_err *err)
{
    const struct dr_node *node = NULL;
    char *label = dr_arena_strn(arena, expr, (size_t)(at - expr));
    bool *set = dr_graph_set(graph, arena);
    if (label == NULL || set == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_graph_name(graph, label, &node, err);
    if (rc == DR_OK) {
        set[node->index] = true;
        dr_graph_add_descendants(graph, set);
        *out = set;
    }
    return rc;
}

// True for `-N` and `label@-N`; `*out_at` is the '@' or NULL.
static bool
is_relative(const char *expr, unsigned long *out_steps, const char **out_at)
{
    const char *at = strchr(expr, '@');
    const char *sign = at == NULL ? expr : at + 1;
    uint64_t steps = 0;
    if (sign[0] != '-' || !dr_parse_u64(sign + 1, 1, DR_GRAPH_FILES_MAX, &steps)) {
        return false;
    }
    *out_steps = (unsigned long)steps;
    *out_at = at;
    return true;
}

// What stands on the place among what the database has; all of it for base.
static enum dr_rc
above_place(const struct dr_graph *graph, const struct dr_place *place, const bool *have, bool *off,
            struct dr_err *err)
{
    if (place->nodes.count > 1) {
        dr_err_set(err, DR_E_REVISION_HEADS, "a downgrade needs one place to stop at");
        return dr_err_hint(err, "name a revision, base or -1");
    }
    if (place->nodes.count == 1 && !have[place->nodes.items[0]->index]) {
        dr_err_set(err, DR_E_REVISION_STEP, "the database does not have revision '%s'",
                   place->nodes.items[0]->revision->id);
        return dr_err_hint(err, "drover current; drover upgrade %s",
                           place->nodes.items[0]->revision->id);
    }
    const struct dr_node *from = place->is_base ? place->branch : place->nodes.items[0];
    if (from == NULL) {
        memcpy(off, have, graph->count * sizeof *off);
        return DR_OK;
    }
    off[from->index] = true;
    dr_graph_add_descendants(graph, off);
    off[from->index] = place->is_base;
    for (size_t i = 0; i < graph->count; i++) {
        off[i] = off[i] && have[i];
    }
    return DR_OK;
}

enum dr_rc
dr_graph_downgrade(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                   struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    unsigned long steps = 0;
    const char *at = NULL;
    bool *have = NULL, *branch = NULL, *off = dr_graph_set(graph, arena);
    if (off == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = current_set(graph, current, arena, &have, err);
    if (rc == DR_OK && is_relative(expr, &steps, &at)) {
        rc = at == NULL ? DR_OK : branch_set(graph, expr, at, arena, &branch, err);
        rc = rc == DR_OK ? take_off(graph, expr, steps, branch, have, off, err) : rc;
    } else if (rc == DR_OK) {
        struct dr_place place = {0};
        rc = dr_graph_resolve(graph, expr, current, arena, &place, err);
        rc = rc == DR_OK ? above_place(graph, &place, have, off, err) : rc;
    }
    return rc == DR_OK ? dr_graph_list(graph, off, true, arena, out, err) : rc;
}

enum dr_rc
dr_graph_between(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    struct dr_place ends[2] = {0};
    bool *below = NULL, *set = NULL;
    const char *colon = strchr(expr, ':');
    if (colon == NULL) {
        enum dr_rc rc = dr_graph_resolve(graph, expr, current, arena, &ends[1], err);
        *out = rc == DR_OK ? ends[1].nodes : *out;
        return rc;
    }
    const char *left = colon == expr ? "base" : dr_arena_strn(arena, expr, (size_t)(colon - expr));
    const char *right = colon[1] == '\0' ? "heads" : colon + 1;
    if (left == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_graph_ends(graph, left, right, current, arena, ends, err);
    rc = rc == DR_OK ? closure(graph, &ends[0].nodes, arena, &below, err) : rc;
    rc = rc == DR_OK ? closure(graph, &ends[1].nodes, arena, &set, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    for (size_t i = 0; i < graph->count; i++) {
        set[i] = set[i] && !below[i];
    }
    return dr_graph_list(graph, set, false, arena, out, err);
}
