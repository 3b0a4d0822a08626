// Push: bodies of pushes, and the agent's stream.
#include "coordinator/core/push.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "coordinator/core/evidence.h"
#include "coordinator/core/large.h"
#include "coordinator/core/schedule.h"
#include "trust/attest.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUMP_AT_ONCE 32u
#define KEY_MAX      (DR_TARGET_NAME_MAX + 16)

static enum dr_rc
add(struct dr_core *core, const char *agent, Drover__V1__PushKind kind, const char *key,
    struct dr_bytes body, struct dr_err *err)
{
    uint8_t id[16];
    uint64_t seq;

    dr_random(id, sizeof id);
    DR_TRY(
        core->store->ops->push_add(core->store, agent, (uint32_t)kind, key, id, body, &seq, err));
    struct dr_agent *connected = dr_core_agent(core, agent);
    if (connected == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    connected->has_mail = true;
    return DR_OK;
}

// protobuf-c has no const; messages built here are only packed
static char *
lend(const char *text)
{
    union {
        const char *from;
        char *to;
    } u = {text};

    return u.to;
}

// The body is made when it is sent: it is the newest then.
enum dr_rc
dr_push_trust(struct dr_core *core, const char *agent, struct dr_err *err)
{
    return add(core, agent, DROVER__V1__PUSH_KIND__PUSH_TRUST, "trust", (struct dr_bytes){0}, err);
}

enum dr_rc
dr_push_trust_all(struct dr_core *core, struct dr_err *err)
{
    for (size_t i = 0; i < dr_directory_agent_count(core->directory); i++) {
        DR_TRY(dr_push_trust(core, dr_directory_agent_at(core->directory, i)->name, err));
    }
    return DR_OK;
}

static bool
has_backup_gate(struct dr_core *core, const char *environment)
{
    const struct dr_fleet_entry *policy = dr_directory_environment(core->directory, environment);

    for (size_t i = 0; policy != NULL && i < policy->msg->environment->n_gates; i++) {
        if (policy->msg->environment->gates[i]->kind == DROVER__V1__GATE_KIND__GATE_BACKUP) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_push_prepare(struct dr_core *core, const struct dr_rollout *rollout,
                const struct dr_rollout_stage *stage, const struct dr_rollout_target *target,
                struct dr_err *err)
{
    const struct dr_rollout_plan *plan = dr_rollout_plan(rollout, target->engine);
    Drover__V1__Prepare message;
    char key[KEY_MAX];
    uint8_t bytes[512];

    if (plan == NULL) {
        return dr_err_set(err, DR_E_INTERNAL, "rollout '%s' has no plan for '%s'", rollout->id,
                          target->name);
    }
    drover__v1__prepare__init(&message);
    message.rollout = lend(rollout->id);
    message.target = lend(target->name);
    message.plan_sha256 = dr_data(plan->sha256, 32);
    message.mode = stage->mode;
    message.with_backup = has_backup_gate(core, stage->environment);
    const struct dr_fleet_entry *policy =
        dr_directory_environment(core->directory, stage->environment);
    message.with_rehearsal = policy != NULL && policy->msg->environment->rehearse;
    size_t len = drover__v1__prepare__get_packed_size(&message);
    if (len > sizeof bytes) {
        return dr_err_set(err, DR_E_INTERNAL, "a PREPARE is too large");
    }
    drover__v1__prepare__pack(&message, bytes);
    (void)snprintf(key, sizeof key, "prepare %s", target->name);
    return add(core, target->agent, DROVER__V1__PUSH_KIND__PUSH_PREPARE, key,
               (struct dr_bytes){bytes, len}, err);
}

enum dr_rc
dr_push_order(struct dr_core *core, const char *rollout, const struct dr_rollout_target *target,
              const char *order, struct dr_err *err)
{
    Drover__V1__Order message;
    char key[KEY_MAX];
    uint8_t bytes[512];

    if (strcmp(order, "cancel") == 0) {
        (void)snprintf(key, sizeof key, "prepare %s", target->name);
        DR_TRY(core->store->ops->push_drop(core->store, target->agent, key, err));
        (void)snprintf(key, sizeof key, "bundle %s", target->name);
        DR_TRY(core->store->ops->push_drop(core->store, target->agent, key, err));
    }
    drover__v1__order__init(&message);
    message.rollout = lend(rollout);
    message.target = lend(target->name);
    message.order = lend(order);
    size_t len = drover__v1__order__get_packed_size(&message);
    if (len > sizeof bytes) {
        return dr_err_set(err, DR_E_INTERNAL, "an order is too large");
    }
    drover__v1__order__pack(&message, bytes);
    (void)snprintf(key, sizeof key, "%.8s %s", order, target->name);
    return add(core, target->agent, DROVER__V1__PUSH_KIND__PUSH_ORDER, key,
               (struct dr_bytes){bytes, len}, err);
}

enum dr_rc
dr_push_target_order(struct dr_core *core, const char *agent, const Drover__V1__Order *order,
                     struct dr_err *err)
{
    char key[KEY_MAX];
    uint8_t bytes[512];
    size_t len = drover__v1__order__get_packed_size(order);

    if (len > sizeof bytes) {
        return dr_err_set(err, DR_E_INVALID, "an order is too large");
    }
    drover__v1__order__pack(order, bytes);
    (void)snprintf(key, sizeof key, "%.8s %s", order->order, order->target);
    return add(core, agent, DROVER__V1__PUSH_KIND__PUSH_ORDER, key, (struct dr_bytes){bytes, len},
               err);
}

enum dr_rc
dr_push_signoff(struct dr_core *core, const char *environment, const uint8_t sha256[32],
                struct dr_bytes envelope, struct dr_err *err)
{
    char key[80] = "signoff ";

    dr_hex(key + strlen("signoff "), sha256, 32);
    for (size_t i = 0; i < dr_directory_agent_count(core->directory); i++) {
        const struct dr_directory_agent *agent = dr_directory_agent_at(core->directory, i);

        if (environment[0] == '\0' || strcmp(environment, agent->environment) == 0) {
            DR_TRY(add(core, agent->name, DROVER__V1__PUSH_KIND__PUSH_SIGNOFF, key, envelope, err));
        }
    }
    return DR_OK;
}

// ---- pump

struct pump {
    struct dr_core *core;
    struct dr_agent *agent;
    Drover__V1__Push *pushes[PUMP_AT_ONCE];
    size_t n;
    struct dr_arena *arena;
};

static enum dr_rc
take_push(void *user, const struct dr_store_push *row, struct dr_err *err)
{
    struct pump *pump = user;
    Drover__V1__Push *push = dr_arena_alloc(pump->arena, sizeof *push);
    uint8_t *body = dr_arena_copy(pump->arena, row->body.data, row->body.len);
    uint8_t *id = dr_arena_copy(pump->arena, row->id, 16);

    if (push == NULL || body == NULL || id == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "too much to push at once");
    }
    drover__v1__push__init(push);
    push->seq = row->seq;
    push->kind = (Drover__V1__PushKind)row->kind;
    push->id = dr_data(id, 16);
    push->body = dr_data(body, row->body.len);
    pump->pushes[pump->n++] = push;
    return DR_OK;
}

static enum dr_rc
pack_body(struct pump *pump, Drover__V1__Push *push, const ProtobufCMessage *message,
          struct dr_err *err)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = dr_arena_alloc(pump->arena, len);

    if (bytes == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "a push of %zu bytes is too large", len);
    }
    protobuf_c_message_pack(message, bytes);
    push->body = dr_data(bytes, len);
    return DR_OK;
}

