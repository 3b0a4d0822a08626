// Chain patch: a chain's envelope told by what is new in it, for a receiver that holds an earlier
// one. Entries are append-only and stand last in the payload, so the held entries are copied and
// the header, the new entries and the signatures travel. Nothing is believed because of it: the
// result is verified like an envelope that came whole.
#ifndef DR_TRUST_CHAIN_PATCH_H
#define DR_TRUST_CHAIN_PATCH_H

#include "trust/chain.h"

#include "proto/service.pb-c.h"

// From the envelope `base` to `next`; the patch borrows from both. `*out` is NULL when the entries
// of `base` do not begin those of `next`. DR_E_BAD_ENVELOPE, DR_E_BAD_DOCUMENT, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_chain_patch_make(struct dr_arena *arena, struct dr_bytes base, struct dr_bytes next,
                    Drover__V1__ChainPatch **out, struct dr_err *err);
// The envelope that the patch tells, in the arena. DR_E_BAD_CHAIN when `held` is not its base, or
// it reaches outside of it; DR_E_LIMIT for a result over DR_ENVELOPE_MAX.
DR_MUST_CHECK enum dr_rc
dr_chain_patch_apply(struct dr_arena *arena, const struct dr_chain *held,
                     const Drover__V1__ChainPatch *patch, struct dr_bytes *out, struct dr_err *err);

#endif
