// The server of a target is gone, and a standby that lagged behind takes over: the agent remembers
// more than the ledger tells, says so in its READY, and goes on only when people have seen that.
#include "support/agent_world.h"

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
point_at_both(struct coord *c, struct dr_pgcluster *standby, const char *database)
{
    (void)snprintf(c->url, sizeof c->url,
                   "postgresql:///%s?host=%s,%s&port=%d,%d&user=postgres"
                   "&target_session_attrs=read-write",
                   database, dr_pgcluster_socket(c->cluster), dr_pgcluster_socket(standby),
                   dr_pgcluster_port(c->cluster), dr_pgcluster_port(standby));
    c_configure(c);
}

static void
cut_off(struct coord *c, struct dr_pgcluster *standby, const char *url)
{
    dr_pgcluster_sql(standby, url, "ALTER SYSTEM SET primary_conninfo = ''");
    dr_pgcluster_sql(standby, url, "SELECT pg_reload_conf()");
    C_UNTIL(c,
            dr_pgcluster_ask(standby, url, "SELECT count(*) FROM pg_stat_wal_receiver")[0] == '0');
}

// id: C10
static void
standby_that_lagged_behind_is_flagged_and_needs_a_word(void **state)
{
    static struct coord world;
    struct coord *c = &world;
    char database[64];
    (void)state;
    world = (struct coord){0};
    c_begin(c, DROVER__V1__ENGINE__POSTGRESQL, TWO, 2);
    c->cluster = dr_pgcluster_start(NULL);
    (void)snprintf(
        database, sizeof database, "%s",
        dr_pgcluster_ask(c->cluster, c_new_database(c->cluster), "SELECT current_database()"));
    struct dr_pgcluster *standby = dr_pgcluster_standby(c->cluster);
    const char *on_standby = dr_pgcluster_url(standby, database);
    point_at_both(c, standby, database);
    cut_off(c, standby, on_standby);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, DROVER__V1__MODE__UP);
    struct c_approve how = {
        .mode = DROVER__V1__MODE__UP, .people = 2, .acknowledged = ready.msg->flags};
    c_push_bundle(c, &ready, &how);
    (void)c_expect(c, KIND_OF(APPLIED));
    dr_pgcluster_kill(c->cluster);
    dr_pgcluster_sql(standby, on_standby, "SELECT pg_promote(true, 60)");
    c_push_prepare(c, DROVER__V1__MODE__UP);
    ready = c_expect(c, KIND_OF(READY));
    assert_true((ready.msg->flags & DROVER__V1__READY_FLAG__FLAG_REGRESSED) != 0);
    assert_int_equal(ready.msg->n_heads, 0);
    assert_non_null(strstr(ready.msg->detail, "is gone (section "));
    assert_non_null(strstr(ready.msg->detail, "of revision '"));
    how.acknowledged = 0;
    c_push_bundle(c, &ready, &how);
    (void)c_expect(c, KIND_OF(REFUSED));
    how.acknowledged = ready.msg->flags;
    c_push_bundle(c, &ready, &how);
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    assert_true(c_has_table(c, "orders"));
    c_check_statements(c, c->cluster, database);
    c_check_statements(c, standby, database);
    dr_pgcluster_stop(&standby);
    struct dr_pgcluster *cluster = c->cluster;
    c_end(c);
    dr_pgcluster_stop(&cluster);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standby_that_lagged_behind_is_flagged_and_needs_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
