// Trusted store: verified, then persisted, then used; only forward.
// size: one fixture, a folder with a store, for all of its cases
#include "unit/trust/world.h"

#include "base/file.h"
#include "trust/store_inner.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define N (TARGETS + ENVIRONMENTS)

struct place {
    struct world w;
    char folder[64], state[80];
    struct dr_bytes first;
    uint8_t pinned[32];
    struct dr_trust_store *store;
    Drover__V1__TrustUpdate update;
    ProtobufCBinaryData roots[70];
};
static struct place p;

static void
reopen(void)
{
    dr_trust_store_close(&p.store);
    OK(&p.w, dr_trust_store_open(p.state, p.first, p.pinned, &p.store, &p.w.err));
}

static int
set_up(void **state)
{
    (void)state;
    memset(&p, 0, sizeof(p));
    world_begin(&p.w);
    world_sign(&p.w);
    (void)snprintf(p.folder, sizeof(p.folder), "/tmp/drover-store-XXXXXX");
    assert_non_null(mkdtemp(p.folder));
    (void)snprintf(p.state, sizeof(p.state), "%s/trust", p.folder);
    p.first = p.w.root.wire;
    memcpy(p.pinned, p.w.root.file_sha256, 32);
    drover__v1__trust_update__init(&p.update);
    reopen();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_trust_store_close(&p.store);
    OK(&p.w, dr_dir_remove(p.folder, &p.w.err));
    world_end(&p.w);
    return 0;
}

// Root `version` of the world's people, signed by alice and bob.
static void
add_root(uint64_t version)
{
    p.w.root_msg.version = version;
    p.roots[p.update.n_roots++] =
        data_of(sign_by_two(&p.w, DR_TYPE_ROOT, packed(&p.w, &p.w.root_msg.base)));
    p.update.roots = p.roots;
}

static void
add_fleet(uint64_t version)
{
    struct dr_bytes payload;
    p.w.fleet_msg.version = version;
    OK(&p.w,
       dr_fleet_draft(p.w.arena, p.w.fleet_msg, p.w.entry_p, N, &payload, &p.w.leaves, &p.w.err));
    OK(&p.w, dr_merkle_build(p.w.arena, p.w.leaves, N, &p.w.fleet_tree, &p.w.err));
    p.update.fleet = data_of(sign_by_two(&p.w, DR_TYPE_FLEET, payload));
}

// My target and environment with their paths; `n` of them.
static void
add_entries(size_t n)
{
    static const size_t mine[] = {1, 4};
    Drover__V1__ProvenEntry **list = dr_arena_array(p.w.arena, 2, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        OK(&p.w, dr_proven_make(p.w.arena, &p.w.fleet_tree, p.w.leaves[mine[i]], mine[i], &list[i],
                                &p.w.err));
    }
    p.update.entries = list;
    p.update.n_entries = n;
}

static void
add_all_leaves(void)
{
    Drover__V1__ProvenEntry **list = dr_arena_array(p.w.arena, N, sizeof(*list));
    for (size_t i = 0; i < N; i++) {
        list[i] = dr_arena_alloc(p.w.arena, sizeof(**list));
        drover__v1__proven_entry__init(list[i]);
        list[i]->leaf = data_of(p.w.leaves[i]);
    }
    p.update.entries = list;
    p.update.n_entries = N;
}

static void
add_chain(uint64_t version, size_t n_entries)
{
    p.w.chain_msg.version = version;
    p.w.chain_msg.n_entries = n_entries;
    p.update.chain = data_of(sign_by_two(&p.w, DR_TYPE_CHAIN, packed(&p.w, &p.w.chain_msg.base)));
}

static enum dr_rc
update(bool *out_changed)
{
    bool ignored;
    return dr_trust_store_update(p.store, &p.update, NOW, out_changed ? out_changed : &ignored,
                                 &p.w.err);
}

static void
clear(void)
{
    drover__v1__trust_update__init(&p.update);
}

static const struct dr_trust *
held(void)
{
    return dr_trust_store_get(p.store);
}

