// Reads schemas from where a person says they are. See schema_source.h.

#include "coordinator/cli/schema_source.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/fingerprint.h"

#include <string.h>

#define READ_MS  60000
#define ROLE_MAX 64 // roles that are made for one chain

void
dr_schema_shared_close(struct dr_schema_shared *shared)
{
    dr_scratch_server_close(&shared->server);
}

void
dr_schema_source_close(struct dr_schema_source *source)
{
    dr_scratch_close(&source->scratch);
    *source = (struct dr_schema_source){0};
}

static const char *
schema_of(const struct dr_schema_shared *shared)
{
    return dr_cli_option(shared->cli, "schema");
}

// ---------------------------------------------------------------------------------------- read

static enum dr_rc
keep_print(struct dr_schema_shared *shared, struct dr_schema_source *source,
           struct dr_fingerprint *print, struct dr_err *err)
{
    source->print = dr_arena_str(shared->cli->arena, print->text);
    dr_fingerprint_fini(print);
    return source->print != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
read_pg(struct dr_schema_shared *shared, struct dr_schema_source *source, const char *const *sql,
        size_t count, struct dr_err *err)
{
    const struct dr_pg_options options = {.url = source->url, .target = "schema"};
    const struct dr_fingerprint_options prints = {.schema = schema_of(shared)};
    struct dr_fingerprint print = {0};
    struct dr_pg *pg = NULL;
    struct dr_db_wait wait = dr_db_wait_ms(READ_MS);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    rc =
        rc == DR_OK
            ? dr_pg_run(pg, count > 0 ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                        &wait, err)
            : rc;
    if (rc == DR_OK && count > 0) {
        rc = dr_pg_run(pg, "SET LOCAL search_path = public", &wait, err);
    }
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = dr_pg_run(pg, sql[i], &wait, err);
    }
    rc = rc == DR_OK ? dr_fingerprint_pg(pg, &prints, &wait, &print, err) : rc;
    rc = rc == DR_OK ? keep_print(shared, source, &print, err) : rc;
    rc = rc == DR_OK
             ? dr_catalog_pg(pg, prints.schema, &wait, shared->cli->arena, &source->catalog, err)
             : rc;
    dr_pg_close(&pg); // what was done goes
    return rc;
}

static enum dr_rc
read_sqlite(struct dr_schema_shared *shared, struct dr_schema_source *source,
            const char *const *sql, size_t count, struct dr_err *err)
{
    const struct dr_sqlite_options options = {.read_only = count == 0};
    const struct dr_fingerprint_options prints = {0};
    struct dr_fingerprint print = {0};
    struct dr_sqlite *db = NULL;
    char path[DR_DB_URL_MAX];
    enum dr_rc rc = dr_db_sqlite_path(source->url, path, sizeof(path), err);
    if (rc == DR_OK && count == 0 && source->scratch.url != NULL && !dr_path_exists(path)) {
        source->print = "";
        source->catalog = (struct dr_catalog){.engine = DR_DB_SQLITE};
        return DR_OK; // nothing was built: base
    }
    rc = rc == DR_OK ? dr_sqlite_open(path, &options, &db, err) : rc;
    rc = rc == DR_OK ? (count > 0 ? dr_sqlite_begin(db, err) : dr_sqlite_begin_read(db, err)) : rc;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = dr_sqlite_exec(db, sql[i], strlen(sql[i]), NULL, NULL, err);
    }
    rc = rc == DR_OK ? dr_fingerprint_sqlite(db, &prints, &print, err) : rc;
    rc = rc == DR_OK ? keep_print(shared, source, &print, err) : rc;
    rc = rc == DR_OK ? dr_catalog_sqlite(db, shared->cli->arena, &source->catalog, err) : rc;
    dr_sqlite_close(&db);
    return rc;
}

