// Server streams: order, window, slow readers, ends, cancellation, deadlines.
#include "unit/rpc/world.h"

static struct dr_rpc_stream *
watch(struct dr_rpc_client *client, const char *mode, uint64_t count)
{
    struct dr_rpc_stream *stream = NULL;
    struct dr_err err = {0};
    Drover__V1__WatchRequest request;
    char text[16];
    snprintf(text, sizeof text, "%s", mode);
    drover__v1__watch_request__init(&request);
    request.rollout = text;
    request.after_log_index = count;
    if (dr_rpc_stream_open(client, DR_METHOD_OPERATOR_WATCH_ROLLOUT, &request.base, &stream,
                           &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return stream;
}

// Takes `count` items, which must be numbered from `first`.
static void
take_items(struct dr_rpc_stream *stream, uint64_t first, uint64_t count)
{
    struct dr_err err = {0};
    for (uint64_t i = 0; i < count; i++) {
        struct dr_arena *arena = dr_arena_new(WORLD_MIB);
        ProtobufCMessage *item = NULL;
        if (dr_rpc_stream_next(stream, WORLD_PATIENCE_MS, -1, arena, &item, &err) != DR_OK) {
            fail_msg("item %u: %s", (unsigned)i, err.message);
        }
        assert_non_null(item);
        assert_int_equal(((Drover__V1__RolloutEvent *)item)->entry->index, first + i);
        dr_arena_free(&arena);
    }
}

static enum dr_rc
next(struct dr_rpc_stream *stream, uint32_t timeout_ms, ProtobufCMessage **item, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    enum dr_rc rc = dr_rpc_stream_next(stream, timeout_ms, -1, arena, item, err);
    dr_arena_free(&arena);
    return rc;
}

static void
items_come_in_order_and_the_stream_ends(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "count", 200); // more than the window
    ProtobufCMessage *item = NULL;
    struct dr_err err = {0};
    take_items(stream, 1, 200);
    assert_int_equal(next(stream, WORLD_PATIENCE_MS, &item, &err), DR_OK);
    assert_null(item);
    dr_rpc_stream_close(&stream);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    dr_rpc_client_close(&client);
    assert_int_equal(atomic_load(&world->gone), 0); // it was ended, not lost
}

static void
a_failing_stream_tells_why(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "fail", 2);
    ProtobufCMessage *item = NULL;
    struct dr_err err = {0};
    take_items(stream, 1, 2);
    assert_int_equal(next(stream, WORLD_PATIENCE_MS, &item, &err), DR_E_CONFLICT);
    assert_string_equal(err.message, "the rollout was aborted");
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
}

static void
an_open_stream_without_items_times_out_and_goes_on(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "open", 0);
    ProtobufCMessage *item = NULL;
    struct dr_err err = {0};
    assert_int_equal(next(stream, 20, &item, &err), DR_E_TIMEOUT);
    world_await(&world->streams, 1);
    assert_int_equal(atomic_load(&world->gone), 0);
    dr_rpc_stream_close(&stream);
    world_await(&world->gone, 1); // closing cancels it
    dr_rpc_client_close(&client);
}

static void
a_wake_descriptor_ends_the_wait(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "open", 0);
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    ProtobufCMessage *item = NULL;
    struct dr_err err = {0};
    int wake_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(dr_rpc_stream_next(stream, WORLD_PATIENCE_MS, wake_fd, arena, &item, &err),
                     DR_E_INTERRUPTED);
    close(wake_fd);
    dr_arena_free(&arena);
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
}

static void
a_lost_connection_ends_streams_on_both_sides(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "open", 0);
    ProtobufCMessage *item = NULL;
    struct dr_err err = {0};
    world_await(&world->streams, 1);
    dr_rpc_server_kick(world->server, world->person.public);
    assert_int_equal(next(stream, WORLD_PATIENCE_MS, &item, &err), DR_E_UNREACHABLE);
    world_await(&world->gone, 1);
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
}

static void
the_server_stops_at_the_window_until_items_are_taken(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_stream *stream = watch(client, "count", 100);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK); // all that was sent is here
    struct dr_rpc_server_stats stats;
    dr_rpc_server_stats(world->server, &stats);
    // PONG, the answer, and no more items than the window.
    assert_in_range(stats.frames_out, 33, 34);
    take_items(stream, 1, 100);
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
}

static void
a_reader_that_is_too_slow_is_cut_off(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_rpc_client *other = world_client(world, &world->agent);
    struct dr_rpc_stream *stream = watch(client, "flood", 0);
    struct dr_err err = {0};
    ProtobufCMessage *item = NULL;
    world_await(&world->sent_refused, 1);
    world_await(&world->gone, 1);
    enum dr_rc rc = DR_OK;
    for (unsigned i = 0; i < 1000 && rc == DR_OK; i++) {
        rc = next(stream, WORLD_PATIENCE_MS, &item, &err);
    }
    assert_int_equal(rc, DR_E_UNREACHABLE);
    struct dr_rpc_server_stats stats;
    dr_rpc_server_stats(world->server, &stats);
    assert_int_equal(stats.cut_off, 1);
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
    // The others were not in its way.
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    Drover__V1__AckRequest request;
    drover__v1__ack_request__init(&request);
    assert_int_equal(
        dr_rpc_call(other, DR_METHOD_AGENT_ACK, &request.base, arena, &item, 5000, &err), DR_OK);
    dr_arena_free(&arena);
    dr_rpc_client_close(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(items_come_in_order_and_the_stream_ends),
        TEST(a_failing_stream_tells_why),
        TEST(an_open_stream_without_items_times_out_and_goes_on),
        TEST(a_wake_descriptor_ends_the_wait),
        TEST(a_lost_connection_ends_streams_on_both_sides),
        TEST(the_server_stops_at_the_window_until_items_are_taken),
        TEST(a_reader_that_is_too_slow_is_cut_off),
    };
    return cmocka_run_group_tests_name("rpc/stream", tests, NULL, NULL);
}
