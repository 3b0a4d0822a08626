// Noise: published vectors, refusals, rekey. The values below are those of the cacophony and snow
// collections; a file of collections; a file of vectors in the same JSON form is read, too, when
// DROVER_NOISE_VECTORS names one.
#include "rpc/noise.h"

#include "base/str.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define MESSAGES_MAX 8
#define BYTES_MAX    512u
#define REKEYED      "6680fd904a4d469c95ec1d2ff2a2d784a7780280208935e7c15a07cdfdf8075d"

struct vector {
    const char *prologue, *init_static, *init_ephemeral, *resp_static, *resp_ephemeral,
        *resp_public;
    const char *hash; // "" when not given
    struct {
        const char *payload, *ciphertext;
    } messages[MESSAGES_MAX];
};

static const struct vector vectors[] = {
    {
        .prologue = "4a6f686e2047616c74",
        .init_static = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        .init_ephemeral = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        .resp_static = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
        .resp_ephemeral = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        .resp_public = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
        .hash = "0b0f68fb0c27e03ce9b97565995ed4838cc0581b762ef72b062f6a546419fad7",
        .messages =
            {
                {"4c756477696720766f6e204d69736573",
                 "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944718da798"
                 "efbcd91528520204f904b9bd6c7413dccdc214d951e15253e39987f18146e8cd08736542"
                 "07148333479d4d16c289f0294b29960a72f48e0b7bba2e89083169825e59642148d49202"
                 "0664ccf7"},
                {"4d757272617920526f746862617264",
                 "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088435361e70b"
                 "2ed446e6c9ec387d1d6b3b840f194e373979d241b203c4acafccf5"},
                {"462e20412e20486179656b",
                 "050e9f3c8fac16b68dbce8f8c4bfbf6617c897f9ada4aa29aa19c8"},
                {"4361726c204d656e676572",
                 "344233a6cabb7141d80f3da2fedc311d9646bbb0f505afe403a667"},
                {"4a65616e2d426170746973746520536179",
                 "62cdeeb172ad7ade7aa7d9e069da5790f12331bfa00177787a1d0810c67dc3b2b4"},
                {"457567656e2042f6686d20766f6e2042617765726b",
                 "029bead1b40992327044d409d9a1f3ad8f36c3c452775d557e18bbeb2e8dfcead32d5140"
                 "24"},
            },
    },
    {
        .prologue = "5468657265206973206e6f20726967687420616e642077726f6e672e2054686572652773"
                    "206f6e6c792066756e20616e6420626f72696e672e",
        .init_static = "f49f93c5112c0787acc808d61716d7e090e076a58f15a3f78d92773f8dcb473b",
        .init_ephemeral = "dae68498c41315cff7e4a34dded8d973199d8f0cf3fcb8b6651c169de77de8be",
        .resp_static = "b790546f98b1e933c48cd01f17e7b281469d46fcacc9a3b584ae65b1d6272e8e",
        .resp_ephemeral = "c0875a5b59c8492bd2135e5432d7d484f938e0a1f5009428c4bcb70b2f69f69f",
        .resp_public = "2ea5942829bac414e25aa4cbb1bcc43394816ebb1bd12550d7d0eb4415e42951",
        .hash = "",
        .messages =
            {
                {"95a8f51c435a9530ff1f30868ed7b23ec952eb513c26a0774fed82d2978a8c81",
                 "6d21fec9141f3f37cc464e936a48b2d9521b5a44e0f3d960895d3c3fba30282f731f445c"
                 "25e898e2534ac0536715b24308c108fc46bd260c887b36c3f68e3a05654fc8295c068ed5"
                 "3fb2022560961224e0b10b0835e1efc82fc587cd50f7178fe3d9eb06e0351c6e7334162c"
                 "10bed670bfa2a105f7b2768a140b3fd597782601"},
                {"b866b807a6d8b83182b884dbfedc861843c5082bd6e480cb54e4245a72083041",
                 "e64e1fb8701c4f4bc3850b255fea657d4d835338b059c89acc99628fbe52473b41a4e79e"
                 "3c1e6abc46bf80f078a005e15d8a3e04f989af3e6cb99b52031165006163ac3e17b928af"
                 "8c116009d7bf4fb2"},
                {"e3a4937faef391028f759758b428b57652e0069a8dee64dfed01b60846938740",
                 "2bebe19102169cdfe79cf41e38930bfd20a5b2fc78ccf33e853ddd939c0983174656eb27"
                 "b61464a607762848892ca1c0"},
                {"693972f27b0cb98aeac1fb54d782125431e7540e0cb2fa882cf51a8184d724fd",
                 "c7c56da33b45d12f4754e17978bd49999c9c8f51d00db460f902aba2e6e245d0c46662f5"
                 "07915de8596f43b1d175f1db"},
            },
    },
};

