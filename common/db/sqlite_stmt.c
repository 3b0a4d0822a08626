// Statements: one at a time from a text, and prepared ones for stores.
#include "db/sqlite_internal.h"

#include "base/clock.h"

#include <ctype.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// True when only white space, comments and semicolons are left: SQLite compiles nothing from it.
static enum dr_rc
check_tail(struct dr_sqlite *db, const char *tail, const char *end, struct dr_err *err)
{
    while (tail < end && (isspace((unsigned char)*tail) || *tail == ';')) {
        tail++;
    }
    if (tail == end) {
        return DR_OK;
    }
    sqlite3_stmt *next = NULL;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(db->handle, tail, (int)(end - tail), 0, &next, &rest);
    bool is_blank = code == SQLITE_OK && next == NULL;
    sqlite3_finalize(next);
    if (is_blank && rest > tail) {
        return check_tail(db, rest, end, err);
    }
    return is_blank ? DR_OK : dr_err_set(err, DR_E_DB_MULTI, "more than one statement stands here");
}

static enum dr_rc
check_size(size_t len, struct dr_err *err)
{
    if (len > DR_SQLITE_STATEMENT_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a statement is longer than %u bytes",
                          DR_SQLITE_STATEMENT_MAX);
    }
    return DR_OK;
}

// Names that the authorizer is not shown while a statement is compiled: then the text must not
// speak of drover's tables.
static enum dr_rc
check_hidden_names(const struct dr_sqlite *db, const char *sql, size_t len, struct dr_err *err)
{
    static const char prefix[] = "drover_";
    size_t size = sizeof prefix - 1;
    for (size_t at = 0; db->hides_names && at + size <= len; at++) {
        if (strncasecmp(sql + at, prefix, size) == 0) {
            return dr_err_set(err, DR_E_DB_DENIED,
                              "a change that names drover's tables is not allowed here");
        }
    }
    return DR_OK;
}

static enum dr_rc
compile(struct dr_sqlite *db, const char *sql, size_t len, unsigned flags,
        struct dr_sqlite_stmt *out, struct dr_err *err)
{
    enum dr_rc rc = check_size(len, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_call_init(db);
    const char *tail = NULL;
    sqlite3_stmt *handle = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, (int)len, flags, &handle, &tail);
    if (code != SQLITE_OK) {
        return dr_sqlite_fail(db, code, err);
    }
    if (handle == NULL) {
        return dr_err_set(err, DR_E_DB_STATEMENT, "the statement is empty");
    }
    if (memchr(sql, '\0', len) != NULL) {
        rc = dr_err_set(err, DR_E_DB_STATEMENT, "the statement has a NUL byte");
    }
    if (rc == DR_OK && db->guard == DR_SQLITE_READ && sqlite3_stmt_readonly(handle) == 0) {
        rc = dr_err_set(err, DR_E_DB_DENIED,
                        "a statement that changes something is not allowed here");
    }
    rc = rc != DR_OK ? rc : check_hidden_names(db, sql, len, err);
    rc = rc != DR_OK ? rc : check_tail(db, tail, sql + len, err);
    if (rc != DR_OK) {
        sqlite3_finalize(handle);
        return rc;
    }
    *out = (struct dr_sqlite_stmt){.db = db, .handle = handle};
    return DR_OK;
}

// VACUUM runs statements of its own while it steps, which the guard of a revision would refuse.
static bool
is_vacuum(const char *sql, size_t len)
{
    size_t at = 0;
    while (at < len && isspace((unsigned char)sql[at])) {
        at++;
    }
    return len - at >= 6 && strncasecmp(sql + at, "VACUUM", 6) == 0;
}

enum dr_rc
dr_sqlite_exec(struct dr_sqlite *db, const char *sql, size_t len, dr_sqlite_on_row on_row,
               void *ctx, struct dr_err *err)
{
    struct dr_sqlite_stmt stmt;
    enum dr_rc rc = compile(db, sql, len, 0, &stmt, err);
    if (rc != DR_OK) {
        return rc;
    }
    enum dr_sqlite_guard guard = db->guard;
    if (guard == DR_SQLITE_REVISION && is_vacuum(sql, len)) {
        db->guard = DR_SQLITE_OWN;
    }
    bool has_row = true;
    while (rc == DR_OK && has_row) {
        rc = dr_sqlite_step(&stmt, &has_row, err);
        if (rc == DR_OK && has_row && on_row != NULL) {
            rc = on_row(ctx, &stmt, err);
        }
    }
    sqlite3_finalize(stmt.handle);
    db->guard = guard;
    return rc;
}

