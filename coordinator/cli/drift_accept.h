// Drift that people take as it is: into the policy's tolerances, or into the chain.
#ifndef DR_CLI_DRIFT_ACCEPT_H
#define DR_CLI_DRIFT_ACCEPT_H

#include "coordinator/cli/cli.h"
#include "trust/attest.h"

// Adds to the tolerances of the targets' environments exactly the objects that their DRIFT names,
// shows the next fleet and signs it. DR_E_LIMIT when a word does not name all that differs,
// DR_E_INVALID for a name that no pattern can mean alone, and those of a change of the fleet.
DR_MUST_CHECK enum dr_rc
dr_drift_tolerate(struct dr_cli *cli, const struct dr_attestation *const *drifts, size_t n,
                  struct dr_err *err);
// Writes a revision that makes what --desired, the target's database, has and the chain has not,
// as `drover revision --autogenerate` does. The target has to be where the chain ends:
// DR_E_CONFLICT.
DR_MUST_CHECK enum dr_rc
dr_drift_as_revision(struct dr_cli *cli, const struct dr_attestation *drift, struct dr_err *err);

#endif
