// Service Agent: the mailbox of pushes, attestations, progress.
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/core/api.h"
#include "coordinator/core/documents.h"
#include "coordinator/core/order_progress.h"
#include "coordinator/core/push.h"
#include "coordinator/core/schedule.h"
#include "coordinator/core/watch.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROGRESS_LEAST_MS 200

static struct dr_agent *
caller_agent(struct dr_core *core, struct dr_call *call, enum dr_rc *rc, struct dr_err *err)
{
    struct dr_agent *agent = dr_core_agent(core, dr_call_caller(call)->name);

    if (agent == NULL) {
        *rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
        return NULL;
    }
    agent->last_seen = dr_now_unix_s();
    return agent;
}

static void
watch_gone(struct dr_call *call, void *user)
{
    struct dr_agent *agent = user;

    if (agent->watch == call) {
        agent->watch = NULL;
        dr_push_forget_blobs(agent->core, agent, UINT64_MAX); // they are made again
        agent->away_ms = dr_monotonic_ms();
        dr_log(DR_LOG_INFO, "agent away", "agent", agent->name, NULL);
    }
}

static void
watch_room(struct dr_call *call, void *user)
{
    struct dr_agent *agent = user;

    (void)call;
    agent->has_mail = true;
}

static void
copy_plain(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", dr_utf8_plain(text, strlen(text), NULL) ? text : "?");
}

// Each start of an agent has a number of its own. One that comes back after another took its place
// was not restarted: there are two of them, with one key.
static enum dr_rc
note_instance(struct dr_core *core, struct dr_agent *agent, const struct dr_call *call,
              const Drover__V1__AgentHello *hello, struct dr_err *err)
{
    static const uint8_t NONE[16];
    const uint8_t *instance = hello->instance.data;

    if (hello->instance.len != 16 || memcmp(agent->instance, instance, 16) == 0) {
        return DR_OK;
    }
    bool is_back = memcmp(agent->before, instance, 16) == 0 && memcmp(instance, NONE, 16) != 0;
    memcpy(agent->before, agent->instance, 16);
    memcpy(agent->instance, instance, 16);
    if (!is_back || agent->is_copied) {
        return DR_OK;
    }
    char host[sizeof agent->host];
    const struct dr_event event = {"alarm", agent->name, agent->name, NULL};
    copy_plain(host, sizeof host, hello->host);
    agent->is_copied = true;
    dr_log(DR_LOG_WARN, "two agents use one key", "agent", agent->name, "one", agent->address,
           "other", dr_call_address(call), NULL);
    return dr_events_add(core->events, &event, NULL, err,
                         "key-copied: two agents use the key of '%s', at %s (%s) and at %s (%s)",
                         agent->name, agent->address, agent->host, dr_call_address(call), host);
}

// The place on the stream goes to who came last; the other one is told why.
static void
end_older(struct dr_agent *agent, const struct dr_call *newer, bool is_same)
{
    struct dr_call *older = agent->watch;
    struct dr_err why = {0};

    agent->watch = NULL;
    if (is_same) {
        dr_call_end(older);
        return;
    }
    (void)dr_err_set(&why, DR_E_CONFLICT, "agent '%s' connected again, from %s", agent->name,
                     dr_call_address(newer));
    (void)dr_err_hint(&why, "if that is not this one restarted, its key was copied: give it a new "
                            "one with drover agent rekey");
    dr_call_fail(older, &why);
}

static enum dr_rc
take_entry(void *user, const struct dr_store_log *row, struct dr_err *err)
{
    struct dr_loghash *out = user;

    (void)err;
    out->index = row->index;
    memcpy(out->hash, row->hash, 32);
    return DR_OK;
}

// Finds the log's entry that the agent saw last as it is here; index 0: there is none. An agent
// that saw another log is noted: this store is older than what it saw, or not the one that it knew.
static enum dr_rc
compare_log(struct dr_core *core, const char *agent, const Drover__V1__AgentHello *hello,
            struct dr_loghash *known, struct dr_err *err)
{
    const struct dr_event event = {"alarm", agent, agent, NULL};

    if (hello->log_index == 0 || hello->log_index > INT64_MAX) {
        return DR_OK;
    }
    DR_TRY(core->store->ops->log_list(core->store, hello->log_index - 1, 1, NULL, take_entry, known,
                                      err));
    if (known->index == hello->log_index && dr_data_is(hello->log_hash, known->hash)) {
        return DR_OK;
    }
    dr_log(DR_LOG_ERROR, "an agent has seen another log: this state was put back or replaced",
           "agent", agent, NULL);
    return dr_events_add(core->events, &event, NULL, err,
                         "agent saw entry %" PRIu64
                         " of another log: this coordinator was put back, forked or replaced",
                         hello->log_index);
}

