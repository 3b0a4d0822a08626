// A call's life: made by the dispatcher, ended by its handler or by what happens to its peer.
// Whoever calls into a handler checks afterwards whether the call is still there.
#include "rpc/server_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct dr_call *
dr_call_new(struct dr_peer *peer, const struct dr_method *method, uint64_t wire_id)
{
    struct dr_call *call = calloc(1, sizeof *call);
    struct dr_arena *arena = dr_arena_new(DR_CALL_ARENA_MAX);
    if (call == NULL || arena == NULL) {
        free(call);
        dr_arena_free(&arena);
        return NULL;
    }
    call->magic = DR_CALL_MAGIC;
    call->peer = peer;
    call->method = method;
    call->wire_id = wire_id;
    call->arena = arena;
    call->deadline.owner = call;
    DL_APPEND(peer->calls, call);
    peer->call_count++;
    peer->server->open_calls++;
    return call;
}

struct dr_call *
dr_call_find(struct dr_peer *peer, uint64_t wire_id)
{
    struct dr_call *call;
    DL_SEARCH_SCALAR(peer->calls, call, wire_id, wire_id);
    return call;
}

static void
drop_queue(struct dr_call *call)
{
    while (call->first != NULL) {
        struct dr_call_item *item = call->first;
        call->first = item->next;
        free(item);
    }
    call->last = NULL;
    call->peer->stream_bytes -= call->queued_bytes;
    call->queued_bytes = 0;
}

void
dr_call_free(struct dr_call *call)
{
    assert(call->magic == DR_CALL_MAGIC && !call->in_handler);
    drop_queue(call);
    DL_DELETE(call->peer->calls, call);
    call->peer->call_count--;
    call->peer->server->open_calls--;
    dr_deadlines_remove(&call->peer->server->deadlines, &call->deadline);
    dr_arena_free(&call->arena);
    call->magic = 0;
    free(call);
}

void
dr_call_vanish(struct dr_call *call)
{
    call->is_gone = true;
    if (call->on_gone != NULL && !call->is_ending) {
        call->on_gone(call, call->gone_user);
    }
    dr_call_free(call);
}

static enum dr_rc
send_frame(struct dr_peer *peer, const Drover__V1__Frame *frame, struct dr_err *err)
{
    struct dr_rpc_server *server = peer->server;
    return server->is_stepping ? dr_conn_hold(peer->conn, frame, &server->held, err)
                               : dr_conn_send(peer->conn, frame, err);
}

void
dr_call_answer(struct dr_peer *peer, uint64_t wire_id, bool is_streaming, const uint8_t *body,
               size_t body_len, const struct dr_err *err)
{
    Drover__V1__Frame frame;
    Drover__V1__StatusDetail detail;
    struct dr_err failure = {0};
    union {
        const uint8_t *in;
        uint8_t *out;
    } bytes = {.in = body};
    drover__v1__frame__init(&frame);
    frame.call_id = wire_id;
    frame.kind = is_streaming ? DROVER__V1__FRAME_KIND__END : DROVER__V1__FRAME_KIND__RESPONSE;
    frame.body.data = bytes.out;
    frame.body.len = body_len;
    if (err != NULL) {
        frame.status = dr_status_from_err(err, &detail);
        frame.detail = &detail;
    }
    enum dr_rc rc = send_frame(peer, &frame, &failure);
    if (rc == DR_OK || rc == DR_E_UNREACHABLE) {
        return;
    }
    frame.body.len = 0;
    frame.status = dr_status_from_err(&failure, &detail);
    frame.detail = &detail;
    if (send_frame(peer, &frame, NULL) != DR_OK) {
        dr_conn_close(peer->conn, rc, "an answer could not be sent");
    }
}

// The handler has ended the call: frees it, or leaves that to the dispatcher.
static void
finish(struct dr_call *call)
{
    call->is_ended = true;
    if (!call->in_handler && !call->is_gone) {
        dr_call_free(call);
    }
}

