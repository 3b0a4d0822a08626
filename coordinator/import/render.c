#include "coordinator/import/sheet.h"
#include "coordinator/import/write.h"

#include <string.h>
#include <strings.h>

// All pieces of all revisions are cut first and asked about in one go; then each revision's file is
// put together, and read as any other revision would be.

struct render {
    struct dr_import *import;
    struct dr_err *err;
    struct dr_part *parts; // by revision: up, down, verify
    size_t count;
};

static size_t
pieces_of(const struct dr_import_revision *r)
{
    return r->up.count + r->down.count + r->verify.count;
}

static enum dr_rc
cut_list(struct render *r, struct dr_import_revision *revision,
         const struct dr_import_pieces *pieces, bool is_verify)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < pieces->count; i++) {
        struct dr_part *part = &r->parts[r->count++];
        part->piece = &pieces->items[i];
        rc = dr_chunk_cut(r->import, revision, part->piece, is_verify, &part->chunks, r->err);
    }
    return rc;
}

static enum dr_rc
cut_all(struct render *r)
{
    size_t total = 0;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; i < r->import->count; i++) {
        total += pieces_of(r->import->items[i]);
    }
    r->parts = dr_arena_array(r->import->arena, total + 1, sizeof *r->parts);
    if (r->parts == NULL) {
        return dr_import_nomem(r->err);
    }
    for (size_t i = 0; rc == DR_OK && i < r->import->count; i++) {
        struct dr_import_revision *revision = r->import->items[i];
        rc = cut_list(r, revision, &revision->up, false);
        rc = rc == DR_OK ? cut_list(r, revision, &revision->down, false) : rc;
        rc = rc == DR_OK ? cut_list(r, revision, &revision->verify, true) : rc;
    }
    return rc;
}

// The chunks of a part as one text.
static enum dr_rc
join(struct render *r, const struct dr_chunks *chunks, struct dr_sql_text *out)
{
    size_t len = 0, at = 0;
    for (size_t i = 0; i < chunks->count; i++) {
        len += chunks->items[i].len + 1;
    }
    char *text = dr_arena_alloc(r->import->arena, len + 1);
    if (text == NULL) {
        return dr_import_nomem(r->err);
    }
    for (size_t i = 0; i < chunks->count; i++) {
        memcpy(text + at, chunks->items[i].text, chunks->items[i].len);
        at += chunks->items[i].len;
        text[at++] = '\n'; // a chunk may end with a comment
    }
    *out = (struct dr_sql_text){text, at};
    return DR_OK;
}

// Asks the parser about every part that could be cut to its end.
static enum dr_rc
ask(struct render *r)
{
    struct dr_sql_text *texts = dr_arena_array(r->import->arena, r->count + 1, sizeof *texts);
    size_t *owners = dr_arena_array(r->import->arena, r->count + 1, sizeof *owners);
    struct dr_sql_result *results = NULL;
    size_t count = 0;
    enum dr_rc rc = texts == NULL || owners == NULL ? dr_import_nomem(r->err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < r->count; i++) {
        if (!r->parts[i].chunks.is_broken && r->parts[i].chunks.statements > 0) {
            rc = join(r, &r->parts[i].chunks, &texts[count]);
            owners[count++] = i;
        }
    }
    if (rc == DR_OK && count > 0) {
        rc = dr_sql_check(r->import->dialect, texts, count, r->import->arena, &results, r->err);
    }
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        struct dr_part *part = &r->parts[owners[i]];
        part->result = results[i].count == part->chunks.statements ? &results[i] : NULL;
    }
    return rc;
}

