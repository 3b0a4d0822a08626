// Gates and waves: the production agent checks for itself what staging's agents and people signed.
// A coordinator that withholds, forges, swaps or reinterprets evidence gets a refusal, with the
// quorum of production's people behind it.
#include "support/evil.h"

// ---------------------------------------------------------------------------------- evidence

static void
with_wire(struct e_draft *d, size_t index, struct dr_bytes wire)
{
    d->bundle->evidence[index] = dr_data(wire.data, wire.len);
}

static void
signature_broken(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    struct dr_bytes wire = d->wire[E_STATE];
    uint8_t *copy = dr_arena_copy(c->arena, wire.data, wire.len);
    copy[wire.len - 1] ^= 1;
    with_wire(d, E_STATE, (struct dr_bytes){.data = copy, .len = wire.len});
}

static void
signature_missing(struct e_draft *d)
{
    struct dr_envelope envelope;
    struct dr_bytes wire = {0};
    struct coord *c = &d->e->c;
    C_OK(c, dr_envelope_parse(d->wire[E_APPLIED], NULL, &envelope, &c->err));
    C_OK(c, dr_envelope_build(c->arena, DR_TYPE_ATTESTATION, envelope.payload, NULL, 0, &wire,
                              &c->err));
    with_wire(d, E_APPLIED, wire);
}

static void
cut_short(struct e_draft *d)
{
    d->bundle->evidence[E_AGAIN].len -= 40;
}

static void
by_a_production_agent(struct e_draft *d)
{
    d->key[E_STOCKED] = &d->e->agent[E_BILLING];
    d->key[E_STOCK_STATE] = &d->e->agent[E_BILLING];
}

static void
by_a_person(struct e_draft *d)
{
    d->key[E_STOCKED] = &d->e->c.person[E_ALICE];
}

static void
by_the_other_staging_agent(struct e_draft *d)
{
    d->key[E_STOCKED] = &d->e->agent[E_ORDERS];
    d->key[E_STOCK_STATE] = &d->e->agent[E_ORDERS];
}

static void
of_another_cluster(struct e_draft *d)
{
    d->evidence[E_STOCKED].cluster_id = c_data(&d->e->c, (const uint8_t *)"another cluster", 16);
}

static void
an_approval_as_evidence(struct e_draft *d)
{
    d->bundle->evidence[E_STOCKED] = d->bundle->approval;
}

static void
failed_instead(struct e_draft *d)
{
    d->evidence[E_STOCKED].kind = KIND_OF(FAILED);
    d->evidence[E_STOCKED].code = c_text(&d->e->c, "engine-failed");
}

static void
ready_instead(struct e_draft *d)
{
    d->evidence[E_STOCKED].kind = KIND_OF(READY);
    d->evidence[E_STOCKED].nonce = dr_data(d->fp_after, 32);
}

static void
of_other_units(struct e_draft *d)
{
    d->evidence[E_STOCKED].units = d->downs;
    d->evidence[E_STOCKED].n_units = d->n_downs;
}

static void
of_one_unit_less(struct e_draft *d)
{
    d->evidence[E_STOCKED].n_units--;
}

// ---------------------------------------------------------------------------- which, when

static void
second_target_withheld(struct e_draft *d)
{
    d->left_out[E_STOCKED] = d->left_out[E_STOCK_STATE] = true;
}

static void
one_target_twice(struct e_draft *d)
{
    Drover__V1__Bundle *bundle = d->bundle;
    size_t n = bundle->n_evidence;
    for (size_t i = 0; i < n; i++) {
        bundle->evidence[bundle->n_evidence++] = bundle->evidence[i];
    }
}

static void
unlisted(struct e_draft *d)
{
    d->unlisted[E_STOCKED] = true;
}

static void
listed_but_withheld(struct e_draft *d)
{
    d->left_out[E_AGAIN] = true;
    d->left_out[E_APPLIED] = true;
}

static void
soak_not_over(struct e_draft *d)
{
    d->evidence[E_STOCKED].time = dr_now_unix_s() - E_SOAK_S + 60;
    d->evidence[E_STOCK_STATE].time = dr_now_unix_s() - 10;
}

