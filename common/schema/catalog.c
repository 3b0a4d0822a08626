// The model itself: gathering, sorting, finding. The readers are catalog_pg.c and catalog_sqlite.c.
#include "schema/catalog_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const words[DR_SCHEMA_KINDS] = {
    [DR_SCHEMA_SCHEMA] = "schema",
    [DR_SCHEMA_EXTENSION] = "extension",
    [DR_SCHEMA_ENUM] = "enum",
    [DR_SCHEMA_COMPOSITE] = "composite type",
    [DR_SCHEMA_ATTRIBUTE] = "attribute",
    [DR_SCHEMA_RANGE] = "range",
    [DR_SCHEMA_DOMAIN] = "domain",
    [DR_SCHEMA_DOMAIN_CHECK] = "domain check",
    [DR_SCHEMA_SEQUENCE] = "sequence",
    [DR_SCHEMA_TABLE] = "table",
    [DR_SCHEMA_COLUMN] = "column",
    [DR_SCHEMA_DEFAULT] = "default",
    [DR_SCHEMA_CONSTRAINT] = "constraint",
    [DR_SCHEMA_SETTING] = "setting",
    [DR_SCHEMA_INDEX] = "index",
    [DR_SCHEMA_FUNCTION] = "function",
    [DR_SCHEMA_FOREIGN_KEY] = "foreign key",
    [DR_SCHEMA_VIEW] = "view",
    [DR_SCHEMA_MATVIEW] = "materialized view",
    [DR_SCHEMA_RULE] = "rule",
    [DR_SCHEMA_TRIGGER] = "trigger",
    [DR_SCHEMA_POLICY] = "policy",
    [DR_SCHEMA_STATISTICS] = "statistics",
    [DR_SCHEMA_COMMENT] = "comment",
    [DR_SCHEMA_GRANT] = "grant",
};

// Kinds that others are part of; they share one space of names.
static const enum dr_schema_kind owners[] = {
    DR_SCHEMA_TABLE, DR_SCHEMA_VIEW,     DR_SCHEMA_MATVIEW, DR_SCHEMA_COMPOSITE, DR_SCHEMA_DOMAIN,
    DR_SCHEMA_ENUM,  DR_SCHEMA_SEQUENCE, DR_SCHEMA_RANGE,   DR_SCHEMA_INDEX,     DR_SCHEMA_COLUMN,
};

const char *
dr_schema_kind_word(enum dr_schema_kind kind)
{
    return words[kind];
}

enum dr_schema_kind
dr_schema_kind_of(const char *word)
{
    unsigned kind = 0;
    while (kind < DR_SCHEMA_KINDS && strcmp(words[kind], word) != 0) {
        kind++;
    }
    return (enum dr_schema_kind)kind;
}

struct dr_schema_object *
dr_gather_add(struct dr_gather *g, const struct dr_schema_object *object)
{
    if (!g->failed && g->count == g->cap) {
        size_t cap = g->cap == 0 ? 256 : g->cap * 2;
        struct dr_schema_object *grown =
            cap > 2 * DR_CATALOG_OBJECTS_MAX ? NULL : dr_arena_array(g->arena, cap, sizeof(*grown));
        if (grown != NULL && g->count > 0) {
            memcpy(grown, g->objects, g->count * sizeof(*grown));
        }
        g->failed = grown == NULL;
        g->objects = grown != NULL ? grown : g->objects;
        g->cap = grown != NULL ? cap : g->cap;
    }
    if (g->failed) {
        return NULL;
    }
    struct dr_schema_object *added = &g->objects[g->count++];
    *added = *object;
    added->owner = SIZE_MAX;
    for (size_t i = 0; i < DR_CATALOG_ATTRS; i++) {
        added->attrs[i] = added->attrs[i] != NULL ? added->attrs[i] : "";
    }
    return added;
}

static int
compare(const void *a, const void *b)
{
    const struct dr_schema_object *left = a;
    const struct dr_schema_object *right = b;
    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

size_t
dr_catalog_find(const struct dr_catalog *catalog, enum dr_schema_kind kind, const char *name)
{
    const struct dr_schema_object key = {.kind = kind, .name = name};
    const struct dr_schema_object *found =
        catalog->count == 0 ? NULL
                            : bsearch(&key, catalog->objects, catalog->count, sizeof(key), compare);
    return found == NULL ? SIZE_MAX : (size_t)(found - catalog->objects);
}

bool
dr_gather_need(struct dr_arena *arena, struct dr_catalog *catalog, size_t object, size_t other)
{
    struct dr_schema_object *o = &catalog->objects[object];
    if (object == other) {
        return true;
    }
    for (size_t i = 0; i < o->needs_count; i++) {
        if (o->needs[i] == other) {
            return true;
        }
    }
    // Grown when the count is a power of two.
    if ((o->needs_count & (o->needs_count - 1)) == 0) {
        size_t *needs =
            dr_arena_array(arena, o->needs_count == 0 ? 1 : 2 * o->needs_count, sizeof(*needs));
        if (needs == NULL) {
            return false;
        }
        if (o->needs_count > 0) {
            memcpy(needs, o->needs, o->needs_count * sizeof(*needs));
        }
        o->needs = needs;
    }
    o->needs[o->needs_count++] = other;
    return true;
}

static size_t
find_owner(const struct dr_catalog *catalog, const char *name)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; found == SIZE_MAX && i < sizeof(owners) / sizeof(owners[0]); i++) {
        found = dr_catalog_find(catalog, owners[i], name);
    }
    return found;
}

enum dr_rc
dr_gather_end(struct dr_gather *g, struct dr_catalog *out, struct dr_err *err)
{
    if (g->failed) {
        return dr_err_set(err, DR_E_LIMIT, "the schema has more than %u objects, or memory is out",
                          DR_CATALOG_OBJECTS_MAX);
    }
    if (g->count > 0) {
        qsort(g->objects, g->count, sizeof(*g->objects), compare);
    }
    out->objects = g->objects;
    out->count = g->count;
    for (size_t i = 0; i < out->count; i++) {
        struct dr_schema_object *o = &out->objects[i];
        o->owner = o->part_of[0] == '\0' ? SIZE_MAX : find_owner(out, o->part_of);
        if (o->owner == i) {
            o->owner = SIZE_MAX;
        }
        if (o->owner != SIZE_MAX && !dr_gather_need(g->arena, out, i, o->owner)) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
    }
    return DR_OK;
}
