// Lines of a fingerprint and how two of them differ. The catalogs are read in fingerprint_pg.c and
// fingerprint_sqlite.c.
#include "engine/fingerprint_internal.h"

#include "revision/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_LINE_MAX 400 // bytes of a line that a difference shows

static bool
is_tolerated(const struct dr_fingerprint_options *options, const char *key)
{
    size_t count = options->tolerate_count < DR_FINGERPRINT_TOLERATE_MAX
                       ? options->tolerate_count
                       : DR_FINGERPRINT_TOLERATE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (dr_str_glob(options->tolerate[i], key)) {
            return true;
        }
    }
    return false;
}

static void
add_escaped(struct dr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n') {
            dr_buf_str(out, "\\n");
        } else if (c == '\\') {
            dr_buf_str(out, "\\\\");
        } else if (c < 0x20 && c != '\t') {
            dr_buf_printf(out, "\\x%02x", c);
        } else {
            dr_buf_add(out, text, 1);
        }
    }
}

static bool
grow(struct dr_fplines *lines)
{
    if (lines->count < lines->cap) {
        return true;
    }
    size_t cap = lines->cap == 0 ? 256 : lines->cap * 2;
    size_t *offsets = reallocarray(lines->offsets, cap, sizeof *offsets);
    if (offsets == NULL) {
        return false;
    }
    lines->offsets = offsets;
    lines->cap = cap;
    return true;
}

void
dr_fplines_add(struct dr_fplines *lines, const char *key, const char *definition)
{
    if (lines->failed || is_tolerated(lines->options, key)) {
        return;
    }
    if (!grow(lines)) {
        lines->failed = true;
        return;
    }
    lines->text.max = DR_FINGERPRINT_TEXT_MAX;
    lines->offsets[lines->count++] = lines->text.len;
    add_escaped(&lines->text, key);
    if (definition != NULL && *definition != '\0') {
        dr_buf_str(&lines->text, ": ");
        add_escaped(&lines->text, definition);
    }
    dr_buf_add(&lines->text, "", 1);
}

void
dr_fplines_fini(struct dr_fplines *lines)
{
    dr_buf_fini(&lines->text);
    free(lines->offsets);
    *lines = (struct dr_fplines){0};
}

static int
compare_lines(const void *a, const void *b, void *text)
{
    const size_t *left = a;
    const size_t *right = b;
    return strcmp((const char *)text + *left, (const char *)text + *right);
}

enum dr_rc
dr_fplines_end(struct dr_fplines *lines, struct dr_fingerprint *out, struct dr_err *err)
{
    if (lines->failed) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the fingerprint");
    }
    if (lines->text.failed) {
        return dr_err_set(err, DR_E_LIMIT, "the schema's text is longer than %u bytes",
                          DR_FINGERPRINT_TEXT_MAX);
    }
    if (lines->count > 0) {
        qsort_r(lines->offsets, lines->count, sizeof *lines->offsets, compare_lines,
                lines->text.data);
    }
    struct dr_buf text = {.max = DR_FINGERPRINT_TEXT_MAX + 1};
    dr_buf_str(&text, "");
    for (size_t i = 0; i < lines->count; i++) {
        dr_buf_str(&text, lines->text.data + lines->offsets[i]);
        dr_buf_add(&text, "\n", 1);
    }
    char *data = text.data != NULL ? text.data : strdup("");
    if (text.failed || data == NULL) {
        free(data != text.data ? data : NULL);
        dr_buf_fini(&text);
        return dr_err_set(err, DR_E_NOMEM, "no memory for the fingerprint");
    }
    *out = (struct dr_fingerprint){.text = data, .text_len = text.len};
    dr_digest_sha256(out->sha256, data, text.len);
    return DR_OK;
}

void
dr_fingerprint_fini(struct dr_fingerprint *fingerprint)
{
    free(fingerprint->text);
    *fingerprint = (struct dr_fingerprint){0};
}

// ------------------------------------------------------------------------------------------------
// difference

struct line {
    const char *text;
    size_t len, key_len;
};

struct diff {
    struct dr_buf *out;
    size_t max_lines, lines, hidden, objects;
};

// The line at `text`; false at the end.
static bool
read_line(const char *text, struct line *out)
{
    if (*text == '\0') {
        return false;
    }
    out->text = text;
    out->len = strcspn(text, "\n");
    const char *colon = memmem(text, out->len, ": ", 2);
    out->key_len = colon == NULL ? out->len : (size_t)(colon - text);
    return true;
}

static const char *
after(const struct line *line)
{
    const char *end = line->text + line->len;
    return *end == '\n' ? end + 1 : end;
}

static int
compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static void
show(struct diff *diff, const char *sign, const char *text, size_t len)
{
    if (diff->out == NULL) {
        return;
    }
    if (diff->lines >= diff->max_lines) {
        diff->hidden++;
        return;
    }
    bool is_cut = len > SHOWN_LINE_MAX;
    diff->lines++;
    dr_buf_str(diff->out, sign);
    dr_show(diff->out, text, is_cut ? SHOWN_LINE_MAX : len, false);
    dr_buf_str(diff->out, is_cut ? "...\n" : "\n");
}

// Moves `*text` to the next line when the present one was used up.
static void
step(const char **text, const struct line *line)
{
    *text = after(line);
}

size_t
dr_fingerprint_diff(const char *before, const char *after_text, size_t max_lines,
                    struct dr_buf *out)
{
    struct diff diff = {.out = out, .max_lines = max_lines};
    for (;;) {
        struct line a = {0};
        struct line b = {0};
        bool has_a = read_line(before, &a);
        bool has_b = read_line(after_text, &b);
        if (!has_a && !has_b) {
            break;
        }
        int order = !has_a ? 1 : !has_b ? -1 : compare(a.text, a.len, b.text, b.len);
        bool is_same_object =
            has_a && has_b && order != 0 && compare(a.text, a.key_len, b.text, b.key_len) == 0;
        diff.objects += order != 0 ? 1 : 0;
        if (is_same_object) {
            show(&diff, "~ ", a.text, a.key_len);
            show(&diff, "  - ", a.text, a.len);
            show(&diff, "  + ", b.text, b.len);
        } else if (order < 0) {
            show(&diff, "- ", a.text, a.len);
        } else if (order > 0) {
            show(&diff, "+ ", b.text, b.len);
        }
        if (is_same_object || order <= 0) {
            step(&before, &a);
        }
        if (is_same_object || order >= 0) {
            step(&after_text, &b);
        }
    }
    if (diff.hidden > 0) {
        dr_buf_printf(out, "... and %zu more lines\n", diff.hidden);
    }
    return diff.objects;
}
