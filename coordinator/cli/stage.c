// Loads one environment of a rollout and verifies it under this person's trust.

#include "coordinator/cli/stage.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/rollout_view.h"

#include "base/clock.h"
#include "trust/plandoc.h"
#include "trust/stamp.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

#define EVIDENCE_MAX 200u // newest of an environment, as many as the coordinator looks at

static enum dr_rc
find_stage(struct dr_stage *s, const char *environment, struct dr_err *err)
{
    for (size_t i = 0; i < s->rollout->n_stages; i++) {
        const Drover__V1__StageStatus *stage = s->rollout->stages[i];
        bool is_last = i + 1 == s->rollout->n_stages;
        if (environment == NULL || environment[0] == '\0'
                ? is_last
                : dr_str_eq(stage->environment, environment)) {
            s->said = stage;
        }
    }
    if (s->said == NULL) {
        dr_err_set(err, DR_E_NOT_FOUND, "rollout '%s' does not go to '%s'", s->rollout->id,
                   environment ? environment : "");
        return dr_err_hint(err, "drover rollout show %s", s->rollout->id);
    }
    s->policy = dr_fleet_environment(s->remote->trust->entries, s->remote->trust->n_entries,
                                     s->said->environment);
    if (s->policy == NULL) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no environment '%s'",
                          dr_print_safe(s->remote->cli, s->said->environment));
    }
    return DR_OK;
}

static enum dr_rc
load_plans(struct dr_stage *s, struct dr_err *err)
{
    struct dr_arena *arena = s->remote->cli->arena;
    s->plans = dr_arena_array(arena, s->rollout->n_plans + 1, sizeof(*s->plans));
    if (s->plans == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < s->rollout->n_plans; i++) {
        const Drover__V1__EnginePlan *named = s->rollout->plans[i];
        struct dr_stage_plan *p = &s->plans[s->n_plans];
        if (named->plan_sha256.len != 32) {
            return dr_err_set(err, DR_E_INVALID, "the coordinator names a plan without digest");
        }
        p->named = named;
        enum dr_rc rc =
            dr_remote_get_blob(s->remote, named->plan_sha256.data, DR_PLANDOC_MAX, &p->packed, err);
        rc = rc == DR_OK
                 ? dr_plandoc_decode(arena, p->packed, named->plan_sha256.data, &p->plan, err)
                 : rc;
        if (rc != DR_OK) {
            return rc;
        }
        s->n_plans++;
    }
    return DR_OK;
}

// Envelopes for the loaders of common/trust.
struct wires {
    ProtobufCBinaryData *list;
    size_t n;
};

// Adds what the request names. `environment` is in the request already.
static enum dr_rc
fetch(struct dr_stage *s, const char *kind, Drover__V1__ListDocumentsRequest request,
      struct wires *wires, struct dr_err *err)
{
    Drover__V1__Document **documents = NULL;
    size_t n = 0;
    struct dr_arena *arena = s->remote->cli->arena;
    request.kind = dr_arena_str(arena, kind);
    enum dr_rc rc = dr_remote_list(s->remote, request, &documents, &n, err);
    if (rc != DR_OK) {
        return rc;
    }
    ProtobufCBinaryData *list = dr_arena_array(arena, wires->n + n + 1, sizeof(*list));
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    memcpy(list, wires->n ? wires->list : list, wires->n * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[wires->n + i] = documents[i]->envelope;
    }
    wires->list = list;
    wires->n += n;
    return DR_OK;
}

#define KIND(k) (1u << DROVER__V1__ATTESTATION_KIND__##k)

// Of one environment: of each target the newest of some kinds, and the newest runs.
static enum dr_rc
fetch_environment(struct dr_stage *s, const char *environment, uint32_t newest_kinds,
                  bool is_probed, struct wires *wires, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    enum dr_rc rc = DR_OK;
    request.environment = dr_arena_str(s->remote->cli->arena, environment);
    if (newest_kinds != 0) {
        request.latest = true;
        request.subkinds = newest_kinds;
        rc = fetch(s, DR_TYPE_ATTESTATION, request, wires, err);
    }
    request.latest = false;
    request.newest_first = true;
    request.limit = EVIDENCE_MAX;
    request.subkinds = KIND(APPLIED) | KIND(REVERTED) | KIND(FAILED) | KIND(REHEARSED);
    rc = rc == DR_OK ? fetch(s, DR_TYPE_ATTESTATION, request, wires, err) : rc;
    request.subkinds = KIND(STATE); // the newest of a target need not be one that answers probes
    return rc == DR_OK && is_probed ? fetch(s, DR_TYPE_ATTESTATION, request, wires, err) : rc;
}

