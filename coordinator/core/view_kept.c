// Kept views: packed, one for each stage that is watched at work; the oldest go first.
#include "coordinator/core/view_kept.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dr_view_kept {
    char rollout[24], environment[DR_ENVIRONMENT_MAX];
    enum dr_rollout_state state;
    int64_t taken_ms;
    uint8_t *bytes;
    size_t len;
};

// How long a view of a stage in this state is kept; 0: not at all.
static int64_t
keep_ms(enum dr_rollout_state state)
{
    return state == DR_ROLLOUT_PREPARING ? DR_VIEW_KEPT_PREPARING_MS
           : state == DR_ROLLOUT_RUNNING ? DR_VIEW_KEPT_RUNNING_MS
                                         : 0;
}

static bool
is_of(const struct dr_view_kept *kept, const struct dr_rollout *rollout,
      const struct dr_rollout_stage *stage)
{
    return kept->bytes != NULL && strcmp(kept->rollout, rollout->id) == 0 &&
           strcmp(kept->environment, stage->environment) == 0;
}

bool
dr_view_kept_take(struct dr_core *core, const struct dr_rollout *rollout,
                  const struct dr_rollout_stage *stage, struct dr_arena *arena,
                  Drover__V1__StageStatus *out)
{
    const int64_t now = dr_monotonic_ms();
    const enum dr_rollout_state state = dr_stage_state(stage);

    for (size_t i = 0; core->views != NULL && i < DR_CORE_VIEWS_KEPT; i++) {
        const struct dr_view_kept *kept = &core->views[i];

        if (!is_of(kept, rollout, stage) || kept->state != state ||
            now - kept->taken_ms >= keep_ms(state)) {
            continue;
        }
        const Drover__V1__StageStatus *part =
            drover__v1__stage_status__unpack(dr_arena_protobuf(arena), kept->len, kept->bytes);
        if (part == NULL) {
            return false;
        }
        out->gates = part->gates;
        out->n_gates = part->n_gates;
        out->reason = part->reason;
        out->needed = part->needed;
        out->signatures = part->signatures;
        out->signers = part->signers;
        out->n_signers = part->n_signers;
        out->approval_complete = part->approval_complete;
        out->approval_sha256 = part->approval_sha256;
        return true;
    }
    return false;
}

// The same stage's place, else the oldest.
static struct dr_view_kept *
place_for(struct dr_core *core, const struct dr_rollout *rollout,
          const struct dr_rollout_stage *stage)
{
    struct dr_view_kept *oldest = &core->views[0];

    for (size_t i = 0; i < DR_CORE_VIEWS_KEPT; i++) {
        if (is_of(&core->views[i], rollout, stage)) {
            return &core->views[i];
        }
        oldest = core->views[i].taken_ms < oldest->taken_ms ? &core->views[i] : oldest;
    }
    return oldest;
}

void
dr_view_kept_put(struct dr_core *core, const struct dr_rollout *rollout,
                 const struct dr_rollout_stage *stage, const Drover__V1__StageStatus *out)
{
    Drover__V1__StageStatus part = DROVER__V1__STAGE_STATUS__INIT;

    if (keep_ms(dr_stage_state(stage)) == 0) {
        return;
    }
    core->views =
        core->views != NULL ? core->views : calloc(DR_CORE_VIEWS_KEPT, sizeof *core->views);
    if (core->views == NULL) {
        return;
    }
    part.gates = out->gates;
    part.n_gates = out->n_gates;
    part.reason = out->reason;
    part.needed = out->needed;
    part.signatures = out->signatures;
    part.signers = out->signers;
    part.n_signers = out->n_signers;
    part.approval_complete = out->approval_complete;
    part.approval_sha256 = out->approval_sha256;
    size_t len = drover__v1__stage_status__get_packed_size(&part);
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL) {
        return;
    }
    drover__v1__stage_status__pack(&part, bytes);
    struct dr_view_kept *kept = place_for(core, rollout, stage);
    free(kept->bytes);
    *kept = (struct dr_view_kept){
        .state = dr_stage_state(stage), .taken_ms = dr_monotonic_ms(), .bytes = bytes, .len = len};
    (void)snprintf(kept->rollout, sizeof kept->rollout, "%s", rollout->id);
    (void)snprintf(kept->environment, sizeof kept->environment, "%s", stage->environment);
}

void
dr_view_kept_forget(struct dr_core *core)
{
    for (size_t i = 0; core->views != NULL && i < DR_CORE_VIEWS_KEPT; i++) {
        free(core->views[i].bytes);
    }
    free(core->views);
    core->views = NULL;
}
