// Quorum: how many distinct people of a role signed an envelope. People count, never keys or
// signatures.
#ifndef DR_TRUST_QUORUM_H
#define DR_TRUST_QUORUM_H

#include "proto/documents.pb-c.h"
#include "trust/envelope.h"

#define DR_PEOPLE_MAX 128u

// Who signed: `signed_by[i]` for person i of the root; `n` of them.
struct dr_signers {
    bool signed_by[DR_PEOPLE_MAX];
    uint32_t n;
};

// Counts the people of `role` (NULL: everybody in `root`) with a valid signature; invalid and
// foreign signatures count nothing and do no harm. DR_E_LIMIT at the arena's cap.
DR_MUST_CHECK enum dr_rc
dr_quorum_count(struct dr_arena *arena, const Drover__V1__Root *root, const Drover__V1__Role *role,
                const struct dr_envelope *envelope, struct dr_signers *out, struct dr_err *err);
// DR_E_QUORUM "1 of 2 signatures of the reviewers" when fewer than the threshold. `role_name` is
// for the message.
DR_MUST_CHECK enum dr_rc
dr_quorum_check(struct dr_arena *arena, const Drover__V1__Root *root, const Drover__V1__Role *role,
                const char *role_name, const struct dr_envelope *envelope,
                struct dr_signers *out_or_null, struct dr_err *err);
// A copy of the envelope with only the valid signatures of people in `root`: what a coordinator
// keeps.
DR_MUST_CHECK enum dr_rc
dr_quorum_prune(struct dr_arena *arena, const Drover__V1__Root *root,
                const struct dr_envelope *envelope, struct dr_bytes *out, struct dr_err *err);

#endif
