#include "support/pgproxy.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX  32u
#define CHUNK_SIZE 65536u

struct link {
    int client, server; // -1: free
    bool is_committing; // the COMMIT was passed on, the answer is counted
    size_t answered;
    bool was_asked; // the client spoke last
};

struct dr_pgproxy {
    pthread_t thread;
    int listener, wake[2];
    struct sockaddr_un server;
    struct link links[LINKS_MAX];
    atomic_int where;
    atomic_size_t after;
    atomic_bool has_cut;
    atomic_size_t trips;
    char chunk[CHUNK_SIZE];
};

static void
close_link(struct link *l)
{
    (void)close(l->client);
    (void)close(l->server);
    *l = (struct link){.client = -1, .server = -1};
}

static bool
pass(int to, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(to, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

// Passes `len` bytes of which only the first `may` are left before the cut.
static bool
pass_or_cut(struct dr_pgproxy *p, int to, size_t len, size_t may)
{
    bool is_cut = len > may || (len == may && may == 0);
    bool went = pass(to, p->chunk, is_cut ? may : len);
    if (is_cut) {
        atomic_store(&p->where, DR_PGPROXY_NEVER);
        atomic_store(&p->has_cut, true);
    }
    return went && !is_cut;
}

// From the client. Parse is 'P', length, name "", text "COMMIT": the message begins 6 bytes before
// the text.
static bool
from_client(struct dr_pgproxy *p, struct link *l, size_t len)
{
    static const char text[] = "COMMIT"; // with its NUL
    const char *at = memmem(p->chunk, len, text, sizeof text);
    int where = atomic_load(&p->where);
    if (l->is_committing && l->answered > 0) {
        l->is_committing = false; // the client has its answer and goes on
        atomic_store(&p->where, DR_PGPROXY_NEVER);
        return pass(l->server, p->chunk, len);
    }
    if (at == NULL || where == DR_PGPROXY_NEVER) {
        return pass(l->server, p->chunk, len);
    }
    size_t start = (size_t)(at - p->chunk);
    start = start < 6 ? 0 : start - 6;
    if (where == DR_PGPROXY_REQUEST) {
        return pass_or_cut(p, l->server, len, start + atomic_load(&p->after));
    }
    l->is_committing = true;
    l->answered = 0;
    return pass(l->server, p->chunk, len);
}

// From the server, counted from the first byte of the message that says COMMIT: 'C', length, tag.
static bool
from_server(struct dr_pgproxy *p, struct link *l, size_t len)
{
    static const char tag[] = "COMMIT";
    size_t after = atomic_load(&p->after), start = 0;
    if (!l->is_committing || atomic_load(&p->where) != DR_PGPROXY_ANSWER) {
        return pass(l->client, p->chunk, len);
    }
    if (l->answered == 0) {
        const char *at = memmem(p->chunk, len, tag, sizeof tag);
        if (at == NULL) {
            return pass(l->client, p->chunk, len);
        }
        start = at - p->chunk < 5 ? 0 : (size_t)(at - p->chunk) - 5;
    }
    size_t left = after > l->answered ? after - l->answered : 0;
    l->answered += len - start;
    return pass_or_cut(p, l->client, len, start + left);
}

static void
count_trip(struct dr_pgproxy *p, struct link *l, bool is_client, size_t len)
{
    bool is_goodbye = len == 5 && p->chunk[0] == 'X';
    if (is_client && !l->was_asked && !is_goodbye) {
        atomic_fetch_add(&p->trips, 1);
    }
    l->was_asked = is_client;
}

static void
serve_link(struct dr_pgproxy *p, struct link *l, bool is_client)
{
    ssize_t n = recv(is_client ? l->client : l->server, p->chunk, sizeof p->chunk, 0);
    if (n > 0) {
        count_trip(p, l, is_client, (size_t)n);
    }
    bool goes_on =
        n > 0 && (is_client ? from_client(p, l, (size_t)n) : from_server(p, l, (size_t)n));
    if (!goes_on) {
        close_link(l);
    }
}

static void
take_client(struct dr_pgproxy *p)
{
    int client = accept(p->listener, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t i = 0;
    while (i < LINKS_MAX && p->links[i].client >= 0) {
        i++;
    }
    if (client < 0 || server < 0 || i == LINKS_MAX ||
        connect(server, (const struct sockaddr *)&p->server, sizeof p->server) != 0) {
        (void)close(client);
        (void)close(server);
        return;
    }
    p->links[i] = (struct link){.client = client, .server = server};
}

static void *
serve(void *arg)
{
    struct dr_pgproxy *p = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * LINKS_MAX];
        fds[0] = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        for (size_t i = 0; i < LINKS_MAX; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = p->links[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = p->links[i].server, .events = POLLIN};
        }
        if (poll(fds, 2 + 2 * LINKS_MAX, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (fds[0].revents != 0) {
            return NULL;
        }
        for (size_t i = 0; i < 2 * LINKS_MAX; i++) {
            struct link *l = &p->links[i / 2];
            if (fds[2 + i].revents != 0 && l->client >= 0) {
                serve_link(p, l, i % 2 == 0);
            }
        }
        if (fds[1].revents != 0) {
            take_client(p);
        }
    }
}

static struct sockaddr_un
address(const char *folder, int port)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/.s.PGSQL.%d", folder, port);
    assert(n > 0 && (size_t)n < sizeof a.sun_path);
    return a;
}

struct dr_pgproxy *
dr_pgproxy_start(const char *folder, const char *server_folder, int port)
{
    struct dr_pgproxy *p = calloc(1, sizeof *p);
    struct sockaddr_un mine = address(folder, port);
    assert(p != NULL);
    p->server = address(server_folder, port);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        p->links[i] = (struct link){.client = -1, .server = -1};
    }
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_ready = p->listener >= 0 && pipe(p->wake) == 0 &&
                    bind(p->listener, (const struct sockaddr *)&mine, sizeof mine) == 0 &&
                    listen(p->listener, 16) == 0 && pthread_create(&p->thread, NULL, serve, p) == 0;
    assert(is_ready);
    return p;
}

void
dr_pgproxy_stop(struct dr_pgproxy **proxy)
{
    struct dr_pgproxy *p = *proxy;
    bool is_told = write(p->wake[1], "x", 1) == 1;
    assert(is_told);
    (void)pthread_join(p->thread, NULL);
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (p->links[i].client >= 0) {
            close_link(&p->links[i]);
        }
    }
    (void)close(p->listener);
    (void)close(p->wake[0]);
    (void)close(p->wake[1]);
    free(p);
    *proxy = NULL;
}

void
dr_pgproxy_cut(struct dr_pgproxy *proxy, enum dr_pgproxy_cut where, size_t after)
{
    atomic_store(&proxy->has_cut, false);
    atomic_store(&proxy->after, after);
    atomic_store(&proxy->where, (int)where);
}

bool
dr_pgproxy_has_cut(struct dr_pgproxy *proxy)
{
    return atomic_load(&proxy->has_cut);
}

size_t
dr_pgproxy_trips(struct dr_pgproxy *proxy)
{
    return atomic_load(&proxy->trips);
}
