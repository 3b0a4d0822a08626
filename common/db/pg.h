// The libpq door: connections to PostgreSQL whose every call ends by a deadline, and which send one
// statement per message, so that the server itself refuses two in one string.
//
// Unless noted: calls block at most until the wait's deadline plus DR_PG_CANCEL_GRACE_MS; one
// thread per connection; no environment variable of libpq counts but PGHOST, PGPORT, PGUSER,
// PGPASSWORD and PGPASSFILE, and these only where the URL is silent.
#ifndef DR_DB_PG_H
#define DR_DB_PG_H

#include "base/attr.h"
#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_PG_CANCEL_GRACE_MS                                                                      \
    5000 // for the server's answer to a cancel; then the connection is given up
#define DR_PG_MESSAGE_MAX      200u             // bytes of a server message that are kept
#define DR_PG_NOTICES_MAX      32u              // notices kept per connection; the rest is counted
#define DR_PG_ROWS_MAX         1000000u         // rows kept of one result
#define DR_PG_RESULT_BYTES_MAX (64u * 1048576u) // bytes of values kept of one result
#define DR_PG_STATEMENT_MAX    (33u * 1048576u) // bytes of one statement
#define DR_PG_PARAMS_MAX       32u
#define DR_PG_PREPARED_MAX     64u    // statements that one connection keeps prepared
#define DR_PG_VERSION_MIN      120000 // as PQserverVersion

struct dr_pg;        // one connection
struct dr_pg_result; // rows and command tag of one statement

// ----------------------------------------------------------------------------------------------------------
// connect

struct dr_pg_options {
    const char *
        url; // "postgresql://user@host:port/db?sslmode=...", or "host=... dbname=..." of known keys
    const char *password; // NULL: the URL's, PGPASSWORD, the password file's
    const char *target;   // shown to the server as application "drover/<target>"; NULL: "drover"
};

// Checks a URL without connecting: DR_E_DB_URL for one that does not parse, has an unknown or
// refused key (options, service, replication), a control character or no database name.
DR_MUST_CHECK enum dr_rc dr_pg_url_check(const char *url, struct dr_err *err);

// One setting of the URL ("host", "port", "user", "dbname", "sslmode", "password", "passfile", ...)
// copied to `out`; false when the URL is bad, has no such setting, or it does not fit.
bool dr_pg_url_get(const char *url, const char *key, char *out, size_t out_size);

// A connection string for tools (pg_dump) that says all that the URL, the kept environment
// variables and our defaults say, but no password. Appended to `out`. DR_E_DB_URL.
struct dr_buf;
DR_MUST_CHECK enum dr_rc
dr_pg_url_for_tools(const char *url, struct dr_buf *out, struct dr_err *err);

// A connection string that says all that the URL says, its password too, but names another database
// of the same server. Appended to `out`, which the caller wipes. DR_E_DB_URL, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_pg_url_on_database(const char *url, const char *database,
                                               struct dr_buf *out, struct dr_err *err);

// Connects (looking up the host's name may take longer than the deadline). A remote host without
// sslmode in the URL gets sslmode=require; the session starts with search_path "pg_catalog,
// pg_temp", standard_conforming_strings on, DateStyle ISO, UTF8. DR_E_DB_URL, DR_E_DB_UNREACHABLE
// (exit 5), DR_E_DB_AUTH, DR_E_DB_NO_DATABASE, DR_E_DB_TLS, DR_E_DB_POOLER (a pooler that refuses
// start-up settings), DR_E_TIMEOUT never: a deadline is DR_E_DB_UNREACHABLE; DR_E_INTERRUPTED.
DR_MUST_CHECK enum dr_rc
dr_pg_connect(const struct dr_pg_options *options, const struct dr_db_wait *wait,
              struct dr_pg **out, struct dr_err *err);
