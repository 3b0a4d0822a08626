// Exec, slots: one target's turn. Events become steps by the table in step.c; an action that fails
// leaves the slot waiting, and everything that is durable is looked at again after a while.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "trust/attest.h"
#include "trust/gate.h"

#include <string.h>

struct dr_agent_slot *
dr_exec_slot(struct dr_agent *agent, const char *target)
{
    for (size_t i = 0; i < agent->n_slots; i++) {
        if (dr_str_eq(agent->slots[i].target->name, target)) {
            return &agent->slots[i];
        }
    }
    return NULL;
}

// ----------------------------------------------------------------------------------- actions

// Forgets the work under way; what is durable stays.
static enum dr_rc
renew(struct dr_agent_slot *slot, struct dr_err *err)
{
    dr_arena_free(&slot->arena);
    slot->arena = dr_arena_new(DR_SLOT_ARENA_MAX);
    slot->task = (struct dr_agent_task){0};
    slot->run = (struct dr_agent_run){0};
    slot->gives_up = false;
    slot->spec = NULL;
    slot->bundle = NULL;
    slot->plan = NULL;
    slot->has_plan_sha256 = false;
    slot->has_approval_sha256 = false;
    slot->mode = DROVER__V1__MODE__MODE_NONE;
    slot->rollout = "";
    slot->with_backup = false;
    slot->blobs = NULL;
    slot->n_blobs = 0;
    slot->worker.result = NULL;
    return slot->arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
}

