// Large answers in pages: rollouts and status with more targets than one message takes.

#include "coordinator/cli/remote.h"

#include <string.h>

#define PAGES_MAX 2000u // a coordinator that never ends is not believed

static enum dr_rc
endless(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LIMIT, "the coordinator's answer does not end");
}

// Appends one list of pointers to another; NULL without memory.
static void *
joined(struct dr_arena *arena, void *a, size_t n_a, const void *b, size_t n_b)
{
    char *list = dr_arena_array(arena, n_a + n_b + 1, sizeof(void *));
    if (list != NULL && n_a > 0) {
        memcpy(list, a, n_a * sizeof(void *));
    }
    if (list != NULL && n_b > 0) {
        memcpy(list + n_a * sizeof(void *), b, n_b * sizeof(void *));
    }
    return list;
}

// A gate that is not one target's own is closed if any page says so.
static void
merge_gates(Drover__V1__StageStatus *to, const Drover__V1__StageStatus *from)
{
    for (size_t i = 0; i < from->n_gates; i++) {
        size_t at = 0;
        while (at < to->n_gates && !(dr_str_eq(to->gates[at]->item, from->gates[i]->item) &&
                                     dr_str_eq(to->gates[at]->target, from->gates[i]->target))) {
            at++;
        }
        if (at == to->n_gates) {
            to->gates[to->n_gates++] = from->gates[i];
        } else if (to->gates[at]->is_open && !from->gates[i]->is_open) {
            to->gates[at] = from->gates[i];
        }
    }
}

static enum dr_rc
add_page(struct dr_arena *arena, Drover__V1__Rollout *to, const Drover__V1__Rollout *page,
         struct dr_err *err)
{
    if (page->n_stages != to->n_stages) {
        return dr_err_set(err, DR_E_CONFLICT, "the rollout changed while it was read");
    }
    for (size_t s = 0; s < to->n_stages; s++) {
        Drover__V1__StageStatus *stage = to->stages[s];
        const Drover__V1__StageStatus *more = page->stages[s];
        stage->targets =
            joined(arena, stage->targets, stage->n_targets, more->targets, more->n_targets);
        stage->gates = joined(arena, stage->gates, stage->n_gates, more->gates, more->n_gates);
        if (stage->targets == NULL || stage->gates == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        stage->n_targets += more->n_targets;
        merge_gates(stage, more);
    }
    return DR_OK;
}

enum dr_rc
dr_remote_all_targets(struct dr_remote *remote, struct dr_arena *arena, Drover__V1__Rollout *first,
                      struct dr_err *err)
{
    Drover__V1__RolloutId request = DROVER__V1__ROLLOUT_ID__INIT;
    request.id = first->id;
    for (unsigned i = 0; first->next_target != 0; i++) {
        ProtobufCMessage *reply = NULL;
        request.first_target = first->next_target;
        enum dr_rc rc = i < PAGES_MAX
                            ? dr_rpc_call(remote->client, DR_METHOD_OPERATOR_GET_ROLLOUT,
                                          &request.base, arena, &reply, DR_REMOTE_DEADLINE_MS, err)
                            : endless(err);
        const Drover__V1__Rollout *page = (const Drover__V1__Rollout *)(void *)reply;
        rc = rc == DR_OK ? add_page(arena, first, page, err) : rc;
        if (rc != DR_OK) {
            return rc;
        }
        if (page->next_target != 0 && page->next_target <= first->next_target) {
            return endless(err);
        }
        first->next_target = page->next_target;
    }
    return DR_OK;
}

enum dr_rc
dr_remote_all_status(struct dr_remote *remote, struct dr_arena *arena,
                     const ProtobufCMessage *request, Drover__V1__StatusReply *first,
                     struct dr_err *err)
{
    Drover__V1__StatusRequest next = *(const Drover__V1__StatusRequest *)(const void *)request;
    for (unsigned i = 0; next.limit == 0 && first->next_after[0] != '\0'; i++) {
        ProtobufCMessage *reply = NULL;
        next.after = first->next_after;
        enum dr_rc rc = i < PAGES_MAX
                            ? dr_rpc_call(remote->client, DR_METHOD_OPERATOR_STATUS, &next.base,
                                          arena, &reply, DR_REMOTE_DEADLINE_MS, err)
                            : endless(err);
        if (rc != DR_OK) {
            return rc;
        }
        const Drover__V1__StatusReply *page = (const Drover__V1__StatusReply *)(void *)reply;
        first->targets =
            joined(arena, first->targets, first->n_targets, page->targets, page->n_targets);
        first->attestations = joined(arena, first->attestations, first->n_attestations,
                                     page->attestations, page->n_attestations);
        if (first->targets == NULL || first->attestations == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        first->n_targets += page->n_targets;
        first->n_attestations += page->n_attestations;
        first->next_after = page->next_after;
    }
    return DR_OK;
}
