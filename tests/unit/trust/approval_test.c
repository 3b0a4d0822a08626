// Approval: drafts, leaves and waves.
#include "unit/trust/world.h"

static void
draft_gives_leaves_by_wave_and_target(void **state)
{
    static struct world w;
    struct dr_approval approval;
    Drover__V1__ApprovalLeaf **leaves = NULL;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    OK(&w, dr_approval_decode(w.arena, w.approval_wire, &approval, &w.err));
    OK(&w, dr_approval_leaves_check(w.arena, &approval, w.approval_leaves, 2, &leaves, &w.err));
    assert_string_equal(leaves[0]->target, "production/billing");
    assert_string_equal(leaves[1]->target, "production/orders");
    assert_int_equal(dr_approval_leaf_count(approval.msg), 2);
    assert_int_equal(approval.msg->approval_id.len, 16);
    assert_true(dr_approval_lists(approval.msg, w.evidence_sha[E_STATE]));
    assert_false(dr_approval_lists(approval.msg, w.evidence_sha[E_CANARY]));
    for (size_t i = 1; i < approval.msg->n_evidence_sha256; i++) {
        assert_true(memcmp(approval.msg->evidence_sha256[i - 1].data,
                           approval.msg->evidence_sha256[i].data, 32) < 0);
    }
    world_end(&w);
}

static enum dr_rc
draft(struct world *w)
{
    struct dr_bytes payload, *leaves;
    return dr_approval_draft(w->arena, &w->request, &payload, &leaves, &w->err);
}

static void
d_mode(struct world *w)
{
    w->request.header.mode = MODE(MODE_NONE);
}
static void
d_failure(struct world *w)
{
    w->request.header.on_failure = DROVER__V1__ON_FAILURE__ON_FAILURE_NONE;
}
static void
d_env(struct world *w)
{
    w->request.header.environment = word(w, "");
}
static void
d_other_env(struct world *w)
{
    w->request.header.environment = word(w, "staging");
}
static void
d_short_env(struct world *w)
{
    w->request.header.environment = word(w, "prod");
}
static void
d_before(struct world *w)
{
    w->request.header.not_before = 0;
}
static void
d_expires(struct world *w)
{
    w->request.header.expires = w->request.header.not_before;
}
static void
d_remedy(struct world *w)
{
    w->request.header.remedy = word(w, "x");
}
static void
d_no_remedy(struct world *w)
{
    w->request.header.mode = MODE(REMEDY);
}
static void
d_wave_zero(struct world *w)
{
    w->approval_target[0].wave = 0;
}
static void
d_wave_gap(struct world *w)
{
    w->approval_target[0].wave = 2;
}
static void
d_wave_high(struct world *w)
{
    w->approval_target[0].wave = 3;
}
static void
d_twice(struct world *w)
{
    w->approval_target[0].target = w->approval_target[1].target;
}
static void
d_twice_in_wave(struct world *w)
{
    d_twice(w);
    w->approval_target[0].wave = w->approval_target[1].wave = 1;
}
static void
d_name(struct world *w)
{
    w->approval_target[0].target = "production/*";
}
static void
d_flags(struct world *w)
{
    w->approval_target[0].acknowledged_flags = 128;
}

static void
draft_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {
        d_mode,    d_failure,       d_env,       d_other_env, d_short_env, d_before,
        d_expires, d_remedy,        d_no_remedy, d_wave_zero, d_wave_gap,  d_wave_high,
        d_twice,   d_twice_in_wave, d_name,      d_flags,
    };
    static struct world w;
    (void)state; // id: P15 Z07
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        world_sign(&w);
        OK(&w, draft(&w));
        changes[i](&w);
        enum dr_rc rc = draft(&w);
        if (rc != DR_E_BAD_APPROVAL) {
            fail_msg("change %zu: %s: %s", i, dr_rc_name(rc), w.err.message);
        }
        world_end(&w);
    }
}

static void
approval_of_nothing_is_refused(void **state)
{
    static struct world w;
    (void)state; // id: F15
    world_begin(&w);
    world_sign(&w);
    w.request.n_targets = 0;
    REFUSED(DR_E_INVALID, draft(&w));
    world_end(&w);
}

static Drover__V1__Approval *
copy_of(struct world *w)
{
    struct dr_approval approval;
    Drover__V1__Approval *copy = dr_arena_alloc(w->arena, sizeof(*copy));
    OK(w, dr_approval_decode(w->arena, w->approval_wire, &approval, &w->err));
    *copy = *approval.msg;
    return copy;
}

static enum dr_rc
decode_again(struct world *w, const Drover__V1__Approval *msg, struct dr_approval *out)
{
    return dr_approval_decode(w->arena, sign_by_two(w, DR_TYPE_APPROVAL, packed(w, &msg->base)),
                              out, &w->err);
}

