// The coordinator over the wire, with real keys: a rollout from its creation to the last target,
// with a restart in between, and what is refused on the way. The bundles that come out must pass
// every check of an agent.
#include "unit/core/world_rollout.h"

#include "coordinator/core/schedule.h"
#include "db/sqlite.h"

// id: P6
// id: G1
// id: G2
static void
a_rollout_goes_from_staging_to_production_over_a_restart(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Rollout *rollout;
    Drover__V1__PutDocumentReply *reply;
    uint8_t approval[32];
    struct dr_bytes *leaves;

    begin_site(site);
    OK(w, create_rollout(site, &rollout));
    assert_string_equal(rollout->id, "R-1");
    assert_string_equal(rollout->stages[0]->environment, "staging");
    assert_string_equal(rollout->stages[0]->state, "preparing");
    assert_string_equal(rollout->stages[1]->state, "pending");
    run_staging(site);
    assert_string_equal(state_of(site, STG_ORDERS), "applied");
    site_restart(site);
    ready_production(site);

    // without the sign-off the approval is refused, and says what is missing
    struct dr_bytes payload = draft_production(site, NULL, &leaves);
    struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, approval);
    REFUSED(DR_E_GATE_MISSING, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, NULL));
    assert_non_null(strstr(w->err.message, "logs-reviewed"));
    rollout = get_rollout(site);
    assert_string_equal(rollout->next, "drover checklist R-1 sign logs-reviewed -e production");

    struct dr_bytes signoff = {w->signoff_wire[0].data, w->signoff_wire[0].len};
    OK(w, put_document(site, CAROL, DR_TYPE_SIGNOFF, signoff, NULL, 0, &reply));
    payload = draft_production(site, w->item_sha, &leaves);
    wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, approval);
    OK(w, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, &reply));
    assert_false(reply->complete);
    assert_int_equal(reply->signatures, 1);
    assert_int_equal(reply->needed, 2);
    assert_string_equal(state_of(site, PRD_BILLING), "ready");
    wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, BOB, approval);
    OK(w, put_document(site, BOB, DR_TYPE_APPROVAL, wire, NULL, 0, &reply));
    assert_true(reply->complete);

    // the canary first
    assert_string_equal(state_of(site, PRD_BILLING), "sent");
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    Drover__V1__Push *bundle = agent_next(site, PRD_BILLING, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    OK(w, agent_verify(site, PRD_BILLING, bundle, payload_by(site, site->ready_sha[PRD_BILLING]),
                       backup_payload(site, PRD_BILLING)));
    agent_applied(site, PRD_BILLING, NOW - 10, approval);
    bundle = agent_next(site, PRD_ORDERS, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    OK(w, agent_verify(site, PRD_ORDERS, bundle, payload_by(site, site->ready_sha[PRD_ORDERS]),
                       backup_payload(site, PRD_ORDERS)));
    agent_applied(site, PRD_ORDERS, NOW - 5, approval);
    rollout = get_rollout(site);
    assert_string_equal(rollout->state, "applied");
    assert_string_equal(rollout->stages[1]->state, "applied");
    assert_int_equal(rollout->stages[1]->n_signers, 2);
}

// Lets the coordinator's store lose an attestation of a target, as a damaged disk does.
static void
lose_attestation(struct site *site, const uint8_t sha256[32])
{
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_stmt *stmt = NULL;
    struct dr_err *err = &site->w.err;
    const struct dr_sqlite_options options = {.is_state = true};
    char path[PATH_MAX + 16];

    (void)snprintf(path, sizeof path, "%s/drover.db", site->config.state);
    site_disconnect(site);
    site_stop(site);
    OK(&site->w, dr_sqlite_open(path, &options, &db, err));
    OK(&site->w, dr_sqlite_prepare(db, "DELETE FROM document WHERE sha256 = ?1", &stmt, err));
    dr_sqlite_bind_blob(stmt, 1, sha256, 32);
    OK(&site->w, dr_sqlite_finish(stmt, err));
    dr_sqlite_finalize(&stmt);
    dr_sqlite_close(&db);
    site_start(site);
    site_connect(site);
}

// An agent that has seen more of the log than there is: the store was put back.
static void
an_agent_that_saw_another_log_is_told_what_is_here_and_raises_an_alarm(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__AgentHello hello = DROVER__V1__AGENT_HELLO__INIT;
    Drover__V1__LogRequest request = DROVER__V1__LOG_REQUEST__INIT;
    ProtobufCMessage *item = NULL, *reply = NULL;
    uint8_t hash[32] = {5};

    begin_site(site);
    for (int i = 0; i < 2; i++) { // beyond the end; and another hash at an entry that is there
        hello.version = word(w, "test");
        hello.log_index = i == 0 ? 1000000 : 1;
        hello.log_hash = DATA32(hash);
        OK(w, dr_rpc_stream_open(site->agent[STG_ORDERS], DR_METHOD_AGENT_WATCH, &hello.base,
                                 &site->watch[STG_ORDERS], &w->err));
        OK(w,
           dr_rpc_stream_next(site->watch[STG_ORDERS], DEADLINE_MS, -1, w->arena, &item, &w->err));
        const Drover__V1__Push *push = (const Drover__V1__Push *)(void *)item;
        assert_int_equal(push->kind, DROVER__V1__PUSH_KIND__PUSH_LOG_HEAD);
        const Drover__V1__LogHead *head = drover__v1__log_head__unpack(
            dr_arena_protobuf(w->arena), push->body.len, push->body.data);
        assert_true(head->index > 0);
        assert_int_equal(head->known_hash.len, i == 0 ? 0 : 32);
        dr_rpc_stream_close(&site->watch[STG_ORDERS]);
    }
    OK(w, call(site, site->person[BOB], DR_METHOD_OPERATOR_LOG, &request.base, &reply));
    const Drover__V1__LogReply *log = (const Drover__V1__LogReply *)(void *)reply;
    size_t alarms = 0;
    for (size_t i = 0; i < log->n_entries; i++) {
        alarms += strcmp(log->entries[i]->kind, "alarm") == 0 &&
                  strstr(log->entries[i]->text, "of another log") != NULL;
    }
    assert_int_equal(alarms, 2);
}

// id: P6
static void
an_attestation_is_taken_though_the_next_wave_cannot_be_sent_and_that_is_tried_again(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    uint8_t approval[32];
    Drover__V1__Document again;
    ProtobufCMessage *reply = NULL;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    run_staging(site);
    ready_production(site);
    approve_production(site, approval);
    struct dr_bytes lost = document_by(site, site->state_sha[STG_STOCK]);
    lose_attestation(site, site->state_sha[STG_STOCK]);

    agent_applied(site, PRD_BILLING, NOW - 10, approval); // what follows fails, this does not
    assert_string_equal(state_of(site, PRD_BILLING), "applied");
    assert_string_equal(state_of(site, PRD_ORDERS), "approved");
    const char *reason = get_rollout(site)->stages[1]->targets[1]->reason;
    assert_non_null(strstr(reason, "cannot be sent, tried again: not-found"));

    drover__v1__document__init(&again);
    again.envelope = data_of(lost);
    OK(w, call(site, site->agent[STG_STOCK], DR_METHOD_AGENT_ATTEST, &again.base, &reply));
    dr_clock_set_for_test((NOW + DR_SCHEDULE_RETRY_S) * 1000);
    agent_watch(site, PRD_ORDERS, 1);
    (void)agent_next(site, PRD_ORDERS, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    assert_string_equal(state_of(site, PRD_ORDERS), "sent");
}

static void
an_approval_that_names_evidence_which_is_not_here_is_refused(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_bytes *leaves;
    uint8_t sha256[32];

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_ready(site, i, NOW - 200);
    }
    const uint8_t nowhere[1][32] = {{7}};
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, nowhere, 1, &leaves);
    struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, sha256);
    REFUSED(DR_E_NOT_FOUND, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, NULL));
    assert_non_null(strstr(w->err.message, "evidence that is not here: 0700"));
}