enum dr_rc
dr_schema_source_read_after(struct dr_schema_shared *shared, struct dr_schema_source *source,
                            const char *const *sql, size_t count, struct dr_err *err)
{
    enum dr_rc rc = source->engine == DR_DB_SQLITE ? read_sqlite(shared, source, sql, count, err)
                                                   : read_pg(shared, source, sql, count, err);
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "%s", source->shown);
}

enum dr_rc
dr_schema_source_read(struct dr_schema_shared *shared, struct dr_schema_source *source,
                      struct dr_err *err)
{
    return dr_schema_source_read_after(shared, source, NULL, 0, err);
}

// -------------------------------------------------------------------------------------- engines

static enum dr_db_kind
kind_of_bits(unsigned bits)
{
    return (bits & DR_ENGINE_POSTGRESQL) != 0 ? DR_DB_POSTGRES : DR_DB_SQLITE;
}

// What all revisions are for, by the newest.
static enum dr_rc
engine_of_chain(struct dr_schema_shared *shared, enum dr_db_kind *out, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    enum dr_rc rc = dr_project_maybe(shared->cli, err);
    if (rc != DR_OK || !dr_path_exists(shared->cli->project->revisions)) {
        return rc;
    }
    rc = dr_chain_drafts_load(shared->cli, &graph, err);
    size_t count = rc == DR_OK ? dr_graph_count(graph) : 0;
    if (count > 0) {
        *out = kind_of_bits(dr_graph_at(graph, count - 1)->revision->engines);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_schema_engine(struct dr_schema_shared *shared, const char *text, enum dr_db_kind *out,
                 struct dr_err *err)
{
    const char *given = dr_cli_option(shared->cli, "engine");
    *out = text != NULL ? dr_db_kind_of(text) : DR_DB_UNKNOWN;
    if (*out != DR_DB_UNKNOWN) {
        return DR_OK;
    }
    if (given != NULL) {
        *out = dr_str_starts(given, "postgres") ? DR_DB_POSTGRES
               : dr_str_eq(given, "sqlite")     ? DR_DB_SQLITE
                                                : DR_DB_UNKNOWN;
        if (*out == DR_DB_UNKNOWN) {
            (void)dr_err_set(err, DR_E_USAGE, "there is no engine '%s'", given);
            return dr_err_hint(err, "--engine postgresql or --engine sqlite");
        }
        return DR_OK;
    }
    enum dr_rc rc = engine_of_chain(shared, out, err);
    *out = rc == DR_OK && *out == DR_DB_UNKNOWN ? DR_DB_POSTGRES : *out;
    return rc;
}

// --------------------------------------------------------------------------------------- scratch

static enum dr_rc
open_scratch(struct dr_schema_shared *shared, enum dr_db_kind engine,
             struct dr_schema_source *source, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (engine == DR_DB_POSTGRES && shared->server.url == NULL) {
        rc = dr_scratch_server_open(shared->cli, &shared->server, err);
    }
    rc = rc == DR_OK ? dr_scratch_open(engine == DR_DB_POSTGRES ? shared->server.url : "sqlite:x",
                                       NULL, &source->scratch, err)
                     : rc;
    source->engine = engine;
    source->url = source->scratch.url;
    return rc;
}

static enum dr_rc
build_once(struct dr_schema_shared *shared, struct dr_graph *graph, const struct dr_nodes *nodes,
           enum dr_db_kind engine, struct dr_schema_source *source, struct dr_err *err)
{
    struct dr_cli *cli = shared->cli;
    struct dr_plan plan = {0};
    struct dr_engine_state state = {0};
    struct dr_engine_job job = {.mode = DROVER__V1__MODE__UP,
                                .file = dr_chain_file,
                                .file_arg = graph,
                                .is_own_plan = true};
    enum dr_rc rc = open_scratch(shared, engine, source, err);
    if (rc == DR_OK && nodes->count > 0) {
        rc = dr_plan_compile(cli->project->name[0] ? cli->project->name : "schema",
                             engine == DR_DB_SQLITE ? DROVER__V1__ENGINE__SQLITE
                                                    : DROVER__V1__ENGINE__POSTGRESQL,
                             nodes, cli->arena, &plan, err);
        job.plan = plan.message;
        memcpy(job.plan_sha256, plan.digest, 32);
        rc = rc == DR_OK
                 ? dr_scratch_build(&source->scratch, &job, dr_cli_option(cli, "environment"),
                                    schema_of(shared), cli->arena, &state, err)
                 : rc;
    }
    return rc;
}

enum dr_rc
dr_schema_source_build(struct dr_schema_shared *shared, struct dr_graph *graph,
                       const struct dr_nodes *nodes, enum dr_db_kind engine,
                       struct dr_schema_source *out, struct dr_err *err)
{
    struct dr_schema_source source = {.shown = "the chain"};
    enum dr_rc rc = build_once(shared, graph, nodes, engine, &source, err);
    for (int i = 0;
         rc != DR_OK && err != NULL && i < ROLE_MAX && dr_schema_make_role(shared, err->message);
         i++) {
        dr_schema_source_close(&source);
        source.shown = "the chain";
        rc = build_once(shared, graph, nodes, engine, &source, err);
    }
    rc = rc == DR_OK ? dr_schema_source_read(shared, &source, err) : rc;
    if (rc != DR_OK) {
        dr_schema_source_close(&source);
        return rc;
    }
    *out = source;
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ open

static enum dr_rc
open_revision(struct dr_schema_shared *shared, const char *text, enum dr_db_kind engine,
              struct dr_schema_source *out, struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_project_maybe(shared->cli, err);
    rc = rc == DR_OK ? dr_chain_files_load(shared->cli, &graph, err) : rc;
    bool is_empty = rc == DR_OK && (dr_str_eq(text, "base") ||
                                    (dr_graph_count(graph) == 0 && dr_str_eq(text, "head")));
    if (rc == DR_OK && !is_empty) {
        rc = dr_graph_upgrade(graph, text, &none, shared->cli->arena, &nodes, err);
    }
    rc = rc == DR_OK ? dr_schema_source_build(shared, graph, &nodes, engine, out, err) : rc;
    if (rc == DR_OK) {
        const char *shown = dr_arena_printf(shared->cli->arena, "revision %s", text);
        out->shown = shown ? shown : "the chain";
    }
    dr_graph_free(&graph);
    return rc;
}

static enum dr_rc
open_file(struct dr_schema_shared *shared, const char *path, enum dr_db_kind engine,
          struct dr_schema_source *out, struct dr_err *err)
{
    struct dr_schema_source source = {.shown = path};
    enum dr_rc rc = open_scratch(shared, engine, &source, err);
    source.shown = path;
    rc = rc == DR_OK ? dr_schema_load(shared, path, engine, source.url, err) : rc;
    rc = rc == DR_OK ? dr_schema_source_read(shared, &source, err) : rc;
    if (rc != DR_OK) {
        dr_schema_source_close(&source);
        return rc;
    }
    *out = source;
    return DR_OK;
}

enum dr_rc
dr_schema_source_open(struct dr_schema_shared *shared, const char *text, enum dr_db_kind engine,
                      struct dr_schema_source *out, struct dr_err *err)
{
    enum dr_db_kind kind = dr_db_kind_of(text);
    if (kind != DR_DB_UNKNOWN) {
        char shown[512];
        dr_db_url_show(text, shown, sizeof(shown));
        struct dr_schema_source source = {.engine = kind, .url = text};
        source.shown = dr_arena_str(shared->cli->arena, shown);
        source.shown = source.shown ? source.shown : "the database";
        enum dr_rc rc = dr_schema_source_read(shared, &source, err);
        *out = rc == DR_OK ? source : *out;
        return rc;
    }
    enum dr_rc rc = DR_OK;
    if (engine == DR_DB_UNKNOWN) {
        rc = dr_schema_engine(shared, NULL, &engine, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (dr_str_ends(text, ".sql") || strchr(text, '/') != NULL) {
        return open_file(shared, text, engine, out, err);
    }
    return open_revision(shared, text, engine, out, err);
}
