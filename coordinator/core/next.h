// Next: what a target waits for and what to type, as a pure function of what is known of it.
#ifndef DR_CORE_NEXT_H
#define DR_CORE_NEXT_H

#include "base/arena.h"
#include "coordinator/core/rollout_table.h"

#include <stdint.h>

// In the order in which a stage tells them: the first of its targets' counts.
enum dr_next_wait {
    DR_NEXT_DECISION, // it went wrong: somebody decides how to go on
    DR_NEXT_PAUSE,    // somebody paused the rollout
    DR_NEXT_GATE,     // evidence or a sign-off is missing
    DR_NEXT_PREPARE,  // its agent prepares
    DR_NEXT_APPROVAL, // people are to sign
    DR_NEXT_AGENT,    // its agent is away
    DR_NEXT_RUN,      // its agent works
    DR_NEXT_TURN,     // others go first
    DR_NEXT_SOAK,     // all went, and is looked at
    DR_NEXT_OVER,     // the rollout was aborted before it was done here
    DR_NEXT_NOTHING,  // done
    DR_NEXT_WAITS,
};

// All strings are lent, and not NULL but where that is said.
struct dr_next_facts {
    const char *rollout, *environment, *target, *agent;
    const char *again; // the command that begins a rollout like this one
    enum dr_target_state state;
    Drover__V1__Mode mode; // of the stage
    bool is_connected, is_paused, is_over;
    const char *paused_by;   // is_paused: who or what did, and why; "" when that is not known
    int64_t agent_seen, now; // unix seconds; agent_seen 0: not yet
    const char *undo;        // an open rollout that takes this one back; NULL: none
    bool is_never;           // `before` was aborted: its turn never comes
    const char *before, *before_next;  // an earlier environment that is not done; NULL: its turn
    const char *gate, *missing, *try_; // the first closed gate; NULL: all are open
    uint32_t signatures, needed;       // of the approval that is asked for
    const char *ahead, *ahead_next;    // a target of an earlier wave that is not done; NULL: none
    uint32_t wave;
    int64_t goes_at;     // not before this time; 0: now
    const char *reason;  // why, where a time is set
    const char *stopped; // why no wave goes on before a person decides; NULL: they do
    const char *limited; // what room is waited for: "at most 2 targets run at once"; NULL: none
    uint32_t soaking;    // its environment's last wave, which soaks; 0: it does not
    int64_t soaks_until;
};

// Both in the arena; never empty but for DR_NEXT_NOTHING, whose command is "".
struct dr_next {
    enum dr_next_wait wait;
    const char *waits;   // what for, for people
    const char *command; // "drover ..."
};

// The wait alone, which needs no memory. DR_NEXT_WAITS for a state that no row has: an error of
// ours.
enum dr_next_wait dr_next_wait(const struct dr_next_facts *facts);
// DR_E_LIMIT when the arena is full.
DR_MUST_CHECK enum dr_rc dr_next_of(const struct dr_next_facts *facts, struct dr_arena *arena,
                                    struct dr_next *out, struct dr_err *err);

#endif
