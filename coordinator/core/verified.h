// Verified: attestations that were verified once under the trust that holds now are not verified
// again each time somebody looks at a rollout. What the fleet or the root changes, empties it.
#ifndef DR_CORE_VERIFIED_H
#define DR_CORE_VERIFIED_H

#include "coordinator/core/core.h"
#include "trust/attest.h"

#define DR_VERIFIED_MAX 100000u // envelopes that are remembered; then it begins anew

// As dr_attest_load under the coordinator's trust.
DR_MUST_CHECK enum dr_rc
dr_verified_attestation(struct dr_core *core, struct dr_arena *arena, struct dr_bytes wire,
                        struct dr_attestation *out, struct dr_err *err);
// As dr_gate_load_evidence under the coordinator's trust: what does not verify is left out.
DR_MUST_CHECK enum dr_rc
dr_verified_evidence(struct dr_core *core, struct dr_arena *arena, const ProtobufCBinaryData *wires,
                     size_t n_wires, struct dr_attestation **out, size_t *out_n,
                     struct dr_err *err);
void dr_verified_forget(struct dr_core *core);

#endif
