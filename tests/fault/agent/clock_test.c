// The clock of the agent's host is far ahead or far behind, or jumps: what was signed is refused
// with a word about the clock, nothing runs, and once the clock is right everything goes on.
#include "support/agent_world.h"

#define DAY_S 86400

static const struct tp_revision TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

// This process has read its own offset (none) before.
static void
start_agent_off_by(struct coord *c, int64_t seconds)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)seconds);
    (void)setenv("DROVER_TEST_CLOCK_OFFSET_S", text, 1);
    c_start_agent(c, NULL);
    (void)unsetenv("DROVER_TEST_CLOCK_OFFSET_S");
}

// An agent with a READY, stopped.
static struct coord *
begin(struct dr_attestation *out_ready)
{
    static struct coord world;
    struct coord *c = &world;
    world = (struct coord){0};
    c_begin(c, DROVER__V1__ENGINE__SQLITE, TWO, 2);
    c_start_agent(c, NULL);
    *out_ready = c_prepare(c, DROVER__V1__MODE__UP);
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    (void)c_stop_agent(c, SIGTERM);
    return c;
}

static void
refuse_then_go_on(int64_t seconds, const char *code)
{
    struct dr_attestation ready;
    struct coord *c = begin(&ready);
    const struct c_approve how = {
        .mode = DROVER__V1__MODE__UP, .people = 2, .acknowledged = ready.msg->flags};
    start_agent_off_by(c, seconds);
    c_push_bundle(c, &ready, &how);
    struct dr_attestation refused = c_expect(c, KIND_OF(REFUSED));
    if (strcmp(refused.msg->code, code) != 0) {
        fail_msg("refused with %s: %s", refused.msg->code, refused.msg->detail);
    }
    assert_false(c_has_table(c, "users"));
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    (void)c_stop_agent(c, SIGTERM);
    // The clock was put right: it left no mark, and the same READY can be approved.
    c_start_agent(c, NULL);
    c_push_bundle(c, &ready, &how);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    c_end(c);
}

// id: C18
static void
clock_far_ahead_is_refused_and_leaves_no_mark(void **state)
{
    (void)state;
    refuse_then_go_on(2 * DAY_S, "freeze-root");
}

// id: C18
static void
clock_far_behind_is_refused_and_leaves_no_mark(void **state)
{
    (void)state;
    refuse_then_go_on(-2 * DAY_S, "clock-back");
}

// An approval was used up, and the agent died before its first statement. When it is back its clock
// says that two hours have passed: the window to go on is over.
// id: C18 C22
static void
jump_between_consumption_and_restart_ends_the_window(void **state)
{
    struct dr_attestation ready;
    struct coord *c = begin(&ready);
    (void)state;
    c_start_agent(c, "agent-worker-go=kill");
    c_push_bundle(c, &ready,
                  &(struct c_approve){
                      .mode = DROVER__V1__MODE__UP, .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, c_log_has(c, "approval consumed"));
    (void)c_stop_agent(c, SIGKILL);
    start_agent_off_by(c, 2 * 3600);
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    if (strcmp(failed.msg->code, "resume-window") != 0) {
        fail_msg("failed with %s: %s", failed.msg->code, failed.msg->detail);
    }
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_far_ahead_is_refused_and_leaves_no_mark),
        cmocka_unit_test(clock_far_behind_is_refused_and_leaves_no_mark),
        cmocka_unit_test(jump_between_consumption_and_restart_ends_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
