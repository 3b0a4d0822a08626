#include "sql/lint_internal.h"

#include "sql/tokens.h"

#include <stdio.h>
#include <string.h>

// Rules about what is lost, and about names that programs know. Data may be lost by a revision
// whose header says so; a table that was copied before it was dropped is not lost.

// Says `destructive-undeclared` (false when the header has the line).
static bool
say_undeclared(const struct dr_model_place *p, const char *what, const char *name,
               struct dr_findings *out)
{
    char message[300];
    if (p->section->is_destructive) {
        return false;
    }
    snprintf(message, sizeof message, "%s '%.100s', and the header does not say so", what, name);
    dr_lint_report_fact(p, "destructive-undeclared", message,
                        "add a line to the header, which everyone who approves will see: -- "
                        "Destructive: what is lost",
                        out);
    return true;
}

// What programs that run meanwhile will miss. Silent when the header says that they fail, or that
// none is left.
static void
say_breaking(const struct dr_model_place *p, const char *rule, const char *message,
             struct dr_findings *out)
{
    if (!p->section->is_breaking) {
        dr_lint_report_fact(p, rule, message,
                            "change the programs first; then say in the header -- Phase: contract, "
                            "or -- Breaking: what fails",
                            out);
    }
}

// True when an INSERT of this section, before the statement, names the table: its rows were copied.
static bool
is_copied(const struct dr_lint_ctx *c)
{
    const struct dr_lint_section *s = c->place.section;
    const char *table = c->place.fact->table;
    for (size_t i = 0; i < s->result->count && &s->result->stmts[i] < c->place.stmt; i++) {
        const struct dr_sql_stmt *stmt = &s->result->stmts[i];
        const char *text = s->file_text + s->offset + stmt->offset;
        struct dr_sql_token t;
        size_t pos = 0;
        if (strncmp(stmt->what, "INSERT", 6) != 0 && strncmp(stmt->what, "CREATE TABLE", 12) != 0) {
            continue;
        }
        while (dr_sql_token_next(s->dialect, text, stmt->length, &pos, &t)) {
            struct dr_sql_token inner = t;
            inner.kind = DR_TOKEN_WORD;
            inner.offset += t.kind == DR_TOKEN_QUOTED;
            inner.length -= t.kind == DR_TOKEN_QUOTED ? 2 : 0;
            if (dr_sql_token_is(text, &inner, table)) {
                return true;
            }
        }
    }
    return false;
}

static void
remember_drop(const struct dr_lint_ctx *c)
{
    struct dr_lint_drop *d = dr_arena_alloc(c->catalog->arena, sizeof *d);
    if (d == NULL) {
        return;
    }
    *d = (struct dr_lint_drop){.next = c->catalog->drops, .place = c->place};
    d->first_name = c->place.fact->table;
    d->is_known = c->table != NULL;
    if (c->table != NULL && c->table->renamed_in != NULL &&
        strcmp(c->table->renamed_in, c->place.section->file) == 0) {
        d->first_name = c->table->first_name;
    }
    d->is_copied = is_copied(c);
    c->catalog->drops = d;
}

void
dr_lint_revision_end(struct dr_lint_catalog *catalog, struct dr_findings *out)
{
    for (struct dr_lint_drop *d = catalog->drops; d != NULL; d = d->next) {
        const char *name = d->place.fact->table;
        char message[200];
        bool is_there = dr_model_find(&catalog->model, d->first_name) != NULL;
        if (is_there && (d->is_copied || !d->is_known)) {
            continue; // a rebuild
        }
        snprintf(message, sizeof message, "programs that still name table '%.80s' fail", name);
        if (!say_undeclared(&d->place, "this drops table", name, out) && !is_there) {
            say_breaking(&d->place, "ban-drop-table", message, out);
        }
    }
    catalog->drops = NULL;
}

static void
on_drop_column(const struct dr_lint_ctx *c)
{
    char message[200];
    snprintf(message, sizeof message, "programs that still name column '%.80s' fail",
             c->place.fact->name);
    if (c->is_older &&
        !say_undeclared(&c->place, "this drops column", c->place.fact->name, c->out)) {
        say_breaking(&c->place, "ban-drop-column", message, c->out);
    }
}

static void
on_rename(const struct dr_lint_ctx *c)
{
    char message[300];
    bool is_table = c->place.fact->kind == DR_FACT_RENAME_TABLE;
    snprintf(message, sizeof message, "programs that know the name '%.80s' fail",
             is_table ? c->place.fact->table : c->place.fact->name);
    if (c->is_older) {
        say_breaking(&c->place, is_table ? "renaming-table" : "renaming-column", message, c->out);
    }
}

static void
on_truncate(const struct dr_lint_ctx *c)
{
    if (c->is_older) {
        say_undeclared(&c->place, "this empties table", c->place.fact->table, c->out);
    }
    if ((c->place.fact->flags & DR_FACT_CASCADE) != 0) {
        dr_lint_report_fact(&c->place, "ban-truncate-cascade",
                            "CASCADE also empties every table that refers to this one",
                            "name the tables that are to be emptied, without CASCADE", c->out);
    }
}

void
dr_lint_loss_rules(const struct dr_lint_ctx *ctx)
{
    switch (ctx->place.fact->kind) {
    case DR_FACT_DROP_TABLE:
        if (ctx->is_older) {
            remember_drop(ctx);
        }
        break;
    case DR_FACT_DROP_COLUMN:
        on_drop_column(ctx);
        break;
    case DR_FACT_DROP_SCHEMA:
        if ((ctx->place.fact->flags & DR_FACT_CASCADE) != 0) {
            say_undeclared(&ctx->place, "this drops all that is in schema", ctx->place.fact->name,
                           ctx->out);
        }
        break;
    case DR_FACT_RENAME_TABLE:
    case DR_FACT_RENAME_COLUMN:
        on_rename(ctx);
        break;
    case DR_FACT_TRUNCATE:
        on_truncate(ctx);
        break;
    case DR_FACT_DELETE_ALL:
        if (ctx->is_older) {
            say_undeclared(&ctx->place, "this deletes every row of table", ctx->place.fact->table,
                           ctx->out);
        }
        break;
    default:
        break;
    }
}
