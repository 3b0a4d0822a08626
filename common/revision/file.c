#include "revision/file_internal.h"

#include "base/str.h"
#include "sql/lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// The file is read line by line; SQL is not parsed here. A directive counts only in column 1, and a
// line that looks like one but is not (indented, another spelling) is refused: taken for a comment,
// it would hang its SQL on the section above.

bool
dr_parse_line(struct dr_parse *p, struct dr_line *out)
{
    if (p->pos >= p->len) {
        return false;
    }
    const char *start = p->bytes + p->pos;
    const char *end = memchr(start, '\n', p->len - p->pos);
    out->start = start;
    out->len = end == NULL ? p->len - p->pos : (size_t)(end - start);
    out->number = p->line++;
    p->pos += out->len + (end == NULL ? 0 : 1);
    return true;
}

enum dr_directive
dr_parse_is_directive(const struct dr_line *line)
{
    static const char prefix[] = DR_DIRECTIVE_PREFIX;
    size_t at = 0;
    if (line->len >= sizeof prefix - 1 && memcmp(line->start, prefix, sizeof prefix - 1) == 0) {
        char next = line->len > sizeof prefix - 1 ? line->start[sizeof prefix - 1] : '\0';
        return next >= 'a' && next <= 'z' ? DR_DIRECTIVE_EXACT : DR_DIRECTIVE_NEAR;
    }
    while (at < line->len && (line->start[at] == ' ' || line->start[at] == '\t')) {
        at++;
    }
    if (at + 2 > line->len || line->start[at] != '-' || line->start[at + 1] != '-') {
        return DR_DIRECTIVE_NONE;
    }
    while (at < line->len &&
           (line->start[at] == '-' || line->start[at] == ' ' || line->start[at] == '\t')) {
        at++;
    }
    bool is_near = at + 7 <= line->len && strncasecmp(line->start + at, "drover:", 7) == 0;
    is_near = is_near || (at + 8 <= line->len && strncasecmp(line->start + at, "drover :", 8) == 0);
    return is_near ? DR_DIRECTIVE_NEAR : DR_DIRECTIVE_NONE;
}

enum dr_rc
dr_parse_fail(struct dr_parse *p, enum dr_rc rc, const struct dr_line *line, size_t at,
              const char *hint, const char *fmt, ...)
{
    char message[DR_ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    uint32_t ignored, column = 1;
    dr_sql_position(line->start, line->len, at, &ignored, &column);
    dr_err_set(p->err, rc, "%s", message);
    dr_err_hint(p->err, "%s", hint);
    dr_err_at(p->err, p->path, line->number, column);
    return rc;
}

enum dr_rc
dr_parse_nomem(struct dr_parse *p)
{
    return dr_err_set(p->err, DR_E_NOMEM, "no memory left for revision file '%s'", p->path);
}

bool
dr_revision_id_valid(const char *id)
{
    static const char *const words[] = {"head", "heads", "base", "current"};
    size_t len = strlen(id);
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (strcmp(id, words[i]) == 0) {
            return false;
        }
    }
    return len > 0 && len <= DR_REVISION_ID_MAX &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.") == len;
}

const char *
dr_section_kind_name(enum dr_section_kind kind)
{
    static const char *const names[] = {"section", "preflight", "up", "verify", "down", "remedy"};
    return (size_t)kind < DR_COUNT_OF(names) ? names[kind] : names[0];
}

