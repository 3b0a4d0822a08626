// State, part four: attestations with what changes along with them, and the outbox.
#include "agent/state_internal.h"

#include "proto/documents.pb-c.h"

#include <string.h>

static enum dr_rc
put_counter(struct dr_agent_state *state, const struct dr_attest_state *attest, struct dr_err *err)
{
    const struct dr_agent_bind epoch[] = {DR_AGENT_BIND_BLOB(
        ((struct dr_bytes){.data = attest->epoch, .len = sizeof attest->epoch}))};
    const struct dr_agent_bind counter[] = {DR_AGENT_BIND_INT(attest->counter)};
    const struct dr_agent_bind previous[] = {DR_AGENT_BIND_SHA(attest->previous)};
    enum dr_rc rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('epoch', ?1)",
                                        epoch, 1, NULL, err);
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('counter', ?1)",
                                   counter, 1, NULL, err);
    return rc != DR_OK
               ? rc
               : dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('previous', ?1)",
                                     previous, 1, NULL, err);
}

static enum dr_rc
put_outgoing(struct dr_agent_state *state, const struct dr_agent_outgoing *outgoing, size_t n,
             const struct dr_attest_state *attest, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; i < n && rc == DR_OK; i++) {
        const struct dr_agent_bind binds[] = {DR_AGENT_BIND_SHA(outgoing[i].sha256),
                                              DR_AGENT_BIND_INT(outgoing[i].kind),
                                              DR_AGENT_BIND_BLOB(outgoing[i].envelope)};
        rc = dr_agent_state_exec(state,
                                 "INSERT INTO outbox(sha256, kind, envelope) VALUES(?1, ?2, ?3)",
                                 binds, DR_COUNT_OF(binds), NULL, err);
    }
    return rc != DR_OK || n == 0 ? rc : put_counter(state, attest, err);
}

static enum dr_rc
put_known(struct dr_agent_state *state, const struct dr_agent_change *change, struct dr_err *err)
{
    const struct dr_agent_bind target[] = {DR_AGENT_BIND_TEXT(change->target)};
    enum dr_rc rc = DR_OK;
    if (change->drops_ready) {
        rc =
            dr_agent_state_exec(state, "DELETE FROM ready WHERE target = ?1", target, 1, NULL, err);
    }
    if (rc == DR_OK && change->ready.len > 0) {
        const struct dr_agent_bind binds[] = {target[0], DR_AGENT_BIND_SHA(change->ready_sha256),
                                              DR_AGENT_BIND_BLOB(change->ready)};
        rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO ready VALUES(?1, ?2, ?3)", binds, 3,
                                 NULL, err);
    }
    if (rc == DR_OK && change->backup.len > 0) {
        const struct dr_agent_bind binds[] = {target[0], DR_AGENT_BIND_BLOB(change->backup)};
        rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO backup VALUES(?1, ?2)", binds, 2,
                                 NULL, err);
    }
    if (rc == DR_OK && change->record != NULL) {
        const struct dr_agent_bind binds[] = {target[0],
                                              DR_AGENT_BIND_SHA(change->record->ledger_head),
                                              DR_AGENT_BIND_INT(change->record->position),
                                              DR_AGENT_BIND_SHA(change->record->fingerprint),
                                              DR_AGENT_BIND_TEXT(change->record->what)};
        rc = dr_agent_state_exec(state, "INSERT OR REPLACE INTO record VALUES(?1, ?2, ?3, ?4, ?5)",
                                 binds, DR_COUNT_OF(binds), NULL, err);
    }
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_put_drift(state, change->target, change->schema, change->drift, err);
    rc = rc != DR_OK ? rc
                     : dr_agent_state_put_rehearsed(state, change->target, change->rehearsed, err);
    if (rc == DR_OK && change->ends_run) {
        rc = dr_agent_state_exec(state, "DELETE FROM run WHERE target = ?1", target, 1, NULL, err);
    }
    if (rc == DR_OK && change->ends_task != 0) {
        rc = dr_agent_state_drop_task(state, change->ends_task, err);
    }
    if (rc == DR_OK && change->ends_order != 0) {
        rc = dr_agent_state_end_order(state, change->ends_order, err);
    }
    return rc;
}

