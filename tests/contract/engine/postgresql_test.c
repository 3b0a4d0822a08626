// What only PostgreSQL can do to the engine: locks held by others, INVALID indexes, lost
// connections, crashes, a COMMIT whose outcome nobody knows.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

#include "base/clock.h"

static struct env env;

static int
start(void **state)
{
    env_start(&env, DROVER__V1__ENGINE__POSTGRESQL);
    *state = &env;
    return 0;
}

static int
stop(void **state)
{
    env_stop(*state);
    return 0;
}

static struct dr_pg *
connect_to(const char *url)
{
    struct dr_pg_options o = {.url = url, .target = "other"};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    if (dr_pg_connect(&o, &wait, &pg, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return pg;
}

static void
run_on(struct dr_pg *pg, const char *sql)
{
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_err err = {0};
    if (dr_pg_run(pg, sql, &wait, &err) != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
}

static struct tp_plan *
one_unit(struct env *e, const char *statement)
{
    const struct tp_revision r[] = {{.id = "one",
                                     .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                                                   .lock_timeout_ms = 200,
                                                   .statements = {statement}}}}};
    return tp_make(e->engine, r, 1);
}

static struct tp_plan *
one_outside(struct env *e, Drover__V1__Probe probe, const char *object, const char *statement)
{
    const struct tp_revision r[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .is_outside = true,
                       .probe = probe,
                       .object = object,
                       .class = DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT,
                       .statements = {statement}}}}};
    return tp_make(e->engine, r, 1);
}

// ------------------------------------------------------------------------------------------ locks

// id: S10
static void
lock_time_out_names_who_holds_the_lock(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "ALTER TABLE busy ADD COLUMN x integer");
    env_sql(e, "CREATE TABLE busy (id integer)");
    struct dr_pg *reader = connect_to(e->url);
    run_on(reader, "BEGIN");
    run_on(reader, "LOCK TABLE public.busy IN ACCESS SHARE MODE");
    e->options.retry_budget_ms = 700;
    assert_int_equal(env_up(e, p), DR_E_LOCK_TIMEOUT);
    assert_string_equal(e->result.sqlstate, "55P03");
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    run_on(reader, "ROLLBACK");
    assert_ok(e, env_up(e, p));
    dr_pg_close(&reader);
    tp_free(p);
}

static void
blocker_is_in_the_report_when_the_wait_is_long(void **state)
{
    struct env *e = *state;
    const struct tp_revision r[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .lock_timeout_ms = 1500,
                       .statements = {"ALTER TABLE busy ADD COLUMN x integer"}}}}};
    struct tp_plan *p = tp_make(e->engine, r, 1);
    env_sql(e, "CREATE TABLE busy (id integer)");
    struct dr_pg *reader = connect_to(e->url);
    run_on(reader, "BEGIN");
    run_on(reader, "LOCK TABLE public.busy IN ACCESS SHARE MODE");
    assert_int_equal(env_up(e, p), DR_E_LOCK_TIMEOUT);
    assert_int_equal(e->result.blockers_count, 1);
    assert_string_equal(e->result.blockers[0].application, "drover/other");
    assert_non_null(strstr(e->err.hint, "drover/other"));
    dr_pg_close(&reader);
    tp_free(p);
}

static void
budget_lets_a_short_lock_pass(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "ALTER TABLE busy ADD COLUMN x integer");
    env_sql(e, "CREATE TABLE busy (id integer)");
    pid_t pid = fork();
    if (pid == 0) {
        struct dr_pg *reader = connect_to(e->url);
        struct dr_db_wait wait = dr_db_wait_ms(20000);
        struct dr_err err = {0};
        enum dr_rc rc = dr_pg_run(reader, "BEGIN", &wait, &err);
        rc = rc == DR_OK
                 ? dr_pg_run(reader, "LOCK TABLE public.busy IN ACCESS SHARE MODE", &wait, &err)
                 : rc;
        rc = rc == DR_OK ? dr_pg_run(reader, "SELECT pg_sleep(1.5)", &wait, &err) : rc;
        _exit(rc == DR_OK ? 0 : 1);
    }
    for (int i = 0; i < 500 && strcmp(env_ask(e, "SELECT count(*) FROM pg_locks WHERE relation ="
                                                 " 'busy'::regclass"),
                                      "0") == 0;
         i++) {
    }
    e->options.retry_budget_ms = 20000;
    assert_ok(e, env_up(e, p));
    assert_true(e->result.retries > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    tp_free(p);
}

