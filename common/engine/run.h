// The engine: runs a plan over one target, the same for agent and command line.
//
// A handle holds one open target. `dr_engine_state` and `dr_engine_preflight` only read;
// `dr_engine_run` takes the locks, works, and leaves a state that the ledger tells whatever
// happens. One thread at a time; calls block.
#ifndef DR_ENGINE_RUN_H
#define DR_ENGINE_RUN_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "engine/driver.h"
#include "engine/ledger.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_engine;

// A place in a run, for people who watch. Lives for the call; never row data.
struct dr_engine_progress {
    Drover__V1__Mode direction; // UP or DOWN
    const char *revision_id;
    size_t revision, revisions; // 1-based, and how many there are to do in this direction
    size_t unit, units;         // 1-based, of this revision
    size_t statement;           // 1-based
    size_t statements;
    uint64_t elapsed_ms; // of this unit
    uint32_t attempt;    // 1-based
    bool done;           // the unit is done
    size_t blockers_count;
    const struct dr_blocker *blockers;
    const struct dr_server_progress *server; // NULL: the server was not asked
};

// Gives a revision file's bytes, found by SHA-256; they stay valid until the run ends. The engine
// checks the digest.
typedef enum dr_rc (*dr_engine_file_fn)(void *arg, const uint8_t sha256[32], const char **out_bytes,
                                        size_t *out_len, struct dr_err *err);

// `{0}` plus url is a valid start; every time that is 0 gets its default.
struct dr_engine_options {
    const char *url;
    const char *schema;       // NULL: ""
    const char *tenant;       // NULL: ""
    const char *target;       // name of the target; NULL: "direct"
    const char *environment;  // for `only=`; NULL: sections with `only` are left out
    const char *owner;        // the agent's name; NULL: direct mode, which refuses an owned ledger
    const uint8_t *owner_key; // 32 bytes, the agent's signing key; NULL in direct mode
    // Opening does not wait for the server, which is asked who it is only when something is to be
    // run: what open would have said is said by the first call that needs the connection.
    bool is_lazy;
    bool keeps_alembic;          // alembic_version follows the ledger: engine/alembic.h
    const char *const *tolerate; // patterns that fingerprints leave out (fingerprint.h); borrowed
    size_t tolerate_count;       // until close
    bool observes;               // fill `touched` of units: on a copy only, since it costs
    uint64_t connect_timeout_ms; // 10 s
    uint64_t lock_wait_ms;       // how long another runner is waited for: 0 is not at all
    uint64_t retry_budget_ms;    // for lock time-outs of one unit, all tries together: 60 s
    uint64_t recover_timeout_ms; // for an unknown COMMIT: 60 s
    int cancel_fd;               // readable: stop in a true state; 0 or -1: none
    int stop_fd; // readable: no unit begins any more, and the one at hand has stop_grace_ms to end;
                 // 0 or -1: none
    uint64_t stop_grace_ms; // 0 is none
    uint64_t max_block_ms;  // how long other sessions may wait for a unit's locks before it is
                            // cancelled: 5 s; UINT64_MAX: any time
    void (*progress)(void *arg, const struct dr_engine_progress *progress);
    void *progress_arg;
};

struct dr_engine_state;

// What is to be done. Everything is borrowed for the call.
struct dr_engine_job {
    const Drover__V1__Plan *plan;
    Drover__V1__Mode mode; // UP, DOWN, PROVE, STAMP, UNSTAMP, REMEDY
    uint8_t plan_sha256[32];
    const uint8_t *approval_sha256; // NULL: direct mode
    const char *remedy;             // REMEDY: the section's name
    const uint8_t *expect_head; // ledger head as in READY; NULL: any. DR_E_STATE_CHANGED otherwise
    const uint8_t *expect_fingerprint; // NULL: any
    bool with_fingerprints;            // fill the result's fingerprints (PROVE always does)
    bool owns;                 // the options' owner becomes the ledger's, once `begin` has agreed
    bool take_over;            // with `owns`: also when another agent owns it now
    const uint8_t *former_key; // with `owns`: 32 bytes, the same owner's key before; NULL: none
    dr_engine_file_fn file;
    void *file_arg;
    // This process compiled the plan from the very bytes that `file` gives, so that digests and
    // places in them are not worked out a second time. Never for a plan that came from elsewhere.
    bool is_own_plan;
    // The caller has just seen that there is something to do: the lock is taken without a look
    // before. `seen_position`: the ledger's, as the caller saw it.
    bool has_work;
    uint64_t seen_position;
    // Called once, with the locks held, when everything above was checked and before anything is
    // written: the agent consumes its approval here. Anything but DR_OK ends the run with that
    // error, nothing ran. NULL: none.
    enum dr_rc (*begin)(void *arg, const struct dr_engine_state *found, struct dr_err *err);
    void *begin_arg;
};

struct dr_engine_head {
    const char *id;
    uint8_t digest[32];
};

// What a target is, read without a lock.
struct dr_engine_state {
    struct dr_identity identity;
    bool has_ledger;
    const char *owner; // "" when none
    uint8_t owner_key[32];
    size_t heads_count;
    struct dr_engine_head *heads;
    uint64_t position;
    uint8_t ledger_head[32];
    uint8_t fingerprint[32];
    const char *fingerprint_text; // what it was made from
    bool is_partial;              // some revision is half done: its units are in `ledger.units`
    bool has_key_a;               // for `begin`: key A is held
    bool saw_key_b; // for `begin`: key B could be had while A was: no old backend is committing.
                    // It is given back; each unit takes it in its own transaction
    struct dr_ledger_view ledger; // every revision that is there
};

