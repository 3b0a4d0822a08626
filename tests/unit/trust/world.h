// A small world for tests of trust: three people, two environments, four agents, a chain of three
// size: one world, read from top to bottom; every test of trust includes it
// revisions, evidence and an approval in two waves. world_begin fills the messages, a test changes
// some, world_sign signs all of it.
#ifndef DR_TEST_TRUST_WORLD_H
#define DR_TEST_TRUST_WORLD_H

#include "base/arena.h"
#include "trust/strict.h"
#include "trust/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NOW 1800000000LL
#define DAY 86400LL

// cmocka prints the message of the error that was not expected.
#define OK(world, call)                                                                            \
    do {                                                                                           \
        enum dr_rc ok_rc = (call);                                                                 \
        if (ok_rc != DR_OK) {                                                                      \
            fail_msg("%s: %s: %s", #call, dr_rc_name(ok_rc), (world)->err.message);                \
        }                                                                                          \
    } while (0)
#define REFUSED(code, call) assert_string_equal(dr_rc_name(call), dr_rc_name(code))

#define ATT(name)    DROVER__V1__ATTESTATION_KIND__##name
#define GATE(name)   DROVER__V1__GATE_KIND__GATE_##name
#define MODE(name)   DROVER__V1__MODE__##name
#define STAGE_AGENTS 2

enum { ALICE, BOB, CAROL, PEOPLE };
enum { STG_ORDERS, STG_STOCK, PRD_BILLING, PRD_ORDERS, TARGETS };
enum { PRODUCTION, STAGING, ENVIRONMENTS };
enum { G_BACKUP, G_STAGED, G_ROLLBACK, G_SIGNOFF, G_MONITORED, GATES };
enum { E_APPLIED, E_REVERTED, E_AGAIN, E_STATE, E_STOCK, E_STOCK_STATE, E_CANARY, EVIDENCE };

struct world {
    struct dr_arena *arena;
    struct dr_err err;
    int64_t now;
    // keys
    struct dr_key person[PEOPLE], alice2, stranger, agent[TARGETS];
    // root
    Drover__V1__Root root_msg;
    Drover__V1__Person people[PEOPLE], *people_p[PEOPLE];
    Drover__V1__PersonKey keys[PEOPLE + 1], *keys_p[PEOPLE + 1];
    Drover__V1__Role roles[5];
    Drover__V1__EnvironmentRole env_roles[ENVIRONMENTS], *env_roles_p[ENVIRONMENTS];
    uint32_t everybody[PEOPLE];
    // fleet
    Drover__V1__Fleet fleet_msg;
    Drover__V1__FleetEntry entry_msg[TARGETS + ENVIRONMENTS], *entry_p[TARGETS + ENVIRONMENTS];
    Drover__V1__Target target[TARGETS];
    Drover__V1__Environment environment[ENVIRONMENTS];
    Drover__V1__Gate gate[GATES], *gate_p[GATES];
    Drover__V1__DatabaseIdentity identity;
    // chain and plan
    Drover__V1__Chain chain_msg;
    Drover__V1__ChainEntry chain_entry[6], *chain_entry_p[6];
    uint8_t rev_digest[6][32], unit_digest[6][3][32], file_digest[32];
    ProtobufCBinaryData parent[6][2];
    Drover__V1__Plan plan_msg;
    Drover__V1__PlanRevision rev[3], *rev_p[3];
    Drover__V1__Unit unit[3][2], *unit_p[3][2];
    Drover__V1__Statement statement, *statement_p[1];
    // evidence
    Drover__V1__Head head[6], *head_p[6];
    uint8_t fp_before[32], fp_after[32], ledger_head[32], nonce[32];
    Drover__V1__Attestation ready_msg, canary_ready_msg, backup_msg, evidence_msg[EVIDENCE];
    Drover__V1__UnitProof proof_up[3], proof_down[3], *proof_up_p[3], *proof_down_p[3];
    Drover__V1__BackupRecord record;
    const struct dr_key *evidence_key[EVIDENCE];
    bool evidence_left_out[EVIDENCE], evidence_unlisted[EVIDENCE];
    Drover__V1__Signoff item_msg;
    bool item_left_out;
    struct dr_attest_state counters[TARGETS];
    // approval
    struct dr_approval_request request;
    struct dr_approval_target approval_target[2];
    uint8_t listed[EVIDENCE + 1][32];
    bool approved_by[PEOPLE + 2]; // alice, bob, carol, alice's second key, a stranger
    // signed
    struct dr_root root;
    struct dr_fleet fleet;
    struct dr_chain chain;
    struct dr_bytes *leaves, *approval_leaves;
    struct dr_merkle_tree fleet_tree, approval_tree;
    struct dr_fleet_entry own[2], *all;
    struct dr_trust trust;
    struct dr_bytes plan_bytes, approval_wire, ready, backup;
    uint8_t plan_sha[32], approval_sha[32], ready_sha[32];
    ProtobufCBinaryData evidence_wire[EVIDENCE], signoff_wire[4], stop_wire[4];
    uint8_t evidence_sha[EVIDENCE][32], item_sha[32];
    size_t n_stops;
    Drover__V1__ProvenEntry *evidence_entry[4], *canary_leaf[2];
    Drover__V1__Bundle bundle;
    struct dr_verify_me me;
    struct dr_verify_input input;
    struct dr_verdict verdict;
};

DR_UNUSED static struct dr_key
test_key(struct world *w, enum dr_key_kind kind, uint8_t number)
{
    uint8_t seed[32];
    struct dr_key key;
    memset(seed, number, sizeof(seed));
    OK(w, dr_key_from_seed(kind, seed, &key, &w->err));
    return key;
}

static char *
word(struct world *w, const char *text)
{
    char *copy = dr_arena_str(w->arena, text);
    assert_non_null(copy);
    return copy;
}

static uint8_t *
digest_of(uint8_t out[32], const char *text)
{
    dr_sha256((struct dr_bytes){(const uint8_t *)text, strlen(text)}, out);
    return out;
}

#define DATA32(bytes) dr_data(bytes, 32)

static void
begin_people(struct world *w)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    static const uint8_t cluster[16] = "cluster-of-tests";
    drover__v1__root__init(&w->root_msg);
    for (size_t i = 0; i < PEOPLE; i++) {
        w->person[i] = test_key(w, DR_KEY_SIGNING, (uint8_t)(10 + i));
        drover__v1__person__init(&w->people[i]);
        drover__v1__person_key__init(&w->keys[i]);
        w->keys[i].public_key = DATA32(w->person[i].public_key);
        w->keys[i].kind = DROVER__V1__KEY_KIND__KEY_FILE;
        w->people[i].name = word(w, names[i]);
        w->keys_p[i] = &w->keys[i];
        w->people[i].keys = &w->keys_p[i];
        w->people[i].n_keys = 1;
        w->people_p[i] = &w->people[i];
        w->everybody[i] = (uint32_t)i;
    }
    w->alice2 = test_key(w, DR_KEY_SIGNING, 20);
    w->stranger = test_key(w, DR_KEY_SIGNING, 21);
    w->root_msg.cluster_id = dr_data(cluster, 16);
    w->root_msg.version = 1;
    w->root_msg.issued = NOW - 10 * DAY;
    w->root_msg.expires = NOW + 80 * DAY;
    w->root_msg.people = w->people_p;
    w->root_msg.n_people = PEOPLE;
    for (size_t i = 0; i < 5; i++) {
        drover__v1__role__init(&w->roles[i]);
        w->roles[i].people = w->everybody;
        w->roles[i].n_people = PEOPLE;
        w->roles[i].threshold = 2;
    }
    w->root_msg.root = &w->roles[0];
    w->root_msg.fleet = &w->roles[1];
    w->root_msg.reviewers = &w->roles[2];
    for (size_t i = 0; i < ENVIRONMENTS; i++) {
        drover__v1__environment_role__init(&w->env_roles[i]);
        w->env_roles[i].environment = word(w, i == PRODUCTION ? "production" : "staging");
        w->env_roles[i].role = &w->roles[3 + i];
        w->env_roles_p[i] = &w->env_roles[i];
    }
    w->roles[3 + STAGING].threshold = 1;
    w->root_msg.approvers = w->env_roles_p;
    w->root_msg.n_approvers = ENVIRONMENTS;
}

