// Enroll: agents that are not in the fleet announce themselves. What they say is a note for people,
// kept in memory only: an agent that waits says it again.
#ifndef DR_CORE_ENROLL_H
#define DR_CORE_ENROLL_H

#include "coordinator/core/core.h"

#define DR_ENROLL_MAX         64u  // that wait at once
#define DR_ENROLL_PER_ADDRESS 8u   // of one address
#define DR_ENROLL_FORGET_S    3600 // after its last word
#define DR_ENROLL_TARGETS_MAX 32u  // names shown

struct dr_enroll;

void dr_enroll_free(struct dr_enroll **enroll);
// Takes an offer of a caller who proved `request->transport_key`. `*out_state`: "active" (the fleet
// names this key), "offered", "other-key" (the fleet names another key for that agent), "retired"
// (the fleet retired that agent). A new one is an event. DR_E_INVALID, DR_E_LIMIT. Inside a
// transaction.
DR_MUST_CHECK enum dr_rc dr_enroll_offer(struct dr_core *core, struct dr_call *call,
                                         const Drover__V1__EnrollRequest *request,
                                         const char **out_state, struct dr_err *err);
// Those that wait, oldest first, in the arena.
DR_MUST_CHECK enum dr_rc
dr_enroll_list(const struct dr_core *core, struct dr_arena *arena, Drover__V1__AgentOffer ***out,
               size_t *out_n, struct dr_err *err);

#endif
