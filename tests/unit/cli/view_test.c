// Where a rollout stands, from its targets' states; and which of an agent's words is the newest.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/words.h"

#include <string.h>

// A rollout of two environments with two targets each. Plain data that points into itself.
struct sample {
    Drover__V1__Rollout rollout;
    Drover__V1__StageStatus stages[2], *stage_list[2];
    Drover__V1__TargetStatus targets[4], *target_list[4];
    char names[6][16], states[4][16];
};

static void
sample(struct sample *s, const char *const states[4])
{
    static const char *const names[] = {"staging", "production", "s/a", "s/b", "p/a", "p/b"};
    drover__v1__rollout__init(&s->rollout);
    s->rollout.mode = DROVER__V1__MODE__UP;
    for (size_t i = 0; i < 6; i++) {
        snprintf(s->names[i], sizeof(s->names[i]), "%s", names[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        drover__v1__target_status__init(&s->targets[i]);
        snprintf(s->states[i], sizeof(s->states[i]), "%s", states[i]);
        s->targets[i].target = s->names[2 + i];
        s->targets[i].state = s->states[i];
        s->targets[i].connected = true;
        s->target_list[i] = &s->targets[i];
    }
    for (size_t i = 0; i < 2; i++) {
        drover__v1__stage_status__init(&s->stages[i]);
        s->stages[i].environment = s->names[i];
        s->stages[i].targets = &s->target_list[2 * i];
        s->stages[i].n_targets = 2;
        s->stage_list[i] = &s->stages[i];
    }
    s->rollout.stages = s->stage_list;
    s->rollout.n_stages = 2;
}

static void
a_rollout_stands_where_its_targets_do(void **state)
{
    static const struct {
        const char *states[4];
        enum dr_rollout_verdict wanted;
    } rows[] = {
        {{"preparing", "ready", "pending", "pending"}, DR_ROLLOUT_GOES_ON},
        {{"ready", "ready", "pending", "pending"}, DR_ROLLOUT_WAITS},
        {{"applied", "ready", "pending", "pending"}, DR_ROLLOUT_WAITS},
        {{"running", "applied", "pending", "pending"}, DR_ROLLOUT_GOES_ON},
        {{"applied", "applied", "pending", "pending"}, DR_ROLLOUT_GOES_ON},
        {{"applied", "applied", "ready", "ready"}, DR_ROLLOUT_WAITS},
        {{"applied", "applied", "applied", "sent"}, DR_ROLLOUT_GOES_ON},
        {{"applied", "applied", "applied", "applied"}, DR_ROLLOUT_DONE},
        {{"failed", "running", "pending", "pending"}, DR_ROLLOUT_GOES_ON},
        {{"failed", "applied", "pending", "pending"}, DR_ROLLOUT_FAILED},
        {{"refused", "applied", "pending", "pending"}, DR_ROLLOUT_FAILED},
        {{"reverted", "applied", "pending", "pending"}, DR_ROLLOUT_FAILED},
        {{"cancelled", "cancelled", "cancelled", "cancelled"}, DR_ROLLOUT_FAILED},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct sample s;
        sample(&s, rows[i].states);
        if (dr_rollout_where(&s.rollout) != rows[i].wanted) {
            fail_msg("row %zu: %d", i, (int)dr_rollout_where(&s.rollout));
        }
    }
}

static void
the_way_back_is_done_when_all_are_reverted(void **state)
{
    static const char *const reverted[] = {"reverted", "reverted", "reverted", "reverted"};
    struct sample s;
    (void)state;
    sample(&s, reverted);
    s.rollout.mode = DROVER__V1__MODE__DOWN;
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_DONE);
}

// id: G7
static void
what_soaks_is_not_done_and_what_is_paused_waits(void **state)
{
    static const char *const applied[] = {"applied", "applied", "applied", "applied"};
    char paused[] = "paused";
    struct sample s;
    (void)state;
    sample(&s, applied);
    s.stages[1].soaking_wave = 1;
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_GOES_ON);
    s.rollout.state = paused;
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_WAITS);
    snprintf(s.states[3], sizeof(s.states[3]), "running");
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_GOES_ON);
}

