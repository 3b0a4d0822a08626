// The real agent is killed: net, worker, exec, at each write of its state, with its coordinator
// away. It goes on.
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

// ------------------------------------------------------------------------------------- crash

static void
agent_goes_on_when_net_is_killed(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    pid_t net = 0;
    C_UNTIL(c, (net = c_child(c, "--role net")) != 0);
    (void)kill(net, SIGKILL);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    c_end(c);
}

// id: P2
static void
agent_finishes_what_a_killed_worker_began(void **state)
{
    static const char *const POINTS[] = {"agent-worker-facts=kill", "agent-worker-go=kill",
                                         "engine-commit-before=kill", "engine-commit-after=kill",
                                         "engine-run-end=kill"};
    for (size_t i = 0; i < DR_COUNT_OF(POINTS); i++) {
        struct coord *c = begin(engine_of(state), TWO, 2);
        c_start_agent(c, NULL);
        struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
        (void)c_stop_agent(c, SIGTERM);
        c_start_agent(c, POINTS[i]);
        c_push_bundle(c, &ready,
                      &(struct c_approve){
                          .mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
        // Every worker of this agent dies there; one that does not goes on.
        C_UNTIL(c, c->push[c->n_push - 1].is_acked);
        for (int turn = 0; turn < 20; turn++) {
            c_turn(c);
        }
        (void)c_stop_agent(c, SIGKILL);
        c_start_agent(c, NULL);
        struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
        assert_int_equal(applied.msg->n_units, 2);
        assert_true(dr_data_eq(applied.msg->fingerprint_before, ready.msg->fingerprint));
        assert_true(c_has_table(c, "orders"));
        c_end(c);
    }
}

// Consumes an approval and dies before its first statement.
static struct coord *
begin_and_die(void **state, Drover__V1__Mode mode)
{
    static struct coord world;
    struct coord *c = &world;
    world = (struct coord){.prove = mode == MODE_OF(PROVE)};
    c_begin(c, engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, mode);
    (void)c_stop_agent(c, SIGTERM);
    c_start_agent(c, "agent-worker-go=kill");
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = mode, .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, c_log_has(c, "approval consumed"));
    (void)c_stop_agent(c, SIGKILL);
    return c;
}

// id: P1
static void
agent_does_not_go_on_when_the_target_was_changed_meanwhile(void **state)
{
    struct coord *c = begin_and_die(state, MODE_OF(UP));
    c_make_table(c, "strange");
    c_start_agent(c, NULL);
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->code, "state-changed");
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

// id: P2
static void
agent_that_gives_a_run_up_says_why(void **state)
{
    struct coord *c = begin_and_die(state, MODE_OF(PROVE));
    c_start_agent(c, NULL);
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->code, "agent-interrupted");
    assert_non_null(strstr(failed.msg->detail, "cut off"));
    c_end(c);
}

