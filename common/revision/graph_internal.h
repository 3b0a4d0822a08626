// Inside of revision/graph: the graph's memory, and sets of nodes.
#ifndef DR_REVISION_GRAPH_INTERNAL_H
#define DR_REVISION_GRAPH_INTERNAL_H

#include "revision/graph.h"

struct dr_graph {
    uint32_t magic;
    struct dr_arena *arena;
    struct dr_node *nodes; // in topological order
    size_t count;
    const struct dr_node **by_id; // sorted by id
    char **files;                 // buffers that dr_graph_load read
    size_t file_count;
    bool is_loose; // the links could not be made: nodes stand alone, in the order of their ids
};

#define DR_GRAPH_MAGIC 0x64726772u

// For lint: told of every file that does not parse (with its bytes, or NULL), which is then left
// out.
struct dr_graph_report {
    void (*on_bad_file)(void *ctx, const struct dr_err *err, const char *bytes);
    void (*on_bad_graph)(void *ctx, const struct dr_err *err);
    void *ctx;
};
enum dr_rc dr_graph_load_reporting(const char *folder, const struct dr_graph_report *report,
                                   struct dr_graph **out, struct dr_err *err);
// An empty graph with its arena, and the linking of revisions into it.
enum dr_rc dr_graph_new(struct dr_graph **out, struct dr_err *err);
enum dr_rc dr_graph_fill(struct dr_graph *graph, const struct dr_revision *const *revisions,
                         size_t count, struct dr_err *err);

// Gives every node the labels of its branch.
enum dr_rc dr_graph_spread_labels(struct dr_graph *graph, struct dr_err *err);

// Nodes without links, when they cannot be linked.
enum dr_rc dr_graph_fill_loose(struct dr_graph *graph, const struct dr_revision *const *revisions,
                               size_t count, struct dr_err *err);

// withdrawn.c: marks what the folder's list names. DR_E_WITHDRAWN for a revision that changed
// since, or stands on one of them; REVISION_SUM at a malformed line.
enum dr_rc dr_graph_mark_withdrawn(struct dr_graph *graph, const char *folder, struct dr_err *err);

// A set of nodes, one byte per index, in the caller's arena. NULL when memory is out.
bool *dr_graph_set(const struct dr_graph *graph, struct dr_arena *arena);
// Adds `node` and all that it stands on (parents and dependencies).
void dr_graph_add_ancestors(const struct dr_graph *graph, const struct dr_node *node, bool *set);
// Adds to `set` every node that stands on a member of it.
void dr_graph_add_descendants(const struct dr_graph *graph, bool *set);
// The members, in order or newest first.
enum dr_rc dr_graph_list(const struct dr_graph *graph, const bool *set, bool is_newest_first,
                         struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);
enum dr_rc dr_graph_nomem(struct dr_err *err);
// Appends one name if it is near to `name`; `*count` tells how many stand there.
void
dr_graph_add_near(const char *name, const char *id, unsigned *count, char *out, size_t out_size);
// One place by full id, label or unique prefix. REVISION_UNKNOWN, REVISION_AMBIGUOUS.
enum dr_rc dr_graph_name(const struct dr_graph *graph, const char *name, const struct dr_node **out,
                         struct dr_err *err);
// Both ends of LEFT:RIGHT; "-2" on the left counts from the right one, "+2" on the right from the
// left one. Errors of dr_graph_resolve.
enum dr_rc dr_graph_ends(const struct dr_graph *graph, const char *left, const char *right,
                         const struct dr_names *current, struct dr_arena *arena,
                         struct dr_place out[2], struct dr_err *err);
// Ids of a database's heads as nodes. REVISION_UNKNOWN.
enum dr_rc dr_graph_current(const struct dr_graph *graph, const struct dr_names *current,
                            struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);

#endif
