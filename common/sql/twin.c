// A grammar of a few lines, each of its words one of PostgreSQL's. See twin.h.
#include "sql/twin.h"

#include "base/attr.h"

#include <string.h>
#include <strings.h>

#define HEAD_MAX 8192u // longer ones are not worth comparing

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t
skip_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t')) {
        at++;
    }
    return at;
}

// Behind the word at `at`, which begins with a letter.
static size_t
skip_word(const char *text, size_t len, size_t at)
{
    while (at < len && (is_letter(text[at]) || is_digit(text[at]))) {
        at++;
    }
    return at;
}

static bool
is_word(const char *text, size_t from, size_t to, const char *word)
{
    return to - from == strlen(word) && strncasecmp(text + from, word, to - from) == 0;
}

// Behind VALUES, which stands outside of parentheses; 0: there is something that does not belong.
static size_t
skip_head(const char *text, size_t len)
{
    size_t depth = 0, at = skip_word(text, len, 0);
    if (!is_word(text, 0, at, "INSERT")) {
        return 0;
    }
    while (at < len && at < HEAD_MAX) {
        char c = text[at];
        if (is_letter(c)) {
            size_t from = at;
            at = skip_word(text, len, at);
            if (depth == 0 && is_word(text, from, at, "VALUES")) {
                return at;
            }
        } else if (c == '"') {
            const char *close = memchr(text + at + 1, '"', len - at - 1);
            if (close == NULL) {
                return 0;
            }
            at = (size_t)(close - text) + 1;
        } else if (c == '(' || c == ')') {
            if (c == ')' && depth == 0) {
                return 0;
            }
            depth += c == '(' ? 1 : (size_t)-1;
            at++;
        } else if (c == ' ' || c == '\n' || c == '\t' || c == ',' || c == '.') {
            at++;
        } else {
            return 0;
        }
    }
    return 0;
}

// Behind the number at `at`; 0: it is none.
static size_t
skip_number(const char *text, size_t len, size_t at)
{
    size_t digits = 0;
    at += at < len && (text[at] == '-' || text[at] == '+') ? 1 : 0;
    for (; at < len && is_digit(text[at]); at++) {
        digits++;
    }
    if (at + 1 < len && text[at] == '.' && is_digit(text[at + 1]) && digits > 0) {
        for (at++; at < len && is_digit(text[at]);) {
            at++;
        }
    }
    return digits > 0 ? at : 0;
}

// Behind the string at `at`; 0: it has no end, or a backslash, which depends on a setting.
static size_t
skip_string(const char *text, size_t len, size_t at)
{
    size_t from = at + 1;
    do {
        const char *close = from < len ? memchr(text + from, '\'', len - from) : NULL;
        if (close == NULL) {
            return 0;
        }
        from = (size_t)(close - text) + 1;
    } while (from < len && text[from] == '\'' && ++from > 0);
    return memchr(text + at, '\\', from - at) == NULL ? from : 0;
}

// Behind the literal at `at`; 0: there is none.
static size_t
skip_literal(const char *text, size_t len, size_t at)
{
    static const char *const words[] = {"NULL", "TRUE", "FALSE", "DEFAULT"};
    if (at < len && text[at] == '\'') {
        return skip_string(text, len, at);
    }
    if (at >= len || !is_letter(text[at])) {
        return skip_number(text, len, at);
    }
    size_t to = skip_word(text, len, at);
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (is_word(text, at, to, words[i])) {
            return to;
        }
    }
    return 0;
}

// Behind `(literal, literal, ...)`; 0: it is something else.
static size_t
skip_list(const char *text, size_t len, size_t at)
{
    if (at >= len || text[at] != '(') {
        return 0;
    }
    do {
        at = skip_literal(text, len, skip_blanks(text, len, at + 1));
        if (at == 0) {
            return 0;
        }
        at = skip_blanks(text, len, at);
    } while (at < len && text[at] == ',');
    return at < len && text[at] == ')' ? at + 1 : 0;
}

size_t
dr_sql_insert_head(const char *text, size_t len)
{
    size_t head = skip_head(text, len), at = head;
    if (head == 0) {
        return 0;
    }
    do {
        at = skip_list(text, len, skip_blanks(text, len, at));
        if (at == 0) {
            return 0;
        }
        at = skip_blanks(text, len, at);
    } while (at < len && text[at] == ',' && ++at > 0);
    return at == len ? head : 0;
}
