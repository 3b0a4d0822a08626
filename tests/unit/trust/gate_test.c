// Gates: what opens each, and everything that must not.
// size: one table of cases with the changes that its rows name
#include "unit/trust/world.h"

#define N (TARGETS + ENVIRONMENTS)

struct gate_case {
    const char *name;
    size_t gate;
    bool is_open;
    void (*before)(struct world *w);
    void (*input)(struct world *w, struct dr_gate_input *in);
};

static struct dr_gate_result *
evaluate(struct world *w, void (*change)(struct world *w, struct dr_gate_input *in), size_t *out_n)
{
    static struct dr_approval approval;
    static struct dr_attestation ready, backup;
    struct dr_gate_result *results = NULL;
    Drover__V1__Plan *plan;
    struct dr_gate_input in = {.policy = &w->own[1],
                               .chain = &w->chain,
                               .plan_sha256 = w->plan_sha,
                               .target = "production/orders",
                               .only_own_backup = true,
                               .now = NOW};
    struct dr_attestation *evidence;
    struct dr_signoff *signoffs;
    OK(w, dr_approval_decode(w->arena, w->approval_wire, &approval, &w->err));
    OK(w, dr_plandoc_decode(w->arena, w->plan_bytes, NULL, &plan, &w->err));
    OK(w, dr_attest_decode(w->arena, w->ready, true, &ready, &w->err));
    OK(w, dr_attest_decode(w->arena, w->backup, true, &backup, &w->err));
    OK(w, dr_gate_load_evidence(w->arena, &w->fleet, w->all, N, w->bundle.evidence,
                                w->bundle.n_evidence, false, &evidence, &in.n_evidence, &w->err));
    OK(w, dr_gate_load_signoffs(w->arena, &w->root, "production", w->bundle.signoffs,
                                w->bundle.n_signoffs, false, &signoffs, &in.n_signoffs, &w->err));
    in.mode = approval.msg->mode;
    in.approval = approval.msg;
    in.plan = plan;
    in.ready = ready.msg;
    in.backup = backup.msg;
    in.evidence = evidence;
    in.signoffs = signoffs;
    if (change) {
        change(w, &in);
    }
    OK(w, dr_gate_evaluate(w->arena, &in, &results, out_n, &w->err));
    return results;
}

// ---------------------------------------------------------------------------------- backup

static void
k_old(struct world *w)
{
    w->record.finished = NOW - 3601;
    w->record.started = NOW - 3700;
    w->record.keep_until = NOW + 90 * DAY;
}
static void
k_as_old_as_allowed(struct world *w)
{
    w->record.finished = NOW - 3600;
    w->record.started = NOW - 3700;
}
static void
k_level(struct world *w)
{
    w->gate[G_BACKUP].restore_level = DROVER__V1__RESTORE_LEVEL__RESTORED;
}
static void
k_better(struct world *w)
{
    k_level(w);
    w->record.restore_level = DROVER__V1__RESTORE_LEVEL__QUERIED;
}
static void
k_empty(struct world *w)
{
    w->record.size_bytes = 0;
}
static void
k_no_sha(struct world *w)
{
    w->record.sha256.len = 0;
}
static void
k_times(struct world *w)
{
    w->record.finished = w->record.started - 1;
}
static void
k_future(struct world *w)
{
    w->record.finished = NOW + 301;
    w->record.keep_until = NOW + 90 * DAY;
}
static void
k_kept(struct world *w)
{
    w->record.keep_until = w->record.finished + 30 * DAY - 1;
}
static void
k_kept_before(struct world *w)
{
    w->record.keep_until = 1;
}
static void
k_not_kept_is_fine(struct world *w)
{
    w->gate[G_BACKUP].keep_s = 0;
    w->record.keep_until = 0;
}
static void
k_heads(struct world *w)
{
    w->record.heads = &w->head_p[1];
}
static void
k_no_heads(struct world *w)
{
    w->record.n_heads = 0;
}
static void
k_schema(struct world *w)
{
    w->record.fingerprint = DATA32(w->fp_after);
}
static void
k_other_target(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Attestation m;
    (void)w;
    m = *in->backup;
    m.target = word(w, "production/billing");
    in->backup = &m;
}
static void
k_other_kind(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Attestation m;
    (void)w;
    m = *in->backup;
    m.kind = ATT(STATE);
    in->backup = &m;
}
static void
k_no_record(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Attestation m;
    (void)w;
    m = *in->backup;
    m.backup = NULL;
    in->backup = &m;
}
static void
k_none(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->backup = NULL;
}
static void
k_before_ready(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->ready = NULL;
}

// ---------------------------------------------------------------------------------- staged