static void
everything_is_held_across_a_restart(void **state)
{
    bool changed = false;
    (void)state; // id: F01 E16
    add_fleet(7);
    add_entries(2);
    add_chain(3, 3);
    OK(&p.w, update(&changed));
    assert_true(changed);
    OK(&p.w, update(&changed));
    assert_false(changed);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(held()->fleet.msg->version, 7);
        assert_int_equal(held()->n_entries, 2);
        assert_false(held()->is_fleet_whole);
        assert_int_equal(held()->chain.msg->n_entries, 3);
        assert_int_equal(held()->fleet.wire.len, p.update.fleet.len);
        assert_memory_equal(held()->fleet.wire.data, p.update.fleet.data, p.update.fleet.len);
        assert_int_equal(held()->clock_high, NOW - 4 * DAY);
        reopen();
    }
}

static void
whole_fleet_is_held_without_paths(void **state)
{
    (void)state;
    add_fleet(7);
    add_all_leaves();
    OK(&p.w, update(NULL));
    assert_true(held()->is_fleet_whole);
    assert_int_equal(held()->n_entries, N);
    reopen();
    assert_true(held()->is_fleet_whole);
    p.update.entries[0]->leaf = p.update.entries[1]->leaf;
    REFUSED(DR_E_BAD_PROOF, update(NULL));
}

// Each entry with its path: as good as without, but each is proved by itself.
static void
whole_fleet_may_come_with_paths(void **state)
{
    (void)state;
    add_fleet(7);
    add_all_leaves();
    for (size_t i = 0; i < N; i++) {
        OK(&p.w, dr_proven_make(p.w.arena, &p.w.fleet_tree, p.w.leaves[i], i, &p.update.entries[i],
                                &p.w.err));
    }
    OK(&p.w, update(NULL));
    assert_int_equal(held()->n_entries, N);
    assert_false(held()->is_fleet_whole);
}

// Other entries of the same fleet, as long as those before: they take their place.
static void
entries_of_equal_length_replace_each_other(void **state)
{
    bool changed = false;
    (void)state;
    add_fleet(7);
    add_entries(1);
    OK(&p.w, update(NULL));
    OK(&p.w, dr_proven_make(p.w.arena, &p.w.fleet_tree, p.w.leaves[1], 1, &p.update.entries[0],
                            &p.w.err));
    p.w.fleet_msg.expires += 1;
    add_fleet(8);
    add_entries(1);
    OK(&p.w, update(&changed));
    assert_true(changed);
    assert_int_equal(held()->fleet.msg->version, 8);
}

static void
roots_are_followed_one_by_one(void **state)
{
    bool changed = false;
    (void)state; // id: R01 R21 X10
    add_root(1);
    p.w.root_msg.expires = NOW - 1; // an intermediate one may have expired
    add_root(2);
    p.w.root_msg.expires = NOW + DAY;
    add_root(3);
    OK(&p.w, update(&changed));
    assert_int_equal(held()->root.msg->version, 3);
    reopen();
    assert_int_equal(held()->root.msg->version, 3);
    OK(&p.w, update(&changed)); // the same again
    assert_false(changed);
    clear();
    add_root(2); // another root 2
    REFUSED(DR_E_ROLLBACK, update(NULL));
    assert_int_equal(held()->root.msg->version, 3);
}

static void
good_roots_before_a_bad_one_stay(void **state)
{
    bool changed = false;
    (void)state; // id: R24
    add_root(2);
    add_root(4);
    REFUSED(DR_E_FAST_FORWARD, update(&changed));
    assert_true(changed);
    assert_int_equal(held()->root.msg->version, 2);
    reopen();
    assert_int_equal(held()->root.msg->version, 2);
    char bad[100];
    (void)snprintf(bad, sizeof(bad), "%s/root-4", p.state);
    assert_false(dr_path_exists(bad));
}

static void
expired_last_root_is_held_but_refuses_everything(void **state)
{
    (void)state; // id: R22 R23
    p.w.root_msg.expires = NOW;
    add_root(2);
    add_fleet(7);
    REFUSED(DR_E_FREEZE_ROOT, update(NULL));
    assert_int_equal(held()->root.msg->version, 2);
    assert_null(held()->fleet.msg);
    clear();
    p.w.root_msg.expires = NOW + DAY;
    add_root(3);
    add_fleet(7);
    OK(&p.w, update(NULL));
    assert_int_equal(held()->fleet.msg->version, 7);
    assert_int_equal(held()->n_entries, 0); // id: F08
}

