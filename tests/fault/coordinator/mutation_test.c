// A good bundle, spoilt at random ten thousand times, and a few hundred of these through the real
// agent: nothing but the good one is ever accepted, and the agent lives. The seed is fixed;
// DROVER_SEED tries another, DROVER_MUTATIONS another count.
#include "support/evil.h"

#include "trust/store.h"
#include "trust/verify.h"

#define ROUNDS       10000u
#define AGENT_ROUNDS 300u
#define BATCH        12u

// SplitMix64 (Steele, Lea, Flood 2014).
static uint64_t
next_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint64_t
number_of(const char *variable, uint64_t fallback)
{
    const char *text = getenv(variable);
    return text == NULL ? fallback : strtoull(text, NULL, 10);
}

static uint64_t
seed_of(void)
{
    return number_of("DROVER_SEED", 20261);
}

// One to three changes: a bit, a byte, a run overwritten by another run, a run cut out or doubled.
static size_t
spoil(uint64_t *seed, uint8_t *bytes, size_t len, size_t cap)
{
    unsigned changes = 1 + (unsigned)(next_random(seed) % 3);
    for (unsigned i = 0; i < changes && len > 64; i++) {
        size_t at = next_random(seed) % len;
        size_t from = next_random(seed) % len;
        size_t run = 1 + next_random(seed) % 40;
        run = at + run > len ? len - at : run;
        run = from + run > len ? len - from : run;
        switch (next_random(seed) % 5) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << (next_random(seed) % 8));
            break;
        case 1:
            bytes[at] = (uint8_t)next_random(seed);
            break;
        case 2:
            memmove(bytes + at, bytes + from, run);
            break;
        case 3:
            memmove(bytes + at, bytes + at + run, len - at - run);
            len -= run;
            break;
        default:
            run = len + run > cap ? cap - len : run;
            memmove(bytes + at + run, bytes + at, len - at);
            len += run;
        }
    }
    return len;
}

// Changes that leave every checked byte as it was: hints outside of all signatures, or a different
// packing.
static bool
means_the_same(const Drover__V1__Bundle *good, const Drover__V1__Bundle *other)
{
    bool same = good->approval.len == other->approval.len &&
                memcmp(good->approval.data, other->approval.data, good->approval.len) == 0 &&
                dr_data_eq(good->leaf->leaf, other->leaf->leaf);
    return same;
}

struct bench {
    struct evil *e;
    struct dr_attestation ready;
    struct dr_bytes packed, plan, ready_payload, backup;
    struct dr_verify_me me;
    struct e_draft d;
};

static enum dr_rc
verify(struct bench *b, const struct dr_trust *trust, struct dr_arena *arena, struct dr_bytes bytes,
       bool *out_is_same)
{
    struct dr_err err = {0};
    struct dr_verdict verdict = {0};
    Drover__V1__Bundle *bundle =
        drover__v1__bundle__unpack(dr_arena_protobuf(arena), bytes.len, bytes.data);
    *out_is_same = false;
    if (bundle == NULL) {
        return DR_E_BAD_DOCUMENT;
    }
    const struct dr_verify_input input = {.me = &b->me,
                                          .trust = trust,
                                          .bundle = bundle,
                                          .plan = b->plan,
                                          .ready = b->ready_payload,
                                          .backup = b->backup,
                                          .now = dr_now_unix_s()};
    enum dr_rc rc = dr_verify(arena, &input, &verdict, &err);
    assert_int_equal(rc == DR_OK, dr_verdict_is_accepted(&verdict));
    *out_is_same = rc == DR_OK && means_the_same(b->d.bundle, bundle);
    return rc;
}

static struct dr_bytes
payload_of(struct coord *c, struct dr_bytes wire)
{
    struct dr_envelope envelope;
    C_OK(c, dr_envelope_parse(wire, NULL, &envelope, &c->err));
    return envelope.payload;
}

// The last BACKUP's payload among what the agent said.
static struct dr_bytes
backup_of(struct coord *c)
{
    for (size_t i = c->n_seen; i > 0; i--) {
        struct dr_attestation one;
        C_OK(c, dr_attest_decode(c->arena, c->seen[i - 1], false, &one, &c->err));
        if (one.msg->kind == KIND_OF(BACKUP)) {
            return payload_of(c, c->seen[i - 1]);
        }
    }
    fail_msg("no BACKUP came");
    return (struct dr_bytes){0};
}

