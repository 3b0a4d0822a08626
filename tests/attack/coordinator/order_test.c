// What a coordinator may ask while waves soak, and when it may let a run begin. An order to probe
// names no SQL: the agent asks what its own environment's people signed, and not oftener than it
// likes. A run that is sent outside of the windows does not begin, whatever else is sent with it.
#include "support/evil_server.h"

#define MINE   "SELECT 700100 + 1"
#define OTHERS "SELECT 700200 + 1"
#define OWN    "SELECT 700300 + 1"
#define FLOOD  400

// ------------------------------------------------------------------------------------ probes

// Everything that was pushed so far has been taken.
static void
settle(struct coord *c)
{
    for (size_t i = 0; i < c->n_push; i++) {
        C_UNTIL(c, c->push[i].is_acked);
    }
    c->n_push = 0;
}

static void
push_order(struct coord *c, const char *target, const char *order, const char *rollout)
{
    Drover__V1__Order *msg = c_new(c, &drover__v1__order__descriptor);
    msg->target = c_text(c, target);
    msg->order = c_text(c, order);
    msg->rollout = c_text(c, rollout);
    if (c->n_push == C_PUSHES) {
        settle(c);
    }
    c_push(c, E_PUSH(ORDER), &msg->base);
}

// An order whose bytes go on with a field that a probe's SQL would have.
static void
push_with_more(struct coord *c)
{
    Drover__V1__Order *msg = c_new(c, &drover__v1__order__descriptor);
    msg->target = c_text(c, C_TARGET);
    msg->order = c_text(c, "probe");
    struct dr_bytes packed = c_pack(c, &msg->base);
    uint8_t *body = dr_arena_alloc(c->arena, packed.len + 3 + sizeof OWN);
    assert_non_null(body);
    memcpy(body, packed.data, packed.len);
    body[packed.len] = 0xba; // field 39, bytes
    body[packed.len + 1] = 0x02;
    body[packed.len + 2] = sizeof OWN - 1;
    memcpy(body + packed.len + 3, OWN, sizeof OWN - 1);
    c_push_bytes(c, E_PUSH(ORDER), (struct dr_bytes){body, packed.len + 3 + sizeof OWN - 1});
}

// The next STATE that answers probes.
static struct dr_attestation
next_answer(struct coord *c)
{
    struct dr_attestation one;
    do {
        one = c_expect(c, KIND_OF(STATE));
    } while (one.msg->n_probes == 0);
    return one;
}

static void
begin_probes(struct evil *e)
{
    static const struct tp_revision revisions[] = {
        {.id = "001_users",
         .sections = {TP_UP("CREATE TABLE users(id int)"), TP_DOWN("DROP TABLE users")}},
    };
    e_begin_with(e, DROVER__V1__ENGINE__POSTGRESQL, cluster, 0, revisions, 1);
    e->fleet.probe = MINE;
    e->fleet.staging_probe = OTHERS;
    e_make_fleet(e);
    e_believe_fleet(e);
    c_start_agent(&e->c, NULL);
    c_push_trust(&e->c);
    settle(&e->c);
    e_answers(e);
    settle(&e->c);
}

// A fleet that only one of two people signed, with a probe of the coordinator's own.
static void
push_own_policy(struct evil *e)
{
    const struct dr_bytes good = e->c.fleet_wire;
    e->fleet.version++;
    e->fleet.signers = 1;
    e->fleet.probe = OWN;
    e_make_fleet(e);
    c_push_trust(&e->c);
    settle(&e->c);
    e->c.fleet_wire = good;
}

// id: P1 G7
static void
an_order_to_probe_asks_what_the_people_signed_and_nothing_else(void **state)
{
    static struct evil e;
    (void)state;
    begin_probes(&e);
    struct coord *c = &e.c;
    push_order(c, C_TARGET, "probe " OWN, "R-1");
    push_order(c, C_TARGET, OWN, "R-1");
    push_order(c, "staging/orders", "probe", "R-1"); // another environment's
    push_order(c, "production/billing", "probe", "R-1");
    settle(c);
    push_own_policy(&e);
    e_answers(&e);
    assert_int_equal(times_seen(&e, "70010") + times_seen(&e, "70020") + times_seen(&e, "70030"),
                     0);
    push_order(c, C_TARGET, "probe", OWN);
    assert_string_equal(next_answer(c).msg->probes[0]->value, "700101");
    push_with_more(c);
    settle(c);
    e_answers(&e);
    assert_true(times_seen(&e, "70010") > 0);
    assert_int_equal(times_seen(&e, "70020") + times_seen(&e, "70030"), 0);
    assert_true(c_log_has(c, "an unknown order came"));
    assert_true(c_log_has(c, "an order for no target of this agent came"));
    e_end(&e);
}

