// rehearse: a plan on a throw-away copy of a database, up, down and up again.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/rehearsal_view.h"

#include "db/db.h"
#include "engine/backup_find.h"
#include "engine/rehearse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MAX_MS (7ull * 24 * 3600 * 1000)
#define ROLES_MAX      64u

struct command {
    struct dr_cli *cli;
    const char *url;           // NULL: a backup alone
    const char *backup;        // NULL: the schema of the target
    struct dr_backup restored; // what is known of it
    Drover__V1__Engine engine;
    struct dr_graph *graph;
    struct dr_engine *target;
    struct dr_engine_state state;
    struct dr_nodes nodes;
    struct dr_plan plan;
    const char *roles[ROLES_MAX + 1];
    int cancel_fd;
    struct dr_rehearsal told;
    bool has_line; // of progress, on the terminal
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
find_roles(struct command *c, struct dr_err *err)
{
    const char *text = dr_cli_option(c->cli, "roles");
    size_t n = 0;
    for (size_t len = 0; text != NULL && *text != '\0'; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");
        if (len == 0) {
            continue;
        }
        if (n == ROLES_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "more than %u roles", ROLES_MAX);
        }
        c->roles[n] = dr_arena_strn(c->cli->arena, text, len);
        if (c->roles[n++] == NULL) {
            return no_memory(err);
        }
    }
    return DR_OK;
}

// -------------------------------------------------------------------------------------------- plan

static enum dr_rc
look_at_target(struct command *c, struct dr_err *err)
{
    const struct dr_engine_options options = {
        .url = c->url, .schema = dr_cli_option(c->cli, "schema"), .cancel_fd = c->cancel_fd};
    enum dr_rc rc = dr_engine_open(&options, &c->target, err);
    return rc == DR_OK ? dr_engine_read_state(c->target, c->cli->arena, true, false, &c->state, err)
                       : rc;
}

// What the target lacks of what was typed. What a backup lacks is known once it is restored: the
// whole way there is planned, and the rehearsal leaves out what is there.
static enum dr_rc
choose_nodes(struct command *c, struct dr_err *err)
{
    struct dr_names current = {0};
    const char *expr = c->cli->args_count > 0 ? c->cli->args[0] : "heads";
    const char **ids = dr_arena_array(c->cli->arena, c->state.heads_count + 1, sizeof *ids);
    if (ids == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < c->state.heads_count; i++) {
        ids[i] = c->state.heads[i].id;
    }
    current = (struct dr_names){.items = ids, .count = c->state.heads_count};
    if (strchr(expr, ':') != NULL) {
        return dr_graph_between(c->graph, expr, &current, c->cli->arena, &c->nodes, err);
    }
    if (c->backup != NULL) {
        const char *range = dr_arena_printf(c->cli->arena, "base:%s", expr);
        return range == NULL
                   ? no_memory(err)
                   : dr_graph_between(c->graph, range, &current, c->cli->arena, &c->nodes, err);
    }
    return dr_graph_upgrade(c->graph, expr, &current, c->cli->arena, &c->nodes, err);
}

// --------------------------------------------------------------------------------------------- run

static void
show_progress(void *arg, enum dr_rehearse_stage stage, const struct dr_engine_progress *p)
{
    struct command *c = arg;
    if (c->cli->quiet || c->cli->format != DR_CLI_TEXT || isatty(STDERR_FILENO) == 0) {
        return;
    }
    c->has_line = true;
    if (p == NULL) {
        fprintf(stderr, "\r\033[Krehearsing: %s",
                dr_rehearse_stage_word(stage, DROVER__V1__MODE__UP));
    } else if (!p->done) {
        fprintf(stderr, "\r\033[Krehearsing: %s, %zu of %zu: %s",
                dr_rehearse_stage_word(stage, DROVER__V1__MODE__UP), p->revision, p->revisions,
                dr_print_safe(c->cli, p->revision_id));
    }
    (void)fflush(stderr);
}

