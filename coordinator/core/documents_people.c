// Documents of people: approvals and sign-offs. An approval is taken only while the READYs that it
// answers are open here and its gates are open; what an agent will make of it is the agent's own
// judgement.
#include "base/clock.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/evidence.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

#define GATES_MEMORY_MAX (64u << 20)

// The open rollout and stage that an approval speaks about.
static enum dr_rc
find_stage(struct dr_incoming *in, const Drover__V1__Approval *approval,
           struct dr_rollout **out_rollout, struct dr_rollout_stage **out_stage, struct dr_err *err)
{
    struct dr_rollout *rollout = dr_core_rollout(in->core, approval->rollout);

    if (rollout == NULL) {
        return dr_err_set(err, DR_E_ROLLOUT_UNKNOWN, "there is no rollout '%.20s'",
                          approval->rollout);
    }
    if (!dr_rollout_is_open(rollout)) {
        return dr_err_set(err, DR_E_ROLLOUT_ENDED, "rollout '%s' has ended", rollout->id);
    }
    bool has_plan = false;
    for (size_t i = 0; i < rollout->n_plans; i++) {
        has_plan = has_plan || dr_data_is(approval->plan_sha256, rollout->plans[i].sha256);
    }
    if (!has_plan) {
        return dr_err_set(err, DR_E_PLAN_DIGEST,
                          "the approval names another plan than rollout '%s'", rollout->id);
    }
    for (size_t s = 0; s < rollout->n_stages; s++) {
        if (strcmp(rollout->stages[s].environment, approval->environment) == 0) {
            *out_rollout = rollout;
            *out_stage = &rollout->stages[s];
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_WRONG_ENVIRONMENT, "rollout '%s' does not go to '%.64s'",
                      rollout->id, approval->environment);
}

// Each leaf answers the READY that is open here now, and names the fleet entry as it is.
static enum dr_rc
check_leaf(struct dr_incoming *in, struct dr_rollout *rollout, const Drover__V1__ApprovalLeaf *leaf,
           struct dr_rollout_target **out, struct dr_err *err)
{
    struct dr_rollout_stage *stage = NULL;
    struct dr_rollout_target *target = dr_rollout_find(rollout, leaf->target, &stage);
    const struct dr_fleet_entry *entry = dr_directory_target(in->core->directory, leaf->target);

    if (target == NULL || entry == NULL) {
        return dr_err_set(err, DR_E_WRONG_TARGET, "target '%.130s' is not in rollout '%s'",
                          leaf->target, rollout->id);
    }
    if (!dr_data_is(leaf->entry_sha256, entry->sha256)) {
        return dr_err_set(err, DR_E_WRONG_POLICY,
                          "the fleet's entry of '%s' has changed since the approval was made",
                          target->name);
    }
    bool is_open =
        target->state == DR_TARGET_READY || (in->is_held && dr_target_is_active(target->state));
    if (!is_open || !target->has_ready || !dr_data_is(leaf->ready_sha256, target->ready)) {
        dr_err_set(err, DR_E_WRONG_READY,
                   "the approval does not answer the READY of '%s' that is open (it is %s)",
                   target->name, dr_target_state_name(target->state));
        return dr_err_hint(err, "drover approve %s -e %s", rollout->id, stage->environment);
    }
    *out = target;
    return DR_OK;
}

static enum dr_rc
check_target_gates(struct dr_core *core, struct dr_arena *arena, const struct dr_evidence *evidence,
                   const struct dr_rollout *rollout, const struct dr_rollout_stage *stage,
                   const struct dr_rollout_target *target, const Drover__V1__Approval *approval,
                   struct dr_err *err)
{
    struct dr_gate_result *gates;
    size_t n_gates;

