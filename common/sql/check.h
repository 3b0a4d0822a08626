// Check: splits SQL texts into statements and tells what each one is. PostgreSQL's parser runs in
// the child program drover-sqlcheck, memory-capped and killed on time-out: its crash is a finding
// about the text, never ours. SQLite texts are split by the lexer here.
#ifndef DR_SQL_CHECK_H
#define DR_SQL_CHECK_H

#include "base/arena.h"
#include "sql/lexer.h"

#include "proto/documents.pb-c.h"

#define DR_SQLCHECK_TIMEOUT_MS       10000u
#define DR_SQLCHECK_MEMORY_MAX_BYTES (512ull * 1024 * 1024)
#define DR_SQLCHECK_BATCH_BYTES      (4u * 1024 * 1024) // of SQL for one start of the child
#define DR_SQL_STATEMENTS_MAX        1000000u           // of one text

// What drover-sqlcheck says of a statement besides its class.
enum dr_sql_flag {
    DR_SQL_FORBIDDEN =
        1, // never runs in a unit: BEGIN, COPY FROM STDIN, CREATE DATABASE, SET ROLE, ...
    DR_SQL_OUTSIDE_ONLY =
        2, // PostgreSQL refuses it in a transaction: CREATE INDEX CONCURRENTLY, VACUUM, ...
    DR_SQL_OUTSIDE_ALLOWED = 4, // may be a `transaction=off` section: it has a probe
    DR_SQL_IF_NOT_EXISTS = 8,
    DR_SQL_CONCURRENT = 16,
    DR_SQL_UNNAMED = 32,   // an index without a name: no probe can look for it
    DR_SQL_READ_ONLY = 64, // a query without INTO or locking
};

struct dr_sql_problem;

// What a statement does to one part of a schema; sql/wire.h tells what stands where. Strings are ""
// when there is nothing to say. A list in the order of the text.
struct dr_sql_fact {
    const struct dr_sql_fact *next;
    unsigned kind, flags;  // enum dr_wire_fact, enum dr_wire_fact_flag
    size_t offset, length; // in the text; length 0: not known
    const char *table, *name, *columns, *ref;
};

struct dr_sql_stmt {
    size_t offset, length; // in the text
    uint32_t line, column; // in the text, from 1
    Drover__V1__StatementClass class_;
    unsigned flags; // enum dr_sql_flag
    Drover__V1__Probe probe;
    const char *what;   // for messages: "CREATE INDEX CONCURRENTLY"; never NULL
    const char *object; // for the probe, see revision/plan.h; "" if none
    // What it makes: "relation monthly_reviews", "type testing_type", with a second line for the
    // relation that it belongs to;
    // "" if nothing that has one name. What it drops, one per line, also "schema x", "parts-of x"
    // (indexes of x), "anything".
    const char *creates, *drops;
    const struct dr_sql_fact *facts;      // PostgreSQL only; NULL: none
    const struct dr_sql_problem *problem; // NULL: none; else class, probe and names are not known
};

// What is wrong with a statement, or with a text as a whole (a string that is not closed).
struct dr_sql_problem {
    enum dr_rc rc;       // SQL_SYNTAX, SQL_RESERVED, SQL_FORBIDDEN, SQL_TOO_COMPLEX, SQL_CHECK_DIED
    size_t offset;       // in the text
    size_t length;       // of the token; 1 if not known
    const char *message; // `syntax error at or near "order"`
    const char *help;    // what to write; "" if not known
};

struct dr_sql_text {
    const char *text;
    size_t len;
};

struct dr_sql_result {
    struct dr_sql_stmt *stmts;
    size_t count;
    struct dr_sql_problem problem; // the text's first; rc DR_OK: none
};

// Checks `count` texts; `*out` is an array of `count` results in `arena`, which must outlive them
// (texts are only read). A bad text is a problem in its result, not a failure. Fails when the child
// cannot be started or breaks the protocol (DR_E_NOT_FOUND, DR_E_IO, DR_E_INTERNAL) and with
// DR_E_NOMEM. Blocks up to DR_SQLCHECK_TIMEOUT_MS per batch.
DR_MUST_CHECK enum dr_rc
dr_sql_check(enum dr_sql_dialect dialect, const struct dr_sql_text *texts, size_t count,
             struct dr_arena *arena, struct dr_sql_result **out, struct dr_err *err);

// Splits by the lexer alone: class by the first words, no flags but DR_SQL_FORBIDDEN. For a grammar
// newer than the parser's. DR_E_NOMEM only; a text that the lexer refuses is a problem.
DR_MUST_CHECK enum dr_rc
dr_sql_split(enum dr_sql_dialect dialect, const struct dr_sql_text *text, struct dr_arena *arena,
             struct dr_sql_result *out, struct dr_err *err);

#endif
