// Packing again and comparing catches duplicates, other orders, long varints, explicit defaults and
// NULs in strings; unknown fields and UTF-8 it does not catch, so those are looked for.
#include "trust/strict.h"

#include "proto/documents.pb-c.h"
#include "trust/try.h"

#include <sodium.h>
#include <string.h>

#define STRING_MAX    4096u
#define COUNT_MAX     256u
#define MEMORY_BASE   (64u << 10)
#define MEMORY_FACTOR 16u // of the input's length; hostile input reaches 88

#define TYPE(name) &drover__v1__##name##__descriptor

// Longest input per type. A type that is not here is not decoded.
static const struct {
    const ProtobufCMessageDescriptor *type;
    size_t bytes_max;
} documents[] = {
    {TYPE(root), 64u << 10},         {TYPE(fleet), 4u << 10},       {TYPE(fleet_entry), 64u << 10},
    {TYPE(chain), 1u << 20},         {TYPE(plan), 64u << 20},       {TYPE(approval), 256u << 10},
    {TYPE(approval_leaf), 4u << 10}, {TYPE(attestation), 1u << 20}, {TYPE(signoff), 64u << 10},
};

// bytes: the exact length, and the field must be there (others: 32 or empty). repeated: the highest
// count (others 256).
static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *field;
    size_t value;
} rules[] = {
    {TYPE(root), "cluster_id", 16},
    {TYPE(root), "people", 128},
    {TYPE(person), "keys", 8},
    {TYPE(person_key), "public_key", 32},
    {TYPE(fleet), "cluster_id", 16},
    {TYPE(fleet), "entries_root", 32},
    {TYPE(target), "agent_signing_key", 32},
    {TYPE(target), "agent_transport_key", 32},
    {TYPE(environment), "tolerances", 1024},
    {TYPE(chain), "cluster_id", 16},
    {TYPE(chain), "entries", 100000},
    {TYPE(chain_entry), "digest", 32},
    {TYPE(plan), "revisions", 20000},
    {TYPE(plan_revision), "digest", 32},
    {TYPE(plan_revision), "file_sha256", 32},
    {TYPE(plan_revision), "units", 1024},
    {TYPE(unit), "digest", 32},
    {TYPE(unit), "statements", 1000000},
    {TYPE(approval), "cluster_id", 16},
    {TYPE(approval), "approval_id", 16},
    {TYPE(approval), "plan_sha256", 32},
    {TYPE(approval), "policy_sha256", 32},
    {TYPE(approval), "leaves_root", 32},
    {TYPE(approval), "evidence_sha256", 4096},
    {TYPE(approval_leaf), "entry_sha256", 32},
    {TYPE(approval_leaf), "ready_sha256", 32},
    {TYPE(attestation), "cluster_id", 16},
    {TYPE(attestation), "epoch", 16},
    {TYPE(attestation), "units", 10000},
    {TYPE(unit_proof), "revision_digest", 32},
    {TYPE(unit_proof), "unit_digest", 32},
    {TYPE(signoff), "cluster_id", 16},
    {TYPE(signoff), "signoff_id", 16},
};

// protobuf-c's allocator on an arena with a budget of its own.
struct budget {
    struct dr_arena *arena;
    size_t left;
    bool is_over;
};

static void *
budget_alloc(void *data, size_t size)
{
    struct budget *budget = data;
    void *memory = size <= budget->left ? dr_arena_alloc(budget->arena, size) : NULL;
    if (!memory) {
        budget->is_over = true;
        return NULL;
    }
    budget->left -= size;
    return memory;
}

static void
budget_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

// 0 when there is no rule.
static size_t
rule_of(const ProtobufCMessageDescriptor *type, const char *field)
{
    for (size_t i = 0; i < DR_COUNT_OF(rules); i++) {
        if (rules[i].type == type && strcmp(rules[i].field, field) == 0) {
            return rules[i].value;
        }
    }
    return 0;
}

static enum dr_rc check_message(const ProtobufCMessage *message, struct dr_err *err);

static enum dr_rc
check_bytes(const ProtobufCBinaryData *data, size_t exact, struct dr_err *err)
{
    if (exact ? data->len == exact : data->len == 0 || data->len == 32) {
        return DR_OK;
    }
    return dr_err_set(err, DR_E_BAD_DOCUMENT, "%zu bytes instead of %zu", data->len,
                      exact ? exact : 32);
}

