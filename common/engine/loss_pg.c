// Counting on PostgreSQL what a way down would take. See loss_internal.h.
//
// Each count is a READ ONLY transaction of its own with a short time-out; it takes the weakest lock
// that there is. Row security must not hide rows: with row_security off the server refuses instead.
#include "engine/driver_pg.h"
#include "engine/loss_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 2000u
#define TABLES_MAX  1000u

// $1 schema ("": by the search path), $2 table: how it is shown, how it is written, and what the
// statistics say of its rows, with all its partitions; -1 where one was never analysed.
static const char table_sql[] =
    "SELECT c.oid::pg_catalog.regclass::text, pg_catalog.format('%I.%I', n.nspname, c.relname),"
    " (WITH RECURSIVE t(oid) AS (SELECT c.oid UNION ALL SELECT i.inhrelid FROM"
    " pg_catalog.pg_inherits i JOIN t ON i.inhparent = t.oid) SELECT CASE WHEN pg_catalog.bool_or("
    "k.reltuples < 0 OR (k.reltuples = 0 AND pg_catalog.pg_relation_size(k.oid) > 0)) THEN -1 ELSE"
    " pg_catalog.sum(k.reltuples)::int8 END FROM t JOIN pg_catalog.pg_class k ON k.oid = t.oid AND"
    " k.relkind = 'r'), n.nspname, c.relname"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = pg_catalog.to_regclass(CASE WHEN $1 = '' THEN '' ELSE"
    " pg_catalog.quote_ident($1) || '.' END || pg_catalog.quote_ident($2))"
    " AND c.relkind IN ('r', 'p')";
static const char columns_sql[] =
    "SELECT a.attname, pg_catalog.quote_ident(a.attname), coalesce((SELECT pg_catalog.max(1 -"
    " s.null_frac) FROM pg_catalog.pg_stats s WHERE s.schemaname = $1 AND s.tablename = $2 AND"
    " s.attname = a.attname), 1) * 1000000 FROM pg_catalog.pg_attribute a WHERE a.attrelid ="
    " pg_catalog.to_regclass(pg_catalog.quote_ident($1) || '.' || pg_catalog.quote_ident($2)) AND"
    " a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
static const char schema_sql[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid"
    " = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND $2 = '' ORDER BY c.relname";

// Asks in a transaction with the tenant's search path and `timeout_ms`, which is over afterwards.
static enum dr_rc
ask(struct dr_pgd *d, const struct dr_pg_stmt *stmt, uint64_t timeout_ms, struct dr_pg_result **out,
    struct dr_err *err)
{
    char ms[24];
    (void)snprintf(ms, sizeof ms, "%" PRIu64, timeout_ms);
    const char *params[] = {d->search_path, ms};
    struct dr_pg_stmt set = {.sql = "SELECT pg_catalog.set_config('search_path', $1, true),"
                                    " pg_catalog.set_config('statement_timeout', $2, true),"
                                    " pg_catalog.set_config('lock_timeout', '1000', true),"
                                    " pg_catalog.set_config('row_security', 'off', true)",
                             .params = params,
                             .params_count = 2};
    struct dr_db_wait wait = dr_pgd_wait(d, timeout_ms + DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    if (rc == DR_OK) {
        rc = dr_pg_run(d->work, "BEGIN READ ONLY", &wait, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_exec(d->work, &set, &wait, NULL, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_exec(d->work, stmt, &wait, out, err);
    }
    dr_pgd_rollback(d);
    return rc;
}

static enum dr_rc
ask_names(struct dr_pgd *d, const char *sql, const char *schema, const char *table, size_t max,
          struct dr_pg_result **out, struct dr_err *err)
{
    const char *params[] = {schema, table};
    struct dr_pg_stmt stmt = {.sql = sql, .params = params, .params_count = 2, .max_rows = max};
    return ask(d, &stmt, DR_COUNT_ONE_MS, out, err);
}

// Why a count is not exact; NULL: that failure ends the walk.
static const char *
reason_of(enum dr_rc rc)
{
    switch (rc) {
    case DR_E_DB_STATEMENT_TIMEOUT:
        return "estimated: counting took too long";
    case DR_E_DB_LOCK_TIMEOUT:
        return "estimated: the table is locked";
    case DR_E_DB_PRIVILEGE:
        return "estimated: the role may not read it";
    case DR_E_DB_STATEMENT:
        return "estimated: it could not be counted";
    default:
        return NULL;
    }
}

// Fills the loss's count: exact, or `estimate` (-1: none).
static enum dr_rc
count(struct dr_pgd *d, const struct dr_loss_list *list, const char *what, const char *from,
      int64_t estimate, struct dr_loss *loss, struct dr_err *err)
{
    int64_t left = list->deadline_ms - dr_monotonic_ms();
    struct dr_pg_result *res = NULL;
    size_t size = strlen(what) + strlen(from) + 64;
    char *sql = malloc(size);
    if (sql == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    (void)snprintf(sql, size, "SELECT pg_catalog.count(%s) FROM %s", what, from);
    struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    enum dr_rc rc = DR_E_DB_STATEMENT_TIMEOUT;
    if (left > 0) {
        rc = ask(d, &stmt, left < DR_COUNT_ONE_MS ? (uint64_t)left : DR_COUNT_ONE_MS, &res, err);
    }
    free(sql);
    if (rc == DR_OK) {
        loss->count = (uint64_t)dr_pg_int(res, 0, 0);
        dr_pg_result_free(&res);
        return DR_OK;
    }
    loss->note = reason_of(rc);
    if (loss->note == NULL) {
        return rc;
    }
    *err = (struct dr_err){0};
    loss->is_estimate = estimate >= 0;
    loss->is_unknown = estimate < 0;
    loss->count = estimate < 0 ? 0 : (uint64_t)estimate;
    if (estimate < 0) {
        loss->note = "not counted, and the server has no statistics";
    }
    return DR_OK;
}

static enum dr_rc
count_columns(struct dr_pgd *d, const struct dr_drop *drop, const struct dr_pg_result *table,
              struct dr_loss_list *list, struct dr_err *err)
{
    struct dr_pg_result *res = NULL;
    int64_t rows = dr_pg_int(table, 0, 2);
    enum dr_rc rc = ask_names(d, columns_sql, dr_pg_text(table, 0, 3), dr_pg_text(table, 0, 4),
                              COLUMNS_MAX, &res, err);
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(res); i++) {
        const char *column = dr_pg_text(res, i, 0);
        bool is_meant = drop->kind == DR_DROP_REBUILD ? !dr_loss_is_kept(drop, column, false)
                                                      : strcmp(drop->column, column) == 0;
        if (!is_meant) {
            continue;
        }
        struct dr_loss loss = {.revision_id = drop->revision_id,
                               .table = dr_pg_text(table, 0, 0),
                               .column = column,
                               .note = ""};
        int64_t share = dr_pg_int(res, i, 2);
        int64_t estimate = rows < 0 ? -1 : (int64_t)((double)rows * (double)share / 1000000.0);
        rc = count(d, list, dr_pg_text(res, i, 1), dr_pg_text(table, 0, 1), estimate, &loss, err);
        if (rc == DR_OK) {
            rc = dr_loss_add(list, &loss, err);
        }
    }
    dr_pg_result_free(&res);
    return rc;
}

static enum dr_rc
lose_table(struct dr_pgd *d, const struct dr_drop *drop, struct dr_loss_list *list,
           struct dr_err *err)
{
    struct dr_pg_result *table = NULL;
    enum dr_rc rc = ask_names(d, table_sql, drop->schema, drop->table, 1, &table, err);
    if (rc == DR_OK && dr_pg_rows(table) == 1) {
        if (drop->kind == DR_DROP_ROWS) {
            struct dr_loss loss = {.revision_id = drop->revision_id,
                                   .table = dr_pg_text(table, 0, 0),
                                   .column = "",
                                   .note = ""};
            rc = count(d, list, "*", dr_pg_text(table, 0, 1), dr_pg_int(table, 0, 2), &loss, err);
            rc = rc == DR_OK ? dr_loss_add(list, &loss, err) : rc;
        } else {
            rc = count_columns(d, drop, table, list, err);
        }
    }
    dr_pg_result_free(&table);
    return rc;
}

enum dr_rc
dr_pgd_lose(struct dr_driver *driver, const struct dr_drop *drop, struct dr_loss_list *list,
            struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_pg_result *tables = NULL;
    if (drop->kind != DR_DROP_SCHEMA) {
        return lose_table(d, drop, list, err);
    }
    enum dr_rc rc = ask_names(d, schema_sql, drop->schema, "", TABLES_MAX, &tables, err);
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(tables); i++) {
        struct dr_drop one = {.kind = DR_DROP_ROWS,
                              .revision_id = drop->revision_id,
                              .schema = dr_pg_text(tables, i, 0),
                              .table = dr_pg_text(tables, i, 1)};
        rc = lose_table(d, &one, list, err);
    }
    dr_pg_result_free(&tables);
    return rc;
}
