// Chain: the revisions that reviewers approved, append-only, and those that were withdrawn.
#ifndef DR_TRUST_CHAIN_H
#define DR_TRUST_CHAIN_H

#include "trust/root.h"

struct dr_chain_node; // a sorted index, in the arena

struct dr_chain {
    const Drover__V1__Chain *msg;
    struct dr_bytes wire;
    uint8_t sha256[32];
    struct dr_chain_node *nodes; // one per ADD, sorted by digest
    size_t n_nodes;
};

// A revision in the chain.
struct dr_chain_revision {
    const Drover__V1__ChainEntry *entry;    // its ADD
    const Drover__V1__ChainEntry *withdraw; // NULL: not withdrawn
};

// Verifies under the root's reviewers; ids and digests unique, parents earlier, WITHDRAW of what is
// there, one live head per branch. DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE, DR_E_QUORUM,
// DR_E_BAD_DOCUMENT, DR_E_BAD_CHAIN, DR_E_TWO_HEADS, DR_E_FOREIGN_CLUSTER.
DR_MUST_CHECK enum dr_rc
dr_chain_load(struct dr_arena *arena, const struct dr_root *root, struct dr_bytes wire,
              struct dr_chain *out, struct dr_err *err);
// The same checks for a payload that is about to be signed.
DR_MUST_CHECK enum dr_rc dr_chain_decode(struct dr_arena *arena, struct dr_bytes payload,
                                         struct dr_chain *out, struct dr_err *err);
// May `next` take the place of `held`? It must begin with all of held's entries. DR_E_ROLLBACK,
// DR_E_EQUIVOCATION, DR_E_BAD_CHAIN.
DR_MUST_CHECK enum dr_rc
dr_chain_follows(const struct dr_chain *held, const struct dr_chain *next, struct dr_err *err);
// False when no ADD has this digest.
DR_MUST_CHECK bool dr_chain_find(const struct dr_chain *chain, const uint8_t digest[32],
                                 struct dr_chain_revision *out);
// The revisions applied when these are the heads: heads and all ancestors, as one bool per entry of
// the chain's message. DR_E_NOT_IN_CHAIN for an unknown head, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_chain_applied(struct dr_arena *arena, const struct dr_chain *chain,
                 Drover__V1__Head *const *heads, size_t n_heads, bool **out, struct dr_err *err);
// Position of an ADD in the message's entries; n_entries when there is none.
size_t dr_chain_position(const struct dr_chain *chain, const uint8_t digest[32]);

#endif
