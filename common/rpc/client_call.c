// Calls that wait for their answer. Callbacks may start and cancel calls, so the list is walked
// anew after each.
#include "rpc/client_priv.h"

#include "base/clock.h"
#include "rpc/status.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define NOBODY_MS          400 // nobody listens for so long: what starts now does not count on more patience
#define SHIFT_MAX          16u
#define RETRY_AFTER_MAX_MS 30000u

int64_t
dr_backoff_ms(uint32_t min_ms, uint32_t max_ms, unsigned attempts)
{
    uint64_t bound = (uint64_t)min_ms << (attempts > SHIFT_MAX ? SHIFT_MAX : attempts);
    bound = bound > max_ms ? max_ms : bound;
    return dr_noise_random_below((uint32_t)bound + 1);
}

struct dr_pending *
dr_pending_new(struct dr_rpc_client *client, enum dr_method_id id, const ProtobufCMessage *request,
               uint32_t deadline_ms, struct dr_err *err)
{
    const struct dr_method *method = dr_method_at(id);
    size_t len = protobuf_c_message_get_packed_size(request);
    if (request->descriptor != method->request) {
        dr_err_set(err, DR_E_INTERNAL, "'%s' takes another message", method->name);
        return NULL;
    }
    if (len > method->request_max_bytes) {
        dr_err_set(err, DR_E_RPC_LIMIT, "a request of %zu bytes to '%s' is over the limit of %u",
                   len, method->name, method->request_max_bytes);
        return NULL;
    }
    struct dr_pending *pending = calloc(1, sizeof *pending);
    uint8_t *bytes = malloc(len + 1);
    if (pending == NULL || bytes == NULL) {
        free(pending);
        free(bytes);
        dr_err_set(err, DR_E_NOMEM, "no memory for a call");
        return NULL;
    }
    protobuf_c_message_pack(request, bytes);
    pending->request = bytes;
    pending->request_len = len;
    pending->method = method;
    pending->id = ++client->last_id;
    pending->deadline_ms = deadline_ms == 0 ? INT64_MAX : dr_monotonic_ms() + deadline_ms;
    pending->patience_ms = INT64_MAX;
    if (method->retry == DR_RETRY_STORED) {
        dr_noise_random(pending->request_id, sizeof pending->request_id);
    }
    DL_APPEND(client->pendings, pending);
    return pending;
}

struct dr_pending *
dr_pending_find(struct dr_rpc_client *client, uint64_t id)
{
    struct dr_pending *pending;
    DL_SEARCH_SCALAR(client->pendings, pending, id, id);
    return pending;
}

// A closed connection is told by its own event.
static void
send_frame(struct dr_rpc_client *client, const Drover__V1__Frame *frame)
{
    if (client->is_stepping) {
        (void)!dr_conn_hold(client->conn, frame, &client->held, NULL);
    } else {
        (void)!dr_conn_send(client->conn, frame, NULL);
    }
}

static void
send_small(struct dr_rpc_client *client, uint64_t wire_id, Drover__V1__FrameKind kind,
           uint32_t window)
{
    Drover__V1__Frame frame;
    drover__v1__frame__init(&frame);
    frame.call_id = wire_id;
    frame.kind = kind;
    frame.window = window;
    if (client->state == DR_LINK_UP) {
        send_frame(client, &frame);
    }
}

void
dr_pending_end(struct dr_rpc_client *client, struct dr_pending *pending,
               const ProtobufCMessage *reply, const struct dr_err *err)
{
    static const struct dr_err ok;
    DL_DELETE(client->pendings, pending);
    if (pending->on_done != NULL) {
        pending->on_done(pending->user, reply, err == NULL ? &ok : err);
    }
    free(pending->request);
    free(pending);
}

void
dr_rpc_client_cancel(struct dr_rpc_client *client, uint64_t id)
{
    struct dr_pending *pending = dr_pending_find(client, id);
    if (pending != NULL) {
        if (pending->wire_id != 0) {
            send_small(client, pending->wire_id, DROVER__V1__FRAME_KIND__CANCEL_CALL, 0);
        }
        pending->on_done = NULL;
        dr_pending_end(client, pending, NULL, NULL);
    }
}

// --------------------------------------------------------------------------------------------------
// answers

// Will be sent again at `next_try_ms`.
static void
try_later(struct dr_pending *pending, const struct dr_err *err, int64_t delay_ms)
{
    pending->wire_id = 0;
    pending->last = *err;
    pending->next_try_ms = dr_monotonic_ms() + delay_ms;
}

static void
take_failure(struct dr_rpc_client *client, struct dr_pending *pending,
             const Drover__V1__Frame *frame)
{
    struct dr_err err = {0};
    uint32_t after_ms = frame->detail == NULL ? 0 : frame->detail->retry_after_ms;
    dr_status_raise(frame->status, frame->detail, &err);
    if (frame->status == DR_STATUS_UNAVAILABLE && pending->method->retry != DR_RETRY_NEVER) {
        after_ms = after_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : after_ms;
        int64_t jitter_ms = dr_backoff_ms(client->config.backoff_min_ms,
                                          client->config.backoff_max_ms, pending->attempts);
        try_later(pending, &err, after_ms + jitter_ms);
        return;
    }
    dr_pending_end(client, pending, NULL, &err);
}