static enum dr_rc
fill_trust(struct pump *pump, Drover__V1__Push *push, struct dr_err *err)
{
    Drover__V1__TrustUpdate *update;

    DR_TRY(dr_push_trust_update(pump->core, pump->agent->name, true, pump->arena, &update, err));
    DR_TRY(pack_body(pump, push, &update->base, err));
    dr_push_trust_sent(pump->agent, update, pump->core->trust, push->seq);
    return DR_OK;
}

// One that cannot be made any more goes back to its target, and is not sent.
static enum dr_rc
fill_bundle(struct pump *pump, Drover__V1__Push *push, bool *out_skip, struct dr_err *err)
{
    struct dr_err why = {0};
    Drover__V1__Bundle *bundle = NULL;
    struct dr_rollout_stage *stage = NULL;
    const Drover__V1__Bundle *stub =
        drover__v1__bundle__unpack(dr_arena_protobuf(pump->arena), push->body.len, push->body.data);
    struct dr_rollout *rollout = stub != NULL ? dr_core_rollout(pump->core, stub->rollout) : NULL;
    struct dr_rollout_target *target =
        rollout != NULL ? dr_rollout_find(rollout, stub->target, &stage) : NULL;
    enum dr_rc rc =
        target == NULL || !target->has_approval || !dr_target_is_active(target->state)
            ? dr_err_set(&why, DR_E_NOT_FOUND, "nothing is approved for it any more")
            : dr_push_bundle_make(pump->core, rollout, target, pump->arena, &bundle, &why);

    if (rc != DR_OK) {
        *out_skip = true;
        return dr_schedule_unsent(pump->core, pump->agent->name, rollout, target, &why, err);
    }
    DR_TRY(pack_body(pump, push, &bundle->base, err));
    dr_push_trust_sent(pump->agent, bundle->trust, pump->core->trust, push->seq);
    return DR_OK;
}

