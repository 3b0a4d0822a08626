// An evil coordinator around one real agent of production: it holds every key of a small
// organisation (three people, two staging agents, a second production agent) and so can sign,
// forge, mix, withhold and replay anything. A case starts from a bundle that is good in every way,
// spoils one thing, and says which refusal must come back; after each case the oracles look: no
// statement ran, trust on disk is what it should be, the agent lives. Included once per test
// program.
#ifndef DR_TESTS_SUPPORT_EVIL_H
#define DR_TESTS_SUPPORT_EVIL_H

#include "support/agent_world.h"

#include <dirent.h>

enum { E_ALICE, E_BOB, E_CAROL };
enum { E_ORDERS, E_STOCK, E_BILLING, E_AGENTS };
enum { E_APPLIED, E_REVERTED, E_AGAIN, E_STATE, E_STOCKED, E_STOCK_STATE, E_CANARY, E_EVIDENCE };
enum { G_BACKUP, G_STAGED, G_ROLLBACK, G_VERIFIED, G_SIGNOFF, E_GATES };

#define E_SOAK_S     3600
#define E_ENTRIES    6u
#define E_FILE_MAX   (8u << 20)
#define E_MODE(name) DROVER__V1__MODE__##name
#define E_PUSH(name) DROVER__V1__PUSH_KIND__PUSH_##name
#define E_SQLITE     DROVER__V1__ENGINE__SQLITE

struct evil {
    struct coord c; // server, pushes, agent; its documents are ours
    struct dr_key alice2, stranger, agent[E_AGENTS];
    // The next documents; a test changes these and makes them again.
    struct {
        uint64_t version;
        int64_t issued_in, expires_in;
        bool without_bob, with_carol_only, is_foreign;
        size_t signers;
    } root;
    struct {
        uint64_t version;
        int64_t issued_in, expires_in;
        bool without_me, is_retired, has_other_key, is_moved, is_foreign;
        bool retires_orders, renews_orders_key, has_unknown_gate;
        size_t signers;
    } fleet;
    size_t gates; // of production: the first so many
    // Oracles
    uint8_t database_sha256[32];
    int fds_exec, fds_net;
    struct dr_bytes trusted_fleet, trusted_chain, trusted_root;
};

// ------------------------------------------------------------------------------------- trust

static inline void
e_person(struct evil *e, Drover__V1__Root *root, const char *name, const struct dr_key *first,
         const struct dr_key *second)
{
    struct coord *c = &e->c;
    Drover__V1__Person *person = c_new(c, &drover__v1__person__descriptor);
    const struct dr_key *keys[] = {first, second};
    person->name = c_text(c, name);
    person->keys = dr_arena_array(c->arena, 2, sizeof *person->keys);
    for (size_t i = 0; i < 2 && keys[i] != NULL; i++) {
        Drover__V1__PersonKey *key = c_new(c, &drover__v1__person_key__descriptor);
        key->kind = DROVER__V1__KEY_KIND__KEY_FILE;
        key->public_key = c_data(c, keys[i]->public_key, 32);
        person->keys[person->n_keys++] = key;
    }
    root->people[root->n_people++] = person;
}

static inline Drover__V1__Role *
e_role(struct coord *c, size_t people, uint32_t threshold)
{
    Drover__V1__Role *role = c_role(c, threshold);
    role->n_people = people;
    return role;
}

