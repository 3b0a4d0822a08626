// The edges of rules: branches of common/trust that the tables of cases beside this file do not
// take.
// size: one short test for each of these branches
#include "unit/trust/world.h"

#include "trust/chain_patch.h"
#include "trust/gate_eval.h"
#include "trust/stamp.h"

#define N (TARGETS + ENVIRONMENTS)

static struct world w;

static int
set_up(void **state)
{
    (void)state;
    world_begin(&w);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

// The world of a gate or stamp, decoded; everything may be changed.
struct view {
    struct dr_gate_input in;
    Drover__V1__Attestation ready, evidence_msg[EVIDENCE];
    struct dr_attestation evidence[EVIDENCE];
    Drover__V1__Plan plan;
};

static struct view *
signed_view(void)
{
    static struct view v;
    struct dr_attestation ready, *evidence = NULL;
    Drover__V1__Plan *plan = NULL;
    memset(&v, 0, sizeof v);
    world_sign(&w);
    OK(&w, dr_attest_decode(w.arena, w.ready, true, &ready, &w.err));
    OK(&w, dr_plandoc_decode(w.arena, w.plan_bytes, NULL, &plan, &w.err));
    OK(&w, dr_gate_load_evidence(w.arena, &w.fleet, w.all, N, w.bundle.evidence, EVIDENCE, false,
                                 &evidence, &v.in.n_evidence, &w.err));
    v.ready = *ready.msg;
    v.plan = *plan;
    for (size_t i = 0; i < v.in.n_evidence; i++) {
        v.evidence[i] = evidence[i];
        v.evidence_msg[i] = *evidence[i].msg;
        v.evidence[i].msg = &v.evidence_msg[i];
    }
    v.in.policy = &w.own[1];
    v.in.chain = &w.chain;
    v.in.plan = &v.plan;
    v.in.plan_sha256 = w.plan_sha;
    v.in.mode = MODE(UP);
    v.in.ready = &v.ready;
    v.in.target = "production/orders";
    v.in.evidence = v.evidence;
    v.in.now = NOW;
    return &v;
}

static struct dr_gate_result
gate(struct view *v, size_t index)
{
    struct dr_gate_result *results = NULL;
    size_t n = 0;
    OK(&w, dr_gate_evaluate(w.arena, &v->in, &results, &n, &w.err));
    return results[index];
}

// ------------------------------------------------------------------------------------- stamps

static bool
is_stamped(struct view *v)
{
    const struct dr_attestation *proof = NULL;
    v->in.mode = MODE(STAMP);
    OK(&w, dr_stamp_proof(w.arena, &v->in, &proof, &w.err));
    return proof != NULL;
}

static struct view *
stamp_view(void)
{
    w.ready_msg.fingerprint = w.record.fingerprint = DATA32(w.fp_after);
    struct view *v = signed_view();
    assert_true(is_stamped(v));
    return v;
}

// id: P18
static void
a_stamp_believes_runs_and_rehearsals_only(void **state)
{
    static const struct {
        Drover__V1__AttestationKind kind;
        Drover__V1__Mode mode;
        bool counts;
    } ROWS[] = {
        {ATT(APPLIED), MODE(UP), true},      {ATT(APPLIED), MODE(DOWN), true},
        {ATT(APPLIED), MODE(PROVE), true},   {ATT(REVERTED), MODE(DOWN), true},
        {ATT(APPLIED), MODE(STAMP), false},  {ATT(APPLIED), MODE(UNSTAMP), false},
        {ATT(APPLIED), MODE(REMEDY), false}, {ATT(STATE), MODE(UP), false},
        {ATT(FAILED), MODE(UP), false},      {ATT(DRIFT), MODE(UP), false},
        {ATT(REHEARSED), MODE(STAMP), true},
    };
    (void)state;
    struct view *v = stamp_view();
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        for (size_t k = 0; k < v->in.n_evidence; k++) {
            v->evidence_msg[k].kind = ROWS[i].kind;
            v->evidence_msg[k].mode = ROWS[i].mode;
        }
        if (is_stamped(v) != ROWS[i].counts) {
            fail_msg("row %zu", i);
        }
    }
}

static void
a_stamp_believes_active_targets_of_its_engine_only(void **state)
{
    (void)state;
    struct view *v = stamp_view();
    v->plan.engine = DROVER__V1__ENGINE__SQLITE;
    assert_false(is_stamped(v));
    v->plan.engine = DROVER__V1__ENGINE__POSTGRESQL;
    for (size_t i = 0; i < v->in.n_evidence; i++) {
        static Drover__V1__Target target;
        static Drover__V1__FleetEntry msg;
        static struct dr_fleet_entry entry;
        entry = *v->evidence[i].entry;
        msg = *entry.msg;
        target = *msg.target;
        target.state = DROVER__V1__TARGET_STATE__RETIRED;
        msg.target = &target;
        entry.msg = &msg;
        v->evidence[i].entry = &entry;
    }
    assert_false(is_stamped(v));
}

