// Inside of gates: one evaluation, shared by the files gate*.c.
#ifndef DR_TRUST_GATE_EVAL_H
#define DR_TRUST_GATE_EVAL_H

#include "trust/gate.h"

#define DR_ATTEST_KIND(name) DROVER__V1__ATTESTATION_KIND__##name
// A text in the arena; a fixed one when it is full.
#define DR_GATE_TEXT(eval, ...) dr_gate_said(dr_arena_printf((eval)->arena, __VA_ARGS__))

struct dr_gate_eval {
    struct dr_arena *arena;
    const struct dr_gate_input *in;
    const bool *to_run;
    struct dr_gate_result *result;
    bool is_cut; // the arena had no room for the evidence: nothing may be concluded
    size_t from; // revisions of the plan before it need no proof
};

const char *dr_gate_said(const char *text);
void dr_gate_close(struct dr_gate_eval *eval, const char *missing);
void dr_gate_open(struct dr_gate_eval *eval, const char *shown_by);
// Adds to the digests that opened the gate, each once.
void dr_gate_name_evidence(struct dr_gate_eval *eval, const uint8_t sha256[32]);
// May this piece of evidence open a gate? Not from the future, and listed where there is an
// approval.
bool dr_gate_counts(const struct dr_gate_eval *eval, const uint8_t sha256[32], int64_t time);
// Did `a` come after `b`? Both of one target: by counter within an epoch, else by time.
bool dr_gate_is_after(const struct dr_attestation *a, const struct dr_attestation *b);
const Drover__V1__Target *dr_gate_target_of(const struct dr_attestation *attestation);

// gate_units.c
void dr_gate_eval_staged(struct dr_gate_eval *eval);
void dr_gate_eval_rollback(struct dr_gate_eval *eval);
void dr_gate_eval_probed(struct dr_gate_eval *eval);
// gate_rehearsed.c
void dr_gate_eval_rehearsed(struct dr_gate_eval *eval);
// gate_verified.c
void dr_gate_eval_verified(struct dr_gate_eval *eval);

#endif
