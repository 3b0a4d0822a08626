// The names are those of the specification (https://noiseprotocol.org/noise.html): h, ck, MixKey,
// MixHash, EncryptAndHash, Split. IK is: <- s ... -> e, es, s, ss <- e, ee, se.
#include "rpc/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define PROTOCOL_NAME "Noise_IK_25519_ChaChaPoly_SHA256"
#define NONCE_BYTES   12u
#define NONCE_LAST    UINT64_MAX // kept for rekey

_Static_assert(sizeof PROTOCOL_NAME - 1 == DR_NOISE_HASH, "a name of 32 bytes is h itself");
_Static_assert(crypto_scalarmult_BYTES == DR_NOISE_KEY, "X25519");
_Static_assert(crypto_auth_hmacsha256_BYTES == DR_NOISE_HASH, "HMAC-SHA256");
_Static_assert(crypto_auth_hmacsha256_KEYBYTES == DR_NOISE_HASH, "a chaining key is an HMAC key");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == DR_NOISE_TAG, "Poly1305");
_Static_assert(crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_BYTES, "ChaCha20 of RFC 8439");

static void
make_ready(void)
{
    int rc = sodium_init();
    assert(rc >= 0);
    (void)rc;
}

void
dr_noise_public(struct dr_noise_pair *pair)
{
    make_ready();
    int rc = crypto_scalarmult_base(pair->public, pair->secret);
    assert(rc == 0);
    (void)rc;
}

static void
make_pair(struct dr_noise_pair *out)
{
    make_ready();
    randombytes_buf(out->secret, sizeof out->secret);
    dr_noise_public(out);
}

void
dr_noise_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

void
dr_noise_random(void *out, size_t len)
{
    make_ready();
    randombytes_buf(out, len);
}

uint32_t
dr_noise_random_below(uint32_t bound)
{
    make_ready();
    return bound < 2 ? 0 : randombytes_uniform(bound);
}

void
dr_noise_sha256(uint8_t out[DR_NOISE_HASH], const void *a, size_t a_len, const void *b,
                size_t b_len)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    if (a_len > 0) {
        crypto_hash_sha256_update(&state, a, a_len);
    }
    if (b_len > 0) {
        crypto_hash_sha256_update(&state, b, b_len);
    }
    crypto_hash_sha256_final(&state, out);
}

static void
make_nonce(uint8_t out[NONCE_BYTES], uint64_t n)
{
    memset(out, 0, NONCE_BYTES);
    for (unsigned i = 0; i < 8; i++) {
        out[4 + i] = (uint8_t)(n >> (8 * i));
    }
}

static void
mix_hash(struct dr_noise *noise, const void *data, size_t len)
{
    dr_noise_sha256(noise->h, noise->h, sizeof noise->h, data, len);
}

// HKDF with two outputs (section 4.3).
static void
hkdf(const uint8_t ck[DR_NOISE_HASH], const uint8_t *input, size_t len, uint8_t out1[DR_NOISE_HASH],
     uint8_t out2[DR_NOISE_HASH])
{
    uint8_t temp[DR_NOISE_HASH], block[DR_NOISE_HASH + 1];
    crypto_auth_hmacsha256(temp, input, len, ck);
    block[0] = 1;
    crypto_auth_hmacsha256(out1, block, 1, temp);
    memcpy(block, out1, DR_NOISE_HASH);
    block[DR_NOISE_HASH] = 2;
    crypto_auth_hmacsha256(out2, block, sizeof block, temp);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(block, sizeof block);
}

// MixKey(DH(secret, public)); false for a public key of small order.
static bool
mix_dh(struct dr_noise *noise, const uint8_t secret[DR_NOISE_KEY],
       const uint8_t public[DR_NOISE_KEY])
{
    uint8_t shared[DR_NOISE_KEY], ck[DR_NOISE_HASH];
    bool ok = crypto_scalarmult(shared, secret, public) == 0;
    if (ok) {
        hkdf(noise->ck, shared, sizeof shared, ck, noise->cipher.key);
        memcpy(noise->ck, ck, sizeof ck);
        noise->cipher.nonce = 0;
        noise->has_key = true;
    }
    sodium_memzero(shared, sizeof shared);
    sodium_memzero(ck, sizeof ck);
    return ok;
}

static void
encrypt_and_hash(struct dr_noise *noise, const uint8_t *plain, size_t len, uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES];
    assert(noise->has_key);
    make_nonce(nonce, noise->cipher.nonce++);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, noise->h, sizeof noise->h,
                                              NULL, nonce, noise->cipher.key);
    mix_hash(noise, out, len + DR_NOISE_TAG);
}

