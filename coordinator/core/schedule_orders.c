// Schedule, part two: orders of people, and what time brings.
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/core/evidence.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule_internal.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

enum scope { WHOLE, TARGETS };

static const struct {
    const char *name;
    enum scope scope;
    enum dr_target_event event; // TARGETS
} ORDERS[] = {
    {"pause", WHOLE, DR_EVENT_START},   {"resume", WHOLE, DR_EVENT_START},
    {"promote", WHOLE, DR_EVENT_START}, {"abort", WHOLE, DR_EVENT_ABORT},
    {"retry", TARGETS, DR_EVENT_RETRY}, {"prepare", TARGETS, DR_EVENT_RETRY},
};

static enum dr_rc
note_order(struct dr_core *core, struct dr_rollout *rollout, const char *order, const char *target,
           const char *actor, const char *note, struct dr_err *err)
{
    char subject[DR_TARGET_NAME_MAX + 32];
    const struct dr_event event = {"order", subject, actor, NULL};

    (void)snprintf(subject, sizeof subject, "%s%s%.130s", rollout->id, target[0] != '\0' ? " " : "",
                   target);
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "%s%s%.200s", order,
                         note[0] != '\0' ? ": " : "", note));
    rollout->log_index = dr_events_head(core->events)->index;
    rollout->is_dirty = true;
    return DR_OK;
}

static enum dr_rc
abort_targets(struct dr_core *core, struct dr_rollout *rollout, struct dr_err *err)
{
    if (dr_stage_is_soaking(&rollout->stages[rollout->n_stages - 1])) {
        dr_err_set(err, DR_E_ROLLOUT_EVENT,
                   "everything of rollout '%s' has run, its last wave soaks", rollout->id);
        return dr_err_hint(err,
                           "drover rollout promote %s ends that, drover rollout undo %s takes it "
                           "back",
                           rollout->id, rollout->id);
    }
    rollout->is_aborted = true;
    for (size_t s = 0; s < rollout->n_stages; s++) {
        struct dr_rollout_stage *stage = &rollout->stages[s];

        stage->soaking_wave = 0; // nobody looks any more

        for (size_t t = 0; t < stage->n_targets; t++) {
            struct dr_err ignored = {0};
            enum dr_rc rc = dr_schedule_event(core, rollout, stage, &stage->targets[t],
                                              DR_EVENT_ABORT, false, NULL, &ignored);

            if (rc != DR_OK && rc != DR_E_ROLLOUT_EVENT) {
                *err = ignored;
                return rc;
            }
        }
    }
    return DR_OK;
}

// `retry` goes to what has failed; `prepare` also to what only waits. A named target must be able
// to.
static bool
is_meant(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
         const char *order, const char *name)
{
    if (name[0] != '\0') {
        return dr_str_glob(name, target->name);
    }
    if (dr_target_is_failure(target->state, stage->mode)) {
        return target->state != DR_TARGET_CANCELLED;
    }
    return strcmp(order, "prepare") == 0 &&
           (target->state == DR_TARGET_READY || target->state == DR_TARGET_PREPARING);
}

static enum dr_rc
not_now(const char *order, const struct dr_rollout_target *target, enum dr_target_state state,
        struct dr_err *err)
{
    dr_err_set(err, DR_E_ROLLOUT_EVENT, "target '%s' is %s: there is nothing to %s", target->name,
               dr_target_state_name(state), order);
    return dr_err_hint(err, "drover why %s", target->name);
}

static enum dr_rc
order_targets(struct dr_core *core, struct dr_rollout *rollout, const char *order, const char *name,
              struct dr_err *err)
{
    size_t n = 0;

    for (size_t s = 0; s < rollout->n_stages; s++) {
        struct dr_rollout_stage *stage = &rollout->stages[s];

        for (size_t t = 0; t < stage->n_targets; t++) {
            struct dr_rollout_target *target = &stage->targets[t];

            if (!is_meant(stage, target, order, name)) {
                continue;
            }
            enum dr_target_state state = target->state;
            enum dr_rc rc =
                dr_schedule_event(core, rollout, stage, target, DR_EVENT_RETRY, false, NULL, err);
            if (rc != DR_OK) {
                return rc == DR_E_ROLLOUT_EVENT ? not_now(order, target, state, err) : rc;
            }
            n++;
        }
    }
    if (n == 0) {
        dr_err_set(err, DR_E_ROLLOUT_EVENT, "nothing in rollout '%s' is there to %s", rollout->id,
                   order);
        return dr_err_hint(err, "drover why %s", rollout->id);
    }
    return DR_OK;
}

