// Schema source: where a schema comes from, and how it is read: a database, a file of statements,
// or a place in the chain; the last two are built in a scratch database.
#ifndef DR_CLI_SCHEMA_SOURCE_H
#define DR_CLI_SCHEMA_SOURCE_H

#include "coordinator/cli/cli.h"
#include "coordinator/cli/scratch_server.h"
#include "db/db.h"
#include "engine/scratch.h"
#include "revision/graph.h"
#include "schema/catalog.h"

struct dr_pg;
struct dr_sqlite;

#define DR_SCHEMA_FILE_MAX (32u * 1048576u) // bytes of a file of statements

// What the sources of one command share: the scratch server, started when the first needs it.
// `{.cli = cli}` is ready; dr_schema_shared_close at the end.
struct dr_schema_shared {
    struct dr_cli *cli;
    struct dr_scratch_server server;
};
void dr_schema_shared_close(struct dr_schema_shared *shared);

// One schema. `{0}` is closed.
struct dr_schema_source {
    const char *shown; // for messages, without a password
    enum dr_db_kind engine;
    const char *url;           // of the database that holds it
    struct dr_scratch scratch; // closed for a database that is there anyway
    struct dr_catalog catalog;
    const char *print; // the fingerprint's text
};

// What `text` names: a URL, an existing FILE.sql, or a revision expression ("head", "base", an id).
// `engine` (UNKNOWN: the project's) decides for what is built. Errors of the database, of
// dr_graph_resolve and of the statements, with file and line; DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_schema_source_open(struct dr_schema_shared *shared, const char *text, enum dr_db_kind engine,
                      struct dr_schema_source *out, struct dr_err *err);
// Builds these revisions (parents first).
DR_MUST_CHECK enum dr_rc
dr_schema_source_build(struct dr_schema_shared *shared, struct dr_graph *graph,
                       const struct dr_nodes *nodes, enum dr_db_kind engine,
                       struct dr_schema_source *out, struct dr_err *err);
// Reads catalog and fingerprint again, after something changed there.
DR_MUST_CHECK enum dr_rc dr_schema_source_read(struct dr_schema_shared *shared,
                                               struct dr_schema_source *source, struct dr_err *err);
// The same as they would be after `count` statements, which are taken back.
DR_MUST_CHECK enum dr_rc
dr_schema_source_read_after(struct dr_schema_shared *shared, struct dr_schema_source *source,
                            const char *const *sql, size_t count, struct dr_err *err);
void dr_schema_source_close(struct dr_schema_source *source);

// The engine of a text that is a URL; else --engine; else that of the project's url, else of the
// revisions; PostgreSQL when nothing tells.
DR_MUST_CHECK enum dr_rc dr_schema_engine(struct dr_schema_shared *shared, const char *text,
                                          enum dr_db_kind *out, struct dr_err *err);

// schema_load.c: runs the statements of a file in an empty database, one by one. Commands of psql
// (\restrict, \connect), BEGIN, COMMIT and changes of owner are left out. Errors with file and
// line.
DR_MUST_CHECK enum dr_rc
dr_schema_load(struct dr_schema_shared *shared, const char *path, enum dr_db_kind engine,
               const char *url, struct dr_err *err);
// Makes the role that an error says is missing, in a private server: true when it did, and the
// statement is worth another try.
bool dr_schema_make_role(const struct dr_schema_shared *shared, const char *message);

#endif
