// Drift as agents signed it: what somebody changed in a target since the last run there.
#ifndef DR_CLI_DRIFT_VIEW_H
#define DR_CLI_DRIFT_VIEW_H

#include "coordinator/cli/words.h"

#include <jansson.h>

// Which objects differ, as lines behind four blanks, for a READY that says that some do.
void dr_drift_of_ready(struct dr_remote *remote, const Drover__V1__Attestation *ready);
// The word that says that the target differs, and how; NULL: it does not, as far as its agent said.
const struct dr_attestation *dr_drift_of(const struct dr_words *words, const char *target);
// Unix seconds since when it is known; 0 for NULL.
int64_t dr_drift_since(const struct dr_attestation *drift);
// "ok" becomes "drift 3m", another state "failed, drift 3m"; in the cli's arena.
const char *
dr_drift_state(const struct dr_cli *cli, const char *state, const struct dr_attestation *drift);
// The objects as text, each on a line behind `indent`, at most `max` of them.
void dr_drift_print(const struct dr_cli *cli, const Drover__V1__Attestation *drift,
                    const char *indent, size_t max);
json_t *dr_drift_json(const char *target, const struct dr_attestation *drift);

#endif
