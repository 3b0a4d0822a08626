// A stamp believes a schema only where somebody undisturbed has shown it. See stamp.h.
#include "trust/stamp.h"

#include "trust/approval.h"
#include "trust/gate_eval.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

static bool
ran_units(const Drover__V1__Attestation *msg)
{
    bool is_result = msg->kind == DR_ATTEST_KIND(APPLIED) || msg->kind == DR_ATTEST_KIND(REVERTED);
    return msg->kind == DR_ATTEST_KIND(REHEARSED) ||
           (is_result &&
            (msg->mode == DROVER__V1__MODE__UP || msg->mode == DROVER__V1__MODE__DOWN ||
             msg->mode == DROVER__V1__MODE__PROVE));
}

// Which entries of the chain are there once the stamp is recorded.
static enum dr_rc
applied_after(struct dr_arena *arena, const struct dr_gate_input *in, bool **out,
              struct dr_err *err)
{
    bool is_down = dr_approval_is_down(in->mode);
    bool *applied = NULL;
    DR_TRY(dr_chain_applied(arena, in->chain, in->ready->heads, in->ready->n_heads, &applied, err));
    for (size_t i = 0; i < in->plan->n_revisions; i++) {
        size_t at = dr_chain_position(in->chain, in->plan->revisions[i]->digest.data);
        if (at < in->chain->msg->n_entries) {
            applied[at] = !is_down;
        }
    }
    *out = applied;
    return DR_OK;
}

enum dr_rc
dr_stamp_proof(struct dr_arena *arena, const struct dr_gate_input *in,
               const struct dr_attestation **out, struct dr_err *err)
{
    const struct dr_gate_eval eval = {.arena = arena, .in = in};
    bool *wanted = NULL;
    *out = NULL;
    if (!in->ready || in->ready->fingerprint.len != 32) {
        return DR_OK;
    }
    DR_TRY(applied_after(arena, in, &wanted, err));
    for (size_t i = 0; i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        const Drover__V1__Target *target = dr_gate_target_of(one);
        bool *shown = NULL;
        bool fits = ran_units(one->msg) && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
                    target->engine == in->plan->engine &&
                    dr_data_eq(one->msg->fingerprint, in->ready->fingerprint) &&
                    dr_gate_counts(&eval, one->sha256, one->msg->time) &&
                    dr_chain_applied(arena, in->chain, one->msg->heads, one->msg->n_heads, &shown,
                                     NULL) == DR_OK;
        if (fits && memcmp(shown, wanted, in->chain->msg->n_entries * sizeof(bool)) == 0) {
            *out = one;
            return DR_OK;
        }
    }
    return DR_OK;
}

enum dr_rc
dr_stamp_check(struct dr_arena *arena, const struct dr_gate_input *in, uint32_t acknowledged_flags,
               struct dr_err *err)
{
    const struct dr_attestation *proof = NULL;
    if (!dr_approval_is_stamp(in->mode)) {
        return DR_OK;
    }
    DR_TRY(dr_stamp_proof(arena, in, &proof, err));
    bool is_named = in->ready && in->ready->difference_sha256.len == 32;
    bool is_accepted = (acknowledged_flags & DROVER__V1__READY_FLAG__FLAG_DIFFERENCE) != 0;
    if (!proof && !(is_named && is_accepted)) {
        return dr_err_set(err, DR_E_STAMP_UNPROVED,
                          "no evidence shows the schema of '%s' with these revisions",
                          in->target ? in->target : "");
    }
    return DR_OK;
}
