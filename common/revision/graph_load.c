#include "revision/graph_internal.h"

#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Reading a folder: its `*.sql` files in order of name, so that errors come in the same order
// everywhere.

struct folder {
    char **names;
    size_t count, cap;
};

static void
free_folder(struct folder *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->names[i]);
    }
    free(f->names);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum dr_rc
add_name(struct folder *f, const char *folder, const char *name, struct dr_err *err)
{
    if (f->count == DR_GRAPH_FILES_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "folder '%s' has more than %u revision files", folder,
                          DR_GRAPH_FILES_MAX);
    }
    if (f->count == f->cap) {
        size_t cap = f->cap == 0 ? 64 : 2 * f->cap;
        char **names = realloc(f->names, cap * sizeof *names);
        if (names == NULL) {
            return dr_graph_nomem(err);
        }
        f->names = names;
        f->cap = cap;
    }
    f->names[f->count] = strdup(name);
    return f->names[f->count++] == NULL ? dr_graph_nomem(err) : DR_OK;
}

static enum dr_rc
list_folder(const char *folder, struct folder *f, struct dr_err *err)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        enum dr_rc rc = errno == ENOENT || errno == ENOTDIR ? DR_E_NOT_FOUND : DR_E_IO;
        dr_err_errno(err, rc, errno, "cannot read the folder of revisions '%s'", folder);
        return dr_err_hint(err, "drover init makes one; or cd to the folder with drover.conf");
    }
    enum dr_rc rc = DR_OK;
    for (struct dirent *e = readdir(dir); e != NULL && rc == DR_OK; e = readdir(dir)) {
        if (e->d_name[0] != '.' && dr_str_ends(e->d_name, ".sql")) {
            rc = add_name(f, folder, e->d_name, err);
        }
    }
    closedir(dir);
    if (rc == DR_OK && f->count > 1) {
        qsort(f->names, f->count, sizeof *f->names, by_name);
    }
    return rc;
}

static enum dr_rc
load_one(struct dr_graph *g, const char *folder, const char *name, bool is_draft, size_t *total,
         struct dr_revision **out, struct dr_err *err)
{
    size_t folder_len = strlen(folder), len = 0;
    const char *slash = folder_len > 0 && folder[folder_len - 1] == '/' ? "" : "/";
    char *path = dr_arena_printf(g->arena, "%s%s%s", folder, slash, name);
    if (path == NULL) {
        return dr_graph_nomem(err);
    }
    enum dr_rc rc = dr_file_read(path, DR_REVISION_FILE_MAX, &g->files[g->file_count], &len, err);
    if (rc == DR_E_LIMIT) {
        dr_err_set(err, DR_E_REVISION_SIZE,
                   "the file is longer than a revision may be, %u bytes (32 MiB)",
                   DR_REVISION_FILE_MAX);
        dr_err_hint(err, "split it into several revisions, or load the data by other means");
        return dr_err_at(err, path, 1, 1);
    }
    if (rc != DR_OK) {
        return rc;
    }
    const char *bytes = g->files[g->file_count++];
    *total += len;
    if (*total > DR_GRAPH_BYTES_MAX) {
        return dr_err_set(err, DR_E_LIMIT,
                          "the revisions in '%s' have more than %llu bytes together", folder,
                          DR_GRAPH_BYTES_MAX);
    }
    return is_draft ? dr_revision_parse_draft(path, bytes, len, g->arena, out, err)
                    : dr_revision_parse(path, bytes, len, g->arena, out, err);
}

static enum dr_rc
load_files(struct dr_graph *g, const char *folder, const struct folder *f,
           const struct dr_graph_report *report, bool is_draft, struct dr_err *err)
{
    struct dr_revision **revisions =
        dr_arena_array(g->arena, f->count, sizeof(struct dr_revision *));
    size_t total = 0, good = 0;
    g->files = calloc(f->count + 1, sizeof *g->files);
    if (revisions == NULL || g->files == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < f->count; i++) {
        size_t files = g->file_count;
        enum dr_rc rc = load_one(g, folder, f->names[i], is_draft, &total, &revisions[good], err);
        if (rc == DR_OK) {
            good++;
            continue;
        }
        bool is_of_file = err != NULL && err->line > 0;
        if (report == NULL || !is_of_file) {
            return rc;
        }
        report->on_bad_file(report->ctx, err, g->file_count > files ? g->files[files] : NULL);
    }
    const struct dr_revision *const *all =
        (const struct dr_revision *const *)(const void *)revisions;
    enum dr_rc rc = dr_graph_fill(g, all, good, err);
    if (rc == DR_OK || report == NULL || rc == DR_E_NOMEM) {
        return rc;
    }
    // A parent that was left out is no news.
    if (rc != DR_E_REVISION_PARENT || good == f->count) {
        report->on_bad_graph(report->ctx, err);
    }
    return dr_graph_fill_loose(g, all, good, err);
}

static enum dr_rc
load(const char *folder, const struct dr_graph_report *report, bool is_draft, struct dr_graph **out,
     struct dr_err *err)
{
    struct folder f = {0};
    struct dr_graph *g = NULL;
    enum dr_rc rc = list_folder(folder, &f, err);
    rc = rc == DR_OK ? dr_graph_new(&g, err) : rc;
    rc = rc == DR_OK ? load_files(g, folder, &f, report, is_draft, err) : rc;
    rc = rc == DR_OK && !g->is_loose ? dr_graph_mark_withdrawn(g, folder, err) : rc;
    free_folder(&f);
    if (rc != DR_OK) {
        dr_graph_free(&g);
        return rc;
    }
    *out = g;
    return DR_OK;
}

enum dr_rc
dr_graph_load_reporting(const char *folder, const struct dr_graph_report *report,
                        struct dr_graph **out, struct dr_err *err)
{
    return load(folder, report, false, out, err);
}

enum dr_rc
dr_graph_load(const char *folder, struct dr_graph **out, struct dr_err *err)
{
    return load(folder, NULL, false, out, err);
}

enum dr_rc
dr_graph_load_drafts(const char *folder, struct dr_graph **out, struct dr_err *err)
{
    return load(folder, NULL, true, out, err);
}
