// Connection: Noise handshake, sealed records and frames on a stream, from either side.
#ifndef DR_RPC_CONN_H
#define DR_RPC_CONN_H

#include "base/attr.h"
#include "base/err.h"
#include "proto/service.pb-c.h"
#include "rpc/group.h"
#include "rpc/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Frames that the loop has not consumed yet; beyond it the connection is not read.
#define DR_CONN_INBOX_BYTES (2u * 1024u * 1024u)
#define DR_CONN_INBOX_COUNT 256u
// Below so many unwritten bytes a connection has room again.
#define DR_CONN_LOW_BYTES (256u * 1024u)
// Bytes that a caller may make us queue by PING before it is cut off.
#define DR_CONN_PONG_BYTES (1024u * 1024u)

// States of a connection. The accepting side goes HELLO, ADMIT, PROVE, OPEN; the dialing side
// ANSWER, OPEN.
enum dr_conn_state {
    DR_CONN_HELLO,  // waits for message 1
    DR_CONN_ANSWER, // waits for message 2
    DR_CONN_ADMIT,  // message 2 is sent; the loop looks the key up
    DR_CONN_PROVE,  // waits for the first record, which proves that message 1 was no replay
    DR_CONN_OPEN,
};

// Takes a new stream over (its reference, also on failure) and begins the handshake. Caps of the
// group may close it at once. On the accepting side nobody gets a reference: events bring it.
void dr_conn_accept(struct dr_conn_group *group, struct dr_stream *stream);
// The dialing side: the caller gets a reference; NULL when memory is out or the key is none.
struct dr_conn *dr_conn_connect(struct dr_conn_group *group, struct dr_stream *stream,
                                const uint8_t server_key[DR_NOISE_KEY]);
void dr_conn_ref(struct dr_conn *conn);
void dr_conn_unref(struct dr_conn *conn); // NULL accepted

// After DR_EVENT_KEY: goes on reading, frames of at most `frame_max` bytes.
void dr_conn_admit(struct dr_conn *conn, uint32_t frame_max);
// Seals and queues a frame; any thread. DR_E_UNREACHABLE when closed, DR_E_RPC_LIMIT when too
// large, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_conn_send(struct dr_conn *conn, const Drover__V1__Frame *frame, struct dr_err *err);
// The same, but the frame may wait until dr_conn_release: the connection joins the list `held`. The
// loop's thread only.
DR_MUST_CHECK enum dr_rc dr_conn_hold(struct dr_conn *conn, const Drover__V1__Frame *frame,
                                      struct dr_conn **held, struct dr_err *err);
void dr_conn_release(struct dr_conn **held);
size_t dr_conn_queued(struct dr_conn *conn);
// Asks for DR_EVENT_DRAINED once fewer than DR_CONN_LOW_BYTES are queued. False when that is so
// already: no event.
bool dr_conn_want_drain(struct dr_conn *conn);
// The loop has dealt with a frame of this cost: more may be read.
void dr_conn_consumed(struct dr_conn *conn, uint32_t cost);
// Closes at once; the first reason stays. `reason` is a constant. dr_conn_finish writes out first
// what is queued.
void dr_conn_close(struct dr_conn *conn, enum dr_rc rc, const char *reason);
void dr_conn_finish(struct dr_conn *conn);
// Why it closed: a constant text.
enum dr_rc dr_conn_reason(struct dr_conn *conn, const char **out_reason);

const uint8_t *dr_conn_key(const struct dr_conn *conn);
const char *dr_conn_address(const struct dr_conn *conn);
uint64_t dr_conn_address_key(const struct dr_conn *conn);
// A pointer of the loop's.
void *dr_conn_user(const struct dr_conn *conn);
void dr_conn_set_user(struct dr_conn *conn, void *user);

// ---- for group.c
struct dr_conn_links {
    struct dr_conn *previous, *next;
    bool is_listed, is_proved;
};
struct dr_conn_links *dr_conn_links(struct dr_conn *conn);
// Closes it if it is silent, stuck or too slow to prove itself; pings when that is due.
void dr_conn_sweep(struct dr_conn *conn, int64_t now_ms);

#endif
