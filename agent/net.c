// Net: one poll loop over two descriptors, the channel to exec and the RPC client. Nothing here is
// believed or kept: when this process dies exec starts another, and all that matters is sent again.
#include "agent/net.h"

#include "agent/confine.h"
#include "agent/net_hello.h"
#include "agent/net_large.h"
#include "agent/net_offer.h"
#include "agent/pipe.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/role.h"
#include "proto/service.pb-c.h"
#include "rpc/client.h"
#include "trust/envelope.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_POLL_MS 60000

// Something that is to be carried until it worked: at most one of each kind.
struct errand {
    bool is_on, is_asked; // asked: a call is on its way
    uint64_t call;
    uint8_t sha256[32];
    uint8_t *body; // attestation
    size_t body_len;
    uint64_t offset; // blob: next piece
    int64_t retry_at_ms;
    unsigned failures;
};

struct net {
    struct dr_pipe pipe;
    struct dr_rpc_client *client;
    Drover__V1__AgentHello *hello;
    struct dr_net_offer offer;
    bool is_up, is_watching, is_broken;
    int64_t watch_at_ms;
    unsigned watch_failures;
    uint64_t watch; // its call
    struct errand attest, blob;
    struct dr_net_large large;
    unsigned reports;
};

static void
tell(struct net *net, Drover__V1__PipeKind kind, uint64_t number, const uint8_t *digest,
     struct dr_bytes body, const char *text)
{
    if (dr_pipe_send_simple(&net->pipe, kind, number, digest, body, text, NULL) != DR_OK) {
        net->is_broken = true;
    }
}

static const struct dr_bytes NOTHING = {0};

// Full jitter: exec's agents come back after a restart of the coordinator one after the other.
static int64_t
later(unsigned *failures)
{
    uint32_t random = 0;
    int64_t most = DR_NET_RETRY_MIN_MS;
    for (unsigned i = 0; i < *failures && most < DR_NET_RETRY_MAX_MS; i++) {
        most *= 2;
    }
    most = most < DR_NET_RETRY_MAX_MS ? most : DR_NET_RETRY_MAX_MS;
    (*failures)++;
    dr_random(&random, sizeof random);
    return dr_monotonic_ms() + DR_NET_RETRY_MIN_MS / 2 + (int64_t)(random % (uint32_t)most);
}

// ------------------------------------------------------------------------------------- watch

// A push whose body is here, to exec.
static void
deliver(void *user, const Drover__V1__Push *push)
{
    struct net *net = user;
    const ProtobufCMessage *item = &push->base;
    if (push->kind == DROVER__V1__PUSH_KIND__PUSH_LOG_HEAD) {
        dr_net_hello_log(net->hello, push);
    }
    size_t len = protobuf_c_message_get_packed_size(item);
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL) {
        net->is_broken = true;
        return;
    }
    (void)protobuf_c_message_pack(item, bytes);
    (void)DR_FAILPOINT("agent-net-push");
    net->watch_failures = 0;
    net->attest.retry_at_ms = 0;
    tell(net, DROVER__V1__PIPE_KIND__PIPE_PUSH, net->hello->stream, NULL,
         (struct dr_bytes){.data = bytes, .len = len}, NULL);
    free(bytes);
}

static void
on_push(void *user, const ProtobufCMessage *item)
{
    struct net *net = user;
    dr_net_large_take(&net->large, net->client, (const Drover__V1__Push *)item);
}

// All that was not acknowledged comes again with the next watch.
static void
watch_again(void *user, const struct dr_err *why)
{
    struct net *net = user;
    dr_log_err(DR_LOG_WARN, "the watch begins again", why);
    dr_rpc_client_cancel(net->client, net->watch);
    net->is_watching = false;
    net->watch_at_ms = later(&net->watch_failures);
}

static void
on_watch_end(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct net *net = user;
    (void)reply;
    net->is_watching = false;
    dr_net_large_reset(&net->large);
    net->watch_at_ms = later(&net->watch_failures);
    if (err->rc != DR_OK && err->rc != DR_E_UNREACHABLE) {
        dr_log_err(DR_LOG_WARN, "the coordinator ended the watch", err);
        bool is_unknown = err->rc == DR_E_UNAUTHENTICATED;
        tell(net, DROVER__V1__PIPE_KIND__PIPE_LINK, is_unknown ? 2 : 0, NULL, NOTHING,
             err->message);
    }
    if (err->rc == DR_E_UNAUTHENTICATED) {
        dr_net_offer_make(&net->offer, net->client);
    }
}

