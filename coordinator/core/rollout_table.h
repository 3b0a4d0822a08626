// Rollout table: the states of one target in a rollout, as rows of (state, event, guard, next,
// action, reason).
#ifndef DR_CORE_ROLLOUT_TABLE_H
#define DR_CORE_ROLLOUT_TABLE_H

#include "base/attr.h"
#include "base/err.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

// A closed list: every target of a rollout is in one of them.
enum dr_target_state {
    DR_TARGET_PENDING,     // its environment's turn has not come
    DR_TARGET_PREPARING,   // the agent was asked for a backup, preflights and READY
    DR_TARGET_READY,       // READY is here, people are to answer
    DR_TARGET_APPROVED,    // an approval names this READY; its wave's turn or a gate is waited for
    DR_TARGET_SENT,        // the approval is on its way to the agent, or with it
    DR_TARGET_RUNNING,     // the agent said that it runs
    DR_TARGET_PROVING,     // PROVE: the way back was run, up again
    DR_TARGET_UNREACHABLE, // the agent went away after the approval was sent: what happened is
                           // unknown
    DR_TARGET_APPLIED,     // APPLIED as approved
    DR_TARGET_REVERTED,    // REVERTED: as approved (DOWN), or because it failed (REVERSE)
    DR_TARGET_FAILED,      // failed, and nothing of the failed unit is there
    DR_TARGET_HELD,        // failed in the middle: earlier units stay, a decision is waited for
    DR_TARGET_REFUSED,     // the agent refused what it was asked
    DR_TARGET_CANCELLED,   // the rollout was aborted before it ran here
    DR_TARGET_STATES,
};

enum dr_target_event {
    DR_EVENT_START,   // its environment's turn has come
    DR_EVENT_ALREADY, // what is known of the target says that nothing is left to do
    DR_EVENT_BACKUP,  // attestations
    DR_EVENT_READY,
    DR_EVENT_APPLIED,
    DR_EVENT_REVERTED,
    DR_EVENT_FAILED,
    DR_EVENT_REFUSED,
    DR_EVENT_APPROVE,  // an approval that names its READY is complete
    DR_EVENT_GO,       // its wave's turn, gates open
    DR_EVENT_PROGRESS, // the agent reports that it runs
    DR_EVENT_AWAY,     // the agent has been away for a while
    DR_EVENT_BACK,
    DR_EVENT_LOOKED, // and has looked at the target since
    DR_EVENT_RETRY,  // orders of people
    DR_EVENT_ABORT,
    DR_EVENT_CLOSED, // the agent refused because no window is open
    DR_EVENT_LAPSED, // the approval that names its READY cannot be carried out any more
    DR_EVENT_UNDONE, // another rollout, which takes this one back, went down here
    DR_TARGET_EVENTS,
};

enum dr_target_action {
    DR_ACTION_NONE,
    DR_ACTION_PREPARE,    // push PREPARE
    DR_ACTION_BUNDLE,     // push the approval with its evidence
    DR_ACTION_ASK_STATE,  // push the order "state"
    DR_ACTION_CANCEL,     // push the order "cancel"
    DR_ACTION_KEEP_READY, // note this READY as the one that is open
    DR_ACTION_DROP_READY, // forget READY, leave the approval, then push PREPARE
};

// What guards look at.
struct dr_target_facts {
    Drover__V1__Mode mode; // of its stage: PROVE where the policy asks for it
    bool is_partial;       // FAILED: some units of the run are done
};

struct dr_target_step {
    enum dr_target_state next;
    enum dr_target_action action;
    const char *reason; // constant text for people
};

// The step from `state` by `event`. Pure. DR_E_ROLLOUT_EVENT when no row says that this may happen.
DR_MUST_CHECK enum dr_rc dr_rollout_step(enum dr_target_state state, enum dr_target_event event,
                                         const struct dr_target_facts *facts,
                                         struct dr_target_step *out, struct dr_err *err);

// "pending", "preparing", ...
const char *dr_target_state_name(enum dr_target_state state);
// Back from a name; false when there is none.
DR_MUST_CHECK bool dr_target_state_parse(const char *name, enum dr_target_state *out);
// Done as the rollout wanted.
bool dr_target_is_success(enum dr_target_state state, Drover__V1__Mode mode);
// Ended otherwise, until somebody orders a retry.
bool dr_target_is_failure(enum dr_target_state state, Drover__V1__Mode mode);
// The approval is with the agent: it may be changing the database now.
bool dr_target_is_active(enum dr_target_state state);

#endif
