// Kept views: what evidence and people say of an environment at work costs milliseconds for each
// hundred targets, so those who watch it are shown it anew every two seconds while targets prepare,
// every ten while they run (it was approved then), and at once when the environment's state
// changes.
#ifndef DR_CORE_VIEW_KEPT_H
#define DR_CORE_VIEW_KEPT_H

#include "coordinator/core/core.h"

#define DR_VIEW_KEPT_PREPARING_MS 2000
#define DR_VIEW_KEPT_RUNNING_MS   10000

// Fills gates, signatures and reason of `out` in `arena` with what was kept of this stage of the
// rollout. False when nothing is, it is too old, or the stage's state is another.
bool dr_view_kept_take(struct dr_core *core, const struct dr_rollout *rollout,
                       const struct dr_rollout_stage *stage, struct dr_arena *arena,
                       Drover__V1__StageStatus *out);
// Keeps them, for a stage that is at work. Without memory nothing is kept.
void dr_view_kept_put(struct dr_core *core, const struct dr_rollout *rollout,
                      const struct dr_rollout_stage *stage, const Drover__V1__StageStatus *out);
void dr_view_kept_forget(struct dr_core *core);

#endif
