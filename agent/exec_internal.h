// Inside exec's files only: the agent, its slots (one per target) and how its files call each
// other:
//   exec.c         opens, loops, closes
//   exec_keys.c    two pairs of keys, SIGHUP
//   exec_net.c     the net process, pushes in, attestations out
//   exec_push.c    what a push means
//   exec_blob.c    plans and revision files, fetched through net
//   exec_slot.c    one target's turn: events into steps, steps into actions
//   exec_drift.c   when to look for drift, and from what
//   exec_probe.c   when to ask probes, and which
//   exec_check.c   what has to hold before preflights and probes
//   exec_task.c    what a PREPARE and a BUNDLE need before a worker starts
//   exec_backup.c  orders about backups
//   exec_worker.c  starting, hearing and stopping workers
//   report.c       what is signed at the end
#ifndef DR_AGENT_EXEC_INTERNAL_H
#define DR_AGENT_EXEC_INTERNAL_H

#include "agent/config.h"
#include "agent/exec.h"
#include "agent/expiry.h"
#include "agent/pace.h"
#include "agent/pipe.h"
#include "agent/state.h"
#include "agent/step.h"
#include "base/arena.h"
#include "proto/pipe.pb-c.h"
#include "proto/service.pb-c.h"
#include "trust/store.h"
#include "trust/verify.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DR_SLOT_ARENA_MAX    (512u * 1048576u)
#define DR_SLOT_BLOBS_MAX    20001u // a plan and its files
#define DR_SLOT_ATTEMPTS_MAX 10u    // starts of one consumed run
#define DR_SLOT_ORDERS_MAX   5u     // starts of one order about backups
#define DR_SLOT_PREPARES_MAX 5u     // tries of one PREPARE
#define DR_SLOT_BURST_MAX    20u    // PREPAREs begun at once on one target, and then
#define DR_SLOT_PREPARE_MS   60000  // one more after each while: nobody signs a PREPARE
#define DR_SLOT_REFUSALS_MAX 30u    // REFUSED per target and minute; beyond it only the log says so
#define DR_EXEC_RETRY_MIN_MS 200
#define DR_EXEC_RETRY_MAX_MS 30000
#define DR_EXEC_STATE_MS     120000  // a look at a target
#define DR_EXEC_PREPARE_MS   3600000 // beside what a backup and its restore may take
#define DR_EXEC_PROGRESS_MS  500     // least time between two reports of a target
#define DR_EXEC_DRIFT_MAX_S  (366ull * 86400)
#define DR_EXEC_GRACE_MS     30000 // between STOP and SIGKILL
#define DR_EXEC_CALM_MS      30000 // net lived that long: its back-off starts again

struct dr_agent;

struct dr_agent_worker {
    bool is_there;
    pid_t pid;
    struct dr_pipe pipe;
    int64_t kill_at_ms; // on dr_monotonic_ms
    bool is_told_to_stop;
    Drover__V1__WorkerResult *result; // in the slot's arena
};

// What a person wants done with the target's backups. It waits in the state until it is answered.
struct dr_agent_order {
    int64_t place; // there
    char what[16]; // "take", "verify", "restore-test", "prune"; "": none
    uint8_t nonce[32];
    bool has_nonce, has_sha256;
    uint8_t sha256[32]; // of the backup that is meant
};

// One target and what is under way on it.
struct dr_agent_slot {
    struct dr_agent *agent;
    const struct dr_agent_target *target;
    enum dr_step_state state;
    struct dr_agent_worker worker;
    bool has_news;                   // look for work
    bool wants_state;                // a STATE is owed
    bool wants_probe;                // with answers to the policy's probes
    bool is_probing;                 // the look under way asks them
    int64_t probe_at_ms;             // not before
    int64_t drift_at_ms;             // when to look for drift again, where the policy asks for it
    struct dr_agent_order order_now; // under way
    bool has_orders;                 // there may be one in the state
    unsigned failures;
    int64_t retry_at_ms;
    int64_t progress_at_ms; // no report to net before
    int64_t refusals_since_ms;
    unsigned refusals;
    struct dr_pace_bucket prepares;

    // The work under way; all in the arena, which is new for each.
    struct dr_arena *arena;
    struct dr_agent_task task;
    struct dr_agent_run run; // exists: consumed
    bool gives_up;           // the run is only reported
    const Drover__V1__WorkerRun *spec;
    Drover__V1__Bundle *bundle;
    Drover__V1__Plan *plan;
    uint8_t plan_sha256[32];
    bool has_plan_sha256;
    uint8_t approval_sha256[32];
    bool has_approval_sha256;
    Drover__V1__Mode mode;
    const char *rollout;
    bool with_backup;
    uint8_t (*blobs)[32]; // needed
    size_t n_blobs;
    struct dr_err failure; // why, for a report
};

