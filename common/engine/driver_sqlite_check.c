// Preflight and verify sections on SQLite. See driver.h.
#include "engine/driver_sqlite.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define CHECK_TIMEOUT_MS (15ull * 60 * 1000)
#define SAMPLE_DEFAULT   5u

struct looking {
    const struct dr_check *check;
    struct dr_arena *arena;
    struct dr_check_result *out;
    size_t rows;
    bool is_query;
};

static enum dr_rc
keep_row(struct looking *l, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct dr_check_result *out = l->out;
    size_t want = l->check->sample == 0 ? SAMPLE_DEFAULT : l->check->sample;
    want = want < DR_SAMPLE_MAX ? want : DR_SAMPLE_MAX;
    size_t columns = (size_t)dr_sqlite_columns(s);
    if (out->rows_count >= want) {
        return DR_OK;
    }
    if (out->cells == NULL) {
        out->cells = dr_arena_array(l->arena, want * columns + 1, sizeof *out->cells);
        out->columns = dr_arena_array(l->arena, columns + 1, sizeof *out->columns);
        out->columns_count = columns;
        for (size_t i = 0; out->columns != NULL && i < columns; i++) {
            out->columns[i] = dr_arena_str(l->arena, dr_sqlite_column_name(s, (int)i));
        }
    }
    if (out->cells == NULL || out->columns == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < columns; i++) {
        const char *text = dr_sqlite_column_text(s, (int)i);
        out->cells[out->rows_count * columns + i] =
            dr_sqlite_column_is_null(s, (int)i)
                ? NULL
                : dr_arena_strn(l->arena, text, strnlen(text, DR_SAMPLE_CELL_MAX));
    }
    out->rows_count++;
    return DR_OK;
}

static enum dr_rc
on_row(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct looking *l = ctx;
    const char *fault = NULL;
    l->rows++;
    if (l->rows > DR_CHECK_ROWS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "the check gives too many rows");
    }
    if (l->check->expect_empty) {
        fault = "it found rows";
    } else if (dr_sqlite_columns(s) != 1) {
        fault = "it gave more than one column";
    } else if (dr_sqlite_column_is_null(s, 0) || dr_sqlite_column_int(s, 0) == 0) {
        fault = "it is not true";
    }
    if (fault == NULL) {
        return DR_OK;
    }
    l->out->verdict = DR_CHECK_FAILED;
    l->out->reason = fault;
    return keep_row(l, s, err);
}

static bool
is_query(const struct dr_statement *s)
{
    static const char *const words[] = {"select", "values", "with"};
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (s->len > 6 && strncasecmp(s->text, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
refused(struct dr_sqd *d, enum dr_rc rc, struct dr_arena *arena, struct dr_check_result *out,
        struct dr_err *err)
{
    const struct dr_sqlite_error *e = dr_sqlite_last_error(d->db);
    const char *message = e->message;
    if (rc == DR_E_INTERRUPTED || rc == DR_E_NOMEM || rc == DR_E_DB_LOST || rc == DR_E_DB_CORRUPT) {
        return rc;
    }
    bool is_missing = strstr(message, "no such table") != NULL ||
                      strstr(message, "no such column") != NULL ||
                      strstr(message, "no such index") != NULL;
    out->verdict = is_missing ? DR_CHECK_DEFERRED : DR_CHECK_ERROR;
    out->reason = dr_arena_str(
        arena, rc == DR_E_DB_STATEMENT && message[0] != '\0' ? e->message_safe : err->message);
    out->words = dr_arena_str(arena, message);
    *err = (struct dr_err){0};
    return out->reason == NULL || out->words == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                                                     : DR_OK;
}

static enum dr_rc
run_one(struct dr_sqd *d, const struct dr_check *check, const struct dr_statement *s,
        struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err)
{
    struct looking l = {.check = check, .arena = arena, .out = out};
    enum dr_rc rc = dr_sqlite_exec(d->db, s->text, s->len, on_row, &l, err);
    if (rc != DR_OK) {
        return refused(d, rc, arena, out, err);
    }
    if (l.rows == 0 && !check->expect_empty && is_query(s)) {
        out->verdict = DR_CHECK_FAILED;
        out->reason = "it gave no row";
    }
    return DR_OK;
}

static enum dr_rc
run_all(struct dr_sqd *d, const struct dr_check *check, struct dr_arena *arena,
        struct dr_check_result *out, struct dr_err *err)
{
    int64_t start = dr_monotonic_ms();
    *out = (struct dr_check_result){.name = check->name, .verdict = DR_CHECK_PASSED, .reason = ""};
    enum dr_rc rc = DR_OK;
    uint64_t timeout =
        check->statement_timeout_ms == 0 ? CHECK_TIMEOUT_MS : check->statement_timeout_ms;
    if (check->deadline_ms != 0 && check->deadline_ms - start < (int64_t)timeout) {
        timeout = check->deadline_ms > start ? (uint64_t)(check->deadline_ms - start) : 1;
    }
    dr_sqd_set_wait(d, timeout);
    for (size_t i = 0; rc == DR_OK && out->verdict == DR_CHECK_PASSED && i < check->count; i++) {
        rc = run_one(d, check, &check->statements[i], arena, out, err);
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    out->duration_ms = (uint64_t)(dr_monotonic_ms() - start);
    if (rc == DR_OK && out->verdict == DR_CHECK_PASSED && check->max_ms > 0 &&
        out->duration_ms > check->max_ms) {
        out->verdict = DR_CHECK_FAILED;
        out->reason = dr_arena_printf(arena, "it took %llu ms, at most %u ms are allowed",
                                      (unsigned long long)out->duration_ms, check->max_ms);
        rc = out->reason == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
    }
    return rc;
}

enum dr_rc
dr_sqd_check_inside(struct dr_sqd *d, const struct dr_check *check, struct dr_arena *arena,
                    struct dr_check_result *out, struct dr_err *err)
{
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_script(d->db, "SAVEPOINT drover_check", err);
    if (rc == DR_OK) {
        dr_sqlite_set_guard(d->db, DR_SQLITE_REVISION);
        rc = run_all(d, check, arena, out, err);
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_script(d->db, "ROLLBACK TO drover_check; RELEASE drover_check", err);
    }
    return rc;
}

enum dr_rc
dr_sqd_check(struct dr_driver *driver, const struct dr_check *check, bool read_only,
             struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    enum dr_rc rc = dr_sqd_reopen(d, !read_only, err);
    if (rc == DR_E_NOT_FOUND) {
        *err = (struct dr_err){0};
        *out = (struct dr_check_result){.name = check->name,
                                        .verdict = DR_CHECK_DEFERRED,
                                        .reason = "the file is not there yet"};
        return DR_OK;
    }
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    rc = read_only ? dr_sqlite_script(d->db, "BEGIN", err) : dr_sqlite_begin(d->db, err);
    if (rc == DR_OK) {
        dr_sqlite_set_guard(d->db, read_only ? DR_SQLITE_READ : DR_SQLITE_REVISION);
        rc = run_all(d, check, arena, out, err);
    }
    dr_sqlite_rollback(d->db);
    return rc;
}
