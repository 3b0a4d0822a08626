// Chain: an index sorted by digest answers every lookup; entries are walked in order, parents
// before children.
#include "trust/chain.h"

#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define JUMP_MAX (1u << 20)
#define ID_MAX   255u

struct dr_chain_node {
    const uint8_t *digest;
    size_t position; // of the ADD
    const Drover__V1__ChainEntry *withdraw;
};

static int
by_digest(const void *a, const void *b)
{
    return memcmp(((const struct dr_chain_node *)a)->digest,
                  ((const struct dr_chain_node *)b)->digest, 32);
}

static int
by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct dr_chain_node *
find(const struct dr_chain *chain, const uint8_t *digest)
{
    const struct dr_chain_node key = {.digest = digest};
    return bsearch(&key, chain->nodes, chain->n_nodes, sizeof(key), by_digest);
}

static enum dr_rc
build_index(struct dr_arena *arena, struct dr_chain *chain, struct dr_err *err)
{
    size_t n = chain->msg->n_entries;
    const char **ids = dr_arena_array(arena, n, sizeof(*ids));
    chain->nodes = dr_arena_array(arena, n, sizeof(*chain->nodes));
    if (!ids || !chain->nodes) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a chain of %zu entries", n);
    }
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__ChainEntry *entry = chain->msg->entries[i];
        if (entry->action == DROVER__V1__CHAIN_ACTION__ADD) {
            ids[chain->n_nodes] = entry->revision_id;
            chain->nodes[chain->n_nodes++] = (struct dr_chain_node){entry->digest.data, i, NULL};
        }
    }
    qsort(chain->nodes, chain->n_nodes, sizeof(*chain->nodes), by_digest);
    qsort(ids, chain->n_nodes, sizeof(*ids), by_id);
    for (size_t i = 1; i < chain->n_nodes; i++) {
        if (strcmp(ids[i - 1], ids[i]) == 0 ||
            by_digest(&chain->nodes[i - 1], &chain->nodes[i]) == 0) {
            return dr_err_set(err, DR_E_BAD_CHAIN, "a revision is in the chain twice (id '%s')",
                              ids[i]);
        }
    }
    return DR_OK;
}

static bool
id_is_valid(const char *id)
{
    size_t len = strcspn(id, " \t\n/");
    return len > 0 && len <= ID_MAX && id[len] == '\0';
}

static bool
add_is_sound(const struct dr_chain *chain, const Drover__V1__ChainEntry *entry, size_t position)
{
    bool ok = id_is_valid(entry->revision_id) && entry->reason[0] == '\0';
    for (size_t i = 0; ok && i < entry->n_parents; i++) {
        const uint8_t *parent = entry->parents[i].data;
        const struct dr_chain_node *node = find(chain, parent);
        ok = node && node->position < position &&
             (i == 0 || memcmp(entry->parents[i - 1].data, parent, 32) < 0);
    }
    return ok;
}

static bool
withdraw_is_sound(const struct dr_chain *chain, const Drover__V1__ChainEntry *entry,
                  size_t position)
{
    struct dr_chain_node *node = find(chain, entry->digest.data);
    if (entry->action != DROVER__V1__CHAIN_ACTION__WITHDRAW || !node || node->position > position ||
        node->withdraw || entry->reason[0] == '\0' || entry->n_parents > 0 ||
        strcmp(chain->msg->entries[node->position]->revision_id, entry->revision_id) != 0) {
        return false;
    }
    node->withdraw = entry;
    return true;
}

// The branch of an ADD: its own label or its first parent's.
static const char *
branch_of(const struct dr_chain *chain, size_t position)
{
    const Drover__V1__ChainEntry *entry = chain->msg->entries[position];
    while (entry->branch[0] == '\0' && entry->n_parents > 0) {
        entry = chain->msg->entries[find(chain, entry->parents[0].data)->position];
    }
    return entry->branch;
}

// A head is a revision that is not withdrawn and from which nothing that is not withdrawn descends.
static enum dr_rc
check_heads(struct dr_arena *arena, const struct dr_chain *chain, struct dr_err *err)
{
    size_t n = chain->msg->n_entries, n_heads = 0;
    bool *has_live_child = dr_arena_array(arena, n, sizeof(bool));
    size_t *heads = dr_arena_array(arena, n, sizeof(*heads));
    if (!has_live_child || !heads) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a chain of %zu entries", n);
    }
    for (size_t i = n; i > 0; i--) {
        const Drover__V1__ChainEntry *entry = chain->msg->entries[i - 1];
        if (entry->action != DROVER__V1__CHAIN_ACTION__ADD) {
            continue;
        }
        bool is_live = !find(chain, entry->digest.data)->withdraw;
        if (is_live && !has_live_child[i - 1]) {
            heads[n_heads++] = i - 1;
        }
        for (size_t k = 0; k < entry->n_parents && (is_live || has_live_child[i - 1]); k++) {
            has_live_child[find(chain, entry->parents[k].data)->position] = true;
        }
    }
    for (size_t i = 1; i < n_heads; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(branch_of(chain, heads[i]), branch_of(chain, heads[k])) == 0) {
                const char *a = chain->msg->entries[heads[i]]->revision_id;
                const char *b = chain->msg->entries[heads[k]]->revision_id;
                (void)dr_err_set(err, DR_E_TWO_HEADS, "the chain has two heads, '%s' and '%s'", a,
                                 b);
                return dr_err_hint(err, "drover merge %s %s", a, b);
            }
        }
    }
    return DR_OK;
}

