// Looks for drift, asked for by a person: the answer is a STATE that the agent signs.
#include "coordinator/core/looks.h"
#include "coordinator/core/events.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

enum dr_rc
dr_looks_order(struct dr_core *core, const char *pattern, const char *actor, struct dr_err *err)
{
    const struct dr_event event = {"order", pattern[0] == '\0' ? "*" : pattern, actor, NULL};
    size_t n = 0;

    for (size_t i = 0; i < core->trust->n_entries; i++) {
        const Drover__V1__Target *target = core->trust->entries[i].msg->target;
        struct dr_rollout_target to = {0};

        if (target == NULL || target->state != DROVER__V1__TARGET_STATE__ACTIVE ||
            (pattern[0] != '\0' && !dr_str_glob(pattern, target->name))) {
            continue;
        }
        (void)snprintf(to.name, sizeof to.name, "%s", target->name);
        (void)snprintf(to.agent, sizeof to.agent, "%s", target->agent);
        DR_TRY(dr_push_order(core, "", &to, "drift", err));
        n++;
    }
    if (n == 0) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target like '%.130s'", pattern);
    }
    return dr_events_add(core->events, &event, NULL, err, "look for drift, %zu target%s", n,
                         n == 1 ? "" : "s");
}

enum dr_rc
dr_looks_drift(struct dr_core *core, struct dr_rollout *rollout,
               const struct dr_rollout_stage *stage, struct dr_rollout_target *target,
               const Drover__V1__Attestation *msg, struct dr_err *err)
{
    char note[DR_ROLLOUT_TEXT_MAX];

    if (msg->kind != DROVER__V1__ATTESTATION_KIND__DRIFT ||
        (msg->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_DRIFT) == 0 || rollout->is_paused ||
        !dr_rollout_is_open(rollout) || !dr_target_is_success(target->state, stage->mode)) {
        return DR_OK;
    }
    (void)snprintf(note, sizeof note, "somebody changed '%.100s' since: %.100s%s", target->name,
                   msg->n_objects > 0 ? msg->objects[0] : "what differs is not known",
                   msg->objects_count > 1 ? ", ..." : "");
    (void)snprintf(target->reason, sizeof target->reason, "%s", note);
    (void)snprintf(rollout->pause_reason, sizeof rollout->pause_reason, "%s", note);
    return dr_schedule_order(core, rollout, "pause", "", "", note, err);
}
