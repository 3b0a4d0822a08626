// What an export wrote as comments is taken back.

#include "coordinator/import/export.h"
#include "coordinator/import/source.h"

#include <string.h>

// The names of a list behind a key.
static enum dr_rc
read_names(struct dr_import *import, const char *value, struct dr_names *out, struct dr_err *err)
{
    const char **items = dr_arena_array(import->arena, DR_REVISION_LIST_MAX, sizeof *items);
    size_t count = 0;
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    for (const char *at = value + strspn(value, ", ");
         *at != '\0' && count < DR_REVISION_LIST_MAX;) {
        size_t len = strcspn(at, ", ");
        items[count] = dr_arena_strn(import->arena, at, len);
        if (items[count] == NULL) {
            return dr_import_nomem(err);
        }
        count++;
        at += len + strspn(at + len, ", ");
    }
    *out = (struct dr_names){items, count};
    return DR_OK;
}

static enum dr_rc
take_key(struct dr_import *import, struct dr_import_revision *r, const char *line,
         struct dr_err *err)
{
    const char *value = strchr(line, ':');
    size_t len = value == NULL ? 0 : (size_t)(value - line);
    value = value == NULL ? "" : value + 1 + strspn(value + 1, " ");
    if (strncmp(line, "Revises", len) == 0 && len == 7) {
        return read_names(import, value, &r->parents, err);
    }
    if (strncmp(line, "Branch labels", len) == 0 && len == 13) {
        return read_names(import, value, &r->labels, err);
    }
    if (strncmp(line, "Depends on", len) == 0 && len == 10) {
        return read_names(import, value, &r->depends_on, err);
    }
    if (strncmp(line, "Create Date", len) == 0 && len == 11) {
        r->create_date = value;
    } else if (strncmp(line, "Author", len) == 0 && len == 6) {
        r->author = value;
    } else if (strncmp(line, DR_EXPORT_NO_WAY_BACK, len) == 0 &&
               len == sizeof DR_EXPORT_NO_WAY_BACK - 1) {
        r->no_down = value;
    }
    return DR_OK;
}

enum dr_rc
dr_export_read_header(struct dr_import *import, struct dr_import_revision *revision,
                      const char *text, size_t len, struct dr_err *err)
{
    static const char key[] = "-- Revision ID: ";
    const char *id = NULL, *message = NULL;
    size_t pos = 0;
    enum dr_rc rc = DR_OK;
    for (size_t line = 0; rc == DR_OK && pos + 2 < len && memcmp(text + pos, "--", 2) == 0;
         line++) {
        const char *end = memchr(text + pos, '\n', len - pos);
        size_t n = end == NULL ? len - pos : (size_t)(end - text) - pos;
        const char *copy = n > 3 ? dr_arena_strn(import->arena, text + pos + 3, n - 3) : "";
        if (copy == NULL) {
            return dr_import_nomem(err);
        }
        if (n > sizeof key - 1 && memcmp(text + pos, key, sizeof key - 1) == 0) {
            id = copy + sizeof key - 1 - 3;
            const struct dr_import_revision *other = dr_import_find(import, id);
            id = dr_revision_id_valid(id) && (other == NULL || other == revision) ? id : NULL;
        } else if (line == 0) {
            message = copy;
        } else if (id != NULL) {
            rc = take_key(import, revision, copy, err);
        }
        pos += n + (end == NULL ? 0 : 1);
    }
    if (rc == DR_OK && id != NULL) {
        revision->id = id;
        revision->message = message != NULL && message[0] != '\0' ? message : id;
    }
    return rc;
}

enum dr_rc
dr_export_take_header(struct dr_import *import, struct dr_import_revision *revision,
                      struct dr_import_piece *piece, struct dr_err *err)
{
    static const char key[] = "\n-- Revision ID: ";
    const char *blank = memmem(piece->sql, piece->len, "\n\n", 2);
    size_t header = blank == NULL ? piece->len : (size_t)(blank - piece->sql);
    bool has = memmem(piece->sql, header, key, sizeof key - 1) != NULL;
    enum dr_rc rc =
        has ? dr_export_read_header(import, revision, piece->sql, piece->len, err) : DR_OK;
    while (rc == DR_OK && has && piece->len > 2 && memcmp(piece->sql, "--", 2) == 0) {
        const char *end = memchr(piece->sql, '\n', piece->len);
        size_t n = end == NULL ? piece->len : (size_t)(end - piece->sql) + 1;
        piece->sql += n;
        piece->len -= n;
        piece->line++;
    }
    return rc;
}

// A line `-- verify "name" options`: begins a section of its own.
static bool
verify_line(struct dr_import *import, const struct dr_source_line *line,
            struct dr_import_piece *out)
{
    static const char begin[] = "-- verify \"";
    size_t len = sizeof begin - 1;
    if (line->len <= len || memcmp(line->start, begin, len) != 0) {
        return false;
    }
    const char *name = line->start + len;
    const char *close = memchr(name, '"', line->len - len);
    if (close == NULL) {
        return false;
    }
    const char *rest = close + 1;
    out->name = dr_arena_strn(import->arena, name, (size_t)(close - name));
    out->options = dr_arena_strn(import->arena, rest, (size_t)(line->start + line->len - rest));
    return out->name != NULL && out->options != NULL;
}

enum dr_rc
dr_export_read_verify(struct dr_import *import, struct dr_import_revision *revision,
                      const struct dr_source_file *file, struct dr_err *err)
{
    const char *text = "";
    size_t len = 0, pos = 0;
    struct dr_source_line line = {0};
    struct dr_import_piece piece = {.file = file == NULL ? NULL : file->path};
    enum dr_rc rc = file == NULL ? DR_OK : dr_source_read(import, revision, file, &text, &len, err);
    while (rc == DR_OK && dr_source_line(text, len, &pos, &line)) {
        struct dr_import_piece next = piece;
        if (!verify_line(import, &line, &next)) {
            continue;
        }
        if (piece.name != NULL) {
            piece.len = (size_t)(line.start - piece.sql);
            rc = dr_import_piece(import, &revision->verify, &piece, err);
        }
        piece = next;
        piece.sql = text + pos;
        piece.line = line.number + 1;
    }
    if (rc == DR_OK && piece.name != NULL) {
        piece.len = (size_t)(text + len - piece.sql);
        rc = dr_import_piece(import, &revision->verify, &piece, err);
    }
    return rc;
}
