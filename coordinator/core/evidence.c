// Evidence: gathers envelopes from the store, lets common/trust verify and judge them.
#include "coordinator/core/evidence.h"
#include "coordinator/core/verified.h"

#include "base/clock.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

#define WIRES_MAX 2000u

struct wires {
    struct dr_arena *arena;
    ProtobufCBinaryData list[WIRES_MAX];
    size_t n;
};

static enum dr_rc
take_row(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct wires *wires = user;
    uint8_t *copy = dr_arena_copy(wires->arena, row->envelope.data, row->envelope.len);

    if (copy == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "there is too much evidence for this request");
    }
    if (wires->n < WIRES_MAX) {
        wires->list[wires->n++] = dr_data(copy, row->envelope.len);
    }
    return DR_OK;
}

static enum dr_rc
take_latest(struct dr_core *core, struct wires *wires, const char *target,
            Drover__V1__AttestationKind kind, struct dr_err *err)
{
    struct dr_store_document row;
    struct dr_err ignored = {0};
    enum dr_rc rc = core->store->ops->document_latest(core->store, target, (uint32_t)kind,
                                                      wires->arena, &row, &ignored);

    if (rc == DR_E_NOT_FOUND) {
        return DR_OK;
    }
    if (rc != DR_OK) {
        *err = ignored;
        return rc;
    }
    return take_row(wires, &row, err);
}

// The latest of a kind for every target of an environment.
static enum dr_rc
take_latest_all(struct dr_core *core, struct wires *wires, const char *environment,
                Drover__V1__AttestationKind kind, struct dr_err *err)
{
    for (size_t i = 0; i < core->trust->n_entries; i++) {
        const Drover__V1__Target *target = core->trust->entries[i].msg->target;

        if (target != NULL && strcmp(target->environment, environment) == 0) {
            DR_TRY(take_latest(core, wires, target->name, kind, err));
        }
    }
    return DR_OK;
}

static enum dr_rc
take_newest(struct dr_core *core, struct wires *wires, const char *environment, uint32_t kinds,
            struct dr_err *err)
{
    const struct dr_store_filter filter = {.kind = DR_TYPE_ATTESTATION,
                                           .environment = environment,
                                           .subkinds = kinds,
                                           .newest_first = true,
                                           .limit = DR_EVIDENCE_PER_ENVIRONMENT};

    return core->store->ops->document_list(core->store, &filter, take_row, wires, err);
}

static enum dr_rc
take_environment(struct dr_core *core, struct wires *wires, const char *environment,
                 struct dr_err *err)
{
    DR_TRY(take_newest(core, wires, environment,
                       1u << DROVER__V1__ATTESTATION_KIND__APPLIED |
                           1u << DROVER__V1__ATTESTATION_KIND__REVERTED |
                           1u << DROVER__V1__ATTESTATION_KIND__REHEARSED,
                       err));
    return take_latest_all(core, wires, environment, DROVER__V1__ATTESTATION_KIND__STATE, err);
}

// Was this environment already named by an earlier gate, or (for a gate about probes) by an earlier
// one about probes?
static bool
is_repeated(const Drover__V1__Environment *policy, size_t i, bool is_for_probes)
{
    for (size_t k = 0; k < i; k++) {
        bool is_alike =
            !is_for_probes || policy->gates[k]->kind == DROVER__V1__GATE_KIND__GATE_PROBED;

        if (is_alike &&
            strcmp(policy->gates[k]->from_environment, policy->gates[i]->from_environment) == 0) {
            return true;
        }
    }
    return false;
}

// What one gate takes from another environment. The newest STATE of a target need not be one that
// answers probes.
static enum dr_rc
take_for_gate(struct dr_core *core, struct wires *wires, const Drover__V1__Environment *policy,
              size_t i, struct dr_err *err)
{
    const Drover__V1__Gate *gate = policy->gates[i];

    if (gate->from_environment[0] == '\0') {
        return DR_OK;
    }
    if (!is_repeated(policy, i, false)) {
        DR_TRY(take_environment(core, wires, gate->from_environment, err));
    }
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED && !is_repeated(policy, i, true)) {
        return take_newest(core, wires, gate->from_environment,
                           1u << DROVER__V1__ATTESTATION_KIND__STATE, err);
    }
    return DR_OK;
}

static enum dr_rc
load_attestations(struct dr_core *core, struct dr_arena *arena,
                  const Drover__V1__Environment *policy, struct dr_evidence *out,
                  struct dr_err *err)
{
    struct wires *wires = dr_arena_alloc(arena, sizeof *wires);

    if (wires == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "there is too much evidence for this request");
    }
    wires->arena = arena;
    for (size_t i = 0; i < policy->n_gates; i++) {
        DR_TRY(take_for_gate(core, wires, policy, i, err));
    }
    return dr_verified_evidence(core, arena, wires->list, wires->n, &out->attestations,
                                &out->n_attestations, err);
}

