// SQLite backend: signed documents.
#include "coordinator/core/store_sqlite.h"

#include "trust/try.h"

#include <stdio.h>
#include <string.h>

static void
bind_text_or_null(struct dr_sqlite_stmt *stmt, int index, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        dr_sqlite_bind_null(stmt, index);
    } else {
        dr_sqlite_bind_text(stmt, index, text);
    }
}

static void
bind_blob_or_null(struct dr_sqlite_stmt *stmt, int index, const uint8_t *data, size_t len)
{
    if (data == NULL || len == 0) {
        dr_sqlite_bind_null(stmt, index);
    } else {
        dr_sqlite_bind_blob(stmt, index, data, len);
    }
}

enum dr_rc
dr_store_sqlite_document_put(struct dr_store *store, const struct dr_store_document *row,
                             struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_PUT, &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, row->sha256, 32);
    dr_sqlite_bind_text(stmt, 2, row->kind);
    dr_sqlite_bind_blob(stmt, 3, row->envelope.data, row->envelope.len);
    bind_blob_or_null(stmt, 4, row->parts.data, row->parts.len);
    bind_text_or_null(stmt, 5, row->environment);
    bind_text_or_null(stmt, 6, row->target);
    bind_text_or_null(stmt, 7, row->agent);
    bind_blob_or_null(stmt, 8, row->plan_sha256, row->has_plan ? 32 : 0);
    dr_sqlite_bind_int(stmt, 9, row->subkind);
    dr_sqlite_bind_int(stmt, 10, (int64_t)row->version);
    dr_sqlite_bind_blob(stmt, 11, row->epoch, 16);
    dr_sqlite_bind_int(stmt, 12, row->time);
    dr_sqlite_bind_int(stmt, 13, row->is_pending);
    dr_sqlite_bind_int(stmt, 14, (int64_t)row->log_index);
    return dr_sqlite_finish(stmt, err);
}

static enum dr_rc
read_document(struct dr_sqlite_stmt *stmt, struct dr_arena *arena, struct dr_store_document *out,
              struct dr_err *err)
{
    struct dr_store_document row = {0};

    row.kind = dr_store_sqlite_text(stmt, 1, arena);
    row.environment = dr_store_sqlite_text(stmt, 4, arena);
    row.target = dr_store_sqlite_text(stmt, 5, arena);
    row.agent = dr_store_sqlite_text(stmt, 6, arena);
    if (!dr_store_sqlite_bytes(stmt, 2, arena, &row.envelope) ||
        !dr_store_sqlite_bytes(stmt, 3, arena, &row.parts) || row.kind == NULL ||
        row.environment == NULL || row.target == NULL || row.agent == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a document is too large for this request");
    }
    if (!dr_store_sqlite_fixed(stmt, 0, row.sha256, 32)) {
        return dr_err_set(err, DR_E_STORE, "a document's digest in the store has a wrong length");
    }
    row.has_plan = dr_store_sqlite_fixed(stmt, 7, row.plan_sha256, 32);
    row.subkind = (uint32_t)dr_sqlite_column_int(stmt, 8);
    row.version = (uint64_t)dr_sqlite_column_int(stmt, 9);
    (void)!dr_store_sqlite_fixed(stmt, 10, row.epoch, 16);
    row.time = dr_sqlite_column_int(stmt, 11);
    row.is_pending = dr_sqlite_column_int(stmt, 12) != 0;
    row.log_index = (uint64_t)dr_sqlite_column_int(stmt, 13);
    *out = row;
    return DR_OK;
}

// The one row of a bound statement.
static enum dr_rc
read_one(struct dr_sqlite_stmt *stmt, const char *what, struct dr_arena *arena,
         struct dr_store_document *out, struct dr_err *err)
{
    enum dr_rc rc = dr_store_sqlite_one(stmt, what, err);

    if (rc == DR_OK) {
        rc = read_document(stmt, arena, out, err);
    }
    dr_sqlite_reset(stmt);
    return rc;
}

enum dr_rc
dr_store_sqlite_document_get(struct dr_store *store, const uint8_t *sha256, struct dr_arena *arena,
                             struct dr_store_document *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_GET, &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, sha256, 32);
    return read_one(stmt, "document", arena, out, err);
}

enum dr_rc
dr_store_sqlite_document_version(struct dr_store *store, const char *kind, uint64_t version,
                                 struct dr_arena *arena, struct dr_store_document *out,
                                 struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_VERSION, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, kind);
    dr_sqlite_bind_int(stmt, 2, (int64_t)version);
    return read_one(stmt, "document", arena, out, err);
}

