// Why a rollout stands where it stands: the first unmet condition, who can meet it, and the others
// by target.
#ifndef DR_CLI_WHY_ROLLOUT_H
#define DR_CLI_WHY_ROLLOUT_H

#include "coordinator/cli/remote.h"

// Asks the coordinator for `id` and prints. Who may still sign is taken from this person's own
// root. Errors of the call.
DR_MUST_CHECK enum dr_rc
dr_why_rollout(struct dr_remote *remote, const char *id, struct dr_err *err);
// "bob or carol can sign; alice has", in the arena: for an approval of a stage that lacks
// signatures; "" when it does not, and without memory.
const char *dr_why_signers(const struct dr_cli *cli, const Drover__V1__Root *root,
                           const Drover__V1__StageStatus *stage);

#endif