static void
t_unlisted(struct world *w)
{
    w->evidence_unlisted[E_STOCK] = true;
}
static void
t_unlisted_state(struct world *w)
{
    w->evidence_unlisted[E_STOCK_STATE] = true;
}
static void
t_left_out(struct world *w)
{
    w->evidence_left_out[E_STOCK] = true;
}
static void
t_left_out_state(struct world *w)
{
    w->evidence_left_out[E_STOCK_STATE] = true;
}
static void
t_failed(struct world *w)
{
    w->evidence_msg[E_STOCK].kind = ATT(FAILED);
    w->evidence_msg[E_STOCK].code = word(w, "engine-failed");
}
static void
t_ready(struct world *w)
{
    w->evidence_msg[E_STOCK].kind = ATT(READY);
    w->evidence_msg[E_STOCK].nonce = DATA32(w->nonce);
}
static void
t_same_target_twice(struct world *w)
{
    w->evidence_msg[E_STOCK].target = w->evidence_msg[E_STOCK_STATE].target =
        w->target[STG_ORDERS].name;
    w->evidence_msg[E_STOCK].agent = w->evidence_msg[E_STOCK_STATE].agent =
        w->target[STG_ORDERS].agent;
    w->evidence_key[E_STOCK] = w->evidence_key[E_STOCK_STATE] = &w->agent[STG_ORDERS];
}
static void
t_one_is_enough(struct world *w)
{
    t_same_target_twice(w);
    w->gate[G_STAGED].min_targets = 1;
}
static void
t_retired(struct world *w)
{
    w->target[STG_STOCK].state = DROVER__V1__TARGET_STATE__RETIRED;
}
static void
t_future(struct world *w)
{
    w->evidence_msg[E_STOCK].time = NOW + 301;
}
static void
t_unit(struct world *w)
{
    static Drover__V1__UnitProof *two[2];
    two[0] = w->proof_up_p[0];
    two[1] = w->proof_up_p[1];
    w->evidence_msg[E_STOCK].units = two;
    w->evidence_msg[E_STOCK].n_units = 2;
}
static void
t_unit_not_needed(struct world *w)
{
    static Drover__V1__UnitProof *two[2];
    two[0] = w->proof_up_p[1];
    two[1] = w->proof_up_p[2];
    w->evidence_msg[E_STOCK].units = two;
    w->evidence_msg[E_STOCK].n_units = 2;
}
static void
t_unit_digest(struct world *w)
{
    static Drover__V1__UnitProof other, *three[3];
    other = w->proof_up[2];
    other.unit_digest = DATA32(w->nonce);
    three[0] = w->proof_up_p[0];
    three[1] = w->proof_up_p[1];
    three[2] = &other;
    w->evidence_msg[E_STOCK].units = three;
}
static void
t_revision_digest(struct world *w)
{
    static Drover__V1__UnitProof other, *three[3];
    other = w->proof_up[2];
    other.revision_digest = DATA32(w->nonce);
    three[0] = w->proof_up_p[0];
    three[1] = w->proof_up_p[1];
    three[2] = &other;
    w->evidence_msg[E_STOCK].units = three;
}
static void
t_unit_mode(struct world *w)
{
    static Drover__V1__UnitProof other, *three[3];
    other = w->proof_up[2];
    other.mode = MODE(DOWN);
    three[0] = w->proof_up_p[0];
    three[1] = w->proof_up_p[1];
    three[2] = &other;
    w->evidence_msg[E_STOCK].units = three;
}
static void
t_only_here(struct world *w)
{
    w->unit[2][0].only = word(w, "production");
    t_unit(w);
}
static void
t_soak(struct world *w)
{
    w->evidence_msg[E_STOCK_STATE].time = w->evidence_msg[E_STOCK].time + 3599;
}
static void
t_soak_just(struct world *w)
{
    w->evidence_msg[E_STOCK_STATE].time = w->evidence_msg[E_STOCK].time + 3600;
}
static void
t_no_soak(struct world *w)
{
    w->gate[G_STAGED].soak_s = 0;
    w->evidence_left_out[E_STATE] = w->evidence_left_out[E_STOCK_STATE] = true;
}
static void
t_reverted_later(struct world *w)
{
    w->evidence_msg[E_STATE].kind = ATT(REVERTED);
    w->evidence_msg[E_STATE].n_heads = 0;
}
static void
t_state_shows_less(struct world *w)
{
    w->evidence_msg[E_STATE].heads = &w->head_p[1];
}
static void
t_state_unknown_head(struct world *w)
{
    w->evidence_msg[E_STATE].heads = &w->head_p[5];
}
static void
t_other_epoch(struct world *w)
{
    memset(w->counters[STG_STOCK].epoch, 0, 16);
    w->evidence_msg[E_STOCK_STATE].target = w->target[STG_STOCK].name;
}
static void
t_unlisted_state_reverted(struct world *w)
{
    w->evidence_unlisted[E_STATE] = true;
    t_state_shows_less(w);
}
static void
t_other_engine(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Plan plan;
    (void)w;
    plan = *in->plan;
    plan.engine = DROVER__V1__ENGINE__SQLITE;
    in->plan = &plan;
}
static void
t_not_approved_yet(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->approval = NULL;
}
static void
t_nothing_to_run(struct world *w)
{
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
    t_left_out(w);
}
static void
t_no_units(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__PlanRevision r[3], *p[3] = {&r[0], &r[1], &r[2]};
    static Drover__V1__Plan plan;
    (void)w;
    plan = *in->plan;
    for (size_t i = 0; i < 3; i++) {
        r[i] = *plan.revisions[i];
        r[i].n_units = 0;
    }
    plan.revisions = p;
    in->plan = &plan;
}
static void
t_from_production(struct world *w)
{
    w->gate[G_STAGED].from_environment = word(w, "production");
}
static void
t_plan_not_in_chain(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__PlanRevision r[3], *p[3] = {&r[0], &r[1], &r[2]};
    static Drover__V1__Plan plan;
    plan = *in->plan;
    for (size_t i = 0; i < 3; i++) {
        r[i] = *plan.revisions[i];
    }
    r[2].n_units = 0;
    r[2].digest = DATA32(w->nonce);
    plan.revisions = p;
    in->plan = &plan;
}

