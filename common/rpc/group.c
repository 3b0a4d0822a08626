// Two lists: connections that have not proved their key (few, watched closely, capped) and the
// others. A list holds a reference to each. No lock of ours is held while a connection is closed,
// since that calls back into here.
#include "rpc/group.h"

#include "base/clock.h"
#include "rpc/conn.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define GROUP_MAGIC     0x6472677270ULL
#define TICK_MIN_MS     10u
#define TICK_MAX_MS     1000u
#define CLOSE_TIMEOUT_S 5
#define NS_PER_MS       1000000L
#define NS_PER_S        1000000000L

struct list {
    struct dr_conn *first, *last;
    uint32_t count;
};

struct dr_conn_group {
    uint64_t magic;
    struct dr_group_config config;
    struct dr_group_stats stats;
    pthread_mutex_t lock;
    pthread_cond_t cond; // stop, or the last connection was freed
    struct list hello, proved;
    uint32_t live; // connections not yet freed
    struct dr_event *first, *last;
    struct dr_event *taken; // the loop's: no longer in the queue
    int event_fd;
    bool is_woken, is_stopping, is_closing, is_sweeping;
    pthread_t sweeper;
};

// ---------------------------------------------------------------------------------------------------
// lists

static void
list_add(struct list *list, struct dr_conn *conn)
{
    struct dr_conn_links *links = dr_conn_links(conn);
    links->previous = list->last;
    links->next = NULL;
    *(list->last == NULL ? &list->first : &dr_conn_links(list->last)->next) = conn;
    list->last = conn;
    list->count++;
}

static void
list_remove(struct list *list, struct dr_conn *conn)
{
    struct dr_conn_links *links = dr_conn_links(conn);
    *(links->previous == NULL ? &list->first : &dr_conn_links(links->previous)->next) = links->next;
    *(links->next == NULL ? &list->last : &dr_conn_links(links->next)->previous) = links->previous;
    list->count--;
}

static uint32_t
count_of_address(const struct list *list, uint64_t address)
{
    uint32_t count = 0;
    for (struct dr_conn *c = list->first; c != NULL; c = dr_conn_links(c)->next) {
        count += dr_conn_address_key(c) == address;
    }
    return count;
}

bool
dr_group_add(struct dr_conn_group *group, struct dr_conn *conn, uint64_t address)
{
    const struct dr_group_config *config = &group->config;
    struct dr_conn *oldest = NULL;
    pthread_mutex_lock(&group->lock);
    bool ok = !group->is_closing;
    if (ok && config->is_server) {
        ok = group->hello.count + group->proved.count < config->connections_max &&
             count_of_address(&group->hello, address) < config->hello_per_address;
        if (ok && group->hello.count >= config->hello_total) {
            oldest = group->hello.first;
            dr_conn_ref(oldest);
        }
    }
    if (ok) {
        dr_conn_ref(conn);
        dr_conn_links(conn)->is_listed = true;
        list_add(&group->hello, conn);
        group->live++;
    }
    atomic_store(&group->stats.hello, group->hello.count);
    atomic_store(&group->stats.connections, group->hello.count + group->proved.count);
    pthread_mutex_unlock(&group->lock);
    atomic_fetch_add(ok ? &group->stats.accepted : &group->stats.refused, 1);
    if (oldest != NULL) {
        dr_conn_close(oldest, DR_E_RPC_LIMIT, "too many connections that prove nothing");
        dr_conn_unref(oldest);
    }
    return ok;
}

void
dr_group_proved(struct dr_conn_group *group, struct dr_conn *conn)
{
    pthread_mutex_lock(&group->lock);
    struct dr_conn_links *links = dr_conn_links(conn);
    if (links->is_listed && !links->is_proved) {
        list_remove(&group->hello, conn);
        list_add(&group->proved, conn);
        links->is_proved = true;
        atomic_store(&group->stats.hello, group->hello.count);
    }
    pthread_mutex_unlock(&group->lock);
}

void
dr_group_remove(struct dr_conn_group *group, struct dr_conn *conn)
{
    pthread_mutex_lock(&group->lock);
    struct dr_conn_links *links = dr_conn_links(conn);
    bool was_listed = links->is_listed;
    if (was_listed) {
        list_remove(links->is_proved ? &group->proved : &group->hello, conn);
        links->is_listed = false;
        atomic_store(&group->stats.hello, group->hello.count);
        atomic_store(&group->stats.connections, group->hello.count + group->proved.count);
    }
    pthread_mutex_unlock(&group->lock);
    if (was_listed) {
        dr_conn_unref(conn);
    }
}

