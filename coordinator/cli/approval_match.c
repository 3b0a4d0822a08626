// Is somebody's approval what I would sign myself? Only then is its payload the one that gets my
// signature too.

#include "coordinator/cli/stage.h"

#include <string.h>

static bool
has_evidence(const Drover__V1__Approval *p, const struct dr_approval_request *mine)
{
    for (size_t i = 0; i < mine->n_evidence; i++) {
        if (!dr_approval_lists(p, mine->evidence[i])) {
            return false;
        }
    }
    return true;
}

static bool
has_leaf(const struct dr_approval_target *mine, Drover__V1__ApprovalLeaf *const *leaves, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (dr_str_eq(leaves[i]->target, mine->target)) {
            return leaves[i]->wave == mine->wave &&
                   leaves[i]->acknowledged_flags == mine->acknowledged_flags &&
                   dr_data_is(leaves[i]->entry_sha256, mine->entry_sha256) &&
                   dr_data_is(leaves[i]->ready_sha256, mine->ready_sha256);
        }
    }
    return false;
}

// The fields that say what runs, where, and for how long.
static bool
same_header(const Drover__V1__Approval *p, const Drover__V1__Approval *mine)
{
    return dr_data_eq(p->cluster_id, mine->cluster_id) &&
           dr_data_eq(p->plan_sha256, mine->plan_sha256) && p->mode == mine->mode &&
           p->on_failure == mine->on_failure && dr_str_eq(p->environment, mine->environment) &&
           dr_data_eq(p->policy_sha256, mine->policy_sha256) &&
           p->not_before <= mine->not_before + DR_CLOCK_SKEW_S && p->expires > mine->not_before &&
           p->expires <= mine->expires && dr_str_eq(p->remedy, mine->remedy) &&
           dr_str_eq(p->rollout, mine->rollout);
}

bool
dr_approval_matches(struct dr_arena *arena, struct dr_bytes wire, const struct dr_bytes *leaves,
                    size_t n_leaves, const struct dr_approval_request *mine,
                    struct dr_envelope *out)
{
    struct dr_err ignored = {0};
    struct dr_approval theirs;
    Drover__V1__ApprovalLeaf **rows = NULL;
    if (dr_envelope_parse(wire, DR_TYPE_APPROVAL, out, &ignored) != DR_OK ||
        dr_approval_decode(arena, wire, &theirs, &ignored) != DR_OK ||
        n_leaves != mine->n_targets ||
        dr_approval_leaves_check(arena, &theirs, leaves, n_leaves, &rows, &ignored) != DR_OK ||
        !same_header(theirs.msg, &mine->header) || !has_evidence(theirs.msg, mine)) {
        return false;
    }
    for (size_t i = 0; i < mine->n_targets; i++) {
        if (!has_leaf(&mine->targets[i], rows, n_leaves)) {
            return false;
        }
    }
    return true;
}
