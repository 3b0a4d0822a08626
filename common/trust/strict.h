// Strict decode: a protobuf message is accepted only in the one form that packing it again gives,
// without unknown fields, with plain UTF-8, known enum values, digests of exact length and counts
// within limits.
#ifndef DR_TRUST_STRICT_H
#define DR_TRUST_STRICT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <protobuf-c/protobuf-c.h>

// Decodes `bytes` as `type` into `arena`: nothing of the result points into `bytes`. Size, memory
// and counts are bounded per type (table in strict.c). DR_E_BAD_DOCUMENT names the field;
// DR_E_LIMIT when too long or at the arena's cap.
DR_MUST_CHECK enum dr_rc
dr_strict_decode(struct dr_arena *arena, const ProtobufCMessageDescriptor *type,
                 struct dr_bytes bytes, ProtobufCMessage **out, struct dr_err *err);
// Packs a message into the arena and decodes it strictly, so that nobody signs what others refuse.
// Errors as decode.
DR_MUST_CHECK enum dr_rc dr_strict_encode(struct dr_arena *arena, const ProtobufCMessage *message,
                                          struct dr_bytes *out, struct dr_err *err);

// bytes fields: equal length and content; and equal to a 32-byte digest (constant time).
bool dr_data_eq(ProtobufCBinaryData a, ProtobufCBinaryData b);
bool dr_data_is(ProtobufCBinaryData data, const uint8_t digest[32]);
// A bytes field that lends `digest` (for filling in messages that are only packed).
ProtobufCBinaryData dr_data(const uint8_t *bytes, size_t len);

#endif