static uint8_t *
pack(const ProtobufCMessage *message, size_t *out_len)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = len > DR_CALL_ARENA_MAX ? NULL : malloc(len + 1);
    if (bytes != NULL) {
        protobuf_c_message_pack(message, bytes);
        *out_len = len;
    }
    return bytes;
}

static enum dr_rc
record(struct dr_call *call, const uint8_t *body, size_t body_len, struct dr_err *err)
{
    struct dr_rpc_store *store = &call->peer->server->store;
    struct dr_rpc_result result = {.body = body, .body_len = body_len};
    if (call->method->retry != DR_RETRY_STORED || !call->has_request_id || call->is_recorded) {
        return DR_OK;
    }
    memcpy(result.caller, call->peer->caller.key, sizeof result.caller);
    memcpy(result.request_id, call->request_id, sizeof result.request_id);
    memcpy(result.request_sha256, call->request_sha256, sizeof result.request_sha256);
    enum dr_rc rc = store->put(store->user, &result, err);
    call->is_recorded = rc == DR_OK;
    return rc;
}

enum dr_rc
dr_call_record(struct dr_call *call, const ProtobufCMessage *reply, struct dr_err *err)
{
    size_t len = 0;
    uint8_t *body = pack(reply, &len);
    if (body == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the reply");
    }
    enum dr_rc rc = record(call, body, len, err);
    free(body);
    return rc;
}

void
dr_call_reply(struct dr_call *call, const ProtobufCMessage *reply)
{
    struct dr_err err = {0};
    size_t len = 0;
    assert(call->magic == DR_CALL_MAGIC && !call->method->is_streaming && !call->is_ended);
    assert(reply->descriptor == call->method->reply);
    uint8_t *body = call->is_gone ? NULL : pack(reply, &len);
    if (!call->is_gone) {
        enum dr_rc rc = body == NULL ? dr_err_set(&err, DR_E_NOMEM, "no memory for the reply")
                                     : record(call, body, len, &err);
        dr_call_answer(call->peer, call->wire_id, false, rc == DR_OK ? body : NULL,
                       rc == DR_OK ? len : 0, rc == DR_OK ? NULL : &err);
    }
    free(body);
    finish(call);
}

void
dr_call_fail(struct dr_call *call, const struct dr_err *err)
{
    assert(call->magic == DR_CALL_MAGIC && !call->is_ended);
    if (!call->is_gone) {
        drop_queue(call);
        dr_call_answer(call->peer, call->wire_id, call->method->is_streaming, NULL, 0, err);
    }
    finish(call);
}

// ------------------------------------------------------------------------------------------------
// streams

static bool
has_window(const struct dr_call *call)
{
    return call->credit > 0 &&
           dr_conn_queued(call->peer->conn) < call->peer->server->limits.stream_queue_bytes;
}

static void
send_item(struct dr_call *call, uint8_t *bytes, size_t len)
{
    Drover__V1__Frame frame;
    drover__v1__frame__init(&frame);
    frame.call_id = call->wire_id;
    frame.kind = DROVER__V1__FRAME_KIND__STREAM;
    frame.seq = ++call->seq;
    frame.body.data = bytes;
    frame.body.len = len;
    call->credit--;
    enum dr_rc rc = send_frame(call->peer, &frame, NULL);
    if (rc != DR_OK) { // never drop an item silently
        dr_conn_close(call->peer->conn, rc, "an item of a stream could not be sent");
    }
}

static struct dr_call_item *
queue_item(struct dr_call *call, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    struct dr_call_item *item = len > DR_FRAME_BODY_MAX ? NULL : malloc(sizeof *item + len);
    if (item == NULL) {
        return NULL;
    }
    item->next = NULL;
    item->len = len;
    protobuf_c_message_pack(message, item->bytes);
    *(call->last == NULL ? &call->first : &call->last->next) = item;
    call->last = item;
    call->queued_bytes += len;
    call->peer->stream_bytes += len;
    return item;
}

