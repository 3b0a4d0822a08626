// Base64 (RFC 4648) and what else the two halves of the JSON mapping share.
#ifndef DR_RPC_JSON_BASE64_H
#define DR_RPC_JSON_BASE64_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

// Appends the standard alphabet with padding.
void dr_base64_encode(struct dr_buf *out, const uint8_t *bytes, size_t len);
// Decodes the standard or the URL alphabet, padding optional, into `arena`. False when malformed or
// the arena is full.
DR_MUST_CHECK bool
dr_base64_decode(const char *text, size_t len, struct dr_arena *arena, ProtobufCBinaryData *out);
// Size of one element of a repeated field of this type.
size_t dr_json_element_size(ProtobufCType type);

#endif
