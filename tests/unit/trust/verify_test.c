// Verify: every row of the agent's order of checks, each attack refused with its own code.
// size: one table of cases with the changes that its rows name
#include "unit/trust/world.h"

#include "trust/verify_rows.h"

#include <stdlib.h>

// ------------------------------------------------------------------- clock, root, fleet, me

static void
clock_is_back(struct world *w)
{
    w->trust.clock_high = NOW + DR_CLOCK_SKEW_S + 1;
}
static void
clock_is_a_little_back(struct world *w)
{
    w->trust.clock_high = NOW + DR_CLOCK_SKEW_S;
}
static void
root_is_expired(struct world *w)
{
    w->root_msg.expires = NOW;
}
static void
root_expires_in_a_second(struct world *w)
{
    w->root_msg.expires = NOW + 1;
}
static void
fleet_is_expired(struct world *w)
{
    w->fleet_msg.expires = NOW;
}
static void
fleet_is_missing(struct world *w)
{
    w->trust.fleet.msg = NULL;
}
// The root was rotated: other people hold the fleet role now, the fleet that is held was signed by
// the old ones.
static void
fleet_role_is_rotated(struct world *w)
{
    w->roles[1].threshold = 3;
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_ROOT, packed(w, &w->root_msg.base));
    OK(w, dr_root_first(w->arena, wire, NULL, &w->trust.root, &w->err));
}
static void
reviewers_are_rotated(struct world *w)
{
    w->roles[2].threshold = 3;
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_ROOT, packed(w, &w->root_msg.base));
    OK(w, dr_root_first(w->arena, wire, NULL, &w->trust.root, &w->err));
}
static void
target_is_removed(struct world *w)
{
    w->trust.entries = &w->own[1];
    w->trust.n_entries = 1;
}
static void
policy_is_removed(struct world *w)
{
    w->trust.n_entries = 1;
}
static void
fleet_is_empty(struct world *w)
{
    w->trust.n_entries = 0;
}
static void
target_is_retired(struct world *w)
{
    w->target[PRD_ORDERS].state = DROVER__V1__TARGET_STATE__RETIRED;
}
static void
my_key_is_another(struct world *w)
{
    w->me.signing_key[0] ^= 1;
}
static void
my_agent_is_another(struct world *w)
{
    w->me.agent = "prd-1";
}
static void
my_engine_is_another(struct world *w)
{
    w->me.engine = DROVER__V1__ENGINE__SQLITE;
}
// The fleet moved my target: my entry says staging, my configuration says production.
static void
my_environment_is_another(struct world *w)
{
    w->own[0] = w->all[2];
    w->me.target = "staging/orders";
    w->me.agent = "stg-1";
    memcpy(w->me.signing_key, w->agent[STG_ORDERS].public_key, 32);
}
static void
chain_is_missing(struct world *w)
{
    w->trust.chain.msg = NULL;
}

// ------------------------------------------------------------------------- sizes, approval

static void
bundle_is_too_long(struct world *w)
{
    size_t len = DR_BUNDLE_MAX;
    uint8_t *bytes = dr_arena_alloc(w->arena, len);
    w->bundle.approval = dr_data(bytes, len);
}
static void
too_many_envelopes(struct world *w)
{
    w->bundle.evidence = dr_arena_array(w->arena, 257, sizeof(ProtobufCBinaryData));
    w->bundle.n_evidence = 257;
}
static void
too_many_entries(struct world *w)
{
    Drover__V1__ProvenEntry **many = dr_arena_array(w->arena, 257, sizeof(*many));
    for (size_t i = 0; i < 257; i++) {
        many[i] = w->evidence_entry[0];
    }
    w->bundle.evidence_entries = many;
    w->bundle.n_evidence_entries = 257;
}
static void
leaf_is_missing(struct world *w)
{
    w->bundle.leaf = NULL;
}
static void
approval_is_missing(struct world *w)
{
    w->bundle.approval.len = 0;
}
static void
only_bob_approved(struct world *w)
{
    w->approved_by[ALICE] = false;
}
static void
nobody_approved(struct world *w)
{
    w->approved_by[ALICE] = w->approved_by[BOB] = false;
}
static void
alice_approved_with_two_keys(struct world *w)
{
    w->keys[PEOPLE] = w->keys[ALICE];
    w->keys[PEOPLE].public_key = DATA32(w->alice2.public_key);
    static Drover__V1__PersonKey *both[2];
    both[0] = &w->keys[ALICE];
    both[1] = &w->keys[PEOPLE];
    w->people[ALICE].keys = both;
    w->people[ALICE].n_keys = 2;
    w->approved_by[BOB] = false;
    w->approved_by[3] = true;
}
static void
bob_and_a_stranger_approved(struct world *w)
{
    only_bob_approved(w);
    w->approved_by[4] = true;
}
static void
bob_carol_and_a_stranger_approved(struct world *w)
{
    bob_and_a_stranger_approved(w);
    w->approved_by[CAROL] = true;
}
static void
alice_is_no_approver_of_production(struct world *w)
{
    static uint32_t two[] = {BOB, CAROL};
    w->roles[3 + PRODUCTION].people = two;
    w->roles[3 + PRODUCTION].n_people = 2;
}
static void
nobody_approves_production(struct world *w)
{
    w->root_msg.approvers = &w->env_roles_p[STAGING];
    w->root_msg.n_approvers = 1;
}
static void
resign_approval(struct world *w, Drover__V1__Approval *msg)
{
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_APPROVAL, packed(w, &msg->base));
    w->bundle.approval = data_of(wire);
}
static Drover__V1__Approval *
decoded_approval(struct world *w)
{
    struct dr_approval approval;
    Drover__V1__Approval *copy = dr_arena_alloc(w->arena, sizeof(*copy));
    OK(w, dr_approval_decode(w->arena, w->approval_wire, &approval, &w->err));
    *copy = *approval.msg;
    return copy;
}
static void
approval_is_for_staging(struct world *w)
{
    Drover__V1__Approval *msg = decoded_approval(w);
    msg->environment = word(w, "staging");
    resign_approval(w, msg);
}
static void
approval_is_of_another_cluster(struct world *w)
{
    static const uint8_t other[16] = "another cluster";
    Drover__V1__Approval *msg = decoded_approval(w);
    msg->cluster_id = dr_data(other, 16);
    resign_approval(w, msg);
}
static void
approval_is_not_strict(struct world *w)
{
    struct dr_bytes payload = payload_of(w, w->approval_wire);
    uint8_t *longer = dr_arena_alloc(w->arena, payload.len + 2);
    memcpy(longer, payload.data, payload.len);
    longer[payload.len] = 0x78; // field 15, varint: unknown
    longer[payload.len + 1] = 1;
    struct dr_bytes wire =
        sign_by_two(w, DR_TYPE_APPROVAL, (struct dr_bytes){longer, payload.len + 2});
    w->bundle.approval = data_of(wire);
}
static void
approval_is_offered_as_fleet(struct world *w)
{
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_FLEET, payload_of(w, w->approval_wire));
    w->bundle.approval = data_of(wire);
}
static void
approval_has_one_bit_changed(struct world *w)
{
    uint8_t *copy = dr_arena_copy(w->arena, w->approval_wire.data, w->approval_wire.len);
    copy[80] ^= 1;
    w->bundle.approval.data = copy;
}
static void
approval_is_expired(struct world *w)
{
    w->request.header.expires = NOW;
    w->request.header.not_before = NOW - 600;
}
static void
approval_expires_in_a_second(struct world *w)
{
    w->request.header.expires = NOW + 1;
}
static void
approval_begins_in_299_s(struct world *w)
{
    w->request.header.not_before = NOW + 299;
}
static void
approval_begins_in_301_s(struct world *w)
{
    w->request.header.not_before = NOW + 301;
}
static void
approval_lasts_as_long_as_allowed(struct world *w)
{
    w->request.header.expires = w->request.header.not_before + 14400;
}
static void
approval_lasts_too_long(struct world *w)
{
    w->request.header.expires = w->request.header.not_before + 14401;
}
static void
policy_gives_no_longest_lifetime(struct world *w)
{
    w->environment[PRODUCTION].approval_max_s = 0;
    approval_lasts_too_long(w);
}