static enum dr_rc
wait_a_while(struct dr_agent_slot *slot)
{
    int64_t wait = DR_EXEC_RETRY_MIN_MS;
    for (unsigned i = 0; i < slot->failures && wait < DR_EXEC_RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    slot->failures++;
    slot->retry_at_ms =
        dr_monotonic_ms() + (wait < DR_EXEC_RETRY_MAX_MS ? wait : DR_EXEC_RETRY_MAX_MS);
    return DR_OK;
}

static enum dr_rc
start_job(struct dr_agent_slot *slot, Drover__V1__WorkerJob job, int64_t timeout_ms,
          struct dr_err *err)
{
    Drover__V1__WorkerRun *run = NULL;
    enum dr_rc rc = dr_exec_task_spec(slot, job, &run, err);
    if (rc != DR_OK) {
        return rc;
    }
    slot->spec = run;
    return dr_exec_worker_start(slot, run, timeout_ms, err);
}

static int64_t
run_timeout(const struct dr_agent_slot *slot)
{
    return (int64_t)slot->agent->config->run_timeout_ms;
}

// One backup, and its restore into a throw-away database.
static int64_t
prepare_timeout(const struct dr_agent_slot *slot)
{
    return DR_EXEC_PREPARE_MS + 2 * (int64_t)slot->agent->config->backup_timeout_ms;
}

static enum dr_rc
start_resume(struct dr_agent_slot *slot, struct dr_err *err)
{
    Drover__V1__WorkerRun *run = drover__v1__worker_run__unpack(
        dr_arena_protobuf(slot->arena), slot->run.spec.len, slot->run.spec.data);
    if (run == NULL || run->plan_sha256.len != 32) {
        return dr_err_set(err, DR_E_AGENT_STATE, "the run that was begun does not decode");
    }
    run->resume = true;
    slot->spec = run;
    enum dr_rc rc = dr_agent_state_attempt(slot->agent->state, slot->target->name, 1, err);
    (void)DR_FAILPOINT("agent-run-attempt");
    return rc != DR_OK ? rc : dr_exec_worker_start(slot, run, run_timeout(slot), err);
}

static enum dr_rc
go(struct dr_agent_slot *slot, struct dr_err *err)
{
    enum dr_rc rc = dr_exec_task_consume(slot, slot->worker.result, err);
    const struct dr_bytes none = {0};
    slot->worker.result = NULL;
    if (rc == DR_OK) {
        dr_log(DR_LOG_INFO, "approval consumed", "target", slot->target->name, "rollout",
               slot->rollout, NULL);
        (void)DR_FAILPOINT("agent-run-consumed");
        // When the worker is gone its end shows on the channel: then it is looked at again.
        enum dr_rc ignored = dr_pipe_send_simple(&slot->worker.pipe, DROVER__V1__PIPE_KIND__PIPE_GO,
                                                 0, NULL, none, NULL, NULL);
        (void)ignored;
        return DR_OK;
    }
    dr_exec_worker_kill(slot);
    return rc;
}

static enum dr_rc
drop_task(struct dr_agent_slot *slot, struct dr_err *err)
{
    enum dr_rc rc = slot->task.id == 0
                        ? DR_OK
                        : dr_agent_state_drop_task(slot->agent->state, slot->task.id, err);
    if (rc == DR_OK) {
        slot->task = (struct dr_agent_task){0};
        slot->wants_state = true;
    }
    return rc;
}

static enum dr_rc
act(struct dr_agent_slot *slot, enum dr_step_action action, struct dr_err *err)
{
    switch (action) {
    case DR_STEP_DO_NONE:
        return DR_OK;
    case DR_STEP_DO_FETCH_PREPARE:
    case DR_STEP_DO_FETCH_BUNDLE:
        slot->has_news = true;
        return dr_exec_task_begin(slot, err);
    case DR_STEP_DO_START_STATE:
        return start_job(slot, DROVER__V1__WORKER_JOB__JOB_STATE, DR_EXEC_STATE_MS, err);
    case DR_STEP_DO_START_PREPARE:
        dr_pace_take(&slot->prepares, dr_monotonic_ms());
        return start_job(slot, DROVER__V1__WORKER_JOB__JOB_PREPARE, prepare_timeout(slot), err);
    case DR_STEP_DO_START_BACKUP:
        return start_job(slot, DROVER__V1__WORKER_JOB__JOB_BACKUP, prepare_timeout(slot), err);
    case DR_STEP_DO_START_RUN:
        return start_job(slot, DROVER__V1__WORKER_JOB__JOB_RUN, run_timeout(slot), err);
    case DR_STEP_DO_START_RESUME:
        return start_resume(slot, err);
    case DR_STEP_DO_GO:
        return go(slot, err);
    case DR_STEP_DO_REPORT_STATE:
        return dr_report_state(slot, err);
    case DR_STEP_DO_REPORT_BACKUP:
        return dr_report_backup(slot, err);
    case DR_STEP_DO_REPORT_READY:
        return dr_report_ready(slot, err);
    case DR_STEP_DO_REPORT_RUN:
        return dr_report_run(slot, err);
    case DR_STEP_DO_REPORT_UNREADY:
    case DR_STEP_DO_REPORT_FAILED:
        return dr_report_failed(slot, err);
    case DR_STEP_DO_REPORT_REFUSED:
        return dr_report_refused(slot, err);
    case DR_STEP_DO_DROP_TASK:
        return drop_task(slot, err);
    case DR_STEP_DO_STOP_WORKER:
        dr_exec_worker_stop(slot);
        return DR_OK;
    case DR_STEP_DO_WAIT:
        return wait_a_while(slot);
    }
    return dr_err_set(err, DR_E_INTERNAL, "action %d is not known", (int)action);
}

// ------------------------------------------------------------------------------------ events

bool
dr_exec_is_local(enum dr_rc rc)
{
    return rc == DR_E_AGENT_STATE || rc == DR_E_IO || rc == DR_E_NOMEM || rc == DR_E_AGENT_PIPE ||
           rc == DR_E_INTERNAL || rc == DR_E_PERMISSION || rc == DR_E_NOT_FOUND;
}

// An action failed: a check of trust is answered with REFUSED, anything else is tried again later.
static void
action_failed(struct dr_agent_slot *slot, enum dr_step_action action, const struct dr_err *err)
{
    bool is_check = action == DR_STEP_DO_FETCH_PREPARE || action == DR_STEP_DO_FETCH_BUNDLE ||
                    action == DR_STEP_DO_START_RUN || action == DR_STEP_DO_GO;
    dr_exec_worker_kill(slot);
    if (is_check && !dr_exec_is_local(err->rc)) {
        slot->failure = *err;
        struct dr_err again = {0};
        slot->state = DR_STEP_IDLE;
        if (dr_report_refused(slot, &again) == DR_OK) {
            slot->has_news = true;
            return;
        }
    }
    dr_log_err(DR_LOG_ERROR, slot->target->name, err);
    slot->state = DR_STEP_WAITING;
    (void)wait_a_while(slot);
}

void
dr_exec_slot_event(struct dr_agent_slot *slot, enum dr_step_event event)
{
    struct dr_step step = {0};
    struct dr_err err = {0};
    enum dr_rc rc = dr_step_find(slot->state, event, &step, &err);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, slot->target->name, &err);
        return;
    }
    dr_log(DR_LOG_DEBUG, step.reason, "target", slot->target->name, "state",
           dr_step_state_name(slot->state), "event", dr_step_event_name(event), "next",
           dr_step_state_name(step.next), NULL);
    slot->state = step.next;
    rc = act(slot, step.action, &err);
    if (rc != DR_OK) {
        action_failed(slot, step.action, &err);
        return;
    }
    if (slot->state == DR_STEP_IDLE) {
        slot->has_news = true;
    }
    if (event == DR_STEP_ON_DONE || event == DR_STEP_ON_REFUSED || event == DR_STEP_ON_FAILED) {
        slot->failures = 0;
    }
}

