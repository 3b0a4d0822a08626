// View, part three: the facts of next.h from rollout, gates, signatures and agents.
#include "coordinator/core/view_next.h"

#include "base/clock.h"
#include "coordinator/core/next.h"
#include "coordinator/core/wave.h"
#include "trust/try.h"

#include <string.h>

// What goes before the targets of one approval, kept while many are asked about.
struct ahead {
    const struct dr_rollout_target *of; // any target of that approval
    const struct dr_rollout_target *first;
};

static bool
same_approval(const struct dr_rollout_target *a, const struct dr_rollout_target *b)
{
    return a->has_approval && b->has_approval && memcmp(a->approval, b->approval, 32) == 0;
}

// The first target of the lowest wave that is not done.
static const struct dr_rollout_target *
find_ahead(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
           struct ahead *known)
{
    if (known->of == NULL || !same_approval(known->of, target)) {
        known->of = target;
        known->first = NULL;
        for (size_t i = 0; i < stage->n_targets; i++) {
            const struct dr_rollout_target *other = &stage->targets[i];
            bool is_lower = known->first == NULL || other->wave < known->first->wave;

            if (same_approval(other, target) && is_lower &&
                !dr_target_is_success(other->state, stage->mode)) {
                known->first = other;
            }
        }
    }
    return known->first != NULL && known->first->wave < target->wave ? known->first : NULL;
}

// The command that begins a rollout like this one.
static const char *
again_of(const struct dr_view_stage *v)
{
    const char *to = v->rollout->to[0] != '\0' ? v->rollout->to : "base";

    switch (v->rollout->mode) {
    case DROVER__V1__MODE__DOWN:
        return dr_arena_printf(v->arena, "drover downgrade %s", to);
    case DROVER__V1__MODE__STAMP:
        return dr_arena_printf(v->arena, "drover stamp %s", to);
    case DROVER__V1__MODE__REMEDY:
        return dr_arena_printf(v->arena, "drover remedy %s %s", to, v->rollout->remedy);
    default:
        return dr_arena_printf(v->arena, "drover upgrade %s", to);
    }
}

// The first gate that is closed for a target, of those that stand before its run.
static const Drover__V1__GateStatus *
closed_gate(const Drover__V1__StageStatus *out, const char *target, bool is_after)
{
    for (size_t i = 0; i < out->n_gates; i++) {
        const Drover__V1__GateStatus *gate = out->gates[i];

        if (!gate->is_open && gate->after == is_after &&
            (gate->target[0] == '\0' || strcmp(gate->target, target) == 0)) {
            return gate;
        }
    }
    return NULL;
}

static void
add_agent(const struct dr_view_stage *v, const struct dr_rollout_target *target,
          struct dr_next_facts *facts)
{
    const struct dr_agent *agent = dr_core_agent(v->core, target->agent);

    facts->agent = target->agent;
    facts->is_connected = agent != NULL && agent->watch != NULL;
    if (agent != NULL && agent->last_seen != 0) {
        facts->agent_seen = facts->is_connected
                                ? facts->now
                                : facts->now - (dr_monotonic_ms() - agent->away_ms) / 1000;
    }
}

// What a rollout that has not begun waits for: another one, or a sign-off of that.
static const char *
after_of(const struct dr_view_stage *v, bool is_done)
{
    const struct dr_rollout *rollout = v->rollout;

    if (rollout->after[0] == '\0') {
        return NULL;
    }
    return is_done && rollout->after_item[0] != '\0'
               ? dr_arena_printf(v->arena, "the sign-off '%s' of %s", rollout->after_item,
                                 rollout->after)
               : rollout->after;
}

static const char *
after_next_of(const struct dr_view_stage *v, bool is_done)
{
    const struct dr_rollout *rollout = v->rollout;
    const char *text = "";

    if (is_done && rollout->after_item[0] != '\0') {
        text = dr_arena_printf(v->arena, "drover checklist %s sign %s", rollout->after,
                               rollout->after_item);
    } else if (rollout->after[0] != '\0') {
        text = dr_arena_printf(v->arena, "drover why %s", rollout->after);
    }
    return text != NULL ? text : "";
}

// What stands behind `prefix` in a reason, or all of it; NULL when it begins otherwise.
static const char *
said(const struct dr_rollout_target *target, const char *prefix, size_t skip)
{
    return target->state == DR_TARGET_APPROVED && dr_str_starts(target->reason, prefix)
               ? target->reason + skip
               : NULL;
}

// `known` is kept from target to target; the wave ahead is told by name here, its next step later.
static struct dr_next_facts
facts_of(const struct dr_view_stage *v, const char *again, const struct dr_rollout_target *target,
         struct ahead *known)
{
    const Drover__V1__GateStatus *gate = closed_gate(v->out, target->name, false);
    bool is_waiting = target->state == DR_TARGET_APPROVED;
    const struct dr_rollout_target *ahead = is_waiting ? find_ahead(v->stage, target, known) : NULL;
    const struct dr_rollout *after = dr_core_rollout(v->core, v->rollout->after);
    bool is_after_done =
        after != NULL && dr_stage_state(dr_rollout_current(after)) == DR_ROLLOUT_DONE;
    struct dr_next_facts facts = {
        .rollout = v->rollout->id,
        .environment = v->stage->environment,
        .target = target->name,
        .again = again,
        .state = target->state,
        .mode = v->stage->mode,
        .is_paused = v->rollout->is_paused,
        .paused_by = v->rollout->pause_reason,
        .is_over = v->rollout->is_aborted,
        .undo = v->undo != NULL ? v->undo->id : NULL,
        .now = dr_now_unix_s(),
        .is_never = v->before == NULL && after != NULL && after->is_aborted && !is_after_done &&
                    !dr_rollout_is_open(after),
        .before = v->before != NULL ? v->before->environment : after_of(v, is_after_done),
        .before_next = v->before != NULL ? v->before->next : after_next_of(v, is_after_done),
        .gate = gate != NULL ? gate->item : NULL,
        .missing = gate != NULL ? gate->missing : "",
        .try_ = gate != NULL ? gate->try_ : "",
        .signatures = v->out->signatures,
        .needed = v->out->needed,
        .ahead = ahead != NULL ? ahead->name : NULL,
        .ahead_next = "",
        .wave = target->wave,
        .goes_at = target->retry_at,
        .reason = target->reason,
        .stopped = said(target, DR_WAVE_STOPPED, 0),
        .limited = said(target, DR_WAVE_LIMITED, strlen(DR_WAVE_LIMITED)),
        .soaking = v->is_soaking ? v->stage->soaking_wave : 0,
        .soaks_until = v->stage->soaks_until,
    };
    add_agent(v, target, &facts);
    return facts;
}

