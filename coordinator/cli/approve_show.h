// What a person is about to sign, in words, read from the bytes that get the signature.
#ifndef DR_CLI_APPROVE_SHOW_H
#define DR_CLI_APPROVE_SHOW_H

#include "coordinator/cli/stage.h"
#include "revision/graph.h"

// Prints the approval of one plan: environment, plan, mode, expiry from `payload`; the revisions of
// the plan with what this person's own files (`graph`) say of them; the targets of `request`.
// DR_E_BAD_DOCUMENT when the payload is no approval.
DR_MUST_CHECK enum dr_rc
dr_approve_show(const struct dr_stage *stage, const struct dr_stage_plan *plan,
                const struct dr_graph *graph, const struct dr_approval_request *request,
                struct dr_bytes payload, struct dr_err *err);

#endif