// What kind of byte is refused at `bad`, with what to do about it.
static enum dr_rc
fail_byte(struct dr_parse *p, size_t bad)
{
    struct dr_line all = {.start = p->bytes, .len = p->len, .number = 1};
    unsigned char c = (unsigned char)p->bytes[bad];
    size_t invalid = 0;
    uint32_t line, column;
    const char *hint = "remove the character; in a string write its escape instead";
    const char *what = "zero-width or bidirectional control character";
    char byte[48];
    if (c == '\r') {
        what = "carriage return: lines must end with LF alone";
        hint = "sed -i 's/\\r$//' FILE";
    } else if (c == '\0') {
        what = "NUL byte in the file";
    } else if (c == 0xEF && p->len - bad >= 3 && memcmp(p->bytes + bad, "\xEF\xBB\xBF", 3) == 0 &&
               bad == 0) {
        what = "the file begins with a byte order mark (BOM)";
        hint = "save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE";
    } else if (!dr_utf8_valid(p->bytes, p->len, &invalid) && invalid <= bad) {
        snprintf(byte, sizeof byte, "not valid UTF-8: byte 0x%02x", c);
        what = byte;
        hint = "convert the file: iconv -f LATIN1 -t UTF-8 FILE";
    } else if (c < 0x20 || c == 0x7F || c == 0xC2) {
        what = "control character in the file";
    }
    dr_sql_position(p->bytes, p->len, bad, &line, &column);
    dr_parse_fail(p, DR_E_REVISION_BYTES, &all, 0, hint, "%s", what);
    return dr_err_at(p->err, p->path, line, column);
}

static enum dr_rc
check_bytes(struct dr_parse *p)
{
    struct dr_line first = {.start = p->bytes, .len = 0, .number = 1};
    size_t bad = 0;
    if (p->len > DR_REVISION_FILE_MAX) {
        return dr_parse_fail(p, DR_E_REVISION_SIZE, &first, 0,
                             "split it into several revisions, or load the data by other means",
                             "the file has %zu bytes; a revision has at most %u (32 MiB)", p->len,
                             DR_REVISION_FILE_MAX);
    }
    return dr_utf8_plain(p->bytes, p->len, &bad) ? DR_OK : fail_byte(p, bad);
}

// Counts directives, so that the arrays can be made at their size.
static enum dr_rc
make_room(struct dr_parse *p)
{
    size_t count = 0;
    for (const char *at = p->bytes, *end = p->bytes + p->len; at < end;) {
        const char *hit =
            memmem(at, (size_t)(end - at), DR_DIRECTIVE_PREFIX, sizeof DR_DIRECTIVE_PREFIX - 1);
        if (hit == NULL) {
            break;
        }
        count++;
        at = hit + 1;
    }
    struct dr_line first = {.start = p->bytes, .len = 0, .number = 1};
    if (count > DR_REVISION_SECTIONS_MAX) {
        return dr_parse_fail(p, DR_E_REVISION_SIZE, &first, 0, "split it into several revisions",
                             "more than %u directives in one file", DR_REVISION_SECTIONS_MAX);
    }
    p->sections = dr_arena_array(p->arena, count + 1, sizeof *p->sections);
    p->nolint = dr_arena_array(p->arena, count + 1, sizeof *p->nolint);
    p->revision = dr_arena_alloc(p->arena, sizeof *p->revision);
    return p->sections == NULL || p->nolint == NULL || p->revision == NULL ? dr_parse_nomem(p)
                                                                           : DR_OK;
}

static enum dr_rc
refuse_near(struct dr_parse *p, const struct dr_line *line)
{
    return dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, line, 0,
                         "write it in column 1 and in this form: -- drover:up",
                         "this looks like a directive of drover but is not written as one");
}

static enum dr_rc
refuse_outside(struct dr_parse *p, const struct dr_line *line)
{
    return dr_parse_fail(p, DR_E_REVISION_DIRECTIVE, line, 0,
                         "put a line '-- drover:up' (or verify, down, ...) before it",
                         "SQL stands before the first section");
}

static bool
is_blank_or_comment(const struct dr_line *line)
{
    size_t at = 0;
    while (at < line->len && (line->start[at] == ' ' || line->start[at] == '\t')) {
        at++;
    }
    return at == line->len ||
           (at + 1 < line->len && line->start[at] == '-' && line->start[at + 1] == '-');
}

