// Cutting off: a copy of a database brings along how the original reaches other servers. A
// rehearsal or a restored backup that went there would change what nobody approved.
#ifndef DR_ENGINE_CUT_OFF_H
#define DR_ENGINE_CUT_OFF_H

#include "base/attr.h"
#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>

// In the copy at `url` (PostgreSQL): drops every user mapping, with its password, and takes from
// the foreign-data wrappers of extensions what reads and writes, so that no foreign table answers.
// What the fingerprint sees stays as it is; a wrapper that was made by hand keeps its handler for
// that, and has no user mapping. `*out_has_foreign` (may be NULL): there are foreign tables. Needs
// the role of a superuser where there is a wrapper. What a function does by itself (dblink, COPY
// PROGRAM) is not seen here. Errors of the connection and of the statements.
DR_MUST_CHECK enum dr_rc dr_cut_off(const char *url, const struct dr_db_wait *wait,
                                    bool *out_has_foreign, struct dr_err *err);

#endif
