// Evidence against: what speaks against an approval after it was signed reaches the agents that it
// is for, and a wave that has not gone yet waits.
#include "unit/core/world_rollout.h"

#include "coordinator/core/schedule.h"

// What staging says after it was listed: it was rolled back.
static void
staging_goes_back(struct site *site, Drover__V1__AttestationKind kind)
{
    Drover__V1__Attestation msg;
    struct world *w = &site->w;
    uint8_t sha256[32], other[32] = {9};

    begin_attestation(w, &msg, STG_STOCK, kind, NOW - 15);
    msg.fingerprint = DATA32(w->fp_before);
    if (kind == ATT(REVERTED)) {
        msg.mode = MODE(DOWN);
        msg.plan_sha256 = DATA32(w->plan_sha);
        msg.approval_sha256 = DATA32(other);
    }
    OK(w, agent_attest(site, STG_STOCK, &msg, sha256));
}

// The plan ran on staging, and production is ready.
static void
staged(struct site *site)
{
    struct world *w = &site->w;
    begin_site(site);
    OK(w, create_rollout(site, NULL));
    run_staging(site);
    ready_production(site);
}

// id: G3
static void
an_agent_that_was_away_hears_what_speaks_against_its_approval(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    uint8_t approval[32];

    staged(site);
    dr_rpc_stream_close(&site->watch[PRD_BILLING]);
    approve_production(site, approval);
    assert_string_equal(state_of(site, PRD_BILLING), "sent");
    staging_goes_back(site, ATT(STATE));
    agent_watch(site, PRD_BILLING, 1);
    Drover__V1__Push *bundle = agent_next(site, PRD_BILLING, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    REFUSED(DR_E_GATE_MISSING,
            agent_verify(site, PRD_BILLING, bundle, payload_by(site, site->ready_sha[PRD_BILLING]),
                         backup_payload(site, PRD_BILLING)));
    assert_non_null(strstr(w->err.message, "no longer has the revisions"));
}

// id: G3
static void
a_wave_waits_when_a_gate_has_closed_since_its_approval(void **state)
{
    struct site *site = *state;
    uint8_t approval[32];

    staged(site);
    approve_production(site, approval);
    staging_goes_back(site, ATT(REVERTED));
    agent_applied(site, PRD_BILLING, NOW - 10, approval);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    const char *reason = get_rollout(site)->stages[1]->targets[1]->reason;
    assert_non_null(strstr(reason, "waits: gate 'staged' has closed since"));
    assert_non_null(strstr(get_rollout(site)->next, "drover"));
    site_restart(site); // and it is not forgotten
    dr_clock_set_for_test((NOW + DR_SCHEDULE_GATE_S) * 1000);
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
}

// A canary that went back without this rollout's knowing.
// id: X02
static void
a_later_wave_hears_that_a_canary_was_taken_back(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Attestation msg;
    uint8_t approval[32], other[32] = {9}, sha256[32];

    staged(site);
    dr_rpc_stream_close(&site->watch[PRD_ORDERS]);
    approve_production(site, approval);
    agent_applied(site, PRD_BILLING, NOW - 10, approval);
    begin_attestation(w, &msg, PRD_BILLING, ATT(REVERTED), NOW - 5);
    msg.fingerprint = DATA32(w->fp_before);
    msg.mode = MODE(DOWN);
    msg.plan_sha256 = DATA32(w->plan_sha);
    msg.approval_sha256 = DATA32(other);
    OK(w, agent_attest(site, PRD_BILLING, &msg, sha256));
    agent_watch(site, PRD_ORDERS, 1);
    Drover__V1__Push *bundle = agent_next(site, PRD_ORDERS, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    REFUSED(DR_E_CANARY_FIRST,
            agent_verify(site, PRD_ORDERS, bundle, payload_by(site, site->ready_sha[PRD_ORDERS]),
                         backup_payload(site, PRD_ORDERS)));
}

int
main(void)
{
#define SITE_TEST(test) cmocka_unit_test_setup_teardown(test, site_setup, site_teardown)
    const struct CMUnitTest tests[] = {
        SITE_TEST(an_agent_that_was_away_hears_what_speaks_against_its_approval),
        SITE_TEST(a_wave_waits_when_a_gate_has_closed_since_its_approval),
        SITE_TEST(a_later_wave_hears_that_a_canary_was_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
