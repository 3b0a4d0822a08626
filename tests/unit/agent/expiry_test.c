// Expiry: warned of from 14 days before, more often towards the end, and no more once it is
// renewed.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/expiry.h"

#define DAY 86400
#define END 1800000000

static void
pauses_grow_shorter_towards_the_end(void **state)
{
    (void)state;
    assert_int_equal(dr_expiry_pause(14 * DAY + 1), 0);
    assert_int_equal(dr_expiry_pause(14 * DAY), 2 * DAY);
    assert_int_equal(dr_expiry_pause(3 * DAY), 3 * DAY / 2);
    assert_int_equal(dr_expiry_pause(DAY), DAY / 2);
    assert_int_equal(dr_expiry_pause(60), 3600);
    assert_int_equal(dr_expiry_pause(-60), 3600);
}

static void
warnings_come_in_time_and_end_with_a_newer_document(void **state)
{
    Drover__V1__Root root = DROVER__V1__ROOT__INIT;
    Drover__V1__Fleet fleet = DROVER__V1__FLEET__INIT;
    struct dr_trust trust = {.root.msg = &root};
    struct dr_expiry expiry = {0};
    unsigned n = 0;
    (void)state;
    root.expires = END;
    fleet.expires = END + 300 * DAY;
    assert_int_equal(dr_expiry_warn(&expiry, &trust, END - 15 * DAY), 0);
    trust.fleet.msg = &fleet;
    for (int64_t now = END - 15 * DAY; now < END; now += 60) {
        n += dr_expiry_warn(&expiry, &trust, now);
    }
    assert_in_range(n, 10, 30);
    root.expires = END + 300 * DAY;
    assert_int_equal(dr_expiry_warn(&expiry, &trust, END), 0);
    fleet.expires = END - 1;
    assert_int_equal(dr_expiry_warn(&expiry, &trust, END), 1);
    assert_int_equal(dr_expiry_warn(&expiry, &trust, END + 60), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_shorter_towards_the_end),
        cmocka_unit_test(warnings_come_in_time_and_end_with_a_newer_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
