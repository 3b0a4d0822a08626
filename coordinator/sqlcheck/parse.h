// Parse: one text through PostgreSQL's parser, answered in the lines of sql/wire.h.
#ifndef DR_SQLCHECK_PARSE_H
#define DR_SQLCHECK_PARSE_H

#include "base/str.h"

// Appends the S and P lines for `text` (NUL-terminated, `len` bytes, no NUL inside).
void sqlcheck_parse(const char *text, size_t len, struct dr_buf *out);

#endif
