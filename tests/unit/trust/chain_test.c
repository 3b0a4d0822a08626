// Chain: append-only, ids never reused, parents first, one live head per branch.
#include "unit/trust/world.h"

static enum dr_rc
decode(struct world *w, struct dr_chain *out)
{
    return dr_chain_decode(w->arena, packed(w, &w->chain_msg.base), out, &w->err);
}

static struct dr_chain
good(struct world *w)
{
    struct dr_chain chain;
    OK(w, decode(w, &chain));
    return chain;
}

// Appends a WITHDRAW of `revision`.
static void
withdraw(struct world *w, size_t revision)
{
    Drover__V1__ChainEntry *entry = &w->chain_entry[w->chain_msg.n_entries++];
    *entry = w->chain_entry[revision];
    entry->action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
    entry->n_parents = 0;
    entry->author = word(w, "");
    entry->reason = word(w, "wrong");
}

static void
chain_has_to_be_signed_by_reviewers_of_this_cluster(void **state)
{
    static struct world w;
    struct dr_chain chain;
    const struct dr_key *one[] = {&w.person[CAROL]};
    (void)state; // id: Q01 E08
    world_begin(&w);
    world_sign(&w);
    struct dr_bytes payload = packed(&w, &w.chain_msg.base);
    OK(&w,
       dr_chain_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_CHAIN, payload), &chain, &w.err));
    REFUSED(DR_E_QUORUM,
            dr_chain_load(w.arena, &w.root, sign_by(&w, DR_TYPE_CHAIN, payload, one, 1), &chain,
                          &w.err));
    REFUSED(DR_E_WRONG_TYPE, dr_chain_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_ROOT, payload),
                                           &chain, &w.err));
    w.chain_msg.cluster_id = dr_data((const uint8_t *)"another cluster!", 16);
    payload = packed(&w, &w.chain_msg.base);
    REFUSED(
        DR_E_FOREIGN_CLUSTER,
        dr_chain_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_CHAIN, payload), &chain, &w.err));
    w.chain_msg.n_entries = 0;
    payload = packed(&w, &w.chain_msg.base);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_CHAIN, payload),
                                          &chain, &w.err));
    world_end(&w);
}

static void
next_chain_begins_with_all_that_is_held(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    struct dr_chain held = good(&w);
    w.chain_msg.version = 4;
    w.chain_msg.n_entries = 4;
    struct dr_chain next = good(&w);
    OK(&w, dr_chain_follows(&held, &held, &w.err));
    OK(&w, dr_chain_follows(&held, &next, &w.err));
    REFUSED(DR_E_ROLLBACK, dr_chain_follows(&next, &held, &w.err));
    w.chain_msg.version = 3;
    next = good(&w);
    REFUSED(DR_E_EQUIVOCATION, dr_chain_follows(&held, &next, &w.err));
    w.chain_msg.version = 4 + (1u << 20);
    next = good(&w);
    REFUSED(DR_E_FAST_FORWARD, dr_chain_follows(&held, &next, &w.err));
    w.chain_msg.version = 4;
    w.chain_msg.n_entries = 2;
    next = good(&w);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_follows(&held, &next, &w.err));
    w.chain_msg.n_entries = 4;
    w.chain_msg.project = word(&w, "other");
    next = good(&w);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_follows(&held, &next, &w.err));
    world_end(&w);
}

static void
h_id(struct world *w)
{
    w->chain_entry[2].revision_id = word(w, "003_other");
}
static void
h_digest(struct world *w)
{
    w->chain_entry[2].digest = DATA32(w->nonce);
    w->parent[3][0] = DATA32(w->nonce);
}
static void
h_author(struct world *w)
{
    w->chain_entry[2].author = word(w, "alice");
}
static void
h_branch(struct world *w)
{
    w->chain_entry[2].branch = word(w, "audit");
}
static void
h_parent(struct world *w)
{
    w->chain_entry[2].parents = w->parent[1];
    w->chain_entry[1].branch = word(w, "");
    w->chain_entry[2].branch = word(w, "");
    w->chain_msg.n_entries = 4;
    w->chain_entry[3].parents = w->parent[4];
    w->parent[4][0] = w->chain_entry[1].digest;
    w->parent[4][1] = w->chain_entry[2].digest;
    if (memcmp(w->parent[4][0].data, w->parent[4][1].data, 32) > 0) {
        ProtobufCBinaryData d = w->parent[4][0];
        w->parent[4][0] = w->parent[4][1];
        w->parent[4][1] = d;
    }
    w->chain_entry[3].n_parents = 2;
}
static void
h_no_parent(struct world *w)
{
    w->chain_entry[2].n_parents = 0;
    w->chain_entry[2].branch = word(w, "x");
}

