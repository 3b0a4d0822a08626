// Inside the libpq door only: the connection, one running call, and what its files share.
#ifndef DR_DB_PG_INTERNAL_H
#define DR_DB_PG_INTERNAL_H

#include "base/str.h"
#include "db/pg.h"

#include <libpq-fe.h>

#define DR_PG_MAGIC           0x64727067u
#define DR_PG_PIPELINE_WINDOW 512u     // statements sent whose answers are not read yet
#define DR_PG_PIPELINE_FLUSH  64u      // ask the server for its answers this often
#define DR_PG_PIPELINE_BYTES  1048576u // of statements sent whose answers are not read yet
#define DR_PG_SETTINGS_MAX    40u

struct dr_pg_result {
    size_t columns, rows;
    uint64_t seen, affected;
    char tag[64];
    struct dr_buf values; // NUL-terminated texts, one behind the other
    size_t *cells;        // rows * columns offsets in `values`; SIZE_MAX: NULL
    size_t cells_cap;
};

struct dr_pg_pipeline {
    bool is_on;
    struct dr_db_wait wait;
    dr_pg_on_result on_result;
    void *ctx;
    uint64_t sent, read;
    size_t unread_bytes;                    // of statements on their way
    int64_t next_tick_ms;                   // of the pipeline as a whole; 0: not yet known
    size_t max_rows[DR_PG_PIPELINE_WINDOW]; // of statements on their way, by index modulo window
    size_t sizes[DR_PG_PIPELINE_WINDOW];    // in bytes, of the same
    enum dr_rc rc;                          // first failure
    uint64_t failed_at;
    struct dr_err err;
};

struct dr_pg {
    uint32_t magic;
    PGconn *conn;
    bool lost;
    PostgresPollingStatusType connecting; // what libpq waits for; OK or FAILED: it is done
    char application[64];                 // must live as long as the notice processor
    struct dr_pg_error error;
    char notices[DR_PG_NOTICES_MAX][DR_PG_MESSAGE_MAX + 1];
    uint64_t notices_seen;
    const char *prepared[DR_PG_PREPARED_MAX]; // names that the server knows
    size_t prepared_count;
    struct dr_pg_pipeline pipeline;
};

// One call that waits: its deadline, and what stopped it.
struct dr_pg_op {
    struct dr_pg *pg;
    const struct dr_db_wait *wait;
    int64_t deadline_ms, next_tick_ms, started_ms;
    enum dr_rc stop_rc; // why a cancel was sent; DR_OK: none was
    struct dr_err stop_err;
    int cancel_done_fd; // readable when the cancel request was delivered; -1: none under way
};

// pg_wait.c
void dr_pg_op_init(struct dr_pg_op *op, struct dr_pg *pg, const struct dr_db_wait *wait);
// Waits for the socket (POLLIN, POLLOUT). DR_OK: look again. DR_E_DB_LOST: nothing came, not even
// after a cancel.
DR_MUST_CHECK enum dr_rc dr_pg_op_wait(struct dr_pg_op *op, short events, struct dr_err *err);
// Waits until all is sent and PQgetResult would not block.
DR_MUST_CHECK enum dr_rc dr_pg_op_ready(struct dr_pg_op *op, struct dr_err *err);
// Remembers the reason and asks the server to cancel; then a grace period runs.
void dr_pg_op_stop(struct dr_pg_op *op, enum dr_rc rc, const char *why);
// After the last answer: waits for an outstanding cancel request, so that it cannot hit the next
// statement.
DR_MUST_CHECK enum dr_rc dr_pg_op_fini(struct dr_pg_op *op, struct dr_err *err);
enum dr_rc dr_pg_set_lost(struct dr_pg *pg, struct dr_err *err);

// pg_url.c
struct dr_pg_settings {
    const char *keys[DR_PG_SETTINGS_MAX + 1];
    const char *values[DR_PG_SETTINGS_MAX + 1];
    size_t count;
    PQconninfoOption *parsed; // owns the values
};
DR_MUST_CHECK enum dr_rc
dr_pg_settings_parse(struct dr_pg_settings *out, const char *url, struct dr_err *err);
// What the URL leaves open: TLS for remote hosts, keepalives.
void dr_pg_settings_defaults(struct dr_pg_settings *settings);
void dr_pg_settings_add(struct dr_pg_settings *settings, const char *key, const char *value);
void dr_pg_settings_fini(struct dr_pg_settings *settings); // wipes

// pg_error.c
void dr_pg_error_clear(struct dr_pg *pg);
// Keeps what the server said in pg->error and sets err by its SQLSTATE.
enum dr_rc dr_pg_error_from(struct dr_pg *pg, const PGresult *result, struct dr_err *err);
// The reason of a failed connect, from the text that libpq leaves.
enum dr_rc dr_pg_error_connect(PGconn *conn, struct dr_err *err);
void dr_pg_notice_keep(void *ctx, const PGresult *result);

// pg_result.c
struct dr_pg_result *dr_pg_result_new(void);
// Takes the rows of `from` (at most until max_rows), tag and count. DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_pg_result_add(struct dr_pg_result *result, const PGresult *from,
                                          size_t max_rows, struct dr_err *err);

// pg_exec.c
DR_MUST_CHECK enum dr_rc
dr_pg_stmt_send(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err);
bool dr_pg_is_prepared(const struct dr_pg *pg, const char *name);
// The same for its preparation under its name.
DR_MUST_CHECK enum dr_rc
dr_pg_stmt_prepare(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err);

#endif
