#include "revision/graph_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

// Names in the graph: exact, by prefix, and what a mistyped one may have meant.

enum { NEAR_MAX = 3 };

static unsigned
distance(const char *a, const char *b)
{
    unsigned row[DR_REVISION_ID_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (b_len > DR_REVISION_ID_MAX) {
        return 99;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j], best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            best = above + 1 < best ? above + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
        }
    }
    return row[b_len];
}

static bool
is_near(const char *name, const char *other)
{
    size_t len = strlen(name);
    return len > 0 && len <= DR_REVISION_ID_MAX &&
           (strstr(other, name) != NULL || distance(name, other) <= 1 + (unsigned)len / 4);
}

static void
append_near(const char *id, unsigned *count, char *out, size_t out_size)
{
    size_t used = strlen(out);
    snprintf(out + used, out_size - used, "%s'%s'", *count == 0 ? "did you mean " : ", ", id);
    ++*count;
}

void
dr_graph_add_near(const char *name, const char *id, unsigned *count, char *out, size_t out_size)
{
    if (*count < NEAR_MAX && is_near(name, id)) {
        append_near(id, count, out, out_size);
    }
}

static void
near_names(const struct dr_graph *graph, const char *name, char *out, size_t out_size)
{
    unsigned found = 0;
    out[0] = '\0';
    for (size_t i = 0; i < graph->count; i++) {
        const struct dr_revision *r = graph->by_id[i]->revision;
        dr_graph_add_near(name, r->id, &found, out, out_size);
        for (size_t k = 0; k < r->labels.count; k++) {
            dr_graph_add_near(name, r->labels.items[k], &found, out, out_size);
        }
    }
    size_t used = strlen(out);
    if (found > 0) {
        snprintf(out + used, out_size - used, "?");
    }
}

const struct dr_node *
dr_graph_find(const struct dr_graph *graph, const char *id)
{
    size_t low = 0, high = graph->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(graph->by_id[middle]->revision->id, id);
        if (order == 0) {
            return graph->by_id[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static const struct dr_node *
find_label(const struct dr_graph *graph, const char *label)
{
    for (size_t i = 0; i < graph->count; i++) {
        const struct dr_names *labels = &graph->nodes[i].revision->labels;
        for (size_t k = 0; k < labels->count; k++) {
            if (strcmp(labels->items[k], label) == 0) {
                return &graph->nodes[i];
            }
        }
    }
    return NULL;
}

static enum dr_rc
unknown_name(const struct dr_graph *graph, const char *name, struct dr_err *err)
{
    char near[280];
    near_names(graph, name, near, sizeof near);
    dr_err_set(err, DR_E_REVISION_UNKNOWN, "can't locate revision identified by '%.100s'", name);
    return dr_err_hint(err, "%s", near[0] != '\0' ? near : "drover history");
}

enum dr_rc
dr_graph_name(const struct dr_graph *graph, const char *name, const struct dr_node **out,
              struct dr_err *err)
{
    const struct dr_node *node = dr_graph_find(graph, name);
    node = node == NULL ? find_label(graph, name) : node;
    if (node != NULL) {
        *out = node;
        return DR_OK;
    }
    char list[300] = "";
    size_t used = 0, found = 0, len = strlen(name);
    for (size_t i = 0; i < graph->count && len > 0; i++) {
        const char *id = graph->by_id[i]->revision->id;
        if (strncmp(id, name, len) != 0) {
            continue;
        }
        node = graph->by_id[i];
        if (++found <= 5 && used + DR_REVISION_ID_MAX + 8 < sizeof list) {
            used += (size_t)snprintf(list + used, sizeof list - used, "%s'%s'",
                                     found == 1 ? "" : ", ", id);
        }
    }
    if (found == 0) {
        return unknown_name(graph, name, err);
    }
    if (found > 1) {
        dr_err_set(err, DR_E_REVISION_AMBIGUOUS,
                   "revision prefix '%.100s' is ambiguous: it fits %zu revisions", name, found);
        return dr_err_hint(err, "type more of it: %s%s", list, found > 5 ? ", ..." : "");
    }
    *out = node;
    return DR_OK;
}

enum dr_rc
dr_graph_current(const struct dr_graph *graph, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err)
{
    size_t count = current == NULL ? 0 : current->count;
    const struct dr_node **items = dr_arena_array(arena, count, sizeof *items);
    if (items == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = dr_graph_find(graph, current->items[i]);
        if (items[i] == NULL) {
            unknown_name(graph, current->items[i], err);
            dr_err_wrap(err, "the database is at revision '%s'", current->items[i]);
            return dr_err_hint(err, "fetch the newest revisions: the folder lacks '%s'",
                               current->items[i]);
        }
    }
    *out = (struct dr_nodes){items, count};
    return DR_OK;
}
