// SQLite backend: one file `drover.db` in the state folder, blobs as files beside it. WAL with
// synchronous=FULL: a commit that returned survives a power cut. application_id and user_version
// say whose file it is and how new.
#include "coordinator/core/store_sqlite.h"

#include "base/file.h"
#include "base/failpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x44525644 // "DRVD"

static const char SCHEMA[] =
    "CREATE TABLE document (sha256 BLOB PRIMARY KEY, kind TEXT NOT NULL, envelope BLOB NOT NULL, "
    "parts BLOB,"
    " environment TEXT, target TEXT, agent TEXT, plan BLOB, subkind INTEGER NOT NULL, version "
    "INTEGER NOT NULL,"
    " epoch BLOB, time INTEGER NOT NULL, is_pending INTEGER NOT NULL, log_index INTEGER NOT NULL);"
    "CREATE INDEX document_log ON document (log_index);"
    "CREATE INDEX document_version ON document (kind, version);"
    "CREATE INDEX document_target ON document (target, log_index);"
    "CREATE INDEX document_latest ON document (target, subkind, log_index);"
    "CREATE INDEX document_counter ON document (agent, epoch, version);"
    "CREATE TABLE revision (position INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, id TEXT NOT "
    "NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE rollout (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, is_open INTEGER "
    "NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE agent (name TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE push (agent TEXT NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, key "
    "TEXT, id BLOB NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY (agent, seq));"
    "CREATE INDEX push_key ON push (agent, key);"
    "CREATE TABLE log (idx INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, subject "
    "TEXT NOT NULL,"
    " text TEXT NOT NULL, actor TEXT NOT NULL, document BLOB, previous BLOB NOT NULL, hash BLOB "
    "NOT NULL);"
    "CREATE TABLE result (caller BLOB NOT NULL, request_id BLOB NOT NULL, request_sha256 BLOB NOT "
    "NULL,"
    " body BLOB NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (caller, request_id));"
    "CREATE INDEX result_time ON result (time);";

static const char *const SQL[DR_SQL_COUNT] = {
#define DR_SQL(name, text) [DR_SQL_##name] = text,
#include "coordinator/core/store_sqlite_sql.h"
#undef DR_SQL
};

static struct dr_store_sqlite *
self(struct dr_store *store)
{
    return (struct dr_store_sqlite *)(void *)store;
}

enum dr_rc
dr_store_sqlite_stmt(struct dr_store *store, enum dr_store_sql which, struct dr_sqlite_stmt **out,
                     struct dr_err *err)
{
    struct dr_store_sqlite *s = self(store);

    if (s->statements[which] == NULL) {
        enum dr_rc rc = dr_sqlite_prepare(s->db, SQL[which], &s->statements[which], err);

        if (rc != DR_OK) {
            return rc;
        }
    }
    dr_sqlite_reset(s->statements[which]);
    *out = s->statements[which];
    return DR_OK;
}

const char *
dr_store_sqlite_text(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena)
{
    return dr_arena_str(arena, dr_sqlite_column_text(stmt, column));
}

bool
dr_store_sqlite_bytes(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena,
                      struct dr_bytes *out)
{
    size_t len = 0;
    const void *data = dr_sqlite_column_blob(stmt, column, &len);

    out->data = dr_arena_copy(arena, data != NULL ? data : "", len);
    out->len = len;
    return out->data != NULL;
}

bool
dr_store_sqlite_fixed(struct dr_sqlite_stmt *stmt, int column, uint8_t *out, size_t size)
{
    size_t len = 0;
    const void *data = dr_sqlite_column_blob(stmt, column, &len);

    if (data == NULL || len != size) {
        return false;
    }
    memcpy(out, data, size);
    return true;
}

enum dr_rc
dr_store_sqlite_one(struct dr_sqlite_stmt *stmt, const char *what, struct dr_err *err)
{
    bool has_row = false;
    enum dr_rc rc = dr_sqlite_step(stmt, &has_row, err);

    if (rc == DR_OK && !has_row) {
        return dr_err_set(err, DR_E_NOT_FOUND, "there is no such %s", what);
    }
    return rc;
}

static enum dr_rc
begin_store(struct dr_store *store, struct dr_err *err)
{
    return dr_sqlite_begin(self(store)->db, err);
}

static enum dr_rc
commit_store(struct dr_store *store, struct dr_err *err)
{
    enum dr_rc rc = dr_sqlite_commit(self(store)->db, err);

    if (rc != DR_OK) {
        dr_sqlite_rollback(self(store)->db);
    }
    return rc;
}

static void
rollback_store(struct dr_store *store)
{
    struct dr_store_sqlite *s = self(store);

    for (size_t i = 0; i < DR_SQL_COUNT; i++) {
        if (s->statements[i] != NULL) {
            dr_sqlite_reset(s->statements[i]);
        }
    }
    if (dr_sqlite_in_transaction(s->db)) {
        dr_sqlite_rollback(s->db);
    }
}

static void
close_store(struct dr_store *store)
{
    struct dr_store_sqlite *s = self(store);

    for (size_t i = 0; i < DR_SQL_COUNT; i++) {
        dr_sqlite_finalize(&s->statements[i]);
    }
    dr_sqlite_close(&s->db);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    free(s);
}

static enum dr_rc
sweep_store(struct dr_store *store, int64_t now, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    enum dr_rc rc = dr_store_sqlite_stmt(store, DR_SQL_RESULT_SWEEP, &stmt, err);

    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_bind_int(stmt, 1, now - DR_RESULT_KEEP_S);
    rc = dr_sqlite_finish(stmt, err);
    return rc != DR_OK ? rc : dr_store_sqlite_blob_sweep(store, now, err);
}

