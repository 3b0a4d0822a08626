// Watch: open streams of people who watch rollouts: the state at once, then every event, and
// progress at most twice a second.
#ifndef DR_CORE_WATCH_H
#define DR_CORE_WATCH_H

#include "coordinator/core/core.h"

// Operator.WatchRollout.
void dr_watch_handle(struct dr_call *call, const ProtobufCMessage *request, void *user);
// Sends what watchers have not seen yet.
void dr_watch_feed(struct dr_core *core);
// Progress of a target of this rollout has changed.
void dr_watch_progress(struct dr_core *core, const char *rollout);
void dr_watch_drop_all(struct dr_core *core);

#endif
