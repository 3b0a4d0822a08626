// Exec, net: the other process. What it says is bytes from outside; what it is told is signed or
// harmless. When it dies another is started, and everything that is owed is said again.
#include "agent/exec_internal.h"

#include "agent/net.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/role.h"
#include "trust/strict.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTBOX_ARENA_MAX  (4u * 1048576u)
#define OFFER_TARGETS_MAX 32u // named in an offer; the rest shows when it is added

void
dr_exec_net_again(struct dr_agent *agent)
{
    struct dr_agent_net *net = &agent->net;
    int64_t now = dr_monotonic_ms();
    int64_t wait = DR_EXEC_RETRY_MIN_MS;
    dr_exec_net_stop(agent);
    net->failures = now - net->started_ms > DR_EXEC_CALM_MS ? 0 : net->failures + 1;
    for (unsigned i = 0; i < net->failures && wait < DR_EXEC_RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    net->restart_at_ms = now + (wait < DR_EXEC_RETRY_MAX_MS ? wait : DR_EXEC_RETRY_MAX_MS);
}

static void
net_died(struct dr_agent *agent)
{
    dr_exec_net_again(agent);
    dr_log(DR_LOG_WARN, "the net process ended, another is started", NULL);
}

void
dr_exec_net_stop(struct dr_agent *agent)
{
    struct dr_agent_net *net = &agent->net;
    if (net->is_there) {
        (void)kill(net->pid, SIGKILL);
        while (waitpid(net->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        dr_pipe_fini(&net->pipe);
    }
    net->is_there = false;
    net->is_up = false;
    net->sent_place = 0;
    dr_exec_blob_abort(agent);
}

void
dr_exec_net_send(struct dr_agent *agent, Drover__V1__PipeKind kind, uint64_t number,
                 const uint8_t *digest, struct dr_bytes body)
{
    struct dr_err err = {0};
    if (agent->net.is_there &&
        dr_pipe_send_simple(&agent->net.pipe, kind, number, digest, body, NULL, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "net does not listen", &err); // its end shows on the channel
    }
}

void
dr_exec_net_done(struct dr_agent *agent, uint64_t seq, uint64_t stream)
{
    Drover__V1__PipeFrame frame = DROVER__V1__PIPE_FRAME__INIT;
    const struct dr_chain *chain = &dr_trust_store_get(agent->trust)->chain;
    uint8_t held[32];
    struct dr_err err = {0};
    frame.kind = DROVER__V1__PIPE_KIND__PIPE_PUSH_DONE;
    frame.number = seq;
    frame.offset = stream;
    if (chain->msg != NULL) {
        memcpy(held, chain->sha256, sizeof held);
        frame.digest = (ProtobufCBinaryData){.len = sizeof held, .data = held};
    }
    if (agent->net.is_there && dr_pipe_send(&agent->net.pipe, &frame, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "net does not listen", &err);
    }
}

// ------------------------------------------------------------------------------------- start

static enum dr_rc
say_hello(struct dr_agent *agent, struct dr_err *err)
{
    Drover__V1__AgentHello hello = DROVER__V1__AGENT_HELLO__INIT;
    char version[] = DROVER_VERSION;
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    char **targets = calloc(agent->n_slots + 1, sizeof *targets);
    if (targets == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < agent->n_slots; i++) {
        targets[i] = agent->config->targets[i].name;
    }
    hello.version = version;
    hello.host = host;
    hello.targets = targets;
    hello.n_targets = agent->n_slots;
    const struct dr_trust *trust = dr_trust_store_get(agent->trust);
    hello.root_version = trust->root.msg->version;
    if (trust->chain.msg != NULL) {
        hello.chain_sha256 = dr_data(trust->chain.sha256, 32);
    }
    hello.instance = dr_data(agent->instance, sizeof agent->instance);
    enum dr_rc rc = dr_agent_state_after_seq(agent->state, &hello.after_seq, err);
    rc = rc != DR_OK ? rc
                     : dr_agent_state_log_head(agent->state, &agent->net.log_index,
                                               agent->net.log_hash, err);
    if (agent->net.log_index > 0) {
        hello.log_index = agent->net.log_index;
        hello.log_hash = dr_data(agent->net.log_hash, 32);
    }
    uint8_t *packed = malloc(drover__v1__agent_hello__get_packed_size(&hello) + 1);
    if (rc == DR_OK && packed == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (rc == DR_OK) {
        const struct dr_bytes body = {.data = packed,
                                      .len = drover__v1__agent_hello__pack(&hello, packed)};
        rc = dr_pipe_send_simple(&agent->net.pipe, DROVER__V1__PIPE_KIND__PIPE_HELLO, 0, NULL, body,
                                 NULL, err);
    }
    free(packed);
    free(targets);
    return rc;
}

// What is said to a coordinator that does not know this key: who wants to be added.
static enum dr_rc
say_offer(struct dr_agent *agent, struct dr_err *err)
{
    Drover__V1__EnrollRequest offer = DROVER__V1__ENROLL_REQUEST__INIT;
    union {
        const char *in;
        char *out;
    } name = {.in = agent->config->agent}, environment = {.in = agent->config->environment};
    char version[] = DROVER_VERSION;
    char host[256] = "";
    char *targets[OFFER_TARGETS_MAX];
    (void)gethostname(host, sizeof host - 1);
    offer.agent = name.out;
    offer.environment = environment.out;
    offer.version = version;
    offer.host = host;
    offer.signing_key = dr_data(dr_exec_offered_key(agent), 32);
    offer.transport_key = dr_data(dr_exec_transport_key(agent)->public_key, 32);
    offer.targets = targets;
    for (size_t i = 0; i < agent->n_slots && i < OFFER_TARGETS_MAX; i++) {
        targets[offer.n_targets++] = agent->config->targets[i].name;
    }
    uint8_t *packed = malloc(drover__v1__enroll_request__get_packed_size(&offer) + 1);
    if (packed == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    const struct dr_bytes body = {.data = packed,
                                  .len = drover__v1__enroll_request__pack(&offer, packed)};
    enum dr_rc rc = dr_pipe_send_simple(&agent->net.pipe, DROVER__V1__PIPE_KIND__PIPE_OFFER, 0,
                                        NULL, body, NULL, err);
    free(packed);
    return rc;
}

static enum dr_rc
start(struct dr_agent *agent, struct dr_err *err)
{
    const struct dr_agent_config *config = agent->config;
    struct dr_role_child child = {0};
    const char *const extra[] = {config->net_user == NULL ? "" : config->net_user,
                                 config->coordinator_ca, NULL};
    enum dr_rc rc = dr_role_start("drover-agent: net", DR_NET_ROLE, extra, &child, err);
    if (rc != DR_OK) {
        return rc;
    }
    agent->net = (struct dr_agent_net){.is_there = true,
                                       .pid = child.pid,
                                       .started_ms = dr_monotonic_ms(),
                                       .failures = agent->net.failures};
    dr_pipe_init(&agent->net.pipe, child.channel);
    const struct dr_bytes secret = {.data = dr_secret_bytes(dr_exec_transport_key(agent)->secret),
                                    .len = 32};
    rc = dr_pipe_send_simple(&agent->net.pipe, DROVER__V1__PIPE_KIND__PIPE_START, 0,
                             config->coordinator_key, secret, config->coordinator, err);
    rc = rc != DR_OK ? rc : say_hello(agent, err);
    // Of two pairs the one that is to follow is offered: the other one is on its way out.
    bool is_leaving = agent->keys.has_next_transport && agent->keys.connects == 0;
    return rc != DR_OK || is_leaving ? rc : say_offer(agent, err);
}

// -------------------------------------------------------------------------------------- turn

// One at a time and in order: the counter of the next is the count of those before.
static void
send_outbox(struct dr_agent *agent)
{
    struct dr_err err = {0};
    struct dr_agent_outgoing one = {0};
    if (!agent->net.is_up || agent->net.sent_place != 0) {
        return;
    }
    struct dr_arena *arena = dr_arena_new(OUTBOX_ARENA_MAX);
    int64_t place = 0;
    enum dr_rc rc = arena == NULL
                        ? dr_err_set(&err, DR_E_NOMEM, "out of memory")
                        : dr_agent_state_outbox_next(agent->state, arena, 0, &place, &one, &err);
    if (rc != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "outbox", &err);
    } else if (place != 0) {
        agent->net.sent_place = place;
        memcpy(agent->net.sent_sha256, one.sha256, 32);
        dr_exec_net_send(agent, DROVER__V1__PIPE_KIND__PIPE_ATTEST, 0, one.sha256, one.envelope);
    }
    dr_arena_free(&arena);
}

void
dr_exec_net_turn(struct dr_agent *agent)
{
    struct dr_err err = {0};
    if (!agent->net.is_there && !agent->is_stopping &&
        dr_monotonic_ms() >= agent->net.restart_at_ms) {
        if (start(agent, &err) != DR_OK) {
            dr_log_err(DR_LOG_ERROR, "net cannot be started", &err);
            net_died(agent);
        }
    }
    send_outbox(agent);
    dr_exec_blob_turn(agent);
}

// ------------------------------------------------------------------------------------- heard

static void
take_link(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    bool is_up = frame->number == 1;
    if (is_up == agent->net.is_up) {
        return;
    }
    agent->net.is_up = is_up;
    if (frame->number == 2) {
        dr_exec_keys_unknown(agent);
    }
    if (is_up) {
        dr_log(DR_LOG_INFO, "connected", "coordinator", agent->config->coordinator, NULL);
    } else {
        dr_log(DR_LOG_WARN, "not connected", "coordinator", agent->config->coordinator, "reason",
               frame->text, NULL);
        dr_exec_blob_abort(agent);
    }
}

static void
take_attested(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    struct dr_err err = {0};
    if (agent->net.sent_place == 0 || frame->digest.len != 32 ||
        memcmp(frame->digest.data, agent->net.sent_sha256, 32) != 0) {
        return;
    }
    agent->net.sent_place = 0;
    (void)DR_FAILPOINT("agent-attested");
    if (dr_agent_state_outbox_done(agent->state, agent->net.sent_sha256, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "outbox", &err); // it is sent again, which is harmless
    }
}

// The coordinator has other words of this agent under the same numbers: the state folder was put
// back to an earlier one. What waits is signed again in a new epoch, which everybody sees.
static void
take_rejected(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    struct dr_err err = {0};
    bool is_on_its_way = agent->net.sent_place != 0 && frame->digest.len == 32 &&
                         memcmp(frame->digest.data, agent->net.sent_sha256, 32) == 0;
    if (!is_on_its_way || frame->number != (uint64_t)DR_E_COUNTER_REUSED) {
        return; // net tries again
    }
    dr_log(DR_LOG_ERROR, "the agent's state is older than what it signed: a new epoch begins",
           NULL);
    if (dr_report_new_epoch(agent, &err) != DR_OK) {
        dr_log_err(DR_LOG_ERROR, "new epoch", &err);
        return;
    }
    agent->net.sent_place = 0; // the next replaces what net still carries
}

static void
take_frame(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    switch (frame->kind) {
    case DROVER__V1__PIPE_KIND__PIPE_REJECTED:
        take_rejected(agent, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_PUSH:
        dr_exec_push(agent, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_LINK:
        take_link(agent, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_BLOB:
        dr_exec_blob_piece(agent, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_NO_BLOB:
        dr_exec_blob_missing(agent, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_ATTESTED:
        take_attested(agent, frame);
        break;
    default:
        dr_log(DR_LOG_WARN, "net sent a frame that it may not send", NULL);
        break;
    }
}

void
dr_exec_net_heard(struct dr_agent *agent)
{
    while (agent->net.is_there) {
        Drover__V1__PipeFrame *frame = NULL;
        enum dr_rc rc = dr_pipe_flush(&agent->net.pipe, NULL);
        rc = rc != DR_OK ? rc : dr_pipe_receive(&agent->net.pipe, &frame, NULL);
        if (rc != DR_OK) {
            net_died(agent);
            return;
        }
        if (frame == NULL) {
            return;
        }
        take_frame(agent, frame);
        dr_pipe_frame_free(&frame);
    }
}
