// Schedule, approvals: taken, left by what is prepared again, and ended before they were carried
// out.
#include "coordinator/core/schedule_internal.h"

#include "coordinator/core/push_cache.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_schedule_lapse(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, const char *why, struct dr_err *err)
{
    target->has_approval = false;
    target->wave = 0;
    target->retry_at = target->expires = 0;
    return dr_schedule_event(core, rollout, stage, target, DR_EVENT_LAPSED, false, why, err);
}

// 0: what it names is not all here; that is told when its bundle is to be made.
static int64_t
expires_of(struct dr_core *core, const struct dr_rollout_target *target)
{
    const struct dr_push_approval *of;
    struct dr_err ignored = {0};

    return dr_push_approval(core, target->approval, &of, &ignored) == DR_OK
               ? of->approval.msg->expires
               : 0;
}

enum dr_rc
dr_schedule_expire(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                   int64_t now, struct dr_err *err)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        struct dr_rollout_target *target = &stage->targets[i];
        char why[64], at[32];

        if (target->state != DR_TARGET_APPROVED || !target->has_approval) {
            continue;
        }
        target->expires = target->expires != 0 ? target->expires : expires_of(core, target);
        if (target->expires != 0 && now >= target->expires) {
            dr_format_time(at, target->expires);
            (void)snprintf(why, sizeof why, "the one it has expired at %s", at);
            DR_TRY(dr_schedule_lapse(core, rollout, stage, target, why, err));
        }
    }
    return DR_OK;
}

static bool
is_behind(const struct dr_rollout_target *first, const struct dr_rollout_target *other)
{
    return other->state == DR_TARGET_APPROVED && other->has_approval && other->wave > 1 &&
           memcmp(other->approval, first->approval, sizeof first->approval) == 0;
}

enum dr_rc
dr_schedule_leave(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, bool has_failed, struct dr_err *err)
{
    for (size_t i = 0; target->has_approval && target->wave <= 1 && i < stage->n_targets; i++) {
        if (is_behind(target, &stage->targets[i])) {
            DR_TRY(dr_schedule_lapse(core, rollout, stage, &stage->targets[i],
                                     "wave 1 of the one it has is prepared again", err));
        }
    }
    if (!has_failed) {
        target->has_approval = false;
        target->wave = 0;
    }
    return DR_OK;
}

enum dr_rc
dr_schedule_approval(struct dr_core *core, struct dr_rollout *rollout,
                     const struct dr_approval *approval, Drover__V1__ApprovalLeaf *const *leaves,
                     size_t n_leaves, struct dr_err *err)
{
    const struct dr_rollout_stage *looked_at = NULL;

    for (size_t i = 0; i < n_leaves; i++) {
        struct dr_rollout_stage *stage = NULL;
        struct dr_rollout_target *target = dr_rollout_find(rollout, leaves[i]->target, &stage);

        if (target == NULL || !target->has_ready ||
            !dr_data_is(leaves[i]->ready_sha256, target->ready)) {
            continue;
        }
        if (stage != looked_at) { // those of this approval were just found open
            DR_TRY(dr_schedule_gates(core, rollout, stage, err));
            looked_at = stage;
        }
        target->has_approval = true;
        target->wave = leaves[i]->wave;
        target->expires = approval->msg->expires;
        memcpy(target->approval, approval->sha256, 32);
        target->gate[0] = '\0';
        DR_TRY(dr_schedule_try(core, rollout, stage, target, DR_EVENT_APPROVE, false, NULL, err));
    }
    return dr_schedule_advance(core, rollout, err);
}
