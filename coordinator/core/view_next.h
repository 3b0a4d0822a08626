// View, part three: what each target of a stage, and the stage, wait for, and what to type.
#ifndef DR_CORE_VIEW_NEXT_H
#define DR_CORE_VIEW_NEXT_H

#include "coordinator/core/core.h"

// A stage with its gates and signatures in `out`, whose targets are all there; those in [first,
// last) are shown.
struct dr_view_stage {
    struct dr_core *core;
    struct dr_arena *arena;
    const struct dr_rollout *rollout;
    const struct dr_rollout_stage *stage;
    Drover__V1__StageStatus *out;
    size_t first, last;
    const Drover__V1__StageStatus *before; // the first stage that is not done, when this is a later
                                           // one; NULL: it is this one's turn, or all are done
    bool is_soaking;                       // all has succeeded, the last wave soaks
    const struct dr_rollout *undo;         // an open one that takes this rollout back; NULL: none
};

// Fills `waits` and `next` of the stage and of its shown targets. DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_view_next(const struct dr_view_stage *view, struct dr_err *err);

#endif
