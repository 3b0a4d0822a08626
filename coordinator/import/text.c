#include "coordinator/import/text.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

bool
dr_text_versioned(struct dr_import *import, const char *base, char separator,
                  struct dr_versioned *out)
{
    size_t digits = strspn(base, "0123456789");
    const char *title = base + digits;
    if (digits == 0 || (separator != '\0' && *title != separator)) {
        return false;
    }
    title += *title == '_' || *title == '-';
    const char *rest = strchr(title, '.');
    rest = rest == NULL ? title + strlen(title) : rest;
    out->version = dr_arena_strn(import->arena, base, digits);
    out->title = dr_arena_strn(import->arena, title, (size_t)(rest - title));
    out->rest = rest;
    if (out->version == NULL || out->title == NULL ||
        !dr_parse_u64(out->version, 0, UINT64_MAX - 1, &out->number)) {
        out->number = UINT64_MAX;
    }
    return out->version != NULL && out->title != NULL;
}

const char *
dr_text_title(struct dr_import *import, const char *title)
{
    char *text = dr_arena_str(import->arena, title);
    for (char *p = text; p != NULL && *p != '\0'; p++) {
        *p = *p == '_' || *p == '-' ? ' ' : *p;
    }
    return text;
}

const char *
dr_text_comment(const struct dr_source_line *line, const char *word)
{
    size_t at = 2, len = strlen(word);
    if (line->len < 2 || memcmp(line->start, "--", 2) != 0) {
        return NULL;
    }
    while (at < line->len && (line->start[at] == ' ' || line->start[at] == '\t')) {
        at++;
    }
    bool is = line->len - at >= len && strncasecmp(line->start + at, word, len) == 0;
    return is ? line->start + at + len : NULL;
}

bool
dr_text_is_blank(const char *text, size_t len)
{
    size_t pos = 0;
    struct dr_source_line line = {0};
    while (dr_source_line(text, len, &pos, &line)) {
        size_t at = 0;
        while (at < line.len && strchr(" \t\f\v", line.start[at]) != NULL) {
            at++;
        }
        bool is_comment = line.len - at >= 2 && memcmp(line.start + at, "--", 2) == 0;
        if (at < line.len && !is_comment) {
            return false;
        }
    }
    return true;
}

enum dr_rc
dr_text_begin(struct dr_import *import, const char *file, size_t cap, struct dr_text *out,
              struct dr_err *err)
{
    *out = (struct dr_text){.import = import, .file = file, .cap = cap + 2};
    out->data = dr_arena_alloc(import->arena, out->cap);
    return out->data == NULL ? dr_import_nomem(err) : DR_OK;
}

static void
add_bytes(struct dr_text *text, const char *bytes, size_t len)
{
    if (len < text->cap - text->len) {
        memcpy(text->data + text->len, bytes, len);
        text->len += len;
    }
}

void
dr_text_add(struct dr_text *text, const struct dr_source_line *line, bool is_empty)
{
    text->line = text->line == 0 ? line->number : text->line;
    add_bytes(text, line->start, is_empty ? 0 : line->len);
    add_bytes(text, "\n", 1);
}

void
dr_text_begin_statement(struct dr_text *text)
{
    text->begin = text->len;
}

void
dr_text_end_statement(struct dr_text *text)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    bool is_open = false;
    dr_sql_lexer_init(&lexer, text->import->dialect, text->data + text->begin,
                      text->len - text->begin);
    while (dr_sql_lexer_next(&lexer, &piece, &rc, &ignored)) {
        is_open = lexer.pos >= lexer.len;
    }
    if (is_open && rc == DR_OK) {
        // Behind the statement itself: a comment may follow it.
        size_t end = text->begin + piece.offset + piece.length;
        if (text->len + 1 < text->cap) {
            memmove(text->data + end + 1, text->data + end, text->len - end);
            text->data[end] = ';';
            text->len++;
        }
    }
    text->begin = text->len;
}

enum dr_rc
dr_text_piece(const struct dr_text *text, bool outside_transaction, const char *name,
              struct dr_import_pieces *to, struct dr_err *err)
{
    struct dr_import_piece piece = {.sql = text->data,
                                    .len = text->len,
                                    .outside_transaction = outside_transaction,
                                    .name = name,
                                    .file = text->file,
                                    .line = text->line};
    bool is_empty = true;
    for (size_t i = 0; i < text->len && is_empty; i++) {
        is_empty = text->data[i] == '\n' || text->data[i] == ' ' || text->data[i] == '\t';
    }
    return is_empty ? DR_OK : dr_import_piece(text->import, to, &piece, err);
}

enum dr_rc
dr_text_file(struct dr_import *import, struct dr_import_revision *revision,
             const struct dr_source_file *file, bool outside_transaction, const char *name,
             struct dr_import_pieces *to, struct dr_err *err)
{
    struct dr_import_piece piece = {
        .outside_transaction = outside_transaction, .name = name, .line = 1};
    if (file == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_source_read(import, revision, file, &piece.sql, &piece.len, err);
    piece.file = file->path;
    return rc == DR_OK ? dr_import_piece(import, to, &piece, err) : rc;
}

enum dr_rc
dr_text_left_out(struct dr_import *import, const struct dr_source_file *file, const char *why,
                 struct dr_err *err)
{
    return dr_import_note(import, NULL, DR_IMPORT_LEFT_OUT, file->path, 0, err, "%s", why);
}

enum dr_rc
dr_text_none(const struct dr_import *import, const char *example, struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_NOT_FOUND, "'%s' holds no migration of %s", import->folder,
                     import->format);
    return dr_err_hint(err, "name the folder with files like %s", example);
}
