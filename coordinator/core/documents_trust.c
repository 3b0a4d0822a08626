// Documents that say whom to trust: root, fleet, chain. With enough signatures they become current
// at once.
#include "base/clock.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/push.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The payload as its message, for columns and checks before there are enough signatures.
static enum dr_rc
decode(struct dr_incoming *in, const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
       struct dr_err *err)
{
    return dr_strict_decode(in->arena, type, in->envelope.payload, out, err);
}

static enum dr_rc
become_current(struct dr_incoming *in, Drover__V1__TrustUpdate *update, const char *what,
               struct dr_err *err)
{
    bool changed = false;
    const struct dr_event event = {"trust", in->subject, in->actor, in->row.sha256};

    DR_TRY(dr_core_trust_update(in->core, update, &changed, err));
    in->row.is_pending = false;
    if (in->is_held && in->was_complete && !changed) {
        return DR_OK;
    }
    DR_TRY(dr_incoming_keep(in, err));
    if (!changed) { // the trust was written before, and the state was not: nobody was told
        DR_TRY(dr_push_trust_all(in->core, err));
    }
    return dr_events_add(in->core->events, &event, NULL, err, "%s %" PRIu64 " is current", what,
                         in->row.version);
}

static ProtobufCBinaryData
wire(struct dr_incoming *in)
{
    return dr_data(in->row.envelope.data, in->row.envelope.len);
}

