// Noise_IK_25519_ChaChaPoly_SHA256 (The Noise Protocol Framework, revision 34) on libsodium's
// primitives.
#ifndef DR_RPC_NOISE_H
#define DR_RPC_NOISE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_NOISE_KEY          32u
#define DR_NOISE_HASH         32u
#define DR_NOISE_TAG          16u
#define DR_NOISE_MESSAGE_MAX  65535u
#define DR_NOISE_HELLO_BYTES  96u // message 1 without payload: e, s, tag
#define DR_NOISE_ANSWER_BYTES 48u // message 2 without payload: e, tag
#define DR_NOISE_PROLOGUE     "drover/1"
// Both sides rekey a direction (section 4.2 and 11.3) after this many of its messages.
#define DR_NOISE_REKEY_EVERY 65536u

// One direction of transport: plain data. The nonce never wraps: 2^64 - 1 is refused.
struct dr_noise_cipher {
    uint8_t key[DR_NOISE_KEY];
    uint64_t nonce;
    uint32_t rekey_every;
};

// A static key pair, X25519. Plain data: wipe it after use.
struct dr_noise_pair {
    uint8_t secret[DR_NOISE_KEY], public[DR_NOISE_KEY];
};

// A handshake under way: plain data, holds secrets; end it with dr_noise_fini.
struct dr_noise {
    bool is_initiator;
    int step; // 0: message 1 is next, 1: message 2, 2: split
    uint8_t h[DR_NOISE_HASH], ck[DR_NOISE_HASH];
    struct dr_noise_cipher cipher;
    bool has_key;
    struct dr_noise_pair s, e;                  // own static and ephemeral
    uint8_t rs[DR_NOISE_KEY], re[DR_NOISE_KEY]; // the peer's
};

// Fills pair->public from pair->secret.
void dr_noise_public(struct dr_noise_pair *pair);
void dr_noise_wipe(void *bytes, size_t len);
// Random bytes, and a number below `bound`, of libsodium's generator.
void dr_noise_random(void *out, size_t len);
uint32_t dr_noise_random_below(uint32_t bound);
// SHA-256 of two runs of bytes, one after the other.
void dr_noise_sha256(uint8_t out[DR_NOISE_HASH], const void *a, size_t a_len, const void *b,
                     size_t b_len);

// Starts a handshake with the own static pair. The initiator gives the responder's public key, the
// responder NULL. `ephemeral` fixes the ephemeral secret (test vectors only); NULL: random.
void dr_noise_init(struct dr_noise *noise, bool is_initiator, const void *prologue,
                   size_t prologue_len, const struct dr_noise_pair *self,
                   const uint8_t *peer_public, const uint8_t *ephemeral);
// Wipes it.
void dr_noise_fini(struct dr_noise *noise);

// The next handshake message: `out` takes the payload's length + 96 (message 1) or + 48 (message 2)
// bytes. DR_E_INVALID out of order or too long, DR_E_RPC_PROTOCOL when a peer's key is a point of
// small order.
DR_MUST_CHECK enum dr_rc
dr_noise_write(struct dr_noise *noise, const void *payload, size_t payload_len, uint8_t *out,
               size_t out_size, size_t *out_len, struct dr_err *err);
// Reads the peer's. `out_payload` takes at most `out_size` bytes. DR_E_RPC_PROTOCOL when it is
// malformed or does not decrypt: for message 1 that is another server key than ours, for message 2
// another server. After an error the handshake is over. After message 1 the responder finds the
// caller's key in noise->rs.
DR_MUST_CHECK enum dr_rc
dr_noise_read(struct dr_noise *noise, const uint8_t *message, size_t len, void *out_payload,
              size_t out_size, size_t *out_len, struct dr_err *err);
// After both messages: the two directions from this side's view. noise->h is then the handshake
// hash.
DR_MUST_CHECK enum dr_rc dr_noise_split(struct dr_noise *noise, struct dr_noise_cipher *out_send,
                                        struct dr_noise_cipher *out_receive, struct dr_err *err);

// One transport message: `out` has len + 16 bytes; `out` and `plain` may not overlap. `len` at most
// 65519.
DR_MUST_CHECK enum dr_rc dr_noise_seal(struct dr_noise_cipher *cipher, const void *plain,
                                       size_t len, uint8_t *out, struct dr_err *err);
// Opens `len` bytes (16 to 65535) in place or elsewhere: `out` gets len - 16 bytes.
// DR_E_RPC_PROTOCOL when forged.
DR_MUST_CHECK enum dr_rc dr_noise_open(struct dr_noise_cipher *cipher, const uint8_t *message,
                                       size_t len, uint8_t *out, struct dr_err *err);
// REKEY(k): the first 32 bytes of ENCRYPT(k, 2^64 - 1, "", 32 zero bytes). seal and open do this by
// themselves.
void dr_noise_rekey(struct dr_noise_cipher *cipher);

#endif
