// Large pushes: a queue in order, and one fetch at a time for its head.
#include "agent/net_large.h"

#include "agent/net.h"
#include "base/str.h"
#include "trust/envelope.h"
#include "trust/strict.h"

#include <stdlib.h>
#include <string.h>

static void start_piece(struct dr_net_large *large);

static void
pop(struct dr_net_large *large)
{
    drover__v1__push__free_unpacked(large->queue[0], NULL);
    memmove(&large->queue[0], &large->queue[1], (large->n - 1) * sizeof(Drover__V1__Push *));
    large->n--;
    free(large->bytes);
    large->bytes = NULL;
    large->have = 0;
}

void
dr_net_large_reset(struct dr_net_large *large)
{
    if (large->is_asked) {
        dr_rpc_client_cancel(large->client, large->call);
        large->is_asked = false;
    }
    while (large->n > 0) {
        pop(large);
    }
}

static void
give_up(struct dr_net_large *large, enum dr_rc rc, const char *why)
{
    struct dr_err err = {0};
    (void)dr_err_set(&err, rc, "the body of a push cannot be had: %s", why);
    dr_net_large_reset(large);
    large->give_up(large->user, &err);
}

// Hands on whatever has its body; stops at the next one that has to be fetched.
static void
go_on(struct dr_net_large *large)
{
    while (large->n > 0 && large->queue[0]->blob.len == 0) {
        large->deliver(large->user, large->queue[0]);
        pop(large);
    }
    if (large->n > 0) {
        start_piece(large);
    }
}

// All bytes are here: they take the place of the digest.
static void
finish(struct dr_net_large *large)
{
    Drover__V1__Push *push = large->queue[0];
    uint8_t found[32];
    dr_sha256((struct dr_bytes){large->bytes, (size_t)large->have}, found);
    if (!dr_data_is(push->blob, found)) {
        give_up(large, DR_E_BLOB_DIGEST, "it has another digest");
        return;
    }
    free(push->blob.data);
    push->blob = (ProtobufCBinaryData){0};
    free(push->body.data);
    push->body = (ProtobufCBinaryData){.len = (size_t)large->have, .data = large->bytes};
    large->bytes = NULL;
    go_on(large);
}

static void
on_piece(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct dr_net_large *large = user;
    const Drover__V1__GetBlobReply *piece = (const Drover__V1__GetBlobReply *)reply;
    large->is_asked = false;
    if (err->rc != DR_OK) {
        give_up(large, err->rc, err->message);
        return;
    }
    uint64_t size = large->queue[0]->size;
    if (piece->total != size || piece->bytes.len > size - large->have || piece->bytes.len == 0) {
        give_up(large, DR_E_INVALID, "it has another size than was said");
        return;
    }
    memcpy(large->bytes + large->have, piece->bytes.data, piece->bytes.len);
    large->have += piece->bytes.len;
    if (large->have == size) {
        finish(large);
    } else {
        start_piece(large);
    }
}

static void
start_piece(struct dr_net_large *large)
{
    const Drover__V1__Push *push = large->queue[0];
    Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
    struct dr_err err = {0};
    if (push->blob.len != 32 || push->size == 0 || push->size > DR_NET_PUSH_MAX) {
        give_up(large, DR_E_LIMIT, "its size or digest is out of range");
        return;
    }
    if (large->bytes == NULL) {
        large->bytes = malloc((size_t)push->size);
        large->have = 0;
    }
    request.sha256 = push->blob;
    request.offset = large->have;
    enum dr_rc rc =
        large->bytes == NULL
            ? dr_err_set(&err, DR_E_NOMEM, "out of memory")
            : dr_rpc_client_start(large->client, DR_METHOD_DOCUMENTS_GET_BLOB, &request.base,
                                  DR_NET_CALL_MS, NULL, on_piece, large, &large->call, &err);
    if (rc != DR_OK) {
        give_up(large, rc, err.message);
        return;
    }
    large->is_asked = true;
}

static Drover__V1__Push *
copy_push(const Drover__V1__Push *push)
{
    size_t len = drover__v1__push__get_packed_size(push);
    uint8_t *bytes = malloc(len + 1);
    Drover__V1__Push *copy =
        bytes == NULL ? NULL
                      : drover__v1__push__unpack(NULL, drover__v1__push__pack(push, bytes), bytes);
    free(bytes);
    return copy;
}

void
dr_net_large_take(struct dr_net_large *large, struct dr_rpc_client *client,
                  const Drover__V1__Push *push)
{
    large->client = client;
    if (large->n == 0 && push->blob.len == 0) {
        large->deliver(large->user, push);
        return;
    }
    Drover__V1__Push *copy = large->n < DR_NET_QUEUE_LEN ? copy_push(push) : NULL;
    if (copy == NULL) {
        give_up(large, DR_E_LIMIT, "too many pushes wait behind it");
        return;
    }
    large->queue[large->n++] = copy;
    if (large->n == 1) {
        go_on(large);
    }
}