// ---------------------------------------------------------------------- leaf, policy, READY

static void
leaf_is_of_the_other_target(struct world *w)
{
    w->bundle.leaf = w->canary_leaf[0];
}
static void
leaf_is_changed(struct world *w)
{
    uint8_t *copy = dr_arena_copy(w->arena, w->bundle.leaf->leaf.data, w->bundle.leaf->leaf.len);
    copy[w->bundle.leaf->leaf.len - 1] ^= 1;
    w->bundle.leaf->leaf.data = copy;
}
static void
leaf_path_is_too_long(struct world *w)
{
    w->bundle.leaf->n_path = DR_MERKLE_PATH_MAX + 1;
    ProtobufCBinaryData *path = dr_arena_array(w->arena, DR_MERKLE_PATH_MAX + 1, sizeof(*path));
    w->bundle.leaf->path = path;
}
static void
leaf_path_has_a_short_hash(struct world *w)
{
    w->bundle.leaf->path[0].len = 31;
}
static uint8_t other_digest[32] = {9};
static void
policy_digest_is_another(struct world *w)
{
    w->request.header.policy_sha256 = DATA32(other_digest);
}
static void
entry_digest_is_another(struct world *w)
{
    memcpy(w->approval_target[1].entry_sha256, other_digest, 32);
}
static void
no_ready_is_open(struct world *w)
{
    w->input.ready.len = 0;
}
static void
ready_was_superseded(struct world *w)
{
    uint8_t sha256[32];
    w->input.ready = payload_of(
        w, sign_attestation(w, &w->ready_msg, &w->agent[PRD_ORDERS], PRD_ORDERS, sha256));
}
static void
ready_digest_is_another(struct world *w)
{
    memcpy(w->approval_target[1].ready_sha256, other_digest, 32);
}
static void
ready_is_a_backup(struct world *w)
{
    w->ready_msg.kind = ATT(BACKUP);
    w->ready_msg.backup = &w->record;
}
static void
ready_is_of_another_target(struct world *w)
{
    w->ready_msg.target = w->target[PRD_BILLING].name;
}
static void
ready_has_no_plain_form(struct world *w)
{
    static uint8_t garbage[] = "garbage";
    w->input.ready = (struct dr_bytes){garbage, sizeof(garbage)};
    struct dr_approval_target *mine = &w->approval_target[1];
    dr_sha256(w->input.ready, mine->ready_sha256);
    sign_approval(w);
    OK(w, dr_proven_make(w->arena, &w->approval_tree, w->approval_leaves[1], 1, &w->bundle.leaf,
                         &w->err));
    w->bundle.approval = data_of(w->approval_wire);
}
static void
ready_is_regressed(struct world *w)
{
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_REGRESSED;
}
static void
ready_is_foreign_and_acknowledged(struct world *w)
{
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_FOREIGN;
    w->approval_target[1].acknowledged_flags = DROVER__V1__READY_FLAG__FLAG_FOREIGN;
}
static void
ready_is_foreign_and_drift_is_acknowledged(struct world *w)
{
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_FOREIGN;
    w->approval_target[1].acknowledged_flags = DROVER__V1__READY_FLAG__FLAG_DRIFT;
}
static void
ready_has_drift_acknowledged(struct world *w)
{
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_DRIFT;
    w->approval_target[1].acknowledged_flags = DROVER__V1__READY_FLAG__FLAG_DRIFT;
}
static void
policy_refuses_drift(struct world *w)
{
    ready_has_drift_acknowledged(w);
    w->environment[PRODUCTION].refuse_drift = true;
}

// ------------------------------------------------------------------------------ mode, plan

