// Schedule, last: a stage that asks probes is done when its last wave has soaked and they have
// passed since. Until then a later rollout of its targets waits; what takes it back does not.
#include "coordinator/core/schedule_internal.h"

#include "base/clock.h"
#include "trust/approval.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

// Only on the way up: the way back may take away what a probe looks at. And not once the next
// environment has begun, whatever the policy has come to say.
bool
dr_schedule_is_looked_after(const struct dr_rollout *rollout, const struct dr_rollout_stage *stage)
{
    size_t next = (size_t)(stage - rollout->stages) + 1;

    for (size_t t = 0; next < rollout->n_stages && t < rollout->stages[next].n_targets; t++) {
        if (rollout->stages[next].targets[t].state != DR_TARGET_PENDING) {
            return false;
        }
    }
    return stage->mode == DROVER__V1__MODE__UP || stage->mode == DROVER__V1__MODE__PROVE;
}

bool
dr_schedule_is_last_open(const struct dr_rollout_stage *stage)
{
    uint32_t last = 0;
    int64_t settled = 0;

    for (size_t t = 0; t < stage->n_targets; t++) {
        const struct dr_rollout_target *target = &stage->targets[t];

        if (!dr_target_is_success(target->state, stage->mode)) {
            return false;
        }
        if (target->has_approval) {
            last = target->wave > last ? target->wave : last;
            settled = target->since > settled ? target->since : settled;
        }
    }
    return last != 0 && !dr_wave_is_promoted(stage, last, settled);
}

static enum dr_rc
note(struct dr_core *core, struct dr_rollout *rollout, const struct dr_rollout_stage *stage,
     const char *text, struct dr_err *err)
{
    char subject[DR_TARGET_NAME_MAX + 32];
    const struct dr_event event = {"waves", subject, "", NULL};

    (void)snprintf(subject, sizeof subject, "%s %s", rollout->id, stage->environment);
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "%s", text));
    dr_schedule_touch(core, rollout);
    return DR_OK;
}

enum dr_rc
dr_schedule_last_done(struct dr_core *core, struct dr_rollout *rollout,
                      struct dr_rollout_stage *stage, const struct dr_wave_plan *plan,
                      struct dr_err *err)
{
    char text[DR_ROLLOUT_TEXT_MAX];
    bool was_soaking = stage->soaking_wave != 0;

    if (plan->last_wave == 0 || plan->soaking_wave != 0 ||
        dr_wave_is_promoted(stage, plan->last_wave, plan->settled)) {
        return DR_OK;
    }
    stage->promoted_wave = plan->last_wave;
    stage->promoted_at = dr_now_unix_s();
    rollout->is_dirty = true;
    if (!was_soaking) {
        return DR_OK;
    }
    (void)snprintf(text, sizeof text, "wave %u, the last, has soaked and its probes have passed",
                   plan->last_wave);
    return note(core, rollout, stage, text, err);
}

// ---- a later rollout of the same targets

// A stage of another open rollout that soaks with one of these targets.
static struct dr_rollout_stage *
find_soaking(struct dr_core *core, const struct dr_rollout *mine,
             const struct dr_rollout_stage *stage, struct dr_rollout **out_other)
{
    for (size_t r = 0; r < core->n_rollouts; r++) {
        struct dr_rollout *other = core->rollouts[r];

        for (size_t s = 0; other != mine && !other->is_aborted && s < other->n_stages; s++) {
            struct dr_rollout_stage *found = &other->stages[s], *of_target;

            if (strcmp(found->environment, stage->environment) != 0 ||
                !dr_stage_is_soaking(found)) {
                continue;
            }
            for (size_t t = 0; t < stage->n_targets; t++) {
                if (dr_rollout_find(other, stage->targets[t].name, &of_target) != NULL) {
                    *out_other = other;
                    return found;
                }
            }
        }
    }
    return NULL;
}

static enum dr_rc
give_way(struct dr_core *core, struct dr_rollout *other, struct dr_rollout_stage *soaking,
         const struct dr_rollout *mine, struct dr_err *err)
{
    char text[DR_ROLLOUT_TEXT_MAX];

    (void)snprintf(text, sizeof text, "the soak of wave %u ends: %s goes down here",
                   soaking->soaking_wave, mine->id);
    soaking->promoted_wave = soaking->soaking_wave;
    soaking->promoted_at = dr_now_unix_s();
    soaking->soaking_wave = 0;
    if (dr_stage_state(dr_rollout_current(other)) == DR_ROLLOUT_DONE) {
        other->is_paused = false; // nothing is left to hold
        other->pause_reason[0] = '\0';
    }
    return note(core, other, soaking, text, err);
}

enum dr_rc
dr_schedule_last_of_others(struct dr_core *core, struct dr_rollout *rollout,
                           struct dr_rollout_stage *stage, bool *out_waits, struct dr_err *err)
{
    struct dr_rollout *other = NULL;
    struct dr_rollout_stage *soaking;
    char reason[DR_ROLLOUT_TEXT_MAX], until[32];

    *out_waits = false;
    if (stage->n_targets == 0 || stage->targets[0].state != DR_TARGET_PENDING) {
        return DR_OK;
    }
    while ((soaking = find_soaking(core, rollout, stage, &other)) != NULL) {
        if (!dr_approval_is_down(rollout->mode)) {
            break;
        }
        DR_TRY(give_way(core, other, soaking, rollout, err));
    }
    if (soaking == NULL) {
        return DR_OK;
    }
    *out_waits = true;
    dr_format_time(until, soaking->soaks_until);
    (void)snprintf(reason, sizeof reason,
                   "waits for %s, which is looked at here until %s; drover rollout promote %s ends "
                   "that",
                   other->id, until, other->id);
    for (size_t t = 0; t < stage->n_targets; t++) {
        struct dr_rollout_target *target = &stage->targets[t];

        target->retry_at = dr_now_unix_s() + DR_SCHEDULE_RETRY_S;
        if (strcmp(target->reason, reason) != 0) {
            (void)snprintf(target->reason, sizeof target->reason, "%s", reason);
            rollout->is_dirty = true;
        }
    }
    return DR_OK;
}
