// check: is the folder what was agreed? Exit 3 when a check finds something.

#include "coordinator/cli/autogenerate.h"
#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/check.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "revision/sum.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024u

static const char write_command[] = "drover check --write notes the folder as it is";

void
dr_check_say(struct dr_checking *check, const char *name, bool is_ok, const char *hint,
             const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    enum dr_tone tone = is_ok ? DR_TONE_GOOD : DR_TONE_BAD;
    dr_say(check->cli, "%s%-6s%s%-8s%s\n", dr_tone_begin(check->cli, tone), is_ok ? "ok" : "FAIL",
           dr_tone_end(check->cli, tone), name, text);
    if (hint != NULL) {
        dr_say(check->cli, "      %-8stry: %s\n", "", hint);
    }
    json_array_append_new(check->rows, json_pack("{s:s, s:b, s:s, s:s*}", "check", name, "ok",
                                                 is_ok, "message", text, "hint", hint));
    check->bad += is_ok ? 0 : 1;
}

// -------------------------------------------------------------------------------------------------
// the chain itself, and its heads

static enum dr_rc
check_chain(struct dr_checking *check, struct dr_err *err)
{
    (void)err;
    size_t bad = 0;
    size_t withdrawn = 0;
    for (size_t i = 0; i < dr_graph_count(check->graph); i++) {
        const struct dr_node *node = dr_graph_at(check->graph, i);
        const struct dr_err *defect = node->revision->defect;
        withdrawn += node->withdrawn != NULL ? 1 : 0;
        if (defect != NULL) {
            dr_check_say(check, "chain", false, defect->hint[0] ? defect->hint : NULL,
                         "%s is %s: %s:%u:%u: %s", node->revision->id, dr_chain_defect(node),
                         dr_project_shown(check->cli, defect->file), defect->line, defect->column,
                         defect->message);
            bad++;
        }
    }
    if (bad == 0) {
        const char *more = withdrawn == 0 ? ""
                                          : dr_arena_printf(check->cli->arena,
                                                            ", %zu of them withdrawn", withdrawn);
        dr_check_say(check, "chain", true, NULL, "%zu revision%s, every parent is there%s",
                     dr_graph_count(check->graph), dr_graph_count(check->graph) == 1 ? "" : "s",
                     more == NULL ? "" : more);
    }
    return DR_OK;
}

static enum dr_rc
check_heads(struct dr_checking *check, struct dr_err *err)
{
    struct dr_err found = {0};
    struct dr_nodes heads = {0};
    struct dr_buf list = {0};
    enum dr_rc rc = dr_graph_heads(check->graph, check->cli->arena, &heads, err);
    for (size_t i = 0; rc == DR_OK && i < heads.count; i++) {
        dr_buf_printf(&list, "%s%s", i ? ", " : "", heads.items[i]->revision->id);
    }
    if (rc == DR_OK && dr_graph_check_heads(check->graph, &found) != DR_OK) {
        dr_check_say(check, "heads", false, found.hint, "%s", found.message);
    } else if (rc == DR_OK) {
        dr_check_say(check, "heads", true, NULL, "%s%s",
                     heads.count == 1 ? "one head: "
                     : heads.count    ? "one head per branch: "
                                      : "no revision yet",
                     list.data ? list.data : "");
    }
    dr_buf_fini(&list);
    return rc;
}

// -------------------------------------------------------------------------------------------------
// the sum

static enum dr_rc
say_differences(struct dr_checking *check, const struct dr_sum *sum, struct dr_err *err)
{
    struct dr_sum_difference *items = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_sum_compare(sum, check->graph, check->cli->arena, &items, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        bool is_gone = items[i].kind == DR_SUM_MISSING;
        dr_check_say(check, "sum", false,
                     is_gone ? "bring the file back, or drover check --write" : write_command,
                     "%s: %s%s%s", dr_sum_kind_name(items[i].kind), items[i].id,
                     is_gone ? "" : " in ",
                     is_gone ? "" : dr_project_shown(check->cli, items[i].path));
    }
    if (rc == DR_OK && count == 0) {
        dr_check_say(check, "sum", true, NULL, "every file is as noted in %s/%s", check->folder,
                     DR_SUM_NAME);
    }
    return rc;
}

static enum dr_rc
check_sum(struct dr_checking *check, struct dr_err *err)
{
    struct dr_sum *sum = NULL;
    enum dr_rc rc = dr_sum_read(check->folder, check->cli->arena, &sum, err);
    if (rc == DR_E_NOT_FOUND) {
        bool is_asked = dr_cli_has(check->cli, "sum");
        *err = (struct dr_err){0};
        dr_check_say(check, "sum", !is_asked, "drover check --write makes one", "there is no %s/%s",
                     check->folder, DR_SUM_NAME);
        return DR_OK;
    }
    if (rc == DR_E_REVISION_SUM) {
        dr_check_say(check, "sum", false, err->hint, "%s:%u: %s", err->file, err->line,
                     err->message);
        *err = (struct dr_err){0};
        return DR_OK;
    }
    return rc == DR_OK ? say_differences(check, sum, err) : rc;
}

// -------------------------------------------------------------------------------------------------

// The checks in their order; without a switch all run that can. Another kind of check is a row.
static const struct {
    const char *option;
    enum dr_rc (*run)(struct dr_checking *check, struct dr_err *err);
} checks[] = {
    {"heads", check_heads},
    {"sum", check_sum},
    {"base", dr_check_base},
    {"desired", dr_check_schema},
};

static bool
is_given(const struct dr_cli *cli, const char *option)
{
    return dr_cli_has(cli, option) || dr_cli_option(cli, option) != NULL;
}

static enum dr_rc
run_checks(struct dr_checking *check, struct dr_err *err)
{
    bool is_choice = false;
    for (size_t i = 0; i < DR_COUNT_OF(checks); i++) {
        is_choice = is_choice || is_given(check->cli, checks[i].option);
    }
    enum dr_rc rc = is_choice ? DR_OK : check_chain(check, err);
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(checks); i++) {
        if (!is_choice || is_given(check->cli, checks[i].option)) {
            rc = checks[i].run(check, err);
        }
    }
    return rc;
}

static enum dr_rc
load(struct dr_checking *check, struct dr_graph **out, struct dr_err *err)
{
    enum dr_rc rc = dr_chain_drafts_load(check->cli, out, err);
    check->graph = *out;
    if (rc == DR_OK) {
        check->folder = dr_project_shown(check->cli, check->cli->project->revisions);
        return DR_OK;
    }
    if (err->line > 0) { // a file at fault is what a check is there to tell
        dr_check_say(check, "chain", false, err->hint[0] ? err->hint : NULL, "%s:%u:%u: %s",
                     err->file, err->line, err->column, err->message);
        *err = (struct dr_err){0};
        return DR_OK;
    }
    return rc;
}

enum dr_rc
dr_cmd_check(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_checking check = {.cli = cli, .rows = json_array()};
    struct dr_graph *graph = NULL;
    enum dr_rc rc = load(&check, &graph, err);
    if (rc == DR_OK && graph != NULL && dr_cli_has(cli, "write")) {
        rc = dr_sum_write(check.folder, graph, NULL, err);
    }
    rc = rc == DR_OK && graph != NULL ? run_checks(&check, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:b, s:O}", "schema", "drover.v1.Check", "ok",
                                     check.bad == 0, "checks", check.rows));
    }
    if (rc == DR_OK) {
        cli->exit_code = check.bad > 0 ? 3 : 0;
    }
    json_decref(check.rows);
    dr_graph_free(&graph);
    return rc;
}
