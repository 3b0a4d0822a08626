// Envelope parser and writer. Sizes are compared with what is left before anything is taken.
#include "trust/envelope.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "DRV1"

static const char *const known_types[] = {DR_TYPE_ROOT,     DR_TYPE_FLEET,       DR_TYPE_CHAIN,
                                          DR_TYPE_APPROVAL, DR_TYPE_ATTESTATION, DR_TYPE_SIGNOFF};

// A cursor over bytes that are left.
struct reader {
    const uint8_t *at;
    size_t left;
};

static bool
take(struct reader *reader, size_t n, const uint8_t **out)
{
    if (n > reader->left) {
        return false;
    }
    *out = reader->at;
    reader->at += n;
    reader->left -= n;
    return true;
}

static uint32_t
get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool
take_header(struct reader *reader, struct dr_envelope *out)
{
    const uint8_t *at = NULL;
    if (!take(reader, 4, &at) || memcmp(at, MAGIC, 4) != 0 || !take(reader, 1, &at)) {
        return false;
    }
    out->type.len = at[0];
    if (out->type.len > DR_ENVELOPE_TYPE_MAX || !take(reader, out->type.len, &out->type.data) ||
        !take(reader, 4, &at)) {
        return false;
    }
    out->payload.len = get_u32(at);
    return out->payload.len <= DR_ENVELOPE_PAYLOAD_MAX &&
           take(reader, out->payload.len, &out->payload.data);
}

static bool
take_signatures(struct reader *reader, struct dr_envelope *out)
{
    const uint8_t *at = NULL;
    if (!take(reader, 1, &at)) {
        return false;
    }
    out->n_sigs = at[0];
    if (out->n_sigs > DR_ENVELOPE_SIGS_MAX || reader->left != out->n_sigs * DR_ENVELOPE_SIG_BYTES) {
        return false;
    }
    for (size_t i = 0; i < out->n_sigs; i++) {
        struct dr_signature *sig = &out->sigs[i];
        at = reader->at + i * DR_ENVELOPE_SIG_BYTES;
        sig->kind = at[0];
        memcpy(sig->keyid, at + 1, 32);
        memcpy(sig->sig, at + 33, DR_SIG_SIZE);
        if (sig->kind != DR_SIG_ED25519 || (i > 0 && memcmp(sig[-1].keyid, sig->keyid, 32) >= 0)) {
            return false;
        }
    }
    return true;
}

static bool
type_is(struct dr_bytes type, const char *name)
{
    return type.len == strlen(name) && memcmp(type.data, name, type.len) == 0;
}

static bool
type_is_known(struct dr_bytes type)
{
    bool is_known = false;
    for (size_t i = 0; i < DR_COUNT_OF(known_types); i++) {
        is_known = is_known || type_is(type, known_types[i]);
    }
    return is_known;
}

enum dr_rc
dr_envelope_parse(struct dr_bytes wire, const char *type, struct dr_envelope *out,
                  struct dr_err *err)
{
    struct dr_envelope envelope = {.wire = wire};
    struct reader reader = {wire.data, wire.len};
    if (!take_header(&reader, &envelope) || !take_signatures(&reader, &envelope)) {
        return dr_err_set(err, DR_E_BAD_ENVELOPE, "not a whole signed document (%zu bytes)",
                          wire.len);
    }
    if (type ? !type_is(envelope.type, type) : !type_is_known(envelope.type)) {
        return dr_err_set(err, DR_E_WRONG_TYPE, "the signed document is not of type '%s'",
                          type ? type : "drover/*.v1");
    }
    dr_sha256(envelope.payload, envelope.sha256);
    *out = envelope;
    return DR_OK;
}

enum dr_rc
dr_envelope_copy(struct dr_arena *arena, struct dr_bytes wire, const char *type,
                 struct dr_envelope *out, struct dr_err *err)
{
    if (wire.len > DR_ENVELOPE_MAX) {
        return dr_err_set(err, DR_E_BAD_ENVELOPE, "a signed document of %zu bytes", wire.len);
    }
    struct dr_bytes copy = {dr_arena_copy(arena, wire.data, wire.len), wire.len};
    return copy.data ? dr_envelope_parse(copy, type, out, err)
                     : dr_err_set(err, DR_E_LIMIT, "no room for a signed document");
}

enum dr_rc
dr_envelope_pae(struct dr_arena *arena, struct dr_bytes type, struct dr_bytes payload,
                struct dr_bytes *out, struct dr_err *err)
{
    char *head = dr_arena_printf(arena, "DSSEv1 %zu %.*s %zu ", type.len, (int)type.len,
                                 (const char *)type.data, payload.len);
    size_t head_len = head ? strlen(head) : 0;
    uint8_t *all = head ? dr_arena_alloc(arena, head_len + payload.len) : NULL;
    if (!all) {
        return dr_err_set(err, DR_E_LIMIT, "no room for the bytes to sign");
    }
    memcpy(all, head, head_len);
    memcpy(all + head_len, payload.data, payload.len);
    *out = (struct dr_bytes){all, head_len + payload.len};
    return DR_OK;
}

bool
dr_envelope_sig_is_valid(const struct dr_signature *sig, const uint8_t public_key[DR_KEY_SIZE],
                         struct dr_bytes pae)
{
    uint8_t keyid[32];
    dr_keyid(public_key, keyid);
    return memcmp(keyid, sig->keyid, 32) == 0 &&
           crypto_sign_verify_detached(sig->sig, pae.data, pae.len, public_key) == 0;
}

