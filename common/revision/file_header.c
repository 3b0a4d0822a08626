#include "revision/file_internal.h"

#include "base/str.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// The header: magic line, message, free text, then keys as in a mail's header. Keys are rows; a key
// that has no row is refused, and so is a line of free text that is one slip away from a key.

#define MAGIC "-- drover:revision 1"

struct key {
    const char *name;
    size_t text_offset; // of a plain text in struct dr_revision
    enum dr_rc (*read)(struct dr_parse *p, const struct dr_line *line, size_t at,
                       const char *value); // else this
};

static enum dr_rc
read_id(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    if (!dr_revision_id_valid(value)) {
        return dr_parse_fail(p, DR_E_REVISION_ID, line, at,
                             "use 1 to 64 letters, digits, '_' or '.', and none of the words head, "
                             "heads, base, current",
                             "'%.100s' cannot be a revision id", value);
    }
    p->revision->id = value;
    p->revision->id_line = line->number;
    return DR_OK;
}

static enum dr_rc
read_revises(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    p->revision->revises_line = line->number;
    return dr_parse_ids(p, line, at, value, &p->revision->parents);
}

static enum dr_rc
read_labels(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    return dr_parse_ids(p, line, at, value, &p->revision->labels);
}

static enum dr_rc
read_depends(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    p->revision->depends_line = line->number;
    return dr_parse_ids(p, line, at, value, &p->revision->depends_on);
}

// One engine of the list, `postgresql`, `postgresql >= 14` or `sqlite`.
static enum dr_rc
read_one_engine(struct dr_parse *p, const struct dr_line *line, size_t at, char *word)
{
    unsigned bit = 0;
    uint64_t version = 0;
    char *least = strstr(word, ">=");
    if (least != NULL) {
        *least = '\0';
        least += 2 + strspn(least + 2, " ");
    }
    for (size_t n = strlen(word); n > 0 && word[n - 1] == ' '; n--) {
        word[n - 1] = '\0';
    }
    bit = strcmp(word, "postgresql") == 0 ? DR_ENGINE_POSTGRESQL
          : strcmp(word, "sqlite") == 0   ? DR_ENGINE_SQLITE
                                          : 0;
    if (bit == 0) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, at,
                             "write: Engine: postgresql, or sqlite, or both with a comma",
                             "unknown engine '%.60s'", word);
    }
    if (least != NULL && (bit != DR_ENGINE_POSTGRESQL || !dr_parse_u64(least, 9, 99, &version))) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, at, "write: Engine: postgresql >= 14",
                             "'%.40s' is no version that engine '%s' can be asked for", least,
                             word);
    }
    if (bit == DR_ENGINE_POSTGRESQL) {
        p->revision->postgresql_min = (uint32_t)version;
    }
    p->revision->engines |= bit;
    return DR_OK;
}

static enum dr_rc
read_engine(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    char *text = dr_arena_str(p->arena, value);
    if (text == NULL) {
        return dr_parse_nomem(p);
    }
    p->revision->engines = 0;
    p->revision->engine_line = line->number;
    while (text != NULL) {
        char *next = strchr(text, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        text += strspn(text, " ");
        enum dr_rc rc = read_one_engine(p, line, at, text);
        if (rc != DR_OK) {
            return rc;
        }
        text = next;
    }
    return DR_OK;
}

static enum dr_rc
read_reversible(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    static const char *const words[] = {"", "yes", "no", "lossy"};
    size_t n = strcspn(value, ", ");
    for (size_t i = 1; i < DR_COUNT_OF(words); i++) {
        if (strlen(words[i]) == n && memcmp(value, words[i], n) == 0) {
            p->revision->reversible = (enum dr_reversible)i;
            p->revision->reversible_why = value + n + strspn(value + n, ", ");
            return DR_OK;
        }
    }
    return dr_parse_fail(p, DR_E_REVISION_HEADER, line, at,
                         "write: Reversible: lossy, what is lost",
                         "'Reversible' begins with yes, no or lossy, not '%.40s'", value);
}

static enum dr_rc
read_phase(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    if (strcmp(value, "expand") != 0 && strcmp(value, "migrate") != 0 &&
        strcmp(value, "contract") != 0) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, at, "write: Phase: expand",
                             "'Phase' is expand, migrate or contract, not '%.40s'", value);
    }
    p->revision->phase = value;
    return DR_OK;
}

