// Methods that every server has: Health/Check and Reflection/List.
#include "rpc/server_priv.h"

#include "base/clock.h"
#include "rpc/reflect.h"

void
dr_builtin_health(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    static const char *const kinds[] = {"unknown", "person", "agent"};
    struct dr_peer *peer = call->peer;
    Drover__V1__HealthReply reply;
    union {
        const char *in;
        char *out;
    } version = {.in = DROVER_VERSION}, kind = {.in = kinds[peer->caller.kind]};
    (void)request;
    (void)user;
    drover__v1__health_reply__init(&reply);
    reply.serving = true;
    reply.version = version.out;
    reply.caller = peer->caller.name;
    reply.caller_kind = kind.out;
    reply.cluster_id.data = peer->server->cluster_id;
    reply.cluster_id.len = sizeof peer->server->cluster_id;
    reply.time = dr_now_unix_s();
    dr_call_reply(call, &reply.base);
}

void
dr_builtin_reflection(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    const Drover__V1__ReflectRequest *asked = (const Drover__V1__ReflectRequest *)request;
    Drover__V1__ReflectReply *reply = dr_reflect_list(asked->symbol, dr_call_arena(call));
    struct dr_err err = {0};
    (void)user;
    if (reply == NULL) {
        dr_err_set(&err, DR_E_NOMEM, "no memory for the list of methods");
        dr_call_fail(call, &err);
        return;
    }
    dr_call_reply(call, &reply->base);
}