// ------------------------------------------------------------------------- outside a transaction
// id: S22
static void
invalid_index_is_removed_and_built_again(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_outside(e, DROVER__V1__PROBE__PROBE_INDEX_CREATED, "u",
                                    "CREATE UNIQUE INDEX CONCURRENTLY u ON t (id)");
    env_sql(e, "CREATE TABLE t (id integer)");
    env_sql(e, "INSERT INTO t VALUES (1), (1)");
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_string_equal(e->result.sqlstate, "23505");
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_class WHERE relname = 'u'"), "0");
    assert_false(env_state(e).is_partial);
    env_sql(e, "DELETE FROM t");
    assert_ok(e, env_up(e, p));
    assert_string_equal(
        env_ask(e, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'u'::regclass"), "t");
    tp_free(p);
}

// id: C20 C21
static void
invalid_index_of_a_killed_run_is_built_again(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_outside(e, DROVER__V1__PROBE__PROBE_INDEX_CREATED, "\"U x\"",
                                    "CREATE INDEX CONCURRENTLY \"U x\" ON t (id)");
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    env_sql(e, "CREATE TABLE t (id integer)");
    assert_true(WIFSIGNALED(env_run_in_child(e, &job, "engine-outside-after=kill")));
    env_sql(e, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"U x\"'::regclass");
    assert_true(WIFSIGNALED(env_run_in_child(e, &job, "engine-clean-after=kill")));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_class WHERE relname = 'U x'"), "0");
    assert_ok(e, env_up(e, p));
    assert_string_equal(
        env_ask(e, "SELECT indisvalid FROM pg_index WHERE indexrelid = '\"U x\"'::regclass"), "t");
    assert_int_equal(env_done_rows(e, "one", 1), 1);
    tp_free(p);
}

static void
probes_know_what_was_done(void **state)
{
    struct env *e = *state;
    static const struct {
        Drover__V1__Probe probe;
        const char *object, *statement, *before;
    } rows[] = {
        {DROVER__V1__PROBE__PROBE_ENUM_VALUE, "mood 'it''s'", "ALTER TYPE mood ADD VALUE 'it''s'",
         "CREATE TYPE mood AS ENUM ('a')"},
        {DROVER__V1__PROBE__PROBE_CONSTRAINT_VALID, "t positive",
         "ALTER TABLE t VALIDATE CONSTRAINT positive",
         "DO $$ BEGIN CREATE TABLE t (id integer); ALTER TABLE t ADD CONSTRAINT positive CHECK (id "
         "> 0) NOT VALID; END $$"},
        {DROVER__V1__PROBE__PROBE_INDEX_DROPPED, "t_id", "DROP INDEX CONCURRENTLY t_id",
         "CREATE INDEX t_id ON t (id)"},
        {DROVER__V1__PROBE__PROBE_REINDEX, "TABLE t", "REINDEX TABLE CONCURRENTLY t", NULL},
        {DROVER__V1__PROBE__PROBE_DETACHED, "whole part",
         "ALTER TABLE whole DETACH PARTITION part CONCURRENTLY",
         "DO $$ BEGIN CREATE TABLE whole (id integer) PARTITION BY LIST (id); CREATE TABLE part "
         "PARTITION OF whole FOR VALUES IN (1); END $$"},
        {DROVER__V1__PROBE__PROBE_IDEMPOTENT, "", "VACUUM t", NULL},
        {DROVER__V1__PROBE__PROBE_IDEMPOTENT, "", "REFRESH MATERIALIZED VIEW CONCURRENTLY mat",
         "DO $$ BEGIN CREATE MATERIALIZED VIEW mat AS SELECT 1 AS id; CREATE UNIQUE INDEX ON mat "
         "(id); END $$"},
        {DROVER__V1__PROBE__PROBE_QUERY, "SELECT to_regclass('own') IS NOT NULL",
         "CREATE TABLE own (id integer)", NULL},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "r%zu", i);
        if (rows[i].before != NULL) {
            env_sql(e, rows[i].before);
        }
        const struct tp_revision r[] = {{.id = id,
                                         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                                                       .is_outside = true,
                                                       .probe = rows[i].probe,
                                                       .object = rows[i].object,
                                                       .statements = {rows[i].statement}}}}};
        struct tp_plan *p = tp_make(e->engine, r, 1);
        struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
        assert_true(WIFSIGNALED(env_run_in_child(e, &job, "engine-outside-after=kill")));
        assert_ok(e, env_up(e, p));
        assert_int_equal(env_done_rows(e, id, 1), 1);
        tp_free(p);
    }
}

