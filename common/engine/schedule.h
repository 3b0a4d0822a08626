// Schedule: what of a plan is still to be done on a target, as a list of steps. Pure: plan and
// ledger in, steps out.
#ifndef DR_ENGINE_SCHEDULE_H
#define DR_ENGINE_SCHEDULE_H

#include "base/arena.h"
#include "base/attr.h"
#include "engine/ledger.h"
#include "proto/documents.pb-c.h"

#define DR_NO_UNIT SIZE_MAX

// One ledger row to come (two for a unit outside a transaction).
struct dr_step {
    const Drover__V1__PlanRevision *revision;
    size_t revision_index; // in the plan
    size_t unit; // index in revision->units; DR_NO_UNIT: a revision without units, or a stamp
    enum dr_ledger_direction direction;
    enum dr_ledger_kind kind; // DONE or STAMP
    bool is_first;            // nothing of the revision was begun in this direction yet
    bool is_alone;            // no unit of the revision was done in this direction yet
    bool is_last;             // completes the revision
    bool has_intent;          // was begun outside a transaction and not finished
    bool was_head;            // DOWN: is a head until it is gone
    uint64_t since;           // of the half-done phase; 0: it begins with this step
    size_t number, total;     // 1-based, of the revision's units in this direction
    size_t place;             // 1-based, of the revision among those to be done
    const char *const
        *changed; // with is_last: ids that stop being heads (UP) or become heads (DOWN)
    size_t changed_count;
};

struct dr_schedule {
    struct dr_step *steps;
    size_t count;
    size_t revisions; // to be done
};

// Which revisions of the plan count; NULL: all of them. One bool per revision.
typedef const bool *dr_schedule_mask;

// The up units that the target lacks, parents first (`is_stamp`: one stamp per revision that it
// lacks). DR_E_REVISION_CHANGED: it is there with another digest. DR_E_NOT_CONTIGUOUS: a parent is
// neither there nor before it in the plan. DR_E_NEEDS_REPAIR: it is half taken down (a stamp may
// bring such a one back). DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_schedule_up(const Drover__V1__Plan *plan, dr_schedule_mask mask,
               const struct dr_ledger_view *view, bool is_stamp, struct dr_arena *arena,
               struct dr_schedule *out, struct dr_err *err);
// The down units of the plan's revisions that are there, newest first (`is_stamp`: one stamp per
// revision, which records it as gone). DR_E_NO_DOWN: one has no way back (not asked of a stamp).
// DR_E_NOT_CONTIGUOUS: a revision outside of the plan stands on one. DR_E_REVISION_CHANGED,
// DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_schedule_down(const Drover__V1__Plan *plan, dr_schedule_mask mask,
                 const struct dr_ledger_view *view, bool is_stamp, struct dr_arena *arena,
                 struct dr_schedule *out, struct dr_err *err);

#endif
