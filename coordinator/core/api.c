// API: the table of routes, and the small services.
#include "coordinator/core/api.h"

#include "base/clock.h"
#include "base/log.h"
#include "coordinator/core/enroll.h"
#include "coordinator/core/watch.h"
#include "trust/keyfile.h"
#include "trust/strict.h"

#include <string.h>

void
dr_api_answer(struct dr_core *core, struct dr_call *call, enum dr_rc rc,
              const ProtobufCMessage *reply, const struct dr_err *err)
{
    if (rc == DR_OK) {
        dr_call_reply(call, reply);
    } else {
        dr_core_fail(core, call, err);
    }
}

void
dr_api_alarm(struct dr_core *core, struct dr_call *call, const struct dr_err *cause)
{
    const char *actor = dr_call_caller(call)->name;
    const struct dr_event event = {"alarm", actor, actor, NULL};
    struct dr_err err = {0};

    if (dr_core_end(core, cause->rc, &err) == DR_OK || dr_core_begin(core, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "an alarm cannot be noted", &err);
        return;
    }
    enum dr_rc rc = dr_events_add(core->events, &event, NULL, &err, "%s: %s", dr_rc_name(cause->rc),
                                  cause->message);
    if (dr_core_end(core, rc, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "an alarm cannot be noted", &err);
    }
    dr_log_err(DR_LOG_WARN, "alarm", cause);
}

static const char *
kind_name(enum dr_caller_kind kind)
{
    static const char *const names[] = {"unknown", "person", "agent"};

    return names[kind];
}

static void
check_health(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    const struct dr_core *core = user;
    const struct dr_caller *caller = dr_call_caller(call);
    const struct dr_loghash *head = dr_events_head(core->events);
    Drover__V1__HealthReply reply = DROVER__V1__HEALTH_REPLY__INIT;
    struct dr_arena *arena = dr_call_arena(call);

    (void)message;
    reply.serving = true;
    reply.version = dr_arena_str(arena, DROVER_VERSION);
    reply.cluster_id = core->trust->root.msg->cluster_id;
    reply.caller = dr_arena_str(arena, caller->name);
    reply.caller_kind = dr_arena_str(arena, kind_name(caller->kind));
    reply.time = dr_now_unix_s();
    if (caller->kind != DR_CALLER_UNKNOWN) {
        reply.log_head = dr_data(head->hash, 32);
        reply.log_count = head->index;
    }
    dr_call_reply(call, &reply.base);
}

// An offer is only a note for people: a key becomes an agent's by the fleet's signatures.
static void
offer_agent(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__EnrollRequest *request =
        (const Drover__V1__EnrollRequest *)(const void *)message;
    Drover__V1__EnrollReply reply = DROVER__V1__ENROLL_REPLY__INIT;
    struct dr_err err = {0};
    const char *state = "";
    enum dr_rc rc = dr_core_begin(core, &err);

    rc = rc == DR_OK ? dr_enroll_offer(core, call, request, &state, &err) : rc;
    reply.state = dr_arena_str(dr_call_arena(call), state);
    dr_core_answer(core, call, rc, &reply.base, &err);
}

static const struct dr_rpc_route ROUTES[] = {
    {DR_METHOD_HEALTH_CHECK, check_health},
    {DR_METHOD_ENROLL_OFFER, offer_agent},
    {DR_METHOD_DOCUMENTS_PUT, dr_api_documents_put},
    {DR_METHOD_DOCUMENTS_GET, dr_api_documents_get},
    {DR_METHOD_DOCUMENTS_LIST, dr_api_documents_list},
    {DR_METHOD_DOCUMENTS_PUT_BLOB, dr_api_documents_put_blob},
    {DR_METHOD_DOCUMENTS_GET_BLOB, dr_api_documents_get_blob},
    {DR_METHOD_OPERATOR_SUBMIT, dr_api_operator_submit},
    {DR_METHOD_OPERATOR_LIST_REVISIONS, dr_api_operator_list_revisions},
    {DR_METHOD_OPERATOR_CREATE_ROLLOUT, dr_api_operator_create_rollout},
    {DR_METHOD_OPERATOR_GET_ROLLOUT, dr_api_operator_get_rollout},
    {DR_METHOD_OPERATOR_LIST_ROLLOUTS, dr_api_operator_list_rollouts},
    {DR_METHOD_OPERATOR_ORDER_ROLLOUT, dr_api_operator_order_rollout},
    {DR_METHOD_OPERATOR_ORDER_TARGET, dr_api_operator_order_target},
    {DR_METHOD_OPERATOR_WATCH_ROLLOUT, dr_watch_handle},
    {DR_METHOD_OPERATOR_STATUS, dr_api_operator_status},
    {DR_METHOD_OPERATOR_LOG, dr_api_operator_log},
    {DR_METHOD_OPERATOR_AGENTS, dr_api_operator_agents},
    {DR_METHOD_AGENT_WATCH, dr_api_agent_watch},
    {DR_METHOD_AGENT_ACK, dr_api_agent_ack},
    {DR_METHOD_AGENT_ATTEST, dr_api_agent_attest},
    {DR_METHOD_AGENT_REPORT, dr_api_agent_report},
};

const struct dr_rpc_route *
dr_core_routes(size_t *out_count)
{
    *out_count = DR_COUNT_OF(ROUTES);
    return ROUTES;
}
