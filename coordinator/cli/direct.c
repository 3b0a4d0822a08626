// One run on one database, without a coordinator: what upgrade, downgrade, repair and stamp share.
#include "coordinator/cli/direct.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/loss_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "db/db.h"
#include "db/pg.h"
#include "engine/progress.h"

#include <stdio.h>
#include <string.h>

static void
show_progress(void *arg, const struct dr_engine_progress *p)
{
    struct dr_direct *d = arg;
    if (d->cli->format != DR_CLI_TEXT) {
        return;
    }
    bool is_new = d->shown == NULL || !dr_str_eq(d->shown, p->revision_id);
    if (is_new || p->done) {
        dr_progress_end(&d->progress);
    }
    if (is_new) {
        const struct dr_node *node = dr_graph_find(d->graph, p->revision_id);
        struct dr_buf parents = {0};
        if (node != NULL && node->parent_count > 0) {
            dr_chain_parents(node, &parents);
        }
        const char *from = parents.data ? parents.data : "";
        bool is_down = p->direction == DROVER__V1__MODE__DOWN;
        bool is_stamp = d->mode == DROVER__V1__MODE__STAMP || d->mode == DROVER__V1__MODE__UNSTAMP;
        dr_say(d->cli, "Running %s %s -> %s, %s\n",
               is_stamp  ? "stamp"
               : is_down ? "downgrade"
                         : "upgrade",
               is_down ? p->revision_id : from, is_down ? from : p->revision_id,
               node ? node->revision->message : "");
        dr_buf_fini(&parents);
        fflush(stdout);
        d->shown = dr_arena_str(d->cli->arena, p->revision_id);
    }
    if (p->done || p->elapsed_ms == 0) {
        return;
    }
    char phase[192], blockers[1024];
    dr_progress_phase(p, phase, sizeof(phase));
    dr_progress_blockers(p, blockers, sizeof(blockers));
    bool has_count = p->server != NULL && p->blockers_count == 0;
    const struct dr_progress_at at = {.name = "",
                                      .phase = phase,
                                      .blockers = blockers,
                                      .elapsed_ms = p->elapsed_ms,
                                      .done = has_count ? p->server->done : 0,
                                      .total = has_count ? p->server->total : 0};
    dr_progress_show(d->cli, &d->progress, &at);
}

enum dr_rc
dr_direct_open(struct dr_direct *d, int cancel_fd, struct dr_err *err)
{
    uint64_t lock_wait = 0;
    enum dr_rc rc = dr_cli_duration(d->cli, "lock-wait", 3600ull * 1000, 0, &lock_wait, err);
    struct dr_engine_options options = {
        .url = d->url,
        .schema = dr_cli_option(d->cli, "schema"),
        .environment = dr_cli_option(d->cli, "environment"),
        .lock_wait_ms = lock_wait,
        .is_lazy = true,
        .keeps_alembic = d->cli->project != NULL && d->cli->project->keeps_alembic,
        .cancel_fd = cancel_fd,
        .progress = show_progress,
        .progress_arg = d,
    };
    return rc == DR_OK ? dr_engine_open(&options, &d->engine, err) : rc;
}

enum dr_rc
dr_direct_count(struct dr_direct *d, struct dr_err *err)
{
    struct dr_engine_job job = dr_direct_job(d);
    enum dr_rc rc =
        dr_engine_losses(d->engine, &job, d->cli->arena, &d->losses, &d->losses_count, err);
    if (rc != DR_OK) {
        const struct dr_engine_result none = {0};
        dr_direct_place(d, &none, err);
    }
    return rc;
}

static bool
takes_rows(const struct dr_direct *d)
{
    for (size_t i = 0; i < d->losses_count; i++) {
        if (d->losses[i].count > 0) {
            return true;
        }
    }
    return false;
}

// What a person calls the database: its name, or the file's.
static const char *
database_name(const struct dr_direct *d)
{
    char name[256] = "";
    if (dr_db_kind_of(d->url) == DR_DB_POSTGRES) {
        (void)dr_pg_url_get(d->url, "dbname", name, sizeof(name));
    } else {
        const char *path = strchr(d->url, ':');
        const char *slash = strrchr(d->url, '/');
        snprintf(name, sizeof(name), "%s", slash ? slash + 1 : path ? path + 1 : d->url);
    }
    const char *copy = dr_arena_str(d->cli->arena, name[0] ? name : "database");
    return copy ? copy : "";
}

