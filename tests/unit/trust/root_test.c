// Root: content, the pinned first one, and rotation by both the old and the new people.
#include "unit/trust/world.h"

#define KEYS_MAX 8

// A root of `n` people (keys `first`, `first` + 1, ...) with the given threshold, signed by the
// keys in `signers`.
struct step {
    uint8_t people[KEYS_MAX]; // key numbers, 0 ends
    uint32_t threshold;
    uint8_t signers[KEYS_MAX]; // key numbers, 0 ends
};

static struct dr_bytes
make_root(struct world *w, const struct step *step, uint64_t version)
{
    Drover__V1__Root root = w->root_msg;
    Drover__V1__Person people[KEYS_MAX], *people_p[KEYS_MAX];
    Drover__V1__PersonKey keys[KEYS_MAX], *keys_p[KEYS_MAX];
    Drover__V1__Role role;
    uint32_t indexes[KEYS_MAX];
    struct dr_key signers[KEYS_MAX] = {0};
    const struct dr_key *signers_p[KEYS_MAX];
    uint8_t publics[KEYS_MAX][32];
    size_t n = 0, n_signers = 0;
    for (; step->people[n] != 0; n++) {
        struct dr_key key = test_key(w, DR_KEY_SIGNING, step->people[n]);
        memcpy(publics[n], key.public_key, 32);
        dr_key_fini(&key);
        drover__v1__person__init(&people[n]);
        drover__v1__person_key__init(&keys[n]);
        keys[n].public_key = DATA32(publics[n]);
        keys[n].kind = DROVER__V1__KEY_KIND__KEY_FILE;
        keys_p[n] = &keys[n];
        people[n].name = dr_arena_printf(w->arena, "person-%u", step->people[n]);
        people[n].keys = &keys_p[n];
        people[n].n_keys = 1;
        people_p[n] = &people[n];
        indexes[n] = (uint32_t)n;
    }
    drover__v1__role__init(&role);
    role.people = indexes;
    role.n_people = n;
    role.threshold = step->threshold;
    root.people = people_p;
    root.n_people = n;
    root.root = root.fleet = root.reviewers = &role;
    root.n_approvers = 0;
    root.version = version;
    for (; step->signers[n_signers] != 0; n_signers++) {
        signers[n_signers] = test_key(w, DR_KEY_SIGNING, step->signers[n_signers]);
        signers_p[n_signers] = &signers[n_signers];
    }
    struct dr_bytes wire = sign_by(w, DR_TYPE_ROOT, packed(w, &root.base), signers_p, n_signers);
    for (size_t i = 0; i < n_signers; i++) {
        dr_key_fini(&signers[i]);
    }
    return wire;
}

static const struct {
    const char *name;
    struct step steps[4];
    enum dr_rc last; // what the last step gives; all before it are accepted
} rotations[] = {
    {"R04 1-of-1 key rotation", {{{1}, 1, {1}}, {{2}, 1, {2, 1}}}, DR_OK},
    {"R05 1-of-1 with unused signatures",
     {{{1}, 1, {1}}, {{2}, 1, {2, 1, 4}}, {{2}, 1, {2, 4, 5}}},
     DR_OK},
    {"R06 1-of-1 not signed by the old key", {{{1}, 1, {1}}, {{2}, 1, {2, 3, 4}}}, DR_E_QUORUM},
    {"R07 1-of-1 not signed by the new key", {{{1}, 1, {1}}, {{2}, 1, {1, 3, 4}}}, DR_E_QUORUM},
    {"R08 3-of-5 in different combinations",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}},
      {{1, 2, 3, 4, 5}, 3, {2, 4, 1}},
      {{1, 2, 3, 4, 5}, 3, {5, 3, 2}}},
     DR_OK},
    {"R09 3-of-5 with one key rotated",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}}, {{1, 2, 3, 6, 5}, 3, {2, 3, 5}}},
     DR_OK},
    {"R10 3-of-5 with an intermediate step",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}},
      {{1, 2, 3, 6, 7}, 3, {1, 2, 3, 6}},
      {{1, 6, 7, 2}, 3, {1, 2, 6}}},
     DR_OK},
    {"R11 3-of-5 with all keys rotated by an intermediate step",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}},
      {{1, 2, 3, 6, 7}, 3, {1, 2, 3, 6, 7}},
      {{6, 7, 8}, 3, {1, 6, 7, 8}}},
     DR_OK},
    {"R12 3-of-5 not signed by 3 new keys",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}}, {{1, 6, 7, 8}, 3, {1, 2, 3, 6}}},
     DR_E_QUORUM},
    {"R13 3-of-5 not signed by 3 old keys",
     {{{1, 2, 3, 4, 5}, 3, {1, 3, 4}}, {{1, 2, 6, 7, 8}, 3, {1, 2, 6, 7}}},
     DR_E_QUORUM},
    {"R14 threshold raised from 1 to 2 of 3", {{{1, 2, 3}, 1, {1}}, {{1, 2, 3}, 2, {1, 2}}}, DR_OK},
    {"R15 threshold raised but not reached",
     {{{1, 2, 3}, 1, {1}}, {{1, 2, 3}, 2, {1}}},
     DR_E_QUORUM},
    {"R16 threshold lowered from 2 to 1 of 3",
     {{{1, 2, 3}, 2, {1, 2}}, {{1, 2, 3}, 1, {1, 2}}},
     DR_OK},
    {"R17 threshold lowered, the old one not reached",
     {{{1, 2, 3}, 2, {1, 2}}, {{1, 2, 3}, 1, {1}}},
     DR_E_QUORUM},
    {"R18 from 1-of-2 to 2-of-2",
     {{{1, 2}, 1, {1}}, {{1, 2}, 2, {1, 2}}, {{1, 2}, 2, {1, 2}}},
     DR_OK},
};

