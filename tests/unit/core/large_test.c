// What is over one message, over the wire with real keys: a fleet of 10,000 targets, bundles of
// megabytes, a chain that an agent holds in part.
#include "unit/core/world_rollout.h"

#include "coordinator/core/large.h"

#define MANY 10000u

// ---- a large fleet

static Drover__V1__FleetEntry **
many_entries(struct world *w)
{
    Drover__V1__FleetEntry **entries =
        dr_arena_array(w->arena, MANY + TARGETS + ENVIRONMENTS, sizeof *entries);

    memcpy(entries, w->entry_p, sizeof w->entry_p);
    for (size_t i = 0; i < MANY; i++) {
        Drover__V1__Target *target = dr_arena_copy(w->arena, &w->target[0], sizeof *target);
        Drover__V1__FleetEntry *entry = dr_arena_copy(w->arena, &w->entry_msg[0], sizeof *entry);
        uint8_t *transport = dr_arena_alloc(w->arena, 32);
        struct dr_key key;

        OK(w, dr_key_generate(DR_KEY_SIGNING, &key, &w->err));
        const uint8_t *public_key = dr_arena_copy(w->arena, key.public_key, 32);
        dr_key_fini(&key);
        dr_random(transport, 32);
        target->name = dr_arena_printf(w->arena, "staging/db%05zu", i);
        target->agent = dr_arena_printf(w->arena, "agent%05zu", i);
        target->agent_signing_key = dr_data(public_key, 32);
        target->agent_transport_key = dr_data(transport, 32);
        entry->target = target;
        entries[TARGETS + ENVIRONMENTS + i] = entry;
    }
    return entries;
}

static struct dr_bytes
large_fleet(struct world *w, struct dr_bytes **out_leaves)
{
    struct dr_bytes payload;
    Drover__V1__Fleet header = w->fleet_msg;

    header.version++;
    OK(w, dr_fleet_draft(w->arena, header, many_entries(w), MANY + TARGETS + ENVIRONMENTS, &payload,
                         out_leaves, &w->err));
    return sign_by_two(w, DR_TYPE_FLEET, payload);
}

static void
put_pieces(struct site *site, struct dr_bytes bytes, uint8_t sha256[32])
{
    dr_sha256(bytes, sha256);
    for (size_t offset = 0; offset < bytes.len;) {
        Drover__V1__PutBlobRequest request = DROVER__V1__PUT_BLOB_REQUEST__INIT;
        ProtobufCMessage *reply = NULL;
        size_t len =
            bytes.len - offset > DR_BLOB_PIECE_MAX ? DR_BLOB_PIECE_MAX : bytes.len - offset;

        request.sha256 = dr_data(sha256, 32);
        request.offset = offset;
        request.total = bytes.len;
        request.bytes = dr_data(bytes.data + offset, len);
        OK(&site->w,
           call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT_BLOB, &request.base, &reply));
        offset += len;
    }
}

static struct dr_bytes
get_pieces(struct site *site, struct dr_rpc_client *client, ProtobufCBinaryData sha256)
{
    uint8_t *bytes = NULL;
    size_t have = 0, total = 0;

    do {
        Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
        ProtobufCMessage *reply = NULL;

        request.sha256 = sha256;
        request.offset = have;
        OK(&site->w, call(site, client, DR_METHOD_DOCUMENTS_GET_BLOB, &request.base, &reply));
        const Drover__V1__GetBlobReply *piece = (const Drover__V1__GetBlobReply *)(void *)reply;
        total = (size_t)piece->total;
        bytes = bytes != NULL ? bytes : dr_arena_alloc(site->w.arena, total);
        assert_non_null(bytes);
        assert_true(piece->bytes.len > 0 && have + piece->bytes.len <= total);
        memcpy(bytes + have, piece->bytes.data, piece->bytes.len);
        have += piece->bytes.len;
    } while (have < total);
    return (struct dr_bytes){bytes, total};
}

static struct dr_bytes
pack_document(struct world *w, const char *kind, struct dr_bytes wire,
              const struct dr_bytes *leaves, size_t n)
{
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;

    document.kind = word(w, kind);
    document.envelope = data_of(wire);
    document.parts = dr_arena_array(w->arena, n, sizeof *document.parts);
    document.n_parts = n;
    for (size_t i = 0; i < n; i++) {
        document.parts[i] = data_of(leaves[i]);
    }
    return packed(w, &document.base);
}