static void
more_than_64_roots_are_refused(void **state)
{
    (void)state; // id: R26
    for (uint64_t version = 2; version < 67; version++) {
        add_root(version);
    }
    REFUSED(DR_E_LIMIT, update(NULL));
    assert_int_equal(held()->root.msg->version, 1);
    p.update.n_roots = 64;
    OK(&p.w, update(NULL));
    assert_int_equal(held()->root.msg->version, 65);
}

static void
garbage_root_is_refused(void **state)
{
    (void)state; // id: R02
    p.roots[0] = dr_data((const uint8_t *)"garbage", 7);
    p.update.roots = p.roots;
    p.update.n_roots = 1;
    REFUSED(DR_E_BAD_ENVELOPE, update(NULL));
}

static void
fleet_goes_only_forward(void **state)
{
    (void)state; // id: F03 F05 F06 F07
    add_fleet(7);
    add_entries(2);
    OK(&p.w, update(NULL));
    add_fleet(6);
    REFUSED(DR_E_ROLLBACK, update(NULL));
    p.w.fleet_msg.expires++;
    add_fleet(7);
    REFUSED(DR_E_EQUIVOCATION, update(NULL));
    p.w.fleet_msg.expires = NOW;
    add_fleet(8);
    REFUSED(DR_E_FREEZE_FLEET, update(NULL));
    assert_int_equal(held()->fleet.msg->version, 7);
    p.w.fleet_msg.expires = NOW + DAY;
    p.w.target[STG_STOCK].state = DROVER__V1__TARGET_STATE__RETIRED;
    add_fleet(9);
    REFUSED(DR_E_BAD_PROOF, update(NULL)); // entries of the old tree
    assert_int_equal(held()->fleet.msg->version, 7);
    add_entries(1);
    OK(&p.w, update(NULL));
    assert_int_equal(held()->n_entries, 1);
    add_entries(2);
    OK(&p.w, update(NULL));
    assert_int_equal(held()->n_entries, 2);
    p.update.n_entries = 0; // the same fleet without entries takes nothing away
    OK(&p.w, update(NULL));
    assert_int_equal(held()->n_entries, 2);
}

static void
documents_of_the_future_are_refused(void **state)
{
    (void)state; // id: K04 K05
    p.w.root_msg.issued = NOW + DR_CLOCK_SKEW_S + 1;
    add_root(2);
    REFUSED(DR_E_NOT_YET, update(NULL));
    clear();
    p.w.fleet_msg.issued = NOW + DR_CLOCK_SKEW_S + 1;
    add_fleet(7);
    REFUSED(DR_E_NOT_YET, update(NULL));
    clear();
    p.w.chain_msg.issued = NOW + DR_CLOCK_SKEW_S + 1;
    add_chain(3, 3);
    REFUSED(DR_E_NOT_YET, update(NULL));
    p.w.chain_msg.issued = NOW + DR_CLOCK_SKEW_S;
    add_chain(3, 3);
    OK(&p.w, update(NULL));
    assert_int_equal(held()->clock_high, NOW + DR_CLOCK_SKEW_S);
}

static void
clock_that_goes_back_is_refused(void **state)
{
    bool changed;
    (void)state; // id: K04
    OK(&p.w, dr_trust_store_tick(p.store, NOW, &p.w.err));
    OK(&p.w, dr_trust_store_tick(p.store, NOW + 59, &p.w.err)); // not worth a write
    assert_int_equal(held()->clock_high, NOW);
    reopen();
    assert_int_equal(held()->clock_high, NOW);
    OK(&p.w, dr_trust_store_update(p.store, &p.update, NOW - 300, &changed, &p.w.err));
    REFUSED(DR_E_CLOCK_BACK,
            dr_trust_store_update(p.store, &p.update, NOW - 301, &changed, &p.w.err));
    OK(&p.w, dr_trust_check_clock(held(), NOW - 300, &p.w.err));
}

