// Pairing level by level, a last odd node going up unchanged, gives the tree that RFC 6962 defines
// by recursion.
#include "trust/merkle.h"

#include <sodium.h>
#include <string.h>

static void
hash_leaf(struct dr_bytes leaf, uint8_t out[32])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t[]){0}, 1);
    crypto_hash_sha256_update(&state, leaf.data, leaf.len);
    crypto_hash_sha256_final(&state, out);
}

static void
hash_pair(const uint8_t left[32], const uint8_t right[32], uint8_t out[32])
{
    uint8_t both[65] = {1};
    memcpy(both + 1, left, 32);
    memcpy(both + 33, right, 32);
    crypto_hash_sha256(out, both, sizeof(both));
}

enum dr_rc
dr_merkle_build(struct dr_arena *arena, const struct dr_bytes *leaves, size_t n_leaves,
                struct dr_merkle_tree *out, struct dr_err *err)
{
    if (n_leaves == 0) {
        return dr_err_set(err, DR_E_INVALID, "a tree without leaves");
    }
    struct dr_merkle_tree tree = {.n_leaves = n_leaves};
    for (uint64_t n = n_leaves;; n = (n + 1) / 2) {
        uint8_t(*nodes)[32] = dr_arena_array(arena, n, 32);
        if (!nodes) {
            return dr_err_set(err, DR_E_LIMIT, "no room for a tree of %zu leaves", n_leaves);
        }
        for (uint64_t i = 0; i < n; i++) {
            if (tree.n_levels == 0) {
                hash_leaf(leaves[i], nodes[i]);
            } else {
                const uint8_t(*below)[32] =
                    (const uint8_t(*)[32])tree.levels[tree.n_levels - 1].nodes;
                if (2 * i + 1 < tree.levels[tree.n_levels - 1].n) {
                    hash_pair(below[2 * i], below[2 * i + 1], nodes[i]);
                } else {
                    memcpy(nodes[i], below[2 * i], 32);
                }
            }
        }
        tree.levels[tree.n_levels].nodes = nodes;
        tree.levels[tree.n_levels++].n = n;
        if (n == 1) {
            break;
        }
    }
    *out = tree;
    return DR_OK;
}

const uint8_t *
dr_merkle_root(const struct dr_merkle_tree *tree)
{
    return tree->levels[tree->n_levels - 1].nodes[0];
}

size_t
dr_merkle_path(const struct dr_merkle_tree *tree, uint64_t index,
               uint8_t out[DR_MERKLE_PATH_MAX][32])
{
    size_t n = 0;
    for (size_t level = 0; level + 1 < tree->n_levels; level++, index /= 2) {
        uint64_t sibling = index ^ 1;
        if (sibling < tree->levels[level].n) {
            memcpy(out[n++], tree->levels[level].nodes[sibling], 32);
        }
    }
    return n;
}

bool
dr_merkle_is_proven(const uint8_t root[32], uint64_t n_leaves, uint64_t index, struct dr_bytes leaf,
                    const uint8_t (*path)[32], size_t n_path)
{
    if (index >= n_leaves || n_path > DR_MERKLE_PATH_MAX) {
        return false;
    }
    uint64_t node = index, last = n_leaves - 1;
    uint8_t hash[32];
    hash_leaf(leaf, hash);
    for (size_t i = 0; i < n_path; i++) {
        if (last == 0) {
            return false;
        }
        // A right child, or the last odd node: it went up unchanged until it became a right child.
        if (node % 2 == 1 || node == last) {
            hash_pair(path[i], hash, hash);
            for (; node % 2 == 0; node /= 2, last /= 2) { // ends: here node is not 0
            }
        } else {
            hash_pair(hash, path[i], hash);
        }
        node /= 2;
        last /= 2;
    }
    return last == 0 && sodium_memcmp(hash, root, 32) == 0;
}
