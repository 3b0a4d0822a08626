#include "revision/sections.h"

#include <string.h>

static enum dr_lint_kind
lint_kind(const struct dr_section *s)
{
    switch (s->kind) {
    case DR_SECTION_PREFLIGHT:
        return s->on_down ? DR_LINT_PREFLIGHT_DOWN : DR_LINT_PREFLIGHT;
    case DR_SECTION_VERIFY:
        return s->on_down ? DR_LINT_VERIFY_DOWN : DR_LINT_VERIFY;
    case DR_SECTION_DOWN:
        return DR_LINT_DOWN;
    case DR_SECTION_REMEDY:
        return DR_LINT_REMEDY;
    case DR_SECTION_UP:
    default:
        return DR_LINT_UP;
    }
}

static size_t
count_sections(const struct dr_nodes *nodes, unsigned bit)
{
    size_t count = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        for (size_t k = 0; k < r->section_count; k++) {
            count += (r->sections[k].engines & bit) != 0;
        }
    }
    return count;
}

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the sections of the revisions");
}

static bool
is_said(const char *value)
{
    return value != NULL && value[0] != '\0';
}

// The last phase of a change in steps: no program uses any more what it takes away.
static bool
is_last(const char *phase)
{
    return phase != NULL && strncmp(phase, "contract", 8) == 0;
}

static enum dr_rc
fill(struct dr_checked *c, const struct dr_node *node, const struct dr_section *s,
     enum dr_sql_dialect dialect, struct dr_arena *arena, struct dr_err *err)
{
    const struct dr_revision *r = node->revision;
    struct dr_lint_nolint *nolint = dr_arena_array(arena, r->nolint_count, sizeof *nolint);
    if (nolint == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < r->nolint_count; i++) {
        nolint[i] = (struct dr_lint_nolint){r->nolint[i].rule, r->nolint[i].line};
    }
    c->node = node;
    c->section = s;
    c->lint = (struct dr_lint_section){.dialect = dialect,
                                       .kind = lint_kind(s),
                                       .outside_transaction = s->outside_transaction,
                                       .has_probe = s->probe[0] != '\0',
                                       .file = r->path,
                                       .file_text = r->bytes,
                                       .file_len = r->size,
                                       .offset = s->offset,
                                       .length = s->length,
                                       .line = s->line,
                                       .directive_line = s->directive_line,
                                       .nolint = nolint,
                                       .nolint_count = r->nolint_count,
                                       .is_destructive = is_said(r->destructive),
                                       .is_breaking = is_said(r->breaking) || is_last(r->phase)};
    c->lint.is_unknown_grammar =
        dialect == DR_SQL_POSTGRESQL && r->postgresql_min > DR_GRAMMAR_POSTGRESQL;
    return DR_OK;
}

// Texts of a newer grammar are split by the lexer; all others go to the check together.
static enum dr_rc
check_all(struct dr_checked_list *list, enum dr_sql_dialect dialect, struct dr_arena *arena,
          struct dr_err *err)
{
    struct dr_sql_text *texts = dr_arena_array(arena, list->count, sizeof *texts);
    struct dr_sql_result *results = NULL;
    size_t count = 0;
    if (texts == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct dr_lint_section *s = &list->items[i].lint;
        struct dr_sql_text text = {s->file_text + s->offset, s->length};
        if (!s->is_unknown_grammar) {
            texts[count++] = text;
            continue;
        }
        struct dr_sql_result *own = dr_arena_alloc(arena, sizeof *own);
        enum dr_rc rc = own == NULL ? nomem(err) : dr_sql_split(dialect, &text, arena, own, err);
        if (rc != DR_OK) {
            return rc;
        }
        list->items[i].lint.result = own;
    }
    enum dr_rc rc = dr_sql_check(dialect, texts, count, arena, &results, err);
    count = 0;
    for (size_t i = 0; rc == DR_OK && i < list->count; i++) {
        if (!list->items[i].lint.is_unknown_grammar) {
            list->items[i].lint.result = &results[count++];
        }
    }
    return rc;
}

enum dr_rc
dr_sections_check(const struct dr_nodes *nodes, Drover__V1__Engine engine, struct dr_arena *arena,
                  struct dr_checked_list *out, struct dr_err *err)
{
    enum dr_sql_dialect dialect =
        engine == DROVER__V1__ENGINE__SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    unsigned bit = 1u << (unsigned)engine;
    struct dr_checked_list list = {.count = 0};
    list.items = dr_arena_array(arena, count_sections(nodes, bit), sizeof *list.items);
    if (list.items == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        for (size_t k = 0; k < r->section_count; k++) {
            if ((r->sections[k].engines & bit) == 0) {
                continue;
            }
            enum dr_rc rc = fill(&list.items[list.count++], nodes->items[i], &r->sections[k],
                                 dialect, arena, err);
            if (rc != DR_OK) {
                return rc;
            }
        }
    }
    enum dr_rc rc = check_all(&list, dialect, arena, err);
    if (rc == DR_OK) {
        *out = list;
    }
    return rc;
}
