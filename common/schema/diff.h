// Diff: what differs between two schemas, object by object, from their fingerprints' texts. It sees
// every kind of object, also those that no statement can be written for.
#ifndef DR_SCHEMA_DIFF_H
#define DR_SCHEMA_DIFF_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>

struct dr_schema_change {
    char sign;          // '+' only in the second, '-' only in the first, '~' other there
    const char *object; // "column users.email"
    const char *before; // its definition; "" when there is none
    const char *after;
};

// `before` and `after` are texts of fingerprints (engine/fingerprint.h). What PostgreSQL lets
// everybody do with a new type or function is not told beside it. `*out` is an array of
// `*out_count` in the arena, sorted by object. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_schema_diff(const char *before, const char *after, struct dr_arena *arena,
               struct dr_schema_change **out, size_t *out_count, struct dr_err *err);

#endif
