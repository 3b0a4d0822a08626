#include "sql/lint_internal.h"

#include "base/str.h"
#include "sql/tokens.h"

#include <ctype.h>
#include <string.h>

// Facts that words alone tell. On SQLite, which has no parser that stands alone, the statement has
// been prepared against a scratch database too, so this reads what is known to be well formed: it
// is lenient, and says nothing when it does not understand.

struct reader {
    const struct dr_lint_section *section;
    const struct dr_sql_stmt *stmt;
    struct dr_arena *arena;
    const char *text; // of the statement
    size_t pos;
    struct dr_sql_token at; // length 0: the end
    const struct dr_sql_fact *first, **tail;
    struct dr_sql_fact spare; // written to when memory is out, and never read
};

static void
advance(struct reader *r)
{
    if (!dr_sql_token_next(r->section->dialect, r->text, r->stmt->length, &r->pos, &r->at)) {
        r->at = (struct dr_sql_token){.offset = r->stmt->length};
    }
}

static bool
is_at(const struct reader *r, const char *word)
{
    return r->at.length > 0 && dr_sql_token_is(r->text, &r->at, word);
}

static bool
take(struct reader *r, const char *word)
{
    bool is = is_at(r, word);
    if (is) {
        advance(r);
    }
    return is;
}

// A name in the form in which names are compared: SQLite's without quotes and in lower case,
// PostgreSQL's as SQL.
static const char *
name_of(struct reader *r, const struct dr_sql_token *t)
{
    bool is_quoted = t->kind == DR_TOKEN_QUOTED || t->kind == DR_TOKEN_STRING;
    bool is_lite = r->section->dialect == DR_SQL_SQLITE;
    char *name = dr_arena_strn(r->arena, r->text + t->offset, t->length);
    if (name == NULL || t->length < 2) {
        return name == NULL ? "" : name;
    }
    const char *inner = name + 1;
    bool is_plain = strspn(inner, "abcdefghijklmnopqrstuvwxyz0123456789_") == t->length - 2;
    for (char *c = name; (is_lite || !is_quoted) && *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    if (is_quoted && (is_lite || is_plain)) {
        name[t->length - 1] = '\0';
        return inner;
    }
    return name;
}

// [schema.]name; "" when none stands here. `*out` is its last token.
static const char *
take_name(struct reader *r, struct dr_sql_token *out)
{
    const char *name = "";
    *out = r->at;
    for (bool is_more = true; is_more;) {
        if (r->at.length == 0 || r->at.kind == DR_TOKEN_OTHER || r->at.kind == DR_TOKEN_NUMBER) {
            return "";
        }
        const char *part = name_of(r, &r->at);
        *out = r->at;
        advance(r);
        bool keeps = name[0] != '\0' && r->section->dialect == DR_SQL_POSTGRESQL;
        name = keeps ? dr_arena_printf(r->arena, "%s.%s", name, part) : part;
        is_more = take(r, ".");
    }
    return name == NULL ? "" : name;
}

static struct dr_sql_fact *
add(struct reader *r, unsigned kind, const char *table, const struct dr_sql_token *at)
{
    struct dr_sql_fact *f = dr_arena_alloc(r->arena, sizeof *f);
    if (f == NULL) {
        return &r->spare;
    }
    *f = (struct dr_sql_fact){.kind = kind, .table = table, .name = "", .columns = "", .ref = ""};
    f->offset = r->stmt->offset + (at == NULL ? 0 : at->offset);
    f->length = at == NULL ? 0 : at->length;
    *r->tail = f;
    r->tail = &f->next;
    return f;
}

// Behind the parenthesis that closes the one here.
static void
skip_parens(struct reader *r)
{
    size_t depth = 0;
    while (r->at.length > 0) {
        depth += is_at(r, "(");
        bool is_close = is_at(r, ")");
        advance(r);
        if (is_close && --depth == 0) {
            return;
        }
    }
}

// "(a, b)" as "a,b"; "" when one of them is an expression.
static const char *
take_columns(struct reader *r)
{
    struct dr_buf list = {0};
    bool is_plain = true, is_first = true;
    if (!take(r, "(")) {
        return "";
    }
    while (r->at.length > 0 && !take(r, ")")) {
        if (is_at(r, "(")) {
            is_plain = false;
            skip_parens(r);
        } else if (take(r, ",")) {
            is_first = true;
        } else {
            const char *name = is_first ? name_of(r, &r->at) : "";
            is_plain = is_plain && r->at.kind != DR_TOKEN_OTHER && r->at.kind != DR_TOKEN_NUMBER;
            dr_buf_str(&list, is_first && list.len > 0 ? "," : "");
            dr_buf_str(&list, name);
            is_first = false;
            advance(r);
        }
    }
    char *kept = is_plain && list.data != NULL ? dr_arena_str(r->arena, list.data) : NULL;
    dr_buf_fini(&list);
    return kept == NULL ? "" : kept;
}

static bool
is_constraint_word(const struct reader *r)
{
    static const char *const words[] = {"constraint", "primary", "not",       "null",
                                        "unique",     "check",   "default",   "collate",
                                        "references", "as",      "generated", "autoincrement"};
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (is_at(r, words[i])) {
            return true;
        }
    }
    return false;
}

