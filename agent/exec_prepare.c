// Exec, tasks: what a worker that prepares is told besides.
#include "agent/exec_internal.h"

#include "trust/attest.h"
#include "trust/strict.h"

// Does the policy that this agent trusts ask for it? An order alone, which nobody signs, starts
// none.
static bool
asks_rehearsal(const struct dr_agent_slot *slot)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    return policy != NULL && policy->msg->environment->rehearse;
}

// Preflights run once for a READY: as long as it is open and the target is as it says, preparing
// the same again does not ask them again.
enum dr_rc
dr_exec_fill_prepare(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    struct dr_bytes payload = {0};
    struct dr_attestation ready = {0};
    run->with_rehearsal = asks_rehearsal(slot);
    enum dr_rc rc =
        dr_agent_state_ready(slot->agent->state, slot->arena, slot->target->name, &payload, err);
    if (rc != DR_OK || payload.len == 0) {
        return rc;
    }
    rc = dr_attest_decode(slot->arena, payload, true, &ready, err);
    if (rc == DR_OK && ready.msg->mode == slot->mode &&
        dr_data_is(ready.msg->plan_sha256, slot->plan_sha256)) {
        run->preflights_done = true;
        run->rehearsal_done = ready.msg->rehearsed_sha256.len == 32;
        run->expected_ledger_head = ready.msg->ledger_head;
        run->expected_fingerprint = ready.msg->fingerprint;
    }
    return rc;
}