static Drover__V1__Document *
newest_fleet(struct site *site, const uint8_t *have)
{
    Drover__V1__GetDocumentRequest request = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;

    request.kind = word(&site->w, DR_TYPE_FLEET);
    request.have_sha256 = dr_data(have, have != NULL ? 32 : 0);
    OK(&site->w, call(site, site->person[BOB], DR_METHOD_DOCUMENTS_GET, &request.base, &reply));
    return (Drover__V1__Document *)(void *)reply;
}

static void
a_fleet_of_ten_thousand_targets_goes_up_and_comes_down_as_a_blob(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_bytes *leaves;
    Drover__V1__Document named = DROVER__V1__DOCUMENT__INIT;
    ProtobufCMessage *reply = NULL;
    uint8_t sha256[32];

    begin_site(site);
    struct dr_bytes wire = large_fleet(w, &leaves);
    struct dr_bytes whole =
        pack_document(w, DR_TYPE_FLEET, wire, leaves, MANY + TARGETS + ENVIRONMENTS);
    assert_true(whole.len > 1u << 20);
    named.kind = word(w, DR_TYPE_FLEET);
    dr_sha256(whole, sha256);
    named.blob = DATA32(sha256);
    REFUSED(DR_E_BLOB_MISSING,
            call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT, &named.base, &reply));
    put_pieces(site, whole, sha256);
    OK(w, call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT, &named.base, &reply));
    assert_true(((Drover__V1__PutDocumentReply *)(void *)reply)->complete);

    const Drover__V1__Document *got = newest_fleet(site, NULL);
    assert_int_equal(got->n_parts, 0);
    assert_int_equal(got->blob.len, 32);
    struct dr_bytes bytes = get_pieces(site, site->person[BOB], got->blob);
    got = drover__v1__document__unpack(dr_arena_protobuf(w->arena), bytes.len, bytes.data);
    assert_non_null(got);
    assert_int_equal(got->n_parts, MANY + TARGETS + ENVIRONMENTS);
    got = newest_fleet(site, got->sha256.data);
    assert_int_equal(got->envelope.len + got->blob.len + got->n_parts, 0);

    // an agent gets its own entry and its environment's, each with a path
    agent_watch(site, STG_ORDERS, 0);
    const Drover__V1__Push *push = agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_TRUST);
    assert_true(push->body.len < 16384);
    const struct dr_trust *trust = dr_trust_store_get(site->agent_trust[STG_ORDERS]);
    assert_int_equal(trust->fleet.msg->entries_count, MANY + TARGETS + ENVIRONMENTS);
    assert_int_equal(trust->n_entries, 2);
}

static void
a_blob_that_is_no_document_is_not_put(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Document named = DROVER__V1__DOCUMENT__INIT;
    ProtobufCMessage *reply = NULL;
    uint8_t sha256[32];

    put_pieces(site, (struct dr_bytes){(const uint8_t *)"\xff\xff", 2}, sha256);
    named.kind = word(w, DR_TYPE_FLEET);
    named.blob = DATA32(sha256);
    REFUSED(DR_E_BAD_DOCUMENT,
            call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT, &named.base, &reply));
    named.blob.len = 31;
    REFUSED(DR_E_INVALID,
            call(site, site->person[ALICE], DR_METHOD_DOCUMENTS_PUT, &named.base, &reply));
}

// ---- large bundles

// APPLIED of a chain with thousands of revisions.
static void
make_units(struct site *site, size_t n)
{
    struct world *w = &site->w;

    site->units = dr_arena_array(w->arena, n, sizeof *site->units);
    site->n_units = n;
    memcpy(site->units, w->proof_up_p, 3 * sizeof *site->units);
    for (size_t i = 3; i < n; i++) {
        uint8_t *digest = dr_arena_alloc(w->arena, 32);

        dr_random(digest, 32);
        site->units[i] = dr_arena_copy(w->arena, w->proof_up_p[0], sizeof **site->units);
        site->units[i]->revision_digest = site->units[i]->unit_digest = dr_data(digest, 32);
    }
}

