// Rollout: its making, and states that follow from targets. Its stored form: rollout_message.c.
#include "coordinator/core/rollout.h"

#include "trust/approval.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum dr_rollout_state
dr_stage_state(const struct dr_rollout_stage *stage)
{
    size_t counts[DR_TARGET_STATES] = {0}, failures = 0, successes = 0, active = 0, begun = 0;

    for (size_t i = 0; i < stage->n_targets; i++) {
        enum dr_target_state state = stage->targets[i].state;

        counts[state]++;
        successes += dr_target_is_success(state, stage->mode);
        failures += dr_target_is_failure(state, stage->mode);
        active += dr_target_is_active(state);
        begun += stage->targets[i].has_approval && state > DR_TARGET_APPROVED;
    }
    // Between two waves nobody is waited for, unless it is stopped.
    bool is_rolling = counts[DR_TARGET_APPROVED] > 0 && begun > 0 && stage->hold[0] == '\0';
    if (active > 0 || is_rolling) {
        return DR_ROLLOUT_RUNNING;
    }
    if (counts[DR_TARGET_CANCELLED] > 0 && failures == counts[DR_TARGET_CANCELLED]) {
        return DR_ROLLOUT_ABORTED;
    }
    if (failures > 0) {
        return DR_ROLLOUT_FAILED;
    }
    if (successes == stage->n_targets) {
        return stage->soaking_wave == 0 ? DR_ROLLOUT_DONE : DR_ROLLOUT_RUNNING;
    }
    if (counts[DR_TARGET_READY] + counts[DR_TARGET_APPROVED] > 0) {
        return DR_ROLLOUT_WAITING;
    }
    return counts[DR_TARGET_PREPARING] > 0 ? DR_ROLLOUT_PREPARING : DR_ROLLOUT_PENDING;
}

bool
dr_stage_is_soaking(const struct dr_rollout_stage *stage)
{
    for (size_t i = 0; stage->soaking_wave != 0 && i < stage->n_targets; i++) {
        if (!dr_target_is_success(stage->targets[i].state, stage->mode)) {
            return false;
        }
    }
    return stage->soaking_wave != 0;
}

const struct dr_rollout_stage *
dr_rollout_current(const struct dr_rollout *rollout)
{
    for (size_t i = 0; i < rollout->n_stages; i++) {
        if (dr_stage_state(&rollout->stages[i]) != DR_ROLLOUT_DONE) {
            return &rollout->stages[i];
        }
    }
    return &rollout->stages[rollout->n_stages - 1];
}

enum dr_rollout_state
dr_rollout_state(const struct dr_rollout *rollout)
{
    enum dr_rollout_state current = dr_stage_state(dr_rollout_current(rollout));

    if (current == DR_ROLLOUT_DONE) {
        return DR_ROLLOUT_DONE;
    }
    if (rollout->is_aborted) {
        for (size_t i = 0; i < rollout->n_stages; i++) {
            if (dr_stage_state(&rollout->stages[i]) == DR_ROLLOUT_RUNNING) {
                return DR_ROLLOUT_RUNNING;
            }
        }
        return DR_ROLLOUT_ABORTED;
    }
    return rollout->is_paused && current != DR_ROLLOUT_FAILED ? DR_ROLLOUT_PAUSED : current;
}

const char *
dr_rollout_state_name(enum dr_rollout_state state, Drover__V1__Mode mode)
{
    static const char *const names[] = {"pending", "preparing", "waiting", "running",
                                        "failed",  "paused",    "applied", "aborted"};

    if (state == DR_ROLLOUT_DONE && dr_approval_is_down(mode)) {
        return "reverted";
    }
    return names[state];
}

bool
dr_rollout_is_open(const struct dr_rollout *rollout)
{
    enum dr_rollout_state state = dr_rollout_state(rollout);

    return state != DR_ROLLOUT_DONE && state != DR_ROLLOUT_ABORTED;
}