static const char *
take_type(struct reader *r)
{
    struct dr_buf type = {0};
    while (r->at.length > 0 && !is_constraint_word(r) && !is_at(r, ",") && !is_at(r, ")")) {
        if (is_at(r, "(")) {
            skip_parens(r);
        } else {
            dr_buf_str(&type, type.len > 0 ? " " : "");
            dr_buf_str(&type, name_of(r, &r->at));
            advance(r);
        }
    }
    char *kept = type.data == NULL ? NULL : dr_arena_str(r->arena, type.data);
    dr_buf_fini(&type);
    return kept == NULL ? "" : kept;
}

// What follows a column's type, up to the next column.
static void
take_constraints(struct reader *r, struct dr_sql_fact *column, unsigned flags)
{
    while (r->at.length > 0 && !is_at(r, ",") && !is_at(r, ")")) {
        struct dr_sql_token at = r->at, other;
        if (take(r, "not")) {
            column->flags |= take(r, "null") ? (unsigned)DR_FACT_NOT_NULL : 0u;
        } else if (take(r, "default")) {
            bool is_fixed = !is_at(r, "(") && !is_at(r, "current_timestamp") &&
                            !is_at(r, "current_date") && !is_at(r, "current_time");
            column->flags |= DR_FACT_HAS_DEFAULT | (is_fixed ? 0u : (unsigned)DR_FACT_VOLATILE);
        } else if (is_at(r, "primary") || is_at(r, "unique")) {
            struct dr_sql_fact *key = add(r, DR_FACT_KEY, column->table, &at);
            key->columns = column->name;
            key->flags = flags | DR_FACT_UNIQUE | DR_FACT_INLINE |
                         (is_at(r, "primary") ? (unsigned)DR_FACT_PRIMARY : 0u);
            column->flags |= key->flags & DR_FACT_PRIMARY;
            advance(r);
        } else if (take(r, "references")) {
            struct dr_sql_fact *key = add(r, DR_FACT_FOREIGN_KEY, column->table, &at);
            key->columns = column->name;
            key->ref = take_name(r, &other);
            key->flags = flags | DR_FACT_INLINE;
        } else if (take(r, "generated") || take(r, "as")) {
            column->flags |= DR_FACT_HAS_DEFAULT | DR_FACT_FILLED;
        } else if (is_at(r, "(")) {
            skip_parens(r);
        } else {
            advance(r);
        }
    }
}

static void
take_column(struct reader *r, const char *table, unsigned flags)
{
    struct dr_sql_token at = {.length = 0};
    const char *name = take_name(r, &at);
    if (name[0] == '\0') {
        advance(r);
        return;
    }
    struct dr_sql_fact *column = add(r, DR_FACT_COLUMN, table, &at);
    column->name = name;
    column->flags = flags;
    column->columns = take_type(r);
    take_constraints(r, column, flags);
}

// PRIMARY KEY (...), UNIQUE (...), FOREIGN KEY (...) REFERENCES ..., CHECK (...).
static void
take_table_constraint(struct reader *r, const char *table)
{
    struct dr_sql_token at, other;
    const char *name = take(r, "constraint") ? take_name(r, &other) : "";
    at = r->at;
    bool is_primary = is_at(r, "primary"), is_foreign = is_at(r, "foreign");
    bool is_key = is_primary || is_at(r, "unique");
    advance(r);
    take(r, "key");
    if (is_key || is_foreign) {
        struct dr_sql_fact *f = add(r, is_key ? DR_FACT_KEY : DR_FACT_FOREIGN_KEY, table, &at);
        f->name = name;
        f->columns = take_columns(r);
        f->flags = (is_key ? (unsigned)DR_FACT_UNIQUE : 0u) |
                   (is_primary ? (unsigned)DR_FACT_PRIMARY : 0u);
        f->ref = is_foreign && take(r, "references") ? take_name(r, &other) : "";
    }
    while (r->at.length > 0 && !is_at(r, ",") && !is_at(r, ")")) {
        if (is_at(r, "(")) {
            skip_parens(r);
        } else {
            advance(r);
        }
    }
}

static bool
take_if_exists(struct reader *r)
{
    bool is = take(r, "if");
    if (is) {
        take(r, "not");
        take(r, "exists");
    }
    return is;
}

