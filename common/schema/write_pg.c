// What makes, alters and drops one object of PostgreSQL.
#include "schema/write_internal.h"

#include "base/str.h"

#include <string.h>

static const struct dr_schema_object *
to_object(const struct dr_writer *w, size_t to)
{
    return &w->to.catalog->objects[to];
}

static bool
is_new(const struct dr_write_side *side, size_t object)
{
    return side->change[object] == DR_CHANGE_NEW || side->change[object] == DR_CHANGE_REPLACE;
}

// The name of a part without its table's: "email" of "users.email".
static const char *
part_name(const struct dr_schema_object *o)
{
    size_t len = strlen(o->part_of);
    return o->name[len] == '.' ? o->name + len + 1 : o->name;
}

static void
take(struct dr_writer *w, struct dr_buf *text, void (*use)(struct dr_writer *, const char *))
{
    const char *kept = text->failed ? NULL : dr_arena_str(w->arena, text->data ? text->data : "");
    w->failed = w->failed || kept == NULL;
    if (kept != NULL) {
        use(w, kept);
    }
    dr_buf_fini(text);
}

static void
add_to_script(struct dr_writer *w, const char *sql)
{
    dr_writer_add(w, w->out, sql, false);
}

// "email text COLLATE x DEFAULT '' NOT NULL"
static void
column_text(struct dr_writer *w, size_t column, struct dr_buf *out)
{
    static const enum dr_schema_attr attrs[] = {DR_ATTR_TYPE, DR_ATTR_COLLATE, DR_ATTR_GENERATED,
                                                DR_ATTR_IDENTITY, DR_ATTR_NOT_NULL};
    const struct dr_schema_object *o = to_object(w, column);
    dr_buf_str(out, o->create);
    for (size_t i = 0; i < DR_COUNT_OF(attrs); i++) {
        const char *text = o->attrs[attrs[i]];
        if (attrs[i] == DR_ATTR_IDENTITY) {
            size_t value = dr_catalog_find(w->to.catalog, DR_SCHEMA_DEFAULT, o->name);
            if (value != SIZE_MAX) {
                dr_buf_printf(out, " DEFAULT %s", to_object(w, value)->attrs[DR_ATTR_DEFINITION]);
            }
        }
        dr_buf_printf(out, "%s%s", text[0] ? " " : "", text);
    }
}

// The parts of a table in the order of its columns, then of the constraints' names.
static size_t
next_part(const struct dr_writer *w, size_t owner, enum dr_schema_kind kind, uint32_t *place)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < w->to.catalog->count; i++) {
        const struct dr_schema_object *o = to_object(w, i);
        if (o->kind == kind && o->owner == owner && o->place > *place &&
            (best == SIZE_MAX || o->place < to_object(w, best)->place)) {
            best = i;
        }
    }
    *place = best == SIZE_MAX ? *place : to_object(w, best)->place;
    return best;
}

static void
begin_part(struct dr_buf *out, size_t *count)
{
    dr_buf_str(out, *count == 0 ? "\n    " : ",\n    ");
    (*count)++;
}

