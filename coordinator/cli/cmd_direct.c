// upgrade, downgrade and current on one database, without a coordinator: the engine that agents
// use, in this process.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "db/db.h"
#include "engine/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// One direct run, from the graph to the result.
struct direct {
    struct dr_cli *cli;
    const char *url;
    const char *expr;
    bool is_down;
    struct dr_graph *graph;
    struct dr_engine *engine;
    struct dr_engine_state state;
    struct dr_nodes nodes; // parents first
    struct dr_plan plan;
    const char *shown; // id of the revision whose line was printed last
    bool line_open;
};

static void
show_progress(void *arg, const struct dr_engine_progress *p)
{
    struct direct *d = arg;
    if (d->cli->format != DR_CLI_TEXT) {
        return;
    }
    bool is_new = d->shown == NULL || !dr_str_eq(d->shown, p->revision_id);
    if (is_new) {
        const struct dr_node *node = dr_graph_find(d->graph, p->revision_id);
        struct dr_buf parents = {0};
        if (node != NULL && node->parent_count > 0) {
            dr_chain_parents(node, &parents);
        }
        const char *from = parents.data ? parents.data : "";
        bool is_down = p->direction == DROVER__V1__MODE__DOWN;
        dr_say(d->cli, "Running %s %s -> %s, %s\n", is_down ? "downgrade" : "upgrade",
               is_down ? p->revision_id : from, is_down ? from : p->revision_id,
               node ? node->revision->message : "");
        dr_buf_fini(&parents);
        fflush(stdout);
        d->shown = dr_arena_str(d->cli->arena, p->revision_id);
    }
    for (size_t i = 0; i < p->blockers_count && !p->done; i++) {
        dr_print_note(d->cli, "  waiting for a lock held by pid %d (%s, %s)", p->blockers[i].pid,
                      p->blockers[i].application, p->blockers[i].user);
    }
}

static enum dr_rc
open_target(struct direct *d, int cancel_fd, struct dr_err *err)
{
    uint64_t lock_wait = 0;
    enum dr_rc rc = dr_cli_duration(d->cli, "lock-wait", 3600ull * 1000, 0, &lock_wait, err);
    struct dr_engine_options options = {
        .url = d->url,
        .schema = dr_cli_option(d->cli, "schema"),
        .environment = dr_cli_option(d->cli, "environment"),
        .lock_wait_ms = lock_wait,
        .cancel_fd = cancel_fd,
        .progress = show_progress,
        .progress_arg = d,
    };
    return rc == DR_OK ? dr_engine_open(&options, &d->engine, err) : rc;
}

static enum dr_rc
current_names(struct direct *d, struct dr_names *out, struct dr_err *err)
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
choose_nodes(struct direct *d, struct dr_err *err)
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

// A way back may lose data: says so, and asks.
static enum dr_rc
confirm_down(struct direct *d, struct dr_err *err)
{
    bool go = false;
    bool is_silent = d->cli->quiet && d->cli->yes;
    fflush(stdout);
    if (dr_str_eq(d->expr, "base") && !is_silent) {
        fprintf(stderr, "WARNING: this drops all tables of the chain with all their data\n");
    }
    for (size_t i = d->nodes.count; i > 0 && !is_silent; i--) {
        const struct dr_revision *r = d->nodes.items[i - 1]->revision;
        bool loses = r->reversible == DR_REVERSIBLE_LOSSY;
        fprintf(stderr, "  - %s, %s%s%s\n", r->id, dr_print_safe(d->cli, r->message),
                loses ? ": data is lost: " : "",
                loses && r->reversible_why ? dr_print_safe(d->cli, r->reversible_why) : "");
    }
    enum dr_rc rc = dr_ask_yes(d->cli, "Run the way down of these revisions?", &go, err);
    if (rc == DR_OK && !go) {
        return dr_err_set(err, DR_E_INTERRUPTED, "nothing was done");
    }
    return rc;
}

// "a, b", or "base".
static const char *
heads_text(const struct dr_cli *cli, const struct dr_engine_head *heads, size_t count)
{
    struct dr_buf out = {0};
    for (size_t i = 0; i < count; i++) {
        dr_buf_printf(&out, "%s%s", i ? ", " : "", heads[i].id);
    }
    const char *text = dr_arena_str(cli->arena, count && out.data ? out.data : "base");
    dr_buf_fini(&out);
    return text ? text : "";
}

