// What strangers, broken and hostile peers do to the port: silence and a close is all they get,
// nothing of them stays, and others are served meanwhile.
#include "unit/rpc/raw.h"

#define HELLO_TIMEOUT_MS 150

static int
setup(void **state)
{
    struct world *world = world_new();
    world->limits.hello_timeout_ms = HELLO_TIMEOUT_MS;
    world->limits.heartbeat_ms = 2000;
    world_start(world);
    *state = world;
    return 0;
}

// The server answers an honest caller, and everybody else has left it.
static void
expect_healthy(struct world *world, unsigned base_fds)
{
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    if (world_echo(client, "R-1", WORLD_PATIENCE_MS, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    dr_rpc_client_close(&client);
    world_await_connections(world, 0);
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    while (world_count_fds() > base_fds) {
        assert_true(dr_monotonic_ms() < until_ms);
        (void)poll(NULL, 0, 5);
    }
}

// Descriptors in use once nng has opened its own.
static unsigned
count_base(struct world *world)
{
    expect_healthy(world, UINT32_MAX);
    return world_count_fds();
}

static void
garbage_gets_silence_and_a_close(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
                {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11},
                {"\x00SP\x00\x00\x30\x00\x00", 8},
                {"\x00\x00", 2},
                {"\xff\xff\xff\xff", 4},
                {"\x00\x5f", 2},
                {"\x00\x61", 2},
                {"SSH-2.0-OpenSSH_9.2\r\n", 21}};
    unsigned base = count_base(world);
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        int fd = raw_connect(world->port);
        int64_t from_ms = dr_monotonic_ms();
        assert_int_equal(send(fd, rows[i].bytes, rows[i].len, MSG_NOSIGNAL), rows[i].len);
        assert_int_equal(raw_read_to_end(fd), 0);
        assert_true(dr_monotonic_ms() - from_ms < 10000);
        close(fd);
    }
    expect_healthy(world, base);
}

static void
a_first_message_that_does_not_decrypt_gets_silence_and_a_close(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    uint8_t hello[2 + DR_NOISE_HELLO_BYTES];
    for (unsigned i = 0; i < 20; i++) {
        int fd = raw_connect(world->port);
        dr_noise_random(hello, sizeof hello);
        hello[0] = 0;
        hello[1] = DR_NOISE_HELLO_BYTES;
        if (i == 0) {
            memset(hello + 2, 0, DR_NOISE_KEY); // a point of small order
        }
        assert_true(dr_fd_write_all(fd, hello, sizeof hello));
        assert_int_equal(raw_read_to_end(fd), 0);
        close(fd);
    }
    expect_healthy(world, base);
}

static void
silence_and_half_a_handshake_are_closed_in_time(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    assert_true(raw_shake_hands(&raw, world, &world->person));
    close(raw.fd);
    for (size_t len = 0; len < sizeof raw.hello; len += 14) {
        int fd = raw_connect(world->port);
        int64_t from_ms = dr_monotonic_ms();
        assert_int_equal(send(fd, raw.hello, len, MSG_NOSIGNAL), len);
        assert_int_equal(raw_read_to_end(fd), 0);
        assert_in_range(dr_monotonic_ms() - from_ms, HELLO_TIMEOUT_MS / 2, 10 * HELLO_TIMEOUT_MS);
        close(fd);
    }
    expect_healthy(world, base);
}

static void
a_replayed_first_message_proves_nothing_and_is_closed_in_time(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_true(raw_ping(&raw));
    close(raw.fd);
    int fd = raw_connect(world->port);
    assert_true(dr_fd_write_all(fd, raw.hello, sizeof raw.hello));
    // It gets message 2, which it cannot read, and nothing else.
    assert_int_equal(raw_read_to_end(fd), 2 + DR_NOISE_ANSWER_BYTES + RAW_ANSWER_PAYLOAD);
    close(fd);
    expect_healthy(world, base);
}

// Shakes hands, sends plain bytes of the stream in one record, and expects to be cut off without an
// answer.
static void
expect_cut_off(struct world *world, const void *plain, size_t len)
{
    struct raw raw = {0};
    assert_true(raw_shake_hands(&raw, world, &world->person));
    raw_send_plain(&raw, plain, len);
    assert_int_equal(raw_read_to_end(raw.fd), 0);
    close(raw.fd);
}