// The root that e->root describes, signed by the first e->root.signers of alice, bob, carol.
static inline struct dr_bytes
e_sign_root(struct evil *e)
{
    static const uint8_t foreign[16] = "another cluster";
    struct coord *c = &e->c;
    int64_t now = dr_now_unix_s();
    Drover__V1__Root *root = c_new(c, &drover__v1__root__descriptor);
    root->cluster_id = c_data(c, e->root.is_foreign ? foreign : C_CLUSTER, 16);
    root->version = e->root.version;
    root->issued = now + e->root.issued_in;
    root->expires = now + e->root.expires_in;
    root->people = dr_arena_array(c->arena, 3, sizeof *root->people);
    e_person(e, root, "alice", &c->person[E_ALICE], &e->alice2);
    if (!e->root.without_bob) {
        e_person(e, root, "bob", &c->person[E_BOB], NULL);
    }
    e_person(e, root, "carol", &c->person[E_CAROL], NULL);
    root->root = e_role(c, root->n_people, 2);
    root->fleet = e_role(c, root->n_people, 2);
    root->reviewers = e_role(c, root->n_people, 2);
    root->approvers = dr_arena_array(c->arena, 2, sizeof *root->approvers);
    for (size_t i = 0; i < 2; i++) {
        root->approvers[i] = c_new(c, &drover__v1__environment_role__descriptor);
        root->approvers[i]->environment = c_text(c, i == 0 ? "production" : "staging");
        root->approvers[i]->role = e_role(c, root->n_people, i == 0 ? 2 : 1);
    }
    root->n_approvers = 2;
    struct dr_bytes payload = c_pack(c, &root->base);
    if (e->root.with_carol_only) {
        struct dr_bytes wire = {0};
        C_OK(c, dr_envelope_sign(c->arena, DR_TYPE_ROOT, payload, &c->person[E_CAROL], &wire,
                                 &c->err));
        return wire;
    }
    return c_sign(c, DR_TYPE_ROOT, payload, e->root.signers);
}

static inline void
e_make_root(struct evil *e)
{
    struct coord *c = &e->c;
    for (size_t i = 0; i < C_PEOPLE; i++) {
        C_OK(c, dr_key_generate(DR_KEY_SIGNING, &c->person[i], &c->err));
    }
    for (size_t i = 0; i < E_AGENTS; i++) {
        C_OK(c, dr_key_generate(DR_KEY_SIGNING, &e->agent[i], &c->err));
    }
    C_OK(c, dr_key_generate(DR_KEY_SIGNING, &e->alice2, &c->err));
    C_OK(c, dr_key_generate(DR_KEY_SIGNING, &e->stranger, &c->err));
    e->root.version = 1;
    e->root.issued_in = -90 * 86400;
    e->root.expires_in = 90 * 86400;
    e->root.signers = 2;
    c->root_wire = e_sign_root(e);
    C_OK(c, dr_root_first(c->arena, c->root_wire, NULL, &c->root, &c->err));
    e->trusted_root = c->root_wire;
}

static inline Drover__V1__FleetEntry *
e_target(struct evil *e, const char *name, const char *environment, const char *agent,
         const uint8_t key[32], bool is_active)
{
    struct coord *c = &e->c;
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Target *target = c_new(c, &drover__v1__target__descriptor);
    uint8_t transport[32];
    dr_sha256((struct dr_bytes){.data = key, .len = 32}, transport);
    bool is_mine = strcmp(agent, C_AGENT) == 0;
    entry->target = target;
    target->name = c_text(c, name);
    target->environment = c_text(c, environment);
    target->engine = c->engine;
    target->agent = c_text(c, agent);
    target->agent_signing_key = c_data(c, key, 32);
    target->agent_transport_key = c_data(c, is_mine ? c->agent_key.transport : transport, 32);
    target->state =
        is_active ? DROVER__V1__TARGET_STATE__ACTIVE : DROVER__V1__TARGET_STATE__RETIRED;
    return entry;
}

