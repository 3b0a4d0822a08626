// The SQLite door: databases of targets and drover's own state files. One statement per call, an
// authorizer for what revisions may do, busy waits that end by a deadline.
//
// One thread per connection. A database file is never opened by anything else in the same process
// while a connection is open: closing such a descriptor would drop SQLite's own locks (POSIX).
#ifndef DR_DB_SQLITE_H
#define DR_DB_SQLITE_H

#include "base/attr.h"
#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_SQLITE_STATEMENT_MAX (33u * 1048576u) // bytes of one statement
#define DR_SQLITE_VALUE_MAX     (64u * 1048576u) // bytes of one value
#define DR_SQLITE_MESSAGE_MAX   200u

struct dr_sqlite;      // one connection
struct dr_sqlite_stmt; // one prepared statement

// Who speaks: decides what the authorizer lets through.
enum dr_sqlite_guard {
    DR_SQLITE_OWN =
        0, // drover itself: everything but ATTACH (other than VACUUM INTO's own) and load_extension
    DR_SQLITE_REVISION =
        1, // a statement of a revision: no ATTACH, DETACH, transaction commands, extension loading,
           // changes of drover_* tables, PRAGMA outside a short list
    DR_SQLITE_READ = 2, // preflight, verify: the same, and nothing may be written
};

struct dr_sqlite_options {
    bool create; // make the file if it is missing (mode 0600)
    bool read_only;
    bool is_state; // drover's own state: rollback journal, synchronous=EXTRA, foreign keys on, file
                   // mode 0600
};

// Opens `path` (":memory:" too): no symbolic link, regular file, one name only; defensive,
// untrusted schema, no extension loading, lowered limits. DR_E_NOT_FOUND, DR_E_DB_FILE (link,
// folder, hard links, no rights), DR_E_DB_CORRUPT (not a database), DR_E_DB_SQLITE. Guard OWN, wait
// of 5 s.
DR_MUST_CHECK enum dr_rc dr_sqlite_open(const char *path, const struct dr_sqlite_options *options,
                                        struct dr_sqlite **out, struct dr_err *err);
// Finalizes what is left, rolls back what is open. NULL accepted, pointer cleared.
void dr_sqlite_close(struct dr_sqlite **db);

// From now on calls wait for locks and run until `wait` says (copied); NULL: 5 s per wait for a
// lock, no limit to run.
void dr_sqlite_set_wait(struct dr_sqlite *db, const struct dr_db_wait *wait);
// Who speaks from now on. Statements prepared before keep what they were allowed.
void dr_sqlite_set_guard(struct dr_sqlite *db, enum dr_sqlite_guard guard);

struct dr_sqlite_identity {
    uint64_t device, inode;
    char path[4096]; // absolute, folder resolved
};
// Identity of the file that is open. DR_E_DB_IDENTITY when the path now names another file or none.
DR_MUST_CHECK enum dr_rc
dr_sqlite_identify(struct dr_sqlite *db, struct dr_sqlite_identity *out, struct dr_err *err);

// Takes drover's lock on a database: flock on "<path>.drover-lock" beside it (which stays). Without
// waiting: DR_E_DB_LOCKED when another runner holds it. `*out_fd` is closed to release. Not the
// database file itself: a descriptor of ours on it would break SQLite's locks.
DR_MUST_CHECK enum dr_rc dr_sqlite_lock(const char *path, int *out_fd, struct dr_err *err);

// --------------------------------------------------------------------------------------------------------
// statements

struct dr_sqlite_error {
    int code;                                     // extended result code; 0: none
    int64_t offset;                               // byte in the statement; -1: none
    char message[DR_SQLITE_MESSAGE_MAX + 1];      // may hold a value of a row: stays on this host
    char message_safe[DR_SQLITE_MESSAGE_MAX + 1]; // the same without: may be reported
};
const struct dr_sqlite_error *dr_sqlite_last_error(const struct dr_sqlite *db);

// Rows of a statement: called once per row; the values are read with dr_sqlite_column_*(stmt, ...).
// Anything but DR_OK stops.
typedef enum dr_rc (*dr_sqlite_on_row)(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err);

// Runs exactly one statement of `len` bytes (no NUL needed) to its end. `on_row` NULL: rows are
// thrown away. DR_E_DB_MULTI when more than one stands there, DR_E_DB_DENIED by the guard,
// DR_E_DB_BUSY (locks not had by the deadline), DR_E_TIMEOUT, DR_E_INTERRUPTED, DR_E_DB_FULL,
// DR_E_DB_CORRUPT, DR_E_DB_LOST (input/output error: close, open again and look), otherwise
// DR_E_DB_STATEMENT (SQL that is wrong, constraint).
DR_MUST_CHECK enum dr_rc dr_sqlite_exec(struct dr_sqlite *db, const char *sql, size_t len,
                                        dr_sqlite_on_row on_row, void *ctx, struct dr_err *err);
