// A server on a thread of its own, callers with known keys, and handlers that tests steer. Included
// by tests of rpc.
#ifndef DR_TESTS_RPC_WORLD_H
#define DR_TESTS_RPC_WORLD_H

#include "base/clock.h"
#include "base/str.h"
#include "proto/service.pb-c.h"
#include "rpc/client.h"
#include "rpc/noise.h"
#include "rpc/server.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define WORLD_PATIENCE_MS 20000
#define WORLD_MIB         (1024u * 1024u)

// nng frees its dialer's mutex after an atomic count that the sanitizer cannot see into.
const char *__tsan_default_suppressions(void);
const char *
__tsan_default_suppressions(void)
{
    return "race_top:pthread_mutex_destroy\n";
}

struct world {
    struct dr_noise_pair server_key, person, agent, stranger;
    uint8_t cluster[16];
    struct dr_rpc_limits limits;
    const char *scheme, *cert;
    uint16_t port;
    struct dr_rpc_store store; // outlives a restart
    struct dr_rpc_memory_store *memory;
    struct dr_rpc_server *server;
    pthread_t thread;
    int stop_fd;
    bool is_running;
    // What the handlers saw.
    atomic_uint executed, gone, streams, sent_refused, rooms;
    atomic_bool person_is_gone, drop_reply, recheck, hold;
    struct dr_call *parked; // loop thread only
};

// A new pair of transport keys.
DR_UNUSED static void
make_pair(struct dr_noise_pair *out)
{
    dr_noise_random(out->secret, sizeof out->secret);
    dr_noise_public(out);
}

DR_UNUSED static void
world_fail(struct dr_call *call, enum dr_rc rc, const char *message)
{
    struct dr_err err = {0};
    dr_err_set(&err, rc, "%s", message);
    dr_err_hint(&err, "try: something else");
    dr_call_fail(call, &err);
}

static void
world_on_gone(struct dr_call *call, void *user)
{
    struct world *world = user;
    (void)call;
    world->parked = NULL;
    atomic_fetch_add(&world->gone, 1);
}

// GetRollout: echoes the id; "fail" fails.
static void
world_get(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    const Drover__V1__RolloutId *asked = (const Drover__V1__RolloutId *)request;
    Drover__V1__Rollout reply;
    (void)user;
    if (strcmp(asked->id, "fail") == 0) {
        world_fail(call, DR_E_NOT_FOUND, "there is no rollout 'fail'");
        return;
    }
    if (strcmp(asked->id, "nothing") == 0) {
        return; // neither an answer nor on_gone
    }
    drover__v1__rollout__init(&reply);
    reply.id = asked->id;
    dr_call_reply(call, &reply.base);
}

// OrderRollout: counts; the reply of the first one may be lost.
static void
world_order(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct world *world = user;
    const Drover__V1__RolloutOrder *asked = (const Drover__V1__RolloutOrder *)request;
    Drover__V1__Rollout reply;
    char state[32];
    unsigned count = atomic_fetch_add(&world->executed, 1) + 1;
    drover__v1__rollout__init(&reply);
    snprintf(state, sizeof state, "execution %u", count);
    reply.id = asked->id;
    reply.state = state;
    if (atomic_exchange(&world->drop_reply, false)) {
        dr_rpc_server_kick(world->server, dr_call_caller(call)->key);
    }
    dr_call_reply(call, &reply.base);
}

// Log: stays open until it is gone.
static void
world_park(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct world *world = user;
    (void)request;
    world->parked = call;
    dr_call_on_gone(call, world_on_gone, world);
    atomic_fetch_add(&world->streams, 1);
}

static void
world_on_room(struct dr_call *call, void *user)
{
    struct world *world = user;
    (void)call;
    atomic_fetch_add(&world->rooms, 1);
}

static bool
world_send(struct world *world, struct dr_call *call, uint64_t index, char *text)
{
    Drover__V1__RolloutEvent event;
    Drover__V1__LogEntry entry;
    struct dr_err err = {0};
    drover__v1__rollout_event__init(&event);
    drover__v1__log_entry__init(&entry);
    entry.index = index;
    entry.text = text;
    event.entry = &entry;
    if (dr_call_send(call, &event.base, &err) != DR_OK) {
        atomic_fetch_add(&world->sent_refused, 1);
        return false;
    }
    return true;
}