// READYs and backups of this environment, the state of those that its gates name, and the runs of
// all: a stamp may be proved by any.
static enum dr_rc
fetch_attestations(struct dr_stage *s, struct wires *wires, struct dr_err *err)
{
    const Drover__V1__Environment *policy = s->policy->msg->environment;
    const struct dr_trust *trust = s->remote->trust;
    enum dr_rc rc = DR_OK;
    for (size_t i = trust->n_entries; rc == DR_OK && i > 0; i--) {
        const Drover__V1__Environment *environment = trust->entries[i - 1].msg->environment;
        if (environment == NULL) {
            break; // environments stand last
        }
        bool is_mine = dr_str_eq(environment->name, policy->name);
        uint32_t kinds = is_mine ? KIND(READY) | KIND(BACKUP) | KIND(REHEARSED) : 0;
        bool is_probed = false;
        for (size_t g = 0; g < policy->n_gates; g++) {
            bool is_named = dr_str_eq(policy->gates[g]->from_environment, environment->name);
            kinds |= is_named ? KIND(STATE) : 0;
            is_probed = is_probed ||
                        (is_named && policy->gates[g]->kind == DROVER__V1__GATE_KIND__GATE_PROBED);
        }
        rc = fetch_environment(s, environment->name, kinds, is_probed, wires, err);
    }
    return rc;
}

static enum dr_rc
fetch_signoffs(struct dr_stage *s, struct wires *wires, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    request.environment = s->policy->msg->environment->name;
    request.newest_first = true;
    request.limit = EVIDENCE_MAX;
    return fetch(s, DR_TYPE_SIGNOFF, request, wires, err);
}

static enum dr_rc
load_evidence(struct dr_stage *s, struct dr_err *err)
{
    const struct dr_trust *trust = s->remote->trust;
    struct dr_arena *arena = s->remote->cli->arena;
    struct wires words = {0};
    struct wires signoffs = {0};
    enum dr_rc rc = fetch_attestations(s, &words, err);
    rc = rc == DR_OK
             ? dr_gate_load_evidence(arena, &trust->fleet, trust->entries, trust->n_entries,
                                     words.list, words.n, true, &s->evidence, &s->n_evidence, err)
             : rc;
    rc = rc == DR_OK ? fetch_signoffs(s, &signoffs, err) : rc;
    return rc == DR_OK
               ? dr_gate_load_signoffs(arena, &trust->root, s->said->environment, signoffs.list,
                                       signoffs.n, true, &s->signoffs, &s->n_signoffs, err)
               : rc;
}

// The READY that the coordinator names, among the verified attestations.
static void
find_ready(struct dr_stage *s, struct dr_stage_target *target)
{
    for (size_t i = 0; target->said->ready_sha256.len == 32 && i < s->n_evidence; i++) {
        const struct dr_attestation *a = &s->evidence[i];
        if (dr_data_is(target->said->ready_sha256, a->sha256) &&
            a->msg->kind == DROVER__V1__ATTESTATION_KIND__READY &&
            dr_str_eq(a->msg->target, target->said->target)) {
            target->ready = *a;
        }
    }
}

Drover__V1__Mode
dr_stage_mode(const struct dr_stage *s)
{
    bool proves = s->policy->msg->environment->prove && s->rollout->mode == DROVER__V1__MODE__UP;
    for (size_t i = 0; i < s->n_plans; i++) {
        proves = proves && dr_plandoc_can_prove(s->plans[i].plan);
    }
    return proves ? DROVER__V1__MODE__PROVE : s->rollout->mode;
}

const struct dr_stage_plan *
dr_stage_plan_of(const struct dr_stage *s, const struct dr_stage_target *target)
{
    for (size_t i = 0; i < s->n_plans; i++) {
        if (s->plans[i].named == target->plan) {
            return &s->plans[i];
        }
    }
    return NULL;
}

static enum dr_rc
evaluate(struct dr_stage *s, struct dr_stage_target *target, struct dr_err *err)
{
    const struct dr_stage_plan *plan = dr_stage_plan_of(s, target);
    struct dr_gate_input input = {
        .policy = s->policy,
        .chain = &s->remote->trust->chain,
        .plan = plan->plan,
        .plan_sha256 = plan->named->plan_sha256.data,
        .mode = dr_stage_mode(s),
        .ready = target->ready.msg,
        .target = target->said->target,
        .evidence = s->evidence,
        .n_evidence = s->n_evidence,
        .signoffs = s->signoffs,
        .n_signoffs = s->n_signoffs,
        .now = dr_now_unix_s(),
    };
    enum dr_rc rc =
        dr_gate_evaluate(s->remote->cli->arena, &input, &target->gates, &target->n_gates, err);
    if (rc == DR_OK && dr_approval_is_stamp(input.mode)) {
        rc = dr_stamp_proof(s->remote->cli->arena, &input, &target->stamp_proof, err);
    }
    target->is_open = rc == DR_OK;
    for (size_t i = 0; rc == DR_OK && i < target->n_gates; i++) {
        target->is_open =
            target->is_open && (target->gates[i].is_open || target->gates[i].is_after);
    }
    return rc;
}

