// Rollout, stored form: the Rollout message, there and back.
#include "coordinator/core/rollout.h"

#include "trust/approval.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ProtobufCBinaryData
digest(struct dr_arena *arena, bool is_there, const uint8_t bytes[32])
{
    uint8_t *copy = is_there ? dr_arena_copy(arena, bytes, 32) : NULL;

    return (ProtobufCBinaryData){copy != NULL ? 32 : 0, copy};
}

static Drover__V1__TargetStatus *
target_message(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
               struct dr_arena *arena)
{
    Drover__V1__TargetStatus *out = dr_arena_alloc(arena, sizeof *out);

    if (out == NULL) {
        return NULL;
    }
    drover__v1__target_status__init(out);
    out->target = dr_arena_str(arena, target->name);
    out->environment = dr_arena_str(arena, stage->environment);
    out->engine = target->engine;
    out->agent = dr_arena_str(arena, target->agent);
    out->state = dr_arena_str(arena, dr_target_state_name(target->state));
    out->reason = dr_arena_str(arena, target->reason);
    out->since = target->since;
    out->wave = target->wave;
    out->state_asked = target->state_asked;
    out->unknown_since = target->unknown_since;
    out->probe_asked = target->probe_asked;
    out->probe_time = target->probe_time;
    out->probe_outcome = target->probe_outcome;
    out->probe = dr_arena_str(arena, target->probe);
    out->ready_sha256 = digest(arena, target->has_ready, target->ready);
    out->approval_sha256 = digest(arena, target->has_approval, target->approval);
    out->last_attestation = digest(arena, target->has_last, target->last);
    out->backup_sha256 = digest(arena, target->has_backup, target->backup);
    out->progress = target->has_progress ? target->progress : NULL;
    return out;
}

static Drover__V1__StageStatus *
stage_message(const struct dr_rollout_stage *stage, bool is_brief, struct dr_arena *arena)
{
    const size_t n = is_brief ? 0 : stage->n_targets;
    Drover__V1__StageStatus *out = dr_arena_alloc(arena, sizeof *out);

    if (out == NULL) {
        return NULL;
    }
    drover__v1__stage_status__init(out);
    out->environment = dr_arena_str(arena, stage->environment);
    out->state = dr_arena_str(arena, dr_rollout_state_name(dr_stage_state(stage), stage->mode));
    out->mode = stage->mode;
    out->hold = dr_arena_str(arena, stage->hold);
    out->soaking_wave = stage->soaking_wave;
    out->soaks_until = stage->soaks_until;
    out->promoted_wave = stage->promoted_wave;
    out->promoted_at = stage->promoted_at;
    out->n_targets = n;
    out->targets = dr_arena_array(arena, n + 1, sizeof *out->targets);
    if (out->targets == NULL || out->environment == NULL || out->state == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        out->since = stage->targets[i].since > out->since ? stage->targets[i].since : out->since;
    }
    for (size_t i = 0; i < n; i++) {
        out->targets[i] = target_message(stage, &stage->targets[i], arena);
        if (out->targets[i] == NULL) {
            return NULL;
        }
    }
    return out;
}