// WatchRollout: "count" sends after_log_index items and ends; "fail" sends two and fails; "flood"
// sends 64 KiB items until it is refused; else it stays open.
static void
world_watch(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct world *world = user;
    const Drover__V1__WatchRequest *asked = (const Drover__V1__WatchRequest *)request;
    static char big[64 * 1024];
    char none[] = "";
    dr_call_on_gone(call, world_on_gone, world);
    dr_call_on_room(call, world_on_room, world);
    atomic_fetch_add(&world->streams, 1);
    if (strcmp(asked->rollout, "count") == 0 || strcmp(asked->rollout, "fail") == 0) {
        for (uint64_t i = 1; i <= asked->after_log_index; i++) {
            world_send(world, call, i, none);
        }
    }
    if (strcmp(asked->rollout, "count") == 0) {
        dr_call_end(call);
    } else if (strcmp(asked->rollout, "fail") == 0) {
        world_fail(call, DR_E_CONFLICT, "the rollout was aborted");
    } else if (strcmp(asked->rollout, "flood") == 0) {
        memset(big, 'x', sizeof big - 1);
        for (uint64_t i = 1; i < 10000 && world_send(world, call, i, big); i++) {
        }
    }
}

// Put: says how large the envelope was.
static void
world_put(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    const Drover__V1__Document *asked = (const Drover__V1__Document *)request;
    Drover__V1__PutDocumentReply reply;
    (void)user;
    drover__v1__put_document_reply__init(&reply);
    reply.signatures = (uint32_t)asked->envelope.len;
    reply.sha256 = asked->sha256;
    dr_call_reply(call, &reply.base);
}

// Get: a document of `version` bytes.
static void
world_get_document(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    const Drover__V1__GetDocumentRequest *asked = (const Drover__V1__GetDocumentRequest *)request;
    Drover__V1__Document reply;
    (void)user;
    drover__v1__document__init(&reply);
    reply.envelope.len = asked->version;
    reply.envelope.data = dr_arena_alloc(dr_call_arena(call), asked->version);
    dr_call_reply(call, &reply.base);
}

static void
world_ack(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct world *world = user;
    Drover__V1__Empty reply;
    (void)request;
    drover__v1__empty__init(&reply);
    atomic_fetch_add(&world->executed, 1);
    dr_call_reply(call, &reply.base);
}

static const struct dr_rpc_route world_routes[] = {
    {DR_METHOD_OPERATOR_GET_ROLLOUT, world_get},
    {DR_METHOD_OPERATOR_ORDER_ROLLOUT, world_order},
    {DR_METHOD_OPERATOR_WATCH_ROLLOUT, world_watch},
    {DR_METHOD_OPERATOR_LOG, world_park},
    {DR_METHOD_DOCUMENTS_PUT, world_put},
    {DR_METHOD_DOCUMENTS_GET, world_get_document},
    {DR_METHOD_AGENT_ACK, world_ack},
};

static void
world_lookup(void *user, const uint8_t key[32], struct dr_caller *out)
{
    struct world *world = user;
    if (memcmp(key, world->person.public, 32) == 0 && !atomic_load(&world->person_is_gone)) {
        out->kind = DR_CALLER_PERSON;
        snprintf(out->name, sizeof out->name, "alice");
    } else if (memcmp(key, world->agent.public, 32) == 0) {
        out->kind = DR_CALLER_AGENT;
        snprintf(out->name, sizeof out->name, "orders-1");
    }
}

static void *
world_run(void *arg)
{
    struct world *world = arg;
    struct pollfd fds[2] = {{.fd = dr_rpc_server_fd(world->server), .events = POLLIN},
                            {.fd = world->stop_fd, .events = POLLIN}};
    while (poll(fds, 2, WORLD_PATIENCE_MS) >= 0 && fds[1].revents == 0) {
        while (atomic_load(&world->hold)) {
            (void)poll(NULL, 0, 1);
        }
        dr_rpc_server_step(world->server);
        if (atomic_exchange(&world->recheck, false)) {
            dr_rpc_server_recheck(world->server);
        }
    }
    uint64_t stop;
    assert_int_equal(read(world->stop_fd, &stop, sizeof stop), sizeof stop);
    dr_rpc_server_close(&world->server);
    return NULL;
}

