// Core: opening, transactions, the loop's step.
#include "coordinator/core/core.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/watch.h"
#include "trust/keyfile.h"
#include "trust/plandoc.h"
#include "trust/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_MEMORY_MAX (256u << 20)
#define SWEEP_MS        3600000
#define FLEET_FILE_MAX  (64u << 20)

// -------------------------------------------------------------------------------------------------------
// transactions

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

static void
drop_rollouts(struct dr_core *core)
{
    for (size_t i = 0; i < core->n_rollouts; i++) {
        dr_rollout_free(&core->rollouts[i]);
    }
    core->n_rollouts = 0;
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
    if (dr_events_reload(core->events, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the log's end cannot be read", &err);
    }
    bool is_dirty = false;
    for (size_t i = 0; i < core->n_rollouts; i++) {
        is_dirty = is_dirty || core->rollouts[i]->is_dirty;
    }
    if (is_dirty) {
        drop_rollouts(core);
        if (core->store->ops->rollout_list(core->store, false, load_rollout, core, &err) != DR_OK) {
            dr_log_err(DR_LOG_ERROR, "rollouts cannot be read", &err);
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
    if (rc == DR_OK) {
        rc = core->store->ops->commit(core->store, err);
    }
    if (rc != DR_OK) {
        take_back(core);
        return rc;
    }
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
    dr_log(is_ours ? DR_LOG_ERROR : DR_LOG_INFO, "call failed", "method",
           dr_call_method(call)->name, "caller", caller->name, "address", dr_call_address(call),
           "code", dr_rc_name(err->rc), "error", err->message, NULL);
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
    } else {
        err->rc = rc;
        dr_core_fail(core, call, err);
    }
}

// ----------------------------------------------------------------------------------------------------------------
// state

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

static enum dr_rc
index_trust(struct dr_core *core, struct dr_err *err)
{
    dr_directory_free(&core->directory);
    core->trust = dr_trust_store_get(core->trust_store);
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
    enum dr_rc indexed =
        index_trust(core, &later); // also after a failure: an earlier part may have been taken

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

// ---------------------------------------------------------------------------------------------------------------
// opening

static void
look_up(void *user, const uint8_t key[32], struct dr_caller *out)
{
    const struct dr_core *core = user;

    dr_directory_caller(core->directory, key, out);
}

static enum dr_rc
get_result(void *user, const uint8_t caller[32], const uint8_t request_id[16],
           struct dr_arena *arena, struct dr_rpc_result *out, struct dr_err *err)
{
    struct dr_core *core = user;
    struct dr_store_result row;

    DR_TRY(core->store->ops->result_get(core->store, caller, request_id, arena, &row, err));
    memcpy(out->request_sha256, row.request_sha256, 32);
    out->body = row.body.data;
    out->body_len = row.body.len;
    return DR_OK;
}

static enum dr_rc
put_result(void *user, const struct dr_rpc_result *result, struct dr_err *err)
{
    struct dr_core *core = user;
    struct dr_store_result row = {.body = {result->body, result->body_len},
                                  .time = dr_now_unix_s()};

    memcpy(row.caller, result->caller, 32);
    memcpy(row.request_id, result->request_id, 16);
    memcpy(row.request_sha256, result->request_sha256, 32);
    return core->store->ops->result_put(core->store, &row, err);
}

static enum dr_rc
open_trust(struct dr_core *core, struct dr_err *err)
{
    char path[PATH_MAX + 16];
    char *root = NULL;
    size_t len = 0;
    uint8_t pin[32];

    DR_TRY(dr_file_read(core->config.root, DR_ENVELOPE_MAX, &root, &len, err));
    struct dr_bytes first = {(const uint8_t *)root, len};
    dr_sha256(first, pin);
    (void)snprintf(path, sizeof path, "%s/trust", core->config.state);
    enum dr_rc rc = dr_dir_make(path, 0700, err);
    if (rc == DR_OK) {
        rc = dr_trust_store_open(path, first,
                                 core->config.has_root_pin ? core->config.root_sha256 : pin,
                                 &core->trust_store, err);
    }
    free(root);
    return rc == DR_OK ? index_trust(core, err) : rc;
}

static enum dr_rc
open_server(struct dr_core *core, struct dr_err *err)
{
    struct dr_key key = {0};
    struct dr_rpc_server_config config = {
        .url = core->config.listen, .lookup = look_up, .user = core};

    enum dr_rc rc = dr_keyfile_load(core->config.transport_key, DR_KEY_TRANSPORT, NULL, &key, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "transport key '%s'", core->config.transport_key);
    }
    config.secret_key = dr_secret_bytes(key.secret);
    config.cluster_id = core->trust->root.msg->cluster_id.data;
    config.tls_cert_key_file = core->config.tls[0] != '\0' ? core->config.tls : NULL;
    config.routes = dr_core_routes(&config.route_count);
    config.store = (struct dr_rpc_store){get_result, put_result, core};
    rc = dr_rpc_server_open(&config, &core->server, err);
    dr_key_fini(&key);
    return rc;
}

// The fleet file of the configuration, if it is newer than what is held; signatures may still be
// missing in it.
static enum dr_rc
take_fleet_file(struct dr_core *core, struct dr_err *err)
{
    char *bytes = NULL;
    size_t len = 0;

    if (core->config.fleet[0] == '\0') {
        return DR_OK;
    }
    DR_TRY(dr_file_read(core->config.fleet, FLEET_FILE_MAX, &bytes, &len, err));
    Drover__V1__Document *document =
        drover__v1__document__unpack(NULL, len, (const uint8_t *)bytes);
    free(bytes);
    if (document == NULL) {
        return dr_err_set(err, DR_E_CONFIG, "'%s' is not a document file", core->config.fleet);
    }
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    Drover__V1__PutDocumentReply reply;
    enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                  : dr_documents_put(core, document, "", arena, &reply, err);
    dr_arena_free(&arena);
    drover__v1__document__free_unpacked(document, NULL);
    if (rc == DR_OK && !reply.complete) {
        dr_log(DR_LOG_WARN, "the fleet file lacks signatures", "file", core->config.fleet, NULL);
    }
    if (rc >= 100 && rc < 200) { // what trust refuses: a newer one came over the wire, or people
                                 // have to sign again
        dr_log_err(rc == DR_E_ROLLBACK ? DR_LOG_INFO : DR_LOG_WARN, "the fleet file is not taken",
                   err);
        return DR_OK;
    }
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "fleet file '%s'", core->config.fleet);
}

enum dr_rc
dr_core_reload(struct dr_core *core, struct dr_err *err)
{
    DR_TRY(dr_core_begin(core, err));
    enum dr_rc rc = dr_documents_adopt(core, err);
    if (rc == DR_OK) {
        rc = take_fleet_file(core, err);
    }
    return dr_core_end(core, rc, err);
}

enum dr_rc
dr_core_open(const struct dr_config *config, struct dr_core **out, struct dr_err *err)
{
    struct dr_core *core = calloc(1, sizeof *core);

    if (core == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    core->config = *config;
    core->started_ms = dr_monotonic_ms();
    core->last_sweep_ms = core->started_ms;
    enum dr_rc rc = dr_store_sqlite_open(config->state, &core->store, err);
    if (rc == DR_OK) {
        rc = dr_events_open(core->store, true, &core->events, err);
    }
    if (rc == DR_OK) {
        rc = open_trust(core, err);
    }
    if (rc == DR_OK) {
        rc = core->store->ops->rollout_list(core->store, false, load_rollout, core, err);
    }
    if (rc == DR_OK) {
        rc = dr_core_reload(core, err);
    }
    if (rc == DR_OK) {
        rc = open_server(core, err);
    }
    if (rc != DR_OK) {
        dr_core_close(&core);
        return rc;
    }
    *out = core;
    return DR_OK;
}

void
dr_core_close(struct dr_core **core_pointer)
{
    struct dr_core *core = core_pointer != NULL ? *core_pointer : NULL;
    struct dr_agent *agent, *next;

    if (core == NULL) {
        return;
    }
    dr_rpc_server_close(&core->server);
    dr_watch_drop_all(core);
    HASH_ITER(hh, core->agents, agent, next)
    {
        HASH_DEL(core->agents, agent);
        free(agent);
    }
    drop_rollouts(core);
    free(core->rollouts);
    for (size_t i = 0; i < DR_CORE_PLANS_CACHED; i++) {
        dr_arena_free(&core->plans[i].arena);
    }
    dr_directory_free(&core->directory);
    dr_trust_store_close(&core->trust_store);
    dr_events_close(&core->events);
    dr_store_close(&core->store);
    free(core);
    *core_pointer = NULL;
}

// ------------------------------------------------------------------------------------------------------------------
// loop

int
dr_core_fd(const struct dr_core *core)
{
    return dr_rpc_server_fd(core->server);
}

uint16_t
dr_core_port(const struct dr_core *core)
{
    return dr_rpc_server_port(core->server);
}

int
dr_core_timeout_ms(const struct dr_core *core)
{
    int64_t left = core->last_tick_ms + DR_CORE_TICK_MS - dr_monotonic_ms();

    return left < 0 ? 0 : (int)left;
}

void
dr_core_feed(struct dr_core *core)
{
    struct dr_agent *agent, *next;

    HASH_ITER(hh, core->agents, agent, next)
    {
        if (agent->has_mail && agent->watch != NULL) {
            dr_push_pump(core, agent);
        }
    }
    dr_watch_feed(core);
}

static void
tick(struct dr_core *core, int64_t now_ms)
{
    struct dr_err err = {0};

    core->last_tick_ms = now_ms;
    dr_schedule_tick(core);
    if (now_ms - core->last_sweep_ms >= SWEEP_MS) {
        core->last_sweep_ms = now_ms;
        core->offers = 0;
        if (core->store->ops->sweep(core->store, dr_now_unix_s(), &err) != DR_OK) {
            dr_log_err(DR_LOG_WARN, "old results cannot be removed", &err);
        }
    }
    if (dr_trust_store_tick(core->trust_store, dr_now_unix_s(), &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "the clock's high water cannot be kept", &err);
    }
}

void
dr_core_step(struct dr_core *core)
{
    dr_rpc_server_step(core->server);
    if (core->must_recheck) {
        core->must_recheck = false;
        dr_rpc_server_recheck(core->server);
    }
    int64_t now_ms = dr_monotonic_ms();
    if (now_ms - core->last_tick_ms >= DR_CORE_TICK_MS) {
        tick(core, now_ms);
    }
    dr_core_feed(core);
}