static void
begin_gates(struct world *w)
{
    static const Drover__V1__GateKind kinds[GATES] = {
        GATE(BACKUP), GATE(STAGED), GATE(ROLLBACK_PROVED), GATE(SIGNOFF), GATE(SIGNOFF)};
    for (size_t i = 0; i < GATES; i++) {
        drover__v1__gate__init(&w->gate[i]);
        w->gate[i].kind = kinds[i];
        w->gate_p[i] = &w->gate[i];
    }
    w->gate[G_BACKUP].max_age_s = 3600;
    w->gate[G_BACKUP].restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
    w->gate[G_BACKUP].keep_s = 30 * DAY;
    w->gate[G_STAGED].from_environment = word(w, "staging");
    w->gate[G_STAGED].min_targets = 2;
    w->gate[G_STAGED].soak_s = 3600;
    w->gate[G_ROLLBACK].from_environment = word(w, "staging");
    w->gate[G_SIGNOFF].item = word(w, "logs-reviewed");
    w->gate[G_MONITORED].item = word(w, "monitored");
    w->gate[G_MONITORED].after = true;
}

static void
begin_fleet(struct world *w)
{
    static const char *const names[TARGETS] = {"staging/orders", "staging/stock",
                                               "production/billing", "production/orders"};
    static const char *const agents[TARGETS] = {"stg-1", "stg-2", "prd-1", "prd-2"};
    drover__v1__fleet__init(&w->fleet_msg);
    drover__v1__database_identity__init(&w->identity);
    w->identity.system_identifier = word(w, "7301");
    w->identity.database = word(w, "orders");
    begin_gates(w);
    for (size_t i = 0; i < TARGETS; i++) {
        Drover__V1__Target *target = &w->target[i];
        w->agent[i] = test_key(w, DR_KEY_SIGNING, (uint8_t)(30 + i));
        struct dr_key transport = test_key(w, DR_KEY_TRANSPORT, (uint8_t)(40 + i));
        drover__v1__target__init(target);
        target->name = word(w, names[i]);
        target->environment = word(w, i < PRD_BILLING ? "staging" : "production");
        target->engine = DROVER__V1__ENGINE__POSTGRESQL;
        target->agent = word(w, agents[i]);
        target->agent_signing_key = DATA32(w->agent[i].public_key);
        target->agent_transport_key = DATA32(dr_arena_copy(w->arena, transport.public_key, 32));
        target->identity = &w->identity;
        target->state = DROVER__V1__TARGET_STATE__ACTIVE;
        dr_key_fini(&transport);
    }
    for (size_t i = 0; i < ENVIRONMENTS; i++) {
        drover__v1__environment__init(&w->environment[i]);
        w->environment[i].name = word(w, i == PRODUCTION ? "production" : "staging");
        w->environment[i].rank = i == PRODUCTION ? 2 : 1;
        w->environment[i].approval_max_s = 14400;
    }
    w->environment[PRODUCTION].gates = w->gate_p;
    w->environment[PRODUCTION].n_gates = GATES;
    w->environment[PRODUCTION].canary_targets = 1;
    for (size_t i = 0; i < TARGETS + ENVIRONMENTS; i++) {
        drover__v1__fleet_entry__init(&w->entry_msg[i]);
        w->entry_msg[i].target = i < TARGETS ? &w->target[i] : NULL;
        w->entry_msg[i].environment = i < TARGETS ? NULL : &w->environment[i - TARGETS];
        w->entry_p[i] = &w->entry_msg[i];
    }
    w->fleet_msg.cluster_id = w->root_msg.cluster_id;
    w->fleet_msg.version = 7;
    w->fleet_msg.issued = NOW - 5 * DAY;
    w->fleet_msg.expires = NOW + 25 * DAY;
}

