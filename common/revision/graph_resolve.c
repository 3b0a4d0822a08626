#include "revision/graph_internal.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

// Expressions, cut into [branch@] name [+N|-N]; Alembic's words with Alembic's meaning.

struct expr {
    char branch[DR_GRAPH_EXPR_MAX + 1]; // "" if none
    char name[DR_GRAPH_EXPR_MAX + 1];   // "" for +N and -N
    long steps;                         // 0: none
};

static enum dr_rc
fail_expr(const char *text, struct dr_err *err)
{
    dr_err_set(err, DR_E_REVISION_EXPRESSION, "'%.100s' names no place in the chain", text);
    return dr_err_hint(
        err, "write head, heads, base, an id or its beginning, +1, -1, id+2 or label@head");
}

static enum dr_rc
cut_expr(const char *text, struct expr *out, struct dr_err *err)
{
    size_t len = strlen(text);
    *out = (struct expr){.steps = 0};
    if (len == 0 || len > DR_GRAPH_EXPR_MAX) {
        return fail_expr(text, err);
    }
    const char *at = strchr(text, '@');
    if (at != NULL) {
        memcpy(out->branch, text, (size_t)(at - text));
        text = at + 1;
    }
    size_t name_len = strcspn(text, "+-");
    memcpy(out->name, text, name_len);
    const char *sign = text + name_len;
    if (sign[0] != '\0') {
        uint64_t steps = 0;
        if (!dr_parse_u64(sign + 1, 1, DR_GRAPH_FILES_MAX, &steps)) {
            return fail_expr(text, err);
        }
        out->steps = sign[0] == '-' ? -(long)steps : (long)steps;
    }
    bool is_word =
        strspn(out->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.") ==
        name_len;
    bool is_bad =
        !is_word || (name_len == 0 && out->steps == 0) || (at != NULL && out->branch[0] == '\0');
    return is_bad ? fail_expr(text, err) : DR_OK;
}

// What a resolution works on.
struct walk {
    const struct dr_graph *graph;
    const struct dr_names *current;
    struct dr_arena *arena;
    const char *text;
    bool *branch; // members of the branch; NULL: no branch was named
    const struct dr_node *branch_node;
    struct dr_err *err;
};

static bool
is_in_branch(const struct walk *w, const struct dr_node *node)
{
    return w->branch == NULL || w->branch[node->index];
}

// A branch is its labelled revision and all that stands on it by parent, and what that one stands
// on.
static enum dr_rc
set_branch(struct walk *w, const char *name)
{
    const struct dr_node *node = NULL;
    enum dr_rc rc = dr_graph_name(w->graph, name, &node, w->err);
    if (rc != DR_OK) {
        return rc;
    }
    w->branch = dr_graph_set(w->graph, w->arena);
    if (w->branch == NULL) {
        return dr_graph_nomem(w->err);
    }
    w->branch_node = node;
    w->branch[node->index] = true;
    for (size_t i = node->index + 1; i < w->graph->count; i++) {
        const struct dr_node *n = &w->graph->nodes[i];
        for (size_t k = 0; k < n->parent_count && !w->branch[i]; k++) {
            w->branch[i] = w->branch[n->parents[k]->index];
        }
    }
    return DR_OK;
}

static enum dr_rc
fail_many_heads(const struct walk *w, const struct dr_nodes *heads)
{
    const char *a = heads->items[0]->revision->id, *b = heads->items[1]->revision->id;
    dr_err_set(w->err, DR_E_REVISION_HEADS,
               "multiple head revisions are present for given argument '%.100s': '%s', '%s'%s",
               w->text, a, b, heads->count > 2 ? ", ..." : "");
    return dr_err_hint(
        w->err,
        "name one ('%s', 'label@head'), take all with 'heads', or join them: drover merge %s %s", a,
        a, b);
}

static enum dr_rc
find_heads(struct walk *w, bool is_one, struct dr_nodes *out)
{
    bool *set = dr_graph_set(w->graph, w->arena);
    if (set == NULL) {
        return dr_graph_nomem(w->err);
    }
    for (size_t i = 0; i < w->graph->count; i++) {
        const struct dr_node *n = &w->graph->nodes[i];
        bool has_child = false;
        for (size_t k = 0; k < n->child_count; k++) {
            has_child =
                has_child || (is_in_branch(w, n->children[k]) && n->children[k]->withdrawn == NULL);
        }
        set[i] = is_in_branch(w, n) && !has_child && n->withdrawn == NULL;
    }
    enum dr_rc rc = dr_graph_list(w->graph, set, false, w->arena, out, w->err);
    if (rc == DR_OK && is_one && out->count > 1) {
        return fail_many_heads(w, out);
    }
    return rc;
}

static enum dr_rc
fail_steps(const struct walk *w, long steps, const char *why)
{
    dr_err_set(w->err, DR_E_REVISION_STEP, "relative revision %+ld in '%.100s': %s", steps, w->text,
               why);
    return dr_err_hint(w->err, "name the revision instead; drover history shows them");
}

// One step down from a node: its parent in the branch, NULL for base.
static enum dr_rc
step_down(const struct walk *w, long steps, const struct dr_node **node)
{
    const struct dr_node *next = NULL;
    size_t found = 0;
    if (*node == NULL) {
        return fail_steps(w, steps, "there are not that many revisions below");
    }
    for (size_t k = 0; k < (*node)->parent_count; k++) {
        if (is_in_branch(w, (*node)->parents[k])) {
            next = (*node)->parents[k];
            found++;
        }
    }
    if (found > 1) {
        return fail_steps(w, steps, "a merge has several ways down");
    }
    *node = next;
    return DR_OK;
}

// One step up from a node (NULL: base): its child in the branch.
static enum dr_rc
step_up(const struct walk *w, long steps, const struct dr_node **node)
{
    const struct dr_node *next = NULL;
    size_t found = 0;
    for (size_t i = 0; i < w->graph->count; i++) {
        const struct dr_node *n = &w->graph->nodes[i];
        bool is_child = *node == NULL && (n->parent_count == 0 || n == w->branch_node);
        for (size_t k = 0; k < n->parent_count && *node != NULL; k++) {
            is_child = is_child || n->parents[k] == *node;
        }
        if (is_child && is_in_branch(w, n) && n->withdrawn == NULL) {
            next = n;
            found++;
        }
    }
    if (found == 0) {
        return fail_steps(w, steps, "there are not that many revisions above");
    }
    if (found > 1) {
        return fail_steps(w, steps, "there are several ways up");
    }
    *node = next;
    return DR_OK;
}

// Where +N and -N begin: the one current head (in the branch), or base.
static enum dr_rc
find_start(struct walk *w, const struct dr_node **out)
{
    struct dr_nodes current = {0};
    enum dr_rc rc = dr_graph_current(w->graph, w->current, w->arena, &current, w->err);
    const struct dr_node *node = NULL;
    size_t found = 0;
    for (size_t i = 0; rc == DR_OK && i < current.count; i++) {
        if (is_in_branch(w, current.items[i])) {
            node = current.items[i];
            found++;
        }
    }
    if (rc == DR_OK && found > 1) {
        dr_err_set(w->err, DR_E_REVISION_STEP,
                   "'%.100s' needs one starting point, but the database has %zu heads", w->text,
                   found);
        return dr_err_hint(w->err, "name the branch: label%s", w->text);
    }
    *out = node;
    return rc;
}

static enum dr_rc
walk_steps(struct walk *w, long steps, const struct dr_node *node, struct dr_place *out)
{
    for (long i = 0; i < labs(steps); i++) {
        enum dr_rc rc = steps < 0 ? step_down(w, steps, &node) : step_up(w, steps, &node);
        if (rc != DR_OK) {
            return rc;
        }
    }
    out->is_base = node == NULL;
    out->nodes.count = node == NULL ? 0 : 1;
    out->nodes.items = dr_arena_copy(w->arena, &node, sizeof node);
    return out->nodes.items == NULL ? dr_graph_nomem(w->err) : DR_OK;
}

static enum dr_rc
resolve_words(struct walk *w, const char *name, struct dr_place *out)
{
    if (strcmp(name, "base") == 0) {
        out->is_base = true;
        return DR_OK;
    }
    if (strcmp(name, "current") == 0) {
        enum dr_rc rc = dr_graph_current(w->graph, w->current, w->arena, &out->nodes, w->err);
        out->is_base = rc == DR_OK && out->nodes.count == 0;
        return rc;
    }
    enum dr_rc rc = find_heads(w, strcmp(name, "head") == 0, &out->nodes);
    out->is_base = rc == DR_OK && out->nodes.count == 0;
    return rc;
}

static enum dr_rc
resolve_name(struct walk *w, const char *name, long steps, struct dr_place *out)
{
    const struct dr_node *node = NULL;
    enum dr_rc rc = dr_graph_name(w->graph, name, &node, w->err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!is_in_branch(w, node)) {
        dr_err_set(w->err, DR_E_REVISION_UNKNOWN, "revision '%s' is not in branch '%s'",
                   node->revision->id, w->branch_node->revision->id);
        return dr_err_hint(w->err, "drover branches");
    }
    return walk_steps(w, steps, node, out);
}

enum dr_rc
dr_graph_resolve(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_place *out, struct dr_err *err)
{
    struct walk w = {.graph = graph, .current = current, .arena = arena, .text = expr, .err = err};
    struct dr_place place = {0};
    struct expr e;
    enum dr_rc rc = cut_expr(expr, &e, err);
    if (rc == DR_OK && e.branch[0] != '\0') {
        rc = set_branch(&w, e.branch);
    }
    if (rc != DR_OK) {
        return rc;
    }
    place.branch = w.branch_node;
    bool is_word = strcmp(e.name, "head") == 0 || strcmp(e.name, "heads") == 0 ||
                   strcmp(e.name, "base") == 0 || strcmp(e.name, "current") == 0;
    if (e.name[0] == '\0') {
        const struct dr_node *start = NULL;
        rc = find_start(&w, &start);
        rc = rc == DR_OK ? walk_steps(&w, e.steps, start, &place) : rc;
    } else if (!is_word) {
        rc = resolve_name(&w, e.name, e.steps, &place);
    } else {
        rc = resolve_words(&w, e.name, &place);
        if (rc == DR_OK && e.steps != 0) {
            rc = place.nodes.count > 1
                     ? fail_many_heads(&w, &place.nodes)
                     : walk_steps(&w, e.steps, place.nodes.count == 0 ? NULL : place.nodes.items[0],
                                  &place);
        }
    }
    if (rc == DR_OK) {
        *out = place;
    }
    return rc;
}
