// Chain patches: what an agent that holds an earlier chain is told gives exactly the new envelope,
// and a patch that lies gives an error or an envelope that does not verify.
#include "unit/trust/world.h"

#include "support/test_tmp.h"
#include "trust/chain_patch.h"
#include "trust/store.h"

#include <stdlib.h>

struct two {
    struct dr_bytes base, next;
    struct dr_chain held;
};

static struct dr_bytes
signed_chain(struct world *w)
{
    return sign_by_two(w, DR_TYPE_CHAIN, packed(w, &w->chain_msg.base));
}

static struct two
begin_two(struct world *w)
{
    struct two two;
    world_begin(w);
    world_sign(w);
    two.base = signed_chain(w);
    OK(w, dr_chain_load(w->arena, &w->root, two.base, &two.held, &w->err));
    w->chain_msg.version = 3000;
    w->chain_msg.n_entries++;
    two.next = signed_chain(w);
    return two;
}

static void
a_patch_gives_the_new_envelope_to_the_byte(void **state)
{
    static struct world w;
    Drover__V1__ChainPatch *patch = NULL;
    struct dr_bytes out;
    (void)state;
    struct two two = begin_two(&w);
    OK(&w, dr_chain_patch_make(w.arena, two.base, two.next, &patch, &w.err));
    assert_non_null(patch);
    assert_true(patch->length > 0);
    OK(&w, dr_chain_patch_apply(w.arena, &two.held, patch, &out, &w.err));
    assert_int_equal(out.len, two.next.len);
    assert_memory_equal(out.data, two.next.data, out.len);
    world_end(&w);
}

static void
what_does_not_extend_the_held_chain_has_no_patch(void **state)
{
    static struct world w;
    Drover__V1__ChainPatch *patch = NULL;
    (void)state;
    struct two two = begin_two(&w);
    OK(&w, dr_chain_patch_make(w.arena, two.next, two.base, &patch, &w.err));
    assert_null(patch);
    w.chain_entry[0].author = word(&w, "alice");
    OK(&w, dr_chain_patch_make(w.arena, two.base, signed_chain(&w), &patch, &w.err));
    assert_null(patch);
    REFUSED(DR_E_WRONG_TYPE, dr_chain_patch_make(w.arena, w.root.wire, two.next, &patch, &w.err));
    REFUSED(DR_E_WRONG_TYPE, dr_chain_patch_make(w.arena, two.base, w.root.wire, &patch, &w.err));
    world_end(&w);
}

static void
a_patch_that_reaches_outside_or_names_another_base_is_refused(void **state)
{
    static struct world w;
    Drover__V1__ChainPatch *patch = NULL;
    struct dr_bytes out;
    uint8_t other[32] = {1};
    struct dr_chain none = {0};
    (void)state;
    struct two two = begin_two(&w);
    OK(&w, dr_chain_patch_make(w.arena, two.base, two.next, &patch, &w.err));
    Drover__V1__ChainPatch lie = *patch;
    lie.base_sha256 = DATA32(other);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_patch_apply(w.arena, &two.held, &lie, &out, &w.err));
    REFUSED(DR_E_BAD_CHAIN, dr_chain_patch_apply(w.arena, &none, patch, &out, &w.err));
    lie = *patch;
    lie.offset = UINT64_MAX;
    REFUSED(DR_E_BAD_CHAIN, dr_chain_patch_apply(w.arena, &two.held, &lie, &out, &w.err));
    lie = *patch;
    lie.length = UINT64_MAX - 3;
    REFUSED(DR_E_BAD_CHAIN, dr_chain_patch_apply(w.arena, &two.held, &lie, &out, &w.err));
    uint8_t *large = calloc(1, DR_ENVELOPE_MAX + 1);
    for (int i = 0; i < 3; i++) {
        lie = *patch;
        *(i == 0 ? &lie.before : &lie.after) = dr_data(large, DR_ENVELOPE_MAX + (i == 2 ? 0 : 1));
        REFUSED(DR_E_LIMIT, dr_chain_patch_apply(w.arena, &two.held, &lie, &out, &w.err));
    }
    free(large);
    world_end(&w);
}

static void
a_store_takes_a_patch_and_verifies_what_it_gives(void **state)
{
    static struct world w;
    struct dr_tmp tmp;
    char path[PATH_MAX];
    struct dr_trust_store *store = NULL;
    bool changed = false;
    Drover__V1__ChainPatch *patch = NULL;
    Drover__V1__TrustUpdate update = DROVER__V1__TRUST_UPDATE__INIT;
    (void)state;
    dr_tmp_init(&tmp);
    struct two two = begin_two(&w);
    OK(&w, dr_trust_store_open(dr_tmp_path(&tmp, "trust", path), w.root.wire, w.root.file_sha256,
                               &store, &w.err));
    update.chain = dr_data(two.base.data, two.base.len);
    OK(&w, dr_trust_store_update(store, &update, NOW, &changed, &w.err));
    update.chain = (ProtobufCBinaryData){0};
    OK(&w, dr_chain_patch_make(w.arena, two.base, two.next, &patch, &w.err));
    uint8_t byte = (uint8_t)(patch->after.data[patch->after.len - 1] ^ 1);
    uint8_t *after = dr_arena_copy(w.arena, patch->after.data, patch->after.len);
    after[patch->after.len - 1] = byte;
    Drover__V1__ChainPatch forged = *patch;
    forged.after = dr_data(after, patch->after.len);
    update.chain_patch = &forged;
    REFUSED(DR_E_QUORUM, dr_trust_store_update(store, &update, NOW, &changed, &w.err));
    update.chain_patch = patch;
    OK(&w, dr_trust_store_update(store, &update, NOW, &changed, &w.err));
    assert_true(changed);
    assert_int_equal(dr_trust_store_get(store)->chain.msg->version, 3000);
    REFUSED(DR_E_BAD_CHAIN, dr_trust_store_update(store, &update, NOW, &changed, &w.err));
    dr_trust_store_close(&store);
    world_end(&w);
    dr_tmp_fini(&tmp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_gives_the_new_envelope_to_the_byte),
        cmocka_unit_test(what_does_not_extend_the_held_chain_has_no_patch),
        cmocka_unit_test(a_patch_that_reaches_outside_or_names_another_base_is_refused),
        cmocka_unit_test(a_store_takes_a_patch_and_verifies_what_it_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
