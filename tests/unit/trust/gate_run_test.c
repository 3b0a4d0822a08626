// Gates about what was tried before: rehearsals of the target itself, and probes of another
// environment. A row changes one thing; what opens stands beside what must not.
// size: one table of cases with the changes that its rows name
#include "unit/trust/world.h"

#define N (TARGETS + ENVIRONMENTS)

struct row {
    const char *name;
    bool is_open;
    void (*before)(struct world *w);
    void (*input)(struct world *w, struct dr_gate_input *in);
    const char *says; // in what is missing, or in what opened it
};

// The rehearsal of production/orders, which holds the first revision of three.
static struct {
    Drover__V1__Attestation msg;
    Drover__V1__Rehearsal record;
    Drover__V1__RehearsedUnit unit[4], *unit_p[4];
    Drover__V1__ProbeResult probe[2], *probe_p[2];
    const struct dr_key *key;
    int counter;
    bool is_left_out, is_unlisted;
} own;

static struct dr_gate_result
evaluate(struct world *w, const struct row *row)
{
    static struct dr_approval approval;
    static Drover__V1__Approval listing;
    static struct dr_attestation ready;
    static ProtobufCBinaryData listed[EVIDENCE + 2];
    struct dr_gate_result *results = NULL;
    struct dr_attestation *evidence;
    ProtobufCBinaryData wires[EVIDENCE + 1];
    uint8_t sha256[32];
    Drover__V1__Plan *plan;
    size_t n = 0, n_wires = w->bundle.n_evidence;
    struct dr_gate_input in = {.policy = &w->own[1],
                               .chain = &w->chain,
                               .plan_sha256 = w->plan_sha,
                               .target = "production/orders",
                               .now = NOW};
    memcpy(wires, w->bundle.evidence, n_wires * sizeof(*wires));
    if (!own.is_left_out) {
        wires[n_wires++] = data_of(sign_attestation(w, &own.msg, own.key, own.counter, sha256));
    }
    OK(w, dr_approval_decode(w->arena, w->approval_wire, &approval, &w->err));
    listing = *approval.msg;
    memcpy(listed, listing.evidence_sha256, listing.n_evidence_sha256 * sizeof(*listed));
    listing.evidence_sha256 = listed;
    for (size_t i = listing.n_evidence_sha256; !own.is_left_out && !own.is_unlisted;) {
        for (; i > 0 && memcmp(listed[i - 1].data, sha256, 32) > 0; i--) {
            listed[i] = listed[i - 1];
        }
        listed[i] = DATA32(sha256);
        listing.n_evidence_sha256++;
        break;
    }
    OK(w, dr_plandoc_decode(w->arena, w->plan_bytes, NULL, &plan, &w->err));
    OK(w, dr_attest_decode(w->arena, w->ready, true, &ready, &w->err));
    OK(w, dr_gate_load_evidence(w->arena, &w->fleet, w->all, N, wires, n_wires, false, &evidence,
                                &in.n_evidence, &w->err));
    in.mode = MODE(UP);
    in.approval = &listing;
    in.plan = plan;
    in.ready = ready.msg;
    in.evidence = evidence;
    if (row->input) {
        row->input(w, &in);
    }
    OK(w, dr_gate_evaluate(w->arena, &in, &results, &n, &w->err));
    size_t at = in.target ? G_SIGNOFF : G_SIGNOFF - 1;
    return n > at ? results[at] : (struct dr_gate_result){0};
}

static void
run_row(void **state)
{
    const struct row *row = *state;
    static struct world w;
    world_begin(&w);
    row->before(&w);
    world_sign(&w);
    struct dr_gate_result result = evaluate(&w, row);
    const char *text = result.is_open ? result.shown_by : result.missing;
    if (result.is_open != row->is_open || (row->says && !strstr(text, row->says))) {
        fail_msg("open: %d, it says '%s'", result.is_open, text);
    }
    assert_true(row->is_open || result.n_evidence == 0);
    world_end(&w);
}

// ------------------------------------------------------------------------------- rehearsed

