// Envelope: format, DSSE's pre-authentication encoding, signatures, merging.
#include "unit/trust/world.h"

#include <sodium.h>
#include <stdlib.h>

static struct dr_bytes
text_bytes(const char *text)
{
    return (struct dr_bytes){(const uint8_t *)text, strlen(text)};
}

static struct dr_bytes
one_signed(struct world *w)
{
    struct dr_bytes wire;
    OK(w, dr_envelope_sign(w->arena, DR_TYPE_CHAIN, text_bytes("payload"), &w->person[ALICE], &wire,
                           &w->err));
    return wire;
}

// True if the wire parses and alice's signature holds.
static bool
verifies(struct world *w, struct dr_bytes wire)
{
    struct dr_envelope envelope;
    struct dr_bytes pae;
    if (dr_envelope_parse(wire, DR_TYPE_CHAIN, &envelope, &w->err) != DR_OK ||
        envelope.n_sigs != 1) {
        return false;
    }
    OK(w, dr_envelope_pae(w->arena, envelope.type, envelope.payload, &pae, &w->err));
    return dr_envelope_sig_is_valid(&envelope.sigs[0], w->person[ALICE].public_key, pae);
}

static void
pae_is_that_of_dsse(void **state)
{
    static struct world w;
    struct dr_bytes pae;
    const char *expected = "DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    (void)state; // id: E01
    world_begin(&w);
    OK(&w, dr_envelope_pae(w.arena, text_bytes("http://example.com/HelloWorld"),
                           text_bytes("hello world"), &pae, &w.err));
    assert_int_equal(pae.len, strlen(expected));
    assert_memory_equal(pae.data, expected, pae.len);
    world_end(&w);
}

static void
pae_tells_type_from_payload(void **state)
{
    static struct world w;
    struct dr_bytes a, b;
    (void)state; // id: E06
    world_begin(&w);
    OK(&w, dr_envelope_pae(w.arena, text_bytes("ab"), text_bytes("c"), &a, &w.err));
    OK(&w, dr_envelope_pae(w.arena, text_bytes("a"), text_bytes("bc"), &b, &w.err));
    assert_true(a.len != b.len || memcmp(a.data, b.data, a.len) != 0);
    world_end(&w);
}

static void
any_flipped_bit_is_refused(void **state)
{
    static struct world w;
    (void)state; // id: E02
    world_begin(&w);
    struct dr_bytes wire = one_signed(&w);
    assert_true(verifies(&w, wire));
    for (size_t bit = 0; bit < 8 * wire.len; bit++) {
        uint8_t *copy = dr_arena_copy(w.arena, wire.data, wire.len);
        copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(verifies(&w, (struct dr_bytes){copy, wire.len}));
    }
    world_end(&w);
}

static void
any_cut_and_any_trailing_byte_is_refused(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    (void)state; // id: E03 E04
    world_begin(&w);
    struct dr_bytes wire = one_signed(&w);
    for (size_t len = 0; len < wire.len; len++) {
        // A copy of exactly this length, so that a read behind it is seen.
        uint8_t *copy = malloc(len + (len == 0));
        memcpy(copy, wire.data, len);
        REFUSED(DR_E_BAD_ENVELOPE,
                dr_envelope_parse((struct dr_bytes){copy, len}, NULL, &envelope, &w.err));
        free(copy);
    }
    uint8_t *longer = dr_arena_alloc(w.arena, wire.len + 1);
    memcpy(longer, wire.data, wire.len);
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){longer, wire.len + 1}, NULL, &envelope, &w.err));
    world_end(&w);
}

static void
wrong_type_is_refused(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes wire;
    (void)state; // id: E07
    world_begin(&w);
    wire = one_signed(&w);
    REFUSED(DR_E_WRONG_TYPE, dr_envelope_parse(wire, DR_TYPE_FLEET, &envelope, &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    OK(&w, dr_envelope_sign(w.arena, "drover/other.v1", text_bytes("x"), &w.person[ALICE], &wire,
                            &w.err));
    REFUSED(DR_E_WRONG_TYPE, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    world_end(&w);
}

static void
length_beyond_the_bytes_is_refused(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    (void)state; // id: E14
    world_begin(&w);
    struct dr_bytes wire = one_signed(&w);
    uint8_t *copy = dr_arena_copy(w.arena, wire.data, wire.len);
    size_t at = 5 + strlen(DR_TYPE_CHAIN);
    memset(copy + at, 0xff, 4);
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){copy, wire.len}, NULL, &envelope, &w.err));
    memcpy(copy, wire.data, wire.len);
    copy[at + 3]++;
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){copy, wire.len}, NULL, &envelope, &w.err));
    memcpy(copy, wire.data, wire.len);
    copy[4] = 65;
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){copy, wire.len}, NULL, &envelope, &w.err));
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_copy(w.arena, (struct dr_bytes){copy, (size_t)DR_ENVELOPE_MAX + 1}, NULL,
                             &envelope, &w.err));
    world_end(&w);
}

