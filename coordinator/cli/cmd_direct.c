// upgrade, downgrade and current on one database, without a coordinator: the engine that agents
// use, in this process.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/loss_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "db/db.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum dr_rc
current_names(struct dr_direct *d, struct dr_names *out, struct dr_err *err)
{
    const char **ids = dr_arena_array(d->cli->arena, d->state.heads_count + 1, sizeof(*ids));
    if (ids == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < d->state.heads_count; i++) {
        ids[i] = d->state.heads[i].id;
    }
    *out = (struct dr_names){.items = ids, .count = d->state.heads_count};
    return DR_OK;
}

static enum dr_rc
choose_nodes(struct dr_direct *d, struct dr_err *err)
{
    struct dr_names current = {0};
    enum dr_rc rc = current_names(d, &current, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!d->is_down) {
        return dr_graph_upgrade(d->graph, d->expr, &current, d->cli->arena, &d->nodes, err);
    }
    rc = dr_graph_downgrade(d->graph, d->expr, &current, d->cli->arena, &d->nodes, err);
    for (size_t i = 0; rc == DR_OK && i < d->nodes.count / 2; i++) {
        const struct dr_node *other = d->nodes.items[d->nodes.count - 1 - i];
        d->nodes.items[d->nodes.count - 1 - i] = d->nodes.items[i];
        d->nodes.items[i] = other;
    }
    return rc;
}

// Is the database where the noted folder ends?
static bool
is_at_heads(const struct dr_direct *d, const struct dr_graph_note *note)
{
    size_t heads = dr_graph_note_heads(note);
    bool is_asked = dr_str_eq(d->expr, "heads") || (dr_str_eq(d->expr, "head") && heads == 1);
    bool is_there = is_asked && !d->is_down && !d->state.is_partial && heads > 0 &&
                    d->state.heads_count == heads;
    for (size_t i = 0; is_there && i < heads; i++) {
        const char *marks = dr_graph_note_marks(note, d->state.heads[i].id);
        is_there = marks != NULL && strchr(marks, 'h') != NULL;
    }
    return is_there;
}

// What is to run, and the files of the chain; a note may tell that it is nothing.
static enum dr_rc
find_nodes(struct dr_direct *d, struct dr_err *err)
{
    struct dr_graph_note *note = NULL;
    enum dr_rc rc = dr_chain_note_load(d->cli, &note, &d->graph, err);
    if (rc == DR_OK) {
        rc = dr_engine_read_heads(d->engine, d->cli->arena, &d->state, err);
    }
    bool is_done = rc == DR_OK && note != NULL && is_at_heads(d, note);
    if (rc == DR_OK && note != NULL && !is_done) {
        rc = dr_chain_files_load(d->cli, &d->graph, err);
    }
    dr_graph_note_free(&note);
    if (rc != DR_OK || is_done) {
        return rc;
    }
    rc = choose_nodes(d, err);
    return rc == DR_OK && !d->is_down ? dr_chain_check_ids(d->cli, &d->nodes, err) : rc;
}

// Everything but the change: what the plan would run, after its preflights.
static enum dr_rc
dry_run(struct dr_direct *d, struct dr_err *err)
{
    struct dr_engine_job job = dr_direct_job(d);
    struct dr_check_result *checks = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_engine_preflight(d->engine, &job, d->cli->arena, &checks, &count, err);
    if (rc != DR_OK) {
        const struct dr_engine_result none = {0};
        dr_direct_failed_checks(d->cli, checks, count);
        dr_direct_place(d, &none, err);
        return rc;
    }
    if (d->is_down) {
        rc = dr_direct_count(d, err);
        if (rc != DR_OK) {
            return rc;
        }
        dr_loss_warn_base(d->cli, d->expr);
        if (d->cli->format == DR_CLI_TEXT && !d->cli->quiet) {
            dr_loss_print(d->cli, d->losses, d->losses_count, stdout);
        }
    }
    dr_chain_say_dry_run(d->cli, &d->nodes, d->is_down, NULL,
                         d->is_down ? dr_loss_json(d->losses, d->losses_count) : NULL, NULL);
    return DR_OK;
}

enum dr_rc
dr_cmd_direct_run(struct dr_cli *cli, const char *url, bool is_down, struct dr_err *err)
{
    struct dr_direct d = {.cli = cli, .url = url, .expr = cli->args[0], .is_down = is_down};
    Drover__V1__Engine engine;
    int cancel_fd = dr_cli_cancel_fd();
    enum dr_rc rc = dr_chain_engine(url, &engine, err);
    rc = rc == DR_OK ? dr_direct_open(&d, cancel_fd, err) : rc; // connects while files are read
    rc = rc == DR_OK ? find_nodes(&d, err) : rc;
    if (rc == DR_OK && d.nodes.count == 0 && !d.state.is_partial) {
        rc = dr_engine_check_alembic(d.engine, cli->arena, err);
        if (rc == DR_OK) {
            dr_direct_nothing(&d);
        }
        goto out;
    }
    if (rc == DR_OK) {
        const char *hint =
            dr_arena_printf(cli->arena, "drover %s %s without --url, which makes a rollout",
                            cli->command->name, d.expr);
        rc = dr_direct_check_owner(&d, hint ? hint : "", err);
    }
    if (rc == DR_OK && !dr_cli_has(cli, "dry-run") && (!is_down || cli->yes)) {
        dr_engine_foresee(d.engine); // nobody is asked before the run
    }
    rc = rc == DR_OK
             ? dr_plan_compile(cli->project->name, engine, &d.nodes, cli->arena, &d.plan, err)
             : rc;
    if (rc == DR_OK && dr_cli_has(cli, "dry-run")) {
        rc = dry_run(&d, err);
        goto out;
    }
    rc = rc == DR_OK && is_down ? dr_direct_count(&d, err) : rc;
    rc = rc == DR_OK && is_down ? dr_direct_confirm(&d, err) : rc;
    rc = rc == DR_OK ? dr_direct_run(&d, err) : rc;
out:
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    if (cancel_fd >= 0) {
        close(cancel_fd);
    }
    return rc;
}

