// Stored results in memory, and the server's use of them.
#include "unit/rpc/raw.h"

static void
results_are_found_by_caller_and_id(void **state)
{
    struct dr_rpc_memory_store *memory = dr_rpc_memory_store_new(2);
    struct dr_rpc_store store = dr_rpc_memory_store_as(memory);
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    struct dr_rpc_result result = {.body = (const uint8_t *)"abc", .body_len = 3}, found;
    struct dr_err err = {0};
    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        result.request_id[0] = i;
        assert_int_equal(store.put(store.user, &result, &err), DR_OK);
    }
    uint8_t id[16] = {0}, caller[32] = {0};
    assert_int_equal(store.get(store.user, caller, id, arena, &found, &err),
                     DR_E_NOT_FOUND); // oldest
    id[0] = 2;
    assert_int_equal(store.get(store.user, caller, id, arena, &found, &err), DR_OK);
    assert_int_equal(found.body_len, 3);
    assert_memory_equal(found.body, "abc", 3);
    caller[0] = 1;
    assert_int_equal(store.get(store.user, caller, id, arena, &found, &err), DR_E_NOT_FOUND);
    dr_arena_free(&arena);
    dr_rpc_memory_store_free(&memory);
}

// Sends OrderRollout with a fixed request id; the status and the reply's state.
static uint32_t
order(struct raw *raw, uint64_t call_id, const char *text, char out[32])
{
    Drover__V1__RolloutOrder request;
    Drover__V1__Frame frame, *answer = NULL;
    char order_text[16], method[] = "drover.v1.Operator/OrderRollout";
    uint8_t id[16] = {42}, packed[64], header[2];
    struct dr_err err = {0};
    snprintf(order_text, sizeof order_text, "%s", text);
    drover__v1__rollout_order__init(&request);
    request.order = order_text;
    drover__v1__frame__init(&frame);
    frame.call_id = call_id;
    frame.kind = DROVER__V1__FRAME_KIND__REQUEST;
    frame.method = method;
    frame.request_id.data = id;
    frame.request_id.len = sizeof id;
    frame.body.data = packed;
    frame.body.len = drover__v1__rollout_order__pack(&request, packed);
    assert_true(raw_send_frame(raw, &frame));
    assert_true(dr_fd_read_all(raw->fd, header, sizeof header));
    size_t len = (size_t)header[0] << 8 | header[1];
    uint8_t *bytes = malloc(len);
    assert_true(dr_fd_read_all(raw->fd, bytes, len));
    assert_int_equal(dr_noise_open(&raw->receive, bytes, len, bytes, &err), DR_OK);
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    assert_int_equal(dr_frame_decode(bytes + 4, len - 4 - DR_NOISE_TAG, arena, &answer, &err),
                     DR_OK);
    assert_int_equal(answer->call_id, call_id);
    uint32_t status = answer->status;
    if (status == 0) {
        Drover__V1__Rollout *rollout = drover__v1__rollout__unpack(
            dr_arena_protobuf(arena), answer->body.len, answer->body.data);
        snprintf(out, 32, "%s", rollout->state);
    }
    dr_arena_free(&arena);
    free(bytes);
    return status;
}

static void
the_same_request_id_is_executed_once_even_after_a_restart(void **state)
{
    struct world *world = *state;
    struct raw raw = {0};
    char answer[32] = "";
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_int_equal(order(&raw, 1, "pause", answer), 0);
    assert_string_equal(answer, "execution 1");
    assert_int_equal(order(&raw, 2, "pause", answer), 0);
    assert_string_equal(answer, "execution 1");
    close(raw.fd);
    world_stop(world);
    world_start(world);
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_int_equal(order(&raw, 1, "pause", answer), 0);
    assert_string_equal(answer, "execution 1");
    assert_int_equal(atomic_load(&world->executed), 1);
    close(raw.fd);
}

static void
the_same_request_id_for_another_request_is_refused(void **state)
{
    struct world *world = *state;
    struct raw raw = {0};
    char answer[32] = "";
    assert_true(raw_shake_hands(&raw, world, &world->person));
    assert_int_equal(order(&raw, 1, "pause", answer), 0);
    assert_int_equal(order(&raw, 2, "abort", answer), 3); // INVALID_ARGUMENT
    assert_int_equal(atomic_load(&world->executed), 1);
    close(raw.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_found_by_caller_and_id),
        TEST(the_same_request_id_is_executed_once_even_after_a_restart),
        TEST(the_same_request_id_for_another_request_is_refused),
    };
    return cmocka_run_group_tests_name("rpc/store", tests, NULL, NULL);
}
