// Wave: one look at all targets for where each approval stands, then one for who goes.
#include "coordinator/core/wave.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

// Where one approval stands.
struct group {
    const uint8_t *approval;
    uint32_t at;       // the lowest wave with a target that has not ended
    uint32_t failures; // of all waves
    bool has_first, has_approved, has_canary_failed, has_begun, is_probe_open;
    int64_t settled; // when the newest target of the wave before `at` ended
    enum dr_wave_wait wait;
};

struct groups {
    struct group *items;
    size_t n;
};

struct server {
    UT_hash_handle hh;
    uint32_t active;
};

// It failed under its approval, and is prepared again: that one has nothing more to give.
static bool
is_again(const struct dr_rollout_target *target)
{
    return target->has_approval &&
           (target->state == DR_TARGET_PREPARING || target->state == DR_TARGET_READY);
}

static bool
is_failure(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target)
{
    return (dr_target_is_failure(target->state, stage->mode) &&
            target->state != DR_TARGET_CANCELLED) ||
           target->probe_outcome == DROVER__V1__PROBE_OUTCOME__NOT_PASSED || is_again(target);
}

// Ended, well or not.
static bool
is_settled(enum dr_target_state state)
{
    return state >= DR_TARGET_APPLIED;
}

static struct group *
group_of(struct groups *groups, const struct dr_rollout_target *target)
{
    if (!target->has_approval) {
        return NULL;
    }
    for (size_t i = groups->n; i-- > 0;) {
        if (memcmp(groups->items[i].approval, target->approval, 32) == 0) {
            return &groups->items[i];
        }
    }
    struct group *group = &groups->items[groups->n++];
    *group = (struct group){.approval = target->approval, .at = UINT32_MAX};
    return group;
}

static bool
has_probes(const struct dr_wave_rules *rules, const struct dr_rollout_target *target)
{
    return (unsigned)target->engine < DR_COUNT_OF(rules->has_probes) &&
           rules->has_probes[target->engine];
}

static void
count(const struct dr_rollout_stage *stage, struct groups *groups)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];
        struct group *group = group_of(groups, target);

        if (group == NULL) {
            continue;
        }
        bool failed = is_failure(stage, target);
        group->failures += failed;
        group->has_first = group->has_first || target->wave <= 1;
        group->has_canary_failed = group->has_canary_failed || (failed && target->wave <= 1);
        group->has_approved = group->has_approved || target->state == DR_TARGET_APPROVED;
        if (!is_settled(target->state) && target->wave < group->at) {
            group->at = target->wave;
        }
    }
}

static uint32_t
before(const struct group *group)
{
    return group->at == UINT32_MAX ? UINT32_MAX : group->at - 1;
}

// An answer to what was asked before the end of the soak says nothing about the whole of it.
static bool
has_passed(const struct dr_rollout_target *target, int64_t until)
{
    return target->probe_outcome == DROVER__V1__PROBE_OUTCOME__PASSED &&
           target->probe_asked >= until && target->probe_time >= target->probe_asked;
}

// With the present wave known: when the one before it ended, and how its probes stand.
static void
look_back(const struct dr_rollout_stage *stage, const struct dr_wave_rules *rules,
          struct groups *groups)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];
        struct group *group = group_of(groups, target);

        if (group == NULL) {
            continue;
        }
        if (target->wave == group->at && target->state > DR_TARGET_APPROVED) {
            group->has_begun = true;
        }
        if (target->wave != before(group)) {
            continue;
        }
        group->settled = target->since > group->settled ? target->since : group->settled;
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];
        struct group *group = group_of(groups, target);

        if (group != NULL && target->wave == before(group) && has_probes(rules, target) &&
            dr_target_is_success(target->state, stage->mode) &&
            !has_passed(target, group->settled + (int64_t)rules->soak_s)) {
            group->is_probe_open = true;
        }
    }
}

bool
dr_wave_is_promoted(const struct dr_rollout_stage *stage, uint32_t wave, int64_t settled)
{
    return stage->promoted_wave > 0 && wave <= stage->promoted_wave &&
           settled <= stage->promoted_at;
}

