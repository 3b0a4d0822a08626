// Schedule, gates: what other environments have said since an approval was taken may close a gate
// again (staging was rolled back). A wave that has not gone then waits: its agents would refuse.
#include "coordinator/core/schedule_internal.h"

#include "coordinator/core/evidence.h"
#include "coordinator/core/push_cache.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

#define GATES_MEMORY_MAX (64u << 20)

static enum dr_rc
take_digest(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    (void)err;
    memcpy(user, row->sha256, 32);
    return DR_OK;
}

// Stands for what the environments that the gates name have said last; all zero: no gate names one.
static enum dr_rc
newest_of_others(struct dr_core *core, const struct dr_rollout_stage *stage, uint8_t out[32],
                 struct dr_err *err)
{
    const struct dr_fleet_entry *entry =
        dr_directory_environment(core->directory, stage->environment);
    size_t n = entry != NULL ? entry->msg->environment->n_gates : 0;

    memset(out, 0, 32);
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Gate *gate = entry->msg->environment->gates[i];
        const struct dr_store_filter filter = {.kind = DR_TYPE_ATTESTATION,
                                               .environment = gate->from_environment,
                                               .subkinds =
                                                   1u << DROVER__V1__ATTESTATION_KIND__APPLIED |
                                                   1u << DROVER__V1__ATTESTATION_KIND__REVERTED |
                                                   1u << DROVER__V1__ATTESTATION_KIND__STATE,
                                               .newest_first = true,
                                               .limit = 1};
        uint8_t both[64];

        if (gate->after || gate->from_environment[0] == '\0') {
            continue;
        }
        memcpy(both, out, 32);
        memset(both + 32, 0, 32);
        DR_TRY(core->store->ops->document_list(core->store, &filter, take_digest, both + 32, err));
        dr_sha256((struct dr_bytes){both, sizeof both}, out);
    }
    return DR_OK;
}

// What closes a gate that stands on another environment, in `out`; "" for nothing. A document that
// is missing is told when the bundle is to be made.
static enum dr_rc
look(struct dr_core *core, const struct dr_rollout *rollout, const struct dr_rollout_stage *stage,
     const struct dr_rollout_target *target, char *out, size_t out_size, struct dr_err *err)
{
    const struct dr_push_approval *of;
    const struct dr_evidence *evidence;
    struct dr_gate_result *gates = NULL;
    struct dr_err why = {0};
    size_t n = 0;

    out[0] = '\0';
    if (dr_push_approval(core, target->approval, &of, &why) != DR_OK) {
        return DR_OK;
    }
    struct dr_arena *arena = dr_arena_new(GATES_MEMORY_MAX);
    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_evidence_load(core, stage->environment, &evidence, err);
    rc = rc == DR_OK ? dr_evidence_gates(core, arena, evidence, rollout, stage, target,
                                         of->approval.msg, &gates, &n, err)
                     : rc;
    for (size_t i = 0; rc == DR_OK && i < n && out[0] == '\0'; i++) {
        if (!gates[i].is_open && !gates[i].is_after && gates[i].gate->from_environment[0] != '\0') {
            (void)snprintf(out, out_size, "approved, waits: gate '%s' has closed since: %.160s",
                           dr_gate_name(gates[i].gate), gates[i].missing);
        }
    }
    dr_arena_free(&arena);
    return rc;
}

enum dr_rc
dr_schedule_gates(struct dr_core *core, const struct dr_rollout *rollout,
                  struct dr_rollout_stage *stage, struct dr_err *err)
{
    uint8_t newest[32];

    DR_TRY(newest_of_others(core, stage, newest, err));
    if (stage->has_gates_seen && memcmp(newest, stage->gates_seen, 32) == 0) {
        return DR_OK;
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        struct dr_rollout_target *target = &stage->targets[i];

        target->gate[0] = '\0';
        if (target->state == DR_TARGET_APPROVED && target->has_approval) {
            DR_TRY(look(core, rollout, stage, target, target->gate, sizeof target->gate, err));
        }
    }
    memcpy(stage->gates_seen, newest, 32);
    stage->has_gates_seen = true;
    return DR_OK;
}
