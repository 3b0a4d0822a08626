// Inside the state's files only: the connection and small helpers for statements.
#ifndef DR_AGENT_STATE_INTERNAL_H
#define DR_AGENT_STATE_INTERNAL_H

#include "agent/state.h"
#include "db/sqlite.h"

#include <limits.h>

struct dr_agent_state {
    struct dr_sqlite *db;
    char path[PATH_MAX];
};

// A value for a parameter: text, blob or number.
struct dr_agent_bind {
    enum { DR_AGENT_TEXT = 1, DR_AGENT_BLOB, DR_AGENT_INT } type;
    const char *text;
    struct dr_bytes blob;
    int64_t number;
};
#define DR_AGENT_BIND_TEXT(v) ((struct dr_agent_bind){.type = DR_AGENT_TEXT, .text = (v)})
#define DR_AGENT_BIND_BLOB(v) ((struct dr_agent_bind){.type = DR_AGENT_BLOB, .blob = (v)})
#define DR_AGENT_BIND_INT(v)  ((struct dr_agent_bind){.type = DR_AGENT_INT, .number = (int64_t)(v)})
#define DR_AGENT_BIND_SHA(v)  DR_AGENT_BIND_BLOB(((struct dr_bytes){.data = (v), .len = 32}))

// Prepares `sql` with its parameters; the caller steps and finalizes.
DR_MUST_CHECK enum dr_rc dr_agent_state_query(struct dr_agent_state *state, const char *sql,
                                              const struct dr_agent_bind *binds, size_t n_binds,
                                              struct dr_sqlite_stmt **out, struct dr_err *err);
// Runs `sql` to its end; `*out_changes` (may be NULL) rows that it changed.
DR_MUST_CHECK enum dr_rc dr_agent_state_exec(struct dr_agent_state *state, const char *sql,
                                             const struct dr_agent_bind *binds, size_t n_binds,
                                             int64_t *out_changes, struct dr_err *err);
// The blob of the first row, in the arena; len 0 without a row.
DR_MUST_CHECK enum dr_rc
dr_agent_state_blob(struct dr_agent_state *state, struct dr_arena *arena, const char *sql,
                    const struct dr_agent_bind *binds, size_t n_binds, struct dr_bytes *out,
                    struct dr_err *err);
// The number of the first row, `fallback` without one.
DR_MUST_CHECK enum dr_rc
dr_agent_state_int(struct dr_agent_state *state, const char *sql, const struct dr_agent_bind *binds,
                   size_t n_binds, int64_t fallback, int64_t *out, struct dr_err *err);
// Column as bytes in the arena; exactly 32 bytes into `out`, zeros when it has another length.
DR_MUST_CHECK enum dr_rc
dr_agent_state_column(struct dr_sqlite_stmt *stmt, int column, struct dr_arena *arena,
                      struct dr_bytes *out, struct dr_err *err);
void dr_agent_state_sha(struct dr_sqlite_stmt *stmt, int column, uint8_t out[32]);
// Moves an attestation of the outbox among those that were sent; the oldest beyond
// DR_AGENT_SENT_MAX go. Within the caller's transaction.
DR_MUST_CHECK enum dr_rc dr_agent_state_keep_sent(struct dr_agent_state *state,
                                                  const uint8_t sha256[32], struct dr_err *err);
// state_drift.c: parts of a commit, within its transaction; both may be NULL.
DR_MUST_CHECK enum dr_rc
dr_agent_state_put_drift(struct dr_agent_state *state, const char *target,
                         const struct dr_agent_schema *schema, const struct dr_agent_drift *drift,
                         struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_put_rehearsed(struct dr_agent_state *state, const char *target,
                             const struct dr_agent_rehearsed *rehearsed, struct dr_err *err);
// Begin, and commit (rc DR_OK) or roll back; every failure to write becomes DR_E_AGENT_STATE.
DR_MUST_CHECK enum dr_rc dr_agent_state_begin(struct dr_agent_state *state, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_agent_state_end(struct dr_agent_state *state, enum dr_rc rc, struct dr_err *err);

#endif
