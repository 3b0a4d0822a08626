#include "revision/digest.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char revision_prefix[] = "drover/revision.v1";
static const char unit_prefix[] = "drover/unit.v1";

void
dr_digest_sha256(uint8_t out[DR_DIGEST_SIZE], const void *bytes, size_t len)
{
    crypto_hash_sha256(out, bytes, len);
}

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, DR_DIGEST_SIZE);
}

// Numbers go in big-endian, so that the digest is the same on every machine.
static void
add_number(crypto_hash_sha256_state *state, uint64_t number, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    }
    crypto_hash_sha256_update(state, bytes, size);
}

void
dr_digest_revision(uint8_t out[DR_DIGEST_SIZE], const char *id,
                   const uint8_t file_sha256[DR_DIGEST_SIZE], uint8_t (*parents)[DR_DIGEST_SIZE],
                   size_t parent_count)
{
    crypto_hash_sha256_state state;
    if (parent_count > 1) {
        qsort(parents, parent_count, DR_DIGEST_SIZE, by_bytes);
    }
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)revision_prefix, sizeof revision_prefix);
    crypto_hash_sha256_update(&state, (const uint8_t *)id, strlen(id) + 1);
    crypto_hash_sha256_update(&state, file_sha256, DR_DIGEST_SIZE);
    add_number(&state, parent_count, 4);
    for (size_t i = 0; i < parent_count; i++) {
        crypto_hash_sha256_update(&state, parents[i], DR_DIGEST_SIZE);
    }
    crypto_hash_sha256_final(&state, out);
}

enum dr_rc
dr_digest_unit(uint8_t out[DR_DIGEST_SIZE], const uint8_t revision[DR_DIGEST_SIZE],
               const Drover__V1__Unit *unit, const char *file, size_t file_len, struct dr_err *err)
{
    Drover__V1__Unit bare = *unit;
    bare.digest.data = NULL;
    bare.digest.len = 0;
    size_t size = drover__v1__unit__get_packed_size(&bare);
    uint8_t *packed = malloc(size == 0 ? 1 : size);
    if (packed == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left for a unit of %zu bytes", size);
    }
    drover__v1__unit__pack(&bare, packed);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)unit_prefix, sizeof unit_prefix);
    crypto_hash_sha256_update(&state, revision, DR_DIGEST_SIZE);
    crypto_hash_sha256_update(&state, packed, size);
    free(packed);
    for (size_t i = 0; i < unit->n_statements; i++) {
        const Drover__V1__Statement *s = unit->statements[i];
        if (s->offset > file_len || s->length > file_len - s->offset) {
            return dr_err_set(err, DR_E_PLAN_MISMATCH,
                              "statement %zu of unit '%s' lies outside of the revision's file",
                              i + 1, unit->name);
        }
        add_number(&state, s->length, 8);
        crypto_hash_sha256_update(&state, (const uint8_t *)file + s->offset, s->length);
    }
    crypto_hash_sha256_final(&state, out);
    return DR_OK;
}
