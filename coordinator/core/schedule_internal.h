// Schedule, between its parts.
#ifndef DR_CORE_SCHEDULE_INTERNAL_H
#define DR_CORE_SCHEDULE_INTERNAL_H

#include "coordinator/core/schedule.h"
#include "coordinator/core/wave.h"

// How the reason of a pause begins that somebody ordered; a probe's begins with its target's name.
#define DR_PAUSED_BY "paused by "

// The rollout has news: the log's end is about it.
void dr_schedule_touch(struct dr_core *core, struct dr_rollout *rollout);
// An event for what has to go on whatever follows: when a push cannot be made (a document is
// missing, something is too large), the target stays where it was (what an agent said has happened
// stays said), the reason is noted and shown, and it is tried again. Only DR_E_ROLLOUT_EVENT and
// failures of the store or of memory come out.
DR_MUST_CHECK enum dr_rc
dr_schedule_try(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                struct dr_rollout_target *target, enum dr_target_event event, bool is_partial,
                const char *detail, struct dr_err *err);

// schedule_waves.c
// The policy's rules for the waves of an environment.
void dr_schedule_rules(struct dr_core *core, const char *environment, struct dr_wave_rules *out);
// Sends what may go now, and notes what the others of the stage wait for.
DR_MUST_CHECK enum dr_rc dr_schedule_waves(struct dr_core *core, struct dr_rollout *rollout,
                                           struct dr_rollout_stage *stage, struct dr_err *err);

// schedule_gates.c
// Looks again at the gates of all that is approved when other environments have said something
// since: `gate` of each target tells what has closed.
DR_MUST_CHECK enum dr_rc dr_schedule_gates(struct dr_core *core, const struct dr_rollout *rollout,
                                           struct dr_rollout_stage *stage, struct dr_err *err);

// schedule_after.c
// Does a rollout that has not begun wait for another? Its targets are told for what.
DR_MUST_CHECK enum dr_rc dr_schedule_after(struct dr_core *core, struct dr_rollout *rollout,
                                           bool *out_waits, struct dr_err *err);
// Is the other one done, so that it has to be looked at?
bool dr_schedule_after_is_due(struct dr_core *core, const struct dr_rollout *rollout);

// schedule_last.c
// Does this stage, once all has succeeded, soak with its probes before it is done?
bool
dr_schedule_is_looked_after(const struct dr_rollout *rollout, const struct dr_rollout_stage *stage);
// Has all succeeded, and it is not noted yet that nothing is waited for any more?
bool dr_schedule_is_last_open(const struct dr_rollout_stage *stage);
// Notes that once, when nothing soaks.
DR_MUST_CHECK enum dr_rc dr_schedule_last_done(struct dr_core *core, struct dr_rollout *rollout,
                                               struct dr_rollout_stage *stage,
                                               const struct dr_wave_plan *plan, struct dr_err *err);
// Does this stage, which has not begun, wait because another rollout's last wave soaks on one of
// its targets? On its way down it ends that soak.
DR_MUST_CHECK enum dr_rc
dr_schedule_last_of_others(struct dr_core *core, struct dr_rollout *rollout,
                           struct dr_rollout_stage *stage, bool *out_waits, struct dr_err *err);
// schedule_approval.c
// The target is no part of its approval any more. What has failed keeps the approval's name and its
// wave, so that the others of that still count it. Nobody can show wave 1 of it whole then: what
// waits in later waves needs a new approval.
DR_MUST_CHECK enum dr_rc
dr_schedule_leave(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, bool has_failed, struct dr_err *err);
// What is approved and has not gone when the approval ends waits for a new one.
DR_MUST_CHECK enum dr_rc
dr_schedule_expire(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                   int64_t now, struct dr_err *err);
// An approved target whose approval cannot be carried out any more waits for a new one.
DR_MUST_CHECK enum dr_rc
dr_schedule_lapse(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, const char *why, struct dr_err *err);

// schedule_undo.c
// A target of `undo` went down, whole or in part: it counts no more for the rollout that is taken
// back, nor for an older open one of the same plan.
DR_MUST_CHECK enum dr_rc
dr_schedule_undone(struct dr_core *core, const struct dr_rollout *undo,
                   const struct dr_rollout_target *target, struct dr_err *err);

// schedule_probes.c
// What probes said does not count any more.
void dr_schedule_probe_forget(struct dr_rollout_target *target);
// A STATE: it tells what was unknown, and what the probes say; one that does not pass, or says
// nothing, pauses the rollout.
DR_MUST_CHECK enum dr_rc
dr_schedule_state(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, const Drover__V1__Attestation *msg,
                  struct dr_err *err);
// Asks the probes of a target, or pauses for want of an answer, when it is time. In its own
// transaction: after a failure rollouts have been read again.
DR_MUST_CHECK enum dr_rc
dr_schedule_probe_tick(struct dr_core *core, struct dr_rollout *rollout,
                       struct dr_rollout_stage *stage, struct dr_rollout_target *target,
                       const struct dr_wave_rules *rules, bool is_last, struct dr_err *err);
// The agent has connected: what was asked and not answered is asked again. An agent that was
// restarted does not remember it, and one that was not asks its probes once.
DR_MUST_CHECK enum dr_rc
dr_schedule_probe_back(struct dr_core *core, struct dr_rollout *rollout,
                       const struct dr_rollout_stage *stage, struct dr_rollout_target *target,
                       struct dr_err *err);
// resume: what did not pass is asked again, and has to pass.
void dr_schedule_probe_again(struct dr_rollout *rollout);
// promote: ends the soak of the wave that soaks. DR_E_ROLLOUT_EVENT when none does, or when a probe
// did not pass.
DR_MUST_CHECK enum dr_rc dr_schedule_promote(struct dr_rollout *rollout, struct dr_err *err);

#endif
