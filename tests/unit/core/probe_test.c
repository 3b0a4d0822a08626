// Probes while a wave soaks: what passes lets the next wave go, what does not pass or says nothing
// pauses, and a person's word goes only so far.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define SITE_POLICY(w) add_probe(w)

#include "coordinator/core/schedule.h"
#include "unit/trust/world.h"

#define SOAK_S  60
#define EVERY_S 10

// Production soaks a wave for a minute and asks one probe every ten seconds.
static void
add_probe(struct world *w)
{
    static Drover__V1__SqlProbe probe, *probes[1] = {&probe};
    static char name[] = "errors", sql[] = "SELECT count(*) FROM errors", most[] = "5";

    drover__v1__sql_probe__init(&probe);
    probe.name = name;
    probe.engine = DROVER__V1__ENGINE__POSTGRESQL;
    probe.sql = sql;
    probe.most = most;
    probe.every_s = EVERY_S;
    w->environment[PRODUCTION].probes = probes;
    w->environment[PRODUCTION].n_probes = 1;
    w->environment[PRODUCTION].wave_soak_s = SOAK_S;
}

#include "unit/core/world_rollout.h"

static void
at(int64_t seconds)
{
    dr_clock_set_for_test((NOW + seconds) * 1000);
}

// The order that reaches an agent next, of those that are not "state".
static void
agent_is_asked(struct site *site, int agent)
{
    for (;;) {
        Drover__V1__Push *push = agent_next(site, agent, DROVER__V1__PUSH_KIND__PUSH_ORDER);
        Drover__V1__Order *order = drover__v1__order__unpack(dr_arena_protobuf(site->w.arena),
                                                             push->body.len, push->body.data);

        assert_non_null(order);
        if (strcmp(order->order, "probe") == 0) {
            return;
        }
    }
}

static void
is_asked(struct site *site)
{
    agent_is_asked(site, PRD_BILLING);
}

static void
agent_answers(struct site *site, int agent, Drover__V1__ProbeOutcome outcome, const char *value,
              const char *detail)
{
    Drover__V1__ProbeResult result = DROVER__V1__PROBE_RESULT__INIT, *results[1] = {&result};
    Drover__V1__Attestation msg;
    uint8_t sha256[32];
    struct world *w = &site->w;

    begin_attestation(w, &msg, agent, ATT(STATE), NOW);
    msg.heads = &w->head_p[2];
    msg.n_heads = 1;
    msg.fingerprint = DATA32(w->fp_after);
    result.name = word(w, "errors");
    result.outcome = outcome;
    result.value = word(w, value);
    result.detail = word(w, detail);
    msg.probes = results;
    msg.n_probes = 1;
    OK(w, agent_attest(site, agent, &msg, sha256));
}

static void
answer(struct site *site, Drover__V1__ProbeOutcome outcome, const char *value, const char *detail)
{
    agent_answers(site, PRD_BILLING, outcome, value, detail);
}