// Revisions 1 and 2 up and down, a minute before READY.
static void
rehearsed(struct world *w)
{
    memset(&own, 0, sizeof(own));
    drover__v1__rehearsal__init(&own.record);
    for (size_t i = 0; i < 4; i++) {
        drover__v1__rehearsed_unit__init(&own.unit[i]);
        own.unit[i].revision_digest = DATA32(w->rev_digest[1 + i % 2]);
        own.unit[i].unit_digest = DATA32(w->unit_digest[1 + i % 2][i / 2]);
        own.unit[i].mode = i < 2 ? MODE(UP) : MODE(DOWN);
        own.unit_p[i] = &own.unit[i];
    }
    own.record.units = own.unit_p;
    own.record.n_units = 4;
    own.record.fingerprint_before = own.record.fingerprint_down = DATA32(w->fp_before);
    own.record.fingerprint_up = DATA32(w->fp_after);
    begin_attestation(w, &own.msg, PRD_ORDERS, ATT(REHEARSED), NOW - 560);
    own.msg.rehearsal = &own.record;
    own.key = &w->agent[PRD_ORDERS];
    own.counter = PRD_ORDERS;
    w->gate[G_SIGNOFF].kind = GATE(REHEARSED);
    w->gate[G_SIGNOFF].max_age_s = 3600;
}
static void
h_missing(struct world *w)
{
    rehearsed(w);
    own.is_left_out = true;
}
static void
h_unlisted(struct world *w)
{
    rehearsed(w);
    own.is_unlisted = true;
}
static void
h_kind(struct world *w)
{
    rehearsed(w);
    own.msg.kind = ATT(STATE);
}
static void
h_other_target(struct world *w)
{
    rehearsed(w);
    own.msg.target = w->target[PRD_BILLING].name;
    own.msg.agent = w->target[PRD_BILLING].agent;
    own.key = &w->agent[PRD_BILLING];
    own.counter = PRD_BILLING;
}
static void
h_future(struct world *w)
{
    rehearsed(w);
    own.msg.time = NOW + 301;
}
static void
h_clock_ahead(struct world *w)
{
    rehearsed(w);
    own.msg.time = NOW + 300;
}
static void
h_old(struct world *w)
{
    rehearsed(w);
    own.msg.time = NOW - 3601;
}
static void
h_as_old_as_allowed(struct world *w)
{
    rehearsed(w);
    own.msg.time = NOW - 3600;
}
static void
h_no_record(struct world *w)
{
    rehearsed(w);
    own.msg.rehearsal = NULL;
}
static void
h_no_before(struct world *w)
{
    rehearsed(w);
    own.record.fingerprint_before.len = 0;
    own.record.fingerprint_down.len = 0;
    w->ready_msg.fingerprint.len = 0;
}
static void
h_no_up(struct world *w)
{
    rehearsed(w);
    own.record.fingerprint_up.len = 0;
}
static void
h_not_back(struct world *w)
{
    rehearsed(w);
    own.record.fingerprint_down = DATA32(w->nonce);
}
static void
h_other_state(struct world *w)
{
    rehearsed(w);
    own.record.fingerprint_before = own.record.fingerprint_down = DATA32(w->nonce);
}
static void
h_unit_missing(struct world *w)
{
    rehearsed(w);
    own.unit_p[1] = &own.unit[3];
    own.record.n_units = 3;
}
static void
h_unit_digest(struct world *w)
{
    rehearsed(w);
    own.unit[1].unit_digest = DATA32(w->nonce);
}
static void
h_unit_revision(struct world *w)
{
    rehearsed(w);
    own.unit[1].revision_digest = DATA32(w->nonce);
}
static void
h_unit_mode(struct world *w)
{
    rehearsed(w);
    own.unit[1].mode = MODE(DOWN);
}
static void
h_only_elsewhere(struct world *w)
{
    h_unit_missing(w);
    w->unit[2][0].only = word(w, "staging");
}
static void
h_only_here(struct world *w)
{
    h_unit_missing(w);
    w->unit[2][0].only = word(w, "production");
}
static void
h_on_backup(struct world *w)
{
    rehearsed(w);
    own.record.backup_sha256 = DATA32(w->nonce);
}
static void
h_one_way(struct world *w)
{
    rehearsed(w);
    w->rev[2].no_down = true;
    own.record.n_units = 2;
    own.record.fingerprint_down.len = 0;
}
static void
h_one_way_on_backup(struct world *w)
{
    h_one_way(w);
    own.record.backup_sha256 = DATA32(w->nonce);
}
static void
h_one_way_not_up(struct world *w)
{
    h_one_way(w);
    own.record.fingerprint_up.len = 0;
}
static void
h_one_way_is_held(struct world *w)
{
    h_not_back(w);
    w->rev[0].no_down = true;
}
static void
h_half_done(struct world *w)
{
    rehearsed(w);
    own.record.n_units = 2;
    own.record.fingerprint_down.len = 0;
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_PARTIAL;
}
// READY proves one of the two units: it is there already.
static void
h_half_there(struct world *w)
{
    static Drover__V1__UnitProof there, *there_p[] = {&there};
    h_half_done(w);
    own.record.n_units = 1;
    there = *w->proof_up_p[2];
    w->ready_msg.units = there_p;
    w->ready_msg.n_units = 1;
}
static void
h_half_begun(struct world *w)
{
    h_half_there(w);
    w->ready_msg.units[0]->begun = true;
}
static void
h_half_taken_back(struct world *w)
{
    h_half_there(w);
    w->ready_msg.units[0]->mode = MODE(DOWN);
}
static void
h_half_other_unit(struct world *w)
{
    h_half_there(w);
    w->ready_msg.units[0]->unit_digest = DATA32(w->nonce);
}
static void
h_half_other_revision(struct world *w)
{
    h_half_there(w);
    w->ready_msg.units[0]->revision_digest = DATA32(w->nonce);
}
static void
h_nothing_to_run(struct world *w)
{
    h_missing(w);
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
}
static void
h_before_ready(struct world *w, struct dr_gate_input *in)
{
    (void)w; // everything is to run then
    in->ready = NULL;
}
static void
h_no_target(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->target = NULL;
}
static void
h_stamp(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->mode = MODE(STAMP);
}
// The way down starts where all three revisions are; a plan for it names two.
static void
down(struct world *w)
{
    rehearsed(w);
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
    w->ready_msg.fingerprint = DATA32(w->fp_after);
    own.record.fingerprint_before = own.record.fingerprint_up = DATA32(w->fp_after);
    own.record.fingerprint_down = DATA32(w->fp_before);
    w->plan_msg.revisions = &w->rev_p[1];
    w->plan_msg.n_revisions = 2;
}
static void
down_not_up_again(struct world *w)
{
    down(w);
    own.record.fingerprint_up = DATA32(w->nonce);
}
static void
down_not_rehearsed(struct world *w)
{
    down(w);
    own.record.n_units = 3;
}
static void
mode_down(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->mode = MODE(DOWN);
}

