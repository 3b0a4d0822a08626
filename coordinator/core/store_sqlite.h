// Inside of the SQLite backend: shared by its files, used by nobody else.
#ifndef DR_CORE_STORE_SQLITE_H
#define DR_CORE_STORE_SQLITE_H

#include "coordinator/core/store.h"
#include "db/sqlite.h"

#define DR_STORE_PATH_MAX 4096u

// Every statement of the backend: prepared at its first use, kept until close.
enum dr_store_sql {
#define DR_SQL(name, text) DR_SQL_##name,
#include "coordinator/core/store_sqlite_sql.h"
#undef DR_SQL
    DR_SQL_COUNT
};

struct dr_store_sqlite {
    struct dr_store base;
    struct dr_sqlite *db;
    struct dr_sqlite_stmt *statements[DR_SQL_COUNT];
    int lock_fd;
    char folder[DR_STORE_PATH_MAX - 128];
};

// The prepared statement, reset and without bindings.
DR_MUST_CHECK enum dr_rc dr_store_sqlite_stmt(struct dr_store *store, enum dr_store_sql which,
                                              struct dr_sqlite_stmt **out, struct dr_err *err);
// Copies of a column in the arena; NULL when it is full.
const char *dr_store_sqlite_text(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena);
bool dr_store_sqlite_bytes(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena,
                           struct dr_bytes *out);
// A column of exactly `size` bytes into `out`; false for any other size.
bool dr_store_sqlite_fixed(struct dr_sqlite_stmt *stmt, int column, uint8_t *out, size_t size);
// Steps once: DR_E_NOT_FOUND with `what` when there is no row.
DR_MUST_CHECK enum dr_rc
dr_store_sqlite_one(struct dr_sqlite_stmt *stmt, const char *what, struct dr_err *err);

// Functions of struct dr_store_ops, see there.
enum dr_rc
dr_store_sqlite_document_put(struct dr_store *, const struct dr_store_document *, struct dr_err *);
enum dr_rc dr_store_sqlite_document_get(struct dr_store *, const uint8_t *, struct dr_arena *,
                                        struct dr_store_document *, struct dr_err *);
enum dr_rc
dr_store_sqlite_document_version(struct dr_store *, const char *, uint64_t, struct dr_arena *,
                                 struct dr_store_document *, struct dr_err *);
enum dr_rc
dr_store_sqlite_document_latest(struct dr_store *, const char *, uint32_t, struct dr_arena *,
                                struct dr_store_document *, struct dr_err *);
enum dr_rc dr_store_sqlite_document_latest_word(struct dr_store *, const char *, uint32_t,
                                                struct dr_store_word *, struct dr_err *);
enum dr_rc
dr_store_sqlite_document_counter(struct dr_store *, const char *, const uint8_t *, uint64_t,
                                 struct dr_arena *, struct dr_store_document *, struct dr_err *);
enum dr_rc dr_store_sqlite_document_list(struct dr_store *, const struct dr_store_filter *,
                                         dr_store_document_fn, void *, struct dr_err *);
enum dr_rc dr_store_sqlite_blob_put(struct dr_store *, const uint8_t *, uint64_t, uint64_t,
                                    struct dr_bytes, uint64_t *, bool *, struct dr_err *);
enum dr_rc dr_store_sqlite_blob_get(struct dr_store *, const uint8_t *, uint64_t, struct dr_arena *,
                                    struct dr_bytes *, uint64_t *, struct dr_err *);
enum dr_rc dr_store_sqlite_blob_read(struct dr_store *, const uint8_t *, struct dr_arena *,
                                     struct dr_bytes *, struct dr_err *);
void dr_store_sqlite_blob_drop(struct dr_store *store, const uint8_t *sha256);
enum dr_rc dr_store_sqlite_blob_sweep(struct dr_store *, int64_t, struct dr_err *);
enum dr_rc dr_store_sqlite_revision_put(struct dr_store *, const uint8_t *, const char *,
                                        struct dr_bytes, struct dr_err *);
enum dr_rc
dr_store_sqlite_revision_list(struct dr_store *, dr_store_bytes_fn, void *, struct dr_err *);
enum dr_rc dr_store_sqlite_rollout_put(struct dr_store *, uint64_t, const char *, bool,
                                       struct dr_bytes, struct dr_err *);
enum dr_rc
dr_store_sqlite_rollout_list(struct dr_store *, bool, dr_store_bytes_fn, void *, struct dr_err *);
enum dr_rc dr_store_sqlite_push_add(struct dr_store *, const char *, uint32_t, const char *,
                                    const uint8_t *, struct dr_bytes, uint64_t *, struct dr_err *);
enum dr_rc dr_store_sqlite_push_list(struct dr_store *, const char *, uint64_t, uint32_t,
                                     dr_store_push_fn, void *, struct dr_err *);
enum dr_rc dr_store_sqlite_push_ack(struct dr_store *, const char *, uint64_t, struct dr_err *);
enum dr_rc
dr_store_sqlite_push_drop(struct dr_store *, const char *, const char *, struct dr_err *);
enum dr_rc dr_store_sqlite_log_add(struct dr_store *, const struct dr_store_log *, struct dr_err *);
enum dr_rc dr_store_sqlite_log_list(struct dr_store *, uint64_t, uint32_t, const char *,
                                    dr_store_log_fn, void *, struct dr_err *);
enum dr_rc dr_store_sqlite_log_head(struct dr_store *, uint64_t *, uint8_t *, struct dr_err *);
enum dr_rc dr_store_sqlite_result_get(struct dr_store *, const uint8_t *, const uint8_t *,
                                      struct dr_arena *, struct dr_store_result *, struct dr_err *);
enum dr_rc
dr_store_sqlite_result_put(struct dr_store *, const struct dr_store_result *, struct dr_err *);

#endif
