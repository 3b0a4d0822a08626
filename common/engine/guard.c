// Reads a statement's words. See guard.h.
//
// The scanner walks the text once and calls a word only what stands outside of comments and quotes.
// Everything that it cannot place is refused, because what it lets through is pipelined: a hidden
// COMMIT would end the unit's transaction before anyone could look.
#include "engine/guard.h"

#include <ctype.h>
#include <string.h>

#define TAG_MAX 64u

struct scan {
    const char *text;
    size_t len, pos;
    Drover__V1__Engine engine;
    struct dr_guard_facts *facts;
    size_t words;
    uint32_t line, parens;
    char previous[32];   // word before the one at hand
    size_t previous_end; // and where it ended
    const char *problem;
    bool ended; // a semicolon was seen
};

enum token {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_SEMICOLON,
    TOKEN_OTHER,
    TOKEN_BAD
};

static enum token
bad(struct scan *s, const char *problem)
{
    s->problem = problem;
    return TOKEN_BAD;
}

// ASCII only, whatever the locale says: for each byte of long texts.
static bool
is_word_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return (u | 0x20u) - 'a' < 26u || u - (unsigned)'0' < 10u || c == '_' || c == '$' || u >= 0x80;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r'); // HT, LF, VT, FF, CR
}

static void
advance(struct scan *s, size_t n)
{
    size_t end = n < s->len - s->pos ? s->pos + n : s->len;
    const char *newline;
    while (s->pos < end && (newline = memchr(s->text + s->pos, '\n', end - s->pos)) != NULL) {
        s->line++;
        s->pos = (size_t)(newline - s->text) + 1;
    }
    s->pos = end;
}

static bool
starts(const struct scan *s, const char *what)
{
    size_t n = strlen(what);
    return s->len - s->pos >= n && memcmp(s->text + s->pos, what, n) == 0;
}

// Block comments nest in PostgreSQL only. False when it never ends.
static bool
skip_block_comment(struct scan *s)
{
    uint32_t depth = 0;
    while (s->pos < s->len) {
        if (starts(s, "/*") && (depth == 0 || s->engine == DROVER__V1__ENGINE__POSTGRESQL)) {
            depth++;
            advance(s, 2);
        } else if (starts(s, "*/")) {
            advance(s, 2);
            if (--depth == 0) {
                return true;
            }
        } else {
            advance(s, 1);
        }
    }
    return false;
}

static bool
skip_blanks(struct scan *s)
{
    while (s->pos < s->len) {
        char c = s->text[s->pos];
        if (c == ' ') {
            s->pos++;
        } else if (is_blank(c)) {
            advance(s, 1);
        } else if (c != '-' && c != '/') {
            return true;
        } else if (starts(s, "--")) {
            bool is_pg = s->engine == DROVER__V1__ENGINE__POSTGRESQL; // where CR ends it, too
            while (s->pos < s->len && s->text[s->pos] != '\n' &&
                   !(is_pg && s->text[s->pos] == '\r')) {
                advance(s, 1);
            }
        } else if (starts(s, "/*")) {
            if (!skip_block_comment(s)) {
                return false;
            }
        } else {
            return true;
        }
    }
    return true;
}

// From the opening quote to behind the closing one; a doubled quote stays inside.
static bool
skip_quoted(struct scan *s, char close, bool has_escapes)
{
    advance(s, 1);
    while (s->pos < s->len) {
        if (!has_escapes) { // what lies before the next quote is nothing else
            const char *next = memchr(s->text + s->pos, close, s->len - s->pos);
            advance(s, next == NULL ? s->len : (size_t)(next - s->text) - s->pos);
        }
        char c = s->pos < s->len ? s->text[s->pos] : '\0';
        if (has_escapes && c == '\\') {
            advance(s, 2);
        } else if (c != close) {
            advance(s, 1);
        } else if (s->pos + 1 < s->len && s->text[s->pos + 1] == close && close != ']') {
            advance(s, 2);
        } else {
            advance(s, 1);
            return true;
        }
    }
    return false;
}

