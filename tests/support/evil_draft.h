// A bundle of an evil coordinator on its way: evidence, sign-off, approval, leaves. Included by
// evil.h.
#ifndef DR_TESTS_SUPPORT_EVIL_DRAFT_H
#define DR_TESTS_SUPPORT_EVIL_DRAFT_H

#include "support/evil_documents.h"

// ---------------------------------------------------------------------------------- the draft

// A bundle on its way: good as it stands; `before` spoils messages that are then signed, `after`
// what was signed.
struct e_draft {
    struct evil *e;
    const struct dr_attestation *ready;
    Drover__V1__Attestation evidence[E_EVIDENCE];
    const struct dr_key *key[E_EVIDENCE];
    bool left_out[E_EVIDENCE], unlisted[E_EVIDENCE];
    struct dr_bytes wire[E_EVIDENCE];
    Drover__V1__Signoff item;
    const struct dr_key *item_key;
    bool item_left_out, item_unlisted;
    Drover__V1__UnitProof *ups[64], *downs[64];
    size_t n_ups, n_downs;
    uint8_t fp_after[32], zero[32];
    Drover__V1__Rehearsal *rehearsal;
    Drover__V1__ProbeResult *probe; // of both STATEs
    struct dr_approval_request request;
    struct dr_approval_target target[2];
    const struct dr_key *signer[6];
    size_t n_signers;
    const char *type;
    struct dr_bytes payload, *leaves;
    struct dr_merkle_tree tree;
    Drover__V1__Bundle *bundle;
};

static inline void
e_proofs(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    const Drover__V1__Plan *plan = c->plan->plan;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        for (size_t u = 0; u < plan->revisions[i]->n_units; u++) {
            const Drover__V1__Unit *unit = plan->revisions[i]->units[u];
            bool is_up = unit->kind == DROVER__V1__UNIT_KIND__UNIT_UP;
            if (!is_up && unit->kind != DROVER__V1__UNIT_KIND__UNIT_DOWN) {
                continue;
            }
            Drover__V1__UnitProof *proof = c_new(c, &drover__v1__unit_proof__descriptor);
            proof->revision_digest = plan->revisions[i]->digest;
            proof->unit_digest = unit->digest;
            proof->mode = is_up ? E_MODE(UP) : E_MODE(DOWN);
            assert_true(d->n_ups < 64 && d->n_downs < 64);
            if (is_up) {
                d->ups[d->n_ups++] = proof;
            } else {
                d->downs[d->n_downs++] = proof;
            }
        }
    }
}

// What the agent tried on a copy, and what both targets of staging answered after the soak.
static inline void
e_tries(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    d->rehearsal = c_new(c, &drover__v1__rehearsal__descriptor);
    d->rehearsal->fingerprint_before = d->ready->msg->fingerprint;
    d->rehearsal->fingerprint_down = d->ready->msg->fingerprint;
    d->rehearsal->fingerprint_up = dr_data(d->fp_after, 32);
    d->rehearsal->units = dr_arena_array(c->arena, d->n_ups + 1, sizeof *d->rehearsal->units);
    for (size_t i = 0; i < d->n_ups; i++) {
        Drover__V1__RehearsedUnit *unit = c_new(c, &drover__v1__rehearsed_unit__descriptor);
        unit->revision_digest = d->ups[i]->revision_digest;
        unit->unit_digest = d->ups[i]->unit_digest;
        unit->mode = E_MODE(UP);
        d->rehearsal->units[d->rehearsal->n_units++] = unit;
    }
    d->evidence[E_REHEARSED].rehearsal = d->rehearsal;
    d->probe = c_new(c, &drover__v1__probe_result__descriptor);
    d->probe->name = c_text(c, "errors");
    d->probe->outcome = DROVER__V1__PROBE_OUTCOME__PASSED;
    Drover__V1__ProbeResult **probes = dr_arena_array(c->arena, 1, sizeof *probes);
    probes[0] = d->probe;
    d->evidence[E_STATE].probes = d->evidence[E_STOCK_STATE].probes = probes;
    d->evidence[E_STATE].n_probes = d->evidence[E_STOCK_STATE].n_probes = 1;
}

