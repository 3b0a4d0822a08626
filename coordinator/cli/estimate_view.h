// What a plan will mean for others, as agents saw it on copies of their targets: which tables it
// locks, how hard and how long, how much is in them. From records that agents signed, verified
// here.
#ifndef DR_CLI_ESTIMATE_VIEW_H
#define DR_CLI_ESTIMATE_VIEW_H

#include "coordinator/cli/remote.h"
#include "coordinator/cli/words.h"

#include <jansson.h>

// The rehearsals of one plan.
struct dr_estimates {
    const Drover__V1__Plan *plan;
    uint8_t plan_sha256[32];
    Drover__V1__Mode mode; // UP or DOWN
    struct dr_words words;
};

// Asks the coordinator for the rehearsals of the plan with this digest, in the arena; `plan` (may
// be set later) and `mode` as for dr_rehearsal_summary. Blocks. Errors of the call, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_estimates_load(struct dr_remote *remote, const uint8_t plan_sha256[32],
                                           const Drover__V1__Plan *plan, Drover__V1__Mode mode,
                                           struct dr_estimates *out, struct dr_err *err);
// A line per target for its newest rehearsal, after `heading`, which is not printed for none.
void dr_estimates_print(const struct dr_cli *cli, const struct dr_estimates *estimates,
                        const char *heading);
// Adds the same to an array: target, when, on what, summary, and each unit with its tables.
void
dr_estimates_json(const struct dr_cli *cli, const struct dr_estimates *estimates, json_t *list);

#endif