void
dr_group_freed(struct dr_conn_group *group)
{
    pthread_mutex_lock(&group->lock);
    group->live--;
    pthread_cond_broadcast(&group->cond);
    pthread_mutex_unlock(&group->lock);
}

// --------------------------------------------------------------------------------------------------
// events

// Under the lock: makes the descriptor readable if there is something to do, and not otherwise.
static void
set_readable(struct dr_conn_group *group, bool is_readable)
{
    uint64_t one = 1;
    if (is_readable) {
        (void)!write(group->event_fd, &one, sizeof one);
    } else {
        (void)!read(group->event_fd, &one, sizeof one);
    }
}

void
dr_group_push(struct dr_conn_group *group, struct dr_event *event)
{
    event->next = NULL;
    pthread_mutex_lock(&group->lock);
    bool was_empty = group->first == NULL && !group->is_woken;
    *(group->last == NULL ? &group->first : &group->last->next) = event;
    group->last = event;
    if (was_empty) {
        set_readable(group, true);
    }
    pthread_mutex_unlock(&group->lock);
}

struct dr_event *
dr_group_take(struct dr_conn_group *group)
{
    if (group->taken == NULL) {
        pthread_mutex_lock(&group->lock);
        if (group->first != NULL || group->is_woken) {
            set_readable(group, false);
        }
        group->taken = group->first;
        group->first = group->last = NULL;
        group->is_woken = false;
        pthread_mutex_unlock(&group->lock);
    }
    struct dr_event *event = group->taken;
    if (event != NULL) {
        group->taken = event->next;
    }
    return event;
}

bool
dr_group_has_taken(const struct dr_conn_group *group)
{
    return group->taken != NULL;
}

void
dr_group_wake(struct dr_conn_group *group)
{
    pthread_mutex_lock(&group->lock);
    if (group->first == NULL && !group->is_woken) {
        set_readable(group, true);
    }
    group->is_woken = true;
    pthread_mutex_unlock(&group->lock);
}

void
dr_event_free(struct dr_conn_group *group, struct dr_event *event)
{
    struct dr_conn *conn = event->conn;
    assert(group->magic == GROUP_MAGIC);
    dr_arena_free(&event->arena);
    if (event->kind != DR_EVENT_CLOSED) { // that one is part of its connection
        free(event);
    }
    dr_conn_unref(conn);
}

int
dr_group_fd(const struct dr_conn_group *group)
{
    return group->event_fd;
}

// -------------------------------------------------------------------------------------------------
// sweeper

// All references of a list at once, as an array (free()); NULL when there are none or memory is
// out.
static struct dr_conn **
borrow_all(struct dr_conn_group *group, const struct list *list, size_t *out_count)
{
    struct dr_conn **conns = NULL;
    size_t count = 0;
    pthread_mutex_lock(&group->lock);
    conns = list->count == 0 ? NULL : calloc(list->count, sizeof *conns);
    for (struct dr_conn *c = list->first; c != NULL && conns != NULL; c = dr_conn_links(c)->next) {
        dr_conn_ref(c);
        conns[count++] = c;
    }
    pthread_mutex_unlock(&group->lock);
    *out_count = count;
    return conns;
}

static void
sweep(struct dr_conn_group *group, const struct list *list)
{
    size_t count;
    struct dr_conn **conns = borrow_all(group, list, &count);
    int64_t now_ms = dr_monotonic_ms();
    for (size_t i = 0; i < count; i++) {
        dr_conn_sweep(conns[i], now_ms);
        dr_conn_unref(conns[i]);
    }
    free(conns);
}

static uint32_t
tick_ms(const struct dr_group_config *config)
{
    uint32_t least = config->hello_timeout_ms < config->heartbeat_ms ? config->hello_timeout_ms
                                                                     : config->heartbeat_ms;
    uint32_t tick = least / 4;
    return tick < TICK_MIN_MS ? TICK_MIN_MS : tick > TICK_MAX_MS ? TICK_MAX_MS : tick;
}

// Waits on the condition for `ms`; under the lock.
static int
wait_ms(struct dr_conn_group *group, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * NS_PER_MS;
    until.tv_sec += ms / 1000 + ns / NS_PER_S;
    until.tv_nsec = ns % NS_PER_S;
    return pthread_cond_timedwait(&group->cond, &group->lock, &until);
}

