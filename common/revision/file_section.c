#include "revision/file_internal.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// Directive lines: `-- drover:word ["name"] *(key=value)`. Options are rows that say which sections
// may have them.

enum {
    PREFLIGHT = 1u << DR_SECTION_PREFLIGHT,
    UP = 1u << DR_SECTION_UP,
    VERIFY = 1u << DR_SECTION_VERIFY,
    DOWN = 1u << DR_SECTION_DOWN,
    REMEDY = 1u << DR_SECTION_REMEDY,
    RUNS = UP | DOWN | REMEDY,
    ANY = PREFLIGHT | VERIFY | RUNS,
    OPTIONS_MAX = 16,
    RETRY_MAX = 100,
    SAMPLE_MAX = 1000,
};

// A place in a directive line.
struct cursor {
    struct dr_parse *p;
    const struct dr_line *line;
    size_t at;
};

struct option {
    const char *name;
    unsigned sections;
    enum dr_rc (*read)(struct cursor *c, struct dr_section *s, const char *value);
};

static enum dr_rc
bad_value(struct cursor *c, const char *hint, const char *option, const char *value)
{
    return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at, hint,
                         "'%.60s' is no value for '%s'", value, option);
}

static enum dr_rc
read_engine(struct cursor *c, struct dr_section *s, const char *value)
{
    unsigned bit = strcmp(value, "postgresql") == 0 ? DR_ENGINE_POSTGRESQL
                   : strcmp(value, "sqlite") == 0   ? DR_ENGINE_SQLITE
                                                    : 0;
    if (bit == 0) {
        return bad_value(c, "write engine=postgresql or engine=sqlite", "engine", value);
    }
    if ((c->p->revision->engines & bit) == 0) {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at,
                             "add the engine to the header's 'Engine' line",
                             "the header does not name the engine '%s'", value);
    }
    s->engines = bit;
    return DR_OK;
}

static enum dr_rc
read_transaction(struct cursor *c, struct dr_section *s, const char *value)
{
    s->outside_transaction = strcmp(value, "off") == 0;
    return s->outside_transaction || strcmp(value, "on") == 0
               ? DR_OK
               : bad_value(c, "write transaction=off", "transaction", value);
}

static enum dr_rc
read_expect(struct cursor *c, struct dr_section *s, const char *value)
{
    s->expect_empty = strcmp(value, "empty") == 0;
    return s->expect_empty || strcmp(value, "true") == 0
               ? DR_OK
               : bad_value(c, "write expect=true or expect=empty", "expect", value);
}

static enum dr_rc
read_on(struct cursor *c, struct dr_section *s, const char *value)
{
    s->on_down = strcmp(value, "down") == 0;
    return s->on_down || strcmp(value, "up") == 0
               ? DR_OK
               : bad_value(c, "write on=down or on=up", "on", value);
}

static enum dr_rc
read_only(struct cursor *c, struct dr_section *s, const char *value)
{
    size_t len = strlen(value);
    s->only = value;
    return len > 0 && len <= 64 && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len
               ? DR_OK
               : bad_value(c, "write the name of one environment: only=staging", "only", value);
}

static enum dr_rc
read_for(struct cursor *c, struct dr_section *s, const char *value)
{
    (void)c;
    s->for_name = value;
    return DR_OK;
}

static enum dr_rc
read_number(struct cursor *c, const char *option, const char *value, uint64_t max, uint32_t *out)
{
    uint64_t number = 0;
    if (!dr_parse_u64(value, 1, max, &number)) {
        char hint[80];
        snprintf(hint, sizeof hint, "write a number from 1 to %u: %s=5", (unsigned)max, option);
        return bad_value(c, hint, option, value);
    }
    *out = (uint32_t)number;
    return DR_OK;
}

static enum dr_rc
read_sample(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_number(c, "sample", value, SAMPLE_MAX, &s->sample);
}

static enum dr_rc
read_retry(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_number(c, "retry", value, RETRY_MAX, &s->retry);
}