static void
begin_chain(struct world *w)
{
    static const char *const ids[] = {"001_users", "002_orders", "003_index",
                                      "004_more",  "005_again",  "006_last"};
    drover__v1__chain__init(&w->chain_msg);
    for (size_t i = 0; i < 6; i++) {
        digest_of(w->rev_digest[i], ids[i]);
        drover__v1__chain_entry__init(&w->chain_entry[i]);
        w->chain_entry[i].action = DROVER__V1__CHAIN_ACTION__ADD;
        w->chain_entry[i].revision_id = word(w, ids[i]);
        w->chain_entry[i].digest = DATA32(w->rev_digest[i]);
        w->chain_entry[i].author = word(w, "carol");
        if (i > 0) {
            w->parent[i][0] = DATA32(w->rev_digest[i - 1]);
            w->chain_entry[i].parents = w->parent[i];
            w->chain_entry[i].n_parents = 1;
        }
        w->chain_entry_p[i] = &w->chain_entry[i];
        drover__v1__head__init(&w->head[i]);
        w->head[i].id = w->chain_entry[i].revision_id;
        w->head[i].digest = DATA32(w->rev_digest[i]);
        w->head_p[i] = &w->head[i];
    }
    w->chain_msg.cluster_id = w->root_msg.cluster_id;
    w->chain_msg.version = 3;
    w->chain_msg.issued = NOW - 4 * DAY;
    w->chain_msg.project = word(w, "shop");
    w->chain_msg.entries = w->chain_entry_p;
    w->chain_msg.n_entries = 3;
}