static void
bad_frames_cut_the_caller_off(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0x08, 0x01};  // 4 GiB
    static const uint8_t over[] = {0x00, 0x10, 0x20, 0x01, 0x08};        // one byte over the limit
    static const uint8_t none[] = {0, 0, 0, 0};                          // length 0
    static const uint8_t junk[] = {0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff};  // no message
    static const uint8_t kind[] = {0, 0, 0, 2, 0x10, 0x63};              // kind 99
    static const uint8_t reply[] = {0, 0, 0, 4, 0x08, 0x01, 0x10, 0x02}; // RESPONSE from a caller
    static const uint8_t zero_id[] = {0, 0, 0, 2, 0x10, 0x01};           // REQUEST without an id
    expect_cut_off(world, huge, sizeof huge);
    expect_cut_off(world, over, sizeof over);
    expect_cut_off(world, none, sizeof none);
    expect_cut_off(world, junk, sizeof junk);
    expect_cut_off(world, kind, sizeof kind);
    expect_cut_off(world, reply, sizeof reply);
    expect_cut_off(world, zero_id, sizeof zero_id);
    expect_healthy(world, base);
}

static void
a_forged_record_cuts_the_caller_off(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    assert_true(raw_shake_hands(&raw, world, &world->person));
    raw.send.key[0] ^= 1;
    (void)raw_ping(&raw);
    assert_int_equal(raw_read_to_end(raw.fd), 0);
    close(raw.fd);
    expect_healthy(world, base);
}

static void
a_frame_that_decodes_to_far_more_memory_is_refused(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    uint8_t frame[4 + 2 + 60000] = {0, 0, 0xea, 0x62, 0x10, 0x01};
    for (size_t i = 6; i < sizeof frame; i += 2) { // 30,000 empty metadata entries
        frame[i] = 0x5a;
        frame[i + 1] = 0;
    }
    assert_true(raw_shake_hands(&raw, world, &world->person));
    raw_send_plain(&raw, frame, sizeof frame);
    assert_int_equal(raw_read_to_end(raw.fd), 0);
    close(raw.fd);
    expect_healthy(world, base);
}

static void
a_call_id_used_twice_cuts_the_caller_off(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_true(raw_request(&raw, 7, "drover.v1.Operator/Log", NULL));
    (void)raw_request(&raw, 7, "drover.v1.Operator/Log", NULL);
    assert_int_equal(raw_read_to_end(raw.fd), 0);
    close(raw.fd);
    world_await(&world->gone, 1);
    expect_healthy(world, base);
}

static void
a_stranger_may_not_send_large_frames(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    static uint8_t frame[4 + 20000] = {0, 0, 0x4e, 0x20};
    assert_true(raw_shake_hands(&raw, world, &world->stranger));
    raw_send_plain(&raw, frame, sizeof frame);
    assert_int_equal(raw_read_to_end(raw.fd), 0);
    close(raw.fd);
    expect_healthy(world, base);
}

static void
strangers_of_one_address_are_few(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raws[40];
    unsigned open = 0;
    for (size_t i = 0; i < DR_COUNT_OF(raws); i++) {
        char byte;
        struct pollfd fd;
        open += raw_shake_hands(&raws[i], world, &world->stranger) && raw_ping(&raws[i]);
        fd = (struct pollfd){.fd = raws[i].fd, .events = POLLIN};
        (void)poll(&fd, 1, WORLD_PATIENCE_MS); // PONG or a close
        open -= recv(raws[i].fd, &byte, 1, MSG_PEEK) <= 0;
    }
    assert_int_equal(open, 16);
    for (size_t i = 0; i < DR_COUNT_OF(raws); i++) {
        close(raws[i].fd);
    }
    expect_healthy(world, base);
}

static void
silent_connections_of_one_address_are_capped(void **state)
{
    struct world *world = *state;
    world_stop(world);
    world->limits.hello_per_address = 8;
    world->limits.hello_timeout_ms = 60000;
    world_start(world);
    unsigned base = count_base(world);
    int fds[20];
    for (size_t i = 0; i < DR_COUNT_OF(fds); i++) {
        fds[i] = raw_connect(world->port);
    }
    world_await_connections(world, 8);
    for (size_t i = 0; i < DR_COUNT_OF(fds); i++) {
        close(fds[i]);
    }
    expect_healthy(world, base);
}

static void
when_all_waiting_places_are_taken_the_oldest_gives_way(void **state)
{
    struct world *world = *state;
    world_stop(world);
    world->limits.hello_total = 8;
    world->limits.hello_timeout_ms = 60000;
    world_start(world);
    unsigned base = count_base(world);
    int fds[8];
    for (size_t i = 0; i < DR_COUNT_OF(fds); i++) {
        fds[i] = raw_connect(world->port);
    }
    world_await_connections(world, 8);
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", WORLD_PATIENCE_MS, &err), DR_OK);
    assert_int_equal(raw_read_to_end(fds[0]), 0);
    dr_rpc_client_close(&client);
    for (size_t i = 0; i < DR_COUNT_OF(fds); i++) {
        close(fds[i]);
    }
    expect_healthy(world, base);
}

static void
a_thousand_connects_and_resets_leave_nothing(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    for (unsigned i = 0; i < 1000; i++) {
        int fd = raw_connect(world->port);
        if (i % 3 == 1) {
            (void)send(fd, "\x00\x60garbage", 9, MSG_NOSIGNAL);
        }
        raw_reset(fd);
    }
    expect_healthy(world, base);
}

