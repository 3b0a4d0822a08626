// Plan document: strict decode of a plan's bytes, after their digest was compared.
#ifndef DR_TRUST_PLANDOC_H
#define DR_TRUST_PLANDOC_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/documents.pb-c.h"

#define DR_PLANDOC_MAX       (64u << 20)
#define DR_REVISION_FILE_MAX (32u << 20)

// Decodes a plan: parents first, ids and digests unique, statements in order inside the file, one
// statement outside of a transaction. `sha256` (NULL: not compared) is what an approval names.
// DR_E_PLAN_DIGEST, DR_E_BAD_DOCUMENT, DR_E_BAD_PLAN.
DR_MUST_CHECK enum dr_rc
dr_plandoc_decode(struct dr_arena *arena, struct dr_bytes bytes, const uint8_t sha256[32],
                  Drover__V1__Plan **out, struct dr_err *err);
// The plan's revision with this digest; NULL when there is none.
const Drover__V1__PlanRevision *
dr_plandoc_revision(const Drover__V1__Plan *plan, const uint8_t digest[32]);
// Is there something that PROVE can take back? Not when the last revision has no way back: such a
// plan runs UP where others are proved.
bool dr_plandoc_can_prove(const Drover__V1__Plan *plan);

#endif
