// Merkle trees as in RFC 6962 section 2.1: leaf SHA-256(00 | leaf), node SHA-256(01 | left |
// right).
#ifndef DR_TRUST_MERKLE_H
#define DR_TRUST_MERKLE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define DR_MERKLE_PATH_MAX 64u

// All levels of a tree, leaves first; the root alone in the last. In an arena.
struct dr_merkle_tree {
    uint64_t n_leaves;
    size_t n_levels;
    struct {
        uint8_t (*nodes)[32];
        uint64_t n;
    } levels[DR_MERKLE_PATH_MAX + 1];
};

// Builds the tree over `leaves` in their order. O(n) hashes. DR_E_INVALID for none, DR_E_LIMIT at
// the arena's cap.
DR_MUST_CHECK enum dr_rc
dr_merkle_build(struct dr_arena *arena, const struct dr_bytes *leaves, size_t n_leaves,
                struct dr_merkle_tree *out, struct dr_err *err);
// The root's 32 bytes, in the tree.
const uint8_t *dr_merkle_root(const struct dr_merkle_tree *tree);
// The audit path of leaf `index` (< n_leaves), nearest sibling first. Returns its length.
size_t dr_merkle_path(const struct dr_merkle_tree *tree, uint64_t index,
                      uint8_t out[DR_MERKLE_PATH_MAX][32]);
// True if `leaf` is number `index` of the `n_leaves` under `root` (RFC 9162 section 2.1.3.2).
bool dr_merkle_is_proven(const uint8_t root[32], uint64_t n_leaves, uint64_t index,
                         struct dr_bytes leaf, const uint8_t (*path)[32], size_t n_path);

#endif
