// Grants: for each plan the sorted digests of its files, so that a question costs a search per plan
// and reads nothing twice.
#include "coordinator/core/grants.h"

#include <stdlib.h>
#include <string.h>

struct dr_grant {
    UT_hash_handle hh;
    uint8_t plan[32];
    size_t n;
    uint8_t (*files)[32];
};

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void
drop(struct dr_core *core, struct dr_grant *grant)
{
    HASH_DEL(core->grants, grant);
    free(grant->files);
    free(grant);
}

// NULL when the plan is not here, or there is no memory.
static const struct dr_grant *
grant_of(struct dr_core *core, const uint8_t plan_sha256[32])
{
    struct dr_grant *grant = NULL;
    const Drover__V1__Plan *plan;

    HASH_FIND(hh, core->grants, plan_sha256, 32, grant);
    if (grant != NULL || dr_core_plan(core, plan_sha256, &plan, NULL) != DR_OK) {
        return grant;
    }
    grant = calloc(1, sizeof *grant);
    if (grant == NULL || (grant->files = calloc(plan->n_revisions + 1, 32)) == NULL) {
        free(grant);
        return NULL;
    }
    memcpy(grant->plan, plan_sha256, 32);
    for (size_t i = 0; i < plan->n_revisions; i++) {
        if (plan->revisions[i]->file_sha256.len == 32) {
            memcpy(grant->files[grant->n++], plan->revisions[i]->file_sha256.data, 32);
        }
    }
    qsort(grant->files, grant->n, 32, by_bytes);
    HASH_ADD(hh, core->grants, plan, 32, grant);
    return grant;
}

static bool
takes_part(const struct dr_rollout *rollout, Drover__V1__Engine engine, const char *agent)
{
    for (size_t s = 0; s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s].n_targets; t++) {
            const struct dr_rollout_target *target = &rollout->stages[s].targets[t];

            if (target->engine == engine && strcmp(target->agent, agent) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool
has_file(struct dr_core *core, const uint8_t plan[32], const uint8_t sha256[32])
{
    const struct dr_grant *grant = memcmp(plan, sha256, 32) == 0 ? NULL : grant_of(core, plan);

    return memcmp(plan, sha256, 32) == 0 ||
           (grant != NULL && bsearch(sha256, grant->files, grant->n, 32, by_bytes) != NULL);
}

bool
dr_grants_may_read(struct dr_core *core, const char *name, const uint8_t sha256[32])
{
    const struct dr_agent *agent = NULL;

    HASH_FIND_STR(core->agents, name, agent);
    for (const struct dr_agent_blob *row = agent != NULL ? agent->blobs : NULL; row != NULL;
         row = row->next) {
        if (memcmp(row->sha256, sha256, 32) == 0) {
            return true;
        }
    }
    for (size_t r = core->n_rollouts; r > 0; r--) {
        const struct dr_rollout *rollout = core->rollouts[r - 1];

        for (size_t p = 0; p < rollout->n_plans; p++) {
            if (has_file(core, rollout->plans[p].sha256, sha256) &&
                takes_part(rollout, rollout->plans[p].engine, name)) {
                return true;
            }
        }
    }
    return false;
}

void
dr_grants_free(struct dr_core *core)
{
    struct dr_grant *grant, *next;

    HASH_ITER(hh, core->grants, grant, next)
    {
        drop(core, grant);
    }
}
