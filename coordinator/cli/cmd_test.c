// test: every revision up, down and up again on scratch databases.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/scratch_server.h"
#include "coordinator/cli/testing.h"
#include "coordinator/cli/testing_view.h"

#include "base/file.h"
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENGINES   2u
#define JUNIT_MAX (64u << 20)

static const struct {
    Drover__V1__Engine engine;
    unsigned bit;
    const char *name;
} engines[ENGINES] = {
    {DROVER__V1__ENGINE__POSTGRESQL, DR_ENGINE_POSTGRESQL, "postgresql"},
    {DROVER__V1__ENGINE__SQLITE, DR_ENGINE_SQLITE, "sqlite"},
};

struct command {
    struct dr_cli *cli;
    struct dr_graph *graph;
    struct dr_nodes range;
    struct dr_testing parts[ENGINES];
    size_t parts_count;
    struct dr_scratch_server server;
    int cancel_fd;
};

// ----------------------------------------------------------------------------------------- engines

// --engine: a mask; 0 when it is not given.
static enum dr_rc
asked_engines(const struct dr_cli *cli, unsigned *out, struct dr_err *err)
{
    const char *text = dr_cli_option(cli, "engine");
    unsigned mask = 0;
    for (size_t len = 0; text != NULL && *text != '\0'; text += len + (text[len] == ',')) {
        unsigned found = 0;
        len = strcspn(text, ",");
        for (size_t i = 0; i < ENGINES; i++) {
            bool is_it = len == strlen(engines[i].name) && memcmp(text, engines[i].name, len) == 0;
            found |= is_it ? engines[i].bit : 0;
        }
        if (found == 0) {
            (void)dr_err_set(err, DR_E_USAGE, "unknown engine '%.*s'", (int)(len > 40 ? 40 : len),
                             text);
            return dr_err_hint(err, "--engine postgresql, sqlite, or both with a comma");
        }
        mask |= found;
    }
    *out = mask;
    return DR_OK;
}

// Without --engine: those that headers name. Where no header does, that of the project's database,
// else PostgreSQL.
static unsigned
wanted_engines(const struct command *c)
{
    unsigned mask = 0;
    for (size_t i = 0; i < c->range.count; i++) {
        const struct dr_revision *r = c->range.items[i]->revision;
        mask |= r->engine_line > 0 ? r->engines : 0;
    }
    if (mask != 0) {
        return mask;
    }
    bool is_sqlite = dr_db_kind_of(c->cli->project->url) == DR_DB_SQLITE;
    return is_sqlite ? DR_ENGINE_SQLITE : DR_ENGINE_POSTGRESQL;
}

// ------------------------------------------------------------------------------------------- range

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
find_range(struct command *c, struct dr_err *err)
{
    const struct dr_names none = {0};
    const char *expr = c->cli->args_count > 0 ? c->cli->args[0] : "base:heads";
    enum dr_rc rc = dr_graph_between(c->graph, expr, &none, c->cli->arena, &c->range, err);
    if (rc == DR_OK && c->range.count == 0) {
        (void)dr_err_set(err, DR_E_REVISION_UNKNOWN, "there is no revision to test");
        return dr_err_hint(err, c->cli->args_count > 0
                                    ? "A:B begins behind A: drover test :B, or drover test -1:head"
                                    : "drover revision -m \"...\" writes one");
    }
    return rc;
}

// Marks what a node stands on; it and they are for the engine. `state`: 0 unknown, 1 yes, 2 no.
static bool
is_for_engine(const struct dr_node *node, unsigned bit, const uint8_t *state)
{
    bool is_it = (node->revision->engines & bit) != 0;
    for (size_t i = 0; is_it && i < node->parent_count; i++) {
        is_it = state[node->parents[i]->index] == 1;
    }
    for (size_t i = 0; is_it && i < node->depends_on_count; i++) {
        is_it = state[node->depends_on[i]->index] == 1;
    }
    return is_it;
}

// Marks all that is needed below the tested ones: `needed` by index, from the newest on.
static void
mark_needed(const struct dr_graph *graph, uint8_t *needed)
{
    for (size_t i = dr_graph_count(graph); i > 0; i--) {
        const struct dr_node *node = dr_graph_at(graph, i - 1);
        for (size_t k = 0; needed[node->index] != 0 && k < node->parent_count; k++) {
            needed[node->parents[k]->index] |= 1;
        }
        for (size_t k = 0; needed[node->index] != 0 && k < node->depends_on_count; k++) {
            needed[node->depends_on[k]->index] |= 1;
        }
    }
}

// What is not written yet cannot be run; a range that does not stand on it can.
static enum dr_rc
refuse_draft(const struct command *c, const struct dr_err *defect, struct dr_err *err)
{
    *err = *defect;
    return c->cli->args_count > 0 || defect->hint[0] == '\0'
               ? err->rc
               : dr_err_hint(err, "%s; drover test A:B tests a part of the chain", defect->hint);
}

