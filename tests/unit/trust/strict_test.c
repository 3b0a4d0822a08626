// Strict decode: only the canonical form of a known type within its limits is accepted.
#include "unit/trust/world.h"

#define TYPE(name) &drover__v1__##name##__descriptor

static struct dr_bytes
good_signoff(struct world *w)
{
    static const uint8_t id[16] = "sixteen bytes id";
    w->item_msg.signoff_id = dr_data(id, 16);
    w->item_msg.plan_sha256 = DATA32(w->fp_before);
    w->item_msg.note = word(w, "read the logs");
    return packed(w, &w->item_msg.base);
}

static enum dr_rc
decode(struct world *w, struct dr_bytes bytes)
{
    ProtobufCMessage *message = NULL;
    return dr_strict_decode(w->arena, TYPE(signoff), bytes, &message, &w->err);
}

// `bytes` with `n` bytes of `more` put in at `at`.
static struct dr_bytes
insert(struct world *w, struct dr_bytes bytes, size_t at, const char *more, size_t n)
{
    uint8_t *longer = dr_arena_alloc(w->arena, bytes.len + n);
    memcpy(longer, bytes.data, at);
    memcpy(longer + at, more, n);
    memcpy(longer + at + n, bytes.data + at, bytes.len - at);
    return (struct dr_bytes){longer, bytes.len + n};
}

static void
canonical_form_is_accepted(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    (void)state;
    world_begin(&w);
    struct dr_bytes good = good_signoff(&w), again;
    OK(&w, dr_strict_decode(w.arena, TYPE(signoff), good, &message, &w.err));
    OK(&w, dr_strict_encode(w.arena, message, &again, &w.err));
    assert_int_equal(again.len, good.len);
    assert_memory_equal(again.data, good.data, good.len);
    world_end(&w);
}

static void
other_forms_of_the_same_meaning_are_refused(void **state)
{
    static const struct {
        const char *what, *bytes;
        size_t n;
        bool at_front;
    } rows[] = {
        {"unknown field", "\x58\x01", 2, false},
        {"unknown field of bytes", "\x7a\x01x", 3, false},
        {"duplicate singular", "\x18\x01", 2, false},
        {"explicit default", "\x50\x00", 2, false},
        {"out of order", "\x32\x01x", 3, true},
        {"wrong wire type", "\x1a\x01\x01", 3, false},
        {"group", "\x5b\x5c", 2, false},
        {"cut varint", "\x50\x80", 2, false},
        {"huge length", "\x3a\xff\xff\xff\xff\x0f", 6, false},
    };
    static struct world w;
    (void)state; // id: Z06 E15
    world_begin(&w);
    struct dr_bytes good = good_signoff(&w);
    OK(&w, decode(&w, good));
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        enum dr_rc rc =
            decode(&w, insert(&w, good, rows[i].at_front ? 0 : good.len, rows[i].bytes, rows[i].n));
        if (rc != DR_E_BAD_DOCUMENT) {
            fail_msg("%s: %s", rows[i].what, dr_rc_name(rc));
        }
    }
    world_end(&w);
}

static void
long_varint_is_refused(void **state)
{
    static struct world w;
    (void)state; // id: Z06
    world_begin(&w);
    struct dr_bytes good = good_signoff(&w);
    // field 3 (kind) is the third: 1a.. 1 | 12.. 2 | 18 01
    size_t at = 2 + 16 + 2 + 16 + 1;
    assert_int_equal(good.data[at - 1], 0x18);
    uint8_t *copy = dr_arena_copy(w.arena, good.data, good.len);
    copy[at] = 0x81;
    REFUSED(DR_E_BAD_DOCUMENT,
            decode(&w, insert(&w, (struct dr_bytes){copy, good.len}, at + 1, "\x00", 1)));
    world_end(&w);
}

