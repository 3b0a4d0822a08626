// Libraries that are loaded when they are needed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/late.h"

#define FUNCTIONS(X)                                                                               \
    X(double, floor, (double), (a))                                                                \
    X(double, fmod, (double, double), (a, b))

struct table {
    FUNCTIONS(DR_LATE_FIELD)
};
static const char *const names[] = {FUNCTIONS(DR_LATE_NAME)};

static void
functions_of_a_library_can_be_called(void **state)
{
    struct table t = {NULL, NULL};
    (void)state;
    assert_true(dr_late_load("libm.so.6", names, DR_COUNT_OF(names), &t));
    assert_true(t.floor(2.5) > 1.9 && t.floor(2.5) < 2.1);
    assert_true(t.fmod(7, 4) > 2.9 && t.fmod(7, 4) < 3.1);
}

static void
what_is_not_there_leaves_the_table_as_it_was(void **state)
{
    static const char *const wrong[] = {"floor", "no_such_function_is_there"};
    struct table t = {NULL, NULL};
    (void)state;
    assert_false(dr_late_load("libm.so.6", wrong, 2, &t));
    assert_null(t.floor);
    assert_false(dr_late_load("libno-such-library.so.1", names, 2, &t));
    assert_null(t.floor);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_a_library_can_be_called),
        cmocka_unit_test(what_is_not_there_leaves_the_table_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
