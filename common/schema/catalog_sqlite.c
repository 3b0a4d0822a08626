// The schema of a SQLite file as objects: SQLite keeps the texts, PRAGMAs tell the columns, and the
// fingerprint tells whether two texts mean the same.
#include "schema/catalog_internal.h"

#include "base/str.h"
#include "db/sqlite.h"
#include "engine/fingerprint.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NOT_OURS(name)                                                                             \
    "lower(" name ") NOT LIKE 'drover\\_%' ESCAPE '\\' AND lower(" name ") <> 'alembic_version' "  \
    "AND " name " NOT LIKE 'sqlite\\_%' ESCAPE '\\' "

struct reading {
    struct dr_gather gather;
    const char *print; // the fingerprint's text
};

static const char *
text(struct reading *r, const char *value)
{
    const char *kept = dr_arena_str(r->gather.arena, value);
    r->gather.failed = r->gather.failed || kept == NULL;
    return kept == NULL ? "" : kept;
}

// ----------------------------------------------------------------------------------- what texts
// say

// Behind the quoted or commented run that begins at `at`; `at` itself when none does.
static const char *
skip_quoted(const char *at)
{
    char close = *at == '[' ? ']' : *at;
    if (at[0] == '-' && at[1] == '-') {
        return at + strcspn(at, "\n");
    }
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    if (strchr("'\"`[", *at) == NULL || *at == '\0') {
        return at;
    }
    for (at++; *at != '\0'; at++) {
        if (*at == close && (close == ']' || at[1] != close)) {
            return at + 1;
        }
        at += *at == close ? 1 : 0;
    }
    return at;
}

static bool
is_name(const char *def, const char *name)
{
    size_t len = strlen(name);
    size_t quoted = strchr("\"`['", def[0]) != NULL && def[0] != '\0' ? 1 : 0;
    char after = strncasecmp(def + quoted, name, len) == 0 ? def[quoted + len] : 'x';
    return quoted ? strchr("\"`]'", after) != NULL && after != '\0'
                  : !isalnum((unsigned char)after) && after != '_';
}

// The definition of one column in the text of its table; NULL when it is not found.
static const char *
column_of(struct reading *r, const char *table, const char *name)
{
    const char *at = strchr(table, '(');
    const char *start = at == NULL ? NULL : at + 1;
    int depth = 0;
    while (start != NULL && *at != '\0') {
        const char *next = skip_quoted(at);
        if (next != at) {
            at = next;
            continue;
        }
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        if ((*at == ',' && depth == 1) || depth == 0) {
            start += strspn(start, " \t\r\n");
            if (is_name(start, name)) {
                return dr_arena_strn(r->gather.arena, start, (size_t)(at - start));
            }
            start = depth == 0 ? NULL : at + 1;
        }
        at++;
    }
    return NULL;
}

// The fingerprint's lines of a table, without those of its columns.
static const char *
lines_of(struct reading *r, const char *table)
{
    static const char *const words[] = {"table ",  "virtual table ", "foreign key ",
                                        "unique ", "primary key ",   "rule "};
    struct dr_buf out = {0};
    size_t len = strlen(table);
    for (const char *line = r->print; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
            const char *name = line + strlen(words[i]);
            if (dr_str_starts(line, words[i]) && strncmp(name, table, len) == 0 &&
                strchr(" :\n", name[len]) != NULL) {
                dr_buf_add(&out, line, size + 1);
            }
        }
        line += size + (line[size] == '\n' ? 1 : 0);
    }
    const char *kept = text(r, out.data ? out.data : "");
    r->gather.failed = r->gather.failed || out.failed;
    dr_buf_fini(&out);
    return kept;
}

// ---------------------------------------------------------------------------------------- rows

// type, name, table, text
static enum dr_rc
keep_object(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct reading *r = ctx;
    const char *type = dr_sqlite_column_text(stmt, 0);
    struct dr_schema_object o = {.kind = dr_schema_kind_of(type),
                                 .name = text(r, dr_sqlite_column_text(stmt, 1)),
                                 .part_of = "",
                                 .address = "",
                                 .create = text(r, dr_sqlite_column_text(stmt, 3)),
                                 .drop = ""};
    (void)err;
    if (o.kind == DR_SCHEMA_KINDS) {
        return DR_OK;
    }
    if (o.kind == DR_SCHEMA_TABLE) {
        o.attrs[3] = lines_of(r, o.name);
    } else if (o.kind != DR_SCHEMA_VIEW) {
        o.part_of = text(r, dr_sqlite_column_text(stmt, 2));
    }
    const char *drop = dr_arena_printf(r->gather.arena, "DROP %s \"%s\"",
                                       o.kind == DR_SCHEMA_TABLE   ? "TABLE"
                                       : o.kind == DR_SCHEMA_INDEX ? "INDEX"
                                       : o.kind == DR_SCHEMA_VIEW  ? "VIEW"
                                                                   : "TRIGGER",
                                       o.name);
    o.drop = drop ? drop : "";
    (void)!dr_gather_add(&r->gather, &o);
    return DR_OK;
}

