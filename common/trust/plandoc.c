// The plan's own consistency. Whether its bytes fit the revision files is checked above
// (common/revision/plan.h).
#include "trust/plandoc.h"

#include "trust/keyfile.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdlib.h>
#include <string.h>

static enum dr_rc
check_unit(const Drover__V1__PlanRevision *revision, const Drover__V1__Unit *unit,
           struct dr_err *err)
{
    uint64_t end = 0;
    bool ok = unit->kind != DROVER__V1__UNIT_KIND__UNIT_NONE && unit->n_statements > 0 &&
              (!unit->outside_transaction || unit->n_statements == 1);
    for (size_t i = 0; ok && i < unit->n_statements; i++) {
        const Drover__V1__Statement *statement = unit->statements[i];
        ok = statement->length > 0 && statement->offset >= end &&
             statement->offset <= revision->file_size &&
             statement->length <= revision->file_size - statement->offset;
        end = statement->offset + statement->length;
    }
    return ok ? DR_OK
              : dr_err_set(err, DR_E_BAD_PLAN, "unit '%s' of '%s' is not sound", unit->name,
                           revision->id);
}

// Digests of the revisions so far, sorted, so that each is looked up in log n.
struct seen {
    const uint8_t *digest;
    size_t index;
};

static int
by_digest(const void *a, const void *b)
{
    return memcmp(((const struct seen *)a)->digest, ((const struct seen *)b)->digest, 32);
}

static enum dr_rc
check_revision(const Drover__V1__PlanRevision *revision, size_t index, const struct seen *seen,
               size_t n_seen, struct dr_err *err)
{
    bool ok = revision->id[0] != '\0' && revision->file_size > 0 &&
              revision->file_size <= DR_REVISION_FILE_MAX &&
              (revision->n_parent_ids == 0 || revision->n_parent_ids == revision->n_parents);
    for (size_t i = 0; ok && i < revision->n_parents; i++) {
        const struct seen key = {revision->parents[i].data, 0};
        const struct seen *parent = bsearch(&key, seen, n_seen, sizeof(*seen), by_digest);
        ok = (!parent || parent->index < index) &&
             (i == 0 || memcmp(revision->parents[i - 1].data, key.digest, 32) < 0);
    }
    if (!ok) {
        return dr_err_set(err, DR_E_BAD_PLAN,
                          "revision '%s' is not sound, or stands before its parent", revision->id);
    }
    for (size_t i = 0; i < revision->n_units; i++) {
        DR_TRY(check_unit(revision, revision->units[i], err));
    }
    return DR_OK;
}

static enum dr_rc
check_plan(struct dr_arena *arena, const Drover__V1__Plan *plan, struct dr_err *err)
{
    size_t n = plan->n_revisions;
    struct seen *seen = dr_arena_array(arena, n, sizeof(*seen));
    if (!seen) {
        return dr_err_set(err, DR_E_LIMIT, "no room to check a plan of %zu revisions", n);
    }
    for (size_t i = 0; i < n; i++) {
        seen[i] = (struct seen){plan->revisions[i]->digest.data, i};
    }
    qsort(seen, n, sizeof(*seen), by_digest);
    bool ok = n > 0 && plan->project[0] != '\0' && plan->engine != DROVER__V1__ENGINE__ENGINE_NONE;
    for (size_t i = 1; i < n; i++) {
        ok = ok && by_digest(&seen[i - 1], &seen[i]) != 0;
    }
    if (!ok) {
        return dr_err_set(err, DR_E_BAD_PLAN,
                          "a plan needs a project, an engine and revisions, each once");
    }
    for (size_t i = 0; i < n; i++) {
        DR_TRY(check_revision(plan->revisions[i], i, seen, n, err));
    }
    return DR_OK;
}

enum dr_rc
dr_plandoc_decode(struct dr_arena *arena, struct dr_bytes bytes, const uint8_t sha256[32],
                  Drover__V1__Plan **out, struct dr_err *err)
{
    uint8_t found[32];
    dr_sha256(bytes, found);
    if (sha256 && memcmp(found, sha256, 32) != 0) {
        return dr_err_set(err, DR_E_PLAN_DIGEST, "the plan's bytes are not those that were named");
    }
    ProtobufCMessage *message = NULL;
    DR_TRY(dr_strict_decode(arena, &drover__v1__plan__descriptor, bytes, &message, err));
    DR_TRY(check_plan(arena, (const Drover__V1__Plan *)message, err));
    *out = (Drover__V1__Plan *)message;
    return DR_OK;
}

const Drover__V1__PlanRevision *
dr_plandoc_revision(const Drover__V1__Plan *plan, const uint8_t digest[32])
{
    for (size_t i = 0; i < plan->n_revisions; i++) {
        if (dr_data_is(plan->revisions[i]->digest, digest)) {
            return plan->revisions[i];
        }
    }
    return NULL;
}

bool
dr_plandoc_can_prove(const Drover__V1__Plan *plan)
{
    return plan->n_revisions == 0 || !plan->revisions[plan->n_revisions - 1]->no_down;
}