// The message of a RESPONSE or STREAM, in `arena`.
static ProtobufCMessage *
decode(const struct dr_pending *pending, const Drover__V1__Frame *frame, struct dr_arena *arena)
{
    return arena == NULL
               ? NULL
               : protobuf_c_message_unpack(pending->method->reply, dr_arena_protobuf(arena),
                                           frame->body.len, frame->body.data);
}

static void
take_response(struct dr_rpc_client *client, struct dr_pending *pending,
              const Drover__V1__Frame *frame)
{
    struct dr_err err = {0};
    struct dr_arena *own = pending->arena == NULL ? dr_arena_new(DR_CLIENT_ARENA_MAX) : NULL;
    ProtobufCMessage *reply = decode(pending, frame, own == NULL ? pending->arena : own);
    if (reply == NULL) {
        dr_err_set(&err, DR_E_RPC_PROTOCOL, "the answer to '%s' does not decode",
                   pending->method->name);
    }
    dr_pending_end(client, pending, reply, reply == NULL ? &err : NULL);
    dr_arena_free(&own);
}

void
dr_pending_took(struct dr_rpc_client *client, struct dr_pending *pending)
{
    if (++pending->taken >= DR_CLIENT_GRANT) {
        send_small(client, pending->wire_id, DROVER__V1__FRAME_KIND__WINDOW, pending->taken);
        pending->taken = 0;
    }
}

static void
take_item(struct dr_rpc_client *client, struct dr_pending *pending, const Drover__V1__Frame *frame)
{
    uint64_t id = pending->id;
    bool is_blocking = pending->is_blocking;
    struct dr_arena *arena = dr_arena_new(DR_CLIENT_ARENA_MAX);
    ProtobufCMessage *item = decode(pending, frame, arena);
    if (item == NULL || frame->seq != ++pending->seq) {
        dr_link_break(client, DR_E_RPC_PROTOCOL, "an item of a stream is missing or malformed");
    } else {
        pending->on_item(pending->user, item);
        pending = dr_pending_find(client, id);
        if (pending != NULL && !is_blocking) {
            dr_pending_took(client, pending);
        }
    }
    dr_arena_free(&arena);
}

void
dr_pending_frame(struct dr_rpc_client *client, const Drover__V1__Frame *frame)
{
    struct dr_pending *pending = NULL;
    if (frame->kind == DROVER__V1__FRAME_KIND__GOAWAY) {
        dr_link_break(client, DR_E_UNREACHABLE, "the coordinator is going down");
        return;
    }
    DL_SEARCH_SCALAR(client->pendings, pending, wire_id, frame->call_id);
    if (pending == NULL || frame->call_id == 0) {
        return; // cancelled meanwhile
    }
    bool is_streaming = pending->method->is_streaming;
    if (frame->kind == DROVER__V1__FRAME_KIND__STREAM && is_streaming) {
        take_item(client, pending, frame);
    } else if (frame->kind == DROVER__V1__FRAME_KIND__END && is_streaming) {
        if (frame->status == DR_STATUS_OK) {
            dr_pending_end(client, pending, NULL, NULL);
        } else {
            take_failure(client, pending, frame);
        }
    } else if (frame->kind == DROVER__V1__FRAME_KIND__RESPONSE) {
        if (frame->status == DR_STATUS_OK && !is_streaming) {
            take_response(client, pending, frame);
        } else {
            take_failure(client, pending, frame);
        }
    } else {
        dr_link_break(client, DR_E_RPC_PROTOCOL, "a frame that does not fit its call");
    }
}

// -------------------------------------------------------------------------------------------- link
// and time

// A blocking call gives up at once when trying again cannot help.
static bool
is_hopeless(const struct dr_rpc_client *client, const struct dr_pending *pending)
{
    bool is_nobody_there = client->nobody_since_ms > 0 && !client->was_up &&
                           dr_monotonic_ms() - client->nobody_since_ms >= NOBODY_MS;
    return pending->is_blocking &&
           (is_nobody_there || client->last.rc == DR_E_WRONG_CLUSTER ||
            client->last.rc == DR_E_CONFIG ||
            (client->last.rc == DR_E_WRONG_SERVER_KEY && client->refusals > 1));
}

void
dr_pending_lost(struct dr_rpc_client *client, const struct dr_err *err)
{
    struct dr_pending *pending;
    DL_FOREACH(client->pendings, pending)
    {
        pending->last = *err;
        if (pending->wire_id != 0 && pending->method->retry != DR_RETRY_NEVER) {
            try_later(pending, err, 0);
        }
    }
    for (pending = client->pendings; pending != NULL;) {
        bool is_lost = pending->wire_id != 0;
        if (is_lost || is_hopeless(client, pending)) {
            struct dr_err copy = *err;
            dr_pending_end(client, pending, NULL, &copy);
            pending = client->pendings;
        } else {
            pending = pending->next;
        }
    }
}