// A way back may lose data: says so, and asks. Rows that are there are not lost by --yes alone.
enum dr_rc
dr_direct_confirm(struct dr_direct *d, struct dr_err *err)
{
    bool go = false;
    bool is_silent = d->cli->quiet && d->cli->yes;
    fflush(stdout);
    dr_loss_warn_base(d->cli, d->expr);
    for (size_t i = d->nodes.count; i > 0 && !is_silent; i--) {
        const struct dr_revision *r = d->nodes.items[i - 1]->revision;
        bool loses = r->reversible == DR_REVERSIBLE_LOSSY;
        fprintf(stderr, "  - %s, %s%s%s\n", r->id, dr_print_safe(d->cli, r->message),
                loses ? ": data is lost: " : "",
                loses && r->reversible_why ? dr_print_safe(d->cli, r->reversible_why) : "");
    }
    if (!is_silent) {
        dr_loss_print(d->cli, d->losses, d->losses_count, stderr);
    }
    if (takes_rows(d)) {
        return dr_ask_name(d->cli, "Type the database's name to lose these rows", database_name(d),
                           err);
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
print_result(struct dr_direct *d, const struct dr_engine_result *result)
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
            json_array_append_new(units, json_pack("{s:s, s:I, s:s}", "revision",
                                                   result->units[i].revision_id, "durationMs",
                                                   (json_int_t)result->units[i].duration_ms,
                                                   "leaks", result->units[i].leaks));
        }
        json_t *losses = d->is_down ? dr_loss_json(d->losses, d->losses_count) : NULL;
        dr_print_json(
            cli,
            json_pack("{s:s, s:b, s:o, s:o, s:I, s:o*}", "schema", "drover.v1.Run", "done",
                      result->outcome == DR_ENGINE_DONE || result->outcome == DR_ENGINE_NOTHING,
                      "heads", heads, "units", units, "durationMs", (json_int_t)result->duration_ms,
                      "losses", losses));
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
void
dr_direct_failed_checks(const struct dr_cli *cli, const struct dr_check_result *checks,
                        size_t count)
{
    fflush(stdout);
    for (size_t i = 0; i < count; i++) {
        const struct dr_check_result *c = &checks[i];
        if (c->verdict != DR_CHECK_FAILED && c->verdict != DR_CHECK_ERROR) {
            continue;
        }
        fprintf(stderr, "  check \"%s\": %s\n", dr_print_safe(cli, c->name),
                dr_print_safe(cli, c->words != NULL && c->words[0] ? c->words : c->reason));
        for (size_t row = 0; row < c->rows_count; row++) {
            print_row(c, row);
        }
    }
}

enum dr_rc
dr_direct_check_owner(const struct dr_direct *d, const char *hint, struct dr_err *err)
{
    if (d->state.owner[0] == '\0') {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_LEDGER_OWNED, "agent '%s' owns the ledger of this database",
                     dr_print_safe(d->cli, d->state.owner));
    return dr_err_hint(err, "%s", hint);
}

struct dr_engine_job
dr_direct_job(struct dr_direct *d)
{
    struct dr_engine_job job = {
        .plan = d->plan.message,
        .mode = d->mode != DROVER__V1__MODE__MODE_NONE ? d->mode
                : d->is_down                           ? DROVER__V1__MODE__DOWN
                                                       : DROVER__V1__MODE__UP,
        .remedy = d->remedy,
        .expect_fingerprint = d->expect_fingerprint,
        .file = dr_chain_file,
        .file_arg = d->graph,
        .is_own_plan = true,
        .has_work = d->nodes.count > 0,
        .seen_position = d->state.position,
    };
    memcpy(job.plan_sha256, d->plan.digest, 32);
    return job;
}

// The engine knows revisions by id; people know files. Where it names no revision, the one that
// failed last is meant.
void
dr_direct_place(struct dr_direct *d, const struct dr_engine_result *result, struct dr_err *err)
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

// After a failure: a revision that stopped between two of its units is not mended by its file.
static void
say_half_done(struct dr_direct *d)
{
    struct dr_engine_state now = {0};
    struct dr_err ignored = {0};
    char shown[512];
    if (dr_engine_read_state(d->engine, d->cli->arena, false, false, &now, &ignored) == DR_OK &&
        now.is_partial) {
        dr_db_url_show(d->url, shown, sizeof(shown));
        dr_print_note(d->cli, "note: a revision is half done; the ways out: drover repair --url %s",
                      shown);
    }
}

// The server's words in full in the place of those that an agent would report: who sits here may
// read the rows anyway.
static void
say_in_full(const struct dr_direct *d, const struct dr_engine_result *result, struct dr_err *err)
{
    const char *at = result->detail[0] != '\0' ? strstr(err->message, result->detail) : NULL;
    if (at == NULL || result->words[0] == '\0') {
        return;
    }
    const char *text =
        dr_arena_printf(d->cli->arena, "%.*s%s%s", (int)(at - err->message), err->message,
                        dr_print_safe(d->cli, result->words), at + strlen(result->detail));
    if (text != NULL) {
        snprintf(err->message, sizeof(err->message), "%s", text);
    }
}

enum dr_rc
dr_direct_run(struct dr_direct *d, struct dr_err *err)
{
    struct dr_engine_result result = {0};
    struct dr_engine_job job = dr_direct_job(d);
    enum dr_rc rc = dr_engine_run(d->engine, &job, d->cli->arena, &result, err);
    dr_progress_end(&d->progress);
    if (rc == DR_OK) {
        print_result(d, &result);
        return DR_OK;
    }
    dr_direct_failed_checks(d->cli, result.checks, result.checks_count);
    say_in_full(d, &result, err);
    dr_direct_place(d, &result, err);
    say_half_done(d);
    return rc;
}

void
dr_direct_nothing(struct dr_direct *d)
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
