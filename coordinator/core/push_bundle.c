// Push, part two: the bundle, an approval with everything that an agent's checks need.
#include "coordinator/core/push.h"
#include "trust/approval.h"
#include "trust/attest.h"
#include "trust/strict.h"
#include "trust/try.h"
#include "trust/verify.h"

#include <stdio.h>
#include <string.h>

// A push is one item of a stream: at most 1 MiB.
#define PUSH_MAX (1020u * 1024)

struct maker {
    struct dr_core *core;
    struct dr_arena *arena;
    struct dr_approval approval;
    struct dr_bytes *leaves;
    size_t n_leaves;
    Drover__V1__Bundle *bundle;
};

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "a bundle is too large");
}

static enum dr_rc
leaf_proof(struct maker *m, const struct dr_merkle_tree *tree, size_t index,
           Drover__V1__ProvenEntry **out, struct dr_err *err)
{
    return dr_proven_make(m->arena, tree, m->leaves[index], index, out, err);
}

// The target's own leaf, and those of the canaries when it comes later.
static enum dr_rc
add_leaves(struct maker *m, const char *target, struct dr_err *err)
{
    struct dr_merkle_tree tree;
    Drover__V1__ApprovalLeaf **decoded;
    size_t own = m->n_leaves;

    DR_TRY(dr_approval_leaves_check(m->arena, &m->approval, m->leaves, m->n_leaves, &decoded, err));
    DR_TRY(dr_merkle_build(m->arena, m->leaves, m->n_leaves, &tree, err));
    for (size_t i = 0; i < m->n_leaves; i++) {
        own = strcmp(decoded[i]->target, target) == 0 ? i : own;
    }
    if (own == m->n_leaves) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the approval has no leaf for '%s'", target);
    }
    DR_TRY(leaf_proof(m, &tree, own, &m->bundle->leaf, err));
    if (decoded[own]->wave <= 1) {
        return DR_OK;
    }
    m->bundle->canaries = dr_arena_array(m->arena, m->n_leaves, sizeof *m->bundle->canaries);
    if (m->bundle->canaries == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < m->n_leaves && decoded[i]->wave == 1; i++) {
        DR_TRY(leaf_proof(m, &tree, i, &m->bundle->canaries[m->bundle->n_canaries++], err));
    }
    return DR_OK;
}

