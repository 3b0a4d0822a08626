// Opening and closing the server, and what its owner asks of it.
#include "rpc/server_priv.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utlist.h>

#define FAREWELL_MS      200 // for the last answers and the GOAWAY to leave
#define FAREWELL_STEP_MS 5
#define MEMORY_RESULTS   1024u

static const struct dr_rpc_limits defaults = {
    .hello_timeout_ms = 5000,
    .heartbeat_ms = 20000,
    .hello_per_address = 256,
    .hello_total = 4096,
    .connections_max = 20000,
    .unknown_per_address = 16,
    .calls_per_connection = 256,
    .stream_window = 32,
    .stream_queue_bytes = 1024u * 1024u,
    .stream_cut_bytes = 4u * 1024u * 1024u,
    .canary_ms = 10000,
};

static void
set_limit(uint32_t *limit, uint32_t fallback)
{
    *limit = *limit == 0 ? fallback : *limit;
}

static void
set_limits(struct dr_rpc_limits *limits)
{
    set_limit(&limits->hello_timeout_ms, defaults.hello_timeout_ms);
    set_limit(&limits->heartbeat_ms, defaults.heartbeat_ms);
    set_limit(&limits->hello_per_address, defaults.hello_per_address);
    set_limit(&limits->hello_total, defaults.hello_total);
    set_limit(&limits->connections_max, defaults.connections_max);
    set_limit(&limits->unknown_per_address, defaults.unknown_per_address);
    set_limit(&limits->calls_per_connection, defaults.calls_per_connection);
    set_limit(&limits->stream_window, defaults.stream_window);
    set_limit(&limits->stream_queue_bytes, defaults.stream_queue_bytes);
    set_limit(&limits->stream_cut_bytes, defaults.stream_cut_bytes);
    set_limit(&limits->canary_ms, defaults.canary_ms);
}

static void
on_accept(void *user, struct dr_stream *stream)
{
    struct dr_rpc_server *server = user;
    dr_conn_accept(server->group, stream);
}

static void
on_tick(void *user)
{
    struct dr_rpc_server *server = user;
    if (server->port != NULL) {
        dr_port_tick(server->port, dr_monotonic_ms());
    }
}

static enum dr_rc
make_poll_set(struct dr_rpc_server *server, struct dr_err *err)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    server->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->timer_fd < 0 || server->epoll_fd < 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->timer_fd, &wanted) != 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, dr_group_fd(server->group), &wanted) != 0) {
        return dr_err_set(err, DR_E_NOMEM, "cannot make the server's poll set");
    }
    return DR_OK;
}

static enum dr_rc
take_config(struct dr_rpc_server *server, const struct dr_rpc_server_config *config,
            struct dr_err *err)
{
    server->self = dr_secret_new(sizeof(struct dr_noise_pair));
    if (server->self == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no locked memory for the transport key");
    }
    struct dr_noise_pair *self = (struct dr_noise_pair *)dr_secret_bytes(server->self);
    memcpy(self->secret, config->secret_key, sizeof self->secret);
    dr_noise_public(self);
    memcpy(server->cluster_id, config->cluster_id, sizeof server->cluster_id);
    server->lookup = config->lookup;
    server->user = config->user;
    server->limits = config->limits;
    set_limits(&server->limits);
    server->handlers[DR_METHOD_HEALTH_CHECK] = dr_builtin_health;
    server->handlers[DR_METHOD_REFLECTION_LIST] = dr_builtin_reflection;
    for (size_t i = 0; i < config->route_count; i++) {
        server->handlers[dr_method_at(config->routes[i].method)->id] = config->routes[i].handler;
    }
    server->store = config->store;
    if (config->store.get == NULL) {
        server->memory_store = dr_rpc_memory_store_new(MEMORY_RESULTS);
        if (server->memory_store == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory for stored results");
        }
        server->store = dr_rpc_memory_store_as(server->memory_store);
    }
    return DR_OK;
}

static enum dr_rc
open_group(struct dr_rpc_server *server, struct dr_err *err)
{
    const struct dr_rpc_limits *limits = &server->limits;
    struct dr_group_config config = {
        .is_server = true,
        .self = (const struct dr_noise_pair *)dr_secret_bytes(server->self),
        .hello_timeout_ms = limits->hello_timeout_ms,
        .heartbeat_ms = limits->heartbeat_ms,
        .hello_per_address = limits->hello_per_address,
        .hello_total = limits->hello_total,
        .connections_max = limits->connections_max,
        .on_tick = on_tick,
        .user = server,
    };
    memcpy(config.cluster_id, server->cluster_id, sizeof config.cluster_id);
    return dr_group_open(&config, &server->group, err);
}