enum dr_rc
dr_chain_decode(struct dr_arena *arena, struct dr_bytes payload, struct dr_chain *out,
                struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__chain__descriptor, payload, &message, err));
    struct dr_chain chain = {.msg = (const Drover__V1__Chain *)message};
    if (chain.msg->version < 1 || chain.msg->issued < 0 || chain.msg->project[0] == '\0' ||
        chain.msg->n_entries == 0) {
        return dr_err_set(err, DR_E_BAD_CHAIN,
                          "a chain needs a version from 1, a project and entries");
    }
    DR_TRY(build_index(arena, &chain, err));
    for (size_t i = 0; i < chain.msg->n_entries; i++) {
        const Drover__V1__ChainEntry *entry = chain.msg->entries[i];
        if (entry->action == DROVER__V1__CHAIN_ACTION__ADD ? !add_is_sound(&chain, entry, i)
                                                           : !withdraw_is_sound(&chain, entry, i)) {
            return dr_err_set(err, DR_E_BAD_CHAIN,
                              "entry %zu ('%s') is not sound: its parents have to stand before it, "
                              "what is withdrawn has to be there",
                              i + 1, entry->revision_id);
        }
    }
    DR_TRY(check_heads(arena, &chain, err));
    dr_sha256(payload, chain.sha256);
    *out = chain;
    return DR_OK;
}

enum dr_rc
dr_chain_load(struct dr_arena *arena, const struct dr_root *root, struct dr_bytes wire,
              struct dr_chain *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_chain chain;
    DR_TRY(dr_envelope_copy(arena, wire, DR_TYPE_CHAIN, &envelope, err));
    DR_TRY(dr_quorum_check(arena, root->msg, root->msg->reviewers, "the reviewers", &envelope, NULL,
                           err));
    DR_TRY(dr_chain_decode(arena, envelope.payload, &chain, err));
    if (!dr_data_eq(chain.msg->cluster_id, root->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the chain is of another cluster");
    }
    chain.wire = envelope.wire;
    *out = chain;
    return DR_OK;
}

static bool
entries_are_equal(const Drover__V1__ChainEntry *a, const Drover__V1__ChainEntry *b)
{
    bool equal = a->action == b->action && strcmp(a->revision_id, b->revision_id) == 0 &&
                 dr_data_eq(a->digest, b->digest) && a->n_parents == b->n_parents &&
                 strcmp(a->reason, b->reason) == 0 && strcmp(a->author, b->author) == 0 &&
                 strcmp(a->branch, b->branch) == 0;
    for (size_t i = 0; equal && i < a->n_parents; i++) {
        equal = dr_data_eq(a->parents[i], b->parents[i]);
    }
    return equal;
}

enum dr_rc
dr_chain_follows(const struct dr_chain *held, const struct dr_chain *next, struct dr_err *err)
{
    const Drover__V1__Chain *from = held->msg, *to = next->msg;
    if (to->version < from->version) {
        return dr_err_set(err, DR_E_ROLLBACK, "chain %" PRIu64 " is older than chain %" PRIu64,
                          to->version, from->version);
    }
    if (to->version == from->version && memcmp(held->sha256, next->sha256, 32) != 0) {
        return dr_err_set(err, DR_E_EQUIVOCATION, "there are two different chains %" PRIu64,
                          to->version);
    }
    if (to->version - from->version > JUMP_MAX) {
        return dr_err_set(err, DR_E_FAST_FORWARD, "chain %" PRIu64 " is too far after %" PRIu64,
                          to->version, from->version);
    }
    bool extends = to->n_entries >= from->n_entries && strcmp(to->project, from->project) == 0;
    for (size_t i = 0; extends && i < from->n_entries; i++) {
        extends = entries_are_equal(from->entries[i], to->entries[i]);
    }
    return extends
               ? DR_OK
               : dr_err_set(err, DR_E_BAD_CHAIN,
                            "chain %" PRIu64 " does not begin with all entries of chain %" PRIu64,
                            to->version, from->version);
}

bool
dr_chain_find(const struct dr_chain *chain, const uint8_t digest[32], struct dr_chain_revision *out)
{
    const struct dr_chain_node *node = find(chain, digest);
    if (!node) {
        return false;
    }
    *out = (struct dr_chain_revision){chain->msg->entries[node->position], node->withdraw};
    return true;
}

size_t
dr_chain_position(const struct dr_chain *chain, const uint8_t digest[32])
{
    const struct dr_chain_node *node = find(chain, digest);
    return node ? node->position : chain->msg->n_entries;
}

enum dr_rc
dr_chain_applied(struct dr_arena *arena, const struct dr_chain *chain,
                 Drover__V1__Head *const *heads, size_t n_heads, bool **out, struct dr_err *err)
{
    size_t n = chain->msg->n_entries;
    bool *applied = dr_arena_array(arena, n, sizeof(bool));
    if (!applied) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a chain of %zu entries", n);
    }
    for (size_t i = 0; i < n_heads; i++) {
        size_t at =
            heads[i]->digest.len == 32 ? dr_chain_position(chain, heads[i]->digest.data) : n;
        if (at == n) {
            return dr_err_set(err, DR_E_NOT_IN_CHAIN, "revision '%s' is not in the chain",
                              heads[i]->id);
        }
        applied[at] = true;
    }
    for (size_t i = n; i > 0; i--) {
        const Drover__V1__ChainEntry *entry = chain->msg->entries[i - 1];
        for (size_t k = 0; applied[i - 1] && k < entry->n_parents; k++) {
            applied[dr_chain_position(chain, entry->parents[k].data)] = true;
        }
    }
    *out = applied;
    return DR_OK;
}
