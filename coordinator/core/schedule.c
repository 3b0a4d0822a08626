// Schedule: events in, table rows applied, pushes out.
#include "coordinator/core/schedule.h"

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/core/evidence.h"
#include "coordinator/core/looks.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule_internal.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

void
dr_schedule_touch(struct dr_core *core, struct dr_rollout *rollout)
{
    rollout->log_index = dr_events_head(core->events)->index;
    rollout->is_dirty = true;
}

static enum dr_rc
act(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
    struct dr_rollout_target *target, enum dr_target_state before, enum dr_target_action action,
    struct dr_err *err)
{
    switch (action) {
    case DR_ACTION_NONE:
    case DR_ACTION_KEEP_READY: // dr_schedule_attestation notes its digest
        return DR_OK;
    case DR_ACTION_DROP_READY:
        target->has_ready = target->has_backup = false;
        dr_schedule_probe_forget(target);
        DR_TRY(dr_schedule_leave(core, rollout, stage, target, before != DR_TARGET_APPROVED, err));
        return dr_push_prepare(core, rollout, stage, target, err);
    case DR_ACTION_PREPARE:
        return dr_push_prepare(core, rollout, stage, target, err);
    case DR_ACTION_BUNDLE:
        return dr_push_bundle(core, rollout, target, err);
    case DR_ACTION_ASK_STATE:
        target->state_asked = dr_now_unix_s();
        return dr_push_order(core, rollout->id, target, "state", err);
    case DR_ACTION_CANCEL:
        return dr_push_order(core, rollout->id, target, "cancel", err);
    }
    return dr_err_set(err, DR_E_INTERNAL, "no such action: %d", (int)action);
}

// The target's new state and reason, into the log and for whoever looks.
static enum dr_rc
tell(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_target *target,
     const char *reason, struct dr_err *err)
{
    char subject[DR_TARGET_NAME_MAX + 32];
    const struct dr_event entry = {"target", subject, "", target->has_last ? target->last : NULL};

    target->since = dr_now_unix_s();
    (void)snprintf(target->reason, sizeof target->reason, "%s", reason);
    (void)snprintf(subject, sizeof subject, "%s %s", rollout->id, target->name);
    DR_TRY(dr_events_add(core->events, &entry, NULL, err, "%s: %s",
                         dr_target_state_name(target->state), reason));
    dr_schedule_touch(core, rollout);
    return DR_OK;
}

// From when its agent went away until it has looked, or has said what happened.
static void
note_unknown(struct dr_rollout_target *target, enum dr_target_state before,
             enum dr_target_event event)
{
    if (event == DR_EVENT_AWAY && target->unknown_since == 0) {
        target->unknown_since = dr_now_unix_s();
    } else if (event == DR_EVENT_LOOKED || event == DR_EVENT_PROGRESS || target->state != before) {
        target->unknown_since = event == DR_EVENT_AWAY ? target->unknown_since : 0;
    }
    if (target->state != before && dr_target_is_active(before)) {
        dr_schedule_probe_forget(target);
    }
}

enum dr_rc
dr_schedule_event(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, enum dr_target_event event, bool is_partial,
                  const char *detail, struct dr_err *err)
{
    const struct dr_target_facts facts = {stage->mode, is_partial};
    const enum dr_target_state before = target->state;
    struct dr_target_step step;
    char reason[DR_ROLLOUT_TEXT_MAX];

    DR_TRY(dr_rollout_step(before, event, &facts, &step, err));
    (void)snprintf(reason, sizeof reason, "%s%s%s", step.reason,
                   detail != NULL && detail[0] != '\0' ? ": " : "", detail != NULL ? detail : "");
    if (step.next == before && event == DR_EVENT_PROGRESS) {
        return DR_OK;
    }
    rollout->is_dirty = true; // also when what follows fails: it is read again then
    bool is_news = step.next != before || strcmp(reason, target->reason) != 0;
    target->state = step.next;
    note_unknown(target, before, event);
    if (!dr_target_is_active(step.next)) {
        target->has_progress = false;
    }
    enum dr_rc rc = act(core, rollout, stage, target, before, step.action, err);
    return rc == DR_OK && is_news ? tell(core, rollout, target, reason, err) : rc;
}

