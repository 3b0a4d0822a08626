// A coordinator that hands the real agent what was not approved, not for it, used, expired or
// changed: nothing runs, and the refusal names the attack.
#include "support/agent_world.h"

#define SQLITE        DROVER__V1__ENGINE__SQLITE
#define MODE_OF(name) DROVER__V1__MODE__##name

static const struct tp_revision TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static struct coord *
begin(Drover__V1__Engine engine, const struct tp_revision *revisions, size_t n)
{
    static struct coord c;
    c = (struct coord){0};
    c_begin(&c, engine, revisions, n);
    return &c;
}

static Drover__V1__Engine
engine_of(void **state)
{
    return *(const Drover__V1__Engine *)*state;
}

// ------------------------------------------------------------------------------------ refuse

static void
refused(struct coord *c, const char *code)
{
    struct dr_attestation one = c_expect(c, KIND_OF(REFUSED));
    if (strcmp(one.msg->code, code) != 0) {
        fail_msg("'%s' instead of '%s': %s", one.msg->code, code, one.msg->detail);
    }
    assert_false(c_has_table(c, "users"));
}

// A plan that nobody signed calls a statement of another section a preflight.
// id: P1
static void
agent_runs_no_other_section_before_an_approval(void **state)
{
    static const struct tp_revision forged[] = {
        {.id = "001_users",
         .sections = {TP_PREFLIGHT("SELECT 1 = 1"),
                      TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                      TP_DOWN("DROP TABLE users")}}};
    struct coord *c = begin(engine_of(state), forged, 1);
    c_start_agent(c, NULL);
    c_push_trust(c);
    c_push_prepare(c, MODE_OF(UP));
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->code, "revision-header");
    c_end(c);
}

// id: P1
static void
agent_refuses_one_signature_where_two_are_needed_and_takes_two_later(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    uint32_t flags = ready.msg->flags;
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP), .people = 1, .acknowledged = flags});
    refused(c, "quorum");
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    c_end(c);
}

// id: P1
static void
agent_refuses_an_approval_that_was_used(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    Drover__V1__Bundle *bundle = c_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, &bundle->base);
    (void)c_expect(c, KIND_OF(APPLIED));
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, &bundle->base);
    struct dr_attestation again = c_expect(c, KIND_OF(REFUSED));
    assert_string_equal(again.msg->code, "no-ready");
    c_end(c);
}

static void
agent_refuses_what_is_expired_unacknowledged_or_for_another_ready(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    const uint8_t other[32] = {1};
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    uint32_t flags = ready.msg->flags;
    c_push_bundle(c, &ready,
                  &(struct c_approve){
                      .mode = MODE_OF(UP), .people = 2, .acknowledged = flags, .expires_in_s = -1});
    refused(c, "expired");
    c_push_bundle(c, &ready, &(struct c_approve){.mode = MODE_OF(UP), .people = 2});
    refused(c, "not-acknowledged");
    c_push_bundle(
        c, &ready,
        &(struct c_approve){
            .mode = MODE_OF(UP), .people = 2, .acknowledged = flags, .ready_sha256 = other});
    refused(c, "wrong-ready");
    c_end(c);
}

static void
agent_refuses_files_that_are_not_what_their_digest_says(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c->lies_about_blobs = true;
    c_start_agent(c, NULL);
    c_push_trust(c);
    c_push_prepare(c, MODE_OF(UP));
    refused(c, "agent-no-blob");
    c->lies_about_blobs = false;
    c_push_prepare(c, MODE_OF(UP));
    (void)c_expect(c, KIND_OF(READY));
    c_end(c);
}

static void
agent_prepares_nothing_that_is_not_in_the_chain(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c->plan->plan->n_revisions = 1;
    c_make_chain(c); // the chain holds the first revision only
    c->plan->plan->n_revisions = 2;
    c_start_agent(c, NULL);
    c_push_trust(c);
    c_push_prepare(c, MODE_OF(UP));
    refused(c, "not-in-chain");
    c_end(c);
}

static void
agent_refuses_a_withdrawn_revision(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c->withdrawn = 2;
    c_make_chain(c);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    refused(c, "withdrawn");
    c_end(c);
}

static void
agent_refuses_after_the_host_disarmed_it(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    char conf[PATH_MAX];
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    const char *const args[] = {"disarm", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                NULL};
    assert_int_equal(c_command(c, args), 0);
    assert_non_null(strstr(c_output(c), "1 open READY dropped"));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    refused(c, "no-ready");
    c_end(c);
}

