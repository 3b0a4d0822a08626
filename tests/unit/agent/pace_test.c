// At most two reports a second reach the coordinator, however fast an engine ticks.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/exec_internal.h"
#include "agent/pace.h"
#include "agent/worker.h"

static size_t
count(int64_t least_ms, int64_t step_ms, int64_t from_ms, int64_t to_ms)
{
    int64_t next = 0;
    size_t n = 0;
    for (int64_t now = from_ms; now < to_ms; now += step_ms) {
        n += dr_pace_may(&next, now, least_ms) ? 1 : 0;
    }
    return n;
}

static void
a_worker_that_ticks_every_ms_reports_twice_a_second(void **state)
{
    (void)state;
    assert_int_equal(count(DR_WORKER_PROGRESS_MS, 1, 5000, 15000), 20);
    assert_int_equal(count(DR_EXEC_PROGRESS_MS, 1, 5000, 15000), 20);
}

static void
the_first_tick_is_told_at_once_and_slow_ones_always(void **state)
{
    (void)state;
    int64_t next = 0;
    assert_true(dr_pace_may(&next, 1, DR_WORKER_PROGRESS_MS));
    assert_false(dr_pace_may(&next, 2, DR_WORKER_PROGRESS_MS));
    assert_int_equal(count(DR_WORKER_PROGRESS_MS, 1000, 0, 10000), 10);
}

static void
a_bucket_lets_a_burst_through_and_then_one_after_each_while(void **state)
{
    struct dr_pace_bucket bucket = {0};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(dr_pace_wait(&bucket, 1000, 3, 100), 0);
        dr_pace_take(&bucket, 1000);
    }
    assert_int_equal(dr_pace_wait(&bucket, 1000, 3, 100), 100);
    assert_int_equal(dr_pace_wait(&bucket, 1099, 3, 100), 1);
    assert_int_equal(dr_pace_wait(&bucket, 1150, 3, 100), 0);
    dr_pace_take(&bucket, 1150);
    assert_int_equal(dr_pace_wait(&bucket, 1150, 3, 100), 50);
    assert_int_equal(dr_pace_wait(&bucket, 9000, 3, 100), 0);
    assert_int_equal(bucket.used, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_ticks_every_ms_reports_twice_a_second),
        cmocka_unit_test(a_bucket_lets_a_burst_through_and_then_one_after_each_while),
        cmocka_unit_test(the_first_tick_is_told_at_once_and_slow_ones_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