static void
create_whole(struct dr_writer *w, size_t to)
{
    const struct dr_schema_object *o = to_object(w, to);
    bool is_table = o->kind == DR_SCHEMA_TABLE;
    const char *of = o->attrs[DR_ATTR_OF];
    struct dr_buf out = {0};
    size_t parts = 0;
    uint32_t place = 0;
    size_t i;
    dr_buf_printf(&out, "CREATE %s %s%s (", is_table ? "TABLE" : "TYPE", o->name,
                  is_table ? "" : " AS");
    if (of[0] != '\0') {
        const char *values = strstr(of, " FOR VALUES ");
        values = values != NULL ? values : strstr(of, " DEFAULT");
        dr_buf_reset(&out);
        dr_buf_printf(&out, "CREATE TABLE %s %.*s (", o->name,
                      (int)(values ? values - of : (ptrdiff_t)strlen(of)), of);
    }
    while ((i = next_part(w, to, is_table ? DR_SCHEMA_COLUMN : DR_SCHEMA_ATTRIBUTE, &place)) !=
           SIZE_MAX) {
        begin_part(&out, &parts);
        column_text(w, i, &out);
    }
    for (i = 0; is_table && i < w->to.catalog->count; i++) {
        const struct dr_schema_object *k = to_object(w, i);
        if (k->kind == DR_SCHEMA_CONSTRAINT && k->owner == to && dr_writer_is_inlined(&w->to, i)) {
            begin_part(&out, &parts);
            dr_buf_printf(&out, "CONSTRAINT %s %s", k->attrs[3], k->attrs[DR_ATTR_DEFINITION]);
        }
    }
    dr_buf_str(&out, parts == 0 ? ")" : "\n)");
    if (of[0] != '\0' && parts == 0) {
        dr_buf_reset(&out);
        dr_buf_printf(&out, "CREATE TABLE %s %s", o->name, of);
    } else if (of[0] != '\0') {
        const char *values = strstr(of, " FOR VALUES ");
        dr_buf_str(&out, values ? values : " DEFAULT");
    }
    const char *inherits = is_table ? o->attrs[DR_ATTR_INHERITS] : "";
    const char *partition = is_table ? o->attrs[DR_ATTR_PARTITION] : "";
    dr_buf_printf(&out, "%s%s%s%s", inherits[0] ? " " : "", inherits, partition[0] ? " " : "",
                  partition);
    take(w, &out, add_to_script);
}

static void
create_column(struct dr_writer *w, size_t to)
{
    const struct dr_schema_object *o = to_object(w, to);
    struct dr_buf out = {0};
    bool is_table = o->kind == DR_SCHEMA_COLUMN;
    size_t value = dr_catalog_find(w->to.catalog, DR_SCHEMA_DEFAULT, o->name);
    dr_buf_printf(&out, "ALTER %s %s ADD %s ", is_table ? "TABLE" : "TYPE", o->part_of,
                  is_table ? "COLUMN" : "ATTRIBUTE");
    column_text(w, to, &out);
    take(w, &out, add_to_script);
    if (o->attrs[DR_ATTR_NOT_NULL][0] && value == SIZE_MAX && !o->attrs[DR_ATTR_GENERATED][0] &&
        !o->attrs[DR_ATTR_IDENTITY][0]) {
        dr_writer_note(w->out,
                       "fails when the table has rows: give it a default, or fill it first");
    }
}

// A sequence that is new for rows that are there goes on behind them.
static void
set_sequence(struct dr_writer *w, const char *table, const char *column)
{
    bool quoted = column[0] == '"';
    const char *bare =
        quoted ? dr_writer_text(w, "%.*s", (int)strlen(column) - 2, column + 1) : column;
    if (strchr(bare, '"') == NULL && strchr(bare, '\'') == NULL && strchr(table, '\'') == NULL) {
        dr_writer_add(w, w->out,
                      dr_writer_text(w,
                                     "SELECT setval(pg_get_serial_sequence('%s', '%s'), max(%s)) "
                                     "FROM %s",
                                     table, bare, column, table),
                      false);
        dr_writer_note(w->out, "the sequence goes on behind the rows that are there");
    }
}

static void
own_sequence(struct dr_writer *w, const struct dr_schema_object *setting)
{
    size_t column = dr_catalog_find(w->to.catalog, DR_SCHEMA_COLUMN, setting->attrs[0]);
    if (column != SIZE_MAX && setting->owner != SIZE_MAX &&
        to_object(w, setting->owner)->kind == DR_SCHEMA_SEQUENCE &&
        is_new(&w->to, setting->owner) && !is_new(&w->to, column)) {
        const struct dr_schema_object *c = to_object(w, column);
        set_sequence(w, c->part_of, part_name(c));
    }
}

