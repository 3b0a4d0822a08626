#include "sql/lint_internal.h"

#include "base/str.h"
#include "sql/preflight.h"

#include <stdio.h>
#include <string.h>

// A nolint holds for the first statement behind it.
static bool
is_silenced(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt, const char *rule)
{
    uint32_t before = s->directive_line;
    if (s->nolint_count == 0) {
        return false;
    }
    for (size_t i = 0; i < s->result->count && &s->result->stmts[i] != stmt; i++) {
        before = s->line + s->result->stmts[i].line - 1;
    }
    uint32_t line = s->line + stmt->line - 1;
    bool is = false;
    for (size_t i = 0; i < s->nolint_count; i++) {
        const struct dr_lint_nolint *n = &s->nolint[i];
        if (n->line > before && n->line < line && strcmp(n->rule, rule) == 0) {
            is = true;
            if (s->nolint_used != NULL) {
                s->nolint_used[i] = true;
            }
        }
    }
    return is;
}

static char *
line_at(const struct dr_lint_section *s, size_t at, struct dr_arena *arena)
{
    size_t from = at > s->file_len ? s->file_len : at;
    while (from > 0 && s->file_text[from - 1] != '\n') {
        from--;
    }
    const char *end = memchr(s->file_text + from, '\n', s->file_len - from);
    size_t len = end == NULL ? s->file_len - from : (size_t)(end - s->file_text) - from;
    return dr_arena_strn(arena, s->file_text + from, len > 500 ? 500 : len);
}

void
dr_lint_report(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
               const char *rule, size_t at, size_t width, const char *message, const char *help,
               struct dr_findings *out)
{
    const struct dr_lint_rule *row = dr_lint_rule_named(rule);
    bool is_left_out = (row->is_strict && out->only == NULL) || !dr_findings_want(out, rule);
    if (is_left_out ||
        (row->severity != DR_SEVERITY_ERROR && stmt != NULL && is_silenced(section, stmt, rule))) {
        return;
    }
    struct dr_finding f = {.severity = row->severity, .rc = row->rc, .rule = row->name};
    size_t offset = section->offset + at;
    size_t base = stmt == NULL || at < stmt->offset ? 0 : stmt->offset;
    dr_sql_position(section->file_text + section->offset + base, section->length - base, at - base,
                    &f.line, &f.column);
    f.column += base > 0 && f.line == 1 ? stmt->column - 1 : 0;
    f.line += section->line - 1 + (base > 0 ? stmt->line - 1 : 0);
    const char *newline = memchr(section->file_text + offset, '\n', section->file_len - offset);
    size_t rest = newline == NULL ? section->file_len - offset
                                  : (size_t)(newline - section->file_text) - offset;
    f.width = (uint32_t)(width < rest ? width : rest);
    f.file = dr_arena_str(out->arena, section->file);
    f.message = dr_arena_str(out->arena, message);
    f.help = dr_arena_str(out->arena, help);
    f.source_line = line_at(section, offset, out->arena);
    if (strcmp(rule, "unquoted-reserved-word") == 0) {
        f.label =
            section->dialect == DR_SQL_SQLITE ? "reserved in SQLite" : "reserved in PostgreSQL";
    }
    if (f.message != NULL && f.file != NULL) {
        dr_findings_add(out, &f);
    }
}

static void
report_problem(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
               const struct dr_sql_problem *p, struct dr_findings *out)
{
    const struct dr_lint_rule *row = dr_lint_rule_of(p->rc);
    dr_lint_report(s, stmt, row == NULL ? "syntax-error" : row->name, p->offset, p->length,
                   p->message, p->help, out);
}

void
dr_lint_report_stmt(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                    const char *rule, const char *message, const char *help,
                    struct dr_findings *out)
{
    size_t width = 0;
    const char *text = section->file_text + section->offset + stmt->offset;
    while (width < stmt->length && text[width] != ' ' && text[width] != '\n' &&
           text[width] != '\t') {
        width++;
    }
    dr_lint_report(section, stmt, rule, stmt->offset, width, message, help, out);
}

// Rules about transactions and what stands in or outside of them.
static void
lint_transaction(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
                 struct dr_findings *out)
{
    char message[200], help[200];
    const char *directive = s->kind == DR_LINT_DOWN     ? "down"
                            : s->kind == DR_LINT_REMEDY ? "remedy"
                                                        : "up";
    if (!s->outside_transaction && (stmt->flags & DR_SQL_OUTSIDE_ONLY) != 0) {
        bool is_concurrent = (stmt->flags & DR_SQL_CONCURRENT) != 0;
        snprintf(message, sizeof message, "%s cannot run in a transaction", stmt->what);
        snprintf(help, sizeof help, "give it a section of its own: -- drover:%s transaction=off",
                 directive);
        dr_lint_report_stmt(
            s, stmt, is_concurrent ? "concurrent-index-in-transaction" : "mixed-transaction-step",
            message, help, out);
    } else if (s->has_probe && s->dialect == DR_SQL_SQLITE) {
        bool is_repeatable = (stmt->flags & DR_SQL_OUTSIDE_ALLOWED) != 0;
        snprintf(message, sizeof message, "no probe is asked on SQLite: %s",
                 is_repeatable ? "what was cut off is run again, which does no harm here"
                               : "the statement belongs into a transaction");
        dr_lint_report_stmt(s, stmt, "probe-not-asked", message,
                            is_repeatable
                                ? "remove probe=\"...\"; for PostgreSQL write a section of its own "
                                  "with engine=postgresql"
                                : "remove transaction=off and probe=\"...\"; for PostgreSQL write "
                                  "a section of its own with engine=postgresql",
                            out);
    } else if (s->outside_transaction && (stmt->flags & DR_SQL_OUTSIDE_ALLOWED) == 0 &&
               !s->has_probe && !s->is_unknown_grammar) {
        bool must = (stmt->flags & DR_SQL_OUTSIDE_ONLY) != 0;
        snprintf(message, sizeof message,
                 "%s outside a transaction could not be proved done or not done after a crash",
                 stmt->what);
        dr_lint_report_stmt(s, stmt, "transaction-off-without-probe", message,
                            must ? "say how to tell: probe=\"SELECT ...\", true when it is done"
                                 : "remove transaction=off from the section",
                            out);
    }
}

