// The server's loop side: takes events of connections, keeps peers and their calls. nng's threads
// never come here.
#include "rpc/server_priv.h"

#include "base/clock.h"
#include "rpc/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utlist.h>

#define STEP_EVENTS 256u
#define NS_PER_MS   1000000L
#define MS_PER_S    1000

static struct dr_peer **
list_of(struct dr_peer *peer)
{
    return peer->caller.kind == DR_CALLER_UNKNOWN ? &peer->server->strangers : &peer->server->peers;
}

static bool
strangers_are_many(const struct dr_rpc_server *server, uint64_t address)
{
    uint32_t count = 0;
    const struct dr_peer *peer;
    DL_FOREACH(server->strangers, peer)
    {
        count += dr_conn_address_key(peer->conn) == address;
    }
    return count >= server->limits.unknown_per_address;
}

void
dr_server_look_up(struct dr_rpc_server *server, const uint8_t key[DR_KEY_BYTES],
                  struct dr_caller *out)
{
    *out = (struct dr_caller){.kind = DR_CALLER_UNKNOWN};
    memcpy(out->key, key, DR_KEY_BYTES);
    if (server->lookup != NULL) {
        server->lookup(server->user, key, out);
    }
    memcpy(out->key, key, DR_KEY_BYTES);
    out->name[sizeof out->name - 1] = '\0';
}

// A caller has shown its key.
static void
add_peer(struct dr_rpc_server *server, struct dr_conn *conn)
{
    struct dr_peer *peer = dr_conn_user(conn) != NULL ? NULL : calloc(1, sizeof *peer);
    if (peer == NULL) { // closed already, or no memory
        dr_conn_close(conn, DR_E_NOMEM, "no memory");
        return;
    }
    peer->server = server;
    dr_server_look_up(server, dr_conn_key(conn), &peer->caller);
    bool is_stranger = peer->caller.kind == DR_CALLER_UNKNOWN;
    if (is_stranger && strangers_are_many(server, dr_conn_address_key(conn))) {
        dr_conn_close(conn, DR_E_RPC_LIMIT, "too many callers that nobody knows");
        free(peer);
        return;
    }
    peer->conn = conn;
    dr_conn_ref(conn);
    dr_conn_set_user(conn, peer);
    DL_APPEND(*list_of(peer), peer);
    dr_conn_admit(conn, is_stranger ? DR_FRAME_UNKNOWN_MAX : DR_FRAME_MAX);
}

static void
drop_deferred(struct dr_peer *peer)
{
    while (peer->deferred != NULL) {
        struct dr_event *event = peer->deferred;
        LL_DELETE(peer->deferred, event);
        dr_event_free(peer->server->group, event);
    }
}

// Its connection is closed: all its calls are gone.
void
dr_server_remove_peer(struct dr_peer *peer)
{
    peer->is_closed = true;
    while (peer->calls != NULL) {
        dr_call_vanish(peer->calls);
    }
    drop_deferred(peer);
    DL_DELETE(*list_of(peer), peer);
    dr_conn_set_user(peer->conn, peer->server); // not NULL: a late KEY event adds no peer
    dr_conn_unref(peer->conn);
    free(peer);
}

// --------------------------------------------------------------------------------------------------
// events

// A peer that does not read its answers gets no new ones: its requests wait.
static bool
must_wait(struct dr_peer *peer)
{
    if (peer->deferred == NULL &&
        dr_conn_queued(peer->conn) < peer->server->limits.stream_queue_bytes) {
        return false;
    }
    return dr_conn_want_drain(peer->conn);
}

static void
run_deferred(struct dr_peer *peer)
{
    struct dr_rpc_server *server = peer->server;
    while (peer->deferred != NULL && !peer->is_closed) {
        if (dr_conn_queued(peer->conn) >= server->limits.stream_queue_bytes &&
            dr_conn_want_drain(peer->conn)) {
            return;
        }
        struct dr_event *event = peer->deferred;
        LL_DELETE(peer->deferred, event);
        dr_dispatch(peer, event);
        dr_conn_consumed(peer->conn, event->cost);
        dr_event_free(server->group, event);
    }
}

// Takes a request that waits back, with CANCELLED as its answer; false when there is none of that
// id.
static bool
cancel_deferred(struct dr_peer *peer, uint64_t wire_id)
{
    struct dr_event *event;
    LL_FOREACH(peer->deferred, event)
    {
        if (event->frame->call_id == wire_id) {
            LL_DELETE(peer->deferred, event);
            dr_conn_consumed(peer->conn, event->cost);
            dr_event_free(peer->server->group, event);
            return true;
        }
    }
    return false;
}