enum dr_rc
dr_agent_state_commit(struct dr_agent_state *state, const struct dr_agent_change *change,
                      struct dr_err *err)
{
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = put_outgoing(state, change->outgoing, change->n_outgoing, &change->attest, err);
    rc = rc != DR_OK ? rc : put_known(state, change, err);
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_renew(struct dr_agent_state *state, const struct dr_agent_renewal *renewal,
                     struct dr_err *err)
{
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_exec(state, "DELETE FROM outbox", NULL, 0, NULL, err);
    rc = rc != DR_OK ? rc
                     : put_outgoing(state, renewal->outgoing, renewal->n, &renewal->attest, err);
    for (size_t i = 0; i < renewal->n && rc == DR_OK; i++) {
        const struct dr_agent_bind binds[] = {DR_AGENT_BIND_SHA(renewal->outgoing[i].sha256),
                                              DR_AGENT_BIND_BLOB(renewal->payloads[i]),
                                              DR_AGENT_BIND_SHA(renewal->old[i])};
        rc = dr_agent_state_exec(state,
                                 "UPDATE ready SET sha256 = ?1, payload = ?2 WHERE sha256 = ?3",
                                 binds, DR_COUNT_OF(binds), NULL, err);
    }
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_attest(struct dr_agent_state *state, struct dr_attest_state *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_attest_state attest = {0};
    enum dr_rc rc = dr_agent_state_query(
        state, "SELECT key, value FROM meta WHERE key IN ('epoch', 'counter', 'previous')", NULL, 0,
        &stmt, err);
    while (rc == DR_OK) {
        bool has_row = false;
        rc = dr_sqlite_step(stmt, &has_row, err);
        if (rc != DR_OK || !has_row) {
            break;
        }
        const char *key = dr_sqlite_column_text(stmt, 0);
        size_t len = 0;
        if (dr_str_eq(key, "counter")) {
            attest.counter = (uint64_t)dr_sqlite_column_int(stmt, 1);
        } else if (dr_str_eq(key, "previous")) {
            dr_agent_state_sha(stmt, 1, attest.previous);
        } else {
            const void *bytes = dr_sqlite_column_blob(stmt, 1, &len);
            if (len == sizeof attest.epoch) {
                memcpy(attest.epoch, bytes, len);
            }
        }
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = attest;
    }
    return rc;
}

enum dr_rc
dr_agent_state_outbox_next(struct dr_agent_state *state, struct dr_arena *arena, int64_t after,
                           int64_t *out_place, struct dr_agent_outgoing *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_INT(after)};
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    int64_t place = 0;
    struct dr_agent_outgoing one = {0};
    enum dr_rc rc = dr_agent_state_query(
        state,
        "SELECT place, sha256, kind, envelope FROM outbox WHERE place > ?1 ORDER BY place LIMIT 1",
        binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &has_row, err);
    if (rc == DR_OK && has_row) {
        place = dr_sqlite_column_int(stmt, 0);
        dr_agent_state_sha(stmt, 1, one.sha256);
        one.kind = (int)dr_sqlite_column_int(stmt, 2);
        rc = dr_agent_state_column(stmt, 3, arena, &one.envelope, err);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out_place = place;
        *out = one;
    }
    return rc;
}

enum dr_rc
dr_agent_state_outbox_done(struct dr_agent_state *state, const uint8_t sha256[32],
                           struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_SHA(sha256)};
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_keep_sent(state, sha256, err);
    rc = rc != DR_OK ? rc
                     : dr_agent_state_exec(state, "DELETE FROM outbox WHERE sha256 = ?1", binds, 1,
                                           NULL, err);
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_outbox_count(struct dr_agent_state *state, int64_t *out, struct dr_err *err)
{
    return dr_agent_state_int(state, "SELECT count(*) FROM outbox", NULL, 0, 0, out, err);
}
