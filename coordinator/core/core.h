// Core: the coordinator's whole state, owned by the loop thread. It stores and forwards what others
// signed, and schedules; nothing that it says is believed by an agent.
//
// A handler that changes something: dr_core_begin, the changes, dr_core_end (which commits, or puts
// everything back), then the reply. Streams are fed after the commit.
#ifndef DR_CORE_CORE_H
#define DR_CORE_CORE_H

#include "coordinator/core/config.h"
#include "coordinator/core/directory.h"
#include "coordinator/core/events.h"
#include "coordinator/core/rollout.h"
#include "coordinator/core/store.h"
#include "rpc/server.h"
#include "trust/store.h"

#include <uthash.h>

#define DR_CORE_TICK_MS         1000
#define DR_AGENT_AWAY_MS        10000 // away for so long during a run: unreachable
#define DR_STATE_ASK_AGAIN_S    30
#define DR_OFFERS_MAX           256u // enrolment offers noted per start
#define DR_CORE_PLANS_CACHED    4u
#define DR_CORE_EVIDENCE_CACHED 8u // environments
#define DR_CORE_VIEWS_KEPT      8u // environments that are watched at work
#define DR_REPLY_MEMORY_MAX     (160u << 20)

struct dr_attestation;
struct dr_latest;
struct dr_order_progress;
struct dr_push_cache;
struct dr_signoff;
struct dr_verified;
struct dr_view_kept;

// The body of a push that lies as a blob until it is acknowledged.
struct dr_agent_blob {
    struct dr_agent_blob *next;
    uint64_t seq;
    uint8_t sha256[32];
};

// A connected, or once connected, agent.
struct dr_agent {
    UT_hash_handle hh;
    char name[DR_ENVIRONMENT_MAX];
    struct dr_core *core;
    struct dr_call *watch; // NULL: not connected
    uint64_t stream;       // what the agent calls its watch
    uint64_t sent_seq;     // last push sent on this stream
    int64_t last_seen;     // unix seconds; 0: never since the start
    int64_t away_ms;       // monotonic: since when it is not connected
    bool has_mail;         // something may be there to send
    // The chain that it says it holds, and the one that it was sent on this stream with push
    // chain_seq.
    bool has_held_chain, has_sent_chain;
    uint8_t held_chain[32], sent_chain[32];
    uint64_t chain_seq, root_version;
    struct dr_loghash shown; // the log's head that it was shown last
    struct dr_agent_blob *blobs;
    char version[64], host[128], address[64];
    uint8_t instance[16], before[16]; // of the process that is connected, and of the one before it
    bool is_copied;                   // two processes take turns with one key
};

// A person who watches a rollout, or all of them ("").
struct dr_watcher {
    struct dr_watcher *next;
    struct dr_core *core;
    struct dr_call *call;
    char rollout[24];
    uint64_t sent_index; // last log entry sent
    int64_t progress_sent_ms;
    int64_t view_due_ms; // until then no view of the rollout is sent to it
    bool has_progress;   // a target's progress changed since
};

// Verified under the current root and fleet, for the gates of one environment.
struct dr_evidence {
    struct dr_attestation *attestations;
    size_t n_attestations;
    struct dr_signoff *signoffs;
    size_t n_signoffs;
};

struct dr_evidence_cached {
    struct dr_arena *arena;
    char environment[DR_ENVIRONMENT_MAX];
    uint64_t version; // of core->evidence_version
    struct dr_evidence evidence;
};

struct dr_enroll;

struct dr_cached_plan {
    uint8_t sha256[32];
    struct dr_arena *arena;
    Drover__V1__Plan *plan;
};

#define DR_CORE_TICK_FAILED 16u // that are told of once; more are told of each time

