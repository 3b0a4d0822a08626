// Repairing: one call of `drover repair`, whether it looked at a database or at what an agent
// signed.
#ifndef DR_CLI_REPAIRING_H
#define DR_CLI_REPAIRING_H

#include "coordinator/cli/repair_view.h"

#include "revision/plan.h"

struct dr_repairing {
    struct dr_cli *cli;
    const struct dr_graph *graph;
    struct dr_nodes nodes; // half done, parents first
    struct dr_plan plan;   // of these
    struct dr_repair repair;
    struct dr_repair_facts facts;
};

// The half-done revisions of a ledger as nodes. DR_E_NEEDS_REPAIR when a file is missing or another
// one; DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_repairing_find(struct dr_repairing *r, const struct dr_ledger_view *view, struct dr_err *err);
// Fills facts.finished and facts.undone from what is half done.
void dr_repairing_name_ends(struct dr_repairing *r);
// The mode that goes on (or back) with what is half done: UP or DOWN.
Drover__V1__Mode dr_repairing_mode(const struct dr_repairing *r, bool is_reverse);
// DR_E_NEEDS_REPAIR when that way is not safe, DR_E_LOCKED while somebody works on it.
DR_MUST_CHECK enum dr_rc
dr_repairing_check(const struct dr_repairing *r, bool is_reverse, struct dr_err *err);

// repair_target.c: `repair TARGET` with a coordinator.
DR_MUST_CHECK enum dr_rc dr_repair_target(struct dr_cli *cli, struct dr_err *err);

#endif
