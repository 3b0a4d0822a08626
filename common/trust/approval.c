// Approval: draft, decode, verify, and its leaves.
#include "trust/approval.h"

#include "trust/attest.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdlib.h>
#include <string.h>

uint64_t
dr_approval_leaf_count(const Drover__V1__Approval *approval)
{
    uint64_t n = 0;
    for (size_t i = 0; i < approval->n_wave_sizes; i++) {
        n += approval->wave_sizes[i];
    }
    return n;
}

// The wave of leaf `index`.
static uint32_t
wave_of(const Drover__V1__Approval *approval, uint64_t index)
{
    uint64_t end = 0;
    uint32_t wave = 0;
    while (wave < approval->n_wave_sizes && index >= end) {
        end += approval->wave_sizes[wave++];
    }
    return wave;
}

bool
dr_approval_is_down(Drover__V1__Mode mode)
{
    return mode == DROVER__V1__MODE__DOWN || mode == DROVER__V1__MODE__UNSTAMP;
}

bool
dr_approval_is_stamp(Drover__V1__Mode mode)
{
    return mode == DROVER__V1__MODE__STAMP || mode == DROVER__V1__MODE__UNSTAMP;
}

static enum dr_rc
check_approval(const Drover__V1__Approval *approval, struct dr_err *err)
{
    bool is_remedy = approval->mode == DROVER__V1__MODE__REMEDY;
    bool ok = approval->mode != DROVER__V1__MODE__MODE_NONE &&
              approval->on_failure != DROVER__V1__ON_FAILURE__ON_FAILURE_NONE &&
              dr_name_is_valid(approval->environment) && approval->not_before > 0 &&
              approval->expires > approval->not_before &&
              is_remedy == (approval->remedy[0] != '\0');
    for (size_t i = 0; i < approval->n_wave_sizes; i++) {
        ok = ok && approval->wave_sizes[i] > 0;
    }
    for (size_t i = 1; i < approval->n_evidence_sha256; i++) {
        ok = ok && memcmp(approval->evidence_sha256[i - 1].data, approval->evidence_sha256[i].data,
                          32) < 0;
    }
    // An approval of nothing means nothing, never everything (CVE-2022-22941).
    uint64_t n = dr_approval_leaf_count(approval);
    if (!ok || n < 1 || n > DR_APPROVAL_LEAVES_MAX) {
        return dr_err_set(err, DR_E_BAD_APPROVAL,
                          "an approval needs a mode, an environment, an expiry after its begin, "
                          "targets in waves and evidence in order");
    }
    return DR_OK;
}

static enum dr_rc
decode(struct dr_arena *arena, const struct dr_envelope *envelope, struct dr_approval *out,
       struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__approval__descriptor, envelope->payload, &message,
                            err));
    out->msg = (const Drover__V1__Approval *)message;
    out->wire = envelope->wire;
    memcpy(out->sha256, envelope->sha256, 32);
    return check_approval(out->msg, err);
}

enum dr_rc
dr_approval_decode(struct dr_arena *arena, struct dr_bytes wire, struct dr_approval *out,
                   struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_approval approval = {0};
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_APPROVAL, &envelope, err));
    DR_TRY(decode(arena, &envelope, &approval, err));
    *out = approval;
    return DR_OK;
}

enum dr_rc
dr_approval_load(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                 struct dr_bytes wire, struct dr_approval *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_approval approval = {0};
    const Drover__V1__Role *role = dr_root_approvers(root->msg, environment);
    if (!role) {
        return dr_err_set(err, DR_E_QUORUM, "the root names no approvers of '%s'", environment);
    }
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_APPROVAL, &envelope, err));
    DR_TRY(dr_quorum_check(arena, root->msg, role, "the environment's approvers", &envelope,
                           &approval.signers, err));
    DR_TRY(decode(arena, &envelope, &approval, err));
    if (!dr_data_eq(approval.msg->cluster_id, root->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the approval is of another cluster");
    }
    if (strcmp(approval.msg->environment, environment) != 0) {
        return dr_err_set(err, DR_E_WRONG_ENVIRONMENT, "the approval is for '%s', not for '%s'",
                          approval.msg->environment, environment);
    }
    *out = approval;
    return DR_OK;
}

