// Inside the fingerprint only: lines are gathered in any order, then sorted and written.
#ifndef DR_ENGINE_FINGERPRINT_INTERNAL_H
#define DR_ENGINE_FINGERPRINT_INTERNAL_H

#include "engine/fingerprint.h"

struct dr_fplines {
    const struct dr_fingerprint_options *options;
    struct dr_buf text; // NUL-terminated lines, one behind the other
    size_t *offsets;
    size_t count, cap;
    bool failed;
};

// Adds "KEY: DEFINITION" (": " left out when the definition is empty), unless a tolerated pattern
// matches the key. Line ends and control characters are written as escapes.
void dr_fplines_add(struct dr_fplines *lines, const char *key, const char *definition);
// Sorts, writes and hashes. DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_fplines_end(struct dr_fplines *lines, struct dr_fingerprint *out, struct dr_err *err);
void dr_fplines_fini(struct dr_fplines *lines);

// fingerprint_tokens.c: SQL text of SQLite in one form: white space and comments dropped, bare
// words and simple quoted names in lower case, one space between tokens.
void dr_fptokens_normal(const char *sql, struct dr_buf *out);
// What PRAGMAs do not tell of a CREATE TABLE: CHECK and generated expressions, COLLATE,
// AUTOINCREMENT, ON CONFLICT, DEFERRABLE; each as one line of `out`, normalised and sorted by their
// place.
void dr_fptokens_table(const char *sql, void (*found)(void *ctx, const char *text), void *ctx);

#endif
