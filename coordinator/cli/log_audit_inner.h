// Inside of the audit, shared by its parts.
#ifndef DR_CLI_LOG_AUDIT_INNER_H
#define DR_CLI_LOG_AUDIT_INNER_H

#include "coordinator/cli/log_audit.h"

#include "trust/attest.h"
#include "trust/chain.h"
#include "trust/fleet.h"

// What is in force where the audit stands. An arena each, since the next one takes its place.
struct dr_log_force {
    struct dr_arena *root_arena, *fleet_arena, *chain_arena;
    struct dr_root root;
    struct dr_fleet fleet; // also while the root in force does not accept it
    bool is_fleet_good;
    struct dr_fleet_entry *entries;
    size_t n_entries;
    struct dr_chain chain;
    uint8_t (*roots)[32]; // payload digests of all roots so far
    size_t n_roots;
};

// One number that an agent gave.
struct dr_log_number {
    const char *agent;
    uint8_t epoch[16];
    uint64_t counter;
    uint8_t sha256[32], previous[32];
    const Drover__V1__LogEntry *entry;
};

struct dr_log_numbers {
    struct dr_log_number *list;
    size_t n, cap;
};

// One entry with its document, under what is in force; what comes into force by it then is.
// `scratch` is emptied afterwards. Any error but DR_E_NOMEM says what is wrong with the entry.
// Adds an attestation's number.
DR_MUST_CHECK enum dr_rc
dr_log_check_document(struct dr_arena *arena, struct dr_arena *scratch, struct dr_log_force *force,
                      struct dr_log_numbers *numbers, const Drover__V1__LogEntry *entry,
                      const Drover__V1__Document *document, enum dr_log_kind *out_kind,
                      struct dr_err *err);
// Is this where a root, fleet or chain comes into force?
bool dr_log_is_in_force(const Drover__V1__LogEntry *entry);
// The gaps in the numbers, in the order of the log, behind those in `gaps`. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_log_find_gaps(struct dr_arena *arena, struct dr_log_numbers *numbers, struct dr_log_gap **gaps,
                 size_t *n_gaps, struct dr_err *err);

#endif
