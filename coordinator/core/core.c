// Core: transactions, and the state that they keep in step with the store.
#include "coordinator/core/core.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "coordinator/core/verified.h"
#include "coordinator/core/push.h"
#include "coordinator/core/push_cache.h"
#include "trust/plandoc.h"
#include "trust/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_MEMORY_MAX (256u << 20)

// ---- transactions

static enum dr_rc
save_rollout(struct dr_core *core, struct dr_rollout *rollout, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    Drover__V1__Rollout *message;
    enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                  : dr_rollout_message(rollout, arena, &message, err);

    if (rc == DR_OK) {
        size_t len = drover__v1__rollout__get_packed_size(message);
        uint8_t *bytes = dr_arena_alloc(arena, len);

        if (bytes == NULL) {
            rc = dr_err_set(err, DR_E_LIMIT, "rollout '%s' is too large", rollout->id);
        } else {
            drover__v1__rollout__pack(message, bytes);
            rc = core->store->ops->rollout_put(core->store, rollout->number, rollout->id,
                                               dr_rollout_is_open(rollout),
                                               (struct dr_bytes){bytes, len}, err);
        }
    }
    dr_arena_free(&arena);
    return rc;
}

static enum dr_rc
load_rollout(void *user, const char *id, struct dr_bytes body, struct dr_err *err)
{
    struct dr_rollout *rollout = NULL;

    DR_TRY(dr_rollout_unpack(body, &rollout, err));
    enum dr_rc rc = dr_core_add_rollout(user, &rollout, err);
    dr_rollout_free(&rollout);
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "rollout '%s'", id);
}

void
dr_core_drop_rollouts(struct dr_core *core)
{
    for (size_t i = 0; i < core->n_rollouts; i++) {
        dr_rollout_free(&core->rollouts[i]);
    }
    core->n_rollouts = 0;
}

enum dr_rc
dr_core_load_rollouts(struct dr_core *core, struct dr_err *err)
{
    DR_TRY(core->store->ops->rollout_list(core->store, false, load_rollout, core, err));
    for (size_t i = 0; i < core->n_rollouts; i++) {
        dr_rollout_retry_all(core->rollouts[i]);
    }
    return DR_OK;
}

enum dr_rc
dr_core_begin(struct dr_core *core, struct dr_err *err)
{
    return core->store->ops->begin(core->store, err);
}

