// State: what an agent must not forget, in one SQLite file (rollback journal, synchronous=EXTRA,
// mode 0600): pushes taken, the open READY of each target, approvals consumed, runs not finished,
// attestations not delivered, the attestation counter, the last ledger heads, stops shown. Every
// call is durable when it returns DR_OK, or changed nothing.
#ifndef DR_AGENT_STATE_H
#define DR_AGENT_STATE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "trust/attest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_AGENT_STATE_VERSION 3
#define DR_AGENT_STATE_FILE    "agent.db"
#define DR_AGENT_SENT_MAX      1000             // attestations that are kept after they were taken
#define DR_AGENT_TASK_MAX      (32u * 1048576u) // bytes of one task's body
#define DR_AGENT_TASKS_MAX     16u              // waiting per target
#define DR_AGENT_SEEN_MAX      256              // ids of pushes remembered
#define DR_AGENT_STOPS_MAX     512              // stops remembered; beyond it they are refused
#define DR_AGENT_STOPS_PERSON  64               // of one person: nobody uses up the others' room
#define DR_AGENT_KNOWN_MAX     512              // plans that may still run, looked at by add_stop
#define DR_AGENT_OUTBOX_MAX    10000            // beyond it REFUSED and STATE are no longer added

struct dr_agent_state;

// Opens (and makes) `folder`/agent.db. DR_E_AGENT_STATE_NEWER, DR_E_AGENT_STATE (damaged, not
// writable). Two processes may have it open: each call is one transaction.
DR_MUST_CHECK enum dr_rc
dr_agent_state_open(const char *folder, struct dr_agent_state **out, struct dr_err *err);
void dr_agent_state_close(struct dr_agent_state **state);

// ------------------------------------------------------------------------------------------------------------
// pushes

// Work for one target, kept until it is done.
struct dr_agent_task {
    int64_t id; // 0: none
    uint64_t seq;
    int kind; // Drover__V1__PushKind
    const char *target;
    struct dr_bytes body;
};
// Notes a push as taken and, when `task->target` is not NULL, queues it: a newer PREPARE takes the
// place of a waiting one of its target. `*out_is_new` false: this id was taken before. DR_E_LIMIT
// when too much waits.
DR_MUST_CHECK enum dr_rc
dr_agent_state_take(struct dr_agent_state *state, uint64_t seq, struct dr_bytes id,
                    const struct dr_agent_task *task, bool *out_is_new, struct dr_err *err);
// Sequence number of the last push taken; 0: none.
DR_MUST_CHECK enum dr_rc
dr_agent_state_after_seq(struct dr_agent_state *state, uint64_t *out, struct dr_err *err);
// The oldest task of `target` (in the arena); out->id 0 when none waits.
DR_MUST_CHECK enum dr_rc
dr_agent_state_next_task(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                         struct dr_agent_task *out, struct dr_err *err);
// Drops a task without a word; 0 is accepted.
DR_MUST_CHECK enum dr_rc
dr_agent_state_drop_task(struct dr_agent_state *state, int64_t id, struct dr_err *err);
// Drops the tasks of `target` but the one with id `but` (0: all).
DR_MUST_CHECK enum dr_rc
dr_agent_state_drop_waiting(struct dr_agent_state *state, const char *target, int64_t but,
                            struct dr_err *err);
// Drops the tasks of targets that are not among the `n` names.
DR_MUST_CHECK enum dr_rc
dr_agent_state_drop_foreign(struct dr_agent_state *state, const char *const *targets, size_t n,
                            struct dr_err *err);