void
dr_writer_create(struct dr_writer *w, size_t to)
{
    const struct dr_schema_object *o = to_object(w, to);
    const char *rest = strchr(o->create, '\x01');
    if (o->kind == DR_SCHEMA_TABLE || o->kind == DR_SCHEMA_COMPOSITE) {
        create_whole(w, to);
    } else if (o->kind == DR_SCHEMA_COLUMN || o->kind == DR_SCHEMA_ATTRIBUTE) {
        create_column(w, to);
    } else if (o->kind == DR_SCHEMA_GRANT && rest != NULL) {
        add_to_script(w, dr_writer_text(w, "%.*s", (int)(rest - o->create), o->create));
        add_to_script(w, rest + 1);
    } else if (o->kind == DR_SCHEMA_INDEX && w->options->concurrently && o->owner != SIZE_MAX &&
               !is_new(&w->to, o->owner)) {
        const char *index = strstr(o->create, "INDEX ") + strlen("INDEX ");
        dr_writer_add(
            w, &w->last,
            dr_writer_text(w, "%.*sCONCURRENTLY %s", (int)(index - o->create), o->create, index),
            true);
    } else {
        add_to_script(w, o->create);
        if (o->kind == DR_SCHEMA_SETTING) {
            own_sequence(w, o);
        }
    }
}

const char *
dr_writer_drop(struct dr_writer *w, size_t from)
{
    const struct dr_schema_object *o = &w->from.catalog->objects[from];
    if (o->kind == DR_SCHEMA_COLUMN) {
        return dr_writer_text(w, "ALTER TABLE %s DROP COLUMN %s", o->part_of, part_name(o));
    }
    if (o->kind == DR_SCHEMA_ATTRIBUTE) {
        return dr_writer_text(w, "ALTER TYPE %s DROP ATTRIBUTE %s", o->part_of, part_name(o));
    }
    return o->drop;
}

// --------------------------------------------------------------------------------------- alter

// Types whose values go over by themselves, or fail loudly: no USING, and nothing is lost.
static int
family(const char *type)
{
    static const char *const families[][6] = {
        {"smallint", "integer", "bigint", NULL},
        {"character varying", "text", "character", NULL},
    };
    size_t len = strcspn(type, "(");
    for (size_t i = 0; i < DR_COUNT_OF(families); i++) {
        for (size_t k = 0; families[i][k] != NULL; k++) {
            if (strlen(families[i][k]) == len && strncmp(families[i][k], type, len) == 0) {
                return (int)i + 1;
            }
        }
    }
    return 0;
}

static bool
is_same_base(const char *a, const char *b)
{
    size_t len = strcspn(a, "(");
    return len == strcspn(b, "(") && strncmp(a, b, len) == 0;
}

static void
alter_type(struct dr_writer *w, const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    const char *old = a->attrs[DR_ATTR_TYPE];
    const char *type = b->attrs[DR_ATTR_TYPE];
    int one = family(old);
    bool is_near = is_same_base(old, type) || (one != 0 && one == family(type));
    bool is_label = dr_catalog_find(w->to.catalog, DR_SCHEMA_ENUM, type) != SIZE_MAX;
    bool is_safe = (one != 0 && one == family(type)) || strcmp(old, type) == 0 || is_label ||
                   (family(type) == 2 && strchr(type, '(') == NULL);
    const char *name = part_name(b);
    const char *collate = b->attrs[DR_ATTR_COLLATE];
    collate = collate[0] == '\0' && a->attrs[DR_ATTR_COLLATE][0] ? "COLLATE \"default\"" : collate;
    dr_writer_add(w, w->out,
                  dr_writer_text(w, "ALTER TABLE %s ALTER COLUMN %s TYPE %s%s%s%s", b->part_of,
                                 name, type, collate[0] ? " " : "", collate,
                                 is_near ? "" : dr_writer_text(w, " USING %s::%s", name, type)),
                  false);
    bool is_widened = family(old) == 2 && strcmp(type, "text") == 0;
    if (strcmp(old, type) != 0 && !is_widened) {
        dr_writer_note(w->out, "nobody reads the table meanwhile; it is written anew unless both "
                               "types keep the same bytes");
    }
    if (!is_safe) {
        dr_writer_loss(w, dr_writer_text(w, "column %s (%s to %s)", b->name, old, type));
    }
}