static enum dr_rc
order_rollout(struct dr_core *core, struct dr_rollout *rollout, const char *order,
              const char *actor, const char *note, struct dr_err *err)
{
    if (strcmp(order, "abort") == 0) {
        return abort_targets(core, rollout, err);
    }
    const struct dr_rollout *undo =
        strcmp(order, "pause") == 0 ? NULL : dr_schedule_undo_of(core, rollout);
    if (undo != NULL) {
        dr_err_set(err, DR_E_ROLLOUT_EVENT,
                   "rollout '%s' takes back a part of '%s' and is not over: nothing goes on before",
                   undo->id, rollout->id);
        return dr_err_hint(err, "drover why %s", undo->id);
    }
    if (strcmp(order, "promote") == 0) {
        return dr_schedule_promote(rollout, err);
    }
    bool is_pause = strcmp(order, "pause") == 0;
    if (rollout->is_paused == is_pause) {
        dr_err_set(err, DR_E_ROLLOUT_EVENT, "rollout '%s' is%s paused", rollout->id,
                   is_pause ? " already" : " not");
        return dr_err_hint(err, "drover why %s", rollout->id);
    }
    rollout->is_paused = is_pause;
    if (is_pause) {
        (void)snprintf(rollout->pause_reason, sizeof rollout->pause_reason,
                       DR_PAUSED_BY "%.60s%s%.160s", actor, note[0] != '\0' ? ": " : "", note);
    } else {
        rollout->pause_reason[0] = '\0';
        dr_schedule_probe_again(rollout);
    }
    return DR_OK;
}

enum dr_rc
dr_schedule_order(struct dr_core *core, struct dr_rollout *rollout, const char *order,
                  const char *target, const char *actor, const char *note, struct dr_err *err)
{
    if (!dr_rollout_is_open(rollout)) {
        dr_err_set(err, DR_E_ROLLOUT_ENDED, "rollout '%s' has ended", rollout->id);
        return dr_err_hint(err, "drover rollout show %s", rollout->id);
    }
    for (size_t i = 0; i < DR_COUNT_OF(ORDERS); i++) {
        if (strcmp(ORDERS[i].name, order) == 0) {
            DR_TRY(note_order(core, rollout, order, target, actor, note, err));
            DR_TRY(ORDERS[i].scope == WHOLE ? order_rollout(core, rollout, order, actor, note, err)
                                            : order_targets(core, rollout, order, target, err));
            return dr_schedule_advance(core, rollout, err);
        }
    }
    dr_err_set(err, DR_E_INVALID, "there is no order '%.20s'", order);
    return dr_err_hint(err, "pause, resume, promote, abort, retry or prepare");
}

// ---- time

// What the next environment asks of this one: the longest soak, in seconds, and probes that passed
// after it.
struct wish {
    uint64_t soak_s;
    bool has_probes;
};

static struct wish
wish_of(struct dr_core *core, const struct dr_rollout *rollout, size_t stage)
{
    struct wish wish = {0};

    if (stage + 1 >= rollout->n_stages) {
        return wish;
    }
    const struct dr_fleet_entry *policy =
        dr_directory_environment(core->directory, rollout->stages[stage + 1].environment);
    for (size_t i = 0; policy != NULL && i < policy->msg->environment->n_gates; i++) {
        const Drover__V1__Gate *gate = policy->msg->environment->gates[i];
        bool is_probed = gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED;

        if ((is_probed || gate->kind == DROVER__V1__GATE_KIND__GATE_STAGED) &&
            gate->soak_s > wish.soak_s) {
            wish.soak_s = gate->soak_s;
        }
        wish.has_probes = wish.has_probes || is_probed;
    }
    return wish;
}