static enum dr_rc
read_time(struct cursor *c, const char *option, const char *value, uint32_t *out)
{
    uint64_t ms = 0;
    if (!dr_parse_duration_ms(value, DR_REVISION_TIMEOUT_MAX, &ms) || ms == 0) {
        return bad_value(c, "write a number and ms, s, min or h: 50ms, 3s, 10min", option, value);
    }
    *out = (uint32_t)ms;
    return DR_OK;
}

static enum dr_rc
read_max(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_time(c, "max", value, &s->max_ms);
}

static enum dr_rc
read_lock_timeout(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_time(c, "lock_timeout", value, &s->lock_timeout_ms);
}

static enum dr_rc
read_statement_timeout(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_time(c, "statement_timeout", value, &s->statement_timeout_ms);
}

static enum dr_rc
read_max_block(struct cursor *c, struct dr_section *s, const char *value)
{
    return read_time(c, "max_block", value, &s->max_block_ms);
}

static enum dr_rc
read_probe(struct cursor *c, struct dr_section *s, const char *value)
{
    s->probe = value;
    return strncasecmp(value, "SELECT ", 7) == 0
               ? DR_OK
               : bad_value(c, "write a query that is true when it is done: probe=\"SELECT ...\"",
                           "probe", value);
}

static const struct option options[] = {
    {"engine", ANY, read_engine},
    {"transaction", RUNS, read_transaction},
    {"expect", PREFLIGHT | VERIFY, read_expect},
    {"sample", PREFLIGHT, read_sample},
    {"only", PREFLIGHT | VERIFY, read_only},
    {"max", VERIFY, read_max},
    {"on", PREFLIGHT | VERIFY, read_on},
    {"for", REMEDY, read_for},
    {"retry", RUNS, read_retry},
    {"lock_timeout", ANY, read_lock_timeout},
    {"statement_timeout", ANY, read_statement_timeout},
    {"max_block", RUNS, read_max_block},
    {"probe", RUNS, read_probe},
};

static void
skip_blanks(struct cursor *c)
{
    while (c->at < c->line->len &&
           (c->line->start[c->at] == ' ' || c->line->start[c->at] == '\t')) {
        c->at++;
    }
}

static bool
is_at_end(struct cursor *c)
{
    skip_blanks(c);
    return c->at >= c->line->len;
}

// Reads "..." from the cursor. There is no escape: a name has no double quote.
static enum dr_rc
read_quoted(struct cursor *c, const char **out)
{
    const char *from = c->line->start + c->at + 1;
    const char *close = memchr(from, '"', c->line->len - c->at - 1);
    if (close == NULL) {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at,
                             "close it with a double quote on the same line",
                             "the quoted text is not closed");
    }
    size_t len = (size_t)(close - from);
    if (len == 0 || len > DR_REVISION_NAME_MAX) {
        return dr_parse_fail(
            c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at, "write a short name in double quotes",
            "a name or reason has 1 to %u bytes, not %zu", DR_REVISION_NAME_MAX, len);
    }
    *out = dr_arena_strn(c->p->arena, from, len);
    c->at += len + 2;
    return *out == NULL ? dr_parse_nomem(c->p) : DR_OK;
}

// Reads a bare word of letters, digits, '_' and '-' into the arena; "" when there is none.
static const char *
read_word(struct cursor *c)
{
    size_t from = c->at;
    while (c->at < c->line->len) {
        char ch = c->line->start[c->at];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              ch == '_' || ch == '-')) {
            break;
        }
        c->at++;
    }
    return dr_arena_strn(c->p->arena, c->line->start + from, c->at - from);
}

