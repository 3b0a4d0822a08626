// `drover log --verify`.
#ifndef DR_CLI_LOG_VERIFY_H
#define DR_CLI_LOG_VERIFY_H

#include "coordinator/cli/cli.h"

// Checks the coordinator's log, or that of --file, and prints what was found. DR_E_BAD_LOG (the
// first entry that is wrong), DR_E_DIFFERENCE (gaps only), DR_E_CONFIG (no pinned root), and those
// of reading.
DR_MUST_CHECK enum dr_rc dr_log_verify(struct dr_cli *cli, struct dr_err *err);
// The first root's SHA-256 that everything is checked from: --root-sha256, or the project's.
// DR_E_USAGE, DR_E_CONFIG (there is none).
DR_MUST_CHECK enum dr_rc dr_log_pin(struct dr_cli *cli, uint8_t out[32], struct dr_err *err);

#endif
