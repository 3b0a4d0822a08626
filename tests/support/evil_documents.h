// The trusted documents of an evil coordinator's world: root, fleet and chain, as a test wants
// them. Included by evil.h.
#ifndef DR_TESTS_SUPPORT_EVIL_DOCUMENTS_H
#define DR_TESTS_SUPPORT_EVIL_DOCUMENTS_H

#include "support/agent_world.h"

enum { E_ALICE, E_BOB, E_CAROL };
enum { E_ORDERS, E_STOCK, E_BILLING, E_OWN, E_AGENTS };
enum {
    E_APPLIED,
    E_REVERTED,
    E_AGAIN,
    E_STATE,
    E_STOCKED,
    E_STOCK_STATE,
    E_REHEARSED,
    E_CANARY,
    E_EVIDENCE
};
enum { G_BACKUP, G_STAGED, G_ROLLBACK, G_VERIFIED, G_SIGNOFF, G_REHEARSED, G_PROBED, E_GATES };

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
        bool retires_orders, renews_orders_key, has_unknown_gate, rehearses;
        const char *probe, *staging_probe; // what each environment asks; NULL: nothing
        int window_in_min; // production's only window begins in so many minutes; 0: none
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
    for (size_t i = 0; i < E_OWN; i++) {
        C_OK(c, dr_key_generate(DR_KEY_SIGNING, &e->agent[i], &c->err));
    }
    // The agent's own key: for what the agent itself would have said.
    char path[PATH_MAX];
    C_OK(c, dr_keyfile_load(dr_tmp_path(&c->tmp, "agent.key", path), DR_KEY_SIGNING, NULL,
                            &e->agent[E_OWN], &c->err));
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
        DROVER__V1__GATE_KIND__GATE_BACKUP,          DROVER__V1__GATE_KIND__GATE_STAGED,
        DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED, DROVER__V1__GATE_KIND__GATE_VERIFIED,
        DROVER__V1__GATE_KIND__GATE_SIGNOFF,         DROVER__V1__GATE_KIND__GATE_REHEARSED,
        DROVER__V1__GATE_KIND__GATE_PROBED};
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
        } else if (i == G_REHEARSED) {
            gate->max_age_s = 3600;
        } else {
            bool is_counted = i == G_STAGED || i == G_PROBED;
            gate->from_environment = c_text(c, "staging");
            gate->min_targets = is_counted ? 2 : 0;
            gate->soak_s = is_counted ? E_SOAK_S : 0;
            gate->item = c_text(c, i == G_PROBED ? "errors" : "");
        }
        policy->gates[policy->n_gates++] = gate;
    }
    if (e->fleet.has_unknown_gate && policy->n_gates > 0) {
        policy->gates[0]->kind = (Drover__V1__GateKind)77;
    }
}

static inline void
e_probe(struct evil *e, Drover__V1__Environment *policy, const char *sql)
{
    struct coord *c = &e->c;
    Drover__V1__SqlProbe *probe = c_new(c, &drover__v1__sql_probe__descriptor);
    probe->name = c_text(c, "errors");
    probe->engine = c->engine;
    probe->sql = c_text(c, sql);
    probe->most = c_text(c, "1000000");
    probe->every_s = 1;
    policy->probes = dr_arena_array(c->arena, 1, sizeof *policy->probes);
    policy->probes[policy->n_probes++] = probe;
}

// Half an hour of every day.
static inline void
e_window(struct evil *e, Drover__V1__Environment *policy)
{
    struct coord *c = &e->c;
    Drover__V1__Window *window = c_new(c, &drover__v1__window__descriptor);
    int64_t from = dr_now_unix_s() / 60 + e->fleet.window_in_min;
    window->days = 0x7f;
    window->from_minute = (uint32_t)(from % 1440);
    window->to_minute = (uint32_t)((from + 29) % 1440) + 1;
    window->zone = c_text(c, "UTC");
    policy->windows = dr_arena_array(c->arena, 1, sizeof *policy->windows);
    policy->windows[policy->n_windows++] = window;
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
    const char *probe = rank == 2 ? e->fleet.probe : e->fleet.staging_probe;
    if (probe != NULL) {
        e_probe(e, policy, probe);
    }
    if (rank == 2 && e->fleet.window_in_min != 0) {
        e_window(e, policy);
    }
    if (rank == 2) {
        policy->canary_targets = 1;
        policy->rehearse = e->fleet.rehearses;
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

#endif
