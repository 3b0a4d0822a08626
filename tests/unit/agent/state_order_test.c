// State, orders about backups: kept until they are answered.
#include "support/agent_state.h"

#include <stdio.h>
#include <string.h>

static void
add(struct world *w, const char *target, const char *body)
{
    struct dr_err err = {0};
    assert_int_equal(dr_agent_state_add_order(w->state, target, text(body), &err), DR_OK);
}

static struct dr_agent_kept_order
next(struct world *w, const char *target, const char *body)
{
    struct dr_err err = {0};
    struct dr_agent_kept_order order = {0};
    assert_int_equal(dr_agent_state_next_order(w->state, w->arena, target, &order, &err), DR_OK);
    if (body == NULL) {
        assert_int_equal(order.place, 0);
        return order;
    }
    assert_int_not_equal(order.place, 0);
    assert_int_equal(order.body.len, strlen(body));
    assert_memory_equal(order.body.data, body, order.body.len);
    return order;
}

static void
an_order_waits_over_a_restart_until_it_is_answered(void **state)
{
    struct world *w = *state;
    struct dr_err err = {0};
    add(w, "staging/app", "first");
    add(w, "staging/app", "second");
    struct dr_agent_kept_order order = next(w, "staging/app", "first");
    assert_int_equal(order.starts, 0);
    assert_int_equal(dr_agent_state_start_order(w->state, order.place, &err), DR_OK);
    reopen(w);
    assert_int_equal(next(w, "staging/app", "first").starts, 1);
    next(w, "staging/other", NULL);
    const struct dr_agent_change change = {.target = "staging/app", .ends_order = order.place};
    assert_int_equal(dr_agent_state_commit(w->state, &change, &err), DR_OK);
    reopen(w);
    order = next(w, "staging/app", "second");
    assert_int_equal(dr_agent_state_end_order(w->state, order.place, &err), DR_OK);
    next(w, "staging/app", NULL);
}

static void
of_too_many_orders_the_newest_stay(void **state)
{
    struct world *w = *state;
    char text[16];
    add(w, "staging/other", "its own");
    for (unsigned i = 0; i <= DR_AGENT_ORDERS_MAX; i++) {
        (void)snprintf(text, sizeof text, "order %u", i);
        add(w, "staging/app", text);
    }
    next(w, "staging/app", "order 1");
    next(w, "staging/other", "its own");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_waits_over_a_restart_until_it_is_answered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_too_many_orders_the_newest_stay, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
