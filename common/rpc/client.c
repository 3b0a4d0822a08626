// The client itself: configuration, poll set, and the blocking calls, which step it until their
// answer is there.
#include "rpc/client_priv.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS  5000u
#define CONNECT_PATIENCE_MS 2000u
#define HEARTBEAT_MS        20000u
#define BACKOFF_MIN_MS      200u
#define BACKOFF_MAX_MS      30000u
#define NS_PER_MS           1000000L
#define MS_PER_S            1000
#define POLL_MAX_MS         1000 // the descriptor tells of every timer; this is only a belt

static uint32_t
or_default(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

// A copy of a string that may be NULL; false when memory is out.
static bool
copy(const char *text, char **out)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static enum dr_rc
take_config(struct dr_rpc_client *client, const struct dr_rpc_client_config *config,
            struct dr_err *err)
{
    client->config = *config;
    struct dr_rpc_client_config *own = &client->config;
    own->url = own->tls_ca_file = own->tls_server_name = NULL;
    own->server_key = own->secret_key = own->cluster_id = NULL;
    own->connect_timeout_ms = or_default(own->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    own->connect_patience_ms = or_default(own->connect_patience_ms, CONNECT_PATIENCE_MS);
    own->heartbeat_ms = or_default(own->heartbeat_ms, HEARTBEAT_MS);
    own->backoff_min_ms = or_default(own->backoff_min_ms, BACKOFF_MIN_MS);
    own->backoff_max_ms = or_default(own->backoff_max_ms, BACKOFF_MAX_MS);
    memcpy(client->server_key, config->server_key, sizeof client->server_key);
    client->self = dr_secret_new(sizeof(struct dr_noise_pair));
    if (client->self == NULL || !copy(config->url, &client->url) ||
        !copy(config->tls_ca_file, &client->tls_ca_file) ||
        !copy(config->tls_server_name, &client->tls_server_name)) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the client");
    }
    struct dr_noise_pair *self = (struct dr_noise_pair *)dr_secret_bytes(client->self);
    memcpy(self->secret, config->secret_key, sizeof self->secret);
    dr_noise_public(self);
    return dr_stream_check_url(config->url, err);
}

static enum dr_rc
make_group(struct dr_rpc_client *client, const uint8_t *cluster_id, struct dr_err *err)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    struct dr_group_config config = {
        .self = (const struct dr_noise_pair *)dr_secret_bytes(client->self),
        .has_cluster_id = cluster_id != NULL,
        .hello_timeout_ms = client->config.connect_timeout_ms,
        .heartbeat_ms = client->config.heartbeat_ms,
    };
    if (cluster_id != NULL) {
        memcpy(config.cluster_id, cluster_id, sizeof config.cluster_id);
    }
    enum dr_rc rc = dr_group_open(&config, &client->group, err);
    if (rc != DR_OK) {
        return rc;
    }
    client->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (client->timer_fd < 0 || client->epoll_fd < 0 ||
        epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, client->timer_fd, &wanted) != 0 ||
        epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, dr_group_fd(client->group), &wanted) != 0) {
        return dr_err_set(err, DR_E_NOMEM, "cannot make the client's poll set");
    }
    return dr_group_start(client->group, err);
}

enum dr_rc
dr_rpc_client_open(const struct dr_rpc_client_config *config, struct dr_rpc_client **out,
                   struct dr_err *err)
{
    struct dr_rpc_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the client");
    }
    client->magic = DR_CLIENT_MAGIC;
    client->epoll_fd = client->timer_fd = -1;
    client->timer_at_ms = INT64_MAX;
    pthread_mutex_init(&client->mail_lock, NULL);
    enum dr_rc rc = take_config(client, config, err);
    if (rc == DR_OK) {
        rc = make_group(client, config->cluster_id, err);
    }
    if (rc != DR_OK) {
        dr_rpc_client_close(&client);
        return rc;
    }
    if (config->is_persistent) {
        dr_group_wake(client->group);
    }
    *out = client;
    return DR_OK;
}

void
dr_rpc_client_close(struct dr_rpc_client **client)
{
    if (*client == NULL) {
        return;
    }
    struct dr_rpc_client *c = *client;
    struct dr_err err = {0};
    assert(c->magic == DR_CLIENT_MAGIC);
    dr_err_set(&err, DR_E_INTERRUPTED, "the connection to '%s' is being closed",
               c->url == NULL ? "" : c->url);
    while (c->pendings != NULL) {
        dr_pending_end(c, c->pendings, NULL, &err);
    }
    dr_link_close(c);
    dr_group_close(&c->group);
    if (c->epoll_fd >= 0) {
        close(c->epoll_fd);
    }
    if (c->timer_fd >= 0) {
        close(c->timer_fd);
    }
    pthread_mutex_destroy(&c->mail_lock);
    dr_secret_free(&c->self);
    free(c->url);
    free(c->tls_ca_file);
    free(c->tls_server_name);
    c->magic = 0;
    free(c);
    *client = NULL;
}