static void
rotations_are_accepted_or_refused_as_in_the_table(void **state)
{
    static struct world w;
    (void)state; // id: R04 R05 R06 R07 R08 R09 R10 R11 R12 R13 R14 R15 R16 R17 R18 Q09
    for (size_t i = 0; i < DR_COUNT_OF(rotations); i++) {
        struct dr_root root, next;
        world_begin(&w);
        OK(&w,
           dr_root_first(w.arena, make_root(&w, &rotations[i].steps[0], 1), NULL, &root, &w.err));
        for (size_t s = 1; s < 4 && rotations[i].steps[s].threshold > 0; s++) {
            bool is_last = s == 3 || rotations[i].steps[s + 1].threshold == 0;
            enum dr_rc rc = dr_root_next(
                w.arena, &root, make_root(&w, &rotations[i].steps[s], s + 1), &next, &w.err);
            if (rc != (is_last ? rotations[i].last : DR_OK)) {
                fail_msg("%s, step %zu: %s: %s", rotations[i].name, s, dr_rc_name(rc),
                         w.err.message);
            }
            root = next;
        }
        world_end(&w);
    }
}

static const struct step alone = {{1}, 1, {1}};

static void
first_root_has_to_be_the_pinned_one(void **state)
{
    static struct world w;
    struct dr_root root;
    uint8_t pinned[32];
    (void)state; // id: R01 N01
    world_begin(&w);
    struct dr_bytes wire = make_root(&w, &alone, 1);
    dr_sha256(wire, pinned);
    OK(&w, dr_root_first(w.arena, wire, pinned, &root, &w.err));
    assert_memory_equal(root.file_sha256, pinned, 32);
    pinned[31] ^= 1;
    REFUSED(DR_E_NOT_PINNED, dr_root_first(w.arena, wire, pinned, &root, &w.err));
    world_end(&w);
}

static void
first_root_has_to_be_whole_and_signed(void **state)
{
    static struct world w;
    struct dr_root root;
    static const struct step unsigned_one = {{1}, 1, {0}}, stranger = {{1}, 1, {2}};
    (void)state; // id: R02 R03
    world_begin(&w);
    struct dr_bytes wire = make_root(&w, &alone, 1);
    REFUSED(DR_E_QUORUM,
            dr_root_first(w.arena, make_root(&w, &unsigned_one, 1), NULL, &root, &w.err));
    REFUSED(DR_E_QUORUM, dr_root_first(w.arena, make_root(&w, &stranger, 1), NULL, &root, &w.err));
    REFUSED(DR_E_BAD_ENVELOPE, dr_root_first(w.arena, (struct dr_bytes){wire.data, wire.len - 1},
                                             NULL, &root, &w.err));
    struct dr_bytes garbage = {(const uint8_t *)"\x08", 1};
    wire = sign_by_two(&w, DR_TYPE_ROOT, garbage);
    REFUSED(DR_E_BAD_DOCUMENT, dr_root_first(w.arena, wire, NULL, &root, &w.err));
    wire = sign_by_two(&w, DR_TYPE_FLEET, packed(&w, &w.root_msg.base));
    REFUSED(DR_E_WRONG_TYPE, dr_root_first(w.arena, wire, NULL, &root, &w.err));
    world_end(&w);
}

