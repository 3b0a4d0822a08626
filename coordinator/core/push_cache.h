// Push cache: what many agents get alike is made once: the roots, a patch of the chain, an approval
// with its leaves, tree and evidence. Only push*.c look inside.
#ifndef DR_CORE_PUSH_CACHE_H
#define DR_CORE_PUSH_CACHE_H

#include "coordinator/core/core.h"
#include "trust/approval.h"

// An approval and everything that its bundles share.
struct dr_push_approval {
    struct dr_arena *arena; // NULL: nothing is held
    uint8_t sha256[32];
    struct dr_approval approval;
    struct dr_bytes envelope;
    char *environment;
    struct dr_bytes *leaves;
    Drover__V1__ApprovalLeaf **decoded;
    size_t n_leaves;
    struct dr_merkle_tree tree;
    struct dr_store_document *listed; // the evidence that it names
    size_t n_listed;
};

struct dr_push_cache {
    struct dr_arena *roots_arena, *patch_arena;
    ProtobufCBinaryData *roots; // versions ascending, the first one left out
    size_t n_roots;
    uint64_t first_version; // of roots[0]
    uint8_t patch_base[32], patch_next[32];
    Drover__V1__ChainPatch *patch; // may be NULL: there is none between the two
    struct dr_push_approval approval;
};

// Made if missing. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_push_cache(struct dr_core *core, struct dr_push_cache **out, struct dr_err *err);
// The approval with all that its bundles share; held until another one is asked for or trust
// changes. DR_E_NOT_FOUND when something that it names is not here.
DR_MUST_CHECK enum dr_rc dr_push_approval(struct dr_core *core, const uint8_t sha256[32],
                                          const struct dr_push_approval **out, struct dr_err *err);
// The own leaf's number; n_leaves when the approval has none for `target`.
size_t dr_push_leaf(const struct dr_push_approval *approval, const char *target);
// Trust has changed, or the coordinator closes: forgets all. NULL accepted.
void dr_push_cache_free(struct dr_push_cache **cache);

#endif
