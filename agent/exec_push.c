// Exec, pushes: what the coordinator hands over. Trust is verified and kept at once; work is queued
// durably before it is acknowledged; orders can only delay or ask.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "trust/attest.h"
#include "trust/envelope.h"

#include <stdio.h>
#include <string.h>

#define PUSH_ARENA_MAX (96u * 1048576u)

static void
take_trust(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body)
{
    struct dr_err err = {0};
    bool changed = false;
    Drover__V1__TrustUpdate *update =
        drover__v1__trust_update__unpack(dr_arena_protobuf(arena), body.len, body.data);
    enum dr_rc rc =
        update == NULL
            ? dr_err_set(&err, DR_E_BAD_DOCUMENT, "the update of trust does not decode")
            : dr_trust_store_update(agent->trust, update, dr_now_unix_s(), &changed, &err);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_WARN, "an update of trust was refused", &err);
    }
    if (changed) {
        const struct dr_trust *trust = dr_trust_store_get(agent->trust);
        char versions[64];
        (void)snprintf(
            versions, sizeof versions, "%llu/%llu/%llu",
            (unsigned long long)(trust->root.msg == NULL ? 0 : trust->root.msg->version),
            (unsigned long long)(trust->fleet.msg == NULL ? 0 : trust->fleet.msg->version),
            (unsigned long long)(trust->chain.msg == NULL ? 0 : trust->chain.msg->version));
        dr_log(DR_LOG_INFO, "trust updated", "root/fleet/chain", versions, NULL);
    }
}

// A person's stop, as an envelope or as a Document around one.
static void
take_signoff(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body)
{
    struct dr_err err = {0};
    struct dr_signoff signoff = {0};
    if (body.len < 4 || memcmp(body.data, "DRV1", 4) != 0) {
        Drover__V1__Document *document =
            drover__v1__document__unpack(dr_arena_protobuf(arena), body.len, body.data);
        body = document == NULL ? (struct dr_bytes){0}
                                : (struct dr_bytes){.data = document->envelope.data,
                                                    .len = document->envelope.len};
    }
    const struct dr_trust *trust = dr_trust_store_get(agent->trust);
    enum dr_rc rc =
        dr_signoff_load(arena, &trust->root, agent->config->environment, body, &signoff, &err);
    if (rc == DR_OK && signoff.msg->kind != DROVER__V1__SIGNOFF_KIND__ITEM) {
        rc = dr_agent_state_add_stop(agent->state, signoff.sha256, body, &err);
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_WARN, "a sign-off was refused", &err);
        return;
    }
    for (size_t i = 0; i < agent->n_slots; i++) {
        struct dr_agent_slot *slot = &agent->slots[i];
        if (signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__CANCEL && slot->has_plan_sha256 &&
            slot->state != DR_STEP_IDLE && signoff.msg->plan_sha256.len == 32 &&
            memcmp(signoff.msg->plan_sha256.data, slot->plan_sha256, 32) == 0) {
            dr_exec_slot_event(slot, DR_STEP_ON_CANCEL);
        }
    }
}

// What is under way for that rollout ends, and what waits behind it is dropped.
static void
cancel(struct dr_agent_slot *slot, const char *rollout)
{
    struct dr_err err = {0};
    dr_log(DR_LOG_INFO, "cancelled by the coordinator", "target", slot->target->name, "rollout",
           rollout, NULL);
    if (dr_agent_state_drop_waiting(slot->agent->state, slot->target->name, slot->task.id, &err) !=
        DR_OK) {
        dr_log_err(DR_LOG_ERROR, "cancel", &err);
    }
    bool is_it = rollout[0] == '\0' || slot->rollout == NULL || slot->rollout[0] == '\0' ||
                 dr_str_eq(rollout, slot->rollout);
    if (is_it && slot->state != DR_STEP_IDLE) {
        dr_exec_slot_event(slot, DR_STEP_ON_CANCEL);
    }
}

