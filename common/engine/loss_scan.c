// Reads the statements of a way down for what they remove. See loss_internal.h.
//
// Words only, no parser: DROP TABLE, TRUNCATE, ALTER TABLE ... DROP COLUMN, DROP SCHEMA and DELETE
// are understood; whatever may remove data in ways that only the database knows (a DO block, DROP
// ... CASCADE of a type) is told as unknown rather than left out.
#include "engine/loss_internal.h"

#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 2000u

// A column that a rename gave another name.
struct alias {
    const char *now, *before;
    struct alias *next;
};

struct table {
    const char *schema, *name;           // as the statement at hand would find it
    const char *old_schema, *old_name;   // as the database has it now; NULL: the way down made it
    const char *unit_schema, *unit_name; // where it stood when the unit began
    bool is_gone, is_filled;
    const char **columns; // of one that was made; NULL: not known
    size_t columns_count;
    struct alias *aliases;
};

struct dr_loss_scan {
    struct dr_arena *arena;
    struct table *tables;
    size_t tables_count;
    struct dr_drop *drops;
    struct table **dropped; // per drop: its table, or NULL
    size_t drops_count, unit_from;
    bool is_cut;
    const char *revision_id;
    struct dr_loss_words words; // of the statement at hand
};

// ----------------------------------------------------------------------------------------- tables

static bool
same(const struct dr_loss_scan *s, const char *a, const char *b)
{
    return s->words.engine == DROVER__V1__ENGINE__SQLITE ? strcasecmp(a, b) == 0
                                                         : strcmp(a, b) == 0;
}

static bool
is_at(const struct dr_loss_scan *s, const struct table *t, struct dr_loss_name name)
{
    bool may_be = name.schema[0] == '\0' || t->schema[0] == '\0' || same(s, t->schema, name.schema);
    return !t->is_gone && may_be && same(s, t->name, name.table);
}

static struct table *
add_table(struct dr_loss_scan *s, struct dr_loss_name name, bool is_made)
{
    if (s->tables_count == DR_DROP_TABLES_MAX) {
        s->is_cut = true;
        return NULL;
    }
    struct table *t = &s->tables[s->tables_count++];
    *t = (struct table){.schema = name.schema, .name = name.table};
    if (!is_made) {
        t->old_schema = t->unit_schema = name.schema;
        t->old_name = t->unit_name = name.table;
    }
    return t;
}

static struct table *
find_table(struct dr_loss_scan *s, struct dr_loss_name name)
{
    for (size_t i = 0; i < s->tables_count; i++) {
        if (is_at(s, &s->tables[i], name)) {
            return &s->tables[i];
        }
    }
    return add_table(s, name, false);
}

static const char *
old_column(const struct dr_loss_scan *s, const struct table *t, const char *column)
{
    for (const struct alias *a = t->aliases; a != NULL; a = a->next) {
        if (same(s, a->now, column)) {
            return a->before;
        }
    }
    return column;
}

static bool
is_told(const struct dr_loss_scan *s, const struct dr_drop *drop)
{
    for (size_t i = 0; i < s->drops_count; i++) {
        const struct dr_drop *d = &s->drops[i];
        bool is_same_table = d->table != NULL && drop->table != NULL &&
                             same(s, d->table, drop->table) && same(s, d->schema, drop->schema);
        if (is_same_table &&
            (d->kind == DR_DROP_ROWS || (d->kind == drop->kind && drop->kind == DR_DROP_COLUMN &&
                                         same(s, d->column, drop->column)))) {
            return true;
        }
    }
    return false;
}

static void
add_drop(struct dr_loss_scan *s, struct table *table, struct dr_drop drop)
{
    drop.revision_id = s->revision_id;
    if (table != NULL) {
        drop.schema = table->old_schema;
        drop.table = table->old_name;
    }
    if (is_told(s, &drop)) {
        return;
    }
    if (s->drops_count == DR_DROPS_MAX) {
        s->is_cut = true;
        return;
    }
    s->dropped[s->drops_count] = table;
    s->drops[s->drops_count++] = drop;
}

static void
unknown(struct dr_loss_scan *s, const char *what)
{
    add_drop(s, NULL, (struct dr_drop){.kind = DR_DROP_UNKNOWN, .what = what});
}

