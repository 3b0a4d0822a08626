// Rows about who, when and what: everything but evidence (verify_proof.c).
#include "trust/verify_rows.h"

#include "trust/strict.h"
#include "trust/window.h"

#include <string.h>

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){data.data, data.len};
}

enum dr_row
dr_row_sizes(struct dr_check *check)
{
    const Drover__V1__Bundle *bundle = check->in->bundle;
    size_t envelopes = bundle->n_evidence + bundle->n_signoffs;
    size_t total = drover__v1__bundle__get_packed_size(bundle);
    if (total > DR_BUNDLE_MAX || envelopes > DR_BUNDLE_ENVELOPES_MAX ||
        bundle->n_evidence_entries > DR_BUNDLE_ENVELOPES_MAX) {
        DR_ROW_REFUSE(check, BUNDLE_SIZE, "a bundle of %zu bytes with %zu documents", total,
                      envelopes);
    }
    if (!bundle->leaf || bundle->approval.len == 0) {
        DR_ROW_REFUSE(check, BUNDLE_SIZE, "a bundle without an approval");
    }
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_clock(struct dr_check *check)
{
    DR_ROW_TRY(dr_trust_check_clock(check->in->trust, check->in->now, check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_root(struct dr_check *check)
{
    DR_ROW_TRY(dr_root_check_time(check->in->trust->root.msg, check->in->now, check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_fleet(struct dr_check *check)
{
    const struct dr_trust *trust = check->in->trust;
    if (!trust->fleet.msg) {
        DR_ROW_REFUSE(check, NOT_IN_FLEET, "no fleet that this root's people signed is here");
    }
    DR_ROW_TRY(
        dr_fleet_load(check->arena, &trust->root, trust->fleet.wire, &check->fleet, check->err));
    DR_ROW_TRY(dr_fleet_check_time(check->fleet.msg, check->in->now, check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_me(struct dr_check *check)
{
    const struct dr_trust *trust = check->in->trust;
    const struct dr_verify_me *me = check->in->me;
    const struct dr_fleet_entry *entry =
        dr_fleet_target(trust->entries, trust->n_entries, me->target);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, me->environment);
    if (!entry || !policy) {
        DR_ROW_REFUSE(check, NOT_IN_FLEET, "'%s' of '%s' is not in the fleet", me->target,
                      me->environment);
    }
    const Drover__V1__Target *target = entry->msg->target;
    if (target->state != DROVER__V1__TARGET_STATE__ACTIVE) {
        DR_ROW_REFUSE(check, RETIRED, "target '%s' is retired", me->target);
    }
    if (!dr_data_is(target->agent_signing_key, me->signing_key) ||
        strcmp(target->agent, me->agent) != 0) {
        DR_ROW_REFUSE(check, WRONG_KEY, "the fleet names another agent or key for '%s'",
                      me->target);
    }
    if (strcmp(target->environment, me->environment) != 0) {
        DR_ROW_REFUSE(check, WRONG_ENVIRONMENT,
                      "the fleet says '%s' is in '%s', my configuration '%s'", me->target,
                      target->environment, me->environment);
    }
    if (target->engine != me->engine) {
        DR_ROW_REFUSE(check, WRONG_ENGINE, "the fleet names another engine for '%s'", me->target);
    }
    check->out->entry = entry;
    check->out->policy = policy;
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_chain(struct dr_check *check)
{
    const struct dr_trust *trust = check->in->trust;
    if (!trust->chain.msg) {
        DR_ROW_REFUSE(check, NOT_IN_CHAIN, "no chain that this root's reviewers signed is here");
    }
    DR_ROW_TRY(
        dr_chain_load(check->arena, &trust->root, trust->chain.wire, &check->chain, check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_approval(struct dr_check *check)
{
    DR_ROW_TRY(dr_approval_load(check->arena, &check->in->trust->root, check->in->me->environment,
                                bytes_of(check->in->bundle->approval), &check->out->approval,
                                check->err));
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_lifetime(struct dr_check *check)
{
    const Drover__V1__Approval *approval = check->out->approval.msg;
    uint64_t max = check->out->policy->msg->environment->approval_max_s;
    char when[32];
    if (check->in->now >= approval->expires) {
        dr_format_time(when, approval->expires);
        DR_ROW_REFUSE(check, EXPIRED, "the approval expired at %s", when);
    }
    if (check->in->now < approval->not_before - DR_CLOCK_SKEW_S) {
        dr_format_time(when, approval->not_before);
        DR_ROW_REFUSE(check, NOT_YET, "the approval begins at %s", when);
    }
    if ((uint64_t)(approval->expires - approval->not_before) > (max ? max : DR_APPROVAL_MAX_S)) {
        DR_ROW_REFUSE(check, APPROVAL_TOO_LONG, "the approval lasts longer than the policy allows");
    }
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_leaf(struct dr_check *check)
{
    Drover__V1__ApprovalLeaf *leaf = NULL;
    DR_ROW_TRY(dr_approval_leaf_prove(check->arena, &check->out->approval, check->in->bundle->leaf,
                                      &leaf, check->err));
    if (strcmp(leaf->target, check->in->me->target) != 0) {
        DR_ROW_REFUSE(check, WRONG_TARGET, "the approval's leaf is for '%s'", leaf->target);
    }
    check->out->leaf = leaf;
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_policy(struct dr_check *check)
{
    if (!dr_data_is(check->out->approval.msg->policy_sha256, check->out->policy->sha256)) {
        DR_ROW_REFUSE(check, WRONG_POLICY, "the approval was made under another policy");
    }
    if (!dr_data_is(check->out->leaf->entry_sha256, check->out->entry->sha256)) {
        DR_ROW_REFUSE(check, WRONG_POLICY, "the approval was made over another fleet entry of '%s'",
                      check->in->me->target);
    }
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_ready(struct dr_check *check)
{
    struct dr_attestation ready;
    if (check->in->ready.len == 0) {
        DR_ROW_REFUSE(check, NO_READY, "no READY is open");
    }
    dr_sha256(check->in->ready, check->out->ready_sha256);
    if (!dr_data_is(check->out->leaf->ready_sha256, check->out->ready_sha256)) {
        DR_ROW_REFUSE(check, WRONG_READY, "the approval answers another READY than the open one");
    }
    DR_ROW_TRY(dr_attest_decode(check->arena, check->in->ready, true, &ready, check->err));
    if (ready.msg->kind != DROVER__V1__ATTESTATION_KIND__READY ||
        strcmp(ready.msg->target, check->in->me->target) != 0) {
        DR_ROW_REFUSE(check, WRONG_READY, "what is open is no READY of '%s'",
                      check->in->me->target);
    }
    check->out->ready = ready.msg;
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_flags(struct dr_check *check)
{
    uint32_t flags = check->out->ready->flags;
    if ((flags & ~check->out->leaf->acknowledged_flags) != 0) {
        DR_ROW_REFUSE(check, NOT_ACKNOWLEDGED,
                      "READY carries flags %u, the approval acknowledges %u", flags,
                      check->out->leaf->acknowledged_flags);
    }
    if ((flags & DROVER__V1__READY_FLAG__FLAG_DRIFT) != 0 &&
        check->out->policy->msg->environment->refuse_drift) {
        DR_ROW_REFUSE(check, DRIFT_REFUSED, "the schema has drifted, and the policy refuses drift");
    }
    return DR_ROW_PASSED;
}

// REMEDY names one section that is in the plan once.
static bool
has_remedy(const Drover__V1__Plan *plan, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        for (size_t u = 0; u < plan->revisions[i]->n_units; u++) {
            const Drover__V1__Unit *unit = plan->revisions[i]->units[u];
            n += unit->kind == DROVER__V1__UNIT_KIND__UNIT_REMEDY && strcmp(unit->name, name) == 0;
        }
    }
    return n == 1;
}

enum dr_row
dr_row_plan(struct dr_check *check)
{
    const Drover__V1__Approval *approval = check->out->approval.msg;
    Drover__V1__Plan *plan = NULL;
    DR_ROW_TRY(dr_plandoc_decode(check->arena, check->in->plan, approval->plan_sha256.data, &plan,
                                 check->err));
    if (plan->engine != check->in->me->engine) {
        DR_ROW_REFUSE(check, WRONG_ENGINE, "the plan is for another engine");
    }
    if (strcmp(plan->project, check->chain.msg->project) != 0) {
        DR_ROW_REFUSE(check, NOT_IN_CHAIN, "the plan is of project '%s', the chain of '%s'",
                      plan->project, check->chain.msg->project);
    }
    if (approval->mode == DROVER__V1__MODE__REMEDY && !has_remedy(plan, approval->remedy)) {
        DR_ROW_REFUSE(check, WRONG_MODE, "the plan has no one remedy '%s'", approval->remedy);
    }
    check->out->plan = plan;
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_mode(struct dr_check *check)
{
    bool proves =
        check->out->policy->msg->environment->prove && dr_plandoc_can_prove(check->out->plan);
    Drover__V1__Mode mode = check->out->approval.msg->mode;
    if (proves ? mode == DROVER__V1__MODE__UP : mode == DROVER__V1__MODE__PROVE) {
        DR_ROW_REFUSE(check, WRONG_MODE, "environment '%s' runs %s", check->in->me->environment,
                      proves ? "PROVE in the place of UP" : "no PROVE of this plan");
    }
    return DR_ROW_PASSED;
}

static bool
is_same_revision(const Drover__V1__PlanRevision *revision, const Drover__V1__ChainEntry *entry)
{
    bool same =
        strcmp(revision->id, entry->revision_id) == 0 && revision->n_parents == entry->n_parents;
    for (size_t i = 0; same && i < entry->n_parents; i++) {
        same = dr_data_eq(revision->parents[i], entry->parents[i]);
    }
    return same;
}

enum dr_row
dr_row_in_chain(struct dr_check *check)
{
    const Drover__V1__Plan *plan = check->out->plan;
    const Drover__V1__Attestation *ready = check->out->ready;
    bool *to_run = NULL;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        struct dr_chain_revision found;
        if (!dr_chain_find(&check->chain, plan->revisions[i]->digest.data, &found) ||
            !is_same_revision(plan->revisions[i], found.entry)) {
            DR_ROW_REFUSE(check, NOT_IN_CHAIN,
                          "revision '%s' of the plan is not in the approved chain",
                          plan->revisions[i]->id);
        }
    }
    DR_ROW_TRY(dr_chain_applied(check->arena, &check->chain, ready->heads, ready->n_heads,
                                &check->applied, check->err));
    DR_ROW_TRY(dr_gate_to_run(check->arena, &check->chain, plan, check->out->approval.msg->mode,
                              ready, &to_run, check->err));
    check->out->is_to_run = to_run;
    return DR_ROW_PASSED;
}

// What withdrew a revision of the chain; NULL: nothing did.
static const Drover__V1__ChainEntry *
withdrawal_of(const struct dr_chain *chain, ProtobufCBinaryData digest)
{
    struct dr_chain_revision found;
    bool is_there = dr_chain_find(chain, digest.data, &found);
    return is_there ? found.withdraw : NULL; // GCOVR_EXCL_BR_LINE row 'in chain' found them all
}

enum dr_row
dr_row_withdrawn(struct dr_check *check)
{
    const Drover__V1__Plan *plan = check->out->plan;
    Drover__V1__Mode mode = check->out->approval.msg->mode;
    if (dr_approval_is_down(mode) || mode == DROVER__V1__MODE__REMEDY) {
        return DR_ROW_PASSED;
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__ChainEntry *withdraw =
            withdrawal_of(&check->chain, plan->revisions[i]->digest);
        if (withdraw) {
            DR_ROW_REFUSE(check, WITHDRAWN, "revision '%s' was withdrawn: %s",
                          plan->revisions[i]->id, withdraw->reason);
        }
    }
    for (size_t i = 0; i < check->chain.msg->n_entries; i++) {
        const Drover__V1__ChainEntry *entry = check->chain.msg->entries[i];
        if (check->applied[i] && withdrawal_of(&check->chain, entry->digest)) {
            DR_ROW_REFUSE(check, WITHDRAWN,
                          "'%s' holds withdrawn revision '%s' and has to go down first",
                          check->in->me->target, entry->revision_id);
        }
    }
    return DR_ROW_PASSED;
}

// Marks the plan's revisions as applied one by one; each one's parents must be there by then.
static const Drover__V1__PlanRevision *
find_gap_up(struct dr_check *check, bool *applied)
{
    const Drover__V1__Plan *plan = check->out->plan;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        for (size_t k = 0; check->out->is_to_run[i] && k < revision->n_parents; k++) {
            if (!applied[dr_chain_position(&check->chain, revision->parents[k].data)]) {
                return revision;
            }
        }
        applied[dr_chain_position(&check->chain, revision->digest.data)] = true;
    }
    return NULL;
}

// Takes the plan's revisions away, newest first; nothing that stays may stand on one of them.
static const Drover__V1__PlanRevision *
find_gap_down(struct dr_check *check, const bool *applied, uint32_t *children)
{
    const Drover__V1__Chain *chain = check->chain.msg;
    const Drover__V1__Plan *plan = check->out->plan;
    for (size_t i = 0; i < chain->n_entries; i++) {
        for (size_t k = 0; applied[i] && k < chain->entries[i]->n_parents; k++) {
            children[dr_chain_position(&check->chain, chain->entries[i]->parents[k].data)]++;
        }
    }
    for (size_t i = plan->n_revisions; i > 0; i--) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i - 1];
        if (!check->out->is_to_run[i - 1]) {
            continue;
        }
        if (children[dr_chain_position(&check->chain, revision->digest.data)] > 0) {
            return revision;
        }
        bool was_whole = applied[dr_chain_position(&check->chain, revision->digest.data)];
        for (size_t k = 0; was_whole && k < revision->n_parents; k++) {
            children[dr_chain_position(&check->chain, revision->parents[k].data)]--;
        }
    }
    return NULL;
}

enum dr_row
dr_row_contiguous(struct dr_check *check)
{
    Drover__V1__Mode mode = check->out->approval.msg->mode;
    size_t n = check->chain.msg->n_entries;
    bool *applied = dr_arena_copy(check->arena, check->applied, n * sizeof(bool));
    uint32_t *children = dr_arena_array(check->arena, n, sizeof(*children));
    if (!applied || !children) {
        DR_ROW_REFUSE(check, LIMIT, "no room to compare a plan with the chain");
    }
    const Drover__V1__PlanRevision *gap = mode == DROVER__V1__MODE__REMEDY ? NULL
                                          : dr_approval_is_down(mode)
                                              ? find_gap_down(check, applied, children)
                                              : find_gap_up(check, applied);
    if (gap) {
        DR_ROW_REFUSE(check, PLAN_NOT_CONTIGUOUS, "revision '%s' does not fit the heads of '%s'",
                      gap->id, check->in->me->target);
    }
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_authors(struct dr_check *check)
{
    const Drover__V1__Root *root = check->in->trust->root.msg;
    const Drover__V1__Plan *plan = check->out->plan;
    struct dr_signers signers = check->out->approval.signers;
    if (!check->out->policy->msg->environment->author_may_not_approve) {
        return DR_ROW_PASSED;
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        size_t at = dr_chain_position(&check->chain, plan->revisions[i]->digest.data);
        const Drover__V1__ChainEntry *entry = check->chain.msg->entries[at];
        int author = dr_root_person_index(root, entry->author);
        if (check->out->is_to_run[i] && author < 0) {
            DR_ROW_REFUSE(check, AUTHOR_APPROVED,
                          "the chain does not name the author of revision '%s'",
                          entry->revision_id);
        }
        if (check->out->is_to_run[i] && signers.signed_by[author]) {
            signers.signed_by[author] = false;
            signers.n--;
        }
    }
    if (signers.n < dr_root_approvers(root, check->in->me->environment)->threshold) {
        DR_ROW_REFUSE(check, AUTHOR_APPROVED, "the authors' own signatures do not count in '%s'",
                      check->in->me->environment);
    }
    return DR_ROW_PASSED;
}

enum dr_row
dr_row_window(struct dr_check *check)
{
    const char *environment = check->in->me->environment;
    bool is_open = true;
    int64_t opens = 0;
    char when[32];
    if (!dr_window_holds(check->out->approval.msg->mode)) {
        return DR_ROW_PASSED;
    }
    if (dr_window_look(check->out->policy->msg->environment, check->in->now, &is_open, &opens,
                       check->err) != DR_OK) {
        DR_ROW_REFUSE(check, OUTSIDE_WINDOW, "a window of '%s' cannot be read: no such time zone",
                      environment);
    }
    if (!is_open) {
        dr_format_time(when, opens);
        DR_ROW_REFUSE(check, OUTSIDE_WINDOW, "no window of '%s' is open; the next one opens at %s",
                      environment, when);
    }
    return DR_ROW_PASSED;
}
