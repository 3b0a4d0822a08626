// Trusted store: what an agent or an operator has verified, on disk: roots, fleet with entries,
// chain, clock. Verified completely, then persisted, then used.
#ifndef DR_TRUST_STORE_H
#define DR_TRUST_STORE_H

#include "trust/chain.h"
#include "trust/fleet.h"

#define DR_STORE_ENTRIES_MAX DR_FLEET_ENTRIES_MAX
#define DR_UPDATE_MAX        (64u << 20) // bytes of one update, all leaves of a large fleet included
#define DR_CLOCK_JUMP_MAX_S  (90ll * 86400) // that one signed time may raise the latest time seen

// The trusted state. `fleet.msg` and `chain.msg` are NULL while there is none. Entries are proven
// under `fleet`.
struct dr_trust {
    struct dr_root root;
    struct dr_fleet fleet;
    struct dr_chain chain;
    const struct dr_fleet_entry *entries;
    size_t n_entries;
    bool is_fleet_whole; // all entries are here
    int64_t clock_high;  // the latest time that was seen; never goes back
};

struct dr_trust_store;

// Opens (and makes) `folder`, takes its lock, verifies everything in it again from the first root
// on. `first_root` is the root file's content, `pinned` its SHA-256 from the configuration.
// DR_E_NOT_PINNED, DR_E_CONFLICT (another process has it), DR_E_IO, DR_E_BAD_*. A fleet or chain
// that no longer verifies under the newest root is held for its version but not given out.
DR_MUST_CHECK enum dr_rc
dr_trust_store_open(const char *folder, struct dr_bytes first_root, const uint8_t pinned[32],
                    struct dr_trust_store **out, struct dr_err *err);
// Frees; NULL is accepted, the pointer is cleared.
void dr_trust_store_close(struct dr_trust_store **store);
// Gives up the folder's lock and keeps what was read: another process may update the folder. No
// update may follow (DR_E_CONFLICT).
void dr_trust_store_release(struct dr_trust_store *store);
// The current state; valid until the next update.
const struct dr_trust *dr_trust_store_get(const struct dr_trust_store *store);
// Roots one by one, then fleet with entries, then chain; each is persisted as soon as it is
// verified, and the first bad one ends the update with its error while what was good before it
// stays. Entries: with paths, or all leaves without. DR_E_CLOCK_BACK, DR_E_BUNDLE_SIZE, DR_E_LIMIT
// (more than 64 roots), DR_E_FREEZE_ROOT, DR_E_FREEZE_FLEET, DR_E_NOT_YET (issued in the future),
// and those of the documents. What is held already is no error.
DR_MUST_CHECK enum dr_rc
dr_trust_store_update(struct dr_trust_store *store, const Drover__V1__TrustUpdate *update,
                      int64_t now, bool *out_changed, struct dr_err *err);
// Everything in one update message (for handing on to another store); in `arena`.
DR_MUST_CHECK enum dr_rc
dr_trust_store_export(const struct dr_trust_store *store, struct dr_arena *arena,
                      Drover__V1__TrustUpdate **out, struct dr_err *err);
// DR_E_CLOCK_BACK when `now` is more than 300 s before the latest time seen.
DR_MUST_CHECK enum dr_rc
dr_trust_check_clock(const struct dr_trust *trust, int64_t now, struct dr_err *err);
// Raises and persists the latest time seen: `seen` is the time in a document that was verified,
// never this host's clock. At most one write a minute. One time raises it by no more than
// DR_CLOCK_JUMP_MAX_S beyond the latest time seen and the newest root's: a document that was signed
// with a wrong clock, and came while this host's was wrong, too, does not shut the store for years.
DR_MUST_CHECK enum dr_rc
dr_trust_store_tick(struct dr_trust_store *store, int64_t seen, struct dr_err *err);
// Forgets the latest time seen: by the host's owner, when that was a wrong one. What expires still
// does. DR_E_CONFLICT when the folder was released, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_trust_store_reset_clock(struct dr_trust_store *store, struct dr_err *err);

#endif
