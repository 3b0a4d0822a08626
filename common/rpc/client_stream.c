// Blocking streams: items are kept, serialised, until their owner takes them; the server's window
// bounds how many.
#include "rpc/client_priv.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct item {
    struct item *next;
    size_t len;
    uint8_t bytes[];
};

struct dr_rpc_stream {
    struct dr_rpc_client *client;
    const struct dr_method *method;
    uint64_t id;
    struct item *first, *last;
    bool is_ended;
    struct dr_err err; // how it ended
};

static void
on_item(void *user, const ProtobufCMessage *message)
{
    struct dr_rpc_stream *stream = user;
    size_t len = protobuf_c_message_get_packed_size(message);
    struct item *item = malloc(sizeof *item + len);
    if (item == NULL) {
        dr_link_break(stream->client, DR_E_NOMEM, "no memory for an item of a stream");
        return;
    }
    item->next = NULL;
    item->len = len;
    protobuf_c_message_pack(message, item->bytes);
    *(stream->last == NULL ? &stream->first : &stream->last->next) = item;
    stream->last = item;
}

static void
on_end(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct dr_rpc_stream *stream = user;
    (void)reply;
    stream->is_ended = true;
    stream->err = *err;
}

enum dr_rc
dr_rpc_stream_open(struct dr_rpc_client *client, enum dr_method_id method,
                   const ProtobufCMessage *request, struct dr_rpc_stream **out, struct dr_err *err)
{
    struct dr_err own = {0};
    struct dr_rpc_stream *stream = calloc(1, sizeof *stream);
    err = err == NULL ? &own : err;
    if (stream == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a stream");
    }
    struct dr_pending *pending = dr_pending_new(client, method, request, 0, err);
    if (pending == NULL) {
        free(stream);
        return err->rc;
    }
    pending->is_blocking = true;
    pending->on_item = on_item;
    pending->on_done = on_end;
    pending->user = stream;
    int64_t until_ms = dr_monotonic_ms() + client->config.connect_patience_ms;
    pending->patience_ms = until_ms;
    stream->client = client;
    stream->method = pending->method;
    stream->id = pending->id;
    dr_rpc_client_step(client);
    while (!stream->is_ended && client->state != DR_LINK_UP && dr_monotonic_ms() < until_ms) {
        (void)dr_client_wait(client, until_ms, -1);
        dr_rpc_client_step(client);
    }
    if (!stream->is_ended && client->state != DR_LINK_UP) {
        *err = client->last;
        if (err->rc == DR_OK) {
            dr_err_set(err, DR_E_UNREACHABLE, "no answer from '%s' in time", client->url);
        }
    } else if (stream->is_ended && stream->err.rc != DR_OK) {
        *err = stream->err;
    } else {
        *out = stream;
        return DR_OK;
    }
    dr_rpc_stream_close(&stream);
    return err->rc;
}

static enum dr_rc
take_first(struct dr_rpc_stream *stream, struct dr_arena *arena, ProtobufCMessage **out_item,
           struct dr_err *err)
{
    struct item *item = stream->first;
    ProtobufCMessage *message = protobuf_c_message_unpack(
        stream->method->reply, dr_arena_protobuf(arena), item->len, item->bytes);
    if (message == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "no room for an item of '%s'", stream->method->name);
    }
    stream->first = item->next;
    if (stream->first == NULL) {
        stream->last = NULL;
    }
    free(item);
    struct dr_pending *pending = dr_pending_find(stream->client, stream->id);
    if (pending != NULL) {
        dr_pending_took(stream->client, pending);
    }
    *out_item = message;
    return DR_OK;
}

enum dr_rc
dr_rpc_stream_next(struct dr_rpc_stream *stream, uint32_t timeout_ms, int wake_fd,
                   struct dr_arena *arena, ProtobufCMessage **out_item, struct dr_err *err)
{
    int64_t until_ms = dr_monotonic_ms() + timeout_ms;
    for (;;) {
        dr_rpc_client_step(stream->client);
        if (stream->first != NULL) {
            return take_first(stream, arena, out_item, err);
        }
        if (stream->is_ended) {
            if (err != NULL && stream->err.rc != DR_OK) {
                *err = stream->err;
            }
            *out_item = stream->err.rc == DR_OK ? NULL : *out_item;
            return stream->err.rc;
        }
        if (dr_monotonic_ms() >= until_ms) {
            return dr_err_set(err, DR_E_TIMEOUT, "nothing new from '%s' in %u ms",
                              stream->method->name, timeout_ms);
        }
        if (dr_client_wait(stream->client, until_ms, wake_fd)) {
            return dr_err_set(err, DR_E_INTERRUPTED, "interrupted");
        }
    }
}

void
dr_rpc_stream_close(struct dr_rpc_stream **stream)
{
    if (*stream == NULL) {
        return;
    }
    struct dr_rpc_stream *s = *stream;
    dr_rpc_client_cancel(s->client, s->id);
    while (s->first != NULL) {
        struct item *item = s->first;
        s->first = item->next;
        free(item);
    }
    free(s);
    *stream = NULL;
}
