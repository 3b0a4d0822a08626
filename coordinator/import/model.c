#include "coordinator/import/model.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef dr_import_nomem // the function itself is meant here

enum { MESSAGE_MAX = 200 };

enum dr_rc
dr_import_nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the imported chain");
}

void *
dr_import_grow(const struct dr_import *import, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return items;
    }
    size_t more = *cap == 0 ? 8 : 2 * *cap;
    void *moved = dr_arena_array(import->arena, more, size);
    if (moved != NULL) {
        if (count > 0) {
            memcpy(moved, items, count * size);
        }
        *cap = more;
    }
    return moved;
}

enum dr_rc
dr_import_add(struct dr_import *import, struct dr_import_revision **out, struct dr_err *err)
{
    if (import->count == DR_IMPORT_REVISIONS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u migrations in one folder",
                          DR_IMPORT_REVISIONS_MAX);
    }
    struct dr_import_revision **items = dr_import_grow(
        import, import->items, import->count, &import->cap, sizeof(struct dr_import_revision *));
    struct dr_import_revision *revision = dr_arena_alloc(import->arena, sizeof *revision);
    if (items == NULL || revision == NULL) {
        return dr_import_nomem(err);
    }
    import->items = items;
    import->items[import->count++] = revision;
    *out = revision;
    return DR_OK;
}

// A list of one name.
static enum dr_rc
name_one(struct dr_import *import, const char *name, struct dr_names *out, struct dr_err *err)
{
    const char **items = dr_arena_array(import->arena, 1, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    items[0] = name;
    out->items = items;
    out->count = 1;
    return DR_OK;
}

enum dr_rc
dr_import_follow(struct dr_import *import, struct dr_import_revision **out, struct dr_err *err)
{
    struct dr_names parents = {0};
    enum dr_rc rc = DR_OK;
    if (import->count > 0) {
        rc = name_one(import, import->items[import->count - 1]->id, &parents, err);
    }
    rc = rc == DR_OK ? dr_import_add(import, out, err) : rc;
    if (rc == DR_OK) {
        (*out)->parents = parents;
    }
    return rc;
}

struct dr_import_revision *
dr_import_find(const struct dr_import *import, const char *id)
{
    for (size_t i = 0; i < import->count; i++) {
        if (import->items[i]->id != NULL && strcmp(import->items[i]->id, id) == 0) {
            return import->items[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_import_piece(struct dr_import *import, struct dr_import_pieces *to,
                const struct dr_import_piece *piece, struct dr_err *err)
{
    struct dr_import_piece *items =
        dr_import_grow(import, to->items, to->count, &to->cap, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    to->items = items;
    to->items[to->count++] = *piece;
    return DR_OK;
}

enum dr_rc
dr_import_note(struct dr_import *import, struct dr_import_revision *revision,
               enum dr_import_kind kind, const char *file, uint32_t line, struct dr_err *err,
               const char *fmt, ...)
{
    char reason[DR_ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    if (revision != NULL) {
        revision->is_hand = revision->is_hand || kind == DR_IMPORT_HAND;
        revision->notes++;
    }
    if (import->notes_count >= DR_IMPORT_NOTES_MAX && kind != DR_IMPORT_HAND) {
        return DR_OK;
    }
    struct dr_import_note *notes = dr_import_grow(import, import->notes, import->notes_count,
                                                  &import->notes_cap, sizeof *notes);
    const char *copy = dr_arena_str(import->arena, reason);
    if (notes == NULL || copy == NULL) {
        return dr_import_nomem(err);
    }
    import->notes = notes;
    import->notes[import->notes_count++] =
        (struct dr_import_note){.kind = kind,
                                .revision = revision == NULL ? NULL : revision->id,
                                .file = file,
                                .line = line,
                                .reason = copy};
    return DR_OK;
}

const char *
dr_import_id(struct dr_import *import, const char *name)
{
    char id[DR_REVISION_ID_MAX + 1];
    size_t n = 0;
    for (const char *p = name; *p != '\0' && n < DR_REVISION_ID_MAX; p++) {
        bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= '0' && *p <= '9') || *p == '.' || *p == '_';
        if (((unsigned char)*p & 0xC0) != 0x80) { // one '_' for each code point
            id[n++] = is_plain ? *p : '_';
        }
    }
    id[n] = '\0';
    for (unsigned i = 2; !dr_revision_id_valid(id) || dr_import_find(import, id) != NULL; i++) {
        char suffix[16];
        int len = snprintf(suffix, sizeof suffix, "_%u", i);
        size_t keep = n + (size_t)len > DR_REVISION_ID_MAX ? DR_REVISION_ID_MAX - (size_t)len : n;
        memcpy(id + keep, suffix, (size_t)len + 1);
    }
    return dr_arena_str(import->arena, id);
}

const char *
dr_import_message(struct dr_import *import, const char *text, size_t len, const char *fallback)
{
    char line[MESSAGE_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < len && n < MESSAGE_MAX; i++) {
        bool is_control = (unsigned char)text[i] < 0x20 || text[i] == 0x7F;
        char c = is_control ? ' ' : text[i];
        if (c != ' ' || (n > 0 && line[n - 1] != ' ')) {
            line[n++] = c;
        }
    }
    while (n > 0 &&
           (line[n - 1] == ' ' || ((unsigned char)line[n - 1] >= 0x80 && n == MESSAGE_MAX))) {
        n--; // what was cut inside a code point goes as well
    }
    line[n] = '\0';
    bool is_bad = n == 0 || !dr_utf8_plain(line, n, NULL) || dr_str_starts(line, "drover");
    return dr_arena_str(import->arena, is_bad ? fallback : line);
}
