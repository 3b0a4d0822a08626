// Exec, probes: when they are asked, and which. An order to probe names no SQL: the statements are
// those of this environment's policy in the fleet that this agent verified, and of no other place.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/log.h"

#define AGAIN_MS     1000  // least time between two rounds, however often they are ordered
#define AGAIN_MAX_MS 20000 // and most: whoever orders one waits a minute for the answer

bool
dr_exec_probe_is_due(const struct dr_agent_slot *slot, int64_t now_ms)
{
    return slot->wants_probe && slot->state == DR_STEP_IDLE && now_ms >= slot->probe_at_ms;
}

// Signed by people who still count, for this agent's environment, and not over.
static const Drover__V1__Environment *
trusted_policy(const struct dr_agent_slot *slot)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, slot->agent->config->environment);
    struct dr_err err = {0};

    if (policy == NULL || trust->fleet.msg == NULL) {
        return NULL;
    }
    if (dr_exec_task_check_me(slot, trust, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "probes are not asked", &err);
        return NULL;
    }
    return policy->msg->environment;
}

enum dr_rc
dr_exec_probe_fill(struct dr_agent_slot *slot, Drover__V1__WorkerRun *run, struct dr_err *err)
{
    slot->is_probing = slot->wants_probe && dr_monotonic_ms() >= slot->probe_at_ms;
    if (!slot->is_probing) {
        return DR_OK;
    }
    const Drover__V1__Environment *policy = trusted_policy(slot);
    size_t n = policy != NULL ? policy->n_probes : 0;
    uint32_t every_s = 0;

    run->probes = dr_arena_array(slot->arena, n + 1, sizeof *run->probes);
    if (run->probes == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__SqlProbe *probe = policy->probes[i];

        if (probe->engine == slot->target->engine) {
            run->probes[run->n_probes++] = policy->probes[i]; // lent: packed before trust changes
            every_s = every_s == 0 || probe->every_s < every_s ? probe->every_s : every_s;
        }
    }
    int64_t again_ms = every_s > 2 ? (int64_t)every_s * 500 : AGAIN_MS;
    slot->probe_at_ms = dr_monotonic_ms() + (again_ms < AGAIN_MAX_MS ? again_ms : AGAIN_MAX_MS);
    return DR_OK;
}