// -------------------------------------------------------------------------------- rollback

static void
r_missing(struct world *w)
{
    w->evidence_left_out[E_REVERTED] = true;
}
static void
r_unlisted(struct world *w)
{
    w->evidence_unlisted[E_REVERTED] = true;
}
static void
r_schema(struct world *w)
{
    w->evidence_msg[E_REVERTED].fingerprint = DATA32(w->nonce);
}
static void
r_no_schema(struct world *w)
{
    w->evidence_msg[E_REVERTED].fingerprint.len =
        w->evidence_msg[E_APPLIED].fingerprint_before.len = 0;
    w->evidence_msg[E_AGAIN].fingerprint_before.len = 0;
}
static void
r_before_applied(struct world *w)
{
    w->evidence_left_out[E_APPLIED] = true;
}
static void
r_other_plan(struct world *w)
{
    w->evidence_msg[E_REVERTED].plan_sha256 = DATA32(w->nonce);
}
static void
r_unlisted_applied(struct world *w)
{
    w->evidence_unlisted[E_APPLIED] = true;
}
static void
r_no_down(struct world *w)
{
    w->rev[2].no_down = true;
}
static void
r_admitted(struct world *w)
{
    r_no_down(w);
    w->gate[G_ROLLBACK].one_way = true;
}
// The way back is shown of what comes after it alone.
static void
r_one_way_then_proved(struct world *w)
{
    w->gate[G_ROLLBACK].one_way = true;
    w->rev[1].no_down = true;
    for (size_t i = 0; i < w->evidence_msg[E_REVERTED].n_units; i++) {
        if (dr_data_is(w->evidence_msg[E_REVERTED].units[i]->revision_digest, w->rev_digest[1])) {
            w->evidence_msg[E_REVERTED].units[i]->revision_digest = DATA32(w->nonce);
        }
    }
}
static void
r_one_way_then_missing(struct world *w)
{
    r_one_way_then_proved(w);
    r_missing(w);
}
static void
r_admitted_but_not_needed(struct world *w)
{
    w->gate[G_ROLLBACK].one_way = true;
    r_missing(w);
}
static void
r_no_down_not_needed(struct world *w)
{
    w->rev[0].no_down = true;
}
static void
r_unit(struct world *w)
{
    w->evidence_msg[E_REVERTED].n_units = 2;
}

// -------------------------------------------------------------------------------- verified