static inline void
e_gates(struct evil *e, Drover__V1__Environment *policy)
{
    static const Drover__V1__GateKind KINDS[E_GATES] = {
        DROVER__V1__GATE_KIND__GATE_BACKUP, DROVER__V1__GATE_KIND__GATE_STAGED,
        DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED, DROVER__V1__GATE_KIND__GATE_VERIFIED,
        DROVER__V1__GATE_KIND__GATE_SIGNOFF};
    struct coord *c = &e->c;
    policy->gates = dr_arena_array(c->arena, E_GATES, sizeof *policy->gates);
    for (size_t i = 0; i < e->gates; i++) {
        Drover__V1__Gate *gate = c_new(c, &drover__v1__gate__descriptor);
        gate->kind = KINDS[i];
        if (i == G_BACKUP) {
            gate->max_age_s = 3600;
            gate->restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
        } else if (i == G_SIGNOFF) {
            gate->item = c_text(c, "logs-reviewed");
        } else {
            gate->from_environment = c_text(c, "staging");
            gate->min_targets = i == G_STAGED ? 2 : 0;
            gate->soak_s = i == G_STAGED ? E_SOAK_S : 0;
        }
        policy->gates[policy->n_gates++] = gate;
    }
    if (e->fleet.has_unknown_gate && policy->n_gates > 0) {
        policy->gates[0]->kind = (Drover__V1__GateKind)77;
    }
}

static inline Drover__V1__FleetEntry *
e_policy(struct evil *e, const char *name, uint32_t rank)
{
    struct coord *c = &e->c;
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Environment *policy = c_new(c, &drover__v1__environment__descriptor);
    entry->environment = policy;
    policy->name = c_text(c, name);
    policy->rank = rank;
    policy->approval_max_s = 7200;
    if (rank == 2) {
        policy->canary_targets = 1;
        e_gates(e, policy);
    }
    return entry;
}

// Signs the fleet that e->fleet describes and makes it the one that is handed out; nothing of it is
// checked here.
static inline void
e_make_fleet(struct evil *e)
{
    static const uint8_t foreign[16] = "another cluster";
    struct coord *c = &e->c;
    Drover__V1__Fleet header = DROVER__V1__FLEET__INIT;
    Drover__V1__FleetEntry *entries[E_ENTRIES];
    struct dr_bytes payload = {0};
    size_t n = 0;
    const uint8_t *mine = e->fleet.has_other_key ? e->stranger.public_key : c->agent_key.signing;
    const uint8_t *orders =
        e->fleet.renews_orders_key ? e->alice2.public_key : e->agent[E_ORDERS].public_key;
    entries[n++] =
        e_target(e, "staging/orders", "staging", "stg-1", orders, !e->fleet.retires_orders);
    entries[n++] =
        e_target(e, "staging/stock", "staging", "stg-2", e->agent[E_STOCK].public_key, true);
    entries[n++] = e_target(e, "production/billing", "production", "prd-1",
                            e->agent[E_BILLING].public_key, true);
    if (!e->fleet.without_me) {
        entries[n++] = e_target(e, C_TARGET, e->fleet.is_moved ? "staging" : "production", C_AGENT,
                                mine, !e->fleet.is_retired);
    }
    entries[n++] = e_policy(e, "staging", 1);
    entries[n++] = e_policy(e, "production", 2);
    header.cluster_id = c_data(c, e->fleet.is_foreign ? foreign : C_CLUSTER, 16);
    header.version = e->fleet.version;
    header.issued = dr_now_unix_s() + e->fleet.issued_in;
    header.expires = dr_now_unix_s() + e->fleet.expires_in;
    header.coordinator_key = c_data(c, c->server_key.public_key, 32);
    c->n_entries = n;
    C_OK(c, dr_fleet_draft(c->arena, header, entries, n, &payload, &c->leaves, &c->err));
    c->fleet_wire = c_sign(c, DR_TYPE_FLEET, payload, e->fleet.signers);
}

// The fleet handed out becomes the one that the test itself believes.
static inline void
e_believe_fleet(struct evil *e)
{
    struct coord *c = &e->c;
    C_OK(c, dr_fleet_load(c->arena, &c->root, c->fleet_wire, &c->fleet, &c->err));
    C_OK(c, dr_fleet_entries_check(c->arena, &c->fleet, c->leaves, c->n_entries, &c->entries,
                                   &c->err));
    e->trusted_fleet = c->fleet_wire;
}

static inline void
e_good_fleet(struct evil *e, uint64_t version)
{
    memset(&e->fleet, 0, sizeof e->fleet);
    e->fleet.version = version;
    e->fleet.issued_in = -5 * 86400;
    e->fleet.expires_in = 25 * 86400;
    e->fleet.signers = 2;
    e_make_fleet(e);
}

