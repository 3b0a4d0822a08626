// Gates. Evidence opens a gate only when its kind, subject, signer and time fit and, once there is
// an approval, when the approval lists it; everything else counts for nothing. Evidence against (a
// later REVERTED) counts always.
#include "trust/gate_eval.h"

#include "trust/approval.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <string.h>

const char *
dr_gate_said(const char *text)
{
    return text ? text : "not shown";
}

void
dr_gate_close(struct dr_gate_eval *eval, const char *missing)
{
    eval->result->is_open = false;
    eval->result->missing = missing;
    eval->result->shown_by = "";
    eval->result->n_evidence = 0;
}

void
dr_gate_open(struct dr_gate_eval *eval, const char *shown_by)
{
    eval->result->is_open = true;
    eval->result->missing = "";
    eval->result->shown_by = shown_by;
}

void
dr_gate_name_evidence(struct dr_gate_eval *eval, const uint8_t sha256[32])
{
    uint8_t(*list)[32] = eval->result->evidence;
    size_t n = eval->result->n_evidence;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(list[i], sha256, 32) == 0) {
            return;
        }
    }
    if ((n & (n - 1)) == 0) { // room for twice as many, whenever a power of two is full
        list = dr_arena_array(eval->arena, n ? 2 * n : 1, 32);
        if (!list) {
            eval->is_cut = true;
            return;
        }
        memcpy(list, n ? eval->result->evidence : list, n * 32);
        eval->result->evidence = list;
    }
    memcpy(list[n], sha256, 32);
    eval->result->n_evidence++;
}

// May this piece of evidence open a gate?
bool
dr_gate_counts(const struct dr_gate_eval *eval, const uint8_t sha256[32], int64_t time)
{
    const Drover__V1__Approval *approval = eval->in->approval;
    return time <= eval->in->now + DR_CLOCK_SKEW_S &&
           (!approval || dr_approval_lists(approval, sha256));
}

// Did `a` come after `b`? Both of one target.
bool
dr_gate_is_after(const struct dr_attestation *a, const struct dr_attestation *b)
{
    return dr_data_eq(a->msg->epoch, b->msg->epoch) ? a->msg->counter > b->msg->counter
                                                    : a->msg->time > b->msg->time;
}

const Drover__V1__Target *
dr_gate_target_of(const struct dr_attestation *attestation)
{
    return attestation->entry->msg->target;
}

static bool
has_work(const struct dr_gate_eval *eval)
{
    bool any = false;
    for (size_t i = 0; i < eval->in->plan->n_revisions; i++) {
        any = any || eval->to_run[i];
    }
    return any;
}

// -------------------------------------------------------------------------- kinds of gate

static bool
heads_are_equal(const Drover__V1__BackupRecord *backup, const Drover__V1__Attestation *ready)
{
    bool equal = backup->n_heads == ready->n_heads;
    for (size_t i = 0; equal && i < backup->n_heads; i++) {
        bool found = false;
        for (size_t k = 0; k < ready->n_heads; k++) {
            found = found || dr_data_eq(backup->heads[i]->digest, ready->heads[k]->digest);
        }
        equal = found;
    }
    return equal;
}

static const char *
backup_fault(struct dr_gate_eval *eval, const Drover__V1__BackupRecord *backup)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Gate *gate = eval->result->gate;
    if (backup->sha256.len != 32 || backup->size_bytes == 0 || backup->finished < backup->started) {
        return "the backup's record is not whole";
    }
    if (backup->finished > in->now + DR_CLOCK_SKEW_S) {
        return "the backup was taken in the future: set the clock of the agent's host right";
    }
    if (backup->finished < in->now && (uint64_t)(in->now - backup->finished) > gate->max_age_s) {
        return "the backup is too old";
    }
    if (backup->restore_level < gate->restore_level) {
        return "the backup was not restored as far as the policy asks";
    }
    if (gate->keep_s > 0 && (backup->keep_until < backup->finished ||
                             (uint64_t)(backup->keep_until - backup->finished) < gate->keep_s)) {
        return "the backup is not kept long enough";
    }
    if (in->ready && (!heads_are_equal(backup, in->ready) ||
                      !dr_data_eq(backup->fingerprint, in->ready->fingerprint))) {
        return "the backup is of another state than READY";
    }
    return NULL;
}

static void
eval_backup(struct dr_gate_eval *eval)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Attestation *newest = in->backup;
    const struct dr_attestation *from = NULL;
    for (size_t i = 0; !newest && !in->only_own_backup && i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        if (one->msg->kind == DR_ATTEST_KIND(BACKUP) && strcmp(one->msg->target, in->target) == 0 &&
            (!from || dr_gate_is_after(one, from))) {
            from = one;
        }
    }
    if (from) {
        newest = from->msg;
        dr_gate_name_evidence(eval, from->sha256);
    }
    if (!newest || !newest->backup || newest->kind != DR_ATTEST_KIND(BACKUP) ||
        strcmp(newest->target, in->target) != 0) {
        dr_gate_close(eval, DR_GATE_TEXT(eval, "'%s' has no backup", in->target));
        return;
    }
    const char *fault = backup_fault(eval, newest->backup);
    char size[32];
    dr_format_size(size, newest->backup->size_bytes);
    if (fault) {
        dr_gate_close(eval, DR_GATE_TEXT(eval, "'%s': %s", in->target, fault));
    } else {
        dr_gate_open(eval, DR_GATE_TEXT(eval, "%s, %s", newest->backup->tool, size));
    }
}

