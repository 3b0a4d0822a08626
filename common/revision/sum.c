#include "revision/sum.h"

#include "base/file.h"
#include "base/str.h"
#include "sql/lexer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUM_BYTES_MAX (16u * 1024 * 1024)
#define WORDS_SIZE    16u // bytes of the digest of what a file says
#define FIELDS        4u

static const char head_word[] = "head ";
static const char first_line[] =
    "# The revisions of this folder. After an edit by hand: drover check --write\n";

struct row {
    const char *fields[FIELDS]; // id, parents, file, words
};

struct dr_sum {
    struct row *rows;
    size_t count;
};

// ------------------------------------------------------------------------------------------- rows

static void
add_number(struct dr_buf *out, const char *name, uint64_t value)
{
    dr_buf_printf(out, "%s=%llu\n", name, (unsigned long long)value);
}

static void
add_names(struct dr_buf *out, const char *name, const struct dr_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        dr_buf_printf(out, "%s=%s\n", name, names->items[i]);
    }
}

static void
add_section(struct dr_buf *out, const struct dr_revision *r, const struct dr_section *s)
{
    enum dr_sql_dialect dialect =
        s->engines == DR_ENGINE_SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    dr_buf_printf(out, "%s name=%s only=%s for=%s probe=%s\n", dr_section_kind_name(s->kind),
                  s->name, s->only, s->for_name, s->probe);
    const uint64_t numbers[] = {s->engines,
                                s->outside_transaction,
                                s->expect_empty,
                                s->on_down,
                                s->sample,
                                s->retry,
                                s->max_ms,
                                s->lock_timeout_ms,
                                s->statement_timeout_ms,
                                s->max_block_ms};
    for (size_t i = 0; i < DR_COUNT_OF(numbers); i++) {
        add_number(out, "", numbers[i]);
    }
    dr_sql_compact(dialect, r->bytes + s->offset, s->length, out);
    dr_buf_str(out, "\n");
}

// Digest of what a revision does and what policies read; comments and words for people are left
// out.
static bool
digest_words(const struct dr_revision *r, uint8_t out[DR_DIGEST_SIZE])
{
    struct dr_buf text = {.max = 2 * DR_REVISION_FILE_MAX};
    dr_buf_printf(&text, "%s\nbreaking=%s\ndestructive=%s\nwhy=%s\nphase=%s\nnone=%s\n", r->id,
                  r->breaking, r->destructive, r->reversible_why, r->phase, r->down_none_reason);
    add_names(&text, "parent", &r->parents);
    add_names(&text, "label", &r->labels);
    add_names(&text, "depends", &r->depends_on);
    const uint64_t numbers[] = {
        r->engines,         r->postgresql_min,       r->reversible,     r->down_none,
        r->lock_timeout_ms, r->statement_timeout_ms, r->time_budget_ms,
    };
    for (size_t i = 0; i < DR_COUNT_OF(numbers); i++) {
        add_number(&text, "", numbers[i]);
    }
    for (size_t i = 0; i < r->section_count; i++) {
        add_section(&text, r, &r->sections[i]);
    }
    if (!text.failed) {
        dr_digest_sha256(out, text.data, text.len);
    }
    bool is_good = !text.failed;
    dr_buf_fini(&text);
    return is_good;
}

static bool
words_hex(const struct dr_revision *r, char out[2 * WORDS_SIZE + 1])
{
    uint8_t digest[DR_DIGEST_SIZE];
    bool is_good = digest_words(r, digest);
    dr_hex(out, digest, is_good ? WORDS_SIZE : 0);
    return is_good;
}

bool
dr_sum_same_words(const struct dr_revision *a, const struct dr_revision *b)
{
    char one[2 * WORDS_SIZE + 1], other[2 * WORDS_SIZE + 1];
    return a->defect == NULL && b->defect == NULL && words_hex(a, one) && words_hex(b, other) &&
           strcmp(one, other) == 0;
}

static void
file_hex(const struct dr_node *node, char out[2 * DR_DIGEST_SIZE + 1])
{
    dr_hex(out, node->file_sha256, DR_DIGEST_SIZE);
}

static bool
is_open(const struct row *row)
{
    return strcmp(row->fields[2], "open") == 0;
}

// Rows and nodes have nearly the same order: the search begins behind the last hit.
static const struct row *
find_row(const struct dr_sum *sum, const char *id, size_t *near)
{
    for (size_t k = 0; sum != NULL && k < sum->count; k++) {
        size_t i = (*near + k) % sum->count;
        if (strcmp(sum->rows[i].fields[0], id) == 0) {
            *near = i + 1;
            return &sum->rows[i];
        }
    }
    return NULL;
}