static void
a_bundle_of_megabytes_lies_as_a_blob_until_it_is_acknowledged(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    uint8_t approval[32], sha256[32];
    ProtobufCMessage *item = NULL;

    begin_site(site);
    make_units(site, 9000);
    OK(w, create_rollout(site, NULL));
    run_staging(site);
    ready_production(site);
    approve_production(site, approval);
    Drover__V1__Push *push = agent_take(site, PRD_BILLING, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    assert_int_equal(push->body.len, 0);
    assert_true(push->size > 1u << 20);
    struct dr_bytes body = get_pieces(site, site->agent[PRD_BILLING], push->blob);
    assert_int_equal(body.len, push->size);
    dr_sha256(body, sha256);
    assert_true(dr_data_is(push->blob, sha256));
    Drover__V1__Push whole = *push;
    whole.body = data_of(body);
    OK(w, agent_verify(site, PRD_BILLING, &whole, payload_by(site, site->ready_sha[PRD_BILLING]),
                       backup_payload(site, PRD_BILLING)));
    agent_ack(site, PRD_BILLING, push->seq);
    Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
    request.sha256 = push->blob;
    REFUSED(DR_E_NOT_FOUND, call(site, site->agent[PRD_BILLING], DR_METHOD_DOCUMENTS_GET_BLOB,
                                 &request.base, &item));
}

// ---- pages

static void
status_and_rollouts_come_in_pages(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    ProtobufCMessage *reply = NULL;
    char names[TARGETS][64];
    size_t n = 0;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    request.limit = 1;
    do {
        OK(w, call(site, site->person[BOB], DR_METHOD_OPERATOR_STATUS, &request.base, &reply));
        const Drover__V1__StatusReply *page = (const Drover__V1__StatusReply *)(void *)reply;
        assert_int_equal(page->n_targets, 1);
        (void)snprintf(names[n++], sizeof names[0], "%s", page->targets[0]->target);
        request.after = page->next_after;
    } while (request.after[0] != '\0' && n < TARGETS);
    assert_int_equal(n, TARGETS);
    assert_string_equal(names[0], "production/billing");
    assert_string_equal(names[3], "staging/stock");

    id.id = word(w, "R-1");
    id.max_targets = 3;
    OK(w, call(site, site->person[BOB], DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &reply));
    const Drover__V1__Rollout *rollout = (const Drover__V1__Rollout *)(void *)reply;
    assert_int_equal(rollout->stages[0]->n_targets, 2);
    assert_int_equal(rollout->stages[1]->n_targets, 1);
    assert_int_equal(rollout->next_target, 3);
    id.first_target = rollout->next_target;
    OK(w, call(site, site->person[BOB], DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &reply));
    rollout = (const Drover__V1__Rollout *)(void *)reply;
    assert_int_equal(rollout->stages[0]->n_targets, 0);
    assert_string_equal(rollout->stages[1]->targets[0]->target, "production/orders");
    assert_int_equal(rollout->next_target, 0);
}

static const Drover__V1__StatusReply *
brief_status(struct site *site, uint64_t have)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;

    request.brief = true;
    request.have_log_index = have;
    OK(&site->w, call(site, site->person[BOB], DR_METHOD_OPERATOR_STATUS, &request.base, &reply));
    return (const Drover__V1__StatusReply *)(void *)reply;
}

static void
brief_status_names_what_counts_and_sends_what_is_new(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    const Drover__V1__StatusReply *reply;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    agent_ready(site, STG_STOCK, NOW - 300);
    agent_ready(site, PRD_BILLING, NOW - 300);
    reply = brief_status(site, 0);
    assert_int_equal(reply->n_targets, TARGETS);
    assert_int_equal(reply->n_attestations, 3);
    assert_int_equal(reply->targets[0]->n_words, 2); // READY and BACKUP of production/billing
    assert_memory_equal(reply->targets[0]->words[0].data, site->ready_sha[PRD_BILLING], 32);
    assert_int_equal(reply->targets[3]->n_words, 1);
    const uint64_t have = reply->log_count;
    reply = brief_status(site, have);
    assert_int_equal(reply->n_attestations, 0);
    assert_int_equal(reply->targets[0]->n_words, 2);
    assert_memory_equal(reply->targets[3]->words[0].data, site->ready_sha[STG_STOCK], 32);

    agent_state(site, STG_STOCK, NOW - 200);
    reply = brief_status(site, have);
    assert_int_equal(reply->n_attestations, 1);
    assert_memory_equal(reply->attestations[0]->sha256.data, site->state_sha[STG_STOCK], 32);
    assert_int_equal(reply->targets[3]->n_words, 1); // the newest word on its state, alone
    assert_memory_equal(reply->targets[3]->words[0].data, site->state_sha[STG_STOCK], 32);
}