static void
state_after_soak_withheld(struct e_draft *d)
{
    d->left_out[E_STATE] = true;
}

static void
in_the_future(struct e_draft *d)
{
    d->evidence[E_STOCK_STATE].time = dr_now_unix_s() + 4000;
    d->evidence[E_STOCKED].time = dr_now_unix_s() - 10;
}

// The way there and back, and no second way there: staging is not on the revisions.
static void
went_back_and_stayed(struct e_draft *d)
{
    d->left_out[E_AGAIN] = true;
    d->left_out[E_STATE] = true;
}

// A STATE after the soak shows that it went back; the people listed it and looked elsewhere.
static void
state_shows_the_way_back(struct e_draft *d)
{
    d->evidence[E_STATE].n_heads = 0;
}

// The same, and the coordinator left it off the list.
static void
state_shows_the_way_back_unlisted(struct e_draft *d)
{
    state_shows_the_way_back(d);
    d->unlisted[E_STATE] = true;
}

static void
way_back_withheld(struct e_draft *d)
{
    d->left_out[E_REVERTED] = true;
}

static void
way_back_left_something(struct e_draft *d)
{
    d->evidence[E_REVERTED].fingerprint = dr_data(d->fp_after, 32);
}

static void
another_schema_before(struct e_draft *d)
{
    d->evidence[E_APPLIED].fingerprint_before = dr_data(d->zero, 32);
    d->evidence[E_AGAIN].fingerprint_before = dr_data(d->zero, 32);
    d->evidence[E_STOCKED].fingerprint_before = dr_data(d->zero, 32);
    d->evidence[E_REVERTED].fingerprint = dr_data(d->zero, 32);
}

// ------------------------------------------------------------------------ rehearsals, probes

static void
rehearsal_withheld(struct e_draft *d)
{
    d->left_out[E_REHEARSED] = true;
}

static void
rehearsal_unlisted(struct e_draft *d)
{
    d->unlisted[E_REHEARSED] = true;
}

static void
rehearsal_forged(struct e_draft *d)
{
    d->key[E_REHEARSED] = &d->e->agent[E_BILLING];
}

static void
rehearsal_of_another_target(struct e_draft *d)
{
    d->evidence[E_REHEARSED].target = c_text(&d->e->c, "production/billing");
    d->evidence[E_REHEARSED].agent = c_text(&d->e->c, "prd-1");
    rehearsal_forged(d);
}

static void
rehearsal_too_old(struct e_draft *d)
{
    d->evidence[E_REHEARSED].time = dr_now_unix_s() - 3700;
}

static void
rehearsal_of_another_schema(struct e_draft *d)
{
    d->rehearsal->fingerprint_before = d->rehearsal->fingerprint_down = dr_data(d->zero, 32);
}

static void
rehearsal_without_the_way_back(struct e_draft *d)
{
    d->rehearsal->fingerprint_down = dr_data(d->fp_after, 32);
}

static void
rehearsal_of_one_unit_less(struct e_draft *d)
{
    d->rehearsal->n_units--;
}

static void
rehearsal_of_other_units(struct e_draft *d)
{
    d->rehearsal->units[0]->unit_digest = dr_data(d->fp_after, 32);
}

static void
probe_silent(struct e_draft *d)
{
    d->evidence[E_STOCK_STATE].n_probes = 0;
}

static void
probe_failed(struct e_draft *d)
{
    d->probe->outcome = DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
}

static void
probe_inconclusive(struct e_draft *d)
{
    d->probe->outcome = DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
}

static void
probe_of_another_name(struct e_draft *d)
{
    d->probe->name = c_text(&d->e->c, "error");
}

// ------------------------------------------------------------------------ entries, sign-offs