// The head behind one more line, from the one before it.
static void
chain(uint8_t head[DR_DIGEST_SIZE], const char *line, size_t len)
{
    struct dr_buf text = {0};
    dr_buf_add(&text, head, DR_DIGEST_SIZE);
    dr_buf_add(&text, line, len);
    dr_digest_sha256(head, text.data, text.len);
    dr_buf_fini(&text);
}

// ------------------------------------------------------------------------------------------- read

static enum dr_rc
refuse(const char *path, uint32_t line, struct dr_err *err, const char *what, const char *hint)
{
    dr_err_set(err, DR_E_REVISION_SUM, "%s", what);
    dr_err_hint(err, "%s", hint);
    return dr_err_at(err, path, line, 1);
}

static const char write_again[] = "drover history shows the folder; drover check --write notes it";

// Cuts a line into its fields, in place.
static bool
cut(char *line, struct row *out)
{
    for (size_t i = 0; i < FIELDS; i++) {
        char *blank = strchr(line, ' ');
        if ((blank == NULL) != (i + 1 == FIELDS) || line[0] == '\0' || line == blank) {
            return false;
        }
        out->fields[i] = line;
        if (blank != NULL) {
            *blank = '\0';
            line = blank + 1;
        }
    }
    return true;
}

static bool
is_conflict(const char *line)
{
    return strncmp(line, "<<<<<<<", 7) == 0 || strncmp(line, "=======", 7) == 0 ||
           strncmp(line, ">>>>>>>", 7) == 0;
}

static enum dr_rc
read_lines(const char *path, char *text, struct dr_sum *sum, struct dr_err *err)
{
    uint8_t head[DR_DIGEST_SIZE] = {0};
    char hex[2 * DR_DIGEST_SIZE + 1];
    bool has_head = false;
    uint32_t number = 0;
    for (char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char *next = line + len + (line[len] == '\n' ? 1 : 0);
        number++;
        line[len] = '\0';
        if (is_conflict(line)) {
            return refuse(path, number, err, "two branches added revisions: git left a conflict",
                          "drover heads; join two heads with drover merge; drover check --write");
        }
        if (strncmp(line, head_word, sizeof head_word - 1) == 0) {
            dr_hex(hex, head, DR_DIGEST_SIZE);
            has_head = *next == '\0' && strcmp(line + sizeof head_word - 1, hex) == 0;
            if (!has_head) {
                return refuse(path, number, err, "the head does not fit the lines above",
                              write_again);
            }
        } else if (line[0] != '#') {
            chain(head, line, len);
            if (!cut(line, &sum->rows[sum->count])) {
                return refuse(path, number, err, "this is no line of a sum", write_again);
            }
            sum->count++;
        }
        line = next;
    }
    return has_head ? DR_OK : refuse(path, number, err, "the head is missing", write_again);
}

static char *
path_of(const char *folder, struct dr_arena *arena)
{
    return dr_arena_printf(arena, "%s/%s", folder, DR_SUM_NAME);
}

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the sum of the revisions");
}