static void
world_start(struct world *world)
{
    struct dr_err err = {0};
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", world->scheme, world->port);
    const struct dr_rpc_server_config config = {
        .url = url,
        .secret_key = world->server_key.secret,
        .cluster_id = world->cluster,
        .tls_cert_key_file = world->cert,
        .lookup = world_lookup,
        .routes = world_routes,
        .route_count = DR_COUNT_OF(world_routes),
        .store = world->store,
        .limits = world->limits,
        .user = world,
    };
    if (dr_rpc_server_open(&config, &world->server, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    world->port = dr_rpc_server_port(world->server);
    world->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&world->thread, NULL, world_run, world), 0);
    world->is_running = true;
}

static void
world_stop(struct world *world)
{
    uint64_t one = 1;
    atomic_store(&world->hold, false);
    if (world->is_running) {
        assert_int_equal(write(world->stop_fd, &one, sizeof one), sizeof one);
        pthread_join(world->thread, NULL);
        close(world->stop_fd);
        world->is_running = false;
    }
}

static struct world *
world_new(void)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    make_pair(&world->server_key);
    make_pair(&world->person);
    make_pair(&world->agent);
    make_pair(&world->stranger);
    memset(world->cluster, 0xc1, sizeof world->cluster);
    world->memory = dr_rpc_memory_store_new(64);
    world->store = dr_rpc_memory_store_as(world->memory);
    world->scheme = "tcp";
    world->limits.canary_ms = UINT32_MAX;
    return world;
}

DR_UNUSED static int
world_setup(void **state)
{
    struct world *world = world_new();
    world_start(world);
    *state = world;
    return 0;
}

DR_UNUSED static int
world_teardown(void **state)
{
    struct world *world = *state;
    world_stop(world);
    dr_rpc_memory_store_free(&world->memory);
    free(world);
    return 0;
}

DR_UNUSED static struct dr_rpc_client_config
world_client_config(const struct world *world, const struct dr_noise_pair *caller, char url[64])
{
    snprintf(url, 64, "%s://127.0.0.1:%u", world->scheme, world->port);
    return (struct dr_rpc_client_config){
        .url = url,
        .server_key = world->server_key.public,
        .secret_key = caller->secret,
        .cluster_id = world->cluster,
        .backoff_min_ms = 5,
        .backoff_max_ms = 50,
    };
}

DR_UNUSED static struct dr_rpc_client *
world_client(const struct world *world, const struct dr_noise_pair *caller)
{
    char url[64];
    struct dr_err err = {0};
    struct dr_rpc_client *client = NULL;
    struct dr_rpc_client_config config = world_client_config(world, caller, url);
    if (dr_rpc_client_open(&config, &client, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return client;
}

// GetRollout of `id`; the answer's id is compared.
DR_UNUSED static enum dr_rc
world_echo(struct dr_rpc_client *client, const char *id, uint32_t deadline_ms, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    Drover__V1__RolloutId request;
    ProtobufCMessage *reply = NULL;
    drover__v1__rollout_id__init(&request);
    request.id = dr_arena_str(arena, id);
    enum dr_rc rc = dr_rpc_call(client, DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base, arena,
                                &reply, deadline_ms, err);
    if (rc == DR_OK) {
        assert_string_equal(((Drover__V1__Rollout *)reply)->id, id);
    }
    dr_arena_free(&arena);
    return rc;
}

// Waits until `*value` is at least `wanted`.
DR_UNUSED static void
world_await(atomic_uint *value, unsigned wanted)
{
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    while (atomic_load(value) < wanted) {
        assert_true(dr_monotonic_ms() < until_ms);
        (void)poll(NULL, 0, 1);
    }
}

// Waits until the server has exactly so many connections.
DR_UNUSED static void
world_await_connections(struct world *world, uint32_t wanted)
{
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    for (;;) {
        struct dr_rpc_server_stats stats;
        dr_rpc_server_stats(world->server, &stats);
        if (stats.connections == wanted) {
            return;
        }
        assert_true(dr_monotonic_ms() < until_ms);
        (void)poll(NULL, 0, 2);
    }
}

DR_UNUSED static unsigned
world_count_fds(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

#endif