static enum dr_rc
make_message(const struct dr_rollout *rollout, bool is_brief, struct dr_arena *arena,
             Drover__V1__Rollout **out, struct dr_err *err)
{
    Drover__V1__Rollout *message = dr_arena_alloc(arena, sizeof *message);
    Drover__V1__EnginePlan *plans = dr_arena_array(arena, DR_ROLLOUT_PLANS_MAX, sizeof *plans);
    const enum dr_rollout_state state = dr_rollout_state(rollout);

    if (message == NULL || plans == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "rollout '%s' is too large for this request",
                          rollout->id);
    }
    drover__v1__rollout__init(message);
    message->id = dr_arena_str(arena, rollout->id);
    message->state = dr_arena_str(arena, dr_rollout_state_name(state, rollout->mode));
    message->mode = rollout->mode;
    message->on_failure = rollout->on_failure;
    message->remedy = dr_arena_str(arena, rollout->remedy);
    message->from = dr_arena_str(arena, rollout->from);
    message->to = dr_arena_str(arena, rollout->to);
    message->created = rollout->created;
    message->created_by = dr_arena_str(arena, rollout->created_by);
    message->message = dr_arena_str(arena, rollout->message);
    message->log_index = rollout->log_index;
    message->is_paused = rollout->is_paused;
    message->is_aborted = rollout->is_aborted;
    message->pause_reason = dr_arena_str(arena, rollout->pause_reason);
    message->after = dr_arena_str(arena, rollout->after);
    message->after_item = dr_arena_str(arena, rollout->after_item);
    message->undo_of = dr_arena_str(arena, rollout->undo_of);
    message->n_plans = rollout->n_plans;
    message->plans = dr_arena_array(arena, DR_ROLLOUT_PLANS_MAX, sizeof *message->plans);
    message->n_stages = rollout->n_stages;
    message->stages = dr_arena_array(arena, rollout->n_stages + 1, sizeof *message->stages);
    if (message->plans == NULL || message->stages == NULL || message->message == NULL ||
        message->remedy == NULL || message->pause_reason == NULL || message->undo_of == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "rollout '%s' is too large for this request",
                          rollout->id);
    }
    for (size_t i = 0; i < rollout->n_plans; i++) {
        drover__v1__engine_plan__init(&plans[i]);
        plans[i].engine = rollout->plans[i].engine;
        plans[i].plan_sha256 = digest(arena, true, rollout->plans[i].sha256);
        message->plans[i] = &plans[i];
    }
    for (size_t i = 0; i < rollout->n_stages; i++) {
        message->stages[i] = stage_message(&rollout->stages[i], is_brief, arena);
        if (message->stages[i] == NULL) {
            return dr_err_set(err, DR_E_LIMIT, "rollout '%s' is too large for this request",
                              rollout->id);
        }
    }
    *out = message;
    return DR_OK;
}

enum dr_rc
dr_rollout_message(const struct dr_rollout *rollout, struct dr_arena *arena,
                   Drover__V1__Rollout **out, struct dr_err *err)
{
    return make_message(rollout, false, arena, out, err);
}