static void
prepare(struct bench *b)
{
    struct coord *c = &b->e->c;
    c_start_agent(c, NULL);
    b->ready = e_ready(b->e);
    e_make(b->e, &b->ready, NULL, &b->d);
    b->packed = c_pack(c, &b->d.bundle->base);
    b->plan = c->plan_bytes;
    b->ready_payload = payload_of(c, b->ready.wire);
    b->backup = backup_of(c);
    b->me = (struct dr_verify_me){
        .target = C_TARGET, .environment = "production", .agent = C_AGENT, .engine = c->engine};
    memcpy(b->me.signing_key, c->agent_key.signing, 32);
}

// id: X01 Z01 Z13
static void
no_spoilt_bundle_is_accepted(void **state)
{
    static struct bench b;
    uint64_t seed = seed_of(), first = seed, rounds = number_of("DROVER_MUTATIONS", ROUNDS);
    unsigned accepted = 0, hints = 0;
    (void)state;
    b = (struct bench){.e = e_begin()};
    struct coord *c = &b.e->c;
    prepare(&b);
    struct dr_trust trust = {
        .root = c->root, .fleet = c->fleet, .entries = c->entries, .n_entries = c->n_entries};
    C_OK(c, dr_chain_load(c->arena, &c->root, c->chain_wire, &trust.chain, &c->err));
    struct dr_arena *arena = dr_arena_new(64u << 20);
    bool same = false;
    assert_int_equal(verify(&b, &trust, arena, b.packed, &same), DR_OK);
    assert_true(same);
    size_t cap = b.packed.len * 2;
    uint8_t *bytes = malloc(cap);
    for (uint64_t i = 0; i < rounds; i++) {
        dr_arena_free(&arena);
        arena = dr_arena_new(64u << 20);
        memcpy(bytes, b.packed.data, b.packed.len);
        size_t len = spoil(&seed, bytes, b.packed.len, cap);
        const struct dr_bytes spoilt = {.data = bytes, .len = len};
        if (verify(&b, &trust, arena, spoilt, &same) == DR_OK) {
            accepted++;
            hints += same ? 1 : 0;
        }
    }
    // What is accepted is the very approval that was signed, with a hint changed beside it.
    print_message("seed %llu: %llu mutations, %u with a changed hint beside the signed bytes\n",
                  (unsigned long long)first, (unsigned long long)rounds, hints);
    assert_int_equal(accepted, hints);
    free(bytes);
    dr_arena_free(&arena);
    e_end(b.e);
}

// The same through the real agent. What changes no signed byte may run: then it ran once, as it was
// approved. id: X01
static void
the_real_agent_survives_spoilt_bundles(void **state)
{
    static struct bench b;
    uint64_t seed = seed_of() + 1;
    (void)state;
    b = (struct bench){.e = e_begin()};
    struct coord *c = &b.e->c;
    prepare(&b);
    struct dr_attestation last = b.ready;
    for (unsigned i = 0; i < AGENT_ROUNDS / BATCH; i++) {
        c->n_push = 0;
        for (unsigned k = 0; k < BATCH; k++) {
            uint8_t *bytes = dr_arena_alloc(c->arena, b.packed.len * 2);
            memcpy(bytes, b.packed.data, b.packed.len);
            // Only inside of the approval, so that none of them is the good one.
            size_t at = (size_t)((const uint8_t *)memmem(bytes, b.packed.len,
                                                         b.d.bundle->approval.data, 64) -
                                 bytes);
            bytes[at + next_random(&seed) % b.d.bundle->approval.len] ^=
                (uint8_t)(1u << (next_random(&seed) % 8));
            size_t len =
                k % 3 == 0 ? b.packed.len : spoil(&seed, bytes, b.packed.len, b.packed.len * 2);
            c_push_bytes(c, k % 4 == 3 ? E_PUSH(TRUST) : E_PUSH(BUNDLE),
                         (struct dr_bytes){.data = bytes, .len = len});
        }
        C_UNTIL(c, c->push[BATCH - 1].is_acked);
    }
    c->n_push = 0;
    c_push_prepare(c, E_MODE(UP)); // comes after all of them
    do {
        last = c_next(c);
        assert_int_not_equal(last.msg->kind, KIND_OF(APPLIED));
    } while (last.msg->kind != KIND_OF(READY));
    e_oracles(b.e, "X01");
    e_good_one_runs(b.e, &last);
    e_end(b.e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_spoilt_bundle_is_accepted),
        cmocka_unit_test(the_real_agent_survives_spoilt_bundles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
