// The RPC server of a small coordinator for tests of the real agent: it keeps what it is told and
// may lie where a test wants it to. Included by agent_world.h.
#ifndef DR_TESTS_SUPPORT_AGENT_SERVER_H
#define DR_TESTS_SUPPORT_AGENT_SERVER_H

#include "support/agent_documents.h"

// ---------------------------------------------------------------------------------- server

static inline void
c_lookup(void *user, const uint8_t key[32], struct dr_caller *out)
{
    struct coord *c = user;
    if (!c->knows_nobody && memcmp(key, c->agent_key.transport, 32) == 0) {
        out->kind = DR_CALLER_AGENT;
        (void)snprintf(out->name, sizeof out->name, "%s", C_AGENT);
    }
}

static inline void
c_gone(struct dr_call *call, void *user)
{
    struct coord *c = user;
    if (c->watch == call) {
        c->watch = NULL;
    }
}

static inline void
c_pump(struct coord *c)
{
    for (size_t i = 0; c->watch != NULL && i < c->n_push; i++) {
        if (!c->push[i].is_acked && !c->push[i].is_sent) {
            Drover__V1__Push push = DROVER__V1__PUSH__INIT;
            push.seq = c->push[i].seq;
            push.kind = c->push[i].kind;
            push.body = dr_data(c->push[i].body.data, c->push[i].body.len);
            push.id = dr_data(c->push[i].id, 16);
            c->push[i].is_sent = true;
            C_OK(c, dr_call_send(c->watch, &push.base, &c->err));
        }
    }
}

static inline void
c_on_watch(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    c->after_seq = ((const Drover__V1__AgentHello *)request)->after_seq;
    c->watch = call;
    dr_call_on_gone(call, c_gone, c);
    for (size_t i = 0; i < c->n_push; i++) {
        c->push[i].is_sent = false;
    }
}

static inline void
c_on_ack(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    for (size_t i = 0; i < c->n_push; i++) {
        // As droverd does: what is acknowledged covers everything before it.
        if (c->push[i].seq <= ((const Drover__V1__AckRequest *)request)->seq) {
            c->push[i].is_acked = true;
        }
    }
    dr_call_reply(call, &reply.base);
}

static inline void
c_on_attest(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    const Drover__V1__Document *document = (const Drover__V1__Document *)request;
    Drover__V1__AttestReply reply = DROVER__V1__ATTEST_REPLY__INIT;
    struct dr_err err = {0};
    if (c->refuses_attestations) {
        (void)dr_err_set(&err, DR_E_INTERNAL, "not today");
        dr_call_fail(call, &err);
        return;
    }
    for (size_t i = 0; i < c->n_seen; i++) {
        bool is_same = c->seen[i].len == document->envelope.len &&
                       memcmp(c->seen[i].data, document->envelope.data, c->seen[i].len) == 0;
        if (is_same) {
            dr_call_reply(call, &reply.base);
            return;
        }
    }
    struct dr_attestation one = {0};
    const struct dr_bytes wire = {.data = document->envelope.data, .len = document->envelope.len};
    C_OK(c, dr_attest_decode(c->arena, wire, false, &one, &c->err));
    if (c->last.msg != NULL && dr_attest_follows(&c->last, &one, &err) != DR_OK) {
        dr_call_fail(call, &err);
        return;
    }
    c->last = one;
    assert_true(c->n_seen < C_SEEN);
    c->seen[c->n_seen++] = (struct dr_bytes){
        .data = dr_arena_copy(c->arena, document->envelope.data, document->envelope.len),
        .len = document->envelope.len};
    reply.is_new = true;
    dr_call_reply(call, &reply.base);
}

static inline void
c_on_report(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    Drover__V1__Empty reply = DROVER__V1__EMPTY__INIT;
    (void)request;
    c->progress++;
    dr_call_reply(call, &reply.base);
}

