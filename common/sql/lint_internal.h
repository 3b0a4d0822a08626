// Inside of sql/lint: reporting at a place of a section's file, and what the rules are given.
#ifndef DR_SQL_LINT_INTERNAL_H
#define DR_SQL_LINT_INTERNAL_H

#include "sql/lint.h"
#include "sql/lint_model.h"

// A drop that may turn out to be one half of a rebuild, so it is judged at the revision's end.
struct dr_lint_drop {
    struct dr_lint_drop *next;
    struct dr_model_place place;
    const char *first_name; // of the table, before this file renamed it
    bool is_known, is_copied;
};

struct dr_lint_object;

struct dr_lint_catalog {
    struct dr_arena *arena;
    struct dr_lint_object **buckets; // lint_catalog.c
    struct dr_model model;
    struct dr_lint_drop *drops;
};

// One fact and all that a rule may ask for.
struct dr_lint_ctx {
    struct dr_lint_catalog *catalog;
    struct dr_model_place place;
    const struct dr_model_table *table; // that the fact names; NULL: not known
    bool is_older;                      // see dr_model_is_older
    bool is_pg;
    struct dr_findings *out;
};

// Reports `rule` at byte `at` of the section's text, `width` bytes wide. Strings are copied into
// the list's arena. A warning that a nolint before statement `stmt` (may be NULL) names is left
// out.
void dr_lint_report(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                    const char *rule, size_t at, size_t width, const char *message,
                    const char *help, struct dr_findings *out);
// At a statement's first word.
void dr_lint_report_stmt(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                         const char *rule, const char *message, const char *help,
                         struct dr_findings *out);
// At a fact: its own place, else the first word that is its name, else the statement.
void dr_lint_report_fact(const struct dr_model_place *place, const char *rule, const char *message,
                         const char *help, struct dr_findings *out);

// Replays what the statement creates and drops by name: `duplicate-object`.
void dr_lint_replay(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
                    const struct dr_sql_stmt *stmt, struct dr_findings *out);
// True when `name` ("type x") was made by another file than `file`: by an earlier revision.
bool dr_lint_is_older(const struct dr_lint_catalog *catalog, const char *name, const char *file);

// Replays the facts of a statement of an UP section and runs the rules over them.
void dr_lint_facts(struct dr_lint_catalog *catalog, const struct dr_lint_section *section,
                   const struct dr_sql_stmt *stmt, struct dr_findings *out);
// The facts that words alone tell: on SQLite all, on PostgreSQL those of DELETE.
const struct dr_sql_fact *
dr_lint_word_facts(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                   struct dr_arena *arena);

// The rules, by what they are about. Each is asked about every fact, before it is replayed.
void dr_lint_alter_rules(const struct dr_lint_ctx *ctx);
void dr_lint_index_rules(const struct dr_lint_ctx *ctx);
void dr_lint_loss_rules(const struct dr_lint_ctx *ctx);
void dr_lint_style_rules(const struct dr_lint_ctx *ctx);
// Names of more bytes than PostgreSQL keeps.
void dr_lint_long_names(const struct dr_lint_section *section, const struct dr_sql_stmt *stmt,
                        struct dr_findings *out);

#endif
