// A stage: one environment of a rollout as this person's own drover sees it: READYs, evidence,
// sign-offs and gates, each verified here. The coordinator only says where they lie.
#ifndef DR_CLI_STAGE_H
#define DR_CLI_STAGE_H

#include "coordinator/cli/remote.h"

#include "trust/approval.h"
#include "trust/gate.h"

// One target of the stage.
struct dr_stage_target {
    const Drover__V1__TargetStatus *said; // the coordinator's row
    const struct dr_fleet_entry *entry;   // proven
    struct dr_attestation ready;          // msg NULL: no READY
    const Drover__V1__EnginePlan *plan;   // of its engine
    struct dr_gate_result *gates;         // NULL before dr_stage_load has a plan
    size_t n_gates;
    const struct dr_attestation *stamp_proof; // STAMP, UNSTAMP: evidence of the schema; NULL: none
    bool is_open;                             // every gate that holds the start is open
};

// The plan of one engine, from the coordinator's bytes.
struct dr_stage_plan {
    const Drover__V1__EnginePlan *named;
    Drover__V1__Plan *plan;
    struct dr_bytes packed;
};

struct dr_stage {
    struct dr_remote *remote;
    const Drover__V1__Rollout *rollout;
    const Drover__V1__StageStatus *said;
    const struct dr_fleet_entry *policy;
    struct dr_stage_plan *plans;
    size_t n_plans;
    struct dr_attestation *evidence;
    size_t n_evidence;
    struct dr_signoff *signoffs;
    size_t n_signoffs;
    struct dr_stage_target *targets;
    size_t n_targets;
};

// Loads and verifies everything about `environment` of the rollout ("" or NULL: its last
// environment). Errors: DR_E_NOT_FOUND (no such rollout, environment or plan),
// trust errors of what does not verify.
DR_MUST_CHECK enum dr_rc
dr_stage_load(struct dr_remote *remote, const char *rollout, const char *environment,
              struct dr_stage *out, struct dr_err *err);
// The plan of a target; NULL when the rollout has none for its engine.
const struct dr_stage_plan *
dr_stage_plan_of(const struct dr_stage *stage, const struct dr_stage_target *target);
// The mode that this environment runs: PROVE where the policy asks for it and the plans can go
// back.
Drover__V1__Mode dr_stage_mode(const struct dr_stage *stage);

// A gate over all targets of the stage, for people.
struct dr_stage_gate {
    const Drover__V1__Gate *gate;
    bool is_open, is_after;
    const char
        *text; // evidence when open, else what is missing (of the first target that lacks it)
    const char *next; // command to type; ""
};
// Is it ready, with a READY that people can sign for? What is approved waits for its wave under
// that approval: it is not signed again.
bool dr_stage_is_waiting(const struct dr_stage_target *target);
// One row per gate of the policy, in the arena. When some targets wait for people, the gates are
// judged for those alone: who is away gets an approval of its own later.
DR_MUST_CHECK enum dr_rc dr_stage_gates(const struct dr_stage *stage, struct dr_stage_gate **out,
                                        size_t *out_n, struct dr_err *err);
// "[x] backup  ..." lines; returns how many that hold the start are closed.
size_t
dr_stage_print_gates(const struct dr_stage *stage, const struct dr_stage_gate *gates, size_t n);

// True when `wire` with its leaves (of another person, without quorum) says what `mine` says: same
// plan, mode, policy, targets and READYs, at least my evidence, no longer time. `*out` is its
// parsed envelope.
DR_MUST_CHECK bool
dr_approval_matches(struct dr_arena *arena, struct dr_bytes wire, const struct dr_bytes *leaves,
                    size_t n_leaves, const struct dr_approval_request *mine,
                    struct dr_envelope *out);

#endif
