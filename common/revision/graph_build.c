#include "revision/graph_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Nodes stand in topological order, smallest id first among those that are ready, so that every set
// of nodes is a row of flags that one pass over the array can close upwards or downwards.

#define ARENA_BYTES_MAX (256ull * 1024 * 1024)

// One revision while the order is being made.
struct draft {
    const struct dr_revision *revision;
    size_t *needs; // indexes of parents, then dependencies
    size_t need_count;
    size_t waiting;
    size_t place; // in the order
    size_t *children;
    size_t child_count;
};

enum dr_rc
dr_graph_nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the graph of revisions");
}

static int
by_revision_id(const void *a, const void *b)
{
    const struct draft *x = a, *y = b;
    return strcmp(x->revision->id, y->revision->id);
}

// Index of an id among drafts sorted by id; `count` if it is not there.
static size_t
find_draft(const struct draft *drafts, size_t count, const char *id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(drafts[middle].revision->id, id);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return count;
}

static enum dr_rc
fail_missing(const struct draft *drafts, size_t count, const struct dr_revision *r, const char *id,
             bool is_parent, struct dr_err *err)
{
    char near[280] = "";
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        if (drafts[i].revision != r) {
            dr_graph_add_near(id, drafts[i].revision->id, &found, near, sizeof near);
        }
    }
    dr_err_set(err, DR_E_REVISION_PARENT, "revision '%s' %s '%s', which is not in the folder",
               r->id, is_parent ? "revises" : "depends on", id);
    if (found > 0) {
        dr_err_hint(err, "%s?", near);
    } else {
        dr_err_hint(err, "add the file of '%s', or correct the line '%s:'", id,
                    is_parent ? "Revises" : "Depends on");
    }
    return dr_err_at(err, r->path, is_parent ? r->revises_line : r->depends_line, 1);
}

static enum dr_rc
link_names(struct draft *drafts, size_t count, size_t i, const struct dr_names *names,
           bool is_parent, struct dr_err *err)
{
    for (size_t k = 0; k < names->count; k++) {
        size_t to = find_draft(drafts, count, names->items[k]);
        if (to == count) {
            return fail_missing(drafts, count, drafts[i].revision, names->items[k], is_parent, err);
        }
        drafts[i].needs[drafts[i].need_count++] = to;
        drafts[to].child_count++;
    }
    return DR_OK;
}

static enum dr_rc
link_drafts(struct draft *drafts, size_t count, struct dr_arena *arena, struct dr_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct dr_revision *r = drafts[i].revision;
        drafts[i].needs =
            dr_arena_array(arena, r->parents.count + r->depends_on.count, sizeof(size_t));
        if (drafts[i].needs == NULL) {
            return dr_graph_nomem(err);
        }
        enum dr_rc rc = link_names(drafts, count, i, &r->parents, true, err);
        rc = rc == DR_OK ? link_names(drafts, count, i, &r->depends_on, false, err) : rc;
        if (rc != DR_OK) {
            return rc;
        }
        drafts[i].waiting = drafts[i].need_count;
    }
    for (size_t i = 0; i < count; i++) {
        drafts[i].children = dr_arena_array(arena, drafts[i].child_count, sizeof(size_t));
        if (drafts[i].children == NULL) {
            return dr_graph_nomem(err);
        }
        drafts[i].child_count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < drafts[i].need_count; k++) {
            struct draft *parent = &drafts[drafts[i].needs[k]];
            parent->children[parent->child_count++] = i;
        }
    }
    return DR_OK;
}

// Names one cycle: from any draft that is left, needs that are left lead round.
static enum dr_rc
fail_cycle(const struct draft *drafts, size_t count, struct dr_err *err)
{
    size_t at = 0;
    while (drafts[at].waiting == 0) {
        at++;
    }
    for (size_t step = 0; step < count; step++) {
        size_t k = 0;
        while (drafts[drafts[at].needs[k]].waiting == 0) {
            k++;
        }
        at = drafts[at].needs[k];
    }
    size_t first = at;
    char path[400] = "";
    size_t used = 0;
    do {
        used +=
            (size_t)snprintf(path + used, sizeof path - used, "%s -> ", drafts[at].revision->id);
        size_t k = 0;
        while (drafts[drafts[at].needs[k]].waiting == 0) {
            k++;
        }
        at = drafts[at].needs[k];
    } while (at != first && used + DR_REVISION_ID_MAX + 8 < sizeof path);
    const struct dr_revision *r = drafts[first].revision;
    dr_err_set(err, DR_E_REVISION_CYCLE, "the revisions form a cycle: %s%s", path,
               at == first ? r->id : "...");
    dr_err_hint(err, "correct one 'Revises:' or 'Depends on:' line of them");
    return dr_err_at(err, r->path, r->revises_line != 0 ? r->revises_line : r->depends_line, 1);
}

