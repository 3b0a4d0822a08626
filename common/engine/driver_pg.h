// What the files of the PostgreSQL driver share. Nobody else includes this.
#ifndef DR_ENGINE_DRIVER_PG_H
#define DR_ENGINE_DRIVER_PG_H

#include "db/pg.h"
#include "engine/driver.h"

// The first half of both advisory keys: "drvr". The second half is a number of the tenant, and A or
// B.
#define DR_PGD_KEY_CLASS 0x64727672
#define DR_PGD_SHORT_MS  30000 // deadline of our own small statements

struct dr_pgd {
    struct dr_driver_base base;
    struct dr_driver_options options; // its strings are our copies
    int cancel_fd;                    // as given; options.cancel_fd is -1 behind the shield
    char *url, *schema, *tenant, *name;
    struct dr_pg *work; // runs units, holds key B
    bool is_connecting; // `work` was begun only (lazy)
    bool is_known;      // `info` is filled
    struct dr_pg *idle; // holds key A, asks about blockers
    bool is_idle_begun; // `idle` was begun only
    bool has_key_a;
    enum { LEDGER_NOT_SEEN, LEDGER_MISSING, LEDGER_THERE } ledger; // at the last look
    uint64_t position;                                             // of its last row then
    struct dr_pgd_running *running; // the unit on its way, for the waits of its checks
    struct dr_pg_info info;         // of `work`
    char key_class[16], key_a[16], key_b[16];
    char search_path[160];
};

struct dr_pgd *dr_pgd_of(struct dr_driver *driver);
// A wait of `timeout_ms` that the options' cancel_fd may end.
struct dr_db_wait dr_pgd_wait(const struct dr_pgd *d, uint64_t timeout_ms);
// Sleeps between two tries; DR_E_INTERRUPTED when cancel_fd becomes readable.
DR_MUST_CHECK enum dr_rc dr_pgd_pause(const struct dr_pgd *d, uint64_t ms, struct dr_err *err);
// Connects `*out` anew and checks that it is usable; fills `out_info` (may be NULL).
DR_MUST_CHECK enum dr_rc dr_pgd_connect(const struct dr_pgd *d, struct dr_pg **out,
                                        struct dr_pg_info *out_info, struct dr_err *err);
// Asks the server who it is, if that was not done: DR_E_DB_POOLER, DR_E_DB_STANDBY.
DR_MUST_CHECK enum dr_rc dr_pgd_know(struct dr_pgd *d, struct dr_err *err);
// Tries an advisory key ('a' on `idle`, 'b' on `work`) until `wait_ms` is over: DR_E_LOCKED names
// who has it.
DR_MUST_CHECK enum dr_rc
dr_pgd_take_key(struct dr_pgd *d, char which, uint64_t wait_ms, struct dr_err *err);
void dr_pgd_drop_key(struct dr_pgd *d, char which);
// DR_E_LOCKED, with pid, name and age of the session that holds the key.
enum dr_rc dr_pgd_locked_by(struct dr_pgd *d, char which, struct dr_err *err);
// Connects `idle` and takes key A on it.
DR_MUST_CHECK enum dr_rc dr_pgd_take_a(struct dr_pgd *d, uint64_t wait_ms, struct dr_err *err);
// Ends whatever transaction is open on `work`.
void dr_pgd_rollback(struct dr_pgd *d);

// driver_pg_make.c
enum dr_rc dr_pgd_ledger_newer(struct dr_err *err, uint64_t version);
// The last statement failed since the ledger's tables are not there.
bool dr_pgd_ledger_is_missing(const struct dr_pgd *d);
enum dr_rc dr_pgd_ledger_ensure(struct dr_driver *driver, struct dr_err *err);
enum dr_rc dr_pgd_ledger_own(struct dr_driver *driver, const char *owner, const uint8_t key[32],
                             struct dr_err *err);

// driver_pg_ledger.c
enum dr_rc
dr_pgd_ledger_read(struct dr_driver *driver, struct dr_arena *arena, enum dr_ledger_depth depth,
                   struct dr_ledger_view *out, struct dr_err *err);

// driver_pg_write.c
// Adds the one statement of a change to the open pipeline. `may_be_prepared`: as it was prepared on
// this connection, if it was; false after statements that may have touched prepared ones.
DR_MUST_CHECK enum dr_rc dr_pgd_ledger_add(struct dr_pgd *d, const struct dr_ledger_change *change,
                                           bool may_be_prepared, struct dr_err *err);
// Adds the preparation of these statements to the open pipeline, two of them.
DR_MUST_CHECK enum dr_rc dr_pgd_ledger_prepare(struct dr_pgd *d, struct dr_err *err);
// Is the row with this head there? Another one in its place, or a missing predecessor:
// DR_E_NEEDS_REPAIR.
DR_MUST_CHECK enum dr_rc
dr_pgd_ledger_has(struct dr_pgd *d, const struct dr_ledger_row *row, bool *out, struct dr_err *err);

// driver_pg_wait.c
enum {
    DR_PGD_AT_BEGIN = 0,
    DR_PGD_AT_SETTINGS = 2,
    DR_PGD_AT_STATEMENTS = 3
}; // places in the pipeline

struct dr_pgd_running { // all times on dr_monotonic_ms(); 0: never
    struct dr_pgd *d;
    const struct dr_exec *exec;
    struct dr_exec_result *out;
    bool left_state;                           // the session has more than before the unit
    uint64_t at_alembic, at_ledger, at_commit; // places in the pipeline; UINT64_MAX: not yet known
    uint64_t finished;                         // statements that ended well
    int64_t started_ms, last_ms;               // last_ms: of the last answer
    bool said_commit, said_rollback;
    bool is_unprepared; // it failed since prepared statements of ours were gone
    // driver_pg_watch.c
    int64_t watched_ms, asked_ms; // last looks at locks and at progress
    int64_t stop_ms;              // when it was told to stop
    uint64_t first_wal;
    struct dr_server_progress server;
    // driver_pg_touch.c
    bool is_holding; // `idle` holds the statement up by an old snapshot
    struct dr_pgd_file *files;
};

