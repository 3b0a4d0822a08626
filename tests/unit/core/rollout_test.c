// Rollouts as data: what follows from the targets' states, and that the stored form loses nothing.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/core/rollout.h"

#include <stdio.h>
#include <string.h>

static struct dr_rollout *
make(void)
{
    struct dr_rollout *rollout = dr_rollout_new(2);

    assert_non_null(rollout);
    (void)snprintf(rollout->id, sizeof rollout->id, "R-7");
    rollout->number = 7;
    rollout->mode = DROVER__V1__MODE__UP;
    rollout->n_plans = 1;
    rollout->plans[0].engine = DROVER__V1__ENGINE__SQLITE;
    memset(rollout->plans[0].sha256, 5, 32);
    for (size_t s = 0; s < 2; s++) {
        assert_true(dr_stage_reserve(&rollout->stages[s], 2));
        rollout->stages[s].mode = DROVER__V1__MODE__UP;
        (void)snprintf(rollout->stages[s].environment, DR_ENVIRONMENT_MAX,
                       s == 0 ? "staging" : "production");
        for (size_t t = 0; t < 2; t++) {
            (void)snprintf(rollout->stages[s].targets[t].name, DR_TARGET_NAME_MAX, "%s/db%zu",
                           rollout->stages[s].environment, t);
        }
    }
    return rollout;
}

static void
set(struct dr_rollout *rollout, size_t stage, enum dr_target_state a, enum dr_target_state b)
{
    rollout->stages[stage].targets[0].state = a;
    rollout->stages[stage].targets[1].state = b;
}

static const char *
state(const struct dr_rollout *rollout, struct dr_arena *arena)
{
    Drover__V1__Rollout *message = NULL;
    struct dr_err err = {0};

    assert_int_equal(dr_rollout_message(rollout, arena, &message, &err), DR_OK);
    return message->state;
}

static void
targets_are_found_whether_they_stand_by_name_or_not(void **unused)
{
    (void)unused;
    for (int turned = 0; turned < 2; turned++) {
        struct dr_rollout *rollout = make();
        struct dr_rollout_stage *stage = NULL;

        if (turned) {
            (void)snprintf(rollout->stages[1].targets[0].name, DR_TARGET_NAME_MAX, "production/z");
        }
        assert_ptr_equal(dr_rollout_find(rollout, "staging/db1", &stage),
                         &rollout->stages[0].targets[1]);
        assert_ptr_equal(dr_rollout_find(rollout, "production/db1", &stage),
                         &rollout->stages[1].targets[1]);
        assert_ptr_equal(stage, &rollout->stages[1]);
        assert_ptr_equal(
            dr_rollout_find(rollout, turned ? "production/z" : "production/db0", &stage),
            &rollout->stages[1].targets[0]);
        assert_null(dr_rollout_find(rollout, "production/db", &stage));
        assert_null(dr_rollout_find(rollout, "production/db2", &stage));
        dr_rollout_free(&rollout);
    }
}

static void
the_state_follows_from_the_targets(void **unused)
{
    static const struct {
        enum dr_target_state a, b;
        bool is_first_done;
        const char *expected;
    } rows[] = {
        {DR_TARGET_PENDING, DR_TARGET_PENDING, false, "pending"},
        {DR_TARGET_PREPARING, DR_TARGET_PENDING, false, "preparing"},
        {DR_TARGET_PREPARING, DR_TARGET_READY, false, "waiting"},
        {DR_TARGET_APPROVED, DR_TARGET_SENT, false, "running"},
        {DR_TARGET_APPLIED, DR_TARGET_UNREACHABLE, false, "running"},
        {DR_TARGET_FAILED, DR_TARGET_RUNNING, false, "running"},
        {DR_TARGET_FAILED, DR_TARGET_APPLIED, false, "failed"},
        {DR_TARGET_REVERTED, DR_TARGET_APPLIED, false, "failed"},
        {DR_TARGET_READY, DR_TARGET_HELD, true, "failed"},
        {DR_TARGET_APPLIED, DR_TARGET_APPLIED, true, "applied"},
    };
    struct dr_arena *arena = dr_arena_new(1u << 20);

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dr_rollout *rollout = make();

        if (rows[i].is_first_done) {
            set(rollout, 0, DR_TARGET_APPLIED, DR_TARGET_APPLIED);
        }
        set(rollout, rows[i].is_first_done ? 1 : 0, rows[i].a, rows[i].b);
        assert_string_equal(state(rollout, arena), rows[i].expected);
        assert_int_equal(dr_rollout_is_open(rollout), strcmp(rows[i].expected, "applied") != 0);
        dr_rollout_free(&rollout);
    }
    dr_arena_free(&arena);
}

