// Large: the blob store in its pieces.
#include "coordinator/core/large.h"

#include "trust/envelope.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

enum dr_rc
dr_large_keep(struct dr_core *core, struct dr_bytes bytes, uint8_t out[32], struct dr_err *err)
{
    uint8_t sha256[32];
    uint64_t offset = 0;
    bool is_complete = false;

    if (bytes.len > DR_DOCUMENT_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "%zu bytes at once are too many: at most %u", bytes.len,
                          DR_DOCUMENT_MAX);
    }
    dr_sha256(bytes, sha256);
    while (!is_complete) {
        size_t left = bytes.len - (size_t)offset;
        struct dr_bytes piece = {bytes.data + offset,
                                 left > DR_BLOB_PIECE_MAX ? DR_BLOB_PIECE_MAX : left};
        uint64_t received = 0;

        DR_TRY(core->store->ops->blob_put(core->store, sha256, offset, bytes.len, piece, &received,
                                          &is_complete, err));
        if (!is_complete && (received <= offset || received > bytes.len)) {
            return dr_err_set(err, DR_E_STORE, "the store took no further piece of a blob");
        }
        offset = received;
    }
    memcpy(out, sha256, 32);
    return DR_OK;
}

enum dr_rc
dr_large_document(struct dr_core *core, const Drover__V1__Document *request, struct dr_arena *arena,
                  const Drover__V1__Document **out, struct dr_err *err)
{
    struct dr_bytes bytes;

    if (request->blob.len == 0) {
        *out = request;
        return DR_OK;
    }
    if (request->blob.len != 32) {
        return dr_err_set(err, DR_E_INVALID, "a blob is named by a digest of 32 bytes");
    }
    enum dr_rc rc =
        core->store->ops->blob_read(core->store, request->blob.data, arena, &bytes, err);
    if (rc == DR_E_NOT_FOUND) {
        return dr_err_set(err, DR_E_BLOB_MISSING, "the document's bytes are not here");
    }
    DR_TRY(rc);
    if (bytes.len > DR_DOCUMENT_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a document of %zu bytes is too large: at most %u",
                          bytes.len, DR_DOCUMENT_MAX);
    }
    const Drover__V1__Document *document =
        drover__v1__document__unpack(dr_arena_protobuf(arena), bytes.len, bytes.data);
    if (document == NULL || document->blob.len > 0 ||
        (request->sha256.len > 0 && document->sha256.len > 0 &&
         !dr_data_eq(request->sha256, document->sha256))) {
        return dr_err_set(err, DR_E_BAD_DOCUMENT, "the blob is not the document that it is put as");
    }
    *out = document;
    return DR_OK;
}

enum dr_rc
dr_large_fit(struct dr_core *core, Drover__V1__Document *document, struct dr_arena *arena,
             struct dr_err *err)
{
    size_t len = drover__v1__document__get_packed_size(document);
    uint8_t sha256[32];

    if (len <= DR_INLINE_MAX) {
        return DR_OK;
    }
    uint8_t *bytes = dr_arena_alloc(arena, len);
    if (bytes == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a document of %zu bytes is too large", len);
    }
    drover__v1__document__pack(document, bytes);
    DR_TRY(dr_large_keep(core, (struct dr_bytes){bytes, len}, sha256, err));
    document->blob = dr_data(dr_arena_copy(arena, sha256, 32), 32);
    document->envelope = (ProtobufCBinaryData){0};
    document->parts = NULL;
    document->n_parts = 0;
    return document->blob.data != NULL ? DR_OK : dr_err_set(err, DR_E_LIMIT, "out of room");
}
