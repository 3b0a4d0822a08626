// Word ledger: the ledger of a target as far as its agent's signed word tells of it.
#ifndef DR_CLI_WORD_LEDGER_H
#define DR_CLI_WORD_LEDGER_H

#include "engine/ledger.h"
#include "proto/documents.pb-c.h"
#include "revision/graph.h"

// Heads with all that leads to them are applied; revisions of the word's unit proofs are half done.
// `plan` (may be NULL) gives the units their numbers. All in the arena. DR_E_REVISION_UNKNOWN for a
// revision that is not in the graph, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_word_ledger(const struct dr_graph *graph, const Drover__V1__Attestation *word,
               const Drover__V1__Plan *plan, struct dr_arena *arena, struct dr_ledger_view *out,
               struct dr_err *err);

#endif