static void
more_than_32_signatures_are_refused(void **state)
{
    static struct world w;
    struct dr_signature sigs[33];
    struct dr_bytes wire;
    (void)state; // id: E14
    world_begin(&w);
    memset(sigs, 0, sizeof(sigs));
    for (uint8_t i = 0; i < 33; i++) {
        sigs[i].kind = DR_SIG_ED25519;
        sigs[i].keyid[0] = (uint8_t)(33 - i);
    }
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_build(w.arena, DR_TYPE_ROOT, text_bytes("x"), sigs, 33, &wire, &w.err));
    OK(&w, dr_envelope_build(w.arena, DR_TYPE_ROOT, text_bytes("x"), sigs, 32, &wire, &w.err));
    // 33 written by hand
    struct dr_envelope envelope;
    uint8_t *more = dr_arena_alloc(w.arena, wire.len + DR_ENVELOPE_SIG_BYTES);
    size_t at = 5 + strlen(DR_TYPE_ROOT) + 4 + 1;
    memcpy(more, wire.data, wire.len);
    more[at] = 33;
    more[wire.len] = 1;
    memset(more + wire.len + 1, 0xff, 32);
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){more, wire.len + DR_ENVELOPE_SIG_BYTES}, NULL,
                              &envelope, &w.err));
    world_end(&w);
}

static void
key_ids_out_of_order_are_refused(void **state)
{
    static struct world w;
    struct dr_signature sigs[2];
    struct dr_bytes wire;
    struct dr_envelope envelope;
    (void)state; // id: E12 Q05
    world_begin(&w);
    memset(sigs, 0, sizeof(sigs));
    sigs[0].kind = sigs[1].kind = DR_SIG_ED25519;
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_build(w.arena, DR_TYPE_ROOT, text_bytes("x"), sigs, 2, &wire, &w.err));
    sigs[1].keyid[0] = 1;
    OK(&w, dr_envelope_build(w.arena, DR_TYPE_ROOT, text_bytes("x"), sigs, 2, &wire, &w.err));
    uint8_t *copy = dr_arena_copy(w.arena, wire.data, wire.len);
    copy[wire.len - 2 * DR_ENVELOPE_SIG_BYTES + 1] = 2;
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_parse((struct dr_bytes){copy, wire.len}, NULL, &envelope, &w.err));
    sigs[1].kind = 2;
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_build(w.arena, DR_TYPE_ROOT, text_bytes("x"), sigs, 2, &wire, &w.err));
    world_end(&w);
}

static void
key_id_that_lies_is_not_counted(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes pae;
    (void)state; // id: E13
    world_begin(&w);
    OK(&w, dr_envelope_parse(one_signed(&w), NULL, &envelope, &w.err));
    OK(&w, dr_envelope_pae(w.arena, envelope.type, envelope.payload, &pae, &w.err));
    dr_keyid(w.person[BOB].public_key, envelope.sigs[0].keyid);
    assert_false(dr_envelope_sig_is_valid(&envelope.sigs[0], w.person[ALICE].public_key, pae));
    assert_false(dr_envelope_sig_is_valid(&envelope.sigs[0], w.person[BOB].public_key, pae));
    world_end(&w);
}

// S + L is the same scalar: accepted, it would make signatures malleable.
static void
malleated_signature_is_refused(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes pae;
    (void)state; // id: E09
    world_begin(&w);
    OK(&w, dr_envelope_parse(one_signed(&w), NULL, &envelope, &w.err));
    OK(&w, dr_envelope_pae(w.arena, envelope.type, envelope.payload, &pae, &w.err));
    sodium_add(envelope.sigs[0].sig + 32, order, 32);
    assert_false(dr_envelope_sig_is_valid(&envelope.sigs[0], w.person[ALICE].public_key, pae));
    world_end(&w);
}

static void
weak_public_keys_are_not_sane(void **state)
{
    static struct world w;
    uint8_t key[32] = {0};
    (void)state; // id: E10 E11
    world_begin(&w);
    assert_false(dr_signing_key_is_sane(key)); // order 4
    key[0] = 1;
    assert_false(dr_signing_key_is_sane(key)); // the neutral element
    memset(key, 0xff, 32);
    assert_false(dr_signing_key_is_sane(key)); // not canonical
    assert_true(dr_signing_key_is_sane(w.person[ALICE].public_key));
    world_end(&w);
}