// ------------------------------------------------------------------------------ begin and end

// `cluster`: of the target on PostgreSQL; NULL: the shared one.
static inline void
e_begin_with(struct evil *e, Drover__V1__Engine engine, struct dr_pgcluster *cluster, size_t gates,
             const struct tp_revision *revisions, size_t n)
{
    struct coord *c = &e->c;
    *e = (struct evil){.gates = gates, .c.cluster = cluster};
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // the agent turns tracing of itself off
    dr_tmp_init(&c->tmp);
    c->arena = dr_arena_new((size_t)1 << 30);
    c->engine = engine;
    c->with_backup_gate = gates > 0;
    c->plan = tp_make(engine, revisions, n);
    c->plan_bytes = c_pack(c, &c->plan->plan->base);
    C_OK(c, dr_key_generate(DR_KEY_TRANSPORT, &c->server_key, &c->err));
    c_read_agent_key(c);
    if (cluster != NULL) {
        (void)snprintf(c->url, sizeof c->url, "%s", dr_pgcluster_new_database(cluster));
    } else {
        c_make_database(c);
    }
    c_serve(c);
    e_make_root(e);
    e_good_fleet(e, 5);
    e_believe_fleet(e);
    c_make_chain(c);
    e->trusted_chain = c->chain_wire;
    c_configure(c);
}

static inline void
e_end(struct evil *e)
{
    for (size_t i = 0; i < E_AGENTS; i++) {
        dr_key_fini(&e->agent[i]);
    }
    dr_key_fini(&e->alice2);
    dr_key_fini(&e->stranger);
    c_end(&e->c);
}

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
                                          E_STOCK,  E_STOCK,  E_BILLING};
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

// ------------------------------------------------------------------------------------ oracles

