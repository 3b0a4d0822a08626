// The gate about what is there: the schema, with every key, constraint and index, is the one of a
// target of another environment, and the one that the target's own rehearsal ended with.
#include "trust/gate_eval.h"

#include "trust/approval.h"
#include "trust/strict.h"

#include <string.h>

bool
dr_gate_is_own_verified(const Drover__V1__Gate *gate)
{
    return gate->kind == DROVER__V1__GATE_KIND__GATE_VERIFIED && gate->from_environment[0] == '\0';
}

// How a run of this mode ends.
static Drover__V1__AttestationKind
end_of(const struct dr_gate_eval *eval)
{
    return dr_approval_is_down(eval->in->mode) ? DR_ATTEST_KIND(REVERTED) : DR_ATTEST_KIND(APPLIED);
}

static bool
is_end(const struct dr_gate_eval *eval, const Drover__V1__Attestation *msg)
{
    return msg->kind == end_of(eval) && dr_data_is(msg->plan_sha256, eval->in->plan_sha256);
}

// The newest end of this plan on the target; NULL: none.
static const struct dr_attestation *
find_end(const struct dr_gate_eval *eval)
{
    const struct dr_gate_input *in = eval->in;
    const struct dr_attestation *newest = NULL;
    for (size_t i = 0; in->target && i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        if (is_end(eval, one->msg) && strcmp(one->msg->target, in->target) == 0 &&
            (!newest || dr_gate_is_after(one, newest))) {
            newest = one;
        }
    }
    return newest;
}

// The rehearsal that the end names; NULL: it is not there.
static const struct dr_attestation *
find_rehearsal(const struct dr_gate_eval *eval, const struct dr_attestation *end)
{
    for (size_t i = 0; i < eval->in->n_evidence; i++) {
        const struct dr_attestation *one = &eval->in->evidence[i];
        if (one->msg->rehearsal && dr_data_is(end->msg->rehearsed_sha256, one->sha256)) {
            return one;
        }
    }
    return NULL;
}

// Is there what the target's own rehearsal ended with? Without one: false where the gate asks for
// it.
static bool
is_as_rehearsed(struct dr_gate_eval *eval, const struct dr_attestation *end)
{
    const Drover__V1__Attestation *msg = end->msg;
    const struct dr_attestation *rehearsal = find_rehearsal(eval, end);
    if (msg->rehearsed_sha256.len == 0 && !dr_gate_is_own_verified(eval->result->gate)) {
        return true;
    }
    if (!rehearsal) {
        dr_gate_close(eval, DR_GATE_TEXT(eval, "'%s' ran it without a rehearsal", msg->target));
        return false;
    }
    ProtobufCBinaryData there = dr_approval_is_down(eval->in->mode)
                                    ? rehearsal->msg->rehearsal->fingerprint_down
                                    : rehearsal->msg->rehearsal->fingerprint_up;
    if (there.len != 32 || !dr_data_eq(there, msg->fingerprint)) {
        dr_gate_close(eval,
                      DR_GATE_TEXT(eval, "'%s' is not as rehearsed, in %u object%s", msg->target,
                                   msg->objects_count, msg->objects_count == 1 ? "" : "s"));
        return false;
    }
    dr_gate_name_evidence(eval, end->sha256);
    dr_gate_name_evidence(eval, rehearsal->sha256);
    dr_gate_open(eval, "as rehearsed");
    return true;
}

// A target of from_environment that had `mine` before the same plan, or has it after that.
static void
eval_environment(struct dr_gate_eval *eval, ProtobufCBinaryData mine)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Gate *gate = eval->result->gate;
    for (size_t i = 0; mine.len == 32 && i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        const Drover__V1__Target *target = dr_gate_target_of(one);
        if (is_end(eval, one->msg) && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
            target->engine == in->plan->engine &&
            strcmp(target->environment, gate->from_environment) == 0 &&
            dr_data_eq(gate->after ? one->msg->fingerprint : one->msg->fingerprint_before, mine) &&
            dr_gate_counts(eval, one->sha256, one->msg->time)) {
            dr_gate_name_evidence(eval, one->sha256);
            dr_gate_open(eval, DR_GATE_TEXT(eval, "same schema as %s%s", target->name,
                                            eval->result->is_open ? ", and as rehearsed" : ""));
            return;
        }
    }
    dr_gate_close(eval, DR_GATE_TEXT(eval, "no target of '%s' shows the same schema",
                                     gate->from_environment));
}

void
dr_gate_eval_verified(struct dr_gate_eval *eval)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Gate *gate = eval->result->gate;
    const struct dr_attestation *end = find_end(eval);
    if (!gate->after) {
        eval_environment(eval, in->ready ? in->ready->fingerprint : (ProtobufCBinaryData){0});
    } else if (!end) {
        dr_gate_close(eval, "the plan has not run here yet");
    } else if (is_as_rehearsed(eval, end) && !dr_gate_is_own_verified(gate)) {
        eval_environment(eval, end->msg->fingerprint);
    }
}
