// revision: writes a new file to fill in.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "trust/keyfile.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

// The engines of a new revision: --engine, else what all its parents have, else PostgreSQL.
static const char *
engine_text(const struct dr_cli *cli, const struct dr_nodes *parents)
{
    unsigned common = DR_ENGINE_ALL;
    unsigned any = 0;
    const char *given = dr_cli_option(cli, "engine");
    if (given != NULL || parents->count == 0) {
        return given ? given : "postgresql";
    }
    for (size_t i = 0; i < parents->count; i++) {
        common &= parents->items[i]->revision->engines;
        any |= parents->items[i]->revision->engines;
    }
    common = common ? common : any;
    return common == DR_ENGINE_ALL      ? "postgresql, sqlite"
           : common == DR_ENGINE_SQLITE ? "sqlite"
                                        : "postgresql";
}

static void
write_template(const struct dr_cli *cli, const char *id, const char *message,
               const struct dr_nodes *parents, struct dr_buf *out)
{
    char date[32];
    const char *labels = dr_cli_option(cli, "branch-label");
    const char *depends = dr_cli_option(cli, "depends-on");
    dr_format_time(date, dr_now_unix_s());
    date[10] = ' ';
    date[19] = '\0';
    dr_buf_printf(out, "-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises:", message,
                  id);
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
    dr_buf_printf(out, "-- Engine: %s\n", engine_text(cli, parents));
    if (parents->count < 2) { // a merge may be empty
        dr_buf_str(out, "-- Reversible: yes\n\n"
                        "-- drover:up\n\n"
                        "-- drover:verify \"what must be true afterwards\"\n\n"
                        "-- drover:down\n");
    }
}

static enum dr_rc
write_file(struct dr_cli *cli, const char *id, const char *message, const struct dr_nodes *parents,
           struct dr_err *err)
{
    struct dr_buf text = {0};
    char slug[SLUG_MAX + 1];
    make_slug(message, slug);
    write_template(cli, id, message, parents, &text);
    const char *path =
        dr_arena_printf(cli->arena, "%s/%s%s%s.sql", dr_project_shown(cli, cli->project->revisions),
                        id, slug[0] ? "_" : "", slug);
    enum dr_rc rc = path == NULL || text.failed
                        ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                        : dr_file_create(path, text.data, text.len, 0644, err);
    dr_buf_fini(&text);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s}", "schema", "drover.v1.NewRevision", "id", id,
                                     "path", path));
    } else if (rc == DR_OK) {
        dr_say(cli, "Generating %s ... done\n", path);
    }
    return rc;
}

enum dr_rc
dr_cmd_revision(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes parents = {0};
    char id[DR_REVISION_ID_MAX + 1];
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
    rc = rc == DR_OK ? write_file(cli, id, message, &parents, err) : rc;
    if (rc == DR_OK) {
        dr_print_note(cli, "next: fill in up, verify and down, then drover lint");
    }
    dr_graph_free(&graph);
    return rc;
}

// The revisions to join: those that are named, else all heads.
static enum dr_rc
choose_merged(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
              struct dr_err *err)
{
    static const struct dr_names none = {0};
    enum dr_rc rc = DR_OK;
    if (cli->args_count == 0) {
        rc = dr_graph_heads(graph, cli->arena, out, err);
    } else {
        out->items = dr_arena_array(cli->arena, dr_graph_count(graph) + 1, sizeof(*out->items));
        rc = out->items != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < cli->args_count; i++) {
        struct dr_place place = {0};
        rc = dr_graph_resolve(graph, cli->args[i], &none, cli->arena, &place, err);
        for (size_t k = 0; rc == DR_OK && k < place.nodes.count; k++) {
            bool is_new = true;
            for (size_t j = 0; j < out->count; j++) {
                is_new = is_new && out->items[j] != place.nodes.items[k];
            }
            out->items[out->count] = place.nodes.items[k];
            out->count += is_new ? 1 : 0;
        }
    }
    if (rc == DR_OK && out->count < 2) {
        dr_err_set(err, DR_E_USAGE, "a merge joins two revisions or more, here is %s",
                   out->count ? out->items[0]->revision->id : "none");
        return dr_err_hint(err, "drover heads shows what can be joined");
    }
    return rc;
}

enum dr_rc
dr_cmd_merge(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes parents = {0};
    char id[DR_REVISION_ID_MAX + 1];
    const char *message = dr_cli_option(cli, "message");
    enum dr_rc rc = dr_project_need(cli, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &graph, err) : rc;
    rc = rc == DR_OK ? choose_id(cli, graph, id, err) : rc;
    rc = rc == DR_OK ? choose_merged(cli, graph, &parents, err) : rc;
    rc = rc == DR_OK ? write_file(cli, id, message && message[0] ? message : "merge", &parents, err)
                     : rc;
    dr_graph_free(&graph);
    return rc;
}
