// The coordinator over the wire: documents, signatures, attestations, revisions, who may do what.
#include "unit/core/world_agents.h"

#include "revision/digest.h"

static void
signatures_of_the_chain_are_gathered_until_there_are_enough(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__PutDocumentReply *reply;
    uint8_t sha256[32];
    struct dr_bytes payload = payload_of(w, w->chain.wire);

    OK(w,
       put_document(site, ALICE, DR_TYPE_CHAIN,
                    signed_by_one(site, DR_TYPE_CHAIN, payload, ALICE, sha256), NULL, 0, &reply));
    assert_false(reply->complete);
    assert_true(reply->is_new);
    OK(w,
       put_document(site, ALICE, DR_TYPE_CHAIN,
                    signed_by_one(site, DR_TYPE_CHAIN, payload, ALICE, sha256), NULL, 0, &reply));
    assert_int_equal(reply->signatures, 1);
    assert_false(reply->is_new);
    site_restart(site);
    OK(w, put_document(site, BOB, DR_TYPE_CHAIN,
                       signed_by_one(site, DR_TYPE_CHAIN, payload, BOB, sha256), NULL, 0, &reply));
    assert_true(reply->complete);
}

static void
a_document_that_nobody_of_the_role_signed_is_not_kept(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    const struct dr_key *keys[] = {&w->stranger};
    struct dr_bytes wire = sign_by(w, DR_TYPE_CHAIN, payload_of(w, w->chain.wire), keys, 1);

    REFUSED(DR_E_BAD_SIGNATURE, put_document(site, ALICE, DR_TYPE_CHAIN, wire, NULL, 0, NULL));
    REFUSED(DR_E_BAD_ENVELOPE,
            put_document(site, ALICE, DR_TYPE_CHAIN, (struct dr_bytes){(const uint8_t *)"x", 1},
                         NULL, 0, NULL));
}

static void
an_attestation_twice_is_nothing_new_and_another_under_its_number_is_an_alarm(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    uint8_t sha256[32];
    Drover__V1__Attestation msg;
    Drover__V1__LogRequest request;
    ProtobufCMessage *message = NULL;
    struct dr_attest_state before;
    bool has_alarm = false;

    begin_site(site);
    begin_attestation(w, &msg, STG_ORDERS, ATT(STATE), NOW - 10);
    msg.fingerprint = DATA32(w->fp_before);
    OK(w, agent_attest(site, STG_ORDERS, &msg, sha256));
    before = w->counters[STG_ORDERS];
    OK(w, agent_attest(site, STG_ORDERS, &msg, sha256));
    w->counters[STG_ORDERS] = before;
    OK(w, agent_attest(site, STG_ORDERS, &msg, sha256)); // the same bytes again
    w->counters[STG_ORDERS] = before;
    msg.time = NOW - 9;
    REFUSED(DR_E_COUNTER_REUSED, agent_attest(site, STG_ORDERS, &msg, sha256));
    drover__v1__log_request__init(&request);
    OK(w, call(site, site->person[ALICE], DR_METHOD_OPERATOR_LOG, &request.base, &message));
    const Drover__V1__LogReply *log = (const Drover__V1__LogReply *)(void *)message;
    for (size_t i = 0; i < log->n_entries; i++) {
        has_alarm = has_alarm || strcmp(log->entries[i]->kind, "alarm") == 0;
    }
    assert_true(has_alarm);
}

static void
the_log_that_travels_is_a_whole_chain(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_loghash check = {0};
    Drover__V1__LogRequest request;
    ProtobufCMessage *message = NULL;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    drover__v1__log_request__init(&request);
    OK(w, call(site, site->person[ALICE], DR_METHOD_OPERATOR_LOG, &request.base, &message));
    const Drover__V1__LogReply *log = (const Drover__V1__LogReply *)(void *)message;
    assert_true(log->n_entries > 5);
    for (size_t i = 0; i < log->n_entries; i++) {
        OK(w, dr_loghash_verify(&check, log->entries[i], &w->err));
    }
}

