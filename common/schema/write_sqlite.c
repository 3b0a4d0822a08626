// The script for SQLite: it adds and drops plain columns, and for every other change of a table
// builds a new one, copies the rows and takes its place. Views and triggers that name such a table
// stand aside meanwhile, for a rename looks at all of them.
#include "schema/write_internal.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

enum way { WAY_NONE, WAY_NEW, WAY_GONE, WAY_COLUMNS, WAY_REBUILD };

struct script {
    struct dr_writer *w;
    enum way *from_way; // of tables in `from`
    bool *aside;        // of views, triggers, indexes in `from`: dropped first
};

static const struct dr_schema_object *
old(const struct script *s, size_t i)
{
    return &s->w->from.catalog->objects[i];
}

static const struct dr_schema_object *new (const struct script *s, size_t i)
{
    return &s->w->to.catalog->objects[i];
}

static void
add(struct script *s, const char *sql)
{
    dr_writer_add(s->w, s->w->out, sql, false);
}

// A number, string, blob or truth value, as PRAGMA table_info tells a default: nothing computed,
// which ADD COLUMN refuses as soon as the table has rows.
static bool
is_literal(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+' ? 1 : 0);
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
        return true;
    }
    if (isdigit((unsigned char)*at) || *at == '.') {
        return strspn(at, "0123456789abcdefABCDEFxX._") == strlen(at);
    }
    at = text + (tolower((unsigned char)*text) == 'x' && text[1] == '\'' ? 1 : 0);
    const char close = *at;
    if (close != '\'' && close != '"') {
        return false;
    }
    for (at++; *at != '\0'; at++) {
        if (*at == close && at[1] != close) {
            return at[1] == '\0';
        }
        at += *at == close ? 1 : 0;
    }
    return false;
}

// Can ALTER TABLE ADD COLUMN take it?
static bool
can_add(const struct script *s, const struct dr_schema_object *c)
{
    size_t value = dr_catalog_find(s->w->to.catalog, DR_SCHEMA_DEFAULT, c->name);
    const char *text = value == SIZE_MAX ? "" : new (s, value)->create;
    bool is_plain = text[0] == '\0' || is_literal(text);
    return c->create[0] != '\0' && is_plain && strcmp(c->attrs[DR_ATTR_GENERATED], "STORED") != 0 &&
           c->attrs[DR_ATTR_IDENTITY][0] == '\0' &&
           (c->attrs[DR_ATTR_NOT_NULL][0] == '\0' || text[0] != '\0');
}

static bool
same_column(const struct script *s, size_t a, size_t b)
{
    bool same = true;
    for (size_t i = 0; i < DR_CATALOG_ATTRS; i++) {
        same = same && strcasecmp(old(s, a)->attrs[i], new (s, b)->attrs[i]) == 0;
    }
    size_t x = dr_catalog_find(s->w->from.catalog, DR_SCHEMA_DEFAULT, old(s, a)->name);
    size_t y = dr_catalog_find(s->w->to.catalog, DR_SCHEMA_DEFAULT, new (s, b)->name);
    return same && (x == SIZE_MAX) == (y == SIZE_MAX) &&
           (x == SIZE_MAX || strcmp(old(s, x)->create, new (s, y)->create) == 0);
}

static bool
is_part(const struct dr_schema_object *o, enum dr_schema_kind kind, const char *table)
{
    return o->kind == kind && strcmp(o->part_of, table) == 0;
}

static enum way
choose_way(const struct script *s, size_t from, size_t to)
{
    const char *table = old(s, from)->name;
    bool rules_differ = strcmp(old(s, from)->attrs[3], new (s, to)->attrs[3]) != 0;
    enum way way = rules_differ ? WAY_REBUILD : WAY_NONE;
    for (size_t i = 0; i < s->w->from.catalog->count; i++) {
        if (is_part(old(s, i), DR_SCHEMA_COLUMN, table)) {
            size_t other = dr_catalog_find(s->w->to.catalog, DR_SCHEMA_COLUMN, old(s, i)->name);
            if (other == SIZE_MAX && way == WAY_NONE) {
                way = WAY_COLUMNS;
            } else if (other != SIZE_MAX && !same_column(s, i, other)) {
                way = WAY_REBUILD;
            }
        }
    }
    for (size_t i = 0; i < s->w->to.catalog->count; i++) {
        const struct dr_schema_object *c = new (s, i);
        if (is_part(c, DR_SCHEMA_COLUMN, table) &&
            dr_catalog_find(s->w->from.catalog, DR_SCHEMA_COLUMN, c->name) == SIZE_MAX) {
            way = !can_add(s, c) ? WAY_REBUILD : way == WAY_NONE ? WAY_COLUMNS : way;
        }
    }
    return way;
}