static enum dr_rc
rehearse(struct command *c, struct dr_err *err)
{
    uint64_t timeout = 0;
    enum dr_rc rc = dr_cli_duration(c->cli, "timeout", TIMEOUT_MAX_MS, 0, &timeout, err);
    const struct dr_rehearse_options options = {
        .url = c->url,
        .schema = dr_cli_option(c->cli, "schema"),
        .environment = dr_cli_option(c->cli, "environment"),
        .backup = c->backup == NULL ? NULL : &c->restored,
        .roles = c->roles,
        .timeout_ms = timeout,
        .cancel_fd = c->cancel_fd,
        .progress = show_progress,
        .progress_arg = c,
    };
    struct dr_engine_job job = {.plan = c->plan.message,
                                .mode = DROVER__V1__MODE__UP,
                                .file = dr_chain_file,
                                .file_arg = c->graph,
                                .is_own_plan = true};
    memcpy(job.plan_sha256, c->plan.digest, 32);
    rc = rc == DR_OK ? dr_rehearse(&options, &job, c->url == NULL ? NULL : &c->state, c->cli->arena,
                                   &c->told, err)
                     : rc;
    if (c->has_line) {
        fprintf(stderr, "\r\033[K");
    }
    return rc;
}

// -------------------------------------------------------------------------------------------- tell

static void
print_lines(const struct dr_cli *cli, const char *text, FILE *to)
{
    for (size_t len = 0; *text != '\0'; text += len) {
        len = strcspn(text, "\n");
        const char *line = dr_arena_strn(cli->arena, text, len);
        fprintf(to, "    %s\n", line ? dr_print_safe(cli, line) : "");
        len += text[len] == '\n';
    }
}

static void
print_text(struct command *c, const Drover__V1__Rehearsal *message, enum dr_rc rc)
{
    const struct dr_rehearsal *t = &c->told;
    char shown[512], time[32];
    dr_db_url_show(c->url != NULL ? c->url : "", shown, sizeof shown);
    if (t->units_count > 0 && !c->cli->quiet) {
        dr_rehearsal_print(c->cli, message, c->plan.message);
    }
    struct dr_buf line = {0};
    if (t->units_count > 0) {
        dr_rehearsal_summary(message, c->plan.message, DROVER__V1__MODE__UP, &line);
        dr_say(c->cli, "In all: %s\n", line.data ? line.data : "");
    }
    dr_buf_fini(&line);
    if (t->unlike[0] != '\0') {
        dr_print_note(c->cli, "note: the copy is not the target to the letter (- target, + copy):");
        print_lines(c->cli, t->unlike, stderr);
    }
    if (t->differences[0] != '\0') {
        (void)fflush(stdout);
        print_lines(c->cli, t->differences, stderr);
    }
    if (rc != DR_OK) {
        return;
    }
    dr_format_duration(time, t->duration_ms);
    if (t->units_count == 0) {
        dr_say(c->cli, "Nothing to rehearse: every revision is there already\n");
        return;
    }
    dr_say(c->cli, "Rehearsed on a copy of %s %s, %s %s, in %s\n",
           c->backup != NULL ? "the backup" : "the schema of",
           dr_print_safe(c->cli, c->backup != NULL ? c->backup : shown),
           c->engine == DROVER__V1__ENGINE__SQLITE ? "SQLite" : "PostgreSQL", t->server_version,
           time);
    dr_say(c->cli, t->went_back ? "Up, down and up again give equal schemas\n"
                                : "Only the way up was tried: there is no way back\n");
    if (t->went_back && t->no_way_back[0] != '\0') {
        dr_say(c->cli, "The way down was tried behind '%s', which has none\n", t->no_way_back);
    }
}

static void
print_json(struct command *c, const Drover__V1__Rehearsal *message, enum dr_rc rc,
           const struct dr_err *failure)
{
    static const char *const stages[] = {"", "copy", "up", "down", "again", "sizes"};
    const struct dr_rehearsal *t = &c->told;
    json_t *units = message == NULL ? json_array() : dr_rehearsal_json(message, c->plan.message);
    dr_print_json(c->cli,
                  json_pack("{s:s, s:b, s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:I, s:s, s:o}",
                            "schema", "drover.v1.Rehearse", "ok", rc == DR_OK, "stage",
                            stages[t->stage], "message", rc == DR_OK ? "" : failure->message,
                            "fromBackup", c->backup != NULL, "wentBack", t->went_back, "noWayBack",
                            t->no_way_back, "differences", t->differences, "unlike", t->unlike,
                            "durationMs", (json_int_t)t->duration_ms, "serverVersion",
                            t->server_version, "units", units));
}