static void
start_watch(struct net *net)
{
    struct dr_err err = {0};
    if (!net->is_up || net->is_watching || dr_monotonic_ms() < net->watch_at_ms) {
        return;
    }
    dr_random(&net->hello->stream, sizeof net->hello->stream);
    if (dr_rpc_client_start(net->client, DR_METHOD_AGENT_WATCH, &net->hello->base, 0, on_push,
                            on_watch_end, net, &net->watch, &err) != DR_OK) {
        net->watch_at_ms = later(&net->watch_failures);
        dr_log_err(DR_LOG_WARN, "watch", &err);
        return;
    }
    net->is_watching = true;
    tell(net, DROVER__V1__PIPE_KIND__PIPE_LINK, 1, NULL, NOTHING, NULL);
}

static void
on_state(void *user, bool is_up, const struct dr_err *err)
{
    struct net *net = user;
    net->is_up = is_up;
    net->attest.retry_at_ms = 0; // who connects anew may have become known
    if (is_up) {
        net->watch_at_ms = 0;
    } else {
        tell(net, DROVER__V1__PIPE_KIND__PIPE_LINK, 0, NULL, NOTHING,
             err == NULL ? "" : err->message);
    }
}

// ----------------------------------------------------------------------------------- errands

static void
end_errand(struct errand *errand)
{
    free(errand->body);
    *errand = (struct errand){0};
}

static void
on_attested(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct net *net = user;
    (void)reply;
    net->attest.is_asked = false;
    if (err->rc == DR_OK || err->rc == DR_E_EXISTS) {
        (void)DR_FAILPOINT("agent-net-attested");
        tell(net, DROVER__V1__PIPE_KIND__PIPE_ATTESTED, 0, net->attest.sha256, NOTHING, NULL);
        end_errand(&net->attest);
        return;
    }
    if (err->rc != DR_E_UNREACHABLE) {
        dr_log_err(DR_LOG_WARN, "the coordinator did not take an attestation", err);
        tell(net, DROVER__V1__PIPE_KIND__PIPE_REJECTED, (uint64_t)err->rc, net->attest.sha256,
             NOTHING, err->message);
    }
    net->attest.retry_at_ms = later(&net->attest.failures);
}

static void
start_attest(struct net *net)
{
    struct errand *errand = &net->attest;
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;
    char kind[] = DR_TYPE_ATTESTATION;
    struct dr_err err = {0};
    if (!errand->is_on || errand->is_asked || dr_monotonic_ms() < errand->retry_at_ms) {
        return;
    }
    document.kind = kind;
    document.sha256 = (ProtobufCBinaryData){.len = 32, .data = errand->sha256};
    document.envelope = (ProtobufCBinaryData){.len = errand->body_len, .data = errand->body};
    errand->is_asked =
        dr_rpc_client_start(net->client, DR_METHOD_AGENT_ATTEST, &document.base, DR_NET_CALL_MS,
                            NULL, on_attested, net, &errand->call, &err) == DR_OK;
    if (!errand->is_asked) {
        dr_log_err(DR_LOG_WARN, "attest", &err);
        errand->retry_at_ms = later(&errand->failures);
    }
}

static void
on_piece(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct net *net = user;
    struct errand *errand = &net->blob;
    errand->is_asked = false;
    if (!errand->is_on) {
        return;
    }
    if (err->rc == DR_E_NOT_FOUND) {
        tell(net, DROVER__V1__PIPE_KIND__PIPE_NO_BLOB, 0, errand->sha256, NOTHING, NULL);
        end_errand(errand);
        return;
    }
    const Drover__V1__GetBlobReply *piece = (const Drover__V1__GetBlobReply *)reply;
    if (err->rc != DR_OK || (piece->bytes.len == 0 && piece->total > errand->offset)) {
        errand->retry_at_ms = later(&errand->failures);
        return;
    }
    Drover__V1__PipeFrame frame = DROVER__V1__PIPE_FRAME__INIT;
    frame.kind = DROVER__V1__PIPE_KIND__PIPE_BLOB;
    frame.digest = (ProtobufCBinaryData){.len = 32, .data = errand->sha256};
    frame.number = piece->total;
    frame.offset = errand->offset;
    frame.body = piece->bytes;
    net->is_broken = net->is_broken || dr_pipe_send(&net->pipe, &frame, NULL) != DR_OK;
    errand->offset += piece->bytes.len;
    errand->failures = 0;
    if (errand->offset >= piece->total) {
        end_errand(errand);
    }
}