static void
next_root_has_to_be_the_next_version(void **state)
{
    static struct world w;
    struct dr_root root, next;
    static const struct step other = {{1, 2}, 1, {1}};
    (void)state; // id: R19 R20 R29
    world_begin(&w);
    struct dr_bytes wire = make_root(&w, &alone, 5);
    OK(&w, dr_root_first(w.arena, wire, NULL, &root, &w.err));
    REFUSED(DR_E_EXISTS, dr_root_next(w.arena, &root, wire, &next, &w.err));
    REFUSED(DR_E_FAST_FORWARD,
            dr_root_next(w.arena, &root, make_root(&w, &alone, 7), &next, &w.err));
    REFUSED(DR_E_ROLLBACK, dr_root_next(w.arena, &root, make_root(&w, &alone, 4), &next, &w.err));
    REFUSED(DR_E_EQUIVOCATION,
            dr_root_next(w.arena, &root, make_root(&w, &other, 5), &next, &w.err));
    REFUSED(DR_E_BAD_ROOT,
            dr_root_next(w.arena, &root, make_root(&w, &alone, UINT64_MAX), &next, &w.err));
    REFUSED(DR_E_BAD_ENVELOPE,
            dr_root_next(w.arena, &root, (struct dr_bytes){wire.data, 5}, &next, &w.err));
    w.root_msg.cluster_id = dr_data((const uint8_t *)"another cluster!", 16);
    REFUSED(DR_E_FOREIGN_CLUSTER,
            dr_root_next(w.arena, &root, make_root(&w, &alone, 6), &next, &w.err)); // id: R27
    world_end(&w);
}

static void
time_of_a_root_is_checked_apart(void **state)
{
    static struct world w;
    (void)state; // id: R21 R22 K05
    world_begin(&w);
    OK(&w, dr_root_check_time(&w.root_msg, w.root_msg.expires - 1, &w.err));
    REFUSED(DR_E_FREEZE_ROOT, dr_root_check_time(&w.root_msg, w.root_msg.expires, &w.err));
    REFUSED(DR_E_FREEZE_ROOT, dr_root_check_time(&w.root_msg, INT64_MAX, &w.err));
    OK(&w, dr_root_check_time(&w.root_msg, -1, &w.err));
    w.root_msg.expires = INT64_MAX;
    OK(&w, dr_root_check_time(&w.root_msg, 4294967296, &w.err));
    world_end(&w);
}

static void
bad_version(struct world *w)
{
    w->root_msg.version = 0;
}
static void
bad_issue(struct world *w)
{
    w->root_msg.issued = -1;
}
static void
bad_expiry(struct world *w)
{
    w->root_msg.expires = w->root_msg.issued;
}
static void
bad_people(struct world *w)
{
    w->root_msg.n_people = 0;
}
static void
bad_crowd(struct world *w)
{
    w->root_msg.n_people = DR_PEOPLE_MAX + 1;
}
static void
bad_cluster(struct world *w)
{
    w->root_msg.cluster_id.len = 15;
}
static void
bad_name(struct world *w)
{
    w->people[1].name = word(w, "../bob");
}
static void
bad_same_name(struct world *w)
{
    w->people[1].name = word(w, "alice");
}
static void
bad_no_keys(struct world *w)
{
    w->people[1].n_keys = 0;
}
static void
bad_key(struct world *w)
{
    w->keys[1].public_key = DATA32(w->nonce);
    memset(w->nonce, 0, 32);
}
static void
bad_key_length(struct world *w)
{
    w->keys[1].public_key.len = 31;
}
static void
bad_key_kind(struct world *w)
{
    w->keys[1].kind = DROVER__V1__KEY_KIND__KEY_KIND_NONE;
}
static void
bad_shared_key(struct world *w)
{
    w->keys[1].public_key = w->keys[0].public_key;
}
static void
bad_transport(struct world *w)
{
    w->people[1].transport_key = w->keys[0].public_key;
}
static void
bad_same_transport(struct world *w)
{
    w->people[1].transport_key = w->people[2].transport_key = DATA32(w->fp_before);
}
static void
bad_threshold(struct world *w)
{
    w->roles[0].threshold = 0;
}
static void
bad_high_threshold(struct world *w)
{
    w->roles[1].threshold = 4;
}
static void
bad_missing_role(struct world *w)
{
    w->root_msg.reviewers = NULL;
}
static void
bad_index(struct world *w)
{
    static uint32_t i[] = {0, 3};
    w->roles[2].people = i;
    w->roles[2].n_people = 2;
}
static void
bad_index_order(struct world *w)
{
    static uint32_t i[] = {1, 1};
    w->roles[2].people = i;
    w->roles[2].n_people = 2;
}
static void
bad_environment(struct world *w)
{
    w->env_roles[0].environment = word(w, "");
}
static void
bad_environment_order(struct world *w)
{
    w->env_roles[1].environment = word(w, "production");
}
static void
bad_environment_role(struct world *w)
{
    w->env_roles[1].role = NULL;
}