enum dr_rc
dr_sqlite_parse(struct dr_sqlite *db, const char *sql, size_t len, size_t *out_used,
                bool *out_empty, struct dr_err *err)
{
    enum dr_rc rc = check_size(len, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_call_init(db);
    const char *tail = sql;
    sqlite3_stmt *handle = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, (int)len, 0, &handle, &tail);
    if (code != SQLITE_OK) {
        return dr_sqlite_fail(db, code, err);
    }
    *out_empty = handle == NULL;
    *out_used = (size_t)(tail - sql);
    sqlite3_finalize(handle);
    return DR_OK;
}

enum dr_rc
dr_sqlite_script(struct dr_sqlite *db, const char *sql, struct dr_err *err)
{
    const char *end = sql + strlen(sql);
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && sql < end) {
        size_t used = 0;
        bool is_empty = false;
        rc = dr_sqlite_parse(db, sql, (size_t)(end - sql), &used, &is_empty, err);
        if (rc == DR_OK && !is_empty) {
            rc = dr_sqlite_exec(db, sql, used, NULL, NULL, err);
        }
        sql += used;
    }
    return rc;
}

// ----------------------------------------------------------------------------------------------------
// transactions

static enum dr_rc
run_own(struct dr_sqlite *db, const char *sql, struct dr_err *err)
{
    enum dr_sqlite_guard guard = db->guard;
    db->guard = DR_SQLITE_OWN;
    enum dr_rc rc = dr_sqlite_exec(db, sql, strlen(sql), NULL, NULL, err);
    db->guard = guard;
    return rc;
}

enum dr_rc
dr_sqlite_begin(struct dr_sqlite *db, struct dr_err *err)
{
    return run_own(db, "BEGIN IMMEDIATE", err);
}

enum dr_rc
dr_sqlite_begin_read(struct dr_sqlite *db, struct dr_err *err)
{
    return run_own(db, "BEGIN", err);
}

enum dr_rc
dr_sqlite_commit(struct dr_sqlite *db, struct dr_err *err)
{
    // The busy handler has waited to the deadline within each try, but SQLite skips it where it
    // sees a deadlock.
    int64_t until = db->has_wait && db->wait.deadline_ms != 0
                        ? db->wait.deadline_ms
                        : dr_monotonic_ms() + DR_SQLITE_BUSY_MS;
    enum dr_rc rc = run_own(db, "COMMIT", err);
    while (rc == DR_E_DB_BUSY && dr_sqlite_in_transaction(db) && dr_monotonic_ms() < until) {
        struct pollfd fd = {.fd = -1};
        poll(&fd, 1, 10);
        rc = run_own(db, "COMMIT", err);
    }
    return rc;
}

void
dr_sqlite_rollback(struct dr_sqlite *db)
{
    // A failure leaves autocommit on, or the connection is closed next: nothing else can be done.
    if (dr_sqlite_in_transaction(db)) {
        (void)!run_own(db, "ROLLBACK", NULL);
    }
}

bool
dr_sqlite_in_transaction(struct dr_sqlite *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

// ----------------------------------------------------------------------------------------------------
// prepared

enum dr_rc
dr_sqlite_prepare(struct dr_sqlite *db, const char *sql, struct dr_sqlite_stmt **out,
                  struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = calloc(1, sizeof *stmt);
    if (stmt == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a statement");
    }
    enum dr_rc rc = compile(db, sql, strlen(sql), SQLITE_PREPARE_PERSISTENT, stmt, err);
    if (rc != DR_OK) {
        free(stmt);
        return rc;
    }
    *out = stmt;
    return DR_OK;
}

void
dr_sqlite_finalize(struct dr_sqlite_stmt **stmt)
{
    if (*stmt != NULL) {
        sqlite3_finalize((*stmt)->handle);
        free(*stmt);
        *stmt = NULL;
    }
}

static void
note_bind(struct dr_sqlite_stmt *stmt, int code)
{
    stmt->bind_code = stmt->bind_code == SQLITE_OK ? code : stmt->bind_code;
}

void
dr_sqlite_bind_text(struct dr_sqlite_stmt *stmt, int index, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);
    note_bind(stmt,
              sqlite3_bind_text64(stmt->handle, index, text, len, SQLITE_TRANSIENT, SQLITE_UTF8));
}

