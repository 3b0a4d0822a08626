// The reading half of a connection: handshake messages, records, frames. Everything here runs as
// the stream's reader.
#include "rpc/conn_priv.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_VERSION 1u
#define ANSWER_PAYLOAD (1u + DR_CLUSTER_ID_BYTES) // version, cluster id
#define DECODE_FACTOR  4u                         // memory for a decoded frame, per byte of it
#define DECODE_EXTRA   (16u * 1024u)

bool
dr_conn_may_read(void *user)
{
    struct dr_conn *conn = user;
    return atomic_load(&conn->state) != DR_CONN_ADMIT &&
           atomic_load(&conn->inbox_bytes) < DR_CONN_INBOX_BYTES &&
           atomic_load(&conn->inbox_count) < DR_CONN_INBOX_COUNT;
}

// ----------------------------------------------------------------------------------------------
// handshake

void
dr_conn_end_handshake(struct dr_conn *conn)
{
    if (conn->noise != NULL) {
        dr_noise_fini(conn->noise);
        free(conn->noise);
        conn->noise = NULL;
    }
}

// Writes a handshake message with its length before it.
static enum dr_rc
send_handshake(struct dr_conn *conn, const void *payload, size_t len, struct dr_err *err)
{
    size_t size = DR_RECORD_HEADER + DR_NOISE_HELLO_BYTES + len, made = 0;
    uint8_t *bytes = malloc(size);
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for the handshake");
    }
    enum dr_rc rc = dr_noise_write(conn->noise, payload, len, bytes + DR_RECORD_HEADER,
                                   size - DR_RECORD_HEADER, &made, err);
    if (rc != DR_OK) {
        free(bytes);
        return rc;
    }
    bytes[0] = (uint8_t)(made >> 8);
    bytes[1] = (uint8_t)made;
    dr_stream_write(conn->stream, bytes, made + DR_RECORD_HEADER, false);
    return DR_OK;
}

static enum dr_rc
take_ciphers(struct dr_conn *conn, struct dr_err *err)
{
    pthread_mutex_lock(&conn->send_lock);
    enum dr_rc rc = dr_noise_split(conn->noise, &conn->send, &conn->receive, err);
    pthread_mutex_unlock(&conn->send_lock);
    dr_conn_end_handshake(conn);
    return rc;
}

// Message 1 has come: answers it and asks the loop about the key.
static enum dr_rc
answer_hello(struct dr_conn *conn, const uint8_t *message, size_t len, struct dr_err *err)
{
    uint8_t payload[ANSWER_PAYLOAD] = {ANSWER_VERSION};
    size_t none;
    memcpy(payload + 1, dr_group_config(conn->group)->cluster_id, DR_CLUSTER_ID_BYTES);
    enum dr_rc rc = dr_noise_read(conn->noise, message, len, payload, 0, &none, err);
    if (rc == DR_OK) {
        memcpy(conn->key, conn->noise->rs, sizeof conn->key);
        rc = send_handshake(conn, payload, sizeof payload, err);
    }
    if (rc == DR_OK) {
        rc = take_ciphers(conn, err);
    }
    if (rc == DR_OK) {
        atomic_fetch_add(&dr_group_stats(conn->group)->handshakes, 1);
        dr_conn_set_state(conn, DR_CONN_ADMIT);
        atomic_store(&conn->key_told, true);
        dr_conn_push(conn, DR_EVENT_KEY, NULL, NULL, 0);
    }
    return rc;
}