static void *
run_sweeper(void *arg)
{
    struct dr_conn_group *group = arg;
    int64_t next_ms = dr_monotonic_ms() + tick_ms(&group->config);
    pthread_mutex_lock(&group->lock);
    while (!group->is_stopping) {
        int64_t left_ms = next_ms - dr_monotonic_ms();
        if (left_ms > 0) {
            (void)wait_ms(group, left_ms);
            continue;
        }
        pthread_mutex_unlock(&group->lock);
        sweep(group, &group->hello);
        sweep(group, &group->proved);
        if (group->config.on_tick != NULL) {
            group->config.on_tick(group->config.user);
        }
        next_ms = dr_monotonic_ms() + tick_ms(&group->config);
        pthread_mutex_lock(&group->lock);
    }
    pthread_mutex_unlock(&group->lock);
    return NULL;
}

// -------------------------------------------------------------------------------------------- open
// and close

enum dr_rc
dr_group_open(const struct dr_group_config *config, struct dr_conn_group **out, struct dr_err *err)
{
    struct dr_conn_group *group = calloc(1, sizeof *group);
    pthread_condattr_t attr;
    if (group == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for connections");
    }
    group->magic = GROUP_MAGIC;
    group->config = *config;
    pthread_mutex_init(&group->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&group->cond, &attr);
    pthread_condattr_destroy(&attr);
    group->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (group->event_fd < 0) {
        dr_group_close(&group);
        return dr_err_set(err, DR_E_NOMEM, "no descriptor left for connections");
    }
    *out = group;
    return DR_OK;
}

enum dr_rc
dr_group_start(struct dr_conn_group *group, struct dr_err *err)
{
    if (pthread_create(&group->sweeper, NULL, run_sweeper, group) != 0) {
        return dr_err_set(err, DR_E_NOMEM, "cannot start the sweeper of connections");
    }
    group->is_sweeping = true;
    return DR_OK;
}

void
dr_group_stop(struct dr_conn_group *group)
{
    pthread_mutex_lock(&group->lock);
    bool is_mine = group->is_sweeping;
    group->is_stopping = true;
    group->is_sweeping = false;
    pthread_cond_broadcast(&group->cond);
    pthread_mutex_unlock(&group->lock);
    if (is_mine) {
        pthread_join(group->sweeper, NULL);
    }
}

static void
drop_events(struct dr_conn_group *group)
{
    for (struct dr_event *event; (event = dr_group_take(group)) != NULL;) {
        dr_event_free(group, event);
    }
}

// Waits until every connection is free; false after 5 s.
static bool
wait_for_all(struct dr_conn_group *group)
{
    int64_t until_ms = dr_monotonic_ms() + CLOSE_TIMEOUT_S * 1000;
    bool is_all = false;
    while (!is_all && dr_monotonic_ms() < until_ms) {
        drop_events(group);
        pthread_mutex_lock(&group->lock);
        if (group->live > 0) {
            (void)wait_ms(group, TICK_MIN_MS);
        }
        is_all = group->live == 0;
        pthread_mutex_unlock(&group->lock);
    }
    return is_all;
}

void
dr_group_close(struct dr_conn_group **group)
{
    if (*group == NULL) {
        return;
    }
    struct dr_conn_group *g = *group;
    assert(g->magic == GROUP_MAGIC);
    *group = NULL;
    dr_group_stop(g);
    pthread_mutex_lock(&g->lock);
    g->is_closing = true;
    pthread_mutex_unlock(&g->lock);
    for (size_t i = 0; i < 2; i++) {
        size_t count;
        struct dr_conn **conns = borrow_all(g, i == 0 ? &g->hello : &g->proved, &count);
        for (size_t k = 0; k < count; k++) {
            dr_conn_close(conns[k], DR_E_INTERRUPTED, "this side has closed");
            dr_conn_unref(conns[k]);
        }
        free(conns);
    }
    if (!wait_for_all(g)) {
        return; // still in use somewhere: better lost than freed
    }
    if (g->event_fd >= 0) {
        close(g->event_fd);
    }
    pthread_cond_destroy(&g->cond);
    pthread_mutex_destroy(&g->lock);
    g->magic = 0;
    free(g);
}

size_t
dr_group_kick(struct dr_conn_group *group, const uint8_t key[DR_NOISE_KEY])
{
    size_t count, kicked = 0;
    struct dr_conn **conns = borrow_all(group, &group->proved, &count);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(dr_conn_key(conns[i]), key, DR_NOISE_KEY) == 0) {
            dr_conn_close(conns[i], DR_E_UNREACHABLE, "the caller's key is no longer trusted");
            kicked++;
        }
        dr_conn_unref(conns[i]);
    }
    free(conns);
    return kicked;
}

struct dr_group_stats *
dr_group_stats(struct dr_conn_group *group)
{
    return &group->stats;
}

const struct dr_group_config *
dr_group_config(const struct dr_conn_group *group)
{
    return &group->config;
}
