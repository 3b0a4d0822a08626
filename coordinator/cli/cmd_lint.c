// lint: checks the revision files of a folder.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "revision/review.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Every file that is named must be one of the folder: a revision is checked with its ancestors.
static enum dr_rc
check_named_files(struct dr_cli *cli, const char *folder, struct dr_err *err)
{
    char real_folder[PATH_MAX];
    char real_file[PATH_MAX];
    for (size_t i = 0; i < cli->args_count; i++) {
        if (realpath(cli->args[i], real_file) == NULL) {
            return dr_err_set(err, DR_E_NOT_FOUND, "there is no file '%s'", cli->args[i]);
        }
        char *slash = strrchr(real_file, '/');
        *slash = '\0';
        if (realpath(folder, real_folder) == NULL || !dr_str_eq(real_folder, real_file)) {
            dr_err_set(err, DR_E_USAGE, "'%s' does not lie in the project's folder '%s'",
                       cli->args[i], folder);
            return dr_err_hint(err, "drover lint FOLDER checks another folder");
        }
    }
    return DR_OK;
}

static bool
is_folder(const char *path)
{
    struct stat row;
    return stat(path, &row) == 0 && S_ISDIR(row.st_mode);
}

static void
add_count(struct dr_buf *out, size_t count, const char *one, const char *many)
{
    dr_buf_printf(out, "%s%zu %s", out->len == 0 ? "" : ", ", count, count == 1 ? one : many);
}

static void
print_text(struct dr_cli *cli, const struct dr_findings *findings, struct dr_buf *out)
{
    struct dr_buf counts = {0};
    size_t advice = dr_findings_count(findings, DR_SEVERITY_ADVICE);
    for (size_t i = 0; i < findings->count; i++) {
        dr_finding_text(out, &findings->items[i]);
        dr_buf_str(out, "\n");
    }
    add_count(&counts, dr_findings_errors(findings), "error", "errors");
    add_count(&counts, dr_findings_count(findings, DR_SEVERITY_WARNING), "warning", "warnings");
    if (advice > 0) {
        add_count(&counts, advice, "advice", "advice");
    }
    dr_buf_printf(out, "%s\n", counts.data == NULL ? "" : counts.data);
    dr_say(cli, "%s", out->data ? out->data : "");
    dr_buf_fini(&counts);
}

static void
print_findings(struct dr_cli *cli, const struct dr_findings *findings)
{
    struct dr_buf out = {0};
    if (cli->format != DR_CLI_TEXT) {
        dr_findings_json(&out, findings);
        fputs(out.data ? out.data : "", stdout);
    } else {
        print_text(cli, findings, &out);
    }
    dr_buf_fini(&out);
    cli->exit_code = dr_findings_errors(findings) > 0 ? 1 : 0;
}

enum dr_rc
dr_cmd_lint(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_findings findings = {.arena = cli->arena};
    struct dr_names files = {.items = cli->args, .count = cli->args_count};
    struct dr_review_options options = {.files = &files};
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *folder = dr_project_shown(cli, cli->project->revisions);
    if (cli->args_count == 1 && is_folder(cli->args[0])) {
        folder = cli->args[0];
        files.count = 0;
    } else if (!dr_path_exists(folder)) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no folder '%s' with revisions", folder);
        return dr_err_hint(err, "drover init, or go to the project's folder");
    } else {
        rc = check_named_files(cli, folder, err);
    }
    rc = rc == DR_OK ? dr_review_folder(folder, &options, &findings, err) : rc;
    if (rc == DR_OK) {
        dr_findings_sort(&findings);
        print_findings(cli, &findings);
    }
    return rc;
}
