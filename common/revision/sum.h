// Sum: `revisions.sum` in a folder of revisions has a line for each, so that a file that changed,
// went or came by the way is seen, and two branches that each add a revision conflict in git:
//   id  parents (a comma between, "-": none)  SHA-256 of the file  digest of what it says
//   head  SHA-256 over all lines, each with the one before
// A revision that is still being written stands there as "open" until the sum is written again.
#ifndef DR_REVISION_SUM_H
#define DR_REVISION_SUM_H

#include "revision/graph.h"

#define DR_SUM_NAME "revisions.sum"

struct dr_sum; // opaque; in the arena of dr_sum_read

enum dr_sum_kind {
    DR_SUM_CHANGED,  // what the file says is another than noted
    DR_SUM_COMMENTS, // only its comments, blanks or people's words are
    DR_SUM_MISSING,  // noted, but not in the folder
    DR_SUM_EXTRA,    // in the folder, but not noted
    DR_SUM_OPEN,     // noted before its SQL was written; now it is whole
};

struct dr_sum_difference {
    enum dr_sum_kind kind;
    const char *id;
    const char *path; // of the file; "" for MISSING
};

// Reads the folder's sum. DR_E_NOT_FOUND: it has none; REVISION_SUM at a line that is no line of a
// sum: git's marks of a conflict, or a head that does not fit the lines.
DR_MUST_CHECK enum dr_rc
dr_sum_read(const char *folder, struct dr_arena *arena, struct dr_sum **out, struct dr_err *err);
// Compares it with the folder; `*out` has `*out_count` items in the sum's order, then the folder's.
DR_MUST_CHECK enum dr_rc
dr_sum_compare(const struct dr_sum *sum, const struct dr_graph *graph, struct dr_arena *arena,
               struct dr_sum_difference **out, size_t *out_count, struct dr_err *err);
// Forgets what is noted of one revision, so that dr_sum_write notes it anew.
void dr_sum_forget(struct dr_sum *sum, const char *id);
// Writes the folder's sum. What `keep` (may be NULL) has noted stays as it is, but for open lines;
// without it every file is noted as it is now. Errors of files.
DR_MUST_CHECK enum dr_rc dr_sum_write(const char *folder, const struct dr_graph *graph,
                                      const struct dr_sum *keep, struct dr_err *err);

// Do two texts of a revision say the same, but for comments, blanks and words for people? False
// when one of them is a draft.
bool dr_sum_same_words(const struct dr_revision *a, const struct dr_revision *b);

// "changed", "missing", ... and what a difference means.
const char *dr_sum_kind_name(enum dr_sum_kind kind);

#endif
