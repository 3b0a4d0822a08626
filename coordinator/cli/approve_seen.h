// What an approver was shown the last time, and what has changed since.
#ifndef DR_CLI_APPROVE_SEEN_H
#define DR_CLI_APPROVE_SEEN_H

#include "coordinator/cli/stage.h"

// Says what of the stage (plans, mode, policy, gates, targets with their READYs and flags) differs
// from what this person was shown the last time, nothing at the first, and remembers it in the
// person's folder of trusted documents. What cannot be remembered is said on standard error.
void
dr_approve_seen(const struct dr_stage *stage, const struct dr_stage_gate *gates, size_t n_gates);

#endif