// True when the event was kept for later.
static bool
handle_frame(struct dr_peer *peer, struct dr_event *event)
{
    const Drover__V1__Frame *frame = event->frame;
    struct dr_call *call = NULL;
    switch (frame->kind) {
    case DROVER__V1__FRAME_KIND__REQUEST:
        if (must_wait(peer)) {
            LL_APPEND(peer->deferred, event);
            return true;
        }
        run_deferred(peer);
        dr_dispatch(peer, event);
        return false;
    case DROVER__V1__FRAME_KIND__CANCEL_CALL:
        call = dr_call_find(peer, frame->call_id);
        if (call != NULL) {
            dr_call_vanish(call);
        } else {
            (void)cancel_deferred(peer, frame->call_id);
        }
        return false;
    case DROVER__V1__FRAME_KIND__WINDOW:
        call = dr_call_find(peer, frame->call_id);
        if (call != NULL) {
            dr_call_credit(call, frame->window);
        }
        return false;
    case DROVER__V1__FRAME_KIND__GOAWAY:
        dr_conn_close(peer->conn, DR_E_UNREACHABLE, "the peer said goodbye");
        return false;
    default:
        dr_conn_close(peer->conn, DR_E_RPC_PROTOCOL, "a frame that only a server may send");
        return false;
    }
}

// Pumps each stream that waits, once. The list is walked anew after each, since a handler may end
// any call.
static void
handle_drained(struct dr_peer *peer)
{
    uint32_t round = ++peer->pump_round;
    for (struct dr_call *call = peer->calls; call != NULL;) {
        bool is_due = call->first != NULL && call->pumped_in != round;
        if (is_due) {
            call->pumped_in = round;
            dr_call_pump(call);
        }
        call = is_due ? peer->calls : call->next;
    }
    run_deferred(peer);
}

static void
handle(struct dr_rpc_server *server, struct dr_event *event)
{
    void *user = dr_conn_user(event->conn);
    struct dr_peer *peer = user == server ? NULL : user;
    bool is_kept = false;
    switch (event->kind) {
    case DR_EVENT_KEY:
        add_peer(server, event->conn);
        break;
    case DR_EVENT_FRAME:
        if (peer != NULL && !peer->is_closed) {
            is_kept = handle_frame(peer, event);
        }
        if (!is_kept) {
            dr_conn_consumed(event->conn, event->cost);
        }
        break;
    case DR_EVENT_DRAINED:
        if (peer != NULL) {
            handle_drained(peer);
        }
        break;
    case DR_EVENT_CLOSED:
        if (peer != NULL) {
            dr_server_remove_peer(peer);
        } else {
            dr_conn_set_user(event->conn, server);
        }
        break;
    default:
        break;
    }
    if (!is_kept) {
        dr_event_free(server->group, event);
    }
}

static void
run_deadlines(struct dr_rpc_server *server)
{
    int64_t now_ms = dr_monotonic_ms();
    for (struct dr_deadline *first; (first = dr_deadlines_first(&server->deadlines)) != NULL;) {
        struct dr_call *call = first->owner;
        struct dr_err err = {0};
        if (first->at_ms > now_ms) {
            return;
        }
        dr_err_set(&err, DR_E_TIMEOUT, "the deadline of '%s' has passed", call->method->name);
        dr_call_answer(call->peer, call->wire_id, call->method->is_streaming, NULL, 0, &err);
        dr_call_vanish(call);
    }
}

// Sets the timer to the earliest deadline. A timer that is too early does no harm: it is set anew
// when it fires, which spares a system call for most calls.
static void
arm_timer(struct dr_rpc_server *server)
{
    const struct dr_deadline *first = dr_deadlines_first(&server->deadlines);
    if (first == NULL || first->at_ms >= server->timer_at_ms) {
        return;
    }
    int64_t left_ms = first->at_ms - dr_monotonic_ms();
    left_ms = left_ms < 1 ? 1 : left_ms;
    const struct itimerspec spec = {
        .it_value = {.tv_sec = left_ms / MS_PER_S, .tv_nsec = left_ms % MS_PER_S * NS_PER_MS}};
    if (timerfd_settime(server->timer_fd, 0, &spec, NULL) == 0) {
        server->timer_at_ms = first->at_ms;
    }
}

void
dr_rpc_server_step(struct dr_rpc_server *server)
{
    uint64_t expirations;
    assert(server->magic == DR_SERVER_MAGIC && !server->is_stepping);
    server->is_stepping = true;
    if (dr_monotonic_ms() >= server->timer_at_ms &&
        read(server->timer_fd, &expirations, sizeof expirations) > 0) {
        server->timer_at_ms = DR_TIMER_NEVER;
    }
    for (unsigned i = 0; i < STEP_EVENTS; i++) {
        struct dr_event *event = dr_group_take(server->group);
        if (event == NULL) {
            break;
        }
        handle(server, event);
    }
    if (dr_group_has_taken(server->group)) {
        dr_group_wake(server->group);
    }
    run_deadlines(server);
    arm_timer(server);
    server->is_stepping = false;
    dr_conn_release(&server->held);
}
