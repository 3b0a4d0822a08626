// The order of objects: what is needed comes first, and otherwise by kind and name, so that the
// same difference gives the same text.
//
// Some needs are only guessed: a function's text names what the catalog does not record, and a
// table is best dropped before the one that its key points to. Where these make a circle they are
// given up.
#include "schema/write_internal.h"

#include <ctype.h>
#include <string.h>

struct edge {
    size_t from, to; // `from` needs `to`
    bool is_soft;
};

struct edges {
    struct edge *items;
    size_t count, cap;
};

struct sorting {
    struct dr_writer *w;
    const struct dr_catalog *catalog;
    size_t *unit; // what the object is written with
    struct edges edges;
    size_t *first; // of each object: its edges are list[first..first of the next)
    size_t *missing_hard, *missing_soft;
    bool *is_out;
    // Which objects are ready, as a bit heap would say; a plain walk from `low` is enough.
    size_t low;
};

static void
add_edge(struct sorting *s, size_t from, size_t to, bool is_soft)
{
    struct edges *e = &s->edges;
    if (from == to || s->w->failed) {
        return;
    }
    if (e->count == e->cap) {
        size_t cap = e->cap == 0 ? 1024 : 2 * e->cap;
        struct edge *items = dr_arena_array(s->w->arena, cap, sizeof(*items));
        if (items == NULL) {
            s->w->failed = true;
            return;
        }
        if (e->count > 0) {
            memcpy(items, e->items, e->count * sizeof(*items));
        }
        e->items = items;
        e->cap = cap;
    }
    e->items[e->count++] = (struct edge){from, to, is_soft};
}

// Parts are made with their table, and go with it.
static bool
is_part(const struct dr_write_side *side, size_t object)
{
    const struct dr_schema_object *o = &side->catalog->objects[object];
    bool goes =
        o->owner != SIZE_MAX && o->kind != DR_SCHEMA_FOREIGN_KEY && side->is_from &&
        (side->change[o->owner] == DR_CHANGE_GONE || side->change[o->owner] == DR_CHANGE_REPLACE);
    return goes || dr_writer_is_inlined(side, object);
}

static size_t
unit_of(const struct dr_write_side *side, size_t object)
{
    while (is_part(side, object)) {
        object = side->catalog->objects[object].owner;
    }
    return object;
}

static bool
is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

// Does `text` hold `name` as a word?
static bool
mentions(const char *text, const char *name, size_t len)
{
    for (const char *at = text; (at = strcasestr(at, name)) != NULL; at++) {
        if ((at == text || !is_word(at[-1])) && !is_word(at[len])) {
            return true;
        }
    }
    return false;
}

// The name alone, without schema, quotes and arguments.
static const char *
bare_name(struct dr_writer *w, const struct dr_schema_object *o)
{
    const char *paren = strchr(o->name, '(');
    size_t end = paren == NULL ? strlen(o->name) : (size_t)(paren - o->name);
    size_t start = end;
    while (start > 0 && o->name[start - 1] != '.') {
        start--;
    }
    bool quoted = end - start > 2 && o->name[start] == '"';
    const char *name =
        dr_arena_strn(w->arena, o->name + start + (quoted ? 1 : 0), end - start - (quoted ? 2 : 0));
    w->failed = w->failed || name == NULL;
    return name == NULL ? "" : name;
}

static void
add_guessed(struct sorting *s, size_t function)
{
    const char *body = s->catalog->objects[function].attrs[DR_ATTR_BODY];
    for (size_t i = 0; body[0] != '\0' && i < s->catalog->count; i++) {
        const struct dr_schema_object *o = &s->catalog->objects[i];
        bool can_be = o->kind == DR_SCHEMA_TABLE || o->kind == DR_SCHEMA_VIEW ||
                      o->kind == DR_SCHEMA_MATVIEW || o->kind == DR_SCHEMA_FUNCTION ||
                      o->kind == DR_SCHEMA_ENUM || o->kind == DR_SCHEMA_COMPOSITE ||
                      o->kind == DR_SCHEMA_SEQUENCE || o->kind == DR_SCHEMA_DOMAIN;
        const char *name = can_be ? bare_name(s->w, o) : "";
        if (name[0] != '\0' && mentions(body, name, strlen(name))) {
            add_edge(s, s->unit[function], s->unit[i], true);
        }
    }
}

