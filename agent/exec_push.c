// Exec, pushes: what the coordinator hands over. Trust is verified and kept at once; work is queued
// durably before it is acknowledged; orders can only delay or ask.
#include "agent/exec_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "trust/attest.h"
#include "trust/envelope.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

#define PUSH_ARENA_MAX (160u * 1048576u)

// DR_OK: taken, or refused for what it is. Anything else: it is not on disk and has to come again.
static enum dr_rc
settle(enum dr_rc rc, const char *what, struct dr_err *err)
{
    if (rc == DR_OK || dr_exec_is_local(rc)) {
        return rc;
    }
    dr_log_err(DR_LOG_WARN, what, err);
    *err = (struct dr_err){0};
    return DR_OK;
}

static void
tell_versions(const struct dr_trust *trust)
{
    char versions[64];
    (void)snprintf(versions, sizeof versions, "%llu/%llu/%llu",
                   (unsigned long long)(trust->root.msg == NULL ? 0 : trust->root.msg->version),
                   (unsigned long long)(trust->fleet.msg == NULL ? 0 : trust->fleet.msg->version),
                   (unsigned long long)(trust->chain.msg == NULL ? 0 : trust->chain.msg->version));
    dr_log(DR_LOG_INFO, "trust updated", "root/fleet/chain", versions, NULL);
}

static enum dr_rc
take_trust(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body, struct dr_err *err)
{
    bool changed = false;
    enum dr_rc rc = DR_OK;
    Drover__V1__TrustUpdate *update =
        drover__v1__trust_update__unpack(dr_arena_protobuf(arena), body.len, body.data);
    if (update == NULL) {
        rc = dr_err_set(err, DR_E_BAD_DOCUMENT, "the update of trust does not decode");
    } else if (DR_FAILPOINT("agent-trust-write")) {
        rc = dr_err_set(err, DR_E_IO, "no space is left for trust (failpoint)");
    } else {
        rc = dr_trust_store_update(agent->trust, update, dr_now_unix_s(), &changed, err);
    }
    if (changed) {
        (void)DR_FAILPOINT("agent-trust-kept");
        tell_versions(dr_trust_store_get(agent->trust));
        dr_exec_keys_choose(agent);
        dr_exec_drift_policy(agent);
    }
    return settle(rc, "an update of trust was refused", err);
}

// ------------------------------------------------------------------------------------- stops

// A plan that an approval may still let run here: one with an open READY, or one under way.
static void
add_plan(struct dr_agent_known *known, ProtobufCBinaryData sha256)
{
    if (sha256.len == 32 && known->n_plans < DR_AGENT_KNOWN_MAX) {
        memcpy(known->plans[known->n_plans++], sha256.data, 32);
    }
}

static enum dr_rc
find_plans(struct dr_agent *agent, struct dr_arena *arena, struct dr_agent_known *out,
           struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < agent->n_slots; i++) {
        struct dr_agent_slot *slot = &agent->slots[i];
        struct dr_bytes payload = {0};
        struct dr_attestation ready = {0};
        if (slot->has_plan_sha256) {
            add_plan(out, dr_data(slot->plan_sha256, 32));
        }
        rc = dr_agent_state_ready(agent->state, arena, slot->target->name, &payload, err);
        if (rc == DR_OK && payload.len > 0) {
            rc = dr_attest_decode(arena, payload, true, &ready, err);
        }
        if (rc == DR_OK && ready.msg != NULL) {
            add_plan(out, ready.msg->plan_sha256);
        }
    }
    return rc;
}

