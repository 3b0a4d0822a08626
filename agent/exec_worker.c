// Exec, workers: one process per busy target. A worker ends when its channel ends; what it said
// before counts.
#include "agent/exec_internal.h"

#include "agent/pace.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

void
dr_exec_worker_kill(struct dr_agent_slot *slot)
{
    if (!slot->worker.is_there) {
        return;
    }
    (void)kill(slot->worker.pid, SIGKILL);
    while (waitpid(slot->worker.pid, NULL, 0) < 0 && errno == EINTR) {
    }
    dr_pipe_fini(&slot->worker.pipe);
    slot->worker.is_there = false;
}

enum dr_rc
dr_exec_worker_start(struct dr_agent_slot *slot, const Drover__V1__WorkerRun *run,
                     int64_t timeout_ms, struct dr_err *err)
{
    struct dr_role_child child = {0};
    char name[64];
    const char *const extra[] = {NULL};
    dr_exec_worker_kill(slot);
    (void)snprintf(name, sizeof name, "drover-agent: %.40s", slot->target->name);
    enum dr_rc rc = dr_role_start(name, DR_WORKER_ROLE, extra, &child, err);
    if (rc != DR_OK) {
        return rc;
    }
    slot->worker = (struct dr_agent_worker){
        .is_there = true, .pid = child.pid, .kill_at_ms = dr_monotonic_ms() + timeout_ms};
    dr_pipe_init(&slot->worker.pipe, child.channel);
    Drover__V1__WorkerRun told = *run;
    told.keeps_alembic = slot->target->keeps_alembic;
    size_t len = drover__v1__worker_run__get_packed_size(&told);
    uint8_t *packed = dr_arena_alloc(slot->arena, len);
    if (packed == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    } else {
        (void)drover__v1__worker_run__pack(&told, packed);
        const struct dr_bytes body = {.data = packed, .len = len};
        rc = dr_pipe_send_simple(&slot->worker.pipe, DROVER__V1__PIPE_KIND__PIPE_RUN, 0, NULL, body,
                                 slot->target->url, err);
    }
    if (rc != DR_OK) {
        dr_exec_worker_kill(slot);
    }
    return rc;
}

void
dr_exec_worker_stop(struct dr_agent_slot *slot)
{
    if (!slot->worker.is_there || slot->worker.is_told_to_stop) {
        return;
    }
    slot->worker.is_told_to_stop = true;
    slot->worker.kill_at_ms = dr_monotonic_ms() + DR_EXEC_GRACE_MS;
    if (slot->agent->is_stopping) {
        (void)kill(slot->worker.pid, SIGTERM); // the unit at hand may end
        return;
    }
    const struct dr_bytes none = {0};
    if (dr_pipe_send_simple(&slot->worker.pipe, DROVER__V1__PIPE_KIND__PIPE_STOP, DR_EXEC_GRACE_MS,
                            NULL, none, NULL, NULL) != DR_OK) {
        slot->worker.kill_at_ms = 0;
    }
}

// Is it worth looking again? After these nothing is wrong with the plan or the approval.
static bool
may_pass(enum dr_rc rc)
{
    return rc == DR_E_DB_UNREACHABLE || rc == DR_E_DB_LOST || rc == DR_E_COMMIT_UNKNOWN ||
           rc == DR_E_LOCKED || rc == DR_E_DB_LOCKED || rc == DR_E_DB_BUSY ||
           rc == DR_E_AGENT_WORKER_DIED || rc == DR_E_AGENT_PIPE || rc == DR_E_NOMEM;
}

// Checks of the database that belong to the approval, not to the run.
static bool
is_refusal(enum dr_rc rc)
{
    return rc == DR_E_DATABASE_IDENTITY || rc == DR_E_BEHIND_POOLER || rc == DR_E_ON_STANDBY ||
           rc == DR_E_DB_PRIVILEGE || rc == DR_E_BACKUP_TOOL || rc == DR_E_REHEARSAL_DIFFERS ||
           rc == DR_E_REHEARSAL_FAILED || rc == DR_E_REHEARSAL_COPY;
}

// The doors' codes for what an approval's checks name otherwise.
static enum dr_rc
as_check(enum dr_rc rc)
{
    switch (rc) {
    case DR_E_DB_IDENTITY:
        return DR_E_DATABASE_IDENTITY;
    case DR_E_DB_POOLER:
        return DR_E_BEHIND_POOLER;
    case DR_E_DB_STANDBY:
        return DR_E_ON_STANDBY;
    default:
        return rc;
    }
}

// The worker did not get to work: nothing was started, and waiting for a database is no attempt.
static bool
is_waiting(enum dr_rc rc)
{
    return rc == DR_E_DB_UNREACHABLE || rc == DR_E_LOCKED || rc == DR_E_DB_LOCKED ||
           rc == DR_E_DB_BUSY;
}

static void
take_attempt_back(struct dr_agent_slot *slot, enum dr_rc rc)
{
    struct dr_err err = {0};
    bool is_resumed = slot->state == DR_STEP_RUNNING && slot->spec != NULL && slot->spec->resume;
    if (is_resumed && is_waiting(rc) &&
        dr_agent_state_attempt(slot->agent->state, slot->target->name, -1, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, slot->target->name, &err);
    }
}

