// The agents of the core's test world, and the approvals that people draft for them.
#ifndef DR_TEST_CORE_WORLD_AGENTS_H
#define DR_TEST_CORE_WORLD_AGENTS_H

#include "unit/core/world.h"

// ---- agents

#define WATCH_NUMBER 77u

DR_UNUSED static void
agent_watch(struct site *site, int agent, uint64_t after_seq)
{
    Drover__V1__AgentHello hello;

    drover__v1__agent_hello__init(&hello);
    hello.version = word(&site->w, "test");
    hello.after_seq = after_seq;
    hello.stream = WATCH_NUMBER;
    const struct dr_trust *trust = dr_trust_store_get(site->agent_trust[agent]);
    if (trust->chain.msg != NULL) {
        hello.chain_sha256 = DATA32(trust->chain.sha256);
    }
    hello.root_version = trust->root.msg->version;
    OK(&site->w, dr_rpc_stream_open(site->agent[agent], DR_METHOD_AGENT_WATCH, &hello.base,
                                    &site->watch[agent], &site->w.err));
}

static void
agent_ack_of(struct site *site, int agent, uint64_t seq, uint64_t stream)
{
    Drover__V1__AckRequest request;
    ProtobufCMessage *reply = NULL;

    drover__v1__ack_request__init(&request);
    request.seq = seq;
    request.stream = stream;
    const struct dr_trust *trust = dr_trust_store_get(site->agent_trust[agent]);
    if (trust->chain.msg != NULL) {
        request.chain_sha256 = DATA32(trust->chain.sha256);
    }
    OK(&site->w, call(site, site->agent[agent], DR_METHOD_AGENT_ACK, &request.base, &reply));
}

static void
agent_ack(struct site *site, int agent, uint64_t seq)
{
    agent_ack_of(site, agent, seq, WATCH_NUMBER);
}

static void
agent_trust_update(struct site *site, int agent, const Drover__V1__TrustUpdate *update)
{
    bool changed;

    OK(&site->w,
       dr_trust_store_update(site->agent_trust[agent], update, NOW, &changed, &site->w.err));
}

// The next push of a kind, not acknowledged yet; others before it are taken as the agent does.
DR_UNUSED static Drover__V1__Push *
agent_take(struct site *site, int agent, Drover__V1__PushKind kind)
{
    for (;;) {
        ProtobufCMessage *item = NULL;

        OK(&site->w, dr_rpc_stream_next(site->watch[agent], DEADLINE_MS, -1, site->w.arena, &item,
                                        &site->w.err));
        assert_non_null(item);
        Drover__V1__Push *push = (Drover__V1__Push *)(void *)item;
        if (push->kind == DROVER__V1__PUSH_KIND__PUSH_TRUST) {
            Drover__V1__TrustUpdate *update = drover__v1__trust_update__unpack(
                dr_arena_protobuf(site->w.arena), push->body.len, push->body.data);

            assert_non_null(update);
            agent_trust_update(site, agent, update);
        }
        if (push->kind == kind) {
            return push;
        }
        if (push->seq == 0) {
            continue; // the log's head, which is not acknowledged
        }
        agent_ack(site, agent, push->seq);
    }
}

// The same, acknowledged.
DR_UNUSED static Drover__V1__Push *
agent_next(struct site *site, int agent, Drover__V1__PushKind kind)
{
    Drover__V1__Push *push = agent_take(site, agent, kind);

    agent_ack(site, agent, push->seq);
    return push;
}

DR_UNUSED static enum dr_rc
agent_attest(struct site *site, int agent, Drover__V1__Attestation *msg, uint8_t sha256[32])
{
    Drover__V1__Document request;
    ProtobufCMessage *reply = NULL;

    drover__v1__document__init(&request);
    request.kind = word(&site->w, DR_TYPE_ATTESTATION);
    request.envelope =
        data_of(sign_attestation(&site->w, msg, &site->w.agent[agent], agent, sha256));
    return call(site, site->agent[agent], DR_METHOD_AGENT_ATTEST, &request.base, &reply);
}

// READY (with a BACKUP before it for production) of a target that is at base.
DR_UNUSED static void
agent_ready(struct site *site, int agent, int64_t time)
{
    Drover__V1__Attestation msg;
    uint8_t sha256[32];
    struct world *w = &site->w;

    if (agent >= PRD_BILLING) {
        begin_attestation(w, &msg, agent, ATT(BACKUP), time - 1);
        msg.backup = &w->record;
        w->record.n_heads = 0;
        OK(w, agent_attest(site, agent, &msg, sha256));
    }
    begin_attestation(w, &msg, agent, ATT(READY), time);
    msg.nonce = DATA32(w->nonce);
    msg.fingerprint = DATA32(w->fp_before);
    msg.identity = &w->identity;
    msg.plan_sha256 = DATA32(w->plan_sha);
    OK(w, agent_attest(site, agent, &msg, site->ready_sha[agent]));
}

