// One stream, one peer. The reader (one at a time) owns the receiving cipher and the frame reader;
// the sending cipher is under send_lock, so that records leave in the order of their nonces.
// Counting references is the stream's business.
#include "rpc/conn_priv.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SILENT_BEATS     3
#define ADMIT_TIMEOUT_MS 60000

void
dr_conn_set_state(struct dr_conn *conn, enum dr_conn_state state)
{
    atomic_store(&conn->since_ms, dr_monotonic_ms());
    atomic_store(&conn->state, state);
}

void
dr_conn_push(struct dr_conn *conn, enum dr_event_kind kind, struct dr_arena *arena,
             Drover__V1__Frame *frame, uint32_t cost)
{
    struct dr_event *event = calloc(1, sizeof *event);
    if (event == NULL) {
        dr_arena_free(&arena);
        dr_conn_close(conn, DR_E_NOMEM, "no memory");
        return;
    }
    *event = (struct dr_event){.kind = kind,
                               .conn = conn,
                               .arena = arena,
                               .frame = frame,
                               .cost = cost,
                               .at_ms = dr_monotonic_ms()};
    dr_conn_ref(conn);
    dr_group_push(conn->group, event);
}

enum dr_rc
dr_conn_send_kind(struct dr_conn *conn, Drover__V1__FrameKind kind, struct dr_err *err)
{
    Drover__V1__Frame frame;
    drover__v1__frame__init(&frame);
    frame.kind = kind;
    return dr_conn_send(conn, &frame, err);
}

static void
conn_on_written(void *user, size_t queued_bytes)
{
    struct dr_conn *conn = user;
    if (queued_bytes < DR_CONN_LOW_BYTES && atomic_exchange(&conn->wants_drain, false)) {
        dr_conn_push(conn, DR_EVENT_DRAINED, NULL, NULL, 0);
    }
}

static void
conn_on_closed(void *user)
{
    struct dr_conn *conn = user;
    bool is_client = !dr_group_config(conn->group)->is_server;
    if (atomic_load(&conn->reason) == NULL) {
        bool is_early = atomic_load(&conn->state) == DR_CONN_ANSWER;
        dr_conn_close(conn, is_early ? DR_E_WRONG_SERVER_KEY : DR_E_UNREACHABLE,
                      is_early ? "the coordinator ended the handshake: it has another key than the "
                                 "pinned one, or is no droverd"
                               : "the connection was lost");
    }
    if (is_client || atomic_load(&conn->key_told)) {
        dr_conn_ref(conn);
        conn->closed_event = (struct dr_event){.kind = DR_EVENT_CLOSED, .conn = conn};
        dr_group_push(conn->group, &conn->closed_event);
    }
    dr_group_remove(conn->group, conn);
}

static void
conn_destroy(struct dr_conn *conn)
{
    dr_conn_end_handshake(conn);
    dr_frame_reader_fini(&conn->reader);
    pthread_mutex_destroy(&conn->send_lock);
    dr_noise_wipe(conn, sizeof *conn);
    free(conn);
}

static void
conn_on_free(void *user)
{
    struct dr_conn *conn = user;
    struct dr_conn_group *group = conn->group;
    conn_destroy(conn);
    dr_group_freed(group);
}

static const struct dr_stream_hooks hooks = {
    dr_conn_on_read, dr_conn_may_read, conn_on_written, conn_on_closed, conn_on_free,
};

// -------------------------------------------------------------------------------------------------
// public

static struct dr_conn *
conn_new(struct dr_conn_group *group, struct dr_stream *stream, const uint8_t *server_key)
{
    const struct dr_group_config *config = dr_group_config(group);
    struct dr_conn *conn = calloc(1, sizeof *conn);
    struct dr_noise *noise = calloc(1, sizeof *noise);
    if (conn == NULL || noise == NULL) {
        free(conn);
        free(noise);
        return NULL;
    }
    conn->magic = DR_CONN_MAGIC;
    conn->group = group;
    conn->stream = stream;
    conn->noise = noise;
    conn->reader.max = DR_FRAME_MAX;
    conn->pinged_ms = dr_monotonic_ms();
    pthread_mutex_init(&conn->send_lock, NULL);
    dr_conn_set_state(conn, server_key == NULL ? DR_CONN_HELLO : DR_CONN_ANSWER);
    dr_stream_address(stream, conn->address_text, &conn->address);
    dr_noise_init(noise, server_key != NULL, DR_NOISE_PROLOGUE, sizeof DR_NOISE_PROLOGUE - 1,
                  config->self, server_key, NULL);
    if (server_key != NULL) {
        memcpy(conn->key, server_key, DR_NOISE_KEY);
    }
    return conn;
}

