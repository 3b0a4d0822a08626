// The revisions of a folder against the chain that reviewers signed, as this person's drover saw it
// last.
#ifndef DR_CLI_LINT_APPROVED_H
#define DR_CLI_LINT_APPROVED_H

#include "coordinator/cli/cli.h"
#include "revision/file.h"

// The files of the project's revisions whose id is in the approved chain with another digest; of
// those that only stand on a changed one nothing is said. None without a chain, without a
// coordinator, or while the folder does not load. Asks nobody; verifies the documents it has.
DR_MUST_CHECK enum dr_rc dr_lint_approved(struct dr_cli *cli, const char *folder,
                                          struct dr_names *out_changed, struct dr_err *err);

#endif