// Prepares one statement of the text without running it, for splitting and syntax checks:
// `*out_used` is the number of bytes up to and with its semicolon; `*out_empty` when there was only
// white space or comment. Objects must exist.
DR_MUST_CHECK enum dr_rc dr_sqlite_parse(struct dr_sqlite *db, const char *sql, size_t len,
                                         size_t *out_used, bool *out_empty, struct dr_err *err);

// Our own scripts: several statements in a constant text, each to its end.
DR_MUST_CHECK enum dr_rc
dr_sqlite_script(struct dr_sqlite *db, const char *sql, struct dr_err *err);

// Transactions, by guard OWN whatever is set. Commit repeats on a busy file until the deadline;
// after DR_E_DB_LOST or DR_E_DB_FULL ask dr_sqlite_in_transaction. Rollback never fails.
DR_MUST_CHECK enum dr_rc
dr_sqlite_begin(struct dr_sqlite *db, struct dr_err *err); // BEGIN IMMEDIATE
// BEGIN for reading: the file is seen as it is at the first query.
DR_MUST_CHECK enum dr_rc dr_sqlite_begin_read(struct dr_sqlite *db, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_sqlite_commit(struct dr_sqlite *db, struct dr_err *err);
void dr_sqlite_rollback(struct dr_sqlite *db);
bool dr_sqlite_in_transaction(struct dr_sqlite *db);

// Prepared statements, for stores. `sql` is one statement, kept for as long as the connection may
// use it.
DR_MUST_CHECK enum dr_rc dr_sqlite_prepare(struct dr_sqlite *db, const char *sql,
                                           struct dr_sqlite_stmt **out, struct dr_err *err);
void dr_sqlite_finalize(struct dr_sqlite_stmt **stmt); // NULL accepted
// Parameters from 1. Copied. A NULL text or blob (with len 0) is SQL NULL; use bind_blob with a
// non-NULL pointer for an empty one. A failure is remembered and shown by the next step.
void dr_sqlite_bind_text(struct dr_sqlite_stmt *stmt, int index, const char *text);
void dr_sqlite_bind_blob(struct dr_sqlite_stmt *stmt, int index, const void *bytes, size_t len);
void dr_sqlite_bind_int(struct dr_sqlite_stmt *stmt, int index, int64_t value);
void dr_sqlite_bind_null(struct dr_sqlite_stmt *stmt, int index);
// One step: `*out_row` (may be NULL) tells whether a row is there; without one the statement is at
// its end and was reset.
DR_MUST_CHECK enum dr_rc
dr_sqlite_step(struct dr_sqlite_stmt *stmt, bool *out_row, struct dr_err *err);
// Steps to the end, throwing rows away, and resets; keeps no bindings.
DR_MUST_CHECK enum dr_rc dr_sqlite_finish(struct dr_sqlite_stmt *stmt, struct dr_err *err);
// Ends a walk over rows early and forgets the bindings.
void dr_sqlite_reset(struct dr_sqlite_stmt *stmt);

// Columns from 0, of the row that is there; text and blob live until the next step, reset or
// finalize.
int dr_sqlite_columns(struct dr_sqlite_stmt *stmt);
bool dr_sqlite_column_is_null(struct dr_sqlite_stmt *stmt, int column);
int64_t dr_sqlite_column_int(struct dr_sqlite_stmt *stmt, int column);
const char *dr_sqlite_column_text(struct dr_sqlite_stmt *stmt, int column); // "" for NULL
const void *dr_sqlite_column_blob(struct dr_sqlite_stmt *stmt, int column, size_t *out_len);
const char *dr_sqlite_column_name(struct dr_sqlite_stmt *stmt, int column);

int64_t dr_sqlite_changes(struct dr_sqlite *db); // rows that the last statement changed
int64_t dr_sqlite_last_rowid(struct dr_sqlite *db);
// First column of the first row of `sql`; DR_E_NOT_FOUND without a row.
DR_MUST_CHECK enum dr_rc
dr_sqlite_value_int(struct dr_sqlite *db, const char *sql, int64_t *out, struct dr_err *err);

// ------------------------------------------------------------------------------------------------------
// whole database

// PRAGMA integrity_check: DR_E_DB_CORRUPT with the first finding.
DR_MUST_CHECK enum dr_rc dr_sqlite_integrity_check(struct dr_sqlite *db, struct dr_err *err);
// PRAGMA foreign_key_check: DR_E_DB_STATEMENT naming the first table and how many rows point
// nowhere.
DR_MUST_CHECK enum dr_rc dr_sqlite_foreign_key_check(struct dr_sqlite *db, struct dr_err *err);
// Copies the database, as it is at one instant, to the new file `path` (0600) while others may
// write; the set wait bounds it. A failed copy is removed. DR_E_EXISTS.
DR_MUST_CHECK enum dr_rc
dr_sqlite_backup(struct dr_sqlite *db, const char *path, struct dr_err *err);
// "3.40.1"
const char *dr_sqlite_version(void);

#endif
