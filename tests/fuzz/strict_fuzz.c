// Any bytes as each signed document: accepted only if packing gives the same bytes again. The first
// byte chooses the type.

#include "trust/strict.h"

#include "proto/documents.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &drover__v1__root__descriptor,          &drover__v1__fleet__descriptor,
        &drover__v1__fleet_entry__descriptor,   &drover__v1__chain__descriptor,
        &drover__v1__plan__descriptor,          &drover__v1__approval__descriptor,
        &drover__v1__approval_leaf__descriptor, &drover__v1__attestation__descriptor,
        &drover__v1__signoff__descriptor,
    };
    ProtobufCMessage *message = NULL;
    struct dr_err err = {0};
    if (size < 1) {
        return 0;
    }
    struct dr_arena *arena = dr_arena_new(16u << 20);
    if (arena == NULL) {
        return 0;
    }
    struct dr_bytes bytes = {data + 1, size - 1};
    if (dr_strict_decode(arena, types[data[0] % DR_COUNT_OF(types)], bytes, &message, &err) ==
        DR_OK) {
        size_t len = protobuf_c_message_get_packed_size(message);
        uint8_t *packed = malloc(len + 1);
        if (packed == NULL || protobuf_c_message_pack(message, packed) != bytes.len ||
            memcmp(packed, bytes.data, bytes.len) != 0) {
            abort();
        }
        free(packed);
    }
    dr_arena_free(&arena);
    return 0;
}
