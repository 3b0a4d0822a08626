// How many rows each table has: counted with the backup, and again in a restored copy of it.
#include "engine/backup_internal.h"

#include "base/file.h"
#include "base/str.h"
#include "db/pg.h"
#include "db/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX     100000u
#define LINE_SHOWN_MAX 120

// The tables whose rows pg_dump writes.
static const char PG_TABLES[] =
    "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' "
    "AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
    "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid "
    "AND d.deptype = 'e') ORDER BY n.nspname, c.relname";

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory for the counts of rows");
}

static enum dr_rc
count_pg(struct dr_pg *pg, const char *table, bool reads_all, const struct dr_db_wait *wait,
         struct dr_buf *out, struct dr_err *err)
{
    struct dr_buf sql = {0};
    char count[32] = "";
    dr_buf_printf(&sql, "SELECT pg_catalog.count(*)%s FROM ONLY %s t",
                  reads_all ? ", pg_catalog.max(pg_catalog.length(t::pg_catalog.text))" : "",
                  table);
    const struct dr_pg_stmt ask = {.sql = sql.data, .max_rows = 1};
    struct dr_pg_result *result = NULL;
    enum dr_rc rc = sql.failed ? no_memory(err) : dr_pg_exec(pg, &ask, wait, &result, err);
    if (rc == DR_OK) {
        const char *text = dr_pg_text(result, 0, 0);
        (void)snprintf(count, sizeof count, "%s", text == NULL ? "" : text);
        dr_buf_printf(out, "%s %s\n", count, table);
    }
    dr_pg_result_free(&result);
    dr_buf_fini(&sql);
    return rc;
}

enum dr_rc
dr_backup_rows_pg(struct dr_pg *pg, bool reads_all, const struct dr_db_wait *wait,
                  struct dr_buf *out, struct dr_err *err)
{
    const struct dr_pg_stmt ask = {.sql = PG_TABLES, .max_rows = TABLES_MAX};
    struct dr_pg_result *tables = NULL;
    enum dr_rc rc = dr_pg_exec(pg, &ask, wait, &tables, err);
    size_t n = rc == DR_OK ? dr_pg_rows(tables) : 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = count_pg(pg, dr_pg_text(tables, i, 0), reads_all, wait, out, err);
    }
    dr_pg_result_free(&tables);
    return rc == DR_OK && out->failed ? no_memory(err) : rc;
}

// ----------------------------------------------------------------------------------------- SQLite

static enum dr_rc
add_name(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct dr_buf *names = ctx;
    const char *name = dr_sqlite_column_text(stmt, 0);
    dr_buf_add(names, name, strlen(name) + 1);
    return names->failed ? no_memory(err) : DR_OK;
}

static enum dr_rc
count_sqlite(struct dr_sqlite *db, const char *table, struct dr_buf *out, struct dr_err *err)
{
    struct dr_buf sql = {0};
    int64_t count = 0;
    dr_buf_str(&sql, "SELECT count(*) FROM \"");
    for (const char *c = table; *c != '\0'; c++) {
        dr_buf_str(&sql, *c == '"' ? "\"" : "");
        dr_buf_add(&sql, c, 1);
    }
    dr_buf_str(&sql, "\"");
    enum dr_rc rc = sql.failed ? no_memory(err) : dr_sqlite_value_int(db, sql.data, &count, err);
    dr_buf_fini(&sql);
    dr_buf_printf(out, "%lld ", (long long)count);
    dr_show(out, table, strlen(table), false); // one line, whatever it is called
    dr_buf_str(out, "\n");
    return rc;
}

enum dr_rc
dr_backup_rows_sqlite(struct dr_sqlite *db, struct dr_buf *out, struct dr_err *err)
{
    // A virtual table may need an extension that is not here; what it stands on is counted.
    static const char sql[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' AND sql NOT LIKE 'create virtual %' ORDER BY name";
    struct dr_buf names = {.max = DR_BACKUP_ROWS_MAX};
    enum dr_rc rc = dr_sqlite_exec(db, sql, sizeof sql - 1, add_name, &names, err);
    for (size_t at = 0; rc == DR_OK && at < names.len; at += strlen(names.data + at) + 1) {
        rc = count_sqlite(db, names.data + at, out, err);
    }
    dr_buf_fini(&names);
    return rc == DR_OK && out->failed ? no_memory(err) : rc;
}

// ---------------------------------------------------------------------------------- beside it

enum dr_rc
dr_backup_rows_write(const char *location, const struct dr_buf *rows, struct dr_err *err)
{
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s" DR_BACKUP_ROWS_SUFFIX, location);
    return dr_file_write(path, rows->data == NULL ? "" : rows->data, rows->len, 0600, err);
}

enum dr_rc
dr_backup_rows_compare(const char *location, const struct dr_buf *rows, bool *out_is_compared,
                       struct dr_err *err)
{
    char path[PATH_MAX + 16], *kept = NULL;
    size_t len = 0, at = 0;
    const char *found = rows->data == NULL ? "" : rows->data;
    (void)snprintf(path, sizeof path, "%s" DR_BACKUP_ROWS_SUFFIX, location);
    *out_is_compared = false;
    if (!dr_path_exists(path)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_file_read(path, DR_BACKUP_ROWS_MAX, &kept, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    *out_is_compared = true;
    size_t line = 0; // where the line begins in which they part
    while (kept[at] == found[at] && kept[at] != '\0') {
        line = kept[at] == '\n' ? at + 1 : line;
        at++;
    }
    if (kept[at] != found[at]) {
        int was = (int)strcspn(kept + line, "\n"), is = (int)strcspn(found + line, "\n");
        rc = dr_err_set(err, DR_E_BACKUP_OTHER,
                        "rows are not what they were in the backup's snapshot: '%.*s' there, "
                        "'%.*s' in the restored copy",
                        was < LINE_SHOWN_MAX ? was : LINE_SHOWN_MAX, kept + line,
                        is < LINE_SHOWN_MAX ? is : LINE_SHOWN_MAX, found + line);
    }
    free(kept);
    return rc;
}