    DR_TRY(dr_evidence_gates(core, arena, evidence, rollout, stage, target, approval, &gates,
                             &n_gates, err));
    for (size_t g = 0; g < n_gates; g++) {
        if (!gates[g].is_open && !gates[g].is_after) {
            dr_err_set(err, DR_E_GATE_MISSING, "gate '%s' of '%s' is closed for '%s': %s",
                       dr_gate_name(gates[g].gate), stage->environment, target->name,
                       gates[g].missing);
            return dr_err_hint(err, "drover checklist %s", rollout->id);
        }
    }
    return DR_OK;
}

static enum dr_rc
check_gates(struct dr_incoming *in, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
            const Drover__V1__Approval *approval, Drover__V1__ApprovalLeaf *const *leaves,
            size_t n_leaves, struct dr_err *err)
{
    const struct dr_evidence *evidence;

    DR_TRY(dr_evidence_load(in->core, stage->environment, &evidence, err));
    for (size_t i = 0; i < n_leaves; i++) {
        struct dr_arena *arena = dr_arena_new(GATES_MEMORY_MAX); // many targets, each its own
        struct dr_rollout_target *target;
        enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                      : check_leaf(in, rollout, leaves[i], &target, err);

        rc = rc == DR_OK ? check_target_gates(in->core, arena, evidence, rollout, stage, target,
                                              approval, err)
                         : rc;
        dr_arena_free(&arena);
        DR_TRY(rc);
    }
    return DR_OK;
}

// A bundle has to hold all that the approval names.
static enum dr_rc
check_evidence(struct dr_incoming *in, const Drover__V1__Approval *approval, struct dr_err *err)
{
    for (size_t i = 0; i < approval->n_evidence_sha256; i++) {
        struct dr_store_document row;
        char hex[65];
        enum dr_rc rc = in->core->store->ops->document_get(
            in->core->store, approval->evidence_sha256[i].data, in->arena, &row, err);

        if (rc == DR_E_NOT_FOUND) {
            dr_hex(hex, approval->evidence_sha256[i].data, 32);
            return dr_err_set(err, DR_E_NOT_FOUND,
                              "the approval names evidence that is not here: %.16s", hex);
        }
        if (rc != DR_OK) {
            return rc;
        }
    }
    return DR_OK;
}

static enum dr_rc
check_approval(struct dr_incoming *in, const struct dr_approval *approval,
               struct dr_rollout **out_rollout, Drover__V1__ApprovalLeaf ***out_leaves,
               struct dr_err *err)
{
    struct dr_rollout_stage *stage;
    const struct dr_bytes *leaves = dr_incoming_leaves(in);

    if (leaves == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "an approval of %zu leaves is too large", in->n_parts);
    }
    DR_TRY(find_stage(in, approval->msg, out_rollout, &stage, err));
    const struct dr_fleet_entry *policy =
        dr_directory_environment(in->core->directory, stage->environment);
    if (policy == NULL || !dr_data_is(approval->msg->policy_sha256, policy->sha256)) {
        return dr_err_set(err, DR_E_WRONG_POLICY,
                          "the policy of '%s' has changed since the approval was made",
                          stage->environment);
    }
    if (approval->msg->mode != stage->mode) {
        return dr_err_set(err, DR_E_WRONG_MODE,
                          "the approval names another mode than rollout '%s' has in '%s'",
                          (*out_rollout)->id, stage->environment);
    }
    DR_TRY(dr_approval_leaves_check(in->arena, approval, leaves, in->n_parts, out_leaves, err));
    DR_TRY(check_evidence(in, approval->msg, err));
    return check_gates(in, *out_rollout, stage, approval->msg, *out_leaves, in->n_parts, err);
}