static void
policy_asks_for_prove(struct world *w)
{
    w->environment[PRODUCTION].prove = true;
}
static void
up_where_nothing_goes_back(struct world *w)
{
    policy_asks_for_prove(w);
    w->rev[2].no_down = true;
    w->gate[G_ROLLBACK].one_way = true;
}
static void
prove_where_nothing_goes_back(struct world *w)
{
    up_where_nothing_goes_back(w);
    w->request.header.mode = MODE(PROVE);
}
static void
approval_says_prove(struct world *w)
{
    w->request.header.mode = MODE(PROVE);
}
static void
prove_where_asked(struct world *w)
{
    policy_asks_for_prove(w);
    approval_says_prove(w);
}
static void
plan_has_one_bit_changed(struct world *w)
{
    uint8_t *copy = dr_arena_copy(w->arena, w->plan_bytes.data, w->plan_bytes.len);
    copy[w->plan_bytes.len - 1] ^= 1;
    w->input.plan.data = copy;
}
static void
plan_is_missing(struct world *w)
{
    w->input.plan.len = 0;
}
static void
plan_is_for_sqlite(struct world *w)
{
    w->plan_msg.engine = DROVER__V1__ENGINE__SQLITE;
}
static void
plan_is_of_another_project(struct world *w)
{
    w->plan_msg.project = word(w, "warehouse");
}
static void
remedy_is_unknown(struct world *w)
{
    w->request.header.mode = MODE(REMEDY);
    w->request.header.remedy = word(w, "clean-ids");
}
static void
remedy_is_in_the_plan(struct world *w)
{
    remedy_is_unknown(w);
    w->unit[1][1].kind = DROVER__V1__UNIT_KIND__UNIT_REMEDY;
    w->unit[1][1].name = word(w, "clean-ids");
}
static void
remedy_is_there_twice(struct world *w)
{
    remedy_is_in_the_plan(w);
    w->unit[2][1].kind = DROVER__V1__UNIT_KIND__UNIT_REMEDY;
    w->unit[2][1].name = word(w, "clean-ids");
}
static void
revision_is_not_in_chain(struct world *w)
{
    w->chain_msg.n_entries = 2;
    w->evidence_msg[E_CANARY].n_heads = 0;
}
static void
revision_has_another_id(struct world *w)
{
    w->rev[1].id = word(w, "002_other");
}
static void
revision_has_another_parent(struct world *w)
{
    static ProtobufCBinaryData parent;
    parent = DATA32(w->rev_digest[0]);
    w->rev[2].parents = &parent;
}
static void
revision_has_no_parent(struct world *w)
{
    w->rev[2].n_parents = 0;
}
static void
ready_head_is_unknown(struct world *w)
{
    w->head[0].digest = DATA32(other_digest);
}
static void
withdraw(struct world *w, size_t revision)
{
    size_t at = w->chain_msg.n_entries++;
    w->chain_entry[at] = w->chain_entry[revision];
    w->chain_entry[at].action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
    w->chain_entry[at].n_parents = 0;
    w->chain_entry[at].author = word(w, "");
    w->chain_entry[at].reason = word(w, "it locks too long");
}
static void
planned_revision_is_withdrawn(struct world *w)
{
    withdraw(w, 2);
}
static void
held_revision_is_withdrawn(struct world *w)
{
    withdraw(w, 0);
    w->plan_msg.revisions = &w->rev_p[1];
    w->plan_msg.n_revisions = 2;
}
static void
plan_skips_a_revision(struct world *w)
{
    w->plan_msg.revisions = &w->rev_p[2];
    w->plan_msg.n_revisions = 1;
}
static void
plan_begins_after_my_heads(struct world *w)
{
    w->plan_msg.revisions = &w->rev_p[1];
    w->plan_msg.n_revisions = 2;
}
// DOWN: everything is applied; take the last two away.
static void
down_of_the_last_two(struct world *w)
{
    w->request.header.mode = MODE(DOWN);
    w->plan_msg.revisions = &w->rev_p[1];
    w->plan_msg.n_revisions = 2;
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
    w->gate[G_STAGED].min_targets = 1;
    w->evidence_msg[E_CANARY].kind = ATT(REVERTED);
}
static void
down_of_a_withdrawn_revision(struct world *w)
{
    down_of_the_last_two(w);
    withdraw(w, 2);
}
static void
down_of_the_middle(struct world *w)
{
    down_of_the_last_two(w);
    w->plan_msg.n_revisions = 1;
}
static void
down_without_proof(struct world *w)
{
    down_of_the_last_two(w);
    w->gate[G_STAGED].min_targets = 2;
}
static void
down_with_canary_applied(struct world *w)
{
    down_of_the_last_two(w);
    w->evidence_msg[E_CANARY].kind = ATT(APPLIED);
}
// The newest of the plan is not there: only the older one is taken away.
static void
down_of_what_is_there(struct world *w)
{
    down_of_the_last_two(w);
    w->ready_msg.heads = w->record.heads = &w->head_p[1];
}
// Recorded, not run: what staging has shown stands for it.
static void
stamp_of_what_staging_shows(struct world *w)
{
    w->request.header.mode = MODE(STAMP);
    w->ready_msg.fingerprint = w->record.fingerprint = DATA32(w->fp_after);
}
static void
stamp_of_another_schema(struct world *w)
{
    w->request.header.mode = MODE(STAMP);
}
static void
stamp_without_a_fingerprint(struct world *w)
{
    stamp_of_what_staging_shows(w);
    w->ready_msg.fingerprint.len = 0;
}
static void
stamp_by_evidence_that_is_not_listed(struct world *w)
{
    stamp_of_what_staging_shows(w);
    for (size_t i = 0; i < E_CANARY; i++) {
        w->evidence_left_out[i] = true;
    }
    w->evidence_msg[E_CANARY].mode = MODE(STAMP);
}
static void
stamp_of_a_stamp(struct world *w)
{
    stamp_of_what_staging_shows(w);
    for (size_t i = 0; i < EVIDENCE; i++) {
        w->evidence_msg[i].mode = MODE(STAMP);
    }
}
static void
stamp_of_a_rehearsal(struct world *w)
{
    stamp_of_a_stamp(w);
    w->evidence_msg[E_APPLIED].kind = ATT(REHEARSED);
}
static void
stamp_of_fewer_revisions(struct world *w)
{
    stamp_of_what_staging_shows(w);
    w->plan_msg.n_revisions = 2;
}
static void
stamp_by_evidence_of_another_chain(struct world *w)
{
    stamp_of_what_staging_shows(w);
    for (size_t i = 0; i < EVIDENCE; i++) {
        w->evidence_msg[i].heads = &w->head_p[5];
    }
}
static void
stamp_with_a_named_difference(struct world *w)
{
    stamp_of_another_schema(w);
    w->ready_msg.difference_sha256 = DATA32(w->nonce);
    w->approval_target[1].acknowledged_flags = DROVER__V1__READY_FLAG__FLAG_DIFFERENCE;
}
static void
stamp_with_a_difference_that_nobody_accepted(struct world *w)
{
    stamp_with_a_named_difference(w);
    w->approval_target[1].acknowledged_flags = 0;
}
static void
stamp_with_a_difference_that_is_not_named(struct world *w)
{
    stamp_with_a_named_difference(w);
    w->ready_msg.difference_sha256.len = 0;
}
static void
unstamp_of_everything(struct world *w)
{
    w->request.header.mode = MODE(UNSTAMP);
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
    w->evidence_msg[E_CANARY].kind = ATT(REVERTED);
    withdraw(w, 2);
}
static void
unstamp_with_a_canary_that_went_up(struct world *w)
{
    unstamp_of_everything(w);
    w->evidence_msg[E_CANARY].kind = ATT(APPLIED);
}
// 001 is there, 002 is half done: both are taken away.
static void
down_of_a_half_done_revision(struct world *w)
{
    down_of_the_last_two(w);
    w->plan_msg.revisions = w->rev_p;
    w->ready_msg.heads = w->record.heads = &w->head_p[0];
    w->ready_msg.flags = DROVER__V1__READY_FLAG__FLAG_PARTIAL;
    w->ready_msg.units = &w->proof_up_p[1];
    w->ready_msg.n_units = 1;
    w->approval_target[1].acknowledged_flags = DROVER__V1__READY_FLAG__FLAG_PARTIAL;
}
// Nobody has shown how 002 is taken away.
static void
down_of_a_half_done_revision_without_proof(struct world *w)
{
    down_of_a_half_done_revision(w);
    w->proof_down[1].unit_digest = DATA32(w->nonce);
}
static void
author_may_not_approve(struct world *w)
{
    w->environment[PRODUCTION].author_may_not_approve = true;
}
static void
author_is_alice(struct world *w)
{
    author_may_not_approve(w);
    w->chain_entry[1].author = word(w, "alice");
}
static void
author_of_what_i_hold_is_alice(struct world *w)
{
    author_may_not_approve(w);
    w->chain_entry[0].author = word(w, "alice");
}
static void
author_is_alice_and_carol_signed_too(struct world *w)
{
    author_may_not_approve(w);
    w->chain_entry[1].author = word(w, "alice");
    w->chain_entry[2].author = word(w, "alice");
    w->approved_by[CAROL] = true;
}
static void
author_is_unknown(struct world *w)
{
    author_may_not_approve(w);
    w->chain_entry[1].author = word(w, "");
}