enum dr_rc
dr_incoming_root(struct dr_incoming *in, struct dr_err *err)
{
    Drover__V1__TrustUpdate update;
    ProtobufCMessage *message;
    struct dr_root next;
    struct dr_bytes by_new, both;
    struct dr_envelope a, b;
    const struct dr_root *current = &in->core->trust->root;
    const struct dr_envelope offered = in->envelope;

    if (in->is_held && in->was_complete) {
        return DR_OK;
    }
    DR_TRY(decode(in, &drover__v1__root__descriptor, &message, err));
    const Drover__V1__Root *root = (const Drover__V1__Root *)(void *)message;
    DR_TRY(dr_root_check(root, err));
    in->row.version = root->version;
    in->row.time = root->issued;
    in->subject = "root";
    // valid signatures of people in either root
    DR_TRY(dr_incoming_gather(in, current->msg, current->msg->root, "root role", err));
    DR_TRY(dr_quorum_prune(in->arena, root, &offered, &by_new, err));
    DR_TRY(dr_envelope_parse(by_new, NULL, &a, err));
    DR_TRY(dr_envelope_parse(in->row.envelope, NULL, &b, err));
    DR_TRY(dr_envelope_merge(in->arena, &a, &b, &both, err));
    in->row.envelope = both;
    enum dr_rc rc = dr_root_next(in->arena, current, both, &next, err);
    if (rc == DR_E_QUORUM) {
        in->row.is_pending = true;
        return dr_incoming_keep(in, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    ProtobufCBinaryData roots[1] = {wire(in)};
    drover__v1__trust_update__init(&update);
    update.roots = roots;
    update.n_roots = 1;
    return become_current(in, &update, "root", err);
}

static enum dr_rc
fleet_entries(struct dr_incoming *in, Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    Drover__V1__ProvenEntry *rows = dr_arena_array(in->arena, in->n_parts + 1, sizeof *rows);

    update->entries = dr_arena_array(in->arena, in->n_parts + 1, sizeof *update->entries);
    if (rows == NULL || update->entries == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a fleet of %zu entries is too large", in->n_parts);
    }
    for (size_t i = 0; i < in->n_parts; i++) {
        drover__v1__proven_entry__init(&rows[i]);
        rows[i].leaf = in->parts[i];
        rows[i].index = i;
        update->entries[i] = &rows[i];
    }
    update->n_entries = in->n_parts;
    return DR_OK;
}

enum dr_rc
dr_incoming_fleet(struct dr_incoming *in, struct dr_err *err)
{
    Drover__V1__TrustUpdate update;
    ProtobufCMessage *message;
    const Drover__V1__Root *root = in->core->trust->root.msg;

    DR_TRY(decode(in, &drover__v1__fleet__descriptor, &message, err));
    const Drover__V1__Fleet *fleet = (const Drover__V1__Fleet *)(void *)message;
    if (in->n_parts == 0 || in->n_parts != fleet->entries_count) {
        return dr_err_set(err, DR_E_BAD_FLEET,
                          "a fleet of %" PRIu64 " entries came with %zu leaves",
                          fleet->entries_count, in->n_parts);
    }
    in->row.version = fleet->version;
    in->row.time = fleet->issued;
    in->subject = "fleet";
    DR_TRY(dr_incoming_gather(in, root, root->fleet, "fleet role", err));
    if (in->signatures < in->needed) {
        in->row.is_pending = true;
        return dr_incoming_keep(in, err);
    }
    drover__v1__trust_update__init(&update);
    update.fleet = wire(in);
    DR_TRY(fleet_entries(in, &update, err));
    return become_current(in, &update, "fleet", err);
}

enum dr_rc
dr_incoming_chain(struct dr_incoming *in, struct dr_err *err)
{
    Drover__V1__TrustUpdate update;
    struct dr_chain next;
    const struct dr_trust *trust = in->core->trust;

    DR_TRY(dr_chain_decode(in->arena, in->envelope.payload, &next, err));
    if (strcmp(next.msg->project, in->core->config.project) != 0) {
        return dr_err_set(err, DR_E_BAD_CHAIN, "this is the chain of project '%.64s', not of '%s'",
                          next.msg->project, in->core->config.project);
    }
    if (trust->chain.msg != NULL) {
        DR_TRY(dr_chain_follows(&trust->chain, &next, err));
    }
    in->row.version = next.msg->version;
    in->row.time = next.msg->issued;
    in->subject = "chain";
    DR_TRY(dr_incoming_gather(in, trust->root.msg, trust->root.msg->reviewers, "reviewers", err));
    if (in->signatures < in->needed) {
        in->row.is_pending = true;
        return dr_incoming_keep(in, err);
    }
    drover__v1__trust_update__init(&update);
    update.chain = wire(in);
    return become_current(in, &update, "chain", err);
}

// ---- adopting

static enum dr_rc
adopt_one(struct dr_core *core, const char *kind, struct dr_bytes envelope,
          const uint8_t sha256[32], uint64_t version, int64_t issued, struct dr_arena *arena,
          struct dr_err *err)
{
    struct dr_incoming in = {
        .core = core, .actor = "", .arena = arena, .subject = "trust", .needed = 1};
    struct dr_store_document held;
    struct dr_err ignored = {0};
    enum dr_rc rc = core->store->ops->document_get(core->store, sha256, arena, &held, &ignored);

    if (rc == DR_OK && !held.is_pending) {
        return DR_OK;
    }
    if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
        *err = ignored;
        return rc;
    }
    in.is_held = rc == DR_OK;
    if (in.is_held) {
        in.row = held;
    }
    in.row.kind = kind;
    in.row.envelope = envelope;
    in.row.is_pending = false;
    in.row.version = version;
    in.row.time = issued;
    memcpy(in.row.sha256, sha256, 32);
    ProtobufCBinaryData *parts = NULL;
    if (strcmp(kind, DR_TYPE_FLEET) == 0) {
        parts = dr_arena_array(arena, core->trust->n_entries + 1, sizeof *parts);
        for (size_t i = 0; parts != NULL && i < core->trust->n_entries; i++) {
            parts[i] = dr_data(core->trust->entries[i].leaf.data, core->trust->entries[i].leaf.len);
        }
        in.n_parts = parts != NULL ? core->trust->n_entries : 0;
    }
    in.parts = parts;
    DR_TRY(dr_incoming_keep(&in, err));
    return dr_push_trust_all(core, err); // whoever wrote it may have ended before it told anybody
}

static enum dr_rc
adopt_roots(struct dr_core *core, struct dr_arena *arena, struct dr_err *err)
{
    Drover__V1__TrustUpdate *all;

    DR_TRY(dr_trust_store_export(core->trust_store, arena, &all, err));
    for (size_t i = 0; i < all->n_roots; i++) {
        struct dr_envelope envelope;
        ProtobufCMessage *message;
        struct dr_bytes bytes = {all->roots[i].data, all->roots[i].len};

        DR_TRY(dr_envelope_parse(bytes, DR_TYPE_ROOT, &envelope, err));
        DR_TRY(dr_strict_decode(arena, &drover__v1__root__descriptor, envelope.payload, &message,
                                err));
        const Drover__V1__Root *root = (const Drover__V1__Root *)(void *)message;
        DR_TRY(adopt_one(core, DR_TYPE_ROOT, bytes, envelope.sha256, root->version, root->issued,
                         arena, err));
    }
    return DR_OK;
}

enum dr_rc
dr_documents_adopt(struct dr_core *core, struct dr_err *err)
{
    struct dr_arena *arena = dr_arena_new(DR_REPLY_MEMORY_MAX);
    const struct dr_trust *trust = core->trust;
    enum dr_rc rc = arena == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                  : adopt_roots(core, arena, err);

    if (rc == DR_OK) { // the export leaves out the first, which everybody has as a file
        rc = adopt_one(core, DR_TYPE_ROOT, trust->root.wire, trust->root.sha256,
                       trust->root.msg->version, trust->root.msg->issued, arena, err);
    }
    if (rc == DR_OK && trust->fleet.msg != NULL && trust->is_fleet_whole) {
        rc = adopt_one(core, DR_TYPE_FLEET, trust->fleet.wire, trust->fleet.sha256,
                       trust->fleet.msg->version, trust->fleet.msg->issued, arena, err);
    }
    if (rc == DR_OK && trust->chain.msg != NULL) {
        rc = adopt_one(core, DR_TYPE_CHAIN, trust->chain.wire, trust->chain.sha256,
                       trust->chain.msg->version, trust->chain.msg->issued, arena, err);
    }
    dr_arena_free(&arena);
    return rc;
}
