#include "sql/lint_internal.h"

#include "sql/tokens.h"

#include <stdio.h>
#include <string.h>

// Rules about indexes, views that are stored, and enum values.

static void
say(const struct dr_lint_ctx *c, const char *rule, const char *message, const char *help)
{
    dr_lint_report_fact(&c->place, rule, message, help, c->out);
}

static bool
is_whole_index(unsigned kind, unsigned flags, const char *columns, const char *method)
{
    bool is_tree = kind == DR_FACT_KEY || method[0] == '\0' || strcmp(method, "btree") == 0;
    return (kind == DR_FACT_KEY || kind == DR_FACT_INDEX) &&
           (flags & (DR_FACT_PARTIAL | DR_FACT_VAGUE)) == 0 && columns[0] != '\0' && is_tree;
}

// A second index over the very same columns. A unique one behind a plain one is no duplicate: it
// says something new; then the plain one is.
static void
on_duplicate(const struct dr_lint_ctx *c)
{
    const struct dr_sql_fact *f = c->place.fact;
    const struct dr_model_part *p = c->table == NULL ? NULL : c->table->parts;
    if (!is_whole_index(f->kind, f->flags, f->columns, f->kind == DR_FACT_KEY ? "" : f->ref) ||
        (f->kind == DR_FACT_KEY && f->ref[0] != '\0')) {
        return;
    }
    while (p != NULL &&
           (p->is_gone || p->place.fact == f ||
            !is_whole_index(p->kind, p->flags, p->columns, p->kind == DR_FACT_KEY ? "" : p->ref) ||
            strcmp(p->columns, f->columns) != 0)) {
        p = p->next;
    }
    if (p == NULL) {
        return;
    }
    char message[400];
    const struct dr_model_place *at = &p->place;
    bool is_key = p->kind == DR_FACT_KEY;
    snprintf(message, sizeof message,
             "'%.80s' has an index on (%.100s) already: %s '%.80s' on line %u", f->table,
             f->columns,
             !is_key                             ? "index"
             : (p->flags & DR_FACT_PRIMARY) != 0 ? "primary key"
                                                 : "unique constraint",
             p->name, at->section->line + at->stmt->line - 1);
    say(c, "unique-and-index-duplicate", message,
        "keep one of them: each costs room, and time at every write");
}

static void
on_index(const struct dr_lint_ctx *c)
{
    const struct dr_sql_fact *f = c->place.fact;
    bool is_partitioned = c->table != NULL && (c->table->flags & DR_FACT_PARTITIONED) != 0;
    if (c->is_pg && c->is_older && !is_partitioned && (f->flags & DR_FACT_CONCURRENTLY) == 0) {
        dr_lint_report_stmt(
            c->place.section, c->place.stmt, "require-concurrent-index-creation",
            "building this index blocks writes to the table",
            "write CREATE INDEX CONCURRENTLY in a section of its own: -- drover:up transaction=off",
            c->out);
    }
    on_duplicate(c);
}

static void
on_drop_index(const struct dr_lint_ctx *c)
{
    char name[200];
    snprintf(name, sizeof name, "relation %.180s", c->place.fact->name);
    if (c->is_pg && (c->place.fact->flags & DR_FACT_CONCURRENTLY) == 0 &&
        dr_lint_is_older(c->catalog, name, c->place.section->file)) {
        say(c, "require-concurrent-index-deletion",
            "DROP INDEX waits for all who use the table, and others wait behind it",
            "write DROP INDEX CONCURRENTLY in a section of its own: -- drover:up transaction=off");
    }
}

static void
on_reindex(const struct dr_lint_ctx *c)
{
    bool is_asked = c->place.fact->table[0] == '\0' || c->is_older;
    if (c->is_pg && is_asked && (c->place.fact->flags & DR_FACT_CONCURRENTLY) == 0) {
        say(c, "require-concurrent-reindex",
            "REINDEX blocks writes to the table, and reads through the index",
            "write REINDEX ... CONCURRENTLY in a section of its own: -- drover:up transaction=off");
    }
}

static void
on_refresh(const struct dr_lint_ctx *c)
{
    if (c->is_pg && c->is_older && (c->place.fact->flags & DR_FACT_CONCURRENTLY) == 0) {
        say(c, "require-concurrent-refresh", "REFRESH blocks reads of the view while it is filled",
            "with a unique index on the view: REFRESH MATERIALIZED VIEW CONCURRENTLY");
    }
}

// True when the text has the string, and is not about the catalog of enum values.
static bool
uses_value(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt, const char *value,
           struct dr_sql_token *out)
{
    const char *text = s->file_text + s->offset + stmt->offset;
    size_t pos = 0, len = strlen(value);
    bool is_used = false;
    struct dr_sql_token t;
    while (dr_sql_token_next(s->dialect, text, stmt->length, &pos, &t)) {
        if (dr_sql_token_is(text, &t, "pg_enum") || dr_sql_token_is(text, &t, "enumlabel")) {
            return false;
        }
        if (!is_used && t.kind == DR_TOKEN_STRING && t.length == len + 2 &&
            memcmp(text + t.offset + 1, value, len) == 0) {
            *out = t;
            is_used = true;
        }
    }
    return is_used;
}

static void
on_value(const struct dr_lint_ctx *c)
{
    char type[200], message[300];
    const struct dr_lint_section *s = c->place.section;
    snprintf(type, sizeof type, "type %.180s", c->place.fact->table);
    bool is_new =
        dr_lint_is_older(c->catalog, type, "") && !dr_lint_is_older(c->catalog, type, s->file);
    if (is_new || s->outside_transaction) {
        return; // a type of the same transaction may be used with all its values
    }
    for (size_t i = 0; i < s->result->count; i++) {
        const struct dr_sql_stmt *stmt = &s->result->stmts[i];
        struct dr_sql_token t = {.length = 1};
        if (stmt <= c->place.stmt || !uses_value(s, stmt, c->place.fact->name, &t)) {
            continue;
        }
        snprintf(message, sizeof message,
                 "'%.80s' cannot be used in the transaction that adds it to '%.80s'",
                 c->place.fact->name, c->place.fact->table);
        dr_lint_report(s, stmt, "enum-value-in-transaction", stmt->offset + t.offset, t.length,
                       message, "begin a section behind ADD VALUE: -- drover:up", c->out);
        return;
    }
}

void
dr_lint_index_rules(const struct dr_lint_ctx *ctx)
{
    switch (ctx->place.fact->kind) {
    case DR_FACT_INDEX:
        on_index(ctx);
        break;
    case DR_FACT_KEY:
        on_duplicate(ctx);
        break;
    case DR_FACT_DROP_INDEX:
        on_drop_index(ctx);
        break;
    case DR_FACT_REINDEX:
        on_reindex(ctx);
        break;
    case DR_FACT_REFRESH:
        on_refresh(ctx);
        break;
    case DR_FACT_ADD_VALUE:
        on_value(ctx);
        break;
    default:
        break;
    }
}