static void
print_result(struct direct *d, const struct dr_engine_result *result)
{
    struct dr_cli *cli = d->cli;
    char time[32];
    dr_format_duration(time, result->duration_ms);
    if (cli->format != DR_CLI_TEXT) {
        json_t *heads = json_array();
        json_t *units = json_array();
        for (size_t i = 0; i < result->heads_count; i++) {
            json_array_append_new(heads, json_string(result->heads[i].id));
        }
        for (size_t i = 0; i < result->units_count; i++) {
            json_array_append_new(units, json_pack("{s:s, s:I}", "revision",
                                                   result->units[i].revision_id, "durationMs",
                                                   (json_int_t)result->units[i].duration_ms));
        }
        dr_print_json(cli, json_pack("{s:s, s:b, s:o, s:o, s:I}", "schema", "drover.v1.Run", "done",
                                     result->outcome == DR_ENGINE_DONE ||
                                         result->outcome == DR_ENGINE_NOTHING,
                                     "heads", heads, "units", units, "durationMs",
                                     (json_int_t)result->duration_ms));
        return;
    }
    for (size_t i = 0; i < result->units_count; i++) {
        if (result->units[i].leaks != NULL && result->units[i].leaks[0] != '\0') {
            dr_print_note(cli, "note: revision '%s' left session state behind, which was reset: %s",
                          result->units[i].revision_id, result->units[i].leaks);
        }
    }
    dr_say(cli, "Now at %s after %s\n", heads_text(cli, result->heads, result->heads_count), time);
}

// One row of the sample: "    user_id=17, email=NULL".
static void
print_row(const struct dr_check_result *c, size_t row)
{
    struct dr_buf line = {0};
    for (size_t col = 0; col < c->columns_count; col++) {
        const char *text = c->cells[row * c->columns_count + col];
        bool has_name = c->columns != NULL && c->columns[col] != NULL;
        dr_buf_str(&line, col ? ", " : "    ");
        if (has_name) {
            dr_show(&line, c->columns[col], strlen(c->columns[col]), false);
            dr_buf_str(&line, "=");
        }
        dr_show(&line, text ? text : "NULL", strlen(text ? text : "NULL"), false);
    }
    fprintf(stderr, "%s\n", line.data ? line.data : "");
    dr_buf_fini(&line);
}

// Rows that made a check fail stay on this machine; here is where people see them.
static void
print_failed_checks(const struct dr_cli *cli, const struct dr_check_result *checks, size_t count)
{
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        const struct dr_check_result *c = &checks[i];
        if (c->verdict != DR_CHECK_FAILED && c->verdict != DR_CHECK_ERROR) {
            continue;
        }
        fprintf(stderr, "  check \"%s\": %s\n", dr_print_safe(cli, c->name),
                dr_print_safe(cli, c->reason));
        for (size_t row = 0; row < c->rows_count; row++) {
            print_row(c, row);
        }
    }
}

static struct dr_engine_job
job_of(struct direct *d)
{
    struct dr_engine_job job = {
        .plan = d->plan.message,
        .mode = d->is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP,
        .file = dr_chain_file,
        .file_arg = d->graph,
    };
    memcpy(job.plan_sha256, d->plan.digest, 32);
    return job;
}

// The engine knows revisions by id; people know files. Where it names no revision, the one that
// failed last is meant.
static void
place_in_file(struct direct *d, const struct dr_engine_result *result, struct dr_err *err)
{
    const struct dr_node *node = err->file[0] ? dr_graph_find(d->graph, err->file) : NULL;
    if (node != NULL && err->line > 0) {
        dr_err_at(err, node->revision->path, err->line, err->column ? err->column : 1);
        return;
    }
    node = result->failed_revision ? dr_graph_find(d->graph, result->failed_revision) : NULL;
    if (node != NULL && result->failed_line > 0 && err->file[0] == '\0') {
        dr_err_at(err, node->revision->path, result->failed_line, err->column ? err->column : 1);
    }
}

// Everything but the change: what the plan would run, after its preflights.
static enum dr_rc
dry_run(struct direct *d, struct dr_err *err)
{
    struct dr_engine_job job = job_of(d);
    struct dr_check_result *checks = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_engine_preflight(d->engine, &job, d->cli->arena, &checks, &count, err);
    if (rc != DR_OK) {
        const struct dr_engine_result none = {0};
        print_failed_checks(d->cli, checks, count);
        place_in_file(d, &none, err);
        return rc;
    }
    dr_chain_say_dry_run(d->cli, &d->nodes, d->is_down, NULL);
    return DR_OK;
}

static enum dr_rc
run_plan(struct direct *d, struct dr_err *err)
{
    struct dr_engine_result result = {0};
    struct dr_engine_job job = job_of(d);
    enum dr_rc rc = dr_engine_run(d->engine, &job, d->cli->arena, &result, err);
    if (rc == DR_OK) {
        print_result(d, &result);
        return DR_OK;
    }
    print_failed_checks(d->cli, result.checks, result.checks_count);
    place_in_file(d, &result, err);
    return rc;
}

