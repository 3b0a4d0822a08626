// Keys and key files. The seed is what is stored; the public half is derived and compared, since
// signing with a mismatched public half gives the key away (double public key oracle,
// GHSA-g693-v3jr-8hcr).
#include "trust/keyfile.h"

#include "base/file.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC       "DRK1"
#define COMMENT     "untrusted comment: "
#define COMMENT_MAX 200u
#define HEAD_SIZE   (4u + 2u + 4u + 16u + 8u + 8u + 24u)
#define BODY_SIZE   (2u * DR_KEY_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define RAW_SIZE    (HEAD_SIZE + BODY_SIZE)
#define OPS_MAX     10u
#define MEM_MIN     8192u
#define MEM_MAX     (1u << 30)

static const struct {
    uint64_t ops, mem;
} costs[] = {
    [DR_KEY_COST_MODERATE] = {crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE},
    [DR_KEY_COST_MIN] = {crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN},
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory for a key");
}

static void
derive_public(enum dr_key_kind kind, const uint8_t *seed, uint8_t public_key[DR_KEY_SIZE])
{
    uint8_t full[crypto_sign_SECRETKEYBYTES];
    if (kind == DR_KEY_SIGNING) {
        crypto_sign_seed_keypair(public_key, full, seed);
        sodium_memzero(full, sizeof(full));
    } else {
        (void)!crypto_scalarmult_base(public_key, seed);
    }
}

enum dr_rc
dr_key_from_seed(enum dr_key_kind kind, const uint8_t seed[DR_KEY_SIZE], struct dr_key *out,
                 struct dr_err *err)
{
    struct dr_secret *secret = dr_secret_new(DR_KEY_SIZE);
    if (!secret) {
        return no_memory(err);
    }
    memcpy(dr_secret_bytes(secret), seed, DR_KEY_SIZE);
    *out = (struct dr_key){.kind = kind, .secret = secret};
    derive_public(kind, seed, out->public_key);
    return DR_OK;
}

enum dr_rc
dr_key_generate(enum dr_key_kind kind, struct dr_key *out, struct dr_err *err)
{
    uint8_t seed[DR_KEY_SIZE];
    dr_random(seed, sizeof(seed));
    enum dr_rc rc = dr_key_from_seed(kind, seed, out, err);
    sodium_memzero(seed, sizeof(seed));
    return rc;
}

void
dr_key_fini(struct dr_key *key)
{
    dr_secret_free(&key->secret);
    *key = (struct dr_key){0};
}

enum dr_rc
dr_key_sign(const struct dr_key *key, struct dr_bytes bytes, uint8_t out[DR_SIG_SIZE],
            struct dr_err *err)
{
    if (key->kind != DR_KEY_SIGNING || !key->secret) {
        return dr_err_set(err, DR_E_KEY_KIND, "this is not a signing key");
    }
    uint8_t full[crypto_sign_SECRETKEYBYTES], public_key[DR_KEY_SIZE];
    crypto_sign_seed_keypair(public_key, full, dr_secret_bytes(key->secret));
    crypto_sign_detached(out, NULL, bytes.data, bytes.len, full);
    sodium_memzero(full, sizeof(full));
    return DR_OK;
}

// ------------------------------------------------------------------------------ key files

static void
put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8) {
        at[i] = (uint8_t)value;
    }
}

static uint64_t
get_u64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

struct head {
    enum dr_key_kind kind;
    bool is_locked; // a passphrase is needed
    uint64_t ops, mem;
};

// The key of the AEAD; all zero for an unattended file.
static enum dr_rc
stretch(const struct head *head, const uint8_t *salt, struct dr_secret *passphrase,
        struct dr_secret *key, struct dr_err *err)
{
    if (!head->is_locked) {
        return DR_OK;
    }
    if (!passphrase) {
        return dr_err_set(err, DR_E_PASSPHRASE, "the key file needs a passphrase");
    }
    // GCOVR_EXCL_BR_START libsodium allocates the memory of a passphrase itself
    if (crypto_pwhash(dr_secret_bytes(key), dr_secret_len(key),
                      (const char *)dr_secret_bytes(passphrase), dr_secret_len(passphrase), salt,
                      head->ops, (size_t)head->mem, crypto_pwhash_ALG_ARGON2ID13) == 0) {
        return DR_OK;
    }                      // GCOVR_EXCL_BR_STOP
    return no_memory(err); // GCOVR_EXCL_LINE the same
}