void
dr_sqlite_bind_blob(struct dr_sqlite_stmt *stmt, int index, const void *bytes, size_t len)
{
    note_bind(stmt, sqlite3_bind_blob64(stmt->handle, index, bytes, len, SQLITE_TRANSIENT));
}

void
dr_sqlite_bind_int(struct dr_sqlite_stmt *stmt, int index, int64_t value)
{
    note_bind(stmt, sqlite3_bind_int64(stmt->handle, index, value));
}

void
dr_sqlite_bind_null(struct dr_sqlite_stmt *stmt, int index)
{
    note_bind(stmt, sqlite3_bind_null(stmt->handle, index));
}

enum dr_rc
dr_sqlite_step(struct dr_sqlite_stmt *stmt, bool *out_row, struct dr_err *err)
{
    dr_sqlite_call_init(stmt->db);
    if (stmt->bind_code != SQLITE_OK) {
        int code = stmt->bind_code;
        dr_sqlite_reset(stmt);
        return dr_err_set(err, DR_E_INTERNAL, "a value cannot be bound: %s", sqlite3_errstr(code));
    }
    int code = sqlite3_step(stmt->handle);
    enum dr_rc rc = DR_OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = dr_sqlite_fail(stmt->db, code, err);
    }
    if (code != SQLITE_ROW) {
        sqlite3_reset(stmt->handle);
    }
    if (rc == DR_OK && out_row != NULL) {
        *out_row = code == SQLITE_ROW;
    }
    return rc;
}

enum dr_rc
dr_sqlite_finish(struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    bool has_row = true;
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && has_row) {
        rc = dr_sqlite_step(stmt, &has_row, err);
    }
    dr_sqlite_reset(stmt);
    return rc;
}

void
dr_sqlite_reset(struct dr_sqlite_stmt *stmt)
{
    sqlite3_reset(stmt->handle);
    sqlite3_clear_bindings(stmt->handle);
    stmt->bind_code = SQLITE_OK;
}

int
dr_sqlite_columns(struct dr_sqlite_stmt *stmt)
{
    return sqlite3_column_count(stmt->handle);
}

bool
dr_sqlite_column_is_null(struct dr_sqlite_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

int64_t
dr_sqlite_column_int(struct dr_sqlite_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

const char *
dr_sqlite_column_text(struct dr_sqlite_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt->handle, column);
    return text == NULL ? "" : (const char *)text;
}

const void *
dr_sqlite_column_blob(struct dr_sqlite_stmt *stmt, int column, size_t *out_len)
{
    const void *bytes = sqlite3_column_blob(stmt->handle, column);
    *out_len = (size_t)sqlite3_column_bytes(stmt->handle, column);
    return bytes;
}

const char *
dr_sqlite_column_name(struct dr_sqlite_stmt *stmt, int column)
{
    const char *name = sqlite3_column_name(stmt->handle, column);
    return name == NULL ? "" : name;
}

int64_t
dr_sqlite_changes(struct dr_sqlite *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t
dr_sqlite_last_rowid(struct dr_sqlite *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

enum dr_rc
dr_sqlite_value_int(struct dr_sqlite *db, const char *sql, int64_t *out, struct dr_err *err)
{
    struct dr_sqlite_stmt stmt;
    bool has_row = false;
    enum dr_rc rc = compile(db, sql, strlen(sql), 0, &stmt, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_sqlite_step(&stmt, &has_row, err);
    if (rc == DR_OK && !has_row) {
        rc = dr_err_set(err, DR_E_NOT_FOUND, "the query gave no row");
    }
    if (rc == DR_OK) {
        *out = sqlite3_column_int64(stmt.handle, 0);
    }
    sqlite3_finalize(stmt.handle);
    return rc;
}