// A heap of indexes, smallest first (drafts are sorted by id, so the index orders as the id does).
static void
push(size_t *heap, size_t *count, size_t value)
{
    size_t i = (*count)++;
    while (i > 0 && heap[(i - 1) / 2] > value) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = value;
}

static size_t
pop(size_t *heap, size_t *count)
{
    size_t top = heap[0], last = heap[--*count], i = 0;
    while (2 * i + 1 < *count) {
        size_t child = 2 * i + 1;
        child += child + 1 < *count && heap[child + 1] < heap[child];
        if (heap[child] >= last) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

// Kahn's algorithm. `order` gets the drafts' indexes.
static enum dr_rc
sort_drafts(struct draft *drafts, size_t count, size_t *order, struct dr_arena *arena,
            struct dr_err *err)
{
    size_t *heap = dr_arena_array(arena, count, sizeof *heap);
    size_t ready = 0, done = 0;
    if (heap == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (drafts[i].waiting == 0) {
            push(heap, &ready, i);
        }
    }
    while (ready > 0) {
        struct draft *d = &drafts[pop(heap, &ready)];
        d->place = done;
        order[done++] = (size_t)(d - drafts);
        for (size_t k = 0; k < d->child_count; k++) {
            if (--drafts[d->children[k]].waiting == 0) {
                push(heap, &ready, d->children[k]);
            }
        }
    }
    return done == count ? DR_OK : fail_cycle(drafts, count, err);
}

// Ids and labels are one space of names.
static enum dr_rc
fail_label(const char *label, const struct dr_revision *r, const struct dr_revision *other,
           struct dr_err *err)
{
    dr_err_set(err, DR_E_REVISION_LABEL,
               "branch label '%s' of revision '%s' is taken by revision '%s'", label, r->id,
               other->id);
    dr_err_hint(err, "give the branch another label");
    return dr_err_at(err, r->path, r->id_line, 1);
}

struct labelled {
    const char *label;
    const struct dr_revision *revision;
};

static enum dr_rc
check_labels(const struct draft *drafts, size_t count, struct dr_arena *arena, struct dr_err *err)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++) {
        total += drafts[i].revision->labels.count;
    }
    struct labelled *seen = dr_arena_array(arena, total, sizeof *seen);
    if (seen == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct dr_revision *r = drafts[i].revision;
        for (size_t k = 0; k < r->labels.count; k++) {
            const char *label = r->labels.items[k];
            size_t same = find_draft(drafts, count, label);
            if (same < count) {
                return fail_label(label, r, drafts[same].revision, err);
            }
            for (size_t j = 0; j < used; j++) {
                if (strcmp(seen[j].label, label) == 0) {
                    return fail_label(label, r, seen[j].revision, err);
                }
            }
            seen[used++] = (struct labelled){label, r};
        }
    }
    return DR_OK;
}

// Fills the nodes from the sorted drafts, with links and digests.
static enum dr_rc
make_nodes(struct dr_graph *g, const struct draft *drafts, const size_t *order, struct dr_err *err)
{
    uint8_t digests[DR_REVISION_LIST_MAX][DR_DIGEST_SIZE];
    const struct dr_node ***children = dr_arena_array(g->arena, g->count, sizeof *children);
    if (children == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < g->count; i++) {
        const struct draft *d = &drafts[order[i]];
        const struct dr_revision *r = d->revision;
        struct dr_node *n = &g->nodes[i];
        const struct dr_node **needs = dr_arena_array(g->arena, d->need_count, sizeof *needs);
        children[i] = dr_arena_array(g->arena, d->child_count, sizeof *children[i]);
        if (needs == NULL || children[i] == NULL) {
            return dr_graph_nomem(err);
        }
        for (size_t k = 0; k < d->need_count; k++) {
            needs[k] = &g->nodes[drafts[d->needs[k]].place];
        }
        *n = (struct dr_node){
            .revision = r, .index = i, .parents = needs, .parent_count = r->parents.count};
        n->depends_on = needs + r->parents.count;
        n->depends_on_count = r->depends_on.count;
        n->children = children[i];
        for (size_t k = 0; k < n->parent_count; k++) {
            struct dr_node *parent = &g->nodes[n->parents[k]->index];
            memcpy(digests[k], parent->digest, DR_DIGEST_SIZE);
            children[parent->index][parent->child_count] = n;
            parent->child_count++;
        }
        for (size_t k = 0; k < n->depends_on_count; k++) {
            g->nodes[n->depends_on[k]->index].dependant_count++;
        }
        dr_digest_sha256(n->file_sha256, r->bytes, r->size);
        dr_digest_revision(n->digest, r->id, n->file_sha256, digests, n->parent_count);
        g->by_id[order[i]] = n;
    }
    return DR_OK;
}

