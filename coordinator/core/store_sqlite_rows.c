// SQLite backend: revisions, rollouts, pushes, the event log, stored results.
#include "coordinator/core/store_sqlite.h"

#include "trust/try.h"

#include <string.h>

// An empty run of bytes is an empty blob, never NULL.
static void
bind_body(struct dr_sqlite_stmt *stmt, int index, struct dr_bytes body)
{
    dr_sqlite_bind_blob(stmt, index, body.data != NULL ? body.data : (const uint8_t *)"", body.len);
}

static struct dr_bytes
column_body(struct dr_sqlite_stmt *stmt, int column)
{
    struct dr_bytes out = {0};

    out.data = dr_sqlite_column_blob(stmt, column, &out.len);
    return out;
}

// Walks rows of (name, body).
static enum dr_rc
walk_bytes(struct dr_sqlite_stmt *stmt, dr_store_bytes_fn row, void *user, struct dr_err *err)
{
    bool has_row = false;
    enum dr_rc rc;

    while ((rc = dr_sqlite_step(stmt, &has_row, err)) == DR_OK && has_row) {
        rc = row(user, dr_sqlite_column_text(stmt, 0), column_body(stmt, 1), err);
        if (rc != DR_OK) {
            break;
        }
    }
    dr_sqlite_reset(stmt);
    return rc;
}

enum dr_rc
dr_store_sqlite_revision_put(struct dr_store *store, const uint8_t *digest, const char *id,
                             struct dr_bytes body, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_REVISION_DROP, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, id);
    DR_TRY(dr_sqlite_finish(stmt, err));
    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_REVISION_PUT, &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, digest, 32);
    dr_sqlite_bind_text(stmt, 2, id);
    bind_body(stmt, 3, body);
    return dr_sqlite_finish(stmt, err);
}

enum dr_rc
dr_store_sqlite_revision_list(struct dr_store *store, dr_store_bytes_fn row, void *user,
                              struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_REVISION_LIST, &stmt, err));
    return walk_bytes(stmt, row, user, err);
}

enum dr_rc
dr_store_sqlite_rollout_put(struct dr_store *store, uint64_t number, const char *id, bool is_open,
                            struct dr_bytes body, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_ROLLOUT_PUT, &stmt, err));
    dr_sqlite_bind_int(stmt, 1, (int64_t)number);
    dr_sqlite_bind_text(stmt, 2, id);
    dr_sqlite_bind_int(stmt, 3, is_open);
    bind_body(stmt, 4, body);
    return dr_sqlite_finish(stmt, err);
}

enum dr_rc
dr_store_sqlite_rollout_list(struct dr_store *store, bool only_open, dr_store_bytes_fn row,
                             void *user, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_ROLLOUT_LIST, &stmt, err));
    dr_sqlite_bind_int(stmt, 1, only_open);
    return walk_bytes(stmt, row, user, err);
}

static enum dr_rc
agent_seq(struct dr_store *store, const char *agent, uint64_t *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    bool has_row = false;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_AGENT_SEQ, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    DR_TRY(dr_sqlite_step(stmt, &has_row, err));
    *out = has_row ? (uint64_t)dr_sqlite_column_int(stmt, 0) : 0;
    dr_sqlite_reset(stmt);
    return DR_OK;
}

static enum dr_rc
raise_seq(struct dr_store *store, const char *agent, uint64_t seq, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_AGENT_PUT, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_int(stmt, 2, (int64_t)seq);
    return dr_sqlite_finish(stmt, err);
}

enum dr_rc
dr_store_sqlite_push_drop(struct dr_store *store, const char *agent, const char *key,
                          struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_PUSH_DROP, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_text(stmt, 2, key);
    return dr_sqlite_finish(stmt, err);
}

enum dr_rc
dr_store_sqlite_push_add(struct dr_store *store, const char *agent, uint32_t kind, const char *key,
                         const uint8_t *id, struct dr_bytes body, uint64_t *out_seq,
                         struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    uint64_t last;

    DR_TRY(agent_seq(store, agent, &last, err));
    DR_TRY(raise_seq(store, agent, last + 1, err));
    if (key != NULL) {
        DR_TRY(dr_store_sqlite_push_drop(store, agent, key, err));
    }
    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_PUSH_PUT, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_int(stmt, 2, (int64_t)(last + 1));
    dr_sqlite_bind_int(stmt, 3, kind);
    if (key != NULL) {
        dr_sqlite_bind_text(stmt, 4, key);
    } else {
        dr_sqlite_bind_null(stmt, 4);
    }
    dr_sqlite_bind_blob(stmt, 5, id, 16);
    bind_body(stmt, 6, body);
    DR_TRY(dr_sqlite_finish(stmt, err));
    *out_seq = last + 1;
    return DR_OK;
}

enum dr_rc
dr_store_sqlite_push_list(struct dr_store *store, const char *agent, uint64_t after_seq,
                          uint32_t limit, dr_store_push_fn row_fn, void *user, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    bool has_row = false;
    enum dr_rc rc;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_PUSH_LIST, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_int(stmt, 2, (int64_t)after_seq);
    dr_sqlite_bind_int(stmt, 3, limit);
    while ((rc = dr_sqlite_step(stmt, &has_row, err)) == DR_OK && has_row) {
        struct dr_store_push row = {.seq = (uint64_t)dr_sqlite_column_int(stmt, 0),
                                    .kind = (uint32_t)dr_sqlite_column_int(stmt, 1),
                                    .body = column_body(stmt, 3)};

        rc = dr_store_sqlite_fixed(stmt, 2, row.id, 16)
                 ? row_fn(user, &row, err)
                 : dr_err_set(err, DR_E_STORE, "a push in the store has a wrong id");
        if (rc != DR_OK) {
            break;
        }
    }
    dr_sqlite_reset(stmt);
    return rc;
}

