// Server and client together on loopback: unary calls, errors, who may call, limits, stored
// results.
#include "unit/rpc/world.h"

#include "rpc/status.h"

static void
a_person_gets_an_answer(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    assert_int_equal(world_echo(client, "R-2", 5000, &err), DR_OK);
    assert_true(dr_rpc_client_is_up(client));
    dr_rpc_client_close(&client);
    assert_null(client);
}

static void
health_tells_the_caller_who_it_is(void **state)
{
    struct world *world = *state;
    const struct {
        const struct dr_noise_pair *key;
        const char *name, *kind;
    } rows[] = {{&world->person, "alice", "person"},
                {&world->agent, "orders-1", "agent"},
                {&world->stranger, "", "unknown"}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_rpc_client *client = world_client(world, rows[i].key);
        struct dr_arena *arena = dr_arena_new(WORLD_MIB);
        struct dr_err err = {0};
        Drover__V1__HealthRequest request;
        ProtobufCMessage *reply = NULL;
        drover__v1__health_request__init(&request);
        assert_int_equal(
            dr_rpc_call(client, DR_METHOD_HEALTH_CHECK, &request.base, arena, &reply, 5000, &err),
            DR_OK);
        const Drover__V1__HealthReply *health = (const Drover__V1__HealthReply *)reply;
        assert_true(health->serving);
        assert_string_equal(health->caller, rows[i].name);
        assert_string_equal(health->caller_kind, rows[i].kind);
        assert_int_equal(health->cluster_id.len, 16);
        dr_arena_free(&arena);
        dr_rpc_client_close(&client);
    }
}

static void
an_error_crosses_with_number_message_and_hint(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "fail", 5000, &err), DR_E_NOT_FOUND);
    assert_int_equal(err.rc, DR_E_NOT_FOUND);
    assert_string_equal(err.message, "there is no rollout 'fail'");
    assert_string_equal(err.hint, "try: something else");
    dr_rpc_client_close(&client);
}

static void
a_handler_without_answer_is_a_defect_told_to_the_caller(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "nothing", 5000, &err), DR_E_INTERNAL);
    assert_string_equal(err.message, "'drover.v1.Operator/GetRollout' gave no answer");
    dr_rpc_client_close(&client);
}

static void
a_stranger_reaches_health_and_enroll_only(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->stranger);
    struct dr_err err = {0};
    char key[65];
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_E_UNAUTHENTICATED);
    dr_hex(key, world->stranger.public, 32);
    assert_non_null(strstr(err.message, key));
    // Enroll is open to all, but not served here.
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    Drover__V1__EnrollRequest offer;
    ProtobufCMessage *reply = NULL;
    drover__v1__enroll_request__init(&offer);
    assert_int_equal(
        dr_rpc_call(client, DR_METHOD_ENROLL_OFFER, &offer.base, arena, &reply, 5000, &err),
        DR_E_RPC_UNIMPLEMENTED);
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

static void
an_agent_may_not_call_what_is_for_people(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->agent);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_E_PERMISSION);
    assert_string_equal(err.message, "'orders-1' may not call 'drover.v1.Operator/GetRollout'");
    assert_string_equal(err.hint, "it is for: person");
    dr_rpc_client_close(&client);
}

