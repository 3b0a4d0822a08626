// The project's revisions for the other commands.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "db/db.h"
#include "engine/alembic.h"
#include "revision/withdrawn.h"

#include <limits.h>
#include <string.h>

static enum dr_rc
find_folder(struct dr_cli *cli, const char **out, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *folder = dr_project_shown(cli, cli->project->revisions);
    if (!dr_path_exists(folder)) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no folder '%s' with revisions", folder);
        return dr_err_hint(err, "drover init, or go to the project's folder");
    }
    *out = folder;
    return DR_OK;
}

enum dr_rc
dr_chain_files_load(struct dr_cli *cli, struct dr_graph **out, struct dr_err *err)
{
    const char *folder = NULL;
    enum dr_rc rc = find_folder(cli, &folder, err);
    return rc == DR_OK ? dr_graph_load(folder, out, err) : rc;
}

enum dr_rc
dr_chain_drafts_load(struct dr_cli *cli, struct dr_graph **out, struct dr_err *err)
{
    const char *folder = NULL;
    enum dr_rc rc = find_folder(cli, &folder, err);
    return rc == DR_OK ? dr_graph_load_drafts(folder, out, err) : rc;
}

enum dr_rc
dr_chain_all(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
             struct dr_err *err)
{
    size_t count = dr_graph_count(graph);
    const struct dr_node **items = dr_arena_array(cli->arena, count + 1, sizeof(*items));
    if (items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = dr_graph_at(graph, i);
    }
    *out = (struct dr_nodes){items, count};
    return DR_OK;
}

enum dr_rc
dr_chain_live(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
              struct dr_err *err)
{
    struct dr_nodes all = {0};
    size_t live = 0;
    enum dr_rc rc = dr_chain_all(cli, graph, &all, err);
    for (size_t i = 0; rc == DR_OK && i < all.count; i++) {
        if (all.items[i]->withdrawn == NULL) {
            all.items[live++] = all.items[i];
        }
    }
    all.count = live;
    if (rc == DR_OK) {
        *out = all;
    }
    return rc;
}

enum dr_rc
dr_chain_note_load(struct dr_cli *cli, struct dr_graph_note **out_note, struct dr_graph **out,
                   struct dr_err *err)
{
    char note[PATH_MAX];
    struct dr_err ignored = {0};
    const char *folder = NULL;
    int64_t since_ms = dr_now_unix_ms();
    enum dr_rc rc = find_folder(cli, &folder, err);
    if (rc != DR_OK) {
        return rc;
    }
    bool has_place =
        dr_graph_note_path(folder, note, sizeof(note)) &&
        !dr_path_exists(dr_arena_printf(cli->arena, "%s/%s", folder, DR_WITHDRAWN_NAME));
    if (has_place && dr_graph_note_read(note, folder, out_note, &ignored) == DR_OK) {
        return DR_OK;
    }
    rc = dr_graph_load(folder, out, err);
    if (rc == DR_OK && has_place && dr_graph_count(*out) >= DR_GRAPH_NOTE_MIN &&
        dr_graph_note_write(*out, note, folder, since_ms, &ignored) != DR_OK) {
        return DR_OK; // it only costs time
    }
    return rc;
}

void
dr_chain_say_dry_run(const struct dr_cli *cli, const struct dr_nodes *nodes, bool is_down,
                     json_t *targets, json_t *losses, json_t *estimates)
{
    json_t *list = json_array();
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_node *node = nodes->items[is_down ? nodes->count - 1 - i : i];
        struct dr_buf parents = {0};
        if (node->parent_count > 0) {
            dr_chain_parents(node, &parents);
        }
        const char *below = parents.data ? parents.data : "";
        dr_say(cli, "Would run %s %s -> %s, %s\n", is_down ? "downgrade" : "upgrade",
               is_down ? node->revision->id : below, is_down ? below : node->revision->id,
               node->revision->message);
        json_array_append_new(list, json_string(node->revision->id));
        dr_buf_fini(&parents);
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli,
                      json_pack("{s:s, s:s, s:o, s:o*, s:o*, s:o*}", "schema", "drover.v1.DryRun",
                                "direction", is_down ? "down" : "up", "revisions", list, "targets",
                                targets, "losses", losses, "estimates", estimates));
        return;
    }
    dr_say(cli, "Dry run: nothing was changed\n");
    json_decref(list);
    json_decref(targets);
    json_decref(losses);
    json_decref(estimates);
}

enum dr_rc
dr_chain_engine(const char *url, Drover__V1__Engine *out, struct dr_err *err)
{
    switch (dr_db_kind_of(url)) {
    case DR_DB_POSTGRES:
        *out = DROVER__V1__ENGINE__POSTGRESQL;
        return DR_OK;
    case DR_DB_SQLITE:
        *out = DROVER__V1__ENGINE__SQLITE;
        return DR_OK;
    case DR_DB_UNKNOWN:
        break;
    }
    char shown[256];
    dr_db_url_show(url, shown, sizeof(shown));
    dr_err_set(err, DR_E_INVALID, "'%s' is no address of a database", shown);
    return dr_err_hint(err, "postgresql://user@host/name, postgresql:///name or sqlite:FILE");
}

enum dr_rc
dr_chain_file(void *arg, const uint8_t sha256[32], const char **out_bytes, size_t *out_len,
              struct dr_err *err)
{
    const struct dr_graph *graph = arg;
    for (size_t i = 0; i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        if (memcmp(node->file_sha256, sha256, 32) == 0) {
            *out_bytes = node->revision->bytes;
            *out_len = node->revision->size;
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_NOT_FOUND, "no revision file has the digest that the plan names");
}

enum dr_rc
dr_chain_check_ids(const struct dr_cli *cli, const struct dr_nodes *nodes, struct dr_err *err)
{
    bool is_kept = cli->project != NULL && cli->project->keeps_alembic;
    for (size_t i = 0; is_kept && i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        if (strlen(r->id) > DR_ALEMBIC_ID_MAX) {
            dr_err_set(err, DR_E_ALEMBIC_ID,
                       "the id '%s' has %zu characters, and alembic_version holds %u", r->id,
                       strlen(r->id), DR_ALEMBIC_ID_MAX);
            return dr_err_at(err, dr_project_shown(cli, r->path), r->id_line, 1);
        }
    }
    return DR_OK;
}
