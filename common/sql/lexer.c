#include "sql/lexer.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

// Where a statement ends: psql's rules (a semicolon outside of quotes, comments, parentheses and
// the body of a SQL-standard function, `BEGIN ATOMIC ... END`) and sqlite3_complete's (in CREATE
// TRIGGER only `; END ;` ends it).

enum {
    WORDS_MAX = 4, // first words that decide what kind of statement it is
    WORD_SIZE = 16,
};

// What is known of the statement under the lexer.
struct walk {
    char words[WORDS_MAX][WORD_SIZE];
    unsigned word_count;
    uint32_t parens, deepest, blocks;
    bool is_function, is_trigger, after_semicolon, after_end;
};

static bool
is_word_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool
is_word(unsigned char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool
at(const struct dr_sql_lexer *lx, size_t pos, const char *what)
{
    size_t n = strlen(what);
    return pos + n <= lx->len && memcmp(lx->text + pos, what, n) == 0;
}

void
dr_sql_lexer_init(struct dr_sql_lexer *lexer, enum dr_sql_dialect dialect, const char *text,
                  size_t len)
{
    *lexer =
        (struct dr_sql_lexer){.dialect = dialect, .text = text, .len = len, .line = 1, .column = 1};
}

void
dr_sql_position(const char *text, size_t len, size_t offset, uint32_t *out_line,
                uint32_t *out_column)
{
    uint32_t line = 1, column = 1;
    for (size_t i = 0; i < len && i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    *out_line = line;
    *out_column = column;
}

static enum dr_rc
fail_at(const struct dr_sql_lexer *lx, size_t pos, struct dr_err *err, enum dr_rc rc,
        const char *message, const char *hint)
{
    uint32_t line, column;
    dr_sql_position(lx->text, lx->len, pos, &line, &column);
    dr_err_set(err, rc, "%s", message);
    dr_err_hint(err, "%s", hint);
    dr_err_at(err, "", line, column);
    return rc;
}

// Behind a `--` comment.
static size_t
skip_line(const struct dr_sql_lexer *lx, size_t pos)
{
    const char *end = memchr(lx->text + pos, '\n', lx->len - pos);
    return end == NULL ? lx->len : (size_t)(end - lx->text);
}

// Behind a block comment; PostgreSQL's nest. `len + 1` when it is not closed.
static size_t
skip_block(const struct dr_sql_lexer *lx, size_t pos)
{
    uint32_t depth = 0;
    while (pos < lx->len) {
        if (at(lx, pos, "/*") && (depth == 0 || lx->dialect == DR_SQL_POSTGRESQL)) {
            depth++;
            pos += 2;
        } else if (at(lx, pos, "*/")) {
            pos += 2;
            if (--depth == 0) {
                return pos;
            }
        } else {
            pos++;
        }
    }
    return lx->len + 1;
}

// Behind a quoted run that begins at `pos` and ends with `quote`, doubled quotes inside;
// backslashes escape in E'...'.
static size_t
skip_quoted(const struct dr_sql_lexer *lx, size_t pos, char quote, bool has_escapes)
{
    for (pos++; pos < lx->len; pos++) {
        if (!has_escapes) { // what lies before the next quote is nothing else
            const char *next = memchr(lx->text + pos, quote, lx->len - pos);
            pos = next == NULL ? lx->len : (size_t)(next - lx->text);
        }
        if (pos >= lx->len) {
            break;
        }
        if (has_escapes && lx->text[pos] == '\\') {
            pos++;
        } else if (lx->text[pos] == quote) {
            if (quote == ']' || pos + 1 >= lx->len || lx->text[pos + 1] != quote) {
                return pos + 1;
            }
            pos++;
        }
    }
    return lx->len + 1;
}

// Behind $tag$...$tag$; `pos + 1` when there is no tag here (a parameter), `len + 1` when it is not
// closed.
static size_t
skip_dollar(const struct dr_sql_lexer *lx, size_t pos)
{
    size_t end = pos + 1;
    while (end < lx->len && lx->text[end] != '$' && is_word((unsigned char)lx->text[end])) {
        end++;
    }
    bool is_tag = end < lx->len && lx->text[end] == '$' &&
                  !(lx->text[pos + 1] >= '0' && lx->text[pos + 1] <= '9');
    if (!is_tag) {
        return pos + 1;
    }
    size_t tag_len = end - pos + 1;
    const char *rest = lx->text + end + 1;
    const char *close = memmem(rest, lx->len - (end + 1), lx->text + pos, tag_len);
    return close == NULL ? lx->len + 1 : (size_t)(close - lx->text) + tag_len;
}

static bool
word_is(const struct walk *w, unsigned i, const char *word)
{
    return i < w->word_count && w->words[i][0] == word[0] && strcmp(w->words[i], word) == 0;
}

// Notes the first words, which decide where the statement may end.
static void
note_first_word(struct walk *w, const char *word, size_t len)
{
    if (w->word_count >= WORDS_MAX) {
        return;
    }
    char *to = w->words[w->word_count++];
    for (size_t i = 0; i < len && i + 1 < WORD_SIZE; i++) {
        to[i] = (char)((word[i] >= 'a' && word[i] <= 'z') ? word[i] - 32 : word[i]);
    }
    unsigned at_or = word_is(w, 1, "OR") && word_is(w, 2, "REPLACE") ? 3 : 1;
    w->is_function = word_is(w, 0, "CREATE") &&
                     (word_is(w, at_or, "FUNCTION") || word_is(w, at_or, "PROCEDURE"));
    unsigned create = word_is(w, 0, "EXPLAIN") ? 1 : 0;
    unsigned temp = word_is(w, create + 1, "TEMP") || word_is(w, create + 1, "TEMPORARY") ? 1 : 0;
    w->is_trigger = word_is(w, create, "CREATE") && word_is(w, create + 1 + temp, "TRIGGER");
}

static void
note_word(const struct dr_sql_lexer *lx, struct walk *w, const char *word, size_t len)
{
    note_first_word(w, word, len);
    bool is_end = len == 3 && strncasecmp(word, "end", 3) == 0;
    if (lx->dialect == DR_SQL_SQLITE) {
        w->after_end = w->after_semicolon && is_end;
        w->after_semicolon = false;
    } else if (w->is_function && w->parens == 0) {
        if (len == 5 && strncasecmp(word, "begin", 5) == 0) {
            w->blocks++;
        } else if (len == 4 && strncasecmp(word, "case", 4) == 0 && w->blocks > 0) {
            w->blocks++;
        } else if (is_end && w->blocks > 0) {
            w->blocks--;
        }
    }
}

// True when the semicolon here ends the statement.
static bool
semicolon_ends(const struct dr_sql_lexer *lx, struct walk *w)
{
    if (lx->dialect == DR_SQL_POSTGRESQL) {
        return w->parens == 0 && w->blocks == 0;
    }
    if (!w->is_trigger || w->after_end) {
        return true;
    }
    w->after_semicolon = true;
    return false;
}

static void
note_other(struct walk *w, char c)
{
    w->after_semicolon = w->after_end = false;
    if (c == '(') {
        w->parens++;
        w->deepest = w->parens > w->deepest ? w->parens : w->deepest;
    } else if (c == ')' && w->parens > 0) {
        w->parens--;
    }
}

// Behind a bare word and, if it is one, the string that it introduces.
static size_t
skip_word(const struct dr_sql_lexer *lx, struct walk *w, size_t pos)
{
    size_t end = pos;
    while (end < lx->len && is_word((unsigned char)lx->text[end])) {
        end++;
    }
    bool is_escape = lx->dialect == DR_SQL_POSTGRESQL && end - pos == 1 &&
                     (lx->text[pos] == 'e' || lx->text[pos] == 'E') && at(lx, end, "'");
    if (is_escape) {
        note_other(w, '\'');
        return skip_quoted(lx, end, '\'', true);
    }
    if (lx->text[pos] >= '0' && lx->text[pos] <= '9') {
        note_other(w, '0');
    } else {
        note_word(lx, w, lx->text + pos, end - pos);
    }
    return end;
}

// Behind what begins at `pos` (not a blank, comment or semicolon); `len + 1` when it is not closed.
static size_t
skip_token(const struct dr_sql_lexer *lx, struct walk *w, size_t pos)
{
    char c = lx->text[pos];
    bool is_pg = lx->dialect == DR_SQL_POSTGRESQL;
    if (is_word_start((unsigned char)c) || (c >= '0' && c <= '9')) {
        return skip_word(lx, w, pos);
    }
    note_other(w, c);
    if (c == '\'' || c == '"' || (c == '`' && !is_pg)) {
        return skip_quoted(lx, pos, c, false);
    }
    if (c == '[' && !is_pg) {
        return skip_quoted(lx, pos, ']', false);
    }
    return c == '$' && is_pg ? skip_dollar(lx, pos) : pos + 1;
}

// Behind a comment at `pos`, or `pos` itself.
static size_t
skip_comment(const struct dr_sql_lexer *lx, size_t pos)
{
    char c = lx->text[pos], next = pos + 1 < lx->len ? lx->text[pos + 1] : '\0';
    if (c == '-' && next == '-') {
        return skip_line(lx, pos);
    }
    return c == '/' && next == '*' ? skip_block(lx, pos) : pos;
}

static enum dr_rc
fail_open(const struct dr_sql_lexer *lx, size_t pos, struct dr_err *err)
{
    const char *what = lx->text[pos] == '/'   ? "unterminated comment"
                       : lx->text[pos] == '$' ? "unterminated dollar-quoted string"
                       : lx->text[pos] == '"' || lx->text[pos] == '`' ? "unterminated quoted name"
                       : lx->text[pos] == '[' && lx->dialect == DR_SQL_SQLITE
                           ? "unterminated quoted name"
                           : "unterminated string";
    return fail_at(lx, pos, err, DR_E_SQL_SYNTAX, what, "close it before the section ends");
}

// Moves to the next byte that is not a blank, a comment or a semicolon. False with `*out_rc` when a
// comment is not closed.
static bool
skip_between(struct dr_sql_lexer *lx, size_t *pos, enum dr_rc *out_rc, struct dr_err *err)
{
    while (*pos < lx->len) {
        if (is_blank(lx->text[*pos]) || lx->text[*pos] == ';') {
            (*pos)++;
            continue;
        }
        size_t next = skip_comment(lx, *pos);
        if (next > lx->len) {
            *out_rc = fail_open(lx, *pos, err);
            return false;
        }
        if (next == *pos) {
            break;
        }
        *pos = next;
    }
    return true;
}

// Counts lines and columns up to `to`.
static void
count_to(struct dr_sql_lexer *lx, size_t to)
{
    const char *newline;
    while (lx->counted < to &&
           (newline = memchr(lx->text + lx->counted, '\n', to - lx->counted)) != NULL) {
        lx->line++;
        lx->column = 1;
        lx->counted = (size_t)(newline - lx->text) + 1;
    }
    for (; lx->counted < to; lx->counted++) {
        lx->column += ((unsigned char)lx->text[lx->counted] & 0xC0) != 0x80;
    }
}

bool
dr_sql_lexer_next(struct dr_sql_lexer *lexer, struct dr_sql_piece *out, enum dr_rc *out_rc,
                  struct dr_err *err)
{
    *out_rc = DR_OK;
    size_t pos = lexer->pos;
    if (!skip_between(lexer, &pos, out_rc, err) || pos >= lexer->len) {
        return false;
    }
    size_t start = pos, end = pos;
    struct walk w = {0};
    struct dr_sql_piece piece = {.offset = start};
    while (pos < lexer->len) {
        char c = lexer->text[pos];
        if (is_blank(c)) {
            pos++;
            continue;
        }
        size_t next = skip_comment(lexer, pos);
        if (next == pos) {
            if (c == '\\') {
                *out_rc = fail_at(lexer, pos, err, DR_E_SQL_FORBIDDEN,
                                  "backslash commands are psql's, not SQL",
                                  "write the statement that the command stands for");
                return false;
            }
            if (c == ';' && semicolon_ends(lexer, &w)) {
                break;
            }
            next = c == ';' ? pos + 1 : skip_token(lexer, &w, pos);
            end = next;
        }
        if (next > lexer->len) {
            *out_rc = fail_open(
                lexer, lexer->text[pos] == 'e' || lexer->text[pos] == 'E' ? pos + 1 : pos, err);
            return false;
        }
        pos = next;
    }
    count_to(lexer, start);
    piece.line = lexer->line;
    piece.column = lexer->column;
    lexer->pos = pos;
    piece.length = end - start;
    piece.depth = w.deepest;
    *out = piece;
    return true;
}

enum dr_rc
dr_sql_count(enum dr_sql_dialect dialect, const char *text, size_t len, size_t *out,
             struct dr_err *err)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    enum dr_rc rc = DR_OK;
    size_t count = 0;
    dr_sql_lexer_init(&lexer, dialect, text, len);
    while (dr_sql_lexer_next(&lexer, &piece, &rc, err)) {
        count++;
    }
    if (rc == DR_OK) {
        *out = count;
    }
    return rc;
}

void
dr_sql_compact(enum dr_sql_dialect dialect, const char *text, size_t len, struct dr_buf *out)
{
    struct dr_sql_lexer lx;
    struct walk walk = {0};
    dr_sql_lexer_init(&lx, dialect, text, len);
    bool is_apart = false, is_first = true;
    for (size_t pos = 0; pos < len;) {
        size_t next = skip_comment(&lx, pos);
        if (is_blank(text[pos]) || next > pos) {
            is_apart = true;
            pos = next > pos ? next : pos + 1;
            continue;
        }
        dr_buf_str(out, is_apart && !is_first ? " " : "");
        next = skip_token(&lx, &walk, pos);
        next = next > len ? len : next;
        dr_buf_add(out, text + pos, next - pos);
        is_apart = is_first = false;
        pos = next;
    }
}
