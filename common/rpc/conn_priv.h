// What the two files behind conn.h share: the connection's own data.
#ifndef DR_RPC_CONN_PRIV_H
#define DR_RPC_CONN_PRIV_H

#include "rpc/conn.h"

#include "rpc/frame.h"

#include <pthread.h>

#define DR_CONN_MAGIC 0x6472636f6eULL

struct dr_conn {
    uint64_t magic;
    struct dr_conn_group *group;
    struct dr_stream *stream;
    struct dr_conn_links links;
    atomic_int state;
    atomic_llong since_ms; // of the state
    pthread_mutex_t send_lock;
    struct dr_noise_cipher send;
    struct dr_noise_cipher receive; // reader's
    struct dr_noise *noise;         // while shaking hands
    struct dr_frame_reader reader;  // reader's
    uint8_t key[DR_NOISE_KEY];      // the peer's
    uint64_t address;
    char address_text[DR_STREAM_ADDRESS_MAX];
    atomic_uint inbox_bytes, inbox_count;
    atomic_bool wants_drain, key_told;
    atomic_int reason_rc;
    _Atomic(const char *) reason;
    int64_t pinged_ms; // sweeper's
    struct dr_event closed_event;
    struct dr_conn *next_held; // the loop's: has held bytes
    bool is_held;
    void *user; // the loop's
};

// Handshake and reading (conn_read.c).
bool dr_conn_may_read(void *user);
size_t dr_conn_on_read(void *user, uint8_t *bytes, size_t len, bool *stopped);
// The dialing side's message 1.
DR_MUST_CHECK enum dr_rc dr_conn_say_hello(struct dr_conn *conn, struct dr_err *err);
void dr_conn_end_handshake(struct dr_conn *conn);
void dr_conn_set_state(struct dr_conn *conn, enum dr_conn_state state);
void dr_conn_push(struct dr_conn *conn, enum dr_event_kind kind, struct dr_arena *arena,
                  Drover__V1__Frame *frame, uint32_t cost);
DR_MUST_CHECK enum dr_rc
dr_conn_send_kind(struct dr_conn *conn, Drover__V1__FrameKind kind, struct dr_err *err);

#endif
