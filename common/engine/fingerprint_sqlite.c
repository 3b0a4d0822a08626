// The schema of a SQLite file as lines: from PRAGMAs where they tell, so that a rebuilt table
// equals an altered one, and from the normalised text for the rest.
#include "engine/fingerprint_internal.h"

#include "db/sqlite.h"

#include <string.h>
#include <strings.h>

struct reading {
    struct dr_fplines *lines;
    struct dr_buf key;
};

#define NOT_OURS(name)                                                                             \
    "lower(" name ") NOT LIKE 'drover\\_%' ESCAPE '\\' AND lower(" name ") <> 'alembic_version' "

// Tables that count; `m` is their row of sqlite_schema.
#define TABLES                                                                                     \
    "FROM sqlite_schema m JOIN pragma_table_list l ON l.name = m.name AND l.schema = 'main' "      \
    "WHERE m.type = 'table' AND "                                                                  \
    "l.type <> 'shadow' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND " NOT_OURS("m.name")

// Each gives key and definition.
static const char *const queries[] = {
    "SELECT CASE l.type WHEN 'virtual' THEN 'virtual table ' ELSE 'table ' END || m.name, "
    "trim(CASE l.strict WHEN 1 THEN "
    "'strict ' ELSE '' END || CASE l.wr WHEN 1 THEN 'without rowid' ELSE '' END) " TABLES,
    "SELECT 'column ' || m.name || '.' || c.name, lower(c.type) || CASE c.\"notnull\" WHEN 1 THEN "
    "' not null' ELSE '' END || "
    "CASE WHEN c.dflt_value IS NULL THEN '' ELSE ' default ' || c.dflt_value END || CASE WHEN c.pk "
    "> 0 THEN ' primary key ' || "
    "c.pk ELSE '' END || CASE c.hidden WHEN 2 THEN ' generated virtual' WHEN 3 THEN ' generated "
    "stored' ELSE '' END "
    "FROM (SELECT m.name AS name " TABLES ") m, pragma_table_xinfo(m.name) c",
    // the columns of one key stand in their order; its number is left out
    "SELECT 'foreign key ' || name || ' (' || group_concat(\"from\", ', ') || ')', 'references ' "
    "|| \"table\" || "
    "coalesce(' (' || group_concat(\"to\", ', ') || ')', '') || ' on update ' || lower(on_update) "
    "|| ' on delete ' || "
    "lower(on_delete) FROM (SELECT m.name AS name, f.* FROM (SELECT m.name AS name " TABLES ") m, "
    "pragma_foreign_key_list(m.name) f ORDER BY m.name, f.id, f.seq) GROUP BY name, id, \"table\", "
    "on_update, on_delete",
    "SELECT CASE i.origin WHEN 'pk' THEN 'primary key ' ELSE 'unique ' END || m.name || ' (' || "
    "(SELECT "
    "group_concat(x.name || CASE x.\"desc\" WHEN 1 THEN ' desc' ELSE '' END || CASE lower(x.coll) "
    "WHEN 'binary' THEN '' ELSE "
    "' collate ' || lower(x.coll) END, ', ') FROM pragma_index_xinfo(i.name) x WHERE x.key = 1) || "
    "')', '' FROM (SELECT "
    "m.name AS name " TABLES ") m, pragma_index_list(m.name) i WHERE i.origin IN ('u', 'pk')",
};

static enum dr_rc
keep_row(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct reading *reading = ctx;
    (void)err;
    dr_fplines_add(reading->lines, dr_sqlite_column_text(stmt, 0), dr_sqlite_column_text(stmt, 1));
    return DR_OK;
}

static void
keep_part(void *ctx, const char *text)
{
    struct reading *reading = ctx;
    dr_fplines_add(reading->lines, reading->key.data, text);
}

// type, name, table, text
static enum dr_rc
keep_text(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct reading *reading = ctx;
    (void)err;
    const char *type = dr_sqlite_column_text(stmt, 0);
    const char *sql = dr_sqlite_column_text(stmt, 3);
    bool is_table = strcmp(type, "table") == 0;
    bool is_virtual = is_table && strncasecmp(sql, "CREATE VIRTUAL", 14) == 0;
    dr_buf_reset(&reading->key);
    dr_buf_printf(&reading->key, "%s %s", is_table ? "rule" : type, dr_sqlite_column_text(stmt, 1));
    if (is_table && !is_virtual) {
        dr_fptokens_table(sql, keep_part, reading);
        return DR_OK;
    }
    struct dr_buf text = {0};
    dr_fptokens_normal(sql, &text);
    dr_fplines_add(reading->lines, reading->key.data, text.data);
    dr_buf_fini(&text);
    return DR_OK;
}

static enum dr_rc
read_all(struct dr_sqlite *db, struct reading *reading, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(queries); i++) {
        rc = dr_sqlite_exec(db, queries[i], strlen(queries[i]), keep_row, reading, err);
    }
    static const char texts[] =
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT "
        "LIKE "
        "'sqlite\\_%' ESCAPE '\\' AND " NOT_OURS("name") "AND " NOT_OURS("tbl_name");
    return rc != DR_OK ? rc : dr_sqlite_exec(db, texts, strlen(texts), keep_text, reading, err);
}

enum dr_rc
dr_fingerprint_sqlite(struct dr_sqlite *db, const struct dr_fingerprint_options *options,
                      struct dr_fingerprint *out, struct dr_err *err)
{
    struct dr_fplines lines = {.options = options};
    struct reading reading = {.lines = &lines};
    bool own_tx = !dr_sqlite_in_transaction(db);
    enum dr_rc rc = own_tx ? dr_sqlite_begin_read(db, err) : DR_OK;
    rc = rc != DR_OK ? rc : read_all(db, &reading, err);
    if (own_tx) {
        dr_sqlite_rollback(db);
    }
    rc =
        rc != DR_OK ? dr_err_wrap(err, "cannot read the schema") : dr_fplines_end(&lines, out, err);
    dr_buf_fini(&reading.key);
    dr_fplines_fini(&lines);
    return rc;
}