// A new pair of transport keys.
static void
make_pair(struct dr_noise_pair *out)
{
    dr_noise_random(out->secret, sizeof out->secret);
    dr_noise_public(out);
}

// Bytes of a hex text; how many.
static size_t
unhex(uint8_t *out, size_t size, const char *text)
{
    size_t len = strlen(text) / 2;
    assert_true(len <= size);
    assert_true(dr_unhex(out, len, text));
    return len;
}

static void
expect_hex(const uint8_t *bytes, size_t len, const char *hex)
{
    char text[2 * BYTES_MAX + 1];
    assert_true(len <= BYTES_MAX);
    dr_hex(text, bytes, len);
    assert_string_equal(text, hex);
}

struct pair {
    struct dr_noise initiator, responder;
    struct dr_noise_cipher send[2], receive[2]; // 0: initiator's, 1: responder's
};

static void
begin(struct pair *pair, const struct vector *v)
{
    struct dr_noise_pair init, resp;
    uint8_t prologue[BYTES_MAX], e[DR_NOISE_KEY], given[DR_NOISE_KEY];
    size_t prologue_len = unhex(prologue, sizeof prologue, v->prologue);
    unhex(init.secret, sizeof init.secret, v->init_static);
    unhex(resp.secret, sizeof resp.secret, v->resp_static);
    dr_noise_public(&init);
    dr_noise_public(&resp);
    unhex(given, sizeof given, v->resp_public);
    assert_memory_equal(given, resp.public, sizeof given);
    unhex(e, sizeof e, v->init_ephemeral);
    dr_noise_init(&pair->initiator, true, prologue, prologue_len, &init, resp.public, e);
    unhex(e, sizeof e, v->resp_ephemeral);
    dr_noise_init(&pair->responder, false, prologue, prologue_len, &resp, NULL, e);
}

// The two handshake messages, compared with the vector's.
static void
shake_hands(struct pair *pair, const struct vector *v)
{
    struct dr_err err = {0};
    for (int i = 0; i < 2; i++) {
        struct dr_noise *from = i == 0 ? &pair->initiator : &pair->responder;
        struct dr_noise *to = i == 0 ? &pair->responder : &pair->initiator;
        uint8_t payload[BYTES_MAX], message[BYTES_MAX], back[BYTES_MAX];
        size_t len, payload_len = unhex(payload, sizeof payload, v->messages[i].payload);
        assert_int_equal(
            dr_noise_write(from, payload, payload_len, message, sizeof message, &len, &err), DR_OK);
        expect_hex(message, len, v->messages[i].ciphertext);
        assert_int_equal(dr_noise_read(to, message, len, back, sizeof back, &len, &err), DR_OK);
        assert_int_equal(len, payload_len);
        assert_memory_equal(back, payload, len);
    }
    assert_memory_equal(pair->responder.rs, pair->initiator.s.public, DR_NOISE_KEY);
    assert_memory_equal(pair->responder.h, pair->initiator.h, DR_NOISE_HASH);
    if (v->hash[0] != '\0') {
        expect_hex(pair->initiator.h, DR_NOISE_HASH, v->hash);
    }
    assert_int_equal(dr_noise_split(&pair->initiator, &pair->send[0], &pair->receive[0], &err),
                     DR_OK);
    assert_int_equal(dr_noise_split(&pair->responder, &pair->send[1], &pair->receive[1], &err),
                     DR_OK);
}

static void
run_vector(const struct vector *v)
{
    struct pair pair;
    struct dr_err err = {0};
    begin(&pair, v);
    shake_hands(&pair, v);
    for (unsigned i = 2; i < MESSAGES_MAX && v->messages[i].payload != NULL; i++) {
        uint8_t payload[BYTES_MAX], sealed[BYTES_MAX];
        size_t len = unhex(payload, sizeof payload, v->messages[i].payload);
        assert_int_equal(dr_noise_seal(&pair.send[i % 2], payload, len, sealed, &err), DR_OK);
        expect_hex(sealed, len + DR_NOISE_TAG, v->messages[i].ciphertext);
        assert_int_equal(
            dr_noise_open(&pair.receive[(i + 1) % 2], sealed, len + DR_NOISE_TAG, sealed, &err),
            DR_OK);
        assert_memory_equal(sealed, payload, len);
    }
    dr_noise_fini(&pair.initiator);
    dr_noise_fini(&pair.responder);
}

static void
published_vectors_are_reproduced(void **state)
{
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(vectors); i++) {
        run_vector(&vectors[i]);
    }
}

