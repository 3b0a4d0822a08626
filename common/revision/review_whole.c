#include "revision/review_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { SOURCE_MAX = 500, ALEMBIC_ID_MAX = 32 };

char *
dr_review_source(const char *text, size_t len, uint32_t line, struct dr_arena *arena)
{
    for (uint32_t l = 1; l < line && text != NULL; l++) {
        const char *end = memchr(text, '\n', len);
        if (end == NULL) {
            return NULL;
        }
        len -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    const char *end = text == NULL ? NULL : memchr(text, '\n', len);
    size_t n = end == NULL ? len : (size_t)(end - text);
    return text == NULL ? NULL : dr_arena_strn(arena, text, n > SOURCE_MAX ? SOURCE_MAX : n);
}

void
dr_review_line(const struct dr_revision *r, const char *rule, uint32_t line, const char *message,
               const char *help, struct dr_findings *out)
{
    const struct dr_lint_rule *row = dr_lint_rule_named(rule);
    struct dr_finding f = {.severity = row->severity, .rc = row->rc, .rule = row->name};
    f.message = dr_arena_str(out->arena, message);
    f.help = dr_arena_str(out->arena, help);
    f.file = dr_arena_str(out->arena, r->path);
    f.source_line = dr_review_source(r->bytes, r->size, line, out->arena);
    f.line = line;
    f.column = 1;
    f.width = f.source_line == NULL ? 1 : (uint32_t)strlen(f.source_line);
    if (f.file != NULL && f.message != NULL) {
        dr_findings_add(out, &f);
    }
}

// True when a nolint anywhere in the file names the rule.
static bool
is_silenced(const struct dr_revision *r, const char *rule, bool *used)
{
    bool is = false;
    for (size_t i = 0; i < r->nolint_count; i++) {
        if (strcmp(r->nolint[i].rule, rule) == 0) {
            is = true;
            used[i] = true;
        }
    }
    return is;
}

void
dr_review_whole(const struct dr_node *node, bool *used, struct dr_findings *out)
{
    const struct dr_revision *r = node->revision;
    bool has_verify = r->section_count == 0;
    for (size_t i = 0; i < r->section_count; i++) {
        has_verify =
            has_verify || (r->sections[i].kind == DR_SECTION_VERIFY && !r->sections[i].on_down);
    }
    if (!has_verify && !is_silenced(r, "no-verify", used)) {
        dr_review_line(
            r, "no-verify", r->id_line, "nothing checks what the revision did",
            "add a section: -- drover:verify \"what must hold\" with a SELECT that is true", out);
    }
    if (strlen(r->id) > ALEMBIC_ID_MAX && !is_silenced(r, "id-too-long", used)) {
        dr_review_line(r, "id-too-long", r->id_line,
                       "the id has more than 32 characters, which the table alembic_version cannot "
                       "hold",
                       "shorten it, or do not keep alembic_version in step", out);
    }
}

// Of a file with an error nobody knows what else would be found in it.
static bool
has_error(const struct dr_revision *r, const struct dr_findings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].severity == DR_SEVERITY_ERROR &&
            strcmp(list->items[i].file, r->path) == 0) {
            return true;
        }
    }
    return false;
}

void
dr_review_nolint(const struct dr_node *node, const bool *used, struct dr_findings *out)
{
    const struct dr_revision *r = node->revision;
    char message[200];
    for (size_t i = 0; i < r->nolint_count; i++) {
        const struct dr_nolint *n = &r->nolint[i];
        const struct dr_lint_rule *rule = dr_lint_rule_named(n->rule);
        bool is_asked = rule != NULL && dr_findings_want(out, n->rule) &&
                        (!rule->is_strict || out->only != NULL);
        if (rule == NULL) {
            snprintf(message, sizeof message, "there is no rule '%.80s'", n->rule);
            dr_review_line(r, "unknown-rule", n->line, message, "drover lint --rules lists them",
                           out);
        } else if (rule->severity == DR_SEVERITY_ERROR) {
            snprintf(message, sizeof message, "'%.80s' is an error, which nothing silences",
                     n->rule);
            dr_review_line(r, "unused-nolint", n->line, message, "remove the line", out);
        } else if (is_asked && !used[i] && !has_error(r, out)) {
            snprintf(message, sizeof message,
                     "'%.80s' says nothing about the statement behind this", n->rule);
            dr_review_line(r, "unused-nolint", n->line, message,
                           "remove the line, or put it in front of the statement that it is for",
                           out);
        }
    }
}
