// State: the schema that each target was left with, the one that its rehearsal ended with, and the
// drift that was reported.
#include "agent/state_internal.h"

// `query` asks for a text by a target and a digest.
static enum dr_rc
find_text(struct dr_agent_state *state, struct dr_arena *arena, const char *query,
          const char *target, const uint8_t sha256[32], const char **out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_SHA(sha256)};
    struct dr_bytes text = {0};
    enum dr_rc rc = dr_agent_state_blob(state, arena, query, binds, 2, &text, err);
    const char *copy = rc == DR_OK && text.len > 0
                           ? dr_arena_strn(arena, (const char *)text.data, text.len)
                           : NULL;
    if (rc == DR_OK && text.len > 0 && copy == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (rc == DR_OK) {
        *out = copy;
    }
    return rc;
}

enum dr_rc
dr_agent_state_schema(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                      const uint8_t fingerprint[32], const char **out, struct dr_err *err)
{
    return find_text(state, arena, "SELECT text FROM known WHERE target = ?1 AND fingerprint = ?2",
                     target, fingerprint, out, err);
}

enum dr_rc
dr_agent_state_rehearsed(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                         const uint8_t sha256[32], const char **out, struct dr_err *err)
{
    return find_text(state, arena, "SELECT text FROM rehearsed WHERE target = ?1 AND sha256 = ?2",
                     target, sha256, out, err);
}

enum dr_rc
dr_agent_state_put_rehearsed(struct dr_agent_state *state, const char *target,
                             const struct dr_agent_rehearsed *rehearsed, struct dr_err *err)
{
    if (rehearsed == NULL) {
        return DR_OK;
    }
    const struct dr_agent_bind binds[] = {
        DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_SHA(rehearsed->sha256),
        DR_AGENT_BIND_BLOB(rehearsed->text), DR_AGENT_BIND_INT(rehearsed->time)};
    return dr_agent_state_exec(state, "INSERT OR REPLACE INTO rehearsed VALUES(?1, ?2, ?3, ?4)",
                               binds, 4, NULL, err);
}

enum dr_rc
dr_agent_state_rehearsed_at(struct dr_agent_state *state, const char *target,
                            const uint8_t sha256[32], int64_t *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_SHA(sha256)};
    return dr_agent_state_int(state, "SELECT time FROM rehearsed WHERE target = ?1 AND sha256 = ?2",
                              binds, 2, 0, out, err);
}

enum dr_rc
dr_agent_state_drift(struct dr_agent_state *state, const char *target, struct dr_agent_drift *out,
                     struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_agent_drift drift = {0};
    enum dr_rc rc = dr_agent_state_query(
        state, "SELECT fingerprint, since FROM drift WHERE target = ?1", binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &drift.exists, err);
    if (rc == DR_OK && drift.exists) {
        dr_agent_state_sha(stmt, 0, drift.fingerprint);
        drift.since = dr_sqlite_column_int(stmt, 1);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = drift;
    }
    return rc;
}

enum dr_rc
dr_agent_state_put_drift(struct dr_agent_state *state, const char *target,
                         const struct dr_agent_schema *schema, const struct dr_agent_drift *drift,
                         struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (schema != NULL) {
        const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target),
                                              DR_AGENT_BIND_SHA(schema->fingerprint),
                                              DR_AGENT_BIND_BLOB(schema->text)};
        rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO known VALUES(?1, ?2, ?3)", binds, 3,
                                 NULL, err);
    }
    if (rc == DR_OK && drift != NULL && drift->exists) {
        const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target),
                                              DR_AGENT_BIND_SHA(drift->fingerprint),
                                              DR_AGENT_BIND_INT(drift->since)};
        rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO drift VALUES(?1, ?2, ?3)", binds, 3,
                                 NULL, err);
    } else if (rc == DR_OK && drift != NULL) {
        const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
        rc = dr_agent_state_exec(state, "DELETE FROM drift WHERE target = ?1", binds, 1, NULL, err);
    }
    return rc;
}