static inline void
e_evidence(struct e_draft *d)
{
    static const struct {
        const char *target, *environment, *agent;
        int key;
        Drover__V1__AttestationKind kind;
        int64_t ago;
    } TABLE[E_EVIDENCE] = {
        {"staging/orders", "staging", "stg-1", E_ORDERS, KIND_OF(APPLIED), 10000},
        {"staging/orders", "staging", "stg-1", E_ORDERS, KIND_OF(REVERTED), 9900},
        {"staging/orders", "staging", "stg-1", E_ORDERS, KIND_OF(APPLIED), 9800},
        {"staging/orders", "staging", "stg-1", E_ORDERS, KIND_OF(STATE), 5000},
        {"staging/stock", "staging", "stg-2", E_STOCK, KIND_OF(APPLIED), 9800},
        {"staging/stock", "staging", "stg-2", E_STOCK, KIND_OF(STATE), 5000},
        {C_TARGET, "production", C_AGENT, E_OWN, KIND_OF(REHEARSED), 600},
        {"production/billing", "production", "prd-1", E_BILLING, KIND_OF(APPLIED), 5},
    };
    struct coord *c = &d->e->c;
    const Drover__V1__Plan *plan = c->plan->plan;
    const Drover__V1__PlanRevision *last = plan->revisions[plan->n_revisions - 1];
    Drover__V1__Head **heads = dr_arena_array(c->arena, 1, sizeof *heads);
    heads[0] = c_new(c, &drover__v1__head__descriptor);
    heads[0]->id = last->id;
    heads[0]->digest = last->digest;
    dr_sha256((struct dr_bytes){.data = (const uint8_t *)"after", .len = 5}, d->fp_after);
    for (size_t i = 0; i < E_EVIDENCE; i++) {
        Drover__V1__Attestation *msg = &d->evidence[i];
        drover__v1__attestation__init(msg);
        msg->cluster_id = c_data(c, C_CLUSTER, 16);
        msg->kind = TABLE[i].kind;
        msg->target = c_text(c, TABLE[i].target);
        msg->environment = c_text(c, TABLE[i].environment);
        msg->agent = c_text(c, TABLE[i].agent);
        msg->engine = c->engine;
        msg->time = dr_now_unix_s() - TABLE[i].ago;
        msg->ledger_head = dr_data(d->zero, 32);
        msg->heads = heads;
        msg->n_heads = 1;
        msg->units = d->ups;
        msg->n_units = d->n_ups;
        msg->mode = E_MODE(PROVE);
        msg->fingerprint_before = d->ready->msg->fingerprint;
        msg->fingerprint = dr_data(d->fp_after, 32);
        msg->plan_sha256 = c_data(c, c->plan->sha256, 32);
        msg->approval_sha256 = c_data(c, c->plan->sha256, 32);
        d->key[i] = &d->e->agent[TABLE[i].key];
    }
    d->evidence[E_REVERTED].n_heads = 0;
    d->evidence[E_REVERTED].units = d->downs;
    d->evidence[E_REVERTED].n_units = d->n_downs;
    d->evidence[E_REVERTED].fingerprint = d->ready->msg->fingerprint;
    e_tries(d);
}

// Everything as it should be.
static inline void
e_draft_begin(struct evil *e, const struct dr_attestation *ready, struct e_draft *d)
{
    struct coord *c = &e->c;
    *d = (struct e_draft){.e = e, .ready = ready, .type = DR_TYPE_APPROVAL};
    e_proofs(d);
    e_evidence(d);
    drover__v1__signoff__init(&d->item);
    d->item.cluster_id = c_data(c, C_CLUSTER, 16);
    d->item.kind = DROVER__V1__SIGNOFF_KIND__ITEM;
    d->item.environment = c_text(c, "production");
    d->item.item = c_text(c, "logs-reviewed");
    d->item.plan_sha256 = c_data(c, c->plan->sha256, 32);
    d->item.time = dr_now_unix_s() - 20;
    d->item_key = &c->person[E_CAROL];
    Drover__V1__Approval *header = &d->request.header;
    drover__v1__approval__init(header);
    header->cluster_id = c_data(c, C_CLUSTER, 16);
    header->plan_sha256 = c_data(c, c->plan->sha256, 32);
    header->mode = E_MODE(UP);
    header->on_failure = DROVER__V1__ON_FAILURE__HOLD;
    header->environment = c_text(c, "production");
    header->policy_sha256 =
        c_data(c, dr_fleet_environment(c->entries, c->n_entries, "production")->sha256, 32);
    header->not_before = dr_now_unix_s() - 10;
    header->expires = dr_now_unix_s() + 3600;
    header->rollout = c_text(c, "R-1");
    static const char *const NAMES[] = {"production/billing", C_TARGET};
    for (size_t i = 0; i < 2; i++) {
        const struct dr_fleet_entry *entry = dr_fleet_target(c->entries, c->n_entries, NAMES[i]);
        d->target[i].target = NAMES[i];
        d->target[i].wave = (uint32_t)i + 1;
        memcpy(d->target[i].entry_sha256, entry->sha256, 32);
        memcpy(d->target[i].ready_sha256, i == 0 ? d->fp_after : ready->sha256, 32);
    }
    d->target[1].acknowledged_flags = ready->msg->flags;
    d->signer[0] = &c->person[E_ALICE];
    d->signer[1] = &c->person[E_BOB];
    d->n_signers = 2;
}

static inline struct dr_bytes
e_envelope(struct coord *c, const char *type, struct dr_bytes payload,
           const struct dr_key *const *keys, size_t n)
{
    struct dr_bytes wire = {0};
    C_OK(c, dr_envelope_build(c->arena, type, payload, NULL, 0, &wire, &c->err));
    for (size_t i = 0; i < n; i++) {
        struct dr_envelope envelope;
        C_OK(c, dr_envelope_parse(wire, type, &envelope, &c->err));
        C_OK(c, dr_envelope_add(c->arena, &envelope, keys[i], &wire, &c->err));
    }
    return wire;
}