static void
v_gate(struct world *w)
{
    w->gate[G_SIGNOFF].kind = GATE(VERIFIED);
    w->gate[G_SIGNOFF].from_environment = word(w, "staging");
}
static void
v_schema(struct world *w)
{
    v_gate(w);
    w->ready_msg.fingerprint = w->record.fingerprint = DATA32(w->nonce);
}
static void
v_no_ready(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->ready = NULL;
}
static void
v_retired(struct world *w)
{
    v_gate(w);
    w->target[STG_ORDERS].state = w->target[STG_STOCK].state = DROVER__V1__TARGET_STATE__RETIRED;
}
static void
v_unlisted(struct world *w)
{
    v_gate(w);
    w->evidence_unlisted[E_APPLIED] = w->evidence_unlisted[E_AGAIN] =
        w->evidence_unlisted[E_STOCK] = true;
}
static void
v_other_plan(struct world *w)
{
    v_gate(w);
    for (size_t i = 0; i < E_CANARY; i++) {
        w->evidence_msg[i].plan_sha256 = DATA32(w->nonce);
    }
}
static void
v_after(struct world *w)
{
    v_gate(w);
    w->gate[G_SIGNOFF].after = true;
}
static void
v_after_mine(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Attestation m;
    static struct dr_attestation *list;
    list = dr_arena_array(w->arena, in->n_evidence, sizeof(*list));
    memcpy(list, in->evidence, in->n_evidence * sizeof(*list));
    m = *list[in->n_evidence - 1].msg;
    m.target = word(w, "production/orders");
    list[in->n_evidence - 1].msg = &m;
    in->evidence = list;
}
static void
v_after_differs(struct world *w, struct dr_gate_input *in)
{
    v_after_mine(w, in);
    static Drover__V1__Attestation m;
    struct dr_attestation *list =
        dr_arena_copy(w->arena, in->evidence, in->n_evidence * sizeof(*list));
    m = *list[in->n_evidence - 1].msg;
    m.fingerprint = DATA32(w->nonce);
    list[in->n_evidence - 1].msg = &m;
    in->evidence = list;
}
static void
v_after_no_target(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->target = NULL;
}
static void
v_stamp(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->mode = MODE(STAMP);
}
static void
v_remedy(struct world *w, struct dr_gate_input *in)
{
    (void)w;
    in->mode = MODE(REMEDY);
}
static void
v_other_engine(struct world *w, struct dr_gate_input *in)
{
    t_other_engine(w, in);
}

// -------------------------------------------------------------------------------- sign-off

static void
i_missing(struct world *w)
{
    w->item_left_out = true;
}
static void
i_other_item(struct world *w)
{
    w->item_msg.item = word(w, "app-updated");
}
static void
i_other_env(struct world *w)
{
    w->item_msg.environment = w->environment[STAGING].name;
}
static void
i_other_plan(struct world *w)
{
    w->item_msg.plan_sha256 = DATA32(w->nonce);
}
static void
i_kind(struct world *w)
{
    w->item_msg.kind = DROVER__V1__SIGNOFF_KIND__CANCEL;
}
static void
i_expired(struct world *w)
{
    w->item_msg.expires = NOW;
}
static void
i_lasting(struct world *w)
{
    w->item_msg.expires = NOW + 1;
    w->item_msg.note = word(w, "read them all");
}
static void
i_future(struct world *w)
{
    w->item_msg.time = NOW + 301;
}
static void
i_unlisted(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Approval a;
    (void)w;
    a = *in->approval;
    a.n_evidence_sha256 = 0;
    in->approval = &a;
}
static void
i_unknown_gate(struct world *w, struct dr_gate_input *in)
{
    static Drover__V1__Gate g;
    static Drover__V1__Gate *p[GATES];
    static Drover__V1__Environment e;
    static Drover__V1__FleetEntry m;
    static struct dr_fleet_entry entry;
    (void)w;
    e = *in->policy->msg->environment;
    memcpy(p, e.gates, sizeof(p));
    g = *p[G_SIGNOFF];
    g.kind = (Drover__V1__GateKind)77;
    p[G_SIGNOFF] = &g;
    e.gates = p;
    m = *in->policy->msg;
    m.environment = &e;
    entry = *in->policy;
    entry.msg = &m;
    in->policy = &entry;
}

