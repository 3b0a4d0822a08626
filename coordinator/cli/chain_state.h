// What a database has of the chain, for commands that only look.
#ifndef DR_CLI_CHAIN_STATE_H
#define DR_CLI_CHAIN_STATE_H

#include "coordinator/cli/cli.h"
#include "engine/ledger.h"
#include "revision/graph.h"

// Read once; everything is in the cli's arena.
struct dr_chain_state {
    struct dr_names heads;
    struct dr_ledger_view ledger; // with `whole`: every revision that is there
};

// Asks the database of --url, the environment or drover.conf. DR_E_USAGE when none is named, and
// what dr_engine_open and dr_engine_read_state give.
DR_MUST_CHECK enum dr_rc
dr_chain_state_read(struct dr_cli *cli, bool whole, struct dr_chain_state *out, struct dr_err *err);
// Does an expression or range name `current`, which only a database can tell?
bool dr_chain_asks_database(const char *expr);
// The heads that `current` means in `expr`: the database's when it is named there, else none.
// Errors of dr_chain_state_read.
DR_MUST_CHECK enum dr_rc
dr_chain_current(struct dr_cli *cli, const char *expr, struct dr_names *out, struct dr_err *err);
// The same of a target, from what its agent signed last. DR_E_NOT_FOUND: the fleet has no such
// target, or its agent has not signed a word yet; errors of dr_remote_open and dr_word_ledger.
DR_MUST_CHECK enum dr_rc
dr_chain_state_of_target(struct dr_cli *cli, const struct dr_graph *graph, const char *target,
                         struct dr_chain_state *out, struct dr_err *err);
// DR_E_NOT_FOUND when `url` names a SQLite file that is not there: a typing slip would look like an
// empty database.
DR_MUST_CHECK enum dr_rc
dr_chain_state_check_file(const struct dr_cli *cli, const char *url, struct dr_err *err);

// A table of `nodes` (newest first) with the state of each in the database, and what the database
// has that the folder lacks.
void dr_chain_state_print(struct dr_cli *cli, const struct dr_graph *graph,
                          const struct dr_nodes *nodes, const struct dr_chain_state *state);

#endif