// A unit that this run did.
struct dr_engine_unit {
    const char *revision_id;
    uint8_t revision_digest[32];
    uint8_t unit_digest[32];
    Drover__V1__Mode mode; // UP or DOWN
    int64_t finished;      // unix seconds
    uint64_t duration_ms;
    uint32_t retries;
    const char *leaks; // session state that was reset after it; ""
    size_t touched_count;
    const struct dr_touched *touched;
};

enum dr_engine_outcome {
    DR_ENGINE_NOTHING = 1, // there was nothing to do
    DR_ENGINE_DONE = 2,    // all of it is done and flushed
    DR_ENGINE_ROLLED_BACK =
        3, // stopped; every unit is done or not, the failing one left nothing behind
    DR_ENGINE_REPAIR =
        4, // stopped; a unit outside a transaction is in doubt, or a check after the fact failed
};

// Filled also when the run fails, as far as it came. All in the arena given to the call.
struct dr_engine_result {
    enum dr_engine_outcome outcome;
    size_t heads_count;
    struct dr_engine_head *heads;
    uint64_t position;
    uint8_t ledger_head[32];
    uint8_t fingerprint_before[32], fingerprint_after[32]; // zero unless asked for
    const char *fingerprint_text; // what fingerprint_after was made from; NULL: was not read
    uint8_t fingerprint_up[32], fingerprint_down[32]; // PROVE: after the first up, after the down
    // PROVE: what a revision without a way back needs goes up once, before the proof begins. Its
    // units come first, then the schema and the heads that the proof begins from.
    size_t fixed_units;
    uint8_t fingerprint_fixed[32];
    size_t fixed_heads_count;
    struct dr_engine_head *fixed_heads;
    bool proved; // PROVE: down gave before (or `fixed`), and the second up the first
    size_t units_count;
    struct dr_engine_unit *units;
    size_t checks_count; // preflights and verify sections that ran
    struct dr_check_result *checks;
    int64_t started, finished; // unix seconds
    uint64_t duration_ms;
    uint32_t retries;
    char sqlstate[6];            // of the failure; "" when none
    char detail[DR_DETAIL_MAX];  // its message without row data: may be reported
    char words[DR_WORDS_MAX];    // direct mode only: the server's own, in full, for who is there
    const char *failed_revision; // "" when none
    uint32_t failed_line;        // in that revision's file; 0: none
    size_t blockers_count;
    struct dr_blocker blockers[DR_BLOCKERS_MAX];
};

// Connects. Errors: DR_E_DB_POOLER, DR_E_DB_STANDBY, DR_E_DB_VERSION, and those of the database
// door.
DR_MUST_CHECK enum dr_rc
dr_engine_open(const struct dr_engine_options *options, struct dr_engine **out, struct dr_err *err);
void dr_engine_close(struct dr_engine **engine);
// A run will come soon: begins what it needs (a second connection), without waiting. It can be
// left out; what fails is said by the run.
void dr_engine_foresee(struct dr_engine *engine);
void dr_engine_identity(const struct dr_engine *engine, struct dr_identity *out);

// Reads heads, ledger, flags, and (with_fingerprint) the catalog. `whole` checks every ledger row
// instead of the last.
DR_MUST_CHECK enum dr_rc
dr_engine_read_state(struct dr_engine *engine, struct dr_arena *arena, bool with_fingerprint,
                     bool whole, struct dr_engine_state *out, struct dr_err *err);
// The same, but of the ledger only what it costs little to know however long the chain is: owner,
// heads, position, and whether something is half done (its `ledger` has just these revisions).
DR_MUST_CHECK enum dr_rc dr_engine_read_heads(struct dr_engine *engine, struct dr_arena *arena,
                                              struct dr_engine_state *out, struct dr_err *err);

// Where the options keep alembic_version: DR_E_ALEMBIC_MOVED when it is not what the ledger says. A
// table that is not there says nothing.
DR_MUST_CHECK enum dr_rc
dr_engine_check_alembic(struct dr_engine *engine, struct dr_arena *arena, struct dr_err *err);

// Runs the preflight sections of what is pending in the job's direction, in READ ONLY transactions,
// before anybody has approved: each statement at most 5 s (its own time-out, up to 60 s), all of
// them 5 min. DR_E_PREFLIGHT_FORBIDDEN for one that is more than a question to built-in functions
// (sql/preflight.h); DR_E_PREFLIGHT_FAILED when one failed or erred; `*out` (array of `*out_count`,
// in the arena) is filled either way.
DR_MUST_CHECK enum dr_rc
dr_engine_preflight(struct dr_engine *engine, const struct dr_engine_job *job,
                    struct dr_arena *arena, struct dr_check_result **out, size_t *out_count,
                    struct dr_err *err);

// Does the job. Errors: DR_E_LOCKED, DR_E_LEDGER_OWNED, DR_E_LEDGER_NEWER, DR_E_LEDGER_TAMPERED,
// DR_E_STATE_CHANGED, DR_E_NOT_CONTIGUOUS, DR_E_REVISION_CHANGED, DR_E_NO_DOWN, DR_E_FILE_DIGEST,
// DR_E_FORBIDDEN_STATEMENT (nothing ran); DR_E_PREFLIGHT_FAILED (nothing of that revision ran);
// DR_E_ENGINE_FAILED, DR_E_VERIFY_FAILED, DR_E_LOCK_TIMEOUT, DR_E_BLOCKS_OTHERS, DR_E_INTERRUPTED
// (rolled back to the last whole unit); DR_E_COMMIT_UNKNOWN (the database stays away: the next run
// finds out); DR_E_NEEDS_REPAIR; DR_E_LEDGER_BEHIND (the server lost what it had confirmed). The
// error names file, line and column.
DR_MUST_CHECK enum dr_rc
dr_engine_run(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
              struct dr_engine_result *out, struct dr_err *err);

#endif