void
dr_rollout_retry_all(struct dr_rollout *rollout)
{
    for (size_t s = 0; s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s].n_targets; t++) {
            struct dr_rollout_target *target = &rollout->stages[s].targets[t];

            target->retry_at =
                target->state == DR_TARGET_APPROVED || target->state == DR_TARGET_PENDING ? 1 : 0;
        }
    }
}

const struct dr_rollout_plan *
dr_rollout_plan(const struct dr_rollout *rollout, Drover__V1__Engine engine)
{
    for (size_t i = 0; i < rollout->n_plans; i++) {
        if (rollout->plans[i].engine == engine) {
            return &rollout->plans[i];
        }
    }
    return NULL;
}

// Targets stand by name as the fleet has them. Whether they do is looked at once.
static bool
is_in_order(struct dr_rollout_stage *stage)
{
    if (stage->order == DR_STAGE_ORDER_UNKNOWN) {
        stage->order = DR_STAGE_BY_NAME;
        for (size_t t = 1; t < stage->n_targets; t++) {
            if (strcmp(stage->targets[t - 1].name, stage->targets[t].name) >= 0) {
                stage->order = DR_STAGE_UNORDERED;
            }
        }
    }
    return stage->order == DR_STAGE_BY_NAME;
}

static struct dr_rollout_target *
find_in(struct dr_rollout_stage *stage, const char *target)
{
    size_t low = 0, high = is_in_order(stage) ? stage->n_targets : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(target, stage->targets[middle].name);

        if (order == 0) {
            return &stage->targets[middle];
        }
        low = order < 0 ? low : middle + 1;
        high = order < 0 ? middle : high;
    }
    for (size_t t = 0; stage->order != DR_STAGE_BY_NAME && t < stage->n_targets; t++) {
        if (strcmp(stage->targets[t].name, target) == 0) {
            return &stage->targets[t];
        }
    }
    return NULL;
}

struct dr_rollout_target *
dr_rollout_find(struct dr_rollout *rollout, const char *target, struct dr_rollout_stage **out_stage)
{
    for (size_t s = 0; s < rollout->n_stages; s++) {
        struct dr_rollout_target *found = find_in(&rollout->stages[s], target);

        if (found != NULL) {
            *out_stage = &rollout->stages[s];
            return found;
        }
    }
    return NULL;
}

struct dr_rollout *
dr_rollout_new(size_t n_stages)
{
    struct dr_rollout *rollout = calloc(1, sizeof *rollout);

    if (rollout == NULL || n_stages > DR_ROLLOUT_STAGES_MAX) {
        free(rollout);
        return NULL;
    }
    rollout->stages = calloc(n_stages + 1, sizeof *rollout->stages);
    rollout->n_stages = n_stages;
    if (rollout->stages == NULL) {
        free(rollout);
        return NULL;
    }
    return rollout;
}

bool
dr_stage_reserve(struct dr_rollout_stage *stage, size_t n_targets)
{
    if (n_targets > DR_ROLLOUT_TARGETS_MAX) {
        return false;
    }
    stage->targets = calloc(n_targets + 1, sizeof *stage->targets);
    stage->n_targets = stage->targets != NULL ? n_targets : 0;
    return stage->targets != NULL;
}

void
dr_rollout_free(struct dr_rollout **rollout)
{
    if (rollout == NULL || *rollout == NULL) {
        return;
    }
    for (size_t s = 0; s < (*rollout)->n_stages; s++) {
        struct dr_rollout_stage *stage = &(*rollout)->stages[s];

        for (size_t t = 0; t < stage->n_targets; t++) {
            if (stage->targets[t].progress != NULL) {
                drover__v1__progress__free_unpacked(stage->targets[t].progress, NULL);
            }
        }
        free(stage->targets);
    }
    free((*rollout)->stages);
    free(*rollout);
    *rollout = NULL;
}
