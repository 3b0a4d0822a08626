// Keys: files of signing keys (Ed25519) and transport keys (X25519), and the public line of a
// person or an agent.
#ifndef DR_TRUST_KEYFILE_H
#define DR_TRUST_KEYFILE_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DR_KEY_SIZE      32u
#define DR_SIG_SIZE      64u
#define DR_KEYFILE_MAX   1024u // bytes of a key file
#define DR_NAME_MAX      64u   // [a-z0-9._-]: people, agents, environments, parts of targets
#define DR_PUBLIC_FORMAT "drover-public-key 1 "

enum dr_key_kind { DR_KEY_SIGNING = 1, DR_KEY_TRANSPORT = 2 };

// Argon2id: INTERACTIVE is not offered; MIN is for tests only.
enum dr_key_cost { DR_KEY_COST_MODERATE = 0, DR_KEY_COST_MIN = 1 };

// Plain data; `secret` holds the Ed25519 seed or the X25519 scalar, 32 bytes. `{0}` is empty.
struct dr_key {
    enum dr_key_kind kind;
    uint8_t public_key[DR_KEY_SIZE];
    struct dr_secret *secret;
};

// The public half of a person or an agent, as it is copied by hand.
struct dr_public {
    char name[DR_NAME_MAX + 1];
    uint8_t signing[DR_KEY_SIZE], transport[DR_KEY_SIZE];
};

// A new random key. DR_E_NOMEM, DR_E_INTERNAL (libsodium does not start).
DR_MUST_CHECK enum dr_rc
dr_key_generate(enum dr_key_kind kind, struct dr_key *out, struct dr_err *err);
// The key of a given seed (32 bytes; copied). For import and for tests.
DR_MUST_CHECK enum dr_rc dr_key_from_seed(enum dr_key_kind kind, const uint8_t seed[DR_KEY_SIZE],
                                          struct dr_key *out, struct dr_err *err);
// Wipes and clears; an empty key is accepted.
void dr_key_fini(struct dr_key *key);

// Ed25519 signature (RFC 8032) over `bytes`. DR_E_KEY_KIND unless a signing key.
DR_MUST_CHECK enum dr_rc dr_key_sign(const struct dr_key *key, struct dr_bytes bytes,
                                     uint8_t out[DR_SIG_SIZE], struct dr_err *err);

// Key file as text: one "untrusted comment: " line and one base64 line of
//   "DRK1" | "Ed" or "X2" | "A2id" or "none" | salt 16 | ops u64be | mem u64be | nonce 24 |
//   XChaCha20-Poly1305(secret 32 | public 32), all before it being additional data.
// `passphrase` NULL makes an unattended file ("none": a zero key, so that damage is still noticed).
// `out` is wiped by the caller (dr_secret_free).
DR_MUST_CHECK enum dr_rc
dr_keyfile_encode(const struct dr_key *key, struct dr_secret *passphrase, enum dr_key_cost cost,
                  const char *comment, struct dr_secret **out, struct dr_err *err);
// Back. `kind` 0 takes any. DR_E_KEY_FORMAT, DR_E_KEY_KIND, DR_E_KEY_COST (before any hashing),
// DR_E_PASSPHRASE (missing or wrong, or the file was changed), DR_E_KEY_MISMATCH (public half).
// With the default cost it takes about a second and 256 MiB.
DR_MUST_CHECK enum dr_rc
dr_keyfile_decode(struct dr_bytes text, enum dr_key_kind kind, struct dr_secret *passphrase,
                  struct dr_key *out, struct dr_err *err);

// Writes a new file with mode 0600; DR_E_EXISTS if there is one.
DR_MUST_CHECK enum dr_rc
dr_keyfile_save(const char *path, const struct dr_key *key, struct dr_secret *passphrase,
                enum dr_key_cost cost, const char *comment, struct dr_err *err);
// Reads a key file; refuses one that others may read (DR_E_PERMISSION). Else as dr_keyfile_decode.
DR_MUST_CHECK enum dr_rc
dr_keyfile_load(const char *path, enum dr_key_kind kind, struct dr_secret *passphrase,
                struct dr_key *out, struct dr_err *err);
// True in `*out` when the file asks for a passphrase. Errors as dr_keyfile_load, without hashing.
DR_MUST_CHECK enum dr_rc
dr_keyfile_needs_passphrase(const char *path, bool *out, struct dr_err *err);

// "drover-public-key 1 NAME ed25519:HEX x25519:HEX\n"
void dr_public_format(struct dr_buf *out, const struct dr_public *key);
// One such line; surrounding white space and nothing else is allowed. DR_E_KEY_FORMAT.
DR_MUST_CHECK enum dr_rc
dr_public_parse(const char *text, struct dr_public *out, struct dr_err *err);

// [a-z0-9._-], 1 to DR_NAME_MAX bytes, not beginning with '.' or '-'.
bool dr_name_is_valid(const char *name);
// "environment/name", both valid names.
bool dr_target_name_is_valid(const char *name);

// Random bytes from the kernel (ids, nonces).
void dr_random(void *out, size_t len);
// SHA-256. `dr_keyid` is the SHA-256 of a raw public key: a hint that chooses among trusted keys.
void dr_sha256(struct dr_bytes bytes, uint8_t out[32]);
void dr_keyid(const uint8_t public_key[DR_KEY_SIZE], uint8_t out[32]);
// An Ed25519 public key that may be trusted: canonical, on the curve, of large order.
bool dr_signing_key_is_sane(const uint8_t public_key[DR_KEY_SIZE]);

#endif