// -------------------------------------------------------------------------------- verified

static void
v_both(struct world *w)
{
    rehearsed(w);
    w->gate[G_SIGNOFF].kind = GATE(VERIFIED);
    w->gate[G_SIGNOFF].from_environment = word(w, "staging");
    w->gate[G_SIGNOFF].max_age_s = 0;
    w->gate[G_SIGNOFF].after = true;
}
static void
v_own(struct world *w)
{
    v_both(w);
    w->gate[G_SIGNOFF].from_environment = word(w, "");
}
static void
v_left_out(struct world *w)
{
    v_both(w);
    own.is_left_out = true;
}
static void
v_other_end(struct world *w)
{
    v_both(w);
    own.record.fingerprint_up = DATA32(w->nonce);
}
static void
v_no_end(struct world *w)
{
    v_own(w);
    own.record.fingerprint_up.len = 0;
}
static void
v_down(struct world *w)
{
    down(w);
    v_own(w);
}
// Before a way down: a target of staging went down from what is here.
static void
v_before_down(struct world *w)
{
    down(w);
    w->gate[G_SIGNOFF].kind = GATE(VERIFIED);
    w->gate[G_SIGNOFF].from_environment = word(w, "staging");
    w->gate[G_SIGNOFF].max_age_s = 0;
    w->evidence_msg[E_REVERTED].fingerprint_before = DATA32(w->fp_after);
}
static void
v_before_down_elsewhere(struct world *w)
{
    v_before_down(w);
    w->evidence_msg[E_REVERTED].fingerprint_before = DATA32(w->nonce);
}
// The canary's APPLIED as that of production/orders, which names its rehearsal, and behind it an
// older one.
static Drover__V1__Attestation ends[2];