static void
begin_plan(struct world *w)
{
    drover__v1__plan__init(&w->plan_msg);
    drover__v1__statement__init(&w->statement);
    w->statement.offset = 10;
    w->statement.length = 90;
    w->statement_p[0] = &w->statement;
    digest_of(w->file_digest, "file");
    for (size_t i = 0; i < 3; i++) {
        Drover__V1__PlanRevision *rev = &w->rev[i];
        drover__v1__plan_revision__init(rev);
        rev->id = w->chain_entry[i].revision_id;
        rev->digest = w->chain_entry[i].digest;
        rev->parents = w->chain_entry[i].parents;
        rev->n_parents = w->chain_entry[i].n_parents;
        rev->file_sha256 = DATA32(w->file_digest);
        rev->file_size = 100;
        for (size_t u = 0; u < 2; u++) {
            char text[] = {'u', (char)('0' + i), (char)('0' + u), '\0'};
            Drover__V1__Unit *unit = &w->unit[i][u];
            drover__v1__unit__init(unit);
            unit->kind = u == 0 ? DROVER__V1__UNIT_KIND__UNIT_UP : DROVER__V1__UNIT_KIND__UNIT_DOWN;
            unit->name = word(w, u == 0 ? "up" : "down");
            unit->statements = w->statement_p;
            unit->n_statements = 1;
            unit->digest = DATA32(digest_of(w->unit_digest[i][u], text));
            w->unit_p[i][u] = unit;
        }
        rev->units = w->unit_p[i];
        rev->n_units = 2;
        w->rev_p[i] = rev;
    }
    w->plan_msg.project = word(w, "shop");
    w->plan_msg.engine = DROVER__V1__ENGINE__POSTGRESQL;
    w->plan_msg.compiler = word(w, "drover-plan/1");
    w->plan_msg.revisions = w->rev_p;
    w->plan_msg.n_revisions = 3;
}

static void
begin_attestation(struct world *w, Drover__V1__Attestation *msg, int target,
                  Drover__V1__AttestationKind kind, int64_t time)
{
    drover__v1__attestation__init(msg);
    msg->cluster_id = w->root_msg.cluster_id;
    msg->kind = kind;
    msg->target = w->target[target].name;
    msg->environment = w->target[target].environment;
    msg->agent = w->target[target].agent;
    msg->engine = DROVER__V1__ENGINE__POSTGRESQL;
    msg->time = time;
    msg->ledger_head = DATA32(w->ledger_head);
}

// What an APPLIED says in this world.
static void
applied(struct world *w, Drover__V1__Attestation *msg)
{
    msg->heads = &w->head_p[2];
    msg->n_heads = 1;
    msg->units = w->proof_up_p;
    msg->n_units = 3;
    msg->fingerprint_before = DATA32(w->fp_before);
    msg->fingerprint = DATA32(w->fp_after);
    msg->mode = MODE(PROVE);
}