static bool
has_entry(const struct maker *m, uint64_t index)
{
    for (size_t i = 0; i < m->bundle->n_evidence_entries; i++) {
        if (m->bundle->evidence_entries[i]->index == index) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
add_evidence_entry(struct maker *m, const char *target, struct dr_err *err)
{
    const struct dr_fleet_entry *entry = dr_directory_target(m->core->directory, target);

    if (entry == NULL || has_entry(m, entry->index)) {
        return DR_OK;
    }
    return dr_directory_proof(m->core->directory, entry, m->arena,
                              &m->bundle->evidence_entries[m->bundle->n_evidence_entries++], err);
}

static enum dr_rc
add_document(struct maker *m, const struct dr_store_document *row, struct dr_err *err)
{
    ProtobufCBinaryData bytes = dr_data(row->envelope.data, row->envelope.len);

    if (m->bundle->n_evidence + m->bundle->n_signoffs + 8 > DR_BUNDLE_ENVELOPES_MAX) {
        return no_room(err);
    }
    if (strcmp(row->kind, DR_TYPE_SIGNOFF) == 0) {
        m->bundle->signoffs[m->bundle->n_signoffs++] = bytes;
        return DR_OK;
    }
    m->bundle->evidence[m->bundle->n_evidence++] = bytes;
    return add_evidence_entry(m, row->target, err);
}

static enum dr_rc
add_listed(struct maker *m, struct dr_err *err)
{
    const Drover__V1__Approval *approval = m->approval.msg;

    for (size_t i = 0; i < approval->n_evidence_sha256; i++) {
        struct dr_store_document row;

        DR_TRY(m->core->store->ops->document_get(m->core->store, approval->evidence_sha256[i].data,
                                                 m->arena, &row, err));
        DR_TRY(add_document(m, &row, err));
    }
    return DR_OK;
}

// APPLIED of each canary, which later waves must see.
static enum dr_rc
add_canaries(struct maker *m, struct dr_err *err)
{
    for (size_t i = 0; i < m->bundle->n_canaries; i++) {
        ProtobufCMessage *message;
        struct dr_store_document row;
        struct dr_bytes leaf = {m->bundle->canaries[i]->leaf.data,
                                m->bundle->canaries[i]->leaf.len};
        bool is_down = m->approval.msg->mode == DROVER__V1__MODE__DOWN;

        DR_TRY(dr_strict_decode(m->arena, &drover__v1__approval_leaf__descriptor, leaf, &message,
                                err));
        DR_TRY(m->core->store->ops->document_latest(
            m->core->store, ((const Drover__V1__ApprovalLeaf *)(void *)message)->target,
            is_down ? DROVER__V1__ATTESTATION_KIND__REVERTED
                    : DROVER__V1__ATTESTATION_KIND__APPLIED,
            m->arena, &row, err));
        DR_TRY(add_document(m, &row, err));
    }
    return DR_OK;
}

struct stops {
    struct maker *maker;
};

static enum dr_rc
add_stop(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct maker *m = ((struct stops *)user)->maker;
    struct dr_store_document copy = *row;

    if (dr_approval_lists(m->approval.msg, row->sha256)) {
        return DR_OK;
    }
    copy.envelope.data = dr_arena_copy(m->arena, row->envelope.data, row->envelope.len);
    return copy.envelope.data == NULL ? no_room(err) : add_document(m, &copy, err);
}

static enum dr_rc
add_wide_stop(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    return row->environment[0] == '\0' ? add_stop(user, row, err) : DR_OK;
}

// VETO, CANCEL, FREEZE and LIFT: an honest coordinator shows them all.
static enum dr_rc
add_stops(struct maker *m, const char *environment, struct dr_err *err)
{
    struct stops stops = {m};
    const uint32_t kinds =
        1u << DROVER__V1__SIGNOFF_KIND__VETO | 1u << DROVER__V1__SIGNOFF_KIND__CANCEL |
        1u << DROVER__V1__SIGNOFF_KIND__FREEZE | 1u << DROVER__V1__SIGNOFF_KIND__LIFT;
    struct dr_store_filter filter = {.kind = DR_TYPE_SIGNOFF,
                                     .environment = environment,
                                     .subkinds = kinds,
                                     .only_complete = true,
                                     .newest_first = true,
                                     .limit = 64};

    DR_TRY(m->core->store->ops->document_list(m->core->store, &filter, add_stop, &stops, err));
    // One that freezes everything names no environment.
    filter.environment = NULL;
    filter.subkinds = 1u << DROVER__V1__SIGNOFF_KIND__FREEZE;
    return m->core->store->ops->document_list(m->core->store, &filter, add_wide_stop, &stops, err);
}

static enum dr_rc
fill(struct maker *m, const struct dr_store_document *row, const char *target, struct dr_err *err)
{
    Drover__V1__Document *parts =
        drover__v1__document__unpack(dr_arena_protobuf(m->arena), row->parts.len, row->parts.data);
    size_t max = DR_BUNDLE_ENVELOPES_MAX + 1;

    if (parts == NULL) {
        return dr_err_set(err, DR_E_STORE, "the leaves of an approval cannot be read");
    }
    m->n_leaves = parts->n_parts;
    m->leaves = dr_arena_array(m->arena, m->n_leaves + 1, sizeof *m->leaves);
    m->bundle->evidence = dr_arena_array(m->arena, max, sizeof *m->bundle->evidence);
    m->bundle->signoffs = dr_arena_array(m->arena, max, sizeof *m->bundle->signoffs);
    m->bundle->evidence_entries =
        dr_arena_array(m->arena, max, sizeof *m->bundle->evidence_entries);
    if (m->leaves == NULL || m->bundle->evidence == NULL || m->bundle->signoffs == NULL ||
        m->bundle->evidence_entries == NULL) {
        return no_room(err);
    }
    for (size_t i = 0; i < m->n_leaves; i++) {
        m->leaves[i] = (struct dr_bytes){parts->parts[i].data, parts->parts[i].len};
    }
    m->bundle->approval = dr_data(row->envelope.data, row->envelope.len);
    DR_TRY(add_leaves(m, target, err));
    DR_TRY(add_listed(m, err));
    DR_TRY(add_canaries(m, err));
    return add_stops(m, row->environment, err);
}

static enum dr_rc
make(struct maker *m, const struct dr_rollout *rollout, const struct dr_rollout_target *target,
     struct dr_err *err)
{
    struct dr_store_document row;
    char key[DR_TARGET_NAME_MAX + 16];
    uint8_t id[16];
    uint64_t seq;

    DR_TRY(
        m->core->store->ops->document_get(m->core->store, target->approval, m->arena, &row, err));
    DR_TRY(dr_approval_decode(m->arena, row.envelope, &m->approval, err));
    m->bundle = dr_arena_alloc(m->arena, sizeof *m->bundle);
    if (m->bundle == NULL) {
        return no_room(err);
    }
    drover__v1__bundle__init(m->bundle);
    m->bundle->rollout = dr_arena_str(m->arena, rollout->id);
    m->bundle->target = dr_arena_str(m->arena, target->name);
    DR_TRY(dr_push_trust_update(m->core, target->agent, m->arena, &m->bundle->trust, err));
    DR_TRY(fill(m, &row, target->name, err));
    size_t len = drover__v1__bundle__get_packed_size(m->bundle);
    uint8_t *bytes = dr_arena_alloc(m->arena, len);
    if (bytes == NULL || len > PUSH_MAX) {
        return no_room(err);
    }
    drover__v1__bundle__pack(m->bundle, bytes);
    dr_random(id, sizeof id);
    (void)snprintf(key, sizeof key, "bundle %s", target->name);
    DR_TRY(m->core->store->ops->push_add(m->core->store, target->agent,
                                         DROVER__V1__PUSH_KIND__PUSH_BUNDLE, key, id,
                                         (struct dr_bytes){bytes, len}, &seq, err));
    struct dr_agent *agent = dr_core_agent(m->core, target->agent);
    if (agent != NULL) {
        agent->has_mail = true;
    }
    return DR_OK;
}

enum dr_rc
dr_push_bundle(struct dr_core *core, const struct dr_rollout *rollout,
               const struct dr_rollout_target *target, struct dr_err *err)
{
    struct maker m = {.core = core, .arena = dr_arena_new(64u << 20)};
    enum dr_rc rc = m.arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                    : make(&m, rollout, target, err);

    dr_arena_free(&m.arena);
    return rc;
}
