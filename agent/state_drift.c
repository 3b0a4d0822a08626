// State: the schema that each target was left with, and the drift from it that was reported.
#include "agent/state_internal.h"

enum dr_rc
dr_agent_state_schema(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                      const uint8_t fingerprint[32], const char **out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target),
                                          DR_AGENT_BIND_SHA(fingerprint)};
    struct dr_bytes text = {0};
    enum dr_rc rc = dr_agent_state_blob(
        state, arena, "SELECT text FROM known WHERE target = ?1 AND fingerprint = ?2", binds, 2,
        &text, err);
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
