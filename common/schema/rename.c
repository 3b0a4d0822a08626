// What may be a rename: a table that is gone and a new one with mostly the same columns, a column
// that is gone and a new one of the same type in the same table.
#include "schema/write_internal.h"

#include <string.h>

struct search {
    const struct dr_catalog *from, *to;
    struct dr_arena *arena;
    struct dr_schema_rename *found;
    size_t count, max;
    bool failed;
};

static bool
is_gone(const struct dr_catalog *other, const struct dr_schema_object *o)
{
    return dr_catalog_find(other, o->kind, o->name) == SIZE_MAX;
}

static const char *
last_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static const char *
quote(struct search *s, const char *name)
{
    bool is_plain = s->from->engine != DR_DB_SQLITE;
    const char *text = dr_arena_printf(s->arena, is_plain ? "%s" : "\"%s\"", name);
    s->failed = s->failed || text == NULL;
    return text == NULL ? "" : text;
}

static void
keep(struct search *s, enum dr_schema_kind kind, const struct dr_schema_object *a,
     const struct dr_schema_object *b)
{
    if (s->count == s->max) {
        return;
    }
    const char *from = quote(s, last_name(a->name));
    const char *to = quote(s, last_name(b->name));
    struct dr_schema_rename r = {.kind = kind, .from = a->name, .to = b->name};
    const char *word = kind == DR_SCHEMA_TABLE      ? "TABLE"
                       : kind == DR_SCHEMA_SEQUENCE ? "SEQUENCE"
                       : kind == DR_SCHEMA_INDEX    ? "INDEX"
                       : kind == DR_SCHEMA_COLUMN   ? "COLUMN"
                                                    : "CONSTRAINT";
    r.is_sure = kind != DR_SCHEMA_TABLE && kind != DR_SCHEMA_COLUMN;
    if (kind == DR_SCHEMA_TABLE || kind == DR_SCHEMA_SEQUENCE || kind == DR_SCHEMA_INDEX) {
        r.sql = dr_arena_printf(s->arena, "ALTER %s %s RENAME TO %s", word, quote(s, a->name), to);
        r.back =
            dr_arena_printf(s->arena, "ALTER %s %s RENAME TO %s", word, quote(s, b->name), from);
    } else {
        const char *table = quote(s, a->part_of);
        r.sql =
            dr_arena_printf(s->arena, "ALTER TABLE %s RENAME %s %s TO %s", table, word, from, to);
        r.back =
            dr_arena_printf(s->arena, "ALTER TABLE %s RENAME %s %s TO %s", table, word, to, from);
    }
    s->failed = s->failed || r.sql == NULL || r.back == NULL;
    s->found[s->count++] = r;
}

static size_t
count_columns(const struct dr_catalog *catalog, size_t table)
{
    size_t n = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        n += catalog->objects[i].kind == DR_SCHEMA_COLUMN && catalog->objects[i].owner == table;
    }
    return n;
}

// How many columns of the one are in the other, by name and type?
static size_t
count_common(const struct search *s, size_t a, size_t b)
{
    size_t n = 0;
    for (size_t i = 0; i < s->from->count; i++) {
        const struct dr_schema_object *x = &s->from->objects[i];
        for (size_t k = 0; x->kind == DR_SCHEMA_COLUMN && x->owner == a && k < s->to->count; k++) {
            const struct dr_schema_object *y = &s->to->objects[k];
            n += y->kind == DR_SCHEMA_COLUMN && y->owner == b &&
                 strcmp(last_name(x->name), last_name(y->name)) == 0 &&
                 strcmp(x->attrs[DR_ATTR_TYPE], y->attrs[DR_ATTR_TYPE]) == 0;
        }
    }
    return n;
}

