// Fleet: versions, entries, proofs, and what the whole of it must keep.
// size: one table of bad contents with the changes that its rows name
#include "unit/trust/world.h"

#define N (TARGETS + ENVIRONMENTS)

static enum dr_rc
draft(struct world *w)
{
    struct dr_bytes payload, *leaves;
    return dr_fleet_draft(w->arena, w->fleet_msg, w->entry_p, N, &payload, &leaves, &w->err);
}

static struct dr_fleet
make_fleet(struct world *w, uint64_t version)
{
    struct dr_bytes payload;
    struct dr_fleet fleet;
    w->fleet_msg.version = version;
    OK(w, dr_fleet_draft(w->arena, w->fleet_msg, w->entry_p, N, &payload, &w->leaves, &w->err));
    OK(w,
       dr_fleet_load(w->arena, &w->root, sign_by_two(w, DR_TYPE_FLEET, payload), &fleet, &w->err));
    return fleet;
}

static void
version_goes_only_forward(void **state)
{
    static struct world w;
    (void)state; // id: F01 F03 F05 F10
    world_begin(&w);
    world_sign(&w);
    const Drover__V1__Fleet *held = w.fleet.msg;
    struct dr_fleet next = make_fleet(&w, 8);
    OK(&w, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    OK(&w, dr_fleet_follows(held, w.fleet.sha256, &w.fleet, &w.err));
    next = make_fleet(&w, 6);
    REFUSED(DR_E_ROLLBACK, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    next = make_fleet(&w, 7 + (1u << 20));
    OK(&w, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    next = make_fleet(&w, 8 + (1u << 20));
    REFUSED(DR_E_FAST_FORWARD, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    next = make_fleet(&w, (uint64_t)1 << 40);
    REFUSED(DR_E_FAST_FORWARD, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    w.fleet_msg.expires++;
    next = make_fleet(&w, 7);
    REFUSED(DR_E_EQUIVOCATION, dr_fleet_follows(held, w.fleet.sha256, &next, &w.err));
    world_end(&w);
}

static void
fleet_has_to_be_signed_and_of_this_cluster(void **state)
{
    static struct world w;
    struct dr_bytes payload, *leaves;
    struct dr_fleet fleet;
    const struct dr_key *one[] = {&w.person[ALICE]};
    (void)state; // id: F02 E08
    world_begin(&w);
    world_sign(&w);
    payload = payload_of(&w, w.fleet.wire);
    REFUSED(DR_E_QUORUM,
            dr_fleet_load(w.arena, &w.root, sign_by(&w, DR_TYPE_FLEET, payload, one, 1), &fleet,
                          &w.err));
    REFUSED(DR_E_WRONG_TYPE, dr_fleet_load(w.arena, &w.root, w.root.wire, &fleet, &w.err));
    struct dr_bytes garbage = {(const uint8_t *)"\x08", 1};
    REFUSED(
        DR_E_BAD_DOCUMENT,
        dr_fleet_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_FLEET, garbage), &fleet, &w.err));
    w.fleet_msg.cluster_id = dr_data((const uint8_t *)"another cluster!", 16);
    OK(&w, dr_fleet_draft(w.arena, w.fleet_msg, w.entry_p, N, &payload, &leaves, &w.err));
    REFUSED(
        DR_E_FOREIGN_CLUSTER,
        dr_fleet_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_FLEET, payload), &fleet, &w.err));
    Drover__V1__Fleet bad = *w.fleet.msg;
    bad.entries_count = 0;
    REFUSED(DR_E_BAD_FLEET,
            dr_fleet_load(w.arena, &w.root, sign_by_two(&w, DR_TYPE_FLEET, packed(&w, &bad.base)),
                          &fleet, &w.err));
    OK(&w, dr_fleet_check_time(w.fleet.msg, w.fleet.msg->expires - 1, &w.err));
    REFUSED(DR_E_FREEZE_FLEET, dr_fleet_check_time(w.fleet.msg, w.fleet.msg->expires, &w.err));
    world_end(&w);
}

static void
every_entry_is_proven_by_its_path(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    for (size_t i = 0; i < N; i++) {
        Drover__V1__ProvenEntry *proven = NULL;
        struct dr_fleet_entry entry;
        OK(&w, dr_proven_make(w.arena, &w.fleet_tree, w.leaves[i], i, &proven, &w.err));
        OK(&w, dr_fleet_entry_prove(w.arena, &w.fleet, proven, &entry, &w.err));
        assert_memory_equal(entry.sha256, w.all[i].sha256, 32);
        proven->index++;
        REFUSED(DR_E_BAD_PROOF, dr_fleet_entry_prove(w.arena, &w.fleet, proven, &entry, &w.err));
    }
    assert_false(dr_proven_is_true(w.bundle.leaf, dr_data(w.nonce, 31), 2));
    // targets by name, then environments by name
    assert_string_equal(w.all[0].msg->target->name, "production/billing");
    assert_string_equal(w.all[3].msg->target->name, "staging/stock");
    assert_string_equal(w.all[4].msg->environment->name, "production");
    assert_null(dr_fleet_target(w.all, N, "production/none"));
    assert_null(dr_fleet_environment(w.all, N, "test"));
    world_end(&w);
}

static void
leaves_have_to_be_those_that_were_signed(void **state)
{
    static struct world w;
    struct dr_fleet_entry *entries;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    REFUSED(DR_E_BAD_PROOF,
            dr_fleet_entries_check(w.arena, &w.fleet, w.leaves, N - 1, &entries, &w.err));
    REFUSED(DR_E_INVALID, dr_fleet_entries_check(w.arena, &w.fleet, w.leaves, 0, &entries, &w.err));
    struct dr_bytes swap = w.leaves[0];
    w.leaves[0] = w.leaves[1];
    w.leaves[1] = swap;
    REFUSED(DR_E_BAD_PROOF,
            dr_fleet_entries_check(w.arena, &w.fleet, w.leaves, N, &entries, &w.err));
    world_end(&w);
}

// Leaves in the wrong order, though signed as such.
static void
signed_leaves_out_of_order_are_refused(void **state)
{
    static struct world w;
    struct dr_fleet_entry *entries;
    struct dr_merkle_tree tree;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    struct dr_bytes swap = w.leaves[0];
    w.leaves[0] = w.leaves[1];
    w.leaves[1] = swap;
    OK(&w, dr_merkle_build(w.arena, w.leaves, N, &tree, &w.err));
    Drover__V1__Fleet msg = *w.fleet.msg;
    msg.entries_root = dr_data(dr_merkle_root(&tree), 32);
    struct dr_fleet fleet = {.msg = &msg};
    REFUSED(DR_E_BAD_FLEET, dr_fleet_entries_check(w.arena, &fleet, w.leaves, N, &entries, &w.err));
    world_end(&w);
}

// The last target's key is of small order, and the people signed it all the same. The tree over it.
static Drover__V1__Fleet
signed_with_weak_key(struct world *w, struct dr_merkle_tree *tree)
{
    Drover__V1__FleetEntry *entry =
        drover__v1__fleet_entry__unpack(NULL, w->leaves[3].len, w->leaves[3].data);
    memset(entry->target->agent_signing_key.data, 0, DR_KEY_SIZE);
    w->leaves[3] = packed(w, &entry->base);
    drover__v1__fleet_entry__free_unpacked(entry, NULL);
    OK(w, dr_merkle_build(w->arena, w->leaves, N, tree, &w->err));
    Drover__V1__Fleet msg = *w->fleet.msg;
    msg.entries_root = dr_data(dr_merkle_root(tree), 32);
    return msg;
}

static void
weak_key_is_refused_alone_and_among_others(void **state)
{
    static struct world w;
    struct dr_fleet_entry *entries = NULL, entry;
    struct dr_merkle_tree tree;
    Drover__V1__ProvenEntry *proven = NULL;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    Drover__V1__Fleet msg = signed_with_weak_key(&w, &tree);
    struct dr_fleet fleet = {.msg = &msg};
    REFUSED(DR_E_BAD_FLEET, dr_fleet_entries_check(w.arena, &fleet, w.leaves, N, &entries, &w.err));
    assert_non_null(strstr(w.err.message, "staging/stock"));
    OK(&w, dr_proven_make(w.arena, &tree, w.leaves[3], 3, &proven, &w.err));
    REFUSED(DR_E_BAD_FLEET, dr_fleet_entry_prove(w.arena, &fleet, proven, &entry, &w.err));
    assert_non_null(strstr(w.err.message, "staging/stock"));
    world_end(&w);
}

// What was verified before is told by its bytes, never by its name.
static void
key_is_looked_at_again_unless_its_very_entry_was_known(void **state)
{
    static struct world w;
    struct dr_fleet_entry *entries = NULL;
    struct dr_merkle_tree tree;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    OK(&w, dr_fleet_entries_check_next(w.arena, &w.fleet, w.leaves, N, w.all, N, &entries, &w.err));
    OK(&w, dr_fleet_entries_check_next(w.arena, &w.fleet, w.leaves, N, w.all, 1, &entries, &w.err));
    Drover__V1__Fleet msg = signed_with_weak_key(&w, &tree);
    struct dr_fleet fleet = {.msg = &msg};
    REFUSED(DR_E_BAD_FLEET,
            dr_fleet_entries_check_next(w.arena, &fleet, w.leaves, N, w.all, N, &entries, &w.err));
    REFUSED(DR_E_BAD_FLEET, dr_fleet_entries_check_next(w.arena, &fleet, w.leaves, N, w.all + 4, 2,
                                                        &entries, &w.err));
    struct dr_fleet_entry known = w.all[3]; // as if it had been verified so
    dr_sha256(w.leaves[3], known.sha256);
    OK(&w, dr_fleet_entries_check_next(w.arena, &fleet, w.leaves, N, &known, 1, &entries, &w.err));
    world_end(&w);
}

static void
c_version(struct world *w)
{
    w->fleet_msg.version = 0;
}
static void
c_issued(struct world *w)
{
    w->fleet_msg.issued = -1;
}
static void
c_expires(struct world *w)
{
    w->fleet_msg.expires = w->fleet_msg.issued;
}
static void
c_both(struct world *w)
{
    w->entry_msg[0].environment = &w->environment[0];
}
static void
c_neither(struct world *w)
{
    w->entry_msg[0].target = NULL;
}
static void
c_name(struct world *w)
{
    w->target[0].name = word(w, "staging/../x");
}
static void
c_prefix(struct world *w)
{
    w->target[0].name = word(w, "production/orders2");
}
static void
c_longer(struct world *w)
{
    w->target[0].name = word(w, "staging2/orders");
}
static void
c_slash(struct world *w)
{
    w->target[0].name = word(w, "orders");
}
static void
c_env(struct world *w)
{
    w->target[0].environment = word(w, "");
}
static void
c_no_env(struct world *w)
{
    w->target[0].environment = word(w, "test");
    w->target[0].name = word(w, "test/orders");
}
static void
c_agent(struct world *w)
{
    w->target[0].agent = word(w, "-x");
}
static void
c_engine(struct world *w)
{
    w->target[0].engine = DROVER__V1__ENGINE__ENGINE_NONE;
}
static void
c_state(struct world *w)
{
    w->target[0].state = DROVER__V1__TARGET_STATE__TARGET_STATE_NONE;
}
static void
c_key(struct world *w)
{
    static uint8_t zero[32];
    w->target[0].agent_signing_key = DATA32(zero);
}
static void
c_two_envs(struct world *w)
{
    w->target[0].agent_signing_key = w->target[3].agent_signing_key;
    w->target[0].agent = w->target[3].agent;
}
static void
c_two_agents(struct world *w)
{
    w->target[0].agent_signing_key = w->target[1].agent_signing_key;
}
static void
c_transport(struct world *w)
{
    w->target[0].agent_transport_key = w->target[3].agent_transport_key;
}
static void
c_twice(struct world *w)
{
    w->target[0].name = w->target[1].name;
}
static void
c_rank(struct world *w)
{
    w->environment[0].rank = 0;
}
static void
c_env_name(struct world *w)
{
    w->environment[0].name = word(w, "Prod");
}
static void
c_gate_none(struct world *w)
{
    w->gate[0].kind = GATE(NONE);
}
static void
c_backup_age(struct world *w)
{
    w->gate[G_BACKUP].max_age_s = 0;
}
static void
c_backup_level(struct world *w)
{
    w->gate[G_BACKUP].restore_level = DROVER__V1__RESTORE_LEVEL__RESTORE_NONE;
}
static void
c_staged_env(struct world *w)
{
    w->gate[G_STAGED].from_environment = word(w, "");
}
static void
c_staged_n(struct world *w)
{
    w->gate[G_STAGED].min_targets = 0;
}
static void
c_rollback_env(struct world *w)
{
    w->gate[G_ROLLBACK].from_environment = word(w, "");
}
static void
c_verified_env(struct world *w)
{
    w->gate[G_SIGNOFF].kind = GATE(VERIFIED);
}
static void
c_item(struct world *w)
{
    w->gate[G_SIGNOFF].item = word(w, "");
}
static void
c_rehearsed_age(struct world *w)
{
    w->gate[G_SIGNOFF].kind = GATE(REHEARSED);
}
static void
c_probed_env(struct world *w)
{
    w->gate[G_SIGNOFF].kind = GATE(PROBED);
    w->gate[G_SIGNOFF].min_targets = 1;
}
static void
c_probed_n(struct world *w)
{
    w->gate[G_SIGNOFF].kind = GATE(PROBED);
    w->gate[G_SIGNOFF].from_environment = word(w, "staging");
}
static void
c_probed_item(struct world *w)
{
    c_probed_n(w);
    c_probed_env(w);
    w->gate[G_SIGNOFF].item = word(w, "");
}
static void
c_labels(struct world *w)
{
    static Drover__V1__Label label, *labels[2] = {&label, &label};
    drover__v1__label__init(&label);
    label.key = word(w, "tier");
    w->target[0].labels = labels;
    w->target[0].n_labels = 2;
}

static void
fleet_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {
        c_version,    c_issued,   c_expires,      c_both,         c_neither,    c_name,
        c_prefix,     c_longer,   c_slash,        c_env,          c_no_env,     c_agent,
        c_engine,     c_state,    c_key,          c_two_envs,     c_two_agents, c_transport,
        c_twice,      c_rank,     c_env_name,     c_gate_none,    c_backup_age, c_backup_level,
        c_staged_env, c_staged_n, c_rollback_env, c_item,         c_labels,     c_rehearsed_age,
        c_probed_env, c_probed_n, c_probed_item,  c_verified_env,
    };
    static struct world w;
    (void)state; // id: Z07 G14
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        OK(&w, draft(&w));
        changes[i](&w);
        enum dr_rc rc = draft(&w);
        if (rc != DR_E_BAD_FLEET) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        world_end(&w);
    }
}

