// Evidence: what the store holds for the gates of an environment, verified, and how the gates
// stand.
#ifndef DR_CORE_EVIDENCE_H
#define DR_CORE_EVIDENCE_H

#include "coordinator/core/core.h"
#include "trust/gate.h"

#define DR_EVIDENCE_PER_ENVIRONMENT 200u
#define DR_EVIDENCE_REHEARSALS      8u // newest of one target: other plans may have been rehearsed since

// For the gates of `environment`: applied, reverted and state of the environments that its gates
// name, sign-offs; backups and rehearsals come with each target. Verified once and kept until
// something changes: valid within the handler. What does not verify any more is left out.
// DR_E_NO_FLEET, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_evidence_load(struct dr_core *core, const char *environment,
                                          const struct dr_evidence **out, struct dr_err *err);
// The gates for one target of a rollout. `approval` as in struct dr_gate_input.
DR_MUST_CHECK enum dr_rc
dr_evidence_gates(struct dr_core *core, struct dr_arena *arena, const struct dr_evidence *evidence,
                  const struct dr_rollout *rollout, const struct dr_rollout_stage *stage,
                  const struct dr_rollout_target *target, const Drover__V1__Approval *approval,
                  struct dr_gate_result **out, size_t *out_n, struct dr_err *err);
// Does the target's newest word show that nothing is left to do?
bool
dr_evidence_is_done(struct dr_core *core, const struct dr_rollout *rollout,
                    const struct dr_rollout_stage *stage, const struct dr_rollout_target *target);

#endif