// ------------------------------------------------------------------------ evidence, stops

static void
evidence_is_cut(struct world *w)
{
    w->bundle.evidence[0].len--;
}
static void
evidence_entry_is_forged(struct world *w)
{
    w->evidence_entry[0]->index ^= 1;
}
static void
evidence_has_no_entry(struct world *w)
{
    w->bundle.n_evidence_entries = 0;
}
static void
signoff_is_cut(struct world *w)
{
    w->signoff_wire[0].len--;
}
static void
add_stop(struct world *w, Drover__V1__SignoffKind kind, const char *environment, int64_t time)
{
    uint8_t sha256[32];
    make_stop(w, kind, environment, time, NULL, 1, &w->stop_wire[0], sha256);
    w->input.n_stops = 1;
}
static void
veto_is_remembered(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__VETO, "production", NOW - 1000);
}
static void
veto_is_in_the_bundle(struct world *w)
{
    uint8_t sha256[32];
    make_stop(w, DROVER__V1__SIGNOFF_KIND__VETO, "production", NOW - 10, NULL, 1,
              &w->signoff_wire[1], sha256);
    w->bundle.n_signoffs = 2;
}
static void
veto_is_for_staging(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__VETO, "staging", NOW - 10);
}
static void
veto_is_of_a_stranger(struct world *w)
{
    uint8_t sha256[32];
    make_stop(w, DROVER__V1__SIGNOFF_KIND__VETO, "production", NOW, NULL, 0, &w->stop_wire[0],
              sha256);
    w->input.n_stops = 1;
}
static void
cancelled_after_approval(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__CANCEL, "production", NOW - 10);
}
static void
cancelled_before_approval(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__CANCEL, "production", NOW - 250 - DR_CLOCK_SKEW_S - 1);
}
static void
cancelled_by_a_clock_that_is_behind(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__CANCEL, "production", NOW - 250 - DR_CLOCK_SKEW_S);
}
static void
freeze_was_lifted_for_a_time(struct world *w)
{
    uint8_t freeze[32], sha256[32];
    make_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "production", NOW - DAY, NULL, 1,
              &w->stop_wire[0], freeze);
    w->item_msg.expires = NOW - 10;
    make_stop(w, DROVER__V1__SIGNOFF_KIND__LIFT, "production", NOW - 100, freeze, 2,
              &w->stop_wire[1], sha256);
    w->item_msg.expires = 0;
    w->input.n_stops = 2;
}
static void
frozen(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "production", NOW - DAY);
}
static void
everything_is_frozen(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "", NOW - DAY);
}
static void
staging_is_frozen(struct world *w)
{
    add_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "staging", NOW - DAY);
}
static void
lift(struct world *w, size_t n_people, const char *environment)
{
    uint8_t freeze[32], sha256[32];
    make_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "production", NOW - DAY, NULL, 1,
              &w->stop_wire[0], freeze);
    make_stop(w, DROVER__V1__SIGNOFF_KIND__LIFT, environment, NOW - 100, freeze, n_people,
              &w->stop_wire[1], sha256);
    w->input.n_stops = 2;
}
static void
freeze_is_lifted(struct world *w)
{
    lift(w, 2, "production");
}
static void
freeze_is_lifted_by_one(struct world *w)
{
    lift(w, 1, "production");
}
static void
freeze_is_lifted_elsewhere(struct world *w)
{
    lift(w, 2, "staging");
}
static void
another_freeze_is_lifted(struct world *w)
{
    uint8_t sha256[32];
    frozen(w);
    make_stop(w, DROVER__V1__SIGNOFF_KIND__LIFT, "production", NOW - 100, other_digest, 2,
              &w->stop_wire[1], sha256);
    w->input.n_stops = 2;
}

// ------------------------------------------------------------------------- gates, canaries

static void
no_backup(struct world *w)
{
    w->input.backup.len = 0;
}
static void
backup_is_garbage(struct world *w)
{
    w->input.backup.len--;
}
static void
signoff_is_missing(struct world *w)
{
    w->item_left_out = true;
}
static void
staging_is_missing(struct world *w)
{
    w->evidence_left_out[E_STOCK] = true;
}
static void
after_gate_alone_is_missing(struct world *w)
{
    w->gate[G_MONITORED].item = word(w, "never signed");
}
static void
canary_is_missing(struct world *w)
{
    w->evidence_left_out[E_CANARY] = true;
}
static void
canary_failed(struct world *w)
{
    w->evidence_msg[E_CANARY].kind = ATT(FAILED);
    w->evidence_msg[E_CANARY].code = word(w, "engine-failed");
}
static void
canary_names_another_approval(struct world *w)
{
    w->evidence_msg[E_CANARY].approval_sha256 = DATA32(other_digest);
}
static void
canary_entry_changed(struct world *w)
{
    memcpy(w->approval_target[0].entry_sha256, other_digest, 32);
}
// A later FAILED of the canary is brought beside its APPLIED.
static void
canary_failed_later(struct world *w)
{
    Drover__V1__Attestation failed = w->evidence_msg[E_CANARY];
    uint8_t sha256[32];
    failed.kind = ATT(FAILED);
    failed.code = word(w, "verify-failed");
    struct dr_bytes wire =
        sign_attestation(w, &failed, &w->agent[PRD_BILLING], PRD_BILLING, sha256);
    ProtobufCBinaryData *more = dr_arena_array(w->arena, EVIDENCE + 1, sizeof(*more));
    memcpy(more, w->bundle.evidence, EVIDENCE * sizeof(*more));
    more[EVIDENCE] = data_of(wire);
    w->bundle.evidence = more;
    w->bundle.n_evidence = EVIDENCE + 1;
}
static void
canary_leaf_is_missing(struct world *w)
{
    w->bundle.n_canaries = 0;
}
static void
canary_leaf_is_mine(struct world *w)
{
    w->canary_leaf[0] = w->bundle.leaf;
}
static void
canary_leaf_is_forged(struct world *w)
{
    w->canary_leaf[0]->path[0] = DATA32(other_digest);
}
static void
wave_one_is_too_small(struct world *w)
{
    w->environment[PRODUCTION].canary_targets = 2;
}
static void
all_in_one_wave(struct world *w)
{
    w->environment[PRODUCTION].canary_targets = 2;
    w->approval_target[1].wave = 1;
    w->evidence_left_out[E_CANARY] = true;
}

