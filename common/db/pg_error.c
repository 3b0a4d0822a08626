// What the server says when something fails: kept for the caller, mapped to our codes, values of
// rows left out.
#include "db/pg_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// SQLSTATE (whole, or its class) to code. First match counts.
static const struct {
    const char *sqlstate;
    enum dr_rc rc;
} statement_table[] = {
    {"55P03", DR_E_DB_LOCK_TIMEOUT}, // lock_not_available
    {"40P01", DR_E_DB_DEADLOCK},     // deadlock_detected
    {"40001", DR_E_DB_DEADLOCK},     // serialization_failure
    {"42501", DR_E_DB_PRIVILEGE},    // insufficient_privilege
    {"53100", DR_E_DB_FULL},         // disk_full
    {"25006", DR_E_DB_STANDBY},      // read_only_sql_transaction
    {"57P01", DR_E_DB_LOST},         // admin_shutdown: the session's last word
    {"57P02", DR_E_DB_LOST},         // crash_shutdown
    {"57P03", DR_E_DB_LOST},         // cannot_connect_now
};

static const struct {
    const char *sqlstate;
    const char *text; // must be in the message too; NULL: any
    enum dr_rc rc;
    const char *hint; // NULL: the code's
} connect_table[] = {
    {"28", NULL, DR_E_DB_AUTH, NULL},
    {"3D000", NULL, DR_E_DB_NO_DATABASE, NULL},
    {"08P01", "startup parameter", DR_E_DB_POOLER, NULL},
    {"42501", NULL, DR_E_DB_AUTH, "grant the role CONNECT on the database"},
    {"53300", NULL, DR_E_DB_UNREACHABLE,
     "the server has no free connection: raise max_connections or close some"},
    {"57P03", NULL, DR_E_DB_UNREACHABLE, "the server starts or stops: try again in a moment"},
    {"", "read-only", DR_E_DB_STANDBY, NULL},
    {"", "hot standby", DR_E_DB_STANDBY, NULL},
    {"", "in recovery", DR_E_DB_STANDBY, NULL},
    {"", "password", DR_E_DB_AUTH, NULL},
    {"", "SCRAM", DR_E_DB_AUTH, NULL},
    {"", "requirepeer", DR_E_DB_AUTH, NULL},
    {"", "SSL", DR_E_DB_TLS, NULL},
    {"", "certificate", DR_E_DB_TLS, NULL},
    {"", "channel binding", DR_E_DB_TLS, NULL},
};

// Copies at most `out_size` - 1 bytes, cut at a character of UTF-8, without line ends.
static void
copy_cut(char *out, size_t out_size, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);
    if (len >= out_size) {
        len = out_size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0u) == 0x80u) {
            len--;
        }
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)text[i] < 0x20 ? ' ' : text[i];
    }
    out[len] = '\0';
}

// Class 22 (data exceptions) quotes the value that was bad; all other classes quote names.
static void
copy_safe(char *out, size_t out_size, const char *sqlstate, const char *message)
{
    if (strncmp(sqlstate, "22", 2) != 0) {
        snprintf(out, out_size, "%s", message);
        return;
    }
    struct dr_buf safe = {0};
    const char *at = message;
    const char *quote;
    while ((quote = strchr(at, '"')) != NULL) {
        dr_buf_add(&safe, at, (size_t)(quote - at));
        dr_buf_str(&safe, "\"***\"");
        const char *end = strrchr(quote + 1, '"');
        at = end == NULL ? quote + strlen(quote) : end + 1;
    }
    dr_buf_str(&safe, at);
    snprintf(out, out_size, "%s", safe.failed ? "" : safe.data);
    dr_buf_fini(&safe);
}

void
dr_pg_error_clear(struct dr_pg *pg)
{
    pg->error = (struct dr_pg_error){0};
}

