// Twins: INSERT statements that are alike but for the literals of their VALUES. What the parser
// says of one holds for all of them, so a revision with a hundred thousand rows is not parsed a
// hundred thousand times.
#ifndef DR_SQL_TWIN_H
#define DR_SQL_TWIN_H

#include <stdbool.h>
#include <stddef.h>

// Bytes of `INSERT INTO name (names) VALUES` at the beginning of a PostgreSQL statement when
// nothing but lists of plain literals follows: strings without a backslash, numbers, NULL, TRUE,
// FALSE, DEFAULT. 0 for everything else, also where a comment stands. Two statements with the same
// bytes there are both right or both wrong in PostgreSQL's grammar, and at the same place. Pure.
size_t dr_sql_insert_head(const char *text, size_t len);

#endif