// Message 2 has come: the server has the pinned key. A PING proves at once that we have ours.
static enum dr_rc
take_answer(struct dr_conn *conn, const uint8_t *message, size_t len, struct dr_err *err)
{
    const struct dr_group_config *config = dr_group_config(conn->group);
    uint8_t payload[ANSWER_PAYLOAD];
    size_t payload_len;
    enum dr_rc rc =
        dr_noise_read(conn->noise, message, len, payload, sizeof payload, &payload_len, err);
    if (rc != DR_OK) {
        dr_conn_close(conn, DR_E_WRONG_SERVER_KEY,
                      "the coordinator's answer does not fit the pinned key");
        return rc;
    }
    if (payload_len != ANSWER_PAYLOAD || payload[0] != ANSWER_VERSION) {
        return dr_err_set(err, DR_E_RPC_PROTOCOL, "the coordinator speaks another version");
    }
    if (config->has_cluster_id &&
        memcmp(payload + 1, config->cluster_id, DR_CLUSTER_ID_BYTES) != 0) {
        dr_conn_close(conn, DR_E_WRONG_CLUSTER, "the coordinator belongs to another cluster");
        return DR_E_WRONG_CLUSTER;
    }
    rc = take_ciphers(conn, err);
    if (rc == DR_OK) {
        dr_conn_set_state(conn, DR_CONN_OPEN);
        dr_group_proved(conn->group, conn);
        rc = dr_conn_send_kind(conn, DROVER__V1__FRAME_KIND__PING, err);
    }
    if (rc == DR_OK) {
        atomic_store(&conn->key_told, true);
        dr_conn_push(conn, DR_EVENT_UP, NULL, NULL, 0);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------------
// reading

static enum dr_rc
take_frame(void *user, const uint8_t *bytes, size_t len, struct dr_err *err)
{
    struct dr_conn *conn = user;
    struct dr_arena *arena = dr_arena_new(len * DECODE_FACTOR + DECODE_EXTRA);
    Drover__V1__Frame *frame = NULL;
    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a frame");
    }
    atomic_fetch_add(&dr_group_stats(conn->group)->frames_in, 1);
    enum dr_rc rc = dr_frame_decode(bytes, len, arena, &frame, err);
    bool is_ping = rc == DR_OK && frame->kind == DROVER__V1__FRAME_KIND__PING;
    bool is_pong = rc == DR_OK && frame->kind == DROVER__V1__FRAME_KIND__PONG;
    if (rc != DR_OK || is_ping || is_pong) {
        dr_arena_free(&arena);
        if (is_ping && dr_conn_queued(conn) > DR_CONN_PONG_BYTES) {
            return dr_err_set(err, DR_E_RPC_LIMIT, "pings without reading the answers");
        }
        return is_ping ? dr_conn_send_kind(conn, DROVER__V1__FRAME_KIND__PONG, err) : rc;
    }
    atomic_fetch_add(&conn->inbox_bytes, (uint32_t)len);
    atomic_fetch_add(&conn->inbox_count, 1);
    dr_conn_push(conn, DR_EVENT_FRAME, arena, frame, (uint32_t)len);
    return DR_OK;
}

static enum dr_rc
take_record(struct dr_conn *conn, uint8_t *message, size_t len, struct dr_err *err)
{
    enum dr_rc rc = dr_noise_open(&conn->receive, message, len, message, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (atomic_load(&conn->state) == DR_CONN_PROVE) {
        dr_conn_set_state(conn, DR_CONN_OPEN);
        dr_group_proved(conn->group, conn);
    }
    return dr_frame_reader_take(&conn->reader, message, len - DR_NOISE_TAG, take_frame, conn, err);
}

// Checks a record's length before it is waited for: a stranger cannot make us keep more than one
// handshake message.
static bool
length_fits(const struct dr_conn *conn, size_t len)
{
    switch (atomic_load(&conn->state)) {
    case DR_CONN_HELLO:
        return len == DR_NOISE_HELLO_BYTES;
    case DR_CONN_ANSWER:
        return len == DR_NOISE_ANSWER_BYTES + ANSWER_PAYLOAD;
    default:
        return len > DR_NOISE_TAG;
    }
}

static enum dr_rc
take_message(struct dr_conn *conn, uint8_t *message, size_t len, struct dr_err *err)
{
    switch (atomic_load(&conn->state)) {
    case DR_CONN_HELLO:
        return answer_hello(conn, message, len, err);
    case DR_CONN_ANSWER:
        return take_answer(conn, message, len, err);
    default:
        return take_record(conn, message, len, err);
    }
}

static const char *
reason_of(enum dr_rc rc)
{
    return rc == DR_E_RPC_LIMIT ? "a frame was over its limit"
           : rc == DR_E_NOMEM   ? "no memory"
                                : "the peer broke the protocol";
}

size_t
dr_conn_on_read(void *user, uint8_t *bytes, size_t len, bool *stopped)
{
    struct dr_conn *conn = user;
    size_t used = 0;
    while (len - used >= DR_RECORD_HEADER) {
        if (!dr_conn_may_read(conn)) {
            *stopped = true;
            return used;
        }
        size_t record = (size_t)bytes[used] << 8 | bytes[used + 1];
        struct dr_err err = {0};
        enum dr_rc rc = DR_E_RPC_PROTOCOL;
        if (length_fits(conn, record)) {
            if (len - used - DR_RECORD_HEADER < record) {
                return used;
            }
            rc = take_message(conn, bytes + used + DR_RECORD_HEADER, record, &err);
            used += DR_RECORD_HEADER + record;
        }
        if (rc != DR_OK) {
            dr_conn_close(conn, rc, reason_of(rc));
            return len;
        }
    }
    return used;
}

enum dr_rc
dr_conn_say_hello(struct dr_conn *conn, struct dr_err *err)
{
    return send_handshake(conn, NULL, 0, err);
}