// -------------------------------------------------------------------------------------- turn

// What people signed since the run began. A start of a worker is a beginning: a FREEZE stops it,
// too.
static enum dr_rc
check_stops(struct dr_agent_slot *slot, const struct dr_trust *trust, struct dr_err *err)
{
    const char *environment = slot->agent->config->environment;
    ProtobufCBinaryData *wires = NULL;
    struct dr_signoff *stops = NULL;
    size_t n_wires = 0;
    size_t n = 0;
    enum dr_rc rc = dr_agent_state_stops(slot->agent->state, slot->arena, &wires, &n_wires, err);
    rc = rc != DR_OK ? rc
                     : dr_gate_load_signoffs(slot->arena, &trust->root, environment, wires, n_wires,
                                             true, &stops, &n, err);
    return rc != DR_OK ? rc
                       : dr_signoff_check_stops(&trust->root, stops, n, environment,
                                                slot->spec->plan_sha256.data,
                                                slot->spec->not_before, dr_now_unix_s(), err);
}

// May a run that was begun be gone on with? Otherwise it is only reported, with this error.
static enum dr_rc
may_resume(struct dr_agent_slot *slot, struct dr_err *err)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    Drover__V1__Environment none = DROVER__V1__ENVIRONMENT__INIT;
    const Drover__V1__WorkerRun *spec = drover__v1__worker_run__unpack(
        dr_arena_protobuf(slot->arena), slot->run.spec.len, slot->run.spec.data);
    slot->spec = spec;
    enum dr_rc rc = dr_verify_resume(policy == NULL ? &none : policy->msg->environment,
                                     slot->run.started, dr_now_unix_s(), err);
    if (rc != DR_OK) {
        return rc;
    }
    bool is_repeatable =
        spec != NULL && spec->plan_sha256.len == 32 &&
        (spec->mode == DROVER__V1__MODE__UP || spec->mode == DROVER__V1__MODE__DOWN ||
         spec->mode == DROVER__V1__MODE__STAMP || spec->mode == DROVER__V1__MODE__UNSTAMP);
    if (!is_repeatable || slot->run.attempts >= DR_SLOT_ATTEMPTS_MAX) {
        return dr_err_set(err, DR_E_AGENT_INTERRUPTED, "the run was cut off after %u starts",
                          slot->run.attempts);
    }
    return check_stops(slot, trust, err);
}

static void
take_run(struct dr_agent_slot *slot)
{
    memcpy(slot->approval_sha256, slot->run.approval_sha256, 32);
    slot->has_approval_sha256 = true;
    enum dr_rc rc = may_resume(slot, &slot->failure);
    if (slot->spec != NULL && slot->spec->plan_sha256.len == 32) {
        memcpy(slot->plan_sha256, slot->spec->plan_sha256.data, 32);
        slot->has_plan_sha256 = true;
        slot->mode = slot->spec->mode;
        slot->rollout = slot->spec->rollout;
    }
    if (rc != DR_OK && dr_exec_is_local(rc)) {
        dr_log_err(DR_LOG_ERROR, slot->target->name, &slot->failure);
        slot->state = DR_STEP_WAITING;
        (void)wait_a_while(slot);
        return;
    }
    slot->gives_up = rc != DR_OK;
    dr_exec_slot_event(slot, rc == DR_OK ? DR_STEP_ON_RESUME : DR_STEP_ON_GIVE_UP);
}

// A PREPARE is only a wish, and its preflights are a load: of too many the newest waits.
static bool
is_too_early(struct dr_agent_slot *slot)
{
    int64_t now = dr_monotonic_ms();
    int64_t wait = dr_pace_wait(&slot->prepares, now, DR_SLOT_BURST_MAX, DR_SLOT_PREPARE_MS);
    if (wait <= 0) {
        return false;
    }
    dr_log(DR_LOG_WARN, "asked to prepare too often: it waits", "target", slot->target->name, NULL);
    slot->state = DR_STEP_WAITING;
    slot->retry_at_ms = now + wait;
    return true;
}

