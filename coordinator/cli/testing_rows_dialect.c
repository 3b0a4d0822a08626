// Tables, columns and rows as PostgreSQL and SQLite tell them.

#include "coordinator/cli/testing_rows_inner.h"

#include "db/pg.h"
#include "db/sqlite.h"

#include <string.h>

#define WAIT_MS   60000
#define CELLS_MAX 16u
#define ROWS_MAX  1000000u

// -------------------------------------------------------------------------------------- PostgreSQL

// Plain and partitioned tables of people: no extension's, no partitions, no ledger.
#define PG_TABLES                                                                                  \
    "SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "           \
    "c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence "  \
    "<> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'drover') AND "    \
    "c.relname <> 'alembic_version' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "    \
    "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"

static const char pg_tables_sql[] =
    "SELECT quote_ident(c.nspname) || '.' || quote_ident(c.relname) AS name, "
    "string_agg(quote_ident(a.attname), E',\\n' ORDER BY a.attname COLLATE \"C\") AS columns, "
    "string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), E',\\n' "
    "ORDER BY a.attname COLLATE \"C\") AS types FROM (" PG_TABLES ") c JOIN pg_attribute a ON "
    "a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1 ORDER BY 1";

// The type word of an enum begins with \x01.
static const char pg_columns_sql[] =
    "SELECT quote_ident(a.attname), a.attname, CASE WHEN t.typtype = 'e' THEN E'\\x01' ELSE "
    "format_type(t.oid, a.atttypmod) END, CASE WHEN t.oid IN (1042, 1043) AND a.atttypmod > 4 THEN "
    "a.atttypmod - 4 WHEN t.oid = 19 THEN 63 ELSE 0 END, (a.attnotnull OR d.typnotnull)::int, "
    "(a.atthasdef OR a.attidentity <> '')::int, "
    "f.reference, f.target, CASE WHEN t.typtype = 'e' THEN (SELECT string_agg(e.enumlabel, "
    "E'\\x01' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) ELSE (SELECT "
    "string_agg(pg_get_constraintdef(k.oid), E'\\n') FROM pg_constraint k WHERE k.contype = 'c' "
    "AND "
    "k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)) END "
    "FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid JOIN pg_type t ON t.oid = CASE WHEN "
    "d.typtype = 'd' THEN d.typbasetype ELSE d.oid END LEFT JOIN LATERAL (SELECT 'SELECT ' || "
    "quote_ident(r.attname) || ' FROM ' || k.confrelid::regclass || ' ORDER BY ctid' AS reference, "
    "k.confrelid::regclass::text AS target FROM pg_constraint k JOIN pg_attribute r ON r.attrelid "
    "= k.confrelid AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)] WHERE k.contype = "
    "'f' AND k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey) ORDER BY k.oid LIMIT 1) f ON "
    "true WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND "
    "a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum";

static enum dr_rc
query_pg(struct dr_testing_rows *rows, const char *sql, const char *parameter, size_t columns,
         dr_testing_on_row on_row, void *arg, struct dr_err *err)
{
    struct dr_pg_result *result = NULL;
    struct dr_db_wait wait = dr_db_wait_ms(WAIT_MS);
    const struct dr_pg_stmt stmt = {.sql = sql,
                                    .params = &parameter,
                                    .params_count = parameter == NULL ? 0 : 1,
                                    .max_rows = columns == 0 ? 0 : ROWS_MAX};
    enum dr_rc rc = dr_pg_exec(rows->pg, &stmt, &wait, &result, err);
    for (size_t i = 0; rc == DR_OK && columns > 0 && i < dr_pg_rows(result); i++) {
        const char *cells[CELLS_MAX] = {NULL};
        for (size_t k = 0; k < columns && k < CELLS_MAX; k++) {
            cells[k] = dr_pg_text(result, i, k);
        }
        rc = on_row(arg, cells, err);
    }
    dr_pg_result_free(&result);
    return rc;
}

const struct dr_testing_dialect dr_testing_pg = {
    .tables_sql = pg_tables_sql,
    .columns_sql = pg_columns_sql,
    .row_before = "ROW(",
    .row_between = ", ",
    .row_after = ")::text",
    .query = query_pg,
};

// ------------------------------------------------------------------------------------------ SQLite

#define LITE_NAME(name) "'\"' || replace(" name ", '\"', '\"\"') || '\"'"

