// A coordinator that holds every key hands the real agent approvals that are not what the people
// signed, not for it, not now, or not enough. Each row spoils one thing of a bundle that is good
// otherwise; the good one runs at the end.
#include "support/evil.h"

// ---------------------------------------------------------------------------------- signatures

static void
by_nobody(struct e_draft *d)
{
    d->n_signers = 0;
}

static void
by_one(struct e_draft *d)
{
    d->n_signers = 1;
}

static void
by_one_person_with_two_keys(struct e_draft *d)
{
    d->signer[1] = &d->e->alice2;
}

static void
by_a_stranger_too(struct e_draft *d)
{
    d->signer[1] = &d->e->stranger;
}

static void
by_agents(struct e_draft *d)
{
    d->signer[0] = &d->e->agent[E_ORDERS];
    d->signer[1] = &d->e->agent[E_BILLING];
}

static void
take_approval(struct e_draft *d, struct dr_bytes wire)
{
    d->bundle->approval = dr_data(wire.data, wire.len);
}

static struct dr_bytes
copy_approval(struct e_draft *d, size_t more)
{
    struct dr_bytes at = {.data = d->bundle->approval.data, .len = d->bundle->approval.len};
    uint8_t *copy = dr_arena_alloc(d->e->c.arena, at.len + more);
    assert_non_null(copy);
    memset(copy, 0, at.len + more);
    memcpy(copy, at.data, at.len);
    return (struct dr_bytes){.data = copy, .len = at.len + more};
}

static uint8_t *
byte_of(struct dr_bytes wire, size_t at)
{
    return &((uint8_t *)(uintptr_t)wire.data)[at];
}

// The signature of alice twice, byte by byte.
static void
signature_repeated(struct e_draft *d)
{
    struct dr_bytes wire = copy_approval(d, 0);
    size_t first = wire.len - 2 * DR_ENVELOPE_SIG_BYTES;
    memcpy(byte_of(wire, first + DR_ENVELOPE_SIG_BYTES), byte_of(wire, first),
           DR_ENVELOPE_SIG_BYTES);
    take_approval(d, wire);
}

static void
key_id_lies(struct e_draft *d)
{
    struct dr_bytes wire = copy_approval(d, 0);
    size_t last = wire.len - DR_ENVELOPE_SIG_BYTES;
    *byte_of(wire, last + 32) = 0xff; // still ascending, but nobody's
    *byte_of(wire, last + 1) = 0xff;
    take_approval(d, wire);
}

static void
payload_bit_flipped(struct e_draft *d)
{
    struct dr_bytes wire = copy_approval(d, 0);
    size_t at = wire.len / 3;
    *byte_of(wire, at) ^= 1;
    take_approval(d, wire);
}

static void
cut_short(struct e_draft *d)
{
    d->bundle->approval.len--;
}

static void
one_byte_more(struct e_draft *d)
{
    take_approval(d, copy_approval(d, 1));
}

// Same meaning, other bytes: a field that nobody knows, signed by two.
static void
with_an_unknown_field(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    uint8_t *payload = dr_arena_alloc(c->arena, d->payload.len + 3);
    assert_non_null(payload);
    memcpy(payload, d->payload.data, d->payload.len);
    memcpy(payload + d->payload.len, "\xf8\x3f\x01", 3); // field 1023, varint 1
    const struct dr_bytes more = {.data = payload, .len = d->payload.len + 3};
    take_approval(d, e_envelope(c, DR_TYPE_APPROVAL, more, d->signer, 2));
}

// ------------------------------------------------------------------------------------- type

static void
signed_as_a_signoff(struct e_draft *d)
{
    d->type = DR_TYPE_SIGNOFF;
}

static void
a_fleet_for_an_approval(struct e_draft *d)
{
    take_approval(d, d->e->c.fleet_wire);
}

static void
an_attestation_for_an_approval(struct e_draft *d)
{
    take_approval(d, d->ready->wire);
}

static void
a_fleet_signed_as_an_approval(struct e_draft *d)
{
    struct dr_envelope envelope;
    struct coord *c = &d->e->c;
    C_OK(c, dr_envelope_parse(c->fleet_wire, DR_TYPE_FLEET, &envelope, &c->err));
    take_approval(d, e_envelope(c, DR_TYPE_APPROVAL, envelope.payload, d->signer, 2));
}

static void
of_another_cluster(struct e_draft *d)
{
    d->request.header.cluster_id = c_data(&d->e->c, (const uint8_t *)"another cluster", 16);
}

static void
for_staging(struct e_draft *d)
{
    d->request.header.environment = c_text(&d->e->c, "staging");
    d->target[0].target = "staging/orders";
    d->target[1].target = "staging/stock";
}

// The quorum of two of production over what staging's one approver would sign.
static void
for_staging_by_one(struct e_draft *d)
{
    for_staging(d);
    d->n_signers = 1;
}

// ------------------------------------------------------------------------------------- times

static void
expired(struct e_draft *d)
{
    d->request.header.not_before = dr_now_unix_s() - 3600;
    d->request.header.expires = dr_now_unix_s() - 1;
}

static void
not_begun(struct e_draft *d)
{
    d->request.header.not_before = dr_now_unix_s() + 330;
}

static void
too_long(struct e_draft *d)
{
    d->request.header.expires = d->request.header.not_before + 7201;
}

// -------------------------------------------------------------------------- for what it is

static void
leaf_of_another_target(struct e_draft *d)
{
    d->bundle->leaf = d->bundle->canaries[0];
}

