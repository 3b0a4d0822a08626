// Core, part two: opening and closing, the loop's step.
#include "coordinator/core/core.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/enroll.h"
#include "coordinator/core/grants.h"
#include "coordinator/core/latest.h"
#include "coordinator/core/order_progress.h"
#include "coordinator/core/push.h"
#include "coordinator/core/push_cache.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/verified.h"
#include "coordinator/core/view_kept.h"
#include "coordinator/core/watch.h"
#include "trust/keyfile.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS       3600000
#define FLEET_FILE_MAX (64u << 20)

// ---- opening

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
    return rc == DR_OK ? dr_core_index_trust(core, err) : rc;
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

// What trust refuses in a file is no reason to stop: a newer document came over the wire, or people
// have to sign again.
static enum dr_rc
put_file(struct dr_core *core, const Drover__V1__Document *document, const char *path,
         struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    Drover__V1__PutDocumentReply reply;
    enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                  : dr_documents_put(core, document, "", arena, &reply, err);
    dr_arena_free(&arena);
    if (rc == DR_OK && !reply.complete) {
        dr_log(DR_LOG_WARN, "a trust file lacks signatures", "file", path, NULL);
    }
    if (rc == DR_E_EXISTS) {
        return DR_OK;
    }
    if (rc >= 100 && rc < 200) {
        dr_err_wrap(err, "'%s'", path);
        dr_log_err(rc == DR_E_ROLLBACK ? DR_LOG_INFO : DR_LOG_WARN, "a trust file is not taken",
                   err);
        return DR_OK;
    }
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "'%s'", path);
}

// The root file: N + 1 when people have put it there.
static enum dr_rc
take_root_file(struct dr_core *core, struct dr_err *err)
{
    Drover__V1__Document document;
    char *bytes = NULL;
    size_t len = 0;

    DR_TRY(dr_file_read(core->config.root, DR_ENVELOPE_MAX, &bytes, &len, err));
    drover__v1__document__init(&document);
    document.envelope = (ProtobufCBinaryData){len, (uint8_t *)bytes};
    enum dr_rc rc = put_file(core, &document, core->config.root, err);
    free(bytes);
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
    enum dr_rc rc = put_file(core, document, core->config.fleet, err);
    drover__v1__document__free_unpacked(document, NULL);
    return rc;
}

enum dr_rc
dr_core_reload(struct dr_core *core, struct dr_err *err)
{
    DR_TRY(dr_core_begin(core, err));
    enum dr_rc rc = dr_documents_adopt(core, err);
    if (rc == DR_OK) {
        rc = take_root_file(core, err);
    }
    if (rc == DR_OK) {
        rc = take_fleet_file(core, err);
    }
    return dr_core_end(core, rc, err);
}

// A log that was changed is shouted about, and goes on: the place stays provable, and nobody can
// stop the coordinator by it.
static enum dr_rc
open_events(struct dr_core *core, struct dr_err *err)
{
    struct dr_err broken = {0};
    const struct dr_event alarm = {"alarm", "log", "", NULL};
    enum dr_rc rc = dr_events_open(core->store, true, &core->events, &broken);

    if (rc != DR_E_BAD_LOG) {
        *err = broken;
        return rc;
    }
    dr_log_err(DR_LOG_ERROR, "the event log was changed", &broken);
    DR_TRY(dr_events_open(core->store, false, &core->events, err));
    DR_TRY(dr_core_begin(core, err));
    rc = dr_events_add(core->events, &alarm, NULL, err, "%s", broken.message);
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
        rc = open_events(core, err);
    }
    if (rc == DR_OK) {
        rc = open_trust(core, err);
    }
    if (rc == DR_OK) {
        rc = dr_core_load_rollouts(core, err);
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

static void
drop_agents(struct dr_core *core)
{
    struct dr_agent *agent = core->agents;

    HASH_CLEAR(hh, core->agents);
    while (agent != NULL) {
        struct dr_agent *next = agent->hh.next;

        dr_push_forget_blobs(NULL, agent, UINT64_MAX);
        free(agent);
        agent = next;
    }
}

void
dr_core_close(struct dr_core **core_pointer)
{
    struct dr_core *core = core_pointer != NULL ? *core_pointer : NULL;

    if (core == NULL) {
        return;
    }
    dr_rpc_server_close(&core->server);
    dr_watch_drop_all(core);
    drop_agents(core);
    dr_core_drop_rollouts(core);
    free(core->rollouts);
    for (size_t i = 0; i < DR_CORE_PLANS_CACHED; i++) {
        dr_arena_free(&core->plans[i].arena);
    }
    for (size_t i = 0; i < DR_CORE_EVIDENCE_CACHED; i++) {
        dr_arena_free(&core->evidence[i].arena);
    }
    dr_grants_free(core);
    dr_push_cache_free(&core->push_cache);
    dr_latest_free(core);
    dr_verified_forget(core);
    dr_view_kept_forget(core);
    dr_order_progress_free(core);
    dr_directory_free(&core->directory);
    dr_enroll_free(&core->enroll);
    dr_trust_store_close(&core->trust_store);
    dr_events_close(&core->events);
    dr_store_close(&core->store);
    free(core);
    *core_pointer = NULL;
}

// ---- loop

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

static int64_t
tick_ms(const struct dr_core *core)
{
    return core->config.tick_ms > 0 ? core->config.tick_ms : DR_CORE_TICK_MS;
}

int
dr_core_timeout_ms(const struct dr_core *core)
{
    int64_t due = core->last_tick_ms + tick_ms(core);

    if (core->feed_due_ms != 0 && core->feed_due_ms < due) {
        due = core->feed_due_ms;
    }
    int64_t left = due - dr_monotonic_ms();
    return left < 0 ? 0 : (int)left;
}

static void
feed(struct dr_core *core)
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
    if (now_ms - core->last_tick_ms >= tick_ms(core)) {
        tick(core, now_ms);
    }
    feed(core);
}
