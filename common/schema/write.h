// Write: the statements that lead from one schema to another, in an order in which they can run.
#ifndef DR_SCHEMA_WRITE_H
#define DR_SCHEMA_WRITE_H

#include "schema/catalog.h"

struct dr_schema_stmt {
    const char *sql;  // without semicolon
    const char *note; // for whoever reviews it, a line; NULL: none
    bool is_alone;    // wants a section of its own, outside a transaction
};

struct dr_schema_script {
    struct dr_schema_stmt *stmts;
    size_t count, cap;
    // What is gone for good when the script has run: "table users", "column users.email"; and what
    // may change: "column t.c (numeric(8,4) to integer)".
    const char **losses;
    size_t losses_count;
    const char **by_hand; // what could not be written, with the reason
    size_t by_hand_count;
};

struct dr_schema_write_options {
    bool concurrently; // PostgreSQL: indexes of tables that stay are built without blocking writes
};

// From `from` to `to`, both of one engine. Everything is in the arena. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_schema_write(const struct dr_catalog *from, const struct dr_catalog *to,
                const struct dr_schema_write_options *options, struct dr_arena *arena,
                struct dr_schema_script *out, struct dr_err *err);

// What may be a rename: something that is only in `from` and something alike that is only in `to`.
struct dr_schema_rename {
    enum dr_schema_kind kind; // table, column; sequence, constraint, index
    bool is_sure;             // sequence, constraint, index: all but the name is the same
    const char *from, *to;    // "users", "users.email"
    const char *sql, *back;   // the statement, and the one that takes it back
};
// `*out` is an array of `*out_count` in the arena. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_schema_renames(const struct dr_catalog *from, const struct dr_catalog *to,
                  struct dr_arena *arena, struct dr_schema_rename **out, size_t *out_count,
                  struct dr_err *err);

// The rename of the table or column `old` to `new`, as a person says. DR_E_NOT_FOUND unless the one
// is only in `from` and the other only in `to`, and a column stays in its table.
DR_MUST_CHECK enum dr_rc
dr_schema_rename_of(const struct dr_catalog *from, const struct dr_catalog *to, const char *old,
                    const char *new, struct dr_arena *arena, struct dr_schema_rename *out,
                    struct dr_err *err);

// The statements that make all of `catalog` in an empty database.
DR_MUST_CHECK enum dr_rc
dr_schema_write_all(const struct dr_catalog *catalog, struct dr_arena *arena,
                    struct dr_schema_script *out, struct dr_err *err);

#endif
