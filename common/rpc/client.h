// RPC client: one connection to a coordinator, kept or made on demand; blocking calls, or callbacks
// in a poll loop.
#ifndef DR_RPC_CLIENT_H
#define DR_RPC_CLIENT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "rpc/methods.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

// One thread at a time uses a client and its streams. Callbacks run inside dr_rpc_client_step, or
// inside a blocking call, never before the function that started the call has returned.
struct dr_rpc_client;
struct dr_rpc_stream;

// `is_up` false: not connected, `err` says why. The client goes on trying by itself (with jitter,
// 0.2 s to 30 s).
typedef void (*dr_rpc_state_fn)(void *user, bool is_up, const struct dr_err *err);
// One item of a stream; it lives until the callback returns.
typedef void (*dr_rpc_item_fn)(void *user, const ProtobufCMessage *item);
// The end of a call, exactly once: `err->rc` is DR_OK and `reply` is set (NULL for a stream), or
// the error. The reply lives until the callback returns. Starting and cancelling other calls in
// here is fine.
typedef void (*dr_rpc_done_fn)(void *user, const ProtobufCMessage *reply, const struct dr_err *err);

struct dr_rpc_client_config {
    const char *url;              // tcp://host:port or tls+tcp://host:port
    const uint8_t *server_key;    // X25519, 32: the coordinator's, pinned
    const uint8_t *secret_key;    // X25519, 32: ours; copied to locked memory
    const uint8_t *cluster_id;    // 16: refuse another cluster's coordinator; NULL: any
    const char *tls_ca_file;      // PEM, for tls+tcp://
    const char *tls_server_name;  // name in its certificate; NULL: the URL's host
    uint32_t connect_timeout_ms;  // one attempt with its handshake; 0: 5000
    uint32_t connect_patience_ms; // blocking calls: fail when no connection was ever made for so
                                  // long; 0: 2000
    uint32_t heartbeat_ms;        // 0: 20000; must not be longer than the server's
    uint32_t backoff_min_ms, backoff_max_ms; // 0: 200, 30000; full jitter
    bool is_persistent;       // connect at once and stay connected (agents); else on demand
    dr_rpc_state_fn on_state; // may be NULL
    void *user;               // for on_state
};

// Checks the configuration; does not wait for a connection. DR_E_CONFIG, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_rpc_client_open(const struct dr_rpc_client_config *config,
                                            struct dr_rpc_client **out, struct dr_err *err);
// Ends the connection. Open calls get DR_E_INTERRUPTED first; streams of the blocking kind must be
// closed before.
void dr_rpc_client_close(struct dr_rpc_client **client);
bool dr_rpc_client_is_up(const struct dr_rpc_client *client);

// ---- blocking

// One unary call: connects on demand and retries, with the same request id and full jitter, what
// may be retried, until `deadline_ms` (> 0) has passed. `*out_reply` has the type of the method's
// reply and lives in `arena`. Errors: DR_E_TIMEOUT, DR_E_UNREACHABLE, DR_E_UNAUTHENTICATED,
// DR_E_WRONG_SERVER_KEY, DR_E_WRONG_CLUSTER, DR_E_RPC_*, and whatever the coordinator answered,
// under its own code. A request or reply over its limit is DR_E_RPC_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_rpc_call(struct dr_rpc_client *client, enum dr_method_id method, const ProtobufCMessage *request,
            struct dr_arena *arena, ProtobufCMessage **out_reply, uint32_t deadline_ms,
            struct dr_err *err);

// Opens a server stream; connects on demand within connect_patience_ms. The answer comes with the
// first item.
DR_MUST_CHECK enum dr_rc
dr_rpc_stream_open(struct dr_rpc_client *client, enum dr_method_id method,
                   const ProtobufCMessage *request, struct dr_rpc_stream **out, struct dr_err *err);
// The next item, waiting up to `timeout_ms`: DR_E_TIMEOUT when none came (the stream goes on). At
// the stream's good end DR_OK and `*out_item` NULL. A lost connection is DR_E_UNREACHABLE: open the
// stream again, telling where it stopped. `wake_fd` (-1: none) ends the wait when readable:
// DR_E_INTERRUPTED.
DR_MUST_CHECK enum dr_rc
dr_rpc_stream_next(struct dr_rpc_stream *stream, uint32_t timeout_ms, int wake_fd,
                   struct dr_arena *arena, ProtobufCMessage **out_item, struct dr_err *err);
// Cancels what is left of it. NULL is accepted, the pointer is cleared.
void dr_rpc_stream_close(struct dr_rpc_stream **stream);

// ---- in a poll loop

// Readable when there is something to do: poll it, then call step. Never read from it.
int dr_rpc_client_fd(const struct dr_rpc_client *client);
// Runs callbacks, timers, retries and the reconnect; does not block.
void dr_rpc_client_step(struct dr_rpc_client *client);
// Starts a call. Unary (`on_item` NULL): as dr_rpc_call, it survives reconnects until its deadline.
// Streaming: fails with DR_E_UNREACHABLE when the connection is lost; `deadline_ms` 0: none.
// `on_done` is called exactly once, unless dr_rpc_client_cancel forgets it. `*out_id` (may be NULL)
// names the call. DR_E_RPC_LIMIT when the request is too large.
DR_MUST_CHECK enum dr_rc
dr_rpc_client_start(struct dr_rpc_client *client, enum dr_method_id method,
                    const ProtobufCMessage *request, uint32_t deadline_ms, dr_rpc_item_fn on_item,
                    dr_rpc_done_fn on_done, void *user, uint64_t *out_id, struct dr_err *err);
// Cancels and forgets a call: no more callbacks of it. An unknown id (it has ended) does nothing.
void dr_rpc_client_cancel(struct dr_rpc_client *client, uint64_t id);

#endif
