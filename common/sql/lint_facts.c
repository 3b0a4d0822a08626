#include "sql/lint_internal.h"

#include "sql/tokens.h"

#include <string.h>
#include <strings.h>

// One statement's facts, one after the other: the rules are asked, then the model does what the
// fact says.

static bool
is_end(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '(' || c == ')' || c == ',' || c == ';';
}

// The name without its schema; "" when there is none.
static const char *
last_name(const char *name)
{
    const char *dot = name[0] == '"' ? NULL : strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

// The first token of the statement that is the name, with or without double quotes.
static bool
find_name(const struct dr_model_place *p, const char *name, struct dr_sql_token *out)
{
    const char *text = p->section->file_text + p->section->offset + p->stmt->offset;
    size_t pos = 0, len = strlen(name);
    if (name[0] == '"' && len > 2) {
        name++;
        len -= 2;
    }
    while (len > 0 && dr_sql_token_next(p->section->dialect, text, p->stmt->length, &pos, out)) {
        bool is_quoted = out->kind == DR_TOKEN_QUOTED && out->length == len + 2;
        struct dr_sql_token inner = {DR_TOKEN_WORD, out->offset + is_quoted,
                                     out->length - 2 * (size_t)is_quoted};
        if (inner.length != len || (out->kind != DR_TOKEN_WORD && out->kind != DR_TOKEN_QUOTED)) {
            continue;
        }
        if (strncasecmp(text + inner.offset, name, len) == 0) {
            return true;
        }
    }
    return false;
}

void
dr_lint_report_fact(const struct dr_model_place *place, const char *rule, const char *message,
                    const char *help, struct dr_findings *out)
{
    const struct dr_sql_fact *f = place->fact;
    const struct dr_lint_section *s = place->section;
    struct dr_sql_token token;
    if (f->length > 0) {
        const char *text = s->file_text + s->offset;
        size_t end = f->offset + f->length, last = place->stmt->offset + place->stmt->length;
        while (f->length == 1 && end < last && !is_end(text[end])) {
            end++;
        }
        dr_lint_report(s, place->stmt, rule, f->offset, end - f->offset, message, help, out);
    } else if ((f->kind != DR_FACT_RENAME_TABLE && find_name(place, last_name(f->name), &token)) ||
               find_name(place, last_name(f->table), &token)) {
        dr_lint_report(s, place->stmt, rule, place->stmt->offset + token.offset, token.length,
                       message, help, out);
    } else {
        dr_lint_report_stmt(s, place->stmt, rule, message, help, out);
    }
}

static void
run_rules(struct dr_lint_ctx *ctx)
{
    dr_lint_alter_rules(ctx);
    dr_lint_index_rules(ctx);
    dr_lint_loss_rules(ctx);
    dr_lint_style_rules(ctx);
}

static void
run_list(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
         const struct dr_sql_stmt *stmt, const struct dr_sql_fact *facts, struct dr_findings *out)
{
    for (const struct dr_sql_fact *f = facts; f != NULL; f = f->next) {
        struct dr_lint_ctx ctx = {.catalog = catalog, .out = out};
        ctx.place = (struct dr_model_place){section, stmt, f};
        ctx.is_pg = section->dialect == DR_SQL_POSTGRESQL;
        ctx.table = f->table[0] == '\0' ? NULL : dr_model_find(&catalog->model, f->table);
        ctx.is_older = dr_model_is_older(&catalog->model, section, f->table);
        run_rules(&ctx);
        dr_model_apply(&catalog->model, &ctx.place);
    }
}

void
dr_lint_facts(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
              const struct dr_sql_stmt *stmt, struct dr_findings *out)
{
    run_list(catalog, section, stmt, stmt->facts, out);
    run_list(catalog, section, stmt, dr_lint_word_facts(section, stmt, catalog->arena), out);
    if (strncmp(stmt->drops, "anything", 8) == 0) {
        catalog->model.doubt_file = section->file;
    }
}
