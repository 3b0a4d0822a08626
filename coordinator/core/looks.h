// Looks: agents are asked to look at targets that no rollout needs to be looked at for.
#ifndef DR_CORE_LOOKS_H
#define DR_CORE_LOOKS_H

#include "coordinator/core/core.h"

// Orders a look for drift at every active target that the pattern names ("" is all); notes it in
// the log. Within the caller's transaction. DR_E_NOT_FOUND when there is none.
DR_MUST_CHECK enum dr_rc
dr_looks_order(struct dr_core *core, const char *pattern, const char *actor, struct dr_err *err);
// A DRIFT of a target that this rollout has changed already: the rollout pauses before its next
// wave or environment, with the reason in the log. Within the caller's transaction.
DR_MUST_CHECK enum dr_rc
dr_looks_drift(struct dr_core *core, struct dr_rollout *rollout,
               const struct dr_rollout_stage *stage, struct dr_rollout_target *target,
               const Drover__V1__Attestation *msg, struct dr_err *err);

#endif
