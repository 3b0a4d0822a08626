#include "coordinator/import/write.h"

#include "coordinator/import/folder.h"

#include "base/file.h"
#include "revision/graph.h"
#include "revision/sum.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int
by_id(const void *a, const void *b)
{
    const struct dr_import_revision *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static const struct dr_import_revision *
find_sorted(const struct dr_import_revision **sorted, size_t count, const char *id)
{
    struct dr_import_revision key = {.id = id};
    const struct dr_import_revision *wanted = &key;
    const struct dr_import_revision **found =
        count == 0 ? NULL : bsearch(&wanted, sorted, count, sizeof *sorted, by_id);
    return found == NULL ? NULL : *found;
}

static enum dr_rc
check_names(const struct dr_import_revision **sorted, size_t count,
            const struct dr_import_revision *r, const struct dr_names *names, struct dr_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        if (find_sorted(sorted, count, names->items[i]) == NULL) {
            (void)dr_err_set(err, DR_E_REVISION_PARENT, "'%s' stands on '%s', which is not there",
                             r->id, names->items[i]);
            return dr_err_at(err, r->file == NULL ? "" : r->file, r->line, 0);
        }
    }
    return DR_OK;
}

// Every id once, every parent and dependency there.
static enum dr_rc
check_ids(const struct dr_import *import, struct dr_err *err)
{
    const struct dr_import_revision **sorted = calloc(import->count + 1, sizeof *sorted);
    enum dr_rc rc = sorted == NULL ? dr_import_nomem(err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        sorted[i] = import->items[i];
    }
    if (rc == DR_OK) {
        qsort(sorted, import->count, sizeof *sorted, by_id);
    }
    for (size_t i = 1; rc == DR_OK && i < import->count; i++) {
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0) {
            (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' and '%s' are both revision '%s'",
                             sorted[i - 1]->file == NULL ? "?" : sorted[i - 1]->file,
                             sorted[i]->file == NULL ? "?" : sorted[i]->file, sorted[i]->id);
            rc = dr_err_hint(err, "give one of them another version");
        }
    }
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        const struct dr_import_revision *r = import->items[i];
        rc = check_names(sorted, import->count, r, &r->parents, err);
        rc = rc == DR_OK ? check_names(sorted, import->count, r, &r->depends_on, err) : rc;
    }
    free(sorted);
    return rc;
}

// Revisions that are in the folder already keep their ids for themselves.
static enum dr_rc
find_known(const struct dr_import *import, const char *folder, enum dr_import_mode mode,
           size_t *out_count, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    if (!dr_path_exists(folder)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_graph_load_drafts(folder, &graph, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "the revisions that are in '%s' already", folder);
    }
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        const struct dr_node *node = dr_graph_find(graph, import->items[i]->id);
        import->items[i]->is_known = node != NULL;
        if (node != NULL && mode == DR_IMPORT_WHOLE) {
            (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' is a revision already: '%s'",
                             import->items[i]->id, node->revision->path);
            rc = dr_err_hint(err, "--new imports those that are not there; --out DIR names another "
                                  "folder for all");
        }
    }
    *out_count = dr_graph_count(graph);
    dr_graph_free(&graph);
    return rc;
}

static void
forget_notes_of_known(struct dr_import *import)
{
    size_t kept = 0;
    for (size_t i = 0; i < import->notes_count; i++) {
        const char *id = import->notes[i].revision;
        const struct dr_import_revision *r = id == NULL ? NULL : dr_import_find(import, id);
        if (r == NULL || !r->is_known) {
            import->notes[kept++] = import->notes[i];
        }
    }
    import->notes_count = kept;
}

// Notes the new files in the folder's sum, if it has one or is new. A chain that needs hand work is
// noted when it is whole: drover check says how.
static enum dr_rc
write_sum(const char *folder, bool was_there, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(64u << 20);
    struct dr_graph *graph = NULL;
    struct dr_sum *sum = NULL;
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    if (arena == NULL) {
        return dr_import_nomem(err);
    }
    bool has_sum = dr_sum_read(folder, arena, &sum, &ignored) == DR_OK;
    bool is_whole = (has_sum || !was_there) && dr_graph_load(folder, &graph, &ignored) == DR_OK;
    if (is_whole) {
        rc = dr_sum_write(folder, graph, sum, err);
    }
    dr_graph_free(&graph);
    dr_arena_free(&arena);
    return rc;
}

enum dr_rc
dr_import_write(struct dr_import *import, const struct dr_import_file *files,
                const char *out_folder, enum dr_import_mode mode, struct dr_err *err)
{
    struct dr_folder *folder = NULL;
    size_t before = 0;
    bool is_dry = mode == DR_IMPORT_DRY;
    enum dr_rc rc = check_ids(import, err);
    rc = rc == DR_OK ? find_known(import, out_folder, mode, &before, err) : rc;
    rc = rc == DR_OK ? dr_folder_begin(out_folder, is_dry, &folder, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        if (!import->items[i]->is_known) {
            rc = dr_folder_add(folder, files[i].name, files[i].text, files[i].len, err);
        }
    }
    rc = rc == DR_OK ? dr_folder_end(folder, err) : rc;
    dr_folder_free(&folder);
    rc = rc == DR_OK && !is_dry ? write_sum(out_folder, before > 0, err) : rc;
    if (rc == DR_OK) {
        forget_notes_of_known(import);
    }
    return rc;
}
