// The evidence behind an item of the checklist, opened: the documents that count, who signed them,
// how old they are; and the log of the runs that a person looks at before signing.
#ifndef DR_CLI_CHECKLIST_SHOW_H
#define DR_CLI_CHECKLIST_SHOW_H

#include "coordinator/cli/stage.h"

#include <jansson.h>

#define DR_CHECKLIST_LOGS "logs-reviewed" // the item whose signature names the log's digest

// SHA-256 of the log of this rollout's runs where the stage's gates take their evidence from (its
// own environment, when they take none), a line for each run and unit, oldest first, made from
// verified attestations alone: whoever makes it from the same attestations gets the same bytes.
void dr_checklist_log_sha256(const struct dr_stage *stage, uint8_t out[32]);
// Prints an item ("staged", "backup", "probed:NAME", "logs-reviewed"; NULL: all) with its
// documents, its age and, when it is closed, what would open it. With `list` (may be NULL) it is
// put there instead, for programs. DR_E_NOT_FOUND, with the items that there are.
DR_MUST_CHECK enum dr_rc
dr_checklist_show(const struct dr_stage *stage, const char *item, json_t *list, struct dr_err *err);
// A gate with its documents, for programs; `index` is its place in the policy. The caller's; NULL
// without memory.
json_t *
dr_checklist_json(const struct dr_stage *stage, const struct dr_stage_gate *gate, size_t index);

#endif