static bool
mentions(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; (at = strcasestr(at, name)) != NULL; at++) {
        bool before = at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_');
        if (before && !isalnum((unsigned char)at[len]) && at[len] != '_') {
            return true;
        }
    }
    return false;
}

static bool
is_small(enum dr_schema_kind kind)
{
    return kind == DR_SCHEMA_INDEX || kind == DR_SCHEMA_VIEW || kind == DR_SCHEMA_TRIGGER;
}

// Does it change, or name a table that is not there for a while?
static bool
stands_aside(const struct script *s, size_t i)
{
    const struct dr_schema_object *o = old(s, i);
    size_t other = dr_catalog_find(s->w->to.catalog, o->kind, o->name);
    bool aside = other == SIZE_MAX || strcmp(o->create, new (s, other)->create) != 0;
    for (size_t k = 0; k < s->w->from.catalog->count && !aside; k++) {
        const struct dr_schema_object *t = old(s, k);
        if (t->kind != DR_SCHEMA_TABLE || s->from_way[k] == WAY_NONE) {
            continue;
        }
        bool is_own = o->kind != DR_SCHEMA_VIEW && strcmp(o->part_of, t->name) == 0;
        bool names = o->kind != DR_SCHEMA_INDEX && mentions(o->create, t->name);
        aside = is_own ? s->from_way[k] == WAY_REBUILD || names : names;
    }
    return aside;
}

static bool
has_way(const struct script *s, const char *table, enum way way)
{
    size_t i = dr_catalog_find(s->w->from.catalog, DR_SCHEMA_TABLE, table);
    return i != SIZE_MAX && s->from_way[i] == way;
}

static void
drop_small(struct script *s)
{
    static const enum dr_schema_kind order[] = {DR_SCHEMA_TRIGGER, DR_SCHEMA_VIEW, DR_SCHEMA_INDEX};
    for (size_t k = 0; k < DR_COUNT_OF(order); k++) {
        for (size_t i = 0; i < s->w->from.catalog->count; i++) {
            const struct dr_schema_object *o = old(s, i);
            bool goes_along = o->kind != DR_SCHEMA_VIEW && has_way(s, o->part_of, WAY_GONE);
            if (o->kind == order[k] && s->aside[i] && !goes_along) {
                add(s, o->drop);
            }
        }
    }
}

static void
make_small(struct script *s)
{
    static const enum dr_schema_kind order[] = {DR_SCHEMA_INDEX, DR_SCHEMA_VIEW, DR_SCHEMA_TRIGGER};
    for (size_t k = 0; k < DR_COUNT_OF(order); k++) {
        for (size_t i = 0; i < s->w->to.catalog->count; i++) {
            const struct dr_schema_object *o = new (s, i);
            size_t was = o->kind == order[k] ? dr_catalog_find(s->w->from.catalog, o->kind, o->name)
                                             : SIZE_MAX;
            if (o->kind == order[k] && (was == SIZE_MAX || s->aside[was])) {
                add(s, o->create);
            }
        }
    }
}

// --------------------------------------------------------------------------------------- tables

static void
alter_columns(struct script *s, const char *table)
{
    for (size_t i = 0; i < s->w->to.catalog->count; i++) {
        const struct dr_schema_object *c = new (s, i);
        if (is_part(c, DR_SCHEMA_COLUMN, table) &&
            dr_catalog_find(s->w->from.catalog, DR_SCHEMA_COLUMN, c->name) == SIZE_MAX) {
            add(s, dr_writer_text(s->w, "ALTER TABLE \"%s\" ADD COLUMN %s", table, c->create));
        }
    }
    for (size_t i = 0; i < s->w->from.catalog->count; i++) {
        const struct dr_schema_object *c = old(s, i);
        if (is_part(c, DR_SCHEMA_COLUMN, table) &&
            dr_catalog_find(s->w->to.catalog, DR_SCHEMA_COLUMN, c->name) == SIZE_MAX) {
            add(s, dr_writer_text(s->w, "ALTER TABLE \"%s\" DROP COLUMN \"%s\"", table, c->drop));
        }
    }
}

static void
note_losses(struct script *s, const char *table)
{
    for (size_t i = 0; i < s->w->from.catalog->count; i++) {
        const struct dr_schema_object *c = old(s, i);
        size_t other = is_part(c, DR_SCHEMA_COLUMN, table)
                           ? dr_catalog_find(s->w->to.catalog, DR_SCHEMA_COLUMN, c->name)
                           : i;
        if (is_part(c, DR_SCHEMA_COLUMN, table) && other == SIZE_MAX &&
            c->attrs[DR_ATTR_GENERATED][0] == '\0') {
            dr_writer_loss(s->w, dr_writer_text(s->w, "column %s", c->name));
        }
    }
}

