// Lines of a fingerprint, sorted and hashed. The catalogs are read in fingerprint_pg.c and
// fingerprint_sqlite.c; how two of them differ is in fingerprint_diff.c.
#include "engine/fingerprint_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A key ends at the first ": ", so it holds none.
static void
add_escaped(struct dr_buf *out, const char *text, bool is_key)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_key && c == ':' && text[1] == ' ') {
            dr_buf_str(out, "\\x3a");
        } else if (c == '\n') {
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
    if (lines->failed) {
        return;
    }
    if (!grow(lines)) {
        lines->failed = true;
        return;
    }
    lines->text.max = DR_FINGERPRINT_TEXT_MAX;
    lines->offsets[lines->count++] = lines->text.len;
    add_escaped(&lines->text, key, true);
    if (definition != NULL && *definition != '\0') {
        dr_buf_str(&lines->text, ": ");
        add_escaped(&lines->text, definition, false);
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
    uint8_t sha256[32];
    const struct dr_fingerprint_options *options = lines->options;
    enum dr_rc rc =
        dr_fingerprint_sha256(data, options->tolerate, options->tolerate_count, sha256, err);
    if (rc != DR_OK) {
        free(data);
        return rc;
    }
    *out = (struct dr_fingerprint){.text = data, .text_len = text.len};
    memcpy(out->sha256, sha256, 32);
    return DR_OK;
}

void
dr_fingerprint_fini(struct dr_fingerprint *fingerprint)
{
    free(fingerprint->text);
    *fingerprint = (struct dr_fingerprint){0};
}