static enum dr_rc
load_target(struct dr_stage *s, const Drover__V1__TargetStatus *said, struct dr_stage_target *out,
            struct dr_err *err)
{
    const struct dr_trust *trust = s->remote->trust;
    *out = (struct dr_stage_target){.said = said};
    out->entry = dr_fleet_target(trust->entries, trust->n_entries, said->target);
    if (out->entry == NULL ||
        !dr_str_eq(out->entry->msg->target->environment, s->said->environment)) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the signed fleet has no target '%s' in '%s'",
                          dr_print_safe(s->remote->cli, said->target),
                          dr_print_safe(s->remote->cli, s->said->environment));
    }
    for (size_t i = 0; i < s->n_plans; i++) {
        if (s->plans[i].plan->engine == out->entry->msg->target->engine) {
            out->plan = s->plans[i].named;
        }
    }
    if (out->plan == NULL) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the rollout has no plan for the engine of '%s'",
                          dr_print_safe(s->remote->cli, said->target));
    }
    find_ready(s, out);
    return evaluate(s, out, err);
}

enum dr_rc
dr_stage_load(struct dr_remote *remote, const char *rollout, const char *environment,
              struct dr_stage *out, struct dr_err *err)
{
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *reply = NULL;
    *out = (struct dr_stage){.remote = remote};
    id.id = dr_arena_str(remote->cli->arena, rollout);
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &reply, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!dr_str_eq(reply->id, rollout)) {
        return dr_err_set(err, DR_E_CONFLICT, "the coordinator answered for another rollout, '%s'",
                          reply->id);
    }
    out->rollout = reply;
    if (remote->trust->chain.msg == NULL || remote->trust->fleet.msg == NULL) {
        return dr_err_set(err, DR_E_NOT_FOUND, "no approved chain or no fleet is known yet");
    }
    rc = find_stage(out, environment, err);
    rc = rc == DR_OK ? load_plans(out, err) : rc;
    rc = rc == DR_OK ? load_evidence(out, err) : rc;
    out->targets = rc == DR_OK ? dr_arena_array(remote->cli->arena, out->said->n_targets + 1,
                                                sizeof(*out->targets))
                               : NULL;
    if (rc == DR_OK && out->targets == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < out->said->n_targets; i++) {
        rc = load_target(out, out->said->targets[i], &out->targets[out->n_targets++], err);
    }
    return rc;
}

bool
dr_stage_is_waiting(const struct dr_stage_target *t)
{
    return t->ready.msg != NULL && dr_str_eq(t->said->state, "ready");
}

// Is there somebody to sign in that environment? Otherwise its targets ran, and only time is
// missing.
static bool
asks_for_people(const struct dr_stage *s, const char *environment)
{
    return !dr_rollout_all_in(s->rollout, environment, "applied") &&
           !dr_rollout_all_in(s->rollout, environment, "reverted");
}

static const char *
next_command(const struct dr_stage *s, const struct dr_stage_target *target,
             const Drover__V1__Gate *gate)
{
    struct dr_arena *arena = s->remote->cli->arena;
    const char *text = "";
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF) {
        text = dr_arena_printf(arena, "drover checklist %s sign %s", s->rollout->id, gate->item);
    } else if (gate->kind == DROVER__V1__GATE_KIND__GATE_STAGED ||
               gate->kind == DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED) {
        text = asks_for_people(s, gate->from_environment)
                   ? dr_arena_printf(arena, "drover approve %s -e %s", s->rollout->id,
                                     gate->from_environment)
                   : dr_arena_printf(arena, "drover why %s", s->rollout->id);
    } else if ((gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP ||
                gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED) &&
               (dr_stage_is_waiting(target) || dr_str_eq(target->said->state, "approved"))) {
        text = dr_arena_printf(arena, "drover rollout retry %s -t %s", s->rollout->id,
                               target->said->target); // with another backup, or rehearsal
    } else if (gate->kind != DROVER__V1__GATE_KIND__GATE_VERIFIED) {
        text = dr_arena_printf(arena, "drover rollout watch %s", s->rollout->id);
    } else if (gate->after) {
        bool has_run = dr_str_eq(target->said->state, "applied");
        text = has_run ? dr_arena_printf(arena, "drover checklist %s show %s -e %s", s->rollout->id,
                                         dr_gate_name(gate), s->said->environment)
                       : "";
    }
    return text ? text : "";
}