static void
start_piece(struct net *net)
{
    struct errand *errand = &net->blob;
    Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
    struct dr_err err = {0};
    if (!errand->is_on || errand->is_asked || dr_monotonic_ms() < errand->retry_at_ms ||
        dr_pipe_queued(&net->pipe) > DR_NET_QUEUE_MAX) {
        return;
    }
    request.sha256 = (ProtobufCBinaryData){.len = 32, .data = errand->sha256};
    request.offset = errand->offset;
    errand->is_asked =
        dr_rpc_client_start(net->client, DR_METHOD_DOCUMENTS_GET_BLOB, &request.base,
                            DR_NET_CALL_MS, NULL, on_piece, net, &errand->call, &err) == DR_OK;
    if (!errand->is_asked) {
        errand->retry_at_ms = later(&errand->failures);
    }
}

static void
on_reported(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    struct net *net = user;
    (void)reply;
    (void)err;
    net->reports--;
}

static void
on_acked(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    // An acknowledgement that was lost is no harm: the push comes again and exec knows it.
    (void)user;
    (void)reply;
    (void)err;
}

// -------------------------------------------------------------------------------- from exec

static void
acknowledge(struct net *net, const Drover__V1__PipeFrame *done)
{
    Drover__V1__AckRequest request = DROVER__V1__ACK_REQUEST__INIT;
    request.seq = done->number;
    request.chain_sha256 = done->digest;
    request.stream = done->offset;
    dr_net_hello_chain(net->hello, done->digest);
    (void)DR_FAILPOINT("agent-net-ack");
    net->hello->after_seq = done->number;
    enum dr_rc ignored = dr_rpc_client_start(net->client, DR_METHOD_AGENT_ACK, &request.base,
                                             DR_NET_CALL_MS, NULL, on_acked, net, NULL, NULL);
    (void)ignored;
}

static void
report(struct net *net, const Drover__V1__PipeFrame *frame)
{
    Drover__V1__Progress *progress =
        drover__v1__progress__unpack(NULL, frame->body.len, frame->body.data);
    if (progress != NULL && net->is_up && net->reports < DR_NET_REPORTS_MAX &&
        dr_rpc_client_start(net->client, DR_METHOD_AGENT_REPORT, &progress->base,
                            DR_NET_CALL_MS / 6, NULL, on_reported, net, NULL, NULL) == DR_OK) {
        net->reports++;
    }
    drover__v1__progress__free_unpacked(progress, NULL);
}

static void
begin_errand(struct net *net, struct errand *errand, const Drover__V1__PipeFrame *frame)
{
    if (errand->is_asked) {
        dr_rpc_client_cancel(net->client,
                             errand->call); // its answer would be taken for the new one's
    }
    end_errand(errand);
    errand->body = frame->digest.len == 32 ? malloc(frame->body.len + 1) : NULL;
    if (errand->body == NULL) {
        return;
    }
    if (frame->body.len > 0) {
        memcpy(errand->body, frame->body.data, frame->body.len);
    }
    errand->body_len = frame->body.len;
    memcpy(errand->sha256, frame->digest.data, 32);
    errand->is_on = true;
}

