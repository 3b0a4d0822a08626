// What the files of the client share: the link to the coordinator and the calls that wait for
// answers. One thread.
#ifndef DR_RPC_CLIENT_PRIV_H
#define DR_RPC_CLIENT_PRIV_H

#include "base/secret.h"
#include "rpc/client.h"
#include "rpc/conn.h"
#include "rpc/frame.h"

#include <pthread.h>

#define DR_CLIENT_MAGIC     0x6472636c69ULL
#define DR_CLIENT_WINDOW    32u // items that the server may send ahead
#define DR_CLIENT_GRANT     16u // taken items after which it hears of them
#define DR_CLIENT_ARENA_MAX (64u * 1024u * 1024u)
#define DR_CLIENT_QUEUE_MAX                                                                        \
    (1024u * 1024u) // unwritten bytes beyond which no further request is sent

enum dr_link_state {
    DR_LINK_DOWN,    // nobody wants it, or the next attempt is at retry_at_ms
    DR_LINK_DIALING, // TCP
    DR_LINK_SHAKING, // Noise
    DR_LINK_UP,
};

// A call that has not ended. Not sent, or to be sent again: wire_id 0.
struct dr_pending {
    struct dr_pending *prev, *next; // utlist
    uint64_t id, wire_id, seq;
    const struct dr_method *method;
    uint8_t *request;
    size_t request_len;
    uint8_t request_id[16];
    int64_t deadline_ms; // INT64_MAX: none
    int64_t patience_ms; // blocking: fail then if no connection was ever made; INT64_MAX: never
    int64_t next_try_ms;
    unsigned attempts;
    uint32_t taken; // items that the server does not know to be taken
    bool is_blocking;
    struct dr_arena *arena; // for the reply; NULL: one of its own
    dr_rpc_item_fn on_item;
    dr_rpc_done_fn on_done;
    void *user;
    struct dr_err last; // of the attempt before
};

struct dr_rpc_client {
    uint64_t magic;
    char *url, *tls_ca_file, *tls_server_name;
    uint8_t server_key[DR_NOISE_KEY];
    struct dr_rpc_client_config config; // numbers, flags and callbacks only
    struct dr_secret *self;             // a struct dr_noise_pair
    struct dr_conn_group *group;
    int epoll_fd, timer_fd;
    int64_t timer_at_ms;
    bool is_stepping; // what is sent is held until the end of the step
    struct dr_conn *held;
    enum dr_link_state state;
    struct dr_dial *dial;
    struct dr_conn *conn; // a reference
    bool was_up;
    unsigned failures;       // attempts in a row that led to nothing
    unsigned refusals;       // of these, ended handshakes
    int64_t nobody_since_ms; // the host has answered since then that nobody listens; 0: it does not
    int64_t retry_at_ms, up_since_ms;
    struct dr_err last; // why it is not up
    struct dr_pending *pendings;
    uint64_t last_id, last_wire_id;
    // From the dialer's thread, under the lock.
    pthread_mutex_t mail_lock;
    bool has_mail;
    struct dr_stream *mail_stream;
    struct dr_err mail_err;
};

// client.c: waits until the client has something to do, `wake_fd` (-1: none) is readable, or a
// second has passed; true when it is wake_fd.
bool dr_client_wait(struct dr_rpc_client *client, int64_t until_ms, int wake_fd);

// client_link.c: takes what the dialer and the connection tell; dials when that is wanted and due.
void dr_link_step(struct dr_rpc_client *client, int64_t now_ms);
void dr_link_close(struct dr_rpc_client *client);
void dr_link_break(struct dr_rpc_client *client, enum dr_rc rc, const char *reason);
int64_t dr_link_next_ms(const struct dr_rpc_client *client);

// client_call.c: the calls that wait.
struct dr_pending *
dr_pending_new(struct dr_rpc_client *client, enum dr_method_id method,
               const ProtobufCMessage *request, uint32_t deadline_ms, struct dr_err *err);
struct dr_pending *dr_pending_find(struct dr_rpc_client *client, uint64_t id);
// Takes it off the list, tells its owner and frees it.
void dr_pending_end(struct dr_rpc_client *client, struct dr_pending *pending,
                    const ProtobufCMessage *reply, const struct dr_err *err);
void dr_pending_frame(struct dr_rpc_client *client, const Drover__V1__Frame *frame);
// The connection is lost: streams end, the others will be sent again.
void dr_pending_lost(struct dr_rpc_client *client, const struct dr_err *err);
// Sends what is due, ends what is too late.
void dr_pending_step(struct dr_rpc_client *client, int64_t now_ms);
int64_t dr_pending_next_ms(const struct dr_rpc_client *client);
// A stream's owner has taken an item.
void dr_pending_took(struct dr_rpc_client *client, struct dr_pending *pending);
// Full jitter: a random time below `min` * 2^attempts, at most `max`.
int64_t dr_backoff_ms(uint32_t min_ms, uint32_t max_ms, unsigned attempts);

#endif