// At a '$': a dollar-quoted string of PostgreSQL. `*out_is_one` false: it is something else.
static bool
skip_dollar(struct scan *s, bool *out_is_one)
{
    char tag[TAG_MAX + 2];
    size_t n = 1;
    *out_is_one = false;
    while (s->pos + n < s->len && n < TAG_MAX && is_word_byte(s->text[s->pos + n]) &&
           s->text[s->pos + n] != '$') {
        n++;
    }
    if (s->pos + n >= s->len || s->text[s->pos + n] != '$' ||
        (n > 1 && isdigit((unsigned char)s->text[s->pos + 1]))) {
        return true;
    }
    n++;
    memcpy(tag, s->text + s->pos, n);
    tag[n] = '\0';
    *out_is_one = true;
    advance(s, n);
    while (s->pos < s->len) {
        if (starts(s, tag)) {
            advance(s, n);
            return true;
        }
        advance(s, 1);
    }
    return false;
}

static void
copy_word(char out[32], const char *from, size_t len)
{
    size_t n = len < 31 ? len : 31;
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)(from[i] >= 'a' && from[i] <= 'z' ? from[i] - 32 : from[i]);
    }
    out[n] = '\0';
}

static enum token
next_word(struct scan *s, char out[32])
{
    size_t start = s->pos;
    while (s->pos < s->len && is_word_byte(s->text[s->pos])) {
        s->pos++;
    }
    copy_word(out, s->text + start, s->pos - start);
    if (s->pos < s->len && s->text[s->pos] == '\'' && s->engine == DROVER__V1__ENGINE__POSTGRESQL &&
        s->pos - start == 1 && strchr("EBXNebxn", s->text[start]) != NULL) {
        bool has_escapes = out[0] == 'E';
        return skip_quoted(s, '\'', has_escapes) ? TOKEN_STRING : bad(s, "a string is not closed");
    }
    return TOKEN_WORD;
}

static enum token
next_name(struct scan *s, char close, char out[32])
{
    size_t start = s->pos + 1;
    if (!skip_quoted(s, close, false)) {
        return bad(s, "a quoted name is not closed");
    }
    copy_word(out, s->text + start, s->pos - 1 - start);
    return TOKEN_NAME;
}

static enum token
next_token(struct scan *s, char out[32])
{
    out[0] = '\0';
    if (!skip_blanks(s)) {
        return bad(s, "a comment is not closed");
    }
    if (s->pos >= s->len) {
        return TOKEN_END;
    }
    bool is_pg = s->engine == DROVER__V1__ENGINE__POSTGRESQL;
    char c = s->text[s->pos];
    if (c == '\0') {
        return bad(s, "it has a NUL byte");
    }
    if (c == '\\') {
        return bad(s, "backslash commands belong to psql");
    }
    if (c == '\'') {
        return skip_quoted(s, '\'', false) ? TOKEN_STRING : bad(s, "a string is not closed");
    }
    if (c == '"' || (!is_pg && (c == '`' || c == '['))) {
        return next_name(s, c == '[' ? ']' : c, out);
    }
    if (c == '$' && is_pg) {
        bool is_one;
        if (!skip_dollar(s, &is_one)) {
            return bad(s, "a dollar-quoted string is not closed");
        }
        if (is_one) {
            return TOKEN_STRING;
        }
        advance(s, 1);
        return TOKEN_OTHER;
    }
    if (is_word_byte(c)) {
        return next_word(s, out);
    }
    s->parens += c == '(' ? 1 : 0;
    s->parens -= c == ')' && s->parens > 0 ? 1 : 0;
    advance(s, 1);
    return c == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER;
}

// A semicolon may stand inside of these.
static bool
has_body(const struct scan *s)
{
    const struct dr_guard_facts *f = s->facts;
    if (strcmp(f->words[0], "CREATE") != 0) {
        return false;
    }
    for (size_t i = 1; i < 4; i++) {
        const char *w = f->words[i];
        if (s->engine == DROVER__V1__ENGINE__SQLITE
                ? strcmp(w, "TRIGGER") == 0
                : (strcmp(w, "FUNCTION") == 0 || strcmp(w, "PROCEDURE") == 0)) {
            return true;
        }
    }
    return false;
}

static const char *const leaky_first[] = {
    "SET",  "RESET",  "PREPARE", "DEALLOCATE", "LISTEN", "UNLISTEN", "DECLARE", "CLOSE", "DO",
    "CALL", "SELECT", "WITH",    "EXECUTE",    "LOAD",   "EXPLAIN",  "VALUES",  "PRAGMA"};
static const char *const plain_first[] = {"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE"};
// The last ones run a text that they are given.
static const char *const leaky_anywhere[] = {"TEMP",
                                             "TEMPORARY",
                                             "SET_CONFIG",
                                             "PG_TEMP",
                                             "TS_STAT",
                                             "TS_REWRITE",
                                             "QUERY_TO_XML",
                                             "QUERY_TO_XMLSCHEMA",
                                             "QUERY_TO_XML_AND_XMLSCHEMA"};