static void
entry_forged(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    Drover__V1__ProvenEntry *proven = d->bundle->evidence_entries[2];
    Drover__V1__FleetEntry *entry = drover__v1__fleet_entry__unpack(
        dr_arena_protobuf(c->arena), proven->leaf.len, proven->leaf.data);
    entry->target->agent_signing_key = c_data(c, d->e->stranger.public_key, 32);
    struct dr_bytes packed = c_pack(c, &entry->base);
    proven->leaf = dr_data(packed.data, packed.len);
}

static void
signoff_withheld(struct e_draft *d)
{
    d->item_left_out = true;
}

static void
signoff_unlisted(struct e_draft *d)
{
    d->item_unlisted = true;
}

static void
signoff_by_an_agent(struct e_draft *d)
{
    d->item_key = &d->e->agent[E_ORDERS];
}

static void
signoff_of_another_item(struct e_draft *d)
{
    d->item.item = c_text(&d->e->c, "lunch-eaten");
}

static void
signoff_of_another_plan(struct e_draft *d)
{
    d->item.plan_sha256 = dr_data(d->fp_after, 32);
}

static void
signoff_of_staging(struct e_draft *d)
{
    d->item.environment = c_text(&d->e->c, "staging");
}

static void
signoff_expired(struct e_draft *d)
{
    d->item.expires = dr_now_unix_s() - 1;
}

// ------------------------------------------------------------------------------------- waves

static void
canary_silent(struct e_draft *d)
{
    d->left_out[E_CANARY] = true;
}

static void
canary_failed(struct e_draft *d)
{
    d->evidence[E_CANARY].kind = KIND_OF(FAILED);
    d->evidence[E_CANARY].code = c_text(&d->e->c, "engine-failed");
}

static void
canary_of_another_approval(struct e_draft *d)
{
    d->evidence[E_CANARY].approval_sha256 = dr_data(d->fp_after, 32);
}

static void
canary_forged(struct e_draft *d)
{
    d->key[E_CANARY] = &d->e->agent[E_STOCK];
}

static void
canary_leaf_withheld(struct e_draft *d)
{
    d->bundle->n_canaries = 0;
}

static void
own_leaf_as_canary(struct e_draft *d)
{
    d->bundle->canaries[0] = d->bundle->leaf;
}

static void
too_many_pieces(struct e_draft *d)
{
    while (d->bundle->n_evidence < 257) {
        d->bundle->evidence[d->bundle->n_evidence++] = d->bundle->evidence[0];
    }
}

