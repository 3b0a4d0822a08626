// stamp: records a revision as what is there, without running anything. On one database it believes
// only what the schema shows: it must be what the chain makes of an empty database, or a person
// names the difference. With a coordinator it is a rollout that people approve.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/stamp_nodes.h"

#include "db/db.h"
#include "engine/fingerprint.h"
#include "engine/repair.h"
#include "engine/scratch.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIFF_LINES 40u

struct stamping {
    struct dr_direct d;
    Drover__V1__Engine engine;
    struct dr_stamp_nodes nodes;
    struct dr_engine_state expected; // what the chain makes
};

static size_t
count_lines(const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c != '\0'; c++) {
        n += *c == '\n';
    }
    return n;
}

// ------------------------------------------------------------------------------------------- proof

static enum dr_rc
expect_schema(struct stamping *s, struct dr_err *err)
{
    struct dr_cli *cli = s->d.cli;
    struct dr_scratch scratch = {0};
    struct dr_plan plan = {0};
    struct dr_engine_job job = {
        .mode = DROVER__V1__MODE__UP, .file = dr_chain_file, .file_arg = s->d.graph};
    enum dr_rc rc = DR_OK;
    if (s->nodes.after.count > 0) {
        rc =
            dr_plan_compile(cli->project->name, s->engine, &s->nodes.after, cli->arena, &plan, err);
        job.plan = plan.message;
        memcpy(job.plan_sha256, plan.digest, 32);
    }
    rc = rc == DR_OK ? dr_scratch_open(s->d.url, dr_cli_option(cli, "scratch"), &scratch, err) : rc;
    if (rc == DR_OK) {
        rc = dr_scratch_build(&scratch, &job, dr_cli_option(cli, "environment"),
                              dr_cli_option(cli, "schema"), cli->arena, &s->expected, err);
    }
    dr_scratch_close(&scratch);
    return rc;
}

// The difference was looked at, and this is its name.
static bool
is_accepted(const struct dr_cli *cli, const char *difference)
{
    const char *given = dr_cli_option(cli, "accept-difference");
    return given != NULL && dr_str_eq(given, difference);
}

static void
say_lines(const struct dr_cli *cli, const char *text)
{
    for (size_t len = 0; *text != '\0'; text += len) {
        len = strcspn(text, "\n");
        const char *line = dr_arena_strn(cli->arena, text, len);
        fprintf(stderr, "  %s\n", line ? dr_print_safe(cli, line) : "");
        len += text[len] == '\n';
    }
}

static void
show_difference(struct stamping *s, const char *difference)
{
    struct dr_buf diff = {0};
    size_t n = dr_fingerprint_diff(s->expected.fingerprint_text, s->d.state.fingerprint_text,
                                   DIFF_LINES, &diff);
    if (s->d.cli->format != DR_CLI_TEXT) {
        dr_print_json(s->d.cli,
                      json_pack("{s:s, s:b, s:i, s:s, s:s}", "schema", "drover.v1.StampDifference",
                                "matches", false, "objects", (int)n, "difference", difference,
                                "text", diff.data ? diff.data : ""));
    } else {
        fflush(stdout);
        fprintf(stderr,
                "The schema is not what the chain makes; %zu object%s (- missing here, + "
                "only here):\n",
                n, n == 1 ? " differs" : "s differ");
        say_lines(s->d.cli, diff.data ? diff.data : "");
    }
    dr_buf_fini(&diff);
}