// All but the name is the same: nothing is lost by a rename, and a sequence keeps its place.
static bool
are_same(const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    const char *x = strstr(a->create, " ON ");
    const char *y = strstr(b->create, " ON ");
    switch (a->kind) {
    case DR_SCHEMA_SEQUENCE:
        return a->attrs[DR_ATTR_OWNED_BY][0] != '\0' &&
               strcmp(a->attrs[DR_ATTR_OWNED_BY], b->attrs[DR_ATTR_OWNED_BY]) == 0 &&
               strcmp(a->attrs[DR_ATTR_ALTER], b->attrs[DR_ATTR_ALTER]) == 0;
    case DR_SCHEMA_INDEX:
        return strcmp(a->part_of, b->part_of) == 0 && strncmp(a->create, b->create, 10) == 0 &&
               x != NULL && y != NULL && strcmp(x, y) == 0;
    default:
        return strcmp(a->part_of, b->part_of) == 0 &&
               strcmp(a->attrs[DR_ATTR_DEFINITION], b->attrs[DR_ATTR_DEFINITION]) == 0 &&
               strcmp(a->attrs[DR_ATTR_NOT_VALID], b->attrs[DR_ATTR_NOT_VALID]) == 0;
    }
}

static bool
are_alike(const struct search *s, size_t i, size_t k)
{
    const struct dr_schema_object *a = &s->from->objects[i];
    const struct dr_schema_object *b = &s->to->objects[k];
    if (a->kind != b->kind || !is_gone(s->from, b)) {
        return false;
    }
    if (a->kind != DR_SCHEMA_TABLE && a->kind != DR_SCHEMA_COLUMN) {
        return are_same(a, b);
    }
    if (a->kind == DR_SCHEMA_COLUMN) {
        return strcmp(a->part_of, b->part_of) == 0 &&
               strcmp(a->attrs[DR_ATTR_TYPE], b->attrs[DR_ATTR_TYPE]) == 0;
    }
    size_t common = count_common(s, i, k); // of five, three are enough to ask
    size_t most = count_columns(s->from, i);
    size_t other = count_columns(s->to, k);
    return common > 0 && common * 5 >= (most > other ? most : other) * 3;
}

enum dr_rc
dr_schema_renames(const struct dr_catalog *from, const struct dr_catalog *to,
                  struct dr_arena *arena, struct dr_schema_rename **out, size_t *out_count,
                  struct dr_err *err)
{
    struct search s = {.from = from, .to = to, .arena = arena, .max = 256};
    s.found = dr_arena_array(arena, s.max, sizeof(*s.found));
    s.failed = s.found == NULL;
    for (size_t i = 0; !s.failed && i < from->count; i++) {
        const struct dr_schema_object *a = &from->objects[i];
        bool has_name = a->kind == DR_SCHEMA_SEQUENCE || a->kind == DR_SCHEMA_CONSTRAINT ||
                        a->kind == DR_SCHEMA_FOREIGN_KEY || a->kind == DR_SCHEMA_INDEX;
        bool can_be = a->kind == DR_SCHEMA_TABLE || a->kind == DR_SCHEMA_COLUMN ||
                      (has_name && from->engine != DR_DB_SQLITE);
        for (size_t k = 0; can_be && is_gone(to, a) && k < to->count; k++) {
            if (are_alike(&s, i, k)) {
                keep(&s, a->kind, a, &to->objects[k]);
            }
        }
    }
    if (s.failed) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    *out = s.found;
    *out_count = s.count;
    return DR_OK;
}

enum dr_rc
dr_schema_rename_of(const struct dr_catalog *from, const struct dr_catalog *to, const char *old,
                    const char *new, struct dr_arena *arena, struct dr_schema_rename *out,
                    struct dr_err *err)
{
    static const enum dr_schema_kind kinds[] = {DR_SCHEMA_TABLE, DR_SCHEMA_COLUMN};
    struct search s = {.from = from, .to = to, .arena = arena, .found = out, .max = 1};
    for (size_t i = 0; s.count == 0 && i < 2; i++) {
        size_t a = dr_catalog_find(from, kinds[i], old);
        size_t b = dr_catalog_find(to, kinds[i], new);
        if (a != SIZE_MAX && b != SIZE_MAX && is_gone(to, &from->objects[a]) &&
            is_gone(from, &to->objects[b]) &&
            strcmp(from->objects[a].part_of, to->objects[b].part_of) == 0) {
            keep(&s, kinds[i], &from->objects[a], &to->objects[b]);
        }
    }
    if (s.failed) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return s.count == 1
               ? DR_OK
               : dr_err_set(err, DR_E_NOT_FOUND, "'%s' cannot have been renamed to '%s'", old, new);
}