static inline void
e_sha_of(struct coord *c, struct dr_bytes wire, uint8_t out[32])
{
    struct dr_envelope envelope;
    C_OK(c, dr_envelope_parse(wire, NULL, &envelope, &c->err));
    memcpy(out, envelope.sha256, 32);
}

// Evidence with true counters: one state per agent; what is before the canary is listed by the
// approval.
static inline void
e_sign_evidence(struct e_draft *d, struct dr_attest_state state[E_AGENTS], size_t from, size_t to)
{
    static const int AGENT[E_EVIDENCE] = {E_ORDERS, E_ORDERS, E_ORDERS, E_ORDERS,
                                          E_STOCK,  E_STOCK,  E_OWN,    E_BILLING};
    struct coord *c = &d->e->c;
    for (size_t i = from; i < to; i++) {
        struct dr_attest_state *at = &state[AGENT[i]];
        uint8_t sha256[32];
        C_OK(c, dr_attest_build(c->arena, d->evidence[i], d->key[i], at, &d->wire[i], sha256, at,
                                &c->err));
        if (i < E_CANARY && !d->unlisted[i]) {
            memcpy(d->request.evidence[d->request.n_evidence++], sha256, 32);
        }
    }
}

static inline void
e_fill_bundle(struct e_draft *d, struct dr_bytes approval, struct dr_bytes item)
{
    struct coord *c = &d->e->c;
    Drover__V1__Bundle *bundle = c_new(c, &drover__v1__bundle__descriptor);
    struct dr_merkle_tree fleet;
    d->bundle = bundle;
    bundle->rollout = c_text(c, "R-1");
    bundle->target = c_text(c, C_TARGET);
    bundle->trust = c_trust(c);
    bundle->approval = dr_data(approval.data, approval.len);
    C_OK(c, dr_proven_make(c->arena, &d->tree, d->leaves[1], 1, &bundle->leaf, &c->err));
    bundle->canaries = dr_arena_array(c->arena, 2, sizeof *bundle->canaries);
    C_OK(c, dr_proven_make(c->arena, &d->tree, d->leaves[0], 0, &bundle->canaries[0], &c->err));
    bundle->n_canaries = 1;
    bundle->evidence = dr_arena_array(c->arena, 300, sizeof *bundle->evidence);
    for (size_t i = 0; i < E_EVIDENCE; i++) {
        if (!d->left_out[i]) {
            bundle->evidence[bundle->n_evidence++] = dr_data(d->wire[i].data, d->wire[i].len);
        }
    }
    bundle->signoffs = dr_arena_array(c->arena, 8, sizeof *bundle->signoffs);
    if (!d->item_left_out) {
        bundle->signoffs[bundle->n_signoffs++] = dr_data(item.data, item.len);
    }
    C_OK(c, dr_merkle_build(c->arena, c->leaves, c->n_entries, &fleet, &c->err));
    bundle->evidence_entries = dr_arena_array(c->arena, 8, sizeof *bundle->evidence_entries);
    for (size_t i = 0; i < 3;
         i++) { // targets by name: production/app, production/billing, staging/...
        C_OK(c, dr_proven_make(c->arena, &fleet, c->leaves[i + 1], i + 1,
                               &bundle->evidence_entries[i], &c->err));
    }
    bundle->n_evidence_entries = 3;
}

static inline void
e_draft_sign(struct e_draft *d)
{
    struct coord *c = &d->e->c;
    struct dr_attest_state state[E_AGENTS] = {0};
    struct dr_bytes item = {0};
    uint8_t sha256[32];
    d->request.evidence = dr_arena_array(c->arena, E_EVIDENCE + 1, 32);
    e_sign_evidence(d, state, 0, E_CANARY);
    C_OK(c, dr_signoff_build(c->arena, d->item, d->item_key, &item, sha256, &c->err));
    if (!d->item_unlisted) {
        memcpy(d->request.evidence[d->request.n_evidence++], sha256, 32);
    }
    d->request.targets = d->target;
    d->request.n_targets = 2;
    C_OK(c, dr_approval_draft(c->arena, &d->request, &d->payload, &d->leaves, &c->err));
    C_OK(c, dr_merkle_build(c->arena, d->leaves, 2, &d->tree, &c->err));
    struct dr_bytes approval = e_envelope(c, d->type, d->payload, d->signer, d->n_signers);
    // What the canary said names this approval, unless a case says otherwise.
    e_sha_of(c, approval, sha256);
    if (memcmp(d->evidence[E_CANARY].approval_sha256.data, c->plan->sha256, 32) == 0) {
        d->evidence[E_CANARY].approval_sha256 = c_data(c, sha256, 32);
    }
    e_sign_evidence(d, state, E_CANARY, E_EVIDENCE);
    e_fill_bundle(d, approval, item);
}

#endif
