// A rollout of the core's test world: staging from PREPARE to STATE, production up to its approval.
#ifndef DR_TEST_CORE_WORLD_ROLLOUT_H
#define DR_TEST_CORE_WORLD_ROLLOUT_H

#include "unit/core/world_agents.h"

DR_UNUSED static struct dr_bytes
document_by(struct site *site, const uint8_t sha256[32])
{
    Drover__V1__GetDocumentRequest request;
    ProtobufCMessage *reply = NULL;

    drover__v1__get_document_request__init(&request);
    request.sha256 = dr_data(sha256, 32);
    OK(&site->w, call(site, site->person[CAROL], DR_METHOD_DOCUMENTS_GET, &request.base, &reply));
    ProtobufCBinaryData wire = ((Drover__V1__Document *)(void *)reply)->envelope;
    return (struct dr_bytes){wire.data, wire.len};
}

DR_UNUSED static struct dr_bytes
payload_by(struct site *site, const uint8_t sha256[32])
{
    return payload_of(&site->w, document_by(site, sha256));
}

// Staging from PREPARE to STATE.
DR_UNUSED static void
run_staging(struct site *site)
{
    uint8_t approval[32];
    struct dr_bytes *leaves;
    Drover__V1__PutDocumentReply *reply;

    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_watch(site, i, 0);
        (void)agent_next(site, i, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
        agent_ready(site, i, NOW - 200);
    }
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, NULL, 0, &leaves);
    struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, approval);
    OK(&site->w, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, &reply));
    assert_true(reply->complete);
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        Drover__V1__Push *bundle = agent_next(site, i, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);

        OK(&site->w, agent_verify(site, i, bundle, payload_by(site, site->ready_sha[i]),
                                  (struct dr_bytes){0}));
        agent_applied(site, i, NOW - 100, approval);
        (void)agent_next(site, i, DROVER__V1__PUSH_KIND__PUSH_ORDER);
        agent_state(site, i, NOW - 50);
    }
}

DR_UNUSED static struct dr_bytes
draft_production(struct site *site, const uint8_t *signoff, struct dr_bytes **leaves)
{
    uint8_t evidence[5][32];
    size_t n = 0;

    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        memcpy(evidence[n++], site->applied_sha[i], 32);
        memcpy(evidence[n++], site->state_sha[i], 32);
    }
    if (signoff != NULL) {
        memcpy(evidence[n++], signoff, 32);
    }
    return draft_approval(site, PRD_BILLING, (const uint8_t(*)[32])evidence, n, leaves);
}

DR_UNUSED static void
ready_production(struct site *site)
{
    for (int i = PRD_BILLING; i <= PRD_ORDERS; i++) {
        agent_watch(site, i, 0);
        Drover__V1__Push *push = agent_next(site, i, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
        Drover__V1__Prepare *prepare = drover__v1__prepare__unpack(dr_arena_protobuf(site->w.arena),
                                                                   push->body.len, push->body.data);

        assert_non_null(prepare);
        assert_true(prepare->with_backup);
        agent_ready(site, i, NOW - 40);
    }
}

// The BACKUP that the coordinator has of a target.
DR_UNUSED static struct dr_bytes
backup_payload(struct site *site, int agent)
{
    Drover__V1__ListDocumentsRequest request;
    ProtobufCMessage *message = NULL;

    drover__v1__list_documents_request__init(&request);
    request.kind = word(&site->w, DR_TYPE_ATTESTATION);
    request.target = site->w.target[agent].name;
    OK(&site->w, call(site, site->person[BOB], DR_METHOD_DOCUMENTS_LIST, &request.base, &message));
    const Drover__V1__DocumentList *list = (const Drover__V1__DocumentList *)(void *)message;
    assert_true(list->n_documents > 0);
    return payload_of(&site->w, (struct dr_bytes){list->documents[0]->envelope.data,
                                                  list->documents[0]->envelope.len});
}

DR_UNUSED static void
approve_production(struct site *site, uint8_t approval[32])
{
    struct world *w = &site->w;
    struct dr_bytes *leaves, wire = {w->signoff_wire[0].data, w->signoff_wire[0].len};

    OK(w, put_document(site, CAROL, DR_TYPE_SIGNOFF, wire, NULL, 0, NULL));
    struct dr_bytes payload = draft_production(site, w->item_sha, &leaves);
    for (int who = ALICE; who <= BOB; who++) {
        wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, who, approval);
        OK(w, put_document(site, who, DR_TYPE_APPROVAL, wire, leaves, 2, NULL));
    }
}

#endif