static void
take_order(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body)
{
    Drover__V1__Order *order =
        drover__v1__order__unpack(dr_arena_protobuf(arena), body.len, body.data);
    struct dr_agent_slot *slot = order == NULL ? NULL : dr_exec_slot(agent, order->target);
    if (slot == NULL) {
        dr_log(DR_LOG_WARN, "an order for no target of this agent came", NULL);
    } else if (dr_str_eq(order->order, "cancel")) {
        cancel(slot, order->rollout);
    } else if (dr_str_eq(order->order, "state")) {
        slot->wants_state = true;
        slot->has_news = true;
    } else {
        dr_log(DR_LOG_WARN, "an unknown order came", "order", order->order, NULL);
    }
}

// The target that a PREPARE or BUNDLE is for; NULL: none of ours.
static struct dr_agent_slot *
slot_of(struct dr_agent *agent, struct dr_arena *arena, const Drover__V1__Push *push)
{
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_PREPARE) {
        Drover__V1__Prepare *prepare =
            drover__v1__prepare__unpack(dr_arena_protobuf(arena), push->body.len, push->body.data);
        return prepare == NULL ? NULL : dr_exec_slot(agent, prepare->target);
    }
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_BUNDLE) {
        Drover__V1__Bundle *bundle =
            drover__v1__bundle__unpack(dr_arena_protobuf(arena), push->body.len, push->body.data);
        return bundle == NULL ? NULL : dr_exec_slot(agent, bundle->target);
    }
    return NULL;
}

static void
apply_now(struct dr_agent *agent, struct dr_arena *arena, const Drover__V1__Push *push)
{
    const struct dr_bytes body = {.data = push->body.data, .len = push->body.len};
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_TRUST) {
        take_trust(agent, arena, body);
    } else if (push->kind == DROVER__V1__PUSH_KIND__PUSH_SIGNOFF) {
        take_signoff(agent, arena, body);
    }
}

static void
take_push(struct dr_agent *agent, struct dr_arena *arena, const Drover__V1__Push *push)
{
    struct dr_err err = {0};
    uint8_t own_id[32];
    struct dr_bytes id = {.data = push->id.data, .len = push->id.len};
    if (id.len == 0) {
        dr_sha256((struct dr_bytes){.data = push->body.data, .len = push->body.len}, own_id);
        own_id[0] = (uint8_t)push->seq; // the same order twice is two pushes
        own_id[1] = (uint8_t)(push->seq >> 8);
        own_id[2] = (uint8_t)(push->seq >> 16);
        id = (struct dr_bytes){.data = own_id, .len = sizeof own_id};
    }
    struct dr_agent_slot *slot = slot_of(agent, arena, push);
    struct dr_agent_task task = {
        .kind = (int)push->kind,
        .target = slot == NULL ? NULL : slot->target->name,
        .body = {.data = push->body.data, .len = slot == NULL ? 0 : push->body.len},
    };
    bool is_new = false;
    // Before it is acknowledged: verified trust is on disk, or the work is queued.
    if (slot == NULL) {
        apply_now(agent, arena, push);
    }
    enum dr_rc rc = dr_agent_state_take(agent->state, push->seq, id, &task, &is_new, &err);
    if (rc == DR_OK && is_new && push->kind == DROVER__V1__PUSH_KIND__PUSH_ORDER) {
        // Once only: a cancel that is handed over again must not stop a later run.
        take_order(agent, arena, (struct dr_bytes){.data = push->body.data, .len = push->body.len});
    }
    if (rc == DR_OK && is_new && slot != NULL) {
        slot->has_news = true;
        slot->failures = 0;
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "a push could not be kept", &err);
    }
    if (rc == DR_OK || rc == DR_E_LIMIT) {
        const struct dr_bytes none = {0};
        dr_exec_net_send(agent, DROVER__V1__PIPE_KIND__PIPE_PUSH_DONE, push->seq, NULL, none);
    }
}

void
dr_exec_push(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    struct dr_arena *arena = dr_arena_new(PUSH_ARENA_MAX);
    Drover__V1__Push *push =
        arena == NULL
            ? NULL
            : drover__v1__push__unpack(dr_arena_protobuf(arena), frame->body.len, frame->body.data);
    if (push == NULL) {
        dr_log(DR_LOG_WARN, "a push that does not decode came", NULL);
    } else {
        take_push(agent, arena, push);
    }
    dr_arena_free(&arena);
}
