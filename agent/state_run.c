// State, part three: READYs, consumed approvals, runs, and the last known state of a target.
#include "agent/state_internal.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_agent_state_ready(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                     struct dr_bytes *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    return dr_agent_state_blob(state, arena, "SELECT payload FROM ready WHERE target = ?1", binds,
                               1, out, err);
}

enum dr_rc
dr_agent_state_backup(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                      struct dr_bytes *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    return dr_agent_state_blob(state, arena, "SELECT payload FROM backup WHERE target = ?1", binds,
                               1, out, err);
}

enum dr_rc
dr_agent_state_disarm(struct dr_agent_state *state, const char *target, uint32_t *out_count,
                      struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target == NULL ? "" : target)};
    int64_t changes = 0;
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_agent_state_exec(state, "DELETE FROM ready WHERE ?1 = '' OR target = ?1", binds, 1,
                             &changes, err);
    rc = dr_agent_state_end(state, rc, err);
    if (rc == DR_OK) {
        *out_count = (uint32_t)changes;
    }
    return rc;
}

enum dr_rc
dr_agent_state_record(struct dr_agent_state *state, const char *target, struct dr_agent_record *out,
                      struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_agent_record record = {0};
    enum dr_rc rc = dr_agent_state_query(
        state, "SELECT ledger_head, position, fingerprint, what FROM record WHERE target = ?1",
        binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &record.exists, err);
    if (rc == DR_OK && record.exists) {
        dr_agent_state_sha(stmt, 0, record.ledger_head);
        record.position = (uint64_t)dr_sqlite_column_int(stmt, 1);
        dr_agent_state_sha(stmt, 2, record.fingerprint);
        (void)snprintf(record.what, sizeof record.what, "%s", dr_sqlite_column_text(stmt, 3));
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = record;
    }
    return rc;
}

static enum dr_rc
use_up(struct dr_agent_state *state, const char *target, const struct dr_agent_run *run,
       struct dr_err *err)
{
    const struct dr_agent_bind ready[] = {DR_AGENT_BIND_TEXT(target),
                                          DR_AGENT_BIND_SHA(run->ready_sha256)};
    int64_t changes = 0;
    enum dr_rc rc = dr_agent_state_exec(
        state, "DELETE FROM ready WHERE target = ?1 AND sha256 = ?2", ready, 2, &changes, err);
    if (rc == DR_OK && changes != 1) {
        return dr_err_set(err, DR_E_NO_READY,
                          "the READY of target '%s' that was approved is no longer open", target);
    }
    const struct dr_agent_bind used[] = {
        DR_AGENT_BIND_SHA(run->ready_sha256), DR_AGENT_BIND_SHA(run->approval_sha256),
        DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_INT(run->started)};
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_exec(state, "INSERT OR IGNORE INTO consumed VALUES(?1, ?2, ?3, ?4)",
                                   used, DR_COUNT_OF(used), &changes, err);
    if (rc == DR_OK && changes != 1) {
        return dr_err_set(err, DR_E_AGENT_CONSUMED, "the approval of target '%s' was used before",
                          target);
    }
    return rc;
}

enum dr_rc
dr_agent_state_consume(struct dr_agent_state *state, const char *target,
                       const struct dr_agent_run *run, int64_t task, struct dr_err *err)
{
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = use_up(state, target, run, err);
    const struct dr_agent_bind binds[] = {
        DR_AGENT_BIND_TEXT(target),           DR_AGENT_BIND_SHA(run->approval_sha256),
        DR_AGENT_BIND_SHA(run->ready_sha256), DR_AGENT_BIND_BLOB(run->ready),
        DR_AGENT_BIND_BLOB(run->spec),        DR_AGENT_BIND_INT(run->started)};
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_exec(state, "INSERT INTO run VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)",
                                   binds, DR_COUNT_OF(binds), NULL, err);
    rc = rc != DR_OK ? rc : dr_agent_state_drop_task(state, task, err);
    return dr_agent_state_end(state, rc, err);
}

enum dr_rc
dr_agent_state_run(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                   struct dr_agent_run *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_agent_run run = {0};
    enum dr_rc rc = dr_agent_state_query(state,
                                         "SELECT approval_sha256, ready_sha256, ready, spec, "
                                         "started, attempts FROM run WHERE target = ?1",
                                         binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &run.exists, err);
    if (rc == DR_OK && run.exists) {
        dr_agent_state_sha(stmt, 0, run.approval_sha256);
        dr_agent_state_sha(stmt, 1, run.ready_sha256);
        rc = dr_agent_state_column(stmt, 2, arena, &run.ready, err);
        rc = rc != DR_OK ? rc : dr_agent_state_column(stmt, 3, arena, &run.spec, err);
        run.started = dr_sqlite_column_int(stmt, 4);
        run.attempts = (uint32_t)dr_sqlite_column_int(stmt, 5);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = run;
    }
    return rc;
}

enum dr_rc
dr_agent_state_attempt(struct dr_agent_state *state, const char *target, int change,
                       struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_INT(change)};
    return dr_agent_state_exec(state,
                               "UPDATE run SET attempts = max(attempts + ?2, 0) WHERE target = ?1",
                               binds, 2, NULL, err);
}
