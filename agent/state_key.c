// State, part six: the signing key that this agent had before the one that it has now.
#include "agent/state_internal.h"

#include <string.h>

enum dr_rc
dr_agent_state_former_key(struct dr_agent_state *state, uint8_t out[32], struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    enum dr_rc rc = dr_agent_state_query(state, "SELECT value FROM meta WHERE key = 'former_key'",
                                         NULL, 0, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &has_row, err);
    memset(out, 0, 32);
    if (rc == DR_OK && has_row) {
        dr_agent_state_sha(stmt, 0, out);
    }
    dr_sqlite_finalize(&stmt);
    return rc;
}

enum dr_rc
dr_agent_state_set_former_key(struct dr_agent_state *state, const uint8_t key[32],
                              struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_SHA(key)};
    return dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('former_key', ?1)", binds,
                               1, NULL, err);
}
