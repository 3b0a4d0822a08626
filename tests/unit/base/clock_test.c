#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
the_wall_clock_is_the_systems(void **state DR_UNUSED)
{
    int64_t before = (int64_t)time(NULL);
    int64_t now = dr_now_unix_s();
    int64_t now_ms = dr_now_unix_ms();
    assert_true(now >= before && now <= before + 60);
    assert_true(now_ms / 1000 >= now && now_ms / 1000 <= now + 60);
}

static void
tests_can_set_the_wall_clock_and_give_it_back(void **state DR_UNUSED)
{
    dr_clock_set_for_test(1770991200999);
    assert_int_equal(dr_now_unix_ms(), 1770991200999);
    assert_int_equal(dr_now_unix_s(), 1770991200);
    int64_t monotonic = dr_monotonic_ms();
    dr_clock_set_for_test(0);
    assert_int_equal(dr_now_unix_ms(), 0);
    assert_true(dr_monotonic_ms() >= monotonic);
    dr_clock_set_for_test(-1);
    assert_true(dr_now_unix_s() > 1700000000);
}

static void
the_monotonic_clock_does_not_go_back(void **state DR_UNUSED)
{
    int64_t last = dr_monotonic_ms();
    for (int i = 0; i < 10000; i++) {
        int64_t now = dr_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
}

#ifdef DROVER_FAILPOINTS
#define MUST_SHIFT true
#else
#define MUST_SHIFT false
#endif

// Shifted by `text` seconds in a child, whose exit code is 0 when it lies within a minute of that.
static void
expect_shift(const char *text, int64_t seconds)
{
    int64_t now = (int64_t)time(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_TEST_CLOCK_OFFSET_S", text, 1);
        int64_t difference = dr_now_unix_s() - now - seconds;
        _exit(difference >= 0 && difference < 60 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// The offset is read once per process, so this test must be the first that reads the clock.
static void
only_builds_with_failpoints_obey_the_offset(void **state DR_UNUSED)
{
    expect_shift("86400", MUST_SHIFT ? 86400 : 0);
    expect_shift("-86400", MUST_SHIFT ? -86400 : 0);
    expect_shift("nonsense", 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_builds_with_failpoints_obey_the_offset),
        cmocka_unit_test(the_wall_clock_is_the_systems),
        cmocka_unit_test(tests_can_set_the_wall_clock_and_give_it_back),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
