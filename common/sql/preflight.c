#include "sql/preflight.h"

#include <stdio.h>
#include <string.h>

// A name in front of '(' is taken for a call unless the grammar cannot mean one there. Names that
// only seem to be calls (aliases and common table expressions with columns) stand behind AS or
// WITH. U&"..." and UESCAPE spell a name in another way, so they are refused before a name is
// looked at.

#define NAME_SIZE 64u

enum kind { END, WORD, QUOTED, OPEN, CLOSE, DOT, OTHER, BROKEN };

struct token {
    enum kind kind;
    size_t at, len;
    char name[NAME_SIZE]; // lower case unless quoted; cut, which nothing on the list is
};

struct scan {
    enum dr_sql_dialect dialect;
    const char *text;
    size_t len, pos;
    struct token before, last; // the last token and the one before it
    char first[NAME_SIZE];     // first word of the statement
    char schema[NAME_SIZE];    // what stands in front of the dot of `last`
    unsigned dots;             // how many names stand in front of `last`
    struct dr_sql_preflight_fault *fault;
};

// ----------------------------------------------------------------------------------------- tokens

static bool
is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool
starts(const struct scan *s, const char *what)
{
    size_t n = strlen(what);
    return s->len - s->pos >= n && memcmp(s->text + s->pos, what, n) == 0;
}

static bool
skip_block(struct scan *s)
{
    unsigned depth = 0;
    while (s->pos < s->len) {
        if (starts(s, "/*") && (depth == 0 || s->dialect == DR_SQL_POSTGRESQL)) {
            depth++;
            s->pos += 2;
        } else if (starts(s, "*/")) {
            s->pos += 2;
            if (--depth == 0) {
                return true;
            }
        } else {
            s->pos++;
        }
    }
    return false;
}

static bool
skip_blanks(struct scan *s)
{
    while (s->pos < s->len) {
        if (strchr(" \t\n\r\f\v", s->text[s->pos]) != NULL && s->text[s->pos] != '\0') {
            s->pos++;
        } else if (starts(s, "--")) {
            const char *end = memchr(s->text + s->pos, '\n', s->len - s->pos);
            s->pos = end == NULL ? s->len : (size_t)(end - s->text);
        } else if (!starts(s, "/*")) {
            return true;
        } else if (!skip_block(s)) {
            return false;
        }
    }
    return true;
}

static bool
skip_quoted(struct scan *s, char close, bool has_escapes)
{
    for (s->pos++; s->pos < s->len; s->pos++) {
        if (has_escapes && s->text[s->pos] == '\\') {
            s->pos++;
        } else if (s->text[s->pos] == close) {
            s->pos++;
            if (close == ']' || s->pos >= s->len || s->text[s->pos] != close) {
                return true;
            }
        }
    }
    return false;
}

// A dollar-quoted string, or only the dollar.
static bool
skip_dollar(struct scan *s)
{
    size_t end = s->pos + 1;
    while (end < s->len && is_word_byte(s->text[end]) && s->text[end] != '$') {
        end++;
    }
    bool is_digit = end > s->pos + 1 && s->text[s->pos + 1] >= '0' && s->text[s->pos + 1] <= '9';
    if (end >= s->len || s->text[end] != '$' || is_digit) {
        s->pos++;
        return true;
    }
    size_t tag = end - s->pos + 1;
    const char *close = memmem(s->text + end + 1, s->len - end - 1, s->text + s->pos, tag);
    s->pos = close == NULL ? s->len : (size_t)(close - s->text) + tag;
    return close != NULL;
}

static void
copy_name(struct token *t, const char *from, size_t len, bool fold)
{
    size_t n = len < NAME_SIZE - 1 ? len : NAME_SIZE - 1;
    for (size_t i = 0; i < n; i++) {
        bool is_upper = from[i] >= 'A' && from[i] <= 'Z';
        t->name[i] = (char)(fold && is_upper ? from[i] + 32 : from[i]);
    }
    t->name[n] = '\0';
}

static enum kind
next_word(struct scan *s, struct token *t)
{
    while (s->pos < s->len && is_word_byte(s->text[s->pos])) {
        s->pos++;
    }
    copy_name(t, s->text + t->at, s->pos - t->at, true);
    bool is_prefix = s->dialect == DR_SQL_POSTGRESQL && s->pos - t->at == 1 && starts(s, "'");
    if (is_prefix && strchr("ebxn", t->name[0]) != NULL) {
        return skip_quoted(s, '\'', t->name[0] == 'e') ? OTHER : BROKEN;
    }
    return WORD;
}