enum dr_rc
dr_graph_fill(struct dr_graph *g, const struct dr_revision *const *revisions, size_t count,
              struct dr_err *err)
{
    struct draft *drafts = dr_arena_array(g->arena, count, sizeof *drafts);
    size_t *order = dr_arena_array(g->arena, count, sizeof *order);
    g->nodes = dr_arena_array(g->arena, count, sizeof *g->nodes);
    g->by_id = dr_arena_array(g->arena, count, sizeof *g->by_id);
    if (drafts == NULL || order == NULL || g->nodes == NULL || g->by_id == NULL) {
        return dr_graph_nomem(err);
    }
    g->count = count;
    for (size_t i = 0; i < count; i++) {
        drafts[i].revision = revisions[i];
    }
    if (count > 1) {
        qsort(drafts, count, sizeof *drafts, by_revision_id);
    }
    for (size_t i = 1; i < count; i++) {
        const struct dr_revision *a = drafts[i - 1].revision, *b = drafts[i].revision;
        if (strcmp(a->id, b->id) == 0) {
            bool is_swapped = strcmp(a->path, b->path) > 0;
            const struct dr_revision *first = is_swapped ? b : a, *second = is_swapped ? a : b;
            dr_err_set(err, DR_E_REVISION_DUPLICATE,
                       "revision id '%s' is used twice, first in '%s'", a->id, first->path);
            dr_err_hint(err,
                        "give one of them another id: drover revision -m \"...\" makes a new one");
            return dr_err_at(err, second->path, second->id_line, 1);
        }
    }
    enum dr_rc rc = check_labels(drafts, count, g->arena, err);
    rc = rc == DR_OK ? link_drafts(drafts, count, g->arena, err) : rc;
    rc = rc == DR_OK ? sort_drafts(drafts, count, order, g->arena, err) : rc;
    rc = rc == DR_OK ? make_nodes(g, drafts, order, err) : rc;
    return rc == DR_OK ? dr_graph_spread_labels(g, err) : rc;
}

enum dr_rc
dr_graph_fill_loose(struct dr_graph *g, const struct dr_revision *const *revisions, size_t count,
                    struct dr_err *err)
{
    g->nodes = dr_arena_array(g->arena, count, sizeof *g->nodes);
    g->by_id = dr_arena_array(g->arena, count, sizeof *g->by_id);
    if (g->nodes == NULL || g->by_id == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        g->nodes[i] = (struct dr_node){.revision = revisions[i], .index = i};
        g->by_id[i] = &g->nodes[i];
    }
    g->count = count;
    g->is_loose = true;
    return DR_OK;
}

enum dr_rc
dr_graph_new(struct dr_graph **out, struct dr_err *err)
{
    struct dr_graph *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return dr_graph_nomem(err);
    }
    g->magic = DR_GRAPH_MAGIC;
    g->arena = dr_arena_new(ARENA_BYTES_MAX);
    if (g->arena == NULL) {
        free(g);
        return dr_graph_nomem(err);
    }
    *out = g;
    return DR_OK;
}

enum dr_rc
dr_graph_build(const struct dr_revision *const *revisions, size_t count, struct dr_graph **out,
               struct dr_err *err)
{
    struct dr_graph *g = NULL;
    if (count > DR_GRAPH_FILES_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u revisions", DR_GRAPH_FILES_MAX);
    }
    enum dr_rc rc = dr_graph_new(&g, err);
    rc = rc == DR_OK ? dr_graph_fill(g, revisions, count, err) : rc;
    if (rc != DR_OK) {
        dr_graph_free(&g);
        return rc;
    }
    *out = g;
    return DR_OK;
}

void
dr_graph_free(struct dr_graph **graph)
{
    struct dr_graph *g = *graph;
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->file_count; i++) {
        free(g->files[i]);
    }
    free(g->files);
    dr_arena_free(&g->arena);
    g->magic = 0;
    free(g);
    *graph = NULL;
}