static void
strangers_reach_health_and_enrolment_and_nothing_else(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_key key = test_key(w, DR_KEY_TRANSPORT, 99);
    struct dr_rpc_client *client = site_client(site, &key);
    Drover__V1__EnrollRequest offer;
    Drover__V1__HealthRequest health;
    Drover__V1__Empty empty;
    ProtobufCMessage *reply = NULL;

    begin_site(site);
    drover__v1__empty__init(&empty);
    drover__v1__enroll_request__init(&offer);
    drover__v1__health_request__init(&health);
    assert_int_not_equal(call(site, client, DR_METHOD_OPERATOR_LIST_ROLLOUTS, &empty.base, &reply),
                         DR_OK);
    OK(w, call(site, client, DR_METHOD_HEALTH_CHECK, &health.base, &reply));
    assert_string_equal(((Drover__V1__HealthReply *)(void *)reply)->caller_kind, "unknown");
    offer.agent = word(w, "new-1");
    offer.signing_key = DATA32(w->stranger.public_key);
    offer.transport_key = DATA32(key.public_key);
    OK(w, call(site, client, DR_METHOD_ENROLL_OFFER, &offer.base, &reply));
    assert_string_equal(((Drover__V1__EnrollReply *)(void *)reply)->state, "offered");
    OK(w, call(site, client, DR_METHOD_ENROLL_OFFER, &offer.base, &reply)); // again is the same
    OK(w, call(site, site->person[ALICE], DR_METHOD_OPERATOR_AGENTS, &empty.base, &reply));
    const Drover__V1__AgentList *list = (const Drover__V1__AgentList *)(const void *)reply;
    assert_int_equal(list->n_offers, 1);
    assert_string_equal(list->offers[0]->agent, "new-1");
    assert_string_equal(list->offers[0]->state, "offered");
    assert_int_equal(strlen(list->offers[0]->words), 35);
    assert_memory_equal(list->offers[0]->transport_key.data, key.public_key, 32);
    // A name of the fleet with a key that is not the fleet's.
    offer.agent = word(w, list->agents[0]->agent);
    OK(w, call(site, client, DR_METHOD_ENROLL_OFFER, &offer.base, &reply));
    assert_string_equal(((Drover__V1__EnrollReply *)(void *)reply)->state, "other-key");
    offer.transport_key = DATA32(w->stranger.public_key); // not the one of this connection
    assert_int_equal(call(site, client, DR_METHOD_ENROLL_OFFER, &offer.base, &reply), DR_E_INVALID);
    OK(w, call(site, site->person[ALICE], DR_METHOD_HEALTH_CHECK, &health.base, &reply));
    assert_string_equal(((Drover__V1__HealthReply *)(void *)reply)->caller, "alice");
    dr_rpc_client_close(&client);
    dr_key_fini(&key);
}

// What drover agent list says of the first agent.
static const char *
state_of_agent(struct site *site, const char *name)
{
    Drover__V1__Empty empty;
    ProtobufCMessage *reply = NULL;

    drover__v1__empty__init(&empty);
    OK(&site->w, call(site, site->person[ALICE], DR_METHOD_OPERATOR_AGENTS, &empty.base, &reply));
    const Drover__V1__AgentList *list = (const Drover__V1__AgentList *)(const void *)reply;
    for (size_t i = 0; i < list->n_agents; i++) {
        if (strcmp(list->agents[i]->agent, name) == 0) {
            return list->agents[i]->state;
        }
    }
    return "not there";
}

// A process of an agent connects, by its own number.
static void
connect_as(struct site *site, int agent, uint8_t number)
{
    struct dr_rpc_client *client = site_client(site, &site->agent_transport[agent]);
    struct dr_rpc_stream *stream = NULL;
    Drover__V1__AgentHello hello;
    Drover__V1__HealthRequest health;
    ProtobufCMessage *reply = NULL;
    uint8_t instance[16] = {number};

    drover__v1__agent_hello__init(&hello);
    drover__v1__health_request__init(&health);
    hello.instance = dr_data(instance, sizeof instance);
    OK(&site->w,
       dr_rpc_stream_open(client, DR_METHOD_AGENT_WATCH, &hello.base, &stream, &site->w.err));
    OK(&site->w, call(site, client, DR_METHOD_HEALTH_CHECK, &health.base, &reply)); // behind it
    dr_rpc_stream_close(&stream);
    dr_rpc_client_close(&client);
}

static void
a_key_that_two_agents_take_turns_with_is_an_alarm(void **state)
{
    struct site *site = *state;
    const char *name;

    begin_site(site);
    name = site->w.target[STG_ORDERS].agent;
    connect_as(site, STG_ORDERS, 1);
    connect_as(site, STG_ORDERS, 1); // its net process was restarted
    connect_as(site, STG_ORDERS, 2); // it was restarted itself
    assert_string_not_equal(state_of_agent(site, name), "key-copied");
    connect_as(site, STG_ORDERS, 1); // the one from before is still there
    assert_string_equal(state_of_agent(site, name), "key-copied");
}

static void
a_revision_is_submitted_once_and_only_with_its_true_digest(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__SubmitRequest request;
    Drover__V1__SubmittedRevision revision, *list[1] = {&revision};
    ProtobufCMessage *reply = NULL;
    uint8_t file[32], digest[32];

    drover__v1__submit_request__init(&request);
    drover__v1__submitted_revision__init(&revision);
    digest_of(file, "CREATE TABLE t (a int);");
    put_blob(site, file, (struct dr_bytes){(const uint8_t *)"CREATE TABLE t (a int);", 23});
    dr_digest_revision(digest, "001_t", file, NULL, 0);
    revision.id = word(w, "001_t");
    revision.file_sha256 = DATA32(file);
    revision.file_size = 23;
    revision.digest = DATA32(file);
    request.project = word(w, "shop");
    request.revisions = list;
    request.n_revisions = 1;
    REFUSED(DR_E_PLAN_MISMATCH,
            call(site, site->person[ALICE], DR_METHOD_OPERATOR_SUBMIT, &request.base, &reply));
    revision.digest = DATA32(digest);
    OK(w, call(site, site->person[ALICE], DR_METHOD_OPERATOR_SUBMIT, &request.base, &reply));
    assert_int_equal(((Drover__V1__SubmitReply *)(void *)reply)->added, 1);
    OK(w, call(site, site->person[BOB], DR_METHOD_OPERATOR_SUBMIT, &request.base, &reply));
    assert_int_equal(((Drover__V1__SubmitReply *)(void *)reply)->added, 0);
    assert_string_equal(((Drover__V1__SubmitReply *)(void *)reply)->revisions[0]->submitted_by,
                        "alice");
}

