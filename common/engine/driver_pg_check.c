// Preflight and verify sections on PostgreSQL. See driver.h.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_TIMEOUT_MS (15ull * 60 * 1000) // of a check that names none
#define SAMPLE_DEFAULT   5u

// The object that is named is not there: an earlier revision may make it.
static bool
names_missing_object(const char *sqlstate)
{
    static const char *const states[] = {"42P01", "42703", "42704", "42883", "3F000"};
    for (size_t i = 0; i < DR_COUNT_OF(states); i++) {
        if (strcmp(states[i], sqlstate) == 0) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
keep_sample(const struct dr_pg_result *res, const struct dr_check *check, struct dr_arena *arena,
            struct dr_check_result *out, struct dr_err *err)
{
    size_t want = check->sample == 0 ? SAMPLE_DEFAULT : check->sample;
    size_t rows = dr_pg_rows(res), columns = dr_pg_columns(res);
    rows = rows < want ? rows : want;
    rows = rows < DR_SAMPLE_MAX ? rows : DR_SAMPLE_MAX;
    const char **cells = dr_arena_array(arena, rows * columns + 1, sizeof *cells);
    if (cells == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < rows * columns; i++) {
        const char *text = dr_pg_text(res, i / columns, i % columns);
        cells[i] =
            text == NULL ? NULL : dr_arena_strn(arena, text, strnlen(text, DR_SAMPLE_CELL_MAX));
        if (text != NULL && cells[i] == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left");
        }
    }
    out->cells = cells;
    out->rows_count = rows;
    out->columns_count = columns;
    return DR_OK;
}

static const char *
fault_of(const struct dr_pg_result *res, bool expect_empty)
{
    size_t rows = dr_pg_rows(res);
    if (dr_pg_columns(res) == 0) {
        return NULL; // no query: that it ran is enough
    }
    if (expect_empty) {
        return rows == 0 ? NULL : "it found rows";
    }
    if (rows == 0) {
        return "it gave no row";
    }
    if (dr_pg_columns(res) != 1) {
        return "it gave more than one column";
    }
    for (size_t i = 0; i < rows; i++) {
        const char *text = dr_pg_text(res, i, 0);
        if (text == NULL || strcmp(text, "t") != 0) {
            return "it is not true";
        }
    }
    return NULL;
}

// What a statement that the server refused means for the check; other failures end the run.
static enum dr_rc
refused(struct dr_pgd *d, enum dr_rc rc, struct dr_arena *arena, struct dr_check_result *out,
        struct dr_err *err)
{
    const struct dr_pg_error *e = dr_pg_last_error(d->work);
    if (!dr_pg_is_alive(d->work) || rc == DR_E_INTERRUPTED || rc == DR_E_NOMEM ||
        rc == DR_E_BLOCKS_OTHERS) {
        return rc;
    }
    (void)snprintf(out->sqlstate, sizeof out->sqlstate, "%s", e->sqlstate);
    out->verdict = names_missing_object(e->sqlstate) ? DR_CHECK_DEFERRED : DR_CHECK_ERROR;
    out->reason = dr_arena_str(arena, rc == DR_E_LIMIT             ? "it gave too many rows"
                                      : e->message_safe[0] != '\0' ? e->message_safe
                                                                   : err->message);
    out->words = dr_arena_str(arena, e->message);
    *err = (struct dr_err){0};
    return out->reason == NULL || out->words == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                                                     : DR_OK;
}

static enum dr_rc
run_one(struct dr_pgd *d, const struct dr_check *check, const struct dr_statement *s,
        struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err)
{
    uint64_t timeout =
        check->statement_timeout_ms == 0 ? CHECK_TIMEOUT_MS : check->statement_timeout_ms;
    struct dr_db_wait wait = dr_pgd_wait(d, timeout + DR_PGD_SHORT_MS);
    if (check->deadline_ms != 0 && check->deadline_ms < wait.deadline_ms) {
        wait.deadline_ms = check->deadline_ms;
    }
    struct dr_pg_result *res = NULL;
    char *text = strndup(s->text, s->len);
    if (text == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    struct dr_pg_stmt stmt = {.sql = text, .max_rows = DR_CHECK_ROWS_MAX};
    enum dr_rc rc = dr_pg_exec(d->work, &stmt, &wait, &res, err);
    free(text);
    if (rc != DR_OK) {
        return refused(d, rc, arena, out, err);
    }
    const char *fault = fault_of(res, check->expect_empty);
    if (dr_pg_tx_status(d->work) != DR_PG_TX_OPEN) {
        rc =
            dr_err_set(err, DR_E_NEEDS_REPAIR, "check '%s' ended its own transaction", check->name);
    } else if (fault != NULL) {
        out->verdict = DR_CHECK_FAILED;
        out->reason = fault;
        rc = keep_sample(res, check, arena, out, err);
    }
    dr_pg_result_free(&res);
    return rc;
}

static enum dr_rc
run_all(struct dr_pgd *d, const struct dr_check *check, struct dr_arena *arena,
        struct dr_check_result *out, struct dr_err *err)
{
    int64_t start = dr_monotonic_ms();
    *out = (struct dr_check_result){.name = check->name, .verdict = DR_CHECK_PASSED, .reason = ""};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && out->verdict == DR_CHECK_PASSED && i < check->count; i++) {
        rc = run_one(d, check, &check->statements[i], arena, out, err);
    }
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

static enum dr_rc
set_timeouts(struct dr_pgd *d, const struct dr_check *check, struct dr_err *err)
{
    uint64_t timeout =
        check->statement_timeout_ms == 0 ? CHECK_TIMEOUT_MS : check->statement_timeout_ms;
    char statement_ms[24];
    (void)snprintf(statement_ms, sizeof statement_ms, "%llu", (unsigned long long)timeout);
    const char *params[] = {d->search_path, statement_ms};
    struct dr_pg_stmt stmt = {.sql = "SELECT pg_catalog.set_config('search_path', $1, true),"
                                     " pg_catalog.set_config('statement_timeout', $2, true),"
                                     " pg_catalog.set_config('lock_timeout', '2000', true)",
                              .params = params,
                              .params_count = 2};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    return dr_pg_exec(d->work, &stmt, &wait, NULL, err);
}

enum dr_rc
dr_pgd_check_inside(struct dr_pgd *d, const struct dr_check *check, struct dr_arena *arena,
                    struct dr_check_result *out, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pg_run(d->work, "SAVEPOINT drover_check", &wait, err);
    if (rc == DR_OK) {
        rc = set_timeouts(d, check, err);
    }
    if (rc == DR_OK) {
        rc = run_all(d, check, arena, out, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_run(d->work, "ROLLBACK TO SAVEPOINT drover_check", &wait, err);
    }
    return rc;
}

enum dr_rc
dr_pgd_check(struct dr_driver *driver, const struct dr_check *check, bool read_only,
             struct dr_arena *arena, struct dr_check_result *out, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pgd_know(d, err);
    if (rc == DR_OK) {
        rc = dr_pg_run(d->work, read_only ? "BEGIN READ ONLY" : "BEGIN READ WRITE", &wait, err);
    }
    if (rc == DR_OK && check->is_unapproved) {
        rc = dr_pgd_check_names(d, check, err);
    }
    if (rc == DR_OK) {
        rc = set_timeouts(d, check, err);
    }
    if (rc == DR_OK) {
        rc = run_all(d, check, arena, out, err);
    }
    if (rc == DR_OK && check->is_unapproved && out->verdict == DR_CHECK_PASSED) {
        rc = dr_pgd_check_names(d, check, err);
    }
    dr_pgd_rollback(d);
    return rc;
}
