// Findings of lint in the formats of others: what code forges and test runners read.
#ifndef DR_CLI_LINT_REPORT_H
#define DR_CLI_LINT_REPORT_H

#include "coordinator/cli/cli.h"
#include "sql/lint.h"

// Appends the findings, sorted. DR_E_NOMEM.
typedef enum dr_rc (*dr_lint_report_fn)(struct dr_buf *out, const struct dr_findings *findings,
                                        struct dr_err *err);
// "github": workflow commands of GitHub Actions. "gitlab": a Code Quality report. "sarif": SARIF
// 2.1.0 (OASIS). "junit": as Ant wrote it. NULL for another name.
dr_lint_report_fn dr_lint_report_named(const char *format);

#endif
