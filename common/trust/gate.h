// Gates: which conditions of an environment's policy are open for one target, and what is missing.
// The agent refuses by this, droverd and drover show the same.
//
// BACKUP: the target's own record: kept, young enough, restored as far as asked, of READY's heads
// and schema.
// STAGED: min_targets targets of from_environment ran every unit that is to run here, and an
// attestation of each, signed after the soak, still shows those revisions.
// ROLLBACK_PROVED: a target of from_environment reverted every one of those units.
// VERIFIED: before, the schema before those units is the same here and there; after, the schema
// after them, and where the target rehearsed them, that is the schema that the rehearsal ended
// with. Without from_environment: that alone.
// SIGNOFF: a person signed `item` for this plan and environment.
// REHEARSED: the target's own record, not older than max_age_s: every unit that is to run here ran
// on a copy of READY's schema, there and back to the same schema.
// PROBED: as STAGED, and the newest answer of each target to the probe `item` says PASSED, in a
// STATE signed after the soak.
//
// DOWN asks STAGED, ROLLBACK_PROVED and REHEARSED for the down units, and neither soak nor PROBED;
// STAMP, UNSTAMP and REMEDY ask only BACKUP and SIGNOFF (and a stamp what stamp.h says).
#ifndef DR_TRUST_GATE_H
#define DR_TRUST_GATE_H

#include "trust/attest.h"
#include "trust/chain.h"

struct dr_gate_input {
    const struct dr_fleet_entry *policy; // the environment's entry
    const struct dr_chain *chain;
    const Drover__V1__Plan *plan;
    const uint8_t *plan_sha256; // 32
    Drover__V1__Mode mode;
    const Drover__V1__Attestation
        *ready; // of the target; NULL: not there yet, everything is to run
    const char
        *target; // NULL: gates of the environment as a whole, those about one target are left out
    const Drover__V1__Attestation
        *backup;          // the target's newest BACKUP; NULL: the newest in `evidence`
    bool only_own_backup; // agent: never from `evidence`
    const struct dr_attestation *evidence; // verified
    size_t n_evidence;
    const struct dr_signoff *signoffs; // verified
    size_t n_signoffs;
    const Drover__V1__Approval
        *approval; // when there is one, only what it lists can open a gate; NULL: all
    int64_t now;
};

struct dr_gate_result {
    const Drover__V1__Gate *gate;
    bool is_open;
    bool is_after;           // asked for afterwards: does not hold the start
    const char *missing;     // what is missing, or "" when open; in the arena
    const char *shown_by;    // what opened it, for people: "2 targets of staging, soaked 1h"; ""
    uint8_t (*evidence)[32]; // payload digests that opened it: an approval lists these
    size_t n_evidence;
};

// One result per gate of the policy, in its order. An unknown gate is closed. DR_E_NOT_IN_CHAIN
// (READY's heads), DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_gate_evaluate(struct dr_arena *arena, const struct dr_gate_input *input,
                 struct dr_gate_result **out, size_t *out_n, struct dr_err *err);
// Which of the plan's revisions are to run: those that the target lacks, in DOWN those that it has,
// and in both those that are half done. `ready` NULL: all.
DR_MUST_CHECK enum dr_rc
dr_gate_to_run(struct dr_arena *arena, const struct dr_chain *chain, const Drover__V1__Plan *plan,
               Drover__V1__Mode mode, const Drover__V1__Attestation *ready, bool **out,
               struct dr_err *err);
// "backup", "staged", "rollback-proved", "verified", "rehearsed", "probed", or the item of a
// sign-off gate.
const char *dr_gate_name(const Drover__V1__Gate *gate);
// VERIFIED by the target's own rehearsal, and by no environment?
bool dr_gate_is_own_verified(const Drover__V1__Gate *gate);
// About the target itself (BACKUP, REHEARSED, such a VERIFIED): says nothing of an environment as a
// whole, and names none.
bool dr_gate_is_of_one_target(const Drover__V1__Gate *gate);

// Verifies attestations. `skip_bad` leaves out what does not verify (for views); without it the
// first bad one fails with DR_E_BAD_EVIDENCE. Duplicates are dropped.
DR_MUST_CHECK enum dr_rc
dr_gate_load_evidence(struct dr_arena *arena, const struct dr_fleet *fleet,
                      const struct dr_fleet_entry *entries, size_t n_entries,
                      const ProtobufCBinaryData *wires, size_t n_wires, bool skip_bad,
                      struct dr_attestation **out, size_t *out_n, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_gate_load_signoffs(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                      const ProtobufCBinaryData *wires, size_t n_wires, bool skip_bad,
                      struct dr_signoff **out, size_t *out_n, struct dr_err *err);

#endif
