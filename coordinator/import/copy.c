#include "coordinator/import/chunk.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

// COPY's text format as the server reads it: fields between tabs, \N is NULL, \t \n \b \r \f \v,
// octal and hex escapes, any other character behind a backslash stands for itself, `\.` alone on a
// line ends the data. INSERT ... OVERRIDING SYSTEM VALUE is what COPY does with identity columns.

enum { ROWS_MAX = 1000, STATEMENT_BYTES = 512 * 1024, TEXT_MAX = 256 * 1024 * 1024 };

struct cursor {
    const char *at, *end;
};

static void
skip_blank(struct cursor *c)
{
    while (c->at < c->end && strchr(" \t\n\f\v", *c->at) != NULL) {
        c->at++;
    }
}

static bool
word_is(struct cursor *c, const char *word)
{
    size_t len = strlen(word);
    skip_blank(c);
    bool is = (size_t)(c->end - c->at) >= len && strncasecmp(c->at, word, len) == 0 &&
              ((size_t)(c->end - c->at) == len || strchr(" \t\n\f\v(\"", c->at[len]) != NULL);
    c->at += is ? len : 0;
    return is;
}

// Behind a name with its parts and list of columns, up to FROM.
static bool
skip_target(struct cursor *c)
{
    unsigned parens = 0;
    while (c->at < c->end) {
        if (*c->at == '"') {
            const char *close = memchr(c->at + 1, '"', (size_t)(c->end - c->at - 1));
            if (close == NULL) {
                return false;
            }
            c->at = close + 1;
            continue;
        }
        bool is_start = c->at[-1] == ' ' || c->at[-1] == '\n' || c->at[-1] == '\t' ||
                        c->at[-1] == ')' || c->at[-1] == '"';
        struct cursor here = *c;
        if (parens == 0 && is_start && strchr("fF", *c->at) != NULL && word_is(&here, "FROM")) {
            return true;
        }
        parens += *c->at == '(';
        parens -= *c->at == ')' && parens > 0;
        c->at++;
    }
    return false;
}

// What a COPY of default format copies into: "public.users (id, name)". False for other options.
static bool
read_target(const char *sql, size_t len, const char **out, size_t *out_len)
{
    struct cursor c = {sql, sql + len};
    if (!word_is(&c, "COPY")) {
        return false;
    }
    skip_blank(&c);
    const char *from = c.at;
    if (c.at >= c.end || *c.at == '(' || !skip_target(&c)) {
        return false;
    }
    const char *to = c.at;
    bool is_plain = word_is(&c, "FROM") && word_is(&c, "STDIN");
    skip_blank(&c);
    while (to > from && strchr(" \t\n", to[-1]) != NULL) {
        to--;
    }
    *out = from;
    *out_len = (size_t)(to - from);
    return is_plain && c.at == c.end && memmem(from, *out_len, "--", 2) == NULL &&
           memmem(from, *out_len, "/*", 2) == NULL;
}

static unsigned
digit_of(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
           : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                  : 99;
}

static size_t
read_number(const char *text, size_t len, unsigned base, size_t most, unsigned *out)
{
    size_t n = 0;
    *out = 0;
    while (n < len && n < most && digit_of(text[n]) < base) {
        *out = *out * base + digit_of(text[n++]);
    }
    return n;
}

// One field without its escapes, appended to `out`.
static void
unescape(struct dr_buf *out, const char *text, size_t len)
{
    static const char names[] = "bfnrtv", values[] = "\b\f\n\r\t\v";
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < len) {
            unsigned number = 0;
            c = text[++i];
            const char *name = strchr(names, c);
            size_t used = 0;
            if (name != NULL && c != '\0') {
                c = values[name - names];
            } else if (c >= '0' && c <= '7') {
                used = read_number(text + i, len - i, 8, 3, &number);
                c = (char)(number & 0xFF);
                i += used - 1;
            } else if (c == 'x' &&
                       (used = read_number(text + i + 1, len - i - 1, 16, 2, &number))) {
                c = (char)number;
                i += used;
            }
        }
        dr_buf_add(out, &c, 1);
    }
}