struct dr_core {
    struct dr_config config;
    struct dr_store *store;
    struct dr_events *events;
    struct dr_trust_store *trust_store;
    const struct dr_trust *trust;
    struct dr_directory *directory;
    struct dr_rollout **rollouts; // by number, closed ones too
    size_t n_rollouts, rollouts_cap;
    struct dr_agent *agents;
    struct dr_watcher *watchers;
    struct dr_rpc_server *server;
    struct dr_push_cache *push_cache;
    struct dr_latest *latest;                 // by target
    struct dr_order_progress *order_progress; // by target
    struct dr_verified *verified;             // envelopes, by their digests
    struct dr_view_kept *views;               // DR_CORE_VIEWS_KEPT of them, or NULL
    struct dr_grant *grants;                  // files of each plan, by its digest
    struct dr_evidence_cached evidence[DR_CORE_EVIDENCE_CACHED];
    size_t next_evidence;
    uint64_t evidence_version; // counts what changes evidence: attestations, sign-offs, trust
    struct dr_cached_plan plans[DR_CORE_PLANS_CACHED];
    size_t next_plan;
    bool must_recheck;   // keys changed: look at every connection again
    int64_t feed_due_ms; // when a watcher that has to wait is fed; 0: none waits
    uint32_t offers;
    struct dr_enroll *enroll; // NULL: none offered yet
    uint64_t
        tick_failed[DR_CORE_TICK_FAILED]; // rollouts whose timed steps fail, by number; 0: none
    int64_t last_tick_ms, last_sweep_ms, started_ms;
};

// Opens store, log and trust, adopts what trust holds and the store does not, listens. `config` is
// copied.
DR_MUST_CHECK enum dr_rc
dr_core_open(const struct dr_config *config, struct dr_core **out, struct dr_err *err);
void dr_core_close(struct dr_core **core);
// Descriptor to poll, and how long to wait at most.
int dr_core_fd(const struct dr_core *core);
int dr_core_timeout_ms(const struct dr_core *core);
// Handles what is due: calls, pushes, timers. Does not block but for the disk.
void dr_core_step(struct dr_core *core);
uint16_t dr_core_port(const struct dr_core *core);
// Takes up the root and fleet files of the configuration again (SIGHUP): newer ones become current.
DR_MUST_CHECK enum dr_rc dr_core_reload(struct dr_core *core, struct dr_err *err);

// ---- for the
// modules of the core

DR_MUST_CHECK enum dr_rc dr_core_begin(struct dr_core *core, struct dr_err *err);
// Stores changed rollouts and commits when `rc` is DR_OK, else takes everything back. Returns what
// holds then.
DR_MUST_CHECK enum dr_rc dr_core_end(struct dr_core *core, enum dr_rc rc, struct dr_err *err);
// Ends a mutating call: records the reply within the transaction, commits, replies or fails, feeds
// the streams.
void dr_core_answer(struct dr_core *core, struct dr_call *call, enum dr_rc rc,
                    const ProtobufCMessage *reply, struct dr_err *err);
// Fails a call and logs what deserves it.
void dr_core_fail(struct dr_core *core, struct dr_call *call, const struct dr_err *err);

// Verifies and takes a root, fleet (with leaves) or chain as the current one; every agent is told.
// The caller has a transaction open. `*out_changed` false: it was held already.
DR_MUST_CHECK enum dr_rc
dr_core_trust_update(struct dr_core *core, const Drover__V1__TrustUpdate *update, bool *out_changed,
                     struct dr_err *err);

// The decoded plan of a blob; lives until a few others were asked for. DR_E_BLOB_MISSING, and as
// dr_plandoc_decode.
DR_MUST_CHECK enum dr_rc dr_core_plan(struct dr_core *core, const uint8_t sha256[32],
                                      const Drover__V1__Plan **out, struct dr_err *err);

// Builds the directory of what trust holds now.
DR_MUST_CHECK enum dr_rc dr_core_index_trust(struct dr_core *core, struct dr_err *err);
// All rollouts from the store into memory; and out of memory.
DR_MUST_CHECK enum dr_rc dr_core_load_rollouts(struct dr_core *core, struct dr_err *err);
void dr_core_drop_rollouts(struct dr_core *core);

// The rollout of an id; NULL when there is none.
struct dr_rollout *dr_core_rollout(struct dr_core *core, const char *id);
// Takes `rollout` over. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_core_add_rollout(struct dr_core *core, struct dr_rollout **take, struct dr_err *err);
// The connection record of an agent, made if missing; NULL without memory.
struct dr_agent *dr_core_agent(struct dr_core *core, const char *name);

// The routes of all services. api_*.c
const struct dr_rpc_route *dr_core_routes(size_t *out_count);

#endif
