// revision: writes a new file to fill in. lint: checks the folder.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "revision/review.h"
#include "trust/keyfile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SLUG_MAX 40

// "Add users table" -> "add_users_table"
static void
make_slug(const char *message, char out[SLUG_MAX + 1])
{
    size_t n = 0;
    for (const char *p = message; *p != '\0' && n < SLUG_MAX; p++) {
        if (isalnum((unsigned char)*p)) {
            out[n++] = (char)tolower((unsigned char)*p);
        } else if (n > 0 && out[n - 1] != '_') {
            out[n++] = '_';
        }
    }
    while (n > 0 && out[n - 1] == '_') {
        n--;
    }
    out[n] = '\0';
}

static enum dr_rc
choose_id(const struct dr_cli *cli, const struct dr_graph *graph, char out[DR_REVISION_ID_MAX + 1],
          struct dr_err *err)
{
    const char *given = dr_cli_option(cli, "rev-id");
    if (given == NULL) {
        uint8_t bytes[6];
        dr_random(bytes, sizeof(bytes));
        dr_hex(out, bytes, sizeof(bytes));
        return DR_OK;
    }
    if (!dr_revision_id_valid(given)) {
        dr_err_set(err, DR_E_USAGE, "'%s' cannot be a revision's id", given);
        return dr_err_hint(err, "letters, digits, '_' and '.', at most %u", DR_REVISION_ID_MAX);
    }
    if (dr_graph_find(graph, given) != NULL) {
        return dr_err_set(err, DR_E_EXISTS, "there is a revision '%s' already", given);
    }
    snprintf(out, DR_REVISION_ID_MAX + 1, "%s", given);
    return DR_OK;
}

// The parents of the new revision: --head, else the only head.
static enum dr_rc
choose_parents(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
               struct dr_err *err)
{
    static const struct dr_names none = {0};
    const char *given = dr_cli_option(cli, "head");
    struct dr_place place = {0};
    if (dr_graph_count(graph) == 0) {
        *out = (struct dr_nodes){0};
        return DR_OK;
    }
    enum dr_rc rc = dr_graph_resolve(graph, given ? given : "head", &none, cli->arena, &place, err);
    *out = place.nodes;
    for (size_t i = 0; rc == DR_OK && i < out->count; i++) {
        if (!dr_node_is_head(out->items[i]) && !dr_cli_has(cli, "splice")) {
            dr_err_set(err, DR_E_CONFLICT, "revision '%s' is not a head",
                       out->items[i]->revision->id);
            return dr_err_hint(err, "the same command with --splice makes a new branch from it");
        }
    }
    return rc;
}

static void
write_template(const struct dr_cli *cli, const char *id, const struct dr_nodes *parents,
               struct dr_buf *out)
{
    char date[32];
    const char *engine = dr_cli_option(cli, "engine");
    const char *labels = dr_cli_option(cli, "branch-label");
    const char *depends = dr_cli_option(cli, "depends-on");
    dr_format_time(date, dr_now_unix_s());
    date[10] = ' ';
    date[19] = '\0';
    dr_buf_printf(out, "-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises:",
                  dr_cli_option(cli, "message"), id);
    for (size_t i = 0; i < parents->count; i++) {
        dr_buf_printf(out, "%s %s", i ? "," : "", parents->items[i]->revision->id);
    }
    dr_buf_printf(out, "\n-- Create Date: %s\n", date);
    if (labels != NULL) {
        dr_buf_printf(out, "-- Branch labels: %s\n", labels);
    }
    if (depends != NULL) {
        dr_buf_printf(out, "-- Depends on: %s\n", depends);
    }
    dr_buf_printf(out,
                  "-- Engine: %s\n-- Reversible: yes\n\n"
                  "-- drover:up\n\n"
                  "-- drover:verify \"what must be true afterwards\"\n\n"
                  "-- drover:down\n",
                  engine ? engine : "postgresql");
}

enum dr_rc
dr_cmd_revision(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes parents = {0};
    char id[DR_REVISION_ID_MAX + 1];
    char slug[SLUG_MAX + 1];
    const char *message = dr_cli_option(cli, "message");
    if (message == NULL || message[0] == '\0' || strchr(message, '\n') != NULL) {
        dr_err_set(err, DR_E_USAGE, "a revision needs a message of one line");
        return dr_err_hint(err, "drover revision -m \"add users\"");
    }
    enum dr_rc rc = dr_project_need(cli, err);
    rc = rc == DR_OK ? dr_dir_make(cli->project->revisions, 0755, err) : rc;
    rc = rc == DR_OK ? dr_chain_files_load(cli, &graph, err) : rc;
    rc = rc == DR_OK ? choose_id(cli, graph, id, err) : rc;
    rc = rc == DR_OK ? choose_parents(cli, graph, &parents, err) : rc;
    if (rc == DR_OK) {
        struct dr_buf text = {0};
        make_slug(message, slug);
        write_template(cli, id, &parents, &text);
        const char *path = dr_arena_printf(cli->arena, "%s/%s%s%s.sql", cli->project->revisions, id,
                                           slug[0] ? "_" : "", slug);
        rc = path == NULL || text.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                         : dr_file_create(path, text.data, text.len, 0644, err);
        dr_buf_fini(&text);
        if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
            dr_print_json(cli, json_pack("{s:s, s:s, s:s}", "schema", "drover.v1.NewRevision", "id",
                                         id, "path", path));
        } else if (rc == DR_OK) {
            printf("Generating %s ... done\n", path);
            dr_print_note(cli, "next: fill in up, verify and down, then drover lint");
        }
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_cmd_lint(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_findings findings = {.arena = cli->arena};
    struct dr_names files = {.items = cli->args, .count = cli->args_count};
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!dr_path_exists(cli->project->revisions)) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no folder '%s' with revisions",
                   cli->project->revisions);
        return dr_err_hint(err, "drover init, or go to the project's folder");
    }
    rc = dr_review_folder(cli->project->revisions, cli->args_count ? &files : NULL, &findings, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_buf out = {0};
    dr_findings_sort(&findings);
    size_t errors = dr_findings_errors(&findings);
    if (cli->format != DR_CLI_TEXT) {
        dr_findings_json(&out, &findings);
        dr_buf_str(&out, "\n");
    } else {
        for (size_t i = 0; i < findings.count; i++) {
            dr_finding_text(&out, &findings.items[i]);
            dr_buf_str(&out, "\n");
        }
        dr_buf_printf(&out, "%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s",
                      findings.count - errors, findings.count - errors == 1 ? "" : "s");
    }
    fputs(out.data ? out.data : "", stdout);
    dr_buf_fini(&out);
    cli->exit_code = errors > 0 ? 1 : 0;
    return DR_OK;
}