static bool
is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (word[0] == list[i][0] && strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum token
note_word(struct scan *s, enum token token, const char word[32], size_t end)
{
    struct dr_guard_facts *f = s->facts;
    if (s->words < 4) {
        memcpy(f->words[s->words], word, sizeof f->words[0]);
    }
    f->may_leak |= s->words == 0 && is_one_of(word, leaky_first, DR_COUNT_OF(leaky_first));
    f->may_call |= s->words == 0 && !is_one_of(word, plain_first, DR_COUNT_OF(plain_first));
    f->may_leak |= is_one_of(word, leaky_anywhere, DR_COUNT_OF(leaky_anywhere)) ||
                   (word[0] == 'P' && (strncmp(word, "PG_ADVISORY", 11) == 0 ||
                                       strncmp(word, "PG_TRY_ADVISORY", 15) == 0));
    f->renames_table |= word[0] == 'T' && strcmp(word, "TO") == 0 &&
                        strcmp(s->previous, "RENAME") == 0 && token == TOKEN_WORD;
    bool is_dotted = end < s->len && s->text[end] == '.', may_be_ours = word[0] == 'D';
    bool is_schema = may_be_ours && strcmp(word, "DROVER") == 0 &&
                     (is_dotted || strcmp(s->previous, "SCHEMA") == 0);
    bool is_table =
        may_be_ours && (strcmp(word, "DROVER_LEDGER") == 0 || strcmp(word, "DROVER_META") == 0 ||
                        strcmp(word, "DROVER_REVISION") == 0);
    if (s->engine == DROVER__V1__ENGINE__POSTGRESQL ? is_schema : is_table) {
        return bad(s, "it names drover's ledger");
    }
    s->words++;
    memcpy(s->previous, word, sizeof s->previous);
    return token;
}

// Walks all of it. TOKEN_END or TOKEN_BAD.
static enum token
walk(struct scan *s)
{
    char word[32] = "";
    for (;;) {
        enum token t = next_token(s, word);
        if (t == TOKEN_END || t == TOKEN_BAD) {
            return t;
        }
        if (s->ended) {
            return bad(s, "there is more than one statement");
        }
        if (t == TOKEN_SEMICOLON) {
            s->ended = s->parens == 0 && !has_body(s);
        } else if (t == TOKEN_WORD || t == TOKEN_NAME) {
            if (note_word(s, t, word, s->pos) == TOKEN_BAD) {
                return TOKEN_BAD;
            }
        } else {
            s->previous[0] = '\0';
        }
    }
}

enum { FOR_PG = 1, FOR_SQLITE = 2, FOR_BOTH = 3 };

// "*" stands for any word, NULL for "whatever follows".
static const struct {
    unsigned engines;
    const char *words[3];
    const char *reason, *hint;
} forbidden[] = {
#define TX   "drover begins and ends the transaction of each section; remove it, or make two sections"
#define ROLE "connect as the right role instead, or set the role on the connection"
#define WIDE "it reaches beyond this database; do it by hand"
    {FOR_BOTH, {"BEGIN"}, "it is a transaction command", TX},
    {FOR_PG, {"START"}, "it is a transaction command", TX},
    {FOR_BOTH, {"COMMIT"}, "it is a transaction command", TX},
    {FOR_BOTH, {"END"}, "it is a transaction command", TX},
    {FOR_BOTH, {"ROLLBACK"}, "it is a transaction command", TX},
    {FOR_PG, {"ABORT"}, "it is a transaction command", TX},
    {FOR_BOTH, {"SAVEPOINT"}, "it is a transaction command", TX},
    {FOR_BOTH, {"RELEASE"}, "it is a transaction command", TX},
    {FOR_PG, {"PREPARE", "TRANSACTION"}, "it is a transaction command", TX},
    {FOR_PG, {"COPY"}, "COPY is not run", "write INSERT statements"},
    {FOR_PG, {"SET", "ROLE"}, "it changes the role", ROLE},
    {FOR_PG, {"SET", "*", "ROLE"}, "it changes the role", ROLE},
    {FOR_PG, {"SET", "SESSION", "AUTHORIZATION"}, "it changes the role", ROLE},
    {FOR_PG, {"SET", "*", "SESSION"}, "it changes the role", ROLE},
    {FOR_PG, {"SET", "SESSION_AUTHORIZATION"}, "it changes the role", ROLE},
    {FOR_PG, {"RESET", "ROLE"}, "it changes the role", ROLE},
    {FOR_PG, {"RESET", "SESSION"}, "it changes the role", ROLE},
    {FOR_PG,
     {"DISCARD"},
     "it drops drover's own session state",
     "remove it: each section starts clean"},
    {FOR_PG, {"CREATE", "DATABASE"}, "it makes a database", WIDE},
    {FOR_PG, {"DROP", "DATABASE"}, "it drops a database", WIDE},
    {FOR_PG, {"ALTER", "SYSTEM"}, "it changes the server", WIDE},
    {FOR_PG, {"CREATE", "TABLESPACE"}, "it makes a tablespace", WIDE},
    {FOR_PG, {"DROP", "TABLESPACE"}, "it drops a tablespace", WIDE},
    {FOR_SQLITE, {"ATTACH"}, "it opens another file", WIDE},
    {FOR_SQLITE, {"DETACH"}, "it closes another file", WIDE},
};

static bool
row_matches(size_t row, const struct dr_guard_facts *f)
{
    for (size_t i = 0; i < 3 && forbidden[row].words[i] != NULL; i++) {
        const char *want = forbidden[row].words[i];
        bool may_be = want[0] == '*' || want[0] == f->words[i][0];
        if (!may_be || (want[0] != '*' && strcmp(want, f->words[i]) != 0)) {
            return false;
        }
    }
    return true;
}

static enum dr_rc
refuse(struct dr_err *err, const char *reason, const char *hint, const char *file, uint32_t line)
{
    (void)dr_err_set(err, DR_E_FORBIDDEN_STATEMENT, "statement refused: %s", reason);
    if (hint != NULL) {
        (void)dr_err_hint(err, "%s", hint);
    }
    return dr_err_at(err, file, line, 0);
}

enum dr_rc
dr_guard_statement(Drover__V1__Engine engine, const char *text, size_t len, const char *file,
                   uint32_t line, struct dr_guard_facts *out, struct dr_err *err)
{
    struct dr_guard_facts facts = {0};
    struct scan s = {.text = text, .len = len, .engine = engine, .facts = &facts, .line = line};
    if (walk(&s) == TOKEN_BAD) {
        return refuse(err, s.problem, NULL, file, s.line);
    }
    if (s.words == 0) {
        return refuse(err, "it is empty", NULL, file, line);
    }
    unsigned bit = engine == DROVER__V1__ENGINE__SQLITE ? FOR_SQLITE : FOR_PG;
    for (size_t i = 0; i < DR_COUNT_OF(forbidden); i++) {
        if ((forbidden[i].engines & bit) != 0 && row_matches(i, &facts)) {
            return refuse(err, forbidden[i].reason, forbidden[i].hint, file, line);
        }
    }
    facts.drops_table = strcmp(facts.words[0], "DROP") == 0 && strcmp(facts.words[1], "TABLE") == 0;
    facts.renames_table &=
        strcmp(facts.words[0], "ALTER") == 0 && strcmp(facts.words[1], "TABLE") == 0;
    facts.names_foreign_keys = engine == DROVER__V1__ENGINE__SQLITE &&
                               strcmp(facts.words[0], "PRAGMA") == 0 &&
                               strcmp(facts.words[1], "FOREIGN_KEYS") == 0;
    *out = facts;
    return DR_OK;
}

size_t
dr_guard_tokens(Drover__V1__Engine engine, const char *text, size_t len, struct dr_guard_token *out,
                size_t max)
{
    static const enum dr_guard_kind kinds[] = {[TOKEN_WORD] = DR_GUARD_WORD,
                                               [TOKEN_NAME] = DR_GUARD_NAME,
                                               [TOKEN_STRING] = DR_GUARD_STRING,
                                               [TOKEN_OTHER] = DR_GUARD_OTHER};
    struct dr_guard_facts facts = {0};
    struct scan s = {.text = text, .len = len, .engine = engine, .facts = &facts};
    char word[32];
    size_t n = 0;
    while (n < max && skip_blanks(&s)) {
        size_t start = s.pos;
        enum token t = next_token(&s, word);
        if (t == TOKEN_END || t == TOKEN_BAD || t == TOKEN_SEMICOLON) {
            break;
        }
        out[n++] = (struct dr_guard_token){kinds[t], start, s.pos};
    }
    return n;
}
