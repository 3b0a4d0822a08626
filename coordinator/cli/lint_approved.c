#include "coordinator/cli/lint_approved.h"

#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/file.h"
#include "revision/graph.h"

#include <stdlib.h>
#include <string.h>

static int
by_id(const void *a, const void *b)
{
    const Drover__V1__ChainEntry *const *x = a, *const *y = b;
    return strcmp((*x)->revision_id, (*y)->revision_id);
}

static int
id_is(const void *id, const void *row)
{
    const Drover__V1__ChainEntry *const *entry = row;
    return strcmp(id, (*entry)->revision_id);
}

// The ADD entries by id; NULL when memory is out.
static const Drover__V1__ChainEntry **
sort_entries(struct dr_arena *arena, const Drover__V1__Chain *chain, size_t *out_count)
{
    const Drover__V1__ChainEntry **rows = dr_arena_array(arena, chain->n_entries, sizeof(*rows));
    size_t count = 0;
    for (size_t i = 0; rows != NULL && i < chain->n_entries; i++) {
        if (chain->entries[i]->action == DROVER__V1__CHAIN_ACTION__ADD) {
            rows[count++] = chain->entries[i];
        }
    }
    if (count > 1) {
        qsort(rows, count, sizeof(*rows), by_id);
    }
    *out_count = count;
    return rows;
}

// Marks what has another digest than the approved revision of its id.
static void
mark(const struct dr_graph *graph, const Drover__V1__ChainEntry *const *rows, size_t count,
     bool *differs)
{
    for (size_t i = 0; count > 0 && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        const Drover__V1__ChainEntry *const *found =
            bsearch(node->revision->id, rows, count, sizeof(*rows), id_is);
        differs[i] = found != NULL && ((*found)->digest.len != 32 ||
                                       memcmp((*found)->digest.data, node->digest, 32) != 0);
    }
}

static enum dr_rc
list_changed(struct dr_cli *cli, const struct dr_graph *graph, const Drover__V1__Chain *chain,
             struct dr_names *out, struct dr_err *err)
{
    size_t count = 0, n = dr_graph_count(graph), used = 0;
    const Drover__V1__ChainEntry **rows = sort_entries(cli->arena, chain, &count);
    bool *differs = dr_arena_array(cli->arena, n, sizeof(*differs));
    const char **files = dr_arena_array(cli->arena, n, sizeof(*files));
    if (rows == NULL || differs == NULL || files == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    mark(graph, rows, count, differs);
    for (size_t i = 0; i < n; i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        bool is_first = differs[i];
        for (size_t k = 0; k < node->parent_count; k++) {
            is_first = is_first && !differs[node->parents[k]->index];
        }
        if (is_first) {
            files[used] = dr_arena_str(cli->arena, node->revision->path);
            used += files[used] != NULL;
        }
    }
    *out = (struct dr_names){files, used};
    return DR_OK;
}

enum dr_rc
dr_lint_approved(struct dr_cli *cli, const char *folder, struct dr_names *out_changed,
                 struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_graph *graph = NULL;
    struct dr_err ignored = {0};
    *out_changed = (struct dr_names){0};
    if (!cli->project->has_root_pin || !dr_path_exists(cli->project->trust)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_remote_open_offline(cli, &remote, &ignored);
    bool has_chain = rc == DR_OK && remote.trust->chain.msg != NULL;
    rc = DR_OK;
    if (has_chain && dr_graph_load(folder, &graph, &ignored) == DR_OK) {
        rc = list_changed(cli, graph, remote.trust->chain.msg, out_changed, err);
    }
    dr_graph_free(&graph);
    dr_remote_close(&remote);
    return rc;
}
