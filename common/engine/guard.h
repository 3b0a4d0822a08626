// The guard: reads the words of a statement before anything is sent, and refuses what would break
// the unit's transaction or the protocol. It is no parser: it knows comments, quotes, dollar quotes
// and words, and errs on the side of refusing.
#ifndef DR_ENGINE_GUARD_H
#define DR_ENGINE_GUARD_H

#include "base/attr.h"
#include "base/err.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_guard_facts {
    char words[4][32];  // first words in upper case, comments skipped; "" when there are fewer
    bool may_leak;      // may leave session state behind (SET, temporary objects, PREPARE, ...)
    bool may_call;      // more than plain DDL: may call functions that leave session state behind
    bool drops_table;   // DROP TABLE
    bool renames_table; // ALTER TABLE ... RENAME TO
    bool names_foreign_keys; // SQLite: PRAGMA foreign_keys
};

// Refuses with DR_E_FORBIDDEN_STATEMENT (hint says what to do instead): transaction commands
// (BEGIN, START, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE TRANSACTION), COPY,
// backslash commands, SET ROLE and SET SESSION AUTHORIZATION, DISCARD, database-wide commands,
// names in the ledger's schema, more than one statement, an unclosed quote or comment, NUL, an
// empty statement, and with `engine` SQLite also ATTACH, DETACH. `file` and `line` go into the
// error. `text` is `len` bytes.
DR_MUST_CHECK enum dr_rc
dr_guard_statement(Drover__V1__Engine engine, const char *text, size_t len, const char *file,
                   uint32_t line, struct dr_guard_facts *out, struct dr_err *err);

// What stands outside of comments: bytes [start, end) of the statement.
enum dr_guard_kind {
    DR_GUARD_WORD = 1, // bare
    DR_GUARD_NAME,     // quoted as a name, quotes included
    DR_GUARD_STRING,
    DR_GUARD_OTHER // one byte: a comma, a parenthesis, a dot
};
struct dr_guard_token {
    enum dr_guard_kind kind;
    size_t start, end;
};

// The first `max` tokens of a statement that dr_guard_statement let pass; gives how many. Stops
// before the semicolon. Pure.
size_t dr_guard_tokens(Drover__V1__Engine engine, const char *text, size_t len,
                       struct dr_guard_token *out, size_t max);

#endif