static void
judge(const struct dr_rollout_stage *stage, const struct dr_wave_rules *rules, struct group *group)
{
    bool is_promoted = dr_wave_is_promoted(stage, before(group), group->settled);

    group->wait = DR_WAVE_GOES;
    if (!group->has_first) {
        group->wait = DR_WAVE_PARTED;
    } else if (group->failures > rules->budget) {
        group->wait = DR_WAVE_BUDGET;
    } else if (group->has_canary_failed) {
        group->wait = DR_WAVE_CANARY;
    } else if (group->at > 1 && group->at != UINT32_MAX && !group->has_begun && !is_promoted) {
        group->wait = group->settled + (int64_t)rules->soak_s > rules->now ? DR_WAVE_SOAKS
                      : group->is_probe_open                               ? DR_WAVE_PROBES
                                                                           : DR_WAVE_GOES;
    }
}

static void
tell_groups(const struct groups *groups, const struct dr_wave_rules *rules,
            struct dr_wave_plan *out)
{
    for (size_t i = 0; i < groups->n; i++) {
        const struct group *group = &groups->items[i];
        int64_t until = group->settled + (int64_t)rules->soak_s;

        if (group->has_approved &&
            (group->wait == DR_WAVE_BUDGET || group->wait == DR_WAVE_CANARY) &&
            out->hold == DR_WAVE_GOES) {
            out->hold = group->wait;
            out->failures = group->failures;
        }
        if (group->wait == DR_WAVE_SOAKS || group->wait == DR_WAVE_PROBES) {
            out->soaking_wave = before(group);
            out->soaks_until = until;
        }
        if (group->wait == DR_WAVE_SOAKS && (out->look_at == 0 || until < out->look_at)) {
            out->look_at = until;
        }
    }
}

// ---- after the last wave

// When all have succeeded. What was there already was not sent by this rollout, and is not probed.
static void
look_after(const struct dr_rollout_stage *stage, const struct dr_wave_rules *rules,
           struct dr_wave_plan *out)
{
    bool is_probed = false, is_open = false;
    uint32_t last = 0;
    int64_t settled = 0;

    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];

        if (!dr_target_is_success(target->state, stage->mode)) {
            return;
        }
        if (target->has_approval) {
            is_probed = is_probed || has_probes(rules, target);
            last = target->wave > last ? target->wave : last;
            settled = target->since > settled ? target->since : settled;
        }
    }
    int64_t until = settled + (int64_t)rules->last_soak_s;
    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];

        is_open = is_open ||
                  (target->has_approval && has_probes(rules, target) && !has_passed(target, until));
    }
    out->last_wave = last;
    out->settled = settled;
    if (rules->is_looked_after && is_probed && !dr_wave_is_promoted(stage, last, settled) &&
        (is_open || rules->now < until)) {
        out->soaking_wave = last;
        out->soaks_until = until;
    }
}

// ---- who goes

struct going {
    const struct dr_wave_rules *rules;
    const char *const *servers;
    struct server *by_name;
    struct server *rows;
    uint32_t active;
};

static struct server *
server_of(struct going *going, size_t target)
{
    struct server *found = NULL;
    const char *name = going->servers[target];

    HASH_FIND(hh, going->by_name, name, (unsigned)strlen(name), found);
    if (found == NULL) {
        found = &going->rows[target];
        HASH_ADD_KEYPTR(hh, going->by_name, name, (unsigned)strlen(name), found);
    }
    return found;
}

static enum dr_wave_wait
room_for(struct going *going, size_t target)
{
    struct server *server = going->rows != NULL ? server_of(going, target) : NULL;

    if (going->rules->parallel > 0 && going->active >= going->rules->parallel) {
        return DR_WAVE_FULL;
    }
    if (server != NULL && server->active >= going->rules->server_parallel) {
        return DR_WAVE_SERVER_FULL;
    }
    going->active++;
    if (server != NULL) {
        server->active++;
    }
    return DR_WAVE_GOES;
}

static void
choose(const struct dr_rollout_stage *stage, struct groups *groups, struct going *going,
       struct dr_wave_plan *out)
{
    for (size_t i = 0; i < stage->n_targets; i++) {
        if (dr_target_is_active(stage->targets[i].state)) {
            going->active++;
            if (going->rows != NULL) {
                server_of(going, i)->active++;
            }
        }
    }
    for (size_t i = 0; i < stage->n_targets; i++) {
        const struct dr_rollout_target *target = &stage->targets[i];
        const struct group *group = group_of(groups, target);

        if (group == NULL || target->state != DR_TARGET_APPROVED) {
            continue;
        }
        enum dr_wave_wait wait = group->wait;
        if (wait == DR_WAVE_CANARY && target->wave <= 1) {
            wait = DR_WAVE_GOES; // its siblings may, as the budget says
        } else if (target->wave > group->at && wait != DR_WAVE_BUDGET && wait != DR_WAVE_CANARY &&
                   wait != DR_WAVE_PARTED) {
            wait = DR_WAVE_EARLIER;
        }
        out->befores[i] = target->wave > group->at ? group->at : before(group);
        out->waits[i] = (uint8_t)(wait == DR_WAVE_GOES ? room_for(going, i) : wait);
    }
}