static void
the_newest_of_each_target_and_kind_is_listed_in_pages(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    const Drover__V1__DocumentList *list;
    size_t n = 0;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_ready(site, i, NOW - 300);
        agent_ready(site, i, NOW - 200);
        agent_state(site, i, NOW - 100);
    }
    request.kind = word(w, DR_TYPE_ATTESTATION);
    request.environment = word(w, "staging");
    request.latest = true;
    request.subkinds = 1u << ATT(READY) | 1u << ATT(STATE);
    request.limit = 3;
    do {
        OK(w, call(site, site->person[BOB], DR_METHOD_DOCUMENTS_LIST, &request.base, &reply));
        list = (const Drover__V1__DocumentList *)(void *)reply;
        n += list->n_documents;
        request.after_target = list->next_after_target;
    } while (list->more);
    assert_int_equal(n, 4);
    request.latest = false;
    request.newest_first = true;
    request.limit = 1;
    OK(w, call(site, site->person[BOB], DR_METHOD_DOCUMENTS_LIST, &request.base, &reply));
    list = (const Drover__V1__DocumentList *)(void *)reply;
    assert_memory_equal(list->documents[0]->sha256.data, site->state_sha[STG_STOCK], 32);
    request.before_log_index = list->documents[0]->log_index;
    OK(w, call(site, site->person[BOB], DR_METHOD_DOCUMENTS_LIST, &request.base, &reply));
    list = (const Drover__V1__DocumentList *)(void *)reply;
    assert_memory_equal(list->documents[0]->sha256.data, site->ready_sha[STG_STOCK], 32);
}

// ---- who may read what

static void
an_agent_reads_only_what_it_was_offered(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    uint8_t other[32];

    begin_site(site);
    put_pieces(site, (struct dr_bytes){(const uint8_t *)"secret", 6}, other);
    request.sha256 = DATA32(w->plan_sha);
    REFUSED(DR_E_NOT_FOUND, call(site, site->agent[STG_ORDERS], DR_METHOD_DOCUMENTS_GET_BLOB,
                                 &request.base, &reply)); // no rollout has it yet
    OK(w, create_rollout(site, NULL));
    OK(w, call(site, site->agent[STG_ORDERS], DR_METHOD_DOCUMENTS_GET_BLOB, &request.base, &reply));
    request.sha256 = DATA32(other);
    REFUSED(DR_E_NOT_FOUND, call(site, site->agent[STG_ORDERS], DR_METHOD_DOCUMENTS_GET_BLOB,
                                 &request.base, &reply));
    OK(w, call(site, site->person[CAROL], DR_METHOD_DOCUMENTS_GET_BLOB, &request.base, &reply));
}

// ---- the chain

static void
an_agent_that_holds_a_chain_is_told_what_is_new_in_it(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__TrustUpdate *update;

    begin_site(site);
    agent_watch(site, STG_ORDERS, 0);
    const Drover__V1__Push *push = agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_TRUST);
    update = drover__v1__trust_update__unpack(dr_arena_protobuf(w->arena), push->body.len,
                                              push->body.data);
    assert_true(update->chain.len > 0);
    w->chain_msg.version++;
    w->chain_msg.n_entries++;
    struct dr_bytes next = sign_by_two(w, DR_TYPE_CHAIN, packed(w, &w->chain_msg.base));
    OK(w, put_document(site, ALICE, DR_TYPE_CHAIN, next, NULL, 0, NULL));
    push = agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_TRUST);
    update = drover__v1__trust_update__unpack(dr_arena_protobuf(w->arena), push->body.len,
                                              push->body.data);
    assert_int_equal(update->chain.len, 0);
    assert_non_null(update->chain_patch);
    const struct dr_trust *trust = dr_trust_store_get(site->agent_trust[STG_ORDERS]);
    assert_int_equal(trust->chain.msg->version, w->chain_msg.version);

    // who comes back with it is told nothing of it
    dr_rpc_stream_close(&site->watch[STG_ORDERS]);
    agent_watch(site, STG_ORDERS, 0);
    push = agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_TRUST);
    update = drover__v1__trust_update__unpack(dr_arena_protobuf(w->arena), push->body.len,
                                              push->body.data);
    assert_int_equal(update->chain.len, 0);
    assert_null(update->chain_patch);
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_TEST(a_fleet_of_ten_thousand_targets_goes_up_and_comes_down_as_a_blob),
        SITE_TEST(a_blob_that_is_no_document_is_not_put),
        SITE_TEST(a_bundle_of_megabytes_lies_as_a_blob_until_it_is_acknowledged),
        SITE_TEST(brief_status_names_what_counts_and_sends_what_is_new),
        SITE_TEST(status_and_rollouts_come_in_pages),
        SITE_TEST(the_newest_of_each_target_and_kind_is_listed_in_pages),
        SITE_TEST(an_agent_reads_only_what_it_was_offered),
        SITE_TEST(an_agent_that_holds_a_chain_is_told_what_is_new_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
