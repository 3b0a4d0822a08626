// How two fingerprints differ, object by object, and what of one is tolerated.
#include "engine/fingerprint.h"

#include "revision/digest.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_LINE_MAX 400 // bytes of a line that a difference shows
#define SHOWN_NAME_MAX 200 // bytes of an object's name in a list
#define KEY_MAX        1024

struct line {
    const char *text;
    size_t len, key_len;
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

// ------------------------------------------------------------------------------- tolerated

static bool
is_tolerated(const struct line *line, const char *const *patterns, size_t count)
{
    char key[KEY_MAX];
    if (line->key_len >= sizeof key) {
        return false;
    }
    memcpy(key, line->text, line->key_len);
    key[line->key_len] = '\0';
    for (size_t i = 0; i < count && i < DR_FINGERPRINT_TOLERATE_MAX; i++) {
        if (dr_str_glob(patterns[i], key)) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_fingerprint_tolerate(const char *text, const char *const *patterns, size_t count,
                        struct dr_buf *out, struct dr_err *err)
{
    struct line line;
    out->max = DR_FINGERPRINT_TEXT_MAX + 1;
    dr_buf_str(out, "");
    for (; read_line(text, &line); text = after(&line)) {
        if (!is_tolerated(&line, patterns, count)) {
            dr_buf_add(out, line.text, line.len);
            dr_buf_str(out, "\n");
        }
    }
    return out->failed ? dr_err_set(err, DR_E_NOMEM, "no memory for the fingerprint") : DR_OK;
}

enum dr_rc
dr_fingerprint_sha256(const char *text, const char *const *patterns, size_t count, uint8_t out[32],
                      struct dr_err *err)
{
    struct dr_buf kept = {0};
    if (count == 0) {
        dr_digest_sha256(out, text, strlen(text));
        return DR_OK;
    }
    enum dr_rc rc = dr_fingerprint_tolerate(text, patterns, count, &kept, err);
    if (rc == DR_OK) {
        dr_digest_sha256(out, kept.data, kept.len);
    }
    dr_buf_fini(&kept);
    return rc;
}

// ------------------------------------------------------------------------------ difference

// One object that differs: `before` or `after` has len 0 where it is not there.
struct change {
    struct line before, after;
};
typedef void (*change_fn)(void *arg, const struct change *change);

static size_t
walk(const char *before, const char *after_text, change_fn fn, void *arg)
{
    size_t objects = 0;
    for (;;) {
        struct line a = {0};
        struct line b = {0};
        bool has_a = read_line(before, &a);
        bool has_b = read_line(after_text, &b);
        if (!has_a && !has_b) {
            return objects;
        }
        int order = !has_a ? 1 : !has_b ? -1 : compare(a.text, a.len, b.text, b.len);
        bool is_same_object =
            has_a && has_b && order != 0 && compare(a.text, a.key_len, b.text, b.key_len) == 0;
        struct change change = {0};
        if (is_same_object || order <= 0) {
            change.before = a;
            before = after(&a);
        }
        if (is_same_object || order >= 0) {
            change.after = b;
            after_text = after(&b);
        }
        if (order != 0) {
            objects++;
            fn(arg, &change);
        }
    }
}

struct diff {
    struct dr_buf *out;
    size_t max_lines, lines, hidden;
};

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

static void
show_change(void *arg, const struct change *change)
{
    struct diff *diff = arg;
    const struct line *a = &change->before;
    const struct line *b = &change->after;
    if (a->text != NULL && b->text != NULL) {
        show(diff, "~ ", a->text, a->key_len);
        show(diff, "  - ", a->text, a->len);
        show(diff, "  + ", b->text, b->len);
    } else if (a->text != NULL) {
        show(diff, "- ", a->text, a->len);
    } else {
        show(diff, "+ ", b->text, b->len);
    }
}

size_t
dr_fingerprint_diff(const char *before, const char *after_text, size_t max_lines,
                    struct dr_buf *out)
{
    struct diff diff = {.out = out, .max_lines = max_lines};
    size_t objects = walk(before, after_text, show_change, &diff);
    if (diff.hidden > 0) {
        dr_buf_printf(out, "... and %zu more lines\n", diff.hidden);
    }
    return objects;
}

// --------------------------------------------------------------------------------- objects

struct names {
    struct dr_arena *arena;
    char **list;
    size_t n, max;
    bool failed;
};

static void
name_change(void *arg, const struct change *change)
{
    struct names *names = arg;
    bool is_there = change->after.text != NULL;
    const struct line *line = is_there ? &change->after : &change->before;
    const char *verb = change->before.text == NULL ? "added" : is_there ? "changed" : "removed";
    if (names->n >= names->max || names->failed) {
        return;
    }
    struct dr_buf shown = {0};
    bool is_cut = line->key_len > SHOWN_NAME_MAX;
    dr_show(&shown, line->text, is_cut ? SHOWN_NAME_MAX : line->key_len, false);
    char *name = shown.failed
                     ? NULL
                     : dr_arena_printf(names->arena, "%s %s%s", verb,
                                       shown.data == NULL ? "" : shown.data, is_cut ? "..." : "");
    dr_buf_fini(&shown);
    names->failed = name == NULL;
    names->list[names->n++] = name;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum dr_rc
dr_fingerprint_objects(struct dr_arena *arena, const char *before, const char *after_text,
                       size_t max, char ***out, size_t *out_n, size_t *out_count,
                       struct dr_err *err)
{
    struct names names = {.arena = arena, .max = max};
    names.list = dr_arena_array(arena, max + 1, sizeof *names.list);
    names.failed = names.list == NULL;
    size_t count = walk(before, after_text, name_change, &names);
    if (names.failed) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the objects that differ");
    }
    if (names.n > 0) {
        qsort(names.list, names.n, sizeof *names.list, compare_names);
    }
    *out = names.list;
    *out_n = names.n;
    *out_count = count;
    return DR_OK;
}
