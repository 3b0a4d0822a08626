// Pipe: see pipe.h. Lengths are checked before memory is taken; memory grows with what has arrived.
#include "agent/pipe.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER    4u
#define READ_STEP (64u * 1024u)
#define WAIT_STEP 1000 // ms: poll takes an int

void
dr_pipe_init(struct dr_pipe *pipe, int fd)
{
    *pipe = (struct dr_pipe){.fd = fd, .is_open = true, .out = {.max = DR_PIPE_QUEUE_MAX}};
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static void
wipe_out(struct dr_pipe *pipe)
{
    if (pipe->out.data != NULL) {
        explicit_bzero(pipe->out.data, pipe->out.len);
    }
    dr_buf_reset(&pipe->out);
    pipe->out_sent = 0;
}

void
dr_pipe_fini(struct dr_pipe *pipe)
{
    if (!pipe->is_open) {
        return;
    }
    (void)close(pipe->fd);
    wipe_out(pipe);
    dr_buf_fini(&pipe->out);
    if (pipe->in != NULL) {
        explicit_bzero(pipe->in, pipe->in_len);
    }
    free(pipe->in);
    *pipe = (struct dr_pipe){.fd = -1};
}

size_t
dr_pipe_queued(const struct dr_pipe *pipe)
{
    return pipe->out.len - pipe->out_sent;
}

bool
dr_pipe_has_output(const struct dr_pipe *pipe)
{
    return dr_pipe_queued(pipe) > 0;
}

enum dr_rc
dr_pipe_flush(struct dr_pipe *pipe, struct dr_err *err)
{
    while (dr_pipe_has_output(pipe)) {
        ssize_t n =
            send(pipe->fd, pipe->out.data + pipe->out_sent, dr_pipe_queued(pipe), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return DR_OK;
        }
        if (n < 0) {
            return dr_err_errno(err, DR_E_AGENT_PIPE, errno, "the other process is gone");
        }
        pipe->out_sent += (size_t)n;
    }
    wipe_out(pipe);
    return DR_OK;
}

// Moves what is not sent yet to the front, so that a slow reader does not make the queue grow for
// ever.
static void
compact(struct dr_pipe *pipe)
{
    if (pipe->out_sent > READ_STEP) {
        size_t rest = dr_pipe_queued(pipe);
        memmove(pipe->out.data, pipe->out.data + pipe->out_sent, rest);
        pipe->out.len = rest;
        pipe->out_sent = 0;
    }
}

enum dr_rc
dr_pipe_send(struct dr_pipe *pipe, const Drover__V1__PipeFrame *frame, struct dr_err *err)
{
    if (!pipe->is_open) {
        return dr_err_set(err, DR_E_AGENT_PIPE, "the channel is closed");
    }
    size_t len = drover__v1__pipe_frame__get_packed_size(frame);
    compact(pipe);
    if (len == 0 || len > DR_PIPE_FRAME_MAX || pipe->out.len + len + HEADER > DR_PIPE_QUEUE_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a frame of %zu bytes does not fit into the channel",
                          len);
    }
    uint8_t *bytes = malloc(len);
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    (void)drover__v1__pipe_frame__pack(frame, bytes);
    const uint8_t header[HEADER] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                                    (uint8_t)len};
    size_t before = pipe->out.len;
    dr_buf_add(&pipe->out, header, HEADER);
    dr_buf_add(&pipe->out, bytes, len);
    explicit_bzero(bytes, len);
    free(bytes);
    if (pipe->out.failed) {
        pipe->out.len = before;
        pipe->out.failed = false;
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return dr_pipe_flush(pipe, err);
}

enum dr_rc
dr_pipe_send_simple(struct dr_pipe *pipe, Drover__V1__PipeKind kind, uint64_t number,
                    const uint8_t *digest, struct dr_bytes body, const char *text,
                    struct dr_err *err)
{
    Drover__V1__PipeFrame frame = DROVER__V1__PIPE_FRAME__INIT;
    uint8_t copy[32];
    char empty[1] = "";
    frame.kind = kind;
    frame.number = number;
    if (digest != NULL) {
        memcpy(copy, digest, sizeof copy);
        frame.digest = (ProtobufCBinaryData){.len = sizeof copy, .data = copy};
    }
    // protobuf-c's messages are not const; packing only reads.
    union {
        const void *in;
        void *out;
    } lend_body = {.in = body.data}, lend_text = {.in = text};
    frame.body = (ProtobufCBinaryData){.len = body.len, .data = lend_body.out};
    frame.text = text == NULL ? empty : lend_text.out;
    return dr_pipe_send(pipe, &frame, err);
}

