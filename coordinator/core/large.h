// Large: what is over one message lies as a blob that its digest names: documents on both ways,
// bodies of pushes.
#ifndef DR_CORE_LARGE_H
#define DR_CORE_LARGE_H

#include "coordinator/core/core.h"

#define DR_INLINE_MAX          (1000u * 1024) // bytes of a body that go into one message
#define DR_DOCUMENT_MAX        (32u << 20)    // bytes of one packed document or push
#define DR_DOCUMENT_MEMORY_MAX (256u << 20)   // while one is taken

// Keeps `bytes` as a blob, unless it is there; `out` is its digest. Outside of transactions.
// DR_E_LIMIT (over DR_DOCUMENT_MAX), and as the store's blob_put.
DR_MUST_CHECK enum dr_rc
dr_large_keep(struct dr_core *core, struct dr_bytes bytes, uint8_t out[32], struct dr_err *err);
// The document that `request` names by its blob, in the arena; `request` itself when it is whole.
// DR_E_BLOB_MISSING, DR_E_BAD_DOCUMENT, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_large_document(struct dr_core *core, const Drover__V1__Document *request, struct dr_arena *arena,
                  const Drover__V1__Document **out, struct dr_err *err);
// Makes `document` fit into a message: one that is too large is kept as a blob, and only named
// then.
DR_MUST_CHECK enum dr_rc dr_large_fit(struct dr_core *core, Drover__V1__Document *document,
                                      struct dr_arena *arena, struct dr_err *err);

#endif
