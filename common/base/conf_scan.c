// A small lexer for libconfuse's syntax: strings in ' or ", comments with #, // and /* */, sections
// in braces.

#include "base/conf_scan.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 8u
#define KEYS_MAX  1024u

struct key {
    const char *name;
    size_t len;
    uint32_t scope;
};

struct scan {
    const char *path;
    char *p;
    const char *end;
    uint32_t line;
    uint32_t open_line[DEPTH_MAX]; // where each open section begins
    uint32_t scope[DEPTH_MAX];     // its number
    uint32_t scopes;
    size_t depth;
    struct key keys[KEYS_MAX];
    size_t n_keys;
};

static enum dr_rc
fail(const struct scan *s, uint32_t line, struct dr_err *err, const char *what)
{
    dr_err_set(err, DR_E_CONFIG, "%s", what);
    return dr_err_at(err, s->path, line, 1);
}

// Skips to behind `close`; counts lines; `\` escapes when `escapes`.
static enum dr_rc
skip_to(struct scan *s, const char *close, bool escapes, struct dr_err *err, const char *what)
{
    uint32_t from = s->line;
    size_t n = strlen(close);
    while (s->p < s->end) {
        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, close, n) == 0) {
            s->p += n;
            return DR_OK;
        }
        if (escapes && *s->p == '\\' && s->p + 1 < s->end) {
            s->p++;
        }
        s->line += *s->p == '\n' ? 1 : 0;
        s->p++;
    }
    return fail(s, from, err, what);
}

// The comment is blanked: libconfuse counts its line more than once.
static void
skip_line(struct scan *s)
{
    while (s->p < s->end && *s->p != '\n') {
        *s->p++ = ' ';
    }
}

static enum dr_rc
open_section(struct scan *s, struct dr_err *err)
{
    if (s->depth + 1 >= DEPTH_MAX) {
        return fail(s, s->line, err, "sections are nested too deep");
    }
    s->depth++;
    s->open_line[s->depth] = s->line;
    s->scope[s->depth] = ++s->scopes;
    return DR_OK;
}

// True for a byte that ends an unquoted word of libconfuse's. Note that '/' does not: a URL is one
// word, and a comment begins only where a word could.
static bool
ends_word(char c)
{
    return strchr(" \t\r\n\v={}()+,\"'#*", c) != NULL;
}

// A word; when '=' follows it is a key, which may stand once in its section.
static enum dr_rc
take_word(struct scan *s, struct dr_err *err)
{
    const char *name = s->p;
    while (s->p < s->end && !ends_word(*s->p)) {
        s->p++;
    }
    size_t len = (size_t)(s->p - name);
    const char *next = s->p;
    while (next < s->end && isspace((unsigned char)*next)) {
        next++;
    }
    if (next >= s->end || *next != '=') {
        return DR_OK;
    }
    for (size_t i = 0; i < s->n_keys; i++) {
        if (s->keys[i].scope == s->scope[s->depth] && s->keys[i].len == len &&
            memcmp(s->keys[i].name, name, len) == 0) {
            dr_err_set(err, DR_E_CONFIG, "'%.*s' is set twice", (int)len, name);
            return dr_err_at(err, s->path, s->line, 1);
        }
    }
    if (s->n_keys == KEYS_MAX) {
        return fail(s, s->line, err, "the file sets too many keys");
    }
    s->keys[s->n_keys++] = (struct key){name, len, s->scope[s->depth]};
    return DR_OK;
}

static enum dr_rc
take_one(struct scan *s, struct dr_err *err)
{
    char c = *s->p;
    char next = s->p + 1 < s->end ? s->p[1] : '\0';
    if (c == '#' || (c == '/' && next == '/')) {
        skip_line(s);
        return DR_OK;
    }
    if (c == '/' && next == '*') {
        s->p += 2;
        return skip_to(s, "*/", false, err, "this comment is never closed");
    }
    if (c == '"' || c == '\'') {
        s->p++;
        return skip_to(s, c == '"' ? "\"" : "'", true, err, "this string is never closed");
    }
    if (!ends_word(c)) {
        return take_word(s, err);
    }
    s->p++;
    s->line += c == '\n' ? 1 : 0;
    if (c == '{') {
        return open_section(s, err);
    }
    if (c == '}' && s->depth == 0) {
        return fail(s, s->line, err, "this '}' closes nothing");
    }
    s->depth -= c == '}' ? 1 : 0;
    return DR_OK;
}

enum dr_rc
dr_conf_scan(const char *path, char *text, size_t len, struct dr_err *err)
{
    struct scan s = {.path = path, .p = text, .end = text + len, .line = 1};
    size_t bad = 0;
    if (memchr(text, '\0', len) != NULL || !dr_utf8_valid(text, len, &bad)) {
        return fail(&s, 1, err, "the file is not UTF-8 text");
    }
    while (s.p < s.end) {
        enum dr_rc rc = take_one(&s, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    if (s.depth > 0) {
        (void)fail(&s, s.open_line[s.depth], err, "this section is never closed");
        return dr_err_hint(err, "add a '}' at its end");
    }
    return DR_OK;
}
