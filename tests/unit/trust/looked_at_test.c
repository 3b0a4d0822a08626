// The note that all keys of a large fleet were looked at: it saves that look, and nothing else.
#include "unit/trust/world.h"

#include "base/file.h"
#include "trust/store_inner.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define N (TARGETS + ENVIRONMENTS)

struct place {
    struct world w;
    char folder[64], state[80], note[96];
    struct dr_trust_store *store;
    Drover__V1__TrustUpdate update;
};
static struct place p;

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
    (void)snprintf(p.note, sizeof(p.note), "%s/looked-at", p.state);
    OK(&p.w, dr_trust_store_open(p.state, p.w.root.wire, p.w.root.file_sha256, &p.store, &p.w.err));
    p.store->looked_at_min = N;
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

static void
give_leaves(struct dr_bytes wire)
{
    Drover__V1__ProvenEntry **list = dr_arena_array(p.w.arena, N, sizeof(*list));
    drover__v1__trust_update__init(&p.update);
    for (size_t i = 0; i < N; i++) {
        list[i] = dr_arena_alloc(p.w.arena, sizeof(**list));
        drover__v1__proven_entry__init(list[i]);
        list[i]->leaf = data_of(p.w.leaves[i]);
    }
    p.update.fleet = data_of(wire);
    p.update.entries = list;
    p.update.n_entries = N;
}

static enum dr_rc
load(void)
{
    return dr_store_load(p.store, &(struct dr_store_known){0}, &p.w.err);
}

// The last target's key is of small order, and the people signed it all the same: a fleet that is
// refused whenever its keys are looked at. It is put into the folder by hand.
static void
put_weak_fleet(uint8_t sha256[32])
{
    struct dr_merkle_tree tree;
    char path[96];
    Drover__V1__FleetEntry *entry =
        drover__v1__fleet_entry__unpack(NULL, p.w.leaves[3].len, p.w.leaves[3].data);
    memset(entry->target->agent_signing_key.data, 0, DR_KEY_SIZE);
    p.w.leaves[3] = packed(&p.w, &entry->base);
    drover__v1__fleet_entry__free_unpacked(entry, NULL);
    OK(&p.w, dr_merkle_build(p.w.arena, p.w.leaves, N, &tree, &p.w.err));
    Drover__V1__Fleet msg = *p.w.fleet.msg;
    msg.entries_root = dr_data(dr_merkle_root(&tree), 32);
    struct dr_bytes payload = packed(&p.w, &msg.base);
    dr_sha256(payload, sha256);
    give_leaves(sign_by_two(&p.w, DR_TYPE_FLEET, payload));
    struct dr_bytes file = packed(&p.w, &p.update.base);
    (void)snprintf(path, sizeof(path), "%s/fleet", p.state);
    OK(&p.w, dr_file_write(path, file.data, file.len, 0600, &p.w.err));
}

static void
put_note(const uint8_t fleet[32])
{
    static const char what[] = "drover/looked-at.v1";
    uint8_t bytes[sizeof(what) + 64], name[32];
    memcpy(bytes, what, sizeof(what));
    memcpy(bytes + sizeof(what), p.w.root.sha256, 32);
    memcpy(bytes + sizeof(what) + 32, fleet, 32);
    dr_sha256((struct dr_bytes){bytes, sizeof(bytes)}, name);
    OK(&p.w, dr_file_write(p.note, name, 32, 0600, &p.w.err));
}

static void
a_whole_large_fleet_is_noted_and_a_small_one_is_not(void **state)
{
    bool changed;
    struct stat st;
    (void)state;
    give_leaves(p.w.fleet.wire);
    p.store->looked_at_min = N + 1;
    OK(&p.w, dr_trust_store_update(p.store, &p.update, NOW, &changed, &p.w.err));
    assert_false(dr_path_exists(p.note));
    p.store->looked_at_min = N;
    OK(&p.w, load());
    assert_int_equal(stat(p.note, &st), 0);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(st.st_mode & 0777, 0600);
    OK(&p.w, load());
    assert_int_equal(dr_trust_store_get(p.store)->n_entries, N);
    assert_true(dr_trust_store_get(p.store)->is_fleet_whole);
}