// Has a probe not passed yet, and is it time to ask again?
static bool
wants_probe(struct dr_core *core, const struct dr_rollout *rollout,
            const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
            int64_t now)
{
    const struct dr_agent *agent = dr_core_agent(core, target->agent);
    struct dr_wave_rules rules;

    if (rollout->is_paused || agent == NULL || agent->watch == NULL ||
        target->probe_outcome == DROVER__V1__PROBE_OUTCOME__PASSED) {
        return false;
    }
    dr_schedule_rules(core, stage->environment, &rules);
    return rules.has_probes[target->engine] &&
           now - target->state_asked >= rules.probe_every_s[target->engine];
}

// A STATE after the soak, which the next environment's gates ask for.
static bool
wants_state(struct dr_core *core, const struct dr_rollout *rollout, size_t s,
            const struct dr_rollout_target *target, int64_t now)
{
    const struct dr_rollout_stage *stage = &rollout->stages[s];

    if (s + 1 >= rollout->n_stages || !dr_target_is_success(target->state, stage->mode) ||
        dr_stage_state(&rollout->stages[s + 1]) == DR_ROLLOUT_DONE) {
        return false;
    }
    const struct wish wish = wish_of(core, rollout, s);
    int64_t due = target->since + (int64_t)wish.soak_s;
    if (now <= due) {
        return false;
    }
    return target->state_asked > due
               ? wish.has_probes && wants_probe(core, rollout, stage, target, now)
               : now - target->state_asked >= DR_STATE_ASK_AGAIN_S;
}

static bool
is_away(struct dr_core *core, const struct dr_rollout_target *target, int64_t now_ms)
{
    const struct dr_agent *agent = dr_core_agent(core, target->agent);

    return agent != NULL && agent->watch == NULL && now_ms - agent->away_ms >= DR_AGENT_AWAY_MS &&
           (target->state == DR_TARGET_SENT || target->state == DR_TARGET_RUNNING ||
            (target->state == DR_TARGET_PROVING && target->unknown_since == 0));
}

// What could not be sent is tried again, all that is due of a rollout at once.
static bool
wants_retry(struct dr_rollout *rollout, int64_t now)
{
    bool is_due = false;

    for (size_t s = 0; dr_rollout_is_open(rollout) && s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s].n_targets; t++) {
            struct dr_rollout_target *target = &rollout->stages[s].targets[t];

            if (target->retry_at != 0 && now >= target->retry_at) {
                target->retry_at = 0;
                is_due = true;
            }
            if (target->state == DR_TARGET_APPROVED && target->expires != 0 &&
                now >= target->expires) {
                target->expires = 0; // read again when somebody looks
                is_due = true;
            }
        }
    }
    return is_due;
}

static enum dr_rc
retry(struct dr_core *core, struct dr_rollout *rollout, struct dr_err *err)
{
    DR_TRY(dr_core_begin(core, err));
    return dr_core_end(core, dr_schedule_advance(core, rollout, err), err);
}

static enum dr_rc
tick_target(struct dr_core *core, struct dr_rollout *rollout, size_t s,
            struct dr_rollout_target *target, bool away, struct dr_err *err)
{
    const struct dr_agent *agent = dr_core_agent(core, target->agent);
    char since[48], time[32];
    struct dr_wave_rules rules;

    DR_TRY(dr_core_begin(core, err));
    enum dr_rc rc;
    if (away) {
        int64_t left = dr_now_unix_s() - (dr_monotonic_ms() - agent->away_ms) / 1000;

        dr_format_time(time, left);
        (void)snprintf(since, sizeof since, "unknown since %s", time);
        rc = dr_schedule_event(core, rollout, &rollout->stages[s], target, DR_EVENT_AWAY, false,
                               since, err);
        target->unknown_since = left;
    } else {
        dr_schedule_rules(core, rollout->stages[s].environment, &rules);
        target->state_asked = dr_now_unix_s();
        rollout->is_dirty = true;
        rc = dr_push_order(core, rollout->id, target,
                           rules.has_probes[target->engine] ? "probe" : "state", err);
    }
    return dr_core_end(core, rc, err);
}

