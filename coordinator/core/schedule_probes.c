// Schedule, probes: asked while a wave soaks, and answered in signed STATEs. What does not pass and
// what says nothing pause the rollout: only an answer that passes lets the next wave go, or a
// person's word, and that not past a probe that did not pass.
#include "coordinator/core/schedule_internal.h"

#include "base/clock.h"
#include "coordinator/core/push.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

#define PASSED       DROVER__V1__PROBE_OUTCOME__PASSED
#define NOT_PASSED   DROVER__V1__PROBE_OUTCOME__NOT_PASSED
#define INCONCLUSIVE DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE

void
dr_schedule_probe_forget(struct dr_rollout_target *target)
{
    target->probe_outcome = DROVER__V1__PROBE_OUTCOME__PROBE_OUTCOME_NONE;
    target->probe_asked = target->probe_time = 0;
    target->probe[0] = '\0';
}

// ---- answers

// One that is not in the answer was not asked: the agent holds another policy.
static Drover__V1__ProbeOutcome
outcome_of(const Drover__V1__ProbeResult *answer)
{
    return answer != NULL && (answer->outcome == PASSED || answer->outcome == NOT_PASSED)
               ? answer->outcome
               : INCONCLUSIVE;
}

static void
take_answers(const Drover__V1__Environment *policy, const Drover__V1__Attestation *msg,
             struct dr_rollout_target *target)
{
    target->probe_outcome = PASSED;
    target->probe[0] = '\0';
    for (size_t i = 0; i < policy->n_probes; i++) {
        const Drover__V1__SqlProbe *probe = policy->probes[i];
        const Drover__V1__ProbeResult *answer = dr_attest_probe(msg, probe->name);
        Drover__V1__ProbeOutcome outcome = outcome_of(answer);
        bool is_worse = outcome == NOT_PASSED
                            ? target->probe_outcome != NOT_PASSED
                            : outcome == INCONCLUSIVE && target->probe_outcome == PASSED;

        if (probe->engine != target->engine || !is_worse) {
            continue;
        }
        target->probe_outcome = outcome;
        if (outcome == NOT_PASSED) {
            (void)snprintf(target->probe, sizeof target->probe, "probe '%.40s' did not pass: %.40s",
                           probe->name, answer->value);
        } else {
            (void)snprintf(target->probe, sizeof target->probe,
                           "probe '%.40s' is inconclusive: %.80s", probe->name,
                           answer != NULL ? answer->detail : "it was not asked");
        }
    }
}

// Was it paused for its probes, and not by a person or for what somebody changed?
static bool
is_paused_by_probes(const struct dr_rollout *rollout)
{
    return rollout->is_paused && !dr_str_starts(rollout->pause_reason, DR_PAUSED_BY);
}

// A pause that was ordered stays, and so does its reason.
static enum dr_rc
pause(struct dr_core *core, struct dr_rollout *rollout, const struct dr_rollout_target *target,
      struct dr_err *err)
{
    const struct dr_event event = {"probe", rollout->id, "",
                                   target->has_last ? target->last : NULL};
    char reason[DR_ROLLOUT_TEXT_MAX];

    (void)snprintf(reason, sizeof reason, "%.90s: %s", target->name, target->probe);
    if (rollout->is_paused &&
        (!is_paused_by_probes(rollout) || strcmp(reason, rollout->pause_reason) == 0)) {
        return DR_OK;
    }
    rollout->is_paused = true;
    (void)snprintf(rollout->pause_reason, sizeof rollout->pause_reason, "%s", reason);
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "paused: %s", reason));
    dr_schedule_touch(core, rollout);
    return DR_OK;
}

enum dr_rc
dr_schedule_state(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_rollout_target *target, const Drover__V1__Attestation *msg,
                  struct dr_err *err)
{
    const struct dr_fleet_entry *policy =
        dr_directory_environment(core->directory, stage->environment);

    if (target->unknown_since != 0 && msg->time >= target->unknown_since) {
        DR_TRY(dr_schedule_try(core, rollout, stage, target, DR_EVENT_LOOKED, false, NULL, err));
    }
    if (msg->n_probes == 0 || policy == NULL || !target->has_approval ||
        !dr_target_is_success(target->state, stage->mode)) {
        return DR_OK;
    }
    take_answers(policy->msg->environment, msg, target);
    target->probe_time = dr_now_unix_s();
    rollout->is_dirty = true;
    return target->probe_outcome == PASSED ? DR_OK : pause(core, rollout, target, err);
}

// ---- asking

static bool
is_answered(const struct dr_rollout_target *target)
{
    return target->probe_asked == 0 || target->probe_time >= target->probe_asked;
}

