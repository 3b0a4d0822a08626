// Tokens of Python source. See alembic_python.h.
#include "coordinator/import/alembic_python.h"

#include "base/str.h"

#include <string.h>

#define TOKENS_MAX 4000000u

struct scan {
    const char *path, *text;
    size_t len, pos, line_start;
    uint32_t line;
    unsigned depth; // open brackets: line ends mean nothing in them
    struct dr_arena *arena;
    struct dr_python_token *tokens;
    size_t count, cap;
};

static char
peek(const struct scan *s, size_t ahead)
{
    return s->pos + ahead < s->len ? s->text[s->pos + ahead] : '\0';
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) ||
           (unsigned char)c >= 0x80;
}

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
push(struct scan *s, struct dr_python_token token, struct dr_err *err)
{
    if (s->count == s->cap) {
        size_t cap = s->cap == 0 ? 256 : s->cap * 2;
        struct dr_python_token *more = NULL;
        if (cap <= TOKENS_MAX) {
            more = dr_arena_array(s->arena, cap, sizeof(*more));
        }
        if (more == NULL) {
            return no_memory(err);
        }
        if (s->count > 0) {
            memcpy(more, s->tokens, s->count * sizeof(*more));
        }
        s->tokens = more;
        s->cap = cap;
    }
    s->tokens[s->count++] = token;
    return DR_OK;
}

static void
new_line(struct scan *s)
{
    s->pos++;
    s->line++;
    s->line_start = s->pos;
}

// ---------------------------------------------------------------------------------------- strings

static void
add_code_point(struct dr_buf *out, uint32_t c)
{
    char b[4] = {0};
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xC0 | (c >> 6));
        b[n++] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        b[n++] = (char)(0xE0 | (c >> 12));
        b[n++] = (char)(0x80 | ((c >> 6) & 0x3F));
        b[n++] = (char)(0x80 | (c & 0x3F));
    } else {
        b[n++] = (char)(0xF0 | ((c >> 18) & 0x07));
        b[n++] = (char)(0x80 | ((c >> 12) & 0x3F));
        b[n++] = (char)(0x80 | ((c >> 6) & 0x3F));
        b[n++] = (char)(0x80 | (c & 0x3F));
    }
    dr_buf_add(out, b, n);
}

static int
digit_of(char c, unsigned base)
{
    int v = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    v = c >= 'A' && c <= 'F' ? c - 'A' + 10 : v;
    return v >= 0 && (unsigned)v < base ? v : -1;
}

// Up to `max` digits at `pos`; they are passed over.
static uint32_t
take_number(struct scan *s, unsigned base, unsigned max)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < max && digit_of(peek(s, 0), base) >= 0; i++) {
        value = value * base + (uint32_t)digit_of(peek(s, 0), base);
        s->pos++;
    }
    return value;
}