// The part of one engine: which revisions are tested there, and which are only built.
static enum dr_rc
make_part(struct command *c, size_t engine, struct dr_testing *out, struct dr_err *err)
{
    struct dr_arena *arena = c->cli->arena;
    size_t all = dr_graph_count(c->graph);
    uint8_t *state = dr_arena_array(arena, all + 1, 1), *needed = dr_arena_array(arena, all + 1, 1);
    out->before.items = dr_arena_array(arena, all + 1, sizeof *out->before.items);
    out->nodes.items = dr_arena_array(arena, all + 1, sizeof *out->nodes.items);
    if (!state || !needed || !out->before.items || !out->nodes.items) {
        return no_memory(err);
    }
    for (size_t i = 0; i < all; i++) {
        const struct dr_node *node = dr_graph_at(c->graph, i);
        state[node->index] = is_for_engine(node, engines[engine].bit, state) ? 1 : 2;
    }
    for (size_t i = 0; i < c->range.count; i++) {
        const struct dr_node *node = c->range.items[i];
        needed[node->index] |= state[node->index] == 1 ? 2 : 0;
        if (state[node->index] == 2 && (node->revision->engines & engines[engine].bit) != 0) {
            dr_print_note(c->cli, "note: '%s' is not tested on %s: what it stands on is not for it",
                          node->revision->id, engines[engine].name);
        }
    }
    mark_needed(c->graph, needed);
    for (size_t i = 0; i < all; i++) {
        const struct dr_node *node = dr_graph_at(c->graph, i);
        struct dr_nodes *list = needed[i] >= 2 ? &out->nodes : &out->before;
        if (needed[i] != 0 && node->revision->defect != NULL) {
            return refuse_draft(c, node->revision->defect, err);
        }
        if (needed[i] != 0) {
            list->items[list->count++] = node;
        }
    }
    return DR_OK;
}

static enum dr_rc
make_parts(struct command *c, struct dr_err *err)
{
    unsigned mask = 0;
    enum dr_rc rc = asked_engines(c->cli, &mask, err);
    mask = mask == 0 ? wanted_engines(c) : mask;
    for (size_t i = 0; rc == DR_OK && i < ENGINES; i++) {
        struct dr_testing part = {.cli = c->cli,
                                  .graph = c->graph,
                                  .engine = engines[i].engine,
                                  .name = engines[i].name,
                                  .environment = dr_cli_option(c->cli, "environment"),
                                  .cancel_fd = c->cancel_fd};
        if ((mask & engines[i].bit) == 0) {
            continue;
        }
        rc = make_part(c, i, &part, err);
        if (rc == DR_OK && part.nodes.count > 0) {
            c->parts[c->parts_count++] = part;
        }
    }
    if (rc == DR_OK && c->parts_count == 0) {
        (void)dr_err_set(err, DR_E_REVISION_ENGINE, "no revision of the range is for that engine");
        return dr_err_hint(err, "the header says for which: -- Engine: postgresql, sqlite");
    }
    return rc;
}

// --------------------------------------------------------------------------------------------- run

// One line on a terminal, overwritten.
static void
show_progress(void *arg, const struct dr_testing *t, size_t done)
{
    const struct dr_cli *cli = arg;
    if (cli->quiet || cli->format != DR_CLI_TEXT || isatty(STDERR_FILENO) == 0) {
        return;
    }
    if (done < t->nodes.count) {
        fprintf(stderr, "\r\033[Ktesting %zu of %zu on %s: %s", done + 1, t->nodes.count, t->name,
                t->nodes.items[done]->revision->id);
    } else {
        fprintf(stderr, "\r\033[K");
    }
    (void)fflush(stderr);
}

static enum dr_rc
run_parts(struct command *c, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < c->parts_count; i++) {
        struct dr_testing *t = &c->parts[i];
        bool is_server = t->engine == DROVER__V1__ENGINE__POSTGRESQL;
        rc = is_server ? dr_scratch_server_open(c->cli, &c->server, err) : DR_OK;
        t->server_url = is_server ? c->server.url : "sqlite:scratch.db";
        t->progress = show_progress;
        t->progress_arg = c->cli;
        rc = rc == DR_OK ? dr_testing_run(t, err) : rc;
        show_progress(c->cli, t, t->nodes.count);
        dr_scratch_server_close(&c->server);
        if (rc != DR_OK && rc != DR_E_INTERRUPTED && err->file[0] == '\0') {
            return dr_err_wrap(err, "testing on %s", t->name);
        }
    }
    return rc;
}

static enum dr_rc
write_junit(const struct command *c, struct dr_err *err)
{
    const char *path = dr_cli_option(c->cli, "junit");
    struct dr_buf out = {.max = JUNIT_MAX};
    if (path == NULL) {
        return DR_OK;
    }
    dr_testing_junit(c->parts, c->parts_count, &out);
    enum dr_rc rc = out.failed ? no_memory(err) : dr_file_write(path, out.data, out.len, 0644, err);
    dr_buf_fini(&out);
    return rc;
}

static enum dr_rc
tell(struct command *c, struct dr_err *err)
{
    enum dr_rc rc = write_junit(c, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (c->cli->format == DR_CLI_TEXT) {
        dr_testing_print(c->cli, c->parts, c->parts_count);
    } else {
        dr_print_json(c->cli, dr_testing_json(c->parts, c->parts_count));
    }
    for (size_t i = 0; i < c->parts_count; i++) {
        c->cli->exit_code = c->parts[i].failed > 0 ? 1 : c->cli->exit_code;
    }
    return DR_OK;
}

enum dr_rc
dr_cmd_test(struct dr_cli *cli, struct dr_err *err)
{
    struct command c = {.cli = cli, .cancel_fd = -1};
    enum dr_rc rc = dr_chain_drafts_load(cli, &c.graph, err);
    c.cancel_fd = dr_cli_cancel_fd();
    rc = rc == DR_OK ? find_range(&c, err) : rc;
    rc = rc == DR_OK ? make_parts(&c, err) : rc;
    rc = rc == DR_OK ? run_parts(&c, err) : rc;
    rc = rc == DR_OK ? tell(&c, err) : rc;
    dr_scratch_server_close(&c.server);
    dr_graph_free(&c.graph);
    if (c.cancel_fd >= 0) {
        (void)close(c.cancel_fd);
    }
    return rc;
}