// Starts it when the group has room; false and all freed when not.
static bool
conn_start(struct dr_conn *conn)
{
    struct dr_stream *stream = conn->stream;
    if (!dr_group_add(conn->group, conn, conn->address)) {
        conn_destroy(conn);
        dr_stream_close(stream);
        dr_stream_unref(stream);
        return false;
    }
    dr_stream_start(stream, &hooks, conn);
    return true;
}

void
dr_conn_accept(struct dr_conn_group *group, struct dr_stream *stream)
{
    struct dr_conn *conn = conn_new(group, stream, NULL);
    if (conn == NULL) {
        dr_stream_close(stream);
        dr_stream_unref(stream);
    } else if (conn_start(conn)) {
        dr_conn_unref(conn);
    }
}

struct dr_conn *
dr_conn_connect(struct dr_conn_group *group, struct dr_stream *stream,
                const uint8_t server_key[DR_NOISE_KEY])
{
    struct dr_conn *conn = conn_new(group, stream, server_key);
    if (conn != NULL && dr_conn_say_hello(conn, NULL) == DR_OK) {
        return conn_start(conn) ? conn : NULL;
    }
    if (conn != NULL) {
        conn_destroy(conn);
    }
    dr_stream_close(stream);
    dr_stream_unref(stream);
    return NULL;
}

void
dr_conn_ref(struct dr_conn *conn)
{
    dr_stream_ref(conn->stream);
}

void
dr_conn_unref(struct dr_conn *conn)
{
    if (conn != NULL) {
        dr_stream_unref(conn->stream);
    }
}

void
dr_conn_admit(struct dr_conn *conn, uint32_t frame_max)
{
    if (atomic_load(&conn->state) == DR_CONN_ADMIT) {
        conn->reader.max = frame_max;
        dr_conn_set_state(conn, DR_CONN_PROVE);
        dr_stream_resume(conn->stream);
    }
}

static enum dr_rc
send_frame(struct dr_conn *conn, const Drover__V1__Frame *frame, bool is_held, struct dr_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0, queued = 0;
    pthread_mutex_lock(&conn->send_lock);
    enum dr_rc rc = atomic_load(&conn->reason) != NULL
                        ? dr_err_set(err, DR_E_UNREACHABLE, "the connection is closed")
                        : dr_frame_seal(&conn->send, frame, &bytes, &len, err);
    if (rc == DR_OK) {
        queued = dr_stream_write(conn->stream, bytes, len, is_held);
    }
    pthread_mutex_unlock(&conn->send_lock);
    if (rc == DR_OK && queued == 0) {
        rc = dr_err_set(err, DR_E_UNREACHABLE, "the connection is closed");
    }
    atomic_fetch_add(&dr_group_stats(conn->group)->frames_out, rc == DR_OK);
    return rc;
}

enum dr_rc
dr_conn_send(struct dr_conn *conn, const Drover__V1__Frame *frame, struct dr_err *err)
{
    return send_frame(conn, frame, false, err);
}

enum dr_rc
dr_conn_hold(struct dr_conn *conn, const Drover__V1__Frame *frame, struct dr_conn **held,
             struct dr_err *err)
{
    enum dr_rc rc = send_frame(conn, frame, true, err);
    if (rc == DR_OK && !conn->is_held) {
        dr_conn_ref(conn);
        conn->is_held = true;
        conn->next_held = *held;
        *held = conn;
    }
    return rc;
}

void
dr_conn_release(struct dr_conn **held)
{
    while (*held != NULL) {
        struct dr_conn *conn = *held;
        *held = conn->next_held;
        conn->is_held = false;
        dr_stream_flush(conn->stream);
        dr_conn_unref(conn);
    }
}