// What a target lacks; the target is named unless the words name it or it is the only one.
static const char *
missing_text(const struct dr_stage *s, const struct dr_stage_target *target,
             const struct dr_gate_result *r)
{
    const char *name = target->said->target;
    bool is_clear = s->n_targets == 1 || strstr(r->missing, name) != NULL ||
                    r->gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    const char *text =
        is_clear ? r->missing : dr_arena_printf(s->remote->cli->arena, "%s: %s", name, r->missing);
    return text ? text : "";
}

// What opened a gate; for an item that people sign also who did, and the note.
static const char *
shown_text(const struct dr_stage *s, const struct dr_gate_result *r)
{
    const Drover__V1__Root *root = s->remote->trust->root.msg;
    struct dr_buf out = {0};
    for (size_t i = 0; i < s->n_signoffs && r->n_evidence > 0; i++) {
        const struct dr_signoff *word = &s->signoffs[i];
        if (r->gate->kind != DROVER__V1__GATE_KIND__GATE_SIGNOFF ||
            memcmp(word->sha256, r->evidence[0], 32) != 0) {
            continue;
        }
        dr_buf_str(&out, "signed by");
        for (size_t p = 0; p < root->n_people && p < DR_PEOPLE_MAX; p++) {
            if (word->signers.signed_by[p]) {
                dr_buf_printf(&out, " %s", root->people[p]->name);
            }
        }
        dr_buf_printf(&out, "%s%s", word->msg->note[0] ? ": " : "", word->msg->note);
    }
    const char *text = out.len ? dr_arena_str(s->remote->cli->arena, out.data) : r->shown_by;
    dr_buf_fini(&out);
    return text ? text : "";
}

static bool
has_waiting(const struct dr_stage *s)
{
    bool any = false;
    for (size_t t = 0; t < s->n_targets; t++) {
        any = any || dr_stage_is_waiting(&s->targets[t]);
    }
    return any;
}

enum dr_rc
dr_stage_gates(const struct dr_stage *s, struct dr_stage_gate **out, size_t *out_n,
               struct dr_err *err)
{
    const Drover__V1__Environment *policy = s->policy->msg->environment;
    struct dr_stage_gate *rows =
        dr_arena_array(s->remote->cli->arena, policy->n_gates + 1, sizeof(*rows));
    if (rows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    bool only_waiting = has_waiting(s); // who is away or done needs no gate now
    for (size_t g = 0; g < policy->n_gates; g++) {
        rows[g] = (struct dr_stage_gate){
            .gate = policy->gates[g], .is_open = s->n_targets > 0, .text = "", .next = ""};
        rows[g].is_after = policy->gates[g]->after;
        for (size_t t = 0; t < s->n_targets; t++) {
            const struct dr_stage_target *target = &s->targets[t];
            if (g >= target->n_gates || (only_waiting && !dr_stage_is_waiting(target))) {
                continue;
            }
            const struct dr_gate_result *r = &target->gates[g];
            if (!r->is_open && rows[g].is_open) {
                rows[g].is_open = false;
                rows[g].text = missing_text(s, target, r);
                rows[g].next = next_command(s, target, r->gate);
            } else if (rows[g].is_open && rows[g].text[0] == '\0') {
                rows[g].text = shown_text(s, r);
            }
        }
    }
    *out = rows;
    *out_n = policy->n_gates;
    return DR_OK;
}

size_t
dr_stage_print_gates(const struct dr_stage *s, const struct dr_stage_gate *gates, size_t n)
{
    const struct dr_cli *cli = s->remote->cli;
    size_t closed = 0;
    for (size_t i = 0; i < n; i++) {
        enum dr_tone tone = gates[i].is_open    ? DR_TONE_GOOD
                            : gates[i].is_after ? DR_TONE_DIM
                                                : DR_TONE_WAIT;
        closed += !gates[i].is_open && !gates[i].is_after ? 1 : 0;
        dr_say(cli, "  %s[%s]%s %-20s %s%s\n", dr_tone_begin(cli, tone),
               gates[i].is_open ? "x" : " ", dr_tone_end(cli, tone), dr_gate_name(gates[i].gate),
               gates[i].text ? gates[i].text : "",
               gates[i].is_after ? " (asked for afterwards)" : "");
    }
    return closed;
}
