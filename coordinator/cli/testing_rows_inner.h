// What the parts of testing_rows share: a dialect per engine, and columns to make values for.
#ifndef DR_CLI_TESTING_ROWS_INNER_H
#define DR_CLI_TESTING_ROWS_INNER_H

#include "coordinator/cli/testing_rows.h"

enum dr_value_kind {
    DR_VALUE_TEXT,
    DR_VALUE_NUMBER,
    DR_VALUE_BOOL,
    DR_VALUE_TIME, // dates and times
    DR_VALUE_SPAN, // interval
    DR_VALUE_UUID,
    DR_VALUE_JSON,
    DR_VALUE_BYTES,
    DR_VALUE_ARRAY,
    DR_VALUE_RANGE,
    DR_VALUE_ADDRESS,
    DR_VALUE_LABEL, // of an enum
};

// A column to be filled.
struct dr_value_column {
    const char *name; // as SQL
    const char *plain;
    enum dr_value_kind kind;
    uint32_t max_len; // characters; 0: any
    bool is_not_null;
    bool has_default;      // also identity and rowid
    const char *reference; // "SELECT id FROM public.users ORDER BY ctid", "" for none
    const char *target;    // the table of it
    const char *literals;  // labels of an enum with \x01 between, or the text of checks
    size_t place;          // from 0
};

// Rows as texts; NULL for SQL NULL. Anything but DR_OK ends the query.
typedef enum dr_rc (*dr_testing_on_row)(void *arg, const char *const *cells, struct dr_err *err);

struct dr_testing_dialect {
    // name, columns, types; sorted by name
    const char *tables_sql;
    // Of the table whose name is the parameter: name, plain name, type word, longest, not null,
    // default, reference, target, literals
    const char *columns_sql;
    const char *row_before, *row_between, *row_after; // around columns, to give one text of a row
    enum dr_rc (*query)(struct dr_testing_rows *rows, const char *sql, const char *parameter,
                        size_t columns, dr_testing_on_row on_row, void *arg, struct dr_err *err);
};

extern const struct dr_testing_dialect dr_testing_pg;
extern const struct dr_testing_dialect dr_testing_sqlite;

struct dr_pg;
struct dr_sqlite;

struct dr_testing_rows {
    const struct dr_testing_dialect *dialect;
    struct dr_pg *pg;
    struct dr_sqlite *sqlite;
};

// One INSERT for row `number` (from 0) in the `attempt`-th way, appended to `out`.
void dr_testing_insert(const char *table, const struct dr_value_column *columns, size_t count,
                       uint64_t number, unsigned attempt, struct dr_buf *out);
// The kind that a type's words tell of ("character varying", "INTEGER", "timestamp ...").
enum dr_value_kind dr_testing_kind_of(const char *type);

#define DR_TESTING_ATTEMPTS 24u

#endif