static void
a_stamp_without_ready_or_of_unknown_heads_is_not_proved(void **state)
{
    const struct dr_attestation *proof = NULL;
    uint32_t all = UINT32_MAX;
    (void)state;
    struct view *v = stamp_view();
    v->in.ready = NULL;
    assert_false(is_stamped(v));
    REFUSED(DR_E_STAMP_UNPROVED, dr_stamp_check(w.arena, &v->in, all, &w.err));
    assert_non_null(strstr(w.err.message, "'production/orders'"));
    v->in.target = NULL;
    REFUSED(DR_E_STAMP_UNPROVED, dr_stamp_check(w.arena, &v->in, all, &w.err));
    v->in.ready = &v->ready;
    v->ready.heads = &w.head_p[5];
    REFUSED(DR_E_NOT_IN_CHAIN, dr_stamp_proof(w.arena, &v->in, &proof, &w.err));
    REFUSED(DR_E_NOT_IN_CHAIN, dr_stamp_check(w.arena, &v->in, all, &w.err));
    assert_null(proof);
}

static void
a_stamp_believes_what_the_approval_lists_and_not_the_future(void **state)
{
    (void)state;
    struct view *v = stamp_view();
    Drover__V1__Approval approval = w.request.header;
    v->in.approval = &approval;
    assert_false(is_stamped(v));
    v->in.approval = NULL;
    v->in.now = v->evidence_msg[E_APPLIED].time - 100000;
    assert_false(is_stamped(v));
}

// A revision that the chain does not have adds nothing to what a stamp has to show.
static void
a_stamp_looks_at_revisions_of_the_chain_only(void **state)
{
    (void)state;
    struct view *v = stamp_view();
    static Drover__V1__PlanRevision other, *list[4];
    other = *v->plan.revisions[2];
    other.digest = DATA32(w.nonce);
    memcpy(list, v->plan.revisions, 3 * sizeof(list[0]));
    list[3] = &other;
    v->plan.revisions = list;
    v->plan.n_revisions = 4;
    assert_true(is_stamped(v));
}

// -------------------------------------------------------------------------------------- gates

static void
schema_afterwards_is_that_of_the_same_plan(void **state)
{
    (void)state;
    w.gate[G_SIGNOFF].kind = GATE(VERIFIED);
    w.gate[G_SIGNOFF].from_environment = word(&w, "staging");
    w.gate[G_SIGNOFF].after = true;
    struct view *v = signed_view();
    v->evidence_msg[E_CANARY].target = word(&w, "production/orders");
    assert_true(gate(v, G_SIGNOFF).is_open);
    v->evidence_msg[E_CANARY].plan_sha256 = DATA32(w.nonce);
    assert_false(gate(v, G_SIGNOFF).is_open);
}

static void
backup_of_two_heads_is_compared_head_by_head(void **state)
{
    (void)state;
    w.record.n_heads = 2;
    w.ready_msg.n_heads = 2;
    struct view *v = signed_view();
    struct dr_attestation backup;
    OK(&w, dr_attest_decode(w.arena, w.backup, true, &backup, &w.err));
    v->in.backup = backup.msg;
    assert_true(gate(v, G_BACKUP).is_open);
    v->ready.heads = &w.head_p[1];
    assert_false(gate(v, G_BACKUP).is_open);
}

static void
backup_by_a_clock_a_little_ahead_is_not_old(void **state)
{
    (void)state;
    w.record.finished = NOW + 100;
    w.record.keep_until = NOW + 90 * DAY;
    struct view *v = signed_view();
    struct dr_attestation backup;
    OK(&w, dr_attest_decode(w.arena, w.backup, true, &backup, &w.err));
    v->in.backup = backup.msg;
    assert_true(gate(v, G_BACKUP).is_open);
}

static void
the_newest_backup_counts_in_whatever_order_it_comes(void **state)
{
    (void)state;
    struct view *v = signed_view();
    struct dr_attestation backup;
    OK(&w, dr_attest_decode(w.arena, w.backup, true, &backup, &w.err));
    static Drover__V1__Attestation old, new;
    static Drover__V1__BackupRecord spoilt;
    spoilt = *backup.msg->backup;
    spoilt.size_bytes = 0;
    new = *backup.msg;
    old = *backup.msg;
    new.counter = old.counter + 1;
    old.backup = &spoilt;
    for (int i = 0; i < 2; i++) { // other kinds and the same target stand between them
        v->evidence_msg[E_STATE].target = word(&w, "production/orders");
        v->evidence[0].msg = i == 0 ? &new : &old;
        v->evidence[E_CANARY].msg = i == 0 ? &old : &new;
        assert_true(gate(v, G_BACKUP).is_open);
    }
}

