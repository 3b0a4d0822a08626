// Directory: who is who under the current root and fleet: agents by name and by transport key,
// targets, environments in order, and the Merkle proofs of fleet entries. Rebuilt whenever root or
// fleet change.
#ifndef DR_CORE_DIRECTORY_H
#define DR_CORE_DIRECTORY_H

#include "rpc/call.h"
#include "trust/store.h"

struct dr_directory_agent {
    const char *name;
    const uint8_t *transport_key, *signing_key;
    const char *environment;
    const struct dr_fleet_entry **targets;
    size_t n_targets;
};

struct dr_directory;

// Indexes `trust`, which must live as long (until the next update of its store). Without a fleet
// there are only people. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_directory_new(const struct dr_trust *trust, struct dr_directory **out, struct dr_err *err);
void dr_directory_free(struct dr_directory **directory);

// The owner of a transport key: a person of the root, else an agent with an active target; else
// UNKNOWN stays.
void dr_directory_caller(const struct dr_directory *directory, const uint8_t key[32],
                         struct dr_caller *out);
// NULL when there is none.
const struct dr_directory_agent *
dr_directory_agent(const struct dr_directory *directory, const char *name);
size_t dr_directory_agent_count(const struct dr_directory *directory);
const struct dr_directory_agent *
dr_directory_agent_at(const struct dr_directory *directory, size_t i);

// Environments by rank, then name.
size_t dr_directory_environment_count(const struct dr_directory *directory);
const struct dr_fleet_entry *
dr_directory_environment_at(const struct dr_directory *directory, size_t i);
const struct dr_fleet_entry *
dr_directory_environment(const struct dr_directory *directory, const char *name);
const struct dr_fleet_entry *
dr_directory_target(const struct dr_directory *directory, const char *name);

// The proof of an entry for an agent; in `arena`. DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_directory_proof(const struct dr_directory *directory, const struct dr_fleet_entry *entry,
                   struct dr_arena *arena, Drover__V1__ProvenEntry **out, struct dr_err *err);

#endif