static void
single_entries_are_never_noted(void **state)
{
    bool changed;
    (void)state;
    give_leaves(p.w.fleet.wire);
    p.store->looked_at_min = 1;
    OK(&p.w, dr_proven_make(p.w.arena, &p.w.fleet_tree, p.w.leaves[1], 1, &p.update.entries[0],
                            &p.w.err));
    p.update.n_entries = 1;
    OK(&p.w, dr_trust_store_update(p.store, &p.update, NOW, &changed, &p.w.err));
    assert_false(dr_path_exists(p.note));
}

static void
keys_are_looked_at_where_the_note_is_missing_damaged_or_of_another_fleet(void **state)
{
    uint8_t sha256[32];
    (void)state;
    put_weak_fleet(sha256);
    REFUSED(DR_E_BAD_FLEET, load());
    put_note(p.w.fleet.sha256);
    REFUSED(DR_E_BAD_FLEET, load());
    put_note(sha256);
    assert_int_equal(truncate(p.note, 31), 0);
    REFUSED(DR_E_BAD_FLEET, load());
    OK(&p.w, dr_file_write(p.note, sha256, 32, 0600, &p.w.err));
    REFUSED(DR_E_BAD_FLEET, load());
    put_note(sha256);
    OK(&p.w, load()); // so it was the note that said so
}

static void
note_of_another_root_counts_for_nothing(void **state)
{
    uint8_t sha256[32];
    (void)state;
    put_weak_fleet(sha256);
    p.w.root.sha256[0] ^= 1;
    put_note(sha256);
    p.w.root.sha256[0] ^= 1;
    REFUSED(DR_E_BAD_FLEET, load());
}

static void
note_that_others_could_write_counts_for_nothing(void **state)
{
    uint8_t sha256[32];
    (void)state;
    put_weak_fleet(sha256);
    put_note(sha256);
    assert_int_equal(chmod(p.note, 0660), 0);
    REFUSED(DR_E_BAD_FLEET, load());
    assert_int_equal(chmod(p.note, 0600), 0);
    assert_int_equal(chmod(p.state, 0770), 0);
    REFUSED(DR_E_BAD_FLEET, load());
    assert_int_equal(chmod(p.state, 0700), 0);
    OK(&p.w, load());
}

// Signatures and the tree are looked at all the same.
static void
noted_fleet_must_still_be_the_signed_one(void **state)
{
    uint8_t sha256[32];
    char path[96];
    (void)state;
    put_weak_fleet(sha256);
    put_note(sha256);
    p.update.entries[1]->leaf = p.update.entries[2]->leaf;
    struct dr_bytes file = packed(&p.w, &p.update.base);
    (void)snprintf(path, sizeof(path), "%s/fleet", p.state);
    OK(&p.w, dr_file_write(path, file.data, file.len, 0600, &p.w.err));
    REFUSED(DR_E_BAD_PROOF, load());
}

static void
memory_that_runs_out_leaves_what_was_held(void **state)
{
    bool changed;
    enum dr_rc rc = DR_E_LIMIT;
    (void)state; // id: C16
    give_leaves(p.w.fleet.wire);
    OK(&p.w, dr_trust_store_update(p.store, &p.update, NOW, &changed, &p.w.err));
    for (size_t cap = 0; rc != DR_OK; cap += 160) {
        p.store->arena_cap = cap;
        rc = load();
        assert_true(rc == DR_OK || rc == DR_E_LIMIT || rc == DR_E_BAD_FLEET);
        assert_int_equal(dr_trust_store_get(p.store)->n_entries, N);
        assert_true(cap < 10000000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_large_fleet_is_noted_and_a_small_one_is_not),
        TEST(single_entries_are_never_noted),
        TEST(keys_are_looked_at_where_the_note_is_missing_damaged_or_of_another_fleet),
        TEST(note_of_another_root_counts_for_nothing),
        TEST(note_that_others_could_write_counts_for_nothing),
        TEST(noted_fleet_must_still_be_the_signed_one),
        TEST(memory_that_runs_out_leaves_what_was_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
