// Lexer: where SQL statements begin and end, without a parser. It follows psql's rules for
// PostgreSQL and sqlite3_complete's for SQLite, so that drover, the agent and the server agree on
// what one statement is.
#ifndef DR_SQL_LEXER_H
#define DR_SQL_LEXER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dr_sql_dialect { DR_SQL_POSTGRESQL = 1, DR_SQL_SQLITE = 2 }; // the numbers of proto's Engine

#define DR_SQL_DEPTH_MAX 1000u // deepest nesting of parentheses that is handed to a parser

// One statement: bytes [offset, offset + length) of the text, without leading or trailing blanks,
// leading comments and the semicolon. `line` and `column` are those of its first byte, from 1,
// relative to the text; columns count code points.
struct dr_sql_piece {
    size_t offset, length;
    uint32_t line, column;
    uint32_t depth; // deepest nesting of parentheses in it
};

// State of one walk; plain data, no memory of its own. `pos` is where the next piece is looked for.
struct dr_sql_lexer {
    enum dr_sql_dialect dialect;
    const char *text;
    size_t len, pos, counted;
    uint32_t line, column; // of `counted`
};

void dr_sql_lexer_init(struct dr_sql_lexer *lexer, enum dr_sql_dialect dialect, const char *text,
                       size_t len);

// The next statement into `*out`; false at the end of the text (`*out_rc` DR_OK) or when a string,
// quoted name or comment is not closed (`*out_rc` DR_E_SQL_SYNTAX) or a backslash command stands
// outside of them (DR_E_SQL_FORBIDDEN; `err` tells line and column relative to the text, its file
// is left empty). Empty statements (";;") are passed over.
DR_MUST_CHECK bool dr_sql_lexer_next(struct dr_sql_lexer *lexer, struct dr_sql_piece *out,
                                     enum dr_rc *out_rc, struct dr_err *err);

// Appends what the text says without its comments, each run of blanks as one space: two texts with
// the same outcome do the same. One that is not closed is appended as it is.
void dr_sql_compact(enum dr_sql_dialect dialect, const char *text, size_t len, struct dr_buf *out);

// Number of statements in the text. DR_E_SQL_SYNTAX as above.
DR_MUST_CHECK enum dr_rc dr_sql_count(enum dr_sql_dialect dialect, const char *text, size_t len,
                                      size_t *out, struct dr_err *err);

// The first `max` keywords of a statement in upper case, comments skipped, one space between:
// "CREATE INDEX CONCURRENTLY". Names and anything that is not a bare word end it. `out` is always
// terminated.
void dr_sql_first_words(const char *text, size_t len, unsigned max, char *out, size_t out_size);

// What makes a statement one that drover never runs, by its first words alone: transaction
// commands, COPY from or to the client, SET ROLE, CREATE DATABASE, ATTACH and their kin. NULL when
// there is nothing; else a static name for messages
// ("COPY FROM STDIN"). The engine asks before it pipelines, so a wrong plan cannot end a unit's
// transaction.
const char *dr_sql_forbidden(enum dr_sql_dialect dialect, const char *text, size_t len);

// 1-based line and column (code points) of `offset` in `text`; an offset beyond the end means the
// end.
void dr_sql_position(const char *text, size_t len, size_t offset, uint32_t *out_line,
                     uint32_t *out_column);

#endif