// The first target of a stage that failed.
static const struct dr_rollout_target *
find_trouble(const struct dr_rollout_stage *stage)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        if (dr_target_is_failure(stage->targets[i].state, stage->mode)) {
            return &stage->targets[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_rollout_brief(const struct dr_rollout *rollout, struct dr_arena *arena,
                 Drover__V1__Rollout **out, struct dr_err *err)
{
    DR_TRY(make_message(rollout, true, arena, out, err));
    const struct dr_rollout_stage *current = dr_rollout_current(rollout);
    const struct dr_rollout_target *trouble = find_trouble(current);
    if (rollout->is_paused) {
        (*out)->reason = dr_arena_str(arena, rollout->pause_reason);
    } else if (trouble != NULL) {
        (*out)->reason = dr_arena_printf(arena, "%s: %s", trouble->name, trouble->reason);
    } else {
        (*out)->reason = dr_arena_str(arena, current->hold);
    }
    return (*out)->reason != NULL ? DR_OK : dr_err_set(err, DR_E_LIMIT, "too many rollouts");
}

static void
read_digest(ProtobufCBinaryData data, uint8_t out[32], bool *out_is_there)
{
    *out_is_there = data.len == 32;
    if (data.len == 32) {
        memcpy(out, data.data, 32);
    }
}

static bool
read_target(const Drover__V1__TargetStatus *from, struct dr_rollout_target *to)
{
    (void)snprintf(to->name, sizeof to->name, "%s", from->target);
    (void)snprintf(to->agent, sizeof to->agent, "%s", from->agent);
    (void)snprintf(to->reason, sizeof to->reason, "%s", from->reason);
    to->engine = from->engine;
    to->since = from->since;
    to->wave = from->wave;
    to->state_asked = from->state_asked;
    to->unknown_since = from->unknown_since;
    to->probe_asked = from->probe_asked;
    to->probe_time = from->probe_time;
    to->probe_outcome = from->probe_outcome;
    (void)snprintf(to->probe, sizeof to->probe, "%s", from->probe);
    read_digest(from->ready_sha256, to->ready, &to->has_ready);
    read_digest(from->approval_sha256, to->approval, &to->has_approval);
    read_digest(from->last_attestation, to->last, &to->has_last);
    read_digest(from->backup_sha256, to->backup, &to->has_backup);
    return dr_target_state_parse(from->state, &to->state);
}

static bool
read_stage(const Drover__V1__StageStatus *from, struct dr_rollout_stage *to)
{
    (void)snprintf(to->environment, sizeof to->environment, "%s", from->environment);
    to->mode = from->mode;
    (void)snprintf(to->hold, sizeof to->hold, "%s", from->hold);
    to->soaking_wave = from->soaking_wave;
    to->soaks_until = from->soaks_until;
    to->promoted_wave = from->promoted_wave;
    to->promoted_at = from->promoted_at;
    if (!dr_stage_reserve(to, from->n_targets)) {
        return false;
    }
    for (size_t i = 0; i < from->n_targets; i++) {
        if (!read_target(from->targets[i], &to->targets[i])) {
            return false;
        }
    }
    return true;
}

static bool
read_rollout(const Drover__V1__Rollout *from, struct dr_rollout *to)
{
    (void)snprintf(to->id, sizeof to->id, "%s", from->id);
    (void)snprintf(to->from, sizeof to->from, "%s", from->from);
    (void)snprintf(to->to, sizeof to->to, "%s", from->to);
    (void)snprintf(to->created_by, sizeof to->created_by, "%s", from->created_by);
    (void)snprintf(to->message, sizeof to->message, "%s", from->message);
    to->mode = from->mode;
    to->on_failure = from->on_failure;
    (void)snprintf(to->remedy, sizeof to->remedy, "%s", from->remedy);
    to->created = from->created;
    to->log_index = from->log_index;
    to->is_paused = from->is_paused;
    to->is_aborted = from->is_aborted;
    (void)snprintf(to->pause_reason, sizeof to->pause_reason, "%s", from->pause_reason);
    (void)snprintf(to->after, sizeof to->after, "%s", from->after);
    (void)snprintf(to->after_item, sizeof to->after_item, "%s", from->after_item);
    (void)snprintf(to->undo_of, sizeof to->undo_of, "%s", from->undo_of);
    for (size_t i = 0; i < from->n_plans && i < DR_ROLLOUT_PLANS_MAX; i++) {
        bool is_there;

        to->plans[i].engine = from->plans[i]->engine;
        read_digest(from->plans[i]->plan_sha256, to->plans[i].sha256, &is_there);
        to->n_plans += is_there;
    }
    for (size_t i = 0; i < from->n_stages; i++) {
        if (!read_stage(from->stages[i], &to->stages[i])) {
            return false;
        }
    }
    return dr_parse_u64(to->id[0] != '\0' ? to->id + 2 : "", 1, UINT64_MAX, &to->number);
}

enum dr_rc
dr_rollout_unpack(struct dr_bytes bytes, struct dr_rollout **out, struct dr_err *err)
{
    Drover__V1__Rollout *message = drover__v1__rollout__unpack(NULL, bytes.len, bytes.data);
    struct dr_rollout *rollout =
        message != NULL && message->n_stages > 0 ? dr_rollout_new(message->n_stages) : NULL;
    bool is_read = rollout != NULL && read_rollout(message, rollout);

    if (message != NULL) {
        drover__v1__rollout__free_unpacked(message, NULL);
    }
    if (!is_read) {
        dr_rollout_free(&rollout);
        return dr_err_set(err, DR_E_STORE, "a rollout in the store cannot be read");
    }
    *out = rollout;
    return DR_OK;
}
