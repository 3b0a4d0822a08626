// Create: from a request to a rollout that can go its way, or the reason why it cannot.
#include "base/clock.h"
#include "coordinator/core/api.h"
#include "trust/approval.h"
#include "trust/chain.h"
#include "trust/plandoc.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Every revision of the plan is in the approved chain, and none that goes up was withdrawn.
static enum dr_rc
check_chain(struct dr_core *core, const Drover__V1__Plan *plan, Drover__V1__Mode mode,
            struct dr_err *err)
{
    for (size_t i = 0; i < plan->n_revisions; i++) {
        struct dr_chain_revision found;

        if (core->trust->chain.msg == NULL ||
            !dr_chain_find(&core->trust->chain, plan->revisions[i]->digest.data, &found)) {
            dr_err_set(err, DR_E_CHAIN_MISSING, "revision '%s' is not in the approved chain",
                       plan->revisions[i]->id);
            return dr_err_hint(err, "drover approve chain");
        }
        if (found.withdraw != NULL && !dr_approval_is_down(mode) &&
            mode != DROVER__V1__MODE__REMEDY) {
            return dr_err_set(err, DR_E_WITHDRAWN, "revision '%s' was withdrawn: %s",
                              plan->revisions[i]->id, found.withdraw->reason);
        }
    }
    return DR_OK;
}

static enum dr_rc
take_plans(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
           struct dr_rollout *rollout, struct dr_err *err)
{
    if (request->n_plans == 0 || request->n_plans > DR_ROLLOUT_PLANS_MAX) {
        return dr_err_set(err, DR_E_INVALID, "a rollout has one plan per engine, not %zu",
                          request->n_plans);
    }
    for (size_t i = 0; i < request->n_plans; i++) {
        const Drover__V1__EnginePlan *asked = request->plans[i];
        const Drover__V1__Plan *plan;

        if (asked->plan_sha256.len != 32 || dr_rollout_plan(rollout, asked->engine) != NULL) {
            return dr_err_set(err, DR_E_INVALID,
                              "a rollout has one plan per engine, named by its digest");
        }
        DR_TRY(dr_core_plan(core, asked->plan_sha256.data, &plan, err));
        if (plan->engine != asked->engine || strcmp(plan->project, core->config.project) != 0) {
            return dr_err_set(err, DR_E_BAD_PLAN, "the plan is for another engine or project");
        }
        if (plan->n_revisions == 0) {
            return dr_err_set(err, DR_E_ROLLOUT_EMPTY,
                              "the plan has no revision: there is nothing to do");
        }
        DR_TRY(check_chain(core, plan, request->mode, err));
        rollout->plans[rollout->n_plans].engine = asked->engine;
        memcpy(rollout->plans[rollout->n_plans++].sha256, asked->plan_sha256.data, 32);
    }
    return DR_OK;
}

static bool
matches(char *const *patterns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (dr_str_glob(patterns[i], name)) {
            return true;
        }
    }
    return n == 0;
}

static bool
is_wanted(const struct dr_rollout *rollout, const Drover__V1__CreateRolloutRequest *request,
          const Drover__V1__Target *target, const char *environment)
{
    return target != NULL && target->state == DROVER__V1__TARGET_STATE__ACTIVE &&
           strcmp(target->environment, environment) == 0 &&
           dr_rollout_plan(rollout, target->engine) != NULL &&
           matches(request->targets, request->n_targets, target->name);
}

// Does `mine` wait for `other`, at once or over others?
static bool
goes_before(struct dr_core *core, const struct dr_rollout *other, const struct dr_rollout *mine)
{
    while (mine != NULL && mine->after[0] != '\0') {
        if (strcmp(mine->after, other->id) == 0) {
            return true;
        }
        mine = dr_core_rollout(core, mine->after); // made earlier: this ends
    }
    return false;
}

