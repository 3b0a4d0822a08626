// Inside of sql/lint: reporting at a place of a section's file.
#ifndef DR_SQL_LINT_INTERNAL_H
#define DR_SQL_LINT_INTERNAL_H

#include "sql/lint.h"

// Reports `rule` at byte `at` of the section's text, `width` bytes wide. Strings are copied into
// the list's arena. A warning that a nolint before statement `stmt` (may be NULL) names is left
// out.
void dr_lint_report(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                    const char *rule, size_t at, size_t width, const char *message,
                    const char *help, struct dr_findings *out);
// What the section creates and drops.
void dr_lint_replay(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
                    const struct dr_sql_stmt *stmt, struct dr_findings *out);
// True when `name` ("relation x") was made by another file than `file`: by an earlier revision.
bool dr_lint_is_older(const struct dr_lint_catalog *catalog, const char *name, const char *file);

#endif
