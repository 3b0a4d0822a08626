// The order of a script: what must go first (it stands on what changes), then what is new or
// changes, parents first, then what nothing needs any more.
#include "schema/write_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STMTS_MAX 1000000u

const char *
dr_writer_text(struct dr_writer *w, const char *fmt, ...)
{
    char part[1];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(part, sizeof(part), fmt, args);
    va_end(args);
    char *out = len < 0 ? NULL : dr_arena_alloc(w->arena, (size_t)len + 1);
    if (out == NULL) {
        w->failed = true;
        return "";
    }
    va_start(args, fmt);
    (void)vsnprintf(out, (size_t)len + 1, fmt, args);
    va_end(args);
    return out;
}

void
dr_writer_add(struct dr_writer *w, struct dr_schema_script *script, const char *sql, bool is_alone)
{
    if (w->failed || sql[0] == '\0') {
        return;
    }
    if (script->count == script->cap) {
        size_t cap = script->cap == 0 ? 32 : 2 * script->cap;
        struct dr_schema_stmt *grown =
            cap > STMTS_MAX ? NULL : dr_arena_array(w->arena, cap, sizeof(*grown));
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        if (script->count > 0) {
            memcpy(grown, script->stmts, script->count * sizeof(*grown));
        }
        script->stmts = grown;
        script->cap = cap;
    }
    script->stmts[script->count++] = (struct dr_schema_stmt){.sql = sql, .is_alone = is_alone};
}

void
dr_writer_note(struct dr_schema_script *script, const char *note)
{
    if (script->count > 0) {
        script->stmts[script->count - 1].note = note;
    }
}

static void
add_text(struct dr_writer *w, const char ***list, size_t *count, const char *text)
{
    const char **grown = dr_arena_array(w->arena, *count + 1, sizeof(*grown));
    if (grown == NULL) {
        w->failed = true;
        return;
    }
    if (*count > 0) {
        memcpy(grown, *list, *count * sizeof(*grown));
    }
    grown[(*count)++] = text;
    *list = grown;
}

void
dr_writer_loss(struct dr_writer *w, const char *what)
{
    add_text(w, &w->out->losses, &w->out->losses_count, what);
}

void
dr_writer_by_hand(struct dr_writer *w, const char *what)
{
    add_text(w, &w->out->by_hand, &w->out->by_hand_count, what);
}

// ---------------------------------------------------------------------------------------- drops

static bool
is_dropped(const struct dr_writer *w, size_t from)
{
    enum dr_change change = w->from.change[from];
    return (change == DR_CHANGE_GONE || change == DR_CHANGE_REPLACE) &&
           !dr_writer_goes_along(&w->from, from);
}

// Does it hold rows or stand below what is altered in place, so that it goes last?
static bool
goes_late(enum dr_schema_kind kind)
{
    switch (kind) {
    case DR_SCHEMA_SCHEMA:
    case DR_SCHEMA_EXTENSION:
    case DR_SCHEMA_ENUM:
    case DR_SCHEMA_COMPOSITE:
    case DR_SCHEMA_ATTRIBUTE:
    case DR_SCHEMA_RANGE:
    case DR_SCHEMA_DOMAIN:
    case DR_SCHEMA_SEQUENCE:
    case DR_SCHEMA_TABLE:
    case DR_SCHEMA_COLUMN:
    case DR_SCHEMA_FUNCTION:
        return true;
    default:
        return false;
    }
}

