// Rows about evidence: attestations, sign-offs, gates, canaries.
#include "trust/verify_rows.h"

#include "trust/gate_eval.h"
#include "trust/stamp.h"
#include "trust/strict.h"

#include <string.h>

enum dr_row
dr_row_evidence(struct dr_check *check)
{
    const Drover__V1__Bundle *bundle = check->in->bundle;
    const struct dr_trust *trust = check->in->trust;
    const char *environment = check->in->me->environment;
    struct dr_signoff *own = NULL, *brought = NULL;
    size_t n = bundle->n_evidence_entries, n_own = 0, n_brought = 0;
    check->entries = dr_arena_array(check->arena, n + trust->n_entries, sizeof(*check->entries));
    if (!check->entries) {
        DR_ROW_REFUSE(check, LIMIT, "no room for the evidence");
    }
    for (size_t i = 0; i < n; i++) {
        DR_ROW_TRY(dr_fleet_entry_prove(check->arena, &check->fleet, bundle->evidence_entries[i],
                                        &check->entries[i], check->err));
    }
    memcpy(&check->entries[n], trust->entries, trust->n_entries * sizeof(*check->entries));
    check->n_entries = n + trust->n_entries;
    DR_ROW_TRY(dr_gate_load_evidence(check->arena, &check->fleet, check->entries, check->n_entries,
                                     bundle->evidence, bundle->n_evidence, false, &check->evidence,
                                     &check->n_evidence, check->err));
    DR_ROW_TRY(dr_gate_load_signoffs(check->arena, &trust->root, environment, bundle->signoffs,
                                     bundle->n_signoffs, false, &brought, &n_brought, check->err));
    // Remembered stops: whoever was taken out of root since then no longer stops anything.
    DR_ROW_TRY(dr_gate_load_signoffs(check->arena, &trust->root, environment, check->in->stops,
                                     check->in->n_stops, true, &own, &n_own, check->err));
    check->signoffs = dr_arena_array(check->arena, n_brought + n_own, sizeof(*check->signoffs));
    if (!check->signoffs) {
        DR_ROW_REFUSE(check, LIMIT, "no room for the sign-offs");
    }
    memcpy(check->signoffs, brought, n_brought * sizeof(*brought));
    memcpy(check->signoffs + n_brought, own, n_own * sizeof(*own));
    check->n_signoffs = n_brought + n_own;
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_stops(struct dr_check *check)
{
    const Drover__V1__Approval *approval = check->out->approval.msg;
    DR_ROW_TRY(dr_signoff_check_stops(&check->in->trust->root, check->signoffs, check->n_signoffs,
                                      check->in->me->environment, approval->plan_sha256.data,
                                      approval->not_before, check->in->now, check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_gates(struct dr_check *check)
{
    struct dr_attestation backup = {0};
    struct dr_gate_result *results = NULL;
    if (check->in->backup.len > 0) {
        DR_ROW_TRY(dr_attest_decode(check->arena, check->in->backup, true, &backup, check->err));
    }
    const struct dr_gate_input input = {
        .policy = check->out->policy,
        .chain = &check->chain,
        .plan = check->out->plan,
        .plan_sha256 = check->out->approval.msg->plan_sha256.data,
        .mode = check->out->approval.msg->mode,
        .ready = check->out->ready,
        .target = check->in->me->target,
        .backup = backup.msg,
        .only_own_backup = true,
        .evidence = check->evidence,
        .n_evidence = check->n_evidence,
        .signoffs = check->signoffs,
        .n_signoffs = check->n_signoffs,
        .approval = check->out->approval.msg,
        .now = check->in->now,
    };
    DR_ROW_TRY(
        dr_stamp_check(check->arena, &input, check->out->leaf->acknowledged_flags, check->err));
    DR_ROW_TRY(dr_gate_evaluate(check->arena, &input, &results, &check->out->n_gates, check->err));
    check->out->gates = results;
    for (size_t i = 0; i < check->out->n_gates; i++) {
        if (!results[i].is_open && !results[i].is_after) {
            DR_ROW_REFUSE(check, GATE_MISSING, "gate '%s': %s", dr_gate_name(results[i].gate),
                          results[i].missing);
        }
    }
    return DR_ROW_PASSED;
}

// The last that a canary said about this approval, or what of the same plan was done under another
// one afterwards and is no success here: it was taken back.
static const struct dr_attestation *
last_word(const struct dr_check *check, const Drover__V1__ApprovalLeaf *canary,
          Drover__V1__AttestationKind wanted)
{
    const struct dr_approval *approval = &check->out->approval;
    const struct dr_attestation *last = NULL;
    for (size_t i = 0; i < check->n_evidence; i++) {
        const struct dr_attestation *one = &check->evidence[i];
        Drover__V1__AttestationKind kind = one->msg->kind;
        bool is_result = kind == DROVER__V1__ATTESTATION_KIND__APPLIED ||
                         kind == DROVER__V1__ATTESTATION_KIND__REVERTED ||
                         kind == DROVER__V1__ATTESTATION_KIND__FAILED;
        bool is_later = !last || dr_gate_is_after(one, last);
        bool is_of_this = dr_data_is(one->msg->approval_sha256, approval->sha256);
        bool is_against = kind != wanted && one->msg->approval_sha256.len == 32 &&
                          dr_data_eq(one->msg->plan_sha256, approval->msg->plan_sha256);
        if (is_result && is_later && strcmp(one->msg->target, canary->target) == 0 &&
            dr_data_is(canary->entry_sha256, one->entry->sha256) && (is_of_this || is_against)) {
            last = one;
        }
    }
    return last;
}

enum dr_row
dr_row_canaries(struct dr_check *check)
{
    const Drover__V1__Bundle *bundle = check->in->bundle;
    const Drover__V1__Approval *approval = check->out->approval.msg;
    Drover__V1__AttestationKind wanted = dr_approval_is_down(approval->mode)
                                             ? DROVER__V1__ATTESTATION_KIND__REVERTED
                                             : DROVER__V1__ATTESTATION_KIND__APPLIED;
    if (approval->n_wave_sizes > 1 &&
        approval->wave_sizes[0] < check->out->policy->msg->environment->canary_targets) {
        DR_ROW_REFUSE(check, CANARY_FIRST, "wave 1 is smaller than the policy asks");
    }
    if (check->out->leaf->wave < 2) {
        return DR_ROW_PASSED;
    }
    if (bundle->n_canaries != approval->wave_sizes[0]) {
        DR_ROW_REFUSE(check, CANARY_FIRST, "%zu of %u leaves of wave 1 were brought",
                      bundle->n_canaries, approval->wave_sizes[0]);
    }
    for (size_t i = 0; i < bundle->n_canaries; i++) {
        Drover__V1__ApprovalLeaf *canary = NULL;
        if (bundle->canaries[i]->index != i) {
            DR_ROW_REFUSE(check, CANARY_FIRST, "the leaves of wave 1 are not all there");
        }
        DR_ROW_TRY(dr_approval_leaf_prove(check->arena, &check->out->approval, bundle->canaries[i],
                                          &canary, check->err));
        const struct dr_attestation *last = last_word(check, canary, wanted);
        if (!last || last->msg->kind != wanted) {
            DR_ROW_REFUSE(check, CANARY_FIRST, "'%s' of wave 1 has not shown that it succeeded",
                          canary->target);
        }
    }
    return DR_ROW_PASSED;
}