// id: G22
static void
evidence_of_another_unit_does_not_make_a_revision_half_done(void **state)
{
    bool *to_run = NULL;
    (void)state;
    struct view *v = signed_view();
    v->ready.flags = DROVER__V1__READY_FLAG__FLAG_PARTIAL;
    v->ready.units = &w.proof_up_p[1];
    v->ready.n_units = 1;
    OK(&w, dr_gate_to_run(w.arena, &w.chain, &v->plan, MODE(DOWN), &v->ready, &to_run, &w.err));
    assert_true(to_run[0] && to_run[1]); // 001 is there, 002 is half done
    assert_false(to_run[2]);
}

// One target, whose later attestation proves the first unit and whose earlier one the second.
static void
the_soak_begins_with_the_last_proof(void **state)
{
    (void)state;
    w.gate[G_STAGED].min_targets = 1;
    struct view *v = signed_view();
    v->in.ready = NULL;
    v->evidence_msg[E_APPLIED].units = &w.proof_up_p[1];
    v->evidence_msg[E_APPLIED].n_units = 2;
    v->evidence_msg[E_AGAIN].n_units = 1;
    for (size_t i = E_STOCK; i < EVIDENCE; i++) {
        v->evidence_msg[i].kind = ATT(FAILED);
    }
    v->evidence_msg[E_REVERTED].kind = ATT(FAILED);
    assert_true(gate(v, G_STAGED).is_open);
    int64_t shown = v->evidence_msg[E_STATE].time;
    for (size_t i = 0; i < 2; i++) { // the earlier one proves the first unit, and then the last
        v->evidence_msg[E_APPLIED].units = &w.proof_up_p[i];
        v->evidence_msg[E_APPLIED].n_units = i == 0 ? 1 : 2;
        v->evidence_msg[E_AGAIN].units = &w.proof_up_p[i == 0 ? 1 : 0];
        v->evidence_msg[E_AGAIN].n_units = i == 0 ? 2 : 1;
        assert_true(gate(v, G_STAGED).is_open);
        v->evidence_msg[E_STATE].time = v->evidence_msg[E_AGAIN].time + 3599;
        assert_false(gate(v, G_STAGED).is_open);
        v->evidence_msg[E_STATE].time = shown;
    }
    v->evidence_msg[E_STATE].time = v->evidence_msg[E_AGAIN].time + 3599;
    assert_false(gate(v, G_STAGED).is_open);
    v->evidence_msg[E_STATE].time = v->evidence_msg[E_AGAIN].time - 1; // a clock that went back
    assert_false(gate(v, G_STAGED).is_open);
}

static void
an_agents_own_backup_is_not_taken_from_the_evidence(void **state)
{
    (void)state;
    struct view *v = signed_view();
    struct dr_attestation backup;
    OK(&w, dr_attest_decode(w.arena, w.backup, true, &backup, &w.err));
    v->evidence[0].msg = backup.msg;
    assert_true(gate(v, G_BACKUP).is_open);
    v->in.only_own_backup = true;
    assert_false(gate(v, G_BACKUP).is_open);
}

static void
a_schema_is_verified_by_the_environment_that_the_gate_names(void **state)
{
    (void)state;
    w.gate[G_SIGNOFF].kind = GATE(VERIFIED);
    w.gate[G_SIGNOFF].from_environment = word(&w, "staging");
    struct view *v = signed_view();
    assert_true(gate(v, G_SIGNOFF).is_open);
    for (size_t i = 0; i < E_CANARY; i++) { // only production's canary shows it now
        v->evidence_msg[i].fingerprint_before = DATA32(w.nonce);
    }
    assert_false(gate(v, G_SIGNOFF).is_open);
}

// ------------------------------------------------------------------------------------ verify

