// Service Operator: revisions, rollouts, status, log.
#include "base/clock.h"
#include "coordinator/core/api.h"
#include "coordinator/core/looks.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/view.h"
#include "coordinator/core/watch.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

#define LOG_LIMIT 500u

// ---- rollouts

void
dr_api_operator_create_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const char *actor = dr_call_caller(call)->name;
    struct dr_rollout *rollout = NULL, *mine = NULL;
    Drover__V1__Rollout *reply = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);

    if (rc == DR_OK) {
        rc = dr_api_new_rollout(core,
                                (const Drover__V1__CreateRolloutRequest *)(const void *)message,
                                actor, &mine, &err);
    }
    if (rc == DR_OK) {
        rollout = mine;
        rollout->is_dirty = true;
        rc = dr_core_add_rollout(core, &mine, &err);
    }
    if (rc == DR_OK) {
        const struct dr_event event = {"rollout", rollout->id, actor, NULL};

        rc = dr_events_add(core->events, &event, &rollout->log_index, &err, "created: %s -> %s%s%s",
                           rollout->from, rollout->to, rollout->message[0] != '\0' ? ": " : "",
                           rollout->message);
    }
    if (rc == DR_OK) {
        rc = dr_schedule_advance(core, rollout, &err);
    }
    if (rc == DR_OK) {
        rc = dr_view_rollout(core, rollout, NULL, dr_call_arena(call), &reply, &err);
    }
    dr_rollout_free(&mine);
    dr_core_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

static struct dr_rollout *
find_rollout(struct dr_core *core, const char *id, enum dr_rc *rc, struct dr_err *err)
{
    struct dr_rollout *rollout = dr_core_rollout(core, id);

    if (rollout == NULL) {
        *rc = dr_err_set(err, DR_E_ROLLOUT_UNKNOWN, "there is no rollout '%.20s'", id);
    }
    return rollout;
}

void
dr_api_operator_get_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__Rollout *reply = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = DR_OK;
    const Drover__V1__RolloutId *request = (const Drover__V1__RolloutId *)(const void *)message;
    const struct dr_view_page page = {request->first_target, request->max_targets, NULL};
    const struct dr_rollout *rollout = find_rollout(core, request->id, &rc, &err);

    if (rc == DR_OK) {
        rc = dr_view_rollout_alone(core, rollout, &page, dr_call_arena(call), &reply, &err);
    }
    dr_api_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

// Newest last, without gates: those come with GetRollout.
void
dr_api_operator_list_rollouts(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__RolloutList reply = DROVER__V1__ROLLOUT_LIST__INIT;
    struct dr_err err = {0};
    size_t first = core->n_rollouts > DR_LIST_MAX / 4 ? core->n_rollouts - DR_LIST_MAX / 4 : 0;
    enum dr_rc rc = DR_OK;

    (void)message;
    reply.rollouts =
        dr_arena_array(dr_call_arena(call), core->n_rollouts - first + 1, sizeof *reply.rollouts);
    if (reply.rollouts == NULL) {
        rc = dr_err_set(&err, DR_E_LIMIT, "too many rollouts for one answer");
    }
    for (size_t i = first; rc == DR_OK && i < core->n_rollouts; i++) {
        rc = dr_rollout_brief(core->rollouts[i], dr_call_arena(call),
                              &reply.rollouts[reply.n_rollouts++], &err);
    }
    dr_api_answer(core, call, rc, &reply.base, &err);
}

void
dr_api_operator_order_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__RolloutOrder *request =
        (const Drover__V1__RolloutOrder *)(const void *)message;
    Drover__V1__Rollout *reply = NULL;
    struct dr_rollout *rollout = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);

    if (rc == DR_OK && request->id[0] == '\0' && strcmp(request->order, "drift") == 0) {
        Drover__V1__Rollout none = DROVER__V1__ROLLOUT__INIT;

        rc = dr_looks_order(core, request->target, dr_call_caller(call)->name, &err);
        dr_core_answer(core, call, rc, &none.base, &err);
        return;
    }
    if (rc == DR_OK) {
        rollout = find_rollout(core, request->id, &rc, &err);
    }
    if (rc == DR_OK) {
        rc = dr_schedule_order(core, rollout, request->order, request->target,
                               dr_call_caller(call)->name, request->note, &err);
    }
    if (rc == DR_OK) {
        rc = dr_view_rollout(core, rollout, NULL, dr_call_arena(call), &reply, &err);
    }
    dr_core_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

// ---- status, log

void
dr_api_operator_status(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = core->store->ops->begin(core->store, &err); // one lock for thousands of reads

    rc = rc == DR_OK
             ? dr_view_status(core, (const Drover__V1__StatusRequest *)(const void *)message,
                              dr_call_arena(call), &reply, &err)
             : rc;
    core->store->ops->rollback(core->store);
    dr_api_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

void
dr_api_operator_agents(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__AgentList *reply = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = dr_view_agents(core, dr_call_arena(call), &reply, &err);

    (void)message;
    dr_api_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

void
dr_api_operator_log(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__LogRequest *request = (const Drover__V1__LogRequest *)(const void *)message;
    Drover__V1__LogReply reply = DROVER__V1__LOG_REPLY__INIT;
    struct dr_err err = {0};
    uint32_t limit = request->limit == 0 || request->limit > LOG_LIMIT ? LOG_LIMIT : request->limit;
    const char *word = request->rollout[0] != '\0' ? request->rollout : request->target;
    enum dr_rc rc = dr_view_log(core, request->after, limit + 1, word, dr_call_arena(call),
                                &reply.entries, &reply.n_entries, &err);

    if (rc == DR_OK && reply.n_entries > limit) {
        reply.n_entries = limit;
        reply.more = true;
    }
    dr_api_answer(core, call, rc, &reply.base, &err);
}
