// The client: deadlines, cancellation, restarts, wrong keys, many calls at once, use in a poll
// loop.
#include "unit/rpc/world.h"

// What callbacks saw.
struct seen {
    unsigned done, ok, ups, downs, items;
    enum dr_rc rc, down_rc;
    char message[DR_ERR_MESSAGE_MAX];
    struct dr_rpc_client *client;
};

static void
on_done(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct seen *seen = user;
    seen->done++;
    seen->ok += reply != NULL;
    seen->rc = err->rc;
    snprintf(seen->message, sizeof seen->message, "%s", err->message);
}

static void
on_item(void *user, const ProtobufCMessage *item)
{
    struct seen *seen = user;
    (void)item;
    seen->items++;
}

static void
on_state(void *user, bool is_up, const struct dr_err *err)
{
    struct seen *seen = user;
    *(is_up ? &seen->ups : &seen->downs) += 1;
    seen->down_rc = is_up ? seen->down_rc : err->rc;
}

// Steps until `*value` is at least `wanted`.
static void
step_until(struct dr_rpc_client *client, const unsigned *value, unsigned wanted)
{
    int64_t until_ms = dr_monotonic_ms() + WORLD_PATIENCE_MS;
    struct pollfd fd = {.fd = dr_rpc_client_fd(client), .events = POLLIN};
    while (*value < wanted) {
        assert_true(dr_monotonic_ms() < until_ms);
        (void)poll(&fd, 1, 1000);
        dr_rpc_client_step(client);
    }
}

static enum dr_rc
call_log(struct dr_rpc_client *client, uint32_t deadline_ms, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    Drover__V1__LogRequest request;
    ProtobufCMessage *reply = NULL;
    drover__v1__log_request__init(&request);
    enum dr_rc rc =
        dr_rpc_call(client, DR_METHOD_OPERATOR_LOG, &request.base, arena, &reply, deadline_ms, err);
    dr_arena_free(&arena);
    return rc;
}

static void
a_deadline_ends_the_call_on_both_sides(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    int64_t from_ms = dr_monotonic_ms();
    assert_int_equal(call_log(client, 60, &err), DR_E_TIMEOUT);
    assert_true(dr_monotonic_ms() - from_ms >= 59);
    world_await(&world->gone, 1);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    dr_rpc_client_close(&client);
}

static void
a_cancelled_call_is_gone_on_the_server_and_silent_here(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    Drover__V1__LogRequest request;
    uint64_t id = 0;
    drover__v1__log_request__init(&request);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_OPERATOR_LOG, &request.base, 60000, NULL,
                                         on_done, &seen, &id, &err),
                     DR_OK);
    assert_int_equal(seen.done, 0);
    dr_rpc_client_step(client);
    world_await(&world->streams, 1);
    dr_rpc_client_cancel(client, id);
    world_await(&world->gone, 1);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    assert_int_equal(seen.done, 0);
    dr_rpc_client_cancel(client, id);
    dr_rpc_client_close(&client);
}

static void
closing_the_client_ends_its_calls(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    Drover__V1__LogRequest request;
    drover__v1__log_request__init(&request);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_OPERATOR_LOG, &request.base, 60000, NULL,
                                         on_done, &seen, NULL, &err),
                     DR_OK);
    dr_rpc_client_step(client);
    world_await(&world->streams, 1);
    dr_rpc_client_close(&client);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.rc, DR_E_INTERRUPTED);
    world_await(&world->gone, 1);
    world_await_connections(world, 0);
}

static void
sixty_four_calls_at_once_are_all_answered(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    for (unsigned i = 0; i < 64; i++) {
        Drover__V1__RolloutId request;
        char id[] = "R-1";
        drover__v1__rollout_id__init(&request);
        request.id = id;
        assert_int_equal(dr_rpc_client_start(client, DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base,
                                             WORLD_PATIENCE_MS, NULL, on_done, &seen, NULL, &err),
                         DR_OK);
    }
    step_until(client, &seen.done, 64);
    assert_int_equal(seen.ok, 64);
    dr_rpc_client_close(&client);
}

