// The text of a generated revision: headers that say what is lost, sections, and a check that what
// was made is there.

#include "coordinator/cli/autogenerate.h"

#include <string.h>

#define LOSSES_SHOWN 12u
#define VERIFY_MAX   40u // tables and columns that are looked for

static void
add_list(struct dr_buf *out, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count && i < LOSSES_SHOWN; i++) {
        dr_buf_printf(out, "%s%s", i ? ", " : "", list[i]);
    }
    if (count > LOSSES_SHOWN) {
        dr_buf_printf(out, " and %zu more", count - LOSSES_SHOWN);
    }
}

// Header lines hold one line: names may hold anything.
static void
blank_lines(struct dr_buf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\r') {
            out->data[i] = ' ';
        }
    }
}

static void
add_header(const struct dr_autogenerate *a, struct dr_buf *out)
{
    size_t start = 0;
    if (a->up.losses_count > 0) {
        dr_buf_str(out, "-- Destructive: the data of ");
        add_list(out, a->up.losses, a->up.losses_count);
        blank_lines(out, start);
        dr_buf_str(out, "\n");
        start = out->len;
        dr_buf_str(out, "-- Reversible: lossy, the way down cannot bring back the data of ");
        add_list(out, a->up.losses, a->up.losses_count);
    } else if (a->down.losses_count > 0) {
        dr_buf_str(out, "-- Reversible: yes, the way down loses what came since into ");
        add_list(out, a->down.losses, a->down.losses_count);
    } else {
        dr_buf_str(out, "-- Reversible: yes");
    }
    blank_lines(out, start);
    dr_buf_str(out, "\n");
}

// A statement inside a section. A line that looks like one of drover's directives is moved in.
static void
add_statement(struct dr_buf *out, const struct dr_schema_stmt *stmt)
{
    if (stmt->note != NULL) {
        dr_buf_printf(out, "-- %s\n", stmt->note);
    }
    for (const char *line = stmt->sql; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        dr_buf_str(out, strncmp(line, "-- drover:", 10) == 0 ? " " : "");
        dr_buf_add(out, line, len);
        line += len;
        if (*line == '\n') {
            dr_buf_str(out, "\n");
            line++;
        }
    }
    dr_buf_str(out, ";\n");
}

struct sections {
    struct dr_buf *out;
    const char *word; // up or down
    size_t count;
    bool is_open; // the last one takes more statements
};

static void
open_section(struct sections *s, bool is_alone)
{
    if (s->is_open && !is_alone) {
        return;
    }
    s->count++;
    dr_buf_printf(s->out, "%s-- drover:%s", s->count > 1 ? "\n" : "", s->word);
    if (s->count > 1 || is_alone) {
        dr_buf_printf(s->out, " \"part %zu\"", s->count);
    }
    dr_buf_str(s->out, is_alone ? " transaction=off\n" : "\n");
    s->is_open = !is_alone;
}

static void
add_script(struct sections *s, const struct dr_schema_script *script, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        open_section(s, script->stmts[i].is_alone);
        add_statement(s->out, &script->stmts[i]);
    }
}

static size_t
count_first(const struct dr_schema_script *script)
{
    size_t n = 0;
    while (n < script->count && script->stmts[n].is_alone) {
        n++;
    }
    return n;
}

static void
add_renames(struct sections *s, const struct dr_autogenerate *a, bool is_down)
{
    for (size_t i = 0; i < a->renames_count; i++) {
        const struct dr_schema_rename *r = a->renames[is_down ? a->renames_count - 1 - i : i];
        const struct dr_schema_stmt stmt = {.sql = is_down ? r->back : r->sql};
        open_section(s, false);
        add_statement(s->out, &stmt);
    }
}

static void
add_remarks(struct dr_buf *out, const struct dr_autogenerate *a, const struct dr_schema_script *one)
{
    for (size_t i = 0; one == &a->up && i < a->doubts_count; i++) {
        const struct dr_schema_rename *r = a->doubts[i];
        size_t start = out->len;
        dr_buf_printf(out, "-- rename? if %s %s is now %s, generate again with --rename %s=%s",
                      dr_schema_kind_word(r->kind), r->from, r->to, r->from, r->to);
        blank_lines(out, start);
        dr_buf_str(out, "\n");
    }
    for (size_t i = 0; i < one->by_hand_count; i++) {
        size_t start = out->len;
        dr_buf_printf(out, "-- by hand: %s", one->by_hand[i]);
        blank_lines(out, start);
        dr_buf_str(out, "\n");
    }
}