static void
take_frame(struct net *net, const Drover__V1__PipeFrame *frame)
{
    switch (frame->kind) {
    case DROVER__V1__PIPE_KIND__PIPE_PUSH_DONE:
        acknowledge(net, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_ATTEST:
        (void)DR_FAILPOINT("agent-net-attest");
        begin_errand(net, &net->attest, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_NEED_BLOB:
        begin_errand(net, &net->blob, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_PROGRESS:
        report(net, frame);
        break;
    case DROVER__V1__PIPE_KIND__PIPE_OFFER:
        dr_net_offer_take(&net->offer, frame->body);
        break;
    default:
        break;
    }
}

static void
hear_exec(struct net *net)
{
    while (!net->is_broken) {
        Drover__V1__PipeFrame *frame = NULL;
        if (dr_pipe_flush(&net->pipe, NULL) != DR_OK ||
            dr_pipe_receive(&net->pipe, &frame, NULL) != DR_OK) {
            net->is_broken = true;
        }
        if (frame == NULL) {
            return;
        }
        take_frame(net, frame);
        dr_pipe_frame_free(&frame);
    }
}

// -------------------------------------------------------------------------------------- main

static int
due_ms(const struct net *net)
{
    int64_t now = dr_monotonic_ms();
    int64_t due = IDLE_POLL_MS;
    const struct errand *errands[] = {&net->attest, &net->blob};
    if (net->is_up && !net->is_watching && net->watch_at_ms - now < due) {
        due = net->watch_at_ms - now;
    }
    for (size_t i = 0; i < DR_COUNT_OF(errands); i++) {
        if (errands[i]->is_on && !errands[i]->is_asked && errands[i]->retry_at_ms - now < due) {
            due = errands[i]->retry_at_ms - now;
        }
    }
    return due < 0 ? 0 : (int)due;
}

static void
loop(struct net *net)
{
    while (!net->is_broken) {
        start_watch(net);
        start_attest(net);
        start_piece(net);
        short output = dr_pipe_has_output(&net->pipe) ? POLLOUT : 0;
        struct pollfd fds[] = {
            {.fd = net->pipe.fd, .events = (short)(POLLIN | output)},
            {.fd = dr_rpc_client_fd(net->client), .events = POLLIN},
        };
        (void)poll(fds, DR_COUNT_OF(fds), due_ms(net));
        hear_exec(net);
        dr_rpc_client_step(net->client);
    }
}

// Takes START and HELLO. The secret goes into the client and is wiped with its frame.
static enum dr_rc
open_client(struct net *net, const char *ca_file, struct dr_err *err)
{
    Drover__V1__PipeFrame *start = NULL;
    Drover__V1__PipeFrame *hello = NULL;
    enum dr_rc rc = dr_pipe_wait(&net->pipe, DR_NET_START_MS, &start, err);
    rc = rc != DR_OK ? rc : dr_pipe_wait(&net->pipe, DR_NET_START_MS, &hello, err);
    if (rc == DR_OK &&
        (start->kind != DROVER__V1__PIPE_KIND__PIPE_START || start->digest.len != 32 ||
         start->body.len != 32 || hello->kind != DROVER__V1__PIPE_KIND__PIPE_HELLO)) {
        rc = dr_err_set(err, DR_E_AGENT_PIPE, "exec did not say where to connect");
    }
    if (rc == DR_OK) {
        net->hello = drover__v1__agent_hello__unpack(NULL, hello->body.len, hello->body.data);
        const struct dr_rpc_client_config config = {
            .url = start->text,
            .server_key = start->digest.data,
            .secret_key = start->body.data,
            .tls_ca_file = ca_file[0] == '\0' ? NULL : ca_file,
            .is_persistent = true,
            .on_state = on_state,
            .user = net,
        };
        rc = net->hello == NULL
                 ? dr_err_set(err, DR_E_AGENT_PIPE, "exec's greeting does not decode")
                 : dr_rpc_client_open(&config, &net->client, err);
    }
    dr_pipe_frame_free(&start);
    dr_pipe_frame_free(&hello);
    return rc;
}

int
dr_net_main(const char *user, const char *ca_file)
{
    struct net net = {.large = {.deliver = deliver, .give_up = watch_again}};
    struct dr_err err = {0};
    net.large.user = &net;
    dr_role_harden();
    (void)fcntl(DR_ROLE_CHANNEL_FD, F_SETFD, FD_CLOEXEC);
    dr_pipe_init(&net.pipe, DR_ROLE_CHANNEL_FD);
    enum dr_rc rc = dr_confine_user(user, &err);
    if (rc == DR_OK) {
        (void)dr_confine_files(ca_file);
        rc = open_client(&net, ca_file, &err);
    }
    if (rc == DR_OK) {
        loop(&net);
        dr_net_large_reset(&net.large);
        dr_rpc_client_close(&net.client);
    } else {
        dr_log_err(DR_LOG_ERROR, "net cannot start", &err);
    }
    end_errand(&net.attest);
    end_errand(&net.blob);
    if (net.hello != NULL) {
        drover__v1__agent_hello__free_unpacked(net.hello, NULL);
    }
    dr_net_offer_fini(&net.offer);
    dr_pipe_fini(&net.pipe);
    return rc == DR_OK ? 0 : dr_rc_exit_code(rc);
}
