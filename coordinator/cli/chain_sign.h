// A reviewer's signature on the next chain.
#ifndef DR_CLI_CHAIN_SIGN_H
#define DR_CLI_CHAIN_SIGN_H

#include "coordinator/cli/remote.h"

// Signs a chain's payload with the person's key and hands it over; `*out` says how far it is. Key
// errors, those of the coordinator.
DR_MUST_CHECK enum dr_rc
dr_chain_sign_payload(struct dr_remote *remote, struct dr_bytes payload,
                      Drover__V1__PutDocumentReply **out, struct dr_err *err);
// The same for `n_new` revisions that were added, and says it.
DR_MUST_CHECK enum dr_rc
dr_chain_sign(struct dr_remote *remote, struct dr_bytes payload, size_t n_new, struct dr_err *err);
// A withdrawal that waits for another reviewer is shown and, when the person agrees, signed:
// `*out_is_done`. False: none waits.
DR_MUST_CHECK enum dr_rc
dr_withdraw_approve(struct dr_remote *remote, bool *out_is_done, struct dr_err *err);

#endif
