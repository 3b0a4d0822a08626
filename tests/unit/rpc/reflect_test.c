// Messages to JSON and back.
#include "rpc/reflect.h"

#include "rpc/methods.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define ARENA_MAX (1024u * 1024u)

static void
expect_json(const ProtobufCMessage *message, const char *wanted)
{
    struct dr_err err = {0};
    json_t *json = NULL;
    assert_int_equal(dr_json_from_message(message, &json, &err), DR_OK);
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(json);
}

static enum dr_rc
parse(const char *text, const ProtobufCMessageDescriptor *descriptor, struct dr_arena *arena,
      ProtobufCMessage **out, struct dr_err *err)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    enum dr_rc rc = dr_json_to_message(json, descriptor, arena, out, err);
    json_decref(json);
    return rc;
}

// Parses `text`, prints it, and expects `printed`.
static void
round_trip(const char *text, const ProtobufCMessageDescriptor *descriptor, const char *printed)
{
    struct dr_arena *arena = dr_arena_new(ARENA_MAX);
    struct dr_err err = {0};
    ProtobufCMessage *message = NULL;
    if (parse(text, descriptor, arena, &message, &err) != DR_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    expect_json(message, printed);
    // The message is a real one: it can be packed and unpacked.
    uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(message) + 1);
    size_t len = protobuf_c_message_pack(message, bytes);
    ProtobufCMessage *back =
        protobuf_c_message_unpack(descriptor, dr_arena_protobuf(arena), len, bytes);
    assert_non_null(back);
    expect_json(back, printed);
    free(bytes);
    dr_arena_free(&arena);
}

static void
values_make_the_round_trip(void **state)
{
    (void)state;
    round_trip(
        "{\"id\":\"R-1\",\"created\":\"-5\",\"mode\":\"PROVE\",\"plans\":[{\"engine\":\"SQLITE\","
        "\"plan_sha256\":\"AAECAw==\"},{}]}",
        &drover__v1__rollout__descriptor,
        "{\"created\":\"-5\",\"id\":\"R-1\",\"mode\":\"PROVE\",\"plans\":[{\"engine\":\"SQLITE\","
        "\"plan_sha256\":\"AAECAw==\"},{}]}");
    round_trip("{\"logIndex\":\"18446744073709551615\",\"onFailure\":2,\"message\":null}",
               &drover__v1__rollout__descriptor,
               "{\"log_index\":\"18446744073709551615\",\"on_failure\":\"REVERSE\"}");
    round_trip("{\"serving\":true,\"time\":9007199254740993,\"log_head\":\"-_8\"}",
               &drover__v1__health_reply__descriptor,
               "{\"log_head\":\"+/8=\",\"serving\":true,\"time\":\"9007199254740993\"}");
    round_trip("{\"limit\":4294967295,\"target\":\"a\\u00e4\\n\"}",
               &drover__v1__log_request__descriptor,
               "{\"limit\":4294967295,\"target\":\"a\xc3\xa4\\n\"}");
    round_trip("{\"wave_sizes\":[1,2,\"3\"]}", &drover__v1__approval__descriptor,
               "{\"wave_sizes\":[1,2,3]}");
    round_trip("{\"signers\":[\"alice\",\"bob\"]}", &drover__v1__stage_status__descriptor,
               "{\"signers\":[\"alice\",\"bob\"]}");
    round_trip("{\"parts\":[\"AA==\",\"\"]}", &drover__v1__document__descriptor,
               "{\"parts\":[\"AA==\",\"\"]}");
}

static void
the_schema_of_a_commands_output_is_passed_over_at_the_top_only(void **state)
{
    (void)state;
    round_trip("{\"schema\":\"drover.v1.Rollout\",\"id\":\"R-1\"}",
               &drover__v1__rollout__descriptor, "{\"id\":\"R-1\"}");
}

