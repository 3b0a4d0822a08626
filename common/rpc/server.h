// RPC server: listens, proves who calls, and runs handlers on the one thread that steps it.
#ifndef DR_RPC_SERVER_H
#define DR_RPC_SERVER_H

#include "base/attr.h"
#include "base/err.h"
#include "rpc/call.h"
#include "rpc/methods.h"
#include "rpc/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_rpc_server;

struct dr_rpc_route {
    enum dr_method_id method;
    dr_call_handler handler;
};

// Fills `out->kind` and `out->name` for a public key (out->key is set already); leaves UNKNOWN when
// nobody has it. Called on the loop thread once per connection, and again by dr_rpc_server_recheck.
typedef void (*dr_caller_lookup)(void *user, const uint8_t key[32], struct dr_caller *out);

// 0 means the default that stands behind.
struct dr_rpc_limits {
    uint32_t hello_timeout_ms;  // 5000: from accept to the first proven record
    uint32_t heartbeat_ms;      // 20000: silent for 3 times this is dead
    uint32_t hello_per_address; // 256: connections of one address before they have proved their key
    uint32_t hello_total;       // 4096: of all; beyond it the oldest is closed
    uint32_t connections_max;   // 20000
    uint32_t unknown_per_address;  // 16: open connections of one address with keys that nobody has
    uint32_t calls_per_connection; // 256 open calls
    uint32_t stream_window;        // 32 items
    uint32_t stream_queue_bytes;   // 1 MiB: stop sending, start queueing
    uint32_t stream_cut_bytes;     // 4 MiB: cut off
    uint32_t canary_ms;            // 10000: dial the own port; UINT32_MAX: never
};

struct dr_rpc_server_config {
    const char *url;           // tcp://host:port or tls+tcp://host:port; port 0: any
    const uint8_t *secret_key; // X25519, 32 bytes; copied to locked memory
    const uint8_t
        *cluster_id; // 16 bytes, told to every client that proved nothing yet but knows our key
    const char *tls_cert_key_file; // PEM with certificate and key, for tls+tcp://
    dr_caller_lookup lookup;
    const struct dr_rpc_route
        *routes; // Health/Check and Reflection/List are built in unless named here
    size_t route_count;
    struct dr_rpc_store store; // {0}: 1024 results in memory
    struct dr_rpc_limits limits;
    void *user; // for lookup and handlers
};

// Listens. The configuration is copied, except `routes`, which must live as long. DR_E_LISTEN (port
// in use, bad address), DR_E_CONFIG (bad URL, certificate), DR_E_NOMEM. Does not block.
DR_MUST_CHECK enum dr_rc dr_rpc_server_open(const struct dr_rpc_server_config *config,
                                            struct dr_rpc_server **out, struct dr_err *err);
// Tells the peers (GOAWAY), closes all connections and waits until nng has let go of them (at most
// a few seconds). Open calls are gone: their callbacks run inside. Same thread as step.
void dr_rpc_server_close(struct dr_rpc_server **server);

// The port that it listens on.
uint16_t dr_rpc_server_port(const struct dr_rpc_server *server);
// Readable when there is something to do: poll it, then call step. Never read from it.
int dr_rpc_server_fd(const struct dr_rpc_server *server);
// Runs handlers, deadlines and callbacks that are due; does not block. Handles at most 256 frames,
// then returns; the descriptor stays readable while there is more.
void dr_rpc_server_step(struct dr_rpc_server *server);

// Looks every connected key up again; a connection whose caller has changed is closed (it redials).
// For a new root or fleet.
void dr_rpc_server_recheck(struct dr_rpc_server *server);
// Closes the connections of one key; how many there were.
size_t dr_rpc_server_kick(struct dr_rpc_server *server, const uint8_t key[32]);

struct dr_rpc_server_stats {
    uint64_t accepted, refused, handshakes, frames_in, frames_out, calls, cut_off, relistened;
    uint32_t connections, connections_hello, open_calls;
};
// Any thread, while the server is open.
void dr_rpc_server_stats(struct dr_rpc_server *server, struct dr_rpc_server_stats *out);

#endif