// Everything says SQLite but the fleet.
static void
the_fleet_decides_the_engine_before_any_plan_is_looked_at(void **state)
{
    (void)state;
    w.plan_msg.engine = DROVER__V1__ENGINE__SQLITE;
    world_sign(&w);
    w.me.engine = DROVER__V1__ENGINE__SQLITE;
    REFUSED(DR_E_WRONG_ENGINE, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    assert_string_equal(w.verdict.failed_check, "me");
}

// The approval's leaf names one target and the entry of another: whose word would it be?
static void
a_canary_is_named_by_its_target_and_by_its_entry(void **state)
{
    (void)state;
    world_sign(&w);
    uint8_t entry[32], ready[32];
    memcpy(entry, w.approval_target[0].entry_sha256, 32);
    memcpy(ready, w.approval_target[0].ready_sha256, 32);
    tear_down(NULL);
    (void)set_up(NULL);
    memcpy(w.approval_target[0].entry_sha256, entry, 32);
    memcpy(w.approval_target[0].ready_sha256, ready, 32);
    w.approval_target[0].target = "production/another";
    world_sign(&w);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
}

// Two canaries, and the leaf of the one that succeeded is brought twice.
static void
each_leaf_of_wave_one_is_brought_once(void **state)
{
    struct dr_approval_target three[3];
    struct dr_bytes payload, *leaves = NULL;
    struct dr_merkle_tree tree;
    struct dr_envelope envelope;
    Drover__V1__ProvenEntry *canaries[2];
    (void)state;
    world_sign(&w);
    three[0] = w.approval_target[0];
    three[1] = w.approval_target[0];
    three[1].target = "production/other";
    three[2] = w.approval_target[1];
    w.request.targets = three;
    w.request.n_targets = 3;
    OK(&w, dr_approval_draft(w.arena, &w.request, &payload, &leaves, &w.err));
    OK(&w, dr_merkle_build(w.arena, leaves, 3, &tree, &w.err));
    struct dr_bytes approval = sign_by_two(&w, DR_TYPE_APPROVAL, payload);
    OK(&w, dr_envelope_parse(approval, NULL, &envelope, &w.err));
    w.evidence_msg[E_CANARY].approval_sha256 = DATA32(envelope.sha256);
    sign_evidence(&w, E_CANARY, EVIDENCE);
    make_bundle(&w);
    w.bundle.approval = data_of(approval);
    OK(&w, dr_proven_make(w.arena, &tree, leaves[2], 2, &w.bundle.leaf, &w.err));
    for (size_t i = 0; i < 2; i++) {
        OK(&w, dr_proven_make(w.arena, &tree, leaves[0], 0, &canaries[i], &w.err));
    }
    w.bundle.canaries = canaries;
    w.bundle.n_canaries = 2;
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    assert_non_null(strstr(w.err.message, "not all there"));
}

static void
a_plan_with_another_remedy_has_not_the_one_that_was_approved(void **state)
{
    (void)state;
    w.unit[2][1].kind = w.unit[1][1].kind = DROVER__V1__UNIT_KIND__UNIT_REMEDY;
    w.unit[1][1].name = word(&w, "drain");
    w.unit[2][1].name = word(&w, "unlock");
    w.request.header.mode = MODE(REMEDY);
    w.request.header.remedy = word(&w, "unlock");
    w.evidence_left_out[E_REVERTED] = true;
    world_sign(&w);
    enum dr_rc rc = dr_verify(w.arena, &w.input, &w.verdict, &w.err);
    assert_true(rc == DR_OK || strcmp(w.verdict.failed_check, "plan") != 0);
    tear_down(NULL);
    (void)set_up(NULL);
    w.unit[2][1].kind = DROVER__V1__UNIT_KIND__UNIT_REMEDY;
    w.unit[2][1].name = word(&w, "drain");
    w.request.header.mode = MODE(REMEDY);
    w.request.header.remedy = word(&w, "unlock");
    world_sign(&w);
    REFUSED(DR_E_WRONG_MODE, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
}

// Of a run under another approval, or (with an empty one) of none.
static struct dr_bytes
canary_says_under(Drover__V1__AttestationKind kind, ProtobufCBinaryData approval,
                  ProtobufCBinaryData plan)
{
    uint8_t sha256[32];
    Drover__V1__Attestation msg = w.evidence_msg[E_CANARY];
    msg.kind = kind;
    msg.code = word(&w, kind == ATT(FAILED) ? "verify-failed" : "");
    msg.approval_sha256 = approval;
    msg.plan_sha256 = plan;
    return sign_attestation(&w, &msg, &w.agent[PRD_BILLING], PRD_BILLING, sha256);
}

static struct dr_bytes
canary_says(Drover__V1__AttestationKind kind)
{
    uint8_t sha256[32];
    Drover__V1__Attestation msg = w.evidence_msg[E_CANARY];
    msg.kind = kind;
    msg.code = word(&w, kind == ATT(FAILED) ? "verify-failed" : "");
    return sign_attestation(&w, &msg, &w.agent[PRD_BILLING], PRD_BILLING, sha256);
}

static void
bring(size_t n, const struct dr_bytes *wires)
{
    ProtobufCBinaryData *list = dr_arena_array(w.arena, EVIDENCE + 8, sizeof(*list));
    memcpy(list, w.bundle.evidence, E_CANARY * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[E_CANARY + i] = data_of(wires[i]);
    }
    w.bundle.evidence = list;
    w.bundle.n_evidence = E_CANARY + n;
}

// id: X02
static void
a_canarys_last_word_counts_in_whatever_order_it_comes(void **state)
{
    struct dr_bytes wires[2];
    (void)state;
    world_sign(&w);
    wires[1] = canary_says(ATT(FAILED));
    wires[0] = canary_says(ATT(APPLIED)); // a retry that succeeded, brought first
    bring(2, wires);
    OK(&w, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    wires[1] = canary_says(ATT(APPLIED));
    wires[0] = canary_says(ATT(FAILED)); // and one that failed afterwards
    bring(2, wires);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    wires[0] = canary_says(ATT(STATE));
    bring(1, wires);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
}

// The undo of a wave has an approval of its own.
// id: X02
static void
a_canary_that_was_taken_back_under_another_approval_does_not_count(void **state)
{
    struct dr_bytes wires[3];
    uint8_t other[32] = {77};
    ProtobufCBinaryData none = {0};
    (void)state;
    world_sign(&w);
    const ProtobufCBinaryData plan = w.request.header.plan_sha256;
    wires[0] = canary_says(ATT(APPLIED));
    wires[1] = canary_says_under(ATT(REVERTED), DATA32(other), DATA32(other));
    wires[2] = canary_says_under(ATT(FAILED), none, plan); // while it was prepared
    bring(3, wires);
    OK(&w, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    wires[1] = canary_says_under(ATT(REVERTED), DATA32(other), plan);
    bring(2, wires);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    wires[2] = canary_says_under(ATT(APPLIED), DATA32(other), plan); // and again, by other people
    bring(3, wires);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    wires[0] = canary_says(ATT(APPLIED));
    wires[1] = canary_says_under(ATT(FAILED), DATA32(other), plan);
    bring(2, wires);
    REFUSED(DR_E_CANARY_FIRST, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
}

static void
a_ready_without_fingerprint_leaves_the_schema_open(void **state)
{
    (void)state;
    w.ready_msg.fingerprint.len = w.record.fingerprint.len = 0;
    world_sign(&w);
    OK(&w, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    struct dr_database_facts facts = {
        .identity = &w.identity, .has_lock_a = true, .has_lock_b = true};
    memcpy(facts.ledger_head, w.ledger_head, 32);
    memcpy(facts.fingerprint, w.nonce, 32);
    OK(&w, dr_verify_database(&w.verdict, &facts, &w.err));
}

// The fleet names the database, or READY alone does: each is enough to refuse another one.
// id: S18
static void
a_database_named_by_the_fleet_or_by_ready_alone_is_compared(void **state)
{
    (void)state;
    for (int by_fleet = 0; by_fleet < 2; by_fleet++) {
        tear_down(NULL);
        (void)set_up(NULL);
        w.target[PRD_ORDERS].identity = by_fleet == 1 ? &w.identity : NULL;
        w.ready_msg.identity = by_fleet == 1 ? NULL : &w.identity;
        world_sign(&w);
        OK(&w, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
        Drover__V1__DatabaseIdentity other = w.identity;
        struct dr_database_facts facts = {
            .identity = &w.identity, .has_lock_a = true, .has_lock_b = true};
        memcpy(facts.ledger_head, w.ledger_head, 32);
        memcpy(facts.fingerprint, w.fp_before, 32);
        OK(&w, dr_verify_database(&w.verdict, &facts, &w.err));
        other.database = word(&w, "stock");
        facts.identity = &other;
        REFUSED(DR_E_DATABASE_IDENTITY, dr_verify_database(&w.verdict, &facts, &w.err));
    }
}

static void
what_began_a_moment_ahead_of_this_clock_goes_on(void **state)
{
    (void)state;
    OK(&w, dr_verify_resume(&w.environment[PRODUCTION], NOW + 300, NOW, &w.err));
}

// ---------------------------------------------------------------------------------- documents

static void
an_approval_is_drafted_without_evidence_and_with_each_digest_once(void **state)
{
    struct dr_bytes payload, *leaves = NULL;
    struct dr_approval approval;
    static uint8_t id[16] = "given by caller";
    (void)state;
    world_sign(&w);
    memcpy(w.listed[0], w.nonce, 32);
    memcpy(w.listed[1], w.nonce, 32);
    w.request.n_evidence = 2;
    w.request.header.approval_id = dr_data(id, 16);
    OK(&w, dr_approval_draft(w.arena, &w.request, &payload, &leaves, &w.err));
    struct dr_bytes wire = sign_by_two(&w, DR_TYPE_APPROVAL, payload);
    OK(&w, dr_approval_decode(w.arena, wire, &approval, &w.err));
    assert_int_equal(approval.msg->n_evidence_sha256, 1);
    assert_memory_equal(approval.msg->approval_id.data, id, 16);
    w.request.n_evidence = 0;
    OK(&w, dr_approval_draft(w.arena, &w.request, &payload, &leaves, &w.err));
}

static void
leaves_out_of_order_are_refused_wherever_they_stand(void **state)
{
    struct dr_bytes leaves[3], copy[3];
    struct dr_merkle_tree tree;
    struct dr_approval approval;
    Drover__V1__ApprovalLeaf **out = NULL;
    static uint32_t three[] = {3};
    (void)state;
    world_sign(&w);
    OK(&w, dr_approval_decode(w.arena, w.approval_wire, &approval, &w.err));
    for (size_t i = 0; i < 3; i++) {
        Drover__V1__ApprovalLeaf leaf = DROVER__V1__APPROVAL_LEAF__INIT;
        leaf.target = dr_arena_printf(w.arena, "production/t%zu", i);
        leaf.entry_sha256 = leaf.ready_sha256 = DATA32(w.nonce);
        leaf.wave = 1;
        copy[i] = packed(&w, &leaf.base);
    }
    static const size_t ORDERS[][3] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0}};
    for (size_t k = 0; k < DR_COUNT_OF(ORDERS); k++) {
        for (size_t i = 0; i < 3; i++) {
            leaves[i] = copy[ORDERS[k][i]];
        }
        Drover__V1__Approval msg = *approval.msg;
        OK(&w, dr_merkle_build(w.arena, leaves, 3, &tree, &w.err));
        msg.wave_sizes = three;
        msg.n_wave_sizes = 1;
        msg.leaves_root = dr_data(dr_merkle_root(&tree), 32);
        const struct dr_approval check = {.msg = &msg};
        REFUSED(k == 0 ? DR_OK : DR_E_BAD_APPROVAL,
                dr_approval_leaves_check(w.arena, &check, leaves, 3, &out, &w.err));
    }
}

static void
a_signoff_keeps_the_id_that_it_was_given(void **state)
{
    static uint8_t id[16] = "given by caller";
    struct dr_bytes wire;
    struct dr_signoff signoff;
    uint8_t sha256[32];
    (void)state;
    world_sign(&w);
    w.item_msg.signoff_id = dr_data(id, 16);
    OK(&w, dr_signoff_build(w.arena, w.item_msg, &w.person[CAROL], &wire, sha256, &w.err));
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", wire, &signoff, &w.err));
    assert_memory_equal(signoff.msg->signoff_id.data, id, 16);
}

static void
a_cancel_of_another_plan_and_a_lift_for_another_place_change_nothing(void **state)
{
    struct dr_signoff stops[2];
    ProtobufCBinaryData data;
    uint8_t sha256[32];
    (void)state;
    world_sign(&w);
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__CANCEL, "production", NOW, NULL, 1, &data, sha256);
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", (struct dr_bytes){data.data, data.len},
                           &stops[0], &w.err));
    OK(&w, dr_signoff_check_stops(&w.root, stops, 1, "production", w.nonce, NOW, NOW, &w.err));
    REFUSED(DR_E_CANCELLED,
            dr_signoff_check_stops(&w.root, stops, 1, "production", w.plan_sha, NOW, NOW, &w.err));
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__LIFT, "staging", NOW, sha256, 2, &data, sha256);
    OK(&w, dr_signoff_load(w.arena, &w.root, "staging", (struct dr_bytes){data.data, data.len},
                           &stops[1], &w.err));
    REFUSED(DR_E_CANCELLED,
            dr_signoff_check_stops(&w.root, stops, 2, "production", w.plan_sha, NOW, NOW, &w.err));
}

// One person's item that names the freeze as what was looked at is no lift of it.
static void
only_a_lift_lifts(void **state)
{
    struct dr_signoff stops[2];
    ProtobufCBinaryData data;
    uint8_t freeze[32], sha256[32];
    (void)state;
    world_sign(&w);
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__FREEZE, "production", NOW, NULL, 1, &data, freeze);
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", (struct dr_bytes){data.data, data.len},
                           &stops[0], &w.err));
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__CANCEL, "production", NOW - 10000, freeze, 1, &data,
              sha256);
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", (struct dr_bytes){data.data, data.len},
                           &stops[1], &w.err));
    REFUSED(DR_E_FROZEN,
            dr_signoff_check_stops(&w.root, stops, 2, "production", w.plan_sha, NOW, NOW, &w.err));
}