static void
bad_input_is_refused_with_the_field(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[]", "a message of type 'Rollout' is written as an object"},
        {"{\"nope\":1}", "'Rollout' has no field 'nope'"},
        {"{\"stages\":[{\"schema\":\"x\"}]}",
         "field 'stages': 'StageStatus' has no field 'schema'"},
        {"{\"id\":1}", "field 'id' takes a string"},
        {"{\"id\":\"a\\u0000b\"}", "field 'id' takes a string"},
        {"{\"created\":\"5x\"}", "field 'created' takes an integer in range"},
        {"{\"created\":1.5}", "field 'created' takes an integer in range"},
        {"{\"created\":\"9223372036854775808\"}", "field 'created' takes an integer in range"},
        {"{\"log_index\":-1}", "field 'log_index' takes an integer in range"},
        {"{\"mode\":\"SIDEWAYS\"}", "field 'mode' takes a name of its enumeration"},
        {"{\"plans\":{}}", "field 'plans' takes a list"},
        {"{\"plans\":[{\"plan_sha256\":\"A\"}]}",
         "field 'plans': field 'plan_sha256' takes a string of base64"},
        {"{\"plans\":[{\"plan_sha256\":\"AB==\"}]}",
         "field 'plans': field 'plan_sha256' takes a string of base64"},
        {"{\"stages\":[{\"approval_complete\":1}]}",
         "field 'stages': field 'approval_complete' takes true or false"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_arena *arena = dr_arena_new(ARENA_MAX);
        struct dr_err err = {0};
        ProtobufCMessage *message = NULL;
        json_t *json = json_loads(rows[i].text, JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        assert_int_equal(
            dr_json_to_message(json, &drover__v1__rollout__descriptor, arena, &message, &err),
            DR_E_INVALID);
        assert_string_equal(err.message, rows[i].message);
        json_decref(json);
        dr_arena_free(&arena);
    }
}

static void
the_full_form_shows_defaults(void **state)
{
    Drover__V1__RolloutEvent event;
    struct dr_err err = {0};
    json_t *json = NULL;
    (void)state;
    drover__v1__rollout_event__init(&event);
    assert_int_equal(dr_json_from_message_full(&event.base, &json, &err), DR_OK);
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, "{\"entry\":null,\"rollout\":null}");
    free(text);
    json_decref(json);
    Drover__V1__HealthRequest health;
    drover__v1__health_request__init(&health);
    assert_int_equal(dr_json_from_message_full(&health.base, &json, &err), DR_OK);
    text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"service\":\"\"}");
    free(text);
    json_decref(json);
}

static void
a_string_that_is_no_utf8_is_shown_escaped(void **state)
{
    Drover__V1__RolloutId id;
    char bad[] = "a\xff";
    (void)state;
    drover__v1__rollout_id__init(&id);
    id.id = bad;
    expect_json(&id.base, "{\"id\":\"a\\\\xFF\"}");
}

static void
the_list_of_methods_can_be_narrowed(void **state)
{
    struct dr_arena *arena = dr_arena_new(ARENA_MAX);
    (void)state;
    const Drover__V1__ReflectReply *all = dr_reflect_list("", arena);
    assert_int_equal(all->n_methods, DR_METHOD_COUNT);
    const Drover__V1__ReflectReply *some = dr_reflect_list("drover.v1.Agent/", arena);
    assert_int_equal(some->n_methods, 4);
    assert_string_equal(some->methods[0]->name, "drover.v1.Agent/Watch");
    assert_string_equal(some->methods[0]->request, "drover.v1.AgentHello");
    assert_string_equal(some->methods[0]->auth, "agent");
    assert_true(some->methods[0]->streaming);
    assert_int_equal(dr_reflect_list("nothing", arena)->n_methods, 0);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_make_the_round_trip),
        cmocka_unit_test(the_schema_of_a_commands_output_is_passed_over_at_the_top_only),
        cmocka_unit_test(bad_input_is_refused_with_the_field),
        cmocka_unit_test(the_full_form_shows_defaults),
        cmocka_unit_test(a_string_that_is_no_utf8_is_shown_escaped),
        cmocka_unit_test(the_list_of_methods_can_be_narrowed),
    };
    return cmocka_run_group_tests_name("rpc/reflect", tests, NULL, NULL);
}
