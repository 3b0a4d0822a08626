// Direct: one run on one database, without a coordinator, as upgrade, downgrade, repair and stamp
// share it. The engine runs in this process.
#ifndef DR_CLI_DIRECT_H
#define DR_CLI_DIRECT_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/progress_view.h"

#include "engine/run.h"
#include "revision/graph.h"
#include "revision/plan.h"

// From the graph to the result. `{0}` with cli and url is closed; who opens engine and graph closes
// them.
struct dr_direct {
    struct dr_cli *cli;
    const char *url;
    const char *expr; // what was typed: "head", "-1"
    bool is_down;
    Drover__V1__Mode mode; // NONE: UP or DOWN by is_down
    struct dr_graph *graph;
    struct dr_engine *engine;
    struct dr_engine_state state;
    struct dr_nodes nodes; // parents first
    struct dr_plan plan;
    const char *remedy;                // REMEDY: the section's name
    const uint8_t *expect_fingerprint; // 32 bytes; NULL: any schema
    const char *shown;                 // id of the revision whose line was printed last
    struct dr_loss *losses;            // what a way down takes; see dr_direct_count
    size_t losses_count;
    struct dr_progress_line progress;
};

// Opens the engine as the command's options say; `cancel_fd` ends a run in a true state (-1: none).
// Errors of dr_engine_open.
DR_MUST_CHECK enum dr_rc dr_direct_open(struct dr_direct *d, int cancel_fd, struct dr_err *err);
// Counts what the way back of d->plan takes, into d->losses. Errors of dr_engine_losses.
DR_MUST_CHECK enum dr_rc dr_direct_count(struct dr_direct *d, struct dr_err *err);
// Shows what a way back loses, and asks. DR_E_INTERRUPTED when the answer is no, DR_E_USAGE when
// nobody can be asked.
DR_MUST_CHECK enum dr_rc dr_direct_confirm(struct dr_direct *d, struct dr_err *err);
// DR_E_LEDGER_OWNED, with `hint`, when the ledger that d->state tells of belongs to an agent.
DR_MUST_CHECK enum dr_rc
dr_direct_check_owner(const struct dr_direct *d, const char *hint, struct dr_err *err);
// The job of d->plan.
struct dr_engine_job dr_direct_job(struct dr_direct *d);
// Runs d->plan and prints what came of it. Errors of dr_engine_run, at their place in the file.
DR_MUST_CHECK enum dr_rc dr_direct_run(struct dr_direct *d, struct dr_err *err);
// Says that there is nothing to do.
void dr_direct_nothing(struct dr_direct *d);
// Puts an error of the engine, which knows revisions by id, to file and line. `result` may be zero.
void
dr_direct_place(struct dr_direct *d, const struct dr_engine_result *result, struct dr_err *err);
// Rows that made a check fail stay on this machine: here is where people see them.
void dr_direct_failed_checks(const struct dr_cli *cli, const struct dr_check_result *checks,
                             size_t count);

#endif
