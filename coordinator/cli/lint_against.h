// `drover lint --against`: which files of a folder people know already, by a revision or by a git
// reference.
#ifndef DR_CLI_LINT_AGAINST_H
#define DR_CLI_LINT_AGAINST_H

#include "coordinator/cli/cli.h"
#include "revision/file.h"

// `reference` is a revision of the folder's chain (it and all that it stands on are known), or else
// what git calls a tree: files that are in it are known, and changed when their bytes differ.
// DR_E_NOT_FOUND tells that it is neither; DR_E_LIMIT when there are too many files.
DR_MUST_CHECK enum dr_rc
dr_lint_against(struct dr_cli *cli, const char *folder, const char *reference,
                struct dr_names *out_known, struct dr_names *out_changed, struct dr_err *err);

#endif
