#include "coordinator/cli/lint_sum.h"

#include "revision/sum.h"

#include <stdlib.h>
#include <string.h>

#define RULE "sum-differs"

static void
add(struct dr_findings *out, const char *file, uint32_t line, const char *message, const char *help)
{
    struct dr_finding finding = {.severity = DR_SEVERITY_WARNING,
                                 .rule = RULE,
                                 .message = dr_arena_str(out->arena, message),
                                 .file = dr_arena_str(out->arena, file),
                                 .line = line,
                                 .column = line > 0 ? 1 : 0,
                                 .help = dr_arena_str(out->arena, help)};
    if (finding.message != NULL && finding.file != NULL) {
        dr_findings_add(out, &finding);
    }
}

static bool
is_wanted(const struct dr_names *files, const char *path)
{
    char *real = realpath(path, NULL);
    bool is_one = files->count == 0;
    for (size_t i = 0; i < files->count && real != NULL && !is_one; i++) {
        char *other = realpath(files->items[i], NULL);
        is_one = other != NULL && strcmp(other, real) == 0;
        free(other);
    }
    free(real);
    return is_one;
}

static void
add_difference(struct dr_findings *out, const char *sum_path, const struct dr_sum_difference *found)
{
    const char *what = found->kind == DR_SUM_CHANGED    ? "the file is not what revisions.sum notes"
                       : found->kind == DR_SUM_COMMENTS ? "comments or words for people are not "
                                                          "what revisions.sum notes"
                       : found->kind == DR_SUM_EXTRA    ? "revisions.sum does not note this file"
                                                        : "the file is gone";
    bool is_gone = found->kind == DR_SUM_MISSING;
    const char *message =
        is_gone ? dr_arena_printf(out->arena, "the file of revision '%s' is gone", found->id)
                : what;
    add(out, is_gone ? sum_path : found->path, 1, message ? message : what,
        is_gone ? "bring it back, or drover check --write"
                : "drover check --write, if that is right");
}

static enum dr_rc
compare(struct dr_cli *cli, const char *folder, const struct dr_sum *sum,
        const struct dr_names *files, struct dr_findings *out, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_err ignored = {0};
    struct dr_sum_difference *items = NULL;
    size_t count = 0;
    const char *path = dr_arena_printf(cli->arena, "%s/%s", folder, DR_SUM_NAME);
    if (dr_graph_load_drafts(folder, &graph, &ignored) != DR_OK) {
        return DR_OK;
    }
    enum dr_rc rc = path == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                 : dr_sum_compare(sum, graph, cli->arena, &items, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        bool is_known = items[i].kind == DR_SUM_MISSING || is_wanted(files, items[i].path);
        if (items[i].kind != DR_SUM_OPEN && is_known) { // what was just written is no news
            add_difference(out, path, &items[i]);
        }
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_lint_sum(struct dr_cli *cli, const char *folder, const struct dr_names *files,
            struct dr_findings *out, struct dr_err *err)
{
    struct dr_sum *sum = NULL;
    if (!dr_findings_want(out, RULE)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_sum_read(folder, cli->arena, &sum, err);
    if (rc == DR_E_REVISION_SUM) {
        add(out, err->file, err->line, err->message, err->hint);
    } else if (rc == DR_OK) {
        return compare(cli, folder, sum, files, out, err);
    }
    if (rc == DR_E_NOT_FOUND || rc == DR_E_REVISION_SUM) {
        *err = (struct dr_err){0};
        return DR_OK;
    }
    return rc;
}