DR_UNUSED static void
agent_applied(struct site *site, int agent, int64_t time, const uint8_t approval[32])
{
    Drover__V1__Attestation msg;
    struct world *w = &site->w;

    begin_attestation(w, &msg, agent, ATT(APPLIED), time);
    applied(w, &msg);
    if (site->units != NULL) {
        msg.units = site->units;
        msg.n_units = site->n_units;
    }
    msg.mode = MODE(UP);
    msg.plan_sha256 = DATA32(w->plan_sha);
    msg.approval_sha256 = DATA32(approval);
    OK(w, agent_attest(site, agent, &msg, site->applied_sha[agent]));
}

DR_UNUSED static void
agent_state(struct site *site, int agent, int64_t time)
{
    Drover__V1__Attestation msg;
    struct world *w = &site->w;

    begin_attestation(w, &msg, agent, ATT(STATE), time);
    msg.heads = &w->head_p[2];
    msg.n_heads = 1;
    msg.fingerprint = DATA32(w->fp_after);
    OK(w, agent_attest(site, agent, &msg, site->state_sha[agent]));
}

// Takes the pushed bundle as the agent does: its trust into the agent's own store, then every check
// of common/trust.
DR_UNUSED static enum dr_rc
agent_verify(struct site *site, int agent, Drover__V1__Push *push, struct dr_bytes ready,
             struct dr_bytes backup)
{
    struct world *w = &site->w;
    struct dr_verdict verdict;
    Drover__V1__Bundle *bundle =
        drover__v1__bundle__unpack(dr_arena_protobuf(w->arena), push->body.len, push->body.data);

    assert_non_null(bundle);
    agent_trust_update(site, agent, bundle->trust);
    struct dr_verify_me me = {.target = w->target[agent].name,
                              .environment = w->target[agent].environment,
                              .agent = w->target[agent].agent,
                              .engine = DROVER__V1__ENGINE__POSTGRESQL};
    memcpy(me.signing_key, w->agent[agent].public_key, 32);
    const struct dr_verify_input input = {.me = &me,
                                          .trust = dr_trust_store_get(site->agent_trust[agent]),
                                          .bundle = bundle,
                                          .plan = w->plan_bytes,
                                          .ready = ready,
                                          .backup = backup,
                                          .now = NOW};
    return dr_verify(w->arena, &input, &verdict, &w->err);
}

// ---- approvals

// An approval of the two targets of an environment, signed by nobody yet; for production in two
// waves.
DR_UNUSED static struct dr_bytes
draft_approval(struct site *site, int first, const uint8_t (*evidence)[32], size_t n_evidence,
               struct dr_bytes **out_leaves)
{
    struct world *w = &site->w;
    struct dr_approval_target targets[2];
    uint8_t listed[16][32];
    struct dr_approval_request request = {
        .header = w->request.header, .targets = targets, .n_targets = 2};
    struct dr_bytes payload;
    const char *environment = w->target[first].environment;

    request.header.environment = word(w, environment);
    request.header.plan_sha256 = DATA32(w->plan_sha);
    request.header.policy_sha256 =
        DATA32(dr_fleet_environment(w->all, TARGETS + ENVIRONMENTS, environment)->sha256);
    request.header.not_before = NOW - 20;
    request.header.leaves_root = (ProtobufCBinaryData){0};
    memset(targets, 0, sizeof targets);
    for (int i = 0; i < 2; i++) {
        targets[i].target = w->target[first + i].name;
        targets[i].wave = first == PRD_BILLING ? (uint32_t)(i + 1) : 1;
        memcpy(targets[i].ready_sha256, site->ready_sha[first + i], 32);
        memcpy(targets[i].entry_sha256,
               dr_fleet_target(w->all, TARGETS + ENVIRONMENTS, targets[i].target)->sha256, 32);
    }
    for (size_t i = 0; i < n_evidence; i++) {
        memcpy(listed[i], evidence[i], 32);
    }
    request.evidence = listed;
    request.n_evidence = n_evidence;
    OK(w, dr_approval_draft(w->arena, &request, &payload, out_leaves, &w->err));
    return payload;
}

DR_UNUSED static struct dr_bytes
signed_by_one(struct site *site, const char *type, struct dr_bytes payload, int who,
              uint8_t sha256[32])
{
    const struct dr_key *keys[] = {&site->w.person[who]};
    struct dr_envelope envelope;
    struct dr_bytes wire = sign_by(&site->w, type, payload, keys, 1);

    OK(&site->w, dr_envelope_parse(wire, type, &envelope, &site->w.err));
    memcpy(sha256, envelope.sha256, 32);
    return wire;
}

#endif