// id: K04
static void
one_signed_time_far_ahead_shuts_the_store_for_a_bounded_time(void **state)
{
    (void)state;
    int64_t from = held()->root.msg->issued > held()->clock_high ? held()->root.msg->issued
                                                                 : held()->clock_high;
    OK(&p.w, dr_trust_store_tick(p.store, NOW + 100 * 366 * DAY, &p.w.err));
    assert_int_equal(held()->clock_high, from + DR_CLOCK_JUMP_MAX_S);
    reopen();
    assert_int_equal(held()->clock_high, from + DR_CLOCK_JUMP_MAX_S);
    REFUSED(DR_E_CLOCK_BACK, dr_trust_check_clock(held(), from, &p.w.err));
    assert_non_null(strstr(dr_rc_hint(DR_E_CLOCK_BACK), "clock reset"));
    OK(&p.w, dr_trust_store_reset_clock(p.store, &p.w.err));
    OK(&p.w, dr_trust_check_clock(held(), from, &p.w.err));
    reopen();
    assert_int_equal(held()->clock_high, 0);
    dr_trust_store_release(p.store);
    REFUSED(DR_E_CONFLICT, dr_trust_store_reset_clock(p.store, &p.w.err));
}

// The fleet role goes to three people: what two signed is held for its version only.
static void
rotation_takes_what_the_old_people_signed_out_of_use(void **state)
{
    (void)state; // id: F04 F11 Q09
    add_fleet(7);
    add_entries(2);
    add_chain(3, 3);
    OK(&p.w, update(NULL));
    clear();
    p.w.roles[1].threshold = p.w.roles[2].threshold = 3;
    add_root(2);
    OK(&p.w, update(NULL));
    assert_null(held()->fleet.msg);
    assert_null(held()->chain.msg);
    assert_int_equal(held()->n_entries, 0);
    const struct dr_key *three[] = {&p.w.person[0], &p.w.person[1], &p.w.person[2]};
    struct dr_bytes payload;
    clear();
    for (uint64_t version = 6; version <= 7; version++) {
        p.w.fleet_msg.version = version;
        OK(&p.w, dr_fleet_draft(p.w.arena, p.w.fleet_msg, p.w.entry_p, N, &payload, &p.w.leaves,
                                &p.w.err));
        p.update.fleet = data_of(sign_by(&p.w, DR_TYPE_FLEET, payload, three, 3));
        REFUSED(version == 6 ? DR_E_ROLLBACK : DR_OK, update(NULL));
    }
    clear();
    p.w.chain_msg.n_entries = 2;
    p.update.chain =
        data_of(sign_by(&p.w, DR_TYPE_CHAIN, packed(&p.w, &p.w.chain_msg.base), three, 3));
    REFUSED(DR_E_EQUIVOCATION, update(NULL));
    p.w.chain_msg.n_entries = 3;
    p.update.chain =
        data_of(sign_by(&p.w, DR_TYPE_CHAIN, packed(&p.w, &p.w.chain_msg.base), three, 3));
    OK(&p.w, update(NULL)); // the same chain, signed again by the new people
    assert_int_equal(held()->chain.msg->version, 3);
}

static void
chain_goes_only_forward(void **state)
{
    (void)state;
    add_chain(3, 3);
    OK(&p.w, update(NULL));
    add_chain(4, 4);
    OK(&p.w, update(NULL));
    add_chain(3, 3);
    REFUSED(DR_E_ROLLBACK, update(NULL));
    assert_int_equal(held()->chain.msg->n_entries, 4);
    p.update.chain = dr_data((const uint8_t *)"x", 1);
    REFUSED(DR_E_BAD_ENVELOPE, update(NULL));
    clear();
    p.update.fleet = dr_data((const uint8_t *)"x", 1);
    REFUSED(DR_E_BAD_ENVELOPE, update(NULL));
}

static void
endless_updates_are_refused(void **state)
{
    static Drover__V1__ProvenEntry entry, *entries[1] = {&entry};
    (void)state;
    drover__v1__proven_entry__init(&entry);
    p.update.entries = entries;
    p.update.n_entries = 1;
    entry.leaf.len = DR_UPDATE_MAX + 1;
    REFUSED(DR_E_BUNDLE_SIZE, update(NULL));
    entry.leaf.len = 0;
    Drover__V1__ProvenEntry **many =
        dr_arena_array(p.w.arena, DR_STORE_ENTRIES_MAX + 1, sizeof(*many));
    for (size_t i = 0; i <= DR_STORE_ENTRIES_MAX; i++) {
        many[i] = &entry;
    }
    p.update.entries = many;
    p.update.n_entries = DR_STORE_ENTRIES_MAX + 1;
    REFUSED(DR_E_BUNDLE_SIZE, update(NULL));
}

