// Messages to JSON, by descriptor: the proto3 JSON mapping (protobuf.dev/programming-guides/json),
// with the names of the .proto file. And the method list.
#include "rpc/reflect.h"

#include "base/str.h"
#include "rpc/json_base64.h"
#include "rpc/methods.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX     16u
#define NUMBER_DIGITS 24u

static json_t *print_message(const ProtobufCMessage *message, bool is_full, unsigned depth);

static json_t *
print_bytes(const ProtobufCBinaryData *bytes)
{
    struct dr_buf text = {0};
    dr_base64_encode(&text, bytes->data, bytes->len);
    json_t *json = text.failed ? NULL : json_stringn(text.data == NULL ? "" : text.data, text.len);
    dr_buf_fini(&text);
    return json;
}

// A string of the wire need not be UTF-8: then it is shown escaped.
static json_t *
print_string(const char *text)
{
    if (text == NULL) {
        return json_string("");
    }
    size_t len = strlen(text);
    if (dr_utf8_valid(text, len, NULL)) {
        return json_stringn(text, len);
    }
    struct dr_buf shown = {0};
    dr_show(&shown, text, len, true);
    json_t *json = shown.failed ? NULL : json_stringn(shown.data, shown.len);
    dr_buf_fini(&shown);
    return json;
}

static json_t *
print_64(uint64_t value, bool is_signed)
{
    char text[NUMBER_DIGITS];
    if (is_signed) {
        snprintf(text, sizeof text, "%" PRId64, (int64_t)value);
    } else {
        snprintf(text, sizeof text, "%" PRIu64, value);
    }
    return json_string(text);
}

static json_t *
print_enum(const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(descriptor, value);
    return row != NULL ? json_string(row->name) : json_integer(value);
}

// One value of `field`, at `at`.
static json_t *
print_value(const ProtobufCFieldDescriptor *field, const void *at, bool is_full, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return print_64((uint64_t) * (const int64_t *)at, true);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return print_64(*(const uint64_t *)at, false);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return print_enum(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return print_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return print_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return print_message(*(ProtobufCMessage *const *)at, is_full, depth + 1);
    default:
        return NULL;
    }
}

// Size of one element of a repeated field.
size_t
dr_json_element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(uint32_t);
    }
}

static json_t *
print_list(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, bool is_full,
           unsigned depth)
{
    const char *base = (const char *)message;
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const char *elements = *(char *const *)(base + field->offset);
    size_t size = dr_json_element_size(field->type);
    json_t *list = json_array();
    for (size_t i = 0; i < count && list != NULL; i++) {
        if (json_array_append_new(list, print_value(field, elements + i * size, is_full, depth)) !=
            0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

// The value that proto3 leaves out.
static bool
is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
    static const uint8_t zeros[sizeof(uint64_t)];
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return *(char *const *)at == NULL || (*(char *const *)at)[0] == '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(ProtobufCMessage *const *)at == NULL;
    default:
        return memcmp(at, zeros, dr_json_element_size(field->type)) == 0;
    }
}

// Adds a field to `json`; false when memory is out or the message too deep.
static bool
print_field(json_t *json, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
            bool is_full, unsigned depth)
{
    const char *base = (const char *)message;
    const void *at = base + field->offset;
    bool is_list = field->label == PROTOBUF_C_LABEL_REPEATED;
    bool is_empty =
        is_list ? *(const size_t *)(base + field->quantifier_offset) == 0 : is_default(field, at);
    if (is_empty && !is_full) {
        return true;
    }
    json_t *value;
    if (is_list) {
        value = print_list(message, field, is_full, depth);
    } else if (is_empty && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        value = json_null();
    } else {
        value = print_value(field, at, is_full, depth);
    }
    return json_object_set_new(json, field->name, value) == 0;
}

static json_t *
print_message(const ProtobufCMessage *message, bool is_full, unsigned depth)
{
    json_t *json = depth > DEPTH_MAX ? NULL : json_object();
    for (unsigned i = 0; json != NULL && i < message->descriptor->n_fields; i++) {
        if (!print_field(json, message, &message->descriptor->fields[i], is_full, depth)) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

static enum dr_rc
print(const ProtobufCMessage *message, bool is_full, json_t **out, struct dr_err *err)
{
    json_t *json = print_message(message, is_full, 0);
    if (json == NULL) {
        return dr_err_set(err, DR_E_LIMIT,
                          "a message of type '%s' is too large or too deep for JSON",
                          message->descriptor->short_name);
    }
    *out = json;
    return DR_OK;
}

enum dr_rc
dr_json_from_message(const ProtobufCMessage *message, json_t **out, struct dr_err *err)
{
    return print(message, false, out, err);
}

enum dr_rc
dr_json_from_message_full(const ProtobufCMessage *message, json_t **out, struct dr_err *err)
{
    return print(message, true, out, err);
}

Drover__V1__ReflectReply *
dr_reflect_list(const char *symbol, struct dr_arena *arena)
{
    Drover__V1__ReflectReply *reply = dr_arena_alloc(arena, sizeof *reply);
    Drover__V1__ReflectMethod **rows =
        dr_arena_array(arena, DR_METHOD_COUNT, sizeof(Drover__V1__ReflectMethod *));
    if (reply == NULL || rows == NULL) {
        return NULL;
    }
    drover__v1__reflect_reply__init(reply);
    reply->methods = rows;
    for (unsigned i = 0; i < DR_METHOD_COUNT; i++) {
        const struct dr_method *method = dr_method_at((enum dr_method_id)i);
        if (symbol != NULL && !dr_str_starts(method->name, symbol)) {
            continue;
        }
        Drover__V1__ReflectMethod *row = dr_arena_alloc(arena, sizeof *row);
        if (row == NULL) {
            return NULL;
        }
        drover__v1__reflect_method__init(row);
        row->name = dr_arena_str(arena, method->name);
        row->request = dr_arena_str(arena, method->request->name);
        row->reply = dr_arena_str(arena, method->reply->name);
        row->auth = dr_arena_str(arena, dr_auth_name(method->auth));
        row->streaming = method->is_streaming;
        row->request_max_bytes = method->request_max_bytes;
        row->idempotent = method->retry != DR_RETRY_NEVER;
        rows[reply->n_methods++] = row;
        if (row->name == NULL || row->request == NULL || row->reply == NULL || row->auth == NULL) {
            return NULL;
        }
    }
    return reply;
}