static void
say_nothing_to_do(struct direct *d)
{
    if (d->cli->format != DR_CLI_TEXT) {
        struct dr_engine_result none = {.outcome = DR_ENGINE_NOTHING,
                                        .heads_count = d->state.heads_count,
                                        .heads = d->state.heads};
        print_result(d, &none);
        return;
    }
    dr_say(d->cli, "Nothing to do: already at %s\n",
           heads_text(d->cli, d->state.heads, d->state.heads_count));
}

enum dr_rc
dr_cmd_direct_run(struct dr_cli *cli, const char *url, bool is_down, struct dr_err *err)
{
    struct direct d = {.cli = cli, .url = url, .expr = cli->args[0], .is_down = is_down};
    Drover__V1__Engine engine;
    int cancel_fd = dr_cli_cancel_fd();
    enum dr_rc rc = dr_chain_engine(url, &engine, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &d.graph, err) : rc;
    rc = rc == DR_OK ? open_target(&d, cancel_fd, err) : rc;
    rc = rc == DR_OK ? dr_engine_read_state(d.engine, cli->arena, false, false, &d.state, err) : rc;
    rc = rc == DR_OK ? choose_nodes(&d, err) : rc;
    if (rc == DR_OK && d.nodes.count == 0 && !d.state.is_partial) {
        say_nothing_to_do(&d);
        goto out;
    }
    if (rc == DR_OK && d.state.owner[0] != '\0') {
        dr_err_set(err, DR_E_LEDGER_OWNED, "agent '%s' owns the ledger of this database",
                   dr_print_safe(cli, d.state.owner));
        rc = dr_err_hint(err, "drover %s %s without --url, which makes a rollout",
                         cli->command->name, d.expr);
    }
    rc = rc == DR_OK
             ? dr_plan_compile(cli->project->name, engine, &d.nodes, cli->arena, &d.plan, err)
             : rc;
    if (rc == DR_OK && dr_cli_has(cli, "dry-run")) {
        rc = dry_run(&d, err);
        goto out;
    }
    rc = rc == DR_OK && is_down ? confirm_down(&d, err) : rc;
    rc = rc == DR_OK ? run_plan(&d, err) : rc;
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
print_verbose(struct direct *d, const struct dr_node *node)
{
    struct dr_buf block = {0};
    dr_chain_block(d->cli, node, &block);
    dr_say(d->cli, "%s\n", block.data ? block.data : "");
    dr_buf_fini(&block);
}

// "e6e5369fb4d1 (head)" for each head of the database; nothing at base.
static void
print_current(struct direct *d)
{
    json_t *list = json_array();
    bool behind = false;
    bool is_verbose = dr_cli_has(d->cli, "verbose");
    if (is_verbose) {
        char shown[512];
        dr_db_url_show(d->url, shown, sizeof(shown));
        dr_say(d->cli, "Current revision(s) for %s:\n", shown);
    }
    for (size_t i = 0; i < d->state.heads_count; i++) {
        const char *id = d->state.heads[i].id;
        const struct dr_node *node = d->graph ? dr_graph_find(d->graph, id) : NULL;
        bool is_head = node != NULL && dr_node_is_head(node);
        behind = behind || !is_head;
        json_array_append_new(list, json_pack("{s:s, s:b}", "id", id, "isHead", is_head));
        if (is_verbose && node != NULL) {
            print_verbose(d, node);
        } else {
            dr_say(d->cli, "%s%s%s\n", id, is_head ? " (head)" : "",
                   d->graph && node == NULL ? " (not in this folder)" : "");
        }
    }
    if (d->cli->format != DR_CLI_TEXT) {
        dr_print_json(d->cli,
                      json_pack("{s:s, s:O, s:b, s:s}", "schema", "drover.v1.Current", "heads",
                                list, "partial", d->state.is_partial, "owner", d->state.owner));
    }
    json_decref(list);
    if (d->state.is_partial) {
        dr_print_note(d->cli, "note: a revision is half done; drover upgrade goes on with it");
    }
    bool at_base = d->state.heads_count == 0 && d->graph != NULL && dr_graph_count(d->graph) > 0;
    if (dr_cli_has(d->cli, "check-heads") && (behind || at_base)) {
        d->cli->exit_code = 3;
    }
}

enum dr_rc
dr_cmd_current(struct dr_cli *cli, struct dr_err *err)
{
    struct direct d = {.cli = cli};
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
    if (dr_chain_files_load(cli, &d.graph, &ignored) != DR_OK) {
        d.graph = NULL; // the version is told without the files too
        if (dr_cli_has(cli, "check-heads")) {
            *err = ignored;
            return ignored.rc;
        }
    }
    rc = open_target(&d, -1, err);
    rc = rc == DR_OK ? dr_engine_read_state(d.engine, cli->arena, false, dr_cli_has(cli, "verify"),
                                            &d.state, err)
                     : rc;
    if (rc == DR_OK) {
        print_current(&d);
    }
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    return rc;
}
