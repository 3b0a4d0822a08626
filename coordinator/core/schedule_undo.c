// Schedule, undo: what a rollout on the way down means for the one that it takes back. No wave goes
// on top of a canary that is not there any more.
#include "coordinator/core/schedule_internal.h"

#include "trust/approval.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

const struct dr_rollout *
dr_schedule_undo_of(struct dr_core *core, const struct dr_rollout *rollout)
{
    for (size_t i = core->n_rollouts; i > 0; i--) {
        const struct dr_rollout *undo = core->rollouts[i - 1];

        if (strcmp(undo->undo_of, rollout->id) == 0 && dr_rollout_is_open(undo)) {
            return undo;
        }
    }
    return NULL;
}

static bool
takes_back(const struct dr_rollout *undo, const struct dr_rollout *other, Drover__V1__Engine engine)
{
    const struct dr_rollout_plan *down = dr_rollout_plan(undo, engine);
    const struct dr_rollout_plan *up = dr_rollout_plan(other, engine);

    if (other->number >= undo->number || other->mode != DROVER__V1__MODE__UP) {
        return false;
    }
    return strcmp(undo->undo_of, other->id) == 0 ||
           (dr_rollout_is_open(other) && down != NULL && up != NULL &&
            memcmp(down->sha256, up->sha256, sizeof up->sha256) == 0);
}

// What is done stays done, so that its targets are free; its reason tells of it.
static void
note_done(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_target *target,
          const char *by)
{
    (void)snprintf(target->reason, sizeof target->reason, "taken back since%s%s",
                   by[0] != '\0' ? ": " : "", by);
    dr_schedule_touch(core, rollout);
}

enum dr_rc
dr_schedule_undone(struct dr_core *core, const struct dr_rollout *undo,
                   const struct dr_rollout_target *target, struct dr_err *err)
{
    char by[sizeof undo->id + 3];

    (void)snprintf(by, sizeof by, "by %s", undo->id);
    for (size_t i = 0; i < core->n_rollouts; i++) {
        struct dr_rollout *other = core->rollouts[i];
        struct dr_rollout_stage *stage;
        struct dr_rollout_target *mine = dr_rollout_find(other, target->name, &stage);
        struct dr_err why = {0};

        if (mine == NULL || !takes_back(undo, other, target->engine)) {
            continue;
        }
        if (!dr_rollout_is_open(other) && !other->is_aborted) {
            note_done(core, other, mine, by);
            continue;
        }
        enum dr_rc rc = dr_schedule_try(core, other, stage, mine, DR_EVENT_UNDONE, false, by, &why);
        if (rc != DR_OK && rc != DR_E_ROLLOUT_EVENT) {
            *err = why;
            return rc;
        }
    }
    return DR_OK;
}