static const struct world_case cases[] = {
    {"approval_over_the_open_ready_is_accepted", DR_OK, NULL, NULL}, // id: P01 G01
    // clock
    {"clock_before_what_was_seen_is_refused", DR_E_CLOCK_BACK, NULL, clock_is_back}, // id: K04
    {"clock_within_the_skew_is_accepted", DR_OK, NULL, clock_is_a_little_back},
    // root, fleet, me
    {"expired_root_is_refused", DR_E_FREEZE_ROOT, root_is_expired, NULL}, // id: R22 K01
    {"root_in_its_last_second_is_accepted", DR_OK, root_expires_in_a_second, NULL},
    {"expired_fleet_is_refused", DR_E_FREEZE_FLEET, fleet_is_expired, NULL}, // id: F16
    {"missing_fleet_is_refused", DR_E_NOT_IN_FLEET, NULL, fleet_is_missing},
    {"fleet_is_verified_again_under_the_new_root", DR_E_QUORUM, NULL,
     fleet_role_is_rotated}, // id: F11
    {"chain_is_verified_again_under_the_new_root", DR_E_QUORUM, NULL, reviewers_are_rotated},
    {"removed_target_is_refused", DR_E_NOT_IN_FLEET, NULL, target_is_removed}, // id: F08
    {"missing_policy_is_refused", DR_E_NOT_IN_FLEET, NULL, policy_is_removed},
    {"empty_fleet_means_nothing", DR_E_NOT_IN_FLEET, NULL, fleet_is_empty},     // id: F15
    {"retired_target_is_refused", DR_E_RETIRED, target_is_retired, NULL},       // id: F09
    {"replaced_agent_key_is_refused", DR_E_WRONG_KEY, NULL, my_key_is_another}, // id: F13
    {"another_agents_target_is_refused", DR_E_WRONG_KEY, NULL, my_agent_is_another},
    {"target_moved_to_another_environment_is_refused", DR_E_WRONG_ENVIRONMENT, NULL,
     my_environment_is_another}, // id: F14
    {"another_engine_is_refused", DR_E_WRONG_ENGINE, NULL, my_engine_is_another},
    {"missing_chain_is_refused", DR_E_NOT_IN_CHAIN, NULL, chain_is_missing},
    // sizes
    {"bundle_over_4_mib_is_refused", DR_E_BUNDLE_SIZE, NULL, bundle_is_too_long}, // id: P23
    {"bundle_of_257_envelopes_is_refused", DR_E_BUNDLE_SIZE, NULL, too_many_envelopes},
    {"bundle_of_257_entries_is_refused", DR_E_BUNDLE_SIZE, NULL, too_many_entries},
    {"bundle_without_leaf_is_refused", DR_E_BUNDLE_SIZE, NULL, leaf_is_missing}, // id: F15
    {"bundle_without_approval_is_refused", DR_E_BUNDLE_SIZE, NULL, approval_is_missing},
    // quorum
    {"one_signature_of_two_is_refused", DR_E_QUORUM, only_bob_approved, NULL}, // id: Q01
    {"unsigned_approval_is_refused", DR_E_QUORUM, nobody_approved, NULL},      // id: P02 E05
    {"one_person_with_two_keys_counts_once", DR_E_QUORUM, alice_approved_with_two_keys,
     NULL}, // id: Q06
    {"a_strangers_signature_counts_nothing", DR_E_QUORUM, bob_and_a_stranger_approved,
     NULL}, // id: Q13
    {"a_strangers_signature_does_no_harm", DR_OK, bob_carol_and_a_stranger_approved,
     NULL}, // id: Q07
    {"a_person_of_another_role_counts_nothing", DR_E_QUORUM, alice_is_no_approver_of_production,
     NULL}, // id: Q08
    {"environment_without_approvers_is_refused", DR_E_QUORUM, nobody_approves_production, NULL},
    {"staging_approval_is_refused_in_production", DR_E_WRONG_ENVIRONMENT, NULL,
     approval_is_for_staging}, // id: Q14
    {"approval_of_another_cluster_is_refused", DR_E_FOREIGN_CLUSTER, NULL,
     approval_is_of_another_cluster}, // id: E08
    {"approval_with_unknown_field_is_refused", DR_E_BAD_DOCUMENT, NULL,
     approval_is_not_strict}, // id: Z06
    {"approval_bytes_under_another_type_are_refused", DR_E_WRONG_TYPE, NULL,
     approval_is_offered_as_fleet}, // id: E07
    {"approval_with_a_flipped_bit_is_refused", DR_E_QUORUM, NULL,
     approval_has_one_bit_changed}, // id: E02
    // lifetime
    {"expired_approval_is_refused", DR_E_EXPIRED, approval_is_expired, NULL}, // id: K01
    {"approval_in_its_last_second_is_accepted", DR_OK, approval_expires_in_a_second, NULL},
    {"approval_within_the_skew_is_accepted", DR_OK, approval_begins_in_299_s, NULL},     // id: K02
    {"approval_of_the_future_is_refused", DR_E_NOT_YET, approval_begins_in_301_s, NULL}, // id: K02
    {"approval_as_long_as_allowed_is_accepted", DR_OK, approval_lasts_as_long_as_allowed, NULL},
    {"too_long_approval_is_refused", DR_E_APPROVAL_TOO_LONG, approval_lasts_too_long,
     NULL}, // id: P22
    {"lifetime_is_four_hours_when_the_policy_is_silent", DR_E_APPROVAL_TOO_LONG,
     policy_gives_no_longest_lifetime, NULL},
    // leaf, policy
    {"another_targets_leaf_is_refused", DR_E_WRONG_TARGET, NULL,
     leaf_is_of_the_other_target}, // id: P11
    {"changed_leaf_is_refused", DR_E_BAD_PROOF, NULL, leaf_is_changed},
    {"endless_path_is_refused", DR_E_BAD_PROOF, NULL, leaf_path_is_too_long},
    {"path_with_a_short_hash_is_refused", DR_E_BAD_PROOF, NULL, leaf_path_has_a_short_hash},
    {"approval_under_another_policy_is_refused", DR_E_WRONG_POLICY, policy_digest_is_another,
     NULL}, // id: F12
    {"approval_over_another_entry_is_refused", DR_E_WRONG_POLICY, entry_digest_is_another,
     NULL}, // id: F12
    // READY
    {"without_open_ready_every_approval_is_dead", DR_E_NO_READY, NULL,
     no_ready_is_open}, // id: P03 P05 P14
    {"superseded_ready_kills_the_approval", DR_E_WRONG_READY, NULL,
     ready_was_superseded}, // id: P13
    {"approval_of_another_ready_is_refused", DR_E_WRONG_READY, ready_digest_is_another,
     NULL}, // id: P06
    {"a_backup_is_no_ready", DR_E_WRONG_READY, ready_is_a_backup, NULL},
    {"ready_of_another_target_is_refused", DR_E_WRONG_READY, ready_is_of_another_target, NULL},
    {"ready_that_does_not_decode_is_refused", DR_E_BAD_DOCUMENT, NULL, ready_has_no_plain_form},
    {"flag_that_nobody_acknowledged_is_refused", DR_E_NOT_ACKNOWLEDGED, ready_is_regressed,
     NULL}, // id: P21 P07
    {"acknowledged_flag_is_accepted", DR_OK, ready_is_foreign_and_acknowledged, NULL}, // id: P21
    {"another_flag_acknowledged_is_refused", DR_E_NOT_ACKNOWLEDGED,
     ready_is_foreign_and_drift_is_acknowledged, NULL}, // id: P21
    {"acknowledged_drift_is_accepted", DR_OK, ready_has_drift_acknowledged, NULL},
    {"drift_is_refused_where_the_policy_says_so", DR_E_DRIFT_REFUSED, policy_refuses_drift, NULL},
    // mode, plan
    {"up_is_refused_where_prove_is_asked", DR_E_WRONG_MODE, policy_asks_for_prove, NULL},
    {"prove_is_refused_where_it_is_not_asked", DR_E_WRONG_MODE, approval_says_prove, NULL},
    {"prove_is_accepted_where_asked", DR_OK, prove_where_asked, NULL},
    {"up_is_accepted_where_nothing_could_be_proved", DR_OK, up_where_nothing_goes_back, NULL},
    {"prove_is_refused_where_nothing_goes_back", DR_E_WRONG_MODE, prove_where_nothing_goes_back,
     NULL},
    {"plan_with_a_flipped_bit_is_refused", DR_E_PLAN_DIGEST, NULL,
     plan_has_one_bit_changed}, // id: P08
    {"missing_plan_is_refused", DR_E_PLAN_DIGEST, NULL, plan_is_missing},
    {"plan_for_another_engine_is_refused", DR_E_WRONG_ENGINE, plan_is_for_sqlite, NULL},
    {"plan_of_another_project_is_refused", DR_E_NOT_IN_CHAIN, plan_is_of_another_project, NULL},
    {"unknown_remedy_is_refused", DR_E_WRONG_MODE, remedy_is_unknown, NULL},
    {"remedy_of_the_plan_is_accepted", DR_OK, remedy_is_in_the_plan, NULL},
    {"ambiguous_remedy_is_refused", DR_E_WRONG_MODE, remedy_is_there_twice, NULL},
    {"revision_outside_of_the_chain_is_refused", DR_E_NOT_IN_CHAIN, revision_is_not_in_chain, NULL},
    {"revision_with_another_id_is_refused", DR_E_NOT_IN_CHAIN, revision_has_another_id, NULL},
    {"revision_with_another_parent_is_refused", DR_E_NOT_IN_CHAIN, revision_has_another_parent,
     NULL}, // id: P17
    {"revision_without_its_parent_is_refused", DR_E_NOT_IN_CHAIN, revision_has_no_parent, NULL},
    {"ready_with_unknown_head_is_refused", DR_E_NOT_IN_CHAIN, ready_head_is_unknown, NULL},
    {"withdrawn_revision_is_refused_for_up", DR_E_WITHDRAWN, planned_revision_is_withdrawn, NULL},
    {"target_that_holds_a_withdrawn_revision_goes_down_first", DR_E_WITHDRAWN,
     held_revision_is_withdrawn, NULL},
    {"withdrawn_revision_is_accepted_for_down", DR_OK, down_of_a_withdrawn_revision, NULL},
    {"plan_with_a_hole_is_refused", DR_E_PLAN_NOT_CONTIGUOUS, plan_skips_a_revision,
     NULL}, // id: P16 P17
    {"plan_from_my_heads_is_accepted", DR_OK, plan_begins_after_my_heads, NULL},
    {"down_takes_only_what_is_there", DR_OK, down_of_what_is_there, NULL},
    {"down_is_accepted", DR_OK, down_of_the_last_two, NULL}, // id: P18
    {"down_from_under_another_revision_is_refused", DR_E_PLAN_NOT_CONTIGUOUS, down_of_the_middle,
     NULL},
    {"down_without_proof_is_refused", DR_E_GATE_MISSING, down_without_proof, NULL},
    {"down_after_a_canary_that_went_up_is_refused", DR_E_CANARY_FIRST, down_with_canary_applied,
     NULL},
    {"stamp_of_what_staging_shows_is_accepted", DR_OK, stamp_of_what_staging_shows, NULL},
    {"stamp_of_another_schema_is_refused", DR_E_STAMP_UNPROVED, stamp_of_another_schema, NULL},
    {"stamp_without_a_fingerprint_is_refused", DR_E_STAMP_UNPROVED, stamp_without_a_fingerprint,
     NULL},
    {"stamp_by_unlisted_evidence_is_refused", DR_E_STAMP_UNPROVED,
     stamp_by_evidence_that_is_not_listed, NULL},
    {"stamp_proves_no_other_stamp", DR_E_STAMP_UNPROVED, stamp_of_a_stamp, NULL},
    {"stamp_of_what_a_rehearsal_shows_is_accepted", DR_OK, stamp_of_a_rehearsal, NULL},
    {"stamp_of_fewer_revisions_is_refused", DR_E_STAMP_UNPROVED, stamp_of_fewer_revisions, NULL},
    {"stamp_by_evidence_of_another_chain_is_refused", DR_E_STAMP_UNPROVED,
     stamp_by_evidence_of_another_chain, NULL},
    {"stamp_with_an_accepted_difference_is_accepted", DR_OK, stamp_with_a_named_difference, NULL},
    {"stamp_with_a_difference_that_nobody_accepted_is_refused", DR_E_STAMP_UNPROVED,
     stamp_with_a_difference_that_nobody_accepted, NULL},
    {"stamp_with_a_difference_that_is_not_named_is_refused", DR_E_STAMP_UNPROVED,
     stamp_with_a_difference_that_is_not_named, NULL},
    {"unstamp_of_what_staging_shows_is_accepted", DR_OK, unstamp_of_everything, NULL},
    {"unstamp_after_a_canary_that_went_up_is_refused", DR_E_CANARY_FIRST,
     unstamp_with_a_canary_that_went_up, NULL},
    {"down_of_a_half_done_revision_is_accepted", DR_OK, down_of_a_half_done_revision, NULL},
    {"down_of_a_half_done_revision_without_proof_is_refused", DR_E_GATE_MISSING,
     down_of_a_half_done_revision_without_proof, NULL},
    // authors
    {"authors_are_told_apart", DR_OK, author_may_not_approve, NULL},
    {"an_authors_own_signature_does_not_count", DR_E_AUTHOR_APPROVED, author_is_alice,
     NULL}, // id: Q12
    {"the_author_of_what_is_held_may_approve", DR_OK, author_of_what_i_hold_is_alice, NULL},
    {"others_signatures_suffice_beside_the_authors", DR_OK, author_is_alice_and_carol_signed_too,
     NULL},
    {"unknown_author_is_refused", DR_E_AUTHOR_APPROVED, author_is_unknown, NULL},
    // evidence
    {"cut_evidence_is_refused", DR_E_BAD_EVIDENCE, NULL, evidence_is_cut}, // id: G13
    {"forged_entry_is_refused", DR_E_BAD_PROOF, NULL, evidence_entry_is_forged},
    {"evidence_without_entry_is_refused", DR_E_BAD_EVIDENCE, NULL, evidence_has_no_entry},
    {"cut_signoff_is_refused", DR_E_BAD_EVIDENCE, NULL, signoff_is_cut},
    // stops
    {"remembered_veto_refuses", DR_E_VETOED, NULL, veto_is_remembered},
    {"veto_in_the_bundle_refuses", DR_E_VETOED, NULL, veto_is_in_the_bundle}, // id: W12
    {"veto_of_another_environment_does_not_refuse", DR_OK, NULL, veto_is_for_staging},
    {"unsigned_veto_does_not_refuse", DR_OK, NULL, veto_is_of_a_stranger},
    {"cancel_after_the_approval_refuses", DR_E_CANCELLED, NULL, cancelled_after_approval},
    {"cancel_before_the_approval_does_not_refuse", DR_OK, NULL, cancelled_before_approval},
    {"cancel_by_a_clock_that_is_behind_refuses", DR_E_CANCELLED, NULL,
     cancelled_by_a_clock_that_is_behind},
    {"freeze_lifted_for_a_time_refuses_after_it", DR_E_FROZEN, NULL, freeze_was_lifted_for_a_time},
    {"freeze_refuses", DR_E_FROZEN, NULL, frozen},
    {"freeze_of_everything_refuses", DR_E_FROZEN, NULL, everything_is_frozen},
    {"freeze_of_another_environment_does_not_refuse", DR_OK, NULL, staging_is_frozen},
    {"lifted_freeze_does_not_refuse", DR_OK, NULL, freeze_is_lifted},
    {"freeze_lifted_by_one_person_refuses", DR_E_FROZEN, NULL, freeze_is_lifted_by_one},
    {"freeze_lifted_for_another_environment_refuses", DR_E_FROZEN, NULL,
     freeze_is_lifted_elsewhere},
    {"lift_of_another_freeze_refuses", DR_E_FROZEN, NULL, another_freeze_is_lifted},
    // gates
    {"missing_own_backup_is_refused", DR_E_GATE_MISSING, NULL, no_backup}, // id: G15
    {"damaged_own_backup_is_refused", DR_E_BAD_DOCUMENT, NULL, backup_is_garbage},
    {"missing_signoff_is_refused", DR_E_GATE_MISSING, signoff_is_missing, NULL},
    {"evidence_that_was_not_delivered_is_refused", DR_E_GATE_MISSING, staging_is_missing,
     NULL}, // id: G12
    {"gate_asked_for_afterwards_does_not_hold_the_start", DR_OK, after_gate_alone_is_missing, NULL},
    // canaries
    {"wave_two_without_canary_is_refused", DR_E_CANARY_FIRST, canary_is_missing, NULL},
    {"wave_two_after_a_failed_canary_is_refused", DR_E_CANARY_FIRST, canary_failed, NULL},
    {"wave_two_after_a_canary_that_failed_later_is_refused", DR_E_CANARY_FIRST, NULL,
     canary_failed_later},
    {"canary_of_another_approval_is_refused", DR_E_CANARY_FIRST, canary_names_another_approval,
     NULL},
    {"canary_with_another_entry_is_refused", DR_E_CANARY_FIRST, canary_entry_changed, NULL},
    {"missing_leaf_of_wave_one_is_refused", DR_E_CANARY_FIRST, NULL, canary_leaf_is_missing},
    {"own_leaf_as_canary_is_refused", DR_E_CANARY_FIRST, NULL, canary_leaf_is_mine},
    {"forged_leaf_of_wave_one_is_refused", DR_E_BAD_PROOF, NULL, canary_leaf_is_forged},
    {"too_small_wave_one_is_refused", DR_E_CANARY_FIRST, wave_one_is_too_small, NULL},
    {"one_wave_needs_no_canary", DR_OK, all_in_one_wave, NULL},
};