// --------------------------------------------------------------------------------- leaves

static enum dr_rc
decode_leaf(struct dr_arena *arena, const struct dr_approval *approval, struct dr_bytes bytes,
            uint64_t index, Drover__V1__ApprovalLeaf **out, struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__approval_leaf__descriptor, bytes, &message, err));
    Drover__V1__ApprovalLeaf *leaf = (Drover__V1__ApprovalLeaf *)message;
    size_t len = strlen(approval->msg->environment);
    if (!dr_target_name_is_valid(leaf->target) ||
        strncmp(leaf->target, approval->msg->environment, len) != 0 || leaf->target[len] != '/' ||
        leaf->acknowledged_flags > DR_ACK_FLAGS_ALL ||
        leaf->wave != wave_of(approval->msg, index)) {
        return dr_err_set(err, DR_E_BAD_APPROVAL, "the approval's leaf for '%s' is not sound",
                          leaf->target);
    }
    *out = leaf;
    return DR_OK;
}

enum dr_rc
dr_approval_leaf_prove(struct dr_arena *arena, const struct dr_approval *approval,
                       const Drover__V1__ProvenEntry *proven, Drover__V1__ApprovalLeaf **out,
                       struct dr_err *err)
{
    if (!dr_proven_is_true(proven, approval->msg->leaves_root,
                           dr_approval_leaf_count(approval->msg))) {
        return dr_err_set(err, DR_E_BAD_PROOF, "a leaf does not belong to the approval");
    }
    return decode_leaf(arena, approval, (struct dr_bytes){proven->leaf.data, proven->leaf.len},
                       proven->index, out, err);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Each target once, and in order within its wave.
static enum dr_rc
check_leaves(struct dr_arena *arena, Drover__V1__ApprovalLeaf **leaves, size_t n,
             struct dr_err *err)
{
    const char **names = dr_arena_array(arena, n, sizeof(*names));
    if (!names) {
        return dr_err_set(err, DR_E_LIMIT, "no room to check %zu leaves", n);
    }
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        names[i] = leaves[i]->target;
        ok = ok && (i == 0 || leaves[i - 1]->wave != leaves[i]->wave ||
                    strcmp(leaves[i - 1]->target, leaves[i]->target) < 0);
    }
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 1; i < n; i++) {
        ok = ok && strcmp(names[i - 1], names[i]) != 0;
    }
    return ok ? DR_OK
              : dr_err_set(err, DR_E_BAD_APPROVAL,
                           "the approval's targets are not in order, or one is twice");
}

enum dr_rc
dr_approval_leaves_check(struct dr_arena *arena, const struct dr_approval *approval,
                         const struct dr_bytes *leaves, size_t n_leaves,
                         Drover__V1__ApprovalLeaf ***out, struct dr_err *err)
{
    struct dr_merkle_tree tree;
    DR_TRY(dr_merkle_build(arena, leaves, n_leaves, &tree, err));
    if (n_leaves != dr_approval_leaf_count(approval->msg) ||
        !dr_data_is(approval->msg->leaves_root, dr_merkle_root(&tree))) {
        return dr_err_set(err, DR_E_BAD_PROOF, "the leaves are not those of the approval");
    }
    Drover__V1__ApprovalLeaf **decoded = dr_arena_array(arena, n_leaves, sizeof(*decoded));
    if (!decoded) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu leaves", n_leaves);
    }
    for (size_t i = 0; i < n_leaves; i++) {
        DR_TRY(decode_leaf(arena, approval, leaves[i], i, &decoded[i], err));
    }
    DR_TRY(check_leaves(arena, decoded, n_leaves, err));
    *out = decoded;
    return DR_OK;
}

// ---------------------------------------------------------------------------------- draft

