// The documents of a small world around one real agent: three people, one environment, one target,
// a plan that is true, and approvals by as many people as a test wants. Included by agent_world.h.
#ifndef DR_TESTS_SUPPORT_AGENT_DOCUMENTS_H
#define DR_TESTS_SUPPORT_AGENT_DOCUMENTS_H

#include "base/clock.h"
#include "base/cmd.h"
#include "base/file.h"
#include "db/sqlite.h"
#include "rpc/server.h"
#include "support/engine_plans.h"
#include "support/pgcluster.h"
#include "support/test_tmp.h"
#include "trust/approval.h"
#include "trust/attest.h"
#include "trust/chain.h"
#include "trust/envelope.h"
#include "trust/fleet.h"
#include "trust/keyfile.h"
#include "trust/root.h"
#include "trust/strict.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define C_PEOPLE      3
#define C_PUSHES      32u
#define C_SEEN        256u
#define C_PATIENCE_MS 30000
#define C_STEP_MS     20
#define C_TARGET      "production/app"
#define C_AGENT       "db7"
#define KIND_OF(name) DROVER__V1__ATTESTATION_KIND__##name

struct coord {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_err err;
    Drover__V1__Engine engine;
    char url[600];
    struct dr_key person[C_PEOPLE], server_key;
    struct dr_public agent_key;
    struct tp_plan *plan;
    struct dr_bytes plan_bytes;
    // signed documents
    struct dr_bytes root_wire, fleet_wire, chain_wire;
    struct dr_root root;
    struct dr_fleet fleet;
    struct dr_bytes *leaves;
    struct dr_fleet_entry *entries;
    size_t n_entries;
    uint64_t chain_version, fleet_version;
    size_t withdrawn; // 1 + index of a revision that the next chain withdraws; 0: none
    bool prove;
    bool with_backup_gate;
    const char *system; // pinned in the fleet; NULL: not
    // the server
    struct dr_rpc_server *server;
    uint16_t port;
    struct dr_call *watch;
    uint64_t after_seq, next_seq;
    struct {
        uint64_t seq;
        uint8_t id[16];
        Drover__V1__PushKind kind;
        struct dr_bytes body;
        bool is_acked, is_sent;
    } push[C_PUSHES];
    size_t n_push;
    struct dr_bytes seen[C_SEEN]; // envelopes of attestations, in order
    size_t n_seen, n_taken;
    struct dr_attestation last; // that was taken: the next one has to follow it
    unsigned progress, blobs_asked;
    bool lies_about_blobs, refuses_attestations;
    bool knows_nobody;            // every key is a stranger's
    unsigned offers;              // made to it
    char offered[512];            // the last one: agent, environment, a target
    const char *answer;           // to offers; NULL: "offered"
    struct dr_pgcluster *cluster; // NULL: the shared one
    // the agent
    pid_t agent;
};

