// The policy of an environment as text that people read and edit, in the form of drover's other
// configuration files, and back.
#ifndef DR_CLI_POLICY_TEXT_H
#define DR_CLI_POLICY_TEXT_H

#include "coordinator/cli/cli.h"

#include "proto/documents.pb-c.h"

#define DR_POLICY_GATES  8u // by Drover__V1__GateKind; NULL for none
#define DR_POLICY_LEVELS 4u // by Drover__V1__RestoreLevel
extern const char *const dr_policy_gate_names[DR_POLICY_GATES + 1];
extern const char *const dr_policy_levels[DR_POLICY_LEVELS + 1];

// `environment "production" { ... }`, each key on a line of its own, each gate on one line.
void dr_policy_text(const Drover__V1__Environment *environment, struct dr_buf *out);

#define DR_POLICY_ENVIRONMENTS_MAX 64u

// Reads the environments of a file, in the arena. DR_E_CONFIG with file and line; DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_policy_read(struct dr_cli *cli, const char *path, Drover__V1__Environment ***out, size_t *out_n,
               struct dr_err *err);

// What in these policies cannot work, a line each in `out`, with `root` (NULL: not looked at) and
// the targets among `entries`: a gate that waits for an environment that comes later, more targets
// wanted than there are, an approval shorter than a soak, a rollback proof that nobody makes.
// Returns how many.
size_t dr_policy_problems(Drover__V1__FleetEntry *const *entries, size_t n,
                          const Drover__V1__Root *root, struct dr_buf *out);

#endif