static void
another_process_is_kept_out(void **state)
{
    struct dr_trust_store *second = NULL;
    (void)state; // id: C24
    REFUSED(DR_E_CONFLICT, dr_trust_store_open(p.state, p.first, p.pinned, &second, &p.w.err));
    assert_null(second);
    dr_trust_store_close(&second);
}

static void
another_first_root_is_refused(void **state)
{
    (void)state; // id: N01
    dr_trust_store_close(&p.store);
    p.pinned[0] ^= 1;
    REFUSED(DR_E_NOT_PINNED, dr_trust_store_open(p.state, p.first, p.pinned, &p.store, &p.w.err));
    assert_true(dr_str_starts(p.w.err.message, "trusted store '"));
    p.pinned[0] ^= 1;
    REFUSED(DR_E_IO, dr_trust_store_open("/proc/none", p.first, p.pinned, &p.store, &p.w.err));
    static char endless[5001];
    memset(endless, 'a', 5000);
    assert_int_not_equal(dr_trust_store_open(endless, p.first, p.pinned, &p.store, &p.w.err),
                         DR_OK);
}

// Writes rubbish in the place of a file and expects the store not to open.
static void
damage(const char *name, const char *content, enum dr_rc expected)
{
    char path[120];
    (void)snprintf(path, sizeof(path), "%s/%s", p.state, name);
    OK(&p.w, dr_file_write(path, content, strlen(content), 0600, &p.w.err));
    REFUSED(expected, dr_trust_store_open(p.state, p.first, p.pinned, &p.store, &p.w.err));
    assert_int_equal(unlink(path), 0);
}

static void
damaged_files_are_refused(void **state)
{
    (void)state;
    dr_trust_store_close(&p.store);
    damage("root-2", "x", DR_E_BAD_ENVELOPE);
    damage("fleet", "\xff", DR_E_BAD_FLEET);
    damage("fleet", "\x12\x01x", DR_E_BAD_ENVELOPE);
    damage("chain", "x", DR_E_BAD_ENVELOPE);
    damage("clock", "noon", DR_E_IO);
    damage("clock", "-1", DR_E_IO);
    damage("clock", "1234567890123456789012345", DR_E_LIMIT);
    reopen();
}

// A change on disk behind the store's back is noticed when it reads itself back after an update.
static void
failure_to_read_back_is_an_error(void **state)
{
    char path[120];
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/clock", p.state);
    OK(&p.w, dr_file_write(path, "noon", 4, 0600, &p.w.err));
    add_chain(3, 3);
    REFUSED(DR_E_IO, update(NULL));
    assert_null(held()->chain.msg); // what was held stays
}

static void
failure_to_write_is_an_error(void **state)
{
    char path[120];
    (void)state; // id: C14
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"clock", "root-2", "fleet", "chain"};
        (void)snprintf(path, sizeof(path), "%s/%s", p.state, names[i]);
        // a folder stands in the way of the rename
        char inner[130];
        (void)snprintf(inner, sizeof(inner), "%s/x", path);
        dr_trust_store_close(&p.store);
        reopen();
        OK(&p.w, dr_dir_make(inner, 0700, &p.w.err));
        clear();
        if (i == 1) {
            add_root(2);
        } else if (i == 2) {
            add_fleet(7);
        } else if (i == 3) {
            add_chain(3, 3);
        }
        enum dr_rc rc = i == 0 ? dr_trust_store_tick(p.store, NOW, &p.w.err) : update(NULL);
        assert_int_not_equal(rc, DR_OK);
        OK(&p.w, dr_dir_remove(path, &p.w.err));
    }
}