static int
by_keyid(const void *a, const void *b)
{
    return memcmp(((const struct dr_signature *)a)->keyid, ((const struct dr_signature *)b)->keyid,
                  32);
}

static uint8_t *
put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

enum dr_rc
dr_envelope_build(struct dr_arena *arena, const char *type, struct dr_bytes payload,
                  const struct dr_signature *sigs, size_t n_sigs, struct dr_bytes *out,
                  struct dr_err *err)
{
    struct dr_signature sorted[DR_ENVELOPE_SIGS_MAX];
    size_t type_len = strlen(type);
    if (type_len > DR_ENVELOPE_TYPE_MAX || payload.len > DR_ENVELOPE_PAYLOAD_MAX ||
        n_sigs > DR_ENVELOPE_SIGS_MAX) {
        return dr_err_set(err, DR_E_BAD_ENVELOPE,
                          "a document has at most %u bytes and %u signatures",
                          DR_ENVELOPE_PAYLOAD_MAX, DR_ENVELOPE_SIGS_MAX);
    }
    if (n_sigs > 0) {
        memcpy(sorted, sigs, n_sigs * sizeof(sorted[0]));
        qsort(sorted, n_sigs, sizeof(sorted[0]), by_keyid);
    }
    size_t len = 4 + 1 + type_len + 4 + payload.len + 1 + n_sigs * DR_ENVELOPE_SIG_BYTES;
    uint8_t *wire = dr_arena_alloc(arena, len);
    if (!wire) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a signed document of %zu bytes", len);
    }
    uint32_t plen = (uint32_t)payload.len;
    uint8_t *at = put(wire, MAGIC, 4);
    *at++ = (uint8_t)type_len;
    at = put(at, type, type_len);
    at = put(at,
             (uint8_t[4]){(uint8_t)(plen >> 24), (uint8_t)(plen >> 16), (uint8_t)(plen >> 8),
                          (uint8_t)plen},
             4);
    at = put(at, payload.data, payload.len);
    *at++ = (uint8_t)n_sigs;
    for (size_t i = 0; i < n_sigs; i++) {
        *at++ = sorted[i].kind;
        at = put(at, sorted[i].keyid, 32);
        at = put(at, sorted[i].sig, DR_SIG_SIZE);
    }
    struct dr_envelope check;
    enum dr_rc rc = dr_envelope_parse((struct dr_bytes){wire, len}, type, &check, err);
    if (rc == DR_OK) {
        *out = check.wire;
    }
    return rc;
}

static enum dr_rc
sign(struct dr_arena *arena, struct dr_bytes type, struct dr_bytes payload,
     const struct dr_key *key, struct dr_signature *out, struct dr_err *err)
{
    struct dr_bytes pae;
    enum dr_rc rc = dr_envelope_pae(arena, type, payload, &pae, err);
    if (rc != DR_OK) {
        return rc;
    }
    out->kind = DR_SIG_ED25519;
    dr_keyid(key->public_key, out->keyid);
    return dr_key_sign(key, pae, out->sig, err);
}

enum dr_rc
dr_envelope_sign(struct dr_arena *arena, const char *type, struct dr_bytes payload,
                 const struct dr_key *key, struct dr_bytes *out, struct dr_err *err)
{
    struct dr_signature sig;
    struct dr_bytes type_bytes = {(const uint8_t *)type, strlen(type)};
    enum dr_rc rc = sign(arena, type_bytes, payload, key, &sig, err);
    return rc != DR_OK ? rc : dr_envelope_build(arena, type, payload, &sig, 1, out, err);
}

enum dr_rc
dr_envelope_merge(struct dr_arena *arena, const struct dr_envelope *a, const struct dr_envelope *b,
                  struct dr_bytes *out, struct dr_err *err)
{
    char type[DR_ENVELOPE_TYPE_MAX + 1] = {0};
    memcpy(type, a->type.data, a->type.len);
    if (!type_is(b->type, type) || memcmp(a->sha256, b->sha256, 32) != 0) {
        return dr_err_set(err, DR_E_CONFLICT, "the two signed documents are not the same");
    }
    struct dr_signature sigs[2 * DR_ENVELOPE_SIGS_MAX];
    size_t n = b->n_sigs;
    memcpy(sigs, b->sigs, sizeof(b->sigs));
    for (size_t i = 0; i < a->n_sigs; i++) {
        if (b->n_sigs == 0 ||
            !bsearch(&a->sigs[i], b->sigs, b->n_sigs, sizeof(b->sigs[0]), by_keyid)) {
            sigs[n++] = a->sigs[i];
        }
    }
    return dr_envelope_build(arena, type, a->payload, sigs, n, out, err);
}

enum dr_rc
dr_envelope_add(struct dr_arena *arena, const struct dr_envelope *envelope,
                const struct dr_key *key, struct dr_bytes *out, struct dr_err *err)
{
    struct dr_envelope mine = *envelope;
    mine.n_sigs = 1;
    enum dr_rc rc = sign(arena, envelope->type, envelope->payload, key, &mine.sigs[0], err);
    return rc != DR_OK ? rc : dr_envelope_merge(arena, envelope, &mine, out, err);
}