static void
texts_that_are_not_plain_are_refused(void **state)
{
    static const char *const notes[] = {"\xff",
                                        "a\xc0\x80",
                                        "\xe2\x80\xae"
                                        "bidi",
                                        "\x1b[31mred",
                                        "\xe2\x80\x8bzero",
                                        "\xed\xa0\x80",
                                        "\x7f",
                                        "\xc2\x85"};
    static struct world w;
    (void)state; // id: Z06 Z07 W03
    world_begin(&w);
    for (size_t i = 0; i < DR_COUNT_OF(notes); i++) {
        (void)good_signoff(&w);
        w.item_msg.note = word(&w, notes[i]);
        enum dr_rc rc = decode(&w, packed(&w, &w.item_msg.base));
        if (rc != DR_E_BAD_DOCUMENT) {
            fail_msg("note %zu: %s", i, dr_rc_name(rc));
        }
    }
    (void)good_signoff(&w);
    char *endless = dr_arena_alloc(w.arena, 4098);
    memset(endless, 'x', 4097);
    w.item_msg.note = endless;
    REFUSED(DR_E_BAD_DOCUMENT, decode(&w, packed(&w, &w.item_msg.base)));
    assert_non_null(strstr(w.err.message, "note"));
    endless[4096] = '\0';
    OK(&w, decode(&w, packed(&w, &w.item_msg.base)));
    world_end(&w);
}

static void
nul_in_a_text_is_refused(void **state)
{
    static struct world w;
    (void)state; // id: Z06
    world_begin(&w);
    struct dr_bytes good = good_signoff(&w);
    uint8_t *copy = dr_arena_copy(w.arena, good.data, good.len);
    uint8_t *note = memmem(copy, good.len, "read the logs", 13);
    note[4] = '\0';
    REFUSED(DR_E_BAD_DOCUMENT, decode(&w, (struct dr_bytes){copy, good.len}));
    world_end(&w);
}

static void
digests_of_other_lengths_are_refused(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    (void)good_signoff(&w);
    w.item_msg.plan_sha256.len = 31;
    REFUSED(DR_E_BAD_DOCUMENT, decode(&w, packed(&w, &w.item_msg.base)));
    w.item_msg.plan_sha256.len = 0;
    OK(&w, decode(&w, packed(&w, &w.item_msg.base)));
    w.item_msg.signoff_id.len = 0;
    REFUSED(DR_E_BAD_DOCUMENT, decode(&w, packed(&w, &w.item_msg.base)));
    world_end(&w);
}

static void
parent_without_its_length_is_refused(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    (void)state;
    world_begin(&w);
    w.parent[1][0].len = 0;
    REFUSED(DR_E_BAD_DOCUMENT, dr_strict_decode(w.arena, TYPE(chain), packed(&w, &w.chain_msg.base),
                                                &message, &w.err));
    assert_non_null(strstr(w.err.message, "ChainEntry.parents"));
    world_end(&w);
}

static void
unknown_enum_value_is_refused(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    (void)state; // id: G14
    world_begin(&w);
    w.gate[0].kind = (Drover__V1__GateKind)99;
    REFUSED(DR_E_BAD_DOCUMENT,
            dr_strict_decode(w.arena, TYPE(fleet_entry), packed(&w, &w.entry_msg[TARGETS].base),
                             &message, &w.err));
    assert_non_null(strstr(w.err.message, "Gate.kind"));
    world_end(&w);
}

static void
too_many_elements_are_refused(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    Drover__V1__Person *people[129];
    (void)state;
    world_begin(&w);
    for (size_t i = 0; i < 129; i++) {
        people[i] = &w.people[0];
    }
    w.root_msg.people = people;
    w.root_msg.n_people = 129;
    REFUSED(DR_E_BAD_DOCUMENT,
            dr_strict_decode(w.arena, TYPE(root), packed(&w, &w.root_msg.base), &message, &w.err));
    w.root_msg.n_people = 128;
    OK(&w, dr_strict_decode(w.arena, TYPE(root), packed(&w, &w.root_msg.base), &message, &w.err));
    world_end(&w);
}

static void
other_types_and_sizes_are_refused(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    (void)state; // id: Z09
    world_begin(&w);
    REFUSED(DR_E_LIMIT,
            dr_strict_decode(w.arena, TYPE(bundle), good_signoff(&w), &message, &w.err));
    uint8_t *big = dr_arena_alloc(w.arena, (64u << 10) + 1);
    REFUSED(DR_E_LIMIT, decode(&w, (struct dr_bytes){big, (64u << 10) + 1}));
    world_end(&w);
}

