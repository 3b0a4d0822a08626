// Push, part three: what an agent has to know of root, fleet and chain. Roots that it has are left
// out, and of the chain it is told what is new to it.
#include "coordinator/core/push.h"
#include "coordinator/core/push_cache.h"
#include "trust/chain_patch.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

#define TRUST_MEMORY_MAX (512u << 20)

static enum dr_rc
load_roots(struct dr_core *core, struct dr_push_cache *cache, struct dr_err *err)
{
    Drover__V1__TrustUpdate *all = NULL;

    if (cache->roots_arena != NULL) {
        return DR_OK;
    }
    struct dr_arena *arena = dr_arena_new(TRUST_MEMORY_MAX);
    enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                  : dr_trust_store_export(core->trust_store, arena, &all, err);
    if (rc != DR_OK) {
        dr_arena_free(&arena);
        return rc;
    }
    cache->roots_arena = arena;
    cache->roots = all->roots;
    cache->n_roots = all->n_roots;
    cache->first_version = core->trust->root.msg->version + 1 - all->n_roots;
    return DR_OK;
}

// At most DR_ROOTS_PER_UPDATE_MAX: the next update brings those that are left.
static void
add_roots(const struct dr_push_cache *cache, const struct dr_agent *agent,
          Drover__V1__TrustUpdate *update)
{
    uint64_t held = agent != NULL ? agent->root_version : 0;
    size_t skip = held >= cache->first_version ? (size_t)(held - cache->first_version) + 1 : 0;

    skip = skip > cache->n_roots ? cache->n_roots : skip;
    size_t n = cache->n_roots - skip;
    update->roots = n > 0 ? &cache->roots[skip] : NULL;
    update->n_roots = n > DR_ROOTS_PER_UPDATE_MAX ? DR_ROOTS_PER_UPDATE_MAX : n;
}

static enum dr_rc
make_patch(struct dr_core *core, struct dr_push_cache *cache, const uint8_t base[32],
           struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(TRUST_MEMORY_MAX);
    struct dr_store_document row;
    Drover__V1__ChainPatch *patch = NULL;
    enum dr_rc rc = arena == NULL
                        ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                        : core->store->ops->document_get(core->store, base, arena, &row, err);

    if (rc == DR_OK && strcmp(row.kind, DR_TYPE_CHAIN) == 0) {
        rc = dr_chain_patch_make(arena, row.envelope, core->trust->chain.wire, &patch, err);
    }
    if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
        dr_arena_free(&arena);
        return rc;
    }
    dr_arena_free(&cache->patch_arena);
    cache->patch_arena = arena;
    cache->patch = patch;
    memcpy(cache->patch_base, base, 32);
    memcpy(cache->patch_next, core->trust->chain.sha256, 32);
    return DR_OK;
}

static enum dr_rc
add_chain(struct dr_core *core, struct dr_push_cache *cache, const struct dr_agent *agent,
          bool may_patch, Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    const struct dr_chain *chain = &core->trust->chain;

    if (chain->msg == NULL) {
        return DR_OK;
    }
    if (agent != NULL &&
        ((agent->has_sent_chain && !memcmp(agent->sent_chain, chain->sha256, 32)) ||
         (!agent->has_sent_chain && agent->has_held_chain &&
          memcmp(agent->held_chain, chain->sha256, 32) == 0))) {
        return DR_OK;
    }
    if (may_patch && agent != NULL && agent->has_held_chain && !agent->has_sent_chain) {
        bool is_same = cache->patch_arena != NULL &&
                       memcmp(cache->patch_base, agent->held_chain, 32) == 0 &&
                       memcmp(cache->patch_next, chain->sha256, 32) == 0;

        if (!is_same) {
            DR_TRY(make_patch(core, cache, agent->held_chain, err));
        }
        update->chain_patch = cache->patch;
    }
    if (update->chain_patch == NULL) {
        update->chain = dr_data(chain->wire.data, chain->wire.len);
    }
    return DR_OK;
}

static enum dr_rc
add_entry(struct dr_core *core, const struct dr_fleet_entry *entry, struct dr_arena *arena,
          Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    return entry == NULL ? DR_OK
                         : dr_directory_proof(core->directory, entry, arena,
                                              &update->entries[update->n_entries++], err);
}

static enum dr_rc
add_fleet(struct dr_core *core, const char *agent, struct dr_arena *arena,
          Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    const struct dr_directory_agent *who = dr_directory_agent(core->directory, agent);

    if (core->trust->fleet.msg == NULL || who == NULL) {
        return DR_OK;
    }
    update->fleet = dr_data(core->trust->fleet.wire.data, core->trust->fleet.wire.len);
    update->entries = dr_arena_array(arena, who->n_targets + 1, sizeof *update->entries);
    if (update->entries == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "too many targets for one update");
    }
    for (size_t i = 0; i < who->n_targets; i++) {
        DR_TRY(add_entry(core, who->targets[i], arena, update, err));
    }
    return add_entry(core, dr_directory_environment(core->directory, who->environment), arena,
                     update, err);
}

enum dr_rc
dr_push_trust_update(struct dr_core *core, const char *name, bool may_patch, struct dr_arena *arena,
                     Drover__V1__TrustUpdate **out, struct dr_err *err)
{
    const struct dr_agent *agent = dr_core_agent(core, name);
    Drover__V1__TrustUpdate *update = dr_arena_alloc(arena, sizeof *update);
    struct dr_push_cache *cache;

    if (update == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "no room for an update of trust");
    }
    drover__v1__trust_update__init(update);
    DR_TRY(dr_push_cache(core, &cache, err));
    DR_TRY(load_roots(core, cache, err));
    add_roots(cache, agent, update);
    DR_TRY(add_fleet(core, name, arena, update, err));
    DR_TRY(add_chain(core, cache, agent, may_patch, update, err));
    *out = update;
    return DR_OK;
}

void
dr_push_trust_sent(struct dr_agent *agent, const Drover__V1__TrustUpdate *update,
                   const struct dr_trust *trust, uint64_t seq)
{
    if (update->chain.len > 0 || update->chain_patch != NULL) {
        memcpy(agent->sent_chain, trust->chain.sha256, 32);
        agent->has_sent_chain = true;
        agent->chain_seq = seq;
    }
}

void
dr_push_trust_acked(struct dr_agent *agent, uint64_t seq, ProtobufCBinaryData chain_sha256)
{
    // Without a digest it holds none, or one that the newest root does not accept any more.
    agent->has_held_chain = chain_sha256.len == 32;
    if (agent->has_held_chain) {
        memcpy(agent->held_chain, chain_sha256.data, 32);
    }
    // Told and taken, or told and refused: from now on it is what the agent says that counts.
    agent->has_sent_chain = agent->has_sent_chain && seq < agent->chain_seq;
}