static void
agent_refuses_a_target_that_changed_since_its_ready(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {0};
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    C_OK(c, dr_sqlite_open(c->url + strlen("sqlite:"), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, "CREATE TABLE sneaked(id INTEGER)", &c->err));
    dr_sqlite_close(&db);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    refused(c, "state-changed");
    c_end(c);
}

// ------------------------------------------------------------------------------ stops, noise

static void
agent_refuses_after_a_veto_that_it_was_shown(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_stop(c, DROVER__V1__SIGNOFF_KIND__VETO);
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    (void)c_stop_agent(c, SIGTERM);
    c_start_agent(c, NULL); // it remembers
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    refused(c, "vetoed");
    c_end(c);
}

static void
agent_refuses_an_approval_for_another_target(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP),
                                      .people = 2,
                                      .acknowledged = ready.msg->flags,
                                      .target = "production/other"});
    refused(c, "wrong-target");
    c_end(c);
}

static void
agent_refuses_a_mode_that_was_not_approved(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(PROVE), .people = 2, .acknowledged = ready.msg->flags});
    refused(c, "wrong-mode");
    c_end(c);
}

// Bodies that are no messages, kinds that do not exist, orders for others: acknowledged, nothing
// else.
static void
agent_survives_pushes_of_noise(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    for (int kind = 0; kind < 8; kind++) {
        static const char *const BODIES[] = {"", "\xff\xff\xff\xff\xff", "DRV1 but no envelope"};
        for (size_t i = 0; i < DR_COUNT_OF(BODIES); i++) {
            const struct dr_bytes body = {.data = (const uint8_t *)BODIES[i],
                                          .len = strlen(BODIES[i])};
            c_push_bytes(c, (Drover__V1__PushKind)kind, body);
        }
    }
    c_push_order(c, "explode");
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    for (size_t i = 0; i < c->n_push; i++) {
        assert_true(c->push[i].is_acked);
    }
    c->n_push = 0;
    (void)c_prepare(c, MODE_OF(UP));
    c_end(c);
}

static void
agent_signs_only_so_many_refusals(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    size_t before = c->n_seen;
    for (unsigned i = 0; i < 60; i++) {
        c->n_push = 0;
        c_push_bundle(c, &ready, &(struct c_approve){.mode = MODE_OF(UP), .people = 1});
        C_UNTIL(c, c->push[0].is_acked);
    }
    c_push_prepare(c, MODE_OF(UP)); // comes after all of them
    do {
        ready = c_next(c);
    } while (ready.msg->kind != KIND_OF(READY));
    assert_true(c->n_seen - before <= 32);
    c_end(c);
}

// id: P1
static void
agent_prepares_only_so_often(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    (void)c_prepare(c, MODE_OF(UP));
    for (unsigned i = 1; i < 20; i++) {
        c->n_push = 0;
        c_push_prepare(c, MODE_OF(UP));
        (void)c_expect(c, KIND_OF(READY));
    }
    assert_false(c_log_has(c, "too often"));
    c_push_prepare(c, MODE_OF(UP));
    C_UNTIL(c, c_log_has(c, "asked to prepare too often"));
    c_end(c);
}

static const Drover__V1__Engine ON_SQLITE = DROVER__V1__ENGINE__SQLITE;
static const Drover__V1__Engine ON_POSTGRESQL = DROVER__V1__ENGINE__POSTGRESQL;

#define ON(engine, name)                                                                           \
    {                                                                                              \
#name " on " #engine, name, NULL, NULL, (void *)(uintptr_t)&ON_##engine                    \
    }
#define BOTH(name) ON(SQLITE, name), ON(POSTGRESQL, name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(agent_refuses_one_signature_where_two_are_needed_and_takes_two_later),
        BOTH(agent_runs_no_other_section_before_an_approval),
        ON(SQLITE, agent_refuses_an_approval_that_was_used),
        ON(SQLITE, agent_refuses_what_is_expired_unacknowledged_or_for_another_ready),
        ON(SQLITE, agent_refuses_files_that_are_not_what_their_digest_says),
        ON(SQLITE, agent_prepares_nothing_that_is_not_in_the_chain),
        ON(SQLITE, agent_refuses_a_withdrawn_revision),
        ON(SQLITE, agent_refuses_after_the_host_disarmed_it),
        ON(SQLITE, agent_refuses_a_target_that_changed_since_its_ready),
        ON(SQLITE, agent_refuses_after_a_veto_that_it_was_shown),
        ON(SQLITE, agent_refuses_an_approval_for_another_target),
        ON(SQLITE, agent_refuses_a_mode_that_was_not_approved),
        ON(SQLITE, agent_survives_pushes_of_noise),
        ON(SQLITE, agent_signs_only_so_many_refusals),
        ON(SQLITE, agent_prepares_only_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
