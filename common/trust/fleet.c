// Fleet: the signed part, its entries and their proofs.
#include "trust/fleet.h"

#include "trust/keyset.h"
#include "trust/strict.h"
#include "trust/try.h"
#include "trust/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum dr_rc
check_header(const Drover__V1__Fleet *fleet, struct dr_err *err)
{
    if (fleet->version < 1 || fleet->issued < 0 || fleet->expires <= fleet->issued ||
        fleet->entries_count < 1 || fleet->entries_count > DR_FLEET_ENTRIES_MAX) {
        return dr_err_set(err, DR_E_BAD_FLEET,
                          "a fleet needs a version from 1, an expiry after its issue and entries");
    }
    return DR_OK;
}

enum dr_rc
dr_fleet_load(struct dr_arena *arena, const struct dr_root *root, struct dr_bytes wire,
              struct dr_fleet *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_FLEET, &envelope, err));
    DR_TRY(dr_quorum_check(arena, root->msg, root->msg->fleet, "the fleet role", &envelope, NULL,
                           err));
    DR_TRY(
        dr_strict_decode(arena, &drover__v1__fleet__descriptor, envelope.payload, &message, err));
    struct dr_fleet fleet = {(const Drover__V1__Fleet *)message, envelope.wire, {0}};
    DR_TRY(check_header(fleet.msg, err));
    if (!dr_data_eq(fleet.msg->cluster_id, root->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the fleet is of another cluster");
    }
    memcpy(fleet.sha256, envelope.sha256, 32);
    *out = fleet;
    return DR_OK;
}

enum dr_rc
dr_fleet_follows(const Drover__V1__Fleet *held, const uint8_t held_sha256[32],
                 const struct dr_fleet *next, struct dr_err *err)
{
    uint64_t from = held->version, to = next->msg->version;
    if (to < from) {
        return dr_err_set(err, DR_E_ROLLBACK, "fleet %" PRIu64 " is older than fleet %" PRIu64, to,
                          from);
    }
    if (to == from && memcmp(held_sha256, next->sha256, 32) != 0) {
        return dr_err_set(err, DR_E_EQUIVOCATION, "there are two different fleets %" PRIu64, to);
    }
    if (to - from > DR_FLEET_JUMP_MAX) {
        return dr_err_set(err, DR_E_FAST_FORWARD, "fleet %" PRIu64 " is too far after %" PRIu64, to,
                          from);
    }
    return DR_OK;
}

enum dr_rc
dr_fleet_check_time(const Drover__V1__Fleet *fleet, int64_t now, struct dr_err *err)
{
    char when[32];
    dr_format_time(when, fleet->expires);
    return now < fleet->expires
               ? DR_OK
               : dr_err_set(err, DR_E_FREEZE_FLEET, "fleet %" PRIu64 " expired at %s",
                            fleet->version, when);
}

// -------------------------------------------------------------------------------- entries

// True if `target` is "environment/...".
static bool
is_in_environment(const char *target, const char *environment)
{
    size_t len = strlen(environment);
    return dr_target_name_is_valid(target) && strncmp(target, environment, len) == 0 &&
           target[len] == '/';
}

static enum dr_rc
bad_target(const Drover__V1__Target *target, struct dr_err *err)
{
    return dr_err_set(err, DR_E_BAD_FLEET,
                      "target '%s' needs a name environment/name, an agent with its key, an "
                      "engine and a state",
                      target->name);
}

// Beside the agent's key, which costs most: whoever decodes an entry looks at that, too.
static enum dr_rc
check_target(const Drover__V1__Target *target, struct dr_err *err)
{
    bool ok = dr_name_is_valid(target->environment) &&
              is_in_environment(target->name, target->environment) &&
              dr_name_is_valid(target->agent) &&
              target->engine != DROVER__V1__ENGINE__ENGINE_NONE &&
              target->state != DROVER__V1__TARGET_STATE__TARGET_STATE_NONE;
    for (size_t i = 1; ok && i < target->n_labels; i++) {
        ok = strcmp(target->labels[i - 1]->key, target->labels[i]->key) < 0;
    }
    return ok ? DR_OK : bad_target(target, err);
}