// One agent may serve several targets of one environment.
static void
agent_may_serve_two_targets_of_one_environment(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    w.target[0].agent = w.target[1].agent;
    w.target[0].agent_signing_key = w.target[1].agent_signing_key;
    w.target[0].agent_transport_key = w.target[1].agent_transport_key;
    OK(&w, draft(&w));
    world_end(&w);
}

static void
signed_entry_with_both_or_bad_content_is_refused(void **state)
{
    static struct world w;
    struct dr_merkle_tree tree;
    Drover__V1__ProvenEntry *proven = NULL;
    struct dr_fleet_entry entry;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    w.entry_msg[0].environment = &w.environment[0];
    struct dr_bytes leaf = packed(&w, &w.entry_msg[0].base);
    for (size_t i = 0; i < 2; i++) {
        OK(&w, dr_merkle_build(w.arena, &leaf, 1, &tree, &w.err));
        Drover__V1__Fleet msg = *w.fleet.msg;
        msg.entries_root = dr_data(dr_merkle_root(&tree), 32);
        msg.entries_count = 1;
        struct dr_fleet fleet = {.msg = &msg};
        OK(&w, dr_proven_make(w.arena, &tree, leaf, 0, &proven, &w.err));
        REFUSED(i == 0 ? DR_E_BAD_FLEET : DR_E_BAD_DOCUMENT,
                dr_fleet_entry_prove(w.arena, &fleet, proven, &entry, &w.err));
        leaf.len--;
    }
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_bytes payload, *leaves;
    struct dr_fleet fleet;
    struct dr_merkle_tree tree;
    struct dr_fleet_entry entry;
    Drover__V1__ProvenEntry *proven = NULL;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 48) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_fleet_load(small, &w.root, w.fleet.wire, &fleet, &w.err);
        rc = rc == DR_OK
                 ? dr_fleet_draft(small, w.fleet_msg, w.entry_p, N, &payload, &leaves, &w.err)
                 : rc;
        rc = rc == DR_OK ? dr_merkle_build(small, leaves, N, &tree, &w.err) : rc;
        rc = rc == DR_OK ? dr_proven_make(small, &tree, leaves[0], 0, &proven, &w.err) : rc;
        rc = rc == DR_OK ? dr_fleet_entry_prove(small, &fleet, proven, &entry, &w.err) : rc;
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    world_end(&w);
}