static inline int
e_count_fds(pid_t pid)
{
    char path[64];
    int n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return -1; // another user's: not for us to see
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static inline void
e_hash_database(struct evil *e, uint8_t out[32])
{
    uint64_t size = 0;
    memset(out, 0, 32);
    if (e->c.engine == E_SQLITE) {
        C_OK(&e->c, dr_file_sha256(e->c.url + strlen("sqlite:"), out, &size, &e->c.err));
    }
}

// The world is quiet: from now on nothing may change.
static inline void
e_remember(struct evil *e)
{
    e_hash_database(e, e->database_sha256);
    e->fds_exec = e_count_fds(e->c.agent);
    e->fds_net = e_count_fds(c_child(&e->c, "net"));
}

static inline bool
e_file_holds(struct evil *e, const char *name, struct dr_bytes wire)
{
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    C_OK(&e->c,
         dr_file_read(dr_tmp_path(&e->c.tmp, name, path), E_FILE_MAX, &bytes, &len, &e->c.err));
    bool holds = memmem(bytes, len, wire.data, wire.len) != NULL;
    free(bytes);
    return holds;
}

// O1: nothing ran. O2: trust on disk is what was accepted. O3: the agent lives and holds on to
// nothing.
static inline void
e_oracles(struct evil *e, const char *name)
{
    struct coord *c = &e->c;
    uint8_t now[32];
    char root[64];
    e_hash_database(e, now);
    if (memcmp(now, e->database_sha256, 32) != 0 || c_has_table(c, "users")) {
        fail_msg("%s: O1: the database was changed", name);
    }
    (void)snprintf(root, sizeof root, "state/trust/root-%llu",
                   (unsigned long long)c->root.msg->version);
    if (!e_file_holds(e, "state/trust/fleet", e->trusted_fleet) ||
        !e_file_holds(e, "state/trust/chain", e->trusted_chain) ||
        (c->root.msg->version > 1 && !e_file_holds(e, root, e->trusted_root))) {
        fail_msg("%s: O2: what the agent trusts is not what was accepted", name);
    }
    if (waitpid(c->agent, NULL, WNOHANG) != 0) {
        c->agent = 0;
        fail_msg("%s: O3: the agent is dead", name);
    }
    C_UNTIL(c, e_count_fds(c->agent) <= e->fds_exec);
    C_UNTIL(c, e_count_fds(c_child(c, "net")) <= e->fds_net);
}

// --------------------------------------------------------------------------------------- cases

struct e_case {
    const char *name; // begins with the id
    void (*before)(struct e_draft *d);
    void (*after)(struct e_draft *d);
    const char *code;
};

// The good bundle of an open READY, spoilt.
static inline void
e_make(struct evil *e, const struct dr_attestation *ready, const struct e_case *row,
       struct e_draft *d)
{
    e_draft_begin(e, ready, d);
    if (row != NULL && row->before != NULL) {
        row->before(d);
    }
    e_draft_sign(d);
    if (row != NULL && row->after != NULL) {
        row->after(d);
    }
}

static inline void
e_push_draft(struct e_draft *d)
{
    d->e->c.n_push = 0;
    c_push(&d->e->c, E_PUSH(BUNDLE), &d->bundle->base);
}

// Nothing but STATEs may come before the refusal. True if it carries `code`.
static inline bool
e_is_refused(struct evil *e, const char *name, const char *code)
{
    struct dr_attestation one;
    do {
        one = c_next(&e->c);
    } while (one.msg->kind == KIND_OF(STATE));
    if (one.msg->kind != KIND_OF(REFUSED)) {
        fail_msg("%s: attestation %d '%s' (%s) came, no refusal", name, (int)one.msg->kind,
                 one.msg->code, one.msg->detail);
    }
    if (strcmp(one.msg->code, code) != 0) {
        print_error("%s: '%s' (%s) instead of '%s'\n", name, one.msg->code, one.msg->detail, code);
    }
    return strcmp(one.msg->code, code) == 0;
}

static inline void
e_refused(struct evil *e, const char *name, const char *code)
{
    if (!e_is_refused(e, name, code)) {
        fail_msg("%s: another refusal", name);
    }
}

// Asks for a STATE and gets one: the agent answers.
static inline void
e_answers(struct evil *e)
{
    e->c.n_push = 0;
    c_push_order(&e->c, "state");
    struct dr_attestation one = c_next(&e->c);
    assert_int_equal(one.msg->kind, KIND_OF(STATE));
}

static inline bool
e_run_case(struct evil *e, const struct dr_attestation *ready, const struct e_case *row)
{
    struct e_draft d;
    e_make(e, ready, row, &d);
    e_push_draft(&d);
    bool is_right = e_is_refused(e, row->name, row->code);
    e_oracles(e, row->name);
    return is_right;
}

// The good bundle runs: what the cases refused was refused for what they spoilt.
static inline void
e_good_one_runs(struct evil *e, const struct dr_attestation *ready)
{
    struct e_draft d;
    e_make(e, ready, NULL, &d);
    e_push_draft(&d);
    struct dr_attestation applied = c_expect(&e->c, KIND_OF(APPLIED));
    assert_true(dr_data_is(applied.msg->plan_sha256, e->c.plan->sha256));
    assert_true(c_has_table(&e->c, "users") && c_has_table(&e->c, "orders"));
}

static const struct tp_revision E_TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static inline struct evil *
e_begin(void)
{
    static struct evil e;
    e_begin_with(&e, E_SQLITE, NULL, E_GATES, E_TWO, 2);
    return &e;
}

static inline struct dr_attestation
e_ready(struct evil *e)
{
    struct dr_attestation ready = c_prepare(&e->c, E_MODE(UP));
    e_remember(e);
    return ready;
}

// One agent, one READY, all rows one after the other, then the good bundle. At most 28 rows: an
// agent signs 30 refusals a minute.
static inline void
e_run_table(const struct e_case *rows, size_t n)
{
    struct evil *e = e_begin();
    assert_true(n <= 28);
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += e_run_case(e, &ready, &rows[i]) ? 0 : 1;
    }
    assert_int_equal(wrong, 0);
    e_answers(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

#endif