static void
a_person_may_not_call_what_is_for_agents(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__AckRequest request;
    ProtobufCMessage *reply = NULL;
    drover__v1__ack_request__init(&request);
    assert_int_equal(
        dr_rpc_call(client, DR_METHOD_AGENT_ACK, &request.base, arena, &reply, 5000, &err),
        DR_E_PERMISSION);
    assert_int_equal(atomic_load(&world->executed), 0);
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

static void
reflection_lists_all_methods(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__ReflectRequest request;
    ProtobufCMessage *reply = NULL;
    drover__v1__reflect_request__init(&request);
    assert_int_equal(
        dr_rpc_call(client, DR_METHOD_REFLECTION_LIST, &request.base, arena, &reply, 5000, &err),
        DR_OK);
    assert_int_equal(((Drover__V1__ReflectReply *)reply)->n_methods, DR_METHOD_COUNT);
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

// Put with an envelope of `len` bytes.
static enum dr_rc
put(struct dr_rpc_client *client, size_t len, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(8 * WORLD_MIB);
    Drover__V1__Document document;
    ProtobufCMessage *reply = NULL;
    drover__v1__document__init(&document);
    document.envelope.len = len;
    document.envelope.data = dr_arena_alloc(arena, len);
    enum dr_rc rc = dr_rpc_call(client, DR_METHOD_DOCUMENTS_PUT, &document.base, arena, &reply,
                                WORLD_PATIENCE_MS, err);
    if (rc == DR_OK) {
        assert_int_equal(((Drover__V1__PutDocumentReply *)reply)->signatures, len);
    }
    dr_arena_free(&arena);
    return rc;
}

static void
a_body_of_one_mib_goes_both_ways(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_arena *arena = dr_arena_new(8 * WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__GetDocumentRequest request;
    ProtobufCMessage *reply = NULL;
    assert_int_equal(put(client, WORLD_MIB - 16, &err), DR_OK);
    drover__v1__get_document_request__init(&request);
    request.version = WORLD_MIB - 16;
    assert_int_equal(dr_rpc_call(client, DR_METHOD_DOCUMENTS_GET, &request.base, arena, &reply,
                                 WORLD_PATIENCE_MS, &err),
                     DR_OK);
    assert_int_equal(((Drover__V1__Document *)reply)->envelope.len, request.version);
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

static void
a_body_over_the_limit_is_refused_by_either_side(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_arena *arena = dr_arena_new(8 * WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__GetDocumentRequest request;
    ProtobufCMessage *reply = NULL;
    assert_int_equal(put(client, WORLD_MIB + 1, &err), DR_E_RPC_LIMIT);
    assert_non_null(strstr(err.message, "over the limit of 1048576"));
    drover__v1__get_document_request__init(&request);
    request.version = 2 * WORLD_MIB;
    assert_int_equal(dr_rpc_call(client, DR_METHOD_DOCUMENTS_GET, &request.base, arena, &reply,
                                 WORLD_PATIENCE_MS, &err),
                     DR_E_RPC_LIMIT);
    assert_int_equal(world_echo(client, "still there", 5000, &err), DR_OK);
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

// OrderRollout; `out` gets the state that the handler answered.
static enum dr_rc
order(struct dr_rpc_client *client, char out[32], struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    Drover__V1__RolloutOrder request;
    ProtobufCMessage *reply = NULL;
    char text[] = "pause";
    drover__v1__rollout_order__init(&request);
    request.order = text;
    enum dr_rc rc = dr_rpc_call(client, DR_METHOD_OPERATOR_ORDER_ROLLOUT, &request.base, arena,
                                &reply, WORLD_PATIENCE_MS, err);
    if (rc == DR_OK) {
        snprintf(out, 32, "%s", ((Drover__V1__Rollout *)reply)->state);
    }
    dr_arena_free(&arena);
    return rc;
}

static void
a_lost_reply_is_fetched_again_without_a_second_execution(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    char answer[32] = "";
    atomic_store(&world->drop_reply, true);
    assert_int_equal(order(client, answer, &err), DR_OK);
    assert_string_equal(answer, "execution 1");
    assert_int_equal(atomic_load(&world->executed), 1);
    struct dr_rpc_server_stats stats;
    dr_rpc_server_stats(world->server, &stats);
    assert_true(stats.handshakes >= 2); // it was lost indeed
    assert_int_equal(order(client, answer, &err), DR_OK);
    assert_string_equal(answer, "execution 2");
    dr_rpc_client_close(&client);
}

static void
a_caller_whose_key_loses_its_trust_is_disconnected(void **state)
{
    struct world *world = *state;
    struct dr_rpc_client *client = world_client(world, &world->person);
    struct dr_err err = {0};
    assert_int_equal(world_echo(client, "R-1", 5000, &err), DR_OK);
    atomic_store(&world->person_is_gone, true);
    atomic_store(&world->recheck, true);
    (void)world_echo(client, "R-2", 5000, &err); // makes the loop turn
    for (int i = 0; i < 100 && atomic_load(&world->recheck); i++) {
        (void)world_echo(client, "R-2", 5000, &err);
    }
    enum dr_rc rc = DR_OK;
    for (int i = 0; i < 100 && rc != DR_E_UNAUTHENTICATED; i++) {
        rc = world_echo(client, "R-3", 5000, &err);
    }
    assert_int_equal(rc, DR_E_UNAUTHENTICATED);
    dr_rpc_client_close(&client);
}

static void
the_port_of_another_server_is_refused_with_a_hint(void **state)
{
    struct world *world = *state;
    struct dr_err err = {0};
    char url[64];
    struct dr_rpc_server *second = NULL;
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", world->port);
    const struct dr_rpc_server_config config = {
        .url = url, .secret_key = world->server_key.secret, .cluster_id = world->cluster};
    assert_int_equal(dr_rpc_server_open(&config, &second, &err), DR_E_LISTEN);
    assert_non_null(strstr(err.message, "Address in use"));
    assert_non_null(strstr(dr_rc_hint(DR_E_LISTEN), "ss -ltnp"));
    assert_null(second);
}

static void
bad_addresses_are_refused(void **state)
{
    static const char *const urls[] = {"",
                                       "tcp://",
                                       "127.0.0.1:7171",
                                       "http://x:1",
                                       "tcp://x",
                                       "ws://127.0.0.1:1",
                                       "tcp://:1:2:3/x",
                                       "tcp://h:99999",
                                       "ipc:///tmp/x"};
    struct dr_noise_pair key;
    static const uint8_t cluster[16];
    (void)state;
    make_pair(&key);
    for (size_t i = 0; i < DR_COUNT_OF(urls); i++) {
        struct dr_err err = {0};
        struct dr_rpc_server *server = NULL;
        struct dr_rpc_client *client = NULL;
        const struct dr_rpc_server_config config = {
            .url = urls[i], .secret_key = key.secret, .cluster_id = cluster};
        const struct dr_rpc_client_config client_config = {
            .url = urls[i], .secret_key = key.secret, .server_key = key.public};
        assert_int_equal(dr_rpc_server_open(&config, &server, &err), DR_E_CONFIG);
        assert_int_equal(dr_rpc_client_open(&client_config, &client, &err), DR_E_CONFIG);
        assert_non_null(strstr(err.hint, "tcp://HOST:PORT"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_person_gets_an_answer),
        TEST(health_tells_the_caller_who_it_is),
        TEST(an_error_crosses_with_number_message_and_hint),
        TEST(a_handler_without_answer_is_a_defect_told_to_the_caller),
        TEST(a_stranger_reaches_health_and_enroll_only),
        TEST(an_agent_may_not_call_what_is_for_people),
        TEST(a_person_may_not_call_what_is_for_agents),
        TEST(reflection_lists_all_methods),
        TEST(a_body_of_one_mib_goes_both_ways),
        TEST(a_body_over_the_limit_is_refused_by_either_side),
        TEST(a_lost_reply_is_fetched_again_without_a_second_execution),
        TEST(a_caller_whose_key_loses_its_trust_is_disconnected),
        TEST(the_port_of_another_server_is_refused_with_a_hint),
        cmocka_unit_test(bad_addresses_are_refused),
    };
    return cmocka_run_group_tests_name("rpc/server", tests, NULL, NULL);
}