static void
leaf_forged(struct e_draft *d)
{
    Drover__V1__ApprovalLeaf *leaf = drover__v1__approval_leaf__unpack(
        dr_arena_protobuf(d->e->c.arena), d->bundle->leaf->leaf.len, d->bundle->leaf->leaf.data);
    leaf->acknowledged_flags = 63;
    struct dr_bytes packed = c_pack(&d->e->c, &leaf->base);
    d->bundle->leaf->leaf = dr_data(packed.data, packed.len);
}

static void
leaf_index_lies(struct e_draft *d)
{
    d->bundle->leaf->index = 0;
}

static void
leaf_withheld(struct e_draft *d)
{
    d->bundle->leaf = NULL;
}

static void
approval_withheld(struct e_draft *d)
{
    d->bundle->approval.len = 0;
}

static void
over_another_ready(struct e_draft *d)
{
    memcpy(d->target[1].ready_sha256, d->fp_after, 32);
}

static void
under_another_policy(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    d->request.header.policy_sha256 =
        c_data(c, dr_fleet_environment(c->entries, c->n_entries, "staging")->sha256, 32);
}

static void
over_another_entry(struct e_draft *d)
{
    memcpy(d->target[1].entry_sha256, d->target[0].entry_sha256, 32);
}

static void
of_a_plan_that_nobody_has(struct e_draft *d)
{
    d->request.header.plan_sha256 = c_data(&d->e->c, d->fp_after, 32);
}

// Its digest is approved, its bytes are there: but it is a revision file.
static void
of_a_file_that_is_no_plan(struct e_draft *d)
{
    d->request.header.plan_sha256 = d->e->c.plan->plan->revisions[0]->file_sha256;
}

static void
to_prove(struct e_draft *d)
{
    d->request.header.mode = E_MODE(PROVE);
}

static void
a_remedy_that_is_not_there(struct e_draft *d)
{
    d->request.header.mode = E_MODE(REMEDY);
    d->request.header.remedy = c_text(&d->e->c, "no such section");
}

// id: P02 Q01 Q04 Q05 Q06 Q08 E02 E03 E04 E13 E15
static void
no_signatures_but_enough_peoples_open_the_door(void **state)
{
    static const struct e_case ROWS[] = {
        {"P02 nobody signed", by_nobody, NULL, "quorum"},
        {"Q01 one of two signed", by_one, NULL, "quorum"},
        {"Q06 one person signed with two keys", by_one_person_with_two_keys, NULL, "quorum"},
        {"Q08 a stranger's key is the second", by_a_stranger_too, NULL, "quorum"},
        {"Q08 two agents signed", by_agents, NULL, "quorum"},
        {"Q05 one signature twice", NULL, signature_repeated, "bad-envelope"},
        {"E13 a key id that is nobody's", NULL, key_id_lies, "quorum"},
        {"E02 one bit of the payload", NULL, payload_bit_flipped, "quorum"},
        {"E03 one byte is missing", NULL, cut_short, "bad-envelope"},
        {"E04 one byte more", NULL, one_byte_more, "bad-envelope"},
        {"E15 an unknown field, signed", NULL, with_an_unknown_field, "bad-document"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: E07 E08 Q14 K01 K02 P22
static void
an_approval_is_of_its_type_cluster_environment_and_time(void **state)
{
    static const struct e_case ROWS[] = {
        {"E07 signed as a sign-off", signed_as_a_signoff, NULL, "wrong-type"},
        {"E07 a fleet in its place", NULL, a_fleet_for_an_approval, "wrong-type"},
        {"E07 an attestation in its place", NULL, an_attestation_for_an_approval, "wrong-type"},
        {"E07 a fleet signed as an approval", NULL, a_fleet_signed_as_an_approval, "bad-document"},
        {"E08 of another cluster", of_another_cluster, NULL, "foreign-cluster"},
        {"Q14 staging's approval by two", for_staging, NULL, "wrong-environment"},
        {"Q14 staging's approval by one", for_staging_by_one, NULL, "quorum"},
        {"K01 expired a second ago", expired, NULL, "expired"},
        {"K02 begins in 330 s", not_begun, NULL, "not-yet"},
        {"P22 lasts too long", too_long, NULL, "approval-too-long"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

// id: P08 P09 P11 P13 P15 F12
static void
an_approval_is_for_one_target_ready_policy_and_plan(void **state)
{
    static const struct e_case ROWS[] = {
        {"P11 the leaf of another target", NULL, leaf_of_another_target, "wrong-target"},
        {"P15 a leaf that was not signed", NULL, leaf_forged, "bad-proof"},
        {"P15 a leaf at another's place", NULL, leaf_index_lies, "bad-proof"},
        {"P15 no leaf", NULL, leaf_withheld, "bundle-size"},
        {"P02 no approval", NULL, approval_withheld, "bad-envelope"},
        {"P13 over another READY", over_another_ready, NULL, "wrong-ready"},
        {"F12 under another policy", under_another_policy, NULL, "wrong-policy"},
        {"F12 over another fleet entry", over_another_entry, NULL, "wrong-policy"},
        {"P09 a plan that nobody has", of_a_plan_that_nobody_has, NULL, "agent-no-blob"},
        {"P08 a file that is no plan", of_a_file_that_is_no_plan, NULL, "bad-document"},
        {"C4 PROVE where the policy says UP", to_prove, NULL, "wrong-mode"},
        {"REMEDY without a remedy", a_remedy_that_is_not_there, NULL, "wrong-mode"},
    };
    (void)state;
    e_run_table(ROWS, DR_COUNT_OF(ROWS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signatures_but_enough_peoples_open_the_door),
        cmocka_unit_test(an_approval_is_of_its_type_cluster_environment_and_time),
        cmocka_unit_test(an_approval_is_for_one_target_ready_policy_and_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
