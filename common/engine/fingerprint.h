// Fingerprint: the schema of a database as sorted lines of text, and their SHA-256. Two databases
// with the same schema give the same bytes, whatever the order in which it came about.
//
// A line is "KIND NAME: DEFINITION". No OIDs, column positions, owners or sequence values; without
// drover's own objects. Texts that the server prints (views, constraints) are comparable within one
// major version.
#ifndef DR_ENGINE_FINGERPRINT_H
#define DR_ENGINE_FINGERPRINT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_FINGERPRINT_TEXT_MAX     (64u * 1048576u)
#define DR_FINGERPRINT_TOLERATE_MAX 256u

struct dr_pg;
struct dr_sqlite;

struct dr_fingerprint {
    uint8_t sha256[32]; // of the text without what is tolerated
    char *text;         // heap; lines end with \n
    size_t text_len;
};

struct dr_fingerprint_options {
    const char
        *schema; // PostgreSQL: only this schema, names relative to it; NULL: all but the system's
    const char *const *tolerate; // patterns (* and ?) of "KIND NAME" that the digest leaves out,
                                 // e.g. "grant *", "index tmp_*"; the text has them
    size_t tolerate_count;
    bool is_repeated; // PostgreSQL: this connection will be asked often, so its questions are
                      // prepared, which the first time costs more
};

// Reads the catalog in one round trip; inside the caller's transaction if one is open, else in a
// read-only one of its own. search_path is put back. Errors as dr_pg_exec's; DR_E_NOT_FOUND for a
// missing schema; DR_E_LIMIT. Left out everywhere: schema drover, tables drover_* and
// alembic_version.
DR_MUST_CHECK enum dr_rc
dr_fingerprint_pg(struct dr_pg *pg, const struct dr_fingerprint_options *options,
                  const struct dr_db_wait *wait, struct dr_fingerprint *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_fingerprint_sqlite(struct dr_sqlite *db, const struct dr_fingerprint_options *options,
                      struct dr_fingerprint *out, struct dr_err *err);
void dr_fingerprint_fini(struct dr_fingerprint *fingerprint);

// What differs from `before` to `after`, a line each: "- KIND NAME: ...", "+ KIND NAME: ...", and
// for a changed one both under "~ KIND NAME". At most `max_lines` lines are written to `out` (may
// be NULL), then "... and N more". Returns the number of differing objects.
size_t
dr_fingerprint_diff(const char *before, const char *after, size_t max_lines, struct dr_buf *out);

// The names of what differs: "added table users", "changed column users.email", "removed index
// by_name", ascending, in the arena; `*out_n` of them, at most the first `max`, and `*out_count`
// all of them. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_fingerprint_objects(struct dr_arena *arena, const char *before, const char *after, size_t max,
                       char ***out, size_t *out_n, size_t *out_count, struct dr_err *err);

// A fingerprint's text without the lines whose "KIND NAME" one of the patterns matches, into `out`;
// and its digest. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_fingerprint_tolerate(const char *text, const char *const *patterns, size_t count,
                        struct dr_buf *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_fingerprint_sha256(const char *text, const char *const *patterns,
                                               size_t count, uint8_t out[32], struct dr_err *err);

#endif
