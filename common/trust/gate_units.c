// Gates about units: which targets of another environment have shown every unit that is to run
// here.
#include "trust/gate_eval.h"

#include "trust/strict.h"

#include <string.h>

#define KIND(name) DR_ATTEST_KIND(name)

// The first piece of evidence of each active target of the gate's environment with the plan's
// engine stands for it.
static bool
is_first_of_target(struct dr_gate_eval *eval, size_t index)
{
    const Drover__V1__Target *target = dr_gate_target_of(&eval->in->evidence[index]);
    if (strcmp(target->environment, eval->result->gate->from_environment) != 0 ||
        target->state != DROVER__V1__TARGET_STATE__ACTIVE ||
        target->engine != eval->in->plan->engine) {
        return false;
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(dr_gate_target_of(&eval->in->evidence[i])->name, target->name) == 0) {
            return false;
        }
    }
    return true;
}

static bool
is_of(const struct dr_attestation *attestation, const Drover__V1__Target *target,
      Drover__V1__AttestationKind kind)
{
    return attestation->msg->kind == kind && strcmp(attestation->msg->target, target->name) == 0;
}

static bool
has_proof(const Drover__V1__Attestation *msg, const Drover__V1__PlanRevision *revision,
          const Drover__V1__Unit *unit, Drover__V1__Mode mode)
{
    for (size_t i = 0; i < msg->n_units; i++) {
        const Drover__V1__UnitProof *proof = msg->units[i];
        if (proof->mode == mode && dr_data_eq(proof->revision_digest, revision->digest) &&
            dr_data_eq(proof->unit_digest, unit->digest)) {
            return true;
        }
    }
    return false;
}

// A REVERTED proves the way back only when the schema is as before the APPLIED of the same plan.
static bool
is_schema_restored(struct dr_gate_eval *eval, const struct dr_attestation *reverted)
{
    for (size_t i = 0; i < eval->in->n_evidence; i++) {
        const struct dr_attestation *applied = &eval->in->evidence[i];
        if (is_of(applied, dr_gate_target_of(reverted), KIND(APPLIED)) &&
            dr_gate_is_after(reverted, applied) &&
            dr_data_eq(applied->msg->plan_sha256, reverted->msg->plan_sha256) &&
            applied->msg->fingerprint_before.len == 32 &&
            dr_data_eq(applied->msg->fingerprint_before, reverted->msg->fingerprint) &&
            dr_gate_counts(eval, applied->sha256, applied->msg->time)) {
            dr_gate_name_evidence(eval, applied->sha256);
            return true;
        }
    }
    return false;
}

#define SPARES 8u // targets named beyond those that a gate needs

// ---------------------------------------------------------------------- evidence per unit

// What has to be shown of each unit.
struct demand {
    Drover__V1__AttestationKind kind;
    Drover__V1__UnitKind unit;
    Drover__V1__Mode mode;
    bool same_schema;
};

static const struct demand demand_up = {KIND(APPLIED), DROVER__V1__UNIT_KIND__UNIT_UP,
                                        DROVER__V1__MODE__UP, false};
static const struct demand demand_down = {KIND(REVERTED), DROVER__V1__UNIT_KIND__UNIT_DOWN,
                                          DROVER__V1__MODE__DOWN, false};
static const struct demand demand_way_back = {KIND(REVERTED), DROVER__V1__UNIT_KIND__UNIT_DOWN,
                                              DROVER__V1__MODE__DOWN, true};

// The newest attestation of `target` that proves the unit; NULL: none.
static const struct dr_attestation *
find_proof(struct dr_gate_eval *eval, const Drover__V1__Target *target, const struct demand *demand,
           const Drover__V1__PlanRevision *revision, const Drover__V1__Unit *unit)
{
    const struct dr_attestation *newest = NULL;
    for (size_t i = 0; i < eval->in->n_evidence; i++) {
        const struct dr_attestation *one = &eval->in->evidence[i];
        if (is_of(one, target, demand->kind) && dr_gate_counts(eval, one->sha256, one->msg->time) &&
            has_proof(one->msg, revision, unit, demand->mode) &&
            (!newest || dr_gate_is_after(one, newest)) &&
            (!demand->same_schema || is_schema_restored(eval, one))) {
            newest = one;
        }
    }
    return newest;
}