static bool
decrypt_and_hash(struct dr_noise *noise, const uint8_t *sealed, size_t len, uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES], h[DR_NOISE_HASH];
    assert(noise->has_key && len >= DR_NOISE_TAG);
    make_nonce(nonce, noise->cipher.nonce++);
    dr_noise_sha256(h, noise->h, sizeof noise->h, sealed, len);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, noise->h,
                                                  sizeof noise->h, nonce, noise->cipher.key) != 0) {
        return false;
    }
    memcpy(noise->h, h, sizeof h);
    return true;
}

void
dr_noise_init(struct dr_noise *noise, bool is_initiator, const void *prologue, size_t prologue_len,
              const struct dr_noise_pair *self, const uint8_t *peer_public,
              const uint8_t *ephemeral)
{
    make_ready();
    assert(is_initiator == (peer_public != NULL));
    memset(noise, 0, sizeof *noise);
    noise->is_initiator = is_initiator;
    memcpy(noise->h, PROTOCOL_NAME, DR_NOISE_HASH);
    memcpy(noise->ck, noise->h, DR_NOISE_HASH);
    mix_hash(noise, prologue, prologue_len);
    noise->s = *self;
    if (is_initiator) {
        memcpy(noise->rs, peer_public, DR_NOISE_KEY);
    }
    mix_hash(noise, is_initiator ? noise->rs : noise->s.public, DR_NOISE_KEY);
    if (ephemeral != NULL) {
        memcpy(noise->e.secret, ephemeral, DR_NOISE_KEY);
        dr_noise_public(&noise->e);
    } else {
        make_pair(&noise->e);
    }
}

void
dr_noise_fini(struct dr_noise *noise)
{
    sodium_memzero(noise, sizeof *noise);
}

// Message 1: e, es, s, ss, payload.
static bool
write_first(struct dr_noise *noise, const void *payload, size_t payload_len, uint8_t *out)
{
    memcpy(out, noise->e.public, DR_NOISE_KEY);
    mix_hash(noise, noise->e.public, DR_NOISE_KEY);
    if (!mix_dh(noise, noise->e.secret, noise->rs)) {
        return false;
    }
    encrypt_and_hash(noise, noise->s.public, DR_NOISE_KEY, out + DR_NOISE_KEY);
    if (!mix_dh(noise, noise->s.secret, noise->rs)) {
        return false;
    }
    encrypt_and_hash(noise, payload, payload_len, out + 2 * DR_NOISE_KEY + DR_NOISE_TAG);
    return true;
}

static bool
read_first(struct dr_noise *noise, const uint8_t *message, size_t len, uint8_t *out)
{
    memcpy(noise->re, message, DR_NOISE_KEY);
    mix_hash(noise, noise->re, DR_NOISE_KEY);
    if (!mix_dh(noise, noise->s.secret, noise->re) ||
        !decrypt_and_hash(noise, message + DR_NOISE_KEY, DR_NOISE_KEY + DR_NOISE_TAG, noise->rs) ||
        !mix_dh(noise, noise->s.secret, noise->rs)) {
        return false;
    }
    size_t at = 2 * DR_NOISE_KEY + DR_NOISE_TAG;
    return decrypt_and_hash(noise, message + at, len - at, out);
}

// Message 2: e, ee, se, payload.
static bool
write_second(struct dr_noise *noise, const void *payload, size_t payload_len, uint8_t *out)
{
    memcpy(out, noise->e.public, DR_NOISE_KEY);
    mix_hash(noise, noise->e.public, DR_NOISE_KEY);
    if (!mix_dh(noise, noise->e.secret, noise->re) || !mix_dh(noise, noise->e.secret, noise->rs)) {
        return false;
    }
    encrypt_and_hash(noise, payload, payload_len, out + DR_NOISE_KEY);
    return true;
}

static bool
read_second(struct dr_noise *noise, const uint8_t *message, size_t len, uint8_t *out)
{
    memcpy(noise->re, message, DR_NOISE_KEY);
    mix_hash(noise, noise->re, DR_NOISE_KEY);
    return mix_dh(noise, noise->e.secret, noise->re) && mix_dh(noise, noise->s.secret, noise->re) &&
           decrypt_and_hash(noise, message + DR_NOISE_KEY, len - DR_NOISE_KEY, out);
}

