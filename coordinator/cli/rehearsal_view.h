// What a rehearsal told, for those who approve and for those who wrote the revisions: which tables
// a plan locks, how hard and how long, and how much is in them.
#ifndef DR_CLI_REHEARSAL_VIEW_H
#define DR_CLI_REHEARSAL_VIEW_H

#include "base/str.h"
#include "coordinator/cli/cli.h"
#include "proto/documents.pb-c.h"

#include <jansson.h>

// A row per unit and table on standard output: revision, way, statements, time on the copy, table,
// lock, rows and bytes of the target, rewritten or not. `plan` names revisions and statements;
// NULL: digests stand in their place.
void dr_rehearsal_print(const struct dr_cli *cli, const Drover__V1__Rehearsal *rehearsal,
                        const Drover__V1__Plan *plan);
// The same as an array of units.
json_t *dr_rehearsal_json(const Drover__V1__Rehearsal *rehearsal, const Drover__V1__Plan *plan);

// In one line what the way in `mode` means for others: "5 statements, 1.2 s on the copy; ACCESS
// EXCLUSIVE on public.users (2,000,000 rows, 1.1 GiB, rewritten), and 2 tables more". The table
// with the strongest lock and of these the largest is named.
void dr_rehearsal_summary(const Drover__V1__Rehearsal *rehearsal, const Drover__V1__Plan *plan,
                          Drover__V1__Mode mode, struct dr_buf *out);

#endif
