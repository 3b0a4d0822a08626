#include "coordinator/cli/lint_against.h"

#include "base/cmd.h"
#include "base/file.h"
#include "revision/graph.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GIT_MS = 60000, OUTPUT_MAX = 600 * 1024 * 1024 };

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// The revision's file and those of all that it stands on. `*out_is_one` is false when the chain has
// no such revision.
static enum dr_rc
by_revision(struct dr_cli *cli, const char *folder, const char *reference, struct dr_names *out,
            bool *out_is_one, struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct dr_err why = {0};
    enum dr_rc rc = dr_graph_load(folder, &graph, &why);
    rc = rc == DR_OK ? dr_graph_upgrade(graph, reference, &none, cli->arena, &nodes, &why) : rc;
    *out_is_one = rc == DR_OK;
    if (rc != DR_OK) { // a chain that does not load may still be compared by git
        dr_graph_free(&graph);
        return DR_OK;
    }
    const char **items = dr_arena_array(cli->arena, nodes.count, sizeof(*items));
    for (size_t i = 0; items != NULL && i < nodes.count; i++) {
        items[i] = dr_arena_str(cli->arena, nodes.items[i]->revision->path);
        rc = items[i] == NULL ? nomem(err) : rc;
    }
    *out = (struct dr_names){items, nodes.count};
    dr_graph_free(&graph);
    return items == NULL ? nomem(err) : rc;
}

// The names of the folder's *.sql files, sorted by nothing.
static enum dr_rc
list_files(struct dr_cli *cli, const char *folder, struct dr_names *out, struct dr_err *err)
{
    const char **items = dr_arena_array(cli->arena, DR_GRAPH_FILES_MAX, sizeof(*items));
    DIR *dir = opendir(folder);
    size_t count = 0;
    if (dir == NULL || items == NULL) {
        if (dir != NULL) {
            closedir(dir);
        }
        return dr_err_set(err, items == NULL ? DR_E_NOMEM : DR_E_NOT_FOUND,
                          "cannot read the folder '%s'", folder);
    }
    for (struct dirent *row = readdir(dir); row != NULL && count < DR_GRAPH_FILES_MAX;
         row = readdir(dir)) {
        bool is_odd = strpbrk(row->d_name, "\n\r") != NULL || row->d_name[0] == '.';
        if (!is_odd && dr_str_ends(row->d_name, ".sql")) {
            items[count++] = dr_arena_str(cli->arena, row->d_name);
        }
    }
    closedir(dir);
    *out = (struct dr_names){items, count};
    return DR_OK;
}

static enum dr_rc
run_git(const char *folder, const char *const *words, const struct dr_buf *input,
        struct dr_cmd_result *out, struct dr_err *err)
{
    const char *argv[8] = {"git", "-C", folder};
    for (size_t i = 0; words[i] != NULL && i < 4; i++) {
        argv[3 + i] = words[i];
    }
    struct dr_cmd cmd = {.argv = argv, .timeout_ms = GIT_MS, .output_max = OUTPUT_MAX};
    if (input != NULL) {
        cmd.input = input->data;
        cmd.input_len = input->len;
    }
    return dr_cmd_run(&cmd, out, err);
}

// True when the file has exactly these bytes.
static bool
is_same(const char *folder, const char *name, const char *bytes, size_t len)
{
    char path[4096];
    char *text = NULL;
    size_t own = 0;
    struct dr_err ignored = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (dr_file_read(path, DR_REVISION_FILE_MAX, &text, &own, &ignored) != DR_OK) {
        return false;
    }
    bool is = own == len && (len == 0 || memcmp(text, bytes, len) == 0);
    free(text);
    return is;
}

// Reads what `git cat-file --batch` says, file by file: "HASH blob SIZE", the bytes and a newline,
// or "... missing".
static bool
read_batch(const char *folder, const struct dr_names *files, const struct dr_buf *output,
           const char **known, size_t *known_count, const char **changed, size_t *changed_count)
{
    const char *at = output->data, *end = output->data + output->len;
    for (size_t i = 0; i < files->count; i++) {
        const char *line_end = at == NULL ? NULL : memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL) {
            return false;
        }
        char line[256], size_text[32] = "";
        uint64_t size = 0;
        snprintf(line, sizeof line, "%.*s", (int)(line_end - at), at);
        const char *blank = strrchr(line, ' ');
        snprintf(size_text, sizeof size_text, "%s", blank == NULL ? "" : blank + 1);
        at = line_end + 1;
        if (dr_str_eq(size_text, "missing")) {
            continue;
        }
        if (!dr_parse_u64(size_text, 0, (uint64_t)(end - at), &size) ||
            size >= (uint64_t)(end - at)) {
            return false;
        }
        known[(*known_count)++] = files->items[i];
        if (!is_same(folder, files->items[i], at, size)) {
            changed[(*changed_count)++] = files->items[i];
        }
        at += size + 1;
    }
    return true;
}

static enum dr_rc
compare(struct dr_cli *cli, const char *folder, const char *reference, struct dr_names *out_known,
        struct dr_names *out_changed, struct dr_err *err)
{
    static const char *const words[] = {"cat-file", "--batch", NULL};
    struct dr_names files = {0};
    struct dr_buf input = {0};
    struct dr_cmd_result result = {0};
    enum dr_rc rc = list_files(cli, folder, &files, err);
    const char **known = dr_arena_array(cli->arena, files.count, sizeof(*known));
    const char **changed = dr_arena_array(cli->arena, files.count, sizeof(*changed));
    for (size_t i = 0; rc == DR_OK && i < files.count; i++) {
        dr_buf_printf(&input, "%s:./%s\n", reference, files.items[i]);
    }
    if (rc == DR_OK && (known == NULL || changed == NULL || input.failed)) {
        rc = nomem(err);
    }
    rc = rc == DR_OK && files.count > 0 ? run_git(folder, words, &input, &result, err) : rc;
    if (rc == DR_OK && files.count > 0 &&
        (result.exit_code != 0 || !read_batch(folder, &files, &result.output, known,
                                              &out_known->count, changed, &out_changed->count))) {
        rc = dr_err_set(err, DR_E_IO, "git did not tell the files of '%s': %.200s", reference,
                        result.errors.data == NULL ? "" : result.errors.data);
    }
    out_known->items = known;
    out_changed->items = changed;
    dr_buf_fini(&input);
    dr_cmd_result_fini(&result);
    return rc;
}

enum dr_rc
dr_lint_against(struct dr_cli *cli, const char *folder, const char *reference,
                struct dr_names *out_known, struct dr_names *out_changed, struct dr_err *err)
{
    bool is_one = false;
    char tree[512];
    struct dr_cmd_result result = {.exit_code = -1};
    struct dr_err why = {0};
    enum dr_rc rc = by_revision(cli, folder, reference, out_known, &is_one, err);
    if (rc != DR_OK || is_one) {
        return rc;
    }
    snprintf(tree, sizeof tree, "%s^{tree}", reference);
    const char *const words[] = {"rev-parse", "--verify", "--quiet", tree, NULL};
    bool is_tree = reference[0] != '-' && strpbrk(reference, "\n:") == NULL &&
                   run_git(folder, words, NULL, &result, &why) == DR_OK && result.exit_code == 0;
    dr_cmd_result_fini(&result);
    if (!is_tree) {
        dr_err_set(err, DR_E_NOT_FOUND,
                   "'%s' is neither a revision of the folder nor a reference that git knows",
                   reference);
        return dr_err_hint(err, "drover history lists revisions; git branch -a lists references");
    }
    return compare(cli, folder, reference, out_known, out_changed, err);
}