static bool
gate_is_sound(const Drover__V1__Gate *gate)
{
    switch (gate->kind) {
    case DROVER__V1__GATE_KIND__GATE_BACKUP:
        return gate->restore_level != DROVER__V1__RESTORE_LEVEL__RESTORE_NONE &&
               gate->max_age_s > 0;
    case DROVER__V1__GATE_KIND__GATE_STAGED:
        return dr_name_is_valid(gate->from_environment) && gate->min_targets > 0;
    case DROVER__V1__GATE_KIND__GATE_VERIFIED:
        return (gate->after && gate->from_environment[0] == '\0') ||
               dr_name_is_valid(gate->from_environment);
    case DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED:
        return dr_name_is_valid(gate->from_environment);
    case DROVER__V1__GATE_KIND__GATE_SIGNOFF:
        return gate->item[0] != '\0';
    case DROVER__V1__GATE_KIND__GATE_REHEARSED:
        return gate->max_age_s > 0;
    case DROVER__V1__GATE_KIND__GATE_PROBED:
        return dr_name_is_valid(gate->from_environment) && gate->min_targets > 0 &&
               dr_name_is_valid(gate->item);
    default:
        return false;
    }
}

static enum dr_rc
check_environment(const Drover__V1__Environment *environment, struct dr_err *err)
{
    if (!dr_name_is_valid(environment->name) || environment->rank < 1) {
        return dr_err_set(err, DR_E_BAD_FLEET, "environment '%s' needs a name and a rank from 1",
                          environment->name);
    }
    bool ok = environment->n_windows <= DR_WINDOWS_MAX;
    for (size_t i = 0; ok && i < environment->n_windows; i++) {
        ok = dr_window_is_sound(environment->windows[i], environment->windows[i]->zone);
    }
    for (size_t i = 0; ok && i < environment->n_probes; i++) {
        const Drover__V1__SqlProbe *probe = environment->probes[i];
        ok = dr_name_is_valid(probe->name) && probe->sql[0] != '\0' &&
             (i == 0 || strcmp(environment->probes[i - 1]->name, probe->name) < 0);
    }
    if (!ok) {
        return dr_err_set(err, DR_E_BAD_FLEET,
                          "a window or a probe of environment '%s' is not whole",
                          environment->name);
    }
    for (size_t i = 0; i < environment->n_gates; i++) {
        if (!gate_is_sound(environment->gates[i])) {
            return dr_err_set(err, DR_E_BAD_FLEET, "gate %zu of environment '%s' is not whole",
                              i + 1, environment->name);
        }
    }
    return DR_OK;
}

static enum dr_rc
decode_entry(struct dr_arena *arena, struct dr_bytes leaf, uint64_t index,
             struct dr_fleet_entry *out, struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__fleet_entry__descriptor, leaf, &message, err));
    struct dr_fleet_entry entry = {
        .msg = (const Drover__V1__FleetEntry *)message,
        .leaf = {dr_arena_copy(arena, leaf.data, leaf.len), leaf.len},
        .index = index,
    };
    if (!entry.leaf.data) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a fleet entry");
    }
    if (!entry.msg->target == !entry.msg->environment) {
        return dr_err_set(err, DR_E_BAD_FLEET, "entry %" PRIu64 " is not one target or environment",
                          index);
    }
    DR_TRY(entry.msg->target ? check_target(entry.msg->target, err)
                             : check_environment(entry.msg->environment, err));
    if (entry.msg->target) {
        dr_keyid(entry.msg->target->agent_signing_key.data, entry.agent_keyid);
    }
    dr_sha256(leaf, entry.sha256);
    *out = entry;
    return DR_OK;
}

