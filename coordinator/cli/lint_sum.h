// lint: are the files what revisions.sum notes?
#ifndef DR_CLI_LINT_SUM_H
#define DR_CLI_LINT_SUM_H

#include "coordinator/cli/cli.h"
#include "revision/file.h"
#include "sql/finding.h"

// A warning for each difference; nothing for a folder without a sum, or one that cannot be read as
// a chain (which lint tells by itself). With `files` (paths; empty: all) only of these. DR_E_NOMEM
// and errors of files.
DR_MUST_CHECK enum dr_rc
dr_lint_sum(struct dr_cli *cli, const char *folder, const struct dr_names *files,
            struct dr_findings *out, struct dr_err *err);

#endif
