// Graph: the revisions of a folder linked by parent, and expressions that name places in it, in
// Alembic's words:
//   head heads base current   +2 -1   <id or unique prefix>   ae10+2 ae10-1   label@head label@base
//   label@+1   A:B A: :B
#ifndef DR_REVISION_GRAPH_H
#define DR_REVISION_GRAPH_H

#include "base/arena.h"
#include "revision/digest.h"
#include "revision/file.h"

#define DR_GRAPH_FILES_MAX 20000u
#define DR_GRAPH_BYTES_MAX (512ull * 1024 * 1024) // of all files of a folder together
#define DR_GRAPH_EXPR_MAX  256u

struct dr_graph; // opaque

// One revision in the graph. Lives as long as the graph.
struct dr_node {
    const struct dr_revision *revision;
    uint8_t file_sha256[DR_DIGEST_SIZE];
    uint8_t digest[DR_DIGEST_SIZE];
    size_t index; // place in the topological order
    const struct dr_node *const *parents;
    size_t parent_count;
    const struct dr_node *const *depends_on;
    size_t depends_on_count;
    const struct dr_node *const *children; // by parent, in topological order
    size_t child_count;
    size_t dependant_count; // revisions that depend on it
    const char
        *withdrawn; // why reviewers took it out of the chain (withdrawn.h); NULL: they did not
    size_t withdrawn_child_count; // of the children
    struct dr_names labels;       // of the branch that it belongs to, its own among them; in order
};

// A list of nodes in the caller's arena.
struct dr_nodes {
    const struct dr_node **items;
    size_t count;
};

// Reads every `*.sql` of `folder` (names that begin with '.' are left out; sub-folders are not
// read). Errors: those of dr_revision_parse, DR_E_NOT_FOUND (no folder), DR_E_LIMIT,
// REVISION_DUPLICATE, REVISION_PARENT (missing parent or dependency, with near names),
// REVISION_CYCLE, REVISION_LABEL. Several heads are no error here: see dr_graph_check_heads.
DR_MUST_CHECK enum dr_rc
dr_graph_load(const char *folder, struct dr_graph **out, struct dr_err *err);
// The same where revisions may be unfinished behind their header (file.h: dr_revision_parse_draft):
// for commands that only tell how revisions stand to each other.
DR_MUST_CHECK enum dr_rc
dr_graph_load_drafts(const char *folder, struct dr_graph **out, struct dr_err *err);
// The same from parsed revisions, which must outlive the graph.
DR_MUST_CHECK enum dr_rc dr_graph_build(const struct dr_revision *const *revisions, size_t count,
                                        struct dr_graph **out, struct dr_err *err);
void dr_graph_free(struct dr_graph **graph);

// All nodes, parents and dependencies first; ties by id. Two folders with the same revisions have
// the same order.
size_t dr_graph_count(const struct dr_graph *graph);
const struct dr_node *dr_graph_at(const struct dr_graph *graph, size_t index);
// By full id; NULL if there is none.
const struct dr_node *dr_graph_find(const struct dr_graph *graph, const char *id);

bool dr_node_is_head(const struct dr_node *node);        // not withdrawn, no child that is not
bool dr_node_is_base(const struct dr_node *node);        // no parent
bool dr_node_is_branchpoint(const struct dr_node *node); // several children
bool dr_node_is_mergepoint(const struct dr_node *node);  // several parents

// What a node is, as letters: 'h' head, 'd' another branch depends on it, 'b' branchpoint, 'm'
// mergepoint.
#define DR_NODE_MARKS_SIZE 5u
void dr_node_marks(const struct dr_node *node, char out[DR_NODE_MARKS_SIZE]);

// Newest first as people read them: a line of revisions stays together down to where it branched
// off. `nodes` is a set in any order, and is put in order in place. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_graph_walk(const struct dr_graph *graph, struct dr_arena *arena,
                                       struct dr_nodes *nodes, struct dr_err *err);

DR_MUST_CHECK enum dr_rc dr_graph_heads(const struct dr_graph *graph, struct dr_arena *arena,
                                        struct dr_nodes *out, struct dr_err *err);
// One head per branch label: DR_E_REVISION_HEADS with the merge command to type.
DR_MUST_CHECK enum dr_rc dr_graph_check_heads(const struct dr_graph *graph, struct dr_err *err);

// What an expression means. `nodes` is empty for base.
struct dr_place {
    struct dr_nodes nodes;
    bool is_base;
    const struct dr_node *branch; // of `label@...`; else NULL
};

// Resolves one expression. `current` are the ids of the heads that a database has now (for current,
// +N, -N; may be empty). Errors: REVISION_UNKNOWN (with near names), REVISION_AMBIGUOUS (lists the
// candidates), REVISION_HEADS (head with several heads), REVISION_STEP (too few or several ways),
// REVISION_EXPRESSION (malformed).
DR_MUST_CHECK enum dr_rc
dr_graph_resolve(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_place *out, struct dr_err *err);

// The revisions of A:B, parents first: what leads to B and is not yet in A. "A:" ends at all heads,
// ":B" begins at base, "-3:B" behind the third below B, "A:+2" ends two above A. Without a colon:
// that one place.
DR_MUST_CHECK enum dr_rc
dr_graph_between(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);

// The revisions of A:B as a history tells them, parents first: A, B and what stands between them.
// "-3:B" begins three below B, "A:+2" ends two above A. REVISION_EXPRESSION without a colon, or
// when B does not stand on A.
DR_MUST_CHECK enum dr_rc
dr_graph_history(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);

// What an upgrade from `current` to `expr` runs, parents first. Empty: nothing to do.
// DR_E_WITHDRAWN when it names a withdrawn revision, or `current` has one, which has to go down
// first.
DR_MUST_CHECK enum dr_rc
dr_graph_upgrade(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);
// What a downgrade runs, newest first. `-1` takes the newest revision off; an id takes off all that
// stands on it.
DR_MUST_CHECK enum dr_rc
dr_graph_downgrade(const struct dr_graph *graph, const char *expr, const struct dr_names *current,
                   struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);

// All revisions that a database with the heads `current` has, parents first. DR_E_REVISION_UNKNOWN.
DR_MUST_CHECK enum dr_rc
dr_graph_applied(const struct dr_graph *graph, const struct dr_names *current,
                 struct dr_arena *arena, struct dr_nodes *out, struct dr_err *err);

#endif
