// Kept words: what `drover status` has verified before, in the folder of the trusted documents, so
// that the same signatures are not verified each time.
//
// The file holds the short form of each verified attestation under the digest of what was signed.
// It is bound to the root and the fleet that it was verified under: with a next one, whatever that
// changes, it counts for nothing. It counts only where nobody but this user can have written it.
#ifndef DR_CLI_WORDS_KEPT_H
#define DR_CLI_WORDS_KEPT_H

#include "coordinator/cli/cli.h"

#include "trust/store.h"

#define DR_KEPT_FILE "words"
#define DR_KEPT_MAX  (256u << 20) // bytes of the file

struct dr_kept_word {
    uint8_t sha256[32];    // of the payload that was signed
    struct dr_bytes brief; // a packed Attestation with what a status shows
};

// `{0}` keeps nothing. All in the cli's arena.
struct dr_kept {
    struct dr_kept_word *items;
    size_t count;
    uint64_t log_index; // of the coordinator's log: words up to there are all here, or out of date
    uint32_t *places;   // item + 1 by the digest's first bytes
    size_t mask;
};

// What was kept under this root and fleet. A file that is not there, not whole, of another root or
// fleet, or not this user's own is as none at all.
void dr_kept_load(const struct dr_cli *cli, const struct dr_trust *trust, struct dr_kept *out);
// NULL when it is not kept.
const struct dr_kept_word *dr_kept_find(const struct dr_kept *kept, const uint8_t sha256[32]);
// Takes the place of what was kept. That it cannot be written is no error: it costs time only.
void
dr_kept_save(const struct dr_cli *cli, const struct dr_trust *trust, const struct dr_kept *kept);

#endif