static enum dr_rc
keep_stop(struct dr_agent *agent, struct dr_arena *arena, const struct dr_signoff *signoff,
          struct dr_bytes envelope, struct dr_err *err)
{
    const struct dr_trust *trust = dr_trust_store_get(agent->trust);
    const struct dr_fleet_entry *policy =
        dr_fleet_environment(trust->entries, trust->n_entries, agent->config->environment);
    uint64_t longest = policy == NULL ? 0 : policy->msg->environment->approval_max_s;
    struct dr_agent_known *known = dr_arena_alloc(arena, sizeof *known);
    if (known == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (DR_FAILPOINT("agent-stop-write")) {
        return dr_err_set(err, DR_E_AGENT_STATE, "no space is left for a stop (failpoint)");
    }
    *known = (struct dr_agent_known){.now = dr_now_unix_s(),
                                     .approval_s =
                                         (int64_t)(longest == 0 ? DR_APPROVAL_MAX_S : longest)};
    enum dr_rc rc = find_plans(agent, arena, known, err);
    size_t person = 0;
    while (!signoff->signers.signed_by[person]) {
        person++;
    }
    const struct dr_agent_stop stop = {
        .sha256 = signoff->sha256,
        .person = trust->root.msg->people[person]->name,
        .msg = signoff->msg,
        .envelope = envelope,
    };
    return rc != DR_OK ? rc : dr_agent_state_add_stop(agent->state, &stop, known, err);
}

// What is under way ends at the last whole unit after a CANCEL. A run that waits to be gone on with
// is looked at again at once: then any stop counts, as before a start.
static void
stop_slot(struct dr_agent_slot *slot, const Drover__V1__Signoff *msg)
{
    bool is_plan = slot->has_plan_sha256 && dr_data_is(msg->plan_sha256, slot->plan_sha256);
    bool is_cancel = msg->kind == DROVER__V1__SIGNOFF_KIND__CANCEL;
    bool is_veto = msg->kind == DROVER__V1__SIGNOFF_KIND__VETO;
    bool is_resumed = slot->state == DR_STEP_RUNNING && slot->spec != NULL && slot->spec->resume;
    if (is_plan && slot->state != DR_STEP_IDLE && (is_cancel || (is_veto && is_resumed))) {
        dr_exec_slot_event(slot, DR_STEP_ON_CANCEL);
    }
    if (slot->state == DR_STEP_WAITING && slot->run.exists) {
        slot->retry_at_ms = dr_monotonic_ms();
    }
}

// A person's stop, as an envelope or as a Document around one.
static enum dr_rc
take_signoff(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body,
             struct dr_err *err)
{
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
        dr_signoff_load(arena, &trust->root, agent->config->environment, body, &signoff, err);
    bool is_stop = rc == DR_OK && signoff.msg->kind != DROVER__V1__SIGNOFF_KIND__ITEM;
    rc = is_stop ? keep_stop(agent, arena, &signoff, body, err) : rc;
    if (rc != DR_OK || !is_stop) {
        return settle(rc, "a sign-off was refused", err);
    }
    for (size_t i = 0; i < agent->n_slots; i++) {
        stop_slot(&agent->slots[i], signoff.msg);
    }
    return DR_OK;
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
    bool is_it = rollout[0] == '\0' || (slot->rollout != NULL && dr_str_eq(rollout, slot->rollout));
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
    } else if (dr_str_eq(order->order, "state") || dr_str_eq(order->order, "drift")) {
        slot->wants_state = true;
        slot->has_news = true;
    } else if (dr_str_eq(order->order, "probe")) {
        slot->wants_probe = true; // which ones the signed policy says
        slot->has_news = true;
    } else if (!dr_exec_backup_order(slot, order)) {
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

static enum dr_rc
apply_now(struct dr_agent *agent, struct dr_arena *arena, const Drover__V1__Push *push,
          struct dr_err *err)
{
    const struct dr_bytes body = {.data = push->body.data, .len = push->body.len};
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_TRUST) {
        return take_trust(agent, arena, body, err);
    }
    return push->kind == DROVER__V1__PUSH_KIND__PUSH_SIGNOFF ? take_signoff(agent, arena, body, err)
                                                             : DR_OK;
}

// What the coordinator calls it; without a name, one by its bytes and its number: the same order
// twice is two pushes.
static void
name_push(const Drover__V1__Push *push, uint8_t own[32], struct dr_bytes *out)
{
    *out = (struct dr_bytes){.data = push->id.data, .len = push->id.len};
    if (out->len == 0) {
        dr_sha256((struct dr_bytes){.data = push->body.data, .len = push->body.len}, own);
        own[0] = (uint8_t)push->seq;
        own[1] = (uint8_t)(push->seq >> 8);
        own[2] = (uint8_t)(push->seq >> 16);
        *out = (struct dr_bytes){.data = own, .len = 32};
    }
}

static enum dr_rc
queue(struct dr_agent *agent, const Drover__V1__Push *push, struct dr_agent_slot *slot,
      bool *out_is_new, struct dr_err *err)
{
    uint8_t own[32];
    struct dr_bytes id;
    name_push(push, own, &id);
    struct dr_agent_task task = {
        .kind = (int)push->kind,
        .target = slot == NULL ? NULL : slot->target->name,
        .body = {.data = push->body.data, .len = slot == NULL ? 0 : push->body.len},
    };
    if (DR_FAILPOINT("agent-push-write")) {
        return dr_err_set(err, DR_E_AGENT_STATE, "no space is left for a push (failpoint)");
    }
    return dr_agent_state_take(agent->state, push->seq, id, &task, out_is_new, err);
}

// The head of the coordinator's log. One that does not continue what was seen was put back, forked
// or replaced: that is said once, and whatever it may have lost is sent again.
static void
take_log_head(struct dr_agent *agent, struct dr_arena *arena, struct dr_bytes body)
{
    struct dr_err err = {0};
    uint64_t index = 0;
    uint8_t hash[32];
    const Drover__V1__LogHead *head =
        drover__v1__log_head__unpack(dr_arena_protobuf(arena), body.len, body.data);
    if (head == NULL || head->hash.len != 32) {
        dr_log(DR_LOG_WARN, "a head of the log that does not decode came", NULL);
        return;
    }
    bool is_other = agent->net.log_index > 0 && !dr_data_is(head->known_hash, agent->net.log_hash);
    enum dr_rc rc = dr_agent_state_log_head(agent->state, &index, hash, &err);
    if (rc == DR_OK && (is_other || head->index < index)) {
        char seen[24], shown[24];
        (void)snprintf(seen, sizeof seen, "%llu", (unsigned long long)index);
        (void)snprintf(shown, sizeof shown, "%llu", (unsigned long long)head->index);
        dr_log(DR_LOG_ERROR,
               "the coordinator's log does not continue what was seen: it was put back, forked or "
               "replaced; what this agent signed is sent again",
               "seen", seen, "shown", shown, NULL);
        rc = dr_agent_state_send_again(agent->state, &err);
    }
    rc = rc != DR_OK
             ? rc
             : dr_agent_state_set_log_head(agent->state, head->index, head->hash.data, &err);
    agent->net.log_index = head->index; // what net names in its next hello
    memcpy(agent->net.log_hash, head->hash.data, 32);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "the log's head cannot be kept", &err);
    }
}

