// The project's revisions for the other commands.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "db/db.h"

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
    bool has_place = dr_graph_note_path(folder, note, sizeof(note));
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
dr_chain_marks(const struct dr_node *node, struct dr_buf *out)
{
    for (size_t i = 0; i < node->revision->labels.count; i++) {
        dr_buf_printf(out, "%s%s%s", i == 0 ? " (" : ", ", node->revision->labels.items[i],
                      i + 1 == node->revision->labels.count ? ")" : "");
    }
    dr_buf_str(out, dr_node_is_head(node) ? " (head)" : "");
    dr_buf_str(out, dr_node_is_branchpoint(node) ? " (branchpoint)" : "");
    dr_buf_str(out, dr_node_is_mergepoint(node) ? " (mergepoint)" : "");
}

void
dr_chain_parents(const struct dr_node *node, struct dr_buf *out)
{
    for (size_t i = 0; i < node->parent_count; i++) {
        dr_buf_printf(out, "%s%s", i ? ", " : "", node->parents[i]->revision->id);
    }
    dr_buf_str(out, node->parent_count == 0 ? "<base>" : "");
}

void
dr_chain_line(const struct dr_node *node, const char *marks, struct dr_buf *out)
{
    dr_chain_parents(node, out);
    dr_buf_printf(out, " -> %s", node->revision->id);
    dr_chain_marks(node, out);
    dr_buf_printf(out, "%s, %s", marks, node->revision->message);
}

void
dr_chain_say_dry_run(const struct dr_cli *cli, const struct dr_nodes *nodes, bool is_down,
                     json_t *targets, json_t *losses)
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
        dr_print_json(cli, json_pack("{s:s, s:s, s:o, s:o*, s:o*}", "schema", "drover.v1.DryRun",
                                     "direction", is_down ? "down" : "up", "revisions", list,
                                     "targets", targets, "losses", losses));
        return;
    }
    dr_say(cli, "Dry run: nothing was changed\n");
    json_decref(list);
    json_decref(targets);
    json_decref(losses);
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

void
dr_chain_block(const struct dr_cli *cli, const struct dr_node *node, struct dr_buf *out)
{
    const struct dr_revision *r = node->revision;
    dr_buf_printf(out, "Rev: %s", r->id);
    dr_chain_marks(node, out);
    dr_buf_str(out, dr_node_is_mergepoint(node) ? "\nMerges: " : "\nParent: ");
    dr_chain_parents(node, out);
    dr_buf_str(out, "\n");
    if (dr_node_is_branchpoint(node)) {
        dr_buf_str(out, "Branches into: ");
        for (size_t i = 0; i < node->child_count; i++) {
            dr_buf_printf(out, "%s%s", i ? ", " : "", node->children[i]->revision->id);
        }
        dr_buf_str(out, "\n");
    }
    for (size_t i = 0; i < node->depends_on_count; i++) {
        dr_buf_printf(out, "%s%s%s",
                      i ? ", " : "Also depends on: ", node->depends_on[i]->revision->id,
                      i + 1 == node->depends_on_count ? "\n" : "");
    }
    char digest[65];
    dr_hex(digest, node->digest, 32);
    dr_buf_printf(out, "Path: %s\nDigest: %s\n\n    %s\n", dr_project_shown(cli, r->path), digest,
                  r->message);
    for (const char *line = r->text; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        dr_buf_printf(out, "    %.*s\n", (int)len, line);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    const struct {
        const char *key, *value;
    } rows[] = {{"Create Date", r->create_date}, {"Purpose", r->purpose},
                {"Caution", r->caution},         {"Breaking", r->breaking},
                {"Destructive", r->destructive}, {"Rollback", r->rollback}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (rows[i].value != NULL && rows[i].value[0] != '\0') {
            dr_buf_printf(out, "    %s: %s\n", rows[i].key, rows[i].value);
        }
    }
}