// Reads `=value` or `="value"`.
static enum dr_rc
read_value(struct cursor *c, const char *name, const char **out)
{
    if (c->at >= c->line->len || c->line->start[c->at] != '=') {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at,
                             "options are written key=value, names in double quotes: -- drover:up "
                             "\"name\" transaction=off",
                             "'%.60s' has no value", name);
    }
    c->at++;
    if (c->at < c->line->len && c->line->start[c->at] == '"') {
        return read_quoted(c, out);
    }
    size_t from = c->at;
    while (c->at < c->line->len && c->line->start[c->at] != ' ' && c->line->start[c->at] != '\t') {
        c->at++;
    }
    *out = dr_arena_strn(c->p->arena, c->line->start + from, c->at - from);
    return *out == NULL ? dr_parse_nomem(c->p) : DR_OK;
}

static enum dr_rc
unknown_option(struct cursor *c, const char *name, enum dr_section_kind kind)
{
    char hint[256] = "options here:";
    size_t used = strlen(hint);
    for (size_t i = 0; i < DR_COUNT_OF(options); i++) {
        if ((options[i].sections & (1u << kind)) != 0 && used + 24 < sizeof hint) {
            used += (size_t)snprintf(hint + used, sizeof hint - used, " %s=", options[i].name);
        }
    }
    return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at, hint,
                         "section '%s' has no option '%.60s'", dr_section_kind_name(kind), name);
}

// Reads all key=value to the end of the line; each key once.
static enum dr_rc
read_options(struct cursor *c, struct dr_section *s)
{
    bool seen[OPTIONS_MAX] = {false};
    while (!is_at_end(c)) {
        size_t from = c->at;
        const char *name = read_word(c), *value = NULL;
        if (name == NULL) {
            return dr_parse_nomem(c->p);
        }
        if (name[0] == '\0') {
            return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, from,
                                 "write one name in double quotes, then key=value",
                                 "unexpected character in the directive");
        }
        enum dr_rc rc = read_value(c, name, &value);
        size_t behind = c->at;
        c->at = from;
        size_t i = 0;
        while (i < DR_COUNT_OF(options) && strcmp(options[i].name, name) != 0) {
            i++;
        }
        if (rc == DR_OK &&
            (i == DR_COUNT_OF(options) || (options[i].sections & (1u << s->kind)) == 0)) {
            rc = unknown_option(c, name, s->kind);
        } else if (rc == DR_OK && seen[i]) {
            rc = dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, from, "keep one of them",
                               "option '%s' is given twice", name);
        } else if (rc == DR_OK) {
            seen[i] = true;
            rc = options[i].read(c, s, value);
        }
        if (rc != DR_OK) {
            return rc;
        }
        c->at = behind;
    }
    return DR_OK;
}

// Reads `reason="..."`, the only thing left on the line.
static enum dr_rc
read_reason(struct cursor *c, const char *what, const char **out)
{
    skip_blanks(c);
    size_t from = c->at;
    const char *name = read_word(c);
    char hint[96];
    snprintf(hint, sizeof hint, "write: -- drover:%s reason=\"why\"", what);
    if (name == NULL) {
        return dr_parse_nomem(c->p);
    }
    if (strcmp(name, "reason") != 0 || c->at + 1 >= c->line->len || c->line->start[c->at] != '=' ||
        c->line->start[c->at + 1] != '"') {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, from, hint,
                             "a reason is required");
    }
    enum dr_rc rc = read_value(c, name, out);
    if (rc == DR_OK && !is_at_end(c)) {
        rc = dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, c->at, hint,
                           "something follows the reason");
    }
    return rc;
}

static enum dr_rc
read_down_none(struct cursor *c)
{
    struct dr_revision *r = c->p->revision;
    if (r->down_none) {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, 0, "keep one of them",
                             "'down none' is given twice");
    }
    r->down_none = true;
    return read_reason(c, "down none", &r->down_none_reason);
}

