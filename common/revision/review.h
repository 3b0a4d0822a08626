// Review: lint of whole revisions. Checks every section of every revision of a graph and collects
// findings.
#ifndef DR_REVISION_REVIEW_H
#define DR_REVISION_REVIEW_H

#include "revision/graph.h"
#include "sql/lint.h"

// Runs all rules over `nodes` (parents first) for every engine that each names. Findings (not
// sorted) go to `out`, whose arena must outlive it, as must the graph. Fails only when the checking
// itself cannot be done.
DR_MUST_CHECK enum dr_rc
dr_review_nodes(const struct dr_nodes *nodes, struct dr_findings *out, struct dr_err *err);

// Files are compared by their names without folders.
struct dr_review_options {
    const struct dr_names *files;   // only findings in these; NULL or none: in all
    const struct dr_names *older;   // files that people know: their findings are left out, and the
                                    // others run in one plan; NULL: not told
    const struct dr_names *changed; // files whose bytes are not those that people know
};

// A whole folder for `drover lint`: each file that does not parse is a finding and the others are
// still reviewed; then the graph's own errors, then dr_review_nodes. `options` may be NULL.
DR_MUST_CHECK enum dr_rc
dr_review_folder(const char *folder, const struct dr_review_options *options,
                 struct dr_findings *out, struct dr_err *err);

#endif