// The table's rows go; `is_dropped`: with the table.
static void
lose_rows(struct dr_loss_scan *s, struct dr_loss_name name, bool is_dropped)
{
    struct table *t = find_table(s, name);
    if (t == NULL) {
        return;
    }
    if (t->old_name != NULL) {
        add_drop(s, t, (struct dr_drop){.kind = DR_DROP_ROWS});
    }
    t->is_gone = is_dropped;
}

// ------------------------------------------------------------------------------------- statements

static void
read_drop(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    struct dr_loss_name name;
    if (dr_loss_take_word(w, "TABLE")) {
        dr_loss_take_if_exists(w);
        do {
            if (dr_loss_take_name(w, &name)) {
                lose_rows(s, name, true);
            }
        } while (dr_loss_next_item(w));
        return;
    }
    if (dr_loss_take_word(w, "SCHEMA")) {
        dr_loss_take_if_exists(w);
        bool is_whole = dr_loss_has_word(w, "CASCADE");
        do {
            const char *schema = dr_loss_take_part(w);
            if (schema != NULL && is_whole) {
                add_drop(s, NULL, (struct dr_drop){.kind = DR_DROP_SCHEMA, .schema = schema});
            }
        } while (dr_loss_next_item(w));
        return;
    }
    static const struct {
        const char *word, *what;
        bool always;
    } rows[] = {{"TYPE", "DROP TYPE ... CASCADE", false},
                {"DOMAIN", "DROP DOMAIN ... CASCADE", false},
                {"EXTENSION", "DROP EXTENSION ... CASCADE", false},
                {"OWNED", "DROP OWNED", true}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        bool counts = rows[i].always || dr_loss_has_word(w, "CASCADE");
        if (dr_loss_is_word(w, w->at, rows[i].word) && counts) {
            unknown(s, rows[i].what);
        }
    }
}

static void
read_truncate(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    struct dr_loss_name name;
    (void)dr_loss_take_word(w, "TABLE");
    bool is_wider = dr_loss_has_word(w, "CASCADE");
    do {
        (void)dr_loss_take_word(w, "ONLY");
        if (dr_loss_take_name(w, &name)) {
            lose_rows(s, name, false);
        }
    } while (dr_loss_next_item(w));
    if (is_wider) {
        unknown(s, "TRUNCATE ... CASCADE");
    }
}

static void
read_delete(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    struct dr_loss_name name;
    (void)dr_loss_take_word(w, "FROM");
    (void)dr_loss_take_word(w, "ONLY");
    if (!dr_loss_take_name(w, &name)) {
        return;
    }
    struct table *t = find_table(s, name);
    if (t == NULL || t->old_name == NULL) {
        return;
    }
    if (w->at >= w->count) {
        lose_rows(s, name, false);
        return;
    }
    const char *what = dr_arena_printf(s->arena, "DELETE FROM %s with a condition", name.table);
    s->words.failed = s->words.failed || what == NULL;
    unknown(s, what);
}

static void
rename_to(struct dr_loss_scan *s, struct table *t)
{
    struct dr_loss_words *w = &s->words;
    const char *to = dr_loss_take_part(w);
    t->name = to == NULL ? t->name : to;
}

static void
rename_column(struct dr_loss_scan *s, struct table *t)
{
    struct dr_loss_words *w = &s->words;
    (void)dr_loss_take_word(w, "COLUMN");
    const char *from = dr_loss_take_part(w);
    bool has_to = dr_loss_take_word(w, "TO");
    const char *to = has_to ? dr_loss_take_part(w) : NULL;
    struct alias *alias = to == NULL ? NULL : dr_arena_alloc(s->arena, sizeof *alias);
    if (alias == NULL) {
        s->words.failed = s->words.failed || to != NULL;
        return;
    }
    *alias = (struct alias){to, old_column(s, t, from), t->aliases};
    t->aliases = alias;
}

