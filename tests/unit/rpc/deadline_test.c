// The heap of deadlines against a plain search.
#include "rpc/deadline.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT  200u
#define ROUNDS 5000u

static void
the_first_is_always_the_earliest(void **state)
{
    static struct dr_deadline all[COUNT];
    struct dr_deadlines heap = {0};
    uint32_t seed = 1;
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        seed = seed * 1664525u + 1013904223u;
        struct dr_deadline *one = &all[(seed >> 8) % COUNT];
        if (one->place == 0) {
            assert_true(dr_deadlines_add(&heap, one, (int64_t)(seed >> 20)));
        } else {
            dr_deadlines_remove(&heap, one);
            dr_deadlines_remove(&heap, one); // twice is nothing
        }
        int64_t earliest = INT64_MAX;
        size_t count = 0;
        for (unsigned i = 0; i < COUNT; i++) {
            count += all[i].place != 0;
            if (all[i].place != 0 && all[i].at_ms < earliest) {
                earliest = all[i].at_ms;
            }
        }
        assert_int_equal(count, heap.count);
        const struct dr_deadline *first = dr_deadlines_first(&heap);
        assert_true(count == 0 ? first == NULL : first->at_ms == earliest);
    }
    dr_deadlines_fini(&heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_is_always_the_earliest)};
    return cmocka_run_group_tests_name("rpc/deadline", tests, NULL, NULL);
}
