// State, drift: the schema that a target was left with is kept with its record, and drift that was
// reported until it is gone.
#include "support/agent_state.h"

#include <string.h>

static void
commit(struct world *w, const struct dr_agent_schema *schema, const struct dr_agent_drift *drift)
{
    struct dr_err err = {0};
    const struct dr_agent_change change = {
        .target = "staging/app", .schema = schema, .drift = drift};
    assert_int_equal(dr_agent_state_commit(w->state, &change, &err), DR_OK);
}

static const char *
text_of(struct world *w, const char *target, uint8_t first)
{
    struct dr_err err = {0};
    const char *out = "untouched";
    const uint8_t fingerprint[32] = {first};
    assert_int_equal(dr_agent_state_schema(w->state, w->arena, target, fingerprint, &out, &err),
                     DR_OK);
    return out;
}

static void
text_is_told_for_the_fingerprint_that_it_belongs_to(void **state)
{
    struct world *w = *state;
    struct dr_agent_schema schema = {.fingerprint = {1},
                                     .text = {.data = (const uint8_t *)"table a\n", .len = 8}};
    assert_null(text_of(w, "staging/app", 1));
    commit(w, &schema, NULL);
    reopen(w);
    assert_string_equal(text_of(w, "staging/app", 1), "table a\n");
    assert_null(text_of(w, "staging/app", 2)); // the record moved on without it
    assert_null(text_of(w, "staging/other", 1));
    schema = (struct dr_agent_schema){.fingerprint = {2}}; // left with a text that was too long
    commit(w, &schema, NULL);
    assert_null(text_of(w, "staging/app", 1));
    assert_null(text_of(w, "staging/app", 2));
}

static void
end_of_a_rehearsal_is_kept_with_its_record(void **state)
{
    struct world *w = *state;
    struct dr_err err = {0};
    const uint8_t other[32] = {9};
    const char *text = NULL;
    struct dr_agent_rehearsed rehearsed = {
        .sha256 = {8},
        .text = {.data = (const uint8_t *)"table users: x\n", .len = 15},
        .time = 1800000000};
    int64_t at = 0;
    struct dr_agent_change change = {.target = "staging/app", .rehearsed = &rehearsed};
    assert_int_equal(dr_agent_state_commit(w->state, &change, &err), DR_OK);
    commit(w, NULL, NULL); // says nothing of it
    assert_int_equal(
        dr_agent_state_rehearsed(w->state, w->arena, "staging/app", rehearsed.sha256, &text, &err),
        DR_OK);
    assert_string_equal(text, "table users: x\n");
    assert_int_equal(
        dr_agent_state_rehearsed_at(w->state, "staging/app", rehearsed.sha256, &at, &err), DR_OK);
    assert_int_equal(at, 1800000000);
    assert_int_equal(dr_agent_state_rehearsed_at(w->state, "staging/app", other, &at, &err), DR_OK);
    assert_int_equal(at, 0);
    assert_int_equal(
        dr_agent_state_rehearsed(w->state, w->arena, "staging/app", other, &text, &err), DR_OK);
    assert_null(text);
    memcpy(rehearsed.sha256, other, 32);
    rehearsed.text.len = 0; // was too long
    assert_int_equal(dr_agent_state_commit(w->state, &change, &err), DR_OK);
    assert_int_equal(
        dr_agent_state_rehearsed(w->state, w->arena, "staging/app", other, &text, &err), DR_OK);
    assert_null(text);
}

static void
drift_is_remembered_until_it_is_gone(void **state)
{
    struct world *w = *state;
    struct dr_err err = {0};
    struct dr_agent_drift drift = {.exists = true, .fingerprint = {7}, .since = 1800000000};
    struct dr_agent_drift found = {.exists = true};
    assert_int_equal(dr_agent_state_drift(w->state, "staging/app", &found, &err), DR_OK);
    assert_false(found.exists);
    commit(w, NULL, &drift);
    commit(w, NULL, NULL); // something else changed
    reopen(w);
    assert_int_equal(dr_agent_state_drift(w->state, "staging/app", &found, &err), DR_OK);
    assert_true(found.exists);
    assert_int_equal(found.since, 1800000000);
    assert_memory_equal(found.fingerprint, drift.fingerprint, 32);
    drift.exists = false;
    commit(w, NULL, &drift);
    assert_int_equal(dr_agent_state_drift(w->state, "staging/app", &found, &err), DR_OK);
    assert_false(found.exists);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_is_told_for_the_fingerprint_that_it_belongs_to, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(end_of_a_rehearsal_is_kept_with_its_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(drift_is_remembered_until_it_is_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