// table, text of it, column, type, not null, default, place, hidden
static enum dr_rc
keep_column(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct reading *r = ctx;
    struct dr_arena *arena = r->gather.arena;
    const char *table = text(r, dr_sqlite_column_text(stmt, 0));
    const char *column = text(r, dr_sqlite_column_text(stmt, 2));
    const char *name = dr_arena_printf(arena, "%s.%s", table, column);
    const char *def = column_of(r, dr_sqlite_column_text(stmt, 1), column);
    int64_t hidden = dr_sqlite_column_int(stmt, 7);
    struct dr_schema_object o = {.kind = DR_SCHEMA_COLUMN,
                                 .name = name ? name : "",
                                 .part_of = table,
                                 .address = "",
                                 .create = def ? def : "",
                                 .drop = column,
                                 .place = (uint32_t)dr_sqlite_column_int(stmt, 6) + 1};
    (void)err;
    o.attrs[DR_ATTR_TYPE] = text(r, dr_sqlite_column_text(stmt, 3));
    o.attrs[DR_ATTR_NOT_NULL] = dr_sqlite_column_int(stmt, 4) ? "NOT NULL" : "";
    o.attrs[DR_ATTR_IDENTITY] = dr_sqlite_column_int(stmt, 8) ? "PRIMARY KEY" : "";
    o.attrs[DR_ATTR_GENERATED] = hidden == 2 ? "VIRTUAL" : hidden == 3 ? "STORED" : "";
    (void)!dr_gather_add(&r->gather, &o);
    if (!dr_sqlite_column_is_null(stmt, 5)) {
        struct dr_schema_object value = {.kind = DR_SCHEMA_DEFAULT,
                                         .name = o.name,
                                         .part_of = o.name,
                                         .address = "",
                                         .create = text(r, dr_sqlite_column_text(stmt, 5)),
                                         .drop = ""};
        value.attrs[DR_ATTR_DEFINITION] = value.create;
        (void)!dr_gather_add(&r->gather, &value);
    }
    return DR_OK;
}

// table, number, columns, other table, its columns, actions
static enum dr_rc
keep_key(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct reading *r = ctx;
    struct dr_arena *arena = r->gather.arena;
    const char *table = text(r, dr_sqlite_column_text(stmt, 0));
    const char *name = dr_arena_printf(arena, "%s.(%s)", table, dr_sqlite_column_text(stmt, 2));
    const char *to = dr_sqlite_column_text(stmt, 4);
    const char *def =
        dr_arena_printf(arena, "FOREIGN KEY (%s) REFERENCES %s%s%s%s%s",
                        dr_sqlite_column_text(stmt, 2), dr_sqlite_column_text(stmt, 3),
                        to[0] ? "(" : "", to, to[0] ? ")" : "", dr_sqlite_column_text(stmt, 5));
    struct dr_schema_object o = {.kind = DR_SCHEMA_FOREIGN_KEY,
                                 .name = name ? name : "",
                                 .part_of = table,
                                 .address = "",
                                 .create = def ? def : "",
                                 .drop = ""};
    (void)err;
    o.attrs[DR_ATTR_DEFINITION] = o.create;
    (void)!dr_gather_add(&r->gather, &o);
    return DR_OK;
}

static const char objects_sql[] =
    "SELECT m.type, m.name, m.tbl_name, m.sql FROM sqlite_schema m WHERE m.sql IS NOT NULL "
    "AND " NOT_OURS("m.name") "AND " NOT_OURS(
        "m.tbl_name") "AND NOT EXISTS (SELECT 1 FROM pragma_table_list l WHERE l.schema = 'main' "
                      "AND l.name = m.name AND l.type = 'shadow')";
static const char columns_sql[] =
    "SELECT m.name, m.sql, c.name, c.type, c.\"notnull\", c.dflt_value, c.cid, c.hidden, c.pk FROM "
    "sqlite_schema m, pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND m.sql NOT LIKE "
    "'CREATE VIRTUAL%' AND " NOT_OURS("m.name");
static const char keys_sql[] =
    "SELECT name, id, group_concat(\"from\", ', '), \"table\", coalesce(group_concat(\"to\", ', "
    "'), ''), CASE on_update WHEN 'NO ACTION' THEN '' ELSE ' ON UPDATE ' || on_update END || CASE "
    "on_delete WHEN 'NO ACTION' THEN '' ELSE ' ON DELETE ' || on_delete END FROM (SELECT m.name AS "
    "name, f.* FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
    "AND " NOT_OURS("m.name") "ORDER BY m.name, f.id, f.seq) GROUP BY name, id";

enum dr_rc
dr_catalog_sqlite(struct dr_sqlite *db, struct dr_arena *arena, struct dr_catalog *out,
                  struct dr_err *err)
{
    struct reading r = {.gather = {.arena = arena}};
    struct dr_catalog catalog = {.engine = DR_DB_SQLITE};
    struct dr_fingerprint print = {0};
    const struct dr_fingerprint_options options = {0};
    bool own_tx = !dr_sqlite_in_transaction(db);
    enum dr_rc rc = own_tx ? dr_sqlite_begin_read(db, err) : DR_OK;
    rc = rc == DR_OK ? dr_fingerprint_sqlite(db, &options, &print, err) : rc;
    r.print = print.text;
    rc = rc == DR_OK ? dr_sqlite_exec(db, objects_sql, strlen(objects_sql), keep_object, &r, err)
                     : rc;
    rc = rc == DR_OK ? dr_sqlite_exec(db, columns_sql, strlen(columns_sql), keep_column, &r, err)
                     : rc;
    rc = rc == DR_OK ? dr_sqlite_exec(db, keys_sql, strlen(keys_sql), keep_key, &r, err) : rc;
    if (own_tx) {
        dr_sqlite_rollback(db);
    }
    rc = rc == DR_OK ? dr_gather_end(&r.gather, &catalog, err) : rc;
    dr_fingerprint_fini(&print);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot read the schema");
    }
    *out = catalog;
    return DR_OK;
}