static enum kind
next_kind(struct scan *s, struct token *t)
{
    bool is_pg = s->dialect == DR_SQL_POSTGRESQL;
    char c = s->text[s->pos];
    if (c == '\'') {
        return skip_quoted(s, '\'', false) ? OTHER : BROKEN;
    }
    if (c == '"' || (!is_pg && (c == '`' || c == '['))) {
        if (!skip_quoted(s, c == '[' ? ']' : c, false)) {
            return BROKEN;
        }
        copy_name(t, s->text + t->at + 1, s->pos - t->at - 2, !is_pg);
        return QUOTED;
    }
    if (c == '$' && is_pg) {
        return skip_dollar(s) ? OTHER : BROKEN;
    }
    if (is_word_byte(c)) {
        return next_word(s, t);
    }
    s->pos++;
    return c == '(' ? OPEN : c == ')' ? CLOSE : c == '.' ? DOT : OTHER;
}

static void
next_token(struct scan *s, struct token *t)
{
    *t = (struct token){.kind = BROKEN, .at = s->pos};
    if (!skip_blanks(s)) {
        return;
    }
    t->at = s->pos;
    t->kind = s->pos >= s->len ? END : next_kind(s, t);
    t->len = s->pos - t->at;
}

// ----------------------------------------------------------------------------------------- faults

// The message is `before`, the word itself, `after`.
static bool
refuse(struct scan *s, const struct token *t, const char *before, const char *after,
       const char *help)
{
    *s->fault = (struct dr_sql_preflight_fault){.offset = t->at, .length = t->len};
    (void)snprintf(s->fault->message, sizeof s->fault->message, "%s%s%s", before,
                   after == NULL ? "" : t->name, after == NULL ? "" : after);
    (void)snprintf(s->fault->help, sizeof s->fault->help, "%s", help);
    return false;
}

#define ONLY_ASKS "a preflight runs before anybody approves, so it may only ask: write one SELECT"

static bool
is_one_of(const char *word, const char *const *list)
{
    while (*list != NULL && strcmp(*list, word) != 0) {
        list++;
    }
    return *list != NULL;
}

// ------------------------------------------------------------------------------------------ words

// An unreserved word in front of '(' that is syntax only behind these.
static bool
is_syntax_here(const struct scan *s)
{
    static const struct {
        const char *word, *before;
    } rows[] = {
        {"by", "order"},        {"by", "group"},          {"by", "partition"}, {"sets", "grouping"},
        {"zone", "time"},       {"varying", "character"}, {"varying", "char"}, {"varying", "bit"},
        {"materialized", "as"}, {"materialized", "not"},
    };
    if (s->last.kind != WORD) {
        return false;
    }
    if (strcmp(s->last.name, "over") == 0 || strcmp(s->last.name, "filter") == 0) {
        return s->before.kind == CLOSE;
    }
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (strcmp(rows[i].word, s->last.name) == 0 && s->before.kind == WORD &&
            strcmp(rows[i].before, s->before.name) == 0) {
            return true;
        }
    }
    return false;
}

// A name with its columns: `AS t(a, b)`, `WITH t(a, b)`.
static bool
is_alias(const struct scan *s)
{
    static const char *const words[] = {"as", "with", "recursive", NULL};
    return s->before.kind == WORD && s->dots == 0 && is_one_of(s->before.name, words);
}

static bool
is_of_server(const struct scan *s)
{
    return s->dialect == DR_SQL_POSTGRESQL && s->dots == 1 &&
           (strcmp(s->schema, "pg_catalog") == 0 || strcmp(s->schema, "information_schema") == 0);
}

// At a '(' : what stands in front of it?
static bool
check_call(struct scan *s)
{
    const struct token *t = &s->last;
    if ((t->kind != WORD && t->kind != QUOTED) || is_alias(s)) {
        return true;
    }
    enum dr_sql_callable found = dr_sql_preflight_word(s->dialect, t->name);
    if (s->dots == 0 && t->kind == WORD && (found == DR_SQL_CALL_SYNTAX || is_syntax_here(s))) {
        return true;
    }
    if (found == DR_SQL_CALL_FUNCTION && (s->dots == 0 || is_of_server(s))) {
        return true;
    }
    return refuse(s, t, "function '", "' is not one that a preflight may call",
                  "use built-in functions that only read; move the rest into up or verify, which "
                  "run after the approval");
}

