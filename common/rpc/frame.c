// Frames: see frame.h for the layers.
#include "rpc/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define READER_MIN      1024u
#define METHOD_NAME_MAX 128u
#define REQUEST_ID_LEN  16u

static void
put_u32(uint8_t out[DR_FRAME_HEADER], uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static uint32_t
get_u32(const uint8_t in[DR_FRAME_HEADER])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

enum dr_rc
dr_frame_seal(struct dr_noise_cipher *cipher, const Drover__V1__Frame *frame, uint8_t **out,
              size_t *out_len, struct dr_err *err)
{
    size_t packed = drover__v1__frame__get_packed_size(frame);
    if (frame->body.len > DR_FRAME_BODY_MAX || packed > DR_FRAME_MAX) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "a message of %zu bytes is over the limit of %u",
                          frame->body.len, DR_FRAME_BODY_MAX);
    }
    size_t plain_len = DR_FRAME_HEADER + packed;
    size_t records = (plain_len + DR_RECORD_PLAIN_MAX - 1) / DR_RECORD_PLAIN_MAX;
    size_t sealed_len = plain_len + records * (DR_RECORD_HEADER + DR_NOISE_TAG);
    uint8_t *plain = malloc(plain_len);
    uint8_t *sealed = malloc(sealed_len);
    enum dr_rc rc = DR_OK;
    if (plain == NULL || sealed == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory for a message of %zu bytes", plain_len);
        goto out;
    }
    put_u32(plain, (uint32_t)packed);
    drover__v1__frame__pack(frame, plain + DR_FRAME_HEADER);
    uint8_t *at = sealed;
    for (size_t done = 0; done < plain_len && rc == DR_OK;) {
        size_t piece = plain_len - done;
        piece = piece > DR_RECORD_PLAIN_MAX ? DR_RECORD_PLAIN_MAX : piece;
        size_t record = piece + DR_NOISE_TAG;
        at[0] = (uint8_t)(record >> 8);
        at[1] = (uint8_t)record;
        rc = dr_noise_seal(cipher, plain + done, piece, at + DR_RECORD_HEADER, err);
        at += DR_RECORD_HEADER + record;
        done += piece;
    }
    if (rc == DR_OK) {
        *out = sealed;
        *out_len = sealed_len;
        sealed = NULL;
    }
out:
    free(plain);
    free(sealed);
    return rc;
}

void
dr_frame_reader_fini(struct dr_frame_reader *reader)
{
    free(reader->bytes);
    *reader = (struct dr_frame_reader){.max = reader->max};
}

// Room for `wanted` bytes; grows by doubling, so that memory follows what arrives.
static bool
reserve(struct dr_frame_reader *reader, uint32_t wanted)
{
    if (wanted <= reader->cap) {
        return true;
    }
    uint32_t cap = reader->cap < READER_MIN ? READER_MIN : reader->cap * 2;
    cap = cap < wanted ? wanted : cap;
    cap = cap > reader->len ? reader->len : cap;
    uint8_t *bytes = realloc(reader->bytes, cap);
    if (bytes == NULL) {
        return false;
    }
    reader->bytes = bytes;
    reader->cap = cap;
    return true;
}

// Takes bytes of the header; how many.
static size_t
take_header(struct dr_frame_reader *reader, const uint8_t *bytes, size_t len)
{
    size_t missing = DR_FRAME_HEADER - reader->have;
    size_t taken = len < missing ? len : missing;
    memcpy(reader->header + reader->have, bytes, taken);
    reader->have += (uint32_t)taken;
    if (reader->have == DR_FRAME_HEADER) {
        reader->len = get_u32(reader->header);
    }
    return taken;
}

static enum dr_rc
check_length(const struct dr_frame_reader *reader, struct dr_err *err)
{
    if (reader->len == 0) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a frame of length 0");
    }
    if (reader->len > reader->max) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "a frame of %u bytes is over the limit of %u",
                          reader->len, reader->max);
    }
    return DR_OK;
}

enum dr_rc
dr_frame_reader_take(struct dr_frame_reader *reader, const uint8_t *bytes, size_t len,
                     dr_frame_sink sink, void *user, struct dr_err *err)
{
    while (len > 0) {
        if (reader->have < DR_FRAME_HEADER) {
            size_t taken = take_header(reader, bytes, len);
            bytes += taken;
            len -= taken;
            if (reader->have < DR_FRAME_HEADER) {
                return DR_OK;
            }
            enum dr_rc rc = check_length(reader, err);
            if (rc != DR_OK || len == 0) {
                return rc;
            }
        }
        uint32_t got = reader->have - DR_FRAME_HEADER;
        uint32_t missing = reader->len - got;
        uint32_t piece = len < missing ? (uint32_t)len : missing;
        const uint8_t *whole = bytes;
        if (got > 0 || piece < missing) {
            if (!reserve(reader, got + piece)) {
                return dr_err_set(err, DR_E_NOMEM, "no memory for a frame");
            }
            memcpy(reader->bytes + got, bytes, piece);
            whole = reader->bytes;
        }
        bytes += piece;
        len -= piece;
        reader->have += piece;
        if (piece == missing) {
            enum dr_rc rc = sink(user, whole, reader->len, err);
            dr_frame_reader_fini(reader);
            if (rc != DR_OK) {
                return rc;
            }
        }
    }
    return DR_OK;
}

enum dr_rc
dr_frame_decode(const uint8_t *bytes, size_t len, struct dr_arena *arena, Drover__V1__Frame **out,
                struct dr_err *err)
{
    Drover__V1__Frame *frame = drover__v1__frame__unpack(dr_arena_protobuf(arena), len, bytes);
    if (frame == NULL) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a frame does not decode");
    }
    if (frame->kind < DROVER__V1__FRAME_KIND__REQUEST ||
        frame->kind > DROVER__V1__FRAME_KIND__GOAWAY) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a frame of unknown kind %d", (int)frame->kind);
    }
    if (frame->request_id.len != 0 && frame->request_id.len != REQUEST_ID_LEN) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a request id of %zu bytes",
                          frame->request_id.len);
    }
    if (strnlen(frame->method, METHOD_NAME_MAX + 1) > METHOD_NAME_MAX) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a method name over %u bytes", METHOD_NAME_MAX);
    }
    if (frame->body.len > DR_FRAME_BODY_MAX) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "a body of %zu bytes", frame->body.len);
    }
    *out = frame;
    return DR_OK;
}
