// Stamp: what lets revisions be recorded without running them. Either evidence of another target,
// which ran them undisturbed and has the same revisions and the same schema, or the approvers' word
// on exactly the difference that READY names.
#ifndef DR_TRUST_STAMP_H
#define DR_TRUST_STAMP_H

#include "trust/gate.h"

// The evidence that shows READY's schema with the revisions that are there afterwards: an APPLIED,
// REVERTED or REHEARSED of an active target of the same engine that ran its units (not another
// stamp), listed where there is an approval. `*out` NULL: none. DR_E_NOT_IN_CHAIN, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_stamp_proof(struct dr_arena *arena, const struct dr_gate_input *input,
                                        const struct dr_attestation **out, struct dr_err *err);
// DR_E_STAMP_UNPROVED when the mode is a stamp, no evidence proves it, and `acknowledged_flags` do
// not accept the difference that READY names. DR_OK for every other mode.
DR_MUST_CHECK enum dr_rc dr_stamp_check(struct dr_arena *arena, const struct dr_gate_input *input,
                                        uint32_t acknowledged_flags, struct dr_err *err);

#endif
