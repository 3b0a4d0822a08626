#include "coordinator/import/source.h"

#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int
by_name(const void *a, const void *b)
{
    const struct dr_source_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static enum dr_rc
add_file(struct dr_import *import, const char *path, const char *name, struct dr_source_list *out,
         struct dr_err *err)
{
    if (out->count == DR_SOURCE_FILES_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "'%s' holds more than %u files", import->folder,
                          DR_SOURCE_FILES_MAX);
    }
    struct dr_source_file *items =
        dr_import_grow(import, out->items, out->count, &out->cap, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    out->items = items;
    const char *slash = strrchr(name, '/');
    out->items[out->count++] = (struct dr_source_file){
        .path = path, .name = name, .base = slash == NULL ? name : slash + 1};
    return DR_OK;
}

// Lists `path`, whose files are called `prefix`NAME.
static enum dr_rc
scan(struct dr_import *import, const char *path, const char *prefix, unsigned depth,
     struct dr_source_list *out, struct dr_err *err)
{
    DIR *dir = opendir(path);
    enum dr_rc rc = DR_OK;
    if (dir == NULL) {
        return dr_err_errno(err, errno == ENOENT ? DR_E_NOT_FOUND : DR_E_IO, errno,
                            "cannot read the folder '%s'", path);
    }
    for (struct dirent *e; rc == DR_OK && (e = readdir(dir)) != NULL;) {
        struct stat row;
        if (e->d_name[0] == '.') {
            continue;
        }
        const char *full = dr_arena_printf(import->arena, "%s/%s", path, e->d_name);
        const char *name = dr_arena_printf(import->arena, "%s%s", prefix, e->d_name);
        if (full == NULL || name == NULL) {
            rc = dr_import_nomem(err);
        } else if (stat(full, &row) != 0) {
            rc = dr_err_errno(err, DR_E_IO, errno, "cannot read '%s'", full);
        } else if (S_ISREG(row.st_mode)) {
            rc = add_file(import, full, name, out, err);
        } else if (S_ISDIR(row.st_mode) && depth > 0) {
            const char *below = dr_arena_printf(import->arena, "%s/", name);
            rc = below == NULL ? dr_import_nomem(err)
                               : scan(import, full, below, depth - 1, out, err);
        }
    }
    closedir(dir);
    return rc;
}

enum dr_rc
dr_source_scan(struct dr_import *import, const char *folder, unsigned depth,
               struct dr_source_list *out, struct dr_err *err)
{
    const char *given = folder == NULL ? import->folder : folder;
    size_t len = strlen(given);
    while (len > 1 && given[len - 1] == '/') {
        len--;
    }
    const char *path = dr_arena_strn(import->arena, given, len);
    *out = (struct dr_source_list){0};
    enum dr_rc rc = path == NULL ? dr_import_nomem(err) : scan(import, path, "", depth, out, err);
    if (rc == DR_OK && out->count > 0) {
        qsort(out->items, out->count, sizeof *out->items, by_name);
    }
    return rc;
}

// Text without CR and BOM in place; false when there was neither.
static bool
clean(char *text, size_t *len, bool *out_bom)
{
    size_t to = 0, from = 0;
    *out_bom = *len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    from = *out_bom ? 3 : 0;
    bool has_cr = memchr(text, '\r', *len) != NULL;
    while (from < *len) {
        bool is_pair = text[from] == '\r' && from + 1 < *len && text[from + 1] == '\n';
        from += is_pair;
        text[to++] = text[from] == '\r' ? '\n' : text[from];
        from++;
    }
    text[to] = '\0';
    *len = to;
    return has_cr;
}

enum dr_rc
dr_source_read(struct dr_import *import, struct dr_import_revision *revision,
               const struct dr_source_file *file, const char **out, size_t *out_len,
               struct dr_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    bool has_bom = false;
    enum dr_rc rc = dr_file_read(file->path, DR_REVISION_FILE_MAX, &bytes, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    import->bytes += len;
    char *text = dr_arena_alloc(import->arena, len + 1);
    if (text == NULL || import->bytes > DR_IMPORT_BYTES_MAX) {
        free(bytes);
        return dr_err_set(err, DR_E_LIMIT, "the files of '%s' have more than %u MiB together",
                          import->folder, (unsigned)(DR_IMPORT_BYTES_MAX >> 20));
    }
    memcpy(text, bytes, len);
    free(bytes);
    bool has_cr = clean(text, &len, &has_bom);
    if (has_bom) {
        rc = dr_import_note(import, revision, DR_IMPORT_CHANGED, file->path, 1, err,
                            "the byte order mark at the begin of the file was taken out");
    }
    if (rc == DR_OK && has_cr) {
        rc = dr_import_note(import, revision, DR_IMPORT_CHANGED, file->path, 0, err,
                            "lines that ended with CR LF end with LF, also inside of strings and "
                            "function bodies");
    }
    *out = text;
    *out_len = len;
    return rc;
}

bool
dr_source_line(const char *text, size_t len, size_t *pos, struct dr_source_line *line)
{
    if (*pos >= len) {
        return false;
    }
    const char *end = memchr(text + *pos, '\n', len - *pos);
    line->start = text + *pos;
    line->offset = *pos;
    line->len = end == NULL ? len - *pos : (size_t)(end - line->start);
    line->number++;
    *pos += line->len + (end == NULL ? 0 : 1);
    return true;
}
