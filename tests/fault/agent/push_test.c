// The real agent's disk fails while it is handed something: what it could not keep is not
// acknowledged, also not by the acknowledgement of what comes after it.
#include "support/agent_world.h"

#define SQLITE        DROVER__V1__ENGINE__SQLITE
#define MODE_OF(name) DROVER__V1__MODE__##name

static const struct tp_revision TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static struct coord *
begin(void)
{
    static struct coord c;
    c = (struct coord){0};
    c_begin(&c, SQLITE, TWO, 2);
    return &c;
}

// id: P1, P6
static void
a_veto_that_could_not_be_kept_comes_again_before_it_is_acknowledged(void **state)
{
    struct coord *c = begin();
    (void)state;
    c_start_agent(c, "agent-stop-write=error@1");
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_stop(c, DROVER__V1__SIGNOFF_KIND__VETO);
    c_push_order(c, "state"); // its acknowledgement would cover the veto's
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    assert_true(c_log_has(c, "could not be kept"));
    (void)c_stop_agent(c, SIGTERM);
    c_start_agent(c, NULL);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    struct dr_attestation refused = c_expect(c, KIND_OF(REFUSED));
    assert_string_equal(refused.msg->code, "vetoed");
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

// id: P6
static void
trust_that_could_not_be_kept_comes_again_before_it_is_acknowledged(void **state)
{
    struct coord *c = begin();
    (void)state;
    c_start_agent(c, "agent-trust-write=error@1");
    c_push_trust(c);
    c_push_order(c, "state");
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    assert_true(c_log_has(c, "could not be kept"));
    c_push_prepare(c, MODE_OF(UP)); // brings no trust of its own
    (void)c_expect(c, KIND_OF(READY));
    c_end(c);
}

// id: P6
static void
work_that_could_not_be_queued_comes_again(void **state)
{
    struct coord *c = begin();
    (void)state;
    c_start_agent(c, "agent-push-write=error@2");
    c_push_trust(c);
    c_push_prepare(c, MODE_OF(UP));
    c_push_order(c, "state");
    (void)c_expect(c, KIND_OF(READY));
    assert_true(c_log_has(c, "could not be kept"));
    c_end(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_veto_that_could_not_be_kept_comes_again_before_it_is_acknowledged),
        cmocka_unit_test(trust_that_could_not_be_kept_comes_again_before_it_is_acknowledged),
        cmocka_unit_test(work_that_could_not_be_queued_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
