// What the agent trusts only goes forward, and only by the people's signatures: a coordinator that
// skips, repeats, forks, withholds or mixes roots, fleets and chains is refused, and the trusted
// files stay what they were.
#include "support/evil.h"

struct t_case {
    const char *name;
    void (*spoil)(struct evil *e, Drover__V1__TrustUpdate *update);
    const char *code;
};

static void
take_fleet(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e_make_fleet(e);
    Drover__V1__TrustUpdate *made = c_trust(&e->c);
    update->fleet = made->fleet;
    update->entries = made->entries;
    update->n_entries = made->n_entries;
}

static void
take_chain(struct evil *e, Drover__V1__TrustUpdate *update)
{
    update->chain = c_data(&e->c, e->c.chain_wire.data, e->c.chain_wire.len);
}

static void
take_root(struct evil *e, Drover__V1__TrustUpdate *update)
{
    struct dr_bytes wire = e_sign_root(e);
    update->roots = dr_arena_array(e->c.arena, 1, sizeof *update->roots);
    update->roots[0] = c_data(&e->c, wire.data, wire.len);
    update->n_roots = 1;
}

// ------------------------------------------------------------------------------------- roots

static void
root_unsigned(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.signers = 0;
    take_root(e, update);
}

static void
root_by_one(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.signers = 1;
    take_root(e, update);
}

static void
root_by_carol_only(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.with_carol_only = true;
    take_root(e, update);
}

static void
root_skips(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.version = 3;
    take_root(e, update);
}

static void
root_last_number(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.version = UINT64_MAX;
    take_root(e, update);
}

static void
root_same_number(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.version = 1;
    e->root.expires_in++;
    take_root(e, update);
}

static void
root_of_another_cluster(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.is_foreign = true;
    take_root(e, update);
}

static void
root_from_the_future(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->root.issued_in = 4000;
    take_root(e, update);
}

static void
root_is_garbage(struct evil *e, Drover__V1__TrustUpdate *update)
{
    take_root(e, update);
    update->roots[0] = c_data(&e->c, (const uint8_t *)"DRV1 is how it begins", 21);
}

static void
root_is_a_fleet(struct evil *e, Drover__V1__TrustUpdate *update)
{
    take_root(e, update);
    update->roots[0] = update->fleet;
}

// ------------------------------------------------------------------------------------ fleets

static void
fleet_by_one(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.signers = 1;
    take_fleet(e, update);
}

static void
fleet_older(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.version = 4;
    take_fleet(e, update);
}

static void
fleet_forked(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.version = 5;
    e->fleet.expires_in++;
    take_fleet(e, update);
}

static void
fleet_jumps(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.version = 5 + (1ull << 40);
    take_fleet(e, update);
}

static void
fleet_expired(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.expires_in = -1;
    take_fleet(e, update);
}

static void
fleet_of_another_cluster(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.is_foreign = true;
    take_fleet(e, update);
}

static void
fleet_from_the_future(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->fleet.issued_in = 4000;
    take_fleet(e, update);
}

static void
fleet_entry_forged(struct evil *e, Drover__V1__TrustUpdate *update)
{
    struct coord *c = &e->c;
    Drover__V1__ProvenEntry *mine = update->entries[0];
    Drover__V1__FleetEntry *entry = drover__v1__fleet_entry__unpack(
        dr_arena_protobuf(c->arena), mine->leaf.len, mine->leaf.data);
    entry->target->identity = c_new(c, &drover__v1__database_identity__descriptor);
    entry->target->identity->database = c_text(c, "elsewhere");
    struct dr_bytes packed = c_pack(c, &entry->base);
    mine->leaf = dr_data(packed.data, packed.len);
}

static void
fleet_is_a_chain(struct evil *e, Drover__V1__TrustUpdate *update)
{
    (void)e;
    update->fleet = update->chain;
}

// ------------------------------------------------------------------------------------ chains

static void
chain_older(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->c.chain_version = 0;
    c_make_chain(&e->c);
    take_chain(e, update);
}

static void
chain_forked(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->c.chain_version = 1;
    e->c.withdrawn = 1;
    c_make_chain(&e->c);
    take_chain(e, update);
}

