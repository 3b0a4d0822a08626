// Report, new epoch: an agent whose state was put back to an earlier one has signed other words
// under the numbers that it would use now. It signs what waits again under numbers of a new epoch,
// and says so in READY and STATE.
#include "agent/report_internal.h"

#include "trust/envelope.h"

#include <string.h>

#define ARENA_MAX (256u * 1048576u)

static enum dr_rc
sign_again(struct dr_agent *agent, struct dr_arena *arena, const struct dr_agent_outgoing *old,
           struct dr_agent_renewal *renewal, struct dr_err *err)
{
    struct dr_attestation kept = {0};
    struct dr_attest_state next = {0};
    struct dr_envelope envelope;
    size_t at = renewal->n;
    enum dr_rc rc = dr_attest_decode(arena, old->envelope, false, &kept, err);
    if (rc != DR_OK) {
        return rc;
    }
    Drover__V1__Attestation msg = *kept.msg;
    if (msg.kind == DR_REPORT_KIND(READY) || msg.kind == DR_REPORT_KIND(STATE)) {
        msg.flags |= DR_REPORT_FLAG(NEW_EPOCH);
    }
    rc = dr_attest_build(arena, msg, dr_exec_signing_key(agent), &renewal->attest,
                         &renewal->outgoing[at].envelope, renewal->outgoing[at].sha256, &next, err);
    rc = rc != DR_OK ? rc
                     : dr_envelope_parse(renewal->outgoing[at].envelope, DR_TYPE_ATTESTATION,
                                         &envelope, err);
    if (rc == DR_OK) {
        memcpy(renewal->old[at], old->sha256, 32);
        renewal->outgoing[at].kind = old->kind;
        renewal->payloads[at] = envelope.payload;
        renewal->attest = next;
        renewal->n++;
    }
    return rc;
}

static enum dr_rc
renew(struct dr_agent *agent, struct dr_arena *arena, struct dr_err *err)
{
    struct dr_agent_renewal renewal = {0};
    int64_t count = 0;
    int64_t place = 0;
    enum dr_rc rc = dr_agent_state_outbox_count(agent->state, &count, err);
    renewal.old = dr_arena_array(arena, (size_t)count + 1, sizeof *renewal.old);
    renewal.outgoing = dr_arena_array(arena, (size_t)count + 1, sizeof *renewal.outgoing);
    renewal.payloads = dr_arena_array(arena, (size_t)count + 1, sizeof *renewal.payloads);
    if (rc == DR_OK &&
        (renewal.old == NULL || renewal.outgoing == NULL || renewal.payloads == NULL)) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    while (rc == DR_OK && renewal.n < (size_t)count) {
        struct dr_agent_outgoing old = {0};
        rc = dr_agent_state_outbox_next(agent->state, arena, place, &place, &old, err);
        if (rc != DR_OK || place == 0) {
            break;
        }
        rc = sign_again(agent, arena, &old, &renewal, err);
    }
    return rc != DR_OK ? rc : dr_agent_state_renew(agent->state, &renewal, err);
}

enum dr_rc
dr_report_new_epoch(struct dr_agent *agent, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(ARENA_MAX);
    enum dr_rc rc =
        arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : renew(agent, arena, err);
    dr_arena_free(&arena);
    return rc;
}
