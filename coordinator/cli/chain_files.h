// The revisions of the project's folder as every command sees them: the graph, words for its nodes,
// a compiled plan.
#ifndef DR_CLI_CHAIN_FILES_H
#define DR_CLI_CHAIN_FILES_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"
#include "revision/graph.h"
#include "revision/graph_note.h"
#include "revision/plan.h"

// Loads the project's revisions folder. DR_E_NOT_FOUND with a hint when it is not there; graph
// errors.
DR_MUST_CHECK enum dr_rc
dr_chain_files_load(struct dr_cli *cli, struct dr_graph **out, struct dr_err *err);

// The same for a question that a note may answer (revision/graph_note.h): when the folder is as it
// was noted, `*out_note` is set and nothing is read. Otherwise `*out` is, and noted for the next
// time.
DR_MUST_CHECK enum dr_rc dr_chain_note_load(struct dr_cli *cli, struct dr_graph_note **out_note,
                                            struct dr_graph **out, struct dr_err *err);

// "1975ea83b712 -> ae1027a6acf0 (head), Add a column", as Alembic prints it; `marks` adds e.g. "
// (current)".
void dr_chain_line(const struct dr_node *node, const char *marks, struct dr_buf *out);
// "(head)", "(branchpoint)", "(mergepoint)" with a blank before each; "" for none.
void dr_chain_marks(const struct dr_node *node, struct dr_buf *out);
// All that is known of a revision, as Alembic's `show` prints it.
void dr_chain_block(const struct dr_cli *cli, const struct dr_node *node, struct dr_buf *out);
// The parents' ids, ", " between; "<base>" for none.
void dr_chain_parents(const struct dr_node *node, struct dr_buf *out);

// The engine that a URL names. DR_E_INVALID tells what it may be.
DR_MUST_CHECK enum dr_rc
dr_chain_engine(const char *url, Drover__V1__Engine *out, struct dr_err *err);

// What a dry run says: "Would run upgrade A -> B, message" for each of `nodes` (parents first), in
// the order in which they would run. `targets` and `losses` (references that are taken; may
// be NULL) go into the JSON.
void dr_chain_say_dry_run(const struct dr_cli *cli, const struct dr_nodes *nodes, bool is_down,
                          json_t *targets, json_t *losses);

// A file of the graph by its SHA-256, as the engine asks for it; `arg` is the graph.
enum dr_rc dr_chain_file(void *arg, const uint8_t sha256[32], const char **out_bytes,
                         size_t *out_len, struct dr_err *err);

#endif