static void
busy_callers_that_are_killed_leave_nothing(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    for (unsigned i = 0; i < 40; i++) {
        struct raw raw = {0};
        Drover__V1__RolloutId id;
        Drover__V1__WatchRequest watch;
        char text[] = "R-1", count[] = "count";
        drover__v1__rollout_id__init(&id);
        drover__v1__watch_request__init(&watch);
        id.id = text;
        watch.rollout = count;
        watch.after_log_index = 50;
        assert_true(raw_shake_hands(&raw, world, &world->person));
        for (uint64_t k = 1; k <= 64; k++) {
            (void)(k % 4 != 0
                       ? raw_request(&raw, k, "drover.v1.Operator/GetRollout", &id.base)
                       : raw_request(&raw, k, "drover.v1.Operator/WatchRollout", &watch.base));
        }
        raw_reset(raw.fd);
    }
    expect_healthy(world, base);
    struct dr_rpc_server_stats stats;
    dr_rpc_server_stats(world->server, &stats);
    assert_int_equal(stats.open_calls, 0);
}

static void
a_caller_that_pings_and_never_reads_is_cut_off(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    const struct timeval timeout = {.tv_sec = RAW_TIMEOUT_S};
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_int_equal(setsockopt(raw.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), 0);
    while (raw_ping(&raw)) {
        assert_true(dr_monotonic_ms() < until_ms);
    }
    close(raw.fd);
    expect_healthy(world, base);
}

// Requests whose answers are not read wait in the server, and the caller's socket fills up: no
// memory is taken for them.
static void
a_caller_that_asks_and_never_reads_waits_and_is_closed(void **state)
{
    struct world *world = *state;
    unsigned base = count_base(world);
    struct raw raw = {0};
    Drover__V1__GetDocumentRequest request;
    const struct timeval timeout = {.tv_usec = 200000};
    drover__v1__get_document_request__init(&request);
    request.version = WORLD_MIB - 16;
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_int_equal(setsockopt(raw.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), 0);
    for (uint64_t id = 1; id < 2000; id++) {
        if (!raw_request(&raw, id, "drover.v1.Documents/Get", &request.base)) {
            break;
        }
    }
    struct dr_rpc_server_stats stats;
    dr_rpc_server_stats(world->server, &stats);
    assert_in_range(stats.calls, 1, 20); // one answer is 1 MiB, kernel buffers hold a few
    world_await_connections(world, 0);   // it is closed for not reading
    close(raw.fd);
    expect_healthy(world, base);
}

#ifdef DROVER_FAILPOINTS
static void
a_dead_listener_is_made_anew_by_the_canary(void **state)
{
    struct world *world = *state;
    world_stop(world);
    world->limits.canary_ms = 50;
    setenv("DROVER_FAILPOINT", "rpc-accept-stops=error", 1); // after the first connection
    world_start(world);
    int fd = raw_connect(world->port);
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    struct dr_rpc_server_stats stats = {0};
    while (stats.relistened == 0) {
        assert_true(dr_monotonic_ms() < until_ms);
        (void)poll(NULL, 0, 10);
        dr_rpc_server_stats(world->server, &stats);
    }
    close(fd);
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", WORLD_PATIENCE_MS, &err), DR_OK);
    dr_rpc_client_close(&client);
    world_stop(world);
    unsetenv("DROVER_FAILPOINT");
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(garbage_gets_silence_and_a_close),
        TEST(a_first_message_that_does_not_decrypt_gets_silence_and_a_close),
        TEST(silence_and_half_a_handshake_are_closed_in_time),
        TEST(a_replayed_first_message_proves_nothing_and_is_closed_in_time),
        TEST(bad_frames_cut_the_caller_off),
        TEST(a_forged_record_cuts_the_caller_off),
        TEST(a_frame_that_decodes_to_far_more_memory_is_refused),
        TEST(a_call_id_used_twice_cuts_the_caller_off),
        TEST(a_stranger_may_not_send_large_frames),
        TEST(strangers_of_one_address_are_few),
        TEST(silent_connections_of_one_address_are_capped),
        TEST(when_all_waiting_places_are_taken_the_oldest_gives_way),
        TEST(a_thousand_connects_and_resets_leave_nothing),
        TEST(busy_callers_that_are_killed_leave_nothing),
        TEST(a_caller_that_pings_and_never_reads_is_cut_off),
        TEST(a_caller_that_asks_and_never_reads_waits_and_is_closed),
#ifdef DROVER_FAILPOINTS
        TEST(a_dead_listener_is_made_anew_by_the_canary),
#endif
    };
    return cmocka_run_group_tests_name("attack/rpc/port", tests, NULL, NULL);
}