static void
what_is_stopped_until_a_person_decides_does_not_move(void **state)
{
    static const char *const states[] = {"applied", "applied", "failed", "approved"};
    char hold[] = "stopped: 1 target failed, the failure budget is 0";
    struct sample s;
    (void)state;
    sample(&s, states);
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_GOES_ON);
    s.stages[1].hold = hold;
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_FAILED);
    snprintf(s.states[2], sizeof(s.states[2]), "preparing");
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_GOES_ON);
    snprintf(s.states[2], sizeof(s.states[2]), "ready");
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_WAITS);
    assert_ptr_equal(dr_rollout_waiting_stage(&s.rollout), &s.stages[1]);
    snprintf(s.states[2], sizeof(s.states[2]), "applied");
    assert_int_equal(dr_rollout_where(&s.rollout), DR_ROLLOUT_GOES_ON); // it is lifted next
}

static void
an_environment_is_in_a_state_when_all_its_targets_are(void **state)
{
    static const char *const states[] = {"applied", "applied", "applied", "ready"};
    struct sample s;
    (void)state;
    sample(&s, states);
    assert_true(dr_rollout_all_in(&s.rollout, "staging", "applied"));
    assert_false(dr_rollout_all_in(&s.rollout, "production", "applied"));
    assert_false(dr_rollout_all_in(&s.rollout, "nowhere", "applied"));
    s.stages[0].n_targets = 0;
    assert_false(dr_rollout_all_in(&s.rollout, "staging", "applied"));
    assert_ptr_equal(dr_rollout_waiting_stage(&s.rollout), &s.stages[1]);
}

static void
only_states_are_states(void **state)
{
    (void)state;
    assert_true(dr_rollout_is_state("applied"));
    assert_true(dr_rollout_is_state("pending"));
    assert_false(dr_rollout_is_state("aplied"));
    assert_false(dr_rollout_is_state(""));
    assert_int_equal(dr_rollout_tone("failed"), DR_TONE_BAD);
    assert_int_equal(dr_rollout_tone("\033[2J"), DR_TONE_PLAIN);
}

static void
a_rollout_is_called_r_and_a_number(void **state)
{
    (void)state;
    assert_true(dr_rollout_id_is_valid("R-1"));
    assert_true(dr_rollout_id_is_valid("R-123456789012345678"));
    assert_false(dr_rollout_id_is_valid("R-1234567890123456789"));
    assert_false(dr_rollout_id_is_valid("R-"));
    assert_false(dr_rollout_id_is_valid("R-1; id"));
    assert_false(dr_rollout_id_is_valid(""));
}

static void
only_tame_text_is_shown_as_something_to_type(void **state)
{
    (void)state;
    assert_true(dr_print_is_tame("drover approve R-1 -e staging", true));
    assert_true(dr_print_is_tame("finish it, or: drover rollout abort R-1", false));
    assert_false(dr_print_is_tame("finish it, or: drover rollout abort R-1", true));
    assert_false(dr_print_is_tame("drover status; id", true));
    assert_false(dr_print_is_tame("drover status | sh", true));
    assert_false(dr_print_is_tame("drover $(id)", true));
    assert_false(dr_print_is_tame("drover `id`", false));
    assert_false(dr_print_is_tame("drover status\nid", false));
    assert_false(dr_print_is_tame("curl x", true));
}

static void
a_reason_that_only_repeats_the_state_is_left_out(void **state)
{
    Drover__V1__TargetStatus t = DROVER__V1__TARGET_STATUS__INIT;
    char running[] = "running";
    char reason[] = "waits for a lock";
    (void)state;
    t.state = running;
    t.reason = running;
    assert_string_equal(dr_rollout_reason(&t), "");
    t.reason = reason;
    assert_string_equal(dr_rollout_reason(&t), reason);
}