enum dr_rc
dr_store_sqlite_document_latest(struct dr_store *store, const char *target, uint32_t subkind,
                                struct dr_arena *arena, struct dr_store_document *out,
                                struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_LATEST, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, target);
    dr_sqlite_bind_int(stmt, 2, subkind);
    return read_one(stmt, "attestation", arena, out, err);
}

enum dr_rc
dr_store_sqlite_document_latest_word(struct dr_store *store, const char *target, uint32_t subkind,
                                     struct dr_store_word *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_LATEST_WORD, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, target);
    dr_sqlite_bind_int(stmt, 2, subkind);
    enum dr_rc rc = dr_store_sqlite_one(stmt, "attestation", err);
    if (rc == DR_OK && !dr_store_sqlite_fixed(stmt, 0, out->sha256, 32)) {
        rc = dr_err_set(err, DR_E_STORE, "a document's digest in the store has a wrong length");
    }
    if (rc == DR_OK) {
        out->time = dr_sqlite_column_int(stmt, 1);
        out->version = (uint64_t)dr_sqlite_column_int(stmt, 2);
        out->log_index = (uint64_t)dr_sqlite_column_int(stmt, 3);
    }
    dr_sqlite_reset(stmt);
    return rc;
}

enum dr_rc
dr_store_sqlite_document_counter(struct dr_store *store, const char *agent, const uint8_t *epoch,
                                 uint64_t counter, struct dr_arena *arena,
                                 struct dr_store_document *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;

    DR_TRY(dr_store_sqlite_stmt(store, DR_SQL_DOCUMENT_COUNTER, &stmt, err));
    dr_sqlite_bind_text(stmt, 1, agent);
    dr_sqlite_bind_blob(stmt, 2, epoch, 16);
    dr_sqlite_bind_int(stmt, 3, (int64_t)counter);
    return read_one(stmt, "attestation", arena, out, err);
}

// The one subkind that is asked for; 0: several, or any.
static uint32_t
only_subkind(const struct dr_store_filter *filter)
{
    uint32_t kind = 0;

    for (uint32_t i = 1; i < 32 && kind == 0; i++) {
        kind = filter->subkinds == UINT32_C(1) << i ? i : 0;
    }
    return kind;
}

// Of one target and kind the newest are found without a look at all that it ever said.
static enum dr_store_sql
list_statement(const struct dr_store_filter *filter)
{
    if (filter->newest_first) {
        if (filter->target != NULL && only_subkind(filter) != 0) {
            return DR_SQL_DOCUMENT_KIND;
        }
        return filter->target != NULL ? DR_SQL_DOCUMENT_TARGET : DR_SQL_DOCUMENT_NEWEST;
    }
    return DR_SQL_DOCUMENT_LIST;
}

enum dr_rc
dr_store_sqlite_document_list(struct dr_store *store, const struct dr_store_filter *filter,
                              dr_store_document_fn row_fn, void *user, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt;
    uint32_t limit =
        filter->limit == 0 || filter->limit > DR_LIST_MAX ? DR_LIST_MAX : filter->limit;

    DR_TRY(dr_store_sqlite_stmt(store, list_statement(filter), &stmt, err));
    dr_sqlite_bind_int(stmt, 1, (int64_t)filter->after_log_index);
    bind_text_or_null(stmt, 2, filter->kind);
    bind_text_or_null(stmt, 3, filter->environment);
    bind_text_or_null(stmt, 4, filter->target);
    bind_blob_or_null(stmt, 5, filter->plan_sha256, 32);
    dr_sqlite_bind_int(stmt, 6,
                       list_statement(filter) == DR_SQL_DOCUMENT_KIND ? only_subkind(filter)
                                                                      : filter->subkinds);
    dr_sqlite_bind_int(stmt, 7, filter->only_pending ? 1 : filter->only_complete ? 0 : -1);
    dr_sqlite_bind_int(stmt, 8, limit);
    if (filter->newest_first) {
        dr_sqlite_bind_int(stmt, 9,
                           filter->before_log_index == 0 || filter->before_log_index > INT64_MAX
                               ? INT64_MAX
                               : (int64_t)filter->before_log_index);
    }

    enum dr_rc rc;
    bool has_row = false;
    while ((rc = dr_sqlite_step(stmt, &has_row, err)) == DR_OK && has_row) {
        struct dr_arena *arena = dr_arena_new(128u << 20);
        struct dr_store_document row;

        rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                           : read_document(stmt, arena, &row, err);
        if (rc == DR_OK) {
            rc = row_fn(user, &row, err);
        }
        dr_arena_free(&arena);
        if (rc != DR_OK) {
            break;
        }
    }
    dr_sqlite_reset(stmt);
    return rc;
}