static void
begin_evidence(struct world *w)
{
    static const struct {
        int target;
        Drover__V1__AttestationKind kind;
        int64_t ago;
    } table[EVIDENCE] = {
        {STG_ORDERS, ATT(APPLIED), 10000}, {STG_ORDERS, ATT(REVERTED), 9900},
        {STG_ORDERS, ATT(APPLIED), 9800},  {STG_ORDERS, ATT(STATE), 5000},
        {STG_STOCK, ATT(APPLIED), 9800},   {STG_STOCK, ATT(STATE), 5000},
        {PRD_BILLING, ATT(APPLIED), 200},
    };
    for (size_t i = 0; i < 3; i++) {
        drover__v1__unit_proof__init(&w->proof_up[i]);
        w->proof_up[i].revision_digest = DATA32(w->rev_digest[i]);
        w->proof_up[i].unit_digest = DATA32(w->unit_digest[i][0]);
        w->proof_up[i].mode = MODE(UP);
        w->proof_up_p[i] = &w->proof_up[i];
        w->proof_down[i] = w->proof_up[i];
        w->proof_down[i].unit_digest = DATA32(w->unit_digest[i][1]);
        w->proof_down[i].mode = MODE(DOWN);
        w->proof_down_p[i] = &w->proof_down[i];
    }
    digest_of(w->fp_before, "before");
    digest_of(w->fp_after, "after");
    digest_of(w->ledger_head, "ledger");
    digest_of(w->nonce, "nonce");
    for (size_t i = 0; i < EVIDENCE; i++) {
        Drover__V1__Attestation *msg = &w->evidence_msg[i];
        begin_attestation(w, msg, table[i].target, table[i].kind, NOW - table[i].ago);
        w->evidence_key[i] = &w->agent[table[i].target];
        applied(w, msg);
    }
    Drover__V1__Attestation *back = &w->evidence_msg[E_REVERTED];
    back->n_heads = 0;
    back->units = w->proof_down_p;
    back->fingerprint = DATA32(w->fp_before);
    drover__v1__signoff__init(&w->item_msg);
    w->item_msg.cluster_id = w->root_msg.cluster_id;
    w->item_msg.kind = DROVER__V1__SIGNOFF_KIND__ITEM;
    w->item_msg.environment = w->environment[PRODUCTION].name;
    w->item_msg.item = w->gate[G_SIGNOFF].item;
    w->item_msg.time = NOW - 300;
}

static void
begin_production(struct world *w)
{
    static uint8_t backup_sha[32] = {1};
    drover__v1__backup_record__init(&w->record);
    w->record.tool = word(w, "pg_dump 15.20");
    w->record.sha256 = DATA32(backup_sha);
    w->record.size_bytes = 4096;
    w->record.started = NOW - 700;
    w->record.finished = NOW - 600;
    w->record.restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
    w->record.keep_until = NOW + 40 * DAY;
    w->record.heads = &w->head_p[0];
    w->record.n_heads = 1;
    w->record.fingerprint = DATA32(w->fp_before);
    begin_attestation(w, &w->backup_msg, PRD_ORDERS, ATT(BACKUP), NOW - 600);
    w->backup_msg.backup = &w->record;
    begin_attestation(w, &w->ready_msg, PRD_ORDERS, ATT(READY), NOW - 500);
    w->ready_msg.heads = &w->head_p[0];
    w->ready_msg.n_heads = 1;
    w->ready_msg.nonce = DATA32(w->nonce);
    w->ready_msg.fingerprint = DATA32(w->fp_before);
    w->ready_msg.identity = &w->identity;
    begin_attestation(w, &w->canary_ready_msg, PRD_BILLING, ATT(READY), NOW - 500);
    w->canary_ready_msg.nonce = DATA32(w->nonce);
    drover__v1__approval__init(&w->request.header);
    w->request.header.cluster_id = w->root_msg.cluster_id;
    w->request.header.mode = MODE(UP);
    w->request.header.on_failure = DROVER__V1__ON_FAILURE__HOLD;
    w->request.header.environment = w->environment[PRODUCTION].name;
    w->request.header.not_before = NOW - 250;
    w->request.header.expires = NOW + 3600;
    w->request.header.rollout = word(w, "R-1");
    w->approved_by[ALICE] = w->approved_by[BOB] = true;
    w->approval_target[0].target = w->target[PRD_BILLING].name;
    w->approval_target[0].wave = 1;
    w->approval_target[1].target = w->target[PRD_ORDERS].name;
    w->approval_target[1].wave = 2;
}

DR_UNUSED static void
world_begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->arena = dr_arena_new(64u << 20);
    assert_non_null(w->arena);
    w->now = NOW;
    begin_people(w);
    begin_fleet(w);
    begin_chain(w);
    begin_plan(w);
    begin_evidence(w);
    begin_production(w);
}

