// Step: rules that every row of the table keeps.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/step.h"

#include <stdbool.h>
#include <string.h>

static bool
find(enum dr_step_state state, enum dr_step_event event, struct dr_step *out)
{
    return dr_step_find(state, event, out, NULL) == DR_OK;
}

static void
only_facts_lead_from_checking_to_a_run(void **state)
{
    (void)state;
    for (int s = 0; s < DR_STEP_STATE_COUNT; s++) {
        for (int e = 0; e < DR_STEP_EVENT_COUNT; e++) {
            struct dr_step step = {0};
            if (!find((enum dr_step_state)s, (enum dr_step_event)e, &step) ||
                step.next != DR_STEP_RUNNING || s == DR_STEP_RUNNING) {
                continue;
            }
            bool consumes =
                s == DR_STEP_CHECKING && e == DR_STEP_ON_FACTS && step.action == DR_STEP_DO_GO;
            bool resumes = s == DR_STEP_IDLE && e == DR_STEP_ON_RESUME &&
                           step.action == DR_STEP_DO_START_RESUME;
            assert_true(consumes || resumes);
        }
    }
}

static void
only_an_approval_that_verified_starts_a_run(void **state)
{
    (void)state;
    for (int s = 0; s < DR_STEP_STATE_COUNT; s++) {
        for (int e = 0; e < DR_STEP_EVENT_COUNT; e++) {
            struct dr_step step = {0};
            if (find((enum dr_step_state)s, (enum dr_step_event)e, &step) &&
                step.action == DR_STEP_DO_START_RUN) {
                assert_int_equal(s, DR_STEP_FETCHING);
                assert_int_equal(e, DR_STEP_ON_APPROVED);
            }
        }
    }
}

static void
every_state_takes_a_cancel_and_says_why(void **state)
{
    (void)state;
    for (int s = 0; s < DR_STEP_STATE_COUNT; s++) {
        struct dr_step step = {0};
        assert_true(find((enum dr_step_state)s, DR_STEP_ON_CANCEL, &step));
        assert_true(strlen(step.reason) > 0);
    }
}

static void
a_running_plan_always_ends_in_a_word_or_a_wait(void **state)
{
    static const enum dr_step_event ENDS[] = {DR_STEP_ON_DONE, DR_STEP_ON_FAILED, DR_STEP_ON_AGAIN,
                                              DR_STEP_ON_GIVE_UP, DR_STEP_ON_REFUSED};
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(ENDS); i++) {
        struct dr_step step = {0};
        assert_true(find(DR_STEP_RUNNING, ENDS[i], &step));
        assert_true(step.action == DR_STEP_DO_REPORT_RUN ||
                    step.action == DR_STEP_DO_REPORT_FAILED ||
                    step.action == DR_STEP_DO_REPORT_REFUSED || step.action == DR_STEP_DO_WAIT);
    }
}

static void
no_row_is_an_error_and_names_both(void **state)
{
    struct dr_step step = {0};
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_step_find(DR_STEP_IDLE, DR_STEP_ON_FACTS, &step, &err), DR_E_INTERNAL);
    assert_string_equal(err.message, "event 'facts' came to a target that is 'idle'");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_facts_lead_from_checking_to_a_run),
        cmocka_unit_test(only_an_approval_that_verified_starts_a_run),
        cmocka_unit_test(every_state_takes_a_cancel_and_says_why),
        cmocka_unit_test(a_running_plan_always_ends_in_a_word_or_a_wait),
        cmocka_unit_test(no_row_is_an_error_and_names_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