static enum dr_rc
add_body(struct dr_sheet *s, const struct dr_part *parts)
{
    const struct dr_import_revision *r = s->revision;
    const struct dr_part *down = parts + r->up.count, *verify = down + r->down.count;
    bool may_be_empty = r->parents.count > 1;
    enum dr_rc rc = dr_sheet_way(s, "up", parts, r->up.count);
    bool is_empty = s->sections == 0;
    if (rc == DR_OK && is_empty && !may_be_empty) {
        rc = dr_sheet_empty_up(s);
    }
    rc = rc == DR_OK ? dr_sheet_way(s, "verify", verify, r->verify.count) : rc;
    rc = rc == DR_OK ? dr_sheet_way(s, "down", down, r->down.count) : rc;
    if (rc == DR_OK && s->sections == 0 && is_empty && !may_be_empty && !r->is_hand) {
        dr_buf_str(s->out, "\n-- drover:down\nSELECT 1;\n");
    } else if (rc == DR_OK && s->sections == 0 && !(is_empty && may_be_empty)) {
        dr_sheet_no_down(s);
    }
    return rc;
}

// "Add users table" -> "add_users_table"
static void
make_slug(const char *message, char out[48])
{
    size_t n = 0;
    for (const char *p = message; *p != '\0' && n < 40; p++) {
        bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (is_plain || (*p >= 'A' && *p <= 'Z')) {
            out[n++] = (char)(is_plain ? *p : *p + 32);
        } else if (n > 0 && out[n - 1] != '_') {
            out[n++] = '_';
        }
    }
    while (n > 0 && out[n - 1] == '_') {
        n--;
    }
    out[n] = '\0';
}

// Whatever a reader or the pieces overlooked: the file is read as any other revision would be.
static enum dr_rc
check_file(struct render *r, struct dr_import_revision *revision, const struct dr_import_file *file)
{
    struct dr_revision *parsed = NULL;
    struct dr_err why = {0};
    struct dr_arena *own = dr_arena_new(64u << 20);
    if (own == NULL) {
        return dr_import_nomem(r->err);
    }
    enum dr_rc rc = dr_revision_parse(file->name, file->text, file->len, own, &parsed, &why);
    dr_arena_free(&own);
    if (rc == DR_OK || revision->is_hand) {
        return DR_OK;
    }
    const char *hint = why.hint[0] != '\0' ? why.hint : dr_rc_hint(rc);
    return dr_import_note(r->import, revision, DR_IMPORT_HAND, file->name, why.line, r->err,
                          "%s%s%s", why.message, hint[0] == '\0' ? "" : ": ", hint);
}

static enum dr_rc
render_one(struct render *r, struct dr_import_revision *revision, const struct dr_part *parts,
           struct dr_import_file *out)
{
    struct dr_buf text = {0};
    struct dr_sheet s = {.import = r->import, .err = r->err, .revision = revision, .out = &text};
    char slug[48];
    dr_head_add(r->import, revision, &text);
    enum dr_rc rc = add_body(&s, parts);
    make_slug(revision->message != NULL ? revision->message : "", slug);
    bool is_same = strcasecmp(slug, revision->id) == 0;
    out->name = dr_arena_printf(r->import->arena, "%s%s%s.sql", revision->id,
                                slug[0] != '\0' && !is_same ? "_" : "", is_same ? "" : slug);
    out->text = text.failed || s.pending.failed
                    ? NULL
                    : dr_arena_strn(r->import->arena, text.data, text.len);
    out->len = text.len;
    out->revision = revision;
    dr_buf_fini(&text);
    dr_buf_fini(&s.pending);
    if (rc == DR_OK && (out->name == NULL || out->text == NULL)) {
        rc = dr_import_nomem(r->err);
    }
    return rc == DR_OK ? check_file(r, revision, out) : rc;
}

enum dr_rc
dr_import_render(struct dr_import *import, struct dr_import_file **out, struct dr_err *err)
{
    struct render r = {.import = import, .err = err};
    struct dr_import_file *files = dr_arena_array(import->arena, import->count + 1, sizeof *files);
    enum dr_rc rc = files == NULL ? dr_import_nomem(err) : cut_all(&r);
    rc = rc == DR_OK ? ask(&r) : rc;
    size_t part = 0;
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        rc = render_one(&r, import->items[i], r.parts + part, &files[i]);
        part += pieces_of(import->items[i]);
    }
    if (rc == DR_OK) {
        *out = files;
    }
    return rc;
}
