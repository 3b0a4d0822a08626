// Inside of the trusted store, shared by store.c and store_load.c.
#ifndef DR_TRUST_STORE_INNER_H
#define DR_TRUST_STORE_INNER_H

#include "trust/store.h"

#define DR_STORE_ARENA_CAP     ((size_t)1 << 30)
#define DR_STORE_LOOKED_AT_MIN 256u // entries of a fleet, from which on a look at all keys is noted

struct dr_trust_store {
    uint32_t magic;
    char *folder;
    int lock_fd;
    size_t arena_cap;     // DR_STORE_ARENA_CAP; less in tests
    size_t looked_at_min; // DR_STORE_LOOKED_AT_MIN; less in tests
    uint8_t pinned[32];
    struct dr_bytes first_root; // in its own memory
    struct dr_arena *arena;     // everything below
    struct dr_trust trust;
    uint8_t (*root_names)[32]; // payload digests of all roots held
    size_t n_roots;
    struct dr_fleet held_fleet; // for its version, also when it no longer verifies
    struct dr_chain held_chain;
    struct dr_bytes fleet_file;
};

// A path in the store's folder, in `arena`; NULL at its cap, which dr_store_read and write_document
// refuse: a path that could not be made must not look like a file that is not there.
const char *
dr_store_path(const struct dr_trust_store *store, struct dr_arena *arena, const char *name);
const char *
dr_store_root_path(const struct dr_trust_store *store, struct dr_arena *arena, uint64_t version);
// A whole file in `arena`; an absent one is empty.
enum dr_rc dr_store_read(struct dr_arena *arena, const char *path, size_t max, struct dr_bytes *out,
                         struct dr_err *err);
// What was verified in this process already (see dr_fleet_entries_check_next); {0}: nothing.
// `is_all`: the very fleet was verified before, perhaps in another process.
struct dr_store_known {
    const struct dr_fleet_entry *entries;
    size_t n;
    bool is_all;
};
// All leaves without paths, or single entries with theirs.
enum dr_rc dr_store_entries(struct dr_arena *arena, const struct dr_fleet *fleet,
                            Drover__V1__ProvenEntry *const *proven, size_t n,
                            const struct dr_store_known *known, struct dr_fleet_entry **out,
                            bool *out_whole, struct dr_err *err);
// Reads and verifies all of the folder into a new arena. On failure the store keeps what it had.
enum dr_rc
dr_store_load(struct dr_trust_store *store, const struct dr_store_known *known, struct dr_err *err);

#endif