static enum dr_rc
read_time(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value,
          uint32_t *out)
{
    uint64_t ms = 0;
    if (!dr_parse_duration_ms(value, DR_REVISION_TIMEOUT_MAX, &ms) || ms == 0) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, at,
                             "write a number and ms, s, min or h: 3s, 10min",
                             "'%.40s' is no time between 1ms and 7d", value);
    }
    *out = (uint32_t)ms;
    return DR_OK;
}

static enum dr_rc
read_lock_timeout(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    return read_time(p, line, at, value, &p->revision->lock_timeout_ms);
}

static enum dr_rc
read_statement_timeout(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    return read_time(p, line, at, value, &p->revision->statement_timeout_ms);
}

static enum dr_rc
read_budget(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value)
{
    return read_time(p, line, at, value, &p->revision->time_budget_ms);
}

static const struct key keys[] = {
    {"Revision ID", 0, read_id},
    {"Revises", 0, read_revises},
    {"Create Date", offsetof(struct dr_revision, create_date), NULL},
    {"Branch labels", 0, read_labels},
    {"Depends on", 0, read_depends},
    {"Engine", 0, read_engine},
    {"Slug", offsetof(struct dr_revision, slug), NULL},
    {"Author", offsetof(struct dr_revision, author), NULL},
    {"Ticket", offsetof(struct dr_revision, ticket), NULL},
    {"Requirements", offsetof(struct dr_revision, requirements), NULL},
    {"Purpose", offsetof(struct dr_revision, purpose), NULL},
    {"Caution", offsetof(struct dr_revision, caution), NULL},
    {"Rollback", offsetof(struct dr_revision, rollback), NULL},
    {"Breaking", offsetof(struct dr_revision, breaking), NULL},
    {"Destructive", offsetof(struct dr_revision, destructive), NULL},
    {"Reversible", 0, read_reversible},
    {"Phase", 0, read_phase},
    {"Lock timeout", 0, read_lock_timeout},
    {"Statement timeout", 0, read_statement_timeout},
    {"Time budget", 0, read_budget},
};

// Levenshtein's distance of two short words, case ignored; 99 when they are too long to compare.
static unsigned
distance(const char *a, size_t a_len, const char *b)
{
    unsigned row[33];
    size_t b_len = strlen(b);
    if (a_len > 32 || b_len > 32) {
        return 99;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            unsigned cost = strncasecmp(a + i - 1, b + j - 1, 1) == 0 ? 0 : 1;
            unsigned best = diagonal + cost;
            best = above + 1 < best ? above + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
        }
    }
    return row[b_len];
}

// The key that a name is, or nearly is (`*out_exact`); NULL.
static const struct key *
find_key(const char *name, size_t len, bool *out_exact)
{
    const struct key *near = NULL;
    for (size_t i = 0; i < DR_COUNT_OF(keys); i++) {
        if (strlen(keys[i].name) == len && memcmp(keys[i].name, name, len) == 0) {
            *out_exact = true;
            return &keys[i];
        }
        if (distance(name, len, keys[i].name) <= (len > 5 ? 2u : 1u)) {
            near = &keys[i];
        }
    }
    *out_exact = false;
    return near;
}

// Length of the name before the colon in `-- Name: value`; 0 when the line has none.
static size_t
key_length(const struct dr_line *line)
{
    if (line->len < 5 || memcmp(line->start, "-- ", 3) != 0 || line->start[3] == ' ') {
        return 0;
    }
    const char *colon = memchr(line->start + 3, ':', line->len - 3);
    if (colon == NULL || (colon + 1 < line->start + line->len && colon[1] != ' ')) {
        return 0;
    }
    size_t len = (size_t)(colon - line->start) - 3;
    for (size_t i = 0; i < len; i++) {
        char c = line->start[3 + i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' || c == '-' ||
              c == '_')) {
            return 0;
        }
    }
    return len;
}