static enum dr_rc
seal(const struct dr_key *key, const struct head *head, struct dr_secret *passphrase,
     uint8_t raw[RAW_SIZE], struct dr_err *err)
{
    memcpy(raw, MAGIC, 4);
    memcpy(raw + 4, key->kind == DR_KEY_SIGNING ? "Ed" : "X2", 2);
    memcpy(raw + 6, head->is_locked ? "A2id" : "none", 4);
    uint8_t *salt = raw + 10, *nonce = raw + 42;
    dr_random(salt, 16);
    put_u64(raw + 26, head->ops);
    put_u64(raw + 34, head->mem);
    dr_random(nonce, 24);
    struct dr_secret *wrap = dr_secret_new(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    struct dr_secret *body = dr_secret_new(2u * (size_t)DR_KEY_SIZE);
    enum dr_rc rc = !wrap || !body ? no_memory(err) : stretch(head, salt, passphrase, wrap, err);
    if (rc == DR_OK) {
        memcpy(dr_secret_bytes(body), dr_secret_bytes(key->secret), DR_KEY_SIZE);
        memcpy(dr_secret_bytes(body) + DR_KEY_SIZE, key->public_key, DR_KEY_SIZE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(raw + HEAD_SIZE, NULL, dr_secret_bytes(body),
                                                   2u * (size_t)DR_KEY_SIZE, raw, HEAD_SIZE, NULL,
                                                   nonce, dr_secret_bytes(wrap));
    }
    dr_secret_free(&wrap);
    dr_secret_free(&body);
    return rc;
}

enum dr_rc
dr_keyfile_encode(const struct dr_key *key, struct dr_secret *passphrase, enum dr_key_cost cost,
                  const char *comment, struct dr_secret **out, struct dr_err *err)
{
    if (strlen(comment) > COMMENT_MAX || strpbrk(comment, "\r\n")) {
        return dr_err_set(err, DR_E_INVALID, "the comment of a key is one line of at most %u bytes",
                          COMMENT_MAX);
    }
    struct head head = {.is_locked = passphrase != NULL};
    if (head.is_locked) {
        head.ops = costs[cost].ops;
        head.mem = costs[cost].mem;
    }
    uint8_t raw[RAW_SIZE] = {0};
    enum dr_rc rc = seal(key, &head, passphrase, raw, err);
    char text[sodium_base64_ENCODED_LEN(RAW_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof(text), raw, sizeof(raw), sodium_base64_VARIANT_ORIGINAL);
    size_t comment_len = strlen(comment), prefix = strlen(COMMENT), body = sizeof(text) - 1;
    struct dr_secret *file =
        rc == DR_OK ? dr_secret_new(prefix + comment_len + 1 + body + 1) : NULL;
    if (file) {
        uint8_t *at = dr_secret_bytes(file);
        memcpy(at, COMMENT, prefix);
        memcpy(at + prefix, comment, comment_len);
        at[prefix + comment_len] = '\n';
        memcpy(at + prefix + comment_len + 1, text, body);
        at[prefix + comment_len + 1 + body] = '\n';
        *out = file;
    }
    sodium_memzero(raw, sizeof(raw));
    sodium_memzero(text, sizeof(text));
    return file ? DR_OK : no_memory(err);
}

// Two lines to the raw bytes.
static enum dr_rc
unarmour(struct dr_bytes text, uint8_t raw[RAW_SIZE], struct dr_err *err)
{
    size_t prefix = strlen(COMMENT), len = 0;
    const char *begin = (const char *)text.data;
    const char *line =
        text.len > DR_KEYFILE_MAX || text.len < prefix || memcmp(begin, COMMENT, prefix) != 0
            ? NULL
            : memchr(begin, '\n', text.len);
    const char *end = NULL;
    if (line &&
        sodium_base642bin(raw, RAW_SIZE, line + 1, text.len - (size_t)(line + 1 - begin), NULL,
                          &len, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
        len == RAW_SIZE && end + 1 == begin + text.len && *end == '\n') {
        return DR_OK;
    }
    return dr_err_set(err, DR_E_KEY_FORMAT, "this is not a whole key file");
}

static enum dr_rc
read_head(const uint8_t raw[RAW_SIZE], struct head *out, struct dr_err *err)
{
    bool is_signing = memcmp(raw + 4, "Ed", 2) == 0;
    out->is_locked = memcmp(raw + 6, "A2id", 4) == 0;
    if (memcmp(raw, MAGIC, 4) != 0 || (!is_signing && memcmp(raw + 4, "X2", 2) != 0) ||
        (!out->is_locked && memcmp(raw + 6, "none", 4) != 0)) {
        return dr_err_set(err, DR_E_KEY_FORMAT, "this key file is of an unknown kind");
    }
    out->kind = is_signing ? DR_KEY_SIGNING : DR_KEY_TRANSPORT;
    out->ops = get_u64(raw + 26);
    out->mem = get_u64(raw + 34);
    if (out->is_locked &&
        (out->ops < 1 || out->ops > OPS_MAX || out->mem < MEM_MIN || out->mem > MEM_MAX)) {
        return dr_err_set(err, DR_E_KEY_COST, "the key file asks for an absurd amount of work");
    }
    return DR_OK;
}

static enum dr_rc
unseal(const uint8_t raw[RAW_SIZE], const struct head *head, struct dr_secret *passphrase,
       struct dr_key *out, struct dr_err *err)
{
    struct dr_secret *wrap = dr_secret_new(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    struct dr_secret *body = dr_secret_new(2u * (size_t)DR_KEY_SIZE);
    enum dr_rc rc =
        !wrap || !body ? no_memory(err) : stretch(head, raw + 10, passphrase, wrap, err);
    if (rc == DR_OK && crypto_aead_xchacha20poly1305_ietf_decrypt(
                           dr_secret_bytes(body), NULL, NULL, raw + HEAD_SIZE, BODY_SIZE, raw,
                           HEAD_SIZE, raw + 42, dr_secret_bytes(wrap)) != 0) {
        rc = dr_err_set(err, DR_E_PASSPHRASE,
                        head->is_locked ? "wrong passphrase, or the key file was changed"
                                        : "the key file was changed");
    }
    struct dr_key key = {0};
    if (rc == DR_OK) {
        rc = dr_key_from_seed(head->kind, dr_secret_bytes(body), &key, err);
    }
    if (rc == DR_OK &&
        sodium_memcmp(key.public_key, dr_secret_bytes(body) + DR_KEY_SIZE, DR_KEY_SIZE) != 0) {
        dr_key_fini(&key);
        rc = dr_err_set(err, DR_E_KEY_MISMATCH, "the key file's two halves do not belong together");
    }
    if (rc == DR_OK) {
        *out = key;
    }
    dr_secret_free(&wrap);
    dr_secret_free(&body);
    return rc;
}

enum dr_rc
dr_keyfile_decode(struct dr_bytes text, enum dr_key_kind kind, struct dr_secret *passphrase,
                  struct dr_key *out, struct dr_err *err)
{
    uint8_t raw[RAW_SIZE];
    struct head head = {0};
    enum dr_rc rc = unarmour(text, raw, err);
    if (rc == DR_OK) {
        rc = read_head(raw, &head, err);
    }
    if (rc == DR_OK && kind != 0 && kind != head.kind) {
        rc = dr_err_set(err, DR_E_KEY_KIND, "a %s key is needed, this is a %s key",
                        kind == DR_KEY_SIGNING ? "signing" : "transport",
                        head.kind == DR_KEY_SIGNING ? "signing" : "transport");
    }
    if (rc == DR_OK) {
        rc = unseal(raw, &head, passphrase, out, err);
    }
    sodium_memzero(raw, sizeof(raw));
    return rc;
}

enum dr_rc
dr_keyfile_save(const char *path, const struct dr_key *key, struct dr_secret *passphrase,
                enum dr_key_cost cost, const char *comment, struct dr_err *err)
{
    struct dr_secret *text = NULL;
    enum dr_rc rc = dr_keyfile_encode(key, passphrase, cost, comment, &text, err);
    if (rc == DR_OK) {
        rc = dr_file_create(path, dr_secret_bytes(text), dr_secret_len(text), 0600, err);
    }
    dr_secret_free(&text);
    return rc;
}

static enum dr_rc
read_private(const char *path, char **out, size_t *out_len, struct dr_err *err)
{
    enum dr_rc rc = dr_file_check_private(path, err);
    return rc != DR_OK ? rc : dr_file_read(path, DR_KEYFILE_MAX, out, out_len, err);
}

enum dr_rc
dr_keyfile_load(const char *path, enum dr_key_kind kind, struct dr_secret *passphrase,
                struct dr_key *out, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = read_private(path, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_keyfile_decode((struct dr_bytes){(const uint8_t *)text, len}, kind, passphrase, out,
                           err);
    if (rc != DR_OK) {
        rc = dr_err_wrap(err, "key file '%s'", path);
    }
    sodium_memzero(text, len);
    free(text);
    return rc;
}

enum dr_rc
dr_keyfile_needs_passphrase(const char *path, bool *out, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    uint8_t raw[RAW_SIZE];
    struct head head = {0};
    enum dr_rc rc = read_private(path, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = unarmour((struct dr_bytes){(const uint8_t *)text, len}, raw, err);
    if (rc == DR_OK) {
        rc = read_head(raw, &head, err);
    }
    if (rc == DR_OK) {
        *out = head.is_locked;
    } else {
        rc = dr_err_wrap(err, "key file '%s'", path);
    }
    sodium_memzero(raw, sizeof(raw));
    sodium_memzero(text, len);
    free(text);
    return rc;
}

// ---------------------------------------------------------------------- public keys, names

void
dr_public_format(struct dr_buf *out, const struct dr_public *key)
{
    char signing[2 * DR_KEY_SIZE + 1], transport[2 * DR_KEY_SIZE + 1];
    dr_hex(signing, key->signing, DR_KEY_SIZE);
    dr_hex(transport, key->transport, DR_KEY_SIZE);
    dr_buf_printf(out, DR_PUBLIC_FORMAT "%s ed25519:%s x25519:%s\n", key->name, signing, transport);
}

// Takes "PREFIX<64 hex digits>" off the front of `*at`.
static bool
take_key(const char **at, const char *prefix, uint8_t out[DR_KEY_SIZE])
{
    char hex[2 * DR_KEY_SIZE + 1] = {0};
    if (!dr_str_starts(*at, prefix)) {
        return false;
    }
    const char *begin = *at + strlen(prefix);
    size_t len = strnlen(begin, 2 * DR_KEY_SIZE);
    memcpy(hex, begin, len);
    *at = begin + len;
    return dr_unhex(out, DR_KEY_SIZE, hex);
}

enum dr_rc
dr_public_parse(const char *text, struct dr_public *out, struct dr_err *err)
{
    struct dr_public key = {0};
    const char *at = text + strspn(text, " \t\r\n");
    bool ok = dr_str_starts(at, DR_PUBLIC_FORMAT);
    if (ok) {
        at += strlen(DR_PUBLIC_FORMAT);
        size_t len = strcspn(at, " ");
        ok = len <= DR_NAME_MAX;
        memcpy(key.name, at, ok ? len : 0);
        at += len;
    }
    ok = ok && dr_name_is_valid(key.name) && take_key(&at, " ed25519:", key.signing) &&
         take_key(&at, " x25519:", key.transport) && at[strspn(at, " \t\r\n")] == '\0' &&
         dr_signing_key_is_sane(key.signing);
    if (!ok) {
        return dr_err_set(err, DR_E_KEY_FORMAT,
                          "a public key is one line: drover-public-key 1 NAME ed25519:HEX "
                          "x25519:HEX");
    }
    *out = key;
    return DR_OK;
}

static size_t
name_length(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return name[0] == '.' || name[0] == '-' || len > DR_NAME_MAX ? 0 : len;
}

bool
dr_name_is_valid(const char *name)
{
    size_t len = name_length(name);
    return len > 0 && name[len] == '\0';
}

bool
dr_target_name_is_valid(const char *name)
{
    size_t len = name_length(name);
    return len > 0 && name[len] == '/' && dr_name_is_valid(name + len + 1);
}

void
dr_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}

void
dr_sha256(struct dr_bytes bytes, uint8_t out[32])
{
    crypto_hash_sha256(out, bytes.data, bytes.len);
}

void
dr_keyid(const uint8_t public_key[DR_KEY_SIZE], uint8_t out[32])
{
    crypto_hash_sha256(out, public_key, DR_KEY_SIZE);
}

bool
dr_signing_key_is_sane(const uint8_t public_key[DR_KEY_SIZE])
{
    return crypto_core_ed25519_is_valid_point(public_key) == 1;
}