DR_UNUSED static void
world_end(struct world *w)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        dr_key_fini(&w->person[i]);
    }
    for (size_t i = 0; i < TARGETS; i++) {
        dr_key_fini(&w->agent[i]);
    }
    dr_key_fini(&w->alice2);
    dr_key_fini(&w->stranger);
    dr_arena_free(&w->arena);
}

// Signs `payload` with n keys.
static struct dr_bytes
sign_by(struct world *w, const char *type, struct dr_bytes payload,
        const struct dr_key *const *keys, size_t n)
{
    struct dr_bytes wire;
    OK(w, dr_envelope_build(w->arena, type, payload, NULL, 0, &wire, &w->err));
    for (size_t i = 0; i < n; i++) {
        struct dr_envelope envelope;
        OK(w, dr_envelope_parse(wire, type, &envelope, &w->err));
        OK(w, dr_envelope_add(w->arena, &envelope, keys[i], &wire, &w->err));
    }
    return wire;
}

static struct dr_bytes
sign_by_two(struct world *w, const char *type, struct dr_bytes payload)
{
    const struct dr_key *keys[] = {&w->person[ALICE], &w->person[BOB]};
    return sign_by(w, type, payload, keys, 2);
}

static struct dr_bytes
packed(struct world *w, const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *bytes = dr_arena_alloc(w->arena, len);
    assert_non_null(bytes);
    protobuf_c_message_pack(msg, bytes);
    return (struct dr_bytes){bytes, len};
}

static ProtobufCBinaryData
data_of(struct dr_bytes bytes)
{
    return dr_data(bytes.data, bytes.len);
}

static void
sign_trust(struct world *w)
{
    struct dr_bytes payload;
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_ROOT, packed(w, &w->root_msg.base));
    OK(w, dr_root_first(w->arena, wire, NULL, &w->root, &w->err));
    OK(w, dr_fleet_draft(w->arena, w->fleet_msg, w->entry_p, TARGETS + ENVIRONMENTS, &payload,
                         &w->leaves, &w->err));
    wire = sign_by_two(w, DR_TYPE_FLEET, payload);
    OK(w, dr_fleet_load(w->arena, &w->root, wire, &w->fleet, &w->err));
    OK(w, dr_fleet_entries_check(w->arena, &w->fleet, w->leaves, TARGETS + ENVIRONMENTS, &w->all,
                                 &w->err));
    OK(w, dr_merkle_build(w->arena, w->leaves, TARGETS + ENVIRONMENTS, &w->fleet_tree, &w->err));
    wire = sign_by_two(w, DR_TYPE_CHAIN, packed(w, &w->chain_msg.base));
    OK(w, dr_chain_load(w->arena, &w->root, wire, &w->chain, &w->err));
    const struct dr_fleet_entry *mine =
        dr_fleet_target(w->all, TARGETS + ENVIRONMENTS, "production/orders");
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(w->all, TARGETS + ENVIRONMENTS, "production");
    w->own[0] = *mine;
    w->own[1] = *policy;
    w->trust = (struct dr_trust){.root = w->root,
                                 .fleet = w->fleet,
                                 .chain = w->chain,
                                 .entries = w->own,
                                 .n_entries = 2,
                                 .clock_high = NOW - 4 * DAY};
}

static struct dr_bytes
sign_attestation(struct world *w, Drover__V1__Attestation *msg, const struct dr_key *key,
                 int counter, uint8_t sha256[32])
{
    struct dr_bytes wire;
    OK(w, dr_attest_build(w->arena, *msg, key, &w->counters[counter], &wire, sha256,
                          &w->counters[counter], &w->err));
    return wire;
}

// The payload of a wire, as an agent keeps its own attestations.
static struct dr_bytes
payload_of(struct world *w, struct dr_bytes wire)
{
    struct dr_envelope envelope;
    OK(w, dr_envelope_parse(wire, NULL, &envelope, &w->err));
    return envelope.payload;
}

static void
sign_evidence(struct world *w, size_t from, size_t to)
{
    static const int counter[EVIDENCE] = {STG_ORDERS, STG_ORDERS, STG_ORDERS, STG_ORDERS,
                                          STG_STOCK,  STG_STOCK,  PRD_BILLING};
    for (size_t i = from; i < to; i++) {
        Drover__V1__Attestation *msg = &w->evidence_msg[i];
        if (msg->plan_sha256.len == 0) {
            msg->plan_sha256 = DATA32(w->plan_sha);
        }
        if (msg->approval_sha256.len == 0) {
            msg->approval_sha256 = DATA32(i == E_CANARY ? w->approval_sha : w->plan_sha);
        }
        struct dr_bytes wire =
            sign_attestation(w, msg, w->evidence_key[i], counter[i], w->evidence_sha[i]);
        w->evidence_wire[i] = data_of(wire);
    }
}