static void
a_freeze_of_everything_holds_what_was_approved_until_it_is_lifted(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Rollout *rollout;
    ProtobufCBinaryData freeze, lift;
    uint8_t approval[32], sha256[32], lift_sha256[32];
    struct dr_bytes *leaves;

    begin_site(site);
    OK(w, create_rollout(site, &rollout));
    make_stop(w, DROVER__V1__SIGNOFF_KIND__FREEZE, "", NOW - 5, NULL, 1, &freeze, sha256);
    OK(w, put_document(site, CAROL, DR_TYPE_SIGNOFF, (struct dr_bytes){freeze.data, freeze.len},
                       NULL, 0, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_watch(site, i, 0);
        (void)agent_next(site, i, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
        agent_ready(site, i, NOW - 200);
    }
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, NULL, 0, &leaves);
    struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, approval);
    OK(w, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, NULL));
    assert_string_equal(state_of(site, STG_ORDERS), "approved");
    assert_non_null(strstr(get_rollout(site)->stages[0]->targets[0]->reason,
                           "waits until a stop is lifted: frozen: 'carol' stopped this"));
    make_stop(w, DROVER__V1__SIGNOFF_KIND__LIFT, "staging", NOW - 4, sha256, 2, &lift, lift_sha256);
    OK(w, put_document(site, ALICE, DR_TYPE_SIGNOFF, (struct dr_bytes){lift.data, lift.len}, NULL,
                       0, NULL));
    dr_clock_set_for_test((NOW + 10) * 1000);
    Drover__V1__Push *bundle = agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_BUNDLE);
    OK(w, agent_verify(site, STG_ORDERS, bundle, payload_by(site, site->ready_sha[STG_ORDERS]),
                       (struct dr_bytes){0})); // is shown both
}

