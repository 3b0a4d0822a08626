// What becomes of each object: the same, new, gone, altered in place, or dropped and made again
// because it, or what it stands on, cannot be altered.
#include "schema/write_internal.h"

#include <string.h>

static bool
same(const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    bool is_same = strcmp(a->create, b->create) == 0;
    for (size_t i = 0; is_same && i < DR_CATALOG_ATTRS; i++) {
        is_same = strcmp(a->attrs[i], b->attrs[i]) == 0;
    }
    return is_same;
}

static bool
attr_same(const struct dr_schema_object *a, const struct dr_schema_object *b, size_t attr)
{
    return strcmp(a->attrs[attr], b->attrs[attr]) == 0;
}

// Do the labels of `a` stand in `b` in their order?
static bool
only_adds(const char *a, const char *b)
{
    while (*a != '\0') {
        size_t len = strcspn(a, "\x01");
        size_t other = strcspn(b, "\x01");
        if (*b == '\0') {
            return false;
        }
        if (len == other && memcmp(a, b, len) == 0) {
            a += len + 1;
        }
        b += other + 1;
    }
    return true;
}

// Can `a` become `b` by statements that keep it?
static bool
can_alter(const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    size_t columns = strlen(a->attrs[DR_ATTR_COLUMNS]);
    switch (a->kind) {
    case DR_SCHEMA_TABLE:
        return attr_same(a, b, DR_ATTR_PARTITION);
    case DR_SCHEMA_COLUMN: // an expression goes, but does not come
        return attr_same(a, b, DR_ATTR_GENERATED) || b->attrs[DR_ATTR_GENERATED][0] == '\0';
    case DR_SCHEMA_FUNCTION:
        return attr_same(a, b, DR_ATTR_SIGNATURE);
    case DR_SCHEMA_VIEW:
        return attr_same(a, b, DR_ATTR_OPTIONS) &&
               strncmp(a->attrs[DR_ATTR_COLUMNS], b->attrs[DR_ATTR_COLUMNS], columns) == 0;
    case DR_SCHEMA_CONSTRAINT:
    case DR_SCHEMA_FOREIGN_KEY:
        return attr_same(a, b, DR_ATTR_DEFINITION) && a->attrs[DR_ATTR_NOT_VALID][0] != '\0';
    case DR_SCHEMA_SCHEMA:
    case DR_SCHEMA_EXTENSION:
    case DR_SCHEMA_ENUM: // a type that columns have is rebuilt beside the old one
    case DR_SCHEMA_DOMAIN:
    case DR_SCHEMA_RANGE:
    case DR_SCHEMA_COMPOSITE:
    case DR_SCHEMA_ATTRIBUTE:
    case DR_SCHEMA_SEQUENCE:
    case DR_SCHEMA_DEFAULT:
    case DR_SCHEMA_SETTING:
    case DR_SCHEMA_COMMENT:
        return true;
    default:
        return false;
    }
}

bool
dr_writer_is_rebuilt(const struct dr_writer *w, size_t from)
{
    const struct dr_schema_object *a = &w->from.catalog->objects[from];
    if (w->from.change[from] != DR_CHANGE_ALTER) {
        return false;
    }
    const struct dr_schema_object *b = &w->to.catalog->objects[w->from.other[from]];
    return a->kind == DR_SCHEMA_DOMAIN || a->kind == DR_SCHEMA_RANGE ||
           (a->kind == DR_SCHEMA_ENUM &&
            !only_adds(a->attrs[DR_ATTR_LABELS], b->attrs[DR_ATTR_LABELS]));
}

bool
dr_writer_is_retyped(const struct dr_writer *w, size_t from)
{
    const struct dr_schema_object *a = &w->from.catalog->objects[from];
    if (a->kind != DR_SCHEMA_COLUMN || w->from.change[from] != DR_CHANGE_ALTER) {
        return false;
    }
    const struct dr_schema_object *b = &w->to.catalog->objects[w->from.other[from]];
    return !attr_same(a, b, DR_ATTR_TYPE) || !attr_same(a, b, DR_ATTR_COLLATE);
}

bool
dr_writer_goes_along(const struct dr_write_side *side, size_t object)
{
    const struct dr_schema_object *o = &side->catalog->objects[object];
    if (o->kind == DR_SCHEMA_SEQUENCE && o->attrs[DR_ATTR_OWNED_BY][0] != '\0' &&
        side->change[object] == DR_CHANGE_GONE) {
        size_t column =
            dr_catalog_find(side->catalog, DR_SCHEMA_COLUMN, o->attrs[DR_ATTR_OWNED_BY]);
        if (column != SIZE_MAX &&
            (side->change[column] == DR_CHANGE_GONE || side->change[column] == DR_CHANGE_REPLACE)) {
            return true;
        }
    }
    for (size_t at = o->owner; at != SIZE_MAX; at = side->catalog->objects[at].owner) {
        if (side->change[at] == DR_CHANGE_GONE || side->change[at] == DR_CHANGE_REPLACE ||
            (side->catalog->objects[at].kind == DR_SCHEMA_SEQUENCE &&
             dr_writer_goes_along(side, at))) {
            return true;
        }
    }
    return false;
}

