// The N-th allocation of whatever common/trust does fails: a bundle is refused, never accepted by
// half; a store, a patch or a key file is whole or an error.
#include "support/alloc_faults.h"
#include "support/test_tmp.h"
#include "trust/chain_patch.h"
#include "trust/keyfile.h"
#include "trust/store.h"
#include "unit/trust/world.h"

// id: C16
static void
verification_survives_the_failure_of_any_allocation(void **state)
{
    static struct world w;
    uint64_t at = 0;
    bool was_hit = true;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    while (was_hit) {
        struct dr_arena *arena = dr_arena_new(64u << 20);
        at++;
        alloc_fault_set(at, at % 2 == 0);
        enum dr_rc rc = dr_verify(arena, &w.input, &w.verdict, &w.err);
        was_hit = alloc_fault_end();
        if (dr_verdict_is_accepted(&w.verdict) != (rc == DR_OK) || (!was_hit && rc != DR_OK)) {
            fail_msg("allocation %llu: %s", (unsigned long long)at, dr_rc_name(rc));
        }
        dr_arena_free(&arena);
    }
    print_message("each of %llu allocations\n", (unsigned long long)at);
    assert_in_range(at, 100, 100000);
    world_end(&w);
}

// Each allocation of `act` fails in turn, once and from then on: it ends with an error, and the
// last run, which none disturbs, with DR_OK.
static void
each_allocation_fails(enum dr_rc (*act)(void *user), void *user, uint64_t least)
{
    for (int once = 0; once < 2; once++) {
        uint64_t at = 0;
        for (bool was_hit = true; was_hit;) {
            alloc_fault_set(++at, once == 1);
            enum dr_rc rc = act(user);
            was_hit = alloc_fault_end();
            if (!was_hit && rc != DR_OK) {
                fail_msg("undisturbed: %s", dr_rc_name(rc));
            }
        }
        assert_in_range(at, least, 100000);
    }
}

static enum dr_rc
use_key(void *user)
{
    struct world *w = user;
    struct dr_key key = {0}, again = {0};
    struct dr_secret *file = NULL;
    uint8_t seed[32] = {7};
    enum dr_rc rc = dr_key_from_seed(DR_KEY_SIGNING, seed, &key, &w->err);
    rc =
        rc == DR_OK ? dr_keyfile_encode(&key, NULL, DR_KEY_COST_MIN, "a test", &file, &w->err) : rc;
    rc = rc == DR_OK
             ? dr_keyfile_decode((struct dr_bytes){dr_secret_bytes(file), dr_secret_len(file)},
                                 DR_KEY_SIGNING, NULL, &again, &w->err)
             : rc;
    assert_true(rc != DR_OK || memcmp(key.public_key, again.public_key, 32) == 0);
    dr_secret_free(&file);
    dr_key_fini(&key);
    dr_key_fini(&again);
    return rc;
}

// id: C16
static void
a_key_file_is_whole_or_an_error(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    each_allocation_fails(use_key, &w, 5);
    world_end(&w);
}

struct patched {
    struct world *w;
    struct dr_bytes base, next;
    struct dr_chain held;
};

static enum dr_rc
use_patch(void *user)
{
    struct patched *p = user;
    Drover__V1__ChainPatch *patch = NULL;
    struct dr_bytes out = {0};
    struct dr_arena *arena = dr_arena_new(16u << 20);
    if (!arena) {
        return DR_E_NOMEM;
    }
    enum dr_rc rc = dr_chain_patch_make(arena, p->base, p->next, &patch, &p->w->err);
    rc = rc == DR_OK ? dr_chain_patch_apply(arena, &p->held, patch, &out, &p->w->err) : rc;
    assert_true(rc != DR_OK ||
                (out.len == p->next.len && memcmp(out.data, p->next.data, out.len) == 0));
    dr_arena_free(&arena);
    return rc;
}

// id: C16
static void
a_patched_chain_is_whole_or_an_error(void **state)
{
    static struct world w;
    static struct patched p;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    p = (struct patched){.w = &w, .base = w.chain.wire, .held = w.chain};
    w.chain_msg.version++;
    w.chain_msg.n_entries++;
    p.next = sign_by_two(&w, DR_TYPE_CHAIN, packed(&w, &w.chain_msg.base));
    each_allocation_fails(use_patch, &p, 10);
    world_end(&w);
}

struct stored {
    struct world *w;
    struct dr_tmp tmp;
    unsigned number;
    Drover__V1__TrustUpdate update;
};

// A new store takes a chain and gives it back.
static enum dr_rc
use_store(void *user)
{
    struct stored *s = user;
    struct dr_trust_store *store = NULL;
    Drover__V1__TrustUpdate *out = NULL;
    char path[PATH_MAX], name[32];
    bool changed = false;
    (void)snprintf(name, sizeof name, "trust-%u", s->number++);
    enum dr_rc rc = dr_trust_store_open(dr_tmp_path(&s->tmp, name, path), s->w->root.wire,
                                        s->w->root.file_sha256, &store, &s->w->err);
    rc = rc == DR_OK ? dr_trust_store_update(store, &s->update, NOW, &changed, &s->w->err) : rc;
    rc = rc == DR_OK ? dr_trust_store_reset_clock(store, &s->w->err) : rc;
    struct dr_arena *arena = rc == DR_OK ? dr_arena_new(16u << 20) : NULL;
    rc = rc == DR_OK && !arena ? DR_E_NOMEM : rc;
    rc = rc == DR_OK ? dr_trust_store_export(store, arena, &out, &s->w->err) : rc;
    assert_true(rc != DR_OK || out->chain.len == s->update.chain.len);
    dr_arena_free(&arena);
    dr_trust_store_close(&store);
    return rc;
}

// id: C16
static void
a_trusted_store_is_whole_or_an_error(void **state)
{
    static struct world w;
    static struct stored s;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    s = (struct stored){.w = &w};
    dr_tmp_init(&s.tmp);
    drover__v1__trust_update__init(&s.update);
    s.update.chain = data_of(w.chain.wire);
    each_allocation_fails(use_store, &s, 30);
    dr_tmp_fini(&s.tmp);
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_is_whole_or_an_error),
        cmocka_unit_test(a_patched_chain_is_whole_or_an_error),
        cmocka_unit_test(a_trusted_store_is_whole_or_an_error),
        cmocka_unit_test(verification_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
