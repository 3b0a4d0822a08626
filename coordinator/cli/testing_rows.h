// Rows for a test: what the tables of a scratch database hold, a few made-up rows in them, and
// which of those that were there are gone.
#ifndef DR_CLI_TESTING_ROWS_H
#define DR_CLI_TESTING_ROWS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_TESTING_ROWS_MAX 1000u // of one table that are compared; of more, only the number

struct dr_testing_rows; // a connection of its own

// One table as it is. Strings in the arena of the look.
struct dr_testing_table {
    const char *name;    // as SQL, qualified
    const char *columns; // names in SQL, sorted, ", " between
    const char *types;   // the same with their types: to see that a table was changed
    uint64_t count;
    const char **rows; // sorted; NULL when there are more than DR_TESTING_ROWS_MAX
    size_t rows_count, rows_cap;
};

struct dr_testing_seen {
    struct dr_testing_table *tables; // sorted by name
    size_t count;
};

// Connects to the database of the URL. Errors of the database doors.
DR_MUST_CHECK enum dr_rc
dr_testing_rows_open(const char *url, struct dr_testing_rows **out, struct dr_err *err);
void dr_testing_rows_close(struct dr_testing_rows **rows);

// What all tables hold, but drover's own and those of other tools' ledgers. Blocks.
DR_MUST_CHECK enum dr_rc dr_testing_rows_look(struct dr_testing_rows *rows, struct dr_arena *arena,
                                              struct dr_testing_seen *out, struct dr_err *err);
// Puts a few rows into tables that are empty in `now`, and one more into those that `before` (may
// be NULL) knows with other columns. Tables whose constraints nothing made up satisfies stay as
// they are. `*out_added`: rows.
DR_MUST_CHECK enum dr_rc
dr_testing_rows_fill(struct dr_testing_rows *rows, const struct dr_testing_seen *now,
                     const struct dr_testing_seen *before, struct dr_arena *arena,
                     uint64_t *out_added, struct dr_err *err);

// The schema as engine/fingerprint.h gives it, of all schemas; the text is in the arena.
DR_MUST_CHECK enum dr_rc
dr_testing_rows_schema(struct dr_testing_rows *rows, struct dr_arena *arena, uint8_t out_sha256[32],
                       const char **out_text, struct dr_err *err);

// What of `before` is not in `after` any more, a line each ("2 of 3 rows of public.users are
// gone"), appended to `out`; at most 20 lines. Returns the number of tables. Pure.
size_t dr_testing_rows_lost(const struct dr_testing_seen *before,
                            const struct dr_testing_seen *after, struct dr_buf *out);
// The same for numbers of rows alone: a table of `before` ends with as many rows as it began with,
// and those that were put in from `up` to `filled`; what the way up put in itself may go again.
size_t dr_testing_rows_fewer(const struct dr_testing_seen *before, const struct dr_testing_seen *up,
                             const struct dr_testing_seen *filled,
                             const struct dr_testing_seen *after, struct dr_buf *out);
// All rows together. Pure.
uint64_t dr_testing_rows_total(const struct dr_testing_seen *seen);

#endif
