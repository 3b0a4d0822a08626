// Frames on a byte stream. Clear bytes on the connection: u16 big-endian length, Noise message. The
// first two are the handshake; every later one (a record, 17 to 65535 bytes) carries 1 to 65519
// bytes of the plain stream, and the plain stream is u32 big-endian length, serialised Frame, again
// and again; frames and records need not end together.
#ifndef DR_RPC_FRAME_H
#define DR_RPC_FRAME_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/service.pb-c.h"
#include "rpc/noise.h"

#include <stddef.h>
#include <stdint.h>

#define DR_FRAME_BODY_MAX    (1024u * 1024u)
#define DR_FRAME_MAX         (DR_FRAME_BODY_MAX + 8192u) // body and the fields around it
#define DR_FRAME_UNKNOWN_MAX (16u * 1024u)               // from callers whose key nobody has
#define DR_FRAME_HEADER      4u
#define DR_RECORD_HEADER     2u
#define DR_RECORD_PLAIN_MAX  (DR_NOISE_MESSAGE_MAX - DR_NOISE_TAG)

// Serialises `frame` with its length into records sealed with `cipher`, as one allocation (free()).
// DR_E_RPC_LIMIT when the body is over 1 MiB, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_frame_seal(struct dr_noise_cipher *cipher, const Drover__V1__Frame *frame, uint8_t **out,
              size_t *out_len, struct dr_err *err);

// Receives one whole serialised frame; the bytes live until it returns. An error ends the reading.
typedef enum dr_rc (*dr_frame_sink)(void *user, const uint8_t *bytes, size_t len,
                                    struct dr_err *err);

// Reassembles the plain stream into frames. `{.max = ...}` is ready for use.
struct dr_frame_reader {
    uint32_t max; // longest frame accepted
    uint8_t header[DR_FRAME_HEADER];
    uint32_t have; // bytes of header and frame so far
    uint32_t len;  // of the frame, once the header is whole
    uint32_t cap;
    uint8_t *bytes; // of a frame that came in pieces
};
void dr_frame_reader_fini(struct dr_frame_reader *reader);
// Takes plain bytes and gives whole frames to `sink`. DR_E_RPC_PROTOCOL for length 0,
// DR_E_RPC_LIMIT for a length over `max` (before any memory is taken for it); memory grows with
// what has arrived, not with what was announced.
DR_MUST_CHECK enum dr_rc
dr_frame_reader_take(struct dr_frame_reader *reader, const uint8_t *bytes, size_t len,
                     dr_frame_sink sink, void *user, struct dr_err *err);

// Decodes a frame into `arena`. DR_E_RPC_PROTOCOL when it is malformed, has an unknown kind, or a
// field of a wrong length (request id other than 0 or 16, method over 128 bytes).
DR_MUST_CHECK enum dr_rc dr_frame_decode(const uint8_t *bytes, size_t len, struct dr_arena *arena,
                                         Drover__V1__Frame **out, struct dr_err *err);

#endif