// What fails the whole transaction: the store or this process, not what was asked for.
static bool
is_our_failure(enum dr_rc rc)
{
    return rc == DR_E_NOMEM || rc == DR_E_IO || rc == DR_E_STORE || (rc >= 200 && rc < 250);
}

// What an agent says has happened, whatever follows from it here.
static bool
is_word_of_agent(enum dr_target_event event)
{
    return event >= DR_EVENT_BACKUP && event <= DR_EVENT_REFUSED;
}

// Notes why something is tried again later; once, however often.
static enum dr_rc
wait_for_retry(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_target *target,
               int64_t wait_s, const struct dr_err *why, struct dr_err *err)
{
    bool is_stopped = why->rc == DR_E_FROZEN || why->rc == DR_E_VETOED;
    char reason[DR_ROLLOUT_TEXT_MAX];

    target->retry_at = dr_now_unix_s() + (is_stopped ? DR_SCHEDULE_RETRY_S : wait_s);
    (void)snprintf(reason, sizeof reason, "%s: %s: %.160s",
                   is_stopped ? "approved, waits until a stop is lifted"
                              : "what comes next cannot be sent, tried again",
                   dr_rc_name(why->rc), why->message);
    if (strcmp(reason, target->reason) == 0) {
        return DR_OK;
    }
    dr_log_err(DR_LOG_WARN, "a step of a rollout is tried again later", why);
    return tell(core, rollout, target, reason, err);
}

enum dr_rc
dr_schedule_try(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                struct dr_rollout_target *target, enum dr_target_event event, bool is_partial,
                const char *detail, struct dr_err *err)
{
    const struct dr_rollout_target before = *target;
    struct dr_err why = {0};
    enum dr_rc rc =
        dr_schedule_event(core, rollout, stage, target, event, is_partial, detail, &why);

    if (rc == DR_OK) {
        return DR_OK;
    }
    if (rc == DR_E_ROLLOUT_EVENT || is_our_failure(rc)) {
        *err = why;
        return rc;
    }
    if (!is_word_of_agent(event)) {
        *target = before;
    }
    return wait_for_retry(core, rollout, target, DR_SCHEDULE_RETRY_S, &why, err);
}

enum dr_rc
dr_schedule_unsent(struct dr_core *core, const char *agent, struct dr_rollout *rollout,
                   struct dr_rollout_target *target, const struct dr_err *why, struct dr_err *err)
{
    char key[DR_TARGET_NAME_MAX + 16];

    if (target == NULL || target->state != DR_TARGET_SENT) {
        dr_log_err(DR_LOG_WARN, "a bundle is not sent", why);
        return DR_OK;
    }
    DR_TRY(dr_core_begin(core, err));
    (void)snprintf(key, sizeof key, "bundle %s", target->name);
    enum dr_rc rc = core->store->ops->push_drop(core->store, agent, key, err);
    if (rc == DR_OK) {
        rollout->is_dirty = true;
        target->state = DR_TARGET_APPROVED;
        rc = wait_for_retry(core, rollout, target, DR_SCHEDULE_UNSENT_S, why, err);
    }
    return dr_core_end(core, rc, err);
}

// ---- moving on

static enum dr_rc
begin_stage(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
            struct dr_err *err)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        struct dr_rollout_target *target = &stage->targets[i];

        if (target->state == DR_TARGET_PENDING) {
            bool is_done = dr_evidence_is_done(core, rollout, stage, target);

            DR_TRY(dr_schedule_try(core, rollout, stage, target,
                                   is_done ? DR_EVENT_ALREADY : DR_EVENT_START, false, NULL, err));
        }
    }
    return DR_OK;
}

