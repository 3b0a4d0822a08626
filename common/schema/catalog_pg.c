// The catalog of PostgreSQL as objects. Comments, grants and needs come with the numbers of what
// they hang on, and are joined here.
#include "schema/catalog_internal.h"

#include "base/str.h"
#include "db/pg.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 900000u // of one query

struct reading {
    struct dr_pg *pg;
    const struct dr_db_wait *wait;
    const char *params[2];
    struct dr_gather gather;
    const struct dr_schema_object **by_number; // those with a number, sorted by it
    size_t numbered;
};

static enum dr_rc
ask(struct reading *r, const char *sql, struct dr_pg_result **out, struct dr_err *err)
{
    struct dr_pg_stmt stmt = {.sql = sql, .params = r->params, .max_rows = ROWS_MAX};
    stmt.params_count = strstr(sql, "$2") != NULL ? 2 : strstr(sql, "$1") != NULL ? 1 : 0;
    return dr_pg_exec(r->pg, &stmt, r->wait, out, err);
}

static const char *
text(struct reading *r, const struct dr_pg_result *rows, size_t row, size_t column)
{
    const char *value = dr_pg_text(rows, row, column);
    return value == NULL ? "" : dr_arena_str(r->gather.arena, value);
}

static enum dr_rc
keep_rows(struct reading *r, const struct dr_pg_result *rows, struct dr_err *err)
{
    for (size_t i = 0; i < dr_pg_rows(rows); i++) {
        const char *word = dr_pg_text(rows, i, 0);
        struct dr_schema_object o = {.kind = dr_schema_kind_of(word != NULL ? word : ""),
                                     .name = text(r, rows, i, 1),
                                     .part_of = text(r, rows, i, 2),
                                     .address = text(r, rows, i, 3),
                                     .create = text(r, rows, i, 4),
                                     .drop = text(r, rows, i, 5),
                                     .place = (uint32_t)dr_pg_int(rows, i, 11),
                                     .class_ = (uint32_t)dr_pg_int(rows, i, 12),
                                     .oid = (uint32_t)dr_pg_int(rows, i, 13),
                                     .sub = (uint32_t)dr_pg_int(rows, i, 14)};
        for (size_t k = 0; k < DR_CATALOG_ATTRS; k++) {
            o.attrs[k] = text(r, rows, i, 6 + k);
        }
        if (o.kind == DR_SCHEMA_KINDS) {
            return dr_err_set(err, DR_E_INTERNAL, "the catalog gave a '%s'", word ? word : "");
        }
        (void)!dr_gather_add(&r->gather, &o);
    }
    return DR_OK;
}

static enum dr_rc
read_list(struct reading *r, const struct dr_catalog_query *list, size_t count, struct dr_err *err)
{
    int version = dr_pg_server_version(r->pg);
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        struct dr_pg_result *rows = NULL;
        if (version < list[i].from_version ||
            (list[i].to_version != 0 && version > list[i].to_version)) {
            continue;
        }
        rc = ask(r, list[i].sql, &rows, err);
        rc = rc == DR_OK ? keep_rows(r, rows, err) : rc;
        dr_pg_result_free(&rows);
    }
    return rc;
}

// ------------------------------------------------------------------------------------- numbers

static int
compare_numbers(const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    if (a->class_ != b->class_) {
        return a->class_ < b->class_ ? -1 : 1;
    }
    if (a->oid != b->oid) {
        return a->oid < b->oid ? -1 : 1;
    }
    return (a->sub > b->sub) - (a->sub < b->sub);
}

static int
compare_places(const void *a, const void *b)
{
    const struct dr_schema_object *const *left = a, *const *right = b;
    return compare_numbers(*left, *right);
}

static enum dr_rc
number(struct reading *r, const struct dr_schema_object *objects, size_t count, struct dr_err *err)
{
    r->numbered = 0;
    r->by_number = dr_arena_array(r->gather.arena, count + 1, sizeof(*r->by_number));
    if (r->by_number == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (objects[i].class_ != 0 && objects[i].kind != DR_SCHEMA_COMMENT &&
            objects[i].kind != DR_SCHEMA_GRANT) {
            r->by_number[r->numbered++] = &objects[i];
        }
    }
    if (r->numbered > 0) {
        qsort(r->by_number, r->numbered, sizeof(*r->by_number), compare_places);
    }
    return DR_OK;
}

