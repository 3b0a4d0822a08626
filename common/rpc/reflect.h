// Reflection: the method list as messages, and JSON to and from any message by its descriptor
// (proto3 JSON mapping).
#ifndef DR_RPC_REFLECT_H
#define DR_RPC_REFLECT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "proto/service.pb-c.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

// Names as in the .proto file (snake_case), 64-bit integers as strings, bytes as base64 (with
// padding), enums by name, fields at their default left out. `*out` is a new reference. DR_E_NOMEM,
// DR_E_LIMIT (deeper than 16).
DR_MUST_CHECK enum dr_rc
dr_json_from_message(const ProtobufCMessage *message, json_t **out, struct dr_err *err);
// The same with every field, defaults too (empty lists as [], unset messages as null).
DR_MUST_CHECK enum dr_rc
dr_json_from_message_full(const ProtobufCMessage *message, json_t **out, struct dr_err *err);

// Builds a message of `descriptor` in `arena`. Takes snake_case or lowerCamelCase names, numbers or
// strings for integers, base64 with or without padding (url alphabet too), enum names or numbers,
// null for unset. An unknown name, a wrong type or a number out of range is DR_E_INVALID and names
// the field ("field 'limit': ...").
DR_MUST_CHECK enum dr_rc
dr_json_to_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
                   struct dr_arena *arena, ProtobufCMessage **out, struct dr_err *err);

// The method table as Reflection.List's reply, in `arena`: all methods, or those whose name starts
// with `symbol`. NULL when the arena is full.
Drover__V1__ReflectReply *dr_reflect_list(const char *symbol, struct dr_arena *arena);

#endif