// id: P2
static void
agent_killed_at_each_write_of_its_state_goes_on(void **state)
{
    for (unsigned hit = 1; hit <= 4; hit++) {
        struct coord *c = begin(SQLITE, TWO, 2);
        char point[64];
        (void)state;
        c_start_agent(c, NULL);
        struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
        C_UNTIL(c, c->push[c->n_push - 1].is_acked);
        (void)c_stop_agent(c, SIGTERM);
        // Commits of an agent that starts: opening, a STATE, then the push, the consumption and the
        // report.
        (void)snprintf(point, sizeof point, "agent-state-%s=kill@%u",
                       hit % 2 == 0 ? "commit" : "committed", hit + 1);
        c_start_agent(c, point);
        c_push_bundle(c, &ready,
                      &(struct c_approve){
                          .mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
        int status = 0;
        C_UNTIL(c, waitpid(c->agent, &status, WNOHANG) == c->agent);
        assert_true(WIFSIGNALED(status));
        c->agent = 0;
        c_start_agent(c, NULL);
        (void)c_expect(c, KIND_OF(APPLIED));
        assert_true(c_has_table(c, "orders"));
        c_end(c);
    }
}

// id: P6
static void
agent_keeps_its_reports_until_a_dead_coordinator_is_back(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c->refuses_attestations = true;
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, c_has_table(c, "orders"));
    dr_rpc_server_close(&c->server);
    (void)c_stop_agent(c, SIGTERM);
    c_start_agent(c, NULL);
    c->refuses_attestations = false;
    c_serve(c);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    c_end(c);
}

static void
copy_folder(struct coord *c, const char *from, const char *to)
{
    char source[PATH_MAX];
    char target[PATH_MAX];
    (void)dr_tmp_path(&c->tmp, from, source);
    (void)dr_tmp_path(&c->tmp, to, target);
    if (dr_path_exists(target)) {
        C_OK(c, dr_dir_remove(target, &c->err));
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("cp", "cp", "-a", source, target, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void
agent_whose_state_was_put_back_begins_a_new_epoch(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    (void)c_stop_agent(c, SIGTERM);
    copy_folder(c, "state", "snapshot");
    c_start_agent(c, NULL);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    (void)c_expect(c, KIND_OF(STATE));
    (void)c_stop_agent(c, SIGTERM);
    copy_folder(c, "snapshot", "state");
    c_start_agent(c, NULL);
    struct dr_attestation first = c_expect(c, KIND_OF(STATE));
    assert_int_equal(first.msg->counter, 1);
    assert_false(dr_data_eq(first.msg->epoch, applied.msg->epoch));
    assert_true((first.msg->flags & DROVER__V1__READY_FLAG__FLAG_NEW_EPOCH) != 0);
    // The READY that came back with the snapshot is void: the target has moved on since.
    Drover__V1__Bundle *again = c_bundle(
        c, &ready, &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = 63});
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, &again->base);
    (void)c_expect(c, KIND_OF(REFUSED));
    c_end(c);
}

// -------------------------------------------------------------------------------- the database

static const struct tp_revision SLOW[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)", "SELECT pg_sleep(2)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static bool
is_sleeping(struct coord *c)
{
    return dr_pgcluster_ask(
               c->cluster, c->url,
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")[0] == '1';
}

// id: P2
static void
agent_finishes_when_the_server_is_back(void **state)
{
    struct coord *c = begin(DROVER__V1__ENGINE__POSTGRESQL, SLOW, 2);
    (void)state;
    c->cluster = dr_pgcluster_start(NULL);
    (void)snprintf(c->url, sizeof c->url, "%s", dr_pgcluster_new_database(c->cluster));
    c_configure(c);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, is_sleeping(c));
    dr_pgcluster_kill(c->cluster);
    dr_pgcluster_restart(c->cluster);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    assert_string_equal(applied.msg->heads[0]->id, "002_orders");
    assert_true(c_has_table(c, "orders"));
    dr_pgcluster_stop(&c->cluster);
    c_end(c);
}

static void
agent_stops_at_a_whole_unit_when_it_is_cancelled(void **state)
{
    struct coord *c = begin(DROVER__V1__ENGINE__POSTGRESQL, SLOW, 2);
    (void)state;
    c->cluster = dr_pgcluster_shared();
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, is_sleeping(c));
    c_push_order(c, "cancel");
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->code, "interrupted");
    assert_string_equal(failed.msg->heads[0]->id, "001_users");
    assert_false(c_has_table(c, "orders"));
    c_end(c);
}

// id: C23
static void
agent_that_is_stopped_lets_the_unit_at_hand_end(void **state)
{
    struct coord *c = begin(DROVER__V1__ENGINE__POSTGRESQL, SLOW, 2);
    (void)state;
    c->cluster = dr_pgcluster_shared();
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, is_sleeping(c));
    (void)c_stop_agent(c, SIGTERM);
    assert_true(c_has_table(c, "orders"));
    c_start_agent(c, NULL);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    c_end(c);
}

// id: P2
static void
agent_killed_in_the_middle_of_a_run_goes_on_from_there(void **state)
{
    struct coord *c = begin(DROVER__V1__ENGINE__POSTGRESQL, SLOW, 2);
    (void)state;
    c->cluster = dr_pgcluster_shared();
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, is_sleeping(c));
    (void)c_stop_agent(c, SIGKILL);
    c_start_agent(c, NULL);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    assert_true(c_has_table(c, "orders"));
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
        ON(SQLITE, agent_goes_on_when_net_is_killed),
        BOTH(agent_finishes_what_a_killed_worker_began),
        BOTH(agent_does_not_go_on_when_the_target_was_changed_meanwhile),
        ON(SQLITE, agent_that_gives_a_run_up_says_why),
        ON(SQLITE, agent_killed_at_each_write_of_its_state_goes_on),
        ON(SQLITE, agent_keeps_its_reports_until_a_dead_coordinator_is_back),
        ON(SQLITE, agent_whose_state_was_put_back_begins_a_new_epoch),
        ON(POSTGRESQL, agent_finishes_when_the_server_is_back),
        ON(POSTGRESQL, agent_stops_at_a_whole_unit_when_it_is_cancelled),
        ON(POSTGRESQL, agent_that_is_stopped_lets_the_unit_at_hand_end),
        ON(POSTGRESQL, agent_killed_in_the_middle_of_a_run_goes_on_from_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
