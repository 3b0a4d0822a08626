// A lexer of SQLite's SQL, for comparing texts of sqlite_schema: two spellings of the same tokens
// give one text.
#include "engine/fingerprint_internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct token {
    const char *start;
    size_t len;
    bool is_word;   // bare word: keyword or name
    bool is_name;   // in "", `` or []
    bool is_string; // in ''
};

static bool
is_word_byte(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

// Bytes of a quoted text with its quotes; a doubled quote does not end it.
static size_t
quoted_len(const char *sql)
{
    char close = *sql == '[' ? ']' : *sql;
    size_t at = 1;
    while (sql[at] != '\0') {
        if (sql[at] == close && close != ']' && sql[at + 1] == close) {
            at += 2;
        } else if (sql[at] == close) {
            return at + 1;
        } else {
            at++;
        }
    }
    return at;
}

static const char *
skip_blank(const char *sql)
{
    for (;;) {
        sql += strspn(sql, " \t\r\n\f");
        if (strncmp(sql, "--", 2) == 0) {
            sql += strcspn(sql, "\n");
        } else if (strncmp(sql, "/*", 2) == 0) {
            const char *end = strstr(sql + 2, "*/");
            sql = end == NULL ? sql + strlen(sql) : end + 2;
        } else {
            return sql;
        }
    }
}

// The next token at or after `*at`, which moves behind it; false at the end.
static bool
next_token(const char **at, struct token *out)
{
    const char *sql = skip_blank(*at);
    *out = (struct token){.start = sql};
    if (*sql == '\0') {
        *at = sql;
        return false;
    }
    if (strchr("'\"`[", *sql) != NULL) {
        out->len = quoted_len(sql);
        out->is_string = *sql == '\'';
        out->is_name = *sql != '\'';
    } else if (is_word_byte((unsigned char)*sql)) {
        out->is_word = true;
        while (is_word_byte((unsigned char)sql[out->len])) {
            out->len++;
        }
    } else {
        static const char *const pairs[] = {"||", "<=", ">=", "<>", "!=", "==", "<<", ">>", "->"};
        out->len = 1;
        for (size_t i = 0; i < DR_COUNT_OF(pairs); i++) {
            out->len = strncmp(sql, pairs[i], 2) == 0 ? 2 : out->len;
        }
    }
    *at = sql + out->len;
    return true;
}

// Names that read the same without their quotes lose them.
static void
write_token(const struct token *token, struct dr_buf *out)
{
    const char *text = token->start;
    size_t len = token->len;
    if (token->is_name && len >= 3) {
        bool is_simple = !isdigit((unsigned char)text[1]);
        for (size_t i = 1; i + 1 < len; i++) {
            is_simple = is_simple && is_word_byte((unsigned char)text[i]);
        }
        text += is_simple ? 1 : 0;
        len -= is_simple ? 2 : 0;
    }
    for (size_t i = 0; i < len; i++) {
        char c = token->is_string ? text[i] : (char)tolower((unsigned char)text[i]);
        dr_buf_add(out, &c, 1);
    }
}

static void
write_spaced(const struct token *token, struct dr_buf *out)
{
    if (out->len > 0) {
        dr_buf_add(out, " ", 1);
    }
    write_token(token, out);
}

void
dr_fptokens_normal(const char *sql, struct dr_buf *out)
{
    struct token token;
    dr_buf_str(out, "");
    while (next_token(&sql, &token)) {
        bool is_end = token.len == 1 && *token.start == ';' && *skip_blank(sql) == '\0';
        if (!is_end) {
            write_spaced(&token, out);
        }
    }
}

static bool
is_keyword(const struct token *token, const char *word)
{
    return token->is_word && token->len == strlen(word) &&
           strncasecmp(token->start, word, token->len) == 0;
}

static bool
is_mark(const struct token *token, char mark)
{
    return token->len == 1 && *token->start == mark;
}

// Appends tokens up to the parenthesis that closes the first one.
static void
take_parentheses(const char **at, struct dr_buf *out)
{
    struct token token;
    int depth = 0;
    while (next_token(at, &token)) {
        write_spaced(&token, out);
        depth += is_mark(&token, '(') ? 1 : is_mark(&token, ')') ? -1 : 0;
        if (depth <= 0) {
            return;
        }
    }
}

static void
take_words(const char **at, unsigned words, struct dr_buf *out)
{
    struct token token;
    for (unsigned i = 0; i < words && next_token(at, &token); i++) {
        write_spaced(&token, out);
    }
}

// What follows a keyword and belongs to it: parentheses, or so many words.
static const struct {
    const char *word;
    bool has_parentheses;
    unsigned words;
} kept_table[] = {
    {"check", true, 0},          {"as", true, 0},  {"collate", false, 1},
    {"autoincrement", false, 0}, {"on", false, 2}, {"deferrable", false, 2},
};

// ON CONFLICT is kept; ON DELETE and ON UPDATE are told by foreign_key_list.
static bool
is_kept_here(const struct token *word, size_t row, const char *rest)
{
    struct token next;
    if (!is_keyword(word, kept_table[row].word)) {
        return false;
    }
    bool has_next = next_token(&rest, &next);
    if (kept_table[row].has_parentheses) {
        return has_next && is_mark(&next, '(');
    }
    return !is_keyword(word, "on") || (has_next && is_keyword(&next, "conflict"));
}

void
dr_fptokens_table(const char *sql, void (*found)(void *ctx, const char *text), void *ctx)
{
    // The item of the table's body (a column or a constraint) that is being read: its first token
    // names it.
    struct dr_buf item = {0};
    struct token token;
    int depth = 0;
    bool is_item_start = false;
    while (next_token(&sql, &token)) {
        if (is_item_start) {
            dr_buf_reset(&item);
            write_token(&token, &item);
        }
        bool opens = is_mark(&token, '(');
        depth += opens ? 1 : is_mark(&token, ')') ? -1 : 0;
        is_item_start = depth == 1 && (opens || is_mark(&token, ','));
        for (size_t row = 0; depth == 1 && row < DR_COUNT_OF(kept_table); row++) {
            if (!is_kept_here(&token, row, sql)) {
                continue;
            }
            struct dr_buf text = {0};
            bool is_table_item =
                strcmp(item.data, "check") == 0 || strcmp(item.data, "constraint") == 0;
            if (!is_table_item) {
                dr_buf_str(&text, item.data);
            }
            write_spaced(&token, &text);
            if (kept_table[row].has_parentheses) {
                take_parentheses(&sql, &text);
            } else {
                take_words(&sql, kept_table[row].words, &text);
            }
            found(ctx, text.data == NULL ? "" : text.data);
            dr_buf_fini(&text);
            break;
        }
    }
    dr_buf_fini(&item);
}