// Sends what the window lets through.
static void
flush(struct dr_call *call)
{
    while (call->first != NULL && has_window(call)) {
        struct dr_call_item *item = call->first;
        send_item(call, item->bytes, item->len);
        call->first = item->next;
        if (call->first == NULL) {
            call->last = NULL;
        }
        call->queued_bytes -= item->len;
        call->peer->stream_bytes -= item->len;
        free(item);
    }
}

void
dr_call_pump(struct dr_call *call)
{
    do {
        flush(call);
    } while (call->first != NULL && call->credit > 0 && !dr_conn_want_drain(call->peer->conn));
    if (call->first == NULL && call->is_ending) {
        dr_call_answer(call->peer, call->wire_id, true, NULL, 0, NULL);
        dr_call_free(call);
    } else if (call->first == NULL && call->credit > 0 && call->on_room != NULL) {
        call->on_room(call, call->room_user);
    }
}

void
dr_call_credit(struct dr_call *call, uint32_t credit)
{
    uint32_t window = call->peer->server->limits.stream_window;
    call->credit = credit > window - call->credit ? window : call->credit + credit;
    dr_call_pump(call);
}

enum dr_rc
dr_call_send(struct dr_call *call, const ProtobufCMessage *item, struct dr_err *err)
{
    struct dr_rpc_server *server = call->peer->server;
    assert(call->magic == DR_CALL_MAGIC && call->method->is_streaming && !call->is_ended);
    assert(item->descriptor == call->method->reply);
    if (call->is_gone || call->peer->is_closed) {
        return dr_err_set(err, DR_E_UNREACHABLE, "the caller has gone");
    }
    if (queue_item(call, item) == NULL) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "an item of %zu bytes cannot be sent",
                          protobuf_c_message_get_packed_size(item));
    }
    do {
        flush(call);
    } while (call->first != NULL && call->credit > 0 && !dr_conn_want_drain(call->peer->conn));
    if (call->peer->stream_bytes > server->limits.stream_cut_bytes) {
        server->cut_off++;
        call->peer->is_closed = true;
        dr_conn_close(call->peer->conn, DR_E_RPC_LIMIT, "the peer takes its stream too slowly");
        return dr_err_set(err, DR_E_RPC_LIMIT, "'%s' takes its stream too slowly",
                          call->peer->caller.name);
    }
    return DR_OK;
}

uint32_t
dr_call_room(const struct dr_call *call)
{
    return call->first == NULL && has_window(call) ? call->credit : 0;
}

void
dr_call_end(struct dr_call *call)
{
    assert(call->magic == DR_CALL_MAGIC && call->method->is_streaming && !call->is_ended);
    if (call->first != NULL && !call->is_gone && !call->peer->is_closed) {
        call->is_ending = true;
        call->is_ended = true;
        return;
    }
    if (!call->is_gone) {
        dr_call_answer(call->peer, call->wire_id, true, NULL, 0, NULL);
    }
    finish(call);
}

// ----------------------------------------------------------------------------------------- what
// handlers ask

const struct dr_caller *
dr_call_caller(const struct dr_call *call)
{
    return &call->peer->caller;
}

const struct dr_method *
dr_call_method(const struct dr_call *call)
{
    return call->method;
}

struct dr_arena *
dr_call_arena(struct dr_call *call)
{
    return call->arena;
}

const char *
dr_call_address(const struct dr_call *call)
{
    return dr_conn_address(call->peer->conn);
}

void
dr_call_on_gone(struct dr_call *call, dr_call_gone gone, void *user)
{
    call->on_gone = gone;
    call->gone_user = user;
}

void
dr_call_on_room(struct dr_call *call, dr_call_room_fn room, void *user)
{
    call->on_room = room;
    call->room_user = user;
}