static void
adding_a_signature_twice_changes_nothing(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes both, again;
    (void)state; // id: W14
    world_begin(&w);
    OK(&w, dr_envelope_parse(one_signed(&w), NULL, &envelope, &w.err));
    OK(&w, dr_envelope_add(w.arena, &envelope, &w.person[BOB], &both, &w.err));
    OK(&w, dr_envelope_parse(both, NULL, &envelope, &w.err));
    assert_int_equal(envelope.n_sigs, 2);
    OK(&w, dr_envelope_add(w.arena, &envelope, &w.person[BOB], &again, &w.err));
    assert_int_equal(both.len, again.len);
    assert_memory_equal(both.data, again.data, both.len);
    world_end(&w);
}

static void
merge_joins_signatures_over_one_payload_only(void **state)
{
    static struct world w;
    struct dr_envelope a, b, all;
    struct dr_bytes wire;
    (void)state; // id: W08 Q11
    world_begin(&w);
    OK(&w, dr_envelope_parse(one_signed(&w), NULL, &a, &w.err));
    OK(&w, dr_envelope_sign(w.arena, DR_TYPE_CHAIN, text_bytes("payload"), &w.person[BOB], &wire,
                            &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &b, &w.err));
    OK(&w, dr_envelope_merge(w.arena, &a, &b, &wire, &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &all, &w.err));
    assert_int_equal(all.n_sigs, 2);
    OK(&w, dr_envelope_sign(w.arena, DR_TYPE_CHAIN, text_bytes("other"), &w.person[BOB], &wire,
                            &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &b, &w.err));
    REFUSED(DR_E_CONFLICT, dr_envelope_merge(w.arena, &a, &b, &wire, &w.err));
    OK(&w, dr_envelope_sign(w.arena, DR_TYPE_FLEET, text_bytes("payload"), &w.person[BOB], &wire,
                            &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &b, &w.err));
    REFUSED(DR_E_CONFLICT, dr_envelope_merge(w.arena, &a, &b, &wire, &w.err));
    b.n_sigs = 0;
    memcpy(&b.type, &a.type, sizeof(a.type));
    memcpy(b.sha256, a.sha256, 32);
    OK(&w, dr_envelope_merge(w.arena, &a, &b, &wire, &w.err));
    world_end(&w);
}

static void
limits_of_the_writer_hold(void **state)
{
    static struct world w;
    struct dr_bytes wire;
    char long_type[66];
    (void)state;
    world_begin(&w);
    memset(long_type, 'a', 65);
    long_type[65] = '\0';
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_build(w.arena, long_type, text_bytes("x"), NULL, 0, &wire, &w.err));
    uint8_t *big = dr_arena_alloc(w.arena, DR_ENVELOPE_PAYLOAD_MAX + 1);
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_envelope_build(w.arena, DR_TYPE_ROOT,
                              (struct dr_bytes){big, DR_ENVELOPE_PAYLOAD_MAX + 1}, NULL, 0, &wire,
                              &w.err));
    struct dr_key transport = test_key(&w, DR_KEY_TRANSPORT, 3);
    REFUSED(DR_E_KEY_KIND,
            dr_envelope_sign(w.arena, DR_TYPE_ROOT, text_bytes("x"), &transport, &wire, &w.err));
    struct dr_envelope envelope;
    OK(&w, dr_envelope_parse(one_signed(&w), NULL, &envelope, &w.err));
    REFUSED(DR_E_KEY_KIND, dr_envelope_add(w.arena, &envelope, &transport, &wire, &w.err));
    dr_key_fini(&transport);
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_bytes wire;
    struct dr_envelope envelope;
    (void)state;
    world_begin(&w);
    struct dr_bytes good = one_signed(&w);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_envelope_sign(small, DR_TYPE_CHAIN, text_bytes("payload"), &w.person[ALICE], &wire,
                              &w.err);
        if (rc == DR_OK) {
            rc = dr_envelope_copy(small, good, NULL, &envelope, &w.err);
        }
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 100000);
    }
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pae_is_that_of_dsse),
        cmocka_unit_test(pae_tells_type_from_payload),
        cmocka_unit_test(any_flipped_bit_is_refused),
        cmocka_unit_test(any_cut_and_any_trailing_byte_is_refused),
        cmocka_unit_test(wrong_type_is_refused),
        cmocka_unit_test(length_beyond_the_bytes_is_refused),
        cmocka_unit_test(more_than_32_signatures_are_refused),
        cmocka_unit_test(key_ids_out_of_order_are_refused),
        cmocka_unit_test(key_id_that_lies_is_not_counted),
        cmocka_unit_test(malleated_signature_is_refused),
        cmocka_unit_test(weak_public_keys_are_not_sane),
        cmocka_unit_test(adding_a_signature_twice_changes_nothing),
        cmocka_unit_test(merge_joins_signatures_over_one_payload_only),
        cmocka_unit_test(limits_of_the_writer_hold),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