static void
export_brings_another_store_to_the_same_state(void **state)
{
    char second[100];
    struct dr_trust_store *other = NULL;
    Drover__V1__TrustUpdate *msg = NULL;
    bool changed = false;
    (void)state;
    OK(&p.w, dr_trust_store_export(p.store, p.w.arena, &msg, &p.w.err));
    assert_int_equal(msg->n_roots + msg->fleet.len + msg->chain.len, 0);
    add_root(2);
    add_root(3);
    add_fleet(7);
    add_all_leaves();
    add_chain(3, 3);
    OK(&p.w, update(NULL));
    OK(&p.w, dr_trust_store_export(p.store, p.w.arena, &msg, &p.w.err));
    (void)snprintf(second, sizeof(second), "%s/second", p.folder);
    OK(&p.w, dr_trust_store_open(second, p.first, p.pinned, &other, &p.w.err));
    OK(&p.w, dr_trust_store_update(other, msg, NOW, &changed, &p.w.err));
    const struct dr_trust *a = held(), *b = dr_trust_store_get(other);
    assert_memory_equal(a->root.sha256, b->root.sha256, 32);
    assert_memory_equal(a->fleet.sha256, b->fleet.sha256, 32);
    assert_memory_equal(a->chain.sha256, b->chain.sha256, 32);
    assert_int_equal(b->n_entries, N);
    assert_true(b->is_fleet_whole);
    dr_trust_store_close(&other);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_trust_store_export(p.store, small, &msg, &p.w.err);
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
    }
}

static void
lack_of_memory_changes_nothing(void **state)
{
    enum dr_rc rc = DR_E_LIMIT;
    size_t cap;
    (void)state; // id: C16
    add_root(2);
    add_fleet(7);
    add_entries(2);
    add_chain(3, 3);
    for (cap = 0; rc != DR_OK; cap += 40) {
        p.store->arena_cap = cap;
        rc = update(NULL);
        assert_true(rc == DR_OK || rc == DR_E_LIMIT || rc == DR_E_BAD_FLEET);
        assert_true(cap < 10000000);
    }
    assert_int_equal(held()->chain.msg->version, 3);
    reopen();
    for (cap = 0, rc = DR_E_LIMIT; rc != DR_OK; cap += cap < 31000 ? 997 : 40) {
        p.store->arena_cap = cap;
        rc = dr_store_load(p.store, &(struct dr_store_known){0}, &p.w.err);
        assert_true(rc == DR_OK || rc == DR_E_LIMIT || rc == DR_E_BAD_FLEET);
        assert_int_equal(held()->chain.msg->version, 3);
    }
}

static void
released_store_keeps_what_it_read_and_lets_others_in(void **state)
{
    (void)state;
    struct dr_trust_store *other = NULL;
    bool changed = false;
    dr_trust_store_release(p.store);
    OK(&p.w, dr_trust_store_open(p.state, p.first, p.pinned, &other, &p.w.err));
    assert_int_equal(held()->root.msg->version, 1);
    assert_int_equal(dr_trust_store_update(p.store, &p.update, p.w.now, &changed, &p.w.err),
                     DR_E_CONFLICT);
    dr_trust_store_close(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_is_held_across_a_restart),
        TEST(whole_fleet_is_held_without_paths),
        TEST(whole_fleet_may_come_with_paths),
        TEST(entries_of_equal_length_replace_each_other),
        TEST(roots_are_followed_one_by_one),
        TEST(good_roots_before_a_bad_one_stay),
        TEST(expired_last_root_is_held_but_refuses_everything),
        TEST(more_than_64_roots_are_refused),
        TEST(garbage_root_is_refused),
        TEST(fleet_goes_only_forward),
        TEST(documents_of_the_future_are_refused),
        TEST(clock_that_goes_back_is_refused),
        TEST(one_signed_time_far_ahead_shuts_the_store_for_a_bounded_time),
        TEST(rotation_takes_what_the_old_people_signed_out_of_use),
        TEST(chain_goes_only_forward),
        TEST(endless_updates_are_refused),
        TEST(another_process_is_kept_out),
        TEST(released_store_keeps_what_it_read_and_lets_others_in),
        TEST(another_first_root_is_refused),
        TEST(damaged_files_are_refused),
        TEST(failure_to_read_back_is_an_error),
        TEST(failure_to_write_is_an_error),
        TEST(lack_of_memory_changes_nothing),
        TEST(export_brings_another_store_to_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