// The value of the key on `line` with the lines that go on with it ("--   more"), joined by a
// blank.
static const char *
read_value(struct dr_parse *p, const struct dr_line *line, size_t at)
{
    size_t end = line->len;
    while (end > at && line->start[end - 1] == ' ') {
        end--;
    }
    char *value = dr_arena_strn(p->arena, line->start + at, end - at);
    while (value != NULL && p->pos + 5 < p->len && memcmp(p->bytes + p->pos, "--   ", 5) == 0) {
        struct dr_line more;
        if (!dr_parse_line(p, &more)) {
            break;
        }
        size_t from = 5;
        while (from < more.len && more.start[from] == ' ') {
            from++;
        }
        value = dr_arena_printf(p->arena, "%s%s%.*s", value, value[0] == '\0' ? "" : " ",
                                (int)(more.len - from), more.start + from);
    }
    return value;
}

static enum dr_rc
read_key(struct dr_parse *p, const struct dr_line *line, const struct key *key)
{
    size_t index = (size_t)(key - keys);
    if (p->key_lines[index] != 0) {
        return dr_parse_fail(
            p, DR_E_REVISION_HEADER, line, 3, "keep one of them; a list has commas",
            "'%s' is given twice, first on line %u", key->name, p->key_lines[index]);
    }
    p->key_lines[index] = line->number;
    size_t at = 3 + strlen(key->name) + 1;
    while (at < line->len && line->start[at] == ' ') {
        at++;
    }
    const char *value = read_value(p, line, at);
    if (value == NULL) {
        return dr_parse_nomem(p);
    }
    bool may_be_empty =
        key->read == read_revises || key->read == read_labels || key->read == read_depends;
    if (value[0] == '\0' && !may_be_empty) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, 3,
                             "write a value behind the colon, or remove the line",
                             "'%s' has no value", key->name);
    }
    if (key->read != NULL) {
        return key->read(p, line, at, value);
    }
    memcpy((char *)p->revision + key->text_offset, &value, sizeof value);
    return DR_OK;
}

static enum dr_rc
unknown_key(struct dr_parse *p, const struct dr_line *line, size_t len, const struct key *near)
{
    char hint[160];
    if (near != NULL) {
        snprintf(hint, sizeof hint, "did you mean '%s'?", near->name);
    } else {
        snprintf(hint, sizeof hint,
                 "free text stands before the first key; 'man drover-revision' lists the keys");
    }
    return dr_parse_fail(p, DR_E_REVISION_HEADER, line, 3, hint, "unknown header key '%.*s'",
                         (int)(len > 60 ? 60 : len), line->start + 3);
}

// `--` and nothing but blanks behind it.
static bool
is_blank_comment(const struct dr_line *line)
{
    size_t at = 2;
    while (at < line->len && line->start[at] == ' ') {
        at++;
    }
    return at >= line->len;
}

// One line of the header behind the message. `*in_keys` tells whether a key was seen.
static enum dr_rc
read_header_line(struct dr_parse *p, const struct dr_line *line, bool *in_keys)
{
    bool is_exact = false;
    size_t len = key_length(line);
    const struct key *key = len == 0 ? NULL : find_key(line->start + 3, len, &is_exact);
    if (key != NULL && is_exact) {
        *in_keys = true;
        return read_key(p, line, key);
    }
    bool is_empty = is_blank_comment(line);
    if (len > 0 && (*in_keys || key != NULL)) {
        return unknown_key(p, line, len, key);
    }
    if (*in_keys && !is_empty) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, 0,
                             "write '-- Key: value', go on with '--   more', or leave a blank line "
                             "before other comments",
                             "this header line is neither a key nor the rest of one");
    }
    if (!*in_keys) {
        p->text_from = p->text_from == 0 ? (size_t)(line->start - p->bytes) : p->text_from;
        p->text_to = (size_t)(line->start - p->bytes) + line->len;
    }
    return DR_OK;
}

