// The clock of the host jumps by years, back and forth, at every turn of a run: waits and limits
// count on the monotonic clock, so nothing ends early and nothing waits for ever.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#define YEARS_MS (20ll * 366 * 86400 * 1000)

static void
jump(void *arg, const struct dr_engine_progress *p)
{
    unsigned *jumps = arg;
    (void)p;
    dr_clock_set_for_test(++*jumps % 2 == 0 ? 1000 : 1700000000000ll + YEARS_MS);
}

// id: C18
static void
clock_that_jumps_during_a_run_changes_nothing(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    unsigned jumps = 0;
    int64_t start = dr_monotonic_ms();
    e->options.progress = jump;
    e->options.progress_arg = &jumps;
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.units_count, 4);
    assert_in_range(e->result.duration_ms, 0, dr_monotonic_ms() - start);
    assert_ok(e, env_down(e, p));
    assert_true(jumps > 4);
    e->options.progress = NULL;
    dr_clock_set_for_test(-1);
    assert_head(e, NULL);
    tp_free(p);
}

// A lock that is not to be had: the budget ends by itself, whatever the clock says meanwhile.
// id: C18
static void
budget_of_a_lock_wait_is_not_the_clocks(void **state)
{
    struct env *e = *state;
    const struct tp_revision r[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .lock_timeout_ms = 300,
                       .statements = {"ALTER TABLE busy ADD COLUMN x integer"}}}}};
    struct tp_plan *p = tp_make(e->engine, r, 1);
    struct dr_pg *reader = NULL;
    struct dr_pg_options o = {.url = e->url};
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    unsigned jumps = 0;
    env_sql(e, "CREATE TABLE busy (id integer)");
    assert_ok(e, dr_pg_connect(&o, &wait, &reader, &e->err));
    assert_ok(e, dr_pg_run(reader, "BEGIN", &wait, &e->err));
    assert_ok(e, dr_pg_run(reader, "LOCK TABLE public.busy IN ACCESS SHARE MODE", &wait, &e->err));
    e->options.progress = jump;
    e->options.progress_arg = &jumps;
    e->options.retry_budget_ms = 1000;
    int64_t start = dr_monotonic_ms();
    assert_int_equal(env_up(e, p), DR_E_LOCK_TIMEOUT);
    assert_in_range(dr_monotonic_ms() - start, 300, 60000);
    e->options.progress = NULL;
    dr_clock_set_for_test(-1);
    dr_pg_close(&reader);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(clock_that_jumps_during_a_run_changes_nothing),
        cmocka_unit_test_setup_teardown(budget_of_a_lock_wait_is_not_the_clocks, env_start_pg,
                                        env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
