// The real agent with an approval that is used up and a run that is not finished: it waits for a
// database that is away, goes on when it is back, and stops when a person says so meanwhile.
#include "support/agent_world.h"

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

static void
ask_state(struct coord *c, const char *sql)
{
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.is_state = true};
    C_OK(c, dr_sqlite_open(dr_tmp_path(&c->tmp, "state/agent.db", path), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, sql, &c->err));
    dr_sqlite_close(&db);
}

// An agent that used an approval up and died before its first statement; then its database went
// away.
static struct coord *
begin_without_database(char url[600])
{
    static struct coord world;
    struct coord *c = &world;
    world = (struct coord){0};
    c_begin(c, DROVER__V1__ENGINE__POSTGRESQL, TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    (void)c_stop_agent(c, SIGTERM);
    c_start_agent(c, "agent-worker-go=kill");
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, c_log_has(c, "approval consumed"));
    (void)c_stop_agent(c, SIGKILL);
    (void)snprintf(url, 600, "%.599s", c->url);
    (void)snprintf(c->url, sizeof c->url, "postgresql://127.0.0.1:1/away");
    c_configure(c);
    return c;
}

static void
bring_database_back(struct coord *c, const char *url)
{
    (void)c_stop_agent(c, SIGTERM);
    (void)snprintf(c->url, sizeof c->url, "%.599s", url);
    c_configure(c);
    c_start_agent(c, NULL);
}

// id: P2
static void
waiting_for_the_database_is_no_attempt(void **state)
{
    char url[600];
    struct coord *c = begin_without_database(url);
    (void)state;
    ask_state(c, "UPDATE run SET attempts = 9"); // one is left
    c_start_agent(c, NULL);
    C_UNTIL(c, c_log_count(c, "code=db-unreachable") >= 3);
    bring_database_back(c, url);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    c_end(c);
}

// What a person signs while the run waits.
static void
stopped_by(Drover__V1__SignoffKind kind, const char *code)
{
    char url[600];
    struct coord *c = begin_without_database(url);
    c_start_agent(c, NULL);
    C_UNTIL(c, c_log_count(c, "code=db-unreachable") >= 1);
    c_push_stop(c, kind);
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    bring_database_back(c, url);
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->code, code);
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

// id: P1
static void
a_run_that_waits_is_not_gone_on_with_after_a_person_stopped_it(void **state)
{
    (void)state;
    stopped_by(DROVER__V1__SIGNOFF_KIND__CANCEL, "cancelled");
    stopped_by(DROVER__V1__SIGNOFF_KIND__VETO, "vetoed");
}

static void
rows_that_the_agent_did_not_write_are_flagged(void **state)
{
    static struct coord world;
    struct coord *c = &world;
    (void)state;
    world = (struct coord){0};
    c_begin(c, DROVER__V1__ENGINE__SQLITE, TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    c_push_prepare(c, MODE_OF(DOWN));
    ready = c_expect(c, KIND_OF(READY));
    assert_int_equal(ready.msg->flags, DROVER__V1__READY_FLAG__FLAG_NO_BACKUP);
    (void)c_stop_agent(c, SIGTERM);
    // As if the last row were somebody else's.
    ask_state(c, "UPDATE record SET position = position - 1, ledger_head = randomblob(32)");
    c_start_agent(c, NULL);
    c_push_prepare(c, MODE_OF(DOWN));
    ready = c_expect(c, KIND_OF(READY));
    assert_true((ready.msg->flags & DROVER__V1__READY_FLAG__FLAG_FOREIGN) != 0);
    // As if rows were gone.
    (void)c_stop_agent(c, SIGTERM);
    ask_state(c, "UPDATE record SET position = position + 9");
    c_start_agent(c, NULL);
    c_push_prepare(c, MODE_OF(DOWN));
    ready = c_expect(c, KIND_OF(READY));
    assert_true((ready.msg->flags & DROVER__V1__READY_FLAG__FLAG_REGRESSED) != 0);
    c_end(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_for_the_database_is_no_attempt),
        cmocka_unit_test(a_run_that_waits_is_not_gone_on_with_after_a_person_stopped_it),
        cmocka_unit_test(rows_that_the_agent_did_not_write_are_flagged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
