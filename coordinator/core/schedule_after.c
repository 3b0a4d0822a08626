// Schedule, after: a rollout that begins when another is done, and an item of that one is signed.
#include "coordinator/core/schedule_internal.h"

#include "coordinator/core/evidence.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

static bool
has_begun(const struct dr_rollout *rollout)
{
    for (size_t t = 0; t < rollout->stages[0].n_targets; t++) {
        if (rollout->stages[0].targets[t].state != DR_TARGET_PENDING) {
            return true;
        }
    }
    return false;
}

// Verified sign-offs only: dr_evidence_load leaves out what does not verify.
static bool
is_signed(const struct dr_evidence *evidence, const struct dr_rollout *first, const char *item)
{
    for (size_t i = 0; i < evidence->n_signoffs; i++) {
        const Drover__V1__Signoff *msg = evidence->signoffs[i].msg;

        for (size_t p = 0; p < first->n_plans; p++) {
            if (msg->kind == DROVER__V1__SIGNOFF_KIND__ITEM && strcmp(msg->item, item) == 0 &&
                dr_data_is(msg->plan_sha256, first->plans[p].sha256)) {
                return true;
            }
        }
    }
    return false;
}

// What is still missing, in `out`; "" when it may begin.
static enum dr_rc
find_missing(struct dr_core *core, const struct dr_rollout *rollout, char *out, size_t out_size,
             struct dr_err *err)
{
    const struct dr_rollout *first = dr_core_rollout(core, rollout->after);
    const struct dr_evidence *evidence;

    out[0] = '\0';
    if (first == NULL || dr_stage_state(dr_rollout_current(first)) != DR_ROLLOUT_DONE) {
        (void)snprintf(out, out_size, "waits for %s to be done", rollout->after);
        return DR_OK;
    }
    if (rollout->after_item[0] == '\0') {
        return DR_OK;
    }
    const char *environment = first->stages[first->n_stages - 1].environment;
    DR_TRY(dr_evidence_load(core, environment, &evidence, err));
    if (!is_signed(evidence, first, rollout->after_item)) {
        (void)snprintf(out, out_size, "waits for the sign-off '%s' of %s in %s",
                       rollout->after_item, rollout->after, environment);
    }
    return DR_OK;
}

enum dr_rc
dr_schedule_after(struct dr_core *core, struct dr_rollout *rollout, bool *out_waits,
                  struct dr_err *err)
{
    char missing[DR_ROLLOUT_TEXT_MAX] = "";

    *out_waits = false;
    if (rollout->after[0] == '\0' || has_begun(rollout)) {
        return DR_OK;
    }
    DR_TRY(find_missing(core, rollout, missing, sizeof missing, err));
    *out_waits = missing[0] != '\0';
    for (size_t t = 0; *out_waits && t < rollout->stages[0].n_targets; t++) {
        struct dr_rollout_target *target = &rollout->stages[0].targets[t];

        if (strcmp(target->reason, missing) != 0) {
            (void)snprintf(target->reason, sizeof target->reason, "%s", missing);
            rollout->is_dirty = true;
        }
    }
    return DR_OK;
}

bool
dr_schedule_after_is_due(struct dr_core *core, const struct dr_rollout *rollout)
{
    const struct dr_rollout *first =
        rollout->after[0] != '\0' ? dr_core_rollout(core, rollout->after) : NULL;

    return first != NULL && !rollout->is_paused && !rollout->is_aborted && !has_begun(rollout) &&
           dr_stage_state(dr_rollout_current(first)) == DR_ROLLOUT_DONE;
}
