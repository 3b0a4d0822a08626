// Applied: which revisions of an imported chain a database has, by the tool's own table.
#ifndef DR_IMPORT_APPLIED_H
#define DR_IMPORT_APPLIED_H

#include "coordinator/import/formats.h"

#define DR_APPLIED_ROWS_MAX     100000u
#define DR_APPLIED_PROBLEMS_MAX 100u

// One row of the tool's table.
struct dr_applied_row {
    const char *kind, *version, *checksum, *trouble;
};

// Strings live in the chain's arena.
struct dr_applied {
    bool is_absent; // there is no such table
    size_t rows_count;
    struct dr_applied_row *rows; // in the table's order
    size_t count;                // revisions of the chain that are applied
    struct dr_names heads;       // the newest of them; what `drover stamp` is to be given
    const char *problems[DR_APPLIED_PROBLEMS_MAX]; // what keeps it from being stamped
    size_t problems_count;
    const char *warnings[DR_APPLIED_PROBLEMS_MAX]; // what is to be known: changed files
    size_t warnings_count;
};

// Asks the database, read-only, with a deadline of 30 s per statement. Errors of the connection;
// DR_E_INVALID when the table is not the tool's.
DR_MUST_CHECK enum dr_rc
dr_applied_ask(struct dr_import *import, const struct dr_import_state *state, const char *url,
               struct dr_applied *out, struct dr_err *err);
// Finds count, heads and problems from `rows`; pure. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_applied_judge(struct dr_import *import, struct dr_applied *applied, struct dr_err *err);

#endif