static enum dr_rc
read_nolint(struct cursor *c)
{
    struct dr_nolint *n = &c->p->nolint[c->p->nolint_count];
    skip_blanks(c);
    size_t from = c->at;
    n->rule = read_word(c);
    n->line = c->line->number;
    if (n->rule == NULL) {
        return dr_parse_nomem(c->p);
    }
    if (n->rule[0] == '\0') {
        return dr_parse_fail(c->p, DR_E_REVISION_DIRECTIVE, c->line, from,
                             "write: -- drover:nolint RULE reason=\"why\"",
                             "'nolint' names no rule");
    }
    enum dr_rc rc = read_reason(c, "nolint RULE", &n->reason);
    c->p->nolint_count += rc == DR_OK;
    return rc;
}

static enum dr_rc
read_section(struct cursor *c, enum dr_section_kind kind, struct dr_section **out)
{
    struct dr_parse *p = c->p;
    struct dr_section *s = &p->sections[p->section_count];
    *s = (struct dr_section){.kind = kind,
                             .name = "",
                             .only = "",
                             .for_name = "",
                             .probe = "",
                             .engines = p->revision->engines};
    s->directive_line = c->line->number;
    s->line = p->line;
    s->offset = p->pos;
    bool is_none = kind == DR_SECTION_DOWN && !is_at_end(c) && c->line->len - c->at >= 4 &&
                   memcmp(c->line->start + c->at, "none", 4) == 0;
    if (is_none) {
        c->at += 4;
        return read_down_none(c);
    }
    enum dr_rc rc = DR_OK;
    if (!is_at_end(c) && c->line->start[c->at] == '"') {
        rc = read_quoted(c, &s->name);
    }
    bool needs_name =
        kind == DR_SECTION_PREFLIGHT || kind == DR_SECTION_VERIFY || kind == DR_SECTION_REMEDY;
    if (rc == DR_OK && needs_name && s->name[0] == '\0') {
        char hint[96];
        snprintf(hint, sizeof hint, "write: -- drover:%s \"what it checks or does\"",
                 dr_section_kind_name(kind));
        rc =
            dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, c->line, c->at, hint,
                          "section '%s' needs a name in double quotes", dr_section_kind_name(kind));
    }
    if (rc == DR_OK) {
        rc = read_options(c, s);
    }
    if (rc == DR_OK && s->probe[0] != '\0' && !s->outside_transaction) {
        rc = dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, c->line, 0,
                           "add transaction=off, or remove the probe",
                           "a probe is for a statement outside of a transaction");
    }
    if (rc == DR_OK && kind == DR_SECTION_REMEDY && s->for_name[0] == '\0') {
        rc = dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, c->line, 0,
                           "add: for=\"name of the preflight that it mends\"",
                           "remedy '%s' does not say what it is for", s->name);
    }
    if (rc == DR_OK) {
        p->section_count++;
        *out = s;
    }
    return rc;
}

enum dr_rc
dr_parse_directive(struct dr_parse *p, const struct dr_line *line, struct dr_section **out_section)
{
    struct cursor c = {.p = p, .line = line, .at = sizeof DR_DIRECTIVE_PREFIX - 1};
    const char *word = read_word(&c);
    if (word == NULL) {
        return dr_parse_nomem(p);
    }
    *out_section = NULL;
    if (strcmp(word, "revision") == 0) {
        return dr_parse_fail(p, DR_E_REVISION_HEADER, line, 0,
                             "put the second revision into a file of its own",
                             "a second header: one file holds one revision");
    }
    bool is_cut = c.at < line->len && line->start[c.at] != ' ' && line->start[c.at] != '\t';
    if (!is_cut && strcmp(word, "nolint") == 0) {
        return read_nolint(&c);
    }
    for (enum dr_section_kind k = DR_SECTION_PREFLIGHT; !is_cut && k <= DR_SECTION_REMEDY; k++) {
        if (strcmp(word, dr_section_kind_name(k)) == 0) {
            return read_section(&c, k, out_section);
        }
    }
    return dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, line, sizeof DR_DIRECTIVE_PREFIX - 1,
                         "write preflight, up, verify, down, remedy or nolint",
                         "unknown directive 'drover:%.60s'", word);
}