static void
take_push(struct dr_agent *agent, struct dr_arena *arena, const Drover__V1__Push *push,
          uint64_t stream)
{
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_LOG_HEAD) {
        take_log_head(agent, arena,
                      (struct dr_bytes){.data = push->body.data, .len = push->body.len});
        return; // it has no number: nothing to acknowledge
    }
    struct dr_err err = {0};
    struct dr_agent_slot *slot = slot_of(agent, arena, push);
    bool is_new = false;
    // Before it is acknowledged: verified trust is on disk, or the work is queued.
    enum dr_rc rc = slot == NULL ? apply_now(agent, arena, push, &err) : DR_OK;
    rc = rc != DR_OK ? rc : queue(agent, push, slot, &is_new, &err);
    if (rc != DR_OK && rc != DR_E_LIMIT) {
        // An acknowledgement covers all that came before: with nothing more taken from this
        // stream, what is not on disk comes again with the next.
        dr_log_err(DR_LOG_ERROR, "a push could not be kept and is asked for again", &err);
        dr_exec_net_again(agent);
        return;
    }
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_WARN, "a push was refused", &err);
    }
    (void)DR_FAILPOINT("agent-push-taken");
    if (rc == DR_OK && is_new && push->kind == DROVER__V1__PUSH_KIND__PUSH_ORDER) {
        // Once only: a cancel that is handed over again must not stop a later run.
        take_order(agent, arena, (struct dr_bytes){.data = push->body.data, .len = push->body.len});
    }
    if (rc == DR_OK && is_new && slot != NULL) {
        slot->has_news = true;
        slot->failures = 0;
    }
    dr_exec_net_done(agent, push->seq, stream);
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
        take_push(agent, arena, push, frame->number);
    }
    dr_arena_free(&arena);
}