// What stands behind the table's name in its CREATE TABLE.
static const char *
behind_name(const char *create)
{
    const char *at = create + strcspn(create, "(\"`[");
    if (*at != '(' && *at != '\0') {
        char close = *at == '[' ? ']' : *at;
        const char *end = strchr(at + 1, close);
        return end == NULL ? at : end + 1;
    }
    return at;
}

static void
rebuild(struct script *s, size_t to)
{
    const struct dr_schema_object *t = new (s, to);
    struct dr_buf columns = {0};
    bool wants_value = false;
    for (size_t i = 0; i < s->w->to.catalog->count; i++) {
        const struct dr_schema_object *c = new (s, i);
        size_t was = is_part(c, DR_SCHEMA_COLUMN, t->name)
                         ? dr_catalog_find(s->w->from.catalog, DR_SCHEMA_COLUMN, c->name)
                         : SIZE_MAX;
        if (was != SIZE_MAX && c->attrs[DR_ATTR_GENERATED][0] == '\0') {
            dr_buf_printf(&columns, "%s\"%s\"", columns.len ? ", " : "", c->drop);
        }
        wants_value =
            wants_value ||
            (was == SIZE_MAX && is_part(c, DR_SCHEMA_COLUMN, t->name) &&
             c->attrs[DR_ATTR_NOT_NULL][0] != '\0' && c->attrs[DR_ATTR_GENERATED][0] == '\0' &&
             dr_catalog_find(s->w->to.catalog, DR_SCHEMA_DEFAULT, c->name) == SIZE_MAX);
    }
    const char *list = dr_writer_text(s->w, "%s", columns.data ? columns.data : "");
    dr_buf_fini(&columns);
    const char *other = dr_writer_text(s->w, "%s__new", t->name);
    add(s, dr_writer_text(s->w, "CREATE TABLE \"%s\" %s", other, behind_name(t->create)));
    if (list[0] != '\0') {
        add(s, dr_writer_text(s->w, "INSERT INTO \"%s\" (%s) SELECT %s FROM \"%s\"", other, list,
                              list, t->name));
        if (wants_value) {
            dr_writer_note(s->w->out, "fails when the table has rows: give the new column that is "
                                      "NOT NULL a default, or a value here");
        }
    }
    add(s, dr_writer_text(s->w, "DROP TABLE \"%s\"", t->name));
    add(s, dr_writer_text(s->w, "ALTER TABLE \"%s\" RENAME TO \"%s\"", other, t->name));
}

static void
change_tables(struct script *s)
{
    for (size_t i = 0; i < s->w->to.catalog->count; i++) {
        const struct dr_schema_object *t = new (s, i);
        if (t->kind != DR_SCHEMA_TABLE) {
            continue;
        }
        size_t was = dr_catalog_find(s->w->from.catalog, DR_SCHEMA_TABLE, t->name);
        if (was == SIZE_MAX) {
            add(s, t->create);
        } else if (s->from_way[was] == WAY_COLUMNS) {
            note_losses(s, t->name);
            alter_columns(s, t->name);
        } else if (s->from_way[was] == WAY_REBUILD) {
            note_losses(s, t->name);
            rebuild(s, i);
        }
    }
    for (size_t i = 0; i < s->w->from.catalog->count; i++) {
        if (s->from_way[i] == WAY_GONE) {
            add(s, old(s, i)->drop);
            dr_writer_loss(s->w, dr_writer_text(s->w, "table %s", old(s, i)->name));
        }
    }
}

void
dr_writer_sqlite(struct dr_writer *w)
{
    size_t n = w->from.catalog->count;
    struct script s = {.w = w};
    s.from_way = dr_arena_array(w->arena, n + 1, sizeof(*s.from_way));
    s.aside = dr_arena_array(w->arena, n + 1, sizeof(*s.aside));
    if (s.from_way == NULL || s.aside == NULL) {
        w->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (old(&s, i)->kind == DR_SCHEMA_TABLE) {
            size_t to = dr_catalog_find(w->to.catalog, DR_SCHEMA_TABLE, old(&s, i)->name);
            s.from_way[i] = to == SIZE_MAX ? WAY_GONE : choose_way(&s, i, to);
        }
    }
    for (size_t i = 0; i < n; i++) {
        s.aside[i] = is_small(old(&s, i)->kind) && stands_aside(&s, i);
    }
    drop_small(&s);
    change_tables(&s);
    make_small(&s);
}
