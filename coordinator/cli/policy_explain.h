// Policies in words, and a rollout that is only thought of: what each environment asks, who signs,
// and when it could start at the earliest.
#ifndef DR_CLI_POLICY_EXPLAIN_H
#define DR_CLI_POLICY_EXPLAIN_H

#include "base/str.h"
#include "proto/documents.pb-c.h"

#include <stdint.h>

// The environment that comes next behind `rank` (0: the first); NULL: none does.
const Drover__V1__Environment *
dr_policy_next(Drover__V1__FleetEntry *const *entries, size_t n, uint32_t rank);
// "15m".
void dr_policy_put_time(uint64_t seconds, struct dr_buf *out);
// For each environment, in their order: targets, waves, windows, gates before the start and
// afterwards, and who signs. `root` may be NULL.
void dr_policy_explain(Drover__V1__FleetEntry *const *entries, size_t n,
                       const Drover__V1__Root *root, struct dr_buf *out);
// A rollout over the targets of now that begins at `now` (unix seconds), with nobody ever late and
// runs that take no time: soaks and windows alone. A line for each wave with its targets, the soak
// behind the last, who must sign what, and the whole. `root` may be NULL.
void dr_policy_simulate(Drover__V1__FleetEntry *const *entries, size_t n,
                        const Drover__V1__Root *root, int64_t now, struct dr_buf *out);

#endif
