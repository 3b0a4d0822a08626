// Two sorted lists of "OBJECT: DEFINITION" lines, walked together.
#include "schema/diff.h"

#include "base/str.h"

#include <string.h>

struct line {
    const char *text;
    size_t len, key_len;
};

static bool
read_line(const char *text, struct line *out)
{
    const char *colon;
    *out = (struct line){.text = text, .len = strcspn(text, "\n")};
    colon = memmem(text, out->len, ": ", 2);
    out->key_len = colon == NULL ? out->len : (size_t)(colon - text);
    return *text != '\0';
}

static int
compare_keys(const struct line *a, const struct line *b)
{
    size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order = memcmp(a->text, b->text, len);
    return order != 0 ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int
compare_lines(const struct line *a, const struct line *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->text, b->text, len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static const char *
next(const struct line *line)
{
    return line->text + line->len + (line->text[line->len] == '\n' ? 1 : 0);
}

static const char *
definition(struct dr_arena *arena, const struct line *line)
{
    size_t skip = line->key_len + (line->len > line->key_len ? 2 : 0);
    return dr_arena_strn(arena, line->text + skip, line->len - skip);
}

static size_t
count_lines(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

// Is `c` what PostgreSQL lets everybody do with an object that comes or goes itself?
static bool
goes_without_saying(const struct dr_schema_change *c, const struct dr_schema_change *list, size_t n)
{
    static const char type[] = "grant type ", function[] = "grant function ", all[] = " to public";
    const char *right = c->sign == '+' ? c->after : c->before;
    bool is_type = strncmp(c->object, type, strlen(type)) == 0 && dr_str_eq(right, "USAGE");
    bool is_function =
        strncmp(c->object, function, strlen(function)) == 0 && dr_str_eq(right, "EXECUTE");
    if (c->sign == '~' || (!is_type && !is_function)) {
        return false;
    }
    const char *name = c->object + (is_type ? strlen(type) : strlen(function));
    size_t len = strlen(name), tail = strlen(all);
    if (len < tail || strcmp(name + len - tail, all) != 0) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const char *word = strchr(list[i].object, ' '); // "enum NAME", "function NAME(...)"
        if (list[i].sign == c->sign && word != NULL && strlen(word + 1) == len - tail &&
            memcmp(word + 1, name, len - tail) == 0) {
            return true;
        }
    }
    return false;
}

static size_t
leave_out_defaults(struct dr_schema_change *list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct dr_schema_change c = list[i]; // those that are kept move up
        if (!goes_without_saying(&c, list, n)) {
            list[kept++] = c;
        }
    }
    return kept;
}

enum dr_rc
dr_schema_diff(const char *before, const char *after, struct dr_arena *arena,
               struct dr_schema_change **out, size_t *out_count, struct dr_err *err)
{
    size_t n = 0;
    size_t max = count_lines(before) + count_lines(after) + 2;
    struct dr_schema_change *list = dr_arena_array(arena, max, sizeof(*list));
    bool failed = list == NULL;
    struct line a;
    struct line b;
    bool has_a = read_line(before, &a);
    bool has_b = read_line(after, &b);
    while (!failed && (has_a || has_b)) {
        int lines = !has_a ? 1 : !has_b ? -1 : compare_lines(&a, &b);
        bool is_one = has_a && has_b && lines != 0 && compare_keys(&a, &b) == 0;
        struct dr_schema_change *c = &list[n];
        if (lines != 0) {
            const struct line *named = is_one || lines < 0 ? &a : &b;
            c->sign = is_one ? '~' : lines < 0 ? '-' : '+';
            c->object = dr_arena_strn(arena, named->text, named->key_len);
            c->before = is_one || lines < 0 ? definition(arena, &a) : "";
            c->after = is_one || lines > 0 ? definition(arena, &b) : "";
            failed = c->object == NULL || c->before == NULL || c->after == NULL;
            n++;
        }
        if (is_one || lines <= 0) {
            has_a = read_line(next(&a), &a);
        }
        if (is_one || lines >= 0) {
            has_b = read_line(next(&b), &b);
        }
    }
    if (failed) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    *out = list;
    *out_count = leave_out_defaults(list, n);
    return DR_OK;
}
