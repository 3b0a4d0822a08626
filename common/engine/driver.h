// The contract of an engine driver. run.c decides what is to be done and in which order; a driver
// knows how one kind of database does it. PostgreSQL and SQLite pass the same suite
// (tests/contract/engine).
//
// One thread uses a driver at a time. Calls block up to their time-outs; a readable cancel_fd ends
// them with DR_E_INTERRUPTED in a known state. Texts are UTF-8.
#ifndef DR_ENGINE_DRIVER_H
#define DR_ENGINE_DRIVER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "engine/ledger.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_alembic_rows;
struct dr_drop;
struct dr_loss_list;
struct dr_driver; // begins with struct dr_driver_base

#define DR_BLOCKERS_MAX    8u
#define DR_DETAIL_MAX      256u
#define DR_WORDS_MAX       448u
#define DR_LEAKS_MAX       512u
#define DR_SAMPLE_MAX      100u   // rows of a failed check that are kept
#define DR_SAMPLE_CELL_MAX 200u   // bytes of one value of them
#define DR_CHECK_ROWS_MAX  10000u // rows of a check that are read
#define DR_STATEMENTS_MAX  1000000u

struct dr_blocker {
    int32_t pid;
    char application[64];
    char user[64];
    char state[32];
    char query[328]; // its first 80 characters; told only as dr_blocker_query shows it
    uint64_t age_ms; // of its transaction
    bool is_hidden;  // the server shows neither state, statement nor age to this role
};

// What the server itself says of a long statement. Counts are its own; where it has none, total is
// 0 and only what it waits for and the WAL written meanwhile (by all sessions) are told.
struct dr_server_progress {
    char phase[64]; // "building index: scanning table"; "" when it has no view for it
    char unit[16];  // of done and total: "blocks", "rows", "transactions"
    uint64_t done, total;
    char waits_for[80]; // "Lock relation", "IO DataFileRead"; "" when it computes
    uint64_t wal_bytes;
};

// What a driver tells while it waits; lives for the call.
struct dr_tick {
    size_t statement; // index in the unit
    uint64_t elapsed_ms;
    size_t blockers_count;
    const struct dr_blocker *blockers;
    const struct dr_server_progress *server; // NULL: not asked
};

struct dr_driver_options {
    const char *url;    // postgresql://..., or sqlite:PATH
    const char *schema; // PostgreSQL: schema of the tenant; "" is public. SQLite: ""
    const char *tenant; // key in the ledger; "" is the plain one
    const char *name;   // for application_name and messages: the target's name, or "direct"
    uint64_t connect_timeout_ms;
    uint64_t recover_timeout_ms; // how long an unknown COMMIT is looked into
    bool is_lazy;                // see struct dr_engine_options
    bool keeps_alembic;          // the same
    const char *const *tolerate; // the same
    size_t tolerate_count;
    int cancel_fd; // -1: none
    int stop_fd;   // readable: the unit at hand has stop_grace_ms left; -1: none
    uint64_t stop_grace_ms;
    uint64_t max_block_ms; // how long others may wait for a unit's locks; 0: any time
    bool observes; // what a unit locks is told with its result: on copies only, since it costs
    void (*tick)(void *arg,
                 const struct dr_tick *tick); // at most every 250 ms during a wait; may be NULL
    void *tick_arg;
};

struct dr_identity {
    char system_identifier[64]; // PostgreSQL: pg_control_system(); SQLite: drover's id in the file,
                                // "" before the first run
    char database[1024];        // name, or path
    char schema[64];
    char server_version[64]; // "15.20", "3.40.1"
    uint32_t server_number;  // 150020, 3040001
};

struct dr_statement {
    const char *text; // not NUL-terminated
    size_t len;
    uint32_t line; // in the revision's file, for errors
    Drover__V1__StatementClass class;
    bool
        is_marker; // not sent: it only says how the unit is to be run (SQLite: PRAGMA foreign_keys)
};

// A preflight or verify section.
struct dr_check {
    const char *name;
    const struct dr_statement *statements;
    size_t count;
    bool expect_empty;
    uint32_t max_ms; // slowest allowed; 0: any
    uint32_t sample; // rows kept when it fails
    uint32_t statement_timeout_ms;
    int64_t deadline_ms; // on dr_monotonic_ms(), for all of it; 0: none
    bool is_unapproved;  // nobody approved it: what it names must be the server's own or plain data
};