static void
an_aborted_rollout_is_open_until_nothing_is_at_work(void **unused)
{
    struct dr_rollout *rollout = make();
    struct dr_arena *arena = dr_arena_new(1u << 20);

    (void)unused;
    rollout->is_aborted = true;
    set(rollout, 0, DR_TARGET_CANCELLED, DR_TARGET_RUNNING);
    assert_true(dr_rollout_is_open(rollout));
    set(rollout, 0, DR_TARGET_CANCELLED, DR_TARGET_APPLIED);
    assert_false(dr_rollout_is_open(rollout));
    assert_string_equal(state(rollout, arena), "aborted");
    dr_arena_free(&arena);
    dr_rollout_free(&rollout);
}

static void
between_two_waves_a_stage_runs_unless_it_is_stopped(void **unused)
{
    struct dr_rollout *rollout = make();
    struct dr_rollout_stage *stage = &rollout->stages[0];

    (void)unused;
    set(rollout, 0, DR_TARGET_APPLIED, DR_TARGET_APPROVED);
    assert_int_equal(dr_stage_state(stage), DR_ROLLOUT_WAITING); // it was there before: no approval
    stage->targets[0].has_approval = stage->targets[1].has_approval = true;
    assert_int_equal(dr_stage_state(stage), DR_ROLLOUT_RUNNING);
    set(rollout, 0, DR_TARGET_FAILED, DR_TARGET_APPROVED); // within the budget
    assert_int_equal(dr_stage_state(stage), DR_ROLLOUT_RUNNING);
    (void)snprintf(stage->hold, sizeof stage->hold, "stopped");
    assert_int_equal(dr_stage_state(stage), DR_ROLLOUT_FAILED);
    dr_rollout_free(&rollout);
}

static void
fill_waves(struct dr_rollout *rollout, struct dr_rollout_target *target)
{
    target->unknown_since = 77;
    target->probe_asked = 78;
    target->probe_time = 79;
    target->probe_outcome = DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
    (void)snprintf(target->probe, sizeof target->probe, "errors: no row");
    (void)snprintf(rollout->stages[1].hold, DR_ROLLOUT_TEXT_MAX, "stopped");
    rollout->stages[1].soaking_wave = 3;
    rollout->stages[1].soaks_until = 80;
    rollout->stages[1].promoted_wave = 2;
    rollout->stages[1].promoted_at = 81;
    (void)snprintf(rollout->pause_reason, sizeof rollout->pause_reason, "alice");
    (void)snprintf(rollout->after, sizeof rollout->after, "R-3");
    (void)snprintf(rollout->after_item, sizeof rollout->after_item, "application-updated");
    (void)snprintf(rollout->undo_of, sizeof rollout->undo_of, "R-2");
}

static void
check_waves(const struct dr_rollout *back, const struct dr_rollout_stage *stage,
            const struct dr_rollout_target *found)
{
    assert_int_equal(found->unknown_since, 77);
    assert_int_equal(found->probe_asked, 78);
    assert_int_equal(found->probe_time, 79);
    assert_int_equal(found->probe_outcome, DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE);
    assert_string_equal(found->probe, "errors: no row");
    assert_string_equal(stage->hold, "stopped");
    assert_int_equal(stage->soaking_wave, 3);
    assert_int_equal(stage->soaks_until, 80);
    assert_int_equal(stage->promoted_wave, 2);
    assert_int_equal(stage->promoted_at, 81);
    assert_string_equal(back->pause_reason, "alice");
    assert_string_equal(back->after, "R-3");
    assert_string_equal(back->after_item, "application-updated");
    assert_string_equal(back->undo_of, "R-2");
}

