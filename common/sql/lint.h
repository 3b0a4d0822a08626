// Lint: rules over checked statements. It knows sections, not files: common/revision/review.h
// brings both together.
#ifndef DR_SQL_LINT_H
#define DR_SQL_LINT_H

#include "sql/check.h"
#include "sql/finding.h"

// In the order in which the sections of one revision are given.
enum dr_lint_kind {
    DR_LINT_PREFLIGHT = 1,
    DR_LINT_REMEDY,
    DR_LINT_UP,
    DR_LINT_VERIFY,
    DR_LINT_PREFLIGHT_DOWN,
    DR_LINT_DOWN,
    DR_LINT_VERIFY_DOWN,
};

// A `nolint` directive: silences one warning rule for the statement that follows it.
struct dr_lint_nolint {
    const char *rule;
    uint32_t line; // in the file
};

// One section of one revision for one engine, with its result from dr_sql_check.
struct dr_lint_section {
    enum dr_sql_dialect dialect;
    enum dr_lint_kind kind;
    bool outside_transaction;
    bool has_probe;        // the author's own
    const char *file;      // path for messages
    const char *file_text; // all bytes of the file
    size_t file_len;
    size_t offset, length;   // of the section's body in the file
    uint32_t line;           // of the body's first byte in the file
    uint32_t directive_line; // of `-- drover:up`
    bool is_unknown_grammar; // for a PostgreSQL newer than the parser: split by the lexer alone
    const struct dr_sql_result *result;
    const struct dr_lint_nolint *nolint;
    size_t nolint_count;
    bool *nolint_used; // by the index of `nolint`, set when one silences something; NULL: not asked
    bool is_destructive; // the header says what is lost
    bool is_breaking;    // the header says that older programs fail, or that none is left
    bool is_planned;     // runs in one plan with the others that are marked: their tables are new
};

// What exists while a chain is replayed: names, tables, keys, indexes. Opaque, in its arena.
struct dr_lint_catalog;
struct dr_lint_catalog *dr_lint_catalog_new(struct dr_arena *arena);

// Runs the rules over one section. With a `catalog` (may be NULL) and an UP section, what it
// creates and drops is replayed, so sections must come in the chain's order, and the rules speak
// that need to know the tables. Errors cannot be silenced; warnings and advice can.
void dr_lint_section(const struct dr_lint_section *section, struct dr_lint_catalog *catalog,
                     struct dr_findings *out);
// Behind the last UP section of each revision: what is lost by it.
void dr_lint_revision_end(struct dr_lint_catalog *catalog, struct dr_findings *out);
// Behind the chain: what its tables lack. All sections must still be there.
void dr_lint_chain_end(struct dr_lint_catalog *catalog, struct dr_findings *out);

// SQLite: replays UP sections on a scratch in-memory database, statement by statement, and reports
// what does not prepare or run. Opaque; NULL with `err` when sqlite fails.
struct dr_lint_scratch;
DR_MUST_CHECK enum dr_rc dr_lint_scratch_open(struct dr_lint_scratch **out, struct dr_err *err);
void dr_lint_scratch_close(struct dr_lint_scratch **scratch);
void dr_lint_scratch_section(struct dr_lint_scratch *scratch, const struct dr_lint_section *section,
                             struct dr_findings *out);

// One row per rule, for help and docs; ends with {0}.
struct dr_lint_rule {
    const char *name;
    enum dr_severity severity;
    enum dr_rc rc; // of an error
    const char *summary;
    bool is_strict; // for sticklers: only when `only` of the findings names it, or "all"
};
const struct dr_lint_rule *dr_lint_rules(void);

// The row of an error code, or of a name; NULL if there is none.
const struct dr_lint_rule *dr_lint_rule_of(enum dr_rc rc);
const struct dr_lint_rule *dr_lint_rule_named(const char *name);

#endif