static void
a_plan_outside_of_the_approved_chain_names_the_command(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;

    OK(w, put_document(site, ALICE, DR_TYPE_FLEET, w->fleet.wire, w->leaves, TARGETS + ENVIRONMENTS,
                       NULL));
    REFUSED(DR_E_BLOB_MISSING, create_rollout(site, NULL));
    put_blob(site, w->plan_sha, w->plan_bytes);
    REFUSED(DR_E_CHAIN_MISSING, create_rollout(site, NULL));
    assert_non_null(strstr(w->err.hint, "drover approve chain"));
}

static void
a_second_rollout_on_a_busy_target_is_refused_until_the_first_is_aborted(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Rollout *rollout;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    REFUSED(DR_E_ROLLOUT_BUSY, create_rollout(site, NULL));
    assert_non_null(strstr(w->err.message, "R-1"));
    OK(w, order(site, "abort", ""));
    OK(w, create_rollout(site, &rollout));
    assert_string_equal(rollout->id, "R-2");
    REFUSED(DR_E_ROLLOUT_ENDED, order(site, "resume", ""));
}

static void
a_rollout_waits_for_another_on_the_same_targets(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__CreateRolloutRequest request;
    Drover__V1__EnginePlan plan, *plans[1] = {&plan};
    ProtobufCMessage *reply = NULL;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    drover__v1__create_rollout_request__init(&request);
    drover__v1__engine_plan__init(&plan);
    plan.engine = DROVER__V1__ENGINE__POSTGRESQL;
    plan.plan_sha256 = DATA32(w->plan_sha);
    request.plans = plans;
    request.n_plans = 1;
    request.mode = MODE(UP);
    request.after_item = word(w, "logs-reviewed");
    REFUSED(DR_E_INVALID, call(site, site->person[ALICE], DR_METHOD_OPERATOR_CREATE_ROLLOUT,
                               &request.base, &reply));
    request.after = word(w, "R-9");
    REFUSED(DR_E_ROLLOUT_UNKNOWN, call(site, site->person[ALICE], DR_METHOD_OPERATOR_CREATE_ROLLOUT,
                                       &request.base, &reply));
    request.after = word(w, "R-1");
    OK(w,
       call(site, site->person[ALICE], DR_METHOD_OPERATOR_CREATE_ROLLOUT, &request.base, &reply));
    const Drover__V1__Rollout *second = (const Drover__V1__Rollout *)(const void *)reply;
    assert_string_equal(second->after, "R-1");
    assert_string_equal(second->after_item, "logs-reviewed");
    assert_string_equal(second->stages[0]->targets[0]->state, "pending");
    assert_string_equal(second->stages[0]->targets[0]->reason, "waits for R-1 to be done");
}