static void
root_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {
        bad_version,
        bad_issue,
        bad_expiry,
        bad_people,
        bad_crowd,
        bad_cluster,
        bad_name,
        bad_same_name,
        bad_no_keys,
        bad_key,
        bad_key_length,
        bad_key_kind,
        bad_shared_key,
        bad_transport,
        bad_same_transport,
        bad_threshold,
        bad_high_threshold,
        bad_missing_role,
        bad_index,
        bad_index_order,
        bad_environment,
        bad_environment_order,
        bad_environment_role,
    };
    static struct world w;
    (void)state; // id: Q02 Q03 Q04 R28 Z07 E10
    world_begin(&w);
    OK(&w, dr_root_check(&w.root_msg, &w.err));
    world_end(&w);
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        changes[i](&w);
        enum dr_rc rc = dr_root_check(&w.root_msg, &w.err);
        if (rc != DR_E_BAD_ROOT) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        world_end(&w);
    }
}

static void
quorum_never_opens_at_zero(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_signers signers;
    (void)state; // id: Q03
    world_begin(&w);
    struct dr_bytes wire = sign_by_two(&w, DR_TYPE_ROOT, packed(&w, &w.root_msg.base));
    OK(&w, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    OK(&w, dr_quorum_check(w.arena, &w.root_msg, &w.roles[0], "root", &envelope, &signers, &w.err));
    assert_int_equal(signers.n, 2);
    assert_true(signers.signed_by[ALICE] && signers.signed_by[BOB] && !signers.signed_by[CAROL]);
    w.roles[0].threshold = 0;
    REFUSED(DR_E_QUORUM,
            dr_quorum_check(w.arena, &w.root_msg, &w.roles[0], "root", &envelope, NULL, &w.err));
    world_end(&w);
}

static void
prune_keeps_only_valid_signatures_of_people(void **state)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes wire;
    (void)state; // id: Q07
    world_begin(&w);
    const struct dr_key *keys[] = {&w.person[BOB], &w.stranger};
    wire = sign_by(&w, DR_TYPE_CHAIN, packed(&w, &w.chain_msg.base), keys, 2);
    OK(&w, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    assert_int_equal(envelope.n_sigs, 2);
    OK(&w, dr_quorum_prune(w.arena, &w.root_msg, &envelope, &wire, &w.err));
    OK(&w, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    assert_int_equal(envelope.n_sigs, 1);
    world_end(&w);
}

static void
people_are_found_by_key_and_name(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    w.people[BOB].transport_key = DATA32(w.nonce);
    assert_ptr_equal(dr_root_person_by_transport(&w.root_msg, w.nonce), &w.people[BOB]);
    assert_null(dr_root_person_by_transport(&w.root_msg, w.fp_before));
    assert_ptr_equal(dr_root_person_by_signing(&w.root_msg, w.person[CAROL].public_key),
                     &w.people[CAROL]);
    assert_null(dr_root_person_by_signing(&w.root_msg, w.stranger.public_key));
    assert_int_equal(dr_root_person_index(&w.root_msg, "carol"), CAROL);
    assert_int_equal(dr_root_person_index(&w.root_msg, "dave"), -1);
    assert_null(dr_root_approvers(&w.root_msg, "test"));
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_root root, next;
    struct dr_envelope envelope;
    struct dr_bytes pruned;
    (void)state;
    world_begin(&w);
    struct dr_bytes wire = make_root(&w, &alone, 1), second = make_root(&w, &alone, 2);
    OK(&w, dr_envelope_parse(wire, NULL, &envelope, &w.err));
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_quorum_prune(small, &w.root_msg, &envelope, &pruned, &w.err);
        rc = rc == DR_OK ? dr_root_first(small, wire, NULL, &root, &w.err) : rc;
        rc = rc == DR_OK ? dr_root_next(small, &root, second, &next, &w.err) : rc;
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
        cmocka_unit_test(rotations_are_accepted_or_refused_as_in_the_table),
        cmocka_unit_test(first_root_has_to_be_the_pinned_one),
        cmocka_unit_test(first_root_has_to_be_whole_and_signed),
        cmocka_unit_test(next_root_has_to_be_the_next_version),
        cmocka_unit_test(time_of_a_root_is_checked_apart),
        cmocka_unit_test(root_with_bad_content_is_refused),
        cmocka_unit_test(quorum_never_opens_at_zero),
        cmocka_unit_test(prune_keeps_only_valid_signatures_of_people),
        cmocka_unit_test(people_are_found_by_key_and_name),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