// ------------------------------------------------------------------------------- database

static struct dr_database_facts
good_facts(struct world *w)
{
    struct dr_database_facts facts = {
        .identity = &w->identity, .has_lock_a = true, .has_lock_b = true};
    memcpy(facts.ledger_head, w->ledger_head, 32);
    memcpy(facts.fingerprint, w->fp_before, 32);
    return facts;
}

static void
accepted_world(struct world *w)
{
    world_begin(w);
    world_sign(w);
    OK(w, dr_verify(w->arena, &w->input, &w->verdict, &w->err));
}

static void
verdict_names_what_is_to_run(void **state)
{
    static struct world w;
    (void)state;
    accepted_world(&w);
    assert_false(w.verdict.is_to_run[0]);
    assert_true(w.verdict.is_to_run[1] && w.verdict.is_to_run[2]);
    assert_int_equal(w.verdict.leaf->wave, 2);
    assert_int_equal(w.verdict.n_gates, GATES);
    assert_string_equal(dr_verify_row_name(0), "sizes");
    assert_null(dr_verify_row_name(99));
    world_end(&w);
}

static void
database_as_in_ready_is_accepted(void **state)
{
    static struct world w;
    (void)state;
    accepted_world(&w);
    struct dr_database_facts facts = good_facts(&w);
    OK(&w, dr_verify_database(&w.verdict, &facts, &w.err));
    world_end(&w);
}

