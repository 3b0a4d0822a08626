// Push: what is put into an agent's mailbox, and the stream that empties it. A push is kept until
// it is acknowledged; a newer one about the same thing takes the place of an older.
#ifndef DR_CORE_PUSH_H
#define DR_CORE_PUSH_H

#include "coordinator/core/core.h"

// Within the caller's transaction.
DR_MUST_CHECK enum dr_rc dr_push_trust(struct dr_core *core, const char *agent, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_push_trust_all(struct dr_core *core, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_push_prepare(struct dr_core *core, const struct dr_rollout *rollout,
                const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
                struct dr_err *err);
// Queues the approval of `target`; dr_push_bundle_make makes it when it is sent. DR_E_NOT_FOUND
// when something that the approval names is not here.
DR_MUST_CHECK enum dr_rc dr_push_bundle(struct dr_core *core, const struct dr_rollout *rollout,
                                        const struct dr_rollout_target *target, struct dr_err *err);
// The approval with trust, leaves, evidence and sign-offs, in `arena`. Errors as dr_push_bundle,
// and DR_E_LIMIT (over DR_DOCUMENT_MAX, or more documents than an agent takes).
DR_MUST_CHECK enum dr_rc
dr_push_bundle_make(struct dr_core *core, const struct dr_rollout *rollout,
                    const struct dr_rollout_target *target, struct dr_arena *arena,
                    Drover__V1__Bundle **out, struct dr_err *err);
// "state" or "cancel". A cancel takes back what was not yet fetched.
DR_MUST_CHECK enum dr_rc
dr_push_order(struct dr_core *core, const char *rollout, const struct dr_rollout_target *target,
              const char *order, struct dr_err *err);
// An order of a person about one target, as it stands; a newer one of the same kind takes its
// place.
DR_MUST_CHECK enum dr_rc dr_push_target_order(struct dr_core *core, const char *agent,
                                              const Drover__V1__Order *order, struct dr_err *err);
// A sign-off's envelope, to every agent of an environment ("": all).
DR_MUST_CHECK enum dr_rc
dr_push_signoff(struct dr_core *core, const char *environment, const uint8_t sha256[32],
                struct dr_bytes envelope, struct dr_err *err);

// What an agent has to know and does not: roots, the fleet with its own entries, what is new in the
// chain: told as a patch only if `may_patch`, for an update that is taken at once. In `arena`,
// borrowing from trust and from the cache.
DR_MUST_CHECK enum dr_rc
dr_push_trust_update(struct dr_core *core, const char *agent, bool may_patch,
                     struct dr_arena *arena, Drover__V1__TrustUpdate **out, struct dr_err *err);
// Notes that an update went out with push `seq`; and that the agent acknowledged `seq`, and holds
// the chain of this digest (empty: it did not say).
void dr_push_trust_sent(struct dr_agent *agent, const Drover__V1__TrustUpdate *update,
                        const struct dr_trust *trust, uint64_t seq);
void dr_push_trust_acked(struct dr_agent *agent, uint64_t seq, ProtobufCBinaryData chain_sha256);
// Bodies that lay as blobs for this agent, up to push `seq`, are dropped. `core` NULL: memory only.
void dr_push_forget_blobs(struct dr_core *core, struct dr_agent *agent, uint64_t seq);
// Shows a connected agent where the log stands, and what stands here where it was shown it last, if
// it has moved since.
void dr_push_log_head(struct dr_core *core, struct dr_agent *agent);
// Sends pushes while the stream has room.
void dr_push_pump(struct dr_core *core, struct dr_agent *agent);

#endif