// id: S24
static void
statement_that_needs_no_transaction_is_explained(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "VACUUM");
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_non_null(strstr(e->err.hint, "transaction=off"));
    tp_free(p);
}

// id: C09
static void
constraint_that_fails_at_commit_takes_the_unit_back(void **state)
{
    struct env *e = *state;
    const struct tp_revision r[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE p (id integer PRIMARY KEY)",
                            "CREATE TABLE c (p integer REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
                            "INSERT INTO c VALUES (1)")}}};
    struct tp_plan *p = tp_make(e->engine, r, 1);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_string_equal(e->result.sqlstate, "23503");
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_class WHERE relname = 'c'"), "0");
    tp_free(p);
}

// id: S14
static void
detail_of_a_failure_has_no_row_data(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "INSERT INTO t VALUES ('secret-value')");
    env_sql(e, "CREATE TABLE t (id integer)");
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_true(e->result.detail[0] != '\0');
    assert_null(strstr(e->result.detail, "secret-value"));
    tp_free(p);
}

// id: S07
static void
settings_of_the_database_do_not_reach_the_engine(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "CREATE TABLE t (id integer)");
    char sql[256], database[64];
    (void)snprintf(database, sizeof database, "%s", env_ask(e, "SELECT current_database()"));
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s SET default_transaction_read_only = on",
                   database);
    env_sql(e, sql);
    // A database that calls itself read-only is taken at its word: no ledger is made in it.
    assert_int_equal(env_up(e, p), DR_E_DB_STANDBY);
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s RESET default_transaction_read_only",
                   database);
    dr_pgcluster_sql(dr_pgcluster_shared(), dr_pgcluster_url(dr_pgcluster_shared(), "postgres"),
                     sql);
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s SET search_path = nowhere", database);
    env_sql(e, sql);
    assert_ok(e, env_up(e, p));
    tp_free(p);
}

static void
schema_of_a_tenant_is_where_its_tables_go(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one_unit(e, "CREATE TABLE t (id integer)");
    env_sql(e, "CREATE SCHEMA \"Project 1\"");
    e->options.schema = "Project 1";
    e->options.tenant = "Project 1";
    assert_ok(e, env_up(e, p));
    assert_string_equal(
        env_ask(
            e, "SELECT count(*) FROM pg_tables WHERE schemaname = 'Project 1' AND tablename = 't'"),
        "1");
    tp_free(p);
}

// --------------------------------------------------------------------------------- lost, unknown

static const struct tp_revision four[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE lines (unit text)", "INSERT INTO lines VALUES ('1')")}},
    {.id = "two", .parents = {"one"}, .sections = {TP_UP("INSERT INTO lines VALUES ('2')")}},
    {.id = "three",
     .parents = {"two"},
     .sections = {TP_UP("INSERT INTO lines VALUES ('3')"),
                  TP_VERIFY("SELECT count(*) = 3 FROM lines")}},
    {.id = "four", .parents = {"three"}, .sections = {TP_UP("INSERT INTO lines VALUES ('4')")}},
};

static void
kill_backends(void *arg, const struct dr_engine_progress *p)
{
    struct env *e = arg;
    if (!p->done && p->attempt == 1 && strcmp(p->revision_id, "three") == 0 &&
        e->answer[0] != 'x') {
        dr_pgcluster_sql(
            dr_pgcluster_shared(), e->url,
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE"
            " application_name = 'drover/direct' AND datname = current_database()");
        e->answer[0] = 'x';
    }
}

// id: C08
static void
run_goes_on_when_its_connections_are_ended(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, four, 4);
    e->answer[0] = '\0';
    e->options.progress = kill_backends;
    e->options.progress_arg = e;
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.units_count, 4);
    e->options.progress = NULL;
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "4");
    assert_string_equal(env_state(e).heads[0].id, "four");
    tp_free(p);
}

struct crash {
    struct dr_pgcluster *cluster;
    bool was_done, stays_away;
};

static void
crash_server(void *arg, const struct dr_engine_progress *p)
{
    struct crash *c = arg;
    if (!p->done && strcmp(p->revision_id, "four") == 0 && !c->was_done) {
        c->was_done = true;
        dr_pgcluster_kill(c->cluster);
        if (!c->stays_away) {
            dr_pgcluster_restart(c->cluster);
        }
    }
}