static void
database_other_than_in_ready_is_refused(void **state)
{
    static struct world w;
    (void)state;
    accepted_world(&w);
    Drover__V1__DatabaseIdentity other = w.identity;
    struct dr_database_facts facts = good_facts(&w);
    other.system_identifier = word(&w, "7302");
    facts.identity = &other;
    REFUSED(DR_E_DATABASE_IDENTITY, dr_verify_database(&w.verdict, &facts, &w.err)); // id: S18
    other = w.identity;
    other.database = word(&w, "stock");
    REFUSED(DR_E_DATABASE_IDENTITY, dr_verify_database(&w.verdict, &facts, &w.err));
    facts.identity = NULL;
    REFUSED(DR_E_DATABASE_IDENTITY, dr_verify_database(&w.verdict, &facts, &w.err));
    facts = good_facts(&w);
    facts.is_pooler = true;
    REFUSED(DR_E_BEHIND_POOLER, dr_verify_database(&w.verdict, &facts, &w.err)); // id: S16
    facts = good_facts(&w);
    facts.is_standby = true;
    REFUSED(DR_E_ON_STANDBY, dr_verify_database(&w.verdict, &facts, &w.err)); // id: S17
    facts = good_facts(&w);
    facts.has_lock_a = false;
    REFUSED(DR_E_NOT_LOCKED, dr_verify_database(&w.verdict, &facts, &w.err));
    facts = good_facts(&w);
    facts.has_lock_b = false;
    REFUSED(DR_E_NOT_LOCKED, dr_verify_database(&w.verdict, &facts, &w.err));
    facts = good_facts(&w);
    facts.ledger_head[0] ^= 1;
    REFUSED(DR_E_LEDGER_CHANGED, dr_verify_database(&w.verdict, &facts, &w.err)); // id: P07
    facts = good_facts(&w);
    facts.fingerprint[0] ^= 1;
    REFUSED(DR_E_SCHEMA_CHANGED, dr_verify_database(&w.verdict, &facts, &w.err));
    facts = good_facts(&w);
    w.verdict.mask &= ~1u;
    REFUSED(DR_E_CHECK_SKIPPED, dr_verify_database(&w.verdict, &facts, &w.err));
    world_end(&w);
}

