// Fleet: agents, targets and the policy of each environment. A small signed part names the Merkle
// root of the entries. Entries stand in order: targets by name, then environments by name
// (bytewise).
#ifndef DR_TRUST_FLEET_H
#define DR_TRUST_FLEET_H

#include "proto/service.pb-c.h"
#include "trust/merkle.h"
#include "trust/root.h"

#define DR_FLEET_ENTRIES_MAX   200000u
#define DR_FLEET_JUMP_MAX      (1u << 20)
#define DR_APPROVAL_MAX_S      14400u // when the policy says 0
#define DR_RESUME_WINDOW_MAX_S 3600u  // when the policy says 0

struct dr_fleet {
    const Drover__V1__Fleet *msg;
    struct dr_bytes wire;
    uint8_t sha256[32];
};

// One leaf, decoded. `sha256` is the leaf's: what approvals name as policy and entry.
struct dr_fleet_entry {
    const Drover__V1__FleetEntry *msg; // exactly one of target and environment is set
    struct dr_bytes leaf;
    uint64_t index;
    uint8_t sha256[32];
    uint8_t agent_keyid[32]; // of a target: names its agent's signing key
};

// Verifies under the root's fleet role; content checks. Time is not looked at here.
// DR_E_BAD_ENVELOPE, DR_E_WRONG_TYPE, DR_E_QUORUM, DR_E_BAD_DOCUMENT, DR_E_BAD_FLEET,
// DR_E_FOREIGN_CLUSTER.
DR_MUST_CHECK enum dr_rc
dr_fleet_load(struct dr_arena *arena, const struct dr_root *root, struct dr_bytes wire,
              struct dr_fleet *out, struct dr_err *err);
// May `next` take the place of `held`? DR_E_ROLLBACK, DR_E_EQUIVOCATION, DR_E_FAST_FORWARD.
DR_MUST_CHECK enum dr_rc
dr_fleet_follows(const Drover__V1__Fleet *held, const uint8_t held_sha256[32],
                 const struct dr_fleet *next, struct dr_err *err);
// DR_E_FREEZE_FLEET when expired at `now`.
DR_MUST_CHECK enum dr_rc
dr_fleet_check_time(const Drover__V1__Fleet *fleet, int64_t now, struct dr_err *err);

// One leaf with its path. DR_E_BAD_PROOF, DR_E_BAD_DOCUMENT, DR_E_BAD_FLEET.
DR_MUST_CHECK enum dr_rc dr_fleet_entry_prove(struct dr_arena *arena, const struct dr_fleet *fleet,
                                              const Drover__V1__ProvenEntry *proven,
                                              struct dr_fleet_entry *out, struct dr_err *err);
// All leaves in order: the Merkle root, the order, unique names, every target's environment there,
// no agent key in two environments. For those who hold the whole fleet. Errors as above.
DR_MUST_CHECK enum dr_rc
dr_fleet_entries_check(struct dr_arena *arena, const struct dr_fleet *fleet,
                       const struct dr_bytes *leaves, size_t n_leaves, struct dr_fleet_entry **out,
                       struct dr_err *err);
// The same for one who has verified the entries `known` of this or another whole fleet in this
// process (NULL, 0: none): the agent's key of an entry whose very bytes are there is not looked at
// again, which is most of the time that a large fleet takes.
DR_MUST_CHECK enum dr_rc
dr_fleet_entries_check_next(struct dr_arena *arena, const struct dr_fleet *fleet,
                            const struct dr_bytes *leaves, size_t n_leaves,
                            const struct dr_fleet_entry *known, size_t n_known,
                            struct dr_fleet_entry **out, struct dr_err *err);
// The same without a look at any agent's key: for one who did that before with this very fleet.
DR_MUST_CHECK enum dr_rc
dr_fleet_entries_check_again(struct dr_arena *arena, const struct dr_fleet *fleet,
                             const struct dr_bytes *leaves, size_t n_leaves,
                             struct dr_fleet_entry **out, struct dr_err *err);
// Packs `header` (entries_root and entries_count are filled in here) and the sorted `entries`
// (sorted in place) for signing; everything is checked as the verifier will.
DR_MUST_CHECK enum dr_rc
dr_fleet_draft(struct dr_arena *arena, Drover__V1__Fleet header, Drover__V1__FleetEntry **entries,
               size_t n_entries, struct dr_bytes *out_payload, struct dr_bytes **out_leaves,
               struct dr_err *err);
// Leaf `index` with its path, in the arena, for a bundle or an update; also for the leaves of an
// approval. DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_proven_make(struct dr_arena *arena, const struct dr_merkle_tree *tree, struct dr_bytes leaf,
               uint64_t index, Drover__V1__ProvenEntry **out, struct dr_err *err);
// True if the leaf hangs on `root` (32 bytes) of `n_leaves` leaves.
bool dr_proven_is_true(const Drover__V1__ProvenEntry *proven, ProtobufCBinaryData root,
                       uint64_t n_leaves);

// By name among decoded entries; NULL when not there.
const struct dr_fleet_entry *
dr_fleet_target(const struct dr_fleet_entry *entries, size_t n, const char *name);
const struct dr_fleet_entry *
dr_fleet_environment(const struct dr_fleet_entry *entries, size_t n, const char *name);

// How long the policy soaks between two waves, in seconds: wave_soak_s, or without it the longest
// soak that its gates ask of the environments before.
uint64_t dr_fleet_wave_soak_s(const Drover__V1__Environment *policy);
// And behind the last wave, where there are probes: at least as long as a gate asks for afterwards.
uint64_t dr_fleet_last_soak_s(const Drover__V1__Environment *policy);

#endif