// Memory follows the store: what a failed transaction changed is read again.
static void
take_back(struct dr_core *core)
{
    struct dr_err err = {0};

    core->store->ops->rollback(core->store);
    core->evidence_version++;
    if (dr_events_reload(core->events, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the log's end cannot be read", &err);
    }
    bool is_dirty = false;
    for (size_t i = 0; i < core->n_rollouts; i++) {
        is_dirty = is_dirty || core->rollouts[i]->is_dirty;
    }
    if (is_dirty) {
        dr_core_drop_rollouts(core);
        if (dr_core_load_rollouts(core, &err) != DR_OK) {
            dr_log_err(DR_LOG_ERROR, "rollouts cannot be read", &err);
            abort(); // the next new one would take the number of one that is there
        }
    }
}

enum dr_rc
dr_core_end(struct dr_core *core, enum dr_rc rc, struct dr_err *err)
{
    for (size_t i = 0; rc == DR_OK && i < core->n_rollouts; i++) {
        if (core->rollouts[i]->is_dirty) {
            rc = save_rollout(core, core->rollouts[i], err);
        }
    }
    if (rc == DR_OK && DR_FAILPOINT("core-commit")) {
        rc = dr_err_set(err, DR_E_STORE, "failpoint");
    }
    if (rc == DR_OK) {
        rc = core->store->ops->commit(core->store, err);
    }
    if (rc != DR_OK) {
        take_back(core);
        return rc;
    }
    (void)DR_FAILPOINT("core-committed");
    for (size_t i = 0; i < core->n_rollouts; i++) {
        core->rollouts[i]->is_dirty = false;
    }
    return DR_OK;
}

void
dr_core_fail(struct dr_core *core, struct dr_call *call, const struct dr_err *err)
{
    const struct dr_caller *caller = dr_call_caller(call);
    bool is_ours = dr_rc_rpc_status(err->rc) == 13 || err->rc == DR_E_NOMEM;

    (void)core;
    dr_log(is_ours                     ? DR_LOG_ERROR
           : err->rc == DR_E_NOT_FOUND ? DR_LOG_DEBUG // a question that was answered
                                       : DR_LOG_INFO,
           "call failed", "method", dr_call_method(call)->name, "caller", caller->name, "address",
           dr_call_address(call), "code", dr_rc_name(err->rc), "error", err->message, NULL);
    dr_call_fail(call, err);
}

void
dr_core_answer(struct dr_core *core, struct dr_call *call, enum dr_rc rc,
               const ProtobufCMessage *reply, struct dr_err *err)
{
    if (rc == DR_OK) {
        rc = dr_call_record(call, reply, err);
    }
    rc = dr_core_end(core, rc, err);
    if (rc == DR_OK) {
        dr_call_reply(call, reply);
        (void)DR_FAILPOINT("core-replied");
    } else {
        err->rc = rc;
        dr_core_fail(core, call, err);
    }
}

// ---- state

struct dr_rollout *
dr_core_rollout(struct dr_core *core, const char *id)
{
    for (size_t i = 0; i < core->n_rollouts; i++) {
        if (strcmp(core->rollouts[i]->id, id) == 0) {
            return core->rollouts[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_core_add_rollout(struct dr_core *core, struct dr_rollout **take, struct dr_err *err)
{
    if (core->n_rollouts == core->rollouts_cap) {
        size_t cap = core->rollouts_cap == 0 ? 16 : core->rollouts_cap * 2;
        struct dr_rollout **grown = realloc(core->rollouts, cap * sizeof *grown);

        if (grown == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        core->rollouts = grown;
        core->rollouts_cap = cap;
    }
    core->rollouts[core->n_rollouts++] = *take;
    *take = NULL;
    return DR_OK;
}

struct dr_agent *
dr_core_agent(struct dr_core *core, const char *name)
{
    struct dr_agent *agent = NULL;

    HASH_FIND_STR(core->agents, name, agent);
    if (agent == NULL) {
        agent = calloc(1, sizeof *agent);
        if (agent == NULL) {
            return NULL;
        }
        agent->core = core;
        agent->away_ms = core->started_ms;
        (void)snprintf(agent->name, sizeof agent->name, "%s", name);
        HASH_ADD_STR(core->agents, name, agent);
    }
    return agent;
}

enum dr_rc
dr_core_plan(struct dr_core *core, const uint8_t sha256[32], const Drover__V1__Plan **out,
             struct dr_err *err)
{
    for (size_t i = 0; i < DR_CORE_PLANS_CACHED; i++) {
        if (core->plans[i].plan != NULL && memcmp(core->plans[i].sha256, sha256, 32) == 0) {
            *out = core->plans[i].plan;
            return DR_OK;
        }
    }
    struct dr_cached_plan fresh = {.arena = dr_arena_new(PLAN_MEMORY_MAX)};
    struct dr_bytes bytes;
    enum dr_rc rc = fresh.arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                        : core->store->ops->blob_read(core->store, sha256,
                                                                      fresh.arena, &bytes, err);

    if (rc == DR_E_NOT_FOUND) {
        rc = dr_err_set(err, DR_E_BLOB_MISSING, "the plan's bytes are not here");
    }
    if (rc == DR_OK) {
        rc = dr_plandoc_decode(fresh.arena, bytes, sha256, &fresh.plan, err);
    }
    if (rc != DR_OK) {
        dr_arena_free(&fresh.arena);
        return rc;
    }
    memcpy(fresh.sha256, sha256, 32);
    struct dr_cached_plan *slot = &core->plans[core->next_plan++ % DR_CORE_PLANS_CACHED];
    dr_arena_free(&slot->arena);
    *slot = fresh;
    *out = slot->plan;
    return DR_OK;
}

enum dr_rc
dr_core_index_trust(struct dr_core *core, struct dr_err *err)
{
    dr_directory_free(&core->directory);
    dr_push_cache_free(&core->push_cache);
    dr_verified_forget(core);
    core->evidence_version++;
    core->trust = dr_trust_store_get(core->trust_store);
    for (size_t i = 0; i < core->n_rollouts; i++) {
        dr_rollout_retry_all(core->rollouts[i]); // what the policy says of waves may have changed
    }
    return dr_directory_new(core->trust, &core->directory, err);
}

enum dr_rc
dr_core_trust_update(struct dr_core *core, const Drover__V1__TrustUpdate *update, bool *out_changed,
                     struct dr_err *err)
{
    bool changed = false;
    struct dr_err later = {0};
    enum dr_rc rc =
        dr_trust_store_update(core->trust_store, update, dr_now_unix_s(), &changed, err);
    enum dr_rc indexed = dr_core_index_trust(
        core, &later); // also after a failure: an earlier part may have been taken

    if (indexed != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the fleet cannot be indexed", &later);
        abort(); // nothing could be answered; the next start reads it again
    }
    core->must_recheck = core->must_recheck || changed;
    if (rc == DR_OK && changed) {
        rc = dr_push_trust_all(core, err);
    }
    if (rc == DR_OK) {
        *out_changed = changed;
    }
    return rc;
}
