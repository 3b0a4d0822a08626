// How large the tables are that a rehearsal's units lock: from the statistics of the target, in one
// question per table that reads no row of it. SQLite keeps none: there the rows are counted.
#include "engine/rehearse_internal.h"

#include "base/clock.h"
#include "base/str.h"
#include "db/pg.h"
#include "db/sqlite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A table that was never analyzed has no number of rows yet: then what was counted while rows came
// and went is taken. A partitioned table is as large as its parts.
static const char size_sql[] =
    "SELECT coalesce(pg_catalog.sum(CASE WHEN k.relkind NOT IN ('r', 'm') THEN 0 WHEN"
    " k.reltuples < 0 THEN pg_catalog.pg_stat_get_live_tuples(k.oid) ELSE k.reltuples::int8 END),"
    " 0)::int8, coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(k.oid)), 0)::int8"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN LATERAL (SELECT c.oid AS relid WHERE c.relkind <> 'p' UNION SELECT t.relid::oid FROM"
    " pg_catalog.pg_partition_tree(c.oid) t) parts ON true"
    " JOIN pg_catalog.pg_class k ON k.oid = parts.relid"
    " WHERE n.nspname || '.' || c.relname = $1 AND c.relkind IN ('r', 'p', 'm', 'f', 'v')"
    " GROUP BY c.oid";

// The same table of another unit that is known already.
static bool
take_known(struct dr_rehearsal *r, size_t before, struct dr_rehearsed_table *table)
{
    for (size_t i = 0; i < before; i++) {
        for (size_t k = 0; k < r->units[i].tables_count; k++) {
            const struct dr_rehearsed_table *other = &r->units[i].tables[k];
            if (strcmp(other->table, table->table) == 0) {
                table->is_known = other->is_known;
                table->rows = other->rows;
                table->size_bytes = other->size_bytes;
                return true;
            }
        }
    }
    return false;
}

static enum dr_rc
ask_pg(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_rehearsed_table *table,
       struct dr_err *err)
{
    struct dr_pg_result *res = NULL;
    struct dr_pg_stmt ask = {.sql = size_sql,
                             .params = (const char *const[]){table->table},
                             .params_count = 1,
                             .max_rows = 1};
    enum dr_rc rc = dr_pg_exec(pg, &ask, wait, &res, err);
    if (rc == DR_OK && dr_pg_rows(res) > 0) {
        table->is_known = true;
        table->rows = (uint64_t)dr_pg_int(res, 0, 0);
        table->size_bytes = (uint64_t)dr_pg_int(res, 0, 1);
    }
    dr_pg_result_free(&res);
    return rc;
}

// A table that is not there, or whose rows take too long to count, is not known.
static void
ask_sqlite(struct dr_sqlite *db, struct dr_rehearsed_table *table)
{
    struct dr_err ignored = {0};
    struct dr_buf sql = {0};
    int64_t rows = 0;
    dr_buf_str(&sql, "SELECT count(*) FROM \"");
    for (const char *c = table->table; *c != '\0'; c++) {
        dr_buf_add(&sql, "\"\"", *c == '"' ? 1 : 0);
        dr_buf_add(&sql, c, 1);
    }
    dr_buf_str(&sql, "\"");
    if (!sql.failed && dr_sqlite_value_int(db, sql.data, &rows, &ignored) == DR_OK) {
        table->is_known = true;
        table->rows = (uint64_t)rows;
    }
    dr_buf_fini(&sql);
}

enum dr_rc
dr_rehearse_estimate(struct dr_rehearsal *rehearsal, const char *url, int64_t deadline_ms,
                     int cancel_fd, struct dr_err *err)
{
    bool is_pg = dr_db_kind_of(url) == DR_DB_POSTGRES;
    struct dr_pg *pg = NULL;
    struct dr_sqlite *db = NULL;
    char path[PATH_MAX];
    const struct dr_pg_options connect = {.url = url, .target = "rehearsal"};
    const struct dr_sqlite_options read = {.read_only = true};
    struct dr_db_wait wait = dr_rehearse_wait(deadline_ms, cancel_fd);
    enum dr_rc rc = is_pg ? dr_pg_connect(&connect, &wait, &pg, err)
                          : dr_db_sqlite_path(url, path, sizeof path, err);
    rc = rc == DR_OK && !is_pg ? dr_sqlite_open(path, &read, &db, err) : rc;
    if (!is_pg && rc == DR_E_NOT_FOUND) { // it has no table yet
        *err = (struct dr_err){0};
        return DR_OK;
    }
    for (size_t i = 0; rc == DR_OK && i < rehearsal->units_count; i++) {
        for (size_t k = 0; rc == DR_OK && k < rehearsal->units[i].tables_count; k++) {
            struct dr_rehearsed_table *table = &rehearsal->units[i].tables[k];
            if (take_known(rehearsal, i, table)) {
                continue;
            }
            if (is_pg) {
                rc = ask_pg(pg, &wait, table, err);
            } else {
                dr_sqlite_set_wait(db, &wait);
                ask_sqlite(db, table);
            }
        }
    }
    dr_pg_close(&pg);
    dr_sqlite_close(&db);
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "cannot ask how large the tables are");
}
