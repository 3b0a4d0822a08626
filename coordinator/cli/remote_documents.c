// Documents and blobs, to and from the coordinator: in pieces, in pages, and large documents as
// blobs.

#include "coordinator/cli/remote.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MAX  (512u * 1024)
#define INLINE_MAX (1000u * 1024) // of a document in one message

enum dr_rc
dr_remote_put_blob(struct dr_remote *remote, const uint8_t sha256[32], struct dr_bytes bytes,
                   struct dr_err *err)
{
    uint64_t offset = 0;
    do {
        Drover__V1__PutBlobRequest request = DROVER__V1__PUT_BLOB_REQUEST__INIT;
        Drover__V1__PutBlobReply *reply = NULL;
        size_t left = bytes.len - (size_t)offset;
        request.sha256 = dr_data(sha256, 32);
        request.offset = offset;
        request.total = bytes.len;
        request.bytes = dr_data(bytes.data + offset, left > PIECE_MAX ? PIECE_MAX : left);
        enum dr_rc rc =
            dr_remote_call(remote, DR_METHOD_DOCUMENTS_PUT_BLOB, &request.base, &reply, err);
        if (rc != DR_OK || reply->complete) {
            return rc;
        }
        if (reply->received <= offset || reply->received > bytes.len) {
            return dr_err_set(err, DR_E_INTERNAL,
                              "the coordinator took no further piece of the upload");
        }
        offset = reply->received;
    } while (offset < bytes.len);
    return dr_err_set(err, DR_E_INTERNAL,
                      "the coordinator did not say that the upload is complete");
}

enum dr_rc
dr_remote_get_blob(struct dr_remote *remote, const uint8_t sha256[32], size_t max_bytes,
                   struct dr_bytes *out, struct dr_err *err)
{
    uint8_t *bytes = NULL;
    uint64_t total = 0;
    uint64_t have = 0;
    do {
        Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
        Drover__V1__GetBlobReply *reply = NULL;
        request.sha256 = dr_data(sha256, 32);
        request.offset = have;
        enum dr_rc rc =
            dr_remote_call(remote, DR_METHOD_DOCUMENTS_GET_BLOB, &request.base, &reply, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (bytes == NULL) {
            total = reply->total;
            bytes =
                total <= max_bytes ? dr_arena_alloc(remote->cli->arena, (size_t)total + 1) : NULL;
        }
        if (bytes == NULL || reply->total != total || reply->bytes.len > total - have ||
            (reply->bytes.len == 0 && have < total)) {
            return dr_err_set(err, DR_E_LIMIT,
                              "the coordinator's blob has another size than it may have");
        }
        memcpy(bytes + have, reply->bytes.data, reply->bytes.len);
        have += reply->bytes.len;
    } while (have < total);
    uint8_t digest[32];
    *out = (struct dr_bytes){bytes, (size_t)total};
    dr_sha256(*out, digest);
    if (memcmp(digest, sha256, 32) != 0) {
        return dr_err_set(err, DR_E_CONFLICT,
                          "the coordinator handed over other bytes than the digest names");
    }
    return DR_OK;
}

// One that is too large for a message goes up as a blob first.
static enum dr_rc
put_document(struct dr_remote *remote, Drover__V1__Document *document,
             Drover__V1__PutDocumentReply **out, struct dr_err *err)
{
    size_t len = drover__v1__document__get_packed_size(document);
    Drover__V1__Document named = DROVER__V1__DOCUMENT__INIT;
    uint8_t sha256[32];
    if (len <= INLINE_MAX) {
        return dr_remote_call(remote, DR_METHOD_DOCUMENTS_PUT, &document->base, out, err);
    }
    uint8_t *bytes = len <= DR_REMOTE_DOCUMENT_MAX ? malloc(len) : NULL;
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a document of %zu bytes is too large: at most %u", len,
                          DR_REMOTE_DOCUMENT_MAX);
    }
    struct dr_bytes packed = {bytes, drover__v1__document__pack(document, bytes)};
    dr_sha256(packed, sha256);
    enum dr_rc rc = dr_remote_put_blob(remote, sha256, packed, err);
    free(bytes);
    named.kind = document->kind;
    named.blob = dr_data(sha256, 32);
    return rc == DR_OK ? dr_remote_call(remote, DR_METHOD_DOCUMENTS_PUT, &named.base, out, err)
                       : rc;
}

enum dr_rc
dr_remote_whole(struct dr_remote *remote, Drover__V1__Document **document, struct dr_err *err)
{
    const Drover__V1__Document *named = *document;
    struct dr_bytes bytes;
    if (named->blob.len == 0) {
        return DR_OK;
    }
    if (named->blob.len != 32) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "the coordinator names a blob without digest");
    }
    enum dr_rc rc =
        dr_remote_get_blob(remote, named->blob.data, DR_REMOTE_DOCUMENT_MAX, &bytes, err);
    if (rc != DR_OK) {
        return rc;
    }
    Drover__V1__Document *whole =
        drover__v1__document__unpack(dr_arena_protobuf(remote->cli->arena), bytes.len, bytes.data);
    if (whole == NULL || whole->blob.len > 0) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT,
                          "the coordinator's blob is no document that can be read");
    }
    whole->log_index = named->log_index;
    *document = whole;
    return DR_OK;
}

enum dr_rc
dr_remote_put(struct dr_remote *remote, const char *kind, struct dr_bytes envelope,
              const struct dr_bytes *parts, size_t n_parts, Drover__V1__PutDocumentReply **out,
              struct dr_err *err)
{
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;
    document.kind = dr_arena_str(remote->cli->arena, kind);
    document.envelope = dr_data(envelope.data, envelope.len);
    document.parts = dr_arena_array(remote->cli->arena, n_parts + 1, sizeof(*document.parts));
    if (document.kind == NULL || document.parts == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n_parts; i++) {
        document.parts[i] = dr_data(parts[i].data, parts[i].len);
    }
    document.n_parts = n_parts;
    return put_document(remote, &document, out, err);
}

enum dr_rc
dr_remote_list(struct dr_remote *remote, Drover__V1__ListDocumentsRequest request,
               Drover__V1__Document ***out, size_t *out_n, struct dr_err *err)
{
    size_t cap = 0;
    const uint32_t limit = request.limit;
    *out = NULL;
    *out_n = 0;
    for (;;) {
        Drover__V1__DocumentList *page = NULL;
        enum dr_rc rc = dr_remote_call(remote, DR_METHOD_DOCUMENTS_LIST, &request.base, &page, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (*out_n + page->n_documents > cap) {
            cap = 2 * (*out_n + page->n_documents);
            Drover__V1__Document **grown = dr_arena_array(remote->cli->arena, cap, sizeof(*grown));
            if (grown == NULL) {
                return dr_err_set(err, DR_E_NOMEM, "out of memory");
            }
            memcpy(grown, *out ? *out : grown, *out_n * sizeof(*grown));
            *out = grown;
        }
        for (size_t i = 0; i < page->n_documents; i++) {
            uint64_t log_index = page->documents[i]->log_index;
            rc = dr_remote_whole(remote, &page->documents[i], err);
            if (rc != DR_OK) {
                return rc;
            }
            (*out)[(*out_n)++] = page->documents[i];
            *(request.newest_first ? &request.before_log_index : &request.after_log_index) =
                log_index;
        }
        if (!page->more || page->n_documents == 0 || (limit != 0 && *out_n >= limit)) {
            return DR_OK;
        }
        request.after_target = page->next_after_target;
        request.limit = limit == 0 ? 0 : limit - (uint32_t)*out_n;
    }
}