// The number of what is held, chained to it as if it came next.
// id: G19
static void
a_number_used_twice_is_an_alarm_even_where_the_chain_fits(void **state)
{
    (void)state;
    world_sign(&w);
    struct dr_attestation held, next;
    struct dr_bytes wire = {w.evidence_wire[E_STATE].data, w.evidence_wire[E_STATE].len};
    OK(&w, dr_attest_load(w.arena, &w.fleet, w.all, N, wire, &held, &w.err));
    Drover__V1__Attestation msg = *held.msg;
    msg.time++;
    msg.previous_sha256 = DATA32(held.sha256);
    next = held;
    next.msg = &msg;
    dr_sha256(packed(&w, &msg.base), next.sha256);
    REFUSED(DR_E_COUNTER_REUSED, dr_attest_follows(&held, &next, &w.err));
    msg.counter++;
    OK(&w, dr_attest_follows(&held, &next, &w.err));
}

// The same fields, as long as the canonical form, in another order.
// id: Z06
static void
another_order_of_the_same_fields_is_refused(void **state)
{
    ProtobufCMessage *message = NULL;
    (void)state;
    Drover__V1__Signoff msg = w.item_msg;
    static uint8_t id[16] = "sixteen bytes id";
    msg.signoff_id = dr_data(id, 16);
    msg.plan_sha256 = DATA32(w.nonce);
    struct dr_bytes whole = packed(&w, &msg.base);
    OK(&w, dr_strict_decode(w.arena, &drover__v1__signoff__descriptor, whole, &message, &w.err));
    uint8_t *bytes = dr_arena_alloc(w.arena, whole.len);
    memcpy(bytes, whole.data + 18, whole.len - 18); // cluster_id, tag and length before it, last
    memcpy(bytes + whole.len - 18, whole.data, 18);
    REFUSED(DR_E_BAD_DOCUMENT,
            dr_strict_decode(w.arena, &drover__v1__signoff__descriptor,
                             (struct dr_bytes){bytes, whole.len}, &message, &w.err));
}

