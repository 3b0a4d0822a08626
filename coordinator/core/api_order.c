// Orders about one target: handed to its agent, who does only what cannot harm.
#include "coordinator/core/api.h"
#include "coordinator/core/push.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

// What may be asked for. The agent decides what it does with it.
static bool
is_known(const char *order)
{
    static const char *const ORDERS[] = {"backup take", "backup verify", "backup restore-test",
                                         "backup prune"};
    for (size_t i = 0; i < DR_COUNT_OF(ORDERS); i++) {
        if (strcmp(ORDERS[i], order) == 0) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
hand_over(struct dr_core *core, const Drover__V1__Order *order, const char *person,
          const Drover__V1__Target **out, struct dr_err *err)
{
    const struct dr_fleet_entry *entry = dr_directory_target(core->directory, order->target);

    if (!is_known(order->order) || (order->nonce.len != 0 && order->nonce.len != 32) ||
        (order->backup_sha256.len != 0 && order->backup_sha256.len != 32)) {
        return dr_err_set(err, DR_E_INVALID, "there is no order '%.40s' for a target",
                          order->order);
    }
    if (entry == NULL || entry->msg->target->state != DROVER__V1__TARGET_STATE__ACTIVE) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target '%.128s'", order->target);
        return dr_err_hint(err, "drover status shows all");
    }
    *out = entry->msg->target;
    const struct dr_event event = {"order", (*out)->name, person, NULL};
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "%s", order->order));
    return dr_push_target_order(core, (*out)->agent, order, err);
}

void
dr_api_operator_order_target(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__Order *order = (const Drover__V1__Order *)(const void *)message;
    const Drover__V1__Target *target = NULL;
    Drover__V1__TargetView reply = DROVER__V1__TARGET_VIEW__INIT;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);

    if (rc == DR_OK) {
        rc = hand_over(core, order, dr_call_caller(call)->name, &target, &err);
    }
    if (rc == DR_OK) {
        const struct dr_agent *agent = dr_core_agent(core, target->agent);
        reply.target = target->name;
        reply.environment = target->environment;
        reply.engine = target->engine;
        reply.agent = target->agent;
        reply.connected = agent != NULL && agent->watch != NULL;
        reply.last_seen = agent == NULL ? 0 : agent->last_seen;
    }
    dr_core_answer(core, call, rc, rc == DR_OK ? &reply.base : NULL, &err);
}