static enum dr_step_event
classify(const struct dr_agent_slot *slot, enum dr_rc rc)
{
    if (rc == DR_OK) {
        return DR_STEP_ON_DONE;
    }
    bool is_cut = rc == DR_E_INTERRUPTED && slot->agent->is_stopping;
    bool moved = slot->state == DR_STEP_PREPARING && rc == DR_E_STATE_CHANGED;
    if (may_pass(rc) || is_cut || moved) {
        bool too_often = slot->state == DR_STEP_PREPARING && slot->failures >= DR_SLOT_PREPARES_MAX;
        return too_often ? DR_STEP_ON_GIVE_UP : DR_STEP_ON_AGAIN;
    }
    bool can_refuse = slot->state == DR_STEP_PREPARING || slot->state == DR_STEP_CHECKING;
    return can_refuse && is_refusal(rc) ? DR_STEP_ON_REFUSED : DR_STEP_ON_FAILED;
}

static void
ended(struct dr_agent_slot *slot)
{
    const Drover__V1__WorkerResult *result = slot->worker.result;
    struct dr_err failure = {0};
    dr_exec_worker_kill(slot);
    if (result == NULL) {
        (void)dr_err_set(&failure, DR_E_AGENT_WORKER_DIED, "the worker of target '%s' died",
                         slot->target->name);
    } else if (result->error != 0) {
        (void)dr_err_set(&failure, as_check(dr_rc_from_number(result->error)), "%s",
                         result->message);
    }
    if (failure.rc != DR_OK) {
        dr_log(DR_LOG_WARN, "worker failed", "target", slot->target->name, "state",
               dr_step_state_name(slot->state), "code", dr_rc_name(failure.rc), "reason",
               failure.message, NULL);
    }
    take_attempt_back(slot, failure.rc);
    // A run that is given up is reported with the reason for that, once a look was taken.
    slot->failure = slot->gives_up && failure.rc == DR_OK ? slot->failure : failure;
    dr_exec_slot_event(slot, classify(slot, failure.rc));
}

static void
take_facts(struct dr_agent_slot *slot, const Drover__V1__PipeFrame *frame)
{
    Drover__V1__WorkerResult *facts = drover__v1__worker_result__unpack(
        dr_arena_protobuf(slot->arena), frame->body.len, frame->body.data);
    if (slot->state == DR_STEP_CHECKING && facts != NULL) {
        slot->worker.result = facts; // lent to the GO action
        dr_exec_slot_event(slot, DR_STEP_ON_FACTS);
    }
}

static void
forward_progress(struct dr_agent_slot *slot, const Drover__V1__PipeFrame *frame)
{
    const struct dr_bytes body = {.data = frame->body.data, .len = frame->body.len};
    int64_t now = dr_monotonic_ms();
    if (slot->agent->net.is_up && dr_pace_may(&slot->progress_at_ms, now, DR_EXEC_PROGRESS_MS)) {
        dr_exec_net_send(slot->agent, DROVER__V1__PIPE_KIND__PIPE_PROGRESS, 0, NULL, body);
    }
}

static void
take_frame(struct dr_agent_slot *slot, const Drover__V1__PipeFrame *frame)
{
    if (frame->kind == DROVER__V1__PIPE_KIND__PIPE_PROGRESS) {
        forward_progress(slot, frame);
    } else if (frame->kind == DROVER__V1__PIPE_KIND__PIPE_FACTS) {
        take_facts(slot, frame);
    } else if (frame->kind == DROVER__V1__PIPE_KIND__PIPE_RESULT) {
        slot->worker.result = drover__v1__worker_result__unpack(dr_arena_protobuf(slot->arena),
                                                                frame->body.len, frame->body.data);
    }
}

void
dr_exec_worker_heard(struct dr_agent_slot *slot)
{
    while (slot->worker.is_there) {
        Drover__V1__PipeFrame *frame = NULL;
        enum dr_rc rc = dr_pipe_flush(&slot->worker.pipe, NULL);
        (void)rc; // a broken channel shows again below, after what was said is read
        rc = dr_pipe_receive(&slot->worker.pipe, &frame, NULL);
        if (rc == DR_OK && frame == NULL) {
            return;
        }
        if (rc != DR_OK) {
            slot->worker.result = NULL;
            ended(slot);
            return;
        }
        bool has_result = frame->kind == DROVER__V1__PIPE_KIND__PIPE_RESULT;
        take_frame(slot, frame);
        dr_pipe_frame_free(&frame);
        if (has_result) {
            ended(slot);
            return;
        }
    }
}

void
dr_exec_worker_turn(struct dr_agent_slot *slot, int64_t now_ms)
{
    if (!slot->worker.is_there || now_ms < slot->worker.kill_at_ms) {
        return;
    }
    if (!slot->worker.is_told_to_stop) {
        dr_log(DR_LOG_WARN, "worker takes too long", "target", slot->target->name, NULL);
        dr_exec_worker_stop(slot);
        return;
    }
    slot->worker.result = NULL;
    ended(slot);
}