static void
add_edges(struct sorting *s)
{
    for (size_t i = 0; i < s->catalog->count; i++) {
        const struct dr_schema_object *o = &s->catalog->objects[i];
        for (size_t k = 0; k < o->needs_count; k++) {
            add_edge(s, s->unit[i], s->unit[o->needs[k]], false);
            if (o->kind == DR_SCHEMA_FOREIGN_KEY && o->owner != SIZE_MAX) {
                size_t root = o->needs[k];
                while (s->catalog->objects[root].owner != SIZE_MAX) {
                    root = s->catalog->objects[root].owner;
                }
                add_edge(s, s->unit[o->owner], s->unit[root], true);
            }
        }
        if (o->kind == DR_SCHEMA_FUNCTION) {
            add_guessed(s, i);
        }
    }
}

// Puts the edges of one needed object together, as a list by counting.
static const struct edge **
index_edges(struct sorting *s)
{
    const struct edge **list = dr_arena_array(s->w->arena, s->edges.count + 1, sizeof(*list));
    if (list == NULL) {
        s->w->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < s->edges.count; i++) {
        const struct edge *e = &s->edges.items[i];
        s->first[e->to + 1]++;
        size_t *missing = e->is_soft ? s->missing_soft : s->missing_hard;
        missing[e->from]++;
    }
    for (size_t i = 0; i < s->catalog->count; i++) {
        s->first[i + 1] += s->first[i];
    }
    size_t *next = dr_arena_array(s->w->arena, s->catalog->count + 1, sizeof(*next));
    if (next == NULL) {
        s->w->failed = true;
        return NULL;
    }
    memcpy(next, s->first, s->catalog->count * sizeof(*next));
    for (size_t i = 0; i < s->edges.count; i++) {
        list[next[s->edges.items[i].to]++] = &s->edges.items[i];
    }
    return list;
}

// The first that needs nothing more; then one of a guessed circle; then one of a real circle.
static size_t
choose(struct sorting *s)
{
    size_t best = SIZE_MAX;
    int best_rank = 3;
    while (s->low < s->catalog->count && s->is_out[s->low]) {
        s->low++;
    }
    for (size_t i = s->low; best_rank > 0 && i < s->catalog->count; i++) {
        int rank = s->missing_hard[i] > 0 ? 2 : s->missing_soft[i] > 0 ? 1 : 0;
        if (!s->is_out[i] && rank < best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

void
dr_writer_sort(struct dr_writer *w, struct dr_write_side *side)
{
    size_t n = side->catalog->count;
    struct sorting s = {.w = w, .catalog = side->catalog};
    s.unit = dr_arena_array(w->arena, n + 1, sizeof(*s.unit));
    s.first = dr_arena_array(w->arena, n + 2, sizeof(*s.first));
    s.missing_hard = dr_arena_array(w->arena, n + 1, sizeof(*s.missing_hard));
    s.missing_soft = dr_arena_array(w->arena, n + 1, sizeof(*s.missing_soft));
    s.is_out = dr_arena_array(w->arena, n + 1, sizeof(*s.is_out));
    if (s.unit == NULL || s.first == NULL || s.missing_hard == NULL || s.missing_soft == NULL ||
        s.is_out == NULL) {
        w->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        s.unit[i] = unit_of(side, i);
    }
    add_edges(&s);
    const struct edge **list = w->failed ? NULL : index_edges(&s);
    for (size_t k = 0; list != NULL && k < n; k++) {
        size_t at = choose(&s);
        s.is_out[at] = true;
        side->order[k] = at;
        for (size_t i = s.first[at]; i < s.first[at + 1]; i++) {
            size_t *missing = list[i]->is_soft ? s.missing_soft : s.missing_hard;
            missing[list[i]->from]--;
        }
    }
}
