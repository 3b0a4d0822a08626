// State, part two: pushes taken, tasks that wait.
#include "agent/state_internal.h"

#include "proto/service.pb-c.h"

#include <string.h>

static enum dr_rc
remember_push(struct dr_agent_state *state, uint64_t seq, struct dr_bytes id, bool *out_is_new,
              struct dr_err *err)
{
    const struct dr_agent_bind seen[] = {DR_AGENT_BIND_BLOB(id)};
    int64_t changes = 0;
    enum dr_rc rc = dr_agent_state_exec(state, "INSERT OR IGNORE INTO seen(id) VALUES(?1)", seen, 1,
                                        &changes, err);
    if (rc != DR_OK) {
        return rc;
    }
    *out_is_new = changes == 1;
    const struct dr_agent_bind keep[] = {DR_AGENT_BIND_INT(DR_AGENT_SEEN_MAX)};
    rc = dr_agent_state_exec(state,
                             "DELETE FROM seen WHERE place <= (SELECT max(place) FROM seen) - ?1",
                             keep, 1, NULL, err);
    // Not the highest: a coordinator that lost its store begins to count again.
    const struct dr_agent_bind after[] = {DR_AGENT_BIND_INT(seq)};
    return rc != DR_OK
               ? rc
               : dr_agent_state_exec(state, "INSERT OR REPLACE INTO meta VALUES('after_seq', ?1)",
                                     after, 1, NULL, err);
}

static enum dr_rc
queue_task(struct dr_agent_state *state, uint64_t seq, const struct dr_agent_task *task,
           struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_INT(seq), DR_AGENT_BIND_INT(task->kind),
                                          DR_AGENT_BIND_TEXT(task->target),
                                          DR_AGENT_BIND_BLOB(task->body)};
    const struct dr_agent_bind same[] = {DR_AGENT_BIND_TEXT(task->target),
                                         DR_AGENT_BIND_INT(task->kind)};
    enum dr_rc rc = DR_OK;
    if (task->kind == DROVER__V1__PUSH_KIND__PUSH_PREPARE ||
        task->kind == DROVER__V1__PUSH_KIND__PUSH_ORDER) {
        rc = dr_agent_state_exec(state, "DELETE FROM task WHERE target = ?1 AND kind = ?2", same, 2,
                                 NULL, err);
    }
    // An honest coordinator has one or two under way: of more the newest are what it wants.
    const struct dr_agent_bind room[] = {DR_AGENT_BIND_TEXT(task->target),
                                         DR_AGENT_BIND_INT(DR_AGENT_TASKS_MAX - 1)};
    rc = rc != DR_OK ? rc
                     : dr_agent_state_exec(
                           state,
                           "DELETE FROM task WHERE target = ?1 AND id NOT IN"
                           " (SELECT id FROM task WHERE target = ?1 ORDER BY id DESC LIMIT ?2)",
                           room, 2, NULL, err);
    return rc != DR_OK
               ? rc
               : dr_agent_state_exec(
                     state, "INSERT INTO task(seq, kind, target, body) VALUES(?1, ?2, ?3, ?4)",
                     binds, DR_COUNT_OF(binds), NULL, err);
}

enum dr_rc
dr_agent_state_take(struct dr_agent_state *state, uint64_t seq, struct dr_bytes id,
                    const struct dr_agent_task *task, bool *out_is_new, struct dr_err *err)
{
    if (task->body.len > DR_AGENT_TASK_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a push of %zu bytes is too large", task->body.len);
    }
    bool is_new = false;
    enum dr_rc rc = dr_agent_state_begin(state, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = remember_push(state, seq, id, &is_new, err);
    if (rc == DR_OK && is_new && task->target != NULL) {
        rc = queue_task(state, seq, task, err);
    }
    rc = dr_agent_state_end(state, rc, err);
    if (rc == DR_OK) {
        *out_is_new = is_new;
    }
    return rc;
}

enum dr_rc
dr_agent_state_after_seq(struct dr_agent_state *state, uint64_t *out, struct dr_err *err)
{
    int64_t seq = 0;
    enum dr_rc rc = dr_agent_state_int(state, "SELECT value FROM meta WHERE key = 'after_seq'",
                                       NULL, 0, 0, &seq, err);
    if (rc == DR_OK) {
        *out = (uint64_t)seq;
    }
    return rc;
}

enum dr_rc
dr_agent_state_next_task(struct dr_agent_state *state, struct dr_arena *arena, const char *target,
                         struct dr_agent_task *out, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target)};
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    struct dr_agent_task task = {0};
    enum dr_rc rc = dr_agent_state_query(
        state, "SELECT id, seq, kind, target, body FROM task WHERE target = ?1 ORDER BY id LIMIT 1",
        binds, 1, &stmt, err);
    rc = rc != DR_OK ? rc : dr_sqlite_step(stmt, &has_row, err);
    if (rc == DR_OK && has_row) {
        task.id = dr_sqlite_column_int(stmt, 0);
        task.seq = (uint64_t)dr_sqlite_column_int(stmt, 1);
        task.kind = (int)dr_sqlite_column_int(stmt, 2);
        task.target = dr_arena_str(arena, dr_sqlite_column_text(stmt, 3));
        rc = task.target == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                 : dr_agent_state_column(stmt, 4, arena, &task.body, err);
    }
    dr_sqlite_finalize(&stmt);
    if (rc == DR_OK) {
        *out = task;
    }
    return rc;
}

enum dr_rc
dr_agent_state_drop_task(struct dr_agent_state *state, int64_t id, struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_INT(id)};
    return dr_agent_state_exec(state, "DELETE FROM task WHERE id = ?1", binds, 1, NULL, err);
}

enum dr_rc
dr_agent_state_drop_waiting(struct dr_agent_state *state, const char *target, int64_t but,
                            struct dr_err *err)
{
    const struct dr_agent_bind binds[] = {DR_AGENT_BIND_TEXT(target), DR_AGENT_BIND_INT(but)};
    return dr_agent_state_exec(state, "DELETE FROM task WHERE target = ?1 AND id <> ?2", binds, 2,
                               NULL, err);
}

static bool
is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (dr_str_eq(names[i], name)) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_agent_state_drop_foreign(struct dr_agent_state *state, const char *const *targets, size_t n,
                            struct dr_err *err)
{
    for (;;) {
        struct dr_sqlite_stmt *stmt = NULL;
        bool has_row = false;
        int64_t drop = 0;
        enum dr_rc rc = dr_agent_state_query(state, "SELECT id, target FROM task ORDER BY id", NULL,
                                             0, &stmt, err);
        while (rc == DR_OK && drop == 0) {
            rc = dr_sqlite_step(stmt, &has_row, err);
            if (rc != DR_OK || !has_row) {
                break;
            }
            drop = is_among(dr_sqlite_column_text(stmt, 1), targets, n)
                       ? 0
                       : dr_sqlite_column_int(stmt, 0);
        }
        dr_sqlite_finalize(&stmt);
        if (rc != DR_OK || drop == 0) {
            return rc;
        }
        rc = dr_agent_state_drop_task(state, drop, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
}
