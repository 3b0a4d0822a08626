// Service Documents: put, get, list; blobs in pieces.
#include "coordinator/core/api.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/grants.h"
#include "coordinator/core/large.h"
#include "coordinator/core/view.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

#define LIST_BYTES_MAX (900u * 1024) // of the envelopes in one answer

// A large document is put together in memory of its own: the request's has room for messages.
static enum dr_rc
put(struct dr_core *core, const struct dr_call *call, const Drover__V1__Document *request,
    struct dr_arena *arena, Drover__V1__PutDocumentReply *reply, struct dr_err *err)
{
    const struct dr_caller *caller = dr_call_caller(call);
    const Drover__V1__Document *document = NULL;

    if (caller->kind == DR_CALLER_AGENT && strcmp(request->kind, DR_TYPE_ATTESTATION) != 0) {
        return dr_err_set(err, DR_E_PERMISSION, "an agent brings attestations only");
    }
    DR_TRY(dr_large_document(core, request, arena, &document, err));
    return dr_documents_put(core, document, caller->name, arena, reply, err);
}

void
dr_api_documents_put(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__PutDocumentReply reply = DROVER__V1__PUT_DOCUMENT_REPLY__INIT;
    struct dr_arena *arena = dr_arena_new(DR_DOCUMENT_MEMORY_MAX);
    struct dr_err err = {0};
    enum dr_rc rc =
        arena == NULL ? dr_err_set(&err, DR_E_NOMEM, "out of memory") : dr_core_begin(core, &err);

    if (rc == DR_OK) {
        rc = put(core, call, (const Drover__V1__Document *)(const void *)message, arena, &reply,
                 &err);
    }
    if (rc == DR_E_COUNTER_REUSED || rc == DR_E_EQUIVOCATION) {
        dr_api_alarm(core, call, &err);
    }
    dr_core_answer(core, call, rc, &reply.base, &err);
    dr_arena_free(&arena);
}

static enum dr_rc
find_document(struct dr_core *core, const Drover__V1__GetDocumentRequest *request,
              struct dr_arena *arena, struct dr_store_document *out, struct dr_err *err)
{
    if (request->sha256.len == 32) {
        return core->store->ops->document_get(core->store, request->sha256.data, arena, out, err);
    }
    if (request->sha256.len != 0 || request->kind[0] == '\0') {
        return dr_err_set(err, DR_E_INVALID,
                          "name a document by its digest, or by kind and version");
    }
    return core->store->ops->document_version(core->store, request->kind, request->version, arena,
                                              out, err);
}

void
dr_api_documents_get(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__GetDocumentRequest *request =
        (const Drover__V1__GetDocumentRequest *)(const void *)message;
    struct dr_store_document row;
    Drover__V1__Document *reply = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = find_document(core, request, dr_call_arena(call), &row, &err);

    if (rc == DR_OK && dr_data_is(request->have_sha256, row.sha256)) {
        row.envelope = row.parts = (struct dr_bytes){0};
    }
    if (rc == DR_OK) {
        rc = dr_view_document(&row, true, dr_call_arena(call), &reply, &err);
    }
    if (rc == DR_OK) {
        rc = dr_large_fit(core, reply, dr_call_arena(call), &err);
    }
    dr_api_answer(core, call, rc, rc == DR_OK ? &reply->base : NULL, &err);
}

struct list {
    struct dr_core *core;
    struct dr_arena *arena;
    Drover__V1__DocumentList *reply;
    uint32_t limit;
    size_t bytes;
};

static enum dr_rc
take_row(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    struct list *list = user;
    Drover__V1__Document **slot = &list->reply->documents[list->reply->n_documents];
    size_t size = row->envelope.len + row->parts.len;

    size = size > DR_INLINE_MAX ? 0 : size; // then it is only named
    if (list->reply->more) {
        return DR_OK;
    }
    if (list->reply->n_documents == list->limit ||
        (list->reply->n_documents > 0 && list->bytes + size > LIST_BYTES_MAX)) {
        list->reply->more = true;
        return DR_OK;
    }
    list->bytes += size;
    list->reply->n_documents++;
    DR_TRY(dr_view_document(row, true, list->arena, slot, err));
    return dr_large_fit(list->core, *slot, list->arena, err);
}