// Length of the frame that begins the input; 0 when its header is not whole.
static size_t
frame_len(const struct dr_pipe *pipe)
{
    if (pipe->in_len < HEADER) {
        return 0;
    }
    const uint8_t *h = (const uint8_t *)pipe->in;
    return (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
}

static enum dr_rc
take_frame(struct dr_pipe *pipe, Drover__V1__PipeFrame **out, struct dr_err *err)
{
    size_t len = frame_len(pipe);
    if (pipe->in_len < HEADER) {
        return DR_OK;
    }
    if (len == 0 || len > DR_PIPE_FRAME_MAX) {
        return dr_err_set(err, DR_E_AGENT_PIPE, "a frame of %zu bytes came", len);
    }
    if (pipe->in_len < HEADER + len) {
        return DR_OK;
    }
    Drover__V1__PipeFrame *frame =
        drover__v1__pipe_frame__unpack(NULL, len, (const uint8_t *)pipe->in + HEADER);
    size_t rest = pipe->in_len - HEADER - len;
    memmove(pipe->in, pipe->in + HEADER + len, rest);
    explicit_bzero(pipe->in + rest, HEADER + len);
    pipe->in_len = rest;
    if (frame == NULL) {
        return dr_err_set(err, DR_E_AGENT_PIPE, "a frame that is no frame came");
    }
    if (frame->kind == DROVER__V1__PIPE_KIND__PIPE_NONE ||
        protobuf_c_enum_descriptor_get_value(&drover__v1__pipe_kind__descriptor,
                                             (int)frame->kind) == NULL ||
        (frame->digest.len != 0 && frame->digest.len != 32)) {
        (void)dr_err_set(err, DR_E_AGENT_PIPE, "a frame of unknown kind %d came", (int)frame->kind);
        dr_pipe_frame_free(&frame);
        return DR_E_AGENT_PIPE;
    }
    *out = frame;
    return DR_OK;
}

// Grows the input by what was read, never by what was announced.
static enum dr_rc
read_some(struct dr_pipe *pipe, bool *out_more, struct dr_err *err)
{
    *out_more = false;
    if (pipe->in_cap - pipe->in_len < READ_STEP) {
        size_t cap = pipe->in_cap < READ_STEP ? 2u * READ_STEP : 2u * pipe->in_cap;
        char *grown = malloc(cap);
        if (grown == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        if (pipe->in != NULL) {
            memcpy(grown, pipe->in, pipe->in_len);
            explicit_bzero(pipe->in, pipe->in_len);
        }
        free(pipe->in);
        pipe->in = grown;
        pipe->in_cap = cap;
    }
    ssize_t n = recv(pipe->fd, pipe->in + pipe->in_len, pipe->in_cap - pipe->in_len, 0);
    if (n > 0) {
        pipe->in_len += (size_t)n;
        *out_more = true;
        return DR_OK;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        *out_more = errno == EINTR;
        return DR_OK;
    }
    return dr_err_set(err, DR_E_AGENT_PIPE, "the other process is gone");
}

enum dr_rc
dr_pipe_receive(struct dr_pipe *pipe, Drover__V1__PipeFrame **out, struct dr_err *err)
{
    *out = NULL;
    if (!pipe->is_open) {
        return dr_err_set(err, DR_E_AGENT_PIPE, "the channel is closed");
    }
    for (;;) {
        enum dr_rc rc = take_frame(pipe, out, err);
        if (rc != DR_OK || *out != NULL) {
            return rc;
        }
        bool more = false;
        rc = read_some(pipe, &more, err);
        if (rc != DR_OK || !more) {
            return rc;
        }
    }
}

enum dr_rc
dr_pipe_wait(struct dr_pipe *pipe, int64_t timeout_ms, Drover__V1__PipeFrame **out,
             struct dr_err *err)
{
    int64_t deadline = dr_monotonic_ms() + timeout_ms;
    for (;;) {
        enum dr_rc rc = dr_pipe_flush(pipe, err);
        rc = rc != DR_OK ? rc : dr_pipe_receive(pipe, out, err);
        if (rc != DR_OK || *out != NULL) {
            return rc;
        }
        int64_t left = deadline - dr_monotonic_ms();
        if (left <= 0) {
            return dr_err_set(err, DR_E_TIMEOUT, "the other process did not answer");
        }
        short output = dr_pipe_has_output(pipe) ? POLLOUT : 0;
        struct pollfd fd = {.fd = pipe->fd, .events = (short)(POLLIN | output)};
        (void)poll(&fd, 1, (int)(left < WAIT_STEP ? left : WAIT_STEP));
    }
}

enum dr_rc
dr_pipe_drain(struct dr_pipe *pipe, int64_t timeout_ms, struct dr_err *err)
{
    int64_t deadline = dr_monotonic_ms() + timeout_ms;
    for (;;) {
        enum dr_rc rc = dr_pipe_flush(pipe, err);
        if (rc != DR_OK || !dr_pipe_has_output(pipe)) {
            return rc;
        }
        int64_t left = deadline - dr_monotonic_ms();
        if (left <= 0) {
            return dr_err_set(err, DR_E_TIMEOUT, "the other process does not read");
        }
        struct pollfd fd = {.fd = pipe->fd, .events = POLLOUT};
        (void)poll(&fd, 1, (int)(left < WAIT_STEP ? left : WAIT_STEP));
    }
}

void
dr_pipe_frame_free(Drover__V1__PipeFrame **frame)
{
    if (*frame == NULL) {
        return;
    }
    if ((*frame)->body.data != NULL) {
        explicit_bzero((*frame)->body.data, (*frame)->body.len);
    }
    if ((*frame)->text != NULL) {
        explicit_bzero((*frame)->text, strlen((*frame)->text)); // a URL may hold a password
    }
    drover__v1__pipe_frame__free_unpacked(*frame, NULL);
    *frame = NULL;
}