// A literal of bytes; E'...' where a revision file cannot hold them as they are.
static void
add_literal(struct dr_buf *out, const char *text, size_t len)
{
    bool is_plain = dr_utf8_plain(text, len, NULL);
    dr_buf_str(out, is_plain ? "'" : "E'");
    for (size_t i = 0; i < len; i++) {
        size_t seq = (unsigned char)text[i] < 0x80   ? 1
                     : (unsigned char)text[i] < 0xE0 ? 2
                     : (unsigned char)text[i] < 0xF0 ? 3
                                                     : 4;
        seq = i + seq > len ? 1 : seq;
        if (text[i] == '\'') {
            dr_buf_str(out, "''");
        } else if (!is_plain && text[i] == '\\') {
            dr_buf_str(out, "\\\\");
        } else if (!is_plain && !dr_utf8_plain(text + i, seq, NULL)) {
            for (size_t k = 0; k < seq; k++) {
                dr_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text[i + k]);
            }
            i += seq - 1;
        } else {
            dr_buf_add(out, text + i, seq);
            i += seq - 1;
        }
    }
    dr_buf_str(out, "'");
}

static void
add_row(struct dr_buf *out, const char *line, size_t len, struct dr_buf *field)
{
    dr_buf_str(out, "(");
    for (size_t at = 0; at <= len;) {
        const char *tab = memchr(line + at, '\t', len - at);
        size_t end = tab == NULL ? len : (size_t)(tab - line);
        dr_buf_str(out, at == 0 ? "" : ", ");
        if (end - at == 2 && memcmp(line + at, "\\N", 2) == 0) {
            dr_buf_str(out, "NULL");
        } else {
            dr_buf_reset(field);
            unescape(field, line + at, end - at);
            add_literal(out, field->data == NULL ? "" : field->data, field->len);
        }
        at = end + 1;
    }
    dr_buf_str(out, ")");
}

// The next line of data; false at `\.` and at the end of the text.
static bool
next_line(const char *data, size_t len, size_t *at, const char **out, size_t *out_len)
{
    if (*at >= len) {
        return false;
    }
    const char *end = memchr(data + *at, '\n', len - *at);
    size_t n = end == NULL ? len - *at : (size_t)(end - data) - *at;
    *out = data + *at;
    *out_len = n;
    *at += n + (end == NULL ? 0 : 1);
    return !(n == 2 && memcmp(*out, "\\.", 2) == 0);
}

enum dr_rc
dr_copy_insert(struct dr_arena *arena, const char *sql, size_t sql_len, const char *data,
               size_t data_len, size_t *out_used, const char **out_text, size_t *out_len,
               size_t *out_rows, size_t *out_statements, struct dr_err *err)
{
    struct dr_buf out = {.max = TEXT_MAX}, field = {.max = TEXT_MAX};
    const char *target = "", *line;
    size_t target_len = 0, len, rows = 0, in_statement = 0, begun = 0, statements = 0, used = 0;
    bool is_known = read_target(sql, sql_len, &target, &target_len);
    while (next_line(data, data_len, &used, &line, &len)) {
        if (!is_known) {
            continue;
        }
        bool is_new =
            in_statement == 0 || in_statement == ROWS_MAX || out.len - begun > STATEMENT_BYTES;
        if (is_new) {
            dr_buf_str(&out, rows == 0 ? "" : ";\n");
            begun = out.len;
            dr_buf_printf(&out, "INSERT INTO %.*s OVERRIDING SYSTEM VALUE VALUES\n",
                          (int)target_len, target);
            in_statement = 0;
            statements++;
        }
        dr_buf_str(&out, in_statement == 0 ? "" : ",\n");
        add_row(&out, line, len, &field);
        in_statement++;
        rows++;
    }
    dr_buf_str(&out, rows == 0 ? "" : ";\n");
    char *text = out.failed || field.failed ? NULL
                 : out.len == 0             ? dr_arena_str(arena, "")
                                            : dr_arena_strn(arena, out.data, out.len);
    *out_len = out.len;
    dr_buf_fini(&out);
    dr_buf_fini(&field);
    if (text == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "the rows behind a COPY are too many");
    }
    *out_used = used;
    *out_text = is_known ? text : NULL;
    *out_rows = rows;
    *out_statements = statements;
    return DR_OK;
}
