// Envelope: the signed form of every document, parsed by hand. Layout (integers big-endian):
//   "DRV1" | u8 type length | type | u32 payload length | payload |
//   u8 signatures | signatures * (u8 kind, 1 = Ed25519 | key id 32 | signature 64), key ids
//   ascending
// A signature is over the DSSE v1 pre-authentication encoding:
//   "DSSEv1" SP len(type) SP type SP len(payload) SP payload (github.com/secure-systems-lab/dsse)
#ifndef DR_TRUST_ENVELOPE_H
#define DR_TRUST_ENVELOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "trust/keyfile.h"

#include <stdbool.h>
#include <stdint.h>

#define DR_ENVELOPE_PAYLOAD_MAX (1u << 20)
#define DR_ENVELOPE_SIGS_MAX    32u
#define DR_ENVELOPE_TYPE_MAX    64u
#define DR_ENVELOPE_SIG_BYTES   97u
#define DR_ENVELOPE_MAX                                                                            \
    (4u + 1u + DR_ENVELOPE_TYPE_MAX + 4u + DR_ENVELOPE_PAYLOAD_MAX + 1u +                          \
     DR_ENVELOPE_SIGS_MAX * DR_ENVELOPE_SIG_BYTES)

#define DR_TYPE_ROOT        "drover/root.v1"
#define DR_TYPE_FLEET       "drover/fleet.v1"
#define DR_TYPE_CHAIN       "drover/chain.v1"
#define DR_TYPE_APPROVAL    "drover/approval.v1"
#define DR_TYPE_ATTESTATION "drover/attestation.v1"
#define DR_TYPE_SIGNOFF     "drover/signoff.v1"

#define DR_SIG_ED25519 1u

struct dr_signature {
    uint8_t kind;
    uint8_t keyid[32];
    uint8_t sig[DR_SIG_SIZE];
};

// Borrows from the bytes that were parsed. `sha256` is the payload's digest: the document's name
// everywhere.
struct dr_envelope {
    struct dr_bytes wire, type, payload;
    uint8_t sha256[32];
    size_t n_sigs;
    struct dr_signature sigs[DR_ENVELOPE_SIGS_MAX];
};

// Parses and demands the given type (NULL: any of the six). No signature is checked.
// DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE.
DR_MUST_CHECK enum dr_rc dr_envelope_parse(struct dr_bytes wire, const char *type,
                                           struct dr_envelope *out, struct dr_err *err);
// The same on a copy of `wire` in the arena, so that what was verified is what is used. Also
// DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_envelope_copy(struct dr_arena *arena, struct dr_bytes wire, const char *type,
                 struct dr_envelope *out, struct dr_err *err);
// The bytes that are signed. DR_E_LIMIT at the arena's cap.
DR_MUST_CHECK enum dr_rc
dr_envelope_pae(struct dr_arena *arena, struct dr_bytes type, struct dr_bytes payload,
                struct dr_bytes *out, struct dr_err *err);
// True if `sig` is an Ed25519 signature of `public_key` over `pae` and names that key.
bool dr_envelope_sig_is_valid(const struct dr_signature *sig, const uint8_t public_key[DR_KEY_SIZE],
                              struct dr_bytes pae);

// An envelope of `payload` with the given signatures (any order; one per key id). 0 signatures are
// allowed: a draft. DR_E_BAD_ENVELOPE (limits, twice the same key id), DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_envelope_build(struct dr_arena *arena, const char *type,
                                           struct dr_bytes payload, const struct dr_signature *sigs,
                                           size_t n_sigs, struct dr_bytes *out, struct dr_err *err);
// A new envelope of `payload` with one signature of `key`.
DR_MUST_CHECK enum dr_rc
dr_envelope_sign(struct dr_arena *arena, const char *type, struct dr_bytes payload,
                 const struct dr_key *key, struct dr_bytes *out, struct dr_err *err);
// Adds (or replaces) the signature of `key`. Signing twice gives the same envelope.
DR_MUST_CHECK enum dr_rc
dr_envelope_add(struct dr_arena *arena, const struct dr_envelope *envelope,
                const struct dr_key *key, struct dr_bytes *out, struct dr_err *err);
// The signatures of both over the one payload; of two with the same key id that of `b` stays, so
// pass the one that you trust more (or has been pruned, see trust/quorum.h) as `b`.
// DR_E_CONFLICT when type or payload differ.
DR_MUST_CHECK enum dr_rc
dr_envelope_merge(struct dr_arena *arena, const struct dr_envelope *a, const struct dr_envelope *b,
                  struct dr_bytes *out, struct dr_err *err);

#endif