// What stands behind a backslash in a string that is not raw; `pos` is behind the backslash.
static void
take_escape(struct scan *s, struct dr_buf *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char c = peek(s, 0);
    const char *plain = c != '\0' ? strchr(from, c) : NULL;
    if (c == '\r' && peek(s, 1) == '\n') {
        s->pos++;
        c = '\n';
    }
    if (plain != NULL) {
        dr_buf_add(out, &to[plain - from], 1);
        s->pos++;
    } else if (c == '\n') {
        new_line(s);
    } else if (c >= '0' && c <= '7') {
        add_code_point(out, take_number(s, 8, 3));
    } else if (c == 'x' || c == 'u' || c == 'U') {
        s->pos++;
        add_code_point(out, take_number(s, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else {
        dr_buf_str(out, "\\"); // Python keeps a backslash that means nothing
    }
}

static bool
at_quotes(const struct scan *s, char quote, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (peek(s, i) != quote) {
            return false;
        }
    }
    return true;
}

// The text up to the closing quotes; false: there are none.
static bool
take_text(struct scan *s, char quote, unsigned n, bool is_raw, struct dr_buf *out)
{
    while (s->pos < s->len && !at_quotes(s, quote, n)) {
        char c = peek(s, 0);
        if (c == '\\' && !is_raw) {
            s->pos++;
            take_escape(s, out);
        } else if (c == '\\' && s->pos + 1 < s->len && peek(s, 1) != '\n') {
            dr_buf_add(out, s->text + s->pos, 2);
            s->pos += 2;
        } else if (c == '\n' && n == 1) {
            return false;
        } else if (c == '\n') {
            dr_buf_str(out, "\n");
            new_line(s);
        } else {
            if (c != '\r' || peek(s, 1) != '\n') {
                dr_buf_add(out, &c, 1);
            }
            s->pos++;
        }
    }
    if (s->pos >= s->len) {
        return false;
    }
    s->pos += n;
    return true;
}

// Length of a string's prefix letters at `pos` when a quote follows them; SIZE_MAX: no string.
static size_t
prefix_length(const struct scan *s)
{
    size_t n = 0;
    while (n < 3 && peek(s, n) != '\0' && strchr("rRbBuUfF", peek(s, n)) != NULL) {
        n++;
    }
    return peek(s, n) == '"' || peek(s, n) == '\'' ? n : SIZE_MAX;
}

static enum dr_rc
take_string(struct scan *s, size_t prefix, struct dr_err *err)
{
    struct dr_python_token token = {
        .kind = DR_PYTHON_STRING, .line = s->line, .column = (uint32_t)(s->pos - s->line_start)};
    bool is_raw = false;
    for (size_t i = 0; i < prefix; i++) {
        char c = peek(s, i);
        is_raw = is_raw || c == 'r' || c == 'R';
        if (strchr("bBfF", c) != NULL) {
            token.kind = DR_PYTHON_OTHER_STRING;
        }
    }
    s->pos += prefix;
    char quote = peek(s, 0);
    unsigned n = at_quotes(s, quote, 3) ? 3 : 1;
    s->pos += n;
    struct dr_buf out = {.max = DR_PYTHON_SOURCE_MAX};
    bool is_closed = take_text(s, quote, n, is_raw, &out);
    token.text = dr_arena_strn(s->arena, out.data ? out.data : "", out.len);
    dr_buf_fini(&out);
    if (!is_closed) {
        (void)dr_err_set(err, DR_E_INVALID, "a string is not closed");
        return dr_err_at(err, s->path, token.line, token.column + 1);
    }
    return token.text != NULL ? push(s, token, err) : no_memory(err);
}

// ------------------------------------------------------------------------------------------- rest

static enum dr_rc
take_run(struct scan *s, enum dr_python_kind kind, size_t len, struct dr_err *err)
{
    struct dr_python_token token = {.kind = kind,
                                    .text = dr_arena_strn(s->arena, s->text + s->pos, len),
                                    .line = s->line,
                                    .column = (uint32_t)(s->pos - s->line_start)};
    s->pos += len;
    return token.text != NULL ? push(s, token, err) : no_memory(err);
}

static enum dr_rc
take_operator(struct scan *s, struct dr_err *err)
{
    static const char *const two[] = {"==", "!=", "<=", ">=", ":=", "->"};
    char c = peek(s, 0);
    if (strchr("([{", c) != NULL) {
        s->depth++;
    } else if (strchr(")]}", c) != NULL && s->depth > 0) {
        s->depth--;
    }
    for (size_t i = 0; i < DR_COUNT_OF(two); i++) {
        if (c == two[i][0] && peek(s, 1) == two[i][1]) {
            return take_run(s, DR_PYTHON_OPERATOR, 2, err);
        }
    }
    return take_run(s, c == ';' && s->depth == 0 ? DR_PYTHON_NEWLINE : DR_PYTHON_OPERATOR, 1, err);
}

static enum dr_rc
take_word(struct scan *s, struct dr_err *err)
{
    size_t n = 0;
    bool is_number = is_digit(peek(s, 0));
    while (is_name(peek(s, n)) || (is_number && peek(s, n) == '.')) {
        n++;
    }
    return take_run(s, is_number ? DR_PYTHON_NUMBER : DR_PYTHON_NAME, n, err);
}

// A line's end, a blank, a comment; false: something else is there.
static bool
pass_blank(struct scan *s, enum dr_rc *rc, struct dr_err *err)
{
    char c = peek(s, 0);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
        s->pos++;
    } else if (c == '#') {
        while (s->pos < s->len && peek(s, 0) != '\n') {
            s->pos++;
        }
    } else if (c == '\\' && (peek(s, 1) == '\n' || (peek(s, 1) == '\r' && peek(s, 2) == '\n'))) {
        s->pos += peek(s, 1) == '\r' ? 2 : 1;
        new_line(s);
    } else if (c == '\n') {
        bool is_end =
            s->depth == 0 && s->count > 0 && s->tokens[s->count - 1].kind != DR_PYTHON_NEWLINE;
        struct dr_python_token token = {.kind = DR_PYTHON_NEWLINE, .text = "", .line = s->line};
        *rc = is_end ? push(s, token, err) : DR_OK;
        new_line(s);
    } else {
        return false;
    }
    return true;
}

static enum dr_rc
take_one(struct scan *s, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    size_t prefix = prefix_length(s);
    if (pass_blank(s, &rc, err)) {
        return rc;
    }
    if (prefix != SIZE_MAX) {
        return take_string(s, prefix, err);
    }
    if (is_name(peek(s, 0))) {
        return take_word(s, err);
    }
    if (peek(s, 0) == '\0') {
        (void)dr_err_set(err, DR_E_INVALID, "a NUL byte in a Python module");
        return dr_err_at(err, s->path, s->line, (uint32_t)(s->pos - s->line_start) + 1);
    }
    return take_operator(s, err);
}

enum dr_rc
dr_python_tokens(const char *path, const char *source, size_t len, struct dr_arena *arena,
                 struct dr_python_token **out, size_t *out_count, struct dr_err *err)
{
    struct scan s = {.path = path, .text = source, .len = len, .line = 1, .arena = arena};
    if (len >= 3 && memcmp(source, "\xEF\xBB\xBF", 3) == 0) {
        s.pos = s.line_start = 3;
    }
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && s.pos < s.len) {
        rc = take_one(&s, err);
    }
    struct dr_python_token end = {.kind = DR_PYTHON_NEWLINE, .text = "", .line = s.line};
    rc = rc == DR_OK ? push(&s, end, err) : rc;
    end.kind = DR_PYTHON_END;
    rc = rc == DR_OK ? push(&s, end, err) : rc;
    if (rc == DR_OK) {
        *out = s.tokens;
        *out_count = s.count;
    }
    return rc;
}