static void
lint_concurrent(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
                struct dr_findings *out)
{
    bool is_index = stmt->probe == DROVER__V1__PROBE__PROBE_INDEX_CREATED;
    if (is_index && (stmt->flags & DR_SQL_IF_NOT_EXISTS) != 0) {
        dr_lint_report_stmt(
            s, stmt, "if-not-exists-concurrent",
            "IF NOT EXISTS with CONCURRENTLY takes an invalid index of a failed run for a good one",
            "remove IF NOT EXISTS: drover looks for the index and drops an invalid one before it "
            "tries again",
            out);
    }
    if (is_index && (stmt->flags & DR_SQL_UNNAMED) != 0) {
        dr_lint_report_stmt(s, stmt, "unnamed-concurrent-index",
                            "an index that is built concurrently needs a name",
                            "write: CREATE INDEX CONCURRENTLY ix_table_column ON ...", out);
    }
}

// The agent looks with the same list before it says READY.
static void
lint_preflight(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
               struct dr_findings *out)
{
    char message[200];
    struct dr_sql_preflight_fault fault;
    if ((stmt->flags & DR_SQL_READ_ONLY) == 0 && !s->is_unknown_grammar) {
        snprintf(message, sizeof message, "a preflight only reads, but this is %s", stmt->what);
        dr_lint_report_stmt(s, stmt, "writes-in-preflight", message,
                            "write a SELECT whose rows are true, or expect=empty", out);
    } else if (!dr_sql_preflight_allowed(s->dialect, s->file_text + s->offset + stmt->offset,
                                         stmt->length, &fault)) {
        dr_lint_report(s, stmt, "preflight-function", stmt->offset + fault.offset, fault.length,
                       fault.message, fault.help, out);
    }
}

static void
lint_statement(const struct dr_lint_section *s, const struct dr_sql_stmt *stmt,
               struct dr_lint_catalog *catalog, struct dr_findings *out)
{
    char message[200];
    if (stmt->problem != NULL) {
        report_problem(s, stmt, stmt->problem, out);
        if (catalog != NULL) {
            catalog->model.doubt_file = s->file; // what it would have made is not known
        }
        return;
    }
    if ((stmt->flags & DR_SQL_FORBIDDEN) != 0) {
        snprintf(message, sizeof message, "%s cannot stand in a revision", stmt->what);
        dr_lint_report_stmt(
            s, stmt,
            strcmp(stmt->what, "DROP DATABASE") == 0 ? "ban-drop-database" : "forbidden-statement",
            message,
            strncmp(stmt->what, "COPY", 4) == 0 ? "write the rows as INSERT ... VALUES"
                                                : "remove the statement",
            out);
        return;
    }
    if (s->kind == DR_LINT_PREFLIGHT || s->kind == DR_LINT_PREFLIGHT_DOWN) {
        lint_preflight(s, stmt, out);
    }
    lint_transaction(s, stmt, out);
    lint_concurrent(s, stmt, out);
    if (catalog != NULL && s->dialect == DR_SQL_POSTGRESQL && !s->is_unknown_grammar) {
        dr_lint_long_names(s, stmt, out);
    }
    if (catalog != NULL && s->kind == DR_LINT_UP) {
        dr_lint_facts(catalog, s, stmt, out);
        dr_lint_replay(catalog, s, stmt, out);
    }
}

void
dr_lint_section(const struct dr_lint_section *section, struct dr_lint_catalog *catalog,
                struct dr_findings *out)
{
    const struct dr_sql_result *r = section->result;
    if (section->is_unknown_grammar && section->dialect == DR_SQL_POSTGRESQL && r->count > 0) {
        dr_lint_report_stmt(section, &r->stmts[0], "unchecked-grammar",
                            "this revision asks for a newer PostgreSQL than drover's parser knows",
                            "test it with: drover test", out);
    }
    for (size_t i = 0; i < r->count; i++) {
        lint_statement(section, &r->stmts[i], catalog, out);
    }
    if (r->count == 0 && r->problem.rc != DR_OK) {
        report_problem(section, NULL, &r->problem, out);
    }
}
