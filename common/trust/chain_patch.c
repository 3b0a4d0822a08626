// Chain patch: offsets into envelopes. A chain's entries are its payload's last field, in canonical
// form, so they are one run of bytes to the payload's end.
#include "trust/chain_patch.h"

#include "trust/envelope.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

// Where the entries begin and end in an envelope.
struct run {
    size_t from, to;
};

static enum dr_rc
find_entries(struct dr_arena *arena, struct dr_bytes wire, struct dr_envelope *envelope,
             struct run *out, struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_envelope_parse(wire, DR_TYPE_CHAIN, envelope, err));
    DR_TRY(
        dr_strict_decode(arena, &drover__v1__chain__descriptor, envelope->payload, &message, err));
    Drover__V1__Chain header = *(const Drover__V1__Chain *)message;
    header.n_entries = 0;
    out->from =
        (size_t)(envelope->payload.data - wire.data) + drover__v1__chain__get_packed_size(&header);
    out->to = (size_t)(envelope->payload.data - wire.data) + envelope->payload.len;
    return DR_OK;
}

enum dr_rc
dr_chain_patch_make(struct dr_arena *arena, struct dr_bytes base, struct dr_bytes next,
                    Drover__V1__ChainPatch **out, struct dr_err *err)
{
    struct dr_envelope old, new;
    struct run a, b;
    *out = NULL;
    DR_TRY(find_entries(arena, base, &old, &a, err));
    DR_TRY(find_entries(arena, next, &new, &b, err));
    size_t len = a.to - a.from;
    if (len > b.to - b.from || memcmp(base.data + a.from, next.data + b.from, len) != 0) {
        return DR_OK;
    }
    Drover__V1__ChainPatch *patch = dr_arena_alloc(arena, sizeof(*patch));
    uint8_t *sha256 = dr_arena_copy(arena, old.sha256, 32);
    if (!patch || !sha256) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a patch of the chain");
    }
    drover__v1__chain_patch__init(patch);
    patch->base_sha256 = dr_data(sha256, 32);
    patch->before = dr_data(next.data, b.from);
    patch->offset = a.from;
    patch->length = len;
    patch->after = dr_data(next.data + b.from + len, next.len - b.from - len);
    *out = patch;
    return DR_OK;
}

enum dr_rc
dr_chain_patch_apply(struct dr_arena *arena, const struct dr_chain *held,
                     const Drover__V1__ChainPatch *patch, struct dr_bytes *out, struct dr_err *err)
{
    size_t base = held->msg ? held->wire.len : 0;
    if (!held->msg || !dr_data_is(patch->base_sha256, held->sha256) || patch->offset > base ||
        patch->length > base - patch->offset) {
        return dr_err_set(err, DR_E_BAD_CHAIN, "the chain came as a patch of another than is held");
    }
    size_t length = (size_t)patch->length;
    if (patch->before.len > DR_ENVELOPE_MAX || patch->after.len > DR_ENVELOPE_MAX ||
        length + patch->before.len + patch->after.len > DR_ENVELOPE_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "the patched chain is too large");
    }
    size_t total = patch->before.len + length + patch->after.len;
    uint8_t *wire = dr_arena_alloc(arena, total);
    if (!wire) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a chain of %zu bytes", total);
    }
    memcpy(wire, patch->before.data, patch->before.len);
    memcpy(wire + patch->before.len, held->wire.data + patch->offset, length);
    memcpy(wire + patch->before.len + length, patch->after.data, patch->after.len);
    *out = (struct dr_bytes){wire, total};
    return DR_OK;
}