// The free text without the comment marks.
static enum dr_rc
read_text(struct dr_parse *p)
{
    char *text = dr_arena_alloc(p->arena, p->text_to - p->text_from + 1);
    size_t used = 0;
    if (text == NULL) {
        return dr_parse_nomem(p);
    }
    for (size_t at = p->text_from; at < p->text_to;) {
        const char *end = memchr(p->bytes + at, '\n', p->text_to - at);
        size_t len = end == NULL ? p->text_to - at : (size_t)(end - p->bytes) - at;
        size_t skip = len > 2 && p->bytes[at + 2] == ' ' ? 3 : 2;
        memcpy(text + used, p->bytes + at + skip, len - skip);
        used += len - skip;
        if (end != NULL) {
            text[used++] = '\n';
        }
        at += len + 1;
    }
    p->revision->text = text;
    return DR_OK;
}

static enum dr_rc
read_magic(struct dr_parse *p)
{
    struct dr_line line = {.start = p->bytes, .len = 0, .number = 1};
    bool has_line = dr_parse_line(p, &line);
    static const char prefix[] = "-- drover:revision ";
    if (has_line && line.len == sizeof MAGIC - 1 && memcmp(line.start, MAGIC, line.len) == 0) {
        return DR_OK;
    }
    if (has_line && line.len >= sizeof prefix - 1 &&
        memcmp(line.start, prefix, sizeof prefix - 1) == 0) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, &line, sizeof prefix - 1,
                             "write '" MAGIC "', or install a newer drover",
                             "this drover reads revision format 1 only");
    }
    return dr_parse_fail(p, DR_E_REVISION_HEADER, &line, 0,
                         "begin the file with '" MAGIC
                         "', or make one: drover revision -m \"message\"",
                         "no header: the first line is not '" MAGIC "'");
}

static enum dr_rc
read_message(struct dr_parse *p)
{
    struct dr_line line = {.start = p->bytes, .len = 0, .number = 2};
    bool is_there = dr_parse_line(p, &line) && line.len > 3 && memcmp(line.start, "-- ", 3) == 0 &&
                    dr_parse_is_directive(&line) == DR_DIRECTIVE_NONE;
    if (!is_there) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, &line, 0,
                             "write what the revision does on line 2: -- add table users",
                             "the message is missing");
    }
    p->revision->message = dr_arena_strn(p->arena, line.start + 3, line.len - 3);
    return p->revision->message == NULL ? dr_parse_nomem(p) : DR_OK;
}

enum dr_rc
dr_parse_header(struct dr_parse *p)
{
    bool in_keys = false;
    enum dr_rc rc = read_magic(p);
    if (rc == DR_OK) {
        rc = read_message(p);
    }
    while (rc == DR_OK && p->pos < p->len) {
        size_t pos = p->pos;
        uint32_t number = p->line;
        struct dr_line line;
        bool is_header = dr_parse_line(p, &line) && line.len >= 2 &&
                         memcmp(line.start, "--", 2) == 0 &&
                         dr_parse_is_directive(&line) == DR_DIRECTIVE_NONE;
        if (!is_header) {
            p->pos = pos;
            p->line = number;
            break;
        }
        if (p->pos > DR_REVISION_HEADER_MAX) {
            return dr_parse_fail(p, DR_E_REVISION_HEADER, &line, 0,
                                 "leave a blank line behind the header's last key",
                                 "the header is longer than %u bytes", DR_REVISION_HEADER_MAX);
        }
        rc = read_header_line(p, &line, &in_keys);
    }
    struct dr_line first = {.start = p->bytes, .len = 0, .number = 1};
    if (rc == DR_OK && p->revision->id == NULL) {
        rc = dr_parse_fail(p, DR_E_REVISION_HEADER, &first, 0,
                           "add '-- Revision ID: ...' to the header",
                           "the header has no 'Revision ID'");
    }
    return rc == DR_OK ? read_text(p) : rc;
}
