// Waves: which targets of an approval go first, by the policy of their environment.
#ifndef DR_CLI_WAVES_H
#define DR_CLI_WAVES_H

#include "trust/approval.h"
#include "trust/fleet.h"

// Gives each of the `n` targets its wave, from 1 without gaps. With wave_labels ("key" or
// "key=value", in order) a target is in the wave of the first label that it has, behind them all if
// it has none. Without, the first canary_targets by name are wave 1, and the others wave 2, or as
// many waves as wave_percents divides them into by name (rounded up; one that gets none is left
// out). Wave 1 has at least canary_targets (the next by wave and name fill it) unless all go
// together. `entries` are the targets' fleet entries, in their order. A pure function: every signer
// gets the same. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_waves_assign(const Drover__V1__Environment *policy, const struct dr_fleet_entry *const *entries,
                struct dr_approval_target *targets, size_t n, struct dr_err *err);

// The most waves that `n` targets (0: any number) can be divided into.
size_t dr_waves_most(const Drover__V1__Environment *policy, size_t n);

#endif
