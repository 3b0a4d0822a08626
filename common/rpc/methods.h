// Method table: every RPC method with its messages, auth class, size limit, streaming and retry
// rule.
#ifndef DR_RPC_METHODS_H
#define DR_RPC_METHODS_H

#include "base/attr.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// DR_METHOD_HEALTH_CHECK, DR_METHOD_AGENT_WATCH, ...: see methods_table.h.
enum dr_method_id {
#define DR_METHOD(id, service, service_name, name, request, reply, auth, max, streams, retry)      \
    DR_METHOD_##id,
#include "rpc/methods_table.h"
#undef DR_METHOD
    DR_METHOD_COUNT
};

// Who may call.
enum dr_auth { DR_AUTH_ANYONE, DR_AUTH_PERSON, DR_AUTH_AGENT, DR_AUTH_PERSON_OR_AGENT };

// What a client may do when it does not know whether a call was executed.
enum dr_retry {
    DR_RETRY_NEVER,
    DR_RETRY_FREELY, // executing twice is the same as once
    DR_RETRY_STORED, // only with the same request id: the server keeps the result
};

struct dr_method {
    enum dr_method_id id;
    const char *name; // "drover.v1.Health/Check": what travels
    const char *service_name, *method_name;
    const ProtobufCServiceDescriptor *service;
    const ProtobufCMessageDescriptor *request, *reply; // reply: of each item, when it streams
    enum dr_auth auth;
    uint32_t request_max_bytes;
    bool is_streaming;
    enum dr_retry retry;
};

// The row of an id; `id` outside the table is our own bug (assertion).
const struct dr_method *dr_method_at(enum dr_method_id id);
// By the name that travels; the package may be left out ("Health/Check"). NULL when there is none.
const struct dr_method *dr_method_find(const char *name);
// "anyone", "person", "agent", "person or agent".
const char *dr_auth_name(enum dr_auth auth);

#endif
