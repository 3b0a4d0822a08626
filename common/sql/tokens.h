// Tokens of one statement that the lexer has found whole: words, names, strings. For what can be
// told without a tree.
#ifndef DR_SQL_TOKENS_H
#define DR_SQL_TOKENS_H

#include "sql/lexer.h"

enum dr_sql_token_kind {
    DR_TOKEN_WORD = 1, // keyword or name
    DR_TOKEN_QUOTED,   // "name"; on SQLite also `name` and [name]
    DR_TOKEN_STRING,   // '...', E'...', $tag$...$tag$
    DR_TOKEN_NUMBER,
    DR_TOKEN_OTHER, // one byte
};

struct dr_sql_token {
    enum dr_sql_token_kind kind;
    size_t offset, length; // in the text, with its quotes
};

// The token at or behind `*pos`, which moves behind it; comments and blanks are passed over. False
// at the end. What is not closed ends with the text. Pure.
bool dr_sql_token_next(enum dr_sql_dialect dialect, const char *text, size_t len, size_t *pos,
                       struct dr_sql_token *out);
// True for the bare word in any case, or for the one byte.
bool dr_sql_token_is(const char *text, const struct dr_sql_token *token, const char *word);

#endif
