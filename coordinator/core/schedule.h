// Schedule: takes events to the rollout table, carries out its actions, and moves stages and waves
// on.
#ifndef DR_CORE_SCHEDULE_H
#define DR_CORE_SCHEDULE_H

#include "coordinator/core/core.h"
#include "trust/approval.h"
#include "trust/attest.h"

#define DR_SCHEDULE_RETRY_S  5  // between two tries of what could not be queued
#define DR_SCHEDULE_GATE_S   5  // between two looks at what has closed a gate
#define DR_SCHEDULE_UNSENT_S 60 // and of what was queued and then could not be made
#define DR_SCHEDULE_CLOSED_S 60 // and of what an agent refused because no window is open

#define DR_PROBE_EVERY_S  60 // where the policy does not say how often
#define DR_PROBE_ANSWER_S 60 // an agent that has not answered by then has not answered

// One event for one target: steps, acts, notes it in the log. DR_E_ROLLOUT_EVENT when the table has
// no row. `detail` (may be NULL) is put behind the reason. Within the caller's transaction, as all
// here.
DR_MUST_CHECK enum dr_rc
dr_schedule_event(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, enum dr_target_event event, bool is_partial,
                  const char *detail, struct dr_err *err);
// Begins stages and sends waves that may go.
DR_MUST_CHECK enum dr_rc
dr_schedule_advance(struct dr_core *core, struct dr_rollout *rollout, struct dr_err *err);
// A verified attestation that is new here. What it leads to never refuses it: see schedule.c.
DR_MUST_CHECK enum dr_rc
dr_schedule_attestation(struct dr_core *core, const struct dr_attestation *attestation,
                        struct dr_err *err);
// An approval whose signatures are complete.
DR_MUST_CHECK enum dr_rc
dr_schedule_approval(struct dr_core *core, struct dr_rollout *rollout,
                     const struct dr_approval *approval, Drover__V1__ApprovalLeaf *const *leaves,
                     size_t n_leaves, struct dr_err *err);
// pause, resume, promote, abort, retry, prepare; `target` "" is all. DR_E_INVALID for another word,
// DR_E_ROLLOUT_EVENT.
DR_MUST_CHECK enum dr_rc
dr_schedule_order(struct dr_core *core, struct dr_rollout *rollout, const char *order,
                  const char *target, const char *actor, const char *note, struct dr_err *err);
// An open rollout that takes this one back; NULL: none.
const struct dr_rollout *
dr_schedule_undo_of(struct dr_core *core, const struct dr_rollout *rollout);
// A bundle for `agent` could not be made when it was to be sent: takes it out of the queue and its
// target (may be NULL, or have moved on) back to waiting, with the reason. Has its own transaction.
DR_MUST_CHECK enum dr_rc
dr_schedule_unsent(struct dr_core *core, const char *agent, struct dr_rollout *rollout,
                   struct dr_rollout_target *target, const struct dr_err *why, struct dr_err *err);
// Once a second: agents that went away, STATEs that are due, what could not be sent. Has its own
// transactions.
void dr_schedule_tick(struct dr_core *core);
// An agent has connected.
DR_MUST_CHECK enum dr_rc dr_schedule_agent_back(struct dr_core *core, const char *agent,
                                                bool lost_state, struct dr_err *err);

#endif