static enum dr_rc
tick_stage(struct dr_core *core, struct dr_rollout *rollout, size_t s, int64_t now, int64_t now_ms,
           struct dr_err *err)
{
    struct dr_rollout_stage *stage = &rollout->stages[s];
    struct dr_wave_rules rules = {0};
    bool is_last = dr_stage_is_soaking(stage);

    if (stage->soaking_wave != 0) {
        dr_schedule_rules(core, stage->environment, &rules);
    }
    for (size_t t = 0; t < stage->n_targets; t++) {
        struct dr_rollout_target *target = &stage->targets[t];
        bool away = is_away(core, target, now_ms);

        if (away || wants_state(core, rollout, s, target, now)) {
            DR_TRY(tick_target(core, rollout, s, target, away, err));
        } else if (stage->soaking_wave != 0) {
            DR_TRY(dr_schedule_probe_tick(core, rollout, stage, target, &rules, is_last, err));
        }
    }
    return DR_OK;
}

static enum dr_rc
tick_rollout(struct dr_core *core, struct dr_rollout *rollout, int64_t now, int64_t now_ms,
             struct dr_err *err)
{
    if (wants_retry(rollout, now) || dr_schedule_after_is_due(core, rollout)) {
        DR_TRY(retry(core, rollout, err));
    }
    for (size_t s = 0; dr_rollout_is_open(rollout) && s < rollout->n_stages; s++) {
        DR_TRY(tick_stage(core, rollout, s, now, now_ms, err));
    }
    return DR_OK;
}

// Once, until it goes on again: a step that fails is tried again every second.
static void
tell_tick(struct dr_core *core, uint64_t number, enum dr_rc rc, const struct dr_err *err)
{
    uint64_t *free = NULL;

    for (size_t i = 0; i < DR_COUNT_OF(core->tick_failed); i++) {
        uint64_t *row = &core->tick_failed[i];

        if (*row == number && rc != DR_OK) {
            return;
        }
        *row = *row == number ? 0 : *row;
        free = free == NULL && *row == 0 ? row : free;
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "a rollout cannot go on", err);
        if (free != NULL) {
            *free = number;
        }
    }
}

void
dr_schedule_tick(struct dr_core *core)
{
    const int64_t now = dr_now_unix_s(), now_ms = dr_monotonic_ms();

    // After a failure rollouts may have been read again: the next one is found by its place.
    for (size_t r = 0; r < core->n_rollouts; r++) {
        struct dr_err err = {0};
        const uint64_t number = core->rollouts[r]->number;
        enum dr_rc rc = tick_rollout(core, core->rollouts[r], now, now_ms, &err);

        tell_tick(core, number, rc, &err);
    }
}

enum dr_rc
dr_schedule_agent_back(struct dr_core *core, const char *agent, bool lost_state, struct dr_err *err)
{
    for (size_t r = 0; r < core->n_rollouts; r++) {
        struct dr_rollout *rollout = core->rollouts[r];

        for (size_t s = 0; dr_rollout_is_open(rollout) && s < rollout->n_stages; s++) {
            struct dr_rollout_stage *stage = &rollout->stages[s];

            for (size_t t = 0; t < stage->n_targets; t++) {
                struct dr_rollout_target *target = &stage->targets[t];

                if (strcmp(target->agent, agent) != 0) {
                    continue;
                }
                if (target->state == DR_TARGET_UNREACHABLE || target->unknown_since != 0) {
                    DR_TRY(dr_schedule_event(core, rollout, stage, target, DR_EVENT_BACK, false,
                                             NULL, err));
                }
                if (target->not_before != 0) {
                    target->not_before = 0; // its clock, or its zones, may be others now
                    target->retry_at = 1;
                }
                DR_TRY(dr_schedule_probe_back(core, rollout, stage, target, err));
                if (lost_state && target->state == DR_TARGET_PREPARING) {
                    DR_TRY(dr_push_prepare(core, rollout, stage, target, err));
                }
            }
        }
    }
    return lost_state ? dr_push_trust(core, agent, err) : DR_OK;
}
