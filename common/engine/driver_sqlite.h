// What the files of the SQLite driver share. Nobody else includes this.
#ifndef DR_ENGINE_DRIVER_SQLITE_H
#define DR_ENGINE_DRIVER_SQLITE_H

#include "db/sqlite.h"
#include "engine/driver.h"

#define DR_SQD_BUSY_MS 30000 // how long a busy file is waited for

struct dr_sqd {
    struct dr_driver_base base;
    struct dr_driver_options options; // its strings are our copies
    int cancel_fd;                    // as given; options.cancel_fd is -1 behind the shield
    int64_t stop_ms;                  // when it was told to stop; 0: never
    char *url, *tenant, *name;
    char path[4096];
    struct dr_sqlite *db; // NULL: the file is not there yet, or was closed after an error
    struct dr_sqlite_identity identity;
    char id[33]; // drover's id in the file; "" before the first run
    int lock_fd; // -1: not held
};

struct dr_sqd *dr_sqd_of(struct dr_driver *driver);
// Opens the file again when it is closed; `create` makes it. DR_E_DB_IDENTITY when the path names
// another file now.
DR_MUST_CHECK enum dr_rc dr_sqd_reopen(struct dr_sqd *d, bool create, struct dr_err *err);
// From now on statements may take `timeout_ms`; cancel and ticks as in the options.
void dr_sqd_set_wait(struct dr_sqd *d, uint64_t timeout_ms);

// driver_sqlite_ledger.c
enum dr_rc dr_sqd_ledger_ensure(struct dr_driver *driver, struct dr_err *err);
enum dr_rc
dr_sqd_ledger_read(struct dr_driver *driver, struct dr_arena *arena, enum dr_ledger_depth depth,
                   struct dr_ledger_view *out, struct dr_err *err);
enum dr_rc dr_sqd_ledger_own(struct dr_driver *driver, const char *owner, const uint8_t key[32],
                             struct dr_err *err);

// A trigger or a view on a table of the ledger could change or swallow what is written there:
// DR_E_LEDGER_TAMPERED.
DR_MUST_CHECK enum dr_rc dr_sqd_refuse_traps(struct dr_sqd *d, struct dr_err *err);

// driver_sqlite_write.c
DR_MUST_CHECK enum dr_rc
dr_sqd_ledger_write(struct dr_sqd *d, const struct dr_ledger_change *change, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_sqd_ledger_has(struct dr_sqd *d, const struct dr_ledger_row *row, bool *out, struct dr_err *err);

// driver_sqlite_unit.c
enum dr_rc dr_sqd_unit(struct dr_driver *driver, const struct dr_exec *exec,
                       struct dr_exec_result *out, struct dr_err *err);
enum dr_rc
dr_sqd_note(struct dr_driver *driver, const struct dr_ledger_change *change, struct dr_err *err);
enum dr_rc dr_sqd_outside(struct dr_driver *driver, const struct dr_exec *exec,
                          struct dr_exec_result *out, struct dr_err *err);

// driver_sqlite_check.c
enum dr_rc dr_sqd_check(struct dr_driver *driver, const struct dr_check *check, bool read_only,
                        struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_sqd_check_inside(struct dr_sqd *d, const struct dr_check *check, struct dr_arena *arena,
                    struct dr_check_result *out, struct dr_err *err);

// driver_sqlite_touch.c: the tables before a unit, and before its COMMIT which of them it named or
// changed; nothing (`*out` stays NULL) where the options do not observe.
struct dr_sqd_tables;
DR_MUST_CHECK enum dr_rc dr_sqd_touch_begin(struct dr_sqd *d, const struct dr_exec *x,
                                            struct dr_sqd_tables **out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_sqd_touch_end(struct dr_sqd *d, const struct dr_sqd_tables *before,
                                          struct dr_exec_result *out, struct dr_err *err);

// driver_sqlite_rebuild.c: notes the indexes, triggers and views before a rebuild, and refuses one
// that lost any without naming it, or that leaves the file not whole: DR_E_DB_STATEMENT,
// DR_E_DB_CORRUPT.
DR_MUST_CHECK enum dr_rc dr_sqd_rebuild_begin(struct dr_sqd *d, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_sqd_rebuild_check(struct dr_sqd *d, const struct dr_exec *x, struct dr_err *err);

#endif
