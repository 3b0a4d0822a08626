// Schedule, waves: the policy's rules, who goes now, and what the others are told.
#include "coordinator/core/schedule_internal.h"

#include "base/clock.h"
#include "trust/try.h"
#include "trust/window.h"

#include <stdio.h>
#include <string.h>

#define WAVES_MEMORY_MAX (64u << 20)

void
dr_schedule_rules(struct dr_core *core, const char *environment, struct dr_wave_rules *out)
{
    const struct dr_fleet_entry *entry = dr_directory_environment(core->directory, environment);

    *out = (struct dr_wave_rules){.now = dr_now_unix_s()};
    if (entry == NULL) {
        return;
    }
    const Drover__V1__Environment *policy = entry->msg->environment;
    out->soak_s = dr_fleet_wave_soak_s(policy);
    out->last_soak_s = dr_fleet_last_soak_s(policy);
    out->parallel = policy->wave_parallel;
    out->server_parallel = policy->server_parallel;
    out->budget = policy->failure_budget;
    for (size_t i = 0; i < policy->n_probes; i++) {
        const Drover__V1__SqlProbe *probe = policy->probes[i];
        uint32_t every_s = probe->every_s > 0 ? probe->every_s : DR_PROBE_EVERY_S;

        if ((unsigned)probe->engine < DR_COUNT_OF(out->has_probes)) {
            uint32_t *least = &out->probe_every_s[probe->engine];
            out->has_probes[probe->engine] = true;
            *least = *least == 0 || every_s < *least ? every_s : *least;
        }
    }
}

// A PostgreSQL server is known by its system identifier, whoever serves its databases; SQLite files
// share their agent's machine.
static const char *
server_of(struct dr_core *core, const struct dr_rollout_target *target)
{
    const struct dr_fleet_entry *entry = dr_directory_target(core->directory, target->name);
    const Drover__V1__DatabaseIdentity *identity =
        entry != NULL ? entry->msg->target->identity : NULL;

    return target->engine == DROVER__V1__ENGINE__POSTGRESQL && identity != NULL &&
                   identity->system_identifier[0] != '\0'
               ? identity->system_identifier
               : target->agent;
}

static const char *const *
servers_of(struct dr_core *core, const struct dr_rollout_stage *stage, struct dr_arena *arena)
{
    const char **out = dr_arena_array(arena, stage->n_targets + 1, sizeof *out);

    for (size_t i = 0; out != NULL && i < stage->n_targets; i++) {
        out[i] = server_of(core, &stage->targets[i]);
    }
    return out;
}

// What holds a stage goes into the log once.
static enum dr_rc
note_hold(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
          const char *hold, struct dr_err *err)
{
    char subject[DR_TARGET_NAME_MAX + 32];
    const struct dr_event event = {"waves", subject, "", NULL};

    if (strcmp(stage->hold, hold) == 0) {
        return DR_OK;
    }
    (void)snprintf(stage->hold, sizeof stage->hold, "%s", hold);
    (void)snprintf(subject, sizeof subject, "%s %s", rollout->id, stage->environment);
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "%s",
                         hold[0] != '\0' ? hold : "not stopped any more"));
    dr_schedule_touch(core, rollout);
    return DR_OK;
}

static enum dr_rc
note_soak(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
          const struct dr_wave_plan *plan, struct dr_err *err)
{
    char subject[DR_TARGET_NAME_MAX + 32], until[32];
    const struct dr_event event = {"waves", subject, "", NULL};

    if (stage->soaking_wave == plan->soaking_wave && stage->soaks_until == plan->soaks_until) {
        return DR_OK;
    }
    bool is_new = plan->soaking_wave != 0 && stage->soaking_wave != plan->soaking_wave;
    stage->soaking_wave = plan->soaking_wave;
    stage->soaks_until = plan->soaks_until;
    rollout->is_dirty = true;
    if (!is_new) {
        return DR_OK;
    }
    dr_format_time(until, plan->soaks_until);
    (void)snprintf(subject, sizeof subject, "%s %s", rollout->id, stage->environment);
    DR_TRY(dr_events_add(core->events, &event, NULL, err, "wave %u%s soaks until %s",
                         plan->soaking_wave, plan->last_wave != 0 ? ", the last," : "", until));
    dr_schedule_touch(core, rollout);
    return DR_OK;
}

// Its state stays, so that nothing is logged.
static void
tell_target(struct dr_rollout *rollout, struct dr_rollout_target *target, const char *reason)
{
    if (target->retry_at <= 1 && strcmp(target->reason, reason) != 0) {
        (void)snprintf(target->reason, sizeof target->reason, "%s", reason);
        rollout->is_dirty = true;
    }
}

// When the windows let this target start; 0: now. What its agent has said counts, too: it looks at
// its own clock and its own time zones.
static int64_t
opens_at(const struct dr_wave_rules *rules, const struct dr_rollout_target *target)
{
    int64_t opens = rules->opens > target->not_before ? rules->opens : target->not_before;

    return opens > rules->now ? opens : 0;
}

