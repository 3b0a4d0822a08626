// Log hash: the chain of hashes over the coordinator's event log, so that a stranger can check it
// offline.
//   hash = SHA-256("drover/log.v1" 00 | previous | u64be index | i64be time | kind 00 | subject 00
//   | text 00 | actor 00 | document digest)
// The first entry has index 1 and 32 zero bytes before it. `document` is empty or 32 bytes.
#ifndef DR_TRUST_LOGHASH_H
#define DR_TRUST_LOGHASH_H

#include "base/attr.h"
#include "base/err.h"
#include "proto/service.pb-c.h"

#include <stdint.h>

// Where a chain stands: the last entry's index (0: none) and hash.
struct dr_loghash {
    uint64_t index;
    uint8_t hash[32];
};

// The hash of `entry` over its own fields and entry->previous (its `hash` is not looked at).
// DR_E_INVALID when previous or document have a wrong length, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_loghash_compute(const Drover__V1__LogEntry *entry, uint8_t out[32], struct dr_err *err);
// Takes `entry` as the next of the chain: index + 1, previous is ours, hash is right; then moves
// `state` on. DR_E_BAD_LOG names the entry and what is wrong; `state` is untouched then. `{0}` is
// the start of a log.
DR_MUST_CHECK enum dr_rc
dr_loghash_verify(struct dr_loghash *state, const Drover__V1__LogEntry *entry, struct dr_err *err);

#endif
