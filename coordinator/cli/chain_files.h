// The revisions of the project's folder as every command sees them: the graph, its
// files, a dry run.
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

// The same for commands that run nothing: revisions may be empty or unfinished (revision/graph.h:
// dr_graph_load_drafts).
DR_MUST_CHECK enum dr_rc
dr_chain_drafts_load(struct dr_cli *cli, struct dr_graph **out, struct dr_err *err);

// All revisions of a graph, parents first, in the cli's arena.
DR_MUST_CHECK enum dr_rc dr_chain_all(struct dr_cli *cli, const struct dr_graph *graph,
                                      struct dr_nodes *out, struct dr_err *err);

// The same without those that were withdrawn.
DR_MUST_CHECK enum dr_rc dr_chain_live(struct dr_cli *cli, const struct dr_graph *graph,
                                       struct dr_nodes *out, struct dr_err *err);

// The same as dr_chain_files_load for a question that a note may answer (revision/graph_note.h):
// when the folder is as it was noted, `*out_note` is set and nothing is read. Otherwise `*out` is,
// and noted for the next time.
DR_MUST_CHECK enum dr_rc dr_chain_note_load(struct dr_cli *cli, struct dr_graph_note **out_note,
                                            struct dr_graph **out, struct dr_err *err);

// The engine that a URL names. DR_E_INVALID tells what it may be.
DR_MUST_CHECK enum dr_rc
dr_chain_engine(const char *url, Drover__V1__Engine *out, struct dr_err *err);

// What a dry run says: "Would run upgrade A -> B, message" for each of `nodes` (parents first), in
// the order in which they would run. `targets`, `losses` and `estimates` (references that are
// taken; may be NULL) go into the JSON.
void dr_chain_say_dry_run(const struct dr_cli *cli, const struct dr_nodes *nodes, bool is_down,
                          json_t *targets, json_t *losses, json_t *estimates);

// Where the project keeps alembic_version: DR_E_ALEMBIC_ID with file and line for an id that is too
// long for it.
DR_MUST_CHECK enum dr_rc
dr_chain_check_ids(const struct dr_cli *cli, const struct dr_nodes *nodes, struct dr_err *err);

// A file of the graph by its SHA-256, as the engine asks for it; `arg` is the graph.
enum dr_rc dr_chain_file(void *arg, const uint8_t sha256[32], const char **out_bytes,
                         size_t *out_len, struct dr_err *err);

#endif
