// Fuzz target: handshake messages and records of a hostile peer. The first byte chooses what the
// rest is.
#include "rpc/noise.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fix_keys(struct dr_noise_pair *a, struct dr_noise_pair *b)
{
    memset(a->secret, 1, sizeof a->secret);
    memset(b->secret, 2, sizeof b->secret);
    dr_noise_public(a);
    dr_noise_public(b);
}

// Message 1 as the responder sees it; its answer must be possible when it is taken.
static void
read_hello(const struct dr_noise_pair *self, const uint8_t *data, size_t size)
{
    struct dr_noise noise;
    uint8_t *payload = malloc(size + 1);
    uint8_t answer[DR_NOISE_ANSWER_BYTES];
    size_t len;
    dr_noise_init(&noise, false, DR_NOISE_PROLOGUE, sizeof DR_NOISE_PROLOGUE - 1, self, NULL,
                  self->secret);
    if (payload != NULL && dr_noise_read(&noise, data, size, payload, size, &len, NULL) == DR_OK &&
        dr_noise_write(&noise, NULL, 0, answer, sizeof answer, &len, NULL) != DR_OK) {
        abort();
    }
    dr_noise_fini(&noise);
    free(payload);
}

// Message 2 as the initiator sees it.
static void
read_answer(const struct dr_noise_pair *self, const struct dr_noise_pair *peer, const uint8_t *data,
            size_t size)
{
    struct dr_noise noise;
    uint8_t hello[DR_NOISE_HELLO_BYTES], payload[64];
    size_t len;
    dr_noise_init(&noise, true, DR_NOISE_PROLOGUE, sizeof DR_NOISE_PROLOGUE - 1, self, peer->public,
                  self->secret);
    if (dr_noise_write(&noise, NULL, 0, hello, sizeof hello, &len, NULL) != DR_OK) {
        abort();
    }
    (void)!dr_noise_read(&noise, data, size, payload, sizeof payload, &len, NULL);
    dr_noise_fini(&noise);
}

// A record: sealing and opening it gives the same bytes, and the bytes themselves do not open.
static void
round_trip(const uint8_t *data, size_t size)
{
    struct dr_noise_cipher send = {.rekey_every = 2}, receive = send;
    uint8_t *sealed = malloc(size + DR_NOISE_TAG), *opened = malloc(size + 1);
    if (sealed != NULL && opened != NULL) {
        (void)!dr_noise_open(&receive, data, size, opened, NULL);
        if (dr_noise_seal(&send, data, size, sealed, NULL) == DR_OK && receive.nonce == 0 &&
            (dr_noise_open(&receive, sealed, size + DR_NOISE_TAG, sealed, NULL) != DR_OK ||
             memcmp(sealed, data, size) != 0)) {
            abort();
        }
    }
    free(sealed);
    free(opened);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dr_noise_pair client, server;
    if (size == 0) {
        return 0;
    }
    fix_keys(&client, &server);
    switch (data[0] % 3) {
    case 0:
        read_hello(&server, data + 1, size - 1);
        break;
    case 1:
        read_answer(&client, &server, data + 1, size - 1);
        break;
    default:
        round_trip(data + 1, size - 1);
        break;
    }
    return 0;
}