static void
sign_approval(struct world *w)
{
    const struct dr_key *all[] = {&w->person[ALICE], &w->person[BOB], &w->person[CAROL], &w->alice2,
                                  &w->stranger},
                        *keys[5];
    size_t n = 0;
    struct dr_bytes payload;
    struct dr_envelope envelope;
    w->request.targets = w->approval_target;
    w->request.n_targets = 2;
    w->request.evidence = w->listed;
    w->request.n_evidence = 0;
    for (size_t i = 0; i < E_CANARY; i++) {
        if (!w->evidence_unlisted[i]) {
            memcpy(w->listed[w->request.n_evidence++], w->evidence_sha[i], 32);
        }
    }
    memcpy(w->listed[w->request.n_evidence++], w->item_sha, 32);
    if (w->request.header.policy_sha256.len == 0) {
        w->request.header.policy_sha256 = DATA32(w->own[1].sha256);
    }
    if (w->request.header.plan_sha256.len == 0) {
        w->request.header.plan_sha256 = DATA32(w->plan_sha);
    }
    OK(w, dr_approval_draft(w->arena, &w->request, &payload, &w->approval_leaves, &w->err));
    OK(w, dr_merkle_build(w->arena, w->approval_leaves, 2, &w->approval_tree, &w->err));
    for (size_t i = 0; i < 5; i++) {
        if (w->approved_by[i]) {
            keys[n++] = all[i];
        }
    }
    w->approval_wire = sign_by(w, DR_TYPE_APPROVAL, payload, keys, n);
    OK(w, dr_envelope_parse(w->approval_wire, NULL, &envelope, &w->err));
    memcpy(w->approval_sha, envelope.sha256, 32);
}

static void
make_bundle(struct world *w)
{
    Drover__V1__Bundle *bundle = &w->bundle;
    drover__v1__bundle__init(bundle);
    bundle->approval = data_of(w->approval_wire);
    OK(w, dr_proven_make(w->arena, &w->approval_tree, w->approval_leaves[1], 1, &bundle->leaf,
                         &w->err));
    OK(w, dr_proven_make(w->arena, &w->approval_tree, w->approval_leaves[0], 0, &w->canary_leaf[0],
                         &w->err));
    bundle->canaries = w->canary_leaf;
    bundle->n_canaries = 1;
    ProtobufCBinaryData *evidence = dr_arena_array(w->arena, EVIDENCE, sizeof(*evidence));
    for (size_t i = 0; i < EVIDENCE; i++) {
        if (!w->evidence_left_out[i]) {
            evidence[bundle->n_evidence++] = w->evidence_wire[i];
        }
    }
    bundle->evidence = evidence;
    bundle->signoffs = w->signoff_wire;
    bundle->n_signoffs = w->item_left_out ? 0 : 1;
    for (size_t i = 0, n = 0; i < TARGETS + ENVIRONMENTS; i++) {
        const Drover__V1__Target *target = w->all[i].msg->target;
        if (target && strcmp(target->name, "production/orders") != 0) {
            OK(w, dr_proven_make(w->arena, &w->fleet_tree, w->leaves[i], i, &w->evidence_entry[n++],
                                 &w->err));
        }
    }
    bundle->evidence_entries = w->evidence_entry;
    bundle->n_evidence_entries = 3;
}

