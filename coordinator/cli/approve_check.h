// What keeps this person from signing an approval that no agent would take.
#ifndef DR_CLI_APPROVE_CHECK_H
#define DR_CLI_APPROVE_CHECK_H

#include "coordinator/cli/stage.h"

// DR_E_VETOED, DR_E_FROZEN name the person and the note: a stop that holds the stage's environment
// or one of its plans.
DR_MUST_CHECK enum dr_rc dr_approve_check_stops(const struct dr_stage *stage, struct dr_err *err);
// DR_E_WAITING when an approval from now on, `valid_s` long, would end before a window of the
// environment opens.
DR_MUST_CHECK enum dr_rc
dr_approve_check_window(const struct dr_stage *stage, uint64_t valid_s, struct dr_err *err);
// DR_E_AUTHOR_APPROVED when the policy does not count the signature of somebody who wrote one of
// the revisions, and `key` is theirs.
DR_MUST_CHECK enum dr_rc
dr_approve_check_author(const struct dr_stage *stage, const struct dr_key *key, struct dr_err *err);

#endif