static void
what_was_held_may_not_change(void **state)
{
    static void (*const changes[])(struct world *) = {h_id,     h_digest, h_author,
                                                      h_branch, h_parent, h_no_parent};
    static struct world w;
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        struct dr_chain held = good(&w);
        w.chain_msg.version = 4;
        w.chain_msg.n_entries = 4;
        changes[i](&w);
        struct dr_chain next = good(&w);
        enum dr_rc rc = dr_chain_follows(&held, &next, &w.err);
        if (rc != DR_E_BAD_CHAIN) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        world_end(&w);
    }
}

// The action and the reason of a held WITHDRAW may not change either.
static void
withdrawal_that_is_held_stays(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    withdraw(&w, 2);
    struct dr_chain held = good(&w);
    w.chain_msg.version = 4;
    w.chain_entry[3].reason = word(&w, "another reason");
    struct dr_chain next = good(&w);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_follows(&held, &next, &w.err));
    w.chain_msg.n_entries = 3;
    world_end(&w);
    world_begin(&w);
    withdraw(&w, 2);
    held = good(&w);
    w.chain_msg.version = 4;
    w.chain_entry[3] = w.chain_entry[4];
    w.parent[4][0] = w.chain_entry[2].digest;
    next = good(&w);
    REFUSED(DR_E_BAD_CHAIN, dr_chain_follows(&held, &next, &w.err));
    world_end(&w);
}

static void
b_version(struct world *w)
{
    w->chain_msg.version = 0;
}
static void
b_issued(struct world *w)
{
    w->chain_msg.issued = -1;
}
static void
b_project(struct world *w)
{
    w->chain_msg.project = word(w, "");
}
static void
b_empty(struct world *w)
{
    w->chain_msg.n_entries = 0;
}
static void
b_same_id(struct world *w)
{
    w->chain_entry[2].revision_id = w->chain_entry[0].revision_id;
}
static void
b_same_digest(struct world *w)
{
    w->chain_entry[2].digest = w->chain_entry[0].digest;
}
static void
b_no_id(struct world *w)
{
    w->chain_entry[2].revision_id = word(w, "");
}
static void
b_path_id(struct world *w)
{
    w->chain_entry[2].revision_id = word(w, "../x");
}
static void
b_space_id(struct world *w)
{
    w->chain_entry[2].revision_id = word(w, "a b");
}
static void
b_long_id(struct world *w)
{
    char *id = dr_arena_alloc(w->arena, 257);
    memset(id, 'a', 256);
    w->chain_entry[2].revision_id = id;
}
static void
b_reason(struct world *w)
{
    w->chain_entry[2].reason = word(w, "x");
}
static void
b_unknown_parent(struct world *w)
{
    w->parent[2][0] = DATA32(w->nonce);
}
static void
b_own_parent(struct world *w)
{
    w->parent[2][0] = w->chain_entry[2].digest;
}
static void
b_later_parent(struct world *w)
{
    w->parent[1][0] = w->chain_entry[2].digest;
}
static void
b_parent_twice(struct world *w)
{
    w->parent[2][1] = w->parent[2][0];
    w->chain_entry[2].n_parents = 2;
}
static void
b_none(struct world *w)
{
    w->chain_entry[2].action = DROVER__V1__CHAIN_ACTION__CHAIN_NONE;
}
static void
b_withdraw_unknown(struct world *w)
{
    withdraw(w, 2);
    w->chain_entry[3].digest = DATA32(w->nonce);
}
static void
b_withdraw_twice(struct world *w)
{
    withdraw(w, 2);
    withdraw(w, 2);
}
static void
b_withdraw_silent(struct world *w)
{
    withdraw(w, 2);
    w->chain_entry[3].reason = word(w, "");
}
static void
b_withdraw_other_id(struct world *w)
{
    withdraw(w, 2);
    w->chain_entry[3].revision_id = word(w, "x");
}
static void
b_withdraw_parent(struct world *w)
{
    withdraw(w, 2);
    w->chain_entry[3].parents = w->parent[2];
    w->chain_entry[3].n_parents = 1;
}
static void
b_withdraw_early(struct world *w)
{
    withdraw(w, 2);
    w->chain_entry_p[3] = &w->chain_entry[2];
    w->chain_entry_p[2] = &w->chain_entry[3];
}

