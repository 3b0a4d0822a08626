// How far agents are with what people ordered outside rollouts: the last word of each target, for
// whoever waits. Nothing of it is kept.
#ifndef DR_CORE_ORDER_PROGRESS_H
#define DR_CORE_ORDER_PROGRESS_H

#include "coordinator/core/core.h"

// Notes a word of `agent`. DR_E_NOT_FOUND when the fleet knows no such target of that agent,
// DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_order_progress_put(struct dr_core *core, const char *agent, const Drover__V1__Progress *progress,
                      int64_t now_ms, struct dr_err *err);
// The last word about the target, valid until the next put; NULL: none within the last seconds.
Drover__V1__Progress *
dr_order_progress_of(const struct dr_core *core, const char *target, int64_t now_ms);
void dr_order_progress_free(struct dr_core *core);

#endif
