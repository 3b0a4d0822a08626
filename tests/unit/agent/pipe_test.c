// Pipe: frames over a socket pair, their limits, and garbage.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/pipe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    struct dr_pipe a, b;
};

static int
setup(void **state)
{
    static struct pair pair;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -1;
    }
    dr_pipe_init(&pair.a, fds[0]);
    dr_pipe_init(&pair.b, fds[1]);
    *state = &pair;
    return 0;
}

static int
teardown(void **state)
{
    struct pair *pair = *state;
    dr_pipe_fini(&pair->a);
    dr_pipe_fini(&pair->b);
    return 0;
}

static void
put(struct pair *pair, const void *bytes, size_t len)
{
    assert_int_equal(send(pair->a.fd, bytes, len, 0), (ssize_t)len);
}

static void
send_gives_the_same_frame_on_the_other_side(void **state)
{
    struct pair *pair = *state;
    Drover__V1__PipeFrame *frame = NULL;
    const uint8_t digest[32] = {1, 2, 3};
    const struct dr_bytes body = {.data = (const uint8_t *)"hello", .len = 5};
    assert_int_equal(dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_BLOB, 7, digest,
                                         body, "text", NULL),
                     DR_OK);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
    assert_non_null(frame);
    assert_int_equal(frame->kind, DROVER__V1__PIPE_KIND__PIPE_BLOB);
    assert_int_equal(frame->number, 7);
    assert_memory_equal(frame->digest.data, digest, 32);
    assert_memory_equal(frame->body.data, "hello", 5);
    assert_string_equal(frame->text, "text");
    dr_pipe_frame_free(&frame);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
    assert_null(frame);
}

static void
receive_puts_frames_together_from_single_bytes(void **state)
{
    struct pair *pair = *state;
    Drover__V1__PipeFrame message = DROVER__V1__PIPE_FRAME__INIT;
    Drover__V1__PipeFrame *frame = NULL;
    uint8_t bytes[64] = {0};
    message.kind = DROVER__V1__PIPE_KIND__PIPE_LINK;
    message.number = 300;
    size_t len = drover__v1__pipe_frame__pack(&message, bytes + 4);
    bytes[3] = (uint8_t)len;
    for (size_t i = 0; i < len + 4; i++) {
        assert_null(frame);
        put(pair, bytes + i, 1);
        assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
    }
    assert_non_null(frame);
    assert_int_equal(frame->number, 300);
    dr_pipe_frame_free(&frame);
}

static void
send_and_receive_carry_more_than_the_socket_holds(void **state)
{
    struct pair *pair = *state;
    size_t len = 5u << 20;
    uint8_t *large = malloc(len);
    Drover__V1__PipeFrame *frame = NULL;
    memset(large, 'x', len);
    const struct dr_bytes body = {.data = large, .len = len};
    const struct dr_bytes none = {0};
    assert_int_equal(
        dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_BLOB, 1, NULL, body, NULL, NULL),
        DR_OK);
    assert_int_equal(
        dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_LINK, 2, NULL, none, NULL, NULL),
        DR_OK);
    assert_true(dr_pipe_has_output(&pair->a));
    for (uint64_t want = 1; want <= 2;) {
        assert_int_equal(dr_pipe_flush(&pair->a, NULL), DR_OK);
        assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
        if (frame != NULL) {
            assert_int_equal(frame->number, want);
            assert_int_equal(frame->body.len, want == 1 ? len : 0);
            want++;
            dr_pipe_frame_free(&frame);
        }
    }
    assert_false(dr_pipe_has_output(&pair->a));
    free(large);
}