static void
a_chain_that_is_no_chain_has_no_patch(void **state)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    Drover__V1__ChainPatch *patch = NULL;
    (void)state;
    world_sign(&w);
    struct dr_bytes bad = sign_by_two(&w, DR_TYPE_CHAIN, (struct dr_bytes){garbage, 3});
    REFUSED(DR_E_BAD_DOCUMENT, dr_chain_patch_make(w.arena, bad, w.chain.wire, &patch, &w.err));
    assert_null(patch);
}

static void
a_fleet_counts_its_entries_within_the_limit(void **state)
{
    struct dr_fleet fleet;
    (void)state;
    world_sign(&w);
    Drover__V1__Fleet msg = *w.fleet.msg;
    msg.entries_count = DR_FLEET_ENTRIES_MAX + 1;
    struct dr_bytes wire = sign_by_two(&w, DR_TYPE_FLEET, packed(&w, &msg.base));
    REFUSED(DR_E_BAD_FLEET, dr_fleet_load(w.arena, &w.root, wire, &fleet, &w.err));
}

static void
a_fleet_of_targets_alone_is_checked_like_any_other(void **state)
{
    struct dr_bytes payload, *leaves = NULL;
    (void)state;
    w.target[PRD_BILLING].agent_signing_key = w.target[STG_ORDERS].agent_signing_key;
    REFUSED(DR_E_BAD_FLEET,
            dr_fleet_draft(w.arena, w.fleet_msg, w.entry_p, TARGETS, &payload, &leaves, &w.err));
}