// A body that does not fit into a message is named by its digest; the agent fetches it.
static enum dr_rc
fit(struct pump *pump, Drover__V1__Push *push, struct dr_err *err)
{
    struct dr_agent_blob *row;
    uint8_t sha256[32];

    if (push->body.len <= DR_INLINE_MAX) {
        return DR_OK;
    }
    DR_TRY(
        dr_large_keep(pump->core, (struct dr_bytes){push->body.data, push->body.len}, sha256, err));
    row = calloc(1, sizeof *row);
    if (row == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    row->seq = push->seq;
    memcpy(row->sha256, sha256, 32);
    row->next = pump->agent->blobs;
    pump->agent->blobs = row;
    push->blob = dr_data(row->sha256, 32);
    push->size = push->body.len;
    push->body = (ProtobufCBinaryData){0};
    return DR_OK;
}

static enum dr_rc
send_push(struct pump *pump, Drover__V1__Push *push, struct dr_err *err)
{
    bool is_skipped = false;

    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_TRUST) {
        DR_TRY(fill_trust(pump, push, err));
    } else if (push->kind == DROVER__V1__PUSH_KIND__PUSH_BUNDLE) {
        DR_TRY(fill_bundle(pump, push, &is_skipped, err));
    }
    if (!is_skipped) {
        DR_TRY(fit(pump, push, err));
        DR_TRY(dr_call_send(pump->agent->watch, &push->base, err));
        (void)DR_FAILPOINT("core-pushed");
    }
    pump->agent->sent_seq = push->seq;
    return DR_OK;
}

void
dr_push_log_head(struct dr_core *core, struct dr_agent *agent)
{
    const struct dr_loghash *head = dr_events_head(core->events);
    Drover__V1__LogHead message = DROVER__V1__LOG_HEAD__INIT;
    Drover__V1__Push push = DROVER__V1__PUSH__INIT;
    struct dr_err err = {0};
    uint8_t bytes[256];

    if (agent->shown.index == head->index &&
        memcmp(agent->shown.hash, head->hash, sizeof head->hash) == 0) {
        return;
    }
    message.index = head->index;
    message.hash = dr_data(head->hash, 32);
    if (agent->shown.index > 0) {
        message.known_hash = dr_data(agent->shown.hash, 32);
    }
    push.kind = DROVER__V1__PUSH_KIND__PUSH_LOG_HEAD;
    push.body = dr_data(bytes, drover__v1__log_head__pack(&message, bytes));
    if (dr_call_send(agent->watch, &push.base, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "the log's head cannot be sent", &err);
        return;
    }
    agent->shown = *head;
}

void
dr_push_pump(struct dr_core *core, struct dr_agent *agent)
{
    struct pump pump = {.core = core, .agent = agent, .arena = dr_arena_new(DR_REPLY_MEMORY_MAX)};
    uint32_t room = dr_call_room(agent->watch);
    struct dr_err err = {0};
    enum dr_rc rc = DR_OK;

    room = room > PUMP_AT_ONCE ? PUMP_AT_ONCE : room;
    if (room > 0) {
        rc = pump.arena == NULL
                 ? dr_err_set(&err, DR_E_NOMEM, "out of memory")
                 : core->store->ops->push_list(core->store, agent->name, agent->sent_seq, room,
                                               take_push, &pump, &err);
        agent->has_mail = pump.n == room;
    }
    for (size_t i = 0; rc == DR_OK && i < pump.n; i++) {
        rc = send_push(&pump, pump.pushes[i], &err);
    }
    if (rc == DR_OK && pump.n > 0) {
        dr_push_log_head(core, agent);
    }
    if (rc != DR_OK) {
        agent->has_mail = false; // its next connection begins again
        dr_log_err(DR_LOG_WARN, "a push cannot be sent", &err);
    }
    dr_arena_free(&pump.arena);
}

void
dr_push_forget_blobs(struct dr_core *core, struct dr_agent *agent, uint64_t seq)
{
    struct dr_agent_blob **p = &agent->blobs;

    while (*p != NULL) {
        struct dr_agent_blob *row = *p;

        if (row->seq > seq) {
            p = &row->next;
            continue;
        }
        *p = row->next;
        if (core != NULL) {
            core->store->ops->blob_drop(core->store, row->sha256);
        }
        free(row);
    }
}
