// Root: the people, their keys and the thresholds of each role. The first is pinned, each next one
// is signed by both.
#ifndef DR_TRUST_ROOT_H
#define DR_TRUST_ROOT_H

#include "trust/quorum.h"

#define DR_ROOTS_PER_UPDATE_MAX 64u
#define DR_CLUSTER_ID_SIZE      16u
#define DR_CLOCK_SKEW_S         300

// A verified root; all in the arena. `sha256` is the payload's, `file_sha256` the whole envelope's
// (what is pinned).
struct dr_root {
    const Drover__V1__Root *msg;
    struct dr_bytes wire;
    uint8_t sha256[32], file_sha256[32];
};

// Checks the content of a root that is about to be signed or was decoded: names, thresholds between
// 1 and the number of people, keys sane and unique over all people. DR_E_BAD_ROOT says which.
DR_MUST_CHECK enum dr_rc dr_root_check(const Drover__V1__Root *root, struct dr_err *err);
// The first root: its file's SHA-256 must be `pinned` (NULL: not compared, for making and showing
// one), and its own root role must have signed it. DR_E_NOT_PINNED, DR_E_BAD_ENVELOPE,
// DR_E_WRONG_TYPE, DR_E_BAD_DOCUMENT, DR_E_QUORUM.
DR_MUST_CHECK enum dr_rc
dr_root_first(struct dr_arena *arena, struct dr_bytes wire, const uint8_t pinned[32],
              struct dr_root *out, struct dr_err *err);
// Version current + 1, signed by the thresholds of both. The same root again gives DR_E_EXISTS, a
// lower version or other bytes DR_E_ROLLBACK or DR_E_EQUIVOCATION, a gap DR_E_FAST_FORWARD; also
// DR_E_FOREIGN_CLUSTER.
DR_MUST_CHECK enum dr_rc
dr_root_next(struct dr_arena *arena, const struct dr_root *current, struct dr_bytes wire,
             struct dr_root *out, struct dr_err *err);
// DR_E_FREEZE_ROOT when expired at `now`.
DR_MUST_CHECK enum dr_rc
dr_root_check_time(const Drover__V1__Root *root, int64_t now, struct dr_err *err);

// The role of approvers of an environment; NULL: nobody may approve there.
const Drover__V1__Role *dr_root_approvers(const Drover__V1__Root *root, const char *environment);
// The person of a key or a name; NULL when there is none. `dr_root_person_index` is -1 then.
const Drover__V1__Person *
dr_root_person_by_transport(const Drover__V1__Root *root, const uint8_t key[32]);
const Drover__V1__Person *
dr_root_person_by_signing(const Drover__V1__Root *root, const uint8_t key[32]);
int dr_root_person_index(const Drover__V1__Root *root, const char *name);
bool dr_role_has(const Drover__V1__Role *role, uint32_t person);

#endif