static enum dr_rc
next_of(const struct dr_view_stage *v, const char *again, const struct dr_rollout_target *target,
        struct ahead *known, struct dr_next *out, struct dr_err *err)
{
    struct dr_next_facts facts = facts_of(v, again, target, known);

    if (facts.ahead != NULL && dr_next_wait(&facts) == DR_NEXT_TURN) { // also where it is stopped
        struct dr_next first; // nothing is ahead of it: this goes no deeper
        const struct dr_next_facts of_first = facts_of(v, again, known->first, known);

        DR_TRY(dr_next_of(&of_first, v->arena, &first, err));
        facts.ahead_next = first.command;
    }
    return dr_next_of(&facts, v->arena, out, err);
}

static enum dr_rc
fill_targets(const struct dr_view_stage *v, const char *again, struct dr_err *err)
{
    struct ahead known = {0};

    for (size_t i = v->first; i < v->last; i++) {
        Drover__V1__TargetStatus *row = v->out->targets[i];
        struct dr_next next;

        DR_TRY(next_of(v, again, &v->stage->targets[i], &known, &next, err));
        const struct dr_next_facts facts = facts_of(v, again, &v->stage->targets[i], &known);
        row->connected = facts.is_connected;
        row->agent_seen = facts.agent_seen;
        row->waits = dr_arena_str(v->arena, next.waits);
        row->next = dr_arena_str(v->arena, next.command);
        if (row->waits == NULL || row->next == NULL) {
            return dr_err_set(err, DR_E_LIMIT, "the rollout is too large for one answer");
        }
    }
    return DR_OK;
}

// The target that speaks for the stage; the first of those whose wait comes first.
static const struct dr_rollout_target *
speaker(const struct dr_view_stage *v, const char *again, enum dr_next_wait *out_wait,
        size_t *out_like_it)
{
    const struct dr_rollout_target *best = NULL;
    struct ahead known = {0};

    for (size_t i = 0; i < v->stage->n_targets; i++) {
        const struct dr_next_facts facts = facts_of(v, again, &v->stage->targets[i], &known);
        enum dr_next_wait wait = dr_next_wait(&facts);

        if (best == NULL || wait < *out_wait) {
            best = &v->stage->targets[i];
            *out_wait = wait;
            *out_like_it = 0;
        }
        *out_like_it += wait == *out_wait ? 1 : 0;
    }
    return best;
}

// What concerns the stage as a whole is told without a target's name.
static const char *
stage_waits(const struct dr_view_stage *v, const struct dr_rollout_target *target,
            const struct dr_next *next, size_t like_it)
{
    switch (next->wait) {
    case DR_NEXT_PAUSE:
    case DR_NEXT_GATE:
    case DR_NEXT_APPROVAL:
    case DR_NEXT_SOAK:
    case DR_NEXT_OVER:
    case DR_NEXT_NOTHING:
        return next->waits;
    default:
        return like_it > 1 ? dr_arena_printf(v->arena, "%s: %s (and %zu more of %zu)", target->name,
                                             next->waits, like_it - 1, v->stage->n_targets)
                           : dr_arena_printf(v->arena, "%s: %s", target->name, next->waits);
    }
}

enum dr_rc
dr_view_next(const struct dr_view_stage *v, struct dr_err *err)
{
    const char *again = again_of(v);
    enum dr_next_wait wait = DR_NEXT_WAITS;
    struct ahead known = {0};
    struct dr_next next;
    size_t like_it = 0;

    if (again == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "the rollout is too large for one answer");
    }
    DR_TRY(fill_targets(v, again, err));
    const struct dr_rollout_target *target = speaker(v, again, &wait, &like_it);
    if (target == NULL) {
        return DR_OK; // a stage without targets
    }
    DR_TRY(next_of(v, again, target, &known, &next, err));
    const char *waits = stage_waits(v, target, &next, like_it);
    const char *command = next.command;
    if (wait == DR_NEXT_DECISION && like_it > 1 && target->state != DR_TARGET_HELD) {
        command = dr_arena_printf(v->arena, "drover rollout retry %s", v->rollout->id);
    }
    const Drover__V1__GateStatus *after = closed_gate(v->out, "", true);
    if (wait == DR_NEXT_NOTHING && after != NULL) {
        waits = dr_arena_printf(v->arena, "afterwards, '%s': %s", after->item, after->missing);
        command = after->try_;
    }
    v->out->waits = waits != NULL ? dr_arena_str(v->arena, waits) : NULL;
    v->out->next = command != NULL ? dr_arena_str(v->arena, command) : NULL;
    return v->out->waits != NULL && v->out->next != NULL
               ? DR_OK
               : dr_err_set(err, DR_E_LIMIT, "the rollout is too large for one answer");
}