static const struct gate_case cases[] = {
    {"backup_of_the_state_in_ready_opens", G_BACKUP, true, NULL, NULL}, // id: G01
    {"old_backup_is_refused", G_BACKUP, false, k_old, NULL},            // id: G15
    {"backup_as_old_as_allowed_opens", G_BACKUP, true, k_as_old_as_allowed, NULL},
    {"backup_not_restored_enough_is_refused", G_BACKUP, false, k_level, NULL}, // id: G16
    {"backup_restored_further_opens", G_BACKUP, true, k_better, NULL},
    {"empty_backup_is_refused", G_BACKUP, false, k_empty, NULL}, // id: G16
    {"backup_without_digest_is_refused", G_BACKUP, false, k_no_sha, NULL},
    {"backup_that_ended_before_it_began_is_refused", G_BACKUP, false, k_times, NULL},
    {"backup_of_the_future_is_refused", G_BACKUP, false, k_future, NULL},
    {"backup_kept_too_short_is_refused", G_BACKUP, false, k_kept, NULL},
    {"backup_not_kept_is_refused", G_BACKUP, false, k_kept_before, NULL},
    {"backup_need_not_be_kept_without_policy", G_BACKUP, true, k_not_kept_is_fine, NULL},
    {"backup_of_other_heads_is_refused", G_BACKUP, false, k_heads, NULL}, // id: G15
    {"backup_of_no_heads_is_refused", G_BACKUP, false, k_no_heads, NULL},
    {"backup_of_another_schema_is_refused", G_BACKUP, false, k_schema, NULL},
    {"backup_of_another_target_is_refused", G_BACKUP, false, NULL, k_other_target}, // id: G15
    {"attestation_of_another_kind_is_no_backup", G_BACKUP, false, NULL, k_other_kind},
    {"backup_without_record_is_refused", G_BACKUP, false, NULL, k_no_record},
    {"missing_backup_is_refused", G_BACKUP, false, NULL, k_none},
    {"backup_before_ready_opens", G_BACKUP, true, NULL, k_before_ready},
    // STAGED
    {"two_soaked_targets_open", G_STAGED, true, NULL, NULL},
    {"unlisted_evidence_counts_nothing", G_STAGED, false, t_unlisted, NULL}, // id: G11
    {"unlisted_state_counts_nothing", G_STAGED, false, t_unlisted_state, NULL},
    {"without_approval_all_evidence_counts", G_STAGED, true, t_unlisted, t_not_approved_yet},
    {"missing_applied_is_refused", G_STAGED, false, t_left_out, NULL}, // id: G12
    {"missing_state_is_refused", G_STAGED, false, t_left_out_state, NULL},
    {"failed_is_no_applied", G_STAGED, false, t_failed, NULL},                     // id: G04
    {"ready_is_no_applied", G_STAGED, false, t_ready, NULL},                       // id: G04
    {"same_target_twice_counts_once", G_STAGED, false, t_same_target_twice, NULL}, // id: G07
    {"one_target_is_enough_where_one_is_asked", G_STAGED, true, t_one_is_enough, NULL},
    {"retired_target_counts_nothing", G_STAGED, false, t_retired, NULL},        // id: G06
    {"evidence_of_the_future_counts_nothing", G_STAGED, false, t_future, NULL}, // id: G08
    {"missing_unit_is_refused", G_STAGED, false, t_unit, NULL},
    {"unit_that_the_target_has_is_not_asked_for", G_STAGED, true, t_unit_not_needed, NULL},
    {"other_unit_is_refused", G_STAGED, false, t_unit_digest, NULL},                 // id: G05
    {"unit_of_other_revision_is_refused", G_STAGED, false, t_revision_digest, NULL}, // id: G05
    {"unit_in_other_mode_is_refused", G_STAGED, false, t_unit_mode, NULL},
    {"unit_for_this_environment_only_is_not_asked_for", G_STAGED, true, t_only_here, NULL},
    {"short_soak_is_refused", G_STAGED, false, t_soak, NULL}, // id: G10
    {"soak_to_the_second_opens", G_STAGED, true, t_soak_just, NULL},
    {"without_soak_applied_is_enough", G_STAGED, true, t_no_soak, NULL},
    {"reverted_later_is_refused", G_STAGED, false, t_reverted_later, NULL},          // id: G22
    {"state_that_shows_less_is_refused", G_STAGED, false, t_state_shows_less, NULL}, // id: G22
    {"state_with_unknown_head_is_refused", G_STAGED, false, t_state_unknown_head, NULL},
    {"unlisted_evidence_against_counts", G_STAGED, false, t_unlisted_state_reverted, NULL},
    {"state_of_another_epoch_counts_by_time", G_STAGED, true, t_other_epoch, NULL},
    {"other_engine_is_refused", G_STAGED, false, NULL, t_other_engine},
    {"evidence_from_the_wrong_environment_is_refused", G_STAGED, false, t_from_production, NULL},
    {"nothing_to_run_needs_no_evidence", G_STAGED, true, t_nothing_to_run, NULL},
    {"plan_without_units_is_not_shown", G_STAGED, false, NULL, t_no_units},
    {"revision_outside_of_the_chain_is_not_shown", G_STAGED, false, NULL, t_plan_not_in_chain},
    // ROLLBACK_PROVED
    {"reverted_with_equal_schema_opens", G_ROLLBACK, true, NULL, NULL},
    {"missing_reverted_is_refused", G_ROLLBACK, false, r_missing, NULL},
    {"unlisted_reverted_is_refused", G_ROLLBACK, false, r_unlisted, NULL},
    {"reverted_to_another_schema_is_refused", G_ROLLBACK, false, r_schema, NULL},
    {"reverted_without_schema_is_refused", G_ROLLBACK, false, r_no_schema, NULL},
    {"reverted_without_its_applied_is_refused", G_ROLLBACK, false, r_before_applied, NULL},
    {"reverted_of_another_plan_is_refused", G_ROLLBACK, false, r_other_plan, NULL},
    {"reverted_with_unlisted_applied_is_refused", G_ROLLBACK, false, r_unlisted_applied, NULL},
    {"reverted_without_every_unit_is_refused", G_ROLLBACK, false, r_unit, NULL},
    {"revision_without_way_back_is_refused", G_ROLLBACK, false, r_no_down, NULL},
    {"revision_without_way_back_is_admitted_where_the_policy_says_so", G_ROLLBACK, true, r_admitted,
     NULL}, // id: G3
    {"what_comes_after_it_has_to_be_proved", G_ROLLBACK, true, r_one_way_then_proved, NULL},
    {"what_comes_after_it_and_is_not_proved_is_refused", G_ROLLBACK, false, r_one_way_then_missing,
     NULL},
    {"what_has_a_way_back_is_proved_all_the_same", G_ROLLBACK, false, r_admitted_but_not_needed,
     NULL},
    {"held_revision_without_way_back_does_not_matter", G_ROLLBACK, true, r_no_down_not_needed,
     NULL},
    // VERIFIED
    {"same_schema_before_opens", G_SIGNOFF, true, v_gate, NULL},
    {"other_schema_before_is_refused", G_SIGNOFF, false, v_schema, NULL}, // id: G18
    {"schema_of_retired_targets_counts_nothing", G_SIGNOFF, false, v_retired, NULL},
    {"unlisted_schema_counts_nothing", G_SIGNOFF, false, v_unlisted, NULL},
    {"schema_of_another_plan_counts_nothing", G_SIGNOFF, false, v_other_plan, NULL},
    {"schema_without_ready_is_refused", G_SIGNOFF, false, v_gate, v_no_ready},
    {"schema_of_another_engine_counts_nothing", G_SIGNOFF, false, v_gate, v_other_engine},
    {"stamp_needs_no_schema", G_SIGNOFF, true, v_schema, v_stamp},
    {"remedy_needs_no_schema", G_SIGNOFF, true, v_schema, v_remedy},
    {"same_schema_afterwards_opens", G_SIGNOFF, true, v_after, v_after_mine},
    {"other_schema_afterwards_is_refused", G_SIGNOFF, false, v_after, v_after_differs},
    {"without_own_applied_nothing_is_verified", G_SIGNOFF, false, v_after, NULL},
    // SIGNOFF
    {"signed_item_opens", G_SIGNOFF, true, NULL, NULL},
    {"lasting_item_opens", G_SIGNOFF, true, i_lasting, NULL},
    {"missing_item_is_refused", G_SIGNOFF, false, i_missing, NULL},
    {"other_item_is_refused", G_SIGNOFF, false, i_other_item, NULL},
    {"item_of_another_environment_is_refused", G_SIGNOFF, false, i_other_env, NULL},
    {"item_of_another_plan_is_refused", G_SIGNOFF, false, i_other_plan, NULL},
    {"cancel_is_no_item", G_SIGNOFF, false, i_kind, NULL},
    {"expired_item_is_refused", G_SIGNOFF, false, i_expired, NULL},
    {"item_of_the_future_is_refused", G_SIGNOFF, false, i_future, NULL},
    {"unlisted_item_is_refused", G_SIGNOFF, false, NULL, i_unlisted},   // id: G11
    {"unknown_gate_is_closed", G_SIGNOFF, false, NULL, i_unknown_gate}, // id: G14
};