static void
send_request(struct dr_rpc_client *client, struct dr_pending *pending, int64_t now_ms)
{
    Drover__V1__Frame frame;
    union {
        const char *in;
        char *out;
    } name = {.in = pending->method->name};
    drover__v1__frame__init(&frame);
    pending->wire_id = ++client->last_wire_id;
    pending->attempts++;
    pending->seq = 0;
    pending->taken = 0;
    frame.call_id = pending->wire_id;
    frame.kind = DROVER__V1__FRAME_KIND__REQUEST;
    frame.method = name.out;
    frame.body.data = pending->request;
    frame.body.len = pending->request_len;
    frame.window = pending->method->is_streaming ? DR_CLIENT_WINDOW : 0;
    if (pending->method->retry == DR_RETRY_STORED) {
        frame.request_id.data = pending->request_id;
        frame.request_id.len = sizeof pending->request_id;
    }
    if (pending->deadline_ms != INT64_MAX) {
        frame.deadline_ms = (uint32_t)(pending->deadline_ms - now_ms);
    }
    send_frame(client, &frame);
}

static void
send_due(struct dr_rpc_client *client, int64_t now_ms)
{
    struct dr_pending *pending;
    DL_FOREACH(client->pendings, pending)
    {
        if (client->state != DR_LINK_UP) {
            return;
        }
        if (pending->wire_id != 0 || pending->next_try_ms > now_ms) {
            continue;
        }
        pending->next_try_ms = 0;
        if (dr_conn_queued(client->conn) > DR_CLIENT_QUEUE_MAX &&
            dr_conn_want_drain(client->conn)) {
            return;
        }
        send_request(client, pending, now_ms);
    }
}

// Ends a call whose time is over: true when it was.
static bool
end_if_late(struct dr_rpc_client *client, struct dr_pending *pending, int64_t now_ms)
{
    struct dr_err err = {0};
    bool is_down = client->state != DR_LINK_UP;
    if (pending->deadline_ms <= now_ms) {
        if (pending->wire_id != 0) {
            send_small(client, pending->wire_id, DROVER__V1__FRAME_KIND__CANCEL_CALL, 0);
            dr_err_set(&err, DR_E_TIMEOUT, "'%s' was not answered in time", pending->method->name);
        } else if (pending->last.rc != DR_OK) {
            err = pending->last;
        } else {
            dr_err_set(&err, is_down ? DR_E_UNREACHABLE : DR_E_TIMEOUT,
                       "no connection to '%s' in time", client->url);
        }
    } else if (pending->patience_ms <= now_ms && !client->was_up && is_down) {
        err = client->last;
        if (err.rc == DR_OK) {
            dr_err_set(&err, DR_E_UNREACHABLE, "no answer from '%s' in time", client->url);
        }
    } else {
        return false;
    }
    dr_pending_end(client, pending, NULL, &err);
    return true;
}

void
dr_pending_step(struct dr_rpc_client *client, int64_t now_ms)
{
    for (struct dr_pending *pending = client->pendings; pending != NULL;) {
        pending = end_if_late(client, pending, now_ms) ? client->pendings : pending->next;
    }
    send_due(client, now_ms);
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
dr_pending_next_ms(const struct dr_rpc_client *client)
{
    int64_t next_ms = INT64_MAX;
    const struct dr_pending *pending;
    DL_FOREACH(client->pendings, pending)
    {
        next_ms = least(next_ms, pending->deadline_ms);
        if (!client->was_up) {
            next_ms = least(next_ms, pending->patience_ms);
        }
        if (client->state == DR_LINK_UP && pending->wire_id == 0 && pending->next_try_ms > 0) {
            next_ms = least(next_ms, pending->next_try_ms);
        }
    }
    return next_ms;
}

enum dr_rc
dr_rpc_client_start(struct dr_rpc_client *client, enum dr_method_id method,
                    const ProtobufCMessage *request, uint32_t deadline_ms, dr_rpc_item_fn on_item,
                    dr_rpc_done_fn on_done, void *user, uint64_t *out_id, struct dr_err *err)
{
    struct dr_err own = {0};
    if (dr_method_at(method)->is_streaming != (on_item != NULL)) {
        return dr_err_set(err, DR_E_INTERNAL, "'%s' %s", dr_method_at(method)->name,
                          on_item != NULL ? "does not stream" : "streams");
    }
    err = err == NULL ? &own : err;
    struct dr_pending *pending = dr_pending_new(client, method, request, deadline_ms, err);
    if (pending == NULL) {
        return err->rc;
    }
    pending->on_item = on_item;
    pending->on_done = on_done;
    pending->user = user;
    if (out_id != NULL) {
        *out_id = pending->id;
    }
    if (!client->is_stepping) { // else the step sends it at its end
        dr_group_wake(client->group);
    }
    return DR_OK;
}
