// State: see state.h. This file opens the file and holds the helpers; the other files state_*.c
// hold the calls.
#include "agent/state_internal.h"

#include "base/failpoint.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SCHEMA[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE seen(place INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE);"
    "CREATE TABLE task(id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL, kind INTEGER "
    "NOT NULL,"
    " target TEXT NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX task_target ON task(target, id);"
    "CREATE TABLE ready(target TEXT PRIMARY KEY, sha256 BLOB NOT NULL, payload BLOB NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE backup(target TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE record(target TEXT PRIMARY KEY, ledger_head BLOB NOT NULL, position INTEGER NOT "
    "NULL,"
    " fingerprint BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE consumed(ready_sha256 BLOB PRIMARY KEY, approval_sha256 BLOB NOT NULL, target "
    "TEXT NOT NULL,"
    " time INTEGER NOT NULL, UNIQUE(approval_sha256, target)) WITHOUT ROWID;"
    "CREATE TABLE run(target TEXT PRIMARY KEY, approval_sha256 BLOB NOT NULL, ready_sha256 BLOB "
    "NOT NULL,"
    " ready BLOB NOT NULL, spec BLOB NOT NULL, started INTEGER NOT NULL, attempts INTEGER NOT "
    "NULL) WITHOUT ROWID;"
    "CREATE TABLE outbox(place INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, "
    "kind INTEGER NOT NULL,"
    " envelope BLOB NOT NULL);"
    "CREATE TABLE stop(place INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, "
    "envelope BLOB NOT NULL);"
    "INSERT INTO meta VALUES('version', 1);";

// What the coordinator has taken, so that one that lost it can get it again.
static const char SENT[] = "CREATE TABLE IF NOT EXISTS sent(place INTEGER PRIMARY KEY, sha256 BLOB "
                           "NOT NULL UNIQUE, kind INTEGER NOT NULL, envelope BLOB NOT NULL);";

// Texts of fingerprints and of rehearsals, and drift that was reported: an older program does
// without them, and what it leaves has another fingerprint than the text.
static const char DRIFT[] =
    "CREATE TABLE IF NOT EXISTS known(target TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, text "
    "BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS rehearsed(target TEXT PRIMARY KEY, sha256 BLOB NOT NULL, text BLOB "
    "NOT NULL, time INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS drift(target TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, since "
    "INTEGER NOT NULL);";

// Orders about backups, until they are answered: an older program forgets them.
static const char ORDERS[] = "CREATE TABLE IF NOT EXISTS backup_order(place INTEGER PRIMARY KEY "
                             "AUTOINCREMENT, target TEXT NOT NULL, body BLOB NOT NULL, starts "
                             "INTEGER NOT NULL);";

// Version 2: what says whether a stop may still be needed. Those from before have no person and
// stay.
static const char TO_VERSION_2[] = "ALTER TABLE stop ADD COLUMN person TEXT NOT NULL DEFAULT '';"
                                   "ALTER TABLE stop ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
                                   "ALTER TABLE stop ADD COLUMN plan BLOB NOT NULL DEFAULT x'';"
                                   "ALTER TABLE stop ADD COLUMN seen BLOB NOT NULL DEFAULT x'';"
                                   "ALTER TABLE stop ADD COLUMN time INTEGER NOT NULL DEFAULT 0;"
                                   "ALTER TABLE stop ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;"
                                   "UPDATE meta SET value = 2 WHERE key = 'version';";

// Version 3: what the last row that was seen committed was for, should it be gone one day.
static const char TO_VERSION_3[] = "ALTER TABLE record ADD COLUMN what TEXT NOT NULL DEFAULT '';"
                                   "UPDATE meta SET value = 3 WHERE key = 'version';";

// --------------------------------------------------------------------------------------------------------------
// helpers