#define C_OK(c, call)                                                                              \
    do {                                                                                           \
        enum dr_rc c_rc = (call);                                                                  \
        if (c_rc != DR_OK) {                                                                       \
            fail_msg("%s: %s: %s", #call, dr_rc_name(c_rc), (c)->err.message);                     \
        }                                                                                          \
    } while (0)

static inline struct dr_bytes
c_pack(struct coord *c, const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *bytes = dr_arena_alloc(c->arena, len + 1);
    assert_non_null(bytes);
    (void)protobuf_c_message_pack(msg, bytes);
    return (struct dr_bytes){.data = bytes, .len = len};
}

static inline char *
c_text(struct coord *c, const char *text)
{
    char *copy = dr_arena_str(c->arena, text);
    assert_non_null(copy);
    return copy;
}

static inline void *
c_new(struct coord *c, const ProtobufCMessageDescriptor *type)
{
    void *msg = dr_arena_alloc(c->arena, type->sizeof_message);
    assert_non_null(msg);
    protobuf_c_message_init(type, msg);
    return msg;
}

static inline ProtobufCBinaryData
c_data(struct coord *c, const uint8_t *bytes, size_t len)
{
    return (ProtobufCBinaryData){.len = len, .data = dr_arena_copy(c->arena, bytes, len)};
}

// Signed by the first `n` people.
static inline struct dr_bytes
c_sign(struct coord *c, const char *type, struct dr_bytes payload, size_t n)
{
    struct dr_bytes wire = {0};
    C_OK(c, dr_envelope_build(c->arena, type, payload, NULL, 0, &wire, &c->err));
    for (size_t i = 0; i < n; i++) {
        struct dr_envelope envelope;
        C_OK(c, dr_envelope_parse(wire, type, &envelope, &c->err));
        C_OK(c, dr_envelope_add(c->arena, &envelope, &c->person[i], &wire, &c->err));
    }
    return wire;
}

// ------------------------------------------------------------------------------- documents

static inline Drover__V1__Role *
c_role(struct coord *c, uint32_t threshold)
{
    Drover__V1__Role *role = c_new(c, &drover__v1__role__descriptor);
    role->people = dr_arena_array(c->arena, C_PEOPLE, sizeof *role->people);
    for (uint32_t i = 0; i < C_PEOPLE; i++) {
        role->people[i] = i;
    }
    role->n_people = C_PEOPLE;
    role->threshold = threshold;
    return role;
}

static const uint8_t C_CLUSTER[16] = "a test cluster.";

static inline void
c_make_root(struct coord *c)
{
    static const char *const NAMES[C_PEOPLE] = {"alice", "bob", "carol"};
    Drover__V1__Root *root = c_new(c, &drover__v1__root__descriptor);
    root->cluster_id = c_data(c, C_CLUSTER, 16);
    root->version = 1;
    root->issued = dr_now_unix_s() - 100;
    root->expires = dr_now_unix_s() + 86400;
    root->people = dr_arena_array(c->arena, C_PEOPLE, sizeof *root->people);
    for (size_t i = 0; i < C_PEOPLE; i++) {
        C_OK(c, dr_key_generate(DR_KEY_SIGNING, &c->person[i], &c->err));
        root->people[i] = c_new(c, &drover__v1__person__descriptor);
        root->people[i]->name = c_text(c, NAMES[i]);
        root->people[i]->keys = dr_arena_array(c->arena, 1, sizeof *root->people[i]->keys);
        root->people[i]->keys[0] = c_new(c, &drover__v1__person_key__descriptor);
        root->people[i]->keys[0]->kind = DROVER__V1__KEY_KIND__KEY_FILE;
        root->people[i]->keys[0]->public_key = c_data(c, c->person[i].public_key, 32);
        root->people[i]->n_keys = 1;
    }
    root->n_people = C_PEOPLE;
    root->root = c_role(c, 2);
    root->fleet = c_role(c, 2);
    root->reviewers = c_role(c, 2);
    root->approvers = dr_arena_array(c->arena, 1, sizeof *root->approvers);
    root->approvers[0] = c_new(c, &drover__v1__environment_role__descriptor);
    root->approvers[0]->environment = c_text(c, "production");
    root->approvers[0]->role = c_role(c, 2);
    root->n_approvers = 1;
    c->root_wire = c_sign(c, DR_TYPE_ROOT, c_pack(c, &root->base), 2);
    C_OK(c, dr_root_first(c->arena, c->root_wire, NULL, &c->root, &c->err));
}

static inline Drover__V1__FleetEntry *
c_target_entry(struct coord *c)
{
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Target *target = c_new(c, &drover__v1__target__descriptor);
    entry->target = target;
    target->name = c_text(c, C_TARGET);
    target->environment = c_text(c, "production");
    target->engine = c->engine;
    target->agent = c_text(c, C_AGENT);
    target->agent_signing_key = c_data(c, c->agent_key.signing, 32);
    target->agent_transport_key = c_data(c, c->agent_key.transport, 32);
    target->state = DROVER__V1__TARGET_STATE__ACTIVE;
    if (c->system != NULL) {
        target->identity = c_new(c, &drover__v1__database_identity__descriptor);
        target->identity->system_identifier = c_text(c, c->system);
    }
    return entry;
}

static inline Drover__V1__FleetEntry *
c_policy_entry(struct coord *c)
{
    Drover__V1__FleetEntry *entry = c_new(c, &drover__v1__fleet_entry__descriptor);
    Drover__V1__Environment *policy = c_new(c, &drover__v1__environment__descriptor);
    entry->environment = policy;
    policy->name = c_text(c, "production");
    policy->rank = 1;
    policy->prove = c->prove;
    policy->approval_max_s = 3600;
    if (c->with_backup_gate) {
        policy->gates = dr_arena_array(c->arena, 1, sizeof *policy->gates);
        policy->gates[0] = c_new(c, &drover__v1__gate__descriptor);
        policy->gates[0]->kind = DROVER__V1__GATE_KIND__GATE_BACKUP;
        policy->gates[0]->max_age_s = 3600;
        policy->gates[0]->restore_level = DROVER__V1__RESTORE_LEVEL__LISTED;
        policy->n_gates = 1;
    }
    return entry;
}

static inline void
c_make_fleet(struct coord *c)
{
    Drover__V1__Fleet header = DROVER__V1__FLEET__INIT;
    Drover__V1__FleetEntry **entries = dr_arena_array(c->arena, 2, sizeof *entries);
    struct dr_bytes payload = {0};
    header.cluster_id = c_data(c, C_CLUSTER, 16);
    header.version = ++c->fleet_version;
    header.issued = dr_now_unix_s() - 50;
    header.expires = dr_now_unix_s() + 86400;
    header.coordinator_key = c_data(c, c->server_key.public_key, 32);
    entries[0] = c_target_entry(c);
    entries[1] = c_policy_entry(c);
    c->n_entries = 2;
    C_OK(c, dr_fleet_draft(c->arena, header, entries, 2, &payload, &c->leaves, &c->err));
    c->fleet_wire = c_sign(c, DR_TYPE_FLEET, payload, 2);
    C_OK(c, dr_fleet_load(c->arena, &c->root, c->fleet_wire, &c->fleet, &c->err));
    C_OK(c, dr_fleet_entries_check(c->arena, &c->fleet, c->leaves, 2, &c->entries, &c->err));
}

static inline void
c_make_chain(struct coord *c)
{
    Drover__V1__Chain *chain = c_new(c, &drover__v1__chain__descriptor);
    const Drover__V1__Plan *plan = c->plan->plan;
    chain->cluster_id = c_data(c, C_CLUSTER, 16);
    chain->version = ++c->chain_version;
    chain->issued = dr_now_unix_s() - 40;
    chain->project = c_text(c, plan->project);
    chain->entries = dr_arena_array(c->arena, plan->n_revisions + 1, sizeof *chain->entries);
    for (size_t i = 0; i < plan->n_revisions; i++) {
        Drover__V1__ChainEntry *entry = c_new(c, &drover__v1__chain_entry__descriptor);
        entry->action = DROVER__V1__CHAIN_ACTION__ADD;
        entry->revision_id = plan->revisions[i]->id;
        entry->digest = plan->revisions[i]->digest;
        entry->parents = plan->revisions[i]->parents;
        entry->n_parents = plan->revisions[i]->n_parents;
        entry->author = c_text(c, "carol");
        chain->entries[chain->n_entries++] = entry;
    }
    if (c->withdrawn > 0) {
        Drover__V1__ChainEntry *entry = c_new(c, &drover__v1__chain_entry__descriptor);
        entry->action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
        entry->revision_id = plan->revisions[c->withdrawn - 1]->id;
        entry->digest = plan->revisions[c->withdrawn - 1]->digest;
        entry->reason = c_text(c, "it was wrong");
        chain->entries[chain->n_entries++] = entry;
    }
    c->chain_wire = c_sign(c, DR_TYPE_CHAIN, c_pack(c, &chain->base), 2);
}

static inline Drover__V1__TrustUpdate *
c_trust(struct coord *c)
{
    Drover__V1__TrustUpdate *update = c_new(c, &drover__v1__trust_update__descriptor);
    struct dr_merkle_tree tree;
    C_OK(c, dr_merkle_build(c->arena, c->leaves, c->n_entries, &tree, &c->err));
    update->fleet = c_data(c, c->fleet_wire.data, c->fleet_wire.len);
    update->chain = c_data(c, c->chain_wire.data, c->chain_wire.len);
    update->entries = dr_arena_array(c->arena, c->n_entries, sizeof *update->entries);
    for (size_t i = 0; i < c->n_entries; i++) {
        C_OK(c, dr_proven_make(c->arena, &tree, c->leaves[i], i, &update->entries[i], &c->err));
    }
    update->n_entries = c->n_entries;
    return update;
}

// -------------------------------------------------------------------------------- approval

struct c_approve {
    Drover__V1__Mode mode;
    Drover__V1__OnFailure on_failure;
    size_t people;
    int64_t expires_in_s; // 0: an hour
    uint32_t acknowledged;
    const uint8_t *ready_sha256; // another READY than the one given
    const char *target;          // another target
};

static inline Drover__V1__Bundle *
c_bundle(struct coord *c, const struct dr_attestation *ready, const struct c_approve *how)
{
    struct dr_approval_request request = {.header = DROVER__V1__APPROVAL__INIT};
    struct dr_approval_target target = {.target = how->target == NULL ? C_TARGET : how->target,
                                        .wave = 1,
                                        .acknowledged_flags = how->acknowledged};
    struct dr_bytes payload = {0};
    struct dr_bytes *leaves = NULL;
    struct dr_merkle_tree tree;
    uint8_t(*evidence)[32] = dr_arena_array(c->arena, 1, 32);
    Drover__V1__Bundle *bundle = c_new(c, &drover__v1__bundle__descriptor);
    memcpy(target.entry_sha256, dr_fleet_target(c->entries, c->n_entries, C_TARGET)->sha256, 32);
    memcpy(target.ready_sha256, how->ready_sha256 == NULL ? ready->sha256 : how->ready_sha256, 32);
    request.header.cluster_id = c_data(c, C_CLUSTER, 16);
    request.header.plan_sha256 = c_data(c, c->plan->sha256, 32);
    request.header.mode = how->mode;
    request.header.on_failure = how->on_failure == DROVER__V1__ON_FAILURE__ON_FAILURE_NONE
                                    ? DROVER__V1__ON_FAILURE__HOLD
                                    : how->on_failure;
    request.header.environment = c_text(c, "production");
    request.header.policy_sha256 =
        c_data(c, dr_fleet_environment(c->entries, c->n_entries, "production")->sha256, 32);
    request.header.not_before = dr_now_unix_s() - 10;
    request.header.expires = dr_now_unix_s() + (how->expires_in_s == 0 ? 3000 : how->expires_in_s);
    request.header.rollout = c_text(c, "R-1");
    request.targets = &target;
    request.n_targets = 1;
    request.evidence = evidence;
    C_OK(c, dr_approval_draft(c->arena, &request, &payload, &leaves, &c->err));
    C_OK(c, dr_merkle_build(c->arena, leaves, 1, &tree, &c->err));
    bundle->rollout = request.header.rollout;
    bundle->target = c_text(c, C_TARGET);
    bundle->trust = c_trust(c);
    struct dr_bytes wire = c_sign(c, DR_TYPE_APPROVAL, payload, how->people);
    bundle->approval = dr_data(wire.data, wire.len);
    C_OK(c, dr_proven_make(c->arena, &tree, leaves[0], 0, &bundle->leaf, &c->err));
    return bundle;
}

#endif
