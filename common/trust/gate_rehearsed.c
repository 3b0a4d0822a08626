// The gate about rehearsals: the target's own agent ran every unit that is to run here on a copy of
// what READY names, there and back, and the schema came back as it was.
#include "trust/gate_eval.h"

#include "trust/approval.h"
#include "trust/strict.h"

#include <string.h>

static bool
ran(const Drover__V1__Rehearsal *rehearsal, const Drover__V1__PlanRevision *revision,
    const Drover__V1__Unit *unit, Drover__V1__Mode mode)
{
    for (size_t i = 0; i < rehearsal->n_units; i++) {
        const Drover__V1__RehearsedUnit *one = rehearsal->units[i];
        if (one->mode == mode && dr_data_eq(one->revision_digest, revision->digest) &&
            dr_data_eq(one->unit_digest, unit->digest)) {
            return true;
        }
    }
    return false;
}

// A unit of a half-done revision that READY proves to be there already runs neither here nor on the
// copy.
static bool
is_done(const Drover__V1__Attestation *ready, const Drover__V1__PlanRevision *revision,
        const Drover__V1__Unit *unit, Drover__V1__Mode mode)
{
    for (size_t i = 0; ready && i < ready->n_units; i++) {
        const Drover__V1__UnitProof *proof = ready->units[i];
        if (!proof->begun && proof->mode == mode &&
            dr_data_eq(proof->revision_digest, revision->digest) &&
            dr_data_eq(proof->unit_digest, unit->digest)) {
            return true;
        }
    }
    return false;
}

// The revision with a unit that is to run here and was not rehearsed; NULL: there is none.
static const Drover__V1__PlanRevision *
find_missing(const struct dr_gate_eval *eval, const Drover__V1__Rehearsal *rehearsal, bool is_down)
{
    const Drover__V1__Plan *plan = eval->in->plan;
    const char *here = eval->in->policy->msg->environment->name;
    Drover__V1__Mode mode = is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
    Drover__V1__UnitKind kind =
        is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        for (size_t u = 0; eval->to_run[i] && u < revision->n_units; u++) {
            const Drover__V1__Unit *unit = revision->units[u];
            bool is_here = unit->only[0] == '\0' || strcmp(unit->only, here) == 0;
            if (unit->kind == kind && is_here && !ran(rehearsal, revision, unit, mode) &&
                !is_done(eval->in->ready, revision, unit, mode)) {
                return revision;
            }
        }
    }
    return NULL;
}

// The revision that keeps the plan from coming back; NULL: none.
static const Drover__V1__PlanRevision *
find_one_way(const struct dr_gate_eval *eval)
{
    const Drover__V1__Plan *plan = eval->in->plan;
    const Drover__V1__PlanRevision *newest = NULL;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        newest = eval->to_run[i] && plan->revisions[i]->no_down ? plan->revisions[i] : newest;
    }
    return newest;
}

// What begins half-way through a revision has nothing to come back to.
static bool
is_half_done(const struct dr_gate_eval *eval)
{
    const Drover__V1__Attestation *ready = eval->in->ready;
    return ready && (ready->flags & DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0;
}

// Why this record does not open the gate; NULL: it does. Up it has to come back down to what was
// before, down it has to come back up; where that cannot be, the way there is all.
static const char *
fault_of(struct dr_gate_eval *eval, const Drover__V1__Attestation *msg)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Rehearsal *rehearsal = msg->rehearsal;
    bool is_down = dr_approval_is_down(in->mode);
    if (!rehearsal || rehearsal->fingerprint_before.len != 32) {
        return "the rehearsal's record is not whole";
    }
    ProtobufCBinaryData there = is_down ? rehearsal->fingerprint_down : rehearsal->fingerprint_up;
    ProtobufCBinaryData back = is_down ? rehearsal->fingerprint_up : rehearsal->fingerprint_down;
    bool comes_back = !find_one_way(eval) && !is_half_done(eval);
    if (there.len != 32 || (comes_back && !dr_data_eq(back, rehearsal->fingerprint_before))) {
        return "the way back did not lead to the schema from before";
    }
    if (msg->time < in->now && (uint64_t)(in->now - msg->time) > eval->result->gate->max_age_s) {
        return "the rehearsal is too old";
    }
    if (in->ready && !dr_data_eq(rehearsal->fingerprint_before, in->ready->fingerprint)) {
        return "the rehearsal began from another schema than READY's";
    }
    const Drover__V1__PlanRevision *missing = find_missing(eval, rehearsal, is_down);
    return missing ? DR_GATE_TEXT(eval, "revision '%s' was not rehearsed", missing->id) : NULL;
}

static const char *
shown_by(struct dr_gate_eval *eval, const Drover__V1__Rehearsal *rehearsal)
{
    const Drover__V1__PlanRevision *one_way = find_one_way(eval);
    const char *copy =
        rehearsal->backup_sha256.len > 0 ? "a restored backup" : "a copy of the schema";
    if (one_way) {
        return DR_GATE_TEXT(eval, "up on %s: '%s' has no way back", copy, one_way->id);
    }
    return DR_GATE_TEXT(
        eval, is_half_done(eval) ? "there, from half-way, on %s" : "there and back on %s", copy);
}

void
dr_gate_eval_rehearsed(struct dr_gate_eval *eval)
{
    const struct dr_gate_input *in = eval->in;
    const char *why = "not rehearsed yet";
    for (size_t i = 0; i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        if (one->msg->kind != DR_ATTEST_KIND(REHEARSED) ||
            strcmp(one->msg->target, in->target) != 0 ||
            !dr_gate_counts(eval, one->sha256, one->msg->time)) {
            continue;
        }
        const char *fault = fault_of(eval, one->msg);
        if (!fault) {
            dr_gate_name_evidence(eval, one->sha256);
            dr_gate_open(eval, shown_by(eval, one->msg->rehearsal));
            return;
        }
        why = fault;
    }
    dr_gate_close(eval, DR_GATE_TEXT(eval, "'%s': %s", in->target, why));
}