static void
chain_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {
        b_version,          b_issued,         b_project,         b_empty,
        b_same_id,          b_same_digest,    b_no_id,           b_path_id,
        b_space_id,         b_long_id,        b_reason,          b_unknown_parent,
        b_own_parent,       b_later_parent,   b_parent_twice,    b_none,
        b_withdraw_unknown, b_withdraw_twice, b_withdraw_silent, b_withdraw_other_id,
        b_withdraw_parent,  b_withdraw_early,
    };
    static struct world w;
    (void)state; // id: P17
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        struct dr_chain chain;
        world_begin(&w);
        changes[i](&w);
        enum dr_rc rc = decode(&w, &chain);
        if (rc != DR_E_BAD_CHAIN) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        world_end(&w);
    }
}

// 004 and 005 both stand on 003.
static void
fork(struct world *w)
{
    w->chain_msg.n_entries = 5;
    w->parent[4][0] = w->chain_entry[2].digest;
}

static void
second_head_is_refused_with_the_merge_to_type(void **state)
{
    static struct world w;
    struct dr_chain chain;
    (void)state;
    world_begin(&w);
    fork(&w);
    REFUSED(DR_E_TWO_HEADS, decode(&w, &chain));
    assert_non_null(strstr(w.err.hint, "drover merge "));
    assert_non_null(strstr(w.err.hint, "004_more"));
    assert_non_null(strstr(w.err.hint, "005_again"));
    world_end(&w);
}

static void
merged_labelled_and_withdrawn_heads_are_accepted(void **state)
{
    static struct world w;
    struct dr_chain chain;
    (void)state;
    world_begin(&w);
    fork(&w);
    w.chain_entry[4].branch = word(&w, "audit"); // a branch of its own
    OK(&w, decode(&w, &chain));
    w.chain_msg.n_entries = 6; // and its child inherits it
    OK(&w, decode(&w, &chain));
    world_end(&w);
    world_begin(&w);
    fork(&w);
    w.chain_msg.n_entries = 6; // 006 merges
    bool in_order = memcmp(w.rev_digest[3], w.rev_digest[4], 32) < 0;
    w.parent[5][0] = w.chain_entry[in_order ? 3 : 4].digest;
    w.parent[5][1] = w.chain_entry[in_order ? 4 : 3].digest;
    w.chain_entry[5].n_parents = 2;
    OK(&w, decode(&w, &chain));
    world_end(&w);
    world_begin(&w);
    fork(&w);
    withdraw(&w, 3); // 004 is gone, 005 is the head
    OK(&w, decode(&w, &chain));
    world_end(&w);
    world_begin(&w);
    withdraw(&w, 1); // in the middle: 003 stays the head
    OK(&w, decode(&w, &chain));
    struct dr_chain_revision found;
    assert_true(dr_chain_find(&chain, w.rev_digest[1], &found));
    assert_string_equal(found.withdraw->reason, "wrong");
    assert_true(dr_chain_find(&chain, w.rev_digest[0], &found));
    assert_null(found.withdraw);
    assert_false(dr_chain_find(&chain, w.nonce, &found));
    world_end(&w);
}

static void
applied_is_heads_and_ancestors(void **state)
{
    static struct world w;
    bool *applied;
    (void)state;
    world_begin(&w);
    struct dr_chain chain = good(&w);
    OK(&w, dr_chain_applied(w.arena, &chain, &w.head_p[1], 1, &applied, &w.err));
    assert_true(applied[0] && applied[1] && !applied[2]);
    OK(&w, dr_chain_applied(w.arena, &chain, NULL, 0, &applied, &w.err));
    assert_false(applied[0]);
    REFUSED(DR_E_NOT_IN_CHAIN,
            dr_chain_applied(w.arena, &chain, &w.head_p[5], 1, &applied, &w.err));
    w.head[0].digest.len = 0;
    REFUSED(DR_E_NOT_IN_CHAIN,
            dr_chain_applied(w.arena, &chain, &w.head_p[0], 1, &applied, &w.err));
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_chain chain;
    bool *applied;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_chain_load(small, &w.root, w.chain.wire, &chain, &w.err);
        rc = rc == DR_OK ? dr_chain_applied(small, &chain, &w.head_p[1], 1, &applied, &w.err) : rc;
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
        cmocka_unit_test(chain_has_to_be_signed_by_reviewers_of_this_cluster),
        cmocka_unit_test(next_chain_begins_with_all_that_is_held),
        cmocka_unit_test(what_was_held_may_not_change),
        cmocka_unit_test(withdrawal_that_is_held_stays),
        cmocka_unit_test(chain_with_bad_content_is_refused),
        cmocka_unit_test(second_head_is_refused_with_the_merge_to_type),
        cmocka_unit_test(merged_labelled_and_withdrawn_heads_are_accepted),
        cmocka_unit_test(applied_is_heads_and_ancestors),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
