// What root and fleet documents mean, and what a next one changes, in words for those who sign.
#ifndef DR_CLI_TRUST_WORDS_H
#define DR_CLI_TRUST_WORDS_H

#include "coordinator/cli/cli.h"

#include "proto/documents.pb-c.h"

// One line each, ended by a newline: "+ bob: root, fleet, reviewers, staging, production",
// "~ production: 1 of 1 -> 2 of 3". Nothing when nothing but version and times differ. `old` NULL:
// everything is new.
void
dr_words_root_change(const Drover__V1__Root *old, const Drover__V1__Root *next, struct dr_buf *out);
// Of a fleet: targets that come, go or change, policies line by line, the coordinator's key. Both
// lists stand in a fleet's order.
void dr_words_fleet_change(struct dr_cli *cli, const Drover__V1__Fleet *old,
                           Drover__V1__FleetEntry *const *old_entries, size_t old_n,
                           const Drover__V1__Fleet *next, Drover__V1__FleetEntry *const *entries,
                           size_t n, struct dr_buf *out);
// The lines as a JSON array, for --output json.
struct json_t *dr_words_lines(const struct dr_buf *words);
// The roles that a person has: "root, fleet, reviewers, production"; "no role".
void dr_words_roles(const Drover__V1__Root *root, uint32_t person, struct dr_buf *out);

#endif