static void
alter_identity(struct dr_writer *w, const struct dr_schema_object *a,
               const struct dr_schema_object *b)
{
    const char *old = a->attrs[DR_ATTR_IDENTITY];
    const char *new = b->attrs[DR_ATTR_IDENTITY];
    const char *how = NULL;
    if (strcmp(old, new) == 0) {
        return;
    }
    if (new[0] == '\0') {
        how = "DROP IDENTITY";
    } else if (old[0] == '\0') {
        how = dr_writer_text(w, "ADD %s", new);
    } else {
        bool is_always = strncmp(new, "GENERATED ALWAYS", 16) == 0;
        const char *options = strchr(new, '(');
        if (options != NULL || strchr(old, '(') != NULL) {
            dr_writer_by_hand(
                w, dr_writer_text(w, "identity of column %s: from %s to %s", b->name, old, new));
        }
        how = is_always ? "SET GENERATED ALWAYS" : "SET GENERATED BY DEFAULT";
    }
    dr_writer_add(
        w, w->out,
        dr_writer_text(w, "ALTER TABLE %s ALTER COLUMN %s %s", b->part_of, part_name(b), how),
        false);
}

static void
alter_column(struct dr_writer *w, size_t to, bool is_retyped_elsewhere)
{
    const struct dr_schema_object *b = to_object(w, to);
    const struct dr_schema_object *a = &w->from.catalog->objects[w->to.other[to]];
    const char *head =
        dr_writer_text(w, "ALTER TABLE %s ALTER COLUMN %s", b->part_of, part_name(b));
    bool was = a->attrs[DR_ATTR_NOT_NULL][0] != '\0';
    bool is = b->attrs[DR_ATTR_NOT_NULL][0] != '\0';
    if (a->attrs[DR_ATTR_GENERATED][0] && !b->attrs[DR_ATTR_GENERATED][0]) {
        dr_writer_add(w, w->out, dr_writer_text(w, "%s DROP EXPRESSION", head), false);
    }
    if (!is_retyped_elsewhere && dr_writer_is_retyped(w, w->to.other[to])) {
        alter_type(w, a, b);
    }
    bool drops_identity = a->attrs[DR_ATTR_IDENTITY][0] && !b->attrs[DR_ATTR_IDENTITY][0];
    if (drops_identity) {
        alter_identity(w, a, b);
    }
    if (was != is) {
        dr_writer_add(w, w->out, dr_writer_text(w, "%s %s NOT NULL", head, is ? "SET" : "DROP"),
                      false);
    }
    if (is && !was) {
        dr_writer_note(w->out, "fails when a row has none: fill it first");
    }
    if (!drops_identity) {
        alter_identity(w, a, b);
    }
}

// "name" -> "name__old", also when it is quoted
static const char *
old_name(struct dr_writer *w, const char *name, bool with_schema)
{
    size_t len = strlen(name);
    size_t start = len;
    while (!with_schema && start > 0 && name[start - 1] != '.') {
        start--;
    }
    start = with_schema ? 0 : start;
    bool quoted = len > 0 && name[len - 1] == '"';
    return dr_writer_text(w, "%.*s__old%s", (int)(len - start - (quoted ? 1 : 0)), name + start,
                          quoted ? "\"" : "");
}

static void
rebuild_type(struct dr_writer *w, size_t to)
{
    const struct dr_schema_object *b = to_object(w, to);
    size_t from = w->to.other[to];
    const char *word = b->kind == DR_SCHEMA_DOMAIN ? "DOMAIN" : "TYPE";
    dr_writer_add(
        w, w->out,
        dr_writer_text(w, "ALTER %s %s RENAME TO %s", word, b->name, old_name(w, b->name, false)),
        false);
    dr_writer_add(w, w->out, b->create, false);
    for (size_t i = 0; i < w->from.catalog->count; i++) {
        const struct dr_schema_object *c = &w->from.catalog->objects[i];
        bool needs = false;
        for (size_t k = 0; k < c->needs_count; k++) {
            needs = needs || c->needs[k] == from;
        }
        if (!needs || c->kind != DR_SCHEMA_COLUMN || w->from.other[i] == SIZE_MAX ||
            w->from.change[i] == DR_CHANGE_REPLACE) {
            continue;
        }
        const struct dr_schema_object *d = to_object(w, w->from.other[i]);
        const char *type = d->attrs[DR_ATTR_TYPE];
        bool is_array = dr_str_ends(type, "[]");
        dr_writer_add(w, w->out,
                      dr_writer_text(
                          w, "ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::text%s::%s",
                          d->part_of, part_name(d), type, part_name(d), is_array ? "[]" : "", type),
                      false);
        dr_writer_note(w->out, "fails when a row has a value that the new type does not know");
    }
    dr_writer_add(w, &w->last, dr_writer_text(w, "DROP %s %s", word, old_name(w, b->name, true)),
                  false);
}