void
dr_api_agent_watch(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__AgentHello *hello = (const Drover__V1__AgentHello *)(const void *)message;
    struct dr_loghash known = {0};
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);
    struct dr_agent *agent = caller_agent(core, call, &rc, &err);

    bool is_same = agent != NULL && hello->instance.len == 16 &&
                   memcmp(agent->instance, hello->instance.data, 16) == 0;
    rc = rc == DR_OK && agent != NULL ? note_instance(core, agent, call, hello, &err) : rc;
    if (rc == DR_OK) {
        rc = dr_schedule_agent_back(core, agent->name, hello->after_seq == 0, &err);
    }
    rc = rc == DR_OK ? compare_log(core, agent->name, hello, &known, &err) : rc;
    rc = dr_core_end(core, rc, &err);
    if (rc != DR_OK) {
        dr_core_fail(core, call, &err);
        return;
    }
    if (agent->watch != NULL) {
        end_older(agent, call, is_same);
    }
    agent->watch = call;
    agent->stream = hello->stream;
    agent->sent_seq = 0; // what was acknowledged is gone; the agent knows the rest by its ids
    agent->has_mail = true;
    dr_push_forget_blobs(core, agent, UINT64_MAX); // of an older stream
    agent->has_held_chain = agent->has_sent_chain = false;
    agent->root_version = hello->root_version;
    dr_push_trust_acked(agent, 0, hello->chain_sha256);
    copy_plain(agent->version, sizeof agent->version, hello->version);
    copy_plain(agent->host, sizeof agent->host, hello->host);
    (void)snprintf(agent->address, sizeof agent->address, "%s", dr_call_address(call));
    agent->shown = known;
    dr_push_log_head(core, agent);
    dr_call_on_gone(call, watch_gone, agent);
    dr_call_on_room(call, watch_room, agent);
    dr_log(DR_LOG_INFO, "agent connected", "agent", agent->name, "address", agent->address,
           "version", agent->version, NULL);
}

void
dr_api_agent_ack(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    const Drover__V1__AckRequest *request = (const Drover__V1__AckRequest *)(const void *)message;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);
    struct dr_agent *agent = caller_agent(core, call, &rc, &err);

    // Of another watch: its numbers may be those of a store that was here before.
    bool is_this_watch = rc == DR_OK && request->stream == agent->stream;
    if (is_this_watch) {
        rc = core->store->ops->push_ack(core->store, agent->name, request->seq, &err);
    }
    if (rc == DR_OK && is_this_watch) {
        bool had_chain = agent->has_held_chain;

        dr_push_trust_acked(agent, request->seq, request->chain_sha256);
        dr_push_forget_blobs(core, agent, request->seq);
        // A new root made its chain void; it may have been signed again before the agent said so.
        if (had_chain && !agent->has_held_chain && !agent->has_sent_chain) {
            rc = dr_push_trust(core, agent->name, &err);
        }
    }
    dr_core_answer(core, call, rc, &reply.base, &err);
}

void
dr_api_agent_attest(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__PutDocumentReply put = DROVER__V1__PUT_DOCUMENT_REPLY__INIT;
    Drover__V1__AttestReply reply = DROVER__V1__ATTEST_REPLY__INIT;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);
    const struct dr_agent *agent = caller_agent(core, call, &rc, &err);
    const Drover__V1__Document *document = (const Drover__V1__Document *)(const void *)message;

    if (rc == DR_OK) {
        struct dr_envelope envelope;
        struct dr_bytes wire = {document->envelope.data, document->envelope.len};

        rc = dr_envelope_parse(wire, DR_TYPE_ATTESTATION, &envelope, &err);
    }
    if (rc == DR_OK) {
        rc = dr_documents_put(core, document, agent->name, dr_call_arena(call), &put, &err);
    }
    reply.is_new = put.is_new;
    bool is_alarm = rc == DR_E_COUNTER_REUSED;
    if (is_alarm) {
        dr_api_alarm(core, call, &err);
    }
    dr_core_answer(core, call, rc, &reply.base, &err);
}

// ---- progress

static void
keep_progress(struct dr_rollout_target *target, const Drover__V1__Progress *progress,
              int64_t now_ms)
{
    uint8_t bytes[8192];
    size_t len = drover__v1__progress__get_packed_size(progress);

    if (len > sizeof bytes) {
        return;
    }
    drover__v1__progress__pack(progress, bytes);
    Drover__V1__Progress *copy = drover__v1__progress__unpack(NULL, len, bytes);
    if (copy != NULL) {
        if (target->progress != NULL) {
            drover__v1__progress__free_unpacked(target->progress, NULL);
        }
        target->progress = copy;
        target->has_progress = true;
        target->progress_ms = now_ms;
    }
}

static enum dr_rc
report(struct dr_core *core, const char *agent, const Drover__V1__Progress *progress,
       struct dr_err *err)
{
    struct dr_rollout *rollout = dr_core_rollout(core, progress->rollout);
    struct dr_rollout_stage *stage = NULL;
    struct dr_rollout_target *target =
        rollout != NULL ? dr_rollout_find(rollout, progress->target, &stage) : NULL;
    int64_t now_ms = dr_monotonic_ms();

    if (progress->rollout[0] == '\0') {
        return dr_order_progress_put(core, agent, progress, now_ms, err);
    }
    if (target == NULL || strcmp(target->agent, agent) != 0) {
        return dr_err_set(err, DR_E_NOT_FOUND,
                          "rollout '%.20s' has no target '%.130s' of agent '%s'", progress->rollout,
                          progress->target, agent);
    }
    if (!target->has_progress || now_ms - target->progress_ms >= PROGRESS_LEAST_MS) {
        keep_progress(target, progress, now_ms);
        dr_watch_progress(core, rollout->id);
    }
    if (target->state != DR_TARGET_SENT && target->state != DR_TARGET_UNREACHABLE) {
        return DR_OK;
    }
    return dr_schedule_event(core, rollout, stage, target, DR_EVENT_PROGRESS, false, NULL, err);
}

void
dr_api_agent_report(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);
    const struct dr_agent *agent = caller_agent(core, call, &rc, &err);

    if (rc == DR_OK) {
        rc = report(core, agent->name, (const Drover__V1__Progress *)(const void *)message, &err);
    }
    dr_core_answer(core, call, rc, &reply.base, &err);
}