static void
the_newest_word_counts_by_time_then_counter(void **state)
{
    enum { N = 6 };
    static const struct {
        const char *target;
        Drover__V1__AttestationKind kind;
        int64_t time;
        uint64_t counter;
    } rows[N] = {
        {"s/a", DROVER__V1__ATTESTATION_KIND__STATE, 10, 1},
        {"s/a", DROVER__V1__ATTESTATION_KIND__APPLIED, 20, 3},
        {"s/a", DROVER__V1__ATTESTATION_KIND__READY, 20, 2},
        {"s/a", DROVER__V1__ATTESTATION_KIND__BACKUP, 30, 4},
        {"s/b", DROVER__V1__ATTESTATION_KIND__STATE, 40, 9},
        {"s/a", DROVER__V1__ATTESTATION_KIND__DRIFT, 50, 5},
    };
    Drover__V1__Attestation messages[N];
    struct dr_attestation items[N] = {0};
    char names[N][8];
    const struct dr_words words = {.items = items, .count = N};
    (void)state;
    for (size_t i = 0; i < N; i++) {
        drover__v1__attestation__init(&messages[i]);
        snprintf(names[i], sizeof(names[i]), "%s", rows[i].target);
        messages[i].target = names[i];
        messages[i].kind = rows[i].kind;
        messages[i].time = rows[i].time;
        messages[i].counter = rows[i].counter;
        items[i].msg = &messages[i];
    }
    const Drover__V1__AttestationKind any = DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE;
    assert_ptr_equal(dr_words_newest(&words, "s/a", any), &items[1]);
    assert_ptr_equal(dr_words_newest(&words, "s/a", DROVER__V1__ATTESTATION_KIND__BACKUP),
                     &items[3]);
    assert_ptr_equal(dr_words_newest(&words, "s/b", any), &items[4]);
    assert_null(dr_words_newest(&words, "s/c", any));
    assert_null(dr_words_newest(&words, "s/b", DROVER__V1__ATTESTATION_KIND__READY));

    // sorted by target, as they are loaded: the same answers
    const struct dr_attestation of_b = items[4];
    items[4] = items[5];
    items[5] = of_b;
    const struct dr_words sorted = {.items = items, .count = N, .is_sorted = true};
    assert_ptr_equal(dr_words_newest(&sorted, "s/a", any), &items[1]);
    assert_ptr_equal(dr_words_newest(&sorted, "s/a", DROVER__V1__ATTESTATION_KIND__BACKUP),
                     &items[3]);
    assert_ptr_equal(dr_words_newest(&sorted, "s/b", any), &items[5]);
    assert_null(dr_words_newest(&sorted, "s/", any));
    assert_null(dr_words_newest(&sorted, "s/aa", any));
    assert_null(dr_words_newest(&sorted, "s/c", any));
}

static void
no_word_means_no_heads(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 16);
    struct dr_names heads = {0};
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_words_heads(arena, NULL, &heads, &err), DR_OK);
    assert_int_equal(heads.count, 0);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollout_stands_where_its_targets_do),
        cmocka_unit_test(the_way_back_is_done_when_all_are_reverted),
        cmocka_unit_test(what_soaks_is_not_done_and_what_is_paused_waits),
        cmocka_unit_test(what_is_stopped_until_a_person_decides_does_not_move),
        cmocka_unit_test(an_environment_is_in_a_state_when_all_its_targets_are),
        cmocka_unit_test(only_states_are_states),
        cmocka_unit_test(a_rollout_is_called_r_and_a_number),
        cmocka_unit_test(only_tame_text_is_shown_as_something_to_type),
        cmocka_unit_test(a_reason_that_only_repeats_the_state_is_left_out),
        cmocka_unit_test(the_newest_word_counts_by_time_then_counter),
        cmocka_unit_test(no_word_means_no_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
