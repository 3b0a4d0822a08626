// Documents: what all kinds have in common.
#include "coordinator/core/documents.h"

#include "trust/quorum.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *type;
    enum dr_rc (*take)(struct dr_incoming *in, struct dr_err *err);
} KINDS[] = {
    {DR_TYPE_ROOT, dr_incoming_root},       {DR_TYPE_FLEET, dr_incoming_fleet},
    {DR_TYPE_CHAIN, dr_incoming_chain},     {DR_TYPE_APPROVAL, dr_incoming_approval},
    {DR_TYPE_SIGNOFF, dr_incoming_signoff}, {DR_TYPE_ATTESTATION, dr_incoming_attestation},
};

struct dr_bytes *
dr_incoming_leaves(const struct dr_incoming *in)
{
    struct dr_bytes *leaves = dr_arena_array(in->arena, in->n_parts + 1, sizeof *leaves);

    for (size_t i = 0; leaves != NULL && i < in->n_parts; i++) {
        leaves[i] = (struct dr_bytes){in->parts[i].data, in->parts[i].len};
    }
    return leaves;
}

// The pending signatures that are kept, and the leaves that came with them.
static enum dr_rc
find_held(struct dr_incoming *in, struct dr_err *err)
{
    struct dr_store_document held;
    struct dr_err ignored = {0};
    enum dr_rc rc = in->core->store->ops->document_get(in->core->store, in->envelope.sha256,
                                                       in->arena, &held, &ignored);

    if (rc == DR_E_NOT_FOUND) {
        return DR_OK;
    }
    if (rc != DR_OK) {
        *err = ignored;
        return rc;
    }
    in->is_held = true;
    in->was_complete = !held.is_pending;
    in->row = held;
    if (in->n_parts == 0 && held.parts.len > 0) {
        Drover__V1__Document *message = drover__v1__document__unpack(
            dr_arena_protobuf(in->arena), held.parts.len, held.parts.data);

        if (message == NULL) {
            return dr_err_set(err, DR_E_STORE, "the leaves of a document cannot be read");
        }
        in->parts = message->parts;
        in->n_parts = message->n_parts;
    }
    return DR_OK;
}

static enum dr_rc
pack_parts(struct dr_incoming *in, struct dr_err *err)
{
    Drover__V1__Document message;
    // protobuf-c has no const; the message is only packed
    union {
        const ProtobufCBinaryData *from;
        ProtobufCBinaryData *to;
    } parts = {in->parts};

    if (in->n_parts == 0) {
        return DR_OK;
    }
    drover__v1__document__init(&message);
    message.parts = parts.to;
    message.n_parts = in->n_parts;
    size_t len = drover__v1__document__get_packed_size(&message);
    uint8_t *bytes = dr_arena_alloc(in->arena, len);
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a document of %zu leaves is too large", in->n_parts);
    }
    drover__v1__document__pack(&message, bytes);
    in->row.parts = (struct dr_bytes){bytes, len};
    return DR_OK;
}

enum dr_rc
dr_incoming_gather(struct dr_incoming *in, const Drover__V1__Root *root,
                   const Drover__V1__Role *role, const char *role_name, struct dr_err *err)
{
    struct dr_bytes pruned, merged;
    struct dr_envelope fresh, held;
    struct dr_signers signers;

    DR_TRY(dr_quorum_prune(in->arena, root, &in->envelope, &pruned, err));
    DR_TRY(dr_envelope_parse(pruned, NULL, &fresh, err));
    merged = pruned;
    if (in->is_held) {
        DR_TRY(dr_envelope_parse(in->row.envelope, NULL, &held, err));
        DR_TRY(dr_envelope_merge(in->arena, &held, &fresh, &merged, err));
    }
    DR_TRY(dr_quorum_count(in->arena, root, role, &fresh, &signers, err));
    if (signers.n == 0) {
        dr_err_set(err, DR_E_BAD_SIGNATURE, "nobody of the %s has signed this", role_name);
        return dr_err_hint(err, "the key has to be of one of them (drover people list): --key, "
                                "DROVER_KEY, or key of drover.conf");
    }
    DR_TRY(dr_envelope_parse(merged, NULL, &fresh, err));
    DR_TRY(dr_quorum_count(in->arena, root, role, &fresh, &signers, err));
    in->signatures = signers.n;
    in->needed = role != NULL ? role->threshold : 1;
    in->row.envelope = merged;
    in->envelope = fresh;
    return DR_OK;
}

enum dr_rc
dr_incoming_keep(struct dr_incoming *in, struct dr_err *err)
{
    struct dr_events *events = in->core->events;
    const char *kind = in->row.kind + strlen("drover/");
    const char *end = strchr(kind, '.');
    int len = end != NULL ? (int)(end - kind) : (int)strlen(kind);
    const struct dr_event event = {"document", in->subject, in->actor, in->row.sha256};

    DR_TRY(pack_parts(in, err));
    if (!in->is_held) {
        in->row.log_index = dr_events_next(events);
    }
    DR_TRY(in->core->store->ops->document_put(in->core->store, &in->row, err));
    if (in->needed <= 1) {
        return dr_events_add(events, &event, NULL, err, "%.*s signed", len, kind);
    }
    return dr_events_add(events, &event, NULL, err, "%.*s: %u of %u signatures", len, kind,
                         in->signatures, in->needed);
}

enum dr_rc
dr_documents_put(struct dr_core *core, const Drover__V1__Document *document, const char *actor,
                 struct dr_arena *arena, Drover__V1__PutDocumentReply *out, struct dr_err *err)
{
    struct dr_incoming in = {.core = core,
                             .actor = actor,
                             .arena = arena,
                             .parts = document->parts,
                             .n_parts = document->n_parts,
                             .signatures = 1,
                             .needed = 1,
                             .subject = ""};

    DR_TRY(dr_envelope_parse((struct dr_bytes){document->envelope.data, document->envelope.len},
                             NULL, &in.envelope, err));
    if (document->sha256.len > 0 && !dr_data_is(document->sha256, in.envelope.sha256)) {
        return dr_err_set(err, DR_E_INVALID, "the document is not the one that its digest names");
    }
    DR_TRY(find_held(&in, err));
    memcpy(in.row.sha256, in.envelope.sha256, 32);
    if (!in.is_held) {
        in.row.envelope = in.envelope.wire;
    }
    size_t before = in.is_held ? in.row.envelope.len : 0;
    for (size_t i = 0; i < DR_COUNT_OF(KINDS); i++) {
        if (in.envelope.type.len == strlen(KINDS[i].type) &&
            memcmp(in.envelope.type.data, KINDS[i].type, in.envelope.type.len) == 0) {
            in.row.kind = KINDS[i].type;
            DR_TRY(KINDS[i].take(&in, err));
            drover__v1__put_document_reply__init(out);
            out->sha256 = dr_data(dr_arena_copy(arena, in.row.sha256, 32), 32);
            out->is_new = !in.is_held || before != in.row.envelope.len;
            out->signatures = in.signatures;
            out->needed = in.needed;
            out->complete = !in.row.is_pending;
            return out->sha256.data != NULL
                       ? DR_OK
                       : dr_err_set(err, DR_E_LIMIT, "the request is too large");
        }
    }
    return dr_err_set(err, DR_E_WRONG_TYPE, "there is no such kind of document");
}
