// Group of connections: their list, the queue of what happened to them, and the sweeper thread that
// closes the silent.
#ifndef DR_RPC_GROUP_H
#define DR_RPC_GROUP_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "proto/service.pb-c.h"
#include "rpc/noise.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_CLUSTER_ID_BYTES 16u

struct dr_conn;
struct dr_conn_group;
struct dr_stream;

struct dr_group_config {
    bool is_server;
    const struct dr_noise_pair *self; // lives as long as the group
    uint8_t cluster_id[DR_CLUSTER_ID_BYTES];
    bool has_cluster_id; // client: refuse another one
    uint32_t hello_timeout_ms, heartbeat_ms;
    uint32_t hello_per_address, hello_total, connections_max; // server
    void (*on_tick)(void *user); // on the sweeper's thread; may be NULL
    void *user;
};

enum dr_event_kind {
    DR_EVENT_KEY,   // server: the caller's key is known; answer with dr_conn_admit or dr_conn_close
    DR_EVENT_UP,    // client: the handshake is done
    DR_EVENT_FRAME, // a frame other than PING and PONG
    DR_EVENT_DRAINED, // after dr_conn_want_drain: there is room again
    DR_EVENT_CLOSED,  // the last one of a connection; not told of those that never had a key
};

struct dr_event {
    struct dr_event *next;
    enum dr_event_kind kind;
    struct dr_conn *conn; // a reference
    struct dr_arena *arena;
    Drover__V1__Frame *frame; // in arena
    uint32_t cost;            // FRAME: bytes of the connection's inbox
    int64_t at_ms;            // FRAME: when it came, as dr_monotonic_ms
};

struct dr_group_stats {
    atomic_ullong accepted, refused, handshakes, frames_in, frames_out;
    atomic_uint connections, hello;
};

DR_MUST_CHECK enum dr_rc
dr_group_open(const struct dr_group_config *config, struct dr_conn_group **out, struct dr_err *err);
// Starts the sweeper.
DR_MUST_CHECK enum dr_rc dr_group_start(struct dr_conn_group *group, struct dr_err *err);
// Stops the sweeper: no on_tick runs after it.
void dr_group_stop(struct dr_conn_group *group);
// Closes all connections and waits up to 5 s until all are free. Events that
// were not taken are dropped. References to connections must have been given back.
void dr_group_close(struct dr_conn_group **group);
// Readable while there are events or after dr_group_wake.
int dr_group_fd(const struct dr_conn_group *group);
// The oldest event, freed with dr_event_free; NULL when there is none (then the descriptor is not
// readable).
struct dr_event *dr_group_take(struct dr_conn_group *group);
// There is one more that dr_group_take has ready: the descriptor does not tell of it.
bool dr_group_has_taken(const struct dr_conn_group *group);
void dr_event_free(struct dr_conn_group *group, struct dr_event *event);
void dr_group_wake(struct dr_conn_group *group);
// Closes every connection whose peer has this key, telling why it may be seen; how many.
size_t dr_group_kick(struct dr_conn_group *group, const uint8_t key[DR_NOISE_KEY]);
struct dr_group_stats *dr_group_stats(struct dr_conn_group *group);

// ---- for conn.c
const struct dr_group_config *dr_group_config(const struct dr_conn_group *group);
// Puts a new connection on the list of those that have not proved their key; false when a cap
// forbids it.
bool dr_group_add(struct dr_conn_group *group, struct dr_conn *conn, uint64_t address);
void dr_group_proved(struct dr_conn_group *group, struct dr_conn *conn);
// Takes a closed connection off its list and gives the list's reference back.
void dr_group_remove(struct dr_conn_group *group, struct dr_conn *conn);
void dr_group_freed(struct dr_conn_group *group);
// Queues an event; takes it over.
void dr_group_push(struct dr_conn_group *group, struct dr_event *event);

#endif
