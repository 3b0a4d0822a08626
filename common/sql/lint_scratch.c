#include "sql/lint_internal.h"

#include "base/str.h"
#include "db/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// SQLite has no parser that stands alone: a statement is prepared against a scratch database that
// the chain has built. The way down is really run, in a transaction that is rolled back before the
// next revision.

enum { STATEMENT_MS = 10000 };

struct dr_lint_scratch {
    struct dr_sqlite *db;
    bool is_down;   // a way down is being run, to be rolled back
    bool is_broken; // an up failed: later errors would only follow from it
};

enum dr_rc
dr_lint_scratch_open(struct dr_lint_scratch **out, struct dr_err *err)
{
    struct dr_lint_scratch *s = calloc(1, sizeof *s);
    struct dr_sqlite_options options = {.create = true};
    if (s == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left for a scratch database");
    }
    enum dr_rc rc = dr_sqlite_open(":memory:", &options, &s->db, err);
    if (rc != DR_OK) {
        free(s);
        return rc;
    }
    *out = s;
    return DR_OK;
}

void
dr_lint_scratch_close(struct dr_lint_scratch **scratch)
{
    if (*scratch != NULL) {
        dr_sqlite_close(&(*scratch)->db);
        free(*scratch);
        *scratch = NULL;
    }
}

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static size_t
word_length(const char *sql, size_t len, size_t at)
{
    size_t end = at;
    while (end < len && is_word(sql[end])) {
        end++;
    }
    return end - at;
}

// True when the statement gets further with the word in double quotes.
static bool
quoting_helps(struct dr_sqlite *db, const char *sql, size_t len, size_t at, size_t word_len)
{
    struct dr_buf quoted = {.max = len + 16};
    struct dr_err err = {0};
    size_t used = 0;
    bool is_empty = false;
    dr_buf_add(&quoted, sql, at);
    dr_buf_str(&quoted, "\"");
    dr_buf_add(&quoted, sql + at, word_len);
    dr_buf_str(&quoted, "\"");
    dr_buf_add(&quoted, sql + at + word_len, len - at - word_len);
    bool helps = false;
    if (!quoted.failed) {
        enum dr_rc rc = dr_sqlite_parse(db, quoted.data, quoted.len, &used, &is_empty, &err);
        int64_t offset = dr_sqlite_last_error(db)->offset;
        helps = rc == DR_OK || offset > (int64_t)(at + word_len + 3);
    }
    dr_buf_fini(&quoted);
    return helps;
}

static void
report_error(struct dr_lint_scratch *scratch, const struct dr_lint_section *s,
             const struct dr_sql_stmt *stmt, const struct dr_err *err, struct dr_findings *out)
{
    const char *sql = s->file_text + s->offset + stmt->offset;
    struct dr_sqlite_error last = *dr_sqlite_last_error(scratch->db);
    size_t at = last.offset < 0 || (size_t)last.offset >= stmt->length ? 0 : (size_t)last.offset;
    size_t width = word_length(sql, stmt->length, at);
    const char *message = last.message[0] != '\0' ? last.message : err->message;
    bool is_syntax = strstr(message, "syntax error") != NULL ||
                     strstr(message, "unrecognized token") != NULL ||
                     strstr(message, "incomplete input") != NULL;
    if (is_syntax && width > 0 && width < 64 &&
        quoting_helps(scratch->db, sql, stmt->length, at, width)) {
        char help[128];
        snprintf(help, sizeof help, "write \"%.*s\" in double quotes", (int)width, sql + at);
        dr_lint_report(s, stmt, "unquoted-reserved-word", stmt->offset + at, width, message, help,
                       out);
        return;
    }
    const char *rule = is_syntax                   ? "syntax-error"
                       : err->rc == DR_E_DB_DENIED ? "forbidden-statement"
                                                   : "statement-error";
    dr_lint_report(s, stmt, rule, stmt->offset + at, width == 0 ? 1 : width, message,
                   is_syntax ? "" : err->hint, out);
}

static enum dr_rc
try_statement(struct dr_lint_scratch *scratch, const struct dr_lint_section *s,
              const struct dr_sql_stmt *stmt, struct dr_err *err)
{
    const char *sql = s->file_text + s->offset + stmt->offset;
    size_t used = 0;
    bool is_empty = false;
    struct dr_db_wait wait = dr_db_wait_ms(STATEMENT_MS);
    dr_sqlite_set_wait(scratch->db, &wait);
    bool is_run = (s->kind == DR_LINT_UP || s->kind == DR_LINT_DOWN) && !s->outside_transaction;
    return is_run ? dr_sqlite_exec(scratch->db, sql, stmt->length, NULL, NULL, err)
                  : dr_sqlite_parse(scratch->db, sql, stmt->length, &used, &is_empty, err);
}

// Begins or ends the transaction around a way down, by the kind of section that comes now.
static bool
prepare(struct dr_lint_scratch *scratch, enum dr_lint_kind kind)
{
    struct dr_err err = {0};
    bool is_down = kind == DR_LINT_DOWN || kind == DR_LINT_VERIFY_DOWN;
    if (scratch->is_down && !is_down) {
        dr_sqlite_rollback(scratch->db);
    }
    bool is_ready = !is_down || scratch->is_down || dr_sqlite_begin(scratch->db, &err) == DR_OK;
    scratch->is_down = is_down && is_ready;
    return is_ready;
}

void
dr_lint_scratch_section(struct dr_lint_scratch *scratch, const struct dr_lint_section *section,
                        struct dr_findings *out)
{
    if (scratch->is_broken || !prepare(scratch, section->kind)) {
        return;
    }
    bool only_asks = section->kind == DR_LINT_PREFLIGHT || section->kind == DR_LINT_PREFLIGHT_DOWN;
    dr_sqlite_set_guard(scratch->db, only_asks ? DR_SQLITE_READ : DR_SQLITE_REVISION);
    for (size_t i = 0; i < section->result->count; i++) {
        const struct dr_sql_stmt *stmt = &section->result->stmts[i];
        struct dr_err err = {0};
        if (stmt->problem != NULL || (stmt->flags & DR_SQL_FORBIDDEN) != 0) {
            scratch->is_broken = section->kind == DR_LINT_UP;
            break;
        }
        if (try_statement(scratch, section, stmt, &err) != DR_OK) {
            report_error(scratch, section, stmt, &err, out);
            scratch->is_broken = section->kind == DR_LINT_UP;
            break;
        }
    }
    dr_sqlite_set_guard(scratch->db, DR_SQLITE_OWN);
}
