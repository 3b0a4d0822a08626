// Attestations and sign-offs: evidence signed by an agent, words signed by a person.
#ifndef DR_TRUST_ATTEST_H
#define DR_TRUST_ATTEST_H

#include "trust/fleet.h"

#define DR_READY_FLAGS_ALL 63u  // what a READY may carry
#define DR_ACK_FLAGS_ALL   127u // what an approval may acknowledge: these, and DIFFERENCE

struct dr_attestation {
    const Drover__V1__Attestation *msg;
    struct dr_bytes wire;
    uint8_t sha256[32];
    const struct dr_fleet_entry *entry; // of its target; NULL from dr_attest_decode
};

struct dr_signoff {
    const Drover__V1__Signoff *msg;
    struct dr_bytes wire;
    uint8_t sha256[32];
    struct dr_signers signers;
};

// What an agent keeps durable between two attestations. `{0}` begins a new, random epoch.
struct dr_attest_state {
    uint8_t epoch[16];
    uint64_t counter; // of the last one
    uint8_t previous[32];
};

// Fills epoch, counter and previous_sha256 of `msg`, packs and signs. The caller stores
// `*out_state` and the envelope durably before it sends anything. DR_E_BAD_DOCUMENT (a field is
// wrong), DR_E_KEY_KIND, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_attest_build(struct dr_arena *arena, Drover__V1__Attestation msg, const struct dr_key *key,
                const struct dr_attest_state *state, struct dr_bytes *out, uint8_t out_sha256[32],
                struct dr_attest_state *out_state, struct dr_err *err);
// Verifies under the agent key of one of `entries` (proven fleet entries), which must be its
// target's. DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE, DR_E_BAD_SIGNATURE, DR_E_BAD_DOCUMENT,
// DR_E_BAD_EVIDENCE, DR_E_FOREIGN_CLUSTER.
DR_MUST_CHECK enum dr_rc
dr_attest_load(struct dr_arena *arena, const struct dr_fleet *fleet,
               const struct dr_fleet_entry *entries, size_t n_entries, struct dr_bytes wire,
               struct dr_attestation *out, struct dr_err *err);
// Decodes an envelope (`payload_only`: a bare payload, as an agent keeps its own) without any
// signature: to show it or to find its target's entry.
DR_MUST_CHECK enum dr_rc
dr_attest_decode(struct dr_arena *arena, struct dr_bytes bytes, bool payload_only,
                 struct dr_attestation *out, struct dr_err *err);
// Does `next` come right after `last` of the same agent? DR_E_COUNTER_GAP (something is missing
// between them), DR_E_COUNTER_REUSED (other bytes under one counter: alarm), DR_E_EXISTS (the
// same). A new epoch at counter 1 is DR_OK.
DR_MUST_CHECK enum dr_rc dr_attest_follows(const struct dr_attestation *last,
                                           const struct dr_attestation *next, struct dr_err *err);

// What a STATE says of a probe; NULL: nothing.
const Drover__V1__ProbeResult *
dr_attest_probe(const Drover__V1__Attestation *msg, const char *name);

// Fills signoff_id when empty, packs and signs.
DR_MUST_CHECK enum dr_rc
dr_signoff_build(struct dr_arena *arena, Drover__V1__Signoff msg, const struct dr_key *key,
                 struct dr_bytes *out, uint8_t out_sha256[32], struct dr_err *err);
// Verifies under the root: at least one person; a LIFT by the threshold of `environment`'s
// approvers. A LIFT names in seen_sha256 the FREEZE, VETO or CANCEL that it ends.
// DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE, DR_E_QUORUM, DR_E_BAD_DOCUMENT, DR_E_FOREIGN_CLUSTER.
DR_MUST_CHECK enum dr_rc
dr_signoff_load(struct dr_arena *arena, const struct dr_root *root, const char *environment,
                struct dr_bytes wire, struct dr_signoff *out, struct dr_err *err);
// Refuses when a VETO of (plan, environment), a CANCEL made no more than 300 s (the skew of two
// clocks) before the approval's not_before, or a FREEZE of the environment ("" stops every
// environment) stands among `signoffs`, neither expired at `now` nor lifted by a LIFT that holds.
// DR_E_VETOED, DR_E_CANCELLED, DR_E_FROZEN name the person and the note.
DR_MUST_CHECK enum dr_rc
dr_signoff_check_stops(const struct dr_root *root, const struct dr_signoff *signoffs,
                       size_t n_signoffs, const char *environment, const uint8_t plan_sha256[32],
                       int64_t not_before, int64_t now, struct dr_err *err);

#endif