struct dr_agent_net {
    bool is_there, is_up;
    pid_t pid;
    struct dr_pipe pipe;
    int64_t started_ms, restart_at_ms;
    unsigned failures;
    uint64_t log_index; // of the log's head that its hello names
    uint8_t log_hash[32];
    int64_t sent_place; // in the outbox; 0: nothing is on its way
    uint8_t sent_sha256[32];
};

struct dr_agent_fetch {
    bool is_on;
    uint8_t sha256[32];
    int fd;
    uint64_t received;
    char part[PATH_MAX];
};

// Two pairs: that of the key files, and the one beside them that is to follow.
struct dr_agent_keys {
    struct dr_key signing[2], transport[2];
    bool has_next_signing, has_next_transport;
    unsigned signs, connects; // the index in use
};

struct dr_agent {
    const struct dr_agent_config *config;
    struct dr_agent_config *reloaded; // what `config` points to after a SIGHUP; NULL before
    struct dr_agent_keys keys;
    struct dr_trust_store *trust;
    struct dr_agent_state *state;
    char blob_folder[PATH_MAX];
    struct dr_agent_net net;
    struct dr_agent_fetch fetch;
    struct dr_agent_slot *slots;
    size_t n_slots;
    uint8_t instance[16]; // of this start: told to the coordinator, which notices a copied key
    struct dr_expiry expiry;
    uint64_t drift_every_ms; // of the trusted policy; 0: only on demand
    uint8_t tolerances[32];  // digest of the policy's
    int signal_fd;
    bool is_stopping;
    int64_t stop_at_ms;
};

// exec_net.c
void dr_exec_net_turn(struct dr_agent *agent);  // starts it when it is time, sends what is owed
void dr_exec_net_heard(struct dr_agent *agent); // its channel is readable or writable
void dr_exec_net_stop(struct dr_agent *agent);
// Another net process soon: what was handed over and not acknowledged comes again.
void dr_exec_net_again(struct dr_agent *agent);
// Push `seq` of a watch is kept: net acknowledges it, with the chain that is held now.
void dr_exec_net_done(struct dr_agent *agent, uint64_t seq, uint64_t stream);
void dr_exec_net_send(struct dr_agent *agent, Drover__V1__PipeKind kind, uint64_t number,
                      const uint8_t *digest, struct dr_bytes body);

// exec_keys.c
DR_MUST_CHECK enum dr_rc dr_exec_keys_load(struct dr_agent *agent, struct dr_err *err);
void dr_exec_keys_fini(struct dr_agent *agent);
const struct dr_key *dr_exec_signing_key(const struct dr_agent *agent);
const struct dr_key *dr_exec_transport_key(const struct dr_agent *agent);
// The public signing key that goes with the transport key in use, for an offer.
const uint8_t *dr_exec_offered_key(const struct dr_agent *agent);
// The key that signs, or the one that did before it.
bool dr_exec_is_own_key(struct dr_agent *agent, const uint8_t *key, size_t len);
// Changes over to the keys that the fleet names, when they are here.
void dr_exec_keys_choose(struct dr_agent *agent);
void dr_exec_keys_unknown(struct dr_agent *agent); // the coordinator does not know the one in use
void dr_exec_reload(struct dr_agent *agent);       // SIGHUP

// exec_push.c
void dr_exec_push(struct dr_agent *agent, const Drover__V1__PipeFrame *frame);

// exec_blob.c
bool dr_exec_blob_has(const struct dr_agent *agent, const uint8_t sha256[32]);
// Its bytes in the arena. DR_E_NOT_FOUND, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_exec_blob_read(const struct dr_agent *agent, struct dr_arena *arena, const uint8_t sha256[32],
                  struct dr_bytes *out, struct dr_err *err);
void dr_exec_blob_turn(struct dr_agent *agent); // asks net for the next one that a slot lacks
void dr_exec_blob_piece(struct dr_agent *agent, const Drover__V1__PipeFrame *frame);
void dr_exec_blob_missing(struct dr_agent *agent, const Drover__V1__PipeFrame *frame);
void dr_exec_blob_abort(struct dr_agent *agent); // net is gone

// exec_slot.c
struct dr_agent_slot *dr_exec_slot(struct dr_agent *agent, const char *target); // NULL: not ours
void dr_exec_slot_event(struct dr_agent_slot *slot, enum dr_step_event event);
// An error of this host, not of what was asked: tried again, never reported as a refusal.
bool dr_exec_is_local(enum dr_rc rc);
void dr_exec_slot_turn(struct dr_agent_slot *slot);
// Milliseconds until the slot wants a turn; INT64_MAX: never.
int64_t dr_exec_slot_due(const struct dr_agent_slot *slot, int64_t now_ms);