enum dr_rc
dr_schedule_advance(struct dr_core *core, struct dr_rollout *rollout, struct dr_err *err)
{
    bool waits = false;

    if (rollout->is_paused || rollout->is_aborted) {
        return DR_OK;
    }
    DR_TRY(dr_schedule_after(core, rollout, &waits, err));
    for (size_t s = 0; !waits && s < rollout->n_stages; s++) {
        struct dr_rollout_stage *stage = &rollout->stages[s];

        DR_TRY(dr_schedule_last_of_others(core, rollout, stage, &waits, err));
        if (waits) {
            return DR_OK;
        }
        DR_TRY(begin_stage(core, rollout, stage, err));
        DR_TRY(dr_schedule_waves(core, rollout, stage, err));
        if (dr_stage_state(stage) != DR_ROLLOUT_DONE) {
            return DR_OK;
        }
    }
    return DR_OK;
}

// ---- attestations

static bool
event_of(const Drover__V1__Attestation *msg, enum dr_target_event *out)
{
    static const struct {
        Drover__V1__AttestationKind kind;
        enum dr_target_event event;
    } rows[] = {{DROVER__V1__ATTESTATION_KIND__READY, DR_EVENT_READY},
                {DROVER__V1__ATTESTATION_KIND__BACKUP, DR_EVENT_BACKUP},
                {DROVER__V1__ATTESTATION_KIND__APPLIED, DR_EVENT_APPLIED},
                {DROVER__V1__ATTESTATION_KIND__REVERTED, DR_EVENT_REVERTED},
                {DROVER__V1__ATTESTATION_KIND__FAILED, DR_EVENT_FAILED},
                {DROVER__V1__ATTESTATION_KIND__REFUSED, DR_EVENT_REFUSED}};

    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (rows[i].kind == msg->kind) {
            *out = rows[i].event;
            return true;
        }
    }
    return false;
}

// The newest rollout with the attestation's target whose plan (if it names one) is the same, and
// whose approval (if it names one) is the target's.
static struct dr_rollout *
find_newest(struct dr_core *core, const Drover__V1__Attestation *msg, bool is_begun,
            struct dr_rollout_stage **out_stage, struct dr_rollout_target **out_target)
{
    for (size_t i = core->n_rollouts; i > 0; i--) {
        struct dr_rollout *rollout = core->rollouts[i - 1];
        struct dr_rollout_target *target = dr_rollout_find(rollout, msg->target, out_stage);
        const struct dr_rollout_plan *plan =
            target != NULL ? dr_rollout_plan(rollout, target->engine) : NULL;

        if (plan == NULL ||
            (msg->plan_sha256.len == 32 && !dr_data_is(msg->plan_sha256, plan->sha256))) {
            continue;
        }
        if (msg->approval_sha256.len == 32 &&
            (!target->has_approval || !dr_data_is(msg->approval_sha256, target->approval))) {
            continue;
        }
        if (msg->plan_sha256.len == 0 && !dr_rollout_is_open(rollout)) {
            continue;
        }
        if (is_begun && target->state == DR_TARGET_PENDING) {
            continue;
        }
        *out_target = target;
        return rollout;
    }
    return NULL;
}

// The rollout that an attestation is about. A word that names no plan, such as the answer to a
// probe, is about the one that is at work on the target and not about one that waits behind it.
static struct dr_rollout *
find_rollout(struct dr_core *core, const Drover__V1__Attestation *msg,
             struct dr_rollout_stage **out_stage, struct dr_rollout_target **out_target)
{
    struct dr_rollout *begun =
        msg->plan_sha256.len == 0 ? find_newest(core, msg, true, out_stage, out_target) : NULL;

    return begun != NULL ? begun : find_newest(core, msg, false, out_stage, out_target);
}

static const char *
kind_name(Drover__V1__AttestationKind kind)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&drover__v1__attestation_kind__descriptor, (int)kind);

    return value != NULL ? value->name : "?";
}