static const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static void
vectors_of_a_file_are_reproduced(void **state)
{
    const char *path = getenv("DROVER_NOISE_VECTORS");
    (void)state;
    assert_non_null(path);
    json_t *file = json_load_file(path, 0, NULL);
    assert_true(json_is_array(file));
    for (size_t i = 0; i < json_array_size(file); i++) {
        const json_t *row = json_array_get(file, i), *messages = json_object_get(row, "messages");
        struct vector v = {
            .prologue = text_of(row, "init_prologue"),
            .init_static = text_of(row, "init_static"),
            .init_ephemeral = text_of(row, "init_ephemeral"),
            .resp_static = text_of(row, "resp_static"),
            .resp_ephemeral = text_of(row, "resp_ephemeral"),
            .resp_public = text_of(row, "init_remote_static"),
            .hash = text_of(row, "handshake_hash"),
        };
        assert_true(json_array_size(messages) <= MESSAGES_MAX);
        for (size_t k = 0; k < json_array_size(messages); k++) {
            v.messages[k].payload = text_of(json_array_get(messages, k), "payload");
            v.messages[k].ciphertext = text_of(json_array_get(messages, k), "ciphertext");
        }
        run_vector(&v);
    }
    json_decref(file);
}

static void
another_server_key_ends_the_handshake(void **state)
{
    struct dr_noise_pair client, server, other;
    struct dr_noise initiator, responder;
    struct dr_err err = {0};
    uint8_t message[BYTES_MAX], none[1];
    size_t len;
    (void)state;
    make_pair(&client);
    make_pair(&server);
    make_pair(&other);
    dr_noise_init(&initiator, true, "p", 1, &client, other.public, NULL);
    dr_noise_init(&responder, false, "p", 1, &server, NULL, NULL);
    assert_int_equal(dr_noise_write(&initiator, NULL, 0, message, sizeof message, &len, &err), 0);
    assert_int_equal(len, DR_NOISE_HELLO_BYTES);
    assert_int_equal(dr_noise_read(&responder, message, len, none, 0, &len, &err),
                     DR_E_RPC_PROTOCOL);
    assert_string_equal(err.message, "handshake message 1 does not decrypt");
    assert_int_equal(dr_noise_write(&responder, NULL, 0, message, sizeof message, &len, &err),
                     DR_E_INVALID);
}

static void
another_prologue_ends_the_handshake(void **state)
{
    struct dr_noise_pair client, server;
    struct dr_noise initiator, responder;
    struct dr_err err = {0};
    uint8_t message[BYTES_MAX], none[1];
    size_t len;
    (void)state;
    make_pair(&client);
    make_pair(&server);
    dr_noise_init(&initiator, true, "drover/1", 8, &client, server.public, NULL);
    dr_noise_init(&responder, false, "drover/2", 8, &server, NULL, NULL);
    assert_int_equal(dr_noise_write(&initiator, NULL, 0, message, sizeof message, &len, &err), 0);
    assert_int_equal(dr_noise_read(&responder, message, len, none, 0, &len, &err),
                     DR_E_RPC_PROTOCOL);
}

static void
a_key_of_small_order_is_refused(void **state)
{
    struct dr_noise_pair client;
    struct dr_noise initiator;
    struct dr_err err = {0};
    static const uint8_t zeros[DR_NOISE_KEY];
    uint8_t message[BYTES_MAX];
    size_t len;
    (void)state;
    make_pair(&client);
    dr_noise_init(&initiator, true, "p", 1, &client, zeros, NULL);
    assert_int_equal(dr_noise_write(&initiator, NULL, 0, message, sizeof message, &len, &err),
                     DR_E_RPC_PROTOCOL);
    assert_string_equal(err.message, "the peer's key is not a usable X25519 key");
}

static void
a_changed_byte_of_a_record_is_refused(void **state)
{
    struct pair pair;
    struct dr_err err = {0};
    uint8_t sealed[5 + DR_NOISE_TAG], out[5];
    (void)state;
    begin(&pair, &vectors[0]);
    shake_hands(&pair, &vectors[0]);
    for (size_t i = 0; i < sizeof sealed; i++) {
        struct dr_noise_cipher receive = pair.receive[1], send = pair.send[0];
        assert_int_equal(dr_noise_seal(&send, "hello", 5, sealed, &err), DR_OK);
        sealed[i] ^= 1;
        assert_int_equal(dr_noise_open(&receive, sealed, sizeof sealed, out, &err),
                         DR_E_RPC_PROTOCOL);
        sealed[i] ^= 1;
        assert_int_equal(dr_noise_open(&receive, sealed, sizeof sealed, out, &err), DR_OK);
        assert_int_equal(dr_noise_open(&receive, sealed, sizeof sealed, out, &err),
                         DR_E_RPC_PROTOCOL); // a repeated record
    }
    assert_int_equal(dr_noise_open(&pair.receive[1], sealed, DR_NOISE_TAG - 1, out, &err),
                     DR_E_RPC_PROTOCOL);
}

