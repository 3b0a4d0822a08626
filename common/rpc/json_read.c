// JSON to messages, by descriptor: see reflect.h.
#include "rpc/reflect.h"

#include "rpc/json_base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX      16u
#define FIELD_NAME_MAX 128u

static enum dr_rc
read_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
             struct dr_arena *arena, unsigned depth, ProtobufCMessage **out, struct dr_err *err);

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "the message is too large");
}

// A signed number in [min, max], from an integer or a string of digits.
static bool
read_signed(const json_t *json, int64_t min, int64_t max, int64_t *out)
{
    if (json_is_integer(json)) {
        *out = json_integer_value(json);
    } else if (json_is_string(json)) {
        const char *text = json_string_value(json);
        char *end = NULL;
        errno = 0;
        long long value = strtoll(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || text[0] == ' ' || text[0] == '+') {
            return false;
        }
        *out = value;
    } else {
        return false;
    }
    return *out >= min && *out <= max;
}

static bool
read_unsigned(const json_t *json, uint64_t max, uint64_t *out)
{
    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        *out = (uint64_t)json_integer_value(json);
        return *out <= max;
    }
    return json_is_string(json) && dr_parse_u64(json_string_value(json), 0, max, out);
}

static bool
read_enum(const json_t *json, const ProtobufCEnumDescriptor *descriptor, int *out)
{
    if (json_is_string(json)) {
        const ProtobufCEnumValue *row =
            protobuf_c_enum_descriptor_get_value_by_name(descriptor, json_string_value(json));
        if (row != NULL) {
            *out = row->value;
        }
        return row != NULL;
    }
    int64_t value;
    if (!json_is_integer(json) || !read_signed(json, INT32_MIN, INT32_MAX, &value)) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool
read_integer(const json_t *json, ProtobufCType type, void *at)
{
    int64_t number;
    uint64_t natural;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        if (!read_signed(json, INT32_MIN, INT32_MAX, &number)) {
            return false;
        }
        *(int32_t *)at = (int32_t)number;
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!read_unsigned(json, UINT32_MAX, &natural)) {
            return false;
        }
        *(uint32_t *)at = (uint32_t)natural;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(json, INT64_MIN, INT64_MAX, at);
    default:
        return read_unsigned(json, UINT64_MAX, at);
    }
}

static bool
read_scalar(const json_t *json, const ProtobufCFieldDescriptor *field, struct dr_arena *arena,
            void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)at = (float)json_number_value(json);
        return json_is_number(json);
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)at = json_number_value(json);
        return json_is_number(json);
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = json_is_true(json);
        return json_is_boolean(json);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(json, field->descriptor, at);
    case PROTOBUF_C_TYPE_STRING:
        if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json)) {
            return false;
        }
        *(char **)at = dr_arena_str(arena, json_string_value(json));
        return *(char **)at != NULL;
    case PROTOBUF_C_TYPE_BYTES:
        return json_is_string(json) &&
               dr_base64_decode(json_string_value(json), json_string_length(json), arena, at);
    default:
        return read_integer(json, field->type, at);
    }
}

static const char *
wanted(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        return "true or false";
    case PROTOBUF_C_TYPE_STRING:
        return "a string";
    case PROTOBUF_C_TYPE_BYTES:
        return "a string of base64";
    case PROTOBUF_C_TYPE_ENUM:
        return "a name of its enumeration";
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return "a number";
    default:
        return "an integer in range";
    }
}

static enum dr_rc
read_value(const json_t *json, const ProtobufCFieldDescriptor *field, struct dr_arena *arena,
           unsigned depth, void *at, struct dr_err *err)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *message = NULL;
        enum dr_rc rc = read_message(json, field->descriptor, arena, depth + 1, &message, err);
        if (rc != DR_OK) {
            return dr_err_wrap(err, "field '%s'", field->name);
        }
        *(ProtobufCMessage **)at = message;
        return DR_OK;
    }
    if (!read_scalar(json, field, arena, at)) {
        return dr_err_set(err, DR_E_INVALID, "field '%s' takes %s", field->name, wanted(field));
    }
    return DR_OK;
}

static enum dr_rc
read_list(const json_t *json, const ProtobufCFieldDescriptor *field, struct dr_arena *arena,
          unsigned depth, ProtobufCMessage *message, struct dr_err *err)
{
    char *base = (char *)message;
    size_t size = dr_json_element_size(field->type), count = json_array_size(json);
    if (!json_is_array(json)) {
        return dr_err_set(err, DR_E_INVALID, "field '%s' takes a list", field->name);
    }
    char *elements = dr_arena_array(arena, count, size);
    if (elements == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < count; i++) {
        enum dr_rc rc =
            read_value(json_array_get(json, i), field, arena, depth, elements + i * size, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    *(char **)(base + field->offset) = elements;
    *(size_t *)(base + field->quantifier_offset) = count;
    return DR_OK;
}

// "afterLogIndex" to "after_log_index".
static const ProtobufCFieldDescriptor *
find_field(const ProtobufCMessageDescriptor *descriptor, const char *name)
{
    char snake[FIELD_NAME_MAX];
    size_t len = 0;
    for (const char *c = name; *c != '\0' && len + 2 < sizeof snake; c++) {
        bool is_upper = *c >= 'A' && *c <= 'Z';
        if (is_upper) {
            snake[len++] = '_';
        }
        snake[len++] = is_upper ? (char)(*c - 'A' + 'a') : *c;
    }
    snake[len] = '\0';
    return protobuf_c_message_descriptor_get_field_by_name(descriptor, snake);
}

static enum dr_rc
read_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
             struct dr_arena *arena, unsigned depth, ProtobufCMessage **out, struct dr_err *err)
{
    ProtobufCMessage *message = dr_arena_alloc(arena, descriptor->sizeof_message);
    if (message == NULL || depth > DEPTH_MAX) {
        return no_room(err);
    }
    if (!json_is_object(json)) {
        return dr_err_set(err, DR_E_INVALID, "a message of type '%s' is written as an object",
                          descriptor->short_name);
    }
    protobuf_c_message_init(descriptor, message);
    // jansson's iterators take no const, but write nothing.
    union {
        const json_t *in;
        json_t *out;
    } object = {.in = json};
    for (void *i = json_object_iter(object.out); i != NULL;
         i = json_object_iter_next(object.out, i)) {
        const char *name = json_object_iter_key(i);
        const json_t *value = json_object_iter_value(i);
        const ProtobufCFieldDescriptor *field = find_field(descriptor, name);
        if (field == NULL && depth == 0 && strcmp(name, "schema") == 0) {
            continue; // what every command's JSON begins with: output may be handed back
        }
        if (field == NULL) {
            return dr_err_set(err, DR_E_INVALID, "'%s' has no field '%s'", descriptor->short_name,
                              name);
        }
        if (json_is_null(value)) {
            continue;
        }
        enum dr_rc rc =
            field->label == PROTOBUF_C_LABEL_REPEATED
                ? read_list(value, field, arena, depth, message, err)
                : read_value(value, field, arena, depth, (char *)message + field->offset, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    *out = message;
    return DR_OK;
}

enum dr_rc
dr_json_to_message(const json_t *json, const ProtobufCMessageDescriptor *descriptor,
                   struct dr_arena *arena, ProtobufCMessage **out, struct dr_err *err)
{
    return read_message(json, descriptor, arena, 0, out, err);
}