// The same in two steps, so that the server works on it meanwhile: begin does not wait for the
// network, and nothing but end and close may be called before end. A failed end leaves a connection
// that is only good to be closed.
DR_MUST_CHECK enum dr_rc
dr_pg_connect_begin(const struct dr_pg_options *options, struct dr_pg **out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_pg_connect_end(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_err *err);
// Closes without waiting; what was open rolls back. NULL accepted, pointer cleared.
void dr_pg_close(struct dr_pg **pg);
// False once the connection is lost; every further call then gives DR_E_DB_LOST. Never blocks.
bool dr_pg_is_alive(const struct dr_pg *pg);
// Looks without blocking whether the server has closed an idle connection (for the one that holds a
// lock).
bool dr_pg_still_there(struct dr_pg *pg);

// As the start-up said, e.g. 150020; 0 when lost.
int dr_pg_server_version(const struct dr_pg *pg);

struct dr_pg_info {
    int server_version;           // 150020
    char server_version_text[32]; // "15.20"
    int backend_pid;              // as the start-up said
    bool is_pooled;               // the server's own pid is another: a pooler stands between
    bool in_recovery;             // a standby
    bool is_read_only;            // transactions are read-only by default
    bool is_superuser;
    char system_identifier[24]; // decimal; "" when the role may not read it
    char database[64], user[64];
    uint32_t database_oid;
    uint32_t timeline;
    char backend_start[40]; // with time zone, as text
};
// Asks the server who it is; one round trip.
DR_MUST_CHECK enum dr_rc dr_pg_inspect(struct dr_pg *pg, const struct dr_db_wait *wait,
                                       struct dr_pg_info *out, struct dr_err *err);
// DR_E_DB_POOLER, DR_E_DB_STANDBY, DR_E_DB_VERSION when no revision may run here. Pure.
DR_MUST_CHECK enum dr_rc dr_pg_check_usable(const struct dr_pg_info *info, struct dr_err *err);
// DR_E_DB_IDENTITY when `system_identifier` or `database` (NULL or "": any) is another one. Pure.
DR_MUST_CHECK enum dr_rc
dr_pg_check_identity(const struct dr_pg_info *info, const char *system_identifier,
                     const char *database, struct dr_err *err);

// --------------------------------------------------------------------------------------------------------
// statements

struct dr_pg_stmt {
    const char *sql;           // one statement, NUL-terminated
    const char *const *params; // texts for $1..; NULL is SQL NULL
    size_t params_count;
    size_t max_rows;  // rows to keep; 0: rows are counted and thrown away
    const char *name; // of dr_pg_pipeline_prepare; used where this connection knows it, otherwise
                      // `sql` is sent. NULL: none
};

enum dr_pg_tx { DR_PG_TX_IDLE, DR_PG_TX_OPEN, DR_PG_TX_FAILED, DR_PG_TX_UNKNOWN };

// What the server said about the last statement that failed.
struct dr_pg_error {
    char sqlstate[6]; // "" when the server did not answer
    char message[DR_PG_MESSAGE_MAX +
                 1]; // primary message, cut; may hold a value of a row: stays on this host
    char message_safe[DR_PG_MESSAGE_MAX +
                      1];               // the same without quoted values of rows: may be reported
    char detail[DR_PG_MESSAGE_MAX + 1]; // its DETAIL, cut: values of rows, stays on this host
    uint32_t position;                  // 1-based character in the statement; 0: none
    char schema[64], table[64], column[64], constraint[64];
};

// Runs one statement to its end. Failures: DR_E_DB_STATEMENT and its finer kinds
// DR_E_DB_LOCK_TIMEOUT (55P03), DR_E_DB_STATEMENT_TIMEOUT and DR_E_DB_CANCELLED (57014),
// DR_E_DB_DEADLOCK (40P01, 40001), DR_E_DB_PRIVILEGE (42501), DR_E_DB_FULL (53100); DR_E_DB_COPY
// for COPY to or from the client; DR_E_LIMIT for more rows than max_rows or DR_PG_RESULT_BYTES_MAX;
// DR_E_TIMEOUT at the deadline and DR_E_INTERRUPTED by cancel_fd, both after the server was told to
// cancel and has answered; DR_E_DB_LOST when it did not answer or the connection broke: whether the
// statement took effect is then unknown. A statement that ended well in spite of a cancel is DR_OK.
// `*out` (may be NULL) is the caller's.
DR_MUST_CHECK enum dr_rc
dr_pg_exec(struct dr_pg *pg, const struct dr_pg_stmt *stmt, const struct dr_db_wait *wait,
           struct dr_pg_result **out, struct dr_err *err);
// The same without parameters and rows.
DR_MUST_CHECK enum dr_rc
dr_pg_run(struct dr_pg *pg, const char *sql, const struct dr_db_wait *wait, struct dr_err *err);
// The same for one value of one row: copied to `out`, "" for NULL. DR_E_NOT_FOUND when there is no
// row.
DR_MUST_CHECK enum dr_rc
dr_pg_value(struct dr_pg *pg, const struct dr_pg_stmt *stmt, const struct dr_db_wait *wait,
            char *out, size_t out_size, struct dr_err *err);

// State of the transaction as the server's last answer gave it (UNKNOWN inside a pipeline and when
// lost).
enum dr_pg_tx dr_pg_tx_status(const struct dr_pg *pg);
// Of the last failure on this connection; never NULL.
const struct dr_pg_error *dr_pg_last_error(const struct dr_pg *pg);
// Line and column (1-based) of `position` in `sql`; 0, 0 when it is outside.
void
dr_pg_error_place(const char *sql, uint32_t position, uint32_t *out_line, uint32_t *out_column);

size_t dr_pg_rows(const struct dr_pg_result *result);        // kept
uint64_t dr_pg_rows_seen(const struct dr_pg_result *result); // kept or not
size_t dr_pg_columns(const struct dr_pg_result *result);
// Value as text; NULL for SQL NULL and outside the result. Lives as long as the result.
const char *dr_pg_text(const struct dr_pg_result *result, size_t row, size_t column);
// The same as number and as truth; 0 and false for NULL or what is none.
int64_t dr_pg_int(const struct dr_pg_result *result, size_t row, size_t column);
bool dr_pg_bool(const struct dr_pg_result *result, size_t row, size_t column);
// Bytes of a bytea column (hex form) into `out`; false unless exactly `len` bytes.
DR_MUST_CHECK bool
dr_pg_bytea(const struct dr_pg_result *result, size_t row, size_t column, uint8_t *out, size_t len);
// Command tag ("INSERT 0 5", "CREATE TABLE"); a COMMIT that rolled back says "ROLLBACK". Rows that
// it names, 0 if none.
const char *dr_pg_tag(const struct dr_pg_result *result);
void dr_pg_result_free(struct dr_pg_result **result);

// "\x<hex>" as a parameter for bytea; `out` has 2 * len + 3 bytes.
void dr_pg_bytea_param(char *out, const uint8_t *bytes, size_t len);

// ----------------------------------------------------------------------------------------------------------
// pipeline begin, add..., end: many statements, each its own message, for about one round trip.
// Statements run in order; after a failure the server skips the rest. An explicit BEGIN must be
// among them or before: a pipeline is no transaction that survives a failure of its sync. Memory
// stays bounded: add sends and reads answers while it goes.

// Called for each finished statement, in order, with its place in the pipeline (from 0). Anything
// but DR_OK fails the pipeline. `result` is lent.
typedef enum dr_rc (*dr_pg_on_result)(void *ctx, uint64_t index, const struct dr_pg_result *result,
                                      struct dr_err *err);

// Enters pipeline mode. `wait` is copied and holds for the whole pipeline. `on_result` may be NULL.
DR_MUST_CHECK enum dr_rc
dr_pg_pipeline_begin(struct dr_pg *pg, const struct dr_db_wait *wait, dr_pg_on_result on_result,
                     void *ctx, struct dr_err *err);
// Queues one statement (copied). The failure of an earlier one may show here: then call end.
DR_MUST_CHECK enum dr_rc
dr_pg_pipeline_add(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err);
// Queues the preparation of `stmt` under its name (static storage; the parameters are not looked
// at); nothing is sent for a name that this connection knows. Otherwise it has a place in the
// pipeline like any statement. DR_E_LIMIT for more than DR_PG_PREPARED_MAX names.
DR_MUST_CHECK enum dr_rc
dr_pg_pipeline_prepare(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err);
// Every prepared statement of this connection was removed (DEALLOCATE ALL): texts are sent again.
void dr_pg_forget_prepared(struct dr_pg *pg);
// Sync, reads all answers, leaves pipeline mode. The first failure of the pipeline (as
// dr_pg_exec's), with the place of the statement in `*out_done`: that many statements ended well.
// Always to be called after begin, also after a failed add.
DR_MUST_CHECK enum dr_rc
dr_pg_pipeline_end(struct dr_pg *pg, uint64_t *out_done, struct dr_err *err);

// -----------------------------------------------------------------------------------------------------------
// notices

// Notices since the last clear: how many came, how many are kept, and each kept one ("WARNING:
// ...", cut).
uint64_t dr_pg_notices_seen(const struct dr_pg *pg);
size_t dr_pg_notices_kept(const struct dr_pg *pg);
const char *dr_pg_notice(const struct dr_pg *pg, size_t index);
void dr_pg_notices_clear(struct dr_pg *pg);

#endif