static void
read_alter_table(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    static const char *const others[] = {"CONSTRAINT", "EXPRESSION", "IDENTITY",
                                         "PRIMARY",    "CHECK",      "FOREIGN"};
    struct dr_loss_name name;
    dr_loss_take_if_exists(w);
    (void)dr_loss_take_word(w, "ONLY");
    struct table *t = dr_loss_take_name(w, &name) ? find_table(s, name) : NULL;
    if (t == NULL) {
        return;
    }
    (void)dr_loss_take_mark(w, '*');
    if (dr_loss_take_word(w, "RENAME")) {
        if (dr_loss_take_word(w, "TO")) {
            rename_to(s, t);
        } else if (!dr_loss_is_word(w, w->at, "CONSTRAINT")) {
            rename_column(s, t);
        }
        return;
    }
    if (dr_loss_take_word(w, "SET") && dr_loss_take_word(w, "SCHEMA")) {
        const char *schema = dr_loss_take_part(w);
        t->schema = schema == NULL ? t->schema : schema;
        return;
    }
    do {
        bool is_column = dr_loss_take_word(w, "DROP");
        for (size_t i = 0; is_column && i < DR_COUNT_OF(others); i++) {
            is_column = !dr_loss_is_word(w, w->at, others[i]);
        }
        if (is_column) {
            (void)dr_loss_take_word(w, "COLUMN");
            dr_loss_take_if_exists(w);
            const char *column = dr_loss_take_part(w);
            if (column != NULL && t->old_name != NULL) {
                column = old_column(s, t, column);
                add_drop(s, t, (struct dr_drop){.kind = DR_DROP_COLUMN, .column = column});
            }
        }
    } while (dr_loss_next_item(w));
}

// The columns between the parentheses of CREATE TABLE.
static void
read_columns(struct dr_loss_scan *s, struct table *t)
{
    struct dr_loss_words *w = &s->words;
    static const char *const others[] = {"CONSTRAINT", "PRIMARY", "UNIQUE",
                                         "CHECK",      "FOREIGN", "EXCLUDE"};
    if (!dr_loss_take_mark(w, '(')) {
        return;
    }
    const char **columns = dr_arena_array(s->arena, COLUMNS_MAX, sizeof *columns);
    s->words.failed = s->words.failed || columns == NULL;
    size_t n = 0;
    do {
        bool is_column = columns != NULL && n < COLUMNS_MAX;
        for (size_t i = 0; is_column && i < DR_COUNT_OF(others); i++) {
            is_column = !dr_loss_is_word(w, w->at, others[i]);
        }
        if (dr_loss_is_word(w, w->at, "LIKE")) {
            return; // another table's columns: not known here
        }
        const char *column = is_column ? dr_loss_take_part(w) : NULL;
        if (column != NULL) {
            columns[n++] = column;
        }
    } while (dr_loss_next_item(w));
    t->columns = columns;
    t->columns_count = n;
}

static void
read_create(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    static const char *const kinds[] = {"UNLOGGED", "TEMP", "TEMPORARY", "LOCAL", "GLOBAL"};
    struct dr_loss_name name;
    for (size_t i = 0; i < DR_COUNT_OF(kinds); i++) {
        (void)dr_loss_take_word(w, kinds[i]);
    }
    if (!dr_loss_take_word(w, "TABLE")) {
        return;
    }
    dr_loss_take_if_exists(w);
    struct table *t = dr_loss_take_name(w, &name) ? add_table(s, name, true) : NULL;
    if (t != NULL) {
        read_columns(s, t);
        (void)dr_loss_take_mark(w, ')');
        t->is_filled = dr_loss_take_word(w, "AS");
    }
}

static void
read_insert(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    struct dr_loss_name name;
    while (w->at < w->count && !dr_loss_take_word(w, "INTO")) {
        w->at++;
    }
    struct table *t = dr_loss_take_name(w, &name) ? find_table(s, name) : NULL;
    if (t != NULL && t->old_name == NULL && dr_loss_has_word(w, "SELECT")) {
        t->is_filled = true;
    }
}

