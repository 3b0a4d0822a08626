#include "sql/lint_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

// A small model of the schema: which named relations and types a chain has made so far. It knows
// only what statements say by name; when something may have dropped more than it says, what is in
// doubt is forgotten, so that a finding is never a guess.

enum { BUCKETS = 4096 };

struct dr_lint_object {
    struct dr_lint_object *next;
    const char *name;  // "relation x", "type x"
    const char *owner; // "relation y" or ""
    const char *file;
    uint32_t line;
    bool is_gone;
};

struct dr_lint_catalog *
dr_lint_catalog_new(struct dr_arena *arena)
{
    struct dr_lint_catalog *c = dr_arena_alloc(arena, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->arena = arena;
    c->buckets = dr_arena_array(arena, BUCKETS, sizeof *c->buckets);
    dr_model_init(&c->model, arena);
    return c->buckets == NULL ? NULL : c;
}

static size_t
bucket_of(const char *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash % BUCKETS;
}

static struct dr_lint_object *
find(const struct dr_lint_catalog *c, const char *name, size_t len)
{
    for (struct dr_lint_object *o = c->buckets[bucket_of(name, len)]; o != NULL; o = o->next) {
        if (!o->is_gone && strncmp(o->name, name, len) == 0 && o->name[len] == '\0') {
            return o;
        }
    }
    return NULL;
}

// Forgets every object for which `matches` says so.
static void
forget(struct dr_lint_catalog *c,
       bool (*matches)(const struct dr_lint_object *o, const char *name, size_t len),
       const char *name, size_t len)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct dr_lint_object *o = c->buckets[i]; o != NULL; o = o->next) {
            o->is_gone = o->is_gone || matches(o, name, len);
        }
    }
}

static bool
is_any(const struct dr_lint_object *o, const char *name, size_t len)
{
    (void)o;
    (void)name;
    (void)len;
    return true;
}

static bool
is_owned(const struct dr_lint_object *o, const char *name, size_t len)
{
    return strncmp(o->owner, "relation ", 9) == 0 && strncmp(o->owner + 9, name, len) == 0 &&
           o->owner[9 + len] == '\0';
}

static bool
is_in_schema(const struct dr_lint_object *o, const char *name, size_t len)
{
    const char *own = strchr(o->name, ' ') + 1;
    return strncmp(own, name, len) == 0 && own[len] == '.';
}

static void
drop_line(struct dr_lint_catalog *c, const char *line, size_t len)
{
    if (len >= 8 && memcmp(line, "anything", 8) == 0) {
        forget(c, is_any, "", 0);
    } else if (len > 9 && memcmp(line, "parts-of ", 9) == 0) {
        forget(c, is_owned, line + 9, len - 9);
    } else if (len > 7 && memcmp(line, "schema ", 7) == 0) {
        forget(c, is_in_schema, line + 7, len - 7);
    } else {
        struct dr_lint_object *o = find(c, line, len);
        if (o != NULL) {
            o->is_gone = true;
        }
        if (len > 9 && memcmp(line, "relation ", 9) == 0) {
            forget(c, is_owned, line + 9, len - 9);
        }
    }
}

static void
create(struct dr_lint_catalog *c, const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
       size_t len)
{
    struct dr_lint_object *o = dr_arena_alloc(c->arena, sizeof *o);
    if (o == NULL) {
        return;
    }
    o->name = dr_arena_strn(c->arena, stmt->creates, len);
    o->owner = stmt->creates[len] == '\n' ? dr_arena_str(c->arena, stmt->creates + len + 1) : "";
    o->file = s->file;
    o->line = s->line + stmt->line - 1;
    if (o->name == NULL || o->owner == NULL) {
        return;
    }
    size_t bucket = bucket_of(o->name, len);
    o->next = c->buckets[bucket];
    c->buckets[bucket] = o;
}

bool
dr_lint_is_older(const struct dr_lint_catalog *catalog, const char *name, const char *file)
{
    const struct dr_lint_object *o = find(catalog, name, strlen(name));
    return o != NULL && strcmp(o->file, file) != 0;
}

void
dr_lint_replay(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
               const struct dr_sql_stmt *stmt, struct dr_findings *out)
{
    for (const char *line = stmt->drops; line[0] != '\0';) {
        size_t len = strcspn(line, "\n");
        drop_line(catalog, line, len);
        line += len + (line[len] == '\n');
    }
    size_t len = strcspn(stmt->creates, "\n");
    if (len == 0) {
        return;
    }
    const struct dr_lint_object *before = find(catalog, stmt->creates, len);
    if (before != NULL) {
        char message[300];
        snprintf(message, sizeof message, "%.*s exists already: made on line %u of '%s'",
                 (int)(len > 120 ? 120 : len), stmt->creates, before->line, before->file);
        dr_lint_report(section, stmt, "duplicate-object", stmt->offset,
                       strcspn(section->file_text + section->offset + stmt->offset, " \n"), message,
                       "remove one of the two, or drop the object first", out);
        return;
    }
    create(catalog, section, stmt, len);
}