// 1 MiB of empty entries asks for about 90 times its size in memory.
static void
amplification_ends_at_the_cap(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    size_t len = 1u << 20;
    (void)state; // id: Z08
    world_begin(&w);
    uint8_t *bytes = dr_arena_alloc(w.arena, len);
    for (size_t i = 0; i < len; i += 2) {
        bytes[i] = 0x2a; // Chain.entries, length 0
    }
    size_t before = dr_arena_used(w.arena);
    REFUSED(DR_E_LIMIT, dr_strict_decode(w.arena, TYPE(chain), (struct dr_bytes){bytes, len},
                                         &message, &w.err));
    assert_true(dr_arena_used(w.arena) - before < 20 * len);
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    ProtobufCMessage *message = NULL;
    struct dr_bytes again;
    (void)state;
    world_begin(&w);
    struct dr_bytes good = packed(&w, &w.root_msg.base);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_strict_decode(small, TYPE(root), good, &message, &w.err);
        if (rc == DR_OK) {
            rc = dr_strict_encode(small, &w.root_msg.base, &again, &w.err);
        }
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    w.item_msg.note = word(&w, "\x1b");
    REFUSED(DR_E_BAD_DOCUMENT, dr_strict_encode(w.arena, &w.item_msg.base, &again, &w.err));
    world_end(&w);
}

// Property: whatever is accepted packs to the same bytes again.
static void
accepted_means_packed_equal(void **state)
{
    static struct world w;
    uint32_t seed = 12345, accepted = 0;
    (void)state; // id: Z02 Z13
    world_begin(&w);
    struct dr_bytes good = good_signoff(&w);
    for (size_t round = 0; round < 20000; round++) {
        struct dr_arena *arena = dr_arena_new(1u << 20);
        ProtobufCMessage *message = NULL;
        uint8_t *copy = dr_arena_copy(arena, good.data, good.len);
        for (size_t k = 0; k <= round % 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % good.len] ^= (uint8_t)(1u << (seed >> 29));
        }
        size_t len = round % 7 == 0 ? seed % (good.len + 1) : good.len;
        if (dr_strict_decode(arena, TYPE(signoff), (struct dr_bytes){copy, len}, &message, NULL) ==
            DR_OK) {
            uint8_t *again = dr_arena_alloc(arena, len);
            assert_int_equal(protobuf_c_message_get_packed_size(message), len);
            protobuf_c_message_pack(message, again);
            assert_memory_equal(again, copy, len);
            accepted++;
        }
        dr_arena_free(&arena);
    }
    assert_true(accepted > 100);
    world_end(&w);
}

static void
data_is_compared_by_length_and_content(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    assert_true(dr_data_eq(dr_data(NULL, 0), dr_data(NULL, 0)));
    assert_false(dr_data_eq(dr_data(NULL, 0), DATA32(w.nonce)));
    assert_false(dr_data_eq(DATA32(w.fp_before), DATA32(w.nonce)));
    assert_true(dr_data_is(DATA32(w.nonce), w.nonce));
    assert_false(dr_data_is(dr_data(w.nonce, 31), w.nonce));
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form_is_accepted),
        cmocka_unit_test(other_forms_of_the_same_meaning_are_refused),
        cmocka_unit_test(long_varint_is_refused),
        cmocka_unit_test(texts_that_are_not_plain_are_refused),
        cmocka_unit_test(nul_in_a_text_is_refused),
        cmocka_unit_test(digests_of_other_lengths_are_refused),
        cmocka_unit_test(parent_without_its_length_is_refused),
        cmocka_unit_test(unknown_enum_value_is_refused),
        cmocka_unit_test(too_many_elements_are_refused),
        cmocka_unit_test(other_types_and_sizes_are_refused),
        cmocka_unit_test(amplification_ends_at_the_cap),
        cmocka_unit_test(lack_of_memory_is_an_error),
        cmocka_unit_test(accepted_means_packed_equal),
        cmocka_unit_test(data_is_compared_by_length_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