static const char sqlite_tables_sql[] =
    "SELECT " LITE_NAME("t.name") " AS name, (SELECT group_concat(" LITE_NAME(
        "x.name") ", ',' || "
                  "char(10)) FROM (SELECT name FROM pragma_table_xinfo(t.name) WHERE hidden <> 1 "
                  "ORDER BY name) "
                  "x) AS columns, (SELECT group_concat(" LITE_NAME(
                      "x.name") " || ' ' || x.type, ',' || "
                                "char(10)) FROM (SELECT name, type FROM pragma_table_xinfo(t.name) "
                                "WHERE hidden <> 1 ORDER BY "
                                "name) x) AS types FROM sqlite_schema t WHERE t.type = 'table' AND "
                                "t.name NOT LIKE "
                                "'sqlite\\_%' ESCAPE '\\' AND t.name NOT LIKE 'drover\\_%' ESCAPE "
                                "'\\' AND t.name <> "
                                "'alembic_version' AND t.sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1";

// An INTEGER PRIMARY KEY fills itself.
static const char sqlite_columns_sql[] = "SELECT " LITE_NAME(
    "x.name") ", x.name, x.type, CASE WHEN x.type LIKE '%char%(%)' THEN "
              "CAST(substr(x.type, instr(x.type, '(') + 1) AS INTEGER) ELSE 0 END, "
              "x.\"notnull\" OR x.pk > "
              "0, x.dflt_value IS NOT NULL OR (x.pk = 1 AND lower(x.type) = 'integer'), "
              "'SELECT ' || " LITE_NAME(
                  "coalesce(f.\"to\", (SELECT name FROM pragma_table_info(f.\"table\") WHERE "
                  "pk = "
                  "f.seq + 1))") " || ' FROM ' || " LITE_NAME("f.\"table\"") " || ' ORDER BY "
                                                                             "rowid',"
                                                                             " " LITE_NAME(
                                                                                 "f."
                                                                                 "\"t"
                                                                                 "abl"
                                                                                 "e"
                                                                                 "\"") ", s.sql "
                                                                                       "FROM "
                                                                                       "sqlite_"
                                                                                       "schema s "
                                                                                       "JOIN "
                                                                                       "pragma_"
                                                                                       "table_"
                                                                                       "xinfo(s."
                                                                                       "name) x "
                                                                                       "LEFT "
                                                                                       "JOIN "
                                                                                       "pragma_"
                                                                                       "foreign_"
                                                                                       "key_list(s."
                                                                                       "name) f ON "
                                                                                       "f.\"from\" "
                                                                                       "= x.name "
                                                                                       "COLLATE "
                                                                                       "NOCASE "
                                                                                       "WHERE "
                                                                                       "s.type = "
                                                                                       "'table' "
                                                                                       "AND"
                                                                                       " " LITE_NAME(
                                                                                           "s.name") " = ?1 AND x.hidden = 0 GROUP BY x.cid ORDER BY x.cid";

struct giving {
    dr_testing_on_row on_row;
    void *arg;
    size_t columns;
};

static enum dr_rc
give_row(const struct giving *g, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    const char *cells[CELLS_MAX] = {NULL};
    for (size_t k = 0; k < g->columns && k < CELLS_MAX; k++) {
        bool is_null = dr_sqlite_column_is_null(stmt, (int)k);
        cells[k] = is_null ? NULL : dr_sqlite_column_text(stmt, (int)k);
    }
    return g->columns == 0 ? DR_OK : g->on_row(g->arg, cells, err);
}

static enum dr_rc
query_sqlite(struct dr_testing_rows *rows, const char *sql, const char *parameter, size_t columns,
             dr_testing_on_row on_row, void *arg, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    const struct giving g = {.on_row = on_row, .arg = arg, .columns = columns};
    bool has_row = true;
    enum dr_rc rc = dr_sqlite_prepare(rows->sqlite, sql, &stmt, err);
    if (rc == DR_OK && parameter != NULL) {
        dr_sqlite_bind_text(stmt, 1, parameter);
    }
    while (rc == DR_OK && has_row) {
        rc = dr_sqlite_step(stmt, &has_row, err);
        rc = rc == DR_OK && has_row ? give_row(&g, stmt, err) : rc;
    }
    dr_sqlite_finalize(&stmt);
    return rc;
}

const struct dr_testing_dialect dr_testing_sqlite = {
    .tables_sql = sqlite_tables_sql,
    .columns_sql = sqlite_columns_sql,
    .row_before = "quote(",
    .row_between = ") || ', ' || quote(",
    .row_after = ")",
    .query = query_sqlite,
};