static void
on_create_table(struct reader *r, bool is_temporary)
{
    struct dr_sql_token at;
    bool is_optional = take_if_exists(r);
    const char *table = take_name(r, &at);
    struct dr_sql_fact *f = add(r, DR_FACT_TABLE, table, NULL);
    f->flags = (is_temporary ? (unsigned)DR_FACT_TEMPORARY : 0u) |
               (is_optional ? (unsigned)DR_FACT_OPTIONAL : 0u) |
               (is_at(r, "(") ? 0u : (unsigned)DR_FACT_VAGUE);
    if (!take(r, "(")) {
        return;
    }
    while (r->at.length > 0 && !take(r, ")")) {
        if (take(r, ",")) {
            continue;
        }
        if (is_at(r, "constraint") || is_at(r, "primary") || is_at(r, "unique") ||
            is_at(r, "foreign") || is_at(r, "check")) {
            take_table_constraint(r, table);
        } else {
            take_column(r, table, 0);
        }
    }
}

static void
on_create_index(struct reader *r, bool is_unique)
{
    struct dr_sql_token at;
    take_if_exists(r);
    const char *name = take_name(r, &at);
    if (!take(r, "on")) {
        return;
    }
    struct dr_sql_fact *f = add(r, DR_FACT_INDEX, take_name(r, &at), NULL);
    f->name = name;
    f->columns = take_columns(r);
    f->flags = (is_unique ? (unsigned)DR_FACT_UNIQUE : 0u) |
               (is_at(r, "where") ? (unsigned)DR_FACT_PARTIAL : 0u);
}

static void
on_create(struct reader *r)
{
    bool is_unique = take(r, "unique");
    bool is_temporary = take(r, "temp") || take(r, "temporary");
    if (take(r, "table")) {
        on_create_table(r, is_temporary);
    } else if (take(r, "index")) {
        on_create_index(r, is_unique);
    }
}

static void
on_alter(struct reader *r)
{
    struct dr_sql_token at;
    if (!take(r, "table")) {
        return;
    }
    const char *table = take_name(r, &at);
    struct dr_sql_token first = at;
    if (take(r, "add")) {
        take(r, "column");
        take_column(r, table, DR_FACT_ADDED);
    } else if (take(r, "drop")) {
        take(r, "column");
        const char *name = take_name(r, &at);
        add(r, DR_FACT_DROP_COLUMN, table, &at)->name = name;
    } else if (take(r, "rename")) {
        bool is_table = take(r, "to");
        if (!is_table) {
            take(r, "column");
        }
        const char *name = take_name(r, &at);
        struct dr_sql_fact *f = add(r, is_table ? DR_FACT_RENAME_TABLE : DR_FACT_RENAME_COLUMN,
                                    table, is_table ? &first : &at);
        f->name = name;
        f->ref = !is_table && take(r, "to") ? take_name(r, &at) : "";
    }
}

static void
on_drop(struct reader *r)
{
    struct dr_sql_token at;
    bool is_table = take(r, "table");
    if (!is_table && !take(r, "index")) {
        return;
    }
    take_if_exists(r);
    const char *name = take_name(r, &at);
    struct dr_sql_fact *f =
        add(r, is_table ? DR_FACT_DROP_TABLE : DR_FACT_DROP_INDEX, is_table ? name : "", &at);
    f->name = is_table ? "" : name;
}

// DELETE FROM x, and nothing that chooses rows.
static void
on_delete(struct reader *r)
{
    struct dr_sql_token at;
    if (!take(r, "from")) {
        return;
    }
    take(r, "only");
    const char *table = take_name(r, &at);
    while (r->at.length > 0 && !is_at(r, "where") && !is_at(r, "using")) {
        advance(r);
    }
    if (r->at.length == 0 && table[0] != '\0') {
        add(r, DR_FACT_DELETE_ALL, table, &at);
    }
}

const struct dr_sql_fact *
dr_lint_word_facts(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                   struct dr_arena *arena)
{
    struct reader r = {.section = section, .stmt = stmt, .arena = arena};
    bool is_lite = section->dialect == DR_SQL_SQLITE;
    r.text = section->file_text + section->offset + stmt->offset;
    r.tail = &r.first;
    if (!is_lite && strncmp(stmt->what, "DELETE", 6) != 0) {
        return NULL;
    }
    advance(&r);
    if (take(&r, "delete")) {
        on_delete(&r);
    } else if (is_lite && take(&r, "create")) {
        on_create(&r);
    } else if (is_lite && take(&r, "alter")) {
        on_alter(&r);
    } else if (is_lite && take(&r, "drop")) {
        on_drop(&r);
    }
    return r.first;
}
