// Which tables a unit names or changes, for rehearsals. See driver_sqlite.h. The lock is the whole
// file's whatever the unit does; the tables tell how much there is to be worked through.
#include "engine/driver_sqlite.h"

#include "sql/tokens.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LOCK "EXCLUSIVE"

struct table {
    const char *name;
    int64_t page; // where its rows begin
    bool is_named;
};

struct dr_sqd_tables {
    struct dr_arena *arena;
    size_t count;
    struct table list[DR_TOUCHED_MAX];
};

static const char tables_sql[] =
    "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
    " ESCAPE '\\' AND name NOT LIKE 'drover\\_%' ESCAPE '\\' AND name <> 'alembic_version'"
    " ORDER BY name";

static enum dr_rc
add_table(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct dr_sqd_tables *t = ctx;
    if (t->count == DR_TOUCHED_MAX) {
        return DR_OK; // the rest is not told
    }
    struct table *now = &t->list[t->count++];
    now->name = dr_arena_str(t->arena, dr_sqlite_column_text(s, 0));
    now->page = dr_sqlite_column_int(s, 1);
    now->is_named = false;
    return now->name == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
}

static enum dr_rc
read_tables(struct dr_sqd *d, struct dr_arena *arena, struct dr_sqd_tables **out,
            struct dr_err *err)
{
    struct dr_sqd_tables *t = dr_arena_alloc(arena, sizeof *t);
    if (t == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    t->arena = arena;
    t->count = 0;
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_exec(d->db, tables_sql, sizeof tables_sql - 1, add_table, t, err);
    if (rc == DR_OK) {
        *out = t;
    }
    return rc;
}

static void
mark_named(struct dr_sqd_tables *t, const struct dr_statement *s)
{
    struct dr_sql_token token;
    for (size_t at = 0; dr_sql_token_next(DR_SQL_SQLITE, s->text, s->len, &at, &token);) {
        bool is_quoted = token.kind == DR_TOKEN_QUOTED && token.length >= 2;
        size_t len = is_quoted ? token.length - 2 : token.length;
        const char *word = s->text + token.offset + (is_quoted ? 1 : 0);
        for (size_t i = 0; (is_quoted || token.kind == DR_TOKEN_WORD) && i < t->count; i++) {
            const char *name = t->list[i].name;
            t->list[i].is_named |= strlen(name) == len && strncasecmp(name, word, len) == 0;
        }
    }
}

enum dr_rc
dr_sqd_touch_begin(struct dr_sqd *d, const struct dr_exec *x, struct dr_sqd_tables **out,
                   struct dr_err *err)
{
    if (!d->options.observes || x->arena == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = read_tables(d, x->arena, out, err);
    for (size_t i = 0; rc == DR_OK && i < x->count; i++) {
        mark_named(*out, &x->statements[i]);
    }
    return rc;
}

static const struct table *
find(const struct dr_sqd_tables *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->list[i].name, name) == 0) {
            return &t->list[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_sqd_touch_end(struct dr_sqd *d, const struct dr_sqd_tables *before, struct dr_exec_result *out,
                 struct dr_err *err)
{
    struct dr_sqd_tables *after = NULL;
    if (before == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = read_tables(d, before->arena, &after, err);
    struct dr_touched *list =
        rc == DR_OK ? dr_arena_array(before->arena, before->count + 1, sizeof *list) : NULL;
    if (rc != DR_OK || list == NULL) {
        return rc != DR_OK ? rc : dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    size_t n = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct table *old = &before->list[i], *now = find(after, old->name);
        bool has_moved = now != NULL && now->page != old->page;
        if (old->is_named || has_moved || now == NULL) {
            list[n++] = (struct dr_touched){old->name, LOCK, has_moved};
        }
    }
    out->touched = list;
    out->touched_count = n;
    return DR_OK;
}