// A record that comes before the one that was sent before it, or after a lost one, opens nothing.
static void
records_out_of_order_are_refused(void **state)
{
    struct pair pair;
    struct dr_err err = {0};
    uint8_t first[5 + DR_NOISE_TAG], second[5 + DR_NOISE_TAG], out[5];
    (void)state;
    begin(&pair, &vectors[0]);
    shake_hands(&pair, &vectors[0]);
    struct dr_noise_cipher receive = pair.receive[1], other = pair.receive[0];
    assert_int_equal(dr_noise_seal(&pair.send[0], "first", 5, first, &err), DR_OK);
    assert_int_equal(dr_noise_seal(&pair.send[0], "later", 5, second, &err), DR_OK);
    assert_int_equal(dr_noise_open(&receive, second, sizeof second, out, &err), DR_E_RPC_PROTOCOL);
    assert_int_equal(dr_noise_open(&other, first, sizeof first, out, &err),
                     DR_E_RPC_PROTOCOL); // sent back to its sender
    receive = pair.receive[1];
    assert_int_equal(dr_noise_open(&receive, first, sizeof first, out, &err), DR_OK);
    assert_int_equal(dr_noise_open(&receive, second, sizeof second, out, &err), DR_OK);
    assert_int_equal(dr_noise_open(&receive, first, sizeof first, out, &err), DR_E_RPC_PROTOCOL);
}

// The key after REKEY, from Python's cryptography (ChaChaPoly of RFC 8439 with the nonce 2^64 - 1).
static void
both_sides_rekey_after_the_same_record(void **state)
{
    struct dr_noise_cipher send = {.rekey_every = 3}, receive = {.rekey_every = 3};
    struct dr_err err = {0};
    uint8_t sealed[1 + DR_NOISE_TAG], out[1], first[DR_NOISE_KEY];
    (void)state;
    memset(send.key, 7, sizeof send.key);
    memset(receive.key, 7, sizeof receive.key);
    memcpy(first, send.key, sizeof first);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(dr_noise_seal(&send, "x", 1, sealed, &err), DR_OK);
        assert_int_equal(dr_noise_open(&receive, sealed, sizeof sealed, out, &err), DR_OK);
        assert_memory_equal(send.key, receive.key, sizeof send.key);
        assert_int_equal(memcmp(first, send.key, sizeof first) == 0, i < 2);
    }
    assert_int_equal(send.nonce, 10);
    memcpy(send.key, first, sizeof first);
    dr_noise_rekey(&send);
    expect_hex(send.key, sizeof send.key, REKEYED);
}

static void
the_last_nonce_is_never_used(void **state)
{
    struct dr_noise_cipher cipher = {.nonce = UINT64_MAX};
    struct dr_err err = {0};
    uint8_t sealed[1 + DR_NOISE_TAG];
    (void)state;
    assert_int_equal(dr_noise_seal(&cipher, "x", 1, sealed, &err), DR_E_RPC_LIMIT);
    assert_int_equal(dr_noise_open(&cipher, sealed, sizeof sealed, sealed, &err), DR_E_RPC_LIMIT);
}

static void
messages_over_the_limit_are_refused(void **state)
{
    struct dr_noise_cipher cipher = {0};
    struct dr_err err = {0};
    static uint8_t big[DR_NOISE_MESSAGE_MAX + 1], out[2 * DR_NOISE_MESSAGE_MAX];
    (void)state;
    assert_int_equal(dr_noise_seal(&cipher, big, DR_NOISE_MESSAGE_MAX - DR_NOISE_TAG, out, &err),
                     0);
    assert_int_equal(
        dr_noise_seal(&cipher, big, DR_NOISE_MESSAGE_MAX - DR_NOISE_TAG + 1, out, &err),
        DR_E_INVALID);
    assert_int_equal(dr_noise_open(&cipher, big, sizeof big, out, &err), DR_E_RPC_PROTOCOL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_reproduced),
        cmocka_unit_test(another_server_key_ends_the_handshake),
        cmocka_unit_test(another_prologue_ends_the_handshake),
        cmocka_unit_test(a_key_of_small_order_is_refused),
        cmocka_unit_test(a_changed_byte_of_a_record_is_refused),
        cmocka_unit_test(records_out_of_order_are_refused),
        cmocka_unit_test(both_sides_rekey_after_the_same_record),
        cmocka_unit_test(the_last_nonce_is_never_used),
        cmocka_unit_test(messages_over_the_limit_are_refused),
    };
    const struct CMUnitTest of_a_file[] = {cmocka_unit_test(vectors_of_a_file_are_reproduced)};
    int failed = cmocka_run_group_tests_name("rpc/noise", tests, NULL, NULL);
    if (getenv("DROVER_NOISE_VECTORS") != NULL) { // a test only for those who have such a file
        failed += cmocka_run_group_tests_name("rpc/noise file", of_a_file, NULL, NULL);
    }
    return failed;
}