static void
run_gate(void **state)
{
    const struct gate_case *row = *state;
    static struct world w;
    size_t n = 0;
    world_begin(&w);
    if (row->before) {
        row->before(&w);
    }
    world_sign(&w);
    struct dr_gate_result *results = evaluate(&w, row->input, &n);
    assert_int_equal(n, GATES);
    if (results[row->gate].is_open != row->is_open) {
        fail_msg("open: %d, missing: %s", results[row->gate].is_open, results[row->gate].missing);
    }
    assert_int_equal(results[row->gate].missing[0] == '\0', row->is_open);
    assert_true(row->is_open || results[row->gate].n_evidence == 0);
    world_end(&w);
}

static void
results_name_their_evidence(void **state)
{
    static struct world w;
    size_t n = 0;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    struct dr_gate_result *results = evaluate(&w, NULL, &n);
    assert_int_equal(results[G_STAGED].n_evidence, 4); // two APPLIED, two STATE
    assert_int_equal(results[G_ROLLBACK].n_evidence, 2);
    assert_memory_equal(results[G_SIGNOFF].evidence[0], w.item_sha, 32);
    assert_string_equal(results[G_STAGED].shown_by, "2 targets of staging");
    assert_string_equal(dr_gate_name(results[G_STAGED].gate), "staged");
    assert_string_equal(dr_gate_name(results[G_SIGNOFF].gate), "logs-reviewed");
    assert_true(results[G_MONITORED].is_after && !results[G_MONITORED].is_open);
    assert_string_equal(results[G_MONITORED].missing, "nobody signed off 'monitored'");
    world_end(&w);
}