static void
v_ran(struct world *w, struct dr_gate_input *in)
{
    struct dr_attestation *list = dr_arena_array(w->arena, in->n_evidence + 1, sizeof(*list));
    memcpy(list, in->evidence, in->n_evidence * sizeof(*list));
    size_t at = in->n_evidence;
    for (size_t i = 0; i < in->n_evidence; i++) {
        bool is_end = list[i].msg->kind == ATT(APPLIED) &&
                      strcmp(list[i].msg->environment, "production") == 0;
        at = is_end ? i : at;
    }
    assert_true(at < in->n_evidence);
    ends[0] = ends[1] = *list[at].msg;
    ends[0].target = ends[1].target = word(w, "production/orders");
    ends[0].objects_count = 2;
    ends[1].counter--;
    ends[1].fingerprint = DATA32(w->nonce);
    for (size_t i = 0; i < in->n_evidence; i++) {
        if (list[i].msg->rehearsal) {
            ends[0].rehearsed_sha256 = ends[1].rehearsed_sha256 = DATA32(list[i].sha256);
        }
    }
    list[at].msg = &ends[0];
    list[in->n_evidence] = list[at];
    list[in->n_evidence].msg = &ends[1];
    in->evidence = list;
    in->n_evidence++;
}
static void
v_ran_older_first(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    Drover__V1__Attestation newer = ends[0];
    ends[0] = ends[1];
    ends[1] = newer;
}
static void
v_ran_unrehearsed(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].rehearsed_sha256.len = 0;
}
static void
v_ran_after_another(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].rehearsed_sha256 = DATA32(w->nonce);
}
static void
v_ran_one_object(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].objects_count = 1;
}
static void
v_ran_schema_unknown(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].fingerprint.len = 0;
}
static void
v_ran_elsewhere(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].target = ends[1].target = word(w, "production/billing");
}
static void
v_ran_another_plan(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    ends[0].plan_sha256 = ends[1].plan_sha256 = DATA32(w->nonce);
}
static void
v_ran_down(struct world *w, struct dr_gate_input *in)
{
    v_ran(w, in);
    in->mode = MODE(DOWN);
    ends[0].kind = ATT(REVERTED);
    ends[0].fingerprint = DATA32(w->fp_before);
}
static void
v_ran_up_in_a_way_down(struct world *w, struct dr_gate_input *in)
{
    v_ran_down(w, in);
    ends[0].kind = ATT(APPLIED);
}

// ---------------------------------------------------------------------------------- probed