bool
dr_proven_is_true(const Drover__V1__ProvenEntry *proven, ProtobufCBinaryData root,
                  uint64_t n_leaves)
{
    uint8_t path[DR_MERKLE_PATH_MAX][32];
    if (root.len != 32 || proven->n_path > DR_MERKLE_PATH_MAX) {
        return false;
    }
    for (size_t i = 0; i < proven->n_path; i++) {
        if (proven->path[i].len != 32) {
            return false;
        }
        memcpy(path[i], proven->path[i].data, 32);
    }
    return dr_merkle_is_proven(root.data, n_leaves, proven->index,
                               (struct dr_bytes){proven->leaf.data, proven->leaf.len},
                               (const uint8_t(*)[32])path, proven->n_path);
}

enum dr_rc
dr_proven_make(struct dr_arena *arena, const struct dr_merkle_tree *tree, struct dr_bytes leaf,
               uint64_t index, Drover__V1__ProvenEntry **out, struct dr_err *err)
{
    uint8_t path[DR_MERKLE_PATH_MAX][32];
    size_t n = dr_merkle_path(tree, index, path);
    Drover__V1__ProvenEntry *proven = dr_arena_alloc(arena, sizeof(*proven));
    uint8_t(*copy)[32] = dr_arena_copy(arena, path, n * 32);
    ProtobufCBinaryData *data = dr_arena_array(arena, n, sizeof(*data));
    if (!proven || !copy || !data) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a proof");
    }
    drover__v1__proven_entry__init(proven);
    proven->leaf = dr_data(leaf.data, leaf.len);
    proven->index = index;
    proven->n_path = n;
    proven->path = data;
    for (size_t i = 0; i < n; i++) {
        data[i] = dr_data(copy[i], 32);
    }
    *out = proven;
    return DR_OK;
}

enum dr_rc
dr_fleet_entry_prove(struct dr_arena *arena, const struct dr_fleet *fleet,
                     const Drover__V1__ProvenEntry *proven, struct dr_fleet_entry *out,
                     struct dr_err *err)
{
    if (!dr_proven_is_true(proven, fleet->msg->entries_root, fleet->msg->entries_count)) {
        return dr_err_set(err, DR_E_BAD_PROOF, "an entry does not belong to fleet %" PRIu64,
                          fleet->msg->version);
    }
    struct dr_fleet_entry entry;
    DR_TRY(decode_entry(arena, (struct dr_bytes){proven->leaf.data, proven->leaf.len},
                        proven->index, &entry, err));
    const Drover__V1__Target *target = entry.msg->target;
    if (target && !dr_signing_key_is_sane(target->agent_signing_key.data)) {
        return bad_target(target, err);
    }
    *out = entry;
    return DR_OK;
}

// ------------------------------------------------------------------------ the whole fleet

static const char *
entry_name(const Drover__V1__FleetEntry *entry)
{
    return entry->target ? entry->target->name : entry->environment->name;
}

static int
compare_entries(const Drover__V1__FleetEntry *a, const Drover__V1__FleetEntry *b)
{
    int kind = (a->target == NULL) - (b->target == NULL);
    return kind != 0 ? kind : strcmp(entry_name(a), entry_name(b));
}

static int
by_order(const void *a, const void *b)
{
    return compare_entries(*(Drover__V1__FleetEntry *const *)a,
                           *(Drover__V1__FleetEntry *const *)b);
}

// A key of an agent, to find keys that stand in two environments or under two agents' names.
struct agent_key {
    const uint8_t *key;
    const Drover__V1__Target *target;
};

static int
by_key(const void *a, const void *b)
{
    return memcmp(((const struct agent_key *)a)->key, ((const struct agent_key *)b)->key,
                  DR_KEY_SIZE);
}

