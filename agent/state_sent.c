// State, part six: what the coordinator has taken, and the head of its log that was seen: how an
// agent notices one that was put back, and gives it again what it lost.
#include "agent/state_internal.h"

#include <string.h>

enum dr_rc
dr_agent_state_keep_sent(struct dr_agent_state *state, const uint8_t sha256[32], struct dr_err *err)
{
    const struct dr_agent_bind one[] = {DR_AGENT_BIND_SHA(sha256)};
    const struct dr_agent_bind most[] = {DR_AGENT_BIND_INT(DR_AGENT_SENT_MAX)};
    enum dr_rc rc =
        dr_agent_state_exec(state,
                            "INSERT OR REPLACE INTO sent(place, sha256, kind, envelope)"
                            " SELECT place, sha256, kind, envelope FROM outbox WHERE sha256 = ?1",
                            one, 1, NULL, err);
    return rc != DR_OK
               ? rc
               : dr_agent_state_exec(
                     state,
                     "DELETE FROM sent WHERE place <= (SELECT max(place) FROM sent)"
                     " AND place NOT IN (SELECT place FROM sent ORDER BY place DESC LIMIT ?1)",
                     most, 1, NULL, err);
}

enum dr_rc
dr_agent_state_send_again(struct dr_agent_state *state, struct dr_err *err)
{
    return dr_agent_state_exec(state,
                               "INSERT OR IGNORE INTO outbox(place, sha256, kind, envelope)"
                               " SELECT place, sha256, kind, envelope FROM sent ORDER BY place",
                               NULL, 0, NULL, err);
}

enum dr_rc
dr_agent_state_log_head(struct dr_agent_state *state, uint64_t *out_index, uint8_t out_hash[32],
                        struct dr_err *err)
{
    int64_t index = 0;
    struct dr_bytes hash = {0};
    struct dr_arena *arena = dr_arena_new(4096);
    enum dr_rc rc =
        arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                      : dr_agent_state_int(state, "SELECT value FROM meta WHERE key = 'log_index'",
                                           NULL, 0, 0, &index, err);
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_blob(state, arena, "SELECT value FROM meta WHERE key = 'log_hash'",
                                   NULL, 0, &hash, err);
    if (rc == DR_OK) {
        *out_index = hash.len == 32 ? (uint64_t)index : 0;
        memset(out_hash, 0, 32);
        if (hash.len == 32) {
            memcpy(out_hash, hash.data, 32);
        }
    }
    dr_arena_free(&arena);
    return rc;
}

enum dr_rc
dr_agent_state_set_log_head(struct dr_agent_state *state, uint64_t index, const uint8_t hash[32],
                            struct dr_err *err)
{
    const struct dr_agent_bind number[] = {DR_AGENT_BIND_INT(index)};
    const struct dr_agent_bind bytes[] = {DR_AGENT_BIND_SHA(hash)};
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('log_index', ?1)", number,
                             1, NULL, err);
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('log_hash', ?1)",
                                   bytes, 1, NULL, err);
    return dr_agent_state_end(state, rc, err);
}