enum dr_check_verdict {
    DR_CHECK_PASSED = 1,
    DR_CHECK_FAILED = 2,   // a row was not true, or there were rows, or it was too slow
    DR_CHECK_ERROR = 3,    // the database refused a statement
    DR_CHECK_DEFERRED = 4, // an earlier pending revision makes what it names, or makes it true
};

struct dr_check_result {
    const char *name;
    enum dr_check_verdict verdict;
    uint64_t duration_ms;
    const char *reason; // for people; "" when passed. No row data
    const char *words;  // the database's own, in full: stays on this machine; NULL: none
    char sqlstate[6];
    size_t columns_count, rows_count; // sample; stays on this machine
    const char **columns;
    const char **cells; // rows_count * columns_count; NULL is NULL
};

// Change of the revision table that goes with a ledger row.
struct dr_ledger_change {
    const struct dr_ledger_row *row;
    bool touches;               // false (REMEDY): the revision table stays as it is
    enum dr_ledger_state state; // of the revision after this row; ignored when it goes away
    uint64_t since;             // see struct dr_ledger_revision
    bool removes;               // DOWN and completes
    bool is_head;               // after this row
    const char *const *demoted; // ids that stop being heads (parents of one that came)
    size_t demoted_count;
    const char *const *promoted; // ids that become heads (parents of one that went)
    size_t promoted_count;
    const char *const *depends; // ids that the revision depends on besides its parents
    size_t depends_count;
};

// One unit, ready to run.
struct dr_exec {
    const char *revision_id;
    const char *file; // name for errors
    const struct dr_statement *statements;
    size_t count;
    uint64_t lock_timeout_ms;      // 0: none
    uint64_t statement_timeout_ms; // 0: none
    uint64_t max_block_ms;         // instead of the options'; 0: theirs
    const struct dr_ledger_change *change;
    const struct dr_check *checks; // verify sections, run in a savepoint before COMMIT
    size_t checks_count;
    bool may_leak;          // look for session state that it left
    bool may_call;          // ask for settings, too, that functions left
    bool rebuilds;          // SQLite: foreign keys off outside, checked before COMMIT
    bool synchronous;       // flushed before the call returns
    struct dr_arena *arena; // for results
};

// A relation that was there before the unit and that it locked, strongest mode.
struct dr_touched {
    const char *table; // "public.users"; SQLite: "users"
    const char *lock;  // as pg_locks calls it: "AccessExclusiveLock"; SQLite: "EXCLUSIVE"
    bool is_rewritten; // its rows lie in another file, or on other pages, now
};
#define DR_TOUCHED_MAX 1000u // of one unit

struct dr_exec_result {
    bool committed;          // false: it is certain that nothing of it is there
    size_t failed_statement; // index; SIZE_MAX: none
    char sqlstate[6];
    uint64_t transaction;       // PostgreSQL's xid; 0: unknown
    char detail[DR_DETAIL_MAX]; // of a failure, without row data: may be reported
    char words[DR_WORDS_MAX];   // the server's own, in full: may hold row data, stays here
    char leaks[DR_LEAKS_MAX];   // session state that it left and that was reset; "" for none
    size_t blockers_count;      // seen during the last lock wait
    struct dr_blocker blockers[DR_BLOCKERS_MAX];
    size_t checks_count; // results of the verify sections that ran
    struct dr_check_result *checks;
    size_t touched_count; // where the options observe
    struct dr_touched *touched;
};

enum dr_probe_state {
    DR_PROBE_DONE = 1,    // its effect is there
    DR_PROBE_ABSENT = 2,  // nothing of it is there: run it
    DR_PROBE_DEBRIS = 3,  // half of it is there (an INVALID index): clean up, then run it
    DR_PROBE_UNKNOWN = 4, // nothing built in can tell
};

struct dr_driver_ops {
    const char *name; // "postgresql", "sqlite"

    // Connects and checks: DR_E_DB_POOLER, DR_E_DB_STANDBY, DR_E_DB_VERSION, connection errors.
    enum dr_rc (*open)(const struct dr_driver_options *options, struct dr_driver **out,
                       struct dr_err *err);
    void (*close)(struct dr_driver *driver);
    void (*identity)(const struct dr_driver *driver, struct dr_identity *out);

    // A lock will be taken soon: begins what that needs, without waiting, and says nothing.
    void (*foresee)(struct dr_driver *driver);
    // Key A: keeps other runners out until unlock or close. Polls up to `wait_ms`, then
    // DR_E_LOCKED.
    enum dr_rc (*lock)(struct dr_driver *driver, uint64_t wait_ms, struct dr_err *err);
    void (*unlock)(struct dr_driver *driver);