static void
read_statement(struct dr_loss_scan *s)
{
    struct dr_loss_words *w = &s->words;
    static const char *const opaque[] = {"DO", "CALL", "EXECUTE"};
    if (dr_loss_take_word(w, "DROP")) {
        read_drop(s);
    } else if (dr_loss_take_word(w, "TRUNCATE")) {
        read_truncate(s);
    } else if (dr_loss_take_word(w, "DELETE")) {
        read_delete(s);
    } else if (dr_loss_is_word(w, 0, "ALTER") && dr_loss_is_word(w, 1, "TABLE")) {
        w->at = 2;
        read_alter_table(s);
    } else if (dr_loss_take_word(w, "CREATE")) {
        read_create(s);
    } else if (dr_loss_is_word(w, 0, "INSERT") || dr_loss_is_word(w, 0, "REPLACE")) {
        read_insert(s);
    } else if (dr_loss_is_word(w, 0, "WITH") && dr_loss_has_word(w, "DELETE")) {
        unknown(s, "WITH ... DELETE");
    }
    for (size_t i = 0; i < DR_COUNT_OF(opaque); i++) {
        if (dr_loss_is_word(w, 0, opaque[i])) {
            unknown(s, opaque[i]);
        }
    }
}

// ------------------------------------------------------------------------------------------- unit

// A table that was made and filled in this unit and stands now where the dropped one stood: it is
// that one, with other columns.
static struct table *
heir_of(struct dr_loss_scan *s, const struct table *gone)
{
    struct dr_loss_name place = {gone->unit_schema, gone->unit_name};
    for (size_t i = 0; i < s->tables_count; i++) {
        struct table *t = &s->tables[i];
        if (t->old_name == NULL && t->is_filled && is_at(s, t, place)) {
            return t;
        }
    }
    return NULL;
}

static void
find_rebuilds(struct dr_loss_scan *s)
{
    for (size_t i = s->unit_from; i < s->drops_count; i++) {
        struct table *gone = s->dropped[i];
        bool is_table = gone != NULL && gone->is_gone && s->drops[i].kind == DR_DROP_ROWS;
        struct table *heir = is_table ? heir_of(s, gone) : NULL;
        if (heir == NULL) {
            continue;
        }
        if (heir->columns == NULL) {
            const char *what = dr_arena_printf(s->arena, "the rebuild of table %s", gone->old_name);
            s->words.failed = s->words.failed || what == NULL;
            s->drops[i] = (struct dr_drop){
                .kind = DR_DROP_UNKNOWN, .revision_id = s->revision_id, .what = what};
            s->dropped[i] = NULL;
        } else {
            s->drops[i].kind = DR_DROP_REBUILD;
            s->drops[i].kept = heir->columns;
            s->drops[i].kept_count = heir->columns_count;
        }
        heir->old_schema = gone->old_schema;
        heir->old_name = gone->old_name;
        heir->aliases = gone->aliases;
    }
}

enum dr_rc
dr_loss_scan_unit(struct dr_loss_scan *s, const char *revision_id,
                  const struct dr_statement *statements, size_t count, struct dr_err *err)
{
    struct dr_loss_words *w = &s->words;
    s->revision_id = revision_id;
    s->unit_from = s->drops_count;
    for (size_t i = 0; i < s->tables_count; i++) {
        s->tables[i].unit_schema = s->tables[i].schema;
        s->tables[i].unit_name = s->tables[i].name;
    }
    for (size_t i = 0; i < count; i++) {
        dr_loss_words_read(w, statements[i].text, statements[i].len);
        read_statement(s);
    }
    find_rebuilds(s);
    return s->words.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
}

struct dr_loss_scan *
dr_loss_scan_new(Drover__V1__Engine engine, struct dr_arena *arena)
{
    struct dr_loss_scan *s = dr_arena_alloc(arena, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->arena = arena;
    s->tables = dr_arena_array(arena, DR_DROP_TABLES_MAX, sizeof *s->tables);
    s->drops = dr_arena_array(arena, DR_DROPS_MAX + 1, sizeof *s->drops);
    s->dropped = dr_arena_array(arena, DR_DROPS_MAX + 1, sizeof *s->dropped);
    bool is_whole = dr_loss_words_init(&s->words, engine, arena) && s->tables != NULL &&
                    s->drops != NULL && s->dropped != NULL;
    return is_whole ? s : NULL;
}

const struct dr_drop *
dr_loss_scan_drops(const struct dr_loss_scan *s, size_t *out_count)
{
    *out_count = s->drops_count;
    if (s->is_cut) {
        s->drops[s->drops_count] = (struct dr_drop){
            .kind = DR_DROP_UNKNOWN, .revision_id = s->revision_id, .what = "the rest of it"};
        *out_count = s->drops_count + 1;
    }
    return s->drops;
}
