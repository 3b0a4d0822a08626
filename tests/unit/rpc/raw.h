// A peer made of a plain socket: it can shake hands and speak frames, and also break every rule.
#ifndef DR_TESTS_RPC_RAW_H
#define DR_TESTS_RPC_RAW_H

#include "unit/rpc/world.h"

#include "base/file.h"
#include "rpc/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RAW_ANSWER_PAYLOAD 17u
#define RAW_TIMEOUT_S      20

struct raw {
    int fd;
    struct dr_noise_cipher send, receive;
    uint8_t hello[2 + DR_NOISE_HELLO_BYTES]; // what was sent first
};

DR_UNUSED static int
raw_connect(uint16_t port)
{
    const struct timeval timeout = {.tv_sec = RAW_TIMEOUT_S};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    return fd;
}

// Closes with RST.
DR_UNUSED static void
raw_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

// Bytes that the server sends until it closes; -1 when it does not close in time.
DR_UNUSED static long
raw_read_to_end(int fd)
{
    char bytes[4096];
    long total = 0;
    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return total;
        }
        if (got < 0) {
            return -1;
        }
        total += got;
    }
}

// Sends message 1 and reads message 2; false when the server closes instead.
DR_UNUSED static bool
raw_shake_hands(struct raw *raw, const struct world *world, const struct dr_noise_pair *caller)
{
    struct dr_noise noise;
    uint8_t answer[2 + DR_NOISE_ANSWER_BYTES + RAW_ANSWER_PAYLOAD], payload[RAW_ANSWER_PAYLOAD];
    size_t len;
    struct dr_err err = {0};
    raw->fd = raw_connect(world->port);
    dr_noise_init(&noise, true, "drover/1", 8, caller, world->server_key.public, NULL);
    assert_int_equal(
        dr_noise_write(&noise, NULL, 0, raw->hello + 2, DR_NOISE_HELLO_BYTES, &len, &err), DR_OK);
    raw->hello[0] = 0;
    raw->hello[1] = DR_NOISE_HELLO_BYTES;
    assert_true(dr_fd_write_all(raw->fd, raw->hello, sizeof raw->hello));
    if (!dr_fd_read_all(raw->fd, answer, sizeof answer)) {
        return false;
    }
    assert_int_equal(
        dr_noise_read(&noise, answer + 2, sizeof answer - 2, payload, sizeof payload, &len, &err),
        DR_OK);
    assert_int_equal(dr_noise_split(&noise, &raw->send, &raw->receive, &err), DR_OK);
    return true;
}

// Seals any plain bytes into one record.
DR_UNUSED static void
raw_send_plain(struct raw *raw, const void *plain, size_t len)
{
    struct dr_err err = {0};
    uint8_t *record = malloc(2 + len + DR_NOISE_TAG);
    assert_non_null(record);
    record[0] = (uint8_t)((len + DR_NOISE_TAG) >> 8);
    record[1] = (uint8_t)(len + DR_NOISE_TAG);
    assert_int_equal(dr_noise_seal(&raw->send, plain, len, record + 2, &err), DR_OK);
    (void)send(raw->fd, record, 2 + len + DR_NOISE_TAG, MSG_NOSIGNAL);
    free(record);
}

// False when the peer has closed.
DR_UNUSED static bool
raw_send_frame(struct raw *raw, const Drover__V1__Frame *frame)
{
    struct dr_err err = {0};
    uint8_t *bytes = NULL;
    size_t len, done = 0;
    assert_int_equal(dr_frame_seal(&raw->send, frame, &bytes, &len, &err), DR_OK);
    while (done < len) {
        ssize_t sent = send(raw->fd, bytes + done, len - done, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        done += (size_t)sent;
    }
    free(bytes);
    return done == len;
}

DR_UNUSED static bool
raw_ping(struct raw *raw)
{
    Drover__V1__Frame frame;
    drover__v1__frame__init(&frame);
    frame.kind = DROVER__V1__FRAME_KIND__PING;
    return raw_send_frame(raw, &frame);
}

// A request; `body` may be NULL.
DR_UNUSED static bool
raw_request(struct raw *raw, uint64_t id, const char *method, const ProtobufCMessage *body)
{
    Drover__V1__Frame frame;
    char name[160];
    snprintf(name, sizeof name, "%s", method);
    drover__v1__frame__init(&frame);
    frame.call_id = id;
    frame.kind = DROVER__V1__FRAME_KIND__REQUEST;
    frame.method = name;
    frame.body.len = body == NULL ? 0 : protobuf_c_message_get_packed_size(body);
    frame.body.data = malloc(frame.body.len + 1);
    if (body != NULL) {
        protobuf_c_message_pack(body, frame.body.data);
    }
    bool ok = raw_send_frame(raw, &frame);
    free(frame.body.data);
    return ok;
}

#endif