// Of each target of the environment, after `after_target`, the newest of each kind asked for.
static enum dr_rc
list_latest(struct list *list, const Drover__V1__ListDocumentsRequest *request, struct dr_err *err)
{
    const struct dr_trust *trust = list->core->trust;
    size_t before = 0;

    for (size_t i = 0; i < trust->n_entries; i++) {
        const Drover__V1__Target *target = trust->entries[i].msg->target;

        if (target == NULL || strcmp(target->environment, request->environment) != 0 ||
            strcmp(target->name, request->after_target) <= 0) {
            continue;
        }
        for (uint32_t kind = 1; kind < 32; kind++) {
            struct dr_store_document row;
            struct dr_err none = {0};
            enum dr_rc rc =
                (request->subkinds >> kind & 1) == 0
                    ? DR_E_NOT_FOUND
                    : list->core->store->ops->document_latest(list->core->store, target->name, kind,
                                                              list->arena, &row, &none);

            if (rc == DR_OK) {
                rc = take_row(list, &row, &none);
            }
            if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
                *err = none;
                return rc;
            }
        }
        if (list->reply->more) {
            list->reply->n_documents = before > 0 ? before : list->reply->n_documents;
            list->reply->next_after_target =
                before > 0 ? list->reply->next_after_target : target->name;
            return DR_OK;
        }
        before = list->reply->n_documents;
        list->reply->next_after_target = target->name;
    }
    return DR_OK;
}

void
dr_api_documents_list(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__ListDocumentsRequest *request =
        (const Drover__V1__ListDocumentsRequest *)(const void *)message;
    Drover__V1__DocumentList reply = DROVER__V1__DOCUMENT_LIST__INIT;
    struct dr_err err = {0};
    struct list list = {core, dr_call_arena(call), &reply, request->limit, 0};
    const struct dr_store_filter filter = {
        .kind = request->kind,
        .environment = request->environment,
        .target = request->target[0] != '\0' ? request->target : NULL,
        .plan_sha256 = request->plan_sha256.len == 32 ? request->plan_sha256.data : NULL,
        .after_log_index = request->after_log_index,
        .before_log_index = request->before_log_index,
        .subkinds = request->subkinds,
        .newest_first = request->newest_first,
        .only_pending = request->pending,
        .only_complete = !request->pending};

    list.limit = list.limit == 0 || list.limit >= DR_LIST_MAX ? DR_LIST_MAX - 1 : list.limit;
    reply.documents = dr_arena_array(list.arena, list.limit + 1u, sizeof *reply.documents);
    enum dr_rc rc = reply.documents == NULL
                        ? dr_err_set(&err, DR_E_LIMIT, "the list is too long: ask for fewer")
                    : request->latest ? list_latest(&list, request, &err)
                                      : core->store->ops->document_list(core->store, &filter,
                                                                        take_row, &list, &err);
    dr_api_answer(core, call, rc, &reply.base, &err);
}

void
dr_api_documents_put_blob(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__PutBlobRequest *request =
        (const Drover__V1__PutBlobRequest *)(const void *)message;
    Drover__V1__PutBlobReply reply = DROVER__V1__PUT_BLOB_REPLY__INIT;
    struct dr_err err = {0};
    bool complete = false;
    enum dr_rc rc;

    if (request->sha256.len != 32) {
        rc = dr_err_set(&err, DR_E_INVALID, "a blob is named by a digest of 32 bytes");
    } else {
        rc = core->store->ops->blob_put(core->store, request->sha256.data, request->offset,
                                        request->total,
                                        (struct dr_bytes){request->bytes.data, request->bytes.len},
                                        &reply.received, &complete, &err);
    }
    reply.complete = complete;
    dr_api_answer(core, call, rc, &reply.base, &err);
}

void
dr_api_documents_get_blob(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__GetBlobRequest *request =
        (const Drover__V1__GetBlobRequest *)(const void *)message;
    Drover__V1__GetBlobReply reply = DROVER__V1__GET_BLOB_REPLY__INIT;
    struct dr_err err = {0};
    struct dr_bytes piece = {0};
    enum dr_rc rc;

    if (request->sha256.len != 32) {
        rc = dr_err_set(&err, DR_E_INVALID, "a blob is named by a digest of 32 bytes");
    } else if (dr_call_caller(call)->kind == DR_CALLER_AGENT &&
               !dr_grants_may_read(core, dr_call_caller(call)->name, request->sha256.data)) {
        // the same answer as for one that is not here: nothing is learnt from asking
        rc = dr_err_set(&err, DR_E_NOT_FOUND, "no such blob was offered to agent '%s'",
                        dr_call_caller(call)->name);
    } else {
        rc = core->store->ops->blob_get(core->store, request->sha256.data, request->offset,
                                        dr_call_arena(call), &piece, &reply.total, &err);
    }
    reply.bytes = dr_data(piece.data, piece.len);
    dr_api_answer(core, call, rc, &reply.base, &err);
}
