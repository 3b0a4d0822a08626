// Looks for drift, asked for by a person: the answer is a STATE that the agent signs.
#include "coordinator/core/looks.h"
#include "coordinator/core/events.h"
#include "coordinator/core/push.h"
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