// id: C07
static void
crash_of_the_server_loses_a_suffix_that_is_done_again(void **state)
{
    struct env *e = *state;
    static const char *const settings[] = {"wal_writer_delay=10s", "autovacuum=off", NULL};
    struct dr_pgcluster_options o = {.settings = settings};
    struct crash crash = {.cluster = dr_pgcluster_start(&o)};
    struct tp_plan *p = tp_make(e->engine, four, 4);
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(crash.cluster));
    e->options.progress = crash_server;
    e->options.progress_arg = &crash;
    assert_ok(e, env_up(e, p));
    e->options.progress = NULL;
    assert_true(crash.was_done);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "4");
    struct dr_engine_state s = env_state(e);
    assert_string_equal(s.heads[0].id, "four");
    assert_int_equal(s.position, 4);
    assert_int_equal(e->result.units_count, 4);
    dr_pgcluster_stop(&crash.cluster);
    tp_free(p);
}

// id: P2
static void
server_that_stays_away_leaves_a_run_that_goes_on_later(void **state)
{
    struct env *e = *state;
    struct crash crash = {.cluster = dr_pgcluster_start(NULL), .stays_away = true};
    struct tp_plan *p = tp_make(e->engine, four, 4);
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(crash.cluster));
    e->options.progress = crash_server;
    e->options.progress_arg = &crash;
    e->options.recover_timeout_ms = 300;
    assert_int_equal(env_up(e, p), DR_E_COMMIT_UNKNOWN);
    assert_int_equal(e->result.outcome, DR_ENGINE_REPAIR);
    e->options.progress = NULL;
    e->options.recover_timeout_ms = 20000;
    dr_pgcluster_restart(crash.cluster);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "4");
    dr_pgcluster_stop(&crash.cluster);
    tp_free(p);
}

static void
wait_until(struct env *e, const char *sql, const char *want)
{
    int64_t deadline = dr_monotonic_ms() + 20000;
    while (strcmp(env_ask(e, sql), want) != 0) {
        if (dr_monotonic_ms() > deadline) {
            fail_msg("never: %s", sql);
        }
    }
}

// id: C05
static void
commit_in_doubt_is_waited_for_and_not_run_again(void **state)
{
    struct env *e = *state;
    struct dr_pgcluster *cluster = dr_pgcluster_start(NULL);
    struct tp_plan *first = tp_make(e->engine, four, 1), *p = tp_make(e->engine, four, 2);
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(cluster));
    assert_ok(e, env_up(e, first));
    env_sql(e, "ALTER SYSTEM SET synchronous_standby_names = 'nosuch'");
    env_sql(e, "SELECT pg_reload_conf()");
    wait_until(e, "SHOW synchronous_standby_names", "nosuch");
    pid_t pid = fork();
    if (pid == 0) {
        _exit(env_up(e, p) == DR_OK ? 0 : 1);
    }
    wait_until(e, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"),
                        "1"); // not visible, and yet it will be
    e->options.recover_timeout_ms = 300;
    assert_int_equal(env_up(e, p), DR_E_LOCKED);
    assert_non_null(strstr(e->err.message, "earlier run"));
    env_sql(e, "SET synchronous_commit = off");
    e->options.recover_timeout_ms = 20000;
    env_sql(e,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    wait_until(e, "SELECT count(*) FROM lines", "2");
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "2");
    assert_int_equal(env_done_rows(e, "two", 1), 1);
    dr_pgcluster_stop(&cluster);
    tp_free(p);
    tp_free(first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define ONE(name) cmocka_unit_test_setup_teardown(name, start, stop)
        ONE(lock_time_out_names_who_holds_the_lock),
        ONE(blocker_is_in_the_report_when_the_wait_is_long),
        ONE(budget_lets_a_short_lock_pass),
        ONE(invalid_index_is_removed_and_built_again),
        ONE(invalid_index_of_a_killed_run_is_built_again),
        ONE(probes_know_what_was_done),
        ONE(statement_that_needs_no_transaction_is_explained),
        ONE(constraint_that_fails_at_commit_takes_the_unit_back),
        ONE(detail_of_a_failure_has_no_row_data),
        ONE(settings_of_the_database_do_not_reach_the_engine),
        ONE(schema_of_a_tenant_is_where_its_tables_go),
        ONE(run_goes_on_when_its_connections_are_ended),
        ONE(crash_of_the_server_loses_a_suffix_that_is_done_again),
        ONE(server_that_stays_away_leaves_a_run_that_goes_on_later),
        ONE(commit_in_doubt_is_waited_for_and_not_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
