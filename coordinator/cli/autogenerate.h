// Autogenerate: the revision that leads from the chain's schema to a desired one, written and then
// proved by running it.
#ifndef DR_CLI_AUTOGENERATE_H
#define DR_CLI_AUTOGENERATE_H

#include "coordinator/cli/check.h"
#include "coordinator/cli/new_revision.h"
#include "coordinator/cli/schema_source.h"
#include "schema/diff.h"
#include "schema/write.h"

// One comparison. `{.shared = {.cli = cli}}` is ready.
struct dr_autogenerate {
    struct dr_schema_shared shared;
    struct dr_schema_source chain;   // all revisions of the folder, in a scratch database
    struct dr_schema_source desired; // what it is compared with
    enum dr_db_kind engine;
    const char *before; // the chain's fingerprint text
    struct dr_schema_change *changes;
    size_t changes_count;
    const struct dr_schema_rename **renames; // that were agreed to
    size_t renames_count;
    const struct dr_schema_rename **doubts; // that may be
    size_t doubts_count;
    struct dr_schema_script up, down;
};

// autogenerate_text.c: fills header, body and engine of `new` from up and down. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_autogenerate_text(struct dr_autogenerate *a, struct dr_new_revision *new, struct dr_err *err);

// autogenerate_prove.c: runs revision `id` of the folder up and down in the chain's scratch
// database. What is left for hand work is said; `*out_proved` when nothing is. Errors of the
// engine, with the file's line.
DR_MUST_CHECK enum dr_rc dr_autogenerate_prove(struct dr_autogenerate *a, const char *id,
                                               json_t *rows, bool *out_proved, struct dr_err *err);

// `drover revision --autogenerate`: all of it for `new`, of which parents and id are chosen.
DR_MUST_CHECK enum dr_rc dr_autogenerate_run(struct dr_cli *cli, struct dr_graph *graph,
                                             struct dr_new_revision *new, struct dr_err *err);

// The row of `drover check`: is the chain's head the desired schema? Says nothing when none is
// named.
DR_MUST_CHECK enum dr_rc dr_check_schema(struct dr_checking *check, struct dr_err *err);

#endif