// Twelve more targets of staging that have shown what the first one has.
static void
many_targets(struct world *w, struct dr_gate_input *in)
{
    enum { MORE = 12 };
    static struct dr_attestation list[2 * MORE];
    static Drover__V1__Attestation msg[2 * MORE];
    static Drover__V1__Target target[MORE];
    static Drover__V1__FleetEntry entry_msg[MORE];
    static struct dr_fleet_entry entry[MORE];
    static const size_t shown[2] = {E_APPLIED, E_STATE};
    for (size_t i = 0; i < MORE; i++) {
        const struct dr_fleet_entry *like = in->evidence[E_APPLIED].entry;
        target[i] = *like->msg->target;
        target[i].name = word(w, dr_arena_printf(w->arena, "staging/more-%zu", i));
        entry_msg[i] = *like->msg;
        entry_msg[i].target = &target[i];
        entry[i] = *like;
        entry[i].msg = &entry_msg[i];
        for (size_t k = 0; k < 2; k++) {
            size_t at = 2 * i + k;
            msg[at] = *in->evidence[shown[k]].msg;
            msg[at].target = target[i].name;
            list[at] = (struct dr_attestation){.msg = &msg[at], .entry = &entry[i]};
            memset(list[at].sha256, (int)at + 1, 32);
        }
    }
    in->evidence = list;
    in->n_evidence = 2 * MORE;
    in->approval = NULL;
}

static void
evidence_of_few_more_targets_than_needed_is_named(void **state)
{
    static struct world w;
    size_t n = 0;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    struct dr_gate_result *results = evaluate(&w, many_targets, &n);
    assert_true(results[G_STAGED].is_open);
    assert_string_equal(results[G_STAGED].shown_by, "12 targets of staging");
    assert_int_equal(results[G_STAGED].n_evidence, 2 * (2 + 8));
    world_end(&w);
}

static void
without_target_the_backup_gate_is_left_out(void **state)
{
    static struct world w;
    size_t n = 0;
    (void)state;
    world_begin(&w);
    v_after(&w);
    world_sign(&w);
    struct dr_gate_result *results = evaluate(&w, v_after_no_target, &n);
    assert_int_equal(n, GATES - 1);
    assert_int_equal(results[0].gate->kind, GATE(STAGED));
    world_end(&w);
}

// In views the backup comes from what the target attested.
static void
backup_is_found_in_the_evidence(void **state)
{
    static struct world w;
    struct dr_gate_result *results = NULL;
    struct dr_attestation *evidence;
    Drover__V1__Plan *plan;
    uint8_t sha256[3][32];
    ProtobufCBinaryData wires[4];
    size_t n = 0;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    w.record.size_bytes = 0;
    wires[0] =
        data_of(sign_attestation(&w, &w.backup_msg, &w.agent[PRD_ORDERS], PRD_ORDERS, sha256[0]));
    w.record.size_bytes = 5000000;
    wires[1] =
        data_of(sign_attestation(&w, &w.backup_msg, &w.agent[PRD_ORDERS], PRD_ORDERS, sha256[1]));
    w.backup_msg.target = w.target[PRD_BILLING].name;
    w.backup_msg.agent = w.target[PRD_BILLING].agent;
    wires[2] =
        data_of(sign_attestation(&w, &w.backup_msg, &w.agent[PRD_BILLING], PRD_BILLING, sha256[2]));
    wires[3] = wires[0];
    struct dr_gate_input in = {.policy = &w.own[1],
                               .chain = &w.chain,
                               .plan_sha256 = w.plan_sha,
                               .mode = MODE(UP),
                               .target = "production/orders",
                               .now = NOW};
    OK(&w, dr_plandoc_decode(w.arena, w.plan_bytes, NULL, &plan, &w.err));
    OK(&w, dr_gate_load_evidence(w.arena, &w.fleet, w.all, N, wires, 4, false, &evidence,
                                 &in.n_evidence, &w.err));
    assert_int_equal(in.n_evidence, 3); // the duplicate is dropped
    in.plan = plan;
    in.evidence = evidence;
    OK(&w, dr_gate_evaluate(w.arena, &in, &results, &n, &w.err));
    assert_true(results[G_BACKUP].is_open);
    assert_memory_equal(results[G_BACKUP].evidence[0], sha256[1], 32);
    in.target = "staging/orders";
    OK(&w, dr_gate_evaluate(w.arena, &in, &results, &n, &w.err));
    assert_false(results[G_BACKUP].is_open);
    world_end(&w);
}

static void
views_leave_out_what_does_not_verify(void **state)
{
    static struct world w;
    struct dr_attestation *evidence;
    struct dr_signoff *signoffs;
    size_t n = 0;
    (void)state; // id: G13
    world_begin(&w);
    world_sign(&w);
    w.bundle.evidence[0].len--;
    w.signoff_wire[1] = w.signoff_wire[0];
    w.signoff_wire[1].len--;
    OK(&w, dr_gate_load_evidence(w.arena, &w.fleet, w.all, N, w.bundle.evidence, EVIDENCE, true,
                                 &evidence, &n, &w.err));
    assert_int_equal(n, EVIDENCE - 1);
    REFUSED(DR_E_BAD_EVIDENCE, dr_gate_load_evidence(w.arena, &w.fleet, w.all, N, w.bundle.evidence,
                                                     EVIDENCE, false, &evidence, &n, &w.err));
    OK(&w, dr_gate_load_signoffs(w.arena, &w.root, "production", w.signoff_wire, 2, true, &signoffs,
                                 &n, &w.err));
    assert_int_equal(n, 1);
    REFUSED(DR_E_BAD_EVIDENCE, dr_gate_load_signoffs(w.arena, &w.root, "production", w.signoff_wire,
                                                     2, false, &signoffs, &n, &w.err));
    world_end(&w);
}

