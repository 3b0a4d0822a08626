// A rollout for people: the tree, one line per change, and where it stands.
#ifndef DR_CLI_ROLLOUT_VIEW_H
#define DR_CLI_ROLLOUT_VIEW_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"

#include "proto/service.pb-c.h"

// Prints the tree: rollout, environments, targets.
void dr_rollout_tree(const struct dr_cli *cli, const Drover__V1__Rollout *rollout);
// "R-" and a number: what a coordinator may call a rollout.
bool dr_rollout_id_is_valid(const char *id);
// Is it a state that a target can be in?
bool dr_rollout_is_state(const char *state);
// Has a target in this state come to an end, good or bad?
bool dr_rollout_is_over(const char *state);
// Does a target in this state run now, so that it has progress to tell?
bool dr_rollout_moves(const char *state);
// Tone of a state's word.
enum dr_tone dr_rollout_tone(const char *state);

// Why a target is in its state; "" when the reason is only the state's word again.
const char *dr_rollout_reason(const Drover__V1__TargetStatus *target);

enum dr_rollout_verdict {
    DR_ROLLOUT_GOES_ON,
    DR_ROLLOUT_WAITS,
    DR_ROLLOUT_DONE,
    DR_ROLLOUT_FAILED
};
// Where it stands: WAITS when nothing moves before a person signs, approves or resumes; DONE when
// every target of every stage is where it should be, and no wave soaks. From the targets' states,
// not from the coordinator's words.
enum dr_rollout_verdict dr_rollout_where(const Drover__V1__Rollout *rollout);
// Is every target of `environment` in `state`? False when there is no such environment or no
// target.
bool
dr_rollout_all_in(const Drover__V1__Rollout *rollout, const char *environment, const char *state);
// The stage that people are waited for in, or NULL.
const Drover__V1__StageStatus *dr_rollout_waiting_stage(const Drover__V1__Rollout *rollout);

#endif