static void
signed_approval_with_bad_waves_or_evidence_is_refused(void **state)
{
    static struct world w;
    struct dr_approval approval;
    static uint32_t sizes[] = {1, 0, DR_APPROVAL_LEAVES_MAX};
    ProtobufCBinaryData twice[2];
    (void)state; // id: F15
    world_begin(&w);
    world_sign(&w);
    Drover__V1__Approval *msg = copy_of(&w);
    OK(&w, decode_again(&w, msg, &approval));
    msg->wave_sizes = sizes;
    REFUSED(DR_E_BAD_APPROVAL, decode_again(&w, msg, &approval));
    msg->n_wave_sizes = 0;
    REFUSED(DR_E_BAD_APPROVAL, decode_again(&w, msg, &approval));
    sizes[1] = 1;
    msg->n_wave_sizes = 3;
    REFUSED(DR_E_BAD_APPROVAL, decode_again(&w, msg, &approval));
    msg->n_wave_sizes = 2;
    OK(&w, decode_again(&w, msg, &approval));
    twice[0] = twice[1] = DATA32(w.nonce);
    msg->evidence_sha256 = twice;
    msg->n_evidence_sha256 = 2;
    REFUSED(DR_E_BAD_APPROVAL, decode_again(&w, msg, &approval));
    REFUSED(DR_E_WRONG_TYPE, dr_approval_decode(w.arena, w.root.wire, &approval, &w.err));
    world_end(&w);
}

static void
leaves_have_to_be_those_that_were_signed(void **state)
{
    static struct world w;
    struct dr_approval approval;
    Drover__V1__ApprovalLeaf **leaves = NULL, *leaf = NULL;
    struct dr_merkle_tree tree;
    Drover__V1__ProvenEntry *proven = NULL;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    OK(&w, dr_approval_decode(w.arena, w.approval_wire, &approval, &w.err));
    REFUSED(DR_E_BAD_PROOF,
            dr_approval_leaves_check(w.arena, &approval, w.approval_leaves, 1, &leaves, &w.err));
    REFUSED(DR_E_INVALID,
            dr_approval_leaves_check(w.arena, &approval, w.approval_leaves, 0, &leaves, &w.err));
    struct dr_bytes swapped[2] = {w.approval_leaves[1], w.approval_leaves[0]};
    REFUSED(DR_E_BAD_PROOF,
            dr_approval_leaves_check(w.arena, &approval, swapped, 2, &leaves, &w.err));
    // signed in the wrong order: each leaf's wave is not that of its place
    Drover__V1__Approval *msg = copy_of(&w);
    OK(&w, dr_merkle_build(w.arena, swapped, 2, &tree, &w.err));
    msg->leaves_root = dr_data(dr_merkle_root(&tree), 32);
    OK(&w, decode_again(&w, msg, &approval));
    REFUSED(DR_E_BAD_APPROVAL,
            dr_approval_leaves_check(w.arena, &approval, swapped, 2, &leaves, &w.err));
    OK(&w, dr_proven_make(w.arena, &tree, swapped[0], 0, &proven, &w.err));
    REFUSED(DR_E_BAD_APPROVAL, dr_approval_leaf_prove(w.arena, &approval, proven, &leaf, &w.err));
    swapped[0].len--;
    OK(&w, dr_merkle_build(w.arena, swapped, 2, &tree, &w.err));
    msg->leaves_root = dr_data(dr_merkle_root(&tree), 32);
    OK(&w, decode_again(&w, msg, &approval));
    OK(&w, dr_proven_make(w.arena, &tree, swapped[0], 0, &proven, &w.err));
    REFUSED(DR_E_BAD_DOCUMENT, dr_approval_leaf_prove(w.arena, &approval, proven, &leaf, &w.err));
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_bytes payload, *bytes;
    struct dr_approval approval;
    Drover__V1__ApprovalLeaf **leaves = NULL;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_approval_draft(small, &w.request, &payload, &bytes, &w.err);
        rc = rc == DR_OK ? dr_approval_load(small, &w.root, "production", w.approval_wire,
                                            &approval, &w.err)
                         : rc;
        rc = rc == DR_OK ? dr_approval_decode(small, w.approval_wire, &approval, &w.err) : rc;
        rc = rc == DR_OK
                 ? dr_approval_leaves_check(small, &approval, w.approval_leaves, 2, &leaves, &w.err)
                 : rc;
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draft_gives_leaves_by_wave_and_target),
        cmocka_unit_test(draft_with_bad_content_is_refused),
        cmocka_unit_test(approval_of_nothing_is_refused),
        cmocka_unit_test(signed_approval_with_bad_waves_or_evidence_is_refused),
        cmocka_unit_test(leaves_have_to_be_those_that_were_signed),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