static enum dr_rc
check_agent_keys(struct dr_arena *arena, const struct dr_fleet_entry *entries, size_t n,
                 struct dr_err *err)
{
    struct agent_key *keys = dr_arena_array(arena, 2 * n, sizeof(*keys));
    size_t n_keys = 0;
    if (!keys) {
        return dr_err_set(err, DR_E_LIMIT, "no room to check the agents' keys");
    }
    // GCOVR_EXCL_BR_START check_whole: behind the targets stands an environment
    for (size_t i = 0; i < n && entries[i].msg->target; i++) {
        // GCOVR_EXCL_BR_STOP
        const Drover__V1__Target *target = entries[i].msg->target;
        keys[n_keys++] = (struct agent_key){target->agent_signing_key.data, target};
        keys[n_keys++] = (struct agent_key){target->agent_transport_key.data, target};
    }
    qsort(keys, n_keys, sizeof(*keys), by_key);
    for (size_t i = 1; i < n_keys; i++) {
        const Drover__V1__Target *a = keys[i - 1].target, *b = keys[i].target;
        if (by_key(&keys[i - 1], &keys[i]) == 0 &&
            (strcmp(a->environment, b->environment) != 0 || strcmp(a->agent, b->agent) != 0)) {
            return dr_err_set(err, DR_E_BAD_FLEET,
                              "'%s' and '%s' have one key but not one agent and environment",
                              a->name, b->name);
        }
    }
    return DR_OK;
}

// Every agent's key, but for entries whose very bytes stand in `known`. Both stand in order.
static enum dr_rc
check_keys_sane(struct dr_arena *arena, const struct dr_fleet_entry *entries, size_t n,
                const struct dr_fleet_entry *known, size_t n_known, struct dr_err *err)
{
    const uint8_t **keys = dr_arena_array(arena, n, sizeof(*keys));
    const Drover__V1__Target **of = dr_arena_array(arena, n, sizeof(const Drover__V1__Target *));
    size_t n_keys = 0, at = 0;
    if (!keys || !of) {
        return dr_err_set(err, DR_E_LIMIT, "no room to check the agents' keys");
    }
    // check_whole: behind the targets stands an environment
    for (size_t i = 0; entries[i].msg->target; i++) {
        while (at < n_known && compare_entries(known[at].msg, entries[i].msg) < 0) {
            at++;
        }
        if (at == n_known || memcmp(known[at].sha256, entries[i].sha256, 32) != 0) {
            of[n_keys] = entries[i].msg->target;
            keys[n_keys++] = entries[i].msg->target->agent_signing_key.data;
        }
    }
    if (dr_keyset_is_sane(keys, n_keys)) {
        return DR_OK;
    }
    size_t bad = 0;
    while (dr_signing_key_is_sane(keys[bad])) {
        bad++;
    }
    return bad_target(of[bad], err);
}

static enum dr_rc
check_whole(const struct dr_fleet_entry *entries, size_t n, struct dr_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__FleetEntry *entry = entries[i].msg;
        if (i > 0 && compare_entries(entries[i - 1].msg, entry) >= 0) {
            return dr_err_set(err, DR_E_BAD_FLEET, "entry '%s' is there twice or out of order",
                              entry_name(entry));
        }
        if (entry->target && !dr_fleet_environment(entries, n, entry->target->environment)) {
            return dr_err_set(err, DR_E_BAD_FLEET, "there is no environment '%s' for target '%s'",
                              entry->target->environment, entry->target->name);
        }
    }
    return DR_OK;
}

enum dr_rc
dr_fleet_entries_check(struct dr_arena *arena, const struct dr_fleet *fleet,
                       const struct dr_bytes *leaves, size_t n_leaves, struct dr_fleet_entry **out,
                       struct dr_err *err)
{
    return dr_fleet_entries_check_next(arena, fleet, leaves, n_leaves, NULL, 0, out, err);
}