// id: G02 G03 G04 G05 G13 E08
static void
evidence_counts_only_as_what_it_is_and_by_whom(void **state)
{
    static const struct e_case ROWS[] = {
        {"G02 a broken signature", NULL, signature_broken, "bad-evidence"},
        {"G02 no signature", NULL, signature_missing, "bad-evidence"},
        {"G13 cut short", NULL, cut_short, "bad-evidence"},
        {"G03 by a production agent", by_a_production_agent, NULL, "bad-evidence"},
        {"G03 by a person", by_a_person, NULL, "bad-evidence"},
        {"G03 by the other staging agent", by_the_other_staging_agent, NULL, "bad-evidence"},
        {"G03 of another cluster", of_another_cluster, NULL, "bad-evidence"},
        {"E07 an approval as evidence", NULL, an_approval_as_evidence, "bad-evidence"},
        {"G04 FAILED as APPLIED", failed_instead, NULL, "gate-missing"},
        {"G04 READY as APPLIED", ready_instead, NULL, "gate-missing"},
        {"G05 other units", of_other_units, NULL, "gate-missing"},
        {"G05 one unit less", of_one_unit_less, NULL, "gate-missing"},
        {"G03 a forged fleet entry", NULL, entry_forged, "bad-proof"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: G07 G08 G10 G11 G12 G18 G22
static void
gates_stay_shut_when_evidence_is_withheld_early_or_contradicted(void **state)
{
    static const struct e_case ROWS[] = {
        {"G12 the second target is withheld", second_target_withheld, NULL, "gate-missing"},
        {"G07 one target twice", second_target_withheld, one_target_twice, "gate-missing"},
        {"G11 not on the approval's list", unlisted, NULL, "gate-missing"},
        {"G12 on the list, but withheld", listed_but_withheld, NULL, "gate-missing"},
        {"G10 the soak is not over", soak_not_over, NULL, "gate-missing"},
        {"G10 the STATE after it is withheld", state_after_soak_withheld, NULL, "gate-missing"},
        {"G08 a STATE from the future", in_the_future, NULL, "gate-missing"},
        {"G22 up and down, and no up again", went_back_and_stayed, NULL, "gate-missing"},
        {"G22 a STATE shows the way back", state_shows_the_way_back, NULL, "gate-missing"},
        {"G22 the same, not listed", state_shows_the_way_back_unlisted, NULL, "gate-missing"},
        {"G3 the way back is withheld", way_back_withheld, NULL, "gate-missing"},
        {"G3 the way back left something", way_back_left_something, NULL, "gate-missing"},
        {"G18 staging was another schema", another_schema_before, NULL, "gate-missing"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: G4 G7 G03 G05 G08 G11 G12
static void
rehearsals_and_probes_count_only_for_what_they_are(void **state)
{
    static const struct e_case ROWS[] = {
        {"G12 the rehearsal is withheld", rehearsal_withheld, NULL, "gate-missing"},
        {"G11 the rehearsal is not listed", rehearsal_unlisted, NULL, "gate-missing"},
        {"G03 the rehearsal is forged", rehearsal_forged, NULL, "bad-evidence"},
        {"G4 it is of another target", rehearsal_of_another_target, NULL, "gate-missing"},
        {"G08 it is too old", rehearsal_too_old, NULL, "gate-missing"},
        {"G4 it began from another schema", rehearsal_of_another_schema, NULL, "gate-missing"},
        {"G4 it did not come back", rehearsal_without_the_way_back, NULL, "gate-missing"},
        {"G05 it ran one unit less", rehearsal_of_one_unit_less, NULL, "gate-missing"},
        {"G05 it ran other units", rehearsal_of_other_units, NULL, "gate-missing"},
        {"G7 a probe was not answered", probe_silent, NULL, "gate-missing"},
        {"G7 a probe did not pass", probe_failed, NULL, "gate-missing"},
        {"G7 a probe is inconclusive", probe_inconclusive, NULL, "gate-missing"},
        {"G7 another probe was answered", probe_of_another_name, NULL, "gate-missing"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: G5 G21 Z08
static void
sign_offs_and_canaries_are_not_taken_on_trust(void **state)
{
    static const struct e_case ROWS[] = {
        {"G5 the sign-off is withheld", signoff_withheld, NULL, "gate-missing"},
        {"G5 it is not listed", signoff_unlisted, NULL, "gate-missing"},
        {"G5 an agent signed it", signoff_by_an_agent, NULL, "bad-evidence"},
        {"G5 it is of another item", signoff_of_another_item, NULL, "gate-missing"},
        {"G5 it is of another plan", signoff_of_another_plan, NULL, "gate-missing"},
        {"G5 it is of staging", signoff_of_staging, NULL, "gate-missing"},
        {"G5 it is expired", signoff_expired, NULL, "gate-missing"},
        {"wave 2: the canary said nothing", canary_silent, NULL, "canary-first"},
        {"wave 2: the canary failed", canary_failed, NULL, "canary-first"},
        {"wave 2: under another approval", canary_of_another_approval, NULL, "canary-first"},
        {"wave 2: the canary is forged", canary_forged, NULL, "bad-evidence"},
        {"wave 2: its leaf is withheld", NULL, canary_leaf_withheld, "canary-first"},
        {"wave 2: I am my own canary", NULL, own_leaf_as_canary, "canary-first"},
        {"Z08 257 pieces of evidence", NULL, too_many_pieces, "bundle-size"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_counts_only_as_what_it_is_and_by_whom),
        cmocka_unit_test(gates_stay_shut_when_evidence_is_withheld_early_or_contradicted),
        cmocka_unit_test(rehearsals_and_probes_count_only_for_what_they_are),
        cmocka_unit_test(sign_offs_and_canaries_are_not_taken_on_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