// The object with these numbers; for a part that is no object, the whole that it is of.
static size_t
find(const struct reading *r, const struct dr_schema_object *objects,
     const struct dr_schema_object *key)
{
    size_t low = 0;
    size_t high = r->numbered;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_numbers(key, r->by_number[middle]);
        if (order == 0) {
            return (size_t)(r->by_number[middle] - objects);
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return SIZE_MAX;
}

static size_t
find_or_whole(const struct reading *r, const struct dr_schema_object *objects,
              struct dr_schema_object key)
{
    size_t found = find(r, objects, &key);
    if (found == SIZE_MAX && key.sub != 0) {
        key.sub = 0;
        found = find(r, objects, &key);
    }
    return found;
}

// ---------------------------------------------------------------------------------------- joins

static const char *
quoted(struct dr_arena *arena, const char *value)
{
    struct dr_buf out = {0};
    bool has_escape = strchr(value, '\\') != NULL;
    dr_buf_str(&out, has_escape ? "E'" : "'");
    for (; *value != '\0'; value++) {
        dr_buf_add(&out, value, *value == '\'' || *value == '\\' ? 1 : 0);
        dr_buf_add(&out, value, 1);
    }
    dr_buf_str(&out, "'");
    const char *kept = out.failed ? NULL : dr_arena_str(arena, out.data);
    dr_buf_fini(&out);
    return kept;
}

// Comments and grants of what is not read here (a row type, an extension's function) go.
static enum dr_rc
join_hanging(struct reading *r, struct dr_err *err)
{
    struct dr_gather *g = &r->gather;
    enum dr_rc rc = number(r, g->objects, g->count, err);
    for (size_t i = 0; rc == DR_OK && i < g->count; i++) {
        struct dr_schema_object o = g->objects[i];
        bool hangs = o.kind == DR_SCHEMA_COMMENT || o.kind == DR_SCHEMA_GRANT;
        size_t at = hangs ? find(r, g->objects, &o) : 0;
        if (at == SIZE_MAX || (o.kind == DR_SCHEMA_COMMENT && !g->objects[at].address[0])) {
            continue;
        }
        if (o.kind == DR_SCHEMA_COMMENT) {
            const char *address = g->objects[at].address;
            const char *value = quoted(g->arena, o.create);
            o.name = address;
            o.create = value == NULL
                           ? NULL
                           : dr_arena_printf(g->arena, "COMMENT ON %s IS %s", address, value);
            o.drop = dr_arena_printf(g->arena, "COMMENT ON %s IS NULL", address);
            g->failed = g->failed || o.create == NULL || o.drop == NULL;
        }
        o.owner = hangs ? at : SIZE_MAX;
        g->objects[i] = o; // nothing moves yet: by_number holds places
    }
    return rc;
}

static bool
is_lost(const struct dr_schema_object *o)
{
    return (o->kind == DR_SCHEMA_COMMENT || o->kind == DR_SCHEMA_GRANT) && o->owner == SIZE_MAX;
}

static enum dr_rc
join(struct reading *r, struct dr_catalog *out, struct dr_err *err)
{
    struct dr_gather *g = &r->gather;
    size_t kept = 0;
    enum dr_rc rc = g->failed ? DR_OK : join_hanging(r, err);
    for (size_t i = 0; rc == DR_OK && i < g->count; i++) {
        if (!is_lost(&g->objects[i])) {
            g->objects[kept++] = g->objects[i];
        }
    }
    g->count = rc == DR_OK ? kept : g->count;
    rc = rc == DR_OK ? dr_gather_end(g, out, err) : rc;
    rc = rc == DR_OK ? number(r, out->objects, out->count, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < out->count; i++) {
        struct dr_schema_object *o = &out->objects[i];
        if (o->kind != DR_SCHEMA_COMMENT && o->kind != DR_SCHEMA_GRANT) {
            continue;
        }
        o->owner = find(r, out->objects, o);
        rc = o->owner == SIZE_MAX || dr_gather_need(g->arena, out, i, o->owner)
                 ? DR_OK
                 : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return rc;
}

static enum dr_rc
read_needs(struct reading *r, struct dr_catalog *catalog, struct dr_err *err)
{
    struct dr_pg_result *rows = NULL;
    enum dr_rc rc = ask(r, dr_catalog_pg_needs, &rows, err);
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(rows); i++) {
        struct dr_schema_object a = {.class_ = (uint32_t)dr_pg_int(rows, i, 0),
                                     .oid = (uint32_t)dr_pg_int(rows, i, 1),
                                     .sub = (uint32_t)dr_pg_int(rows, i, 2)};
        struct dr_schema_object b = {.class_ = (uint32_t)dr_pg_int(rows, i, 3),
                                     .oid = (uint32_t)dr_pg_int(rows, i, 4),
                                     .sub = (uint32_t)dr_pg_int(rows, i, 5)};
        size_t from = find_or_whole(r, catalog->objects, a);
        size_t to = find_or_whole(r, catalog->objects, b);
        if (from != SIZE_MAX && to != SIZE_MAX &&
            !dr_gather_need(r->gather.arena, catalog, from, to)) {
            rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
    }
    dr_pg_result_free(&rows);
    return rc;
}

enum dr_rc
dr_catalog_pg(struct dr_pg *pg, const char *schema, const struct dr_db_wait *wait,
              struct dr_arena *arena, struct dr_catalog *out, struct dr_err *err)
{
    struct reading r = {.pg = pg,
                        .wait = wait,
                        .params = {schema != NULL ? schema : "public", schema != NULL ? "f" : "t"},
                        .gather = {.arena = arena}};
    struct dr_catalog catalog = {.engine = DR_DB_POSTGRES};
    bool own_tx = dr_pg_tx_status(pg) == DR_PG_TX_IDLE;
    struct dr_pg_result *none = NULL;
    enum dr_rc rc =
        own_tx ? dr_pg_run(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", wait, err)
               : DR_OK;
    rc = rc != DR_OK ? rc
                     : ask(&r,
                           "SELECT pg_catalog.set_config('search_path', "
                           "pg_catalog.quote_ident($1), true)",
                           &none, err);
    dr_pg_result_free(&none);
    rc = rc == DR_OK ? read_list(&r, dr_catalog_pg_main, dr_catalog_pg_main_count, err) : rc;
    rc = rc == DR_OK ? read_list(&r, dr_catalog_pg_more, dr_catalog_pg_more_count, err) : rc;
    rc = rc == DR_OK ? join(&r, &catalog, err) : rc;
    rc = rc == DR_OK ? read_needs(&r, &catalog, err) : rc;
    if (own_tx && dr_pg_is_alive(pg)) {
        (void)!dr_pg_run(pg, "ROLLBACK", wait, NULL);
    }
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot read the schema");
    }
    *out = catalog;
    return DR_OK;
}