enum dr_rc
dr_store_sqlite_push_ack(struct dr_store *store, const char *agent, uint64_t seq,
                         struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_PUSH_ACK, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_int(stmt, 2, (int64_t)seq);
    return dr_sqlite_finish(stmt, err);
}

enum dr_rc
dr_store_sqlite_log_add(struct dr_store *store, const struct dr_store_log *row, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_LOG_PUT, &stmt, err));
    dr_sqlite_bind_int(stmt, 1, (int64_t)row->index);
    dr_sqlite_bind_int(stmt, 2, row->time);
    dr_sqlite_bind_text(stmt, 3, row->kind);
    dr_sqlite_bind_text(stmt, 4, row->subject);
    dr_sqlite_bind_text(stmt, 5, row->text);
    dr_sqlite_bind_text(stmt, 6, row->actor);
    if (row->has_document) {
        dr_sqlite_bind_blob(stmt, 7, row->document, 32);
    } else {
        dr_sqlite_bind_null(stmt, 7);
    }
    dr_sqlite_bind_blob(stmt, 8, row->previous, 32);
    dr_sqlite_bind_blob(stmt, 9, row->hash, 32);
    return dr_sqlite_finish(stmt, err);
}

static enum dr_rc
hand_log(struct dr_sqlite_stmt *stmt, dr_store_log_fn row_fn, void *user, struct dr_err *err)
{
    struct dr_store_log row = {.index = (uint64_t)dr_sqlite_column_int(stmt, 0),
                               .time = dr_sqlite_column_int(stmt, 1),
                               .kind = dr_sqlite_column_text(stmt, 2),
                               .subject = dr_sqlite_column_text(stmt, 3),
                               .text = dr_sqlite_column_text(stmt, 4),
                               .actor = dr_sqlite_column_text(stmt, 5)};

    row.has_document = dr_store_sqlite_fixed(stmt, 6, row.document, 32);
    if (!dr_store_sqlite_fixed(stmt, 7, row.previous, 32) ||
        !dr_store_sqlite_fixed(stmt, 8, row.hash, 32)) {
        return dr_err_set(err, DR_E_STORE, "a log entry in the store has a wrong hash");
    }
    return row_fn(user, &row, err);
}

enum dr_rc
dr_store_sqlite_log_list(struct dr_store *store, uint64_t after, uint32_t limit, const char *word,
                         dr_store_log_fn row_fn, void *user, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    bool has_row = false;
    enum dr_rc rc;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_LOG_LIST, &stmt, err));
    dr_sqlite_bind_int(stmt, 1, (int64_t)after);
    if (word == NULL || word[0] == '\0') {
        dr_sqlite_bind_null(stmt, 2);
    } else {
        dr_sqlite_bind_text(stmt, 2, word);
    }
    dr_sqlite_bind_int(stmt, 3, limit);
    while ((rc = dr_sqlite_step(stmt, &has_row, err)) == DR_OK && has_row) {
        rc = hand_log(stmt, row_fn, user, err);
        if (rc != DR_OK) {
            break;
        }
    }
    dr_sqlite_reset(stmt);
    return rc;
}

enum dr_rc
dr_store_sqlite_log_head(struct dr_store *store, uint64_t *out_index, uint8_t *out_hash,
                         struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    bool has_row = false;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_LOG_HEAD, &stmt, err));
    DR_TRY(dr_sqlite_step(stmt, &has_row, err));
    *out_index = 0;
    memset(out_hash, 0, 32);
    if (has_row) {
        *out_index = (uint64_t)dr_sqlite_column_int(stmt, 0);
        (void)!dr_store_sqlite_fixed(stmt, 1, out_hash, 32);
    }
    dr_sqlite_reset(stmt);
    return DR_OK;
}

enum dr_rc
dr_store_sqlite_result_get(struct dr_store *store, const uint8_t *caller, const uint8_t *request_id,
                           struct dr_arena *arena, struct dr_store_result *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    struct dr_store_result row = {0};

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_RESULT_GET, &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, caller, 32);
    dr_sqlite_bind_blob(stmt, 2, request_id, 16);
    DR_TRY(dr_store_sqlite_one(stmt, "result", err));
    memcpy(row.caller, caller, 32);
    memcpy(row.request_id, request_id, 16);
    row.time = dr_sqlite_column_int(stmt, 2);
    bool is_whole = dr_store_sqlite_fixed(stmt, 0, row.request_sha256, 32) &&
                    dr_store_sqlite_bytes(stmt, 1, arena, &row.body);
    dr_sqlite_reset(stmt);
    if (!is_whole) {
        return dr_err_set(err, DR_E_STORE, "a stored result cannot be read");
    }
    *out = row;
    return DR_OK;
}

enum dr_rc
dr_store_sqlite_result_put(struct dr_store *store, const struct dr_store_result *row,
                           struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_RESULT_PUT, &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, row->caller, 32);
    dr_sqlite_bind_blob(stmt, 2, row->request_id, 16);
    dr_sqlite_bind_blob(stmt, 3, row->request_sha256, 32);
    bind_body(stmt, 4, row->body);
    dr_sqlite_bind_int(stmt, 5, row->time);
    return dr_sqlite_finish(stmt, err);
}