enum dr_rc
dr_wave_plan(const struct dr_rollout_stage *stage, const struct dr_wave_rules *rules,
             const char *const *servers, struct dr_arena *arena, struct dr_wave_plan *out,
             struct dr_err *err)
{
    size_t n = stage->n_targets;
    struct groups groups = {.items = dr_arena_array(arena, n + 1, sizeof *groups.items)};
    struct going going = {.rules = rules, .servers = servers};
    struct dr_wave_plan plan = {.waits = dr_arena_array(arena, n + 1, sizeof *plan.waits),
                                .befores = dr_arena_array(arena, n + 1, sizeof *plan.befores)};
    bool is_limited = rules->server_parallel > 0 && servers != NULL;

    if (is_limited) {
        going.rows = dr_arena_array(arena, n + 1, sizeof *going.rows);
    }
    if (groups.items == NULL || plan.waits == NULL || plan.befores == NULL ||
        (is_limited && going.rows == NULL)) {
        return dr_err_set(err, DR_E_LIMIT, "too many targets to plan their waves");
    }
    count(stage, &groups);
    look_back(stage, rules, &groups);
    for (size_t i = 0; i < groups.n; i++) {
        judge(stage, rules, &groups.items[i]);
    }
    tell_groups(&groups, rules, &plan);
    look_after(stage, rules, &plan);
    choose(stage, &groups, &going, &plan);
    HASH_CLEAR(hh, going.by_name);
    *out = plan;
    return DR_OK;
}

bool
dr_wave_is_probed(const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
                  const struct dr_wave_rules *rules, bool is_last)
{
    return has_probes(rules, target) && target->has_approval && stage->soaking_wave > 0 &&
           (is_last || target->wave == stage->soaking_wave) &&
           dr_target_is_success(target->state, stage->mode);
}

void
dr_wave_say(const struct dr_wave_plan *plan, const struct dr_wave_rules *rules, size_t target,
            char *out, size_t out_size)
{
    const uint32_t wave = plan->befores[target];
    char until[32];

    switch ((enum dr_wave_wait)plan->waits[target]) {
    case DR_WAVE_EARLIER:
        (void)snprintf(out, out_size, "approved, waits for wave %" PRIu32 " to end", wave);
        return;
    case DR_WAVE_SOAKS:
        dr_format_time(until, plan->soaks_until);
        (void)snprintf(out, out_size, "approved, wave %" PRIu32 " soaks until %s", wave, until);
        return;
    case DR_WAVE_PROBES:
        (void)snprintf(out, out_size, "approved, waits for the probes of wave %" PRIu32, wave);
        return;
    case DR_WAVE_FULL:
        (void)snprintf(out, out_size, DR_WAVE_LIMITED "at most %" PRIu32 " targets run at once",
                       rules->parallel);
        return;
    case DR_WAVE_SERVER_FULL:
        (void)snprintf(out, out_size,
                       DR_WAVE_LIMITED "at most %" PRIu32 " targets of a server run at once",
                       rules->server_parallel);
        return;
    case DR_WAVE_CANARY:
        (void)snprintf(out, out_size,
                       DR_WAVE_STOPPED
                       "wave 1 has to succeed whole before a later one goes, and %" PRIu32
                       " failed",
                       plan->failures);
        return;
    case DR_WAVE_BUDGET:
        (void)snprintf(out, out_size,
                       DR_WAVE_STOPPED "%" PRIu32
                                       " target%s failed, the failure budget is %" PRIu32,
                       plan->failures, plan->failures == 1 ? "" : "s", rules->budget);
        return;
    case DR_WAVE_PARTED:
        (void)snprintf(out, out_size, "approved, but wave 1 is no part of its approval any more");
        return;
    case DR_WAVE_GOES:
    case DR_WAVE_WAITS:
        break;
    }
    (void)snprintf(out, out_size, "approved, waits for its turn");
}
