// lint: checks the revision files of a folder.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/lint_against.h"
#include "coordinator/cli/lint_approved.h"
#include "coordinator/cli/lint_report.h"
#include "coordinator/cli/lint_sum.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "revision/review.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DR_RULES_MAX 256u

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

// --format, else --output.
static enum dr_rc
print_findings(struct dr_cli *cli, const struct dr_findings *findings, struct dr_err *err)
{
    struct dr_buf out = {0};
    enum dr_rc rc = DR_OK;
    const char *format = dr_cli_option(cli, "format");
    if (format == NULL) {
        format = cli->format == DR_CLI_TEXT ? "text" : "json";
    }
    if (dr_str_eq(format, "text")) {
        print_text(cli, findings, &out);
    } else if (dr_str_eq(format, "json")) {
        dr_findings_json(&out, findings);
        fputs(out.data ? out.data : "", stdout);
    } else {
        rc = dr_lint_report_named(format)(&out, findings, err);
        fputs(rc == DR_OK && out.data != NULL ? out.data : "", stdout);
    }
    dr_buf_fini(&out);
    cli->exit_code = dr_findings_errors(findings) > 0 ? 1 : 0;
    return rc;
}

static enum dr_rc
check_format(const struct dr_cli *cli, struct dr_err *err)
{
    const char *format = dr_cli_option(cli, "format");
    if (format == NULL || dr_str_eq(format, "text") || dr_str_eq(format, "json") ||
        dr_lint_report_named(format) != NULL) {
        return DR_OK;
    }
    return dr_err_set(err, DR_E_USAGE,
                      "--format is text, json, github, gitlab, sarif or junit, not '%s'", format);
}

// The rules of every `--NAME LIST`, commas between; NULL when there is none.
static enum dr_rc
read_rules(struct dr_cli *cli, const char *option, const char *const **out, struct dr_err *err)
{
    const char **rules = dr_arena_array(cli->arena, DR_RULES_MAX + 1, sizeof(*rules));
    size_t count = 0;
    if (rules == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < cli->given_count; i++) {
        if (!dr_str_eq(cli->given[i].option->name, option)) {
            continue;
        }
        for (const char *at = cli->given[i].value; *at != '\0';) {
            size_t len = strcspn(at, ",");
            const char *name = dr_arena_strn(cli->arena, at, len);
            at += len + (at[len] == ',');
            if (name == NULL || count == DR_RULES_MAX) {
                return dr_err_set(err, DR_E_LIMIT, "--%s names too many rules", option);
            }
            if (!dr_str_eq(name, "all") && dr_lint_rule_named(name) == NULL) {
                dr_err_set(err, DR_E_USAGE, "there is no rule '%s'", name);
                return dr_err_hint(err, "drover lint --rules");
            }
            rules[count++] = name;
        }
    }
    *out = count == 0 ? NULL : rules;
    return DR_OK;
}

static enum dr_rc
list_rules(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"rule", "severity", "what it tells", NULL};
    json_t *all = json_array();
    struct dr_table *table = dr_table_new(cli, columns);
    if (table == NULL || all == NULL) {
        dr_table_free(&table);
        json_decref(all);
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (const struct dr_lint_rule *r = dr_lint_rules(); r->name != NULL; r++) {
        const char *severity = r->is_strict ? "when named" : dr_severity_name(r->severity);
        const char *const cells[] = {r->name, severity, r->summary, NULL};
        dr_table_row(table, SIZE_MAX, cells);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:b}", "rule", r->name, "severity",
                                             dr_severity_name(r->severity), "summary", r->summary,
                                             "default", !r->is_strict));
    }
    if (cli->format == DR_CLI_TEXT) {
        dr_table_print(table, stdout);
        json_decref(all);
    } else {
        dr_print_json(cli, json_pack("{s:s, s:o}", "schema", "drover.v1.LintRules", "rules", all));
    }
    dr_table_free(&table);
    return DR_OK;
}

// Which folder, and which of its files.
static enum dr_rc
choose_folder(struct dr_cli *cli, const char **out_folder, struct dr_names *files,
              struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    *out_folder = dr_project_shown(cli, cli->project->revisions);
    if (cli->args_count == 1 && is_folder(cli->args[0])) {
        *out_folder = cli->args[0];
        files->count = 0;
        return DR_OK;
    }
    if (!dr_path_exists(*out_folder)) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no folder '%s' with revisions", *out_folder);
        return dr_err_hint(err, "drover init, or go to the project's folder");
    }
    return check_named_files(cli, *out_folder, err);
}

enum dr_rc
dr_cmd_lint(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_findings findings = {.arena = cli->arena};
    struct dr_names files = {.items = cli->args, .count = cli->args_count}, known = {0};
    struct dr_names changed = {0};
    struct dr_review_options options = {.files = &files, .changed = &changed};
    const char *folder = NULL, *against = dr_cli_option(cli, "against");
    enum dr_rc rc = check_format(cli, err);
    if (rc == DR_OK && dr_cli_has(cli, "rules")) {
        return list_rules(cli, err);
    }
    rc = rc == DR_OK ? read_rules(cli, "rule", &findings.only, err) : rc;
    rc = rc == DR_OK ? read_rules(cli, "exclude", &findings.except, err) : rc;
    rc = rc == DR_OK ? choose_folder(cli, &folder, &files, err) : rc;
    if (rc == DR_OK && against != NULL) {
        options.older = &known;
        rc = dr_lint_against(cli, folder, against, &known, &changed, err);
    } else if (rc == DR_OK && !(cli->args_count == 1 && is_folder(cli->args[0]))) {
        rc = dr_lint_approved(cli, folder, &changed, err);
    }
    rc = rc == DR_OK ? dr_review_folder(folder, &options, &findings, err) : rc;
    rc = rc == DR_OK ? dr_lint_sum(cli, folder, &files, &findings, err) : rc;
    if (rc == DR_OK) {
        dr_findings_sort(&findings);
        rc = print_findings(cli, &findings, err);
    }
    return rc;
}