static void
a_target_is_found_where_entries_are_in_no_order(void **state)
{
    (void)state;
    world_sign(&w);
    struct dr_fleet_entry mixed[3] = {w.all[0], w.all[4], w.all[1]};
    const char *last = w.all[1].msg->target->name;
    assert_ptr_equal(dr_fleet_target(mixed, 3, last), &mixed[2]);
    struct dr_fleet_entry turned[3] = {w.all[2], w.all[1], w.all[0]};
    assert_ptr_equal(dr_fleet_target(turned, 3, w.all[0].msg->target->name), &turned[2]);
    assert_null(dr_fleet_target(turned, 3, "nobody/here"));
}

static void
a_key_without_its_secret_half_signs_nothing(void **state)
{
    uint8_t sig[DR_SIG_SIZE];
    (void)state;
    struct dr_key public_half = {.kind = DR_KEY_SIGNING};
    REFUSED(DR_E_KEY_KIND, dr_key_sign(&public_half, (struct dr_bytes){sig, 0}, sig, &w.err));
}

static enum dr_rc
decode_plan(void)
{
    Drover__V1__Plan *plan = NULL;
    return dr_plandoc_decode(w.arena, packed(&w, &w.plan_msg.base), NULL, &plan, &w.err);
}

static void
a_plan_names_as_many_parents_as_digests_and_in_order(void **state)
{
    static char *ids[2];
    (void)state;
    ids[0] = word(&w, "001_users");
    ids[1] = word(&w, "002_orders");
    w.rev[1].parent_ids = ids;
    w.rev[1].n_parent_ids = 1;
    OK(&w, decode_plan());
    w.rev[1].n_parent_ids = 2;
    REFUSED(DR_E_BAD_PLAN, decode_plan());
    w.rev[1].n_parent_ids = 0;
    bool in_order = memcmp(w.rev_digest[0], w.rev_digest[1], 32) < 0;
    w.parent[2][0] = DATA32(w.rev_digest[in_order ? 0 : 1]);
    w.parent[2][1] = DATA32(w.rev_digest[in_order ? 1 : 0]);
    w.rev[2].parents = w.parent[2];
    w.rev[2].n_parents = 2;
    OK(&w, decode_plan());
    w.parent[2][0] = w.parent[2][1];
    REFUSED(DR_E_BAD_PLAN, decode_plan());
}

