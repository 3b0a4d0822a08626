// Any bytes as an envelope: parsed or refused; what was parsed builds again to the same bytes.

#include "trust/envelope.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dr_envelope envelope;
    struct dr_err err = {0};
    struct dr_bytes again;
    char type[DR_ENVELOPE_TYPE_MAX + 1];
    if (dr_envelope_parse((struct dr_bytes){data, size}, NULL, &envelope, &err) != DR_OK) {
        return 0;
    }
    struct dr_arena *arena = dr_arena_new(4u << 20);
    if (arena == NULL) {
        return 0;
    }
    memcpy(type, envelope.type.data, envelope.type.len);
    type[envelope.type.len] = '\0';
    if (dr_envelope_build(arena, type, envelope.payload, envelope.sigs, envelope.n_sigs, &again,
                          &err) != DR_OK ||
        again.len != size || memcmp(again.data, data, size) != 0) {
        abort();
    }
    dr_arena_free(&arena);
    return 0;
}