// The head's block as Alembic's `current --verbose` shows it.
static void
print_verbose(struct dr_direct *d, const struct dr_node *node)
{
    struct dr_buf block = {0};
    dr_chain_block(d->cli, node, NULL, &block);
    dr_say(d->cli, "%s\n", block.data ? block.data : "");
    dr_buf_fini(&block);
}

// What the folder knows of the revision; false: nothing.
static bool
find_marks(const struct dr_direct *d, const struct dr_graph_note *note, const char *id,
           char out[DR_NODE_MARKS_SIZE])
{
    const struct dr_node *node = d->graph == NULL ? NULL : dr_graph_find(d->graph, id);
    const char *noted = node == NULL && note != NULL ? dr_graph_note_marks(note, id) : NULL;
    out[0] = '\0';
    if (node != NULL) {
        dr_node_marks(node, out);
    } else if (noted != NULL) {
        snprintf(out, DR_NODE_MARKS_SIZE, "%s", noted);
    }
    return node != NULL || noted != NULL;
}

// "e6e5369fb4d1 (head)" for each head of the database; nothing at base. Without graph and note the
// folder is not known.
static void
print_current(struct dr_direct *d, const struct dr_graph_note *note)
{
    json_t *list = d->cli->format == DR_CLI_TEXT ? NULL : json_array();
    bool behind = false;
    bool is_verbose = dr_cli_has(d->cli, "verbose");
    bool has_folder = d->graph != NULL || note != NULL;
    if (is_verbose) {
        char shown[512];
        dr_db_url_show(d->url, shown, sizeof(shown));
        dr_say(d->cli, "Current revision(s) for %s:\n", shown);
    }
    for (size_t i = 0; i < d->state.heads_count; i++) {
        const char *id = d->state.heads[i].id;
        char marks[DR_NODE_MARKS_SIZE];
        bool is_known = find_marks(d, note, id, marks), is_head = strchr(marks, 'h') != NULL;
        behind = behind || !is_head;
        if (list != NULL) {
            json_array_append_new(list, json_pack("{s:s, s:b}", "id", id, "isHead", is_head));
        }
        if (is_verbose && is_known) {
            print_verbose(d, dr_graph_find(d->graph, id));
        } else {
            struct dr_buf words = {0};
            dr_chain_marks(marks, true, false, &words);
            dr_say(d->cli, "%s%s%s\n", id, words.data ? words.data : "",
                   has_folder && !is_known ? " (not in this folder)" : "");
            dr_buf_fini(&words);
        }
    }
    if (list != NULL) {
        dr_print_json(d->cli,
                      json_pack("{s:s, s:O, s:b, s:s}", "schema", "drover.v1.Current", "heads",
                                list, "partial", d->state.is_partial, "owner", d->state.owner));
    }
    json_decref(list);
    if (d->state.is_partial) {
        dr_print_note(d->cli, "note: a revision is half done; drover repair shows the ways out");
    }
    bool at_base = d->state.heads_count == 0 &&
                   (note != NULL || (d->graph != NULL && dr_graph_count(d->graph) > 0));
    if (dr_cli_has(d->cli, "check-heads") && (behind || at_base)) {
        d->cli->exit_code = 3;
    }
}

enum dr_rc
dr_cmd_current(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_direct d = {.cli = cli};
    struct dr_graph_note *note = NULL;
    struct dr_err ignored = {0};
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    d.url = cli->args_count ? dr_cli_option(cli, "url") : dr_project_direct_url(cli);
    if (d.url == NULL && cli->project->coordinator[0] != '\0') {
        return dr_cmd_current_of_targets(cli, err);
    }
    if (d.url == NULL || cli->args_count > 0) {
        dr_err_set(err, DR_E_USAGE,
                   d.url ? "--url names one database, so no target can be named"
                         : "no database is named");
        return dr_err_hint(err, "drover current --url postgresql:///name, or --url sqlite:FILE");
    }
    rc = dr_chain_state_check_file(cli, d.url, err);
    rc = rc == DR_OK ? dr_direct_open(&d, -1, err) : rc; // connects while files are read
    enum dr_rc loaded = rc != DR_OK ? rc
                        : dr_cli_has(cli, "verbose")
                            ? dr_chain_files_load(cli, &d.graph, &ignored)
                            : dr_chain_note_load(cli, &note, &d.graph, &ignored);
    if (rc == DR_OK && loaded != DR_OK) { // a revision that is being written hides no version
        loaded = dr_chain_drafts_load(cli, &d.graph, &ignored);
    }
    if (rc == DR_OK && loaded != DR_OK && dr_cli_has(cli, "check-heads")) {
        *err = ignored; // otherwise the version is told without the files
        rc = loaded;
    }
    if (rc == DR_OK) {
        rc = dr_cli_has(cli, "verify")
                 ? dr_engine_read_state(d.engine, cli->arena, false, true, &d.state, err)
                 : dr_engine_read_heads(d.engine, cli->arena, &d.state, err);
    }
    if (rc == DR_OK) {
        print_current(&d, note);
        if (dr_engine_check_alembic(d.engine, cli->arena, &ignored) != DR_OK) {
            dr_print_note(cli, "note: %s", ignored.message);
        }
    }
    dr_graph_note_free(&note);
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    return rc;
}
