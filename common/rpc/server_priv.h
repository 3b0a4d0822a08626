// What the files of the server share: peers, calls, and the functions between them. One thread: the
// loop's.
#ifndef DR_RPC_SERVER_PRIV_H
#define DR_RPC_SERVER_PRIV_H

#include "base/secret.h"
#include "rpc/canary.h"
#include "rpc/conn.h"
#include "rpc/deadline.h"
#include "rpc/frame.h"
#include "rpc/server.h"
#include "rpc/status.h"

#define DR_CALL_MAGIC     0x647263616cULL
#define DR_CALL_ARENA_MAX (64u * 1024u * 1024u)
#define DR_SERVER_MAGIC   0x6472737276ULL
#define DR_TIMER_NEVER    INT64_MAX

// A connection whose key was looked up.
struct dr_peer {
    struct dr_peer *prev, *next; // of the server's list: utlist
    struct dr_rpc_server *server;
    struct dr_conn *conn; // a reference
    struct dr_caller caller;
    struct dr_call *calls; // utlist
    uint32_t call_count, pump_round;
    size_t stream_bytes;       // queued in its calls
    struct dr_event *deferred; // requests that wait until what we answered is read; utlist, singly
    bool is_closed;
};

// An item of a stream that waits for the window.
struct dr_call_item {
    struct dr_call_item *next;
    size_t len;
    uint8_t bytes[];
};

struct dr_call {
    uint64_t magic;
    struct dr_call *prev, *next; // of the peer's list: utlist
    struct dr_peer *peer;
    const struct dr_method *method;
    uint64_t wire_id;
    struct dr_arena *arena; // while the handler runs
    struct dr_deadline deadline;
    bool has_request_id, is_recorded;
    bool in_handler, is_ended, is_gone, is_ending;
    uint8_t request_id[DR_REQUEST_ID_BYTES];
    uint8_t request_sha256[32];
    dr_call_gone on_gone;
    dr_call_room_fn on_room;
    void *gone_user, *room_user;
    uint32_t credit;
    uint64_t seq;
    uint32_t pumped_in;
    size_t queued_bytes;
    struct dr_call_item *first, *last;
};

struct dr_rpc_server {
    uint64_t magic;
    struct dr_secret *self; // a struct dr_noise_pair
    uint8_t cluster_id[DR_CLUSTER_ID_BYTES];
    dr_caller_lookup lookup;
    void *user;
    dr_call_handler handlers[DR_METHOD_COUNT];
    struct dr_rpc_store store;
    struct dr_rpc_memory_store *memory_store; // when no other was given
    struct dr_rpc_limits limits;
    struct dr_conn_group *group;
    struct dr_port *port;
    int epoll_fd, timer_fd;
    int64_t timer_at_ms;
    bool is_stepping; // what is sent is held until the end of the step
    struct dr_conn *held;
    struct dr_deadlines deadlines;
    struct dr_peer *peers, *strangers; // known and unknown callers; utlist
    atomic_ullong calls, cut_off;      // read by others for statistics
    atomic_uint open_calls;
};

// dispatch.c: checks a REQUEST and runs its handler.
void dr_dispatch(struct dr_peer *peer, struct dr_event *event);

// server.c
void dr_server_look_up(struct dr_rpc_server *server, const uint8_t key[DR_KEY_BYTES],
                       struct dr_caller *out);
// Ends its calls and forgets it.
void dr_server_remove_peer(struct dr_peer *peer);

// call.c
struct dr_call *dr_call_new(struct dr_peer *peer, const struct dr_method *method, uint64_t wire_id);
struct dr_call *dr_call_find(struct dr_peer *peer, uint64_t wire_id);
void dr_call_free(struct dr_call *call);
// Ends it from our side or the peer's: tells the handler and frees it.
void dr_call_vanish(struct dr_call *call);
// The peer gives more credit; or there is room to write again.
void dr_call_pump(struct dr_call *call);
void dr_call_credit(struct dr_call *call, uint32_t credit);
DR_MUST_CHECK enum dr_rc
dr_call_send_frame(struct dr_peer *peer, const Drover__V1__Frame *frame, struct dr_err *err);
// Sends RESPONSE or END.
void dr_call_answer(struct dr_peer *peer, uint64_t wire_id, bool is_streaming, const uint8_t *body,
                    size_t body_len, const struct dr_err *err);

// builtin.c: Health/Check and Reflection/List.
void dr_builtin_health(struct dr_call *call, const ProtobufCMessage *request, void *user);
void dr_builtin_reflection(struct dr_call *call, const ProtobufCMessage *request, void *user);

#endif
