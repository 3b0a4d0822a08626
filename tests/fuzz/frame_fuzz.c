// Fuzz target: the plain byte stream of a hostile peer, in pieces (the first byte is their length),
// to decoded frames and the requests in them.
#include "rpc/frame.h"
#include "rpc/methods.h"

#include <stdlib.h>

#define ARENA_FACTOR 4u
#define ARENA_EXTRA  (16u * 1024u)
#define REQUEST_MAX  (1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum dr_rc
take(void *user, const uint8_t *bytes, size_t len, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(len * ARENA_FACTOR + ARENA_EXTRA);
    struct dr_arena *request_arena = dr_arena_new(REQUEST_MAX);
    Drover__V1__Frame *frame = NULL;
    (void)user;
    if (arena != NULL && request_arena != NULL &&
        dr_frame_decode(bytes, len, arena, &frame, err) == DR_OK) {
        const struct dr_method *method = dr_method_find(frame->method);
        method = method == NULL ? dr_method_at((enum dr_method_id)(len % DR_METHOD_COUNT)) : method;
        ProtobufCMessage *request = protobuf_c_message_unpack(
            method->request, dr_arena_protobuf(request_arena), frame->body.len, frame->body.data);
        if (request != NULL && request->descriptor != method->request) {
            abort();
        }
    }
    dr_arena_free(&arena);
    dr_arena_free(&request_arena);
    return DR_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dr_frame_reader reader = {.max = DR_FRAME_UNKNOWN_MAX};
    if (size < 2) {
        return 0;
    }
    size_t step = (size_t)data[0] + 1;
    enum dr_rc rc = DR_OK;
    for (size_t at = 1; at < size && rc == DR_OK; at += step) {
        size_t piece = size - at < step ? size - at : step;
        rc = dr_frame_reader_take(&reader, data + at, piece, take, NULL, NULL);
    }
    if (reader.cap > DR_FRAME_UNKNOWN_MAX) {
        abort();
    }
    dr_frame_reader_fini(&reader);
    return 0;
}