// All units that are to run are proved by `target`: true, and `*out` is the newest of the proofs.
// Otherwise `*out_why`.
static bool
proves_all(struct dr_gate_eval *eval, const Drover__V1__Target *target, const struct demand *demand,
           const struct dr_attestation **out, const char **out_why)
{
    const Drover__V1__Plan *plan = eval->in->plan;
    const struct dr_attestation *newest = NULL;
    for (size_t i = eval->from; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        for (size_t u = 0; eval->to_run[i] && u < revision->n_units; u++) {
            const Drover__V1__Unit *unit = revision->units[u];
            if (unit->kind != demand->unit || unit->only[0] != '\0') {
                continue;
            }
            const struct dr_attestation *proof = find_proof(eval, target, demand, revision, unit);
            if (!proof) {
                *out_why = DR_GATE_TEXT(eval, "'%s' has not shown unit %zu of revision '%s' as %s",
                                        target->name, u + 1, revision->id,
                                        demand->kind == KIND(APPLIED) ? "applied" : "reverted");
                return false;
            }
            dr_gate_name_evidence(eval, proof->sha256);
            newest = !newest || dr_gate_is_after(proof, newest) ? proof : newest;
        }
    }
    *out = newest;
    *out_why = newest ? "" : "the plan has no unit that could be shown";
    return newest != NULL;
}

static bool
has_heads(Drover__V1__AttestationKind kind)
{
    return kind == KIND(APPLIED) || kind == KIND(REVERTED) || kind == KIND(STATE) ||
           kind == KIND(READY);
}

// Do the heads of this attestation hold every revision that is to run?
static bool
shows_all(struct dr_gate_eval *eval, const struct dr_attestation *attestation)
{
    const struct dr_gate_input *in = eval->in;
    bool *applied = NULL;
    if (dr_chain_applied(eval->arena, in->chain, attestation->msg->heads, attestation->msg->n_heads,
                         &applied, NULL) != DR_OK) {
        return false;
    }
    for (size_t i = 0; i < in->plan->n_revisions; i++) {
        size_t at = dr_chain_position(in->chain, in->plan->revisions[i]->digest.data);
        if (eval->to_run[i] && (at == in->chain->msg->n_entries || !applied[at])) {
            return false;
        }
    }
    return true;
}

// Since `since`: an attestation signed after the soak shows the revisions, and none, listed or not,
// shows otherwise.
static bool
is_soaked(struct dr_gate_eval *eval, const Drover__V1__Target *target,
          const struct dr_attestation *since, const char **out_why)
{
    const struct dr_gate_input *in = eval->in;
    uint64_t soak_s = eval->result->gate->soak_s;
    const struct dr_attestation *witness = NULL;
    for (size_t i = 0; i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        bool is_since = one == since || dr_gate_is_after(one, since);
        if (!has_heads(one->msg->kind) || strcmp(one->msg->target, target->name) != 0 ||
            !is_since) {
            continue;
        }
        if (!shows_all(eval, one)) {
            *out_why = DR_GATE_TEXT(eval, "'%s' no longer has the revisions", target->name);
            return false;
        }
        if (one->msg->time >= since->msg->time &&
            (uint64_t)(one->msg->time - since->msg->time) >= soak_s &&
            dr_gate_counts(eval, one->sha256, one->msg->time)) {
            witness = one;
        }
    }
    if (!witness) {
        char soak[32];
        dr_format_duration(soak, soak_s * 1000);
        *out_why = DR_GATE_TEXT(eval, "'%s' has not shown its state after a soak of %s",
                                target->name, soak);
        return false;
    }
    dr_gate_name_evidence(eval, witness->sha256);
    return true;
}

// Since `since`: a STATE that counts, signed after the soak, says that the probe passed, and none
// after it, listed or not, says otherwise.
static bool
is_probed(struct dr_gate_eval *eval, const Drover__V1__Target *target,
          const struct dr_attestation *since, const char **out_why)
{
    const struct dr_gate_input *in = eval->in;
    const Drover__V1__Gate *gate = eval->result->gate;
    const struct dr_attestation *good = NULL, *bad = NULL;
    for (size_t i = 0; i < in->n_evidence; i++) {
        const struct dr_attestation *one = &in->evidence[i];
        const Drover__V1__ProbeResult *answer =
            is_of(one, target, KIND(STATE)) ? dr_attest_probe(one->msg, gate->item) : NULL;
        if (!answer || !dr_gate_is_after(one, since)) {
            continue;
        }
        if (answer->outcome != DROVER__V1__PROBE_OUTCOME__PASSED) {
            bad = !bad || dr_gate_is_after(one, bad) ? one : bad;
        } else if (one->msg->time >= since->msg->time &&
                   (uint64_t)(one->msg->time - since->msg->time) >= gate->soak_s &&
                   dr_gate_counts(eval, one->sha256, one->msg->time)) {
            good = !good || dr_gate_is_after(one, good) ? one : good;
        }
    }
    if (good && (!bad || dr_gate_is_after(good, bad))) {
        dr_gate_name_evidence(eval, good->sha256);
        return true;
    }
    bool is_failed = bad && dr_attest_probe(bad->msg, gate->item)->outcome ==
                                DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
    *out_why = DR_GATE_TEXT(eval, "'%s' of '%s' %s", gate->item, target->name,
                            !bad        ? "is not answered after the soak yet"
                            : is_failed ? "did not pass"
                                        : "is inconclusive");
    return false;
}