static void
keep_fields(struct dr_pg_error *error, const PGresult *result)
{
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    copy_cut(error->sqlstate, sizeof error->sqlstate, PQresultErrorField(result, PG_DIAG_SQLSTATE));
    error->position = position == NULL ? 0 : (uint32_t)strtoul(position, NULL, 10);
    copy_cut(error->schema, sizeof error->schema, PQresultErrorField(result, PG_DIAG_SCHEMA_NAME));
    copy_cut(error->table, sizeof error->table, PQresultErrorField(result, PG_DIAG_TABLE_NAME));
    copy_cut(error->column, sizeof error->column, PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
    copy_cut(error->constraint, sizeof error->constraint,
             PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    copy_cut(error->message, sizeof error->message,
             primary != NULL ? primary : PQresultErrorMessage(result));
    copy_cut(error->detail, sizeof error->detail,
             PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    copy_safe(error->message_safe, sizeof error->message_safe, error->sqlstate, error->message);
}

static enum dr_rc
statement_rc(const struct dr_pg_error *error)
{
    if (strcmp(error->sqlstate, "57014") == 0) {
        bool by_timeout = strstr(error->message, "timeout") != NULL;
        return by_timeout ? DR_E_DB_STATEMENT_TIMEOUT : DR_E_DB_CANCELLED;
    }
    for (size_t i = 0; i < DR_COUNT_OF(statement_table); i++) {
        if (strcmp(error->sqlstate, statement_table[i].sqlstate) == 0) {
            return statement_table[i].rc;
        }
    }
    return DR_E_DB_STATEMENT;
}

enum dr_rc
dr_pg_error_from(struct dr_pg *pg, const PGresult *result, struct dr_err *err)
{
    dr_pg_error_clear(pg);
    keep_fields(&pg->error, result);
    // libpq's own words: the server said none, because it is gone.
    if (pg->error.sqlstate[0] == '\0' && PQstatus(pg->conn) == CONNECTION_BAD) {
        return dr_err_set(err, DR_E_DB_LOST, "connection to the database was lost: %s",
                          pg->error.message_safe);
    }
    if (pg->error.sqlstate[0] == '\0') {
        return dr_err_set(err, DR_E_DB_STATEMENT, "%s", pg->error.message_safe);
    }
    enum dr_rc rc = statement_rc(&pg->error);
    if (strcmp(pg->error.sqlstate, "42601") == 0 &&
        strstr(pg->error.message, "multiple commands") != NULL) {
        rc = DR_E_DB_MULTI;
    }
    return dr_err_set(err, rc, "%s (SQLSTATE %s)", pg->error.message_safe, pg->error.sqlstate);
}

const struct dr_pg_error *
dr_pg_last_error(const struct dr_pg *pg)
{
    return &pg->error;
}

void
dr_pg_error_place(const char *sql, uint32_t position, uint32_t *out_line, uint32_t *out_column)
{
    uint32_t line = 1;
    uint32_t column = 1;
    uint32_t at = 1;
    for (; *sql != '\0' && at < position; sql++) {
        bool is_line_end = *sql == '\n';
        // Positions count characters: a byte that goes on with one does not count.
        bool is_last_byte = ((unsigned char)sql[1] & 0xc0u) != 0x80u;
        at += is_last_byte ? 1 : 0;
        line += is_line_end ? 1 : 0;
        column = is_line_end ? 1 : column + (is_last_byte ? 1u : 0u);
    }
    bool is_inside = position > 0 && at == position;
    *out_line = is_inside ? line : 0;
    *out_column = is_inside ? column : 0;
}

// libpq gives no SQLSTATE of a failed start-up but in its verbose text: "FATAL:  28P01: password
// ...". The last one counts: earlier ones belong to attempts that were repeated, e.g. without TLS.
static bool
find_sqlstate(const char *text, char out[6], const char **out_message)
{
    bool found = false;
    for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        size_t len = strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (len == 5 && strncmp(code + 5, ": ", 2) == 0) {
            snprintf(out, 6, "%.5s", code);
            *out_message = code + 7;
            found = true;
        }
    }
    return found;
}

enum dr_rc
dr_pg_error_connect(PGconn *conn, struct dr_err *err)
{
    char sqlstate[6] = "";
    char message[DR_PG_MESSAGE_MAX + 1];
    const char *text = PQerrorMessage(conn);
    find_sqlstate(text, sqlstate, &text);
    char first_line[512];
    snprintf(first_line, sizeof first_line, "%.*s", (int)(strcspn(text, "\n") % sizeof first_line),
             text);
    copy_cut(message, sizeof message, first_line);
    for (size_t i = 0; i < DR_COUNT_OF(connect_table); i++) {
        size_t len = strlen(connect_table[i].sqlstate);
        bool is_code =
            len == 0 ? sqlstate[0] == '\0' : strncmp(sqlstate, connect_table[i].sqlstate, len) == 0;
        bool is_text = connect_table[i].text == NULL || strstr(text, connect_table[i].text) != NULL;
        if (is_code && is_text) {
            enum dr_rc rc = dr_err_set(err, connect_table[i].rc, "cannot connect: %s", message);
            return connect_table[i].hint == NULL ? rc
                                                 : dr_err_hint(err, "%s", connect_table[i].hint);
        }
    }
    return dr_err_set(err, DR_E_DB_UNREACHABLE, "cannot connect: %s", message);
}

void
dr_pg_notice_keep(void *ctx, const PGresult *result)
{
    struct dr_pg *pg = ctx;
    if (pg->notices_seen < DR_PG_NOTICES_MAX) {
        char text[DR_PG_MESSAGE_MAX + 32];
        const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
        const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        snprintf(text, sizeof text, "%s: %.200s", severity == NULL ? "NOTICE" : severity,
                 primary == NULL ? "" : primary);
        copy_cut(pg->notices[pg->notices_seen], sizeof pg->notices[0], text);
    }
    pg->notices_seen++;
}

uint64_t
dr_pg_notices_seen(const struct dr_pg *pg)
{
    return pg->notices_seen;
}

size_t
dr_pg_notices_kept(const struct dr_pg *pg)
{
    return pg->notices_seen < DR_PG_NOTICES_MAX ? (size_t)pg->notices_seen : DR_PG_NOTICES_MAX;
}

const char *
dr_pg_notice(const struct dr_pg *pg, size_t index)
{
    return index < dr_pg_notices_kept(pg) ? pg->notices[index] : "";
}

void
dr_pg_notices_clear(struct dr_pg *pg)
{
    pg->notices_seen = 0;
}