// Has something new the name of this, or of a part of it that has a name of its own?
static bool
is_in_the_way(const struct dr_writer *w, size_t from)
{
    static const enum dr_schema_kind named[] = {
        DR_SCHEMA_TABLE,  DR_SCHEMA_VIEW, DR_SCHEMA_MATVIEW,   DR_SCHEMA_SEQUENCE, DR_SCHEMA_INDEX,
        DR_SCHEMA_DOMAIN, DR_SCHEMA_ENUM, DR_SCHEMA_COMPOSITE, DR_SCHEMA_RANGE};
    const struct dr_schema_object *o = &w->from.catalog->objects[from];
    for (size_t i = 0; o->kind != DR_SCHEMA_FUNCTION && i < DR_COUNT_OF(named); i++) {
        size_t to = dr_catalog_find(w->to.catalog, named[i], o->name);
        if (to != SIZE_MAX && w->to.change[to] == DR_CHANGE_NEW) {
            return true;
        }
    }
    for (size_t i = 0; o->kind == DR_SCHEMA_TABLE && i < w->from.catalog->count; i++) {
        const struct dr_schema_object *part = &w->from.catalog->objects[i];
        if (part->owner != from ||
            (part->kind != DR_SCHEMA_INDEX && part->kind != DR_SCHEMA_CONSTRAINT)) {
            continue;
        }
        const char *name = part->kind == DR_SCHEMA_INDEX ? part->name : part->attrs[3];
        for (size_t k = 0; k < w->to.catalog->count; k++) {
            const struct dr_schema_object *b = &w->to.catalog->objects[k];
            bool is_new = w->to.change[k] == DR_CHANGE_NEW;
            if (is_new && ((b->kind == DR_SCHEMA_INDEX && strcmp(b->name, name) == 0) ||
                           (b->kind == DR_SCHEMA_CONSTRAINT && strcmp(b->attrs[3], name) == 0))) {
                return true;
            }
        }
    }
    return false;
}

// What is dropped before the changes: all that goes early, and what stands on it.
static bool *
choose_early(struct dr_writer *w)
{
    size_t n = w->from.catalog->count;
    bool *early = dr_arena_array(w->arena, n + 1, sizeof(*early));
    if (early == NULL) {
        w->failed = true;
        return NULL;
    }
    for (size_t k = 0; k < n; k++) { // needs come first in the order
        size_t i = w->from.order[k];
        const struct dr_schema_object *o = &w->from.catalog->objects[i];
        bool goes = w->from.change[i] == DR_CHANGE_GONE || w->from.change[i] == DR_CHANGE_REPLACE;
        early[i] = goes && (w->from.change[i] == DR_CHANGE_REPLACE || !goes_late(o->kind) ||
                            is_in_the_way(w, i));
        for (size_t m = 0; goes && m < o->needs_count; m++) {
            early[i] = early[i] || early[o->needs[m]];
        }
    }
    return early;
}

// A key of a table that goes, to another that goes before it.
static bool
is_key_in_the_way(const struct dr_writer *w, size_t from, const size_t *position)
{
    const struct dr_schema_object *o = &w->from.catalog->objects[from];
    bool is_key = o->kind == DR_SCHEMA_FOREIGN_KEY && o->owner != SIZE_MAX &&
                  w->from.change[from] != DR_CHANGE_NONE;
    for (size_t i = 0; is_key && i < o->needs_count; i++) {
        size_t root = o->needs[i];
        while (w->from.catalog->objects[root].owner != SIZE_MAX) {
            root = w->from.catalog->objects[root].owner;
        }
        if (root != o->owner && w->from.change[root] != DR_CHANGE_NONE &&
            w->from.change[root] != DR_CHANGE_ALTER && position[root] > position[o->owner]) {
            return true;
        }
    }
    return false;
}

static void
note_loss(struct dr_writer *w, size_t from)
{
    const struct dr_schema_object *o = &w->from.catalog->objects[from];
    if (o->kind == DR_SCHEMA_TABLE ||
        (o->kind == DR_SCHEMA_COLUMN && !o->attrs[DR_ATTR_GENERATED][0])) {
        dr_writer_loss(w, dr_writer_text(w, "%s %s", dr_schema_kind_word(o->kind), o->name));
    }
}

