// The N-th allocation of a bundle's verification fails: it is refused, never accepted by half.
#include "support/alloc_faults.h"
#include "unit/trust/world.h"

// id: C16
static void
verification_survives_the_failure_of_any_allocation(void **state)
{
    static struct world w;
    uint64_t at = 0;
    bool was_hit = true;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    while (was_hit) {
        struct dr_arena *arena = dr_arena_new(64u << 20);
        at++;
        alloc_fault_set(at, at % 2 == 0);
        enum dr_rc rc = dr_verify(arena, &w.input, &w.verdict, &w.err);
        was_hit = alloc_fault_end();
        if (dr_verdict_is_accepted(&w.verdict) != (rc == DR_OK) || (!was_hit && rc != DR_OK)) {
            fail_msg("allocation %llu: %s", (unsigned long long)at, dr_rc_name(rc));
        }
        dr_arena_free(&arena);
    }
    print_message("each of %llu allocations\n", (unsigned long long)at);
    assert_in_range(at, 100, 100000);
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verification_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
