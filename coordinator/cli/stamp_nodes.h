// Stamp nodes: which revisions a stamp records as there and which as gone. Pure.
#ifndef DR_CLI_STAMP_NODES_H
#define DR_CLI_STAMP_NODES_H

#include "engine/ledger.h"
#include "revision/graph.h"

struct dr_stamp_nodes {
    struct dr_nodes up;    // recorded as there, parents first
    struct dr_nodes down;  // recorded as gone, parents first
    struct dr_nodes after; // all that is there afterwards, parents first
};

// `expr` names where the target is ("head", an id, "base"). What leads to it is there afterwards;
// what stands on it, or is half done beside it, is gone; other branches stay. All in the arena.
// Errors of dr_graph_resolve; DR_E_REVISION_UNKNOWN, DR_E_REVISION_CHANGED for what the ledger
// holds and the graph does not; DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_stamp_choose(const struct dr_graph *graph, const char *expr, const struct dr_ledger_view *view,
                struct dr_arena *arena, struct dr_stamp_nodes *out, struct dr_err *err);

// stamp_target.c: `stamp REVISION -t TARGET` with a coordinator.
struct dr_cli;
DR_MUST_CHECK enum dr_rc dr_stamp_target(struct dr_cli *cli, struct dr_err *err);

#endif