static void
chain_shorter(struct evil *e, Drover__V1__TrustUpdate *update)
{
    e->c.plan->plan->n_revisions = 1;
    c_make_chain(&e->c);
    e->c.plan->plan->n_revisions = 2;
    take_chain(e, update);
}

static void
chain_by_one(struct evil *e, Drover__V1__TrustUpdate *update)
{
    struct coord *c = &e->c;
    struct dr_envelope envelope;
    e->c.withdrawn = 1;
    c_make_chain(c);
    C_OK(c, dr_envelope_parse(c->chain_wire, NULL, &envelope, &c->err));
    c->chain_wire = c_sign(c, DR_TYPE_CHAIN, envelope.payload, 1);
    take_chain(e, update);
}

// --------------------------------------------------------------------------------------- runs

static void
run_trust_table(const struct t_case *rows, size_t n)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    c_make_chain(c); // its second version
    e->trusted_chain = c->chain_wire;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    const struct coord good = *c;
    size_t wrong = 0;
    assert_true(n <= 28);
    for (size_t i = 0; i < n; i++) {
        struct e_draft d;
        e_good_fleet(e, 6);
        e->root.version = 2;
        e->root.issued_in = -60;
        e->root.expires_in = 90 * 86400;
        e->root.signers = 2;
        e->root.with_carol_only = e->root.is_foreign = false;
        c->fleet_wire = good.fleet_wire;
        c->leaves = good.leaves;
        e_make(e, &ready, NULL, &d);
        rows[i].spoil(e, d.bundle->trust);
        c->fleet_wire = good.fleet_wire;
        c->leaves = good.leaves;
        c->n_entries = good.n_entries;
        c->chain_wire = good.chain_wire;
        c->chain_version = good.chain_version;
        c->withdrawn = 0;
        e_push_draft(&d);
        wrong += e_is_refused(e, rows[i].name, rows[i].code) ? 0 : 1;
        e_oracles(e, rows[i].name);
    }
    assert_int_equal(wrong, 0);
    e_answers(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

// id: R02 R03 R10 R19 R20 R27 R29 K05
static void
a_root_comes_by_both_quorums_one_step_at_a_time(void **state)
{
    static const struct t_case ROWS[] = {
        {"R03 unsigned", root_unsigned, "quorum"},
        {"R03 by one", root_by_one, "quorum"},
        {"R10 by carol alone", root_by_carol_only, "quorum"},
        {"R19 version 3 after 1", root_skips, "fast-forward"},
        {"R29 version 2^64-1", root_last_number, "bad-root"},
        {"R20 version 1 with other bytes", root_same_number, "equivocation"},
        {"R27 of another cluster", root_of_another_cluster, "foreign-cluster"},
        {"K05 issued in an hour", root_from_the_future, "not-yet"},
        {"R02 garbage", root_is_garbage, "bad-envelope"},
        {"E07 a fleet as root", root_is_a_fleet, "wrong-type"},
    };
    (void)state;
    run_trust_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: F02 F03 F05 F06 F10
static void
a_fleet_comes_by_its_quorum_and_only_forward(void **state)
{
    static const struct t_case ROWS[] = {
        {"F02 by one of two", fleet_by_one, "quorum"},
        {"F03 an older one", fleet_older, "rollback"},
        {"F05 the same number, other bytes", fleet_forked, "equivocation"},
        {"F10 a jump of 2^40", fleet_jumps, "fast-forward"},
        {"F06 an expired one", fleet_expired, "freeze-fleet"},
        {"E08 of another cluster", fleet_of_another_cluster, "foreign-cluster"},
        {"K05 issued in an hour", fleet_from_the_future, "not-yet"},
        {"F15 a forged entry", fleet_entry_forged, "bad-proof"},
        {"E07 a chain as fleet", fleet_is_a_chain, "wrong-type"},
        {"chain: an older one", chain_older, "rollback"},
        {"chain: the same number, other bytes", chain_forked, "equivocation"},
        {"chain: a revision is gone", chain_shorter, "bad-chain"},
        {"chain: by one of two", chain_by_one, "quorum"},
    };
    (void)state;
    run_trust_table(ROWS, DR_COUNT_OF(ROWS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_comes_by_both_quorums_one_step_at_a_time),
        cmocka_unit_test(a_fleet_comes_by_its_quorum_and_only_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
