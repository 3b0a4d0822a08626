#include "sql/tokens.h"

#include <string.h>
#include <strings.h>

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool
is_word(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Behind the comment at `at`; PostgreSQL's nest.
static size_t
skip_comment(enum dr_sql_dialect dialect, const char *text, size_t len, size_t at)
{
    if (text[at] == '-') {
        const char *end = memchr(text + at, '\n', len - at);
        return end == NULL ? len : (size_t)(end - text);
    }
    for (size_t depth = 0; at + 1 < len;) {
        bool is_open = text[at] == '/' && text[at + 1] == '*';
        bool is_close = text[at] == '*' && text[at + 1] == '/';
        depth += is_open && (depth == 0 || dialect == DR_SQL_POSTGRESQL);
        at += is_open || is_close ? 2 : 1;
        if (is_close && --depth == 0) {
            return at;
        }
    }
    return len;
}

static size_t
skip_blanks(enum dr_sql_dialect dialect, const char *text, size_t len, size_t at)
{
    while (at < len) {
        bool is_comment = at + 1 < len && ((text[at] == '-' && text[at + 1] == '-') ||
                                           (text[at] == '/' && text[at + 1] == '*'));
        if (!is_comment && !is_blank(text[at])) {
            break;
        }
        at = is_comment ? skip_comment(dialect, text, len, at) : at + 1;
    }
    return at;
}

// Behind the quote that closes the one at `at`; doubled ones stand for themselves.
static size_t
skip_quoted(const char *text, size_t len, size_t at, char close, bool has_escapes)
{
    for (at++; at < len; at++) {
        if (has_escapes && text[at] == '\\') {
            at++;
        } else if (text[at] == close) {
            if (close == ']' || at + 1 >= len || text[at + 1] != close) {
                return at + 1;
            }
            at++;
        }
    }
    return len;
}

// Behind $tag$...$tag$; `at` when there is none.
static size_t
skip_dollar(const char *text, size_t len, size_t at)
{
    size_t end = at + 1;
    while (end < len && is_word(text[end]) && text[end] != '$') {
        end++;
    }
    if (end >= len || text[end] != '$' || is_digit(text[at + 1])) {
        return at;
    }
    size_t tag = end + 1 - at;
    for (size_t i = end + 1; i + tag <= len; i++) {
        if (memcmp(text + i, text + at, tag) == 0) {
            return i + tag;
        }
    }
    return len;
}

// Behind a token that is neither word nor string of a prefix; its kind in `*kind`.
static size_t
skip_other(enum dr_sql_dialect dialect, const char *text, size_t len, size_t at,
           enum dr_sql_token_kind *kind)
{
    char c = text[at];
    bool is_lite = dialect == DR_SQL_SQLITE;
    *kind = DR_TOKEN_QUOTED;
    if (c == '"' || (is_lite && (c == '`' || c == '['))) {
        return skip_quoted(text, len, at, c == '[' ? ']' : c, false);
    }
    *kind = DR_TOKEN_STRING;
    if (c == '\'') {
        return skip_quoted(text, len, at, c, false);
    }
    size_t end = c == '$' && !is_lite ? skip_dollar(text, len, at) : at;
    if (end > at) {
        return end;
    }
    *kind = is_digit(c) ? DR_TOKEN_NUMBER : DR_TOKEN_OTHER;
    for (end = at + 1; is_digit(c) && end < len && (is_word(text[end]) || text[end] == '.');) {
        end++;
    }
    return end;
}

bool
dr_sql_token_next(enum dr_sql_dialect dialect, const char *text, size_t len, size_t *pos,
                  struct dr_sql_token *out)
{
    size_t at = skip_blanks(dialect, text, len, *pos), end = at;
    enum dr_sql_token_kind kind = DR_TOKEN_WORD;
    if (at >= len) {
        *pos = len;
        return false;
    }
    if (is_word_start(text[at])) {
        while (end < len && is_word(text[end])) {
            end++;
        }
        bool is_escape = end - at == 1 && (text[at] == 'e' || text[at] == 'E') && end < len &&
                         text[end] == '\'' && dialect == DR_SQL_POSTGRESQL;
        kind = is_escape ? DR_TOKEN_STRING : kind;
        end = is_escape ? skip_quoted(text, len, end, '\'', true) : end;
    } else {
        end = skip_other(dialect, text, len, at, &kind);
    }
    *out = (struct dr_sql_token){.kind = kind, .offset = at, .length = end - at};
    *pos = end;
    return true;
}

bool
dr_sql_token_is(const char *text, const struct dr_sql_token *token, const char *word)
{
    bool can_be = token->kind == DR_TOKEN_WORD || token->kind == DR_TOKEN_OTHER;
    return can_be && strlen(word) == token->length &&
           strncasecmp(text + token->offset, word, token->length) == 0;
}