// Both targets of staging ran everything; both say in a STATE after an hour that 'errors' passed.
static void
probed(struct world *w)
{
    memset(&own, 0, sizeof(own));
    own.is_left_out = true;
    static const char *const names[2] = {"latency", "errors"};
    for (size_t i = 0; i < 2; i++) {
        drover__v1__probe_result__init(&own.probe[i]);
        own.probe[i].name = word(w, names[i]);
        own.probe[i].outcome = DROVER__V1__PROBE_OUTCOME__PASSED;
        own.probe_p[i] = &own.probe[i];
    }
    w->evidence_msg[E_STATE].probes = w->evidence_msg[E_STOCK_STATE].probes = own.probe_p;
    w->evidence_msg[E_STATE].n_probes = w->evidence_msg[E_STOCK_STATE].n_probes = 2;
    w->gate[G_SIGNOFF].kind = GATE(PROBED);
    w->gate[G_SIGNOFF].item = word(w, "errors");
    w->gate[G_SIGNOFF].from_environment = word(w, "staging");
    w->gate[G_SIGNOFF].min_targets = 2;
    w->gate[G_SIGNOFF].soak_s = 3600;
}
static void
p_other_name(struct world *w)
{
    probed(w);
    own.probe[1].name = word(w, "error");
}
static void
p_none(struct world *w)
{
    probed(w);
    w->evidence_msg[E_STOCK_STATE].n_probes = 0;
}
static void
p_failed(struct world *w)
{
    probed(w);
    own.probe[1].outcome = DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
}
static void
p_inconclusive(struct world *w)
{
    probed(w);
    own.probe[1].outcome = DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
}
static void
p_no_outcome(struct world *w)
{
    probed(w);
    own.probe[1].outcome = DROVER__V1__PROBE_OUTCOME__PROBE_OUTCOME_NONE;
}
static void
p_unlisted(struct world *w)
{
    probed(w);
    w->gate[G_SIGNOFF].soak_s = 0; // so that APPLIED shows the revisions
    w->evidence_unlisted[E_STOCK_STATE] = true;
}
static void
p_short_soak(struct world *w)
{
    probed(w);
    w->evidence_msg[E_STOCK_STATE].time = w->evidence_msg[E_STOCK].time + 3599;
}
// A later STATE without probes shows the revisions after the soak; the probe was asked too early.
static void
p_asked_too_early(struct world *w)
{
    p_short_soak(w);
    begin_attestation(w, &own.msg, STG_STOCK, ATT(STATE), NOW - 100);
    own.msg.heads = &w->head_p[2];
    own.msg.n_heads = 1;
    own.key = &w->agent[STG_STOCK];
    own.counter = STG_STOCK;
    own.is_left_out = false;
}
static void
p_clock_went_back(struct world *w)
{
    p_asked_too_early(w);
    w->evidence_msg[E_STOCK_STATE].time = w->evidence_msg[E_STOCK].time - 1;
}
static void
p_before_the_run(struct world *w)
{
    probed(w);
    // The counters decide: the STATE of staging/orders comes before its second APPLIED.
    Drover__V1__Attestation state = w->evidence_msg[E_STATE];
    w->evidence_msg[E_STATE] = w->evidence_msg[E_AGAIN];
    w->evidence_msg[E_AGAIN] = state;
    w->evidence_msg[E_STATE].time = NOW - 5000;
    w->gate[G_SIGNOFF].soak_s = 0;
}
static void
p_reverted_later(struct world *w)
{
    p_asked_too_early(w);
    w->evidence_msg[E_STOCK_STATE].time = NOW - 5000;
    own.msg.n_heads = 0;
}
static Drover__V1__ProbeResult *
later_answer(struct world *w, Drover__V1__ProbeOutcome first, Drover__V1__ProbeOutcome second)
{
    static Drover__V1__ProbeResult later, *later_p[1] = {&later};
    p_asked_too_early(w);
    w->evidence_msg[E_STOCK_STATE].time = NOW - 5000;
    later = own.probe[1];
    own.probe[1].outcome = first;
    w->evidence_msg[E_STATE].probes = later_p;
    w->evidence_msg[E_STATE].n_probes = 1;
    own.msg.probes = later_p;
    own.msg.n_probes = 1;
    later.outcome = DROVER__V1__PROBE_OUTCOME__PASSED;
    own.is_unlisted = second != DROVER__V1__PROBE_OUTCOME__PASSED;
    return &later;
}
static void
p_passed_again(struct world *w)
{
    later_answer(w, DROVER__V1__PROBE_OUTCOME__NOT_PASSED, DROVER__V1__PROBE_OUTCOME__PASSED);
}
static void
p_passed_twice(struct world *w)
{
    later_answer(w, DROVER__V1__PROBE_OUTCOME__PASSED, DROVER__V1__PROBE_OUTCOME__PASSED);
}
static void
p_failed_later_unlisted(struct world *w)
{
    static Drover__V1__ProbeResult bad, *bad_p[1] = {&bad};
    later_answer(w, DROVER__V1__PROBE_OUTCOME__PASSED, DROVER__V1__PROBE_OUTCOME__NOT_PASSED);
    bad = own.probe[1];
    bad.outcome = DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
    own.msg.probes = bad_p;
}
static void
p_inconclusive_twice(struct world *w)
{
    static Drover__V1__ProbeResult bad, *bad_p[1] = {&bad};
    p_failed_later_unlisted(w);
    bad = own.probe[1];
    bad.outcome = DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
    own.msg.probes = bad_p;
    own.probe[1].outcome = DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
}
static void
p_one_target_is_enough(struct world *w)
{
    p_none(w);
    w->gate[G_SIGNOFF].min_targets = 1;
}
static void
p_not_applied(struct world *w)
{
    probed(w);
    w->evidence_left_out[E_STOCK] = true;
}
static void
p_probe_of_a_backup(struct world *w)
{
    p_asked_too_early(w);
    w->evidence_msg[E_STOCK_STATE].time = NOW - 5000;
    w->evidence_msg[E_STOCK_STATE].n_probes = 0;
    own.msg.kind = ATT(BACKUP);
    own.msg.backup = &w->record;
    own.msg.probes = own.probe_p;
    own.msg.n_probes = 2;
}
static void
backwards(struct world *w, struct dr_gate_input *in)
{
    struct dr_attestation *list =
        dr_arena_copy(w->arena, in->evidence, in->n_evidence * sizeof(*list));
    for (size_t i = 0; i < in->n_evidence; i++) {
        list[i] = in->evidence[in->n_evidence - 1 - i];
    }
    in->evidence = list;
}

