// Exec, drift: when a target is looked at without being asked, and what it is compared with.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "engine/fingerprint.h"

#include <string.h>

static const Drover__V1__Environment *
policy_of(const struct dr_agent *agent)
{
    const struct dr_trust *trust = dr_trust_store_get(agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, agent->config->environment);
    return policy == NULL ? NULL : policy->msg->environment;
}

static int64_t
random_below(uint64_t limit)
{
    uint64_t bits = 0;
    dr_random((uint8_t *)&bits, sizeof bits);
    return limit == 0 ? 0 : (int64_t)(bits % limit);
}

static void
digest(const Drover__V1__Environment *policy, uint8_t out[32])
{
    struct dr_buf all = {0};
    dr_buf_str(&all, "");
    for (size_t i = 0; policy != NULL && i < policy->n_tolerances; i++) {
        dr_buf_add(&all, policy->tolerances[i], strlen(policy->tolerances[i]) + 1);
    }
    dr_sha256((struct dr_bytes){.data = (const uint8_t *)all.data, .len = all.len}, out);
    dr_buf_fini(&all);
}

void
dr_exec_drift_policy(struct dr_agent *agent)
{
    const Drover__V1__Environment *policy = policy_of(agent);
    uint8_t tolerances[32];
    uint64_t every_s = policy == NULL ? 0 : policy->drift_every_s;
    uint64_t every_ms = every_s > DR_EXEC_DRIFT_MAX_S ? DR_EXEC_DRIFT_MAX_S * 1000 : every_s * 1000;
    digest(policy, tolerances);
    bool is_other = memcmp(tolerances, agent->tolerances, 32) != 0;
    for (size_t i = 0; i < agent->n_slots; i++) {
        struct dr_agent_slot *slot = &agent->slots[i];
        if (every_ms != agent->drift_every_ms) {
            // Not all at once: each target somewhere in the first interval.
            slot->drift_at_ms = dr_monotonic_ms() + random_below(every_ms);
        }
        if (is_other) {
            slot->wants_state = true;
            slot->has_news = true;
        }
    }
    agent->drift_every_ms = every_ms;
    memcpy(agent->tolerances, tolerances, 32);
}

bool
dr_exec_drift_is_due(const struct dr_agent_slot *slot, int64_t now_ms)
{
    return slot->agent->drift_every_ms > 0 && slot->state == DR_STEP_IDLE &&
           now_ms >= slot->drift_at_ms;
}

void
dr_exec_drift_looked(struct dr_agent_slot *slot)
{
    uint64_t every = slot->agent->drift_every_ms;
    slot->drift_at_ms = dr_monotonic_ms() + (int64_t)(every - every / 10) + random_below(every / 5);
}

enum dr_rc
dr_exec_known(struct dr_agent_slot *slot, char *const *tolerances, size_t n_tolerances,
              struct dr_exec_known *out, struct dr_err *err)
{
    static const uint8_t NONE[32];
    struct dr_exec_known known = {0};
    enum dr_rc rc =
        dr_agent_state_record(slot->agent->state, slot->target->name, &known.record, err);
    if (rc == DR_OK && known.record.exists && memcmp(known.record.fingerprint, NONE, 32) != 0) {
        rc = dr_agent_state_schema(slot->agent->state, slot->arena, slot->target->name,
                                   known.record.fingerprint, &known.text, err);
        if (rc == DR_OK && known.text != NULL) {
            rc = dr_fingerprint_sha256(known.text, (const char *const *)tolerances, n_tolerances,
                                       known.record.fingerprint, err);
        }
    }
    if (rc == DR_OK) {
        *out = known;
    }
    return rc;
}
