// State, part six: orders about backups that were taken and not yet answered, so that a restart of
// the agent loses none. See state.h.
#include "agent/state_internal.h"

enum dr_rc
dr_agent_state_add_order(struct dr_agent_state *state, const char *target, struct dr_bytes body,
                         struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_BLOB(body)};
    const struct dr_agent_bind room[] = {DR_AGENT_BIND_TEXT(target),
                                         DR_AGENT_BIND_INT(DR_AGENT_ORDERS_MAX)};
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_exec(state,
                             "INSERT INTO backup_order(target, body, starts) VALUES(?1, ?2, 0)",
                             binds, DR_COUNT_OF(binds), NULL, err);
    // Whoever gives more of them than that wants the newest.
    rc = rc != DR_OK ? rc
                     : dr_agent_state_exec(
                           state,
                           "DELETE FROM backup_order WHERE target = ?1 AND place NOT IN (SELECT"
                           " place FROM backup_order WHERE target = ?1 ORDER BY place DESC LIMIT"
                           " ?2)",
                           room, DR_COUNT_OF(room), NULL, err);
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_next_order(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                          struct dr_agent_kept_order *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_agent_kept_order order = {0};
    bool has_row = false;
    enum dr_rc rc = dr_agent_state_query(state,
                                         "SELECT place, starts, body FROM backup_order"
                                         " WHERE target = ?1 ORDER BY place LIMIT 1",
                                         binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &has_row, err);
    if (rc == DR_OK && has_row) {
        order.place = dr_sqlite_column_int(stmt, 0);
        order.starts = (unsigned)dr_sqlite_column_int(stmt, 1);
        rc = dr_agent_state_column(stmt, 2, arena, &order.body, err);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = order;
    }
    return rc;
}

enum dr_rc
dr_agent_state_start_order(struct dr_agent_state *state, int64_t place, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_INT(place)};
    return dr_agent_state_exec(
        state, "UPDATE backup_order SET starts = starts + 1 WHERE place = ?1", binds, 1, NULL, err);
}

enum dr_rc
dr_agent_state_end_order(struct dr_agent_state *state, int64_t place, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_INT(place)};
    return dr_agent_state_exec(state, "DELETE FROM backup_order WHERE place = ?1", binds, 1, NULL,
                               err);
}
