// Push cache: one approval at a time, as waves come.
#include "coordinator/core/push_cache.h"

#include "trust/try.h"

#include <stdlib.h>
#include <string.h>

#define APPROVAL_MEMORY_MAX (256u << 20)

enum dr_rc
dr_push_cache(struct dr_core *core, struct dr_push_cache **out, struct dr_err *err)
{
    if (core->push_cache == NULL) {
        core->push_cache = calloc(1, sizeof *core->push_cache);
    }
    *out = core->push_cache;
    return *out != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

void
dr_push_cache_free(struct dr_push_cache **cache)
{
    if (*cache != NULL) {
        dr_arena_free(&(*cache)->roots_arena);
        dr_arena_free(&(*cache)->patch_arena);
        dr_arena_free(&(*cache)->approval.arena);
        free(*cache);
        *cache = NULL;
    }
}

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "an approval is too large");
}

static enum dr_rc
load_listed(struct dr_core *core, struct dr_push_approval *p, struct dr_err *err)
{
    const Drover__V1__Approval *approval = p->approval.msg;

    p->listed = dr_arena_array(p->arena, approval->n_evidence_sha256 + 1, sizeof *p->listed);
    if (p->listed == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < approval->n_evidence_sha256; i++) {
        DR_TRY(core->store->ops->document_get(core->store, approval->evidence_sha256[i].data,
                                              p->arena, &p->listed[p->n_listed++], err));
    }
    return DR_OK;
}

static enum dr_rc
load(struct dr_core *core, const uint8_t sha256[32], struct dr_push_approval *p, struct dr_err *err)
{
    struct dr_store_document row;

    p->arena = dr_arena_new(APPROVAL_MEMORY_MAX);
    if (p->arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    memcpy(p->sha256, sha256, 32);
    DR_TRY(core->store->ops->document_get(core->store, sha256, p->arena, &row, err));
    DR_TRY(dr_approval_decode(p->arena, row.envelope, &p->approval, err));
    p->envelope = row.envelope;
    p->environment = dr_arena_str(p->arena, row.environment);
    const Drover__V1__Document *parts =
        drover__v1__document__unpack(dr_arena_protobuf(p->arena), row.parts.len, row.parts.data);
    if (parts == NULL) {
        return dr_err_set(err, DR_E_STORE, "the leaves of an approval cannot be read");
    }
    p->n_leaves = parts->n_parts;
    p->leaves = dr_arena_array(p->arena, p->n_leaves + 1, sizeof *p->leaves);
    if (p->leaves == NULL || p->environment == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < p->n_leaves; i++) {
        p->leaves[i] = (struct dr_bytes){parts->parts[i].data, parts->parts[i].len};
    }
    DR_TRY(
        dr_approval_leaves_check(p->arena, &p->approval, p->leaves, p->n_leaves, &p->decoded, err));
    DR_TRY(dr_merkle_build(p->arena, p->leaves, p->n_leaves, &p->tree, err));
    return load_listed(core, p, err);
}

enum dr_rc
dr_push_approval(struct dr_core *core, const uint8_t sha256[32],
                 const struct dr_push_approval **out, struct dr_err *err)
{
    struct dr_push_cache *cache;

    DR_TRY(dr_push_cache(core, &cache, err));
    if (cache->approval.arena == NULL || memcmp(cache->approval.sha256, sha256, 32) != 0) {
        struct dr_push_approval fresh = {0};
        enum dr_rc rc = load(core, sha256, &fresh, err);

        if (rc != DR_OK) {
            dr_arena_free(&fresh.arena);
            return rc;
        }
        dr_arena_free(&cache->approval.arena);
        cache->approval = fresh;
    }
    *out = &cache->approval;
    return DR_OK;
}

// Leaves are sorted by wave, then target: one search per wave.
size_t
dr_push_leaf(const struct dr_push_approval *p, const char *target)
{
    size_t first = 0;

    for (size_t w = 0; w < p->approval.msg->n_wave_sizes; w++) {
        size_t low = first, high = first + p->approval.msg->wave_sizes[w];

        first = high;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            int order = strcmp(target, p->decoded[middle]->target);

            if (order == 0) {
                return middle;
            }
            low = order < 0 ? low : middle + 1;
            high = order < 0 ? middle : high;
        }
    }
    return p->n_leaves;
}
