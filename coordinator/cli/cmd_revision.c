// revision, merge, edit: write a file of the chain.

#include "coordinator/cli/autogenerate.h"
#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/edit.h"
#include "coordinator/cli/new_revision.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

static const struct dr_names none = {0};

// ------------------------------------------------------------------------------ what is asked for

// All values of an option that may be repeated, each of them a list with commas.
static enum dr_rc
take_list(struct dr_cli *cli, const char *name, struct dr_names *out, struct dr_err *err)
{
    const char **items = dr_arena_array(cli->arena, DR_REVISION_LIST_MAX, sizeof(*items));
    size_t count = 0;
    if (items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < cli->given_count; i++) {
        const char *at = cli->given[i].value;
        if (at == NULL || !dr_str_eq(cli->given[i].option->name, name)) {
            continue;
        }
        while (*at != '\0') {
            size_t len = strcspn(at, ",");
            if (count == DR_REVISION_LIST_MAX) {
                return dr_err_set(err, DR_E_USAGE, "--%s is given more than %u times", name,
                                  DR_REVISION_LIST_MAX);
            }
            items[count++] = dr_arena_strn(cli->arena, at, len);
            at += len + (at[len] == ',' ? 1 : 0);
        }
    }
    *out = (struct dr_names){items, count};
    return DR_OK;
}

// Ids of what the new one depends on; prefixes and labels are made whole.
static enum dr_rc
take_depends(struct dr_cli *cli, const struct dr_graph *graph, struct dr_names *out,
             struct dr_err *err)
{
    struct dr_names given = {0};
    enum dr_rc rc = take_list(cli, "depends-on", &given, err);
    const char **ids = dr_arena_array(cli->arena, given.count + 1, sizeof(*ids));
    if (rc == DR_OK && ids == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < given.count; i++) {
        struct dr_place place = {0};
        rc = dr_graph_resolve(graph, given.items[i], &none, cli->arena, &place, err);
        if (rc == DR_OK && place.nodes.count != 1) {
            rc = dr_err_set(err, DR_E_USAGE, "--depends-on needs one revision, '%s' is %zu",
                            given.items[i], place.nodes.count);
        }
        ids[i] = rc == DR_OK ? place.nodes.items[0]->revision->id : "";
    }
    *out = (struct dr_names){ids, given.count};
    return rc;
}

static enum dr_rc
choose_id(const struct dr_cli *cli, const struct dr_graph *graph, const char **out,
          struct dr_err *err)
{
    const char *given = dr_cli_option(cli, "rev-id");
    if (given == NULL) {
        *out = dr_new_revision_id(cli);
        return *out == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
    }
    if (!dr_revision_id_valid(given)) {
        dr_err_set(err, DR_E_USAGE, "'%s' cannot be a revision's id", given);
        return dr_err_hint(err, "letters, digits, '_' and '.', at most %u; not head, base, current",
                           DR_REVISION_ID_MAX);
    }
    if (dr_graph_find(graph, given) != NULL) {
        return dr_err_set(err, DR_E_EXISTS, "there is a revision '%s' already", given);
    }
    *out = given;
    return DR_OK;
}

static enum dr_rc
fail_heads(struct dr_err *err)
{
    dr_err_set(err, DR_E_REVISION_HEADS,
               "multiple heads are present; please specify the head revision on which the new "
               "revision should be based, or perform a merge");
    return dr_err_hint(err, "drover heads; the same command with --head REVISION, or drover merge");
}

// The parents of the new revision: --head, else the only head. `--head base` begins another line.
static enum dr_rc
choose_parents(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
               struct dr_err *err)
{
    const char *given = dr_cli_option(cli, "head");
    struct dr_place place = {0};
    if (dr_graph_count(graph) == 0 && given == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_graph_resolve(graph, given ? given : "head", &none, cli->arena, &place, err);
    if (rc == DR_E_REVISION_HEADS && given == NULL) {
        return fail_heads(err);
    }
    *out = place.nodes;
    for (size_t i = 0; rc == DR_OK && i < out->count; i++) {
        if (!dr_node_is_head(out->items[i]) && !dr_cli_has(cli, "splice")) {
            dr_err_set(err, DR_E_CONFLICT,
                       "revision %s is not a head revision; please specify --splice to create a "
                       "new branch from this revision",
                       out->items[i]->revision->id);
            return dr_err_hint(err, "drover heads; or the same command with --splice");
        }
    }
    return rc;
}

// --------------------------------------------------------------------------------------- revision

static enum dr_rc
edit_file(struct dr_cli *cli, const char *path, struct dr_err *err)
{
    return dr_edit(cli, &path, 1, "set EDITOR, or open the file yourself", err);
}

static enum dr_rc
write_new(struct dr_cli *cli, struct dr_graph *graph, struct dr_new_revision *new,
          struct dr_err *err)
{
    const char *path = NULL;
    enum dr_rc rc = dr_new_revision_write(cli, graph, new, &path, err);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s}", "schema", "drover.v1.NewRevision", "id",
                                     new->id, "path", path));
    } else if (rc == DR_OK) {
        dr_say(cli, "Generating %s ...  done\n", path);
        fflush(stdout);
    }
    if (rc == DR_OK && dr_cli_has(cli, "edit")) {
        rc = edit_file(cli, path, err);
    }
    return rc == DR_OK ? dr_new_revision_note(cli, err) : rc;
}

