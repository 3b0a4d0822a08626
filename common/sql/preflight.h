// Preflights before an approval: the one piece of a revision that a target runs when its chain is
// approved but nobody has signed for this target yet. So it may only ask: one query, and of
// functions only built-in ones that neither write, wait, lock, send nor read files.
//
// No parser: own tokens, and everything that it cannot place is refused. A READ ONLY transaction
// and short time-outs stand behind it; this list is for what READ ONLY lets through.
#ifndef DR_SQL_PREFLIGHT_H
#define DR_SQL_PREFLIGHT_H

#include "base/attr.h"
#include "sql/lexer.h"

#include <stdbool.h>
#include <stddef.h>

// Why a statement may not stand in a preflight.
struct dr_sql_preflight_fault {
    size_t offset, length; // of the words that are meant, in the statement
    char message[160];     // "function 'lo_create' is not on the list of ..."
    char help[160];        // what to write instead
};

// True when the statement (`len` bytes, without a semicolon) may be run before an approval;
// otherwise `*out` says why not. Pure, never fails.
DR_MUST_CHECK bool dr_sql_preflight_allowed(enum dr_sql_dialect dialect, const char *text,
                                            size_t len, struct dr_sql_preflight_fault *out);

// A name that stands in a statement, as the server folds it.
struct dr_sql_preflight_name {
    char name[64];
    bool is_call; // in front of '(', and not said to be of pg_catalog
    bool is_part; // behind a dot: a column, or in the server's other spelling a call
};

// The names of a statement that dr_sql_preflight_allowed let pass, in order, as far as `max` of
// them have room; gives how many there are. What a name means is up to the database: see
// engine/driver_pg_names.c.
size_t dr_sql_preflight_names(enum dr_sql_dialect dialect, const char *text, size_t len,
                              struct dr_sql_preflight_name *out, size_t max);

// What a word in front of '(' may be.
enum dr_sql_callable {
    DR_SQL_CALL_NONE = 0, // not on the list
    DR_SQL_CALL_FUNCTION, // a harmless built-in
    DR_SQL_CALL_SYNTAX,   // a reserved word or a type: no call at all
};

// Looks `name` (lower case) up in the list of one dialect (preflight_words.c).
enum dr_sql_callable dr_sql_preflight_word(enum dr_sql_dialect dialect, const char *name);
// The list itself is sorted and has no word twice; for its test.
bool dr_sql_preflight_words_sorted(void);

#endif
