// Base64: see json_base64.h.
#include "rpc/json_base64.h"

#define GROUP_CHARS 4u
#define GROUP_BYTES 3u
#define BITS        6u
#define INVALID     0xffu

void
dr_base64_encode(struct dr_buf *out, const uint8_t *bytes, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += GROUP_BYTES) {
        size_t have = len - i < GROUP_BYTES ? len - i : GROUP_BYTES;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        bits |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        bits |= have > 2 ? bytes[i + 2] : 0;
        char group[GROUP_CHARS];
        for (unsigned k = 0; k < GROUP_CHARS; k++) {
            unsigned index = bits >> (18 - BITS * k) & 63;
            group[k] = k <= have ? alphabet[index] : '=';
        }
        dr_buf_add(out, group, sizeof group);
    }
}

static unsigned
value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (unsigned)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (unsigned)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0') + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : INVALID;
}

bool
dr_base64_decode(const char *text, size_t len, struct dr_arena *arena, ProtobufCBinaryData *out)
{
    if (len % GROUP_CHARS == 0) {
        for (unsigned i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++) {
            len--;
        }
    }
    if (len % GROUP_CHARS == 1) {
        return false;
    }
    uint8_t *bytes = dr_arena_alloc(arena, len / GROUP_CHARS * GROUP_BYTES + GROUP_BYTES);
    if (bytes == NULL) {
        return false;
    }
    uint32_t bits = 0;
    unsigned have = 0;
    size_t made = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = value_of(text[i]);
        if (value == INVALID) {
            return false;
        }
        bits = bits << BITS | value;
        have += BITS;
        if (have >= 8) {
            have -= 8;
            bytes[made++] = (uint8_t)(bits >> have);
        }
    }
    out->data = bytes;
    out->len = made;
    return (bits & ((1u << have) - 1)) == 0; // no stray bits
}