static void
sixty_four_bodies_of_one_mib_at_once_are_all_answered(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    for (unsigned i = 0; i < 64; i++) { // 64 MiB of answers: the server must wait for the reader
        Drover__V1__GetDocumentRequest request;
        drover__v1__get_document_request__init(&request);
        request.version = WORLD_MIB - 16;
        assert_int_equal(dr_rpc_client_start(client, DR_METHOD_DOCUMENTS_GET, &request.base,
                                             4 * WORLD_PATIENCE_MS, NULL, on_done, &seen, NULL,
                                             &err),
                         DR_OK);
    }
    step_until(client, &seen.done, 64);
    assert_int_equal(seen.ok, 64);
    dr_rpc_client_close(&client);
}

static void
nobody_listening_is_unreachable_with_a_hint(void **state)
{
    struct world *world = *state;
    char url[64];
    struct dr_rpc_client_config config = world_client_config(world, &world->person, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    world_stop(world);
    config.connect_patience_ms = 100;
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    assert_int_equal(world_echo(client, "R-1", 30000, &err), DR_E_UNREACHABLE);
    assert_non_null(strstr(err.message, "nothing listens on 'tcp://127.0.0.1:"));
    assert_int_equal(dr_rc_exit_code(err.rc), 5);
    assert_non_null(strstr(dr_rc_hint(err.rc), "is droverd running"));
    dr_rpc_client_close(&client);
}

static void
an_address_where_nobody_listens_is_given_up_before_the_patience_ends(void **state)
{
    struct world *world = *state;
    char url[64];
    struct dr_rpc_client_config config = world_client_config(world, &world->person, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    world_stop(world);
    config.connect_patience_ms = 120000;
    config.backoff_max_ms = 200;
    int64_t before = dr_monotonic_ms();
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    assert_int_equal(world_echo(client, "R-1", 120000, &err), DR_E_UNREACHABLE);
    assert_true(dr_monotonic_ms() - before < 60000);
    dr_rpc_client_close(&client);
}

static void
another_server_key_is_told_as_such(void **state)
{
    struct world *world = *state;
    char url[64];
    struct dr_rpc_client_config config = world_client_config(world, &world->person, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    config.server_key = world->stranger.public;
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    assert_int_equal(world_echo(client, "R-1", 30000, &err), DR_E_WRONG_SERVER_KEY);
    assert_non_null(strstr(err.message, "another key than the pinned one"));
    assert_int_equal(dr_rc_exit_code(err.rc), 4);
    dr_rpc_client_close(&client);
}

static void
another_cluster_is_told_as_such(void **state)
{
    struct world *world = *state;
    char url[64];
    uint8_t cluster[16] = {0};
    struct dr_rpc_client_config config = world_client_config(world, &world->person, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    config.cluster_id = cluster;
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    assert_int_equal(world_echo(client, "R-1", 30000, &err), DR_E_WRONG_CLUSTER);
    assert_non_null(strstr(err.message, "belongs to another cluster"));
    dr_rpc_client_close(&client);
}

static void
a_call_survives_a_restart_of_the_server(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    world_stop(world);
    Drover__V1__RolloutId request;
    char id[] = "R-2";
    drover__v1__rollout_id__init(&request);
    request.id = id;
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base,
                                         WORLD_PATIENCE_MS, NULL, on_done, &seen, NULL, &err),
                     DR_OK);
    struct pollfd fd = {.fd = dr_rpc_client_fd(client), .events = POLLIN};
    for (unsigned i = 0; i < 20; i++) { // it tries and fails some times
        (void)poll(&fd, 1, 10);
        dr_rpc_client_step(client);
    }
    assert_int_equal(seen.done, 0);
    world_start(world);
    step_until(client, &seen.done, 1);
    assert_int_equal(seen.ok, 1);
    dr_rpc_client_close(&client);
}

static void
a_call_under_way_survives_a_restart_of_the_server(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct seen seen = {0};
    struct dr_err err = {0};
    Drover__V1__LogRequest request;
    drover__v1__log_request__init(&request);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_OPERATOR_LOG, &request.base,
                                         WORLD_PATIENCE_MS, NULL, on_done, &seen, NULL, &err),
                     DR_OK);
    dr_rpc_client_step(client);
    world_await(&world->streams, 1);
    world_stop(world);
    assert_int_equal(atomic_load(&world->gone), 1);
    world_start(world);
    struct pollfd fd = {.fd = dr_rpc_client_fd(client), .events = POLLIN};
    while (atomic_load(&world->streams) < 2) { // it is sent again
        (void)poll(&fd, 1, 1000);
        dr_rpc_client_step(client);
    }
    assert_int_equal(seen.done, 0);
    dr_rpc_client_close(&client);
    assert_int_equal(seen.rc, DR_E_INTERRUPTED);
}