bool
dr_writer_is_inlined(const struct dr_write_side *side, size_t object)
{
    const struct dr_schema_object *o = &side->catalog->objects[object];
    size_t owner = o->owner;
    if (owner == SIZE_MAX) {
        return false;
    }
    bool is_new = side->change[owner] == DR_CHANGE_NEW || side->change[owner] == DR_CHANGE_REPLACE;
    switch (o->kind) {
    case DR_SCHEMA_COLUMN:
    case DR_SCHEMA_ATTRIBUTE:
    case DR_SCHEMA_DEFAULT:
        return is_new;
    case DR_SCHEMA_CONSTRAINT:
        return is_new && o->attrs[DR_ATTR_NOT_VALID][0] == '\0';
    default:
        return false;
    }
}

// ------------------------------------------------------------------------------------- closure

#define BIT(kind) (1u << (kind))
// Kinds that are cheap to make again: they hold no rows.
#define LIGHT                                                                                      \
    (BIT(DR_SCHEMA_DEFAULT) | BIT(DR_SCHEMA_CONSTRAINT) | BIT(DR_SCHEMA_FOREIGN_KEY) |             \
     BIT(DR_SCHEMA_INDEX) | BIT(DR_SCHEMA_VIEW) | BIT(DR_SCHEMA_MATVIEW) | BIT(DR_SCHEMA_RULE) |   \
     BIT(DR_SCHEMA_TRIGGER) | BIT(DR_SCHEMA_POLICY) | BIT(DR_SCHEMA_STATISTICS) |                  \
     BIT(DR_SCHEMA_FUNCTION) | BIT(DR_SCHEMA_DOMAIN_CHECK))
// Of these, what ALTER COLUMN ... TYPE cannot bring along.
#define STUBBORN                                                                                   \
    (BIT(DR_SCHEMA_DEFAULT) | BIT(DR_SCHEMA_FOREIGN_KEY) | BIT(DR_SCHEMA_VIEW) |                   \
     BIT(DR_SCHEMA_MATVIEW) | BIT(DR_SCHEMA_RULE) | BIT(DR_SCHEMA_TRIGGER) |                       \
     BIT(DR_SCHEMA_POLICY) | BIT(DR_SCHEMA_STATISTICS))
#define HANGING (BIT(DR_SCHEMA_SETTING) | BIT(DR_SCHEMA_COMMENT) | BIT(DR_SCHEMA_GRANT))

// Must `y` be made again, because of `x` that it needs?
static bool
follows(const struct dr_writer *w, size_t y, size_t x)
{
    const struct dr_schema_object *o = &w->from.catalog->objects[y];
    const struct dr_schema_object *need = &w->from.catalog->objects[x];
    bool is_generated = o->kind == DR_SCHEMA_COLUMN && o->attrs[DR_ATTR_GENERATED][0] != '\0';
    bool is_light = (LIGHT & BIT(o->kind)) != 0 || is_generated;
    bool goes = w->from.change[x] == DR_CHANGE_REPLACE || w->from.change[x] == DR_CHANGE_GONE;
    if (goes && o->owner == x) {
        return true;
    }
    if (goes || dr_writer_is_rebuilt(w, x)) {
        bool hangs_on_rebuilt = (HANGING & BIT(o->kind)) != 0 && o->owner == x && !goes;
        return is_light || hangs_on_rebuilt;
    }
    if (need->kind == DR_SCHEMA_COLUMN && dr_writer_is_retyped(w, x)) {
        return (STUBBORN & BIT(o->kind)) != 0 || is_generated;
    }
    return false;
}

// What stands on a thing that goes, or is made again, is made again, and so on.
static void
close_over(struct dr_writer *w)
{
    bool again = true;
    while (again) {
        again = false;
        for (size_t y = 0; y < w->from.catalog->count; y++) {
            const struct dr_schema_object *o = &w->from.catalog->objects[y];
            bool stays =
                w->from.change[y] == DR_CHANGE_NONE || w->from.change[y] == DR_CHANGE_ALTER;
            for (size_t i = 0; stays && i < o->needs_count; i++) {
                if (follows(w, y, o->needs[i])) {
                    w->from.change[y] = DR_CHANGE_REPLACE;
                    w->to.change[w->from.other[y]] = DR_CHANGE_REPLACE;
                    stays = false;
                    again = true;
                }
            }
        }
    }
}

void
dr_writer_compare(struct dr_writer *w)
{
    for (size_t i = 0; i < w->to.catalog->count; i++) {
        w->to.change[i] = DR_CHANGE_NEW;
        w->to.other[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < w->from.catalog->count; i++) {
        const struct dr_schema_object *a = &w->from.catalog->objects[i];
        size_t k = dr_catalog_find(w->to.catalog, a->kind, a->name);
        w->from.other[i] = k;
        w->from.change[i] = DR_CHANGE_GONE;
        if (k != SIZE_MAX) {
            const struct dr_schema_object *b = &w->to.catalog->objects[k];
            enum dr_change change = same(a, b)        ? DR_CHANGE_NONE
                                    : can_alter(a, b) ? DR_CHANGE_ALTER
                                                      : DR_CHANGE_REPLACE;
            w->from.change[i] = w->to.change[k] = change;
            w->to.other[k] = i;
        }
    }
    close_over(w);
}
