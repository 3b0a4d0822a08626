// A new file of the chain: revision, merge and whoever else makes one.
#ifndef DR_CLI_NEW_REVISION_H
#define DR_CLI_NEW_REVISION_H

#include "coordinator/cli/cli.h"
#include "revision/graph.h"

// What is to be written. Plain data, borrowed.
struct dr_new_revision {
    const char *id, *message; // one line
    struct dr_nodes parents;  // empty: a base
    struct dr_names labels, depends_on;
    const char *engine; // text of the header; NULL: as its parents, else postgresql
    const char *header; // more header lines, each with its end; NULL: "-- Reversible: yes"
    const char *body;   // sections from "-- drover:up" on; NULL: empty ones (none for a merge)
};

// A random id of 12 hex digits in the cli's arena; NULL when memory is out.
const char *dr_new_revision_id(const struct dr_cli *cli);

// Writes the file into the project's folder. Before, it is parsed and put into the chain, so that
// nothing is written that the folder could not be read with: errors of dr_revision_parse_draft and
// dr_graph_build; DR_E_EXISTS. `*out_path`: as people see it, in the cli's arena.
DR_MUST_CHECK enum dr_rc
dr_new_revision_write(struct dr_cli *cli, const struct dr_graph *graph,
                      const struct dr_new_revision *new, const char **out_path, struct dr_err *err);
// Notes what was added in `revisions.sum` (revision/sum.h), when the folder has one or its first
// revision was made just now. A sum that cannot be read is told of and left alone.
DR_MUST_CHECK enum dr_rc dr_new_revision_note(struct dr_cli *cli, struct dr_err *err);
// The same after the files of `nodes` were edited.
DR_MUST_CHECK enum dr_rc
dr_new_revision_note_edited(struct dr_cli *cli, const struct dr_nodes *nodes, struct dr_err *err);

#endif