static enum dr_rc
note_attestation(struct dr_core *core, const struct dr_attestation *attestation,
                 const struct dr_rollout *rollout, struct dr_err *err)
{
    const Drover__V1__Attestation *msg = attestation->msg;
    char subject[DR_TARGET_NAME_MAX + 32];

    (void)snprintf(subject, sizeof subject, "%s%s%s", rollout != NULL ? rollout->id : "",
                   rollout != NULL ? " " : "", msg->target);
    const struct dr_event event = {"attestation", subject, msg->agent, attestation->sha256};
    if (msg->code[0] != '\0') {
        return dr_events_add(core->events, &event, NULL, err, "%s %s: %s", kind_name(msg->kind),
                             msg->code, msg->detail);
    }
    return dr_events_add(core->events, &event, NULL, err, "%s at %s", kind_name(msg->kind),
                         msg->n_heads > 0 ? msg->heads[0]->id : "base");
}

// What the target remembers of an attestation, before the step.
static void
remember(struct dr_rollout_target *target, const struct dr_attestation *attestation)
{
    target->has_last = true;
    memcpy(target->last, attestation->sha256, 32);
    if (attestation->msg->kind == DROVER__V1__ATTESTATION_KIND__BACKUP) {
        target->has_backup = true;
        memcpy(target->backup, attestation->sha256, 32);
    }
}

// An agent that only says that no window is open will take the same approval later.
static bool
is_closed(const Drover__V1__Attestation *msg)
{
    return msg->kind == DROVER__V1__ATTESTATION_KIND__REFUSED &&
           strcmp(msg->code, dr_rc_name(DR_E_OUTSIDE_WINDOW)) == 0;
}

enum dr_rc
dr_schedule_attestation(struct dr_core *core, const struct dr_attestation *attestation,
                        struct dr_err *err)
{
    const Drover__V1__Attestation *msg = attestation->msg;
    struct dr_rollout_stage *stage = NULL;
    struct dr_rollout_target *target = NULL;
    struct dr_rollout *rollout = find_rollout(core, msg, &stage, &target);
    enum dr_target_event event;
    char detail[DR_ROLLOUT_TEXT_MAX] = "";
    struct dr_err refused = {0};

    DR_TRY(note_attestation(core, attestation, rollout, err));
    if (rollout == NULL) {
        return DR_OK;
    }
    dr_schedule_touch(core, rollout);
    if (!event_of(msg, &event)) { // STATE and others open gates, and tell what was unknown
        if (msg->kind == DROVER__V1__ATTESTATION_KIND__STATE) {
            DR_TRY(dr_schedule_state(core, rollout, stage, target, msg, err));
        }
        DR_TRY(dr_looks_drift(core, rollout, stage, target, msg, err));
        return dr_schedule_advance(core, rollout, err);
    }
    remember(target, attestation);
    if (msg->code[0] != '\0') {
        (void)snprintf(detail, sizeof detail, "%.40s: %.180s", msg->code, msg->detail);
    }
    // An open intent counts, too: it is no unit that is done.
    const enum dr_target_state before = target->state;
    bool is_partial =
        msg->n_units > 0 || (msg->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0;
    if (is_closed(msg)) {
        event = DR_EVENT_CLOSED;
        target->not_before = dr_now_unix_s() + DR_SCHEDULE_CLOSED_S;
    }
    enum dr_rc rc =
        dr_schedule_try(core, rollout, stage, target, event, is_partial, detail, &refused);
    if (rc == DR_E_ROLLOUT_EVENT) {
        return DR_OK; // it is in the log; a BACKUP out of turn, or what was known already
    }
    if (rc != DR_OK) {
        *err = refused;
        return rc;
    }
    if (dr_approval_is_down(stage->mode) &&
        (target->state == DR_TARGET_REVERTED || target->state == DR_TARGET_HELD)) {
        DR_TRY(dr_schedule_undone(core, rollout, target, err));
    }
    if (event == DR_EVENT_READY && target->state == DR_TARGET_READY) {
        target->has_ready = true;
        memcpy(target->ready, attestation->sha256, 32);
        bool has_failed = before <= DR_TARGET_READY || before >= DR_TARGET_APPLIED;
        DR_TRY(dr_schedule_leave(core, rollout, stage, target, has_failed, err));
    }
    return dr_schedule_advance(core, rollout, err);
}
