// Exec, checks without an approval: what has to hold before preflights or probes are asked.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "trust/strict.h"

enum dr_rc
dr_exec_task_check_me(const struct dr_agent_slot *slot, const struct dr_trust *trust,
                      struct dr_err *err)
{
    const struct dr_agent_config *config = slot->agent->config;
    int64_t now = dr_now_unix_s();
    enum dr_rc rc = dr_trust_check_clock(trust, now, err);
    rc = rc != DR_OK ? rc : dr_root_check_time(trust->root.msg, now, err);
    rc = rc != DR_OK ? rc : dr_fleet_check_time(trust->fleet.msg, now, err);
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_fleet_entry *entry =
        dr_fleet_target(trust->entries, trust->n_entries, slot->target->name);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, config->environment);
    if (entry == NULL || policy == NULL) {
        return dr_err_set(err, DR_E_NOT_IN_FLEET, "'%s' is not in the fleet", slot->target->name);
    }
    const Drover__V1__Target *target = entry->msg->target;
    if (target->state != DROVER__V1__TARGET_STATE__ACTIVE) {
        return dr_err_set(err, DR_E_RETIRED, "target '%s' is retired", slot->target->name);
    }
    if (!dr_data_is(target->agent_signing_key, dr_exec_signing_key(slot->agent)->public_key) ||
        !dr_str_eq(target->agent, config->agent)) {
        return dr_err_set(err, DR_E_WRONG_KEY, "the fleet names another agent or key for '%s'",
                          slot->target->name);
    }
    if (!dr_str_eq(target->environment, config->environment)) {
        return dr_err_set(err, DR_E_WRONG_ENVIRONMENT, "the fleet says that '%s' is in '%s'",
                          slot->target->name, target->environment);
    }
    if (target->engine != slot->target->engine ||
        (slot->plan != NULL && slot->plan->engine != slot->target->engine)) {
        return dr_err_set(err, DR_E_WRONG_ENGINE,
                          "fleet, plan and configuration of '%s' name different engines",
                          slot->target->name);
    }
    return DR_OK;
}

static enum dr_rc
check_revisions(const struct dr_agent_slot *slot, const struct dr_trust *trust, struct dr_err *err)
{
    for (size_t i = 0; i < slot->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = slot->plan->revisions[i];
        struct dr_chain_revision found;
        if (!dr_chain_find(&trust->chain, revision->digest.data, &found) ||
            !dr_str_eq(found.entry->revision_id, revision->id)) {
            return dr_err_set(err, DR_E_NOT_IN_CHAIN, "revision '%s' is not in the approved chain",
                              revision->id);
        }
        if (found.withdraw != NULL && !dr_approval_is_down(slot->mode) &&
            slot->mode != DROVER__V1__MODE__REMEDY) {
            return dr_err_set(err, DR_E_WITHDRAWN, "revision '%s' was withdrawn: %s", revision->id,
                              found.withdraw->reason);
        }
    }
    return DR_OK;
}

// What has to hold before preflights run without an approval.
enum dr_rc
dr_exec_task_check_prepare(const struct dr_agent_slot *slot, struct dr_err *err)
{
    const struct dr_trust *trust = dr_trust_store_get(slot->agent->trust);
    if (trust->fleet.msg == NULL || trust->chain.msg == NULL) {
        return dr_err_set(err, DR_E_AGENT_NO_TRUST, "no %s has arrived yet",
                          trust->fleet.msg == NULL ? "fleet" : "chain");
    }
    enum dr_rc rc = dr_exec_task_check_me(slot, trust, err);
    return rc != DR_OK ? rc : check_revisions(slot, trust, err);
}