// A literal that holds the name as the catalog's own functions read it.
static void
add_literal(struct dr_buf *out, const char *name)
{
    dr_buf_str(out, "'");
    for (; *name != '\0'; name++) {
        dr_buf_add(out, "'", *name == '\'' ? 1 : 0);
        dr_buf_add(out, name, 1);
    }
    dr_buf_str(out, "'");
}

static void
add_check(struct dr_buf *out, const struct dr_catalog *catalog, const struct dr_schema_object *o)
{
    bool is_table = o->kind == DR_SCHEMA_TABLE;
    if (catalog->engine == DR_DB_SQLITE) {
        dr_buf_str(out, is_table ? "SELECT count(*) = 1 FROM sqlite_schema WHERE name = "
                                 : "SELECT count(*) = 1 FROM pragma_table_xinfo(");
        add_literal(out, is_table ? o->name : o->part_of);
        if (!is_table) {
            dr_buf_str(out, ") WHERE name = ");
            add_literal(out, o->drop);
        }
        dr_buf_str(out, ";\n");
        return;
    }
    dr_buf_str(out, is_table ? "SELECT to_regclass("
                             : "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = ");
    add_literal(out, is_table ? o->name : o->part_of);
    if (is_table) {
        dr_buf_str(out, ") IS NOT NULL;\n");
        return;
    }
    dr_buf_str(out, "::regclass AND quote_ident(attname) = ");
    add_literal(out, o->name + strlen(o->part_of) + 1);
    dr_buf_str(out, " AND NOT attisdropped;\n");
}

static void
add_verify(struct dr_buf *out, const struct dr_autogenerate *a)
{
    const struct dr_catalog *before = &a->chain.catalog;
    const struct dr_catalog *after = &a->desired.catalog;
    size_t count = 0;
    for (size_t i = 0; i < after->count && count < VERIFY_MAX; i++) {
        const struct dr_schema_object *o = &after->objects[i];
        bool is_new = dr_catalog_find(before, o->kind, o->name) == SIZE_MAX;
        bool is_column = o->kind == DR_SCHEMA_COLUMN &&
                         dr_catalog_find(before, DR_SCHEMA_TABLE, o->part_of) != SIZE_MAX;
        if (is_new && (o->kind == DR_SCHEMA_TABLE || is_column)) {
            dr_buf_str(out, count++ == 0 ? "\n-- drover:verify \"what was made is there\"\n" : "");
            add_check(out, after, o);
        }
    }
}

enum dr_rc
dr_autogenerate_text(struct dr_autogenerate *a, struct dr_new_revision *new, struct dr_err *err)
{
    struct dr_buf header = {0};
    struct dr_buf body = {0};
    struct sections up = {.out = &body, .word = "up"};
    struct sections down = {.out = &body, .word = "down"};
    size_t first = count_first(&a->up);
    add_header(a, &header);
    add_script(&up, &a->up, 0, first);
    add_renames(&up, a, false);
    add_script(&up, &a->up, first, a->up.count);
    add_remarks(&body, a, &a->up);
    add_verify(&body, a);
    dr_buf_str(&body, "\n");
    add_script(&down, &a->down, 0, a->down.count);
    add_renames(&down, a, true);
    add_remarks(&body, a, &a->down);
    if (down.count == 0) {
        dr_buf_str(&body, "-- drover:down none reason=\"nothing to take back\"\n");
    }
    bool failed = header.failed || body.failed;
    new->header = failed ? NULL : dr_arena_str(a->shared.cli->arena, header.data);
    new->body = failed ? NULL : dr_arena_str(a->shared.cli->arena, body.data);
    new->engine = a->engine == DR_DB_SQLITE ? "sqlite" : "postgresql";
    dr_buf_fini(&header);
    dr_buf_fini(&body);
    return new->header == NULL || new->body == NULL
               ? dr_err_set(err, DR_E_NOMEM, "no memory for the revision")
               : DR_OK;
}
