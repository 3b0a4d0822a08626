// Rollout: a plan on its way through the environments. Plain data, its stored form, and what
// follows from its targets' states; nothing here has an effect.
#ifndef DR_CORE_ROLLOUT_H
#define DR_CORE_ROLLOUT_H

#include "base/arena.h"
#include "base/str.h"
#include "coordinator/core/rollout_table.h"
#include "proto/service.pb-c.h"

#include <stdint.h>

#define DR_ROLLOUT_PLANS_MAX   2u // one per engine
#define DR_ROLLOUT_STAGES_MAX  64u
#define DR_ROLLOUT_TARGETS_MAX 100000u
#define DR_ROLLOUT_TEXT_MAX    256u
#define DR_ROLLOUT_PROBE_MAX   160u
#define DR_TARGET_NAME_MAX     132u // environment/name
#define DR_ENVIRONMENT_MAX     68u

struct dr_rollout_target {
    char name[DR_TARGET_NAME_MAX], agent[DR_ENVIRONMENT_MAX];
    Drover__V1__Engine engine;
    enum dr_target_state state;
    char reason[DR_ROLLOUT_TEXT_MAX];
    int64_t since;
    uint32_t wave; // of its approval: kept, like that, while what failed is tried again, until
                   // a new one names it
    bool has_ready, has_approval, has_last, has_backup;
    uint8_t ready[32], approval[32], last[32], backup[32];
    int64_t state_asked;   // when a STATE was last asked for
    int64_t unknown_since; // its agent went away after the approval was sent; 0: it has looked
    int64_t probe_asked, probe_time; // when its probes were last asked for, and answered
    Drover__V1__ProbeOutcome probe_outcome;
    char probe[DR_ROLLOUT_PROBE_MAX]; // which, and why
    int64_t retry_at; // in memory only: when to try again what could not be sent; 0: never
    char gate[DR_ROLLOUT_TEXT_MAX]; // in memory only: what has closed since its approval; ""
    int64_t expires;                // in memory only: when its approval does; 0: not read yet
    int64_t not_before;  // in memory only: its agent said that no window is open; not sent before
    bool has_progress;   // in memory only, the newest wins
    int64_t progress_ms; // monotonic, when it came
    Drover__V1__Progress *progress;
};

enum dr_stage_order { DR_STAGE_ORDER_UNKNOWN, DR_STAGE_BY_NAME, DR_STAGE_UNORDERED };

struct dr_rollout_stage {
    char environment[DR_ENVIRONMENT_MAX];
    Drover__V1__Mode mode; // of the rollout, or PROVE where the policy asks for it
    struct dr_rollout_target *targets;
    size_t n_targets;
    char hold[DR_ROLLOUT_TEXT_MAX]; // why nothing more of it starts; "": it does
    uint32_t soaking_wave;          // 0: none
    int64_t soaks_until;
    uint32_t promoted_wave; // a person, or at the end its probes, ended the soak of this wave then
    int64_t promoted_at;
    bool has_gates_seen;       // in memory only: its gates were looked at when other environments
    uint8_t gates_seen[32];    // had said this last
    enum dr_stage_order order; // of the targets, for dr_rollout_find
};

struct dr_rollout_plan {
    Drover__V1__Engine engine;
    uint8_t sha256[32];
};

struct dr_rollout {
    uint64_t number;
    char id[24]; // "R-1"
    struct dr_rollout_plan plans[DR_ROLLOUT_PLANS_MAX];
    size_t n_plans;
    Drover__V1__Mode mode;
    Drover__V1__OnFailure on_failure;
    char remedy[DR_ROLLOUT_TEXT_MAX]; // REMEDY: the section's name
    char from[68], to[68], created_by[DR_TARGET_NAME_MAX], message[DR_ROLLOUT_TEXT_MAX];
    int64_t created;
    bool is_paused, is_aborted;
    char pause_reason[DR_ROLLOUT_TEXT_MAX];
    char after[24], after_item[DR_ENVIRONMENT_MAX]; // what has to be done and signed before; ""
    char undo_of[24];                               // what is taken back; ""
    struct dr_rollout_stage *stages;
    size_t n_stages;
    uint64_t log_index; // the last entry about it
    bool is_dirty;      // not stored yet
};

// What follows from the targets.
enum dr_rollout_state {
    DR_ROLLOUT_PENDING,   // not begun
    DR_ROLLOUT_PREPARING, // agents prepare
    DR_ROLLOUT_WAITING,   // people are to act: approval, sign-off
    DR_ROLLOUT_RUNNING,
    DR_ROLLOUT_FAILED, // at least one target needs a decision
    DR_ROLLOUT_PAUSED,
    DR_ROLLOUT_DONE, // "applied", or "reverted" for DOWN
    DR_ROLLOUT_ABORTED,
};
enum dr_rollout_state dr_stage_state(const struct dr_rollout_stage *stage);
// Has every target succeeded, while the last wave still soaks?
bool dr_stage_is_soaking(const struct dr_rollout_stage *stage);
// Of the whole: its current stage's, unless it is paused or was aborted.
enum dr_rollout_state dr_rollout_state(const struct dr_rollout *rollout);
// "pending", ...; what is done is "applied" or, on the way down, "reverted".
const char *dr_rollout_state_name(enum dr_rollout_state state, Drover__V1__Mode mode);
// Has an end not been reached? A done or aborted rollout with nothing at work is closed.
bool dr_rollout_is_open(const struct dr_rollout *rollout);
// The stage that is at work or waits; the last one when all are done.
const struct dr_rollout_stage *dr_rollout_current(const struct dr_rollout *rollout);
// Targets that wait are looked at again at the next tick: when to try what could not be sent again
// is not stored.
void dr_rollout_retry_all(struct dr_rollout *rollout);
// The mode that runs in a stage, and the plan for an engine (NULL: none).
const struct dr_rollout_plan *
dr_rollout_plan(const struct dr_rollout *rollout, Drover__V1__Engine engine);
struct dr_rollout_target *dr_rollout_find(struct dr_rollout *rollout, const char *target,
                                          struct dr_rollout_stage **out_stage);

// Stages and targets zeroed, for filling in; NULL without memory. Freed with dr_rollout_free.
struct dr_rollout *dr_rollout_new(size_t n_stages);
DR_MUST_CHECK bool dr_stage_reserve(struct dr_rollout_stage *stage, size_t n_targets);
void dr_rollout_free(struct dr_rollout **rollout);

// The message of a rollout, in `arena`: what is stored and, with more filled in, what travels.
// DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_rollout_message(const struct dr_rollout *rollout, struct dr_arena *arena,
                   Drover__V1__Rollout **out, struct dr_err *err);
// The same for lists: environments without their targets, and in `reason` what stops it.
// DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_rollout_brief(const struct dr_rollout *rollout, struct dr_arena *arena,
                                          Drover__V1__Rollout **out, struct dr_err *err);
// Back from the stored bytes. DR_E_STORE.
DR_MUST_CHECK enum dr_rc
dr_rollout_unpack(struct dr_bytes bytes, struct dr_rollout **out, struct dr_err *err);

#endif