enum dr_rc
dr_fleet_entries_check_again(struct dr_arena *arena, const struct dr_fleet *fleet,
                             const struct dr_bytes *leaves, size_t n_leaves,
                             struct dr_fleet_entry **out, struct dr_err *err)
{
    struct dr_merkle_tree tree;
    DR_TRY(dr_merkle_build(arena, leaves, n_leaves, &tree, err));
    if (n_leaves != fleet->msg->entries_count ||
        !dr_data_is(fleet->msg->entries_root, dr_merkle_root(&tree))) {
        return dr_err_set(err, DR_E_BAD_PROOF, "the entries are not those of fleet %" PRIu64,
                          fleet->msg->version);
    }
    struct dr_fleet_entry *entries = dr_arena_array(arena, n_leaves, sizeof(*entries));
    if (!entries) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu fleet entries", n_leaves);
    }
    for (size_t i = 0; i < n_leaves; i++) {
        DR_TRY(decode_entry(arena, leaves[i], i, &entries[i], err));
    }
    DR_TRY(check_whole(entries, n_leaves, err));
    DR_TRY(check_agent_keys(arena, entries, n_leaves, err));
    *out = entries;
    return DR_OK;
}

enum dr_rc
dr_fleet_entries_check_next(struct dr_arena *arena, const struct dr_fleet *fleet,
                            const struct dr_bytes *leaves, size_t n_leaves,
                            const struct dr_fleet_entry *known, size_t n_known,
                            struct dr_fleet_entry **out, struct dr_err *err)
{
    struct dr_fleet_entry *entries = NULL;
    DR_TRY(dr_fleet_entries_check_again(arena, fleet, leaves, n_leaves, &entries, err));
    DR_TRY(check_keys_sane(arena, entries, n_leaves, known, n_known, err));
    *out = entries;
    return DR_OK;
}

enum dr_rc
dr_fleet_draft(struct dr_arena *arena, Drover__V1__Fleet header, Drover__V1__FleetEntry **entries,
               size_t n_entries, struct dr_bytes *out_payload, struct dr_bytes **out_leaves,
               struct dr_err *err)
{
    struct dr_bytes payload, *leaves = dr_arena_array(arena, n_entries, sizeof(*leaves));
    struct dr_merkle_tree tree;
    struct dr_fleet_entry *check = NULL;
    if (!leaves) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu fleet entries", n_entries);
    }
    for (size_t i = 0; i < n_entries; i++) {
        if (!entries[i]->target == !entries[i]->environment) {
            return dr_err_set(err, DR_E_BAD_FLEET, "an entry is not one target or environment");
        }
    }
    qsort(entries, n_entries, sizeof(entries[0]), by_order);
    for (size_t i = 0; i < n_entries; i++) {
        DR_TRY(dr_strict_encode(arena, &entries[i]->base, &leaves[i], err));
    }
    DR_TRY(dr_merkle_build(arena, leaves, n_entries, &tree, err));
    header.entries_root = dr_data(dr_merkle_root(&tree), 32);
    header.entries_count = n_entries;
    DR_TRY(check_header(&header, err));
    DR_TRY(dr_strict_encode(arena, &header.base, &payload, err));
    struct dr_fleet fleet = {.msg = &header};
    DR_TRY(dr_fleet_entries_check(arena, &fleet, leaves, n_entries, &check, err));
    *out_payload = payload;
    *out_leaves = leaves;
    return DR_OK;
}

const struct dr_fleet_entry *
dr_fleet_target(const struct dr_fleet_entry *entries, size_t n, const char *name)
{
    // A whole fleet stands in order. Where that does not find it, every entry is looked at.
    for (size_t low = 0, high = n; low < high;) {
        size_t middle = low + (high - low) / 2;
        const Drover__V1__Target *target = entries[middle].msg->target;
        int order = target ? strcmp(name, target->name) : -1;
        if (order == 0) {
            return &entries[middle];
        }
        low = order < 0 ? low : middle + 1;
        high = order < 0 ? middle : high;
    }
    for (size_t i = 0; i < n; i++) {
        if (entries[i].msg->target && strcmp(entries[i].msg->target->name, name) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

// Environments stand last, so the search begins there: short also for a large fleet.
const struct dr_fleet_entry *
dr_fleet_environment(const struct dr_fleet_entry *entries, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--) {
        const Drover__V1__Environment *environment = entries[i - 1].msg->environment;
        if (environment && strcmp(environment->name, name) == 0) {
            return &entries[i - 1];
        }
    }
    return NULL;
}