static enum dr_rc
load_signoffs(struct dr_core *core, struct dr_arena *arena, const char *environment,
              struct dr_evidence *out, struct dr_err *err)
{
    struct wires *wires = dr_arena_alloc(arena, sizeof *wires);
    const struct dr_store_filter filter = {.kind = DR_TYPE_SIGNOFF,
                                           .environment = environment,
                                           .only_complete = true,
                                           .newest_first = true,
                                           .limit = DR_EVIDENCE_PER_ENVIRONMENT};

    if (wires == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "there is too much evidence for this request");
    }
    wires->arena = arena;
    DR_TRY(core->store->ops->document_list(core->store, &filter, take_row, wires, err));
    return dr_gate_load_signoffs(arena, &core->trust->root, environment, wires->list, wires->n,
                                 true, &out->signoffs, &out->n_signoffs, err);
}

static enum dr_rc
load_fresh(struct dr_core *core, const char *environment, struct dr_evidence_cached *slot,
           struct dr_err *err)
{
    const struct dr_fleet_entry *policy = dr_directory_environment(core->directory, environment);

    if (policy == NULL || core->trust->fleet.msg == NULL) {
        return dr_err_set(err, DR_E_NO_FLEET, "the fleet has no environment '%.64s'", environment);
    }
    slot->arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    if (slot->arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    slot->version = core->evidence_version;
    (void)snprintf(slot->environment, sizeof slot->environment, "%s", environment);
    DR_TRY(load_attestations(core, slot->arena, policy->msg->environment, &slot->evidence, err));
    return load_signoffs(core, slot->arena, environment, &slot->evidence, err);
}

// What was verified is kept until something that counts as evidence, or trust, changes.
enum dr_rc
dr_evidence_load(struct dr_core *core, const char *environment, const struct dr_evidence **out,
                 struct dr_err *err)
{
    for (size_t i = 0; i < DR_CORE_EVIDENCE_CACHED; i++) {
        const struct dr_evidence_cached *slot = &core->evidence[i];

        if (slot->arena != NULL && slot->version == core->evidence_version &&
            strcmp(slot->environment, environment) == 0) {
            *out = &slot->evidence;
            return DR_OK;
        }
    }
    struct dr_evidence_cached fresh = {0};
    enum dr_rc rc = load_fresh(core, environment, &fresh, err);
    if (rc != DR_OK) {
        dr_arena_free(&fresh.arena);
        return rc;
    }
    struct dr_evidence_cached *slot =
        &core->evidence[core->next_evidence++ % DR_CORE_EVIDENCE_CACHED];
    dr_arena_free(&slot->arena);
    *slot = fresh;
    *out = &slot->evidence;
    return DR_OK;
}

struct own_words {
    struct dr_core *core;
    struct dr_arena *arena;
    struct dr_attestation *list;
    size_t n;
};

// Takes one that verifies; what does not, counts for nothing.
static enum dr_rc
take_own(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct own_words *own = user;
    struct dr_err ignored = {0};
    enum dr_rc rc =
        dr_verified_attestation(own->core, own->arena, row->envelope, &own->list[own->n], &ignored);

    own->n += rc == DR_OK;
    return rc == DR_E_LIMIT ? dr_err_set(err, rc, "there is too much evidence for this request")
                            : DR_OK;
}

// The evidence with the target's own newest BACKUP and REHEARSED behind it, in `arena`.
static enum dr_rc
with_own(struct dr_core *core, struct dr_arena *arena, const struct dr_evidence *evidence,
         const char *target, const struct dr_attestation **out, size_t *out_n, struct dr_err *err)
{
    struct dr_store_filter filter = {.kind = DR_TYPE_ATTESTATION,
                                     .target = target,
                                     .subkinds = 1u << DROVER__V1__ATTESTATION_KIND__BACKUP,
                                     .newest_first = true,
                                     .limit = 1};
    size_t n = evidence->n_attestations;
    struct own_words own = {core, arena, NULL, n};

    own.list = dr_arena_array(arena, n + 1 + DR_EVIDENCE_REHEARSALS, sizeof *own.list);
    if (own.list == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "there is too much evidence for this request");
    }
    memcpy(own.list, evidence->attestations, n * sizeof *own.list);
    DR_TRY(core->store->ops->document_list(core->store, &filter, take_own, &own, err));
    filter.subkinds = 1u << DROVER__V1__ATTESTATION_KIND__REHEARSED;
    filter.limit = DR_EVIDENCE_REHEARSALS;
    DR_TRY(core->store->ops->document_list(core->store, &filter, take_own, &own, err));
    *out = own.list;
    *out_n = own.n;
    return DR_OK;
}