// exec_check.c
// Do root and fleet, which are there, still count, and does the fleet name this agent, its key and
// environment for the target? DR_E_NOT_IN_FLEET, ...
DR_MUST_CHECK enum dr_rc dr_exec_task_check_me(const struct dr_agent_slot *slot,
                                               const struct dr_trust *trust, struct dr_err *err);
// What has to hold before preflights of the slot's plan run without an approval.
DR_MUST_CHECK enum dr_rc
dr_exec_task_check_prepare(const struct dr_agent_slot *slot, struct dr_err *err);

// exec_task.c
// All that is needed before the files can be fetched; notes the blobs that are lacking.
DR_MUST_CHECK enum dr_rc dr_exec_task_begin(struct dr_agent_slot *slot, struct dr_err *err);
// Goes on as files arrive: `*out_is_whole` when nothing is lacking and everything verifies.
DR_MUST_CHECK enum dr_rc
dr_exec_task_go_on(struct dr_agent_slot *slot, bool *out_is_whole, struct dr_err *err);
// Runs all checks of the bundle now. The verdict is in the arena.
DR_MUST_CHECK enum dr_rc
dr_exec_task_verify(struct dr_agent_slot *slot, struct dr_verdict *out, struct dr_err *err);
// Compares what the worker found with the verdict, then consumes the approval.
DR_MUST_CHECK enum dr_rc
dr_exec_task_consume(struct dr_agent_slot *slot, const Drover__V1__WorkerResult *facts,
                     struct dr_err *err);
// The job of each kind, as the worker gets it; in the arena.
DR_MUST_CHECK enum dr_rc dr_exec_task_spec(struct dr_agent_slot *slot, Drover__V1__WorkerJob job,
                                           Drover__V1__WorkerRun **out, struct dr_err *err);

// exec_prepare.c: what only JOB_PREPARE is told: rehearsal, and what of it need not be done again.
DR_MUST_CHECK enum dr_rc
dr_exec_fill_prepare(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err);

// exec_drift.c
// What the trusted policy says of drift, after a start and whenever trust changed. Other tolerances
// make every target be looked at again.
void dr_exec_drift_policy(struct dr_agent *agent);
bool dr_exec_drift_is_due(const struct dr_agent_slot *slot, int64_t now_ms);
void dr_exec_drift_looked(struct dr_agent_slot *slot); // the next look comes after the interval
// What the target was left with, as the agent knows it.
struct dr_exec_known {
    struct dr_agent_record record; // its fingerprint under the tolerances that were given
    const char *text;              // of it, what is tolerated too; NULL: not kept
};
// In the slot's arena.
DR_MUST_CHECK enum dr_rc
dr_exec_known(struct dr_agent_slot *slot, char *const *tolerances, size_t n_tolerances,
              struct dr_exec_known *out, struct dr_err *err);

// exec_backup.c
// Takes an order about the target's backups; false when it is none.
bool dr_exec_backup_order(struct dr_agent_slot *slot, const Drover__V1__Order *order);
// The order that is next, begun: `slot->order_now`. False: there is none.
bool dr_exec_backup_next(struct dr_agent_slot *slot);
// How far a backup is to be proved and where, and the order under way.
DR_MUST_CHECK enum dr_rc
dr_exec_backup_spec(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err);

// exec_probe.c
bool dr_exec_probe_is_due(const struct dr_agent_slot *slot, int64_t now_ms);
// The probes that a look asks, when they are due.
DR_MUST_CHECK enum dr_rc
dr_exec_probe_fill(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err);

// exec_worker.c
DR_MUST_CHECK enum dr_rc
dr_exec_worker_start(struct dr_agent_slot *slot, const Drover__V1__WorkerRun *run,
                     int64_t timeout_ms, struct dr_err *err);
void dr_exec_worker_heard(struct dr_agent_slot *slot);
void dr_exec_worker_stop(struct dr_agent_slot *slot); // asks, later kills
void dr_exec_worker_kill(struct dr_agent_slot *slot); // at once, and waits for it
void dr_exec_worker_turn(struct dr_agent_slot *slot, int64_t now_ms);

// report.c: each builds attestations and commits them with all that changes along.
DR_MUST_CHECK enum dr_rc dr_report_state(struct dr_agent_slot *slot, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_report_ready(struct dr_agent_slot *slot, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_report_run(struct dr_agent_slot *slot, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_report_failed(struct dr_agent_slot *slot, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_report_refused(struct dr_agent_slot *slot, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_report_backup(struct dr_agent_slot *slot, struct dr_err *err);

// Signs what waits in the outbox again, in a new epoch that is flagged.
DR_MUST_CHECK enum dr_rc dr_report_new_epoch(struct dr_agent *agent, struct dr_err *err);

#endif