static void
an_approval_of_another_ready_is_refused(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_bytes *leaves;
    uint8_t sha256[32];

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_watch(site, i, 0);
        agent_ready(site, i, NOW - 200);
    }
    site->ready_sha[STG_STOCK][0] ^= 1;
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, NULL, 0, &leaves);
    struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, sha256);
    REFUSED(DR_E_WRONG_READY, put_document(site, ALICE, DR_TYPE_APPROVAL, wire, leaves, 2, NULL));
    assert_non_null(strstr(w->err.hint, "drover approve R-1 -e staging"));
}

static void
pushes_that_were_not_acknowledged_come_again(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    ProtobufCMessage *item = NULL;
    uint64_t seq = 0;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    agent_watch(site, STG_ORDERS, 0);
    for (int i = 0; i < 3; i++) { // the log's head, TRUST and PREPARE, taken, not acknowledged
        OK(w,
           dr_rpc_stream_next(site->watch[STG_ORDERS], DEADLINE_MS, -1, w->arena, &item, &w->err));
        seq = ((Drover__V1__Push *)(void *)item)->seq;
    }
    site_restart(site);
    agent_watch(site, STG_ORDERS, 1);
    const Drover__V1__Push *push =
        agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
    assert_true(push->seq <= seq);
}

// A coordinator whose store was lost counts from 1 again: an acknowledgement that was on its way to
// the one before must not take away what is new.
static void
an_acknowledgement_of_another_watch_changes_nothing(void **state)
{
    struct site *site = *state;

    begin_site(site);
    OK(&site->w, create_rollout(site, NULL));
    agent_watch(site, STG_ORDERS, 0);
    agent_ack_of(site, STG_ORDERS, 1000, WATCH_NUMBER + 1);
    site_restart(site);
    agent_watch(site, STG_ORDERS, 1);
    (void)agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
}

static void
pause_holds_an_approved_wave_and_resume_lets_it_go(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_bytes *leaves;
    uint8_t sha256[32];

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_watch(site, i, 0);
        agent_ready(site, i, NOW - 200);
    }
    OK(w, order(site, "pause", ""));
    REFUSED(DR_E_ROLLOUT_EVENT, order(site, "pause", ""));
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, NULL, 0, &leaves);
    OK(w, put_document(site, ALICE, DR_TYPE_APPROVAL,
                       signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, sha256), leaves, 2,
                       NULL));
    assert_string_equal(state_of(site, STG_ORDERS), "approved");
    assert_string_equal(get_rollout(site)->next, "drover rollout resume R-1");
    OK(w, order(site, "resume", ""));
    assert_string_equal(state_of(site, STG_ORDERS), "sent");
}

static void
a_failed_target_is_prepared_again_by_retry(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    Drover__V1__Attestation msg;
    uint8_t sha256[32];

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    agent_watch(site, STG_ORDERS, 0);
    (void)agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
    begin_attestation(w, &msg, STG_ORDERS, ATT(REFUSED), NOW - 100);
    msg.plan_sha256 = DATA32(w->plan_sha);
    msg.code = word(w, "preflight-failed");
    OK(w, agent_attest(site, STG_ORDERS, &msg, sha256));
    assert_string_equal(state_of(site, STG_ORDERS), "refused");
    assert_string_equal(get_rollout(site)->next, "drover rollout retry R-1 -t staging/orders");
    OK(w, order(site, "retry", ""));
    (void)agent_next(site, STG_ORDERS, DROVER__V1__PUSH_KIND__PUSH_PREPARE);
    assert_string_equal(state_of(site, STG_ORDERS), "preparing");
    REFUSED(DR_E_INVALID, order(site, "dance", ""));
}

