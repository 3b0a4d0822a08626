// Approval: the people's signed answer to the READYs of one environment's targets. Leaves stand by
// (wave, target).
#ifndef DR_TRUST_APPROVAL_H
#define DR_TRUST_APPROVAL_H

#include "proto/service.pb-c.h"
#include "trust/merkle.h"
#include "trust/root.h"

#define DR_APPROVAL_LEAVES_MAX 100000u

struct dr_approval {
    const Drover__V1__Approval *msg;
    struct dr_bytes wire;
    uint8_t sha256[32];
    struct dr_signers signers; // dr_approval_load only
};

struct dr_approval_target {
    const char *target;
    uint8_t entry_sha256[32], ready_sha256[32];
    uint32_t acknowledged_flags;
    uint32_t wave; // from 1, without gaps
};

// What is to be approved. `header`: all fields but approval_id (random when empty), leaves_root,
// wave_sizes, evidence.
struct dr_approval_request {
    Drover__V1__Approval header;
    struct dr_approval_target *targets; // sorted in place
    size_t n_targets;
    uint8_t (*evidence)[32]; // payload digests; sorted in place, duplicates dropped
    size_t n_evidence;
};

// Does this mode take revisions away (DOWN, UNSTAMP)? Does it only record (STAMP, UNSTAMP)?
bool dr_approval_is_down(Drover__V1__Mode mode);
bool dr_approval_is_stamp(Drover__V1__Mode mode);

// The payload to sign and the leaves that travel beside it. DR_E_BAD_APPROVAL, DR_E_BAD_DOCUMENT,
// DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_approval_draft(struct dr_arena *arena, struct dr_approval_request *request,
                  struct dr_bytes *out_payload, struct dr_bytes **out_leaves, struct dr_err *err);
// Decodes without looking at a signature: to show it, to sign it, or to learn which plan to fetch.
// Authority: none.
DR_MUST_CHECK enum dr_rc dr_approval_decode(struct dr_arena *arena, struct dr_bytes wire,
                                            struct dr_approval *out, struct dr_err *err);
// Verifies under the root's approvers of `environment` (which comes from the caller's own
// configuration or choice), then decodes. DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE, DR_E_QUORUM,
// DR_E_BAD_DOCUMENT, DR_E_BAD_APPROVAL, DR_E_FOREIGN_CLUSTER, DR_E_WRONG_ENVIRONMENT.
DR_MUST_CHECK enum dr_rc
dr_approval_load(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                 struct dr_bytes wire, struct dr_approval *out, struct dr_err *err);
// All leaves in order: Merkle root, order, each target once, waves as wave_sizes says. For signers
// and the coordinator.
DR_MUST_CHECK enum dr_rc
dr_approval_leaves_check(struct dr_arena *arena, const struct dr_approval *approval,
                         const struct dr_bytes *leaves, size_t n_leaves,
                         Drover__V1__ApprovalLeaf ***out, struct dr_err *err);
// One leaf with its path; its wave must be the one of its index. DR_E_BAD_PROOF, DR_E_BAD_DOCUMENT,
// DR_E_BAD_APPROVAL.
DR_MUST_CHECK enum dr_rc
dr_approval_leaf_prove(struct dr_arena *arena, const struct dr_approval *approval,
                       const Drover__V1__ProvenEntry *proven, Drover__V1__ApprovalLeaf **out,
                       struct dr_err *err);
// Sum of wave_sizes.
uint64_t dr_approval_leaf_count(const Drover__V1__Approval *approval);
// True if the approval names this evidence.
bool dr_approval_lists(const Drover__V1__Approval *approval, const uint8_t sha256[32]);

#endif
