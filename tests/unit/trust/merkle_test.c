// Merkle trees against RFC 6962's own recursive definition and known values.
#include "unit/trust/world.h"

#define LEAVES_MAX 33

static void
sha(uint8_t prefix, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t out[32])
{
    uint8_t all[65];
    all[0] = prefix;
    memcpy(all + 1, a, a_len);
    if (b_len > 0) {
        memcpy(all + 1 + a_len, b, b_len);
    }
    dr_sha256((struct dr_bytes){all, 1 + a_len + b_len}, out);
}

// MTH(D[n]) as the RFC writes it: k is the largest power of two smaller than n.
static void
hash_by_definition(const struct dr_bytes *leaves, size_t n, uint8_t out[32])
{
    uint8_t left[32], right[32];
    size_t k = 1;
    if (n == 1) {
        sha(0, leaves[0].data, leaves[0].len, NULL, 0, out);
        return;
    }
    while (2 * k < n) {
        k *= 2;
    }
    hash_by_definition(leaves, k, left);
    hash_by_definition(leaves + k, n - k, right);
    sha(1, left, 32, right, 32, out);
}

static void
make_leaves(struct dr_bytes leaves[LEAVES_MAX], uint8_t bytes[LEAVES_MAX])
{
    for (size_t i = 0; i < LEAVES_MAX; i++) {
        bytes[i] = (uint8_t)i;
        leaves[i] = (struct dr_bytes){&bytes[i], 1};
    }
}

static void
root_is_that_of_the_definition(void **state)
{
    struct dr_bytes leaves[LEAVES_MAX];
    uint8_t bytes[LEAVES_MAX], expected[32];
    struct dr_err err;
    (void)state;
    make_leaves(leaves, bytes);
    for (size_t n = 1; n <= LEAVES_MAX; n++) {
        struct dr_arena *arena = dr_arena_new(1u << 20);
        struct dr_merkle_tree tree;
        assert_int_equal(dr_merkle_build(arena, leaves, n, &tree, &err), DR_OK);
        hash_by_definition(leaves, n, expected);
        assert_memory_equal(dr_merkle_root(&tree), expected, 32);
        dr_arena_free(&arena);
    }
}

static void
root_of_one_empty_leaf_is_the_known_value(void **state)
{
    // SHA-256 of one zero byte.
    static const char known[] = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    struct dr_arena *arena = dr_arena_new(1u << 20);
    struct dr_merkle_tree tree;
    struct dr_bytes leaf = {(const uint8_t *)"", 0};
    struct dr_err err;
    char hex[65];
    (void)state;
    assert_int_equal(dr_merkle_build(arena, &leaf, 1, &tree, &err), DR_OK);
    dr_hex(hex, dr_merkle_root(&tree), 32);
    assert_string_equal(hex, known);
    dr_arena_free(&arena);
}

static void
every_leaf_is_proven_and_nothing_else_is(void **state)
{
    struct dr_bytes leaves[LEAVES_MAX];
    uint8_t bytes[LEAVES_MAX], path[DR_MERKLE_PATH_MAX][32];
    struct dr_err err;
    (void)state;
    make_leaves(leaves, bytes);
    for (size_t n = 1; n <= LEAVES_MAX; n++) {
        struct dr_arena *arena = dr_arena_new(1u << 20);
        struct dr_merkle_tree tree;
        assert_int_equal(dr_merkle_build(arena, leaves, n, &tree, &err), DR_OK);
        const uint8_t *root = dr_merkle_root(&tree);
        for (size_t i = 0; i < n; i++) {
            const uint8_t(*p)[32] = (const uint8_t(*)[32])path;
            size_t len = dr_merkle_path(&tree, i, path);
            assert_true(dr_merkle_is_proven(root, n, i, leaves[i], p, len));
            for (size_t other = 0; other < n; other++) {
                assert_int_equal(dr_merkle_is_proven(root, n, other, leaves[i], p, len),
                                 other == i);
                assert_int_equal(dr_merkle_is_proven(root, n, i, leaves[other], p, len),
                                 other == i);
            }
            assert_false(dr_merkle_is_proven(root, n, n, leaves[i], p, len));
            assert_false(dr_merkle_is_proven(root, n, i, leaves[i], p, len + 1));
            assert_false(len > 0 && dr_merkle_is_proven(root, n, i, leaves[i], p, len - 1));
            if (len > 0) {
                path[len - 1][0] ^= 1;
                assert_false(dr_merkle_is_proven(root, n, i, leaves[i], p, len));
            }
        }
        dr_arena_free(&arena);
    }
}

// An inner node presented as a leaf hashes with another prefix.
static void
inner_node_is_no_leaf(void **state)
{
    struct dr_bytes leaves[LEAVES_MAX];
    uint8_t bytes[LEAVES_MAX], both[64];
    struct dr_arena *arena = dr_arena_new(1u << 20);
    struct dr_merkle_tree tree;
    struct dr_err err;
    (void)state;
    make_leaves(leaves, bytes);
    assert_int_equal(dr_merkle_build(arena, leaves, 2, &tree, &err), DR_OK);
    memcpy(both, tree.levels[0].nodes[0], 64);
    assert_false(
        dr_merkle_is_proven(dr_merkle_root(&tree), 1, 0, (struct dr_bytes){both, 64}, NULL, 0));
    assert_false(dr_merkle_is_proven(dr_merkle_root(&tree), 1, 0, leaves[0], NULL, 65));
    dr_arena_free(&arena);
}

static void
no_leaves_and_no_memory_are_errors(void **state)
{
    struct dr_bytes leaves[LEAVES_MAX];
    uint8_t bytes[LEAVES_MAX];
    struct dr_merkle_tree tree;
    struct dr_err err;
    struct dr_arena *arena = dr_arena_new(100);
    (void)state;
    make_leaves(leaves, bytes);
    assert_int_equal(dr_merkle_build(arena, leaves, 0, &tree, &err), DR_E_INVALID);
    assert_int_equal(dr_merkle_build(arena, leaves, 8, &tree, &err), DR_E_LIMIT);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_that_of_the_definition),
        cmocka_unit_test(root_of_one_empty_leaf_is_the_known_value),
        cmocka_unit_test(every_leaf_is_proven_and_nothing_else_is),
        cmocka_unit_test(inner_node_is_no_leaf),
        cmocka_unit_test(no_leaves_and_no_memory_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