// Whatever SQLite says about the state file, for the caller it is one thing: the state cannot be
// relied on.
static enum dr_rc
as_state_error(const struct dr_agent_state *state, enum dr_rc rc, struct dr_err *err)
{
    if (rc == DR_OK || (rc >= DR_E_AGENT_STATE && rc <= DR_E_AGENT_NO_TRUST) ||
        rc == DR_E_NO_READY || rc == DR_E_LIMIT || rc == DR_E_NOMEM) {
        return rc;
    }
    char what[DR_ERR_MESSAGE_MAX];
    (void)snprintf(what, sizeof what, "%s", err == NULL ? "" : err->message);
    return dr_err_set(err, DR_E_AGENT_STATE, "the agent's state '%s' cannot be used: %s",
                      state->path, what);
}

enum dr_rc
dr_agent_state_query(struct dr_agent_state *state, const char *sql,
                     const struct dr_agent_bind *binds, size_t n_binds, struct dr_sqlite_stmt **out,
                     struct dr_err *err)
{
    enum dr_rc rc = dr_sqlite_prepare(state->db, sql, out, err);
    if (rc != DR_OK) {
        return as_state_error(state, rc, err);
    }
    for (size_t i = 0; i < n_binds; i++) {
        int index = (int)i + 1;
        if (binds[i].type == DR_AGENT_TEXT) {
            dr_sqlite_bind_text(*out, index, binds[i].text);
        } else if (binds[i].type == DR_AGENT_BLOB) {
            dr_sqlite_bind_blob(*out, index,
                                binds[i].blob.len == 0 ? (const void *)"" : binds[i].blob.data,
                                binds[i].blob.len);
        } else {
            dr_sqlite_bind_int(*out, index, binds[i].number);
        }
    }
    return DR_OK;
}