static void
identity_that_is_not_pinned_is_accepted(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    Drover__V1__DatabaseIdentity other = w.identity;
    other.schema = word(&w, "tenant_1");
    OK(&w, dr_verify_identity(NULL, &other, &w.err));
    OK(&w, dr_verify_identity(&w.identity, &other, &w.err));
    REFUSED(DR_E_DATABASE_IDENTITY, dr_verify_identity(&other, &w.identity, &w.err));
    world_end(&w);
}

static void
resume_is_accepted_within_the_window_only(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    Drover__V1__Environment *policy = &w.environment[PRODUCTION];
    OK(&w, dr_verify_resume(policy, NOW - 3600, NOW, &w.err));
    REFUSED(DR_E_RESUME_WINDOW, dr_verify_resume(policy, NOW - 3601, NOW, &w.err)); // id: C22
    policy->resume_window_s = 60;
    REFUSED(DR_E_RESUME_WINDOW, dr_verify_resume(policy, NOW - 61, NOW, &w.err));
    REFUSED(DR_E_RESUME_WINDOW, dr_verify_resume(policy, NOW + 301, NOW, &w.err));
    world_end(&w);
}

// Every arena cap from 0 up to what a whole verification needs: it ends with an error or with all
// checks done.
static void
lack_of_memory_is_never_acceptance(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    size_t cap = 0;
    for (bool done = false; !done; cap += cap < 200000 ? 487 : 4099) {
        struct dr_arena *small = dr_arena_new(cap);
        assert_non_null(small);
        enum dr_rc rc = dr_verify(small, &w.input, &w.verdict, &w.err);
        done = rc == DR_OK;
        assert_int_equal(dr_verdict_is_accepted(&w.verdict), done);
        dr_arena_free(&small);
        assert_true(cap < (32u << 20));
    }
    world_end(&w);
}

static void
plan_is_not_compared_without_memory(void **state)
{
    static struct world w;
    (void)state;
    accepted_world(&w);
    struct dr_check check = {.in = &w.input, .out = &w.verdict, .err = &w.err, .chain = w.chain};
    bool applied[3] = {true, false, false};
    check.applied = applied;
    for (size_t cap = 0; cap < 17; cap += 16) {
        check.arena = dr_arena_new(cap);
        assert_int_equal(dr_row_contiguous(&check), DR_ROW_REFUSED);
        assert_int_equal(w.err.rc, DR_E_LIMIT);
        dr_arena_free(&check.arena);
    }
    world_end(&w);
}

int
main(void)
{
    size_t n = DR_COUNT_OF(cases), extra = 0;
    static struct CMUnitTest tests[DR_COUNT_OF(cases) + 16];
    static struct world_case rows[DR_COUNT_OF(cases)];
    for (size_t i = 0; i < n; i++) {
        rows[i] = cases[i];
        tests[i] = (struct CMUnitTest){rows[i].name, run_case, NULL, NULL, &rows[i]};
    }
    const struct CMUnitTest more[] = {
        cmocka_unit_test(verdict_names_what_is_to_run),
        cmocka_unit_test(database_as_in_ready_is_accepted),
        cmocka_unit_test(database_other_than_in_ready_is_refused),
        cmocka_unit_test(identity_that_is_not_pinned_is_accepted),
        cmocka_unit_test(resume_is_accepted_within_the_window_only),
        cmocka_unit_test(plan_is_not_compared_without_memory),
        cmocka_unit_test(lack_of_memory_is_never_acceptance),
    };
    for (; extra < DR_COUNT_OF(more); extra++) {
        tests[n + extra] = more[extra];
    }
    return _cmocka_run_group_tests("trust/verify", tests, n + extra, NULL, NULL);
}