static enum dr_rc
check_message(const char *message, struct dr_err *err)
{
    if (message == NULL || message[0] == '\0' || strchr(message, '\n') != NULL) {
        dr_err_set(err, DR_E_USAGE, "a revision needs a message of one line");
        return dr_err_hint(err, "drover revision -m \"add users\"");
    }
    return DR_OK;
}

enum dr_rc
dr_cmd_revision(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_new_revision new = {.message = dr_cli_option(cli, "message"),
                                  .engine = dr_cli_option(cli, "engine")};
    enum dr_rc rc = check_message(new.message, err);
    rc = rc == DR_OK ? dr_project_need(cli, err) : rc;
    rc = rc == DR_OK ? dr_dir_make(cli->project->revisions, 0755, err) : rc;
    rc = rc == DR_OK ? dr_chain_drafts_load(cli, &graph, err) : rc;
    rc = rc == DR_OK ? choose_id(cli, graph, &new.id, err) : rc;
    rc = rc == DR_OK ? choose_parents(cli, graph, &new.parents, err) : rc;
    rc = rc == DR_OK ? take_list(cli, "branch-label", &new.labels, err) : rc;
    rc = rc == DR_OK ? take_depends(cli, graph, &new.depends_on, err) : rc;
    if (rc == DR_OK && (dr_cli_has(cli, "autogenerate") || dr_cli_has(cli, "as-revision"))) {
        rc = dr_autogenerate_run(cli, graph, &new, err);
    } else if (rc == DR_OK) {
        rc = write_new(cli, graph, &new, err);
        if (rc == DR_OK && !dr_cli_has(cli, "edit")) {
            dr_print_note(cli, "next: fill in up, verify and down, then drover lint");
        }
    }
    dr_graph_free(&graph);
    return rc;
}

// ------------------------------------------------------------------------------------------ merge

// The revisions to join: those that are named, else all heads.
static enum dr_rc
choose_merged(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
              struct dr_err *err)
{
    static const char *const all[] = {"heads"};
    const char *const *names = cli->args_count > 0 ? cli->args : all;
    size_t names_count = cli->args_count > 0 ? cli->args_count : 1;
    enum dr_rc rc = DR_OK;
    out->items = dr_arena_array(cli->arena, dr_graph_count(graph) + 1, sizeof(*out->items));
    if (out->items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < names_count; i++) {
        struct dr_place place = {0};
        rc = dr_graph_resolve(graph, names[i], &none, cli->arena, &place, err);
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
    for (size_t i = 0; rc == DR_OK && i < out->count; i++) {
        if (!dr_node_is_head(out->items[i])) {
            dr_err_set(err, DR_E_CONFLICT, "revision %s is not a head revision",
                       out->items[i]->revision->id);
            return dr_err_hint(err, "drover heads shows what can be joined");
        }
    }
    return rc;
}

enum dr_rc
dr_cmd_merge(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    const char *message = dr_cli_option(cli, "message");
    struct dr_new_revision new = {.message = message != NULL ? message : "merge",
                                  .engine = dr_cli_option(cli, "engine")};
    enum dr_rc rc = check_message(new.message, err);
    rc = rc == DR_OK ? dr_project_need(cli, err) : rc;
    rc = rc == DR_OK ? dr_chain_drafts_load(cli, &graph, err) : rc;
    rc = rc == DR_OK ? choose_id(cli, graph, &new.id, err) : rc;
    rc = rc == DR_OK ? choose_merged(cli, graph, &new.parents, err) : rc;
    rc = rc == DR_OK ? take_list(cli, "branch-label", &new.labels, err) : rc;
    rc = rc == DR_OK ? write_new(cli, graph, &new, err) : rc;
    dr_graph_free(&graph);
    return rc;
}

// ------------------------------------------------------------------------------------------- edit

enum dr_rc
dr_cmd_edit(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_place place = {0};
    struct dr_names current = {0};
    const char **paths = NULL;
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_chain_current(cli, cli->args[0], &current, err) : rc;
    rc =
        rc == DR_OK ? dr_graph_resolve(graph, cli->args[0], &current, cli->arena, &place, err) : rc;
    if (rc == DR_OK && place.nodes.count == 0) {
        rc = dr_err_set(err, DR_E_USAGE, "'%s' names no revision to edit", cli->args[0]);
    }
    if (rc == DR_OK) {
        paths = dr_arena_array(cli->arena, place.nodes.count, sizeof(*paths));
        rc = paths != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < place.nodes.count; i++) {
        paths[i] = dr_project_shown(cli, place.nodes.items[i]->revision->path);
    }
    rc = rc == DR_OK ? dr_edit(cli, paths, place.nodes.count,
                               "set EDITOR; drover show tells where the file is", err)
                     : rc;
    rc = rc == DR_OK ? dr_new_revision_note_edited(cli, &place.nodes, err) : rc;
    dr_graph_free(&graph);
    return rc;
}