static void
a_list_names_what_stops_a_rollout_and_no_targets(void **unused)
{
    struct dr_rollout *rollout = make();
    struct dr_arena *arena = dr_arena_new(1u << 20);
    Drover__V1__Rollout *message = NULL;
    struct dr_err err = {0};

    (void)unused;
    set(rollout, 0, DR_TARGET_APPLIED, DR_TARGET_HELD);
    (void)snprintf(rollout->stages[0].targets[1].reason, DR_ROLLOUT_TEXT_MAX, "unit 2 failed");
    assert_int_equal(dr_rollout_brief(rollout, arena, &message, &err), DR_OK);
    assert_string_equal(message->state, "failed");
    assert_string_equal(message->reason, "staging/db1: unit 2 failed");
    assert_int_equal(message->n_stages, 2);
    assert_int_equal(message->stages[0]->n_targets, 0);
    assert_string_equal(message->stages[0]->state, "failed");
    set(rollout, 0, DR_TARGET_APPLIED, DR_TARGET_READY);
    (void)snprintf(rollout->stages[0].hold, DR_ROLLOUT_TEXT_MAX, "soaks");
    assert_int_equal(dr_rollout_brief(rollout, arena, &message, &err), DR_OK);
    assert_string_equal(message->reason, "soaks");
    rollout->is_paused = true;
    (void)snprintf(rollout->pause_reason, sizeof rollout->pause_reason, "drift on staging/db1");
    assert_int_equal(dr_rollout_brief(rollout, arena, &message, &err), DR_OK);
    assert_string_equal(message->reason, "drift on staging/db1");
    dr_arena_free(&arena);
    dr_rollout_free(&rollout);
}

static void
the_stored_form_loses_nothing(void **unused)
{
    struct dr_rollout *rollout = make(), *back = NULL;
    struct dr_arena *arena = dr_arena_new(1u << 20);
    struct dr_rollout_target *target = &rollout->stages[1].targets[1];
    Drover__V1__Rollout *message = NULL;
    struct dr_err err = {0};
    uint8_t bytes[4096];

    (void)unused;
    rollout->is_paused = true;
    rollout->on_failure = DROVER__V1__ON_FAILURE__REVERSE;
    target->state = DR_TARGET_HELD;
    target->has_ready = target->has_approval = true;
    target->ready[3] = 9;
    target->approval[4] = 8;
    target->wave = 2;
    target->since = 1234;
    (void)snprintf(target->reason, sizeof target->reason, "because");
    fill_waves(rollout, target);
    assert_int_equal(dr_rollout_message(rollout, arena, &message, &err), DR_OK);
    size_t len = drover__v1__rollout__pack(message, bytes);
    assert_int_equal(dr_rollout_unpack((struct dr_bytes){bytes, len}, &back, &err), DR_OK);
    assert_int_equal(back->number, 7);
    assert_true(back->is_paused);
    assert_int_equal(back->on_failure, rollout->on_failure);
    assert_memory_equal(back->plans[0].sha256, rollout->plans[0].sha256, 32);
    struct dr_rollout_stage *stage = NULL;
    const struct dr_rollout_target *found = dr_rollout_find(back, "production/db1", &stage);
    assert_non_null(found);
    assert_string_equal(stage->environment, "production");
    assert_int_equal(found->state, DR_TARGET_HELD);
    assert_string_equal(found->reason, "because");
    assert_memory_equal(found->ready, target->ready, 32);
    assert_memory_equal(found->approval, target->approval, 32);
    assert_int_equal(found->since, 1234);
    check_waves(back, stage, found);
    assert_int_equal(dr_rollout_unpack((struct dr_bytes){bytes, 3}, &rollout, &err), DR_E_STORE);
    dr_arena_free(&arena);
    dr_rollout_free(&rollout);
    dr_rollout_free(&back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_found_whether_they_stand_by_name_or_not),
        cmocka_unit_test(the_state_follows_from_the_targets),
        cmocka_unit_test(an_aborted_rollout_is_open_until_nothing_is_at_work),
        cmocka_unit_test(between_two_waves_a_stage_runs_unless_it_is_stopped),
        cmocka_unit_test(a_list_names_what_stops_a_rollout_and_no_targets),
        cmocka_unit_test(the_stored_form_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
