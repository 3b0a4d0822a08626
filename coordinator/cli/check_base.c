// check --base: against another state of the repository.

#include "coordinator/cli/check.h"

#include "base/cmd.h"
#include "revision/sum.h"

#include <string.h>

#define GIT_TIMEOUT_MS 60000u
#define GIT_OUTPUT_MAX (64u * 1024 * 1024)

static enum dr_rc
run_git(const struct dr_checking *check, const char *const *words, struct dr_cmd_result *out,
        struct dr_err *err)
{
    const char *argv[12] = {"git", "-C", check->folder};
    for (size_t i = 0; words[i] != NULL && i + 4 < DR_COUNT_OF(argv); i++) {
        argv[3 + i] = words[i];
    }
    const struct dr_cmd cmd = {
        .argv = argv, .timeout_ms = GIT_TIMEOUT_MS, .output_max = GIT_OUTPUT_MAX};
    enum dr_rc rc = dr_cmd_run(&cmd, out, err);
    if (rc == DR_OK && out->exit_code != 0) {
        const char *text = out->errors.data ? out->errors.data : "";
        dr_err_set(err, DR_E_NOT_FOUND, "git cannot tell: %.*s", (int)strcspn(text, "\n"), text);
        rc = dr_err_hint(err, "git -C %s log --oneline shows what --base can name", check->folder);
    }
    return rc;
}

// Did the file only change in comments since `ref`?
static bool
is_comment_change(const struct dr_checking *check, const char *ref, const char *name)
{
    struct dr_cmd_result old = {0};
    struct dr_err ignored = {0};
    struct dr_revision *before = NULL;
    const char *what = dr_arena_printf(check->cli->arena, "%s:./%s", ref, name);
    const char *const words[] = {"show", what, NULL};
    const struct dr_revision *now = NULL;
    bool is_same = false;
    for (size_t i = 0; i < dr_graph_count(check->graph); i++) {
        const struct dr_revision *r = dr_graph_at(check->graph, i)->revision;
        const char *slash = strrchr(r->path, '/');
        now = dr_str_eq(slash ? slash + 1 : r->path, name) ? r : now;
    }
    if (now != NULL && what != NULL && run_git(check, words, &old, &ignored) == DR_OK) {
        is_same = dr_revision_parse(name, old.output.data ? old.output.data : "", old.output.len,
                                    check->cli->arena, &before, &ignored) == DR_OK &&
                  dr_sum_same_words(before, now);
    }
    dr_cmd_result_fini(&old);
    return is_same;
}

// One line of `git diff --name-status`: "M<tab>name".
static void
say_change(struct dr_checking *check, const char *ref, const char *line, size_t *changes)
{
    const char *name = strchr(line, '\t');
    if (name == NULL || line[0] == 'A' || !dr_str_ends(line, ".sql")) {
        return; // new ones are what a change is for
    }
    name++;
    const char *what = line[0] == 'D'                        ? "gone"
                       : is_comment_change(check, ref, name) ? "comments changed"
                                                             : "changed";
    dr_check_say(check, "base", false,
                 "a revision that others have stays as it is: write a new one",
                 "%s since %s: %s/%s", what, ref, check->folder, name);
    ++*changes;
}

enum dr_rc
dr_check_base(struct dr_checking *check, struct dr_err *err)
{
    const char *ref = dr_cli_option(check->cli, "base");
    struct dr_cmd_result diff = {0};
    size_t changes = 0;
    if (ref == NULL || ref[0] == '-' || ref[0] == '\0') {
        return ref == NULL ? DR_OK : dr_err_set(err, DR_E_USAGE, "'%s' names no git state", ref);
    }
    const char *const words[] = {
        "diff", "--name-status", "--no-renames", "--relative", ref, "--", ".", NULL};
    enum dr_rc rc = run_git(check, words, &diff, err);
    for (char *line = diff.output.data; rc == DR_OK && line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char *next = line + len + (line[len] == '\n' ? 1 : 0);
        line[len] = '\0';
        say_change(check, ref, line, &changes);
        line = next;
    }
    if (rc == DR_OK && changes == 0) {
        dr_check_say(check, "base", true, NULL, "no revision changed since %s", ref);
    }
    dr_cmd_result_fini(&diff);
    return rc;
}