enum dr_rc
dr_rpc_server_open(const struct dr_rpc_server_config *config, struct dr_rpc_server **out,
                   struct dr_err *err)
{
    struct dr_rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the server");
    }
    server->magic = DR_SERVER_MAGIC;
    server->epoll_fd = server->timer_fd = -1;
    server->timer_at_ms = DR_TIMER_NEVER;
    enum dr_rc rc = take_config(server, config, err);
    if (rc == DR_OK) {
        rc = open_group(server, err);
    }
    if (rc == DR_OK) {
        rc = make_poll_set(server, err);
    }
    if (rc == DR_OK) {
        rc = dr_port_open(config->url, config->tls_cert_key_file, server->limits.canary_ms,
                          on_accept, server, &server->port, err);
    }
    if (rc == DR_OK) {
        rc = dr_group_start(server->group, err);
    }
    if (rc != DR_OK) {
        dr_rpc_server_close(&server);
        return rc;
    }
    *out = server;
    return DR_OK;
}

static void
say_goodbye(struct dr_peer *peer)
{
    Drover__V1__Frame frame;
    drover__v1__frame__init(&frame);
    frame.kind = DROVER__V1__FRAME_KIND__GOAWAY;
    (void)!dr_conn_send(peer->conn, &frame, NULL);
    dr_conn_finish(peer->conn);
    dr_server_remove_peer(peer);
}

// Lets what is queued leave, for a moment.
static void
wait_for_farewell(struct dr_rpc_server *server)
{
    int64_t until_ms = dr_monotonic_ms() + FAREWELL_MS;
    while (atomic_load(&dr_group_stats(server->group)->connections) > 0 &&
           dr_monotonic_ms() < until_ms) {
        (void)poll(NULL, 0, FAREWELL_STEP_MS);
    }
}

void
dr_rpc_server_close(struct dr_rpc_server **server)
{
    if (*server == NULL) {
        return;
    }
    struct dr_rpc_server *s = *server;
    assert(s->magic == DR_SERVER_MAGIC);
    if (s->group != NULL) {
        dr_group_stop(s->group);
    }
    dr_port_close(&s->port);
    bool is_anybody = s->peers != NULL || s->strangers != NULL;
    while (s->peers != NULL) {
        say_goodbye(s->peers);
    }
    while (s->strangers != NULL) {
        say_goodbye(s->strangers);
    }
    if (is_anybody) {
        wait_for_farewell(s);
    }
    dr_group_close(&s->group);
    if (s->epoll_fd >= 0) {
        close(s->epoll_fd);
    }
    if (s->timer_fd >= 0) {
        close(s->timer_fd);
    }
    dr_deadlines_fini(&s->deadlines);
    dr_rpc_memory_store_free(&s->memory_store);
    dr_secret_free(&s->self);
    s->magic = 0;
    free(s);
    *server = NULL;
}

uint16_t
dr_rpc_server_port(const struct dr_rpc_server *server)
{
    return dr_port_number(server->port);
}

int
dr_rpc_server_fd(const struct dr_rpc_server *server)
{
    return server->epoll_fd;
}

static void
recheck(struct dr_rpc_server *server, struct dr_peer *list)
{
    struct dr_peer *peer;
    DL_FOREACH(list, peer)
    {
        struct dr_caller now;
        dr_server_look_up(server, peer->caller.key, &now);
        if (now.kind != peer->caller.kind || strcmp(now.name, peer->caller.name) != 0) {
            dr_conn_close(peer->conn, DR_E_UNREACHABLE, "the caller's key has changed its owner");
        }
    }
}

void
dr_rpc_server_recheck(struct dr_rpc_server *server)
{
    recheck(server, server->peers);
    recheck(server, server->strangers);
}

size_t
dr_rpc_server_kick(struct dr_rpc_server *server, const uint8_t key[32])
{
    return dr_group_kick(server->group, key);
}

void
dr_rpc_server_stats(struct dr_rpc_server *server, struct dr_rpc_server_stats *out)
{
    struct dr_group_stats *stats = dr_group_stats(server->group);
    *out = (struct dr_rpc_server_stats){
        .accepted = atomic_load(&stats->accepted),
        .refused = atomic_load(&stats->refused),
        .handshakes = atomic_load(&stats->handshakes),
        .frames_in = atomic_load(&stats->frames_in),
        .frames_out = atomic_load(&stats->frames_out),
        .calls = atomic_load(&server->calls),
        .cut_off = atomic_load(&server->cut_off),
        .relistened = dr_port_relistened(server->port),
        .connections = atomic_load(&stats->connections),
        .connections_hello = atomic_load(&stats->hello),
        .open_calls = atomic_load(&server->open_calls),
    };
}
