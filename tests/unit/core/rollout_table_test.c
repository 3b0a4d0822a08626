// The rollout table: every pair of state and event is either a row with a reason or a named error.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/core/rollout_table.h"

#include <string.h>

static struct dr_target_step
step(enum dr_target_state state, enum dr_target_event event, Drover__V1__Mode mode, bool is_partial)
{
    struct dr_target_facts facts = {mode, is_partial};
    struct dr_target_step out = {DR_TARGET_STATES, DR_ACTION_NONE, NULL};
    struct dr_err err = {0};

    assert_int_equal(dr_rollout_step(state, event, &facts, &out, &err), DR_OK);
    return out;
}

static enum dr_target_state
next(enum dr_target_state state, enum dr_target_event event)
{
    return step(state, event, DROVER__V1__MODE__UP, false).next;
}

static void
every_state_and_event_is_a_row_or_a_named_error(void **unused)
{
    static const Drover__V1__Mode modes[] = {DROVER__V1__MODE__UP, DROVER__V1__MODE__DOWN,
                                             DROVER__V1__MODE__PROVE};
    (void)unused;
    for (unsigned s = 0; s < DR_TARGET_STATES; s++) {
        for (unsigned e = 0; e < DR_TARGET_EVENTS; e++) {
            for (unsigned m = 0; m < 6; m++) {
                struct dr_target_facts facts = {modes[m / 2], m % 2 == 1};
                struct dr_target_step out = {DR_TARGET_STATES, DR_ACTION_NONE, NULL};
                struct dr_err err = {0};
                enum dr_rc rc = dr_rollout_step((enum dr_target_state)s, (enum dr_target_event)e,
                                                &facts, &out, &err);

                if (rc == DR_OK) {
                    assert_true((unsigned)out.next < DR_TARGET_STATES);
                    assert_true(strlen(out.reason) > 3);
                } else {
                    assert_int_equal(rc, DR_E_ROLLOUT_EVENT);
                    assert_non_null(
                        strstr(err.message, dr_target_state_name((enum dr_target_state)s)));
                    assert_int_equal(out.next, DR_TARGET_STATES);
                }
            }
        }
    }
}

static void
every_state_can_be_left_or_has_ended_well(void **unused)
{
    (void)unused;
    for (unsigned s = 0; s < DR_TARGET_STATES; s++) {
        bool leaves = false;

        for (unsigned e = 0; e < DR_TARGET_EVENTS; e++) {
            struct dr_target_facts facts = {DROVER__V1__MODE__UP, false};
            struct dr_target_step out;

            leaves = leaves || (dr_rollout_step((enum dr_target_state)s, (enum dr_target_event)e,
                                                &facts, &out, NULL) == DR_OK &&
                                out.next != (enum dr_target_state)s);
        }
        assert_true(leaves);
    }
}

static void
a_target_walks_from_pending_to_applied(void **unused)
{
    (void)unused;
    assert_int_equal(step(DR_TARGET_PENDING, DR_EVENT_START, DROVER__V1__MODE__UP, false).action,
                     DR_ACTION_PREPARE);
    assert_int_equal(next(DR_TARGET_PENDING, DR_EVENT_START), DR_TARGET_PREPARING);
    assert_int_equal(next(DR_TARGET_PREPARING, DR_EVENT_BACKUP), DR_TARGET_PREPARING);
    assert_int_equal(next(DR_TARGET_PREPARING, DR_EVENT_READY), DR_TARGET_READY);
    assert_int_equal(next(DR_TARGET_READY, DR_EVENT_APPROVE), DR_TARGET_APPROVED);
    assert_int_equal(step(DR_TARGET_APPROVED, DR_EVENT_GO, DROVER__V1__MODE__UP, false).action,
                     DR_ACTION_BUNDLE);
    assert_int_equal(next(DR_TARGET_SENT, DR_EVENT_PROGRESS), DR_TARGET_RUNNING);
    assert_int_equal(step(DR_TARGET_RUNNING, DR_EVENT_APPLIED, DROVER__V1__MODE__UP, false).action,
                     DR_ACTION_ASK_STATE);
    assert_int_equal(next(DR_TARGET_RUNNING, DR_EVENT_APPLIED), DR_TARGET_APPLIED);
}

static void
nothing_runs_without_ready_and_approval(void **unused)
{
    static const enum dr_target_state before[] = {DR_TARGET_PENDING, DR_TARGET_PREPARING,
                                                  DR_TARGET_READY};

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct dr_target_facts facts = {DROVER__V1__MODE__UP, false};
        struct dr_target_step out;

        assert_int_equal(dr_rollout_step(before[i], DR_EVENT_GO, &facts, &out, NULL),
                         DR_E_ROLLOUT_EVENT);
    }
}

// A wave that waits, or soaks behind the one before, stands under the approval that it has.
static void
what_is_approved_is_approved_anew_only_when_that_has_lapsed(void **unused)
{
    struct dr_target_facts facts = {DROVER__V1__MODE__UP, false};
    struct dr_target_step out;

    (void)unused;
    assert_int_equal(dr_rollout_step(DR_TARGET_APPROVED, DR_EVENT_APPROVE, &facts, &out, NULL),
                     DR_E_ROLLOUT_EVENT);
    assert_int_equal(next(DR_TARGET_APPROVED, DR_EVENT_LAPSED), DR_TARGET_READY);
}

