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
    if (kind == DR_SCHEMA_TABLE) {
        r.sql = dr_arena_printf(s->arena, "ALTER TABLE %s RENAME TO %s", quote(s, a->name), to);
        r.back = dr_arena_printf(s->arena, "ALTER TABLE %s RENAME TO %s", quote(s, b->name), from);
    } else {
        r.sql = dr_arena_printf(s->arena, "ALTER TABLE %s RENAME COLUMN %s TO %s",
                                quote(s, a->part_of), from, to);
        r.back = dr_arena_printf(s->arena, "ALTER TABLE %s RENAME COLUMN %s TO %s",
                                 quote(s, a->part_of), to, from);
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

static bool
are_alike(const struct search *s, size_t i, size_t k)
{
    const struct dr_schema_object *a = &s->from->objects[i];
    const struct dr_schema_object *b = &s->to->objects[k];
    if (a->kind != b->kind || !is_gone(s->from, b)) {
        return false;
    }
    if (a->kind == DR_SCHEMA_COLUMN) {
        return strcmp(a->part_of, b->part_of) == 0 &&
               strcmp(a->attrs[DR_ATTR_TYPE], b->attrs[DR_ATTR_TYPE]) == 0;
    }
    size_t common = count_common(s, i, k);
    size_t most = count_columns(s->from, i);
    size_t other = count_columns(s->to, k);
    return common > 0 && common * 5 >= (most > other ? most : other) * 4;
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
        bool can_be = a->kind == DR_SCHEMA_TABLE || a->kind == DR_SCHEMA_COLUMN;
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