static inline void
c_on_offer(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    const Drover__V1__EnrollRequest *offer = (const Drover__V1__EnrollRequest *)request;
    Drover__V1__EnrollReply reply = DROVER__V1__ENROLL_REPLY__INIT;
    assert_true(dr_data_is(offer->signing_key, c->agent_key.signing));
    assert_true(dr_data_is(offer->transport_key, c->agent_key.transport));
    c->offers++;
    (void)snprintf(c->offered, sizeof c->offered, "%s %s %s", offer->agent, offer->environment,
                   offer->n_targets > 0 ? offer->targets[0] : "");
    reply.state = c_text(c, c->answer == NULL ? "offered" : c->answer);
    dr_call_reply(call, &reply.base);
}

static inline struct dr_bytes
c_find_blob(struct coord *c, const uint8_t sha256[32])
{
    if (memcmp(sha256, c->plan->sha256, 32) == 0) {
        return c->plan_bytes;
    }
    for (size_t i = 0; i < c->plan->plan->n_revisions; i++) {
        if (dr_data_is(c->plan->plan->revisions[i]->file_sha256, sha256)) {
            return (struct dr_bytes){.data = (const uint8_t *)c->plan->files[i],
                                     .len = c->plan->sizes[i]};
        }
    }
    return (struct dr_bytes){0};
}

static inline void
c_on_blob(struct dr_call *call, const ProtobufCMessage *request, void *user)
{
    struct coord *c = user;
    const Drover__V1__GetBlobRequest *asked = (const Drover__V1__GetBlobRequest *)request;
    Drover__V1__GetBlobReply reply = DROVER__V1__GET_BLOB_REPLY__INIT;
    struct dr_bytes blob =
        asked->sha256.len == 32 ? c_find_blob(c, asked->sha256.data) : (struct dr_bytes){0};
    struct dr_err err = {0};
    const uint64_t piece = 64; // small, so that there are several
    c->blobs_asked++;
    if (blob.len == 0 || asked->offset >= blob.len) {
        (void)dr_err_set(&err, DR_E_NOT_FOUND, "there is no such blob");
        dr_call_fail(call, &err);
        return;
    }
    uint8_t *copy = dr_arena_copy(c->arena, blob.data, blob.len);
    if (c->lies_about_blobs) {
        copy[blob.len / 2] ^= 1;
    }
    reply.total = blob.len;
    reply.bytes.data = copy + asked->offset;
    reply.bytes.len = blob.len - asked->offset < piece ? blob.len - asked->offset : piece;
    dr_call_reply(call, &reply.base);
}

static const struct dr_rpc_route C_ROUTES[] = {
    {DR_METHOD_AGENT_WATCH, c_on_watch},       {DR_METHOD_AGENT_ACK, c_on_ack},
    {DR_METHOD_AGENT_ATTEST, c_on_attest},     {DR_METHOD_AGENT_REPORT, c_on_report},
    {DR_METHOD_DOCUMENTS_GET_BLOB, c_on_blob}, {DR_METHOD_ENROLL_OFFER, c_on_offer},
};

static inline void
c_serve(struct coord *c)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u", c->port);
    const struct dr_rpc_server_config config = {
        .url = url,
        .secret_key = dr_secret_bytes(c->server_key.secret),
        .cluster_id = C_CLUSTER,
        .lookup = c_lookup,
        .routes = C_ROUTES,
        .route_count = DR_COUNT_OF(C_ROUTES),
        .user = c,
    };
    C_OK(c, dr_rpc_server_open(&config, &c->server, &c->err));
    c->port = dr_rpc_server_port(c->server);
}

// One turn of the server.
static inline void
c_turn(struct coord *c)
{
    if (c->server == NULL) {
        (void)poll(NULL, 0, C_STEP_MS);
        return;
    }
    c_pump(c);
    struct pollfd fd = {.fd = dr_rpc_server_fd(c->server), .events = POLLIN};
    (void)poll(&fd, 1, C_STEP_MS);
    dr_rpc_server_step(c->server);
}

// Waits for a condition in terms of `c`, serving meanwhile.
#define C_UNTIL(c, condition)                                                                      \
    do {                                                                                           \
        int64_t c_deadline = dr_monotonic_ms() + C_PATIENCE_MS;                                    \
        while (!(condition)) {                                                                     \
            if (dr_monotonic_ms() > c_deadline) {                                                  \
                fail_msg("waited in vain for: %s", #condition);                                    \
            }                                                                                      \
            c_turn(c);                                                                             \
        }                                                                                          \
    } while (0)

#endif