// Everything behind the header: each line belongs to the section whose directive came last.
static enum dr_rc
read_sections(struct dr_parse *p)
{
    struct dr_section *open = NULL;
    bool is_none_open = false;
    struct dr_line line;
    while (dr_parse_line(p, &line)) {
        enum dr_directive kind = dr_parse_is_directive(&line);
        if (kind == DR_DIRECTIVE_NEAR) {
            return refuse_near(p, &line);
        }
        if (kind == DR_DIRECTIVE_NONE) {
            if (open != NULL) {
                open->length = (size_t)(line.start - p->bytes) + line.len - open->offset;
            } else if (!is_blank_or_comment(&line)) {
                return is_none_open ? dr_parse_fail(p, DR_E_REVISION_DOWN, &line, 0,
                                                    "remove 'none' or the SQL",
                                                    "SQL stands under '-- drover:down none'")
                                    : refuse_outside(p, &line);
            }
            continue;
        }
        size_t nolint_before = p->nolint_count;
        struct dr_section *section = NULL;
        enum dr_rc rc = dr_parse_directive(p, &line, &section);
        if (rc != DR_OK) {
            return rc;
        }
        if (p->nolint_count == nolint_before) {
            open = section;
            is_none_open = section == NULL;
        }
    }
    return DR_OK;
}

static enum dr_rc
begin(struct dr_parse *p)
{
    enum dr_rc rc = check_bytes(p);
    if (rc == DR_OK) {
        rc = make_room(p);
    }
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_revision *r = p->revision;
    r->path = dr_arena_str(p->arena, p->path);
    r->bytes = p->bytes;
    r->size = p->len;
    r->engines = DR_ENGINE_ALL;
    r->create_date = r->slug = r->author = r->ticket = r->requirements = r->purpose = r->caution =
        r->rollback = "";
    r->breaking = r->destructive = r->phase = r->reversible_why = r->down_none_reason = r->text =
        "";
    if (r->path == NULL) {
        return dr_parse_nomem(p);
    }
    return dr_parse_header(p);
}

static enum dr_rc
read_body(struct dr_parse *p)
{
    enum dr_rc rc = read_sections(p);
    rc = rc == DR_OK ? dr_parse_check_bodies(p) : rc;
    rc = rc == DR_OK ? dr_parse_check_whole(p) : rc;
    if (rc == DR_OK) {
        p->revision->sections = p->sections;
        p->revision->section_count = p->section_count;
        p->revision->nolint = p->nolint;
        p->revision->nolint_count = p->nolint_count;
    }
    return rc;
}

enum dr_rc
dr_revision_parse(const char *path, const char *bytes, size_t len, struct dr_arena *arena,
                  struct dr_revision **out, struct dr_err *err)
{
    struct dr_parse p = {
        .path = path, .bytes = bytes, .len = len, .line = 1, .arena = arena, .err = err};
    enum dr_rc rc = begin(&p);
    rc = rc == DR_OK ? read_body(&p) : rc;
    if (rc == DR_OK) {
        *out = p.revision;
    }
    return rc;
}

enum dr_rc
dr_revision_parse_draft(const char *path, const char *bytes, size_t len, struct dr_arena *arena,
                        struct dr_revision **out, struct dr_err *err)
{
    struct dr_err defect = {0};
    struct dr_parse p = {
        .path = path, .bytes = bytes, .len = len, .line = 1, .arena = arena, .err = err};
    enum dr_rc rc = begin(&p);
    if (rc != DR_OK) {
        return rc;
    }
    p.err = &defect;
    rc = read_body(&p);
    if (rc == DR_E_NOMEM) {
        p.err = err;
        return dr_parse_nomem(&p);
    }
    if (rc != DR_OK) {
        p.revision->down_none = false;
        p.revision->defect = dr_arena_copy(arena, &defect, sizeof defect);
        if (p.revision->defect == NULL) {
            p.err = err;
            return dr_parse_nomem(&p);
        }
    }
    *out = p.revision;
    return DR_OK;
}