static const struct row rows[] = {
    // id: G4
    {"rehearsal_there_and_back_opens", true, rehearsed, NULL, "copy of the schema"},
    {"rehearsal_on_a_backup_says_so", true, h_on_backup, NULL, "restored backup"},
    {"missing_rehearsal_is_refused", false, h_missing, NULL, "not rehearsed yet"},
    {"unlisted_rehearsal_counts_nothing", false, h_unlisted, NULL, "not rehearsed yet"},
    {"attestation_of_another_kind_is_no_rehearsal", false, h_kind, NULL, "not rehearsed yet"},
    {"rehearsal_of_another_target_is_refused", false, h_other_target, NULL, "not rehearsed yet"},
    {"rehearsal_of_the_future_is_refused", false, h_future, NULL, "not rehearsed yet"},
    {"rehearsal_of_a_clock_ahead_opens", true, h_clock_ahead, NULL, NULL},
    {"old_rehearsal_is_refused", false, h_old, NULL, "too old"},
    {"rehearsal_as_old_as_allowed_opens", true, h_as_old_as_allowed, NULL, NULL},
    {"rehearsal_without_record_is_refused", false, h_no_record, NULL, "not whole"},
    {"rehearsal_from_no_schema_is_refused", false, h_no_before, NULL, "not whole"},
    {"rehearsal_that_never_got_up_is_refused", false, h_no_up, NULL, "way back"},
    {"rehearsal_that_did_not_come_back_is_refused", false, h_not_back, NULL, "way back"},
    {"way_up_is_all_where_there_is_no_way_back", true, h_one_way, NULL,
     "up on a copy of the schema: '003_index' has no way back"}, // id: G4
    {"way_up_on_a_backup_says_so", true, h_one_way_on_backup, NULL, "up on a restored backup"},
    {"way_up_that_did_not_end_is_refused", false, h_one_way_not_up, NULL, "way back"},
    {"held_revision_without_way_back_excuses_nothing", false, h_one_way_is_held, NULL, "way back"},
    {"way_there_is_all_from_half_way", true, h_half_done, NULL, "there, from half-way, on a copy"},
    {"unit_that_is_there_already_need_not_be_rehearsed", true, h_half_there, NULL,
     "there, from half-way, on a copy"},
    {"unit_that_was_only_begun_has_to_be_rehearsed", false, h_half_begun, NULL, "'003_index'"},
    {"unit_that_was_taken_back_has_to_be_rehearsed", false, h_half_taken_back, NULL, "'003_index'"},
    {"another_unit_that_is_there_excuses_nothing", false, h_half_other_unit, NULL, "'003_index'"},
    {"unit_of_another_revision_excuses_nothing", false, h_half_other_revision, NULL, "'003_index'"},
    {"rehearsal_from_another_schema_is_refused", false, h_other_state, NULL, "another schema"},
    {"rehearsal_without_every_unit_is_refused", false, h_unit_missing, NULL, "'003_index'"},
    {"rehearsal_of_another_unit_is_refused", false, h_unit_digest, NULL, "'003_index'"},
    {"rehearsal_of_another_revision_is_refused", false, h_unit_revision, NULL, "'003_index'"},
    {"rehearsal_in_another_mode_is_refused", false, h_unit_mode, NULL, "'003_index'"},
    {"unit_for_another_environment_need_not_be_rehearsed", true, h_only_elsewhere, NULL, NULL},
    {"unit_for_this_environment_has_to_be_rehearsed", false, h_only_here, NULL, "'003_index'"},
    {"nothing_to_run_needs_no_rehearsal", true, h_nothing_to_run, NULL, "nothing is to run"},
    {"before_ready_everything_has_to_be_rehearsed", false, rehearsed, h_before_ready,
     "'001_users'"},
    {"stamp_needs_no_rehearsal", true, h_missing, h_stamp, "nothing is to run"},
    {"rehearsal_of_the_way_down_opens", true, down, mode_down, NULL},
    {"way_down_that_did_not_come_up_again_is_refused", false, down_not_up_again, mode_down,
     "way back"},
    {"way_down_without_every_unit_is_refused", false, down_not_rehearsed, mode_down, "'003_index'"},
    // id: G7
    {"schema_as_rehearsed_opens", true, v_own, v_ran, "as rehearsed"}, // id: G4
    {"schema_as_rehearsed_and_as_elsewhere_opens", true, v_both, v_ran,
     "same schema as staging/orders, and as rehearsed"},
    {"newest_end_of_the_run_counts", true, v_both, v_ran_older_first, "as rehearsed"},
    {"schema_other_than_rehearsed_is_refused", false, v_other_end, v_ran, "in 2 objects"}, // id: G4
    {"one_object_other_than_rehearsed_is_told", false, v_other_end, v_ran_one_object,
     "in 1 object"},
    {"run_without_rehearsal_is_compared_with_staging_alone", true, v_both, v_ran_unrehearsed,
     "same schema as staging/orders"},
    {"run_without_rehearsal_is_not_as_rehearsed", false, v_own, v_ran_unrehearsed,
     "without a rehearsal"},
    {"rehearsal_that_is_not_shown_verifies_nothing", false, v_left_out, v_ran_after_another,
     "without a rehearsal"},
    {"rehearsal_of_another_run_verifies_nothing", false, v_both, v_ran_after_another,
     "without a rehearsal"},
    {"rehearsal_without_end_verifies_nothing", false, v_no_end, v_ran_schema_unknown,
     "not as rehearsed"},
    {"run_of_another_target_verifies_nothing", false, v_own, v_ran_elsewhere, "has not run here"},
    {"run_of_another_plan_verifies_nothing", false, v_own, v_ran_another_plan, "has not run here"},
    {"way_down_as_rehearsed_opens", true, v_down, v_ran_down, "as rehearsed"},
    {"way_down_begins_where_one_elsewhere_began", true, v_before_down, mode_down,
     "same schema as staging/"},
    {"way_down_from_another_schema_is_refused", false, v_before_down_elsewhere, mode_down,
     "no target of 'staging' shows the same schema"},
    {"way_down_is_not_verified_by_a_way_up", false, v_down, v_ran_up_in_a_way_down,
     "has not run here"},
    {"probe_that_passed_after_the_soak_opens", true, probed, NULL, "2 targets of staging"},
    {"answer_to_another_probe_counts_nothing", false, p_other_name, NULL, "not answered"},
    {"missing_answer_is_refused", false, p_none, NULL, "'staging/stock' is not answered"},
    {"probe_that_did_not_pass_is_refused", false, p_failed, NULL, "did not pass"},
    {"inconclusive_probe_is_refused", false, p_inconclusive, NULL, "is inconclusive"},
    {"probe_without_outcome_is_refused", false, p_no_outcome, NULL, "is inconclusive"},
    {"unlisted_answer_counts_nothing", false, p_unlisted, NULL, "not answered"},
    {"answer_before_the_soak_is_refused", false, p_short_soak, NULL, "soak of 1h"},
    {"answer_asked_too_early_is_refused", false, p_asked_too_early, NULL, "not answered"},
    {"answer_of_a_clock_that_went_back_is_refused", false, p_clock_went_back, NULL, "not answered"},
    {"answer_from_before_the_run_is_refused", false, p_before_the_run, NULL, "not answered"},
    {"target_that_was_reverted_is_refused", false, p_reverted_later, NULL, "no longer has"},
    {"probe_that_passed_again_opens", true, p_passed_again, NULL, NULL},
    {"newest_answer_is_the_evidence", true, p_passed_twice, NULL, NULL},
    {"order_of_the_answers_does_not_matter", true, p_passed_twice, backwards, NULL},
    {"unlisted_answer_against_counts", false, p_failed_later_unlisted, NULL, "did not pass"},
    {"newest_answer_against_is_told", false, p_inconclusive_twice, NULL, "is inconclusive"},
    {"newest_answer_against_is_told_in_any_order", false, p_inconclusive_twice, backwards,
     "is inconclusive"},
    {"one_probed_target_is_enough_where_one_is_asked", true, p_one_target_is_enough, NULL, NULL},
    {"probe_without_the_units_is_refused", false, p_not_applied, NULL, "1 of 2"},
    {"only_a_state_answers_probes", false, p_probe_of_a_backup, NULL, "not answered"},
    {"way_down_asks_no_probe", true, p_failed, mode_down, "not asked for"},
};