static enum dr_rc
take_after(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
           struct dr_rollout *rollout, struct dr_err *err)
{
    if (request->after[0] != '\0' && dr_core_rollout(core, request->after) == NULL) {
        return dr_err_set(err, DR_E_ROLLOUT_UNKNOWN, "there is no rollout '%.20s' to wait for",
                          request->after);
    }
    if (request->after_item[0] != '\0' &&
        (request->after[0] == '\0' || strlen(request->after_item) >= DR_ENVIRONMENT_MAX)) {
        return dr_err_set(err, DR_E_INVALID, "an item to wait for is one of another rollout");
    }
    if (request->undo_of[0] != '\0' && dr_core_rollout(core, request->undo_of) == NULL) {
        return dr_err_set(err, DR_E_ROLLOUT_UNKNOWN, "there is no rollout '%.20s' to take back",
                          request->undo_of);
    }
    (void)snprintf(rollout->after, sizeof rollout->after, "%s", request->after);
    (void)snprintf(rollout->after_item, sizeof rollout->after_item, "%s", request->after_item);
    return DR_OK;
}

// A target whose own part of an open rollout is not over.
static enum dr_rc
check_free(struct dr_core *core, const struct dr_rollout *mine, const char *name,
           struct dr_err *err)
{
    for (size_t i = 0; i < core->n_rollouts; i++) {
        struct dr_rollout *other = core->rollouts[i];
        struct dr_rollout_stage *stage;
        const struct dr_rollout_target *target = dr_rollout_find(other, name, &stage);

        if (target == NULL || goes_before(core, other, mine)) {
            continue;
        }
        bool is_busy =
            dr_target_is_active(target->state) ||
            (dr_rollout_is_open(other) && !dr_target_is_success(target->state, stage->mode));
        if (is_busy) {
            dr_err_set(err, DR_E_ROLLOUT_BUSY, "target '%s' is %s in rollout '%s'", name,
                       dr_target_state_name(target->state), other->id);
            return dr_err_hint(err, "finish it, or: drover rollout abort %s", other->id);
        }
    }
    return DR_OK;
}

// PROVE where the plans can go back, else UP: each agent asks for the one that fits its own plan.
static enum dr_rc
choose_proof(struct dr_core *core, const struct dr_rollout *rollout,
             const Drover__V1__Environment *policy, Drover__V1__Mode *out, struct dr_err *err)
{
    size_t proved = 0;
    for (size_t i = 0; i < rollout->n_plans; i++) {
        const Drover__V1__Plan *plan = NULL;

        DR_TRY(dr_core_plan(core, rollout->plans[i].sha256, &plan, err));
        proved += dr_plandoc_can_prove(plan) ? 1 : 0;
    }
    if (proved > 0 && proved < rollout->n_plans) {
        dr_err_set(err, DR_E_INVALID,
                   "'%s' proves the way back, and of the plans for the two engines one has none",
                   policy->name);
        return dr_err_hint(err, "one rollout for the targets of each engine: -t TARGET");
    }
    *out = proved > 0 ? DROVER__V1__MODE__PROVE : DROVER__V1__MODE__UP;
    return DR_OK;
}

static enum dr_rc
fill_stage(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
           struct dr_rollout *rollout, const Drover__V1__Environment *policy,
           struct dr_rollout_stage *stage, struct dr_err *err)
{
    size_t n = 0;

    (void)snprintf(stage->environment, sizeof stage->environment, "%s", policy->name);
    stage->mode = request->mode;
    if (policy->prove && request->mode == DROVER__V1__MODE__UP) {
        DR_TRY(choose_proof(core, rollout, policy, &stage->mode, err));
    }
    for (size_t i = 0; i < core->trust->n_entries; i++) {
        n += is_wanted(rollout, request, core->trust->entries[i].msg->target, policy->name);
    }
    if (!dr_stage_reserve(stage, n)) {
        return dr_err_set(err, DR_E_LIMIT, "environment '%s' has too many targets", policy->name);
    }
    n = 0;
    for (size_t i = 0; i < core->trust->n_entries; i++) {
        const Drover__V1__Target *target = core->trust->entries[i].msg->target;
        struct dr_rollout_target *row = &stage->targets[n];

        if (!is_wanted(rollout, request, target, policy->name)) {
            continue;
        }
        DR_TRY(check_free(core, rollout, target->name, err));
        (void)snprintf(row->name, sizeof row->name, "%s", target->name);
        (void)snprintf(row->agent, sizeof row->agent, "%s", target->agent);
        (void)snprintf(row->reason, sizeof row->reason, "waits for the turn of its environment");
        row->engine = target->engine;
        row->since = rollout->created;
        n++;
    }
    return DR_OK;
}