// driver_pg_touch.c: what a unit locks and rewrites, seen by the second connection, where the
// options observe. Look: before the COMMIT. End: once it is committed, or failed.
bool dr_pgd_observes(const struct dr_pgd_running *r);
// Does the COMMIT wait for a look at the open transaction?
bool dr_pgd_commits_alone(const struct dr_pgd_running *r);
DR_MUST_CHECK enum dr_rc dr_pgd_touch_look(struct dr_pgd_running *r, struct dr_err *err);
void dr_pgd_touch_end(struct dr_pgd_running *r);
// The same for a statement outside of a transaction, whose locks are gone when it answers: hold
// makes it wait at its end, where it waits for old snapshots (CONCURRENTLY), until a tick has
// looked.
void dr_pgd_touch_hold(struct dr_pgd_running *r);
void dr_pgd_touch_tick(struct dr_pgd_running *r);

// driver_pg_watch.c: lets the second connection look while `wait` lasts: blockers and progress go
// to the ticks, DR_E_BLOCKS_OTHERS ends the wait when somebody waits too long for us,
// DR_E_INTERRUPTED when the grace period after a stop is over.
void dr_pgd_watch(struct dr_pgd_running *r, struct dr_db_wait *wait);

// A wait for the whole unit, with ticks that look for blockers.
struct dr_db_wait dr_pgd_unit_wait(struct dr_pgd_running *r);
enum dr_rc
dr_pgd_on_result(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err);
// Fills place, SQLSTATE and words of a failure that the server reported for the statement at
// `index` of the pipeline.
void dr_pgd_describe(struct dr_pgd_running *r, uint64_t index, struct dr_err *err);
bool dr_pgd_is_lost(const struct dr_pgd *d);
// Makes DR_E_COMMIT_UNKNOWN of `err`.
enum dr_rc dr_pgd_unknown(struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_pgd_reconnect(struct dr_pgd *d, struct dr_err *err);

// driver_pg_outside.c
// Tells (out->leaks) and removes the session state that a committed unit left; the settings of a
// statement outside of a transaction are the driver's own, and not told.
void dr_pgd_tidy(struct dr_pgd *d, bool is_outside, struct dr_exec_result *out);
// Adds the question whether a unit that is committed left session state (one row: it did), behind
// its COMMIT in the same pipeline. Words do not tell: a trigger or a function may have left it.
DR_MUST_CHECK enum dr_rc dr_pgd_ask_left(struct dr_pgd *d, bool may_call, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_pgd_prepare_left(struct dr_pgd *d, struct dr_err *err);
enum dr_rc dr_pgd_flush(struct dr_driver *driver, struct dr_err *err);
enum dr_rc dr_pgd_outside(struct dr_driver *driver, const struct dr_exec *exec,
                          struct dr_exec_result *out, struct dr_err *err);

// driver_pg_unit.c
// Adds the preparation of what every unit sends to the open pipeline, outside of a transaction.
DR_MUST_CHECK enum dr_rc dr_pgd_prepare(struct dr_pgd *d, struct dr_err *err);
// Removes it again: texts are sent from now on. A connection on which that fails is closed.
void dr_pgd_unprepare(struct dr_pgd *d);
enum dr_rc dr_pgd_unit(struct dr_driver *driver, const struct dr_exec *exec,
                       struct dr_exec_result *out, struct dr_err *err);
enum dr_rc
dr_pgd_note(struct dr_driver *driver, const struct dr_ledger_change *change, struct dr_err *err);

// driver_pg_names.c
// May the statements of an unapproved check mean anything that a user of the database made?
// DR_E_PREFLIGHT_FORBIDDEN names it. In the check's own transaction, where it leaves pg_catalog as
// the search path and row security off.
DR_MUST_CHECK enum dr_rc
dr_pgd_check_names(struct dr_pgd *d, const struct dr_check *check, struct dr_err *err);

// driver_pg_check.c
enum dr_rc dr_pgd_check(struct dr_driver *driver, const struct dr_check *check, bool read_only,
                        struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err);
// The same inside the open transaction, in a savepoint that is rolled back.
DR_MUST_CHECK enum dr_rc
dr_pgd_check_inside(struct dr_pgd *d, const struct dr_check *check, struct dr_arena *arena,
                    struct dr_check_result *out, struct dr_err *err);

// driver_pg_probe.c
enum dr_rc
dr_pgd_probe(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
             const struct dr_statement *statement, enum dr_probe_state *out, struct dr_err *err);
enum dr_rc dr_pgd_clean(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
                        const struct dr_statement *statement, struct dr_err *err);

// driver_pg_trap.c: rules, triggers and row security on the ledger's tables are refused. The
// question goes into the open pipeline; DR_E_LEDGER_TAMPERED for its answer names one.
DR_MUST_CHECK enum dr_rc dr_pgd_ask_traps(struct dr_pgd *d, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_pgd_refuse_traps(const struct dr_pg_result *result, struct dr_err *err);

// driver_pg_rights.c
enum dr_rc dr_pgd_rights(struct dr_driver *driver, struct dr_arena *arena, const char *const **out,
                         size_t *out_count, struct dr_err *err);

// driver_pg_recover.c
enum dr_rc dr_pgd_recover(struct dr_driver *driver, const struct dr_ledger_row *row,
                          uint64_t transaction, bool *out_committed, struct dr_err *err);

#endif