static void
prove_needs_up_down_and_up_again(void **unused)
{
    Drover__V1__Mode prove = DROVER__V1__MODE__PROVE;

    (void)unused;
    assert_int_equal(step(DR_TARGET_RUNNING, DR_EVENT_APPLIED, prove, false).next,
                     DR_TARGET_RUNNING);
    assert_int_equal(step(DR_TARGET_RUNNING, DR_EVENT_REVERTED, prove, false).next,
                     DR_TARGET_PROVING);
    assert_int_equal(step(DR_TARGET_PROVING, DR_EVENT_APPLIED, prove, false).next,
                     DR_TARGET_APPLIED);
}

static void
down_succeeds_by_reverted_and_not_by_applied(void **unused)
{
    Drover__V1__Mode down = DROVER__V1__MODE__DOWN;
    enum dr_target_state state = step(DR_TARGET_SENT, DR_EVENT_REVERTED, down, false).next;

    (void)unused;
    assert_true(dr_target_is_success(state, down));
    assert_true(dr_target_is_failure(state, DROVER__V1__MODE__UP));
    state = step(DR_TARGET_SENT, DR_EVENT_APPLIED, down, false).next;
    assert_true(dr_target_is_failure(state, down));
}

static void
an_agent_that_is_away_leaves_the_target_unknown_until_it_speaks(void **unused)
{
    (void)unused;
    assert_int_equal(next(DR_TARGET_RUNNING, DR_EVENT_AWAY), DR_TARGET_UNREACHABLE);
    assert_int_equal(next(DR_TARGET_UNREACHABLE, DR_EVENT_BACK), DR_TARGET_UNREACHABLE);
    assert_int_equal(next(DR_TARGET_UNREACHABLE, DR_EVENT_LOOKED), DR_TARGET_SENT);
    assert_int_equal(next(DR_TARGET_UNREACHABLE, DR_EVENT_APPLIED), DR_TARGET_APPLIED);
    assert_int_equal(next(DR_TARGET_CANCELLED, DR_EVENT_APPLIED), DR_TARGET_APPLIED);
}

static void
a_failure_in_the_middle_is_held_and_a_clean_one_is_failed(void **unused)
{
    (void)unused;
    assert_int_equal(step(DR_TARGET_RUNNING, DR_EVENT_FAILED, DROVER__V1__MODE__UP, true).next,
                     DR_TARGET_HELD);
    assert_int_equal(step(DR_TARGET_RUNNING, DR_EVENT_FAILED, DROVER__V1__MODE__UP, false).next,
                     DR_TARGET_FAILED);
    assert_int_equal(next(DR_TARGET_HELD, DR_EVENT_RETRY), DR_TARGET_PREPARING);
}

// What another rollout took back is no success any more, whatever the mode, and can be tried again.
static void
what_was_taken_back_has_not_succeeded(void **unused)
{
    static const Drover__V1__Mode modes[] = {DROVER__V1__MODE__UP, DROVER__V1__MODE__PROVE};

    (void)unused;
    for (size_t m = 0; m < 2; m++) {
        struct dr_target_step undone = step(DR_TARGET_APPLIED, DR_EVENT_UNDONE, modes[m], false);

        assert_int_equal(undone.next, DR_TARGET_REVERTED);
        assert_string_equal(undone.reason, "taken back");
        assert_true(dr_target_is_failure(undone.next, modes[m]));
        assert_int_equal(step(undone.next, DR_EVENT_RETRY, modes[m], false).next,
                         DR_TARGET_PREPARING);
    }
    assert_int_equal(next(DR_TARGET_HELD, DR_EVENT_UNDONE), DR_TARGET_REVERTED);
    assert_int_equal(next(DR_TARGET_CANCELLED, DR_EVENT_UNDONE), DR_TARGET_CANCELLED);
}

static void
names_are_read_back(void **unused)
{
    (void)unused;
    for (unsigned s = 0; s < DR_TARGET_STATES; s++) {
        enum dr_target_state back;

        assert_true(dr_target_state_parse(dr_target_state_name((enum dr_target_state)s), &back));
        assert_int_equal(back, s);
    }
    enum dr_target_state back;
    assert_false(dr_target_state_parse("dirty", &back));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event_is_a_row_or_a_named_error),
        cmocka_unit_test(every_state_can_be_left_or_has_ended_well),
        cmocka_unit_test(a_target_walks_from_pending_to_applied),
        cmocka_unit_test(nothing_runs_without_ready_and_approval),
        cmocka_unit_test(what_is_approved_is_approved_anew_only_when_that_has_lapsed),
        cmocka_unit_test(prove_needs_up_down_and_up_again),
        cmocka_unit_test(down_succeeds_by_reverted_and_not_by_applied),
        cmocka_unit_test(an_agent_that_is_away_leaves_the_target_unknown_until_it_speaks),
        cmocka_unit_test(a_failure_in_the_middle_is_held_and_a_clean_one_is_failed),
        cmocka_unit_test(what_was_taken_back_has_not_succeeded),
        cmocka_unit_test(names_are_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