// What `since`, the newest proof of the units, has to be followed by; NULL: nothing.
typedef bool (*dr_gate_later_fn)(struct dr_gate_eval *eval, const Drover__V1__Target *target,
                                 const struct dr_attestation *since, const char **out_why);

// Counts the targets of from_environment that meet the demand. The evidence of as many as are
// needed is named, and of a few that stand in when something happens to one of those.
static void
eval_targets(struct dr_gate_eval *eval, const struct demand *demand,
             const dr_gate_later_fn later[2], uint32_t needed)
{
    const char *environment = eval->result->gate->from_environment, *why = NULL;
    uint32_t n = 0;
    for (size_t i = 0; i < eval->in->n_evidence; i++) {
        const struct dr_attestation *since = NULL;
        const char *lacks = "";
        size_t mark = eval->result->n_evidence;
        if (!is_first_of_target(eval, i)) {
            continue;
        }
        const Drover__V1__Target *target = dr_gate_target_of(&eval->in->evidence[i]);
        bool is_met = proves_all(eval, target, demand, &since, &lacks);
        for (size_t k = 0; is_met && k < 2; k++) {
            is_met = !later[k] || later[k](eval, target, since, &lacks);
        }
        bool is_named = is_met && n < needed + SPARES;
        n += is_met;
        why = is_met ? why : lacks;
        eval->result->n_evidence = is_named ? eval->result->n_evidence : mark;
    }
    if (n >= needed) {
        dr_gate_open(eval,
                     DR_GATE_TEXT(eval, "%u target%s of %s", n, n == 1 ? "" : "s", environment));
    } else {
        dr_gate_close(eval, DR_GATE_TEXT(eval, "%u of %u targets of '%s'%s%s", n, needed,
                                         environment, why ? ": " : "", why ? why : ""));
    }
}

static const dr_gate_later_fn nothing_later[2] = {NULL, NULL};

void
dr_gate_eval_staged(struct dr_gate_eval *eval)
{
    static const dr_gate_later_fn soaked[2] = {is_soaked, NULL};
    bool is_down = eval->in->mode == DROVER__V1__MODE__DOWN;
    eval_targets(eval, is_down ? &demand_down : &demand_up, is_down ? nothing_later : soaked,
                 eval->result->gate->min_targets);
}

void
dr_gate_eval_probed(struct dr_gate_eval *eval)
{
    static const dr_gate_later_fn probed[2] = {is_soaked, is_probed};
    if (eval->in->mode == DROVER__V1__MODE__DOWN) {
        dr_gate_open(eval, "not asked for on the way down");
        return;
    }
    eval_targets(eval, &demand_up, probed, eval->result->gate->min_targets);
}

void
dr_gate_eval_rollback(struct dr_gate_eval *eval)
{
    const Drover__V1__Plan *plan = eval->in->plan;
    bool any = false;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        bool is_one_way = eval->to_run[i] && plan->revisions[i]->no_down;
        if (is_one_way && !eval->result->gate->one_way) {
            dr_gate_close(eval, DR_GATE_TEXT(eval,
                                             "revision '%s' has no way back, and the policy admits "
                                             "none that has none",
                                             plan->revisions[i]->id));
            return;
        }
        // Nobody gets back behind it, so that only what comes after it needs the proof.
        eval->from = is_one_way ? i + 1 : eval->from;
        any = is_one_way ? false : any || eval->to_run[i];
    }
    if (!any) {
        dr_gate_open(eval, "nothing goes back, which the policy admits");
        return;
    }
    eval_targets(eval, eval->in->mode == DROVER__V1__MODE__DOWN ? &demand_down : &demand_way_back,
                 nothing_later, 1);
}
