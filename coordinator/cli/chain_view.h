// Revisions as text and JSON: Alembic's lines and blocks, so that eyes and scripts find what they
// know.
#ifndef DR_CLI_CHAIN_VIEW_H
#define DR_CLI_CHAIN_VIEW_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"
#include "revision/graph.h"

// What a line tells besides the id and whether it is a head.
struct dr_chain_look {
    bool has_parents, has_labels, has_points, has_message;
    const struct dr_names *current; // "(current)" at these ids; NULL: none
};

// " (head)", " (effective head)" when another branch depends on it, " (current)", and with
// `has_points` " (branchpoint)", " (mergepoint)"; `marks` as of dr_node_marks.
void dr_chain_marks(const char *marks, bool has_points, bool is_now, struct dr_buf *out);
// "1975ea83b712 -> ae1027a6acf0 (head), Add a column"; "(empty)" or "(unfinished)" behind it for a
// draft. No line end.
void
dr_chain_line(const struct dr_node *node, const struct dr_chain_look *look, struct dr_buf *out);
// All that is known of a revision: place, path, and its header's words.
void dr_chain_block(const struct dr_cli *cli, const struct dr_node *node,
                    const struct dr_names *current, struct dr_buf *out);
// The parents' ids, ", " between; "<base>" for none.
void dr_chain_parents(const struct dr_node *node, struct dr_buf *out);
// "empty" when a draft has no up yet, "unfinished" for another fault, "" when it is whole.
const char *dr_chain_defect(const struct dr_node *node);

// {"schema": ..., "revisions": [...]}; with `--sql` each has its text.
void dr_chain_print_json(const struct dr_cli *cli, const char *schema, const struct dr_nodes *nodes,
                         const struct dr_names *current);
// Prints and frees.
void dr_chain_print(const struct dr_cli *cli, struct dr_buf *out);

#endif