static void
look_for_work(struct dr_agent_slot *slot)
{
    struct dr_err err = {0};
    enum dr_rc rc = renew(slot, &err);
    rc = rc != DR_OK ? rc
                     : dr_agent_state_run(slot->agent->state, slot->arena, slot->target->name,
                                          &slot->run, &err);
    if (rc == DR_OK && !slot->run.exists) {
        rc = dr_agent_state_next_task(slot->agent->state, slot->arena, slot->target->name,
                                      &slot->task, &err);
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, slot->target->name, &err);
        slot->state = DR_STEP_WAITING;
        (void)wait_a_while(slot);
        return;
    }
    if (slot->run.exists) {
        take_run(slot);
    } else if (slot->task.id != 0 && slot->task.kind == DROVER__V1__PUSH_KIND__PUSH_PREPARE) {
        if (!is_too_early(slot)) {
            dr_exec_slot_event(slot, DR_STEP_ON_PREPARE);
        }
    } else if (slot->task.id != 0) {
        dr_exec_slot_event(slot, DR_STEP_ON_BUNDLE);
    } else if (slot->has_orders && dr_exec_backup_next(slot)) {
        dr_exec_slot_event(slot, DR_STEP_ON_BACKUP);
    } else if (slot->wants_state || dr_exec_drift_is_due(slot, dr_monotonic_ms()) ||
               dr_exec_probe_is_due(slot, dr_monotonic_ms())) {
        dr_exec_slot_event(slot, DR_STEP_ON_STATE);
    } else {
        dr_arena_free(&slot->arena); // an idle target costs nothing
    }
}

static void
go_on_fetching(struct dr_agent_slot *slot)
{
    bool is_whole = false;
    enum dr_rc rc = dr_exec_task_go_on(slot, &is_whole, &slot->failure);
    if (rc != DR_OK) {
        dr_exec_slot_event(slot, dr_exec_is_local(rc) ? DR_STEP_ON_AGAIN : DR_STEP_ON_REFUSED);
    } else if (is_whole) {
        dr_exec_slot_event(slot, slot->bundle == NULL ? DR_STEP_ON_BLOBS : DR_STEP_ON_APPROVED);
    }
}

void
dr_exec_slot_turn(struct dr_agent_slot *slot)
{
    if (slot->state == DR_STEP_WAITING && dr_monotonic_ms() >= slot->retry_at_ms) {
        dr_exec_slot_event(slot, DR_STEP_ON_TIMER);
    }
    slot->has_news = slot->has_news || dr_exec_drift_is_due(slot, dr_monotonic_ms()) ||
                     dr_exec_probe_is_due(slot, dr_monotonic_ms());
    if (!slot->has_news || slot->agent->is_stopping) {
        return;
    }
    if (slot->state == DR_STEP_IDLE) {
        slot->has_news = false;
        look_for_work(slot);
    } else if (slot->state == DR_STEP_FETCHING) {
        slot->has_news = false;
        go_on_fetching(slot);
    }
}

int64_t
dr_exec_slot_due(const struct dr_agent_slot *slot, int64_t now_ms)
{
    int64_t due = INT64_MAX;
    bool has_turn = slot->has_news && !slot->agent->is_stopping &&
                    (slot->state == DR_STEP_IDLE || slot->state == DR_STEP_FETCHING);
    if (has_turn) {
        return 0;
    }
    if (slot->state == DR_STEP_WAITING && !slot->agent->is_stopping) {
        due = slot->retry_at_ms - now_ms;
    }
    if (slot->state == DR_STEP_IDLE && slot->agent->drift_every_ms > 0 &&
        !slot->agent->is_stopping) {
        due = slot->drift_at_ms - now_ms;
    }
    if (slot->state == DR_STEP_IDLE && slot->wants_probe && !slot->agent->is_stopping &&
        slot->probe_at_ms - now_ms < due) {
        due = slot->probe_at_ms - now_ms;
    }
    if (slot->worker.is_there && slot->worker.kill_at_ms - now_ms < due) {
        due = slot->worker.kill_at_ms - now_ms;
    }
    return due < 0 ? 0 : due;
}
