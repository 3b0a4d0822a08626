// State, orders about backups: kept until they are answered.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/state.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_agent_state *state;
};

static void
reopen(struct world *w)
{
    struct dr_err err = {0};
    dr_agent_state_close(&w->state);
    assert_int_equal(dr_agent_state_open(w->tmp.path, &w->state, &err), DR_OK);
}

static int
setup(void **state)
{
    static struct world w;
    dr_tmp_init(&w.tmp);
    w.arena = dr_arena_new(16u << 20);
    reopen(&w);
    *state = &w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    dr_agent_state_close(&w->state);
    dr_arena_free(&w->arena);
    dr_tmp_fini(&w->tmp);
    return 0;
}

static void
add(struct world *w, const char *target, const char *text)
{
    struct dr_err err = {0};
    const struct dr_bytes body = {.data = (const uint8_t *)text, .len = strlen(text)};
    assert_int_equal(dr_agent_state_add_order(w->state, target, body, &err), DR_OK);
}

static struct dr_agent_kept_order
next(struct world *w, const char *target, const char *text)
{
    struct dr_err err = {0};
    struct dr_agent_kept_order order = {0};
    assert_int_equal(dr_agent_state_next_order(w->state, w->arena, target, &order, &err), DR_OK);
    if (text == NULL) {
        assert_int_equal(order.place, 0);
        return order;
    }
    assert_int_not_equal(order.place, 0);
    assert_int_equal(order.body.len, strlen(text));
    assert_memory_equal(order.body.data, text, order.body.len);
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