enum dr_rc
dr_incoming_approval(struct dr_incoming *in, struct dr_err *err)
{
    struct dr_approval approval;
    struct dr_rollout *rollout;
    Drover__V1__ApprovalLeaf **leaves;
    const struct dr_root *root = &in->core->trust->root;

    if (in->is_held && in->was_complete) {
        return DR_OK;
    }
    DR_TRY(dr_approval_decode(in->arena, in->envelope.wire, &approval, err));
    const Drover__V1__Approval *msg = approval.msg;
    const Drover__V1__Role *role = dr_root_approvers(root->msg, msg->environment);
    if (role == NULL) {
        return dr_err_set(err, DR_E_WRONG_ENVIRONMENT,
                          "the root names nobody who may approve in '%.64s'", msg->environment);
    }
    if (msg->expires <= dr_now_unix_s()) {
        return dr_err_set(err, DR_E_EXPIRED, "the approval has expired");
    }
    DR_TRY(dr_incoming_gather(in, root->msg, role, "approvers", err));
    DR_TRY(check_approval(in, &approval, &rollout, &leaves, err));
    in->row.environment = msg->environment;
    in->row.time = msg->not_before;
    in->row.has_plan = true;
    memcpy(in->row.plan_sha256, msg->plan_sha256.data, 32);
    in->subject = dr_arena_printf(in->arena, "%s %s", rollout->id, msg->environment);
    in->row.is_pending = in->signatures < in->needed;
    DR_TRY(dr_incoming_keep(in, err));
    rollout->log_index = dr_events_head(in->core->events)->index;
    rollout->is_dirty = true;
    if (in->row.is_pending) {
        return DR_OK;
    }
    DR_TRY(dr_approval_load(in->arena, root, msg->environment, in->row.envelope, &approval, err));
    return dr_schedule_approval(in->core, rollout, &approval, leaves, in->n_parts, err);
}

// ---- sign-offs

// The rollouts that a sign-off is about, for the log's subject.
static const char *
signoff_subject(struct dr_incoming *in, const Drover__V1__Signoff *signoff)
{
    for (size_t i = in->core->n_rollouts; i > 0; i--) {
        struct dr_rollout *rollout = in->core->rollouts[i - 1];

        for (size_t p = 0; p < rollout->n_plans; p++) {
            if (dr_data_is(signoff->plan_sha256, rollout->plans[p].sha256)) {
                rollout->log_index = dr_events_next(in->core->events);
                rollout->is_dirty = true;
                return dr_arena_printf(in->arena, "%s %s", rollout->id, signoff->environment);
            }
        }
    }
    return dr_arena_str(in->arena, signoff->environment);
}

enum dr_rc
dr_incoming_signoff(struct dr_incoming *in, struct dr_err *err)
{
    ProtobufCMessage *message;
    struct dr_signoff verified;
    const struct dr_root *root = &in->core->trust->root;

    if (in->is_held && in->was_complete) {
        return DR_OK;
    }
    DR_TRY(dr_strict_decode(in->arena, &drover__v1__signoff__descriptor, in->envelope.payload,
                            &message, err));
    const Drover__V1__Signoff *msg = (const Drover__V1__Signoff *)(void *)message;
    bool is_lift = msg->kind == DROVER__V1__SIGNOFF_KIND__LIFT;
    const Drover__V1__Role *role = is_lift ? dr_root_approvers(root->msg, msg->environment) : NULL;
    if (is_lift && role == NULL) {
        return dr_err_set(err, DR_E_WRONG_ENVIRONMENT,
                          "the root names nobody who may lift in '%.64s'", msg->environment);
    }
    DR_TRY(dr_incoming_gather(in, root->msg, role, is_lift ? "approvers" : "people", err));
    in->row.environment = msg->environment;
    in->row.subkind = (uint32_t)msg->kind;
    in->row.time = msg->time;
    in->row.has_plan = msg->plan_sha256.len == 32;
    if (in->row.has_plan) {
        memcpy(in->row.plan_sha256, msg->plan_sha256.data, 32);
    }
    in->subject = signoff_subject(in, msg);
    enum dr_rc rc =
        dr_signoff_load(in->arena, root, msg->environment, in->row.envelope, &verified, err);
    in->row.is_pending = rc == DR_E_QUORUM && is_lift;
    if (rc != DR_OK && !in->row.is_pending) {
        return rc;
    }
    DR_TRY(dr_incoming_keep(in, err));
    in->core->evidence_version++;
    if (in->row.is_pending || msg->kind == DROVER__V1__SIGNOFF_KIND__ITEM) {
        return DR_OK;
    }
    return dr_push_signoff(in->core, msg->environment, in->row.sha256, in->row.envelope, err);
}