static const struct dr_store_ops OPS = {
    .close = close_store,
    .begin = begin_store,
    .commit = commit_store,
    .rollback = rollback_store,
    .document_put = dr_store_sqlite_document_put,
    .document_get = dr_store_sqlite_document_get,
    .document_version = dr_store_sqlite_document_version,
    .document_latest = dr_store_sqlite_document_latest,
    .document_latest_word = dr_store_sqlite_document_latest_word,
    .document_counter = dr_store_sqlite_document_counter,
    .document_list = dr_store_sqlite_document_list,
    .blob_put = dr_store_sqlite_blob_put,
    .blob_get = dr_store_sqlite_blob_get,
    .blob_read = dr_store_sqlite_blob_read,
    .blob_drop = dr_store_sqlite_blob_drop,
    .revision_put = dr_store_sqlite_revision_put,
    .revision_list = dr_store_sqlite_revision_list,
    .rollout_put = dr_store_sqlite_rollout_put,
    .rollout_list = dr_store_sqlite_rollout_list,
    .push_add = dr_store_sqlite_push_add,
    .push_list = dr_store_sqlite_push_list,
    .push_ack = dr_store_sqlite_push_ack,
    .push_drop = dr_store_sqlite_push_drop,
    .log_add = dr_store_sqlite_log_add,
    .log_list = dr_store_sqlite_log_list,
    .log_head = dr_store_sqlite_log_head,
    .result_get = dr_store_sqlite_result_get,
    .result_put = dr_store_sqlite_result_put,
    .sweep = sweep_store,
};

// The folder, writable, and ours alone.
static enum dr_rc
take_folder(struct dr_store_sqlite *s, const char *folder, struct dr_err *err)
{
    char path[DR_STORE_PATH_MAX];

    if (strlen(folder) >= sizeof s->folder) {
        return dr_err_set(err, DR_E_STORE_FOLDER, "state folder '%.64s...' has too long a name",
                          folder);
    }
    (void)snprintf(s->folder, sizeof s->folder, "%s", folder);
    (void)snprintf(path, sizeof path, "%s/blobs", folder);
    if (dr_dir_make(path, 0700, err) != DR_OK) {
        return dr_err_set(err, DR_E_STORE_FOLDER, "state folder '%s' cannot be made: %s", folder,
                          strerror(errno));
    }
    if (access(folder, W_OK | X_OK) != 0 || access(path, W_OK | X_OK) != 0) {
        return dr_err_errno(err, DR_E_STORE_FOLDER, errno, "state folder '%s' cannot be written to",
                            folder);
    }
    (void)snprintf(path, sizeof path, "%s/lock", folder);
    enum dr_rc rc = dr_file_lock(path, &s->lock_fd, err);
    if (rc == DR_E_CONFLICT) {
        return dr_err_set(err, DR_E_CONFLICT, "another droverd has the state folder '%s'", folder);
    }
    return rc == DR_OK
               ? DR_OK
               : dr_err_set(err, DR_E_STORE_FOLDER, "state folder '%s' cannot be locked", folder);
}

// A new file gets the tables; an old one must be ours and not newer than this program.
static enum dr_rc
check_version(struct dr_store_sqlite *s, struct dr_err *err)
{
    int64_t application, version, tables;
    char text[256];
    enum dr_rc rc = dr_sqlite_value_int(s->db, "PRAGMA application_id", &application, err);

    if (rc == DR_OK) {
        rc = dr_sqlite_value_int(s->db, "PRAGMA user_version", &version, err);
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_value_int(s->db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (application == 0 && version == 0 && tables == 0) {
        (void)snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                       APPLICATION_ID, DR_STORE_VERSION);
        rc = dr_sqlite_begin(s->db, err);
        if (rc == DR_OK && (rc = dr_sqlite_script(s->db, SCHEMA, err)) == DR_OK &&
            (rc = dr_sqlite_script(s->db, text, err)) == DR_OK) {
            rc = dr_sqlite_commit(s->db, err);
        }
        (void)DR_FAILPOINT("core-store-made");
        return rc;
    }
    if (application != APPLICATION_ID) {
        return dr_err_set(err, DR_E_STORE_VERSION, "'%s/drover.db' is not a state of droverd",
                          s->folder);
    }
    if (version > DR_STORE_VERSION) {
        return dr_err_set(err, DR_E_STORE_VERSION,
                          "state '%s' has version %" PRId64 ", this droverd knows %d", s->folder,
                          version, DR_STORE_VERSION);
    }
    return DR_OK;
}

enum dr_rc
dr_store_sqlite_open(const char *folder, struct dr_store **out, struct dr_err *err)
{
    struct dr_store_sqlite *s = calloc(1, sizeof *s);
    const struct dr_sqlite_options options = {.create = true, .is_state = true};
    char path[DR_STORE_PATH_MAX];

    if (s == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    s->base.ops = &OPS;
    s->lock_fd = -1;
    enum dr_rc rc = take_folder(s, folder, err);
    if (rc == DR_OK) {
        (void)snprintf(path, sizeof path, "%s/drover.db", s->folder);
        rc = dr_sqlite_open(path, &options, &s->db, err);
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_script(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", err);
    }
    if (rc == DR_OK) {
        rc = check_version(s, err);
    }
    if (rc != DR_OK) {
        close_store(&s->base);
        return rc;
    }
    *out = &s->base;
    return DR_OK;
}

void
dr_store_close(struct dr_store **store)
{
    if (store != NULL && *store != NULL) {
        (*store)->ops->close(*store);
        *store = NULL;
    }
}