// A bare word that is no column of something.
static bool
check_word(struct scan *s, const struct token *t)
{
    static const char *const firsts[] = {"select", "with",    "values", "table",
                                         "show",   "explain", NULL};
    static const char *const writers[] = {"insert", "update", "delete", "merge", "into", NULL};
    static const char *const locks[] = {"share", "key", "no", NULL};
    static const char *const runs[] = {"analyze", "analyse", NULL};
    static const char *const quotes = "write the word in double quotes if it is a name";
    if (s->first[0] == '\0') {
        memcpy(s->first, t->name, sizeof s->first);
        if (!is_one_of(t->name, firsts)) {
            return refuse(s, t, "a preflight may not begin with '", "'", ONLY_ASKS);
        }
    }
    if (strcmp(t->name, "uescape") == 0) {
        return refuse(s, t, "a preflight may not use '", "'", "write names plainly");
    }
    if (is_one_of(t->name, writers)) {
        return refuse(s, t, "a preflight only reads, but this says '", "'", quotes);
    }
    if (s->last.kind == WORD && strcmp(s->last.name, "for") == 0 && is_one_of(t->name, locks)) {
        return refuse(s, t, "a preflight takes no row locks, but this says 'for ", "'", ONLY_ASKS);
    }
    if (strcmp(s->first, "explain") == 0 && is_one_of(t->name, runs)) {
        return refuse(s, t, "explain ", " runs the statement", "leave the word out");
    }
    return true;
}

static bool
check_token(struct scan *s, const struct token *t)
{
    if (t->kind == BROKEN) {
        return refuse(s, t, "a quote or comment is not closed", NULL, "close it");
    }
    if (t->kind == OPEN) {
        return check_call(s);
    }
    if (t->kind == WORD && s->last.kind != DOT) {
        return check_word(s, t);
    }
    bool is_spelt = s->dialect == DR_SQL_POSTGRESQL && t->kind == QUOTED && s->last.kind == OTHER &&
                    s->text[s->last.at] == '&' && s->before.kind == WORD &&
                    strcmp(s->before.name, "u") == 0;
    return !is_spelt ||
           refuse(s, t, "a preflight may not use U&\"...\" names", NULL, "write names plainly");
}

static void
shift(struct scan *s, const struct token *t)
{
    bool is_name = t->kind == WORD || t->kind == QUOTED;
    if (is_name && s->last.kind == DOT) {
        memcpy(s->schema, s->before.name, sizeof s->schema);
        s->dots++;
    } else if (t->kind != DOT) {
        s->dots = 0;
    }
    s->before = s->last;
    s->last = *t;
}

bool
dr_sql_preflight_allowed(enum dr_sql_dialect dialect, const char *text, size_t len,
                         struct dr_sql_preflight_fault *out)
{
    struct scan s = {.dialect = dialect, .text = text, .len = len, .fault = out};
    s.before.kind = s.last.kind = OTHER;
    for (;;) {
        struct token t;
        next_token(&s, &t);
        if (t.kind == END) {
            break;
        }
        if (!check_token(&s, &t)) {
            return false;
        }
        shift(&s, &t);
    }
    return s.first[0] != '\0' || refuse(&s, &s.last, "the statement is empty", NULL, ONLY_ASKS);
}

size_t
dr_sql_preflight_names(enum dr_sql_dialect dialect, const char *text, size_t len,
                       struct dr_sql_preflight_name *out, size_t max)
{
    struct scan s = {.dialect = dialect, .text = text, .len = len};
    size_t n = 0;
    s.before.kind = s.last.kind = OTHER;
    for (;;) {
        struct token t;
        next_token(&s, &t);
        bool was_name = s.last.kind == WORD || s.last.kind == QUOTED;
        if (was_name && n <= max && n > 0) {
            out[n - 1].is_call = t.kind == OPEN && !is_of_server(&s);
        }
        if (t.kind == END || t.kind == BROKEN) {
            return n;
        }
        if (t.kind == WORD || t.kind == QUOTED) {
            if (n < max) {
                out[n].is_call = false;
                out[n].is_part = s.last.kind == DOT;
                memcpy(out[n].name, t.name, sizeof out[n].name);
            }
            n++;
        }
        shift(&s, &t);
    }
}