static void
a_transport_key_of_two_people_is_refused(void **state)
{
    (void)state;
    w.people[ALICE].transport_key = DATA32(w.nonce);
    OK(&w, dr_root_check(&w.root_msg, &w.err));
    w.people[BOB].transport_key = DATA32(w.nonce);
    REFUSED(DR_E_BAD_ROOT, dr_root_check(&w.root_msg, &w.err));
}

#define EDGE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE(a_stamp_believes_runs_and_rehearsals_only),
        EDGE(a_stamp_believes_active_targets_of_its_engine_only),
        EDGE(a_stamp_without_ready_or_of_unknown_heads_is_not_proved),
        EDGE(a_stamp_believes_what_the_approval_lists_and_not_the_future),
        EDGE(an_agents_own_backup_is_not_taken_from_the_evidence),
        EDGE(a_schema_is_verified_by_the_environment_that_the_gate_names),
        EDGE(the_fleet_decides_the_engine_before_any_plan_is_looked_at),
        EDGE(a_canary_is_named_by_its_target_and_by_its_entry),
        EDGE(each_leaf_of_wave_one_is_brought_once),
        EDGE(only_a_lift_lifts),
        EDGE(a_number_used_twice_is_an_alarm_even_where_the_chain_fits),
        EDGE(another_order_of_the_same_fields_is_refused),
        EDGE(a_stamp_looks_at_revisions_of_the_chain_only),
        EDGE(schema_afterwards_is_that_of_the_same_plan),
        EDGE(backup_of_two_heads_is_compared_head_by_head),
        EDGE(backup_by_a_clock_a_little_ahead_is_not_old),
        EDGE(the_newest_backup_counts_in_whatever_order_it_comes),
        EDGE(evidence_of_another_unit_does_not_make_a_revision_half_done),
        EDGE(the_soak_begins_with_the_last_proof),
        EDGE(a_plan_with_another_remedy_has_not_the_one_that_was_approved),
        EDGE(a_canarys_last_word_counts_in_whatever_order_it_comes),
        EDGE(a_canary_that_was_taken_back_under_another_approval_does_not_count),
        EDGE(a_ready_without_fingerprint_leaves_the_schema_open),
        EDGE(a_database_named_by_the_fleet_or_by_ready_alone_is_compared),
        EDGE(what_began_a_moment_ahead_of_this_clock_goes_on),
        EDGE(an_approval_is_drafted_without_evidence_and_with_each_digest_once),
        EDGE(leaves_out_of_order_are_refused_wherever_they_stand),
        EDGE(a_signoff_keeps_the_id_that_it_was_given),
        EDGE(a_cancel_of_another_plan_and_a_lift_for_another_place_change_nothing),
        EDGE(a_chain_that_is_no_chain_has_no_patch),
        EDGE(a_fleet_counts_its_entries_within_the_limit),
        EDGE(a_fleet_of_targets_alone_is_checked_like_any_other),
        EDGE(a_target_is_found_where_entries_are_in_no_order),
        EDGE(a_key_without_its_secret_half_signs_nothing),
        EDGE(a_plan_names_as_many_parents_as_digests_and_in_order),
        EDGE(a_transport_key_of_two_people_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
