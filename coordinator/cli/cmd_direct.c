// upgrade, downgrade and current on one database, without a coordinator: the engine that agents
// use, in this process.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "engine/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
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

// A descriptor that becomes readable at Ctrl-C and SIGTERM; the engine then stops in a true state.
static int
open_cancel(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

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
        printf("Running %s %s -> %s, %s\n", is_down ? "downgrade" : "upgrade",
               is_down ? p->revision_id : from, is_down ? from : p->revision_id,
               node ? dr_print_safe(d->cli, node->revision->message) : "");
        dr_buf_fini(&parents);
        fflush(stdout);
        d->shown = dr_arena_str(d->cli->arena, p->revision_id);
    }
    for (size_t i = 0; i < p->blockers_count && !p->done; i++) {
        dr_print_note(d->cli, "  waiting for a lock held by pid %d (%s, %s)", p->blockers[i].pid,
                      dr_print_safe(d->cli, p->blockers[i].application),
                      dr_print_safe(d->cli, p->blockers[i].user));
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
    if (dr_str_eq(d->expr, "base")) {
        fprintf(stderr, "WARNING: this drops all tables of the chain with all their data\n");
    }
    for (size_t i = d->nodes.count; i > 0; i--) {
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
                          result->units[i].revision_id, dr_print_safe(cli, result->units[i].leaks));
        }
    }
    printf("Now at ");
    for (size_t i = 0; i < result->heads_count; i++) {
        printf("%s%s", i ? ", " : "", result->heads[i].id);
    }
    printf("%s after %s\n", result->heads_count == 0 ? "base" : "", time);
}

// Rows that made a check fail stay on this machine; here is where people see them.
static void
print_failed_checks(const struct dr_engine_result *result)
{
    for (size_t i = 0; i < result->checks_count; i++) {
        const struct dr_check_result *c = &result->checks[i];
        if (c->verdict != DR_CHECK_FAILED && c->verdict != DR_CHECK_ERROR) {
            continue;
        }
        fprintf(stderr, "  check \"%s\": %s\n", c->name, c->reason);
        for (size_t row = 0; row < c->rows_count; row++) {
            for (size_t col = 0; col < c->columns_count; col++) {
                struct dr_buf cell = {0};
                const char *text = c->cells[row * c->columns_count + col];
                dr_show(&cell, text ? text : "NULL", strlen(text ? text : "NULL"), false);
                bool has_name = c->columns != NULL && c->columns[col] != NULL;
                fprintf(stderr, "%s%s%s%s", col ? ", " : "    ", has_name ? c->columns[col] : "",
                        has_name ? "=" : "", cell.data ? cell.data : "");
                dr_buf_fini(&cell);
            }
            fputc('\n', stderr);
        }
    }
}

static enum dr_rc
run_plan(struct direct *d, struct dr_err *err)
{
    struct dr_engine_result result = {0};
    struct dr_engine_job job = {
        .plan = d->plan.message,
        .mode = d->is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP,
        .file = dr_chain_file,
        .file_arg = d->graph,
    };
    memcpy(job.plan_sha256, d->plan.digest, 32);
    enum dr_rc rc = dr_engine_run(d->engine, &job, d->cli->arena, &result, err);
    if (rc == DR_OK) {
        print_result(d, &result);
        return DR_OK;
    }
    print_failed_checks(&result);
    const struct dr_node *node =
        result.failed_revision ? dr_graph_find(d->graph, result.failed_revision) : NULL;
    if (node != NULL && result.failed_line > 0 &&
        (err->file[0] == '\0' || strchr(err->file, '/') == NULL)) {
        dr_err_at(err, node->revision->path, result.failed_line, err->column ? err->column : 1);
    }
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
    printf("Nothing to do: already at ");
    for (size_t i = 0; i < d->state.heads_count; i++) {
        printf("%s%s", i ? ", " : "", d->state.heads[i].id);
    }
    printf("%s\n", d->state.heads_count == 0 ? "base" : "");
}

enum dr_rc
dr_cmd_direct_run(struct dr_cli *cli, const char *url, bool is_down, struct dr_err *err)
{
    struct direct d = {.cli = cli, .url = url, .expr = cli->args[0], .is_down = is_down};
    Drover__V1__Engine engine;
    int cancel_fd = open_cancel();
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
    if (rc == DR_OK && is_down) {
        rc = confirm_down(&d, err);
    }
    rc = rc == DR_OK
             ? dr_plan_compile(cli->project->name, engine, &d.nodes, cli->arena, &d.plan, err)
             : rc;
    rc = rc == DR_OK ? run_plan(&d, err) : rc;
out:
    dr_engine_close(&d.engine);
    dr_graph_free(&d.graph);
    if (cancel_fd >= 0) {
        close(cancel_fd);
    }
    return rc;
}

// "e6e5369fb4d1 (head)" for each head of the database; nothing at base.
static void
print_current(struct direct *d)
{
    json_t *list = json_array();
    bool behind = false;
    for (size_t i = 0; i < d->state.heads_count; i++) {
        const char *id = d->state.heads[i].id;
        const struct dr_node *node = d->graph ? dr_graph_find(d->graph, id) : NULL;
        bool is_head = node != NULL && dr_node_is_head(node);
        behind = behind || !is_head;
        if (d->cli->format != DR_CLI_TEXT) {
            json_array_append_new(list, json_pack("{s:s, s:b}", "id", id, "isHead", is_head));
        } else {
            printf("%s%s%s\n", id, is_head ? " (head)" : "",
                   d->graph && node == NULL ? " (not in this folder)" : "");
        }
    }
    if (d->cli->format != DR_CLI_TEXT) {
        dr_print_json(d->cli, json_pack("{s:s, s:o, s:b}", "schema", "drover.v1.Current", "heads",
                                        list, "partial", d->state.is_partial));
    } else {
        json_decref(list);
    }
    if (d->state.is_partial) {
        fprintf(stderr, "a revision is half done; drover upgrade goes on with it\n");
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
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    d.url = dr_project_direct_url(cli);
    if (d.url == NULL) {
        if (cli->project->coordinator[0] != '\0') {
            return dr_cmd_status(cli, err);
        }
        dr_err_set(err, DR_E_USAGE, "no database is named");
        return dr_err_hint(err,
                           "drover current --url postgresql:///name, or set `url` in drover.conf");
    }
    struct dr_err ignored = {0};
    if (dr_chain_files_load(cli, &d.graph, &ignored) != DR_OK) {
        d.graph = NULL; // the version is told without the files too
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