// An agent that said so has said until when, by its own clock: that stays told.
static void
wait_for_window(struct dr_rollout *rollout, struct dr_rollout_target *target,
                const struct dr_wave_rules *rules)
{
    int64_t opens = opens_at(rules, target);
    char reason[DR_ROLLOUT_TEXT_MAX], at[32];

    if (opens != rules->opens) {
        target->retry_at = opens;
        return;
    }
    dr_format_time(at, opens);
    (void)snprintf(reason, sizeof reason, "approved, waits for a window: the next one opens at %s",
                   at);
    target->retry_at = 0; // told below, and looked at again then
    tell_target(rollout, target, reason);
    target->retry_at = opens;
}

// Where the zones of this machine say nothing, the agent's do.
static int64_t
window_of(struct dr_core *core, const struct dr_rollout_stage *stage, int64_t now)
{
    const struct dr_fleet_entry *entry =
        dr_directory_environment(core->directory, stage->environment);
    struct dr_err ignored = {0};
    bool is_open = true;
    int64_t opens = 0;

    if (entry == NULL || !dr_window_holds(stage->mode) ||
        dr_window_look(entry->msg->environment, now, &is_open, &opens, &ignored) != DR_OK) {
        return 0;
    }
    return is_open ? 0 : opens;
}

static bool
has_goers(const struct dr_rollout_stage *stage, const struct dr_wave_plan *plan)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        if (stage->targets[i].state == DR_TARGET_APPROVED && plan->waits[i] == DR_WAVE_GOES) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
carry_out(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
          const struct dr_wave_rules *rules, const struct dr_wave_plan *plan, struct dr_err *err)
{
    char hold[DR_ROLLOUT_TEXT_MAX] = "";

    if (has_goers(stage, plan)) {
        DR_TRY(dr_schedule_gates(core, rollout, stage, err));
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        struct dr_rollout_target *target = &stage->targets[i];
        char reason[DR_ROLLOUT_TEXT_MAX];

        if (target->state != DR_TARGET_APPROVED) {
            continue;
        }
        if (plan->waits[i] == DR_WAVE_GOES && opens_at(rules, target) != 0) {
            wait_for_window(rollout, target, rules);
            continue;
        }
        if (plan->waits[i] == DR_WAVE_GOES && target->gate[0] != '\0') {
            tell_target(rollout, target, target->gate);
            target->retry_at = rules->now + DR_SCHEDULE_GATE_S;
            continue;
        }
        if (plan->waits[i] == DR_WAVE_GOES) {
            DR_TRY(dr_schedule_try(core, rollout, stage, target, DR_EVENT_GO, false, NULL, err));
            continue;
        }
        if (plan->waits[i] == DR_WAVE_PARTED) {
            DR_TRY(dr_schedule_lapse(core, rollout, stage, target,
                                     "wave 1 of the one it has is approved anew", err));
            continue;
        }
        dr_wave_say(plan, rules, i, reason, sizeof reason);
        if (plan->waits[i] == DR_WAVE_SOAKS) {
            target->retry_at = 0; // told below, and looked at again then
        }
        tell_target(rollout, target, reason);
        target->retry_at = plan->waits[i] == DR_WAVE_SOAKS ? plan->look_at : 0;
        if (plan->waits[i] == (uint8_t)plan->hold && hold[0] == '\0') {
            (void)snprintf(hold, sizeof hold, "%s", reason);
        }
    }
    DR_TRY(dr_schedule_last_done(core, rollout, stage, plan, err));
    DR_TRY(note_soak(core, rollout, stage, plan, err));
    return note_hold(core, rollout, stage, plan->hold == DR_WAVE_GOES ? "" : hold, err);
}

enum dr_rc
dr_schedule_waves(struct dr_core *core, struct dr_rollout *rollout, struct dr_rollout_stage *stage,
                  struct dr_err *err)
{
    const char *const *servers = NULL;
    struct dr_wave_rules rules;
    struct dr_wave_plan plan;
    bool is_asked =
        stage->hold[0] != '\0' || stage->soaking_wave != 0 || dr_schedule_is_last_open(stage);

    for (size_t i = 0; !is_asked && i < stage->n_targets; i++) {
        is_asked = stage->targets[i].state == DR_TARGET_APPROVED;
    }
    if (!is_asked) {
        return DR_OK;
    }
    DR_TRY(dr_schedule_expire(core, rollout, stage, dr_now_unix_s(), err));
    struct dr_arena *arena = dr_arena_new(WAVES_MEMORY_MAX);
    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    dr_schedule_rules(core, stage->environment, &rules);
    rules.opens = window_of(core, stage, rules.now);
    rules.is_looked_after = dr_schedule_is_looked_after(rollout, stage);
    if (rules.server_parallel > 0) {
        servers = servers_of(core, stage, arena);
    }
    enum dr_rc rc = dr_wave_plan(stage, &rules, servers, arena, &plan, err);
    rc = rc == DR_OK ? carry_out(core, rollout, stage, &rules, &plan, err) : rc;
    dr_arena_free(&arena);
    return rc;
}