// id: P1 G7
static void
a_flood_of_orders_to_probe_asks_the_database_now_and_then(void **state)
{
    static struct evil e;
    (void)state;
    begin_probes(&e);
    unsigned before = times_seen(&e, "70010");
    int64_t began_ms = dr_monotonic_ms();
    for (int i = 0; i < FLOOD; i++) {
        push_order(&e.c, C_TARGET, "probe", "R-1");
    }
    (void)next_answer(&e.c);
    settle(&e.c);
    e_answers(&e);
    int64_t took_s = (dr_monotonic_ms() - began_ms) / 1000 + 1;
    unsigned asked = times_seen(&e, "70010") - before;
    if (asked > 2 * (unsigned)took_s + 2) { // each is a line or two of the server's log
        fail_msg("%d orders within %d s asked the server %u times", FLOOD, (int)took_s, asked);
    }
    assert_int_equal(waitpid(e.c.agent, NULL, WNOHANG), 0);
    e_end(&e);
}

// ----------------------------------------------------------------------------------- windows

// Dated into the window, so that it looks as if it were open.
static void
dated_into_the_window(struct e_draft *d)
{
    d->request.header.not_before = dr_now_unix_s() + 90 * 60;
    d->request.header.expires = d->request.header.not_before + 3600;
}

static void
of_yesterday(struct e_draft *d)
{
    d->request.header.not_before = dr_now_unix_s() - 86400;
    d->request.header.expires = d->request.header.not_before + 3600;
}

// The policy of the fleet before, which had no windows.
static void
under_the_policy_before(struct e_draft *d)
{
    memset(d->request.header.policy_sha256.data, 7, 32);
}

// id: K02 K05 P22 F12
static void
a_run_does_not_begin_outside_of_its_window_whatever_the_coordinator_sends(void **state)
{
    static const struct e_case ROWS[] = {
        {"RUN is sent though no window is open", NULL, NULL, "outside-window"},
        {"and sent again", NULL, NULL, "outside-window"},
        {"K02 the approval is dated into the window", dated_into_the_window, NULL, "not-yet"},
        {"K01 it is yesterday's, of the window then", of_yesterday, NULL, "expired"},
        {"F12 under a policy without windows", under_the_policy_before, NULL, "wrong-policy"},
    };
    struct evil *e = e_begin();
    (void)state;
    const struct dr_bytes without = e->c.fleet_wire;
    e->fleet.version++;
    e->fleet.window_in_min = 90;
    e_make_fleet(e);
    e_believe_fleet(e);
    const struct dr_bytes with = e->c.fleet_wire;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        if (!e_run_case(e, &ready, &ROWS[i])) {
            fail_msg("%s: another refusal", ROWS[i].name);
        }
    }
    settle(&e->c);
    e->c.fleet_wire = without; // signed by the people, but older: it is not gone back to
    c_push_trust(&e->c);
    settle(&e->c);
    e->c.fleet_wire = with;
    assert_true(e_run_case(e, &ready, &ROWS[0]));
    e_answers(e);
    e->fleet.version++;
    e->fleet.window_in_min = -5; // the people open one
    e_make_fleet(e);
    e_believe_fleet(e);
    c_push_trust(&e->c);
    settle(&e->c);
    e_good_one_runs(e, &ready);
    e_end(e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_to_probe_asks_what_the_people_signed_and_nothing_else),
        cmocka_unit_test(a_flood_of_orders_to_probe_asks_the_database_now_and_then),
        cmocka_unit_test(a_run_does_not_begin_outside_of_its_window_whatever_the_coordinator_sends),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