// Staging is done, production approved, its canary applied: it soaks.
static void
soak_under(struct site *site, uint8_t approval[32])
{
    begin_site(site);
    OK(&site->w, create_rollout(site, NULL));
    run_staging(site);
    ready_production(site);
    approve_production(site, approval);
    (void)agent_next(site, PRD_BILLING, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    at(0);
    agent_applied(site, PRD_BILLING, NOW - 1, approval);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    is_asked(site);
}

static void
soak(struct site *site)
{
    uint8_t approval[32];

    soak_under(site, approval);
}

static const Drover__V1__Rollout *
until_paused(struct site *site)
{
    const Drover__V1__Rollout *rollout;
    int64_t deadline = dr_monotonic_ms() + DEADLINE_MS;

    do {
        rollout = get_rollout(site);
    } while (!rollout->is_paused && dr_monotonic_ms() < deadline);
    assert_true(rollout->is_paused);
    return rollout;
}

// id: G7
static void
the_next_wave_goes_after_the_soak_when_the_probe_passed(void **state)
{
    struct site *site = *state;

    soak(site);
    assert_non_null(strstr(get_rollout(site)->stages[1]->targets[1]->reason, "wave 1 soaks until"));
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "approved"); // it soaks all the same
    at(EVERY_S);
    is_asked(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "4", "");
    at(SOAK_S);
    is_asked(site);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved"); // nothing was said since
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "4", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

// id: G7
static void
a_probe_that_does_not_pass_pauses_and_nobody_promotes_past_it(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    soak(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__NOT_PASSED, "12", "");
    const Drover__V1__Rollout *rollout = get_rollout(site);
    assert_true(rollout->is_paused);
    assert_non_null(strstr(rollout->pause_reason, "probe 'errors' did not pass: 12"));
    at(SOAK_S);
    REFUSED(DR_E_ROLLOUT_EVENT, order(site, "promote", ""));
    assert_non_null(strstr(w->err.message, "nobody promotes past that"));
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    OK(w, order(site, "resume", "")); // it is asked again, and has to pass
    is_asked(site);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "5", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

// id: G7
static void
an_inconclusive_probe_pauses_and_never_promotes(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    soak(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE, "", "it gave NULL");
    assert_non_null(
        strstr(get_rollout(site)->pause_reason, "probe 'errors' is inconclusive: it gave NULL"));
    at(10 * SOAK_S);
    OK(w, order(site, "resume", ""));
    is_asked(site);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    answer(site, DROVER__V1__PROBE_OUTCOME__PROBE_OUTCOME_NONE, "", "");
    assert_true(get_rollout(site)->is_paused);
    OK(w, order(site, "promote", "")); // a person's word
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

// id: G7
static void
a_pause_that_somebody_ordered_is_lifted_by_resume_alone(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    soak(site);
    OK(w, order(site, "pause", ""));
    answer(site, DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE, "", "it gave NULL");
    assert_string_equal(get_rollout(site)->pause_reason, "paused by alice");
    OK(w, order(site, "promote", ""));
    assert_true(get_rollout(site)->is_paused);
    assert_string_equal(get_rollout(site)->pause_reason, "paused by alice");
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    OK(w, order(site, "resume", ""));
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

// id: G7
static void
an_agent_that_does_not_answer_is_inconclusive(void **state)
{
    struct site *site = *state;

    soak(site);
    at(DR_PROBE_ANSWER_S);
    const Drover__V1__Rollout *rollout = until_paused(site);
    assert_non_null(strstr(rollout->pause_reason, "has not answered"));
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
}

// id: G7
static void
what_an_agent_has_forgotten_over_a_restart_is_asked_again(void **state)
{
    struct site *site = *state;

    soak(site);
    at(DR_PROBE_ANSWER_S - 1);
    dr_rpc_stream_close(&site->watch[PRD_BILLING]);
    agent_watch(site, PRD_BILLING, 1);
    is_asked(site);
    at(DR_PROBE_ANSWER_S + 1);
    assert_false(get_rollout(site)->is_paused);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "approved"); // asked before its soak was over
    at(2 * DR_PROBE_ANSWER_S + 1);
    is_asked(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

static void
a_person_ends_a_soak_before_its_time(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    soak(site);
    OK(w, order(site, "promote", ""));
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
    REFUSED(DR_E_ROLLOUT_EVENT, order(site, "promote", "")); // none soaks any more
}

static void
a_soak_goes_on_over_a_restart(void **state)
{
    struct site *site = *state;

    soak(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    site_restart(site);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    assert_int_equal(get_rollout(site)->stages[1]->soaking_wave, 1);
    at(SOAK_S);
    agent_watch(site, PRD_BILLING, 1);
    is_asked(site);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

// ---- after the last wave

// Both targets are applied, and nothing but the last soak is left.
static void
soak_last(struct site *site)
{
    struct world *w = &site->w;
    uint8_t approval[32];

    soak_under(site, approval);
    answer(site, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    OK(w, order(site, "promote", ""));
    (void)agent_next(site, PRD_ORDERS, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    agent_applied(site, PRD_ORDERS, NOW - 1, approval);
    assert_string_equal(state_of(site, PRD_ORDERS), "applied");
    assert_string_equal(get_rollout(site)->state, "running");
    assert_int_equal(get_rollout(site)->stages[1]->soaking_wave, 2);
}

static void
both_answer(struct site *site, Drover__V1__ProbeOutcome outcome)
{
    agent_is_asked(site, PRD_BILLING);
    agent_is_asked(site, PRD_ORDERS);
    agent_answers(site, PRD_BILLING, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    agent_answers(site, PRD_ORDERS, outcome, "7", "it gave NULL");
}

// id: G7
static void
a_rollout_is_done_when_all_probes_have_passed_after_its_last_soak(void **state)
{
    struct site *site = *state;

    soak_last(site);
    agent_is_asked(site, PRD_ORDERS);
    agent_answers(site, PRD_ORDERS, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(get_rollout(site)->state, "running"); // it soaks all the same
    const Drover__V1__TargetStatus *target = get_rollout(site)->stages[1]->targets[1];
    assert_non_null(strstr(target->waits, "wave 2, the last, soaks until"));
    assert_string_equal(target->next, "drover rollout watch R-1");
    at(EVERY_S);
    both_answer(site, DROVER__V1__PROBE_OUTCOME__PASSED); // also the wave before
    assert_string_equal(get_rollout(site)->state, "running");
    at(SOAK_S);
    both_answer(site, DROVER__V1__PROBE_OUTCOME__PASSED);
    assert_string_equal(get_rollout(site)->state, "applied");
    assert_int_equal(get_rollout(site)->stages[1]->soaking_wave, 0);
    site_restart(site);
    assert_string_equal(get_rollout(site)->state, "applied");
}

// id: G7
static void
an_inconclusive_probe_after_the_last_wave_pauses(void **state)
{
    struct site *site = *state;

    soak_last(site);
    agent_is_asked(site, PRD_ORDERS);
    agent_answers(site, PRD_ORDERS, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    at(SOAK_S);
    both_answer(site, DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE);
    assert_string_equal(get_rollout(site)->state, "paused");
    const Drover__V1__TargetStatus *target = get_rollout(site)->stages[1]->targets[1];
    assert_non_null(strstr(target->waits, "probe 'errors' is inconclusive: it gave NULL"));
    assert_string_equal(target->next, "drover rollout resume R-1");
    OK(&site->w, order(site, "resume", ""));
    agent_is_asked(site, PRD_ORDERS);
    assert_string_equal(get_rollout(site)->state, "running");
    agent_answers(site, PRD_ORDERS, DROVER__V1__PROBE_OUTCOME__PASSED, "3", "");
    assert_string_equal(get_rollout(site)->state, "applied");
}

// id: G7
static void
a_person_ends_the_last_soak_but_not_past_what_did_not_pass(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    soak_last(site);
    agent_is_asked(site, PRD_ORDERS);
    agent_answers(site, PRD_ORDERS, DROVER__V1__PROBE_OUTCOME__NOT_PASSED, "12", "");
    assert_string_equal(get_rollout(site)->state, "paused");
    REFUSED(DR_E_ROLLOUT_EVENT, order(site, "promote", ""));
    REFUSED(DR_E_ROLLOUT_EVENT, order(site, "abort", ""));
    assert_non_null(strstr(w->err.message, "everything of rollout 'R-1' has run"));
    OK(w, order(site, "resume", ""));
    OK(w, order(site, "promote", ""));
    assert_string_equal(get_rollout(site)->state, "applied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_wave_goes_after_the_soak_when_the_probe_passed),
        TEST(a_probe_that_does_not_pass_pauses_and_nobody_promotes_past_it),
        TEST(an_inconclusive_probe_pauses_and_never_promotes),
        TEST(a_pause_that_somebody_ordered_is_lifted_by_resume_alone),
        TEST(an_agent_that_does_not_answer_is_inconclusive),
        TEST(what_an_agent_has_forgotten_over_a_restart_is_asked_again),
        TEST(a_person_ends_a_soak_before_its_time),
        TEST(a_soak_goes_on_over_a_restart),
        TEST(a_rollout_is_done_when_all_probes_have_passed_after_its_last_soak),
        TEST(an_inconclusive_probe_after_the_last_wave_pauses),
        TEST(a_person_ends_the_last_soak_but_not_past_what_did_not_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