static void
send_refuses_a_frame_over_the_limit_and_stays_usable(void **state)
{
    struct pair *pair = *state;
    size_t len = DR_PIPE_FRAME_MAX + 1;
    uint8_t *large = calloc(1, len);
    const struct dr_bytes body = {.data = large, .len = len};
    const struct dr_bytes none = {0};
    struct dr_err err = {0};
    Drover__V1__PipeFrame *frame = NULL;
    assert_int_equal(
        dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_BLOB, 0, NULL, body, NULL, &err),
        DR_E_LIMIT);
    assert_int_equal(
        dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_LINK, 9, NULL, none, NULL, NULL),
        DR_OK);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
    assert_int_equal(frame->number, 9);
    dr_pipe_frame_free(&frame);
    free(large);
}

static void
send_refuses_when_nobody_reads_the_queue(void **state)
{
    struct pair *pair = *state;
    size_t len = 4u << 20;
    uint8_t *large = calloc(1, len);
    const struct dr_bytes body = {.data = large, .len = len};
    enum dr_rc rc = DR_OK;
    unsigned sent = 0;
    while (rc == DR_OK && sent < 100) {
        rc = dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_BLOB, 0, NULL, body, NULL,
                                 NULL);
        sent += rc == DR_OK;
    }
    assert_int_equal(rc, DR_E_LIMIT);
    assert_true(dr_pipe_queued(&pair->a) <= DR_PIPE_QUEUE_MAX);
    free(large);
}

static void
receive_refuses_lengths_out_of_range(void **state)
{
    struct pair *pair = *state;
    Drover__V1__PipeFrame *frame = NULL;
    struct dr_err err = {0};
    put(pair, "\xff\xff\xff\xff", 4);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, &err), DR_E_AGENT_PIPE);
    assert_non_null(strstr(err.message, "4294967295"));
    assert_true(pair->b.in_cap < 1u << 20); // no memory for what was announced
}

static void
receive_refuses_empty_undecodable_and_unknown_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } CASES[] = {
        {"\0\0\0\0", 4},                  // no length
        {"\0\0\0\2\xff\xff", 6},          // no message
        {"\0\0\0\2\x08\x63", 6},          // kind 99
        {"\0\0\0\2\x10\x01", 6},          // kind none
        {"\0\0\0\5\x08\x03\x1a\x01x", 9}, // a digest of one byte
    };
    for (size_t i = 0; i < DR_COUNT_OF(CASES); i++) {
        Drover__V1__PipeFrame *frame = NULL;
        struct pair *pair = NULL;
        if (i > 0) {
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
        }
        pair = *state;
        put(pair, CASES[i].bytes, CASES[i].len);
        assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_E_AGENT_PIPE);
        assert_null(frame);
    }
}

static void
receive_tells_the_end_only_after_the_last_frame(void **state)
{
    struct pair *pair = *state;
    Drover__V1__PipeFrame *frame = NULL;
    const struct dr_bytes none = {0};
    assert_int_equal(dr_pipe_send_simple(&pair->a, DROVER__V1__PIPE_KIND__PIPE_RESULT, 4, NULL,
                                         none, NULL, NULL),
                     DR_OK);
    dr_pipe_fini(&pair->a);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_OK);
    assert_non_null(frame);
    dr_pipe_frame_free(&frame);
    assert_int_equal(dr_pipe_receive(&pair->b, &frame, NULL), DR_E_AGENT_PIPE);
}

static void
wait_ends_at_its_deadline(void **state)
{
    struct pair *pair = *state;
    Drover__V1__PipeFrame *frame = NULL;
    assert_int_equal(dr_pipe_wait(&pair->b, 20, &frame, NULL), DR_E_TIMEOUT);
    assert_null(frame);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(send_gives_the_same_frame_on_the_other_side),
        TEST(receive_puts_frames_together_from_single_bytes),
        TEST(send_and_receive_carry_more_than_the_socket_holds),
        TEST(send_refuses_a_frame_over_the_limit_and_stays_usable),
        TEST(send_refuses_when_nobody_reads_the_queue),
        TEST(receive_refuses_lengths_out_of_range),
        TEST(receive_refuses_empty_undecodable_and_unknown_frames),
        TEST(receive_tells_the_end_only_after_the_last_frame),
        TEST(wait_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