static int
by_wave(const void *a, const void *b)
{
    const struct dr_approval_target *x = a, *y = b;
    int wave = (x->wave > y->wave) - (x->wave < y->wave);
    return wave != 0 ? wave : strcmp(x->target, y->target);
}

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static enum dr_rc
make_leaves(struct dr_arena *arena, const struct dr_approval_request *request,
            struct dr_bytes *leaves, Drover__V1__Approval *approval, struct dr_err *err)
{
    for (size_t i = 0; i < request->n_targets; i++) {
        const struct dr_approval_target *target = &request->targets[i];
        Drover__V1__ApprovalLeaf leaf;
        drover__v1__approval_leaf__init(&leaf);
        leaf.target = dr_arena_str(arena, target->target);
        leaf.entry_sha256 = dr_data(target->entry_sha256, 32);
        leaf.ready_sha256 = dr_data(target->ready_sha256, 32);
        leaf.acknowledged_flags = target->acknowledged_flags;
        leaf.wave = target->wave;
        if (!leaf.target) {
            return dr_err_set(err, DR_E_LIMIT, "no room for an approval");
        }
        if (leaf.wave < 1 || leaf.wave > request->n_targets) {
            return dr_err_set(err, DR_E_BAD_APPROVAL, "waves count from 1 without gaps");
        }
        approval->wave_sizes[leaf.wave - 1]++;
        approval->n_wave_sizes = leaf.wave;
        DR_TRY(dr_strict_encode(arena, &leaf.base, &leaves[i], err));
    }
    return DR_OK;
}

static void
list_evidence(const struct dr_approval_request *request, Drover__V1__Approval *approval)
{
    if (request->n_evidence > 0) {
        qsort(request->evidence, request->n_evidence, 32, by_bytes);
    }
    for (size_t i = 0; i < request->n_evidence; i++) {
        if (i == 0 || memcmp(request->evidence[i - 1], request->evidence[i], 32) != 0) {
            approval->evidence_sha256[approval->n_evidence_sha256++] =
                dr_data(request->evidence[i], 32);
        }
    }
}

enum dr_rc
dr_approval_draft(struct dr_arena *arena, struct dr_approval_request *request,
                  struct dr_bytes *out_payload, struct dr_bytes **out_leaves, struct dr_err *err)
{
    size_t n = request->n_targets;
    Drover__V1__Approval approval = request->header;
    uint8_t random[16];
    struct dr_merkle_tree tree;
    struct dr_bytes payload, *leaves = dr_arena_array(arena, n, sizeof(*leaves));
    Drover__V1__ApprovalLeaf **decoded = NULL;
    approval.wave_sizes = dr_arena_array(arena, n, sizeof(*approval.wave_sizes));
    approval.evidence_sha256 =
        dr_arena_array(arena, request->n_evidence, sizeof(*approval.evidence_sha256));
    if (!leaves || !approval.wave_sizes || !approval.evidence_sha256) {
        return dr_err_set(err, DR_E_LIMIT, "no room for an approval of %zu targets", n);
    }
    if (n > 0) {
        qsort(request->targets, n, sizeof(request->targets[0]), by_wave);
    }
    if (approval.approval_id.len == 0) {
        dr_random(random, sizeof(random));
        approval.approval_id = dr_data(random, sizeof(random));
    }
    DR_TRY(make_leaves(arena, request, leaves, &approval, err));
    list_evidence(request, &approval);
    DR_TRY(dr_merkle_build(arena, leaves, n, &tree, err));
    approval.leaves_root = dr_data(dr_merkle_root(&tree), 32);
    DR_TRY(check_approval(&approval, err));
    DR_TRY(dr_strict_encode(arena, &approval.base, &payload, err));
    struct dr_approval check = {.msg = &approval};
    DR_TRY(dr_approval_leaves_check(arena, &check, leaves, n, &decoded, err));
    *out_payload = payload;
    *out_leaves = leaves;
    return DR_OK;
}

bool
dr_approval_lists(const Drover__V1__Approval *approval, const uint8_t sha256[32])
{
    for (size_t i = 0; i < approval->n_evidence_sha256; i++) {
        if (dr_data_is(approval->evidence_sha256[i], sha256)) {
            return true;
        }
    }
    return false;
}