static enum dr_rc
tell(struct command *c, enum dr_rc rc, struct dr_err *err)
{
    Drover__V1__Rehearsal *message = dr_rehearsal_message(&c->told, c->cli->arena);
    struct dr_direct place = {.cli = c->cli, .graph = c->graph, .url = c->url ? c->url : ""};
    bool was_run = c->told.stage != 0;
    if (message == NULL) {
        return rc != DR_OK ? rc : no_memory(err);
    }
    if (rc != DR_OK && was_run) {
        dr_direct_place(&place, &c->told.result, err);
        dr_direct_failed_checks(c->cli, c->told.result.checks, c->told.result.checks_count);
    }
    if (c->cli->format == DR_CLI_TEXT) {
        print_text(c, message, rc);
    } else if (was_run) {
        print_json(c, message, rc, err);
    }
    if (rc != DR_OK && c->told.stage > DR_REHEARSE_COPY && err->rc != DR_E_REHEARSAL_DIFFERS) {
        return dr_err_wrap(err, "on the copy, on the way %s",
                           dr_rehearse_stage_word(c->told.stage, DROVER__V1__MODE__UP));
    }
    return rc;
}

// -------------------------------------------------------------------------------------------- main

static enum dr_rc
find_source(struct command *c, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    c->backup = dr_cli_option(c->cli, "from-backup");
    c->url = c->backup == NULL ? dr_project_direct_url(c->cli) : NULL;
    if (c->backup != NULL && dr_cli_has(c->cli, "url")) {
        return dr_err_set(err, DR_E_USAGE, "--url and --from-backup are two sources");
    }
    if (c->backup != NULL) {
        rc = dr_backup_find(c->backup, NULL, c->cancel_fd, &c->restored, err);
        c->engine = dr_str_starts(c->restored.tool, "sqlite") ? DROVER__V1__ENGINE__SQLITE
                                                              : DROVER__V1__ENGINE__POSTGRESQL;
        return rc;
    }
    if (c->url == NULL) {
        (void)dr_err_set(err, DR_E_USAGE, "no database is named");
        return dr_err_hint(err, "drover rehearse --url postgresql:///name, or --from-backup FILE");
    }
    return dr_chain_engine(c->url, &c->engine, err);
}

enum dr_rc
dr_cmd_rehearse(struct dr_cli *cli, struct dr_err *err)
{
    struct command c = {.cli = cli, .cancel_fd = dr_cli_cancel_fd()};
    enum dr_rc rc = dr_project_maybe(cli, err);
    rc = rc == DR_OK ? find_source(&c, err) : rc;
    rc = rc == DR_OK ? find_roles(&c, err) : rc;
    rc = rc == DR_OK ? dr_chain_files_load(cli, &c.graph, err) : rc;
    rc = rc == DR_OK && c.url != NULL ? look_at_target(&c, err) : rc;
    rc = rc == DR_OK ? choose_nodes(&c, err) : rc;
    rc = rc == DR_OK ? dr_plan_compile(cli->project->name[0] != '\0' ? cli->project->name : "test",
                                       c.engine, &c.nodes, cli->arena, &c.plan, err)
                     : rc;
    if (rc == DR_OK) {
        c.told = (struct dr_rehearsal){
            .server_version = "", .no_way_back = "", .unlike = "", .differences = ""};
        rc = c.nodes.count > 0 ? rehearse(&c, err) : DR_OK;
        rc = tell(&c, rc, err);
    }
    dr_engine_close(&c.target);
    dr_graph_free(&c.graph);
    if (c.cancel_fd >= 0) {
        (void)close(c.cancel_fd);
    }
    return rc;
}