static void
a_persistent_client_comes_back_by_itself_and_tells(void **state)
{
    struct world *world = *state;
    char url[64];
    struct seen seen = {0};
    struct dr_rpc_client_config config = world_client_config(world, &world->agent, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    config.is_persistent = true;
    config.on_state = on_state;
    config.user = &seen;
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    step_until(client, &seen.ups, 1);
    Drover__V1__AgentHello hello;
    drover__v1__agent_hello__init(&hello);
    // Watch is not served here, which is answered, too.
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_AGENT_WATCH, &hello.base, 0, on_item,
                                         on_done, &seen, NULL, &err),
                     DR_OK);
    step_until(client, &seen.done, 1);
    assert_int_equal(seen.rc, DR_E_RPC_UNIMPLEMENTED);
    world_stop(world);
    step_until(client, &seen.downs, 2);
    assert_int_equal(seen.down_rc, DR_E_UNREACHABLE);
    world_start(world);
    step_until(client, &seen.ups, 2);
    assert_true(dr_rpc_client_is_up(client));
    dr_rpc_client_close(&client);
}

static void
a_server_whose_loop_is_busy_does_not_look_dead(void **state)
{
    struct world *world = *state;
    char url[64];
    struct seen seen = {0};
    struct dr_rpc_client_config config = world_client_config(world, &world->agent, url);
    struct dr_rpc_client *client = NULL;
    struct dr_err err = {0};
    config.is_persistent = true;
    config.on_state = on_state;
    config.heartbeat_ms = 40;
    config.user = &seen;
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    step_until(client, &seen.ups, 1);
    Drover__V1__AckRequest ack;
    drover__v1__ack_request__init(&ack);
    assert_int_equal(dr_rpc_client_start(client, DR_METHOD_AGENT_ACK, &ack.base, 5000, NULL,
                                         on_done, &seen, NULL, &err),
                     DR_OK);
    step_until(client, &seen.done, 1); // it is admitted
    // PONGs come from nng's threads, so a stuck loop does not look dead: the connection stays.
    atomic_store(&world->hold, true);
    struct pollfd fd = {.fd = dr_rpc_client_fd(client), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 400), 0);
    dr_rpc_client_step(client);
    assert_int_equal(seen.downs, 0);
    atomic_store(&world->hold, false);
    dr_rpc_client_close(&client);
}

static void
a_silent_caller_is_closed_after_three_heartbeats(void **state)
{
    struct world *world = *state;
    world_stop(world);
    world->limits.heartbeat_ms = 30;
    world_start(world);
    struct dr_rpc_client *client = world_client(world, &world->person); // beats every 20 s
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    world_await_connections(world, 0);
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK); // and comes back when needed
    dr_rpc_client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deadline_ends_the_call_on_both_sides),
        TEST(a_cancelled_call_is_gone_on_the_server_and_silent_here),
        TEST(closing_the_client_ends_its_calls),
        TEST(sixty_four_calls_at_once_are_all_answered),
        TEST(sixty_four_bodies_of_one_mib_at_once_are_all_answered),
        TEST(nobody_listening_is_unreachable_with_a_hint),
        TEST(an_address_where_nobody_listens_is_given_up_before_the_patience_ends),
        TEST(another_server_key_is_told_as_such),
        TEST(another_cluster_is_told_as_such),
        TEST(a_call_survives_a_restart_of_the_server),
        TEST(a_call_under_way_survives_a_restart_of_the_server),
        TEST(a_persistent_client_comes_back_by_itself_and_tells),
        TEST(a_server_whose_loop_is_busy_does_not_look_dead),
        TEST(a_silent_caller_is_closed_after_three_heartbeats),
    };
    return cmocka_run_group_tests_name("rpc/client", tests, NULL, NULL);
}
