// Digests of revisions, units and plans (SHA-256), each with its own prefix so that one can never
// stand for another:
//   file      SHA-256(file)
//   revision  SHA-256("drover/revision.v1" 00 | id 00 | file digest | u32be n | n digests of the
//   parents, ascending) unit      SHA-256("drover/unit.v1" 00 | revision digest | packed Unit with
//   empty digest | per statement u64be length | bytes) plan      SHA-256(packed Plan)
#ifndef DR_REVISION_DIGEST_H
#define DR_REVISION_DIGEST_H

#include "base/attr.h"
#include "base/err.h"

#include "proto/documents.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define DR_DIGEST_SIZE 32u

void dr_digest_sha256(uint8_t out[DR_DIGEST_SIZE], const void *bytes, size_t len);

// `parents` are sorted in place, ascending.
void dr_digest_revision(uint8_t out[DR_DIGEST_SIZE], const char *id,
                        const uint8_t file_sha256[DR_DIGEST_SIZE],
                        uint8_t (*parents)[DR_DIGEST_SIZE], size_t parent_count);

// `unit` is taken with its digest as empty (it is not changed). Statements are read from `file`;
// DR_E_PLAN_MISMATCH when one lies outside of it, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_digest_unit(uint8_t out[DR_DIGEST_SIZE], const uint8_t revision[DR_DIGEST_SIZE],
               const Drover__V1__Unit *unit, const char *file, size_t file_len, struct dr_err *err);

#endif