// Orders about backups wait here until they are answered, the oldest first; of more than
// DR_AGENT_ORDERS_MAX of one target the newest stay. `body` is a packed Order.
#define DR_AGENT_ORDERS_MAX 16u
struct dr_agent_kept_order {
    int64_t place;   // 0: none
    unsigned starts; // how often it was begun
    struct dr_bytes body;
};
DR_MUST_CHECK enum dr_rc dr_agent_state_add_order(struct dr_agent_state *state, const char *target,
                                                  struct dr_bytes body, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_next_order(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                          struct dr_agent_kept_order *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_start_order(struct dr_agent_state *state, int64_t place, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_end_order(struct dr_agent_state *state, int64_t place, struct dr_err *err);

// -------------------------------------------------------------------------------------------------------
// what is known

// The payload of the open READY, or of the newest BACKUP; len 0 when there is none. In the arena.
DR_MUST_CHECK enum dr_rc
dr_agent_state_ready(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                     struct dr_bytes *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_backup(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                      struct dr_bytes *out, struct dr_err *err);
// Drops open READYs: of `target`, or all (NULL). `*out_count` how many.
DR_MUST_CHECK enum dr_rc dr_agent_state_disarm(struct dr_agent_state *state, const char *target,
                                               uint32_t *out_count, struct dr_err *err);

// What the agent saw when it last changed the target, after a synchronous commit.
struct dr_agent_record {
    bool exists;
    uint8_t ledger_head[32];
    uint64_t position;
    uint8_t fingerprint[32]; // zeros: a failed run could not read it
    char what[256]; // what the last row was for, for people; "" when an older version wrote it
};
DR_MUST_CHECK enum dr_rc dr_agent_state_record(struct dr_agent_state *state, const char *target,
                                               struct dr_agent_record *out, struct dr_err *err);

// The text of the fingerprint that a record has, as NUL-terminated text in the arena; NULL: not
// kept, or of another fingerprint than `fingerprint`.
DR_MUST_CHECK enum dr_rc
dr_agent_state_schema(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                      const uint8_t fingerprint[32], const char **out, struct dr_err *err);
// The text of the schema that a rehearsal ended with, `sha256` being its record's payload digest;
// as above. Of each target the newest is kept.
DR_MUST_CHECK enum dr_rc
dr_agent_state_rehearsed(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                         const uint8_t sha256[32], const char **out, struct dr_err *err);
// When it was, unix seconds; 0: not known.
DR_MUST_CHECK enum dr_rc
dr_agent_state_rehearsed_at(struct dr_agent_state *state, const char *target,
                            const uint8_t sha256[32], int64_t *out, struct dr_err *err);
// The drift that was reported last and is not gone.
struct dr_agent_drift {
    bool exists;
    uint8_t fingerprint[32]; // found
    int64_t since;           // unix seconds, when it was first seen
};
DR_MUST_CHECK enum dr_rc dr_agent_state_drift(struct dr_agent_state *state, const char *target,
                                              struct dr_agent_drift *out, struct dr_err *err);

// A verified VETO, CANCEL, FREEZE or LIFT as it came; everything is borrowed.
struct dr_agent_stop {
    const uint8_t *sha256; // of the payload
    const char *person;    // who signed it; of several the first of the root
    const Drover__V1__Signoff *msg;
    struct dr_bytes envelope;
};
// What decides whether a stop may still be needed.
struct dr_agent_known {
    int64_t now;        // unix seconds
    int64_t approval_s; // how long an approval of this environment lives at most
    size_t n_plans;     // with an open READY, or under way
    uint8_t plans[DR_AGENT_KNOWN_MAX][32];
};
// Remembers it; a known one is no error. Nothing that may still be needed makes room: when a
// person's room is used up, only that person's own expired and lifted stops go, and a VETO or
// CANCEL when its plan is not known here and every approval from before it has expired.
// DR_E_LIMIT: there is no room, it is not remembered.
DR_MUST_CHECK enum dr_rc
dr_agent_state_add_stop(struct dr_agent_state *state, const struct dr_agent_stop *stop,
                        const struct dr_agent_known *known, struct dr_err *err);
// The envelopes of all of them, in the order in which they came; in the arena.
DR_MUST_CHECK enum dr_rc
dr_agent_state_stops(struct dr_agent_state *state, struct dr_arena *arena,
                     ProtobufCBinaryData **out, size_t *out_n, struct dr_err *err);

// --------------------------------------------------------------------------------------------------------------
// runs

// A consumed approval whose run is not reported yet. `spec` is a packed WorkerRun without the
// plan's bytes.
struct dr_agent_run {
    bool exists;
    uint8_t approval_sha256[32], ready_sha256[32];
    struct dr_bytes ready; // payload
    struct dr_bytes spec;
    int64_t started; // unix seconds
    uint32_t attempts;
};
// Consumes the open READY `run->ready_sha256` of `target` and notes the run, in one transaction:
// after this the approval is used up for ever. DR_E_NO_READY when that READY is no longer open
// (disarmed, consumed), DR_E_AGENT_CONSUMED when the READY or the approval was consumed before,
// DR_E_AGENT_STATE when it cannot be written: then nothing may run.
DR_MUST_CHECK enum dr_rc
dr_agent_state_consume(struct dr_agent_state *state, const char *target,
                       const struct dr_agent_run *run, int64_t task, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_run(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                   struct dr_agent_run *out, struct dr_err *err);
// Counts one more attempt of the target's run, or (-1) takes one back that did not get to begin.
DR_MUST_CHECK enum dr_rc dr_agent_state_attempt(struct dr_agent_state *state, const char *target,
                                                int change, struct dr_err *err);

// ------------------------------------------------------------------------------------------------------------
// reports

struct dr_agent_outgoing {
    uint8_t sha256[32]; // of the payload
    struct dr_bytes envelope;
    int kind; // Drover__V1__AttestationKind
};
// Text of a fingerprint (that of the record); len 0 when it is not known.
struct dr_agent_schema {
    uint8_t fingerprint[32];
    struct dr_bytes text;
};
// The schema that a rehearsal ended with; len 0: too long to be kept.
struct dr_agent_rehearsed {
    uint8_t sha256[32]; // payload digest of the record
    int64_t time;       // unix seconds
    struct dr_bytes text;
};
// Attestations and what changes with them: one transaction.
struct dr_agent_change {
    const char *target;
    const struct dr_agent_outgoing *outgoing;
    size_t n_outgoing;
    struct dr_attest_state attest; // after the last of them
    struct dr_bytes ready; // payload: becomes the open READY in place of an older one; len 0: none
    uint8_t ready_sha256[32];
    struct dr_bytes backup;                     // payload: becomes the newest BACKUP; len 0: none
    const struct dr_agent_record *record;       // NULL: stays
    const struct dr_agent_schema *schema;       // NULL: stays
    const struct dr_agent_drift *drift;         // NULL: stays; one that does not exist: gone
    const struct dr_agent_rehearsed *rehearsed; // NULL: stays
    bool drops_ready; // the state changed: what was signed over it is void
    bool ends_run;
    int64_t ends_task;  // 0: none
    int64_t ends_order; // 0: none
};
DR_MUST_CHECK enum dr_rc
dr_agent_state_commit(struct dr_agent_state *state, const struct dr_agent_change *change,
                      struct dr_err *err);
// The outbox signed again, in order: `old` are the digests that the new ones replace; an open READY
// among them is replaced along (`payloads`).
struct dr_agent_renewal {
    size_t n;
    uint8_t (*old)[32];
    struct dr_agent_outgoing *outgoing;
    struct dr_bytes *payloads;
    struct dr_attest_state attest;
};
DR_MUST_CHECK enum dr_rc
dr_agent_state_renew(struct dr_agent_state *state, const struct dr_agent_renewal *renewal,
                     struct dr_err *err);
// The signing key before the one that is used now; zeros: there was none.
DR_MUST_CHECK enum dr_rc
dr_agent_state_former_key(struct dr_agent_state *state, uint8_t out[32], struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_agent_state_set_former_key(struct dr_agent_state *state,
                                                       const uint8_t key[32], struct dr_err *err);
// Where the counter stands; zeros: the next attestation begins an epoch.
DR_MUST_CHECK enum dr_rc dr_agent_state_attest(struct dr_agent_state *state,
                                               struct dr_attest_state *out, struct dr_err *err);

// The first attestation in the outbox behind place `after` (0: the first of all), in the arena.
// `*out_place` 0: none.
DR_MUST_CHECK enum dr_rc
dr_agent_state_outbox_next(struct dr_agent_state *state, struct dr_arena *arena, int64_t after,
                           int64_t *out_place, struct dr_agent_outgoing *out, struct dr_err *err);
// The coordinator has it: it is kept among the last DR_AGENT_SENT_MAX, should that lose it. An
// unknown digest is no error.
DR_MUST_CHECK enum dr_rc dr_agent_state_outbox_done(struct dr_agent_state *state,
                                                    const uint8_t sha256[32], struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_outbox_count(struct dr_agent_state *state, int64_t *out, struct dr_err *err);
// Puts what was sent into the outbox again; a coordinator that has it takes it once more without
// harm.
DR_MUST_CHECK enum dr_rc
dr_agent_state_send_again(struct dr_agent_state *state, struct dr_err *err);
// The last head of the coordinator's log that was shown; index 0: none.
DR_MUST_CHECK enum dr_rc dr_agent_state_log_head(struct dr_agent_state *state, uint64_t *out_index,
                                                 uint8_t out_hash[32], struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_agent_state_set_log_head(struct dr_agent_state *state, uint64_t index,
                                                     const uint8_t hash[32], struct dr_err *err);

#endif
