// Parse: one text through PostgreSQL's parser, answered in the lines of sql/wire.h.
#ifndef DR_SQLCHECK_PARSE_H
#define DR_SQLCHECK_PARSE_H

#include "base/str.h"

// How the program ends: asked in a way that it does not know; no memory.
enum { SQLCHECK_EXIT_PROTOCOL = 3, SQLCHECK_EXIT_MEMORY = 4 };

// Appends the S and P lines for `text` (NUL-terminated, `len` bytes, no NUL inside).
void sqlcheck_parse(const char *text, size_t len, struct dr_buf *out);

#endif