static enum dr_rc
check_value(const ProtobufCFieldDescriptor *field, const char *at, size_t exact, struct dr_err *err)
{
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData data;
        memcpy(&data, at, sizeof(data));
        return check_bytes(&data, exact, err);
    }
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        int value;
        memcpy(&value, at, sizeof(value));
        return protobuf_c_enum_descriptor_get_value(field->descriptor, value)
                   ? DR_OK
                   : dr_err_set(err, DR_E_BAD_DOCUMENT, "%d is not known", value);
    }
    const char *pointer;
    memcpy(&pointer, at, sizeof(pointer));
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return pointer ? check_message((const ProtobufCMessage *)(const void *)pointer, err)
                       : DR_OK;
    }
    size_t len = strnlen(pointer, STRING_MAX + 1);
    if (len > STRING_MAX || !dr_utf8_plain(pointer, len, NULL)) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "not a plain text of at most %u bytes",
                          STRING_MAX);
    }
    return DR_OK;
}

// Size of one element; 0: a plain number, nothing to check.
static size_t
element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    default:
        return 0;
    }
}

static enum dr_rc
check_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
            struct dr_err *err)
{
    size_t rule = rule_of(message->descriptor, field->name), size = element_size(field->type);
    const char *at = (const char *)message + field->offset;
    size_t n = 1, exact = rule;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&n, (const char *)message + field->quantifier_offset, sizeof(n));
        memcpy(&at, at, sizeof(at));
        exact = 32;
        if (n > (rule ? rule : COUNT_MAX)) {
            return dr_err_set(err, DR_E_BAD_DOCUMENT, "%zu are too many", n);
        }
    }
    for (size_t i = 0; size > 0 && i < n; i++) {
        DR_TRY(check_value(field, at + i * size, exact, err));
    }
    return DR_OK;
}

static enum dr_rc
check_message(const ProtobufCMessage *message, struct dr_err *err)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (message->n_unknown_fields > 0) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "'%s' has an unknown field", type->short_name);
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (check_field(message, &type->fields[i], err) != DR_OK) {
            return dr_err_wrap(err, "%s.%s", type->short_name, type->fields[i].name);
        }
    }
    return DR_OK;
}

static enum dr_rc
check_size(const ProtobufCMessageDescriptor *type, size_t len, struct dr_err *err)
{
    for (size_t i = 0; i < DR_COUNT_OF(documents); i++) {
        if (documents[i].type == type && len <= documents[i].bytes_max) {
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_LIMIT, "a document '%s' of %zu bytes is not allowed",
                      type->short_name, len);
}

enum dr_rc
dr_strict_decode(struct dr_arena *arena, const ProtobufCMessageDescriptor *type,
                 struct dr_bytes bytes, ProtobufCMessage **out, struct dr_err *err)
{
    DR_TRY(check_size(type, bytes.len, err));
    struct budget budget = {.arena = arena, .left = MEMORY_BASE + MEMORY_FACTOR * bytes.len};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, bytes.data);
    uint8_t *again = message ? dr_arena_alloc(arena, bytes.len) : NULL;
    if (budget.is_over || (message && !again)) {
        return dr_err_set(err, DR_E_LIMIT, "no room to decode '%s' of %zu bytes", type->short_name,
                          bytes.len);
    }
    bool is_canonical = message && protobuf_c_message_get_packed_size(message) == bytes.len;
    if (is_canonical) {
        protobuf_c_message_pack(message, again);
        is_canonical = memcmp(again, bytes.data, bytes.len) == 0;
    }
    if (!is_canonical) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "'%s' is not in its canonical form",
                          type->short_name);
    }
    DR_TRY(check_message(message, err));
    *out = message;
    return DR_OK;
}

enum dr_rc
dr_strict_encode(struct dr_arena *arena, const ProtobufCMessage *message, struct dr_bytes *out,
                 struct dr_err *err)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = dr_arena_alloc(arena, len);
    if (!bytes) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a document of %zu bytes", len);
    }
    protobuf_c_message_pack(message, bytes);
    ProtobufCMessage *check = NULL;
    DR_TRY(
        dr_strict_decode(arena, message->descriptor, (struct dr_bytes){bytes, len}, &check, err));
    *out = (struct dr_bytes){bytes, len};
    return DR_OK;
}

bool
dr_data_eq(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
}

bool
dr_data_is(ProtobufCBinaryData data, const uint8_t digest[32])
{
    return data.len == 32 && sodium_memcmp(data.data, digest, 32) == 0;
}

ProtobufCBinaryData
dr_data(const uint8_t *bytes, size_t len)
{
    // protobuf-c has no const in its fields; packing only reads.
    ProtobufCBinaryData data = {.len = len};
    memcpy(&data.data, &bytes, sizeof(bytes));
    return data;
}