static void
a_watcher_gets_the_state_at_once_and_then_each_event(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_rpc_stream *stream = NULL;
    Drover__V1__WatchRequest request;
    ProtobufCMessage *item = NULL;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    drover__v1__watch_request__init(&request);
    request.rollout = word(w, "R-1");
    OK(w, dr_rpc_stream_open(site->person[BOB], DR_METHOD_OPERATOR_WATCH_ROLLOUT, &request.base,
                             &stream, &w->err));
    OK(w, dr_rpc_stream_next(stream, DEADLINE_MS, -1, w->arena, &item, &w->err));
    assert_string_equal(((Drover__V1__RolloutEvent *)(void *)item)->rollout->state, "preparing");
    OK(w, order(site, "pause", ""));
    OK(w, dr_rpc_stream_next(stream, DEADLINE_MS, -1, w->arena, &item, &w->err));
    assert_string_equal(((Drover__V1__RolloutEvent *)(void *)item)->entry->text, "pause");
    assert_string_equal(((Drover__V1__RolloutEvent *)(void *)item)->rollout->state, "paused");
    dr_rpc_stream_close(&stream);
}

static void
progress_makes_a_target_running_and_is_shown(void **state)
{
    struct site *site = *state;
    struct world *w = &site->w;
    struct dr_bytes *leaves;
    uint8_t sha256[32];
    Drover__V1__Progress progress;
    ProtobufCMessage *reply = NULL;

    begin_site(site);
    OK(w, create_rollout(site, NULL));
    for (int i = STG_ORDERS; i <= STG_STOCK; i++) {
        agent_watch(site, i, 0);
        agent_ready(site, i, NOW - 200);
    }
    struct dr_bytes payload = draft_approval(site, STG_ORDERS, NULL, 0, &leaves);
    OK(w, put_document(site, ALICE, DR_TYPE_APPROVAL,
                       signed_by_one(site, DR_TYPE_APPROVAL, payload, ALICE, sha256), leaves, 2,
                       NULL));
    drover__v1__progress__init(&progress);
    progress.target = w->target[STG_ORDERS].name;
    progress.rollout = word(w, "R-1");
    progress.phase = word(w, "building index");
    OK(w, call(site, site->agent[STG_ORDERS], DR_METHOD_AGENT_REPORT, &progress.base, &reply));
    assert_string_equal(state_of(site, STG_ORDERS), "running");
    assert_string_equal(get_rollout(site)->stages[0]->targets[0]->progress->phase,
                        "building index");
    REFUSED(DR_E_NOT_FOUND,
            call(site, site->agent[STG_STOCK], DR_METHOD_AGENT_REPORT, &progress.base, &reply));
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, site_setup, site_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SITE_TEST(a_rollout_goes_from_staging_to_production_over_a_restart),
        SITE_TEST(an_agent_that_saw_another_log_is_told_what_is_here_and_raises_an_alarm),
        SITE_TEST(
            an_attestation_is_taken_though_the_next_wave_cannot_be_sent_and_that_is_tried_again),
        SITE_TEST(an_approval_that_names_evidence_which_is_not_here_is_refused),
        SITE_TEST(a_freeze_of_everything_holds_what_was_approved_until_it_is_lifted),
        SITE_TEST(a_plan_outside_of_the_approved_chain_names_the_command),
        SITE_TEST(a_second_rollout_on_a_busy_target_is_refused_until_the_first_is_aborted),
        SITE_TEST(a_rollout_waits_for_another_on_the_same_targets),
        SITE_TEST(an_approval_of_another_ready_is_refused),
        SITE_TEST(pushes_that_were_not_acknowledged_come_again),
        SITE_TEST(an_acknowledgement_of_another_watch_changes_nothing),
        SITE_TEST(pause_holds_an_approved_wave_and_resume_lets_it_go),
        SITE_TEST(a_failed_target_is_prepared_again_by_retry),
        SITE_TEST(a_watcher_gets_the_state_at_once_and_then_each_event),
        SITE_TEST(progress_makes_a_target_running_and_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