static void
soak_between_waves_is_the_policys_own_or_that_of_its_gates(void **state)
{
    Drover__V1__Environment policy = DROVER__V1__ENVIRONMENT__INIT;
    Drover__V1__Gate gate[3], *list[3] = {&gate[0], &gate[1], &gate[2]};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        drover__v1__gate__init(&gate[i]);
        gate[i].kind = DROVER__V1__GATE_KIND__GATE_STAGED;
    }
    gate[0].soak_s = 60;
    gate[1].soak_s = 40;
    gate[2].kind = DROVER__V1__GATE_KIND__GATE_PROBED;
    gate[2].soak_s = 80;
    policy.gates = list;
    policy.n_gates = 3;
    assert_int_equal(dr_fleet_wave_soak_s(&policy), 60);
    policy.wave_soak_s = 5;
    assert_int_equal(dr_fleet_wave_soak_s(&policy), 5);
}

static void
last_soak_is_as_long_as_is_asked_for_afterwards(void **state)
{
    static char mine[] = "production", theirs[] = "staging";
    Drover__V1__Environment policy;
    Drover__V1__Gate gate[4], *list[4];
    (void)state;
    drover__v1__environment__init(&policy);
    policy.name = mine;
    policy.wave_soak_s = 5;
    for (size_t i = 0; i < 4; i++) {
        drover__v1__gate__init(&gate[i]);
        gate[i].kind = DROVER__V1__GATE_KIND__GATE_PROBED;
        gate[i].from_environment = mine;
        gate[i].after = true;
        gate[i].soak_s = 60 + i;
        list[i] = &gate[i];
    }
    policy.gates = list;
    assert_int_equal(dr_fleet_last_soak_s(&policy), 5);
    policy.n_gates = 4;
    gate[1].kind = DROVER__V1__GATE_KIND__GATE_STAGED;
    gate[2].after = false;
    gate[3].from_environment = theirs;
    assert_int_equal(dr_fleet_last_soak_s(&policy), 60);
    gate[0].soak_s = 4;
    assert_int_equal(dr_fleet_last_soak_s(&policy), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_goes_only_forward),
        cmocka_unit_test(fleet_has_to_be_signed_and_of_this_cluster),
        cmocka_unit_test(every_entry_is_proven_by_its_path),
        cmocka_unit_test(leaves_have_to_be_those_that_were_signed),
        cmocka_unit_test(signed_leaves_out_of_order_are_refused),
        cmocka_unit_test(weak_key_is_refused_alone_and_among_others),
        cmocka_unit_test(key_is_looked_at_again_unless_its_very_entry_was_known),
        cmocka_unit_test(fleet_with_bad_content_is_refused),
        cmocka_unit_test(agent_may_serve_two_targets_of_one_environment),
        cmocka_unit_test(signed_entry_with_both_or_bad_content_is_refused),
        cmocka_unit_test(soak_between_waves_is_the_policys_own_or_that_of_its_gates),
        cmocka_unit_test(last_soak_is_as_long_as_is_asked_for_afterwards),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
