// Stops: freezes and vetoes that people signed, as the coordinator hands them over and this
// person's root verifies them.
#ifndef DR_CLI_STOPS_H
#define DR_CLI_STOPS_H

#include "coordinator/cli/remote.h"
#include "trust/attest.h"

// One FREEZE, VETO or CANCEL. Everything in the cli's arena.
struct dr_stop {
    struct dr_signoff signoff;
    const char *person;               // who signed it
    bool is_over;                     // expired
    bool is_lifted;                   // in its environment
    const Drover__V1__Document *lift; // one that waits for signatures; NULL: none
};

// All stops of an environment (NULL: of all), newest first.
DR_MUST_CHECK enum dr_rc dr_stops_load(struct dr_remote *remote, const char *environment,
                                       struct dr_stop **out, size_t *out_n, struct dr_err *err);
// The first of them that holds now, in `environment`: a freeze there, or a veto of one of the plans
// of `rollout` (NULL: freezes only). NULL: none.
const struct dr_stop *dr_stops_holding(const struct dr_stop *stops, size_t n,
                                       const char *environment, const Drover__V1__Rollout *rollout);
// "alice froze production: month's end", in the arena; "" without memory.
const char *
dr_stop_text(const struct dr_cli *cli, const struct dr_stop *stop, const char *environment);
// The command that lifts it there, in the arena; "" without memory.
const char *dr_stop_way_out(const struct dr_cli *cli, const struct dr_stop *stop,
                            const char *environment, const Drover__V1__Rollout *rollout);
// "freeze", "veto", "cancel".
const char *dr_stop_word(const struct dr_stop *stop);
// Signs a LIFT of `stop` in `environment`, or adds a signature to the one that waits. `out_have`
// and `out_need` are the coordinator's count.
DR_MUST_CHECK enum dr_rc
dr_stop_lift(struct dr_remote *remote, const struct dr_stop *stop, const char *environment,
             const struct dr_key *key, uint32_t *out_have, uint32_t *out_need, struct dr_err *err);

#endif