// Each new label in a section of its own: it cannot be used in the transaction that adds it.
static void
add_labels(struct dr_writer *w, const struct dr_schema_object *a, const struct dr_schema_object *b)
{
    const char *old = a->attrs[DR_ATTR_LABELS];
    const char *before = NULL;
    size_t before_len = 0;
    for (const char *at = b->attrs[DR_ATTR_LABELS]; *at != '\0';) {
        size_t len = strcspn(at, "\x01");
        size_t old_len = strcspn(old, "\x01");
        if (*old != '\0' && len == old_len && memcmp(at, old, len) == 0) {
            old += old_len + 1;
        } else if (before == NULL) {
            const char *where = old[0] ? dr_writer_text(w, " BEFORE %.*s", (int)old_len, old) : "";
            dr_writer_add(
                w, &w->first,
                dr_writer_text(w, "ALTER TYPE %s ADD VALUE %.*s%s", b->name, (int)len, at, where),
                true);
        } else {
            dr_writer_add(w, &w->first,
                          dr_writer_text(w, "ALTER TYPE %s ADD VALUE %.*s AFTER %.*s", b->name,
                                         (int)len, at, (int)before_len, before),
                          true);
        }
        before = at;
        before_len = len;
        at += len + 1;
    }
}

// Was the column's type changed together with the type that it is of?
static bool
is_of_rebuilt(const struct dr_writer *w, size_t from)
{
    const struct dr_schema_object *c = &w->from.catalog->objects[from];
    for (size_t k = 0; k < c->needs_count; k++) {
        if (dr_writer_is_rebuilt(w, c->needs[k])) {
            return true;
        }
    }
    return false;
}

static const char *
or_replace(struct dr_writer *w, const char *create)
{
    return dr_str_starts(create, "CREATE VIEW")
               ? dr_writer_text(w, "CREATE OR REPLACE%s", create + 6)
               : create;
}

void
dr_writer_alter(struct dr_writer *w, size_t to)
{
    size_t from = w->to.other[to];
    const struct dr_schema_object *b = to_object(w, to);
    const struct dr_schema_object *a = &w->from.catalog->objects[from];
    if (dr_writer_is_rebuilt(w, from)) {
        rebuild_type(w, to);
        return;
    }
    switch (b->kind) {
    case DR_SCHEMA_COLUMN:
        alter_column(w, to, is_of_rebuilt(w, from));
        break;
    case DR_SCHEMA_ATTRIBUTE:
        add_to_script(w, dr_writer_text(w, "ALTER TYPE %s ALTER ATTRIBUTE %s TYPE %s", b->part_of,
                                        part_name(b), b->attrs[DR_ATTR_TYPE]));
        break;
    case DR_SCHEMA_ENUM:
        add_labels(w, a, b);
        break;
    case DR_SCHEMA_SEQUENCE:
        if (strcmp(a->attrs[DR_ATTR_ALTER], b->attrs[DR_ATTR_ALTER]) != 0) {
            add_to_script(
                w, dr_writer_text(w, "ALTER SEQUENCE %s %s", b->name, b->attrs[DR_ATTR_ALTER]));
        }
        break;
    case DR_SCHEMA_EXTENSION:
        add_to_script(w, dr_writer_text(w, "ALTER EXTENSION %s UPDATE TO '%s'", b->name,
                                        b->attrs[DR_ATTR_VERSION]));
        break;
    case DR_SCHEMA_CONSTRAINT:
    case DR_SCHEMA_FOREIGN_KEY:
        add_to_script(w, dr_writer_text(w, "ALTER TABLE %s VALIDATE CONSTRAINT %s", b->part_of,
                                        part_name(b)));
        break;
    case DR_SCHEMA_TABLE:
        dr_writer_by_hand(
            w, dr_writer_text(w, "table %s: its place among partitions or parents", b->name));
        break;
    default:
        add_to_script(w, or_replace(w, b->create));
    }
}
