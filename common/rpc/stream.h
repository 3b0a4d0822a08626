// Byte streams over TCP or TLS: listener, dialer, reading and writing by callback. The only door to
// nng, whose streams we use and whose SP sockets and HTTP server we do not.
#ifndef DR_RPC_STREAM_H
#define DR_RPC_STREAM_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_STREAM_ADDRESS_MAX 64u
#define DR_STREAM_READ_MIN    512u              // buffer of an idle stream
#define DR_STREAM_READ_MAX    (64u * 1024u + 2) // longest run of bytes that may stay unused

// A connected stream. Counted references; the last one frees it and calls on_free.
struct dr_stream;

// Callbacks run on nng's threads (or inside the function that causes them), never two on_read at
// once, and must not block. `user` must live until on_free.
struct dr_stream_hooks {
    // Bytes are there; they may be changed in place. Returns how many are used up; what is left
    // comes again with more behind it. `*stopped` tells that it stopped because may_read has turned
    // false.
    size_t (*on_read)(void *user, uint8_t *bytes, size_t len, bool *stopped);
    // False stops the reading until dr_stream_resume. Called under the stream's lock: atomics only.
    bool (*may_read)(void *user);
    // Some bytes were written; so many are left.
    void (*on_written)(void *user, size_t queued_bytes);
    // Closed, by either side. Exactly once, but other callbacks may still be running.
    void (*on_closed)(void *user);
    void (*on_free)(void *user);
};

// Starts reading; once. Writing before is fine. `hooks` lives as long as the stream. The caller's
// reference stays the caller's.
void dr_stream_start(struct dr_stream *stream, const struct dr_stream_hooks *hooks, void *user);
void dr_stream_ref(struct dr_stream *stream);
void dr_stream_unref(struct dr_stream *stream);
// Closes at once, or as soon as what is queued is written. Any thread, any number of times.
void dr_stream_close(struct dr_stream *stream);
void dr_stream_finish(struct dr_stream *stream);
// Queues bytes (malloc'ed; taken, also when the stream is closed already). Any thread; the order is
// that of the calls. Held bytes wait for dr_stream_flush or for others that are not held: what one
// round of a loop has to say then leaves in one write. Returns how many bytes are queued now; 0
// when closed.
size_t dr_stream_write(struct dr_stream *stream, uint8_t *take_bytes, size_t len, bool is_held);
void dr_stream_flush(struct dr_stream *stream);
// may_read has become true: goes on reading. Any thread; on_read may run inside.
void dr_stream_resume(struct dr_stream *stream);
size_t dr_stream_queued(struct dr_stream *stream);
// When bytes were last read or written, as dr_monotonic_ms.
int64_t dr_stream_read_at(struct dr_stream *stream);
int64_t dr_stream_written_at(struct dr_stream *stream);
// "192.0.2.7:52044"; and a number for the address without the port (of IPv6: the first 64 bits).
void
dr_stream_address(struct dr_stream *stream, char out[DR_STREAM_ADDRESS_MAX], uint64_t *out_key);

// tcp:// or tls+tcp:// with a host and a port; DR_E_CONFIG otherwise.
DR_MUST_CHECK enum dr_rc dr_stream_check_url(const char *url, struct dr_err *err);

// ---- listener
struct dr_listener;
// A new connection, not yet started; the reference is taken over. On one of nng's threads.
typedef void (*dr_listener_accept)(void *user, struct dr_stream *stream);
// Listens with a backlog of 4096. DR_E_CONFIG, DR_E_LISTEN, DR_E_NOMEM. TLS needs a PEM file with
// certificate and key.
DR_MUST_CHECK enum dr_rc
dr_listener_open(const char *url, const char *tls_cert_key_file, dr_listener_accept on_accept,
                 void *user, struct dr_listener **out, struct dr_err *err);
// No accept callback runs when this has returned. Not from a callback.
void dr_listener_close(struct dr_listener **listener);
uint16_t dr_listener_port(const struct dr_listener *listener);
// Connections accepted so far: a canary's dial must make it grow.
uint64_t dr_listener_accepted(struct dr_listener *listener);

// ---- dialer
struct dr_dial;
// Exactly once, on one of nng's threads: a stream (its reference is taken over), or NULL and why.
typedef void (*dr_dial_done)(void *user, struct dr_stream *stream, const struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_dial_start(const char *url, const char *tls_ca_file, const char *tls_server_name,
              uint32_t timeout_ms, dr_dial_done on_done, void *user, struct dr_dial **out,
              struct dr_err *err);
// After on_done: the host answered that nobody listens there. NULL: false.
bool dr_dial_was_refused(struct dr_dial *dial);
// Gives up if it is still dialing (on_done runs then, too) and frees it. Not from a callback. NULL
// is accepted.
void dr_dial_close(struct dr_dial **dial);

#endif