// The READY that is open, decoded; NULL when there is none.
static const Drover__V1__Attestation *
open_ready(struct dr_core *core, struct dr_arena *arena, const struct dr_rollout_target *target)
{
    struct dr_store_document row;
    struct dr_attestation ready;

    if (!target->has_ready ||
        core->store->ops->document_get(core->store, target->ready, arena, &row, NULL) != DR_OK ||
        dr_attest_decode(arena, row.envelope, false, &ready, NULL) != DR_OK) {
        return NULL;
    }
    return ready.msg;
}

enum dr_rc
dr_evidence_gates(struct dr_core *core, struct dr_arena *arena, const struct dr_evidence *evidence,
                  const struct dr_rollout *rollout, const struct dr_rollout_stage *stage,
                  const struct dr_rollout_target *target, const Drover__V1__Approval *approval,
                  struct dr_gate_result **out, size_t *out_n, struct dr_err *err)
{
    const struct dr_rollout_plan *plan = dr_rollout_plan(rollout, target->engine);
    struct dr_gate_input input = {.policy =
                                      dr_directory_environment(core->directory, stage->environment),
                                  .chain = &core->trust->chain,
                                  .mode = stage->mode,
                                  .target = target->name,
                                  .ready = open_ready(core, arena, target),
                                  .signoffs = evidence->signoffs,
                                  .n_signoffs = evidence->n_signoffs,
                                  .approval = approval,
                                  .now = dr_now_unix_s()};

    if (plan == NULL || input.policy == NULL || core->trust->chain.msg == NULL) {
        return dr_err_set(err, DR_E_NO_FLEET,
                          "fleet or chain no longer hold what rollout '%s' needs", rollout->id);
    }
    input.plan_sha256 = plan->sha256;
    DR_TRY(dr_core_plan(core, plan->sha256, &input.plan, err));
    DR_TRY(with_own(core, arena, evidence, target->name, &input.evidence, &input.n_evidence, err));
    return dr_gate_evaluate(arena, &input, out, out_n, err);
}

// ---- finished

// The newest signed word about the target's heads.
static bool
newest_heads(struct dr_core *core, struct dr_arena *arena, const char *target,
             struct dr_attestation *out)
{
    const struct dr_store_filter filter = {.kind = DR_TYPE_ATTESTATION,
                                           .target = target,
                                           .subkinds =
                                               1u << DROVER__V1__ATTESTATION_KIND__STATE |
                                               1u << DROVER__V1__ATTESTATION_KIND__APPLIED |
                                               1u << DROVER__V1__ATTESTATION_KIND__REVERTED |
                                               1u << DROVER__V1__ATTESTATION_KIND__READY,
                                           .newest_first = true,
                                           .limit = 1};
    struct wires *wires = dr_arena_alloc(arena, sizeof *wires);

    if (wires == NULL) {
        return false;
    }
    wires->arena = arena;
    return core->store->ops->document_list(core->store, &filter, take_row, wires, NULL) == DR_OK &&
           wires->n == 1 &&
           dr_attest_decode(arena, (struct dr_bytes){wires->list[0].data, wires->list[0].len},
                            false, out, NULL) == DR_OK;
}

static bool
is_done(struct dr_core *core, struct dr_arena *arena, const struct dr_rollout *rollout,
        const struct dr_rollout_stage *stage, const struct dr_rollout_target *target)
{
    const struct dr_rollout_plan *chosen = dr_rollout_plan(rollout, target->engine);
    const Drover__V1__Plan *plan;
    struct dr_attestation newest;
    bool *applied;
    bool is_down = stage->mode == DROVER__V1__MODE__DOWN;

    if (chosen == NULL || dr_core_plan(core, chosen->sha256, &plan, NULL) != DR_OK ||
        !newest_heads(core, arena, target->name, &newest) ||
        (newest.msg->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0 ||
        dr_chain_applied(arena, &core->trust->chain, newest.msg->heads, newest.msg->n_heads,
                         &applied, NULL) != DR_OK) {
        return false;
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        size_t position = dr_chain_position(&core->trust->chain, plan->revisions[i]->digest.data);

        if (position >= core->trust->chain.msg->n_entries || applied[position] == is_down) {
            return false;
        }
    }
    return true;
}

bool
dr_evidence_is_done(struct dr_core *core, const struct dr_rollout *rollout,
                    const struct dr_rollout_stage *stage, const struct dr_rollout_target *target)
{
    struct dr_arena *arena = dr_arena_new(64u << 20);
    bool done = arena != NULL && core->trust->chain.msg != NULL &&
                (stage->mode == DROVER__V1__MODE__UP || stage->mode == DROVER__V1__MODE__DOWN) &&
                is_done(core, arena, rollout, stage, target);

    dr_arena_free(&arena);
    return done;
}
