#include "coordinator/cli/new_revision.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "revision/sum.h"
#include "trust/keyfile.h"

#include <ctype.h>
#include <string.h>

#define SLUG_MAX 40

static const char empty_body[] = "-- drover:up\n\n"
                                 "-- drover:verify \"what must be true afterwards\"\n\n"
                                 "-- drover:down\n";

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

const char *
dr_new_revision_id(const struct dr_cli *cli)
{
    uint8_t bytes[6];
    char id[2 * sizeof(bytes) + 1];
    dr_random(bytes, sizeof(bytes));
    dr_hex(id, bytes, sizeof(bytes));
    return dr_arena_str(cli->arena, id);
}

// The engines of a new revision: what is given, else what all its parents have, else PostgreSQL.
static const char *
engine_text(const struct dr_new_revision *new)
{
    unsigned common = DR_ENGINE_ALL;
    unsigned any = 0;
    if (new->engine != NULL || new->parents.count == 0) {
        return new->engine ? new->engine : "postgresql";
    }
    for (size_t i = 0; i < new->parents.count; i++) {
        common &= new->parents.items[i]->revision->engines;
        any |= new->parents.items[i]->revision->engines;
    }
    common = common ? common : any;
    return common == DR_ENGINE_ALL      ? "postgresql, sqlite"
           : common == DR_ENGINE_SQLITE ? "sqlite"
                                        : "postgresql";
}

static void
add_names(struct dr_buf *out, const char *key, const struct dr_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        dr_buf_printf(out, "%s%s%s%s%s", i ? ", " : "-- ", i ? "" : key, i ? "" : ": ",
                      names->items[i], i + 1 == names->count ? "\n" : "");
    }
}

static void
make_text(const struct dr_new_revision *new, struct dr_buf *out)
{
    char date[32];
    dr_format_time(date, dr_now_unix_s());
    date[10] = ' ';
    date[19] = '\0';
    dr_buf_printf(out,
                  "-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises:", new->message,
                  new->id);
    for (size_t i = 0; i < new->parents.count; i++) {
        dr_buf_printf(out, "%s %s", i ? "," : "", new->parents.items[i]->revision->id);
    }
    dr_buf_printf(out, "\n-- Create Date: %s\n", date);
    add_names(out, "Branch labels", &new->labels);
    add_names(out, "Depends on", &new->depends_on);
    dr_buf_printf(out, "-- Engine: %s\n", engine_text(new));
    bool may_be_empty = new->parents.count > 1 && new->body == NULL; // a merge
    if (!may_be_empty) {
        dr_buf_printf(out, "%s\n%s", new->header ? new->header : "-- Reversible: yes\n",
                      new->body ? new->body : empty_body);
    }
}

// A label is one name for one branch; ids are names, too.
static enum dr_rc
check_labels(const struct dr_graph *graph, const struct dr_new_revision *new, struct dr_err *err)
{
    for (size_t i = 0; i < dr_graph_count(graph) * new->labels.count; i++) {
        const struct dr_revision *r = dr_graph_at(graph, i / new->labels.count)->revision;
        const char *label = new->labels.items[i % new->labels.count];
        bool is_taken = dr_str_eq(r->id, label);
        for (size_t k = 0; k < r->labels.count; k++) {
            is_taken = is_taken || dr_str_eq(r->labels.items[k], label);
        }
        if (is_taken) {
            dr_err_set(err, DR_E_REVISION_LABEL, "branch label '%s' is taken by revision '%s'",
                       label, r->id);
            return dr_err_hint(err, "another label; --head %s@head goes on with that branch",
                               label);
        }
    }
    return DR_OK;
}

// Would the folder still be a chain with this file in it?
static enum dr_rc
check_text(struct dr_cli *cli, const struct dr_graph *graph, const char *path,
           const struct dr_buf *text, struct dr_err *err)
{
    size_t count = dr_graph_count(graph);
    const struct dr_revision **all = dr_arena_array(cli->arena, count + 1, sizeof(*all));
    struct dr_revision *parsed = NULL;
    struct dr_graph *trial = NULL;
    if (all == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_revision_parse_draft(path, text->data, text->len, cli->arena, &parsed, err);
    for (size_t i = 0; i < count; i++) {
        all[i] = dr_graph_at(graph, i)->revision;
    }
    all[count] = parsed;
    rc = rc == DR_OK ? dr_graph_build(all, count + 1, &trial, err) : rc;
    if (rc != DR_OK) {
        err->line = 0; // there is no such file to look at
        err->file[0] = '\0';
    }
    dr_graph_free(&trial);
    return rc;
}

enum dr_rc
dr_new_revision_write(struct dr_cli *cli, const struct dr_graph *graph,
                      const struct dr_new_revision *new, const char **out_path, struct dr_err *err)
{
    struct dr_buf text = {0};
    char slug[SLUG_MAX + 1];
    make_slug(new->message, slug);
    make_text(new, &text);
    const char *path =
        dr_arena_printf(cli->arena, "%s/%s%s%s.sql", dr_project_shown(cli, cli->project->revisions),
                        new->id, slug[0] ? "_" : "", slug);
    enum dr_rc rc = path == NULL || text.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                                : check_labels(graph, new, err);
    rc = rc == DR_OK ? check_text(cli, graph, path, &text, err) : rc;
    rc = rc == DR_OK ? dr_file_create(path, text.data, text.len, 0644, err) : rc;
    dr_buf_fini(&text);
    if (rc == DR_OK) {
        *out_path = path;
    }
    return rc;
}

static enum dr_rc
note(struct dr_cli *cli, const struct dr_nodes *edited, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_sum *sum = NULL;
    const char *folder = dr_project_shown(cli, cli->project->revisions);
    enum dr_rc rc = dr_sum_read(folder, cli->arena, &sum, err);
    if (rc == DR_E_REVISION_SUM) {
        dr_print_note(cli, "note: %s/%s:%u: %s; it was left as it is", folder, DR_SUM_NAME,
                      err->line, err->message);
        *err = (struct dr_err){0};
        return DR_OK;
    }
    bool has_none = rc == DR_E_NOT_FOUND;
    if (rc != DR_OK && !has_none) {
        return rc;
    }
    *err = (struct dr_err){0};
    rc = dr_chain_drafts_load(cli, &graph, err);
    for (size_t i = 0; rc == DR_OK && sum != NULL && edited != NULL && i < edited->count; i++) {
        dr_sum_forget(sum, edited->items[i]->revision->id);
    }
    if (rc == DR_OK && (!has_none || (edited == NULL && dr_graph_count(graph) == 1))) {
        rc = dr_sum_write(folder, graph, sum, err);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_new_revision_note(struct dr_cli *cli, struct dr_err *err)
{
    return note(cli, NULL, err);
}

enum dr_rc
dr_new_revision_note_edited(struct dr_cli *cli, const struct dr_nodes *nodes, struct dr_err *err)
{
    return note(cli, nodes, err);
}
