// From a REQUEST frame to its handler. Who calls is decided before anything of the request is
// looked at; a stranger learns nothing about which methods there are.
#include "rpc/server_priv.h"

#include "base/clock.h"
#include "rpc/frame.h"

#include <string.h>
#include <utlist.h>

// Bytes of the method's name that an error repeats.
#define NAME_SHOWN 64

static bool
is_allowed(enum dr_auth auth, enum dr_caller_kind kind)
{
    switch (auth) {
    case DR_AUTH_ANYONE:
        return true;
    case DR_AUTH_PERSON:
        return kind == DR_CALLER_PERSON;
    case DR_AUTH_AGENT:
        return kind == DR_CALLER_AGENT;
    case DR_AUTH_PERSON_OR_AGENT:
        return kind == DR_CALLER_PERSON || kind == DR_CALLER_AGENT;
    default:
        return false;
    }
}

static enum dr_rc
check_caller(const struct dr_peer *peer, const struct dr_method *method, const char *name,
             struct dr_err *err)
{
    bool is_stranger = peer->caller.kind == DR_CALLER_UNKNOWN;
    if (is_stranger && (method == NULL || method->auth != DR_AUTH_ANYONE)) {
        char key[2 * DR_KEY_BYTES + 1];
        dr_hex(key, peer->caller.key, DR_KEY_BYTES);
        return dr_err_set(err, DR_E_UNAUTHENTICATED, "nobody has the transport key '%s'", key);
    }
    if (method == NULL) {
        return dr_err_set(err, DR_E_RPC_UNIMPLEMENTED, "there is no method '%.*s'", NAME_SHOWN,
                          name);
    }
    if (!is_allowed(method->auth, peer->caller.kind)) {
        dr_err_set(err, DR_E_PERMISSION, "'%s' may not call '%s'", peer->caller.name, method->name);
        return dr_err_hint(err, "it is for: %s", dr_auth_name(method->auth));
    }
    return DR_OK;
}

static enum dr_rc
check_limits(const struct dr_peer *peer, const struct dr_method *method,
             const struct dr_event *event, int64_t now_ms, struct dr_err *err)
{
    const Drover__V1__Frame *frame = event->frame;
    if (frame->body.len > method->request_max_bytes) {
        return dr_err_set(err, DR_E_RPC_LIMIT,
                          "a request of %zu bytes to '%s' is over the limit of %u", frame->body.len,
                          method->name, method->request_max_bytes);
    }
    if (peer->call_count >= peer->server->limits.calls_per_connection) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "more than %u calls at once",
                          peer->server->limits.calls_per_connection);
    }
    if (frame->deadline_ms > 0 && event->at_ms + frame->deadline_ms <= now_ms) {
        return dr_err_set(err, DR_E_TIMEOUT, "the deadline had passed before '%s' began",
                          method->name);
    }
    return DR_OK;
}

// The same request is being worked on, for this or another connection of the same caller.
static bool
is_under_way(const struct dr_rpc_server *server, const struct dr_call *call)
{
    const struct dr_peer *peer;
    DL_FOREACH(server->peers, peer)
    {
        const struct dr_call *other;
        if (memcmp(peer->caller.key, call->peer->caller.key, DR_KEY_BYTES) != 0) {
            continue;
        }
        DL_FOREACH(peer->calls, other)
        {
            if (other != call && other->has_request_id && !other->is_ended &&
                memcmp(other->request_id, call->request_id, DR_REQUEST_ID_BYTES) == 0) {
                return true;
            }
        }
    }
    return false;
}

// Answers from the store; true when the call has ended.
static bool
answer_from_store(struct dr_call *call)
{
    struct dr_rpc_server *server = call->peer->server;
    struct dr_rpc_result result = {0};
    struct dr_err err = {0};
    if (call->method->retry != DR_RETRY_STORED || !call->has_request_id) {
        return false;
    }
    enum dr_rc rc = server->store.get(server->store.user, call->peer->caller.key, call->request_id,
                                      call->arena, &result, &err);
    if (rc == DR_E_NOT_FOUND) {
        if (!is_under_way(server, call)) {
            return false;
        }
        dr_err_set(&err, DR_E_RPC_BUSY, "this request is still being worked on");
    } else if (rc == DR_OK && memcmp(result.request_sha256, call->request_sha256,
                                     sizeof result.request_sha256) == 0) {
        dr_call_answer(call->peer, call->wire_id, false, result.body, result.body_len, NULL);
        dr_call_free(call);
        return true;
    } else if (rc == DR_OK) {
        dr_err_set(&err, DR_E_INVALID, "the request id was used for another request");
    }
    dr_call_fail(call, &err);
    return true;
}