bool
dr_rpc_client_is_up(const struct dr_rpc_client *client)
{
    return client->state == DR_LINK_UP;
}

int
dr_rpc_client_fd(const struct dr_rpc_client *client)
{
    return client->epoll_fd;
}

// A timer that is too early does no harm: it is set anew when it fires.
static void
arm_timer(struct dr_rpc_client *client)
{
    int64_t link_ms = dr_link_next_ms(client), call_ms = dr_pending_next_ms(client);
    int64_t at_ms = link_ms < call_ms ? link_ms : call_ms;
    if (at_ms >= client->timer_at_ms) {
        return;
    }
    int64_t left_ms = at_ms - dr_monotonic_ms();
    left_ms = left_ms < 1 ? 1 : left_ms;
    const struct itimerspec spec = {
        .it_value = {.tv_sec = left_ms / MS_PER_S, .tv_nsec = left_ms % MS_PER_S * NS_PER_MS}};
    if (timerfd_settime(client->timer_fd, 0, &spec, NULL) == 0) {
        client->timer_at_ms = at_ms;
    }
}

void
dr_rpc_client_step(struct dr_rpc_client *client)
{
    uint64_t expirations;
    int64_t now_ms = dr_monotonic_ms();
    assert(client->magic == DR_CLIENT_MAGIC);
    if (now_ms >= client->timer_at_ms &&
        read(client->timer_fd, &expirations, sizeof expirations) > 0) {
        client->timer_at_ms = INT64_MAX;
    }
    client->is_stepping = true;
    dr_link_step(client, now_ms);
    dr_pending_step(client, dr_monotonic_ms());
    client->is_stepping = false;
    dr_conn_release(&client->held);
    arm_timer(client);
}

// -------------------------------------------------------------------------------------------------
// blocking

bool
dr_client_wait(struct dr_rpc_client *client, int64_t until_ms, int wake_fd)
{
    struct pollfd fds[2] = {{.fd = client->epoll_fd, .events = POLLIN},
                            {.fd = wake_fd, .events = POLLIN}};
    int64_t left_ms = until_ms - dr_monotonic_ms();
    left_ms = left_ms < 0 ? 0 : left_ms > POLL_MAX_MS ? POLL_MAX_MS : left_ms;
    return poll(fds, wake_fd < 0 ? 1 : 2, (int)left_ms) > 0 && wake_fd >= 0 && fds[1].revents != 0;
}

struct answer {
    bool is_done;
    const ProtobufCMessage *reply;
    struct dr_err err;
};

static void
on_answer(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct answer *answer = user;
    answer->is_done = true;
    answer->reply = reply;
    answer->err = *err;
}

static void
fill(struct dr_err *err, const struct dr_err *from)
{
    if (err != NULL) {
        *err = *from;
    }
}

enum dr_rc
dr_rpc_call(struct dr_rpc_client *client, enum dr_method_id method, const ProtobufCMessage *request,
            struct dr_arena *arena, ProtobufCMessage **out_reply, uint32_t deadline_ms,
            struct dr_err *err)
{
    struct answer answer = {0};
    union {
        const ProtobufCMessage *in;
        ProtobufCMessage *out;
    } reply;
    assert(deadline_ms > 0 && !dr_method_at(method)->is_streaming);
    struct dr_pending *pending = dr_pending_new(client, method, request, deadline_ms, &answer.err);
    if (pending == NULL) {
        fill(err, &answer.err);
        return answer.err.rc;
    }
    pending->is_blocking = true;
    pending->patience_ms = dr_monotonic_ms() + client->config.connect_patience_ms;
    pending->arena = arena;
    pending->on_done = on_answer;
    pending->user = &answer;
    for (dr_rpc_client_step(client); !answer.is_done; dr_rpc_client_step(client)) {
        (void)dr_client_wait(client, INT64_MAX, -1);
    }
    if (answer.err.rc != DR_OK) {
        fill(err, &answer.err);
        return answer.err.rc;
    }
    reply.in = answer.reply;
    *out_reply = reply.out;
    return DR_OK;
}