    // Makes the ledger's tables when they are missing; under the lock. DR_E_LEDGER_NEWER.
    enum dr_rc (*ledger_ensure)(struct dr_driver *driver, struct dr_err *err);
    // Reads it as deep as is asked for; DR_E_LEDGER_TAMPERED. Never writes.
    enum dr_rc (*ledger_read)(struct dr_driver *driver, struct dr_arena *arena,
                              enum dr_ledger_depth depth, struct dr_ledger_view *out,
                              struct dr_err *err);
    // Writes the owner ("" and zeros: none). Under the lock.
    enum dr_rc (*ledger_own)(struct dr_driver *driver, const char *owner, const uint8_t key[32],
                             struct dr_err *err);

    // Runs the unit, its ledger row and its checks as one transaction. Failure with out->committed
    // false: rolled back. DR_E_COMMIT_UNKNOWN: call recover. DR_E_DB_LOCK_TIMEOUT,
    // DR_E_DB_DEADLOCK, DR_E_LOCKED (key B): may be tried again. `out` is filled either way.
    enum dr_rc (*unit)(struct dr_driver *driver, const struct dr_exec *exec,
                       struct dr_exec_result *out, struct dr_err *err);
    // Commits one ledger row by itself, flushed (intent rows, done rows, stamps).
    enum dr_rc (*note)(struct dr_driver *driver, const struct dr_ledger_change *change,
                       struct dr_err *err);
    // While it is on, cancel_fd is not looked at: what ends a run must not be cancelled by what
    // ended it.
    void (*shield)(struct dr_driver *driver, bool is_on);
    // Makes what was committed without a flush durable.
    enum dr_rc (*flush)(struct dr_driver *driver, struct dr_err *err);
    // Runs the one statement outside a transaction, under key B. Does not write the ledger.
    enum dr_rc (*outside)(struct dr_driver *driver, const struct dr_exec *exec,
                          struct dr_exec_result *out, struct dr_err *err);
    enum dr_rc (*probe)(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
                        const struct dr_statement *statement, enum dr_probe_state *out,
                        struct dr_err *err);
    // Removes what a probe called debris.
    enum dr_rc (*clean)(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
                        const struct dr_statement *statement, struct dr_err *err);

    // Runs one check in a transaction that is rolled back; READ ONLY for preflights. DR_OK whatever
    // the verdict.
    enum dr_rc (*check)(struct dr_driver *driver, const struct dr_check *check, bool read_only,
                        struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err);

    // After DR_E_COMMIT_UNKNOWN or a lost connection: connects again, takes both keys, and tells
    // whether the row with this head is in the ledger. DR_E_NEEDS_REPAIR when the server
    // contradicts itself (a failover that lost the commit).
    enum dr_rc (*recover)(struct dr_driver *driver, const struct dr_ledger_row *row,
                          uint64_t transaction, bool *out_committed, struct dr_err *err);

    // SHA-256 over the catalog of the tenant's schema, and the text it was made from (in the arena;
    // may be NULL).
    enum dr_rc (*fingerprint)(struct dr_driver *driver, struct dr_arena *arena, uint8_t out[32],
                              const char **out_text, struct dr_err *err);

    // Counts what a way down would take (loss_internal.h), in READ ONLY transactions.
    enum dr_rc (*lose)(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
                       struct dr_loss_list *list, struct dr_err *err);

    // What the role lacks (rights.h): DR_E_DB_PRIVILEGE, DR_E_DB_FILE. `*out` are tables of the
    // tenant's schema that other roles own, in the arena.
    enum dr_rc (*rights)(struct dr_driver *driver, struct dr_arena *arena, const char *const **out,
                         size_t *out_count, struct dr_err *err);

    // alembic_version, where the options keep it (alembic.h): what it says; and making it, with a
    // row for each id, under the lock.
    enum dr_rc (*alembic_read)(struct dr_driver *driver, struct dr_arena *arena,
                               struct dr_alembic_rows *out, struct dr_err *err);
    enum dr_rc (*alembic_make)(struct dr_driver *driver, const char *const *ids, size_t count,
                               struct dr_err *err);
};

struct dr_driver_base {
    const struct dr_driver_ops *ops;
};

extern const struct dr_driver_ops dr_driver_pg;
extern const struct dr_driver_ops dr_driver_sqlite;

// The driver for a URL (postgresql://, postgres://, sqlite:); DR_E_INVALID names what it may be.
DR_MUST_CHECK enum dr_rc
dr_driver_find(const char *url, const struct dr_driver_ops **out, struct dr_err *err);

#endif
