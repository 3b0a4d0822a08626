// Policies in words, and a rollout that is only thought of: what each environment asks, who signs,
// and when it could start at the earliest.
#ifndef DR_CLI_POLICY_EXPLAIN_H
#define DR_CLI_POLICY_EXPLAIN_H

#include "base/str.h"
#include "proto/documents.pb-c.h"

#include <stdint.h>

// For each environment, in their order: targets, waves, windows, gates before the start and
// afterwards, and who signs. `root` may be NULL.
void dr_policy_explain(Drover__V1__FleetEntry *const *entries, size_t n,
                       const Drover__V1__Root *root, struct dr_buf *out);
// A rollout over the targets of now that begins at `now` (unix seconds), with nobody ever late and
// runs that take no time: soaks and windows alone. One line per environment, and the whole.
void dr_policy_simulate(Drover__V1__FleetEntry *const *entries, size_t n, int64_t now,
                        struct dr_buf *out);

#endif