DR_UNUSED static void
world_sign(struct world *w)
{
    struct dr_bytes wire;
    uint8_t sha256[32];
    sign_trust(w);
    w->plan_bytes = packed(w, &w->plan_msg.base);
    dr_sha256(w->plan_bytes, w->plan_sha);
    sign_evidence(w, 0, E_CANARY);
    if (w->item_msg.plan_sha256.len == 0) {
        w->item_msg.plan_sha256 = DATA32(w->plan_sha);
    }
    OK(w, dr_signoff_build(w->arena, w->item_msg, &w->person[CAROL], &wire, w->item_sha, &w->err));
    w->signoff_wire[0] = data_of(wire);
    w->backup = payload_of(
        w, sign_attestation(w, &w->backup_msg, &w->agent[PRD_ORDERS], PRD_ORDERS, sha256));
    w->ready = payload_of(
        w, sign_attestation(w, &w->ready_msg, &w->agent[PRD_ORDERS], PRD_ORDERS, w->ready_sha));
    (void)sign_attestation(w, &w->canary_ready_msg, &w->agent[PRD_BILLING], PRD_BILLING, sha256);
    for (size_t i = 0; i < 2; i++) {
        bool is_mine = strcmp(w->approval_target[i].target, "production/orders") == 0;
        const struct dr_fleet_entry *entry =
            dr_fleet_target(w->all, TARGETS + ENVIRONMENTS, w->approval_target[i].target);
        static const uint8_t zero[32];
        if (memcmp(w->approval_target[i].entry_sha256, zero, 32) == 0) {
            memcpy(w->approval_target[i].entry_sha256, entry->sha256, 32);
        }
        if (memcmp(w->approval_target[i].ready_sha256, zero, 32) == 0) {
            memcpy(w->approval_target[i].ready_sha256, is_mine ? w->ready_sha : sha256, 32);
        }
    }
    sign_approval(w);
    sign_evidence(w, E_CANARY, EVIDENCE);
    make_bundle(w);
    w->me = (struct dr_verify_me){.target = "production/orders",
                                  .environment = "production",
                                  .agent = "prd-2",
                                  .engine = DROVER__V1__ENGINE__POSTGRESQL};
    memcpy(w->me.signing_key, w->agent[PRD_ORDERS].public_key, 32);
    w->input = (struct dr_verify_input){.me = &w->me,
                                        .trust = &w->trust,
                                        .bundle = &w->bundle,
                                        .plan = w->plan_bytes,
                                        .ready = w->ready,
                                        .backup = w->backup,
                                        .stops = w->stop_wire,
                                        .n_stops = 0,
                                        .now = w->now};
}

// A VETO, CANCEL, FREEZE or LIFT by the given people, into `*out`; returns its digest in `sha256`.
DR_UNUSED static void
make_stop(struct world *w, Drover__V1__SignoffKind kind, const char *environment, int64_t time,
          const uint8_t *seen, size_t n_people, ProtobufCBinaryData *out, uint8_t sha256[32])
{
    Drover__V1__Signoff msg = w->item_msg;
    const struct dr_key *keys[] = {&w->person[CAROL], &w->person[BOB]};
    static const uint8_t id[16] = "an id of a stop";
    struct dr_envelope envelope;
    msg.signoff_id = dr_data(id, 16);
    msg.kind = kind;
    msg.environment = word(w, environment);
    msg.item = word(w, "");
    msg.note = word(w, "not today");
    msg.time = time;
    msg.plan_sha256 = DATA32(w->plan_sha);
    msg.seen_sha256 = dr_data(seen, seen ? 32 : 0);
    struct dr_bytes wire = sign_by(w, DR_TYPE_SIGNOFF, packed(w, &msg.base), keys, n_people);
    OK(w, dr_envelope_parse(wire, NULL, &envelope, &w->err));
    memcpy(sha256, envelope.sha256, 32);
    *out = data_of(wire);
}

// Runs a table of cases as cmocka tests: one row, one test with the row's name.
struct world_case {
    const char *name;
    enum dr_rc expected;
    void (*before)(struct world *w); // changes messages; may be NULL
    void (*after)(struct world *w);  // changes what was signed; may be NULL
};

DR_UNUSED static void
run_case(void **state)
{
    const struct world_case *row = *state;
    static struct world w;
    world_begin(&w);
    if (row->before) {
        row->before(&w);
    }
    world_sign(&w);
    if (row->after) {
        row->after(&w);
    }
    enum dr_rc rc = dr_verify(w.arena, &w.input, &w.verdict, &w.err);
    if (rc != row->expected) {
        fail_msg("%s instead of %s: %s (check '%s')", dr_rc_name(rc), dr_rc_name(row->expected),
                 w.err.message, w.verdict.failed_check ? w.verdict.failed_check : "");
    }
    assert_int_equal(dr_verdict_is_accepted(&w.verdict), rc == DR_OK);
    assert_int_equal(w.verdict.failed_check == NULL, rc == DR_OK);
    world_end(&w);
}

#endif