static bool
is_overdue(struct dr_core *core, const struct dr_rollout_target *target, int64_t now)
{
    const struct dr_agent *agent = dr_core_agent(core, target->agent);
    bool is_away = agent == NULL ||
                   (agent->watch == NULL && dr_monotonic_ms() - agent->away_ms >= DR_AGENT_AWAY_MS);

    return !is_answered(target) && (is_away || now - target->probe_asked >= DR_PROBE_ANSWER_S);
}

// As often as the policy says; and once more when the soak has ended, though not sooner than an
// agent lets itself be asked again.
static bool
is_time(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
        const struct dr_wave_rules *rules)
{
    int64_t ago = rules->now - target->probe_asked;
    int64_t every_s = rules->probe_every_s[target->engine];

    return ago >= every_s || (rules->now >= stage->soaks_until &&
                              target->probe_asked < stage->soaks_until && ago > every_s / 2 + 1);
}

enum dr_rc
dr_schedule_probe_tick(struct dr_core *core, struct dr_rollout *rollout,
                       struct dr_rollout_stage *stage, struct dr_rollout_target *target,
                       const struct dr_wave_rules *rules, bool is_last, struct dr_err *err)
{
    if (rollout->is_paused || rollout->is_aborted ||
        !dr_wave_is_probed(stage, target, rules, is_last)) {
        return DR_OK;
    }
    bool is_late = is_overdue(core, target, rules->now);
    bool is_due = is_answered(target) && is_time(stage, target, rules);
    if (!is_late && !is_due) {
        return DR_OK;
    }
    DR_TRY(dr_core_begin(core, err));
    rollout->is_dirty = true;
    enum dr_rc rc;
    if (is_late) {
        target->probe_outcome = INCONCLUSIVE;
        (void)snprintf(target->probe, sizeof target->probe,
                       "the probes are inconclusive: agent '%.60s' has not answered",
                       target->agent);
        rc = pause(core, rollout, target, err);
    } else {
        target->probe_asked = rules->now;
        rc = dr_push_order(core, rollout->id, target, "probe", err);
    }
    return dr_core_end(core, rc, err);
}

enum dr_rc
dr_schedule_probe_back(struct dr_core *core, struct dr_rollout *rollout,
                       const struct dr_rollout_stage *stage, struct dr_rollout_target *target,
                       struct dr_err *err)
{
    struct dr_wave_rules rules;
    bool is_open = !is_answered(target) || target->state_asked > target->probe_time;

    if (!is_open || rollout->is_paused || !dr_target_is_success(target->state, stage->mode)) {
        return DR_OK;
    }
    dr_schedule_rules(core, stage->environment, &rules);
    if (!rules.has_probes[target->engine]) {
        return DR_OK;
    }
    if (!is_answered(target)) {
        target->probe_asked = rules.now; // it has its time once more
        rollout->is_dirty = true;
    }
    return dr_push_order(core, rollout->id, target, "probe", err);
}

// ---- people

void
dr_schedule_probe_again(struct dr_rollout *rollout)
{
    for (size_t s = 0; s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s].n_targets; t++) {
            struct dr_rollout_target *target = &rollout->stages[s].targets[t];

            if (target->probe_outcome == NOT_PASSED || target->probe_outcome == INCONCLUSIVE) {
                dr_schedule_probe_forget(target);
            }
        }
    }
}

enum dr_rc
dr_schedule_promote(struct dr_rollout *rollout, struct dr_err *err)
{
    struct dr_rollout_stage *soaking = NULL;

    for (size_t s = 0; s < rollout->n_stages && soaking == NULL; s++) {
        soaking = rollout->stages[s].soaking_wave != 0 ? &rollout->stages[s] : NULL;
    }
    if (soaking == NULL) {
        dr_err_set(err, DR_E_ROLLOUT_EVENT, "no wave of rollout '%s' soaks", rollout->id);
        return dr_err_hint(err, "drover why %s", rollout->id);
    }
    for (size_t t = 0; t < soaking->n_targets; t++) {
        const struct dr_rollout_target *target = &soaking->targets[t];

        if (target->probe_outcome == NOT_PASSED) {
            dr_err_set(err, DR_E_ROLLOUT_EVENT, "%s: %s; nobody promotes past that", target->name,
                       target->probe);
            return dr_err_hint(err,
                               "mend the cause, then drover rollout resume %s, which asks again, "
                               "or drover rollout undo %s --wave %u",
                               rollout->id, rollout->id, soaking->soaking_wave);
        }
    }
    soaking->promoted_wave = soaking->soaking_wave;
    soaking->promoted_at = dr_now_unix_s();
    for (size_t t = 0; t < soaking->n_targets; t++) {
        if (soaking->targets[t].probe_outcome != INCONCLUSIVE) {
            continue;
        }
        dr_schedule_probe_forget(&soaking->targets[t]);
        if (is_paused_by_probes(rollout)) {
            rollout->is_paused = false; // it was paused for that
            rollout->pause_reason[0] = '\0';
        }
    }
    return DR_OK;
}