// Takes over what the frame says beside the body. False when memory is out.
static bool
take_header(struct dr_call *call, const struct dr_event *event)
{
    const Drover__V1__Frame *frame = event->frame;
    uint32_t window = call->peer->server->limits.stream_window;
    call->credit = frame->window == 0 || frame->window > window ? window : frame->window;
    if (frame->request_id.len == DR_REQUEST_ID_BYTES) {
        call->has_request_id = true;
        memcpy(call->request_id, frame->request_id.data, DR_REQUEST_ID_BYTES);
        dr_noise_sha256(call->request_sha256, call->method->name, strlen(call->method->name) + 1,
                        frame->body.data, frame->body.len);
    }
    return frame->deadline_ms == 0 ||
           dr_deadlines_add(&call->peer->server->deadlines, &call->deadline,
                            event->at_ms + frame->deadline_ms);
}

static void
run_handler(struct dr_call *call, const ProtobufCMessage *request)
{
    struct dr_rpc_server *server = call->peer->server;
    dr_call_handler handler = server->handlers[call->method->id];
    struct dr_err err = {0};
    if (handler == NULL) {
        dr_err_set(&err, DR_E_RPC_UNIMPLEMENTED, "'%s' is not served here", call->method->name);
        dr_call_fail(call, &err);
        return;
    }
    server->calls++;
    call->in_handler = true;
    handler(call, request, server->user);
    call->in_handler = false;
    if (!call->is_ended && call->on_gone == NULL) {
        dr_err_set(&err, DR_E_INTERNAL, "'%s' gave no answer", call->method->name);
        dr_call_fail(call, &err);
    } else if (call->is_ended && !call->is_ending) {
        dr_call_free(call);
    } else {
        dr_arena_free(&call->arena);
    }
}

static void
begin_call(struct dr_peer *peer, const struct dr_method *method, const struct dr_event *event)
{
    const Drover__V1__Frame *frame = event->frame;
    struct dr_err err = {0};
    struct dr_call *call = dr_call_new(peer, method, frame->call_id);
    if (call == NULL || !take_header(call, event)) {
        dr_err_set(&err, DR_E_NOMEM, "no memory for a call");
        if (call != NULL) {
            dr_call_fail(call, &err);
        } else {
            dr_call_answer(peer, frame->call_id, method->is_streaming, NULL, 0, &err);
        }
        return;
    }
    ProtobufCMessage *request = protobuf_c_message_unpack(
        method->request, dr_arena_protobuf(call->arena), frame->body.len, frame->body.data);
    if (request == NULL) {
        dr_err_set(&err, DR_E_INVALID, "the request to '%s' does not decode", method->name);
        dr_call_fail(call, &err);
    } else if (!answer_from_store(call)) {
        run_handler(call, request);
    }
}

void
dr_dispatch(struct dr_peer *peer, struct dr_event *event)
{
    const Drover__V1__Frame *frame = event->frame;
    struct dr_err err = {0};
    if (frame->call_id == 0 || dr_call_find(peer, frame->call_id) != NULL) {
        dr_conn_close(peer->conn, DR_E_RPC_PROTOCOL, "a call id was used twice");
        return;
    }
    const struct dr_method *method = dr_method_find(frame->method);
    enum dr_rc rc = check_caller(peer, method, frame->method, &err);
    if (rc == DR_OK) {
        rc = check_limits(peer, method, event, dr_monotonic_ms(), &err);
    }
    if (rc != DR_OK) {
        bool is_streaming = method != NULL && method->is_streaming;
        dr_call_answer(peer, frame->call_id, is_streaming, NULL, 0, &err);
        return;
    }
    begin_call(peer, method, event);
}
