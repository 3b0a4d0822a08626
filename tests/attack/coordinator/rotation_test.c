// New roots and fleets that are true: what the agent takes up, and what was signed before and
// counts no more. Between them the coordinator hands out what is old, expired or of somebody who
// left.
#include "support/evil.h"

static void
take_root(struct evil *e, Drover__V1__TrustUpdate *update)
{
    struct dr_bytes wire = e_sign_root(e);
    update->roots = dr_arena_array(e->c.arena, 1, sizeof *update->roots);
    update->roots[0] = c_data(&e->c, wire.data, wire.len);
    update->n_roots = 1;
}

// ------------------------------------------------------------------------- what is taken up

// Pushes an otherwise good bundle with `trust` as it is handed out now and expects that refusal;
// what was handed out is what the agent trusts from here on.
static void
takes_up_and_refuses(struct evil *e, const struct dr_attestation *ready, const char *name,
                     const char *code)
{
    struct e_draft d;
    e_make(e, ready, NULL, &d);
    e_push_draft(&d);
    e->trusted_fleet = e->c.fleet_wire;
    e_refused(e, name, code);
    e_oracles(e, name);
}

// id: F08 F09 F13 F04
static void
a_target_that_the_fleet_no_longer_names_is_left_alone(void **state)
{
    struct evil *e = e_begin();
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    const struct coord good = e->c;
    e_good_fleet(e, 6);
    e->fleet.is_retired = true;
    e_make_fleet(e);
    takes_up_and_refuses(e, &ready, "F09 retired", "retired");
    e_good_fleet(e, 7);
    e->fleet.has_other_key = true;
    e_make_fleet(e);
    takes_up_and_refuses(e, &ready, "F13 my key was replaced", "wrong-key");
    e_good_fleet(e, 8);
    e->fleet.without_me = true;
    e_make_fleet(e);
    takes_up_and_refuses(e, &ready, "F08 removed", "not-in-fleet");
    struct dr_bytes newest = e->trusted_fleet;
    e->c.fleet_wire = good.fleet_wire;
    e->c.leaves = good.leaves;
    e->c.n_entries = good.n_entries;
    struct e_draft d;
    e_make(e, &ready, NULL, &d);
    e_push_draft(&d);
    e_refused(e, "F04 back to the one that named me", "rollback");
    e->trusted_fleet = newest;
    e_oracles(e, "F04");
    e_good_fleet(e, 9);
    e_believe_fleet(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

// id: G06 G14 G23
static void
evidence_of_a_retired_target_or_an_old_key_counts_no_more(void **state)
{
    struct evil *e = e_begin();
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_good_fleet(e, 6);
    e->fleet.retires_orders = true;
    e_make_fleet(e);
    takes_up_and_refuses(e, &ready, "G06 retired", "gate-missing");
    e_good_fleet(e, 7);
    e->fleet.renews_orders_key = true;
    e_make_fleet(e);
    takes_up_and_refuses(e, &ready, "G23 signed with the key before", "bad-evidence");
    e_good_fleet(e, 8);
    e_believe_fleet(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

static void
new_root(struct evil *e, Drover__V1__TrustUpdate *trust, uint64_t version)
{
    e->root.version = version;
    e->root.issued_in = -60;
    take_root(e, trust);
    e->trusted_root = (struct dr_bytes){.data = trust->roots[0].data, .len = trust->roots[0].len};
}

static void
believe_root(struct evil *e)
{
    struct coord *c = &e->c;
    struct dr_root next;
    C_OK(c, dr_root_next(c->arena, &c->root, e->trusted_root, &next, &c->err));
    c->root = next;
}

// bob leaves: alice's and carol's signatures make the root without him; what he signed before is
// worth nothing after. id: Q09 Q13 F11 R08
static void
a_person_who_left_the_root_approves_nothing(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft d;
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    struct dr_key bob = c->person[E_BOB]; // lends its secret
    e->root.without_bob = true;
    c->person[E_BOB] =
        c->person[E_CAROL]; // the second signature of documents is carol's from here on
    new_root(e, d.bundle->trust, 2);
    believe_root(e);
    // The old fleet, signed by alice and bob, does not hold under the new root.
    e_push_draft(&d);
    e_refused(e, "F11 the fleet of the root before", "quorum");
    e_good_fleet(e, 6);
    e_believe_fleet(e);
    c_make_chain(c);
    e->trusted_chain = c->chain_wire;
    e_make(e, &ready, NULL, &d);
    d.signer[1] = &bob;
    struct dr_bytes approval =
        e_envelope(c, DR_TYPE_APPROVAL, d.payload, d.signer, 2); // alice's and bob's
    d.bundle->approval = dr_data(approval.data, approval.len);
    e_push_draft(&d);
    e_refused(e, "Q13 bob signed, but left", "quorum");
    e_oracles(e, "Q13");
    e_good_one_runs(e, &ready);
    dr_key_fini(&bob);
    memset(&c->person[E_BOB], 0, sizeof c->person[E_BOB]);
    C_OK(c, dr_key_generate(DR_KEY_SIGNING, &c->person[E_BOB], &c->err));
    e_end(e);
}

// id: R22 R23
static void
an_expired_root_is_kept_and_stops_everything_until_the_next(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft d;
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    e->root.expires_in = -1;
    new_root(e, d.bundle->trust, 2);
    e_push_draft(&d);
    e_refused(e, "R22 the newest root is expired", "freeze-root");
    believe_root(e);
    e_oracles(e, "R22");
    e_make(e, &ready, NULL, &d);
    e_push_draft(&d);
    e_refused(e, "R22 and the one before does not come back", "freeze-root");
    e_make(e, &ready, NULL, &d);
    e->root.expires_in = 90 * 86400;
    new_root(e, d.bundle->trust, 3);
    believe_root(e);
    e_push_draft(&d);
    (void)c_expect(c, KIND_OF(APPLIED));
    e_end(e);
}

// The coordinator says nothing new until the fleet is too old: the agent stops by itself.
// id: F16 X03
static void
a_withheld_fleet_stops_the_agent_when_it_expires(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft d;
    (void)state;
    e_good_fleet(e, 6);
    e->fleet.expires_in = 3;
    e_make_fleet(e);
    e_believe_fleet(e);
    int64_t expires = c->fleet.msg->expires;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    d.bundle->trust = NULL;
    C_UNTIL(c, dr_now_unix_s() > expires);
    e_push_draft(&d);
    e_refused(e, "F16 the fleet is withheld", "freeze-fleet");
    e_oracles(e, "F16");
    c->n_push = 0;
    c_push_prepare(c, E_MODE(UP));
    e_refused(e, "F16 and nothing is prepared", "freeze-fleet");
    e_end(e);
}

// The agent has gone on; the coordinator was put back to yesterday, in whole or in part.
// id: X04 X06
static void
old_snapshots_in_any_mixture_are_refused(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct dr_bytes fleets[2] = {c->fleet_wire};
    struct dr_bytes chains[2] = {c->chain_wire};
    (void)state;
    e_good_fleet(e, 6);
    e_believe_fleet(e);
    c_make_chain(c);
    e->trusted_chain = c->chain_wire;
    fleets[1] = c->fleet_wire;
    chains[1] = c->chain_wire;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    for (size_t i = 0; i < 3; i++) {
        struct e_draft d;
        char name[32];
        (void)snprintf(name, sizeof name, "X06 fleet %zu chain %zu", i & 1, i >> 1);
        e_make(e, &ready, NULL, &d);
        d.bundle->trust->roots = dr_arena_array(c->arena, 1, sizeof *d.bundle->trust->roots);
        d.bundle->trust->roots[0] = dr_data(c->root_wire.data, c->root_wire.len);
        d.bundle->trust->n_roots = 1; // the one that is held: no error by itself
        d.bundle->trust->fleet = dr_data(fleets[i & 1].data, fleets[i & 1].len);
        d.bundle->trust->chain = dr_data(chains[i >> 1].data, chains[i >> 1].len);
        e_push_draft(&d);
        e_refused(e, name, "rollback");
        e_oracles(e, name);
    }
    e_good_one_runs(e, &ready);
    e_end(e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_that_the_fleet_no_longer_names_is_left_alone),
        cmocka_unit_test(evidence_of_a_retired_target_or_an_old_key_counts_no_more),
        cmocka_unit_test(a_person_who_left_the_root_approves_nothing),
        cmocka_unit_test(an_expired_root_is_kept_and_stops_everything_until_the_next),
        cmocka_unit_test(a_withheld_fleet_stops_the_agent_when_it_expires),
        cmocka_unit_test(old_snapshots_in_any_mixture_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
