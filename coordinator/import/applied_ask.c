// The databases' side of applied.h: one short read-only transaction.

#include "coordinator/import/applied.h"

#include "db/pg.h"
#include "db/sqlite.h"

#include <limits.h>
#include <string.h>

enum { WAIT_MS = 30000, COLUMNS = 4 };

struct ask {
    struct dr_import *import;
    const struct dr_import_state *state;
    struct dr_applied *out;
    size_t cap;
};

static enum dr_rc
add_row(struct ask *a, const char *const cells[COLUMNS], struct dr_err *err)
{
    struct dr_applied_row *rows =
        dr_import_grow(a->import, a->out->rows, a->out->rows_count, &a->cap, sizeof *rows);
    if (rows == NULL) {
        return dr_import_nomem(err);
    }
    a->out->rows = rows;
    const char *copies[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        copies[i] = dr_arena_str(a->import->arena, cells[i] == NULL ? "" : cells[i]);
        if (copies[i] == NULL) {
            return dr_import_nomem(err);
        }
    }
    a->out->rows[a->out->rows_count++] =
        (struct dr_applied_row){copies[0], copies[1], copies[2], copies[3]};
    return DR_OK;
}

static enum dr_rc
add_problem(struct ask *a, const char *text, struct dr_err *err)
{
    if (a->out->problems_count < DR_APPLIED_PROBLEMS_MAX) {
        const char *copy = dr_arena_str(a->import->arena, text);
        if (copy == NULL) {
            return dr_import_nomem(err);
        }
        a->out->problems[a->out->problems_count++] = copy;
    }
    return DR_OK;
}

static enum dr_rc
not_its(const struct ask *a, struct dr_err *err)
{
    if (err->rc != DR_E_DB_STATEMENT) {
        return err->rc;
    }
    char why[DR_ERR_MESSAGE_MAX];
    memcpy(why, err->message, sizeof why);
    (void)dr_err_set(err, DR_E_INVALID, "the table '%s' is not the one that %s makes: %s",
                     a->state->table, a->import->format, why);
    return dr_err_hint(err, "is it the database of another tool?");
}

// The schema that holds the table becomes the search path.
static enum dr_rc
find_pg(struct ask *a, struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_err *err)
{
    const char *params[] = {a->state->table};
    struct dr_pg_stmt stmt = {
        .sql =
            "SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname) || "
            "', pg_catalog', false) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
            "n.oid = c.relnamespace WHERE c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY "
            "n.nspname <> 'public', n.nspname = 'drover', n.nspname LIMIT 1",
        .params = params,
        .params_count = 1,
        .max_rows = 1};
    char path[256];
    enum dr_rc rc = dr_pg_value(pg, &stmt, wait, path, sizeof path, err);
    a->out->is_absent = rc == DR_E_NOT_FOUND;
    return a->out->is_absent ? DR_OK : rc;
}

static enum dr_rc
read_pg(struct ask *a, struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_pg_result *rows = NULL, *warnings = NULL;
    struct dr_pg_stmt query = {.sql = a->state->query, .max_rows = DR_APPLIED_ROWS_MAX};
    struct dr_pg_stmt wrong = {.sql = a->state->warning, .max_rows = DR_APPLIED_PROBLEMS_MAX};
    enum dr_rc rc = dr_pg_exec(pg, &query, wait, &rows, err);
    rc = rc == DR_OK ? rc : not_its(a, err);
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(rows); i++) {
        const char *const cells[COLUMNS] = {dr_pg_text(rows, i, 0), dr_pg_text(rows, i, 1),
                                            dr_pg_text(rows, i, 2), dr_pg_text(rows, i, 3)};
        rc = add_row(a, cells, err);
    }
    if (rc == DR_OK && wrong.sql != NULL) {
        rc = dr_pg_exec(pg, &wrong, wait, &warnings, err);
        rc = rc == DR_OK ? rc : not_its(a, err);
    }
    for (size_t i = 0; rc == DR_OK && warnings != NULL && i < dr_pg_rows(warnings); i++) {
        const char *text = dr_pg_text(warnings, i, 0);
        rc = add_problem(a, text == NULL ? "" : text, err);
    }
    dr_pg_result_free(&rows);
    dr_pg_result_free(&warnings);
    return rc;
}

static enum dr_rc
ask_pg(struct ask *a, const char *url, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    struct dr_pg_options options = {.url = url, .target = "import"};
    struct dr_db_wait wait = dr_db_wait_ms(WAIT_MS);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    rc = rc == DR_OK ? dr_pg_run(pg, "BEGIN READ ONLY", &wait, err) : rc;
    rc = rc == DR_OK ? find_pg(a, pg, &wait, err) : rc;
    if (rc == DR_OK && !a->out->is_absent) {
        rc = read_pg(a, pg, &wait, err);
    }
    dr_pg_close(&pg);
    return rc;
}

static enum dr_rc
on_row(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    const char *const cells[COLUMNS] = {
        dr_sqlite_column_text(stmt, 0), dr_sqlite_column_text(stmt, 1),
        dr_sqlite_column_text(stmt, 2), dr_sqlite_column_text(stmt, 3)};
    return add_row(ctx, cells, err);
}

static enum dr_rc
on_warning(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    return add_problem(ctx, dr_sqlite_column_text(stmt, 0), err);
}

static enum dr_rc
ask_sqlite(struct ask *a, const char *url, struct dr_err *err)
{
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_sqlite_options options = {.read_only = true};
    bool is_there = false;
    enum dr_rc rc = dr_db_sqlite_path(url, path, sizeof path, err);
    rc = rc == DR_OK ? dr_sqlite_open(path, &options, &db, err) : rc;
    rc = rc == DR_OK ? dr_sqlite_prepare(db,
                                         "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND "
                                         "name = ?1",
                                         &stmt, err)
                     : rc;
    if (rc == DR_OK) {
        dr_sqlite_bind_text(stmt, 1, a->state->table);
        rc = dr_sqlite_step(stmt, &is_there, err);
        dr_sqlite_finalize(&stmt);
    }
    a->out->is_absent = !is_there;
    if (rc == DR_OK && is_there) {
        rc = dr_sqlite_exec(db, a->state->query, strlen(a->state->query), on_row, a, err);
        rc = rc == DR_OK ? rc : not_its(a, err);
    }
    if (rc == DR_OK && is_there && a->state->warning != NULL) {
        rc = dr_sqlite_exec(db, a->state->warning, strlen(a->state->warning), on_warning, a, err);
        rc = rc == DR_OK ? rc : not_its(a, err);
    }
    dr_sqlite_close(&db);
    return rc;
}

enum dr_rc
dr_applied_ask(struct dr_import *import, const struct dr_import_state *state, const char *url,
               struct dr_applied *out, struct dr_err *err)
{
    struct ask a = {.import = import, .state = state, .out = out};
    *out = (struct dr_applied){0};
    bool is_lite = dr_db_kind_of(url) == DR_DB_SQLITE;
    if (is_lite != (import->dialect == DR_SQL_SQLITE)) {
        (void)dr_err_set(err, DR_E_USAGE, "the chain is for %s and the URL names another engine",
                         import->dialect == DR_SQL_SQLITE ? "sqlite" : "postgresql");
        return dr_err_hint(err, "--engine %s", is_lite ? "sqlite" : "postgresql");
    }
    enum dr_rc rc = is_lite ? ask_sqlite(&a, url, err) : ask_pg(&a, url, err);
    return rc == DR_OK && !out->is_absent ? dr_applied_judge(import, out, err) : rc;
}