static enum dr_rc
prove(struct stamping *s, struct dr_err *err)
{
    struct dr_cli *cli = s->d.cli;
    const char *given = dr_cli_option(cli, "accept-difference");
    uint8_t digest[32];
    char hex[65];
    enum dr_rc rc = expect_schema(s, err);
    if (rc != DR_OK) {
        return rc;
    }
    size_t objects = count_lines(s->expected.fingerprint_text);
    if (memcmp(s->expected.fingerprint, s->d.state.fingerprint, 32) == 0) {
        dr_say(cli, "The schema matches %s (%zu objects)\n", s->d.expr, objects);
        return DR_OK;
    }
    dr_repair_difference(s->expected.fingerprint, s->d.state.fingerprint, digest);
    dr_hex(hex, digest, 32);
    if (is_accepted(cli, hex)) {
        dr_print_note(cli, "note: the schema differs from the chain's; the difference was accepted "
                           "by its name");
        return DR_OK;
    }
    show_difference(s, hex);
    (void)dr_err_set(err, DR_E_DIFFERENCE,
                     given ? "the difference is another one than the one that was accepted"
                           : "the schema is not what revision '%s' leaves: nothing was recorded",
                     s->d.expr);
    return dr_err_hint(err,
                       "mend the schema, or accept exactly this difference: the same command with "
                       "--accept-difference %s",
                       hex);
}

// ------------------------------------------------------------------------------------------ record

static enum dr_rc
record(struct stamping *s, const struct dr_nodes *nodes, Drover__V1__Mode mode, struct dr_err *err)
{
    struct dr_direct *d = &s->d;
    if (nodes->count == 0) {
        return DR_OK;
    }
    d->nodes = *nodes;
    d->mode = mode;
    d->shown = NULL;
    d->expect_fingerprint = d->state.fingerprint; // nobody changed it since it was compared
    enum dr_rc rc =
        dr_plan_compile(d->cli->project->name, s->engine, nodes, d->cli->arena, &d->plan, err);
    return rc == DR_OK ? dr_direct_run(d, err) : rc;
}

static enum dr_rc
stamp_open(struct stamping *s, struct dr_err *err)
{
    struct dr_direct *d = &s->d;
    enum dr_rc rc = dr_chain_engine(d->url, &s->engine, err);
    rc = rc == DR_OK ? dr_engine_read_state(d->engine, d->cli->arena, true, true, &d->state, err)
                     : rc;
    rc = rc == DR_OK
             ? dr_stamp_choose(d->graph, d->expr, &d->state.ledger, d->cli->arena, &s->nodes, err)
             : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (s->nodes.up.count == 0 && s->nodes.down.count == 0) {
        dr_direct_nothing(d);
        return DR_OK;
    }
    const char *hint = dr_arena_printf(d->cli->arena,
                                       "drover stamp %s -t TARGET without --url, "
                                       "which makes a rollout",
                                       d->expr);
    rc = dr_direct_check_owner(d, hint ? hint : "", err);
    rc = rc == DR_OK ? prove(s, err) : rc;
    rc = rc == DR_OK ? record(s, &s->nodes.down, DROVER__V1__MODE__UNSTAMP, err) : rc;
    return rc == DR_OK ? record(s, &s->nodes.up, DROVER__V1__MODE__STAMP, err) : rc;
}

static enum dr_rc
stamp_direct(struct dr_cli *cli, const char *url, struct dr_err *err)
{
    struct stamping s = {.d = {.cli = cli, .url = url, .expr = cli->args[0]}};
    int cancel_fd = dr_cli_cancel_fd();
    enum dr_rc rc = dr_chain_files_load(cli, &s.d.graph, err);
    rc = rc == DR_OK ? dr_direct_open(&s.d, cancel_fd, err) : rc;
    rc = rc == DR_OK ? stamp_open(&s, err) : rc;
    dr_engine_close(&s.d.engine);
    dr_graph_free(&s.d.graph);
    if (cancel_fd >= 0) {
        close(cancel_fd);
    }
    return rc;
}

enum dr_rc
dr_cmd_stamp(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(cli, err);
    const char *url = rc == DR_OK ? dr_project_direct_url(cli) : NULL;
    if (rc != DR_OK || url != NULL) {
        return rc != DR_OK ? rc : stamp_direct(cli, url, err);
    }
    if (cli->project->coordinator[0] == '\0') {
        (void)dr_err_set(err, DR_E_USAGE, "no database and no coordinator is named");
        return dr_err_hint(err, "drover stamp %s --url postgresql:///name, or --url sqlite:FILE",
                           cli->args[0]);
    }
    return dr_stamp_target(cli, err);
}