size_t
dr_conn_queued(struct dr_conn *conn)
{
    return dr_stream_queued(conn->stream);
}

bool
dr_conn_want_drain(struct dr_conn *conn)
{
    atomic_store(&conn->wants_drain, true);
    // Written out meanwhile: whoever takes the flag back acts.
    return dr_conn_queued(conn) >= DR_CONN_LOW_BYTES || !atomic_exchange(&conn->wants_drain, false);
}

void
dr_conn_consumed(struct dr_conn *conn, uint32_t cost)
{
    // What stood there before tells whether the reader may have stopped.
    uint32_t bytes = atomic_fetch_sub(&conn->inbox_bytes, cost);
    uint32_t count = atomic_fetch_sub(&conn->inbox_count, 1);
    if (bytes >= DR_CONN_INBOX_BYTES || count >= DR_CONN_INBOX_COUNT) {
        dr_stream_resume(conn->stream);
    }
}

void
dr_conn_close(struct dr_conn *conn, enum dr_rc rc, const char *reason)
{
    int none = DR_OK;
    const char *no_reason = NULL;
    (void)atomic_compare_exchange_strong(&conn->reason_rc, &none, (int)rc);
    (void)atomic_compare_exchange_strong(&conn->reason, &no_reason, reason);
    dr_stream_close(conn->stream);
}

void
dr_conn_finish(struct dr_conn *conn)
{
    dr_stream_finish(conn->stream);
}

enum dr_rc
dr_conn_reason(struct dr_conn *conn, const char **out_reason)
{
    const char *reason = atomic_load(&conn->reason);
    *out_reason = reason == NULL ? "the connection was lost" : reason;
    int rc = atomic_load(&conn->reason_rc);
    return rc == DR_OK ? DR_E_UNREACHABLE : (enum dr_rc)rc;
}

const uint8_t *
dr_conn_key(const struct dr_conn *conn)
{
    return conn->key;
}

const char *
dr_conn_address(const struct dr_conn *conn)
{
    return conn->address_text;
}

uint64_t
dr_conn_address_key(const struct dr_conn *conn)
{
    return conn->address;
}

void *
dr_conn_user(const struct dr_conn *conn)
{
    return conn->user;
}

void
dr_conn_set_user(struct dr_conn *conn, void *user)
{
    conn->user = user;
}

struct dr_conn_links *
dr_conn_links(struct dr_conn *conn)
{
    assert(conn->magic == DR_CONN_MAGIC);
    return &conn->links;
}

// What is wrong with it now; NULL when nothing is.
static const char *
find_fault(struct dr_conn *conn, const struct dr_group_config *config, int64_t now_ms)
{
    int64_t in_state = now_ms - atomic_load(&conn->since_ms);
    int64_t beats = (int64_t)config->heartbeat_ms * SILENT_BEATS;
    switch (atomic_load(&conn->state)) {
    case DR_CONN_HELLO:
    case DR_CONN_ANSWER:
    case DR_CONN_PROVE:
        return in_state > config->hello_timeout_ms ? "the handshake took too long" : NULL;
    case DR_CONN_ADMIT:
        return in_state > ADMIT_TIMEOUT_MS ? "the caller's key was not looked up" : NULL;
    default:
        break;
    }
    if (dr_conn_queued(conn) > 0 && now_ms - dr_stream_written_at(conn->stream) > beats) {
        return "the peer does not read";
    }
    if (dr_conn_may_read(conn) && now_ms - dr_stream_read_at(conn->stream) > beats) {
        return "the peer is silent";
    }
    return NULL;
}

void
dr_conn_sweep(struct dr_conn *conn, int64_t now_ms)
{
    const struct dr_group_config *config = dr_group_config(conn->group);
    const char *fault = find_fault(conn, config, now_ms);
    if (fault != NULL) {
        dr_conn_close(conn, DR_E_UNREACHABLE, fault);
        return;
    }
    bool is_due = now_ms - conn->pinged_ms >= (int64_t)config->heartbeat_ms;
    if (!config->is_server && is_due && atomic_load(&conn->state) == DR_CONN_OPEN) {
        conn->pinged_ms = now_ms;
        (void)!dr_conn_send_kind(conn, DROVER__V1__FRAME_KIND__PING, NULL);
    }
}