enum dr_rc
dr_sum_read(const char *folder, struct dr_arena *arena, struct dr_sum **out, struct dr_err *err)
{
    char *path = path_of(folder, arena), *text = NULL;
    size_t len = 0, lines = 1;
    struct dr_sum *sum = dr_arena_alloc(arena, sizeof *sum);
    if (path == NULL || sum == NULL) {
        return nomem(err);
    }
    enum dr_rc rc = dr_file_read(path, SUM_BYTES_MAX, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    char *copy = dr_arena_strn(arena, text, len);
    free(text);
    for (const char *c = copy; c != NULL && *c != '\0'; c++) {
        lines += *c == '\n';
    }
    *sum = (struct dr_sum){.rows = dr_arena_array(arena, lines, sizeof *sum->rows)};
    if (copy == NULL || sum->rows == NULL) {
        return nomem(err);
    }
    rc = read_lines(path, copy, sum, err);
    if (rc == DR_OK) {
        *out = sum;
    }
    return rc;
}

// ---------------------------------------------------------------------------------------- compare

static bool
differs(const struct row *row, const struct dr_node *node, enum dr_sum_kind *out)
{
    char file[2 * DR_DIGEST_SIZE + 1], words[2 * WORDS_SIZE + 1];
    if (node == NULL) {
        *out = DR_SUM_MISSING;
        return true;
    }
    if (is_open(row)) {
        *out = DR_SUM_OPEN;
        return node->revision->defect == NULL;
    }
    file_hex(node, file);
    if (strcmp(row->fields[2], file) == 0) {
        return false;
    }
    bool is_same = node->revision->defect == NULL && words_hex(node->revision, words) &&
                   strcmp(row->fields[3], words) == 0;
    *out = is_same ? DR_SUM_COMMENTS : DR_SUM_CHANGED;
    return true;
}

enum dr_rc
dr_sum_compare(const struct dr_sum *sum, const struct dr_graph *graph, struct dr_arena *arena,
               struct dr_sum_difference **out, size_t *out_count, struct dr_err *err)
{
    size_t count = 0, max = sum->count + dr_graph_count(graph);
    struct dr_sum_difference *items = dr_arena_array(arena, max + 1, sizeof *items);
    bool *noted = dr_arena_array(arena, dr_graph_count(graph) + 1, sizeof *noted);
    if (items == NULL || noted == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < sum->count; i++) {
        const struct dr_node *node = dr_graph_find(graph, sum->rows[i].fields[0]);
        enum dr_sum_kind kind = DR_SUM_MISSING;
        if (node != NULL) {
            noted[node->index] = true;
        }
        if (differs(&sum->rows[i], node, &kind)) {
            items[count++] = (struct dr_sum_difference){kind, sum->rows[i].fields[0],
                                                        node ? node->revision->path : ""};
        }
    }
    for (size_t i = 0; i < dr_graph_count(graph); i++) {
        const struct dr_revision *r = dr_graph_at(graph, i)->revision;
        if (!noted[i]) {
            items[count++] = (struct dr_sum_difference){DR_SUM_EXTRA, r->id, r->path};
        }
    }
    *out = items;
    *out_count = count;
    return DR_OK;
}

const char *
dr_sum_kind_name(enum dr_sum_kind kind)
{
    static const char *const names[] = {"changed", "comments changed", "missing", "not noted",
                                        "written since"};
    return (size_t)kind < DR_COUNT_OF(names) ? names[kind] : "";
}

// ------------------------------------------------------------------------------------------ write

static void
add_line(struct dr_buf *out, uint8_t head[DR_DIGEST_SIZE], const char *const fields[FIELDS])
{
    size_t begin = out->len;
    dr_buf_printf(out, "%s %s %s %s", fields[0], fields[1], fields[2], fields[3]);
    if (!out->failed) {
        chain(head, out->data + begin, out->len - begin);
    }
    dr_buf_str(out, "\n");
}

static bool
add_node(struct dr_buf *out, uint8_t head[DR_DIGEST_SIZE], const struct dr_node *node)
{
    char file[2 * DR_DIGEST_SIZE + 1], words[2 * WORDS_SIZE + 1];
    const struct dr_revision *r = node->revision;
    struct dr_buf parents = {0};
    for (size_t i = 0; i < r->parents.count; i++) {
        dr_buf_printf(&parents, "%s%s", i ? "," : "", r->parents.items[i]);
    }
    bool is_whole = r->defect == NULL, is_good = !parents.failed;
    file_hex(node, file);
    is_good = is_good && (!is_whole || words_hex(r, words));
    if (is_good) {
        const char *const fields[] = {r->id, parents.len > 0 ? parents.data : "-",
                                      is_whole ? file : "open", is_whole ? words : "-"};
        add_line(out, head, fields);
    }
    dr_buf_fini(&parents);
    return is_good;
}

void
dr_sum_forget(struct dr_sum *sum, const char *id)
{
    size_t kept = 0;
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->rows[i].fields[0], id) != 0) {
            sum->rows[kept++] = sum->rows[i];
        }
    }
    sum->count = kept;
}

enum dr_rc
dr_sum_write(const char *folder, const struct dr_graph *graph, const struct dr_sum *keep,
             struct dr_err *err)
{
    struct dr_buf text = {.max = SUM_BYTES_MAX};
    uint8_t head[DR_DIGEST_SIZE] = {0};
    char hex[2 * DR_DIGEST_SIZE + 1], path[PATH_MAX];
    bool is_good = true;
    size_t near = 0;
    dr_buf_str(&text, first_line);
    for (size_t i = 0; is_good && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        const struct row *row = find_row(keep, node->revision->id, &near);
        if (row != NULL && !is_open(row)) {
            add_line(&text, head, row->fields);
        } else {
            is_good = add_node(&text, head, node);
        }
    }
    for (size_t i = 0; keep != NULL && i < keep->count; i++) {
        if (dr_graph_find(graph, keep->rows[i].fields[0]) == NULL) {
            add_line(&text, head, keep->rows[i].fields);
        }
    }
    dr_hex(hex, head, DR_DIGEST_SIZE);
    dr_buf_printf(&text, "%s%s\n", head_word, hex);
    int n = snprintf(path, sizeof path, "%s/%s", folder, DR_SUM_NAME);
    enum dr_rc rc = !is_good || text.failed || n < 0 || n >= (int)sizeof path
                        ? nomem(err)
                        : dr_file_write(path, text.data, text.len, 0644, err);
    dr_buf_fini(&text);
    return rc;
}