static void
a_new_root_takes_effect_at_once_and_old_keys_are_cut_off(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_key fresh = test_key(w, DR_KEY_TRANSPORT, 77);
    Drover__V1__PutDocumentReply *reply;
    Drover__V1__Empty empty;
    ProtobufCMessage *message = NULL;
    uint8_t sha256[32];

    begin_site(site);
    drover__v1__empty__init(&empty);
    OK(w, call(site, site->person[CAROL], DR_METHOD_OPERATOR_LIST_ROLLOUTS, &empty.base, &message));
    w->root_msg.version = 2;
    w->people[CAROL].transport_key = DATA32(fresh.public_key);
    struct dr_bytes payload = packed(w, &w->root_msg.base);
    OK(w, put_document(site, ALICE, DR_TYPE_ROOT,
                       signed_by_one(site, DR_TYPE_ROOT, payload, ALICE, sha256), NULL, 0, &reply));
    assert_false(reply->complete);
    OK(w, put_document(site, BOB, DR_TYPE_ROOT,
                       signed_by_one(site, DR_TYPE_ROOT, payload, BOB, sha256), NULL, 0, &reply));
    assert_true(reply->complete);
    // the old key is a stranger's now; the fleet holds under the new root
    assert_int_not_equal(
        call(site, site->person[CAROL], DR_METHOD_OPERATOR_LIST_ROLLOUTS, &empty.base, &message),
        DR_OK);
    struct dr_rpc_client *client = site_client(site, &fresh);
    OK(w, call(site, client, DR_METHOD_OPERATOR_LIST_ROLLOUTS, &empty.base, &message));
    OK(w, create_rollout(site, NULL));
    dr_rpc_client_close(&client);
    dr_key_fini(&fresh);
}

static void
a_freeze_is_shown_to_every_agent_of_its_environment(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    ProtobufCBinaryData wire;
    uint8_t sha256[32];

    begin_site(site);
    agent_watch(site, STG_ORDERS, 0);
    make_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "staging", NOW - 5, NULL, 1, &wire, sha256);
    OK(w, put_document(site, CAROL, DR_TYPE_SIGNOFF, (struct dr_bytes){wire.data, wire.len}, NULL,
                       0, NULL));
    const Drover__V1__Push *push =
        agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_SIGNOFF);
    assert_int_equal(push->body.len, wire.len);
    assert_memory_equal(push->body.data, wire.data, wire.len);
}

static void
an_agent_may_speak_for_itself_only(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Document request;
    Drover__V1__Attestation msg;
    ProtobufCMessage *reply = NULL;
    uint8_t sha256[32];

    begin_site(site);
    begin_attestation(w, &msg, STG_STOCK, ATT(STATE), NOW - 5);
    msg.fingerprint = DATA32(w->fp_before);
    drover__v1__document__init(&request);
    request.kind = word(w, DR_TYPE_ATTESTATION);
    request.envelope = data_of(sign_attestation(w, &msg, &w->agent[STG_STOCK], STG_STOCK, sha256));
    REFUSED(DR_E_PERMISSION,
            call(site, site->agent[STG_ORDERS], DR_METHOD_AGENT_ATTEST, &request.base, &reply));
    request.kind = word(w, DR_TYPE_CHAIN);
    request.envelope = data_of(w->chain.wire);
    REFUSED(DR_E_PERMISSION,
            call(site, site->agent[STG_ORDERS], DR_METHOD_DOCUMENTS_PUT, &request.base, &reply));
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_TEST(signatures_of_the_chain_are_gathered_until_there_are_enough),
        SITE_TEST(a_document_that_nobody_of_the_role_signed_is_not_kept),
        SITE_TEST(an_attestation_twice_is_nothing_new_and_another_under_its_number_is_an_alarm),
        SITE_TEST(the_log_that_travels_is_a_whole_chain),
        SITE_TEST(strangers_reach_health_and_enrolment_and_nothing_else),
        SITE_TEST(a_key_that_two_agents_take_turns_with_is_an_alarm),
        SITE_TEST(a_revision_is_submitted_once_and_only_with_its_true_digest),
        SITE_TEST(a_new_root_takes_effect_at_once_and_old_keys_are_cut_off),
        SITE_TEST(a_freeze_is_shown_to_every_agent_of_its_environment),
        SITE_TEST(an_agent_may_speak_for_itself_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
