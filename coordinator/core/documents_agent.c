// Documents of agents: attestations, verified under the fleet's entry of their target.
#include "coordinator/core/documents.h"
#include "coordinator/core/latest.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/verified.h"
#include "trust/attest.h"
#include "trust/try.h"

#include <inttypes.h>
#include <string.h>

// Another attestation under the same counter means two agents with one key, or a lie.
static enum dr_rc
check_counter(struct dr_incoming *in, const Drover__V1__Attestation *msg, struct dr_err *err)
{
    struct dr_store_document other;
    struct dr_err ignored = {0};
    enum dr_rc rc = in->core->store->ops->document_counter(
        in->core->store, msg->agent, msg->epoch.data, msg->counter, in->arena, &other, &ignored);

    if (rc == DR_E_NOT_FOUND) {
        return DR_OK;
    }
    if (rc != DR_OK) {
        *err = ignored;
        return rc;
    }
    return dr_err_set(err, DR_E_COUNTER_REUSED,
                      "agent '%s' signed two attestations with the number %" PRIu64, msg->agent,
                      msg->counter);
}

enum dr_rc
dr_incoming_attestation(struct dr_incoming *in, struct dr_err *err)
{
    struct dr_attestation attestation;
    const struct dr_trust *trust = in->core->trust;

    if (in->is_held) {
        return DR_OK;
    }
    if (trust->fleet.msg == NULL) {
        return dr_err_set(err, DR_E_NO_FLEET, "there is no fleet yet");
    }
    DR_TRY(dr_verified_attestation(in->core, in->arena, in->envelope.wire, &attestation, err));
    const Drover__V1__Attestation *msg = attestation.msg;
    if (in->actor[0] != '\0' && strcmp(in->actor, msg->agent) != 0) {
        return dr_err_set(err, DR_E_PERMISSION, "'%s' may not bring an attestation of agent '%s'",
                          in->actor, msg->agent);
    }
    if (msg->epoch.len != 16) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "the attestation's epoch has %zu bytes, not 16",
                          msg->epoch.len);
    }
    DR_TRY(check_counter(in, msg, err));
    in->row.environment = msg->environment;
    in->row.target = msg->target;
    in->row.agent = msg->agent;
    in->row.subkind = (uint32_t)msg->kind;
    in->row.version = msg->counter;
    in->row.time = msg->time;
    memcpy(in->row.epoch, msg->epoch.data, 16);
    in->row.has_plan = msg->plan_sha256.len == 32;
    if (in->row.has_plan) {
        memcpy(in->row.plan_sha256, msg->plan_sha256.data, 32);
    }
    in->row.log_index = dr_events_next(in->core->events);
    DR_TRY(in->core->store->ops->document_put(in->core->store, &in->row, err));
    in->core->evidence_version++;
    dr_latest_forget(in->core, msg->target);
    return dr_schedule_attestation(in->core, &attestation, err);
}