static void
eval_signoff(struct dr_gate_eval *eval)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Gate *gate = eval->result->gate;
    for (size_t i = 0; i < in->n_signoffs; i++) {
        const Drover__V1__Signoff *msg = in->signoffs[i].msg;
        if (msg->kind == DROVER__V1__SIGNOFF_KIND__ITEM && strcmp(msg->item, gate->item) == 0 &&
            strcmp(msg->environment, in->policy->msg->environment->name) == 0 &&
            dr_data_is(msg->plan_sha256, in->plan_sha256) &&
            (msg->expires == 0 || in->now < msg->expires) &&
            dr_gate_counts(eval, in->signoffs[i].sha256, msg->time)) {
            dr_gate_name_evidence(eval, in->signoffs[i].sha256);
            dr_gate_open(eval, msg->note[0] ? msg->note : "signed");
            return;
        }
    }
    dr_gate_close(eval, DR_GATE_TEXT(eval, "nobody signed off '%s'", gate->item));
}

// Evidence about units: nothing to ask when no unit runs, or when the mode runs none of the plan's
// up or down units.
static bool
asks_for_units(const struct dr_gate_eval *eval)
{
    Drover__V1__Mode mode = eval->in->mode;
    return !dr_approval_is_stamp(mode) && mode != DROVER__V1__MODE__REMEDY && has_work(eval);
}

static const struct {
    Drover__V1__GateKind kind;
    const char *name;
    void (*evaluate)(struct dr_gate_eval *eval);
    bool is_about_units;
} kinds[] = {
    {DROVER__V1__GATE_KIND__GATE_BACKUP, "backup", eval_backup, false},
    {DROVER__V1__GATE_KIND__GATE_STAGED, "staged", dr_gate_eval_staged, true},
    {DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED, "rollback-proved", dr_gate_eval_rollback, true},
    {DROVER__V1__GATE_KIND__GATE_VERIFIED, "verified", dr_gate_eval_verified, true},
    {DROVER__V1__GATE_KIND__GATE_SIGNOFF, "", eval_signoff, false},
    {DROVER__V1__GATE_KIND__GATE_REHEARSED, "rehearsed", dr_gate_eval_rehearsed, true},
    {DROVER__V1__GATE_KIND__GATE_PROBED, "probed", dr_gate_eval_probed, true},
};

static void
evaluate_one(struct dr_gate_eval *eval)
{
    dr_gate_close(eval, "this kind of gate is not known");
    for (size_t i = 0; i < DR_COUNT_OF(kinds); i++) {
        if (kinds[i].kind == eval->result->gate->kind) {
            if (kinds[i].is_about_units && !eval->result->is_after && !asks_for_units(eval)) {
                dr_gate_open(eval, "nothing is to run that needs it");
            } else {
                kinds[i].evaluate(eval);
            }
        }
    }
}

const char *
dr_gate_name(const Drover__V1__Gate *gate)
{
    for (size_t i = 0; i < DR_COUNT_OF(kinds); i++) {
        if (kinds[i].kind == gate->kind && kinds[i].name[0] != '\0') {
            return kinds[i].name;
        }
    }
    return gate->item;
}

// Is it half done, on its way up? It is in no head yet, but there is something to take away.
static bool
is_half_done(const Drover__V1__Attestation *ready, const Drover__V1__PlanRevision *revision)
{
    for (size_t i = 0;
         (ready->flags & DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0 && i < ready->n_units; i++) {
        if (dr_data_eq(ready->units[i]->revision_digest, revision->digest)) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_gate_to_run(struct dr_arena *arena, const struct dr_chain *chain, const Drover__V1__Plan *plan,
               Drover__V1__Mode mode, const Drover__V1__Attestation *ready, bool **out,
               struct dr_err *err)
{
    bool *applied = NULL, is_down = dr_approval_is_down(mode);
    bool *to_run = dr_arena_array(arena, plan->n_revisions, sizeof(bool));
    if (!to_run) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a plan of %zu revisions",
                          plan->n_revisions);
    }
    if (ready) {
        DR_TRY(dr_chain_applied(arena, chain, ready->heads, ready->n_heads, &applied, err));
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        size_t at = dr_chain_position(chain, plan->revisions[i]->digest.data);
        bool has = ready && at < chain->msg->n_entries && applied[at];
        to_run[i] = !ready || has == is_down || is_half_done(ready, plan->revisions[i]);
    }
    *out = to_run;
    return DR_OK;
}

bool
dr_gate_is_of_one_target(const Drover__V1__Gate *gate)
{
    return gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP ||
           gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED || dr_gate_is_own_verified(gate);
}

enum dr_rc
dr_gate_evaluate(struct dr_arena *arena, const struct dr_gate_input *input,
                 struct dr_gate_result **out, size_t *out_n, struct dr_err *err)
{
    const Drover__V1__Environment *policy = input->policy->msg->environment;
    struct dr_gate_result *results = dr_arena_array(arena, policy->n_gates, sizeof(*results));
    bool *to_run = NULL;
    size_t n = 0;
    if (!results) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu gates", policy->n_gates);
    }
    DR_TRY(
        dr_gate_to_run(arena, input->chain, input->plan, input->mode, input->ready, &to_run, err));
    for (size_t i = 0; i < policy->n_gates; i++) {
        if (dr_gate_is_of_one_target(policy->gates[i]) && !input->target) {
            continue;
        }
        struct dr_gate_result *result = &results[n++];
        struct dr_gate_eval eval = {arena, input, to_run, result, false, 0};
        result->gate = policy->gates[i];
        result->is_after = policy->gates[i]->after;
        evaluate_one(&eval);
        if (eval.is_cut) {
            return dr_err_set(err, DR_E_LIMIT, "no room for the evidence of a gate");
        }
    }
    *out = results;
    *out_n = n;
    return DR_OK;
}