static void
unknown_head_in_ready_is_an_error(void **state)
{
    static struct world w;
    struct dr_gate_result *results = NULL;
    struct dr_attestation ready;
    Drover__V1__Plan *plan;
    bool *to_run;
    size_t n;
    (void)state;
    world_begin(&w);
    w.ready_msg.heads = &w.head_p[5];
    world_sign(&w);
    OK(&w, dr_plandoc_decode(w.arena, w.plan_bytes, NULL, &plan, &w.err));
    OK(&w, dr_attest_decode(w.arena, w.ready, true, &ready, &w.err));
    struct dr_gate_input in = {.policy = &w.own[1],
                               .chain = &w.chain,
                               .plan = plan,
                               .plan_sha256 = w.plan_sha,
                               .mode = MODE(UP),
                               .ready = ready.msg,
                               .now = NOW};
    REFUSED(DR_E_NOT_IN_CHAIN, dr_gate_evaluate(w.arena, &in, &results, &n, &w.err));
    OK(&w, dr_gate_to_run(w.arena, &w.chain, plan, MODE(DOWN), NULL, &to_run, &w.err));
    assert_true(to_run[0] && to_run[2]);
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_gate_result *results = NULL;
    struct dr_attestation ready, *evidence = NULL;
    struct dr_signoff *signoffs = NULL;
    Drover__V1__Plan *plan;
    size_t n;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    OK(&w, dr_plandoc_decode(w.arena, w.plan_bytes, NULL, &plan, &w.err));
    OK(&w, dr_attest_decode(w.arena, w.ready, true, &ready, &w.err));
    struct dr_attestation *all = NULL;
    size_t n_all = 0, n_without_room = 0;
    OK(&w, dr_gate_load_evidence(w.arena, &w.fleet, w.all, N, w.bundle.evidence,
                                 w.bundle.n_evidence, false, &all, &n_all, &w.err));
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        struct dr_gate_input in = {.policy = &w.own[1],
                                   .chain = &w.chain,
                                   .plan = plan,
                                   .plan_sha256 = w.plan_sha,
                                   .mode = MODE(UP),
                                   .ready = ready.msg,
                                   .target = "production/orders",
                                   .evidence = all,
                                   .n_evidence = n_all,
                                   .now = NOW};
        rc = dr_gate_evaluate(small, &in, &results, &n, &w.err);
        n_without_room += strcmp(w.err.message, "no room for the evidence of a gate") == 0;
        rc = rc == DR_OK ? dr_gate_load_evidence(small, &w.fleet, w.all, N, w.bundle.evidence, 1,
                                                 false, &evidence, &n, &w.err)
                         : rc;
        rc = rc == DR_OK ? dr_gate_load_signoffs(small, &w.root, "production", w.signoff_wire, 1,
                                                 false, &signoffs, &n, &w.err)
                         : rc;
        assert_true(rc == DR_OK || rc == DR_E_LIMIT || rc == DR_E_BAD_EVIDENCE);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    assert_true(n_without_room > 0);
    world_end(&w);
}

int
main(void)
{
    size_t n = DR_COUNT_OF(cases), extra = 0;
    static struct CMUnitTest tests[DR_COUNT_OF(cases) + 16];
    static struct gate_case rows[DR_COUNT_OF(cases)];
    for (size_t i = 0; i < n; i++) {
        rows[i] = cases[i];
        tests[i] = (struct CMUnitTest){rows[i].name, run_gate, NULL, NULL, &rows[i]};
    }
    const struct CMUnitTest more[] = {
        cmocka_unit_test(results_name_their_evidence),
        cmocka_unit_test(evidence_of_few_more_targets_than_needed_is_named),
        cmocka_unit_test(without_target_the_backup_gate_is_left_out),
        cmocka_unit_test(backup_is_found_in_the_evidence),
        cmocka_unit_test(views_leave_out_what_does_not_verify),
        cmocka_unit_test(unknown_head_in_ready_is_an_error),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    for (; extra < DR_COUNT_OF(more); extra++) {
        tests[n + extra] = more[extra];
    }
    return _cmocka_run_group_tests("trust/gate", tests, n + extra, NULL, NULL);
}