static void
drop_all(struct dr_writer *w, const bool *early, bool is_early, const size_t *position)
{
    for (size_t k = w->from.catalog->count; k > 0; k--) {
        size_t i = w->from.order[k - 1];
        bool is_key = is_early && is_key_in_the_way(w, i, position);
        if (is_key || (is_dropped(w, i) && early[i] == is_early)) {
            dr_writer_add(w, w->out, dr_writer_drop(w, i), false);
            note_loss(w, i);
        }
    }
}

// ------------------------------------------------------------------------------------- all of it

static void
make_all(struct dr_writer *w)
{
    for (size_t k = 0; k < w->to.catalog->count; k++) {
        size_t i = w->to.order[k];
        enum dr_change change = w->to.change[i];
        if (change == DR_CHANGE_ALTER) {
            dr_writer_alter(w, i);
        } else if (change != DR_CHANGE_NONE && !dr_writer_is_inlined(&w->to, i)) {
            dr_writer_create(w, i);
        }
    }
}

static void
append(struct dr_writer *w, const struct dr_schema_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        dr_writer_add(w, w->out, script->stmts[i].sql, script->stmts[i].is_alone);
        dr_writer_note(w->out, script->stmts[i].note);
    }
}

static void
write_pg(struct dr_writer *w)
{
    dr_writer_sort(w, &w->from);
    dr_writer_sort(w, &w->to);
    size_t *position = dr_arena_array(w->arena, w->from.catalog->count + 1, sizeof(*position));
    bool *early = w->failed || position == NULL ? NULL : choose_early(w);
    if (early == NULL) {
        w->failed = true;
        return;
    }
    for (size_t k = 0; k < w->from.catalog->count; k++) {
        position[w->from.order[k]] = k;
    }
    drop_all(w, early, true, position);
    make_all(w);
    drop_all(w, early, false, position);
    append(w, &w->last);
}

// So that all that must be together stays one transaction, what cannot run in one stands around it.
static void
put_first(struct dr_writer *w)
{
    struct dr_schema_script rest = *w->out;
    w->out->stmts = NULL;
    w->out->count = w->out->cap = 0;
    append(w, &w->first);
    append(w, &rest);
}

static bool
open_side(struct dr_writer *w, struct dr_write_side *side, const struct dr_catalog *catalog)
{
    side->catalog = catalog;
    side->change = dr_arena_array(w->arena, catalog->count + 1, sizeof(*side->change));
    side->other = dr_arena_array(w->arena, catalog->count + 1, sizeof(*side->other));
    side->order = dr_arena_array(w->arena, catalog->count + 1, sizeof(*side->order));
    return side->change != NULL && side->other != NULL && side->order != NULL;
}

enum dr_rc
dr_schema_write(const struct dr_catalog *from, const struct dr_catalog *to,
                const struct dr_schema_write_options *options, struct dr_arena *arena,
                struct dr_schema_script *out, struct dr_err *err)
{
    struct dr_schema_script script = {0};
    struct dr_writer w = {
        .arena = arena, .options = options, .from = {.is_from = true}, .out = &script};
    if (from->engine != to->engine) {
        return dr_err_set(err, DR_E_USAGE, "the two schemas are of different engines");
    }
    if (open_side(&w, &w.from, from) && open_side(&w, &w.to, to)) {
        dr_writer_compare(&w);
        if (to->engine == DR_DB_SQLITE) {
            dr_writer_sqlite(&w);
        } else {
            write_pg(&w);
            put_first(&w);
        }
    } else {
        w.failed = true;
    }
    if (w.failed) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the difference of the schemas");
    }
    *out = script;
    return DR_OK;
}

enum dr_rc
dr_schema_write_all(const struct dr_catalog *catalog, struct dr_arena *arena,
                    struct dr_schema_script *out, struct dr_err *err)
{
    static const struct dr_schema_write_options plain = {0};
    const struct dr_catalog nothing = {.engine = catalog->engine};
    return dr_schema_write(&nothing, catalog, &plain, arena, out, err);
}