static enum dr_rc
fill_stages(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
            struct dr_rollout *rollout, struct dr_err *err)
{
    size_t used = 0;

    for (size_t i = 0; i < dr_directory_environment_count(core->directory); i++) {
        const Drover__V1__Environment *policy =
            dr_directory_environment_at(core->directory, i)->msg->environment;
        struct dr_rollout_stage *stage = &rollout->stages[used];

        if (!matches(request->environments, request->n_environments, policy->name)) {
            continue;
        }
        rollout->n_stages = used + 1;
        DR_TRY(fill_stage(core, request, rollout, policy, stage, err));
        if (stage->n_targets > 0) {
            used++;
        } else {
            free(stage->targets);
            memset(stage, 0, sizeof *stage);
        }
    }
    rollout->n_stages = used;
    if (used == 0) {
        return dr_err_set(err, DR_E_ROLLOUT_EMPTY,
                          "no active target of the fleet is meant by this rollout");
    }
    return DR_OK;
}

static void
name_rollout(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
             const char *actor, struct dr_rollout *rollout)
{
    rollout->number = core->n_rollouts > 0 ? core->rollouts[core->n_rollouts - 1]->number + 1 : 1;
    (void)snprintf(rollout->id, sizeof rollout->id, "R-%" PRIu64, rollout->number);
    (void)snprintf(rollout->from, sizeof rollout->from, "%s", request->from);
    (void)snprintf(rollout->to, sizeof rollout->to, "%s", request->to);
    (void)snprintf(rollout->message, sizeof rollout->message, "%s", request->message);
    (void)snprintf(rollout->created_by, sizeof rollout->created_by, "%s", actor);
    rollout->mode = request->mode;
    rollout->on_failure = request->on_failure;
    (void)snprintf(rollout->remedy, sizeof rollout->remedy, "%s", request->remedy);
    (void)snprintf(rollout->undo_of, sizeof rollout->undo_of, "%s", request->undo_of);
    rollout->created = dr_now_unix_s();
}

enum dr_rc
dr_api_new_rollout(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
                   const char *actor, struct dr_rollout **out, struct dr_err *err)
{
    size_t n = dr_directory_environment_count(core->directory);

    if (n == 0) {
        return dr_err_set(err, DR_E_NO_FLEET, "there is no fleet yet, so there is no target");
    }
    if (protobuf_c_enum_descriptor_get_value(&drover__v1__mode__descriptor, (int)request->mode) ==
            NULL ||
        request->mode == DROVER__V1__MODE__MODE_NONE) {
        return dr_err_set(err, DR_E_INVALID,
                          "a rollout goes up, down, proves, stamps or runs a remedy");
    }
    if ((request->mode == DROVER__V1__MODE__REMEDY) != (request->remedy[0] != '\0') ||
        strlen(request->remedy) >= DR_ROLLOUT_TEXT_MAX) {
        return dr_err_set(err, DR_E_INVALID,
                          "a rollout names a remedy when it runs one, and only "
                          "then");
    }
    struct dr_rollout *rollout = dr_rollout_new(n);
    if (rollout == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    rollout->n_stages = 0;
    name_rollout(core, request, actor, rollout);
    enum dr_rc rc = take_after(core, request, rollout, err);
    rc = rc == DR_OK ? take_plans(core, request, rollout, err) : rc;
    if (rc == DR_OK) {
        rc = fill_stages(core, request, rollout, err);
    }
    if (rc != DR_OK) {
        dr_rollout_free(&rollout);
        return rc;
    }
    *out = rollout;
    return DR_OK;
}
