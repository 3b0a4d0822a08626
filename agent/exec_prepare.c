// Exec, tasks: what a worker that prepares is told besides.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "trust/attest.h"
#include "trust/strict.h"

// The policy that this agent trusts; NULL: none yet.
static const Drover__V1__Environment *
policy_of(const struct dr_agent_slot *slot)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    return policy == NULL ? NULL : policy->msg->environment;
}

// One that is past half of the age that the policy's gate allows has to be made again: the rest is
// for people to sign in.
static enum dr_rc
is_rehearsed(struct dr_agent_slot *slot, const Drover__V1__Attestation *ready, bool *out,
             struct dr_err *err)
{
    const Drover__V1__Environment *policy = policy_of(slot);
    int64_t at = 0;
    *out = false;
    if (ready->rehearsed_sha256.len != 32) {
        return DR_OK;
    }
    enum dr_rc rc = dr_agent_state_rehearsed_at(slot->agent->state, slot->target->name,
                                                ready->rehearsed_sha256.data, &at, err);
    int64_t age_s = dr_now_unix_s() - at;
    *out = rc == DR_OK;
    for (size_t i = 0; policy != NULL && i < policy->n_gates; i++) {
        const Drover__V1__Gate *gate = policy->gates[i];
        bool is_asked = gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED;
        *out = *out && !(is_asked && age_s > 0 && (uint64_t)age_s > gate->max_age_s / 2);
    }
    return rc;
}

// Preflights run once for a READY: as long as it is open and the target is as it says, preparing
// the same again does not ask them again.
enum dr_rc
dr_exec_fill_prepare(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    struct dr_bytes payload = {0};
    struct dr_attestation ready = {0};
    // The policy asks for it: an order alone, which nobody signs, starts none.
    run->with_rehearsal = policy_of(slot) != NULL && policy_of(slot)->rehearse;
    enum dr_rc rc =
        dr_agent_state_ready(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    if (rc != DR_OK || payload.len == 0) {
        return rc;
    }
    rc = dr_attest_decode(slot->arena, payload, true, &ready, err);
    if (rc == DR_OK && ready.msg->mode == slot->mode &&
        dr_data_is(ready.msg->plan_sha256, slot->plan_sha256)) {
        run->preflights_done = true;
        bool is_done = false;
        rc = is_rehearsed(slot, ready.msg, &is_done, err);
        run->rehearsal_done = is_done;
        run->expected_ledger_head = ready.msg->ledger_head;
        run->expected_fingerprint = ready.msg->fingerprint;
    }
    return rc;
}