enum dr_rc
dr_agent_state_exec(struct dr_agent_state *state, const char *sql,
                    const struct dr_agent_bind *binds, size_t n_binds, int64_t *out_changes,
                    struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    enum dr_rc rc = dr_agent_state_query(state, sql, binds, n_binds, &stmt, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = as_state_error(state, dr_sqlite_finish(stmt, err), err);
    if (rc == DR_OK && out_changes != NULL) {
        *out_changes = dr_sqlite_changes(state->db);
    }
    dr_sqlite_finalize(&stmt);
    return rc;
}

enum dr_rc
dr_agent_state_column(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena,
                      struct dr_bytes *out, struct dr_err *err)
{
    size_t len = 0;
    const void *bytes = dr_sqlite_column_blob(stmt, column, &len);
    out->data = dr_arena_copy(arena, len == 0 ? "" : bytes, len);
    out->len = len;
    return out->data == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
}

void
dr_agent_state_sha(struct dr_sqlite_stmt *stmt, int column, uint8_t out[32])
{
    size_t len = 0;
    const void *bytes = dr_sqlite_column_blob(stmt, column, &len);
    memset(out, 0, 32);
    if (len == 32) {
        memcpy(out, bytes, 32);
    }
}

enum dr_rc
dr_agent_state_blob(struct dr_agent_state *state, struct dr_arena *arena, const char *sql,
                    const struct dr_agent_bind *binds, size_t n_binds, struct dr_bytes *out,
                    struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    enum dr_rc rc = dr_agent_state_query(state, sql, binds, n_binds, &stmt, err);
    rc = rc != DR_OK ? rc : as_state_error(state, dr_sqlite_step(stmt, &has_row, err), err);
    struct dr_bytes found = {0};
    if (rc == DR_OK && has_row) {
        rc = dr_agent_state_column(stmt, 0, arena, &found, err);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = found;
    }
    return rc;
}

enum dr_rc
dr_agent_state_int(struct dr_agent_state *state, const char *sql, const struct dr_agent_bind *binds,
                   size_t n_binds, int64_t fallback, int64_t *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    enum dr_rc rc = dr_agent_state_query(state, sql, binds, n_binds, &stmt, err);
    rc = rc != DR_OK ? rc : as_state_error(state, dr_sqlite_step(stmt, &has_row, err), err);
    if (rc == DR_OK) {
        *out = has_row ? dr_sqlite_column_int(stmt, 0) : fallback;
    }
    dr_sqlite_finalize(&stmt);
    return rc;
}

enum dr_rc
dr_agent_state_begin(struct dr_agent_state *state, struct dr_err *err)
{
    return as_state_error(state, dr_sqlite_begin(state->db, err), err);
}

enum dr_rc
dr_agent_state_end(struct dr_agent_state *state, enum dr_rc rc, struct dr_err *err)
{
    if (rc == DR_OK && DR_FAILPOINT("agent-state-commit")) {
        rc =
            dr_err_set(err, DR_E_AGENT_STATE, "no space is left for '%s' (failpoint)", state->path);
    }
    if (rc == DR_OK) {
        rc = as_state_error(state, dr_sqlite_commit(state->db, err), err);
    }
    if (rc != DR_OK) {
        dr_sqlite_rollback(state->db);
        return rc;
    }
    (void)DR_FAILPOINT("agent-state-committed");
    return DR_OK;
}

// -----------------------------------------------------------------------------------------------------------
// open, close

static enum dr_rc
check_version(struct dr_agent_state *state, struct dr_err *err)
{
    int64_t tables = 0;
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_int(state, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", NULL,
                            0, 0, &tables, err);
    if (rc == DR_OK && tables == 0) {
        rc = as_state_error(state, dr_sqlite_script(state->db, SCHEMA, err), err);
    }
    int64_t version = 0;
    if (rc == DR_OK) {
        rc = dr_agent_state_int(state, "SELECT value FROM meta WHERE key = 'version'", NULL, 0, 0,
                                &version, err);
    }
    if (rc == DR_OK && version > DR_AGENT_STATE_VERSION) {
        rc = dr_err_set(err, DR_E_AGENT_STATE_NEWER,
                        "the agent's state '%s' has version %lld, this program knows %d",
                        state->path, (long long)version, DR_AGENT_STATE_VERSION);
    }
    if (rc == DR_OK && version < 1) {
        rc =
            dr_err_set(err, DR_E_AGENT_STATE, "the agent's state '%s' has no version", state->path);
    }
    if (rc == DR_OK && version == 1) {
        rc = as_state_error(state, dr_sqlite_script(state->db, TO_VERSION_2, err), err);
    }
    if (rc == DR_OK && version < 3) {
        rc = as_state_error(state, dr_sqlite_script(state->db, TO_VERSION_3, err), err);
    }
    if (rc == DR_OK) { // an older program does without it
        rc = as_state_error(state, dr_sqlite_script(state->db, SENT, err), err);
    }
    if (rc == DR_OK) {
        rc = as_state_error(state, dr_sqlite_script(state->db, DRIFT, err), err);
    }
    if (rc == DR_OK) {
        rc = as_state_error(state, dr_sqlite_script(state->db, ORDERS, err), err);
    }
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_open(const char *folder, struct dr_agent_state **out, struct dr_err *err)
{
    struct dr_agent_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_dir_make(folder, 0700, err);
    if (rc == DR_OK && snprintf(state->path, sizeof state->path, "%s/%s", folder,
                                DR_AGENT_STATE_FILE) >= (int)sizeof state->path) {
        rc = dr_err_set(err, DR_E_LIMIT, "the path '%s' is too long", folder);
    }
    if (rc == DR_OK) {
        const struct dr_sqlite_options options = {.create = true, .is_state = true};
        rc = as_state_error(state, dr_sqlite_open(state->path, &options, &state->db, err), err);
    }
    if (rc == DR_OK) {
        rc = check_version(state, err);
    }
    if (rc != DR_OK) {
        dr_agent_state_close(&state);
        return rc;
    }
    *out = state;
    return DR_OK;
}

void
dr_agent_state_close(struct dr_agent_state **state)
{
    if (*state == NULL) {
        return;
    }
    dr_sqlite_close(&(*state)->db);
    free(*state);
    *state = NULL;
}