static void
without_target_the_rehearsal_is_left_out(void **state)
{
    static const struct row row = {.name = "", .input = h_no_target};
    static struct world w;
    (void)state;
    world_begin(&w);
    rehearsed(&w);
    world_sign(&w);
    struct dr_gate_result result = evaluate(&w, &row);
    if (!result.gate) {
        fail_msg("there is no such gate");
        return;
    }
    assert_int_equal(result.gate->kind, GATE(SIGNOFF)); // the next gate has its place
    assert_string_equal(result.gate->item, "monitored");
    world_end(&w);
}

static void
without_target_what_was_rehearsed_is_left_out(void **state)
{
    static const struct row row = {.name = "", .input = h_no_target};
    static struct world w;
    (void)state;
    world_begin(&w);
    v_own(&w);
    world_sign(&w);
    struct dr_gate_result result = evaluate(&w, &row);
    if (!result.gate) {
        fail_msg("there is no such gate");
        return;
    }
    assert_string_equal(result.gate->item, "monitored"); // the next gate has its place
    world_end(&w);
}

static void
new_gates_have_names(void **state)
{
    Drover__V1__Gate gate = DROVER__V1__GATE__INIT;
    (void)state;
    gate.kind = GATE(REHEARSED);
    assert_string_equal(dr_gate_name(&gate), "rehearsed");
    gate.kind = GATE(PROBED);
    assert_string_equal(dr_gate_name(&gate), "probed");
}

int
main(void)
{
    static struct CMUnitTest tests[DR_COUNT_OF(rows) + 3];
    static struct row copies[DR_COUNT_OF(rows)];
    size_t n = DR_COUNT_OF(rows);
    for (size_t i = 0; i < n; i++) {
        copies[i] = rows[i];
        tests[i] = (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, &copies[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(without_target_the_rehearsal_is_left_out);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(without_target_what_was_rehearsed_is_left_out);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(new_gates_have_names);
    return _cmocka_run_group_tests("gate_run", tests, n, NULL, NULL);
}