enum dr_rc
dr_noise_write(struct dr_noise *noise, const void *payload, size_t payload_len, uint8_t *out,
               size_t out_size, size_t *out_len, struct dr_err *err)
{
    bool is_first = noise->step == 0;
    size_t overhead = is_first ? DR_NOISE_HELLO_BYTES : DR_NOISE_ANSWER_BYTES;
    if (noise->step > 1 || noise->is_initiator != is_first) {
        return dr_err_set(err, DR_E_INVALID, "handshake message out of order");
    }
    if (payload_len > DR_NOISE_MESSAGE_MAX - overhead || out_size < payload_len + overhead) {
        return dr_err_set(err, DR_E_INVALID, "handshake payload of %zu bytes is too long",
                          payload_len);
    }
    bool ok = is_first ? write_first(noise, payload, payload_len, out)
                       : write_second(noise, payload, payload_len, out);
    if (!ok) {
        noise->step = INT8_MAX;
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "the peer's key is not a usable X25519 key");
    }
    noise->step++;
    *out_len = payload_len + overhead;
    return DR_OK;
}

enum dr_rc
dr_noise_read(struct dr_noise *noise, const uint8_t *message, size_t len, void *out_payload,
              size_t out_size, size_t *out_len, struct dr_err *err)
{
    bool is_first = noise->step == 0;
    size_t overhead = is_first ? DR_NOISE_HELLO_BYTES : DR_NOISE_ANSWER_BYTES;
    if (noise->step > 1 || noise->is_initiator == is_first) {
        return dr_err_set(err, DR_E_INVALID, "handshake message out of order");
    }
    if (len < overhead || len > DR_NOISE_MESSAGE_MAX || len - overhead > out_size) {
        noise->step = INT8_MAX;
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "handshake message of %zu bytes", len);
    }
    bool ok = is_first ? read_first(noise, message, len, out_payload)
                       : read_second(noise, message, len, out_payload);
    if (!ok) {
        noise->step = INT8_MAX;
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "handshake message %d does not decrypt",
                          is_first ? 1 : 2);
    }
    noise->step++;
    *out_len = len - overhead;
    return DR_OK;
}

enum dr_rc
dr_noise_split(struct dr_noise *noise, struct dr_noise_cipher *out_send,
               struct dr_noise_cipher *out_receive, struct dr_err *err)
{
    if (noise->step != 2) {
        return dr_err_set(err, DR_E_INVALID, "the handshake is not complete");
    }
    struct dr_noise_cipher first = {.rekey_every = DR_NOISE_REKEY_EVERY}, second = first;
    hkdf(noise->ck, NULL, 0, first.key, second.key);
    *out_send = noise->is_initiator ? first : second;
    *out_receive = noise->is_initiator ? second : first;
    sodium_memzero(&first, sizeof first);
    sodium_memzero(&second, sizeof second);
    sodium_memzero(noise->ck, sizeof noise->ck);
    noise->step++;
    return DR_OK;
}

void
dr_noise_rekey(struct dr_noise_cipher *cipher)
{
    static const uint8_t zeros[DR_NOISE_KEY];
    uint8_t nonce[NONCE_BYTES], out[DR_NOISE_KEY + DR_NOISE_TAG];
    make_nonce(nonce, NONCE_LAST);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, zeros, sizeof zeros, NULL, 0, NULL, nonce,
                                              cipher->key);
    memcpy(cipher->key, out, DR_NOISE_KEY);
    sodium_memzero(out, sizeof out);
}

// The nonce goes on after a rekey (section 11.3 leaves n alone).
static void
advance(struct dr_noise_cipher *cipher)
{
    cipher->nonce++;
    if (cipher->rekey_every != 0 && cipher->nonce % cipher->rekey_every == 0) {
        dr_noise_rekey(cipher);
    }
}

enum dr_rc
dr_noise_seal(struct dr_noise_cipher *cipher, const void *plain, size_t len, uint8_t *out,
              struct dr_err *err)
{
    uint8_t nonce[NONCE_BYTES];
    if (len > DR_NOISE_MESSAGE_MAX - DR_NOISE_TAG) {
        return dr_err_set(err, DR_E_INVALID, "a record of %zu bytes is too long", len);
    }
    if (cipher->nonce == NONCE_LAST) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "the connection has used up its nonces");
    }
    make_nonce(nonce, cipher->nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, NULL, 0, NULL, nonce,
                                              cipher->key);
    advance(cipher);
    return DR_OK;
}

enum dr_rc
dr_noise_open(struct dr_noise_cipher *cipher, const uint8_t *message, size_t len, uint8_t *out,
              struct dr_err *err)
{
    uint8_t nonce[NONCE_BYTES];
    if (len < DR_NOISE_TAG || len > DR_NOISE_MESSAGE_MAX) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a record of %zu bytes", len);
    }
    if (cipher->nonce == NONCE_LAST) {
        return dr_err_set(err, DR_E_RPC_LIMIT, "the connection has used up its nonces");
    }
    make_nonce(nonce, cipher->nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, message, len, NULL, 0, nonce,
                                                  cipher->key) != 0) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "a record does not decrypt");
    }
    advance(cipher);
    return DR_OK;
}
