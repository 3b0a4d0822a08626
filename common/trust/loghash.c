// Log hash: one entry's hash and one step of the check.
#include "trust/loghash.h"

#include "base/str.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

static const char PREFIX[] = "drover/log.v1";

static void
add_text(crypto_hash_sha256_state *state, const char *text)
{
    const char *safe = text != NULL ? text : "";

    crypto_hash_sha256_update(state, (const unsigned char *)safe, strlen(safe) + 1);
}

static void
add_u64(crypto_hash_sha256_state *state, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    crypto_hash_sha256_update(state, bytes, sizeof bytes);
}

enum dr_rc
dr_loghash_compute(const Drover__V1__LogEntry *entry, uint8_t out[32], struct dr_err *err)
{
    crypto_hash_sha256_state state;

    if (entry->previous.len != 32 || (entry->document.len != 0 && entry->document.len != 32)) {
        return dr_err_set(err, DR_E_INVALID, "log entry %" PRIu64 " has a digest of wrong length",
                          entry->index);
    }
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)PREFIX, sizeof PREFIX);
    crypto_hash_sha256_update(&state, entry->previous.data, 32);
    add_u64(&state, entry->index);
    add_u64(&state, (uint64_t)entry->time);
    add_text(&state, entry->kind);
    add_text(&state, entry->subject);
    add_text(&state, entry->text);
    add_text(&state, entry->actor);
    if (entry->document.len == 32) {
        crypto_hash_sha256_update(&state, entry->document.data, 32);
    }
    crypto_hash_sha256_final(&state, out);
    return DR_OK;
}

enum dr_rc
dr_loghash_verify(struct dr_loghash *state, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    uint8_t hash[32];

    if (entry->index != state->index + 1) {
        return dr_err_set(err, DR_E_BAD_LOG,
                          "log entry %" PRIu64 " stands where %" PRIu64 " belongs", entry->index,
                          state->index + 1);
    }
    if (dr_loghash_compute(entry, hash, err) != DR_OK) {
        return dr_err_set(err, DR_E_BAD_LOG, "log entry %" PRIu64 " has a digest of wrong length",
                          entry->index);
    }
    if (memcmp(entry->previous.data, state->hash, 32) != 0) {
        return dr_err_set(err, DR_E_BAD_LOG,
                          "log entry %" PRIu64 " does not continue the entry before it",
                          entry->index);
    }
    if (entry->hash.len != 32 || memcmp(entry->hash.data, hash, 32) != 0) {
        return dr_err_set(err, DR_E_BAD_LOG,
                          "log entry %" PRIu64 " was changed: its hash is another", entry->index);
    }
    state->index = entry->index;
    memcpy(state->hash, hash, 32);
    return DR_OK;
}
