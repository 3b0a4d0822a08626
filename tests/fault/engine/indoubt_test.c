// A COMMIT whose answer never comes: the server has it in its log and waits for a standby that does
// not exist, and meanwhile the runner, the backend or the server dies.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#include <poll.h>

static const struct tp_revision lines[] = {
    {.id = "one",
     .sections = {TP_UP("INSERT INTO lines VALUES ('1')", "CREATE TABLE a (id integer)"),
                  TP_DOWN("DROP TABLE a", "DELETE FROM lines")}}};

// A cluster of its own whose commits wait for a standby, except in databases that say "local".
struct doubt {
    struct env *e;
    struct dr_pgcluster *cluster;
    struct dr_pg *admin;
    struct tp_plan *plan;
    char database[64];
    pid_t runner;
};

static void
say(struct doubt *d, const char *sql)
{
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    struct dr_err err = {0};
    if (dr_pg_run(d->admin, sql, &wait, &err) != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
}

static void
ask(struct doubt *d, const char *sql, char *out, size_t size)
{
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    struct dr_err err = {0};
    struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    out[0] = '\0';
    enum dr_rc rc = dr_pg_value(d->admin, &stmt, &wait, out, size, &err);
    if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
        fail_msg("%s: %s", sql, err.message);
    }
}

static void
connect_admin(struct doubt *d)
{
    struct dr_pg_options o = {.url = d->e->url};
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    struct dr_err err = {0};
    if (dr_pg_connect(&o, &wait, &d->admin, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    say(d, "SET synchronous_commit = local");
}

static void
wait_for_standby(struct doubt *d, bool is_on)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE \"%s\" SET synchronous_commit = %s",
                   d->database, is_on ? "on" : "local");
    say(d, sql);
}

// The pid of the backend that waits in COMMIT, "" when there is none.
static const char *
find_waiting(struct doubt *d)
{
    static char pid[32];
    ask(d, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'", pid, sizeof pid);
    return pid;
}

// A runner in a process of its own, in the middle of its COMMIT.
static void
begin(struct doubt *d, struct env *e)
{
    static const char *const settings[] = {"synchronous_commit=local", NULL};
    struct dr_pgcluster_options o = {.settings = settings};
    *d = (struct doubt){.e = e, .cluster = dr_pgcluster_start(&o)};
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(d->cluster));
    d->plan = make(e, lines, 1);
    connect_admin(d);
    ask(d, "SELECT current_database()", d->database, sizeof d->database);
    env_sql(e, "CREATE TABLE lines (unit text)");
    assert_ok(e, env_up(e, d->plan));
    assert_ok(e, env_down(e, d->plan));
    say(d, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    say(d, "SELECT pg_reload_conf()");
    wait_for_standby(d, true);
    struct dr_engine_job job = tp_job(d->plan, DROVER__V1__MODE__UP);
    d->runner = fork();
    if (d->runner == 0) {
        (void)alarm(60);
        _exit(env_run_job(e, &job) == DR_OK ? 0 : 1);
    }
    int64_t deadline = dr_monotonic_ms() + 30000;
    while (find_waiting(d)[0] == '\0') {
        assert_true(dr_monotonic_ms() < deadline);
        (void)poll(NULL, 0, 20);
    }
    wait_for_standby(d, false);
}

static void
kill_runner(struct doubt *d)
{
    assert_int_equal(kill(d->runner, SIGKILL), 0);
    assert_int_equal(waitpid(d->runner, NULL, 0), d->runner);
}

static void
assert_once(struct doubt *d)
{
    struct env *e = d->e;
    assert_head(e, "one");
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "1");
    assert_int_equal(env_done_rows(e, "one", 1), 2); // the first run's, and this one's
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                        "0");
}

static void
end(struct doubt *d)
{
    dr_pg_close(&d->admin);
    dr_pgcluster_stop(&d->cluster);
    tp_free(d->plan);
}

// id: C05
static void
runner_that_finds_a_commit_in_doubt_waits_and_then_finds_it_done(void **state)
{
    struct doubt d;
    struct env *e = *state;
    begin(&d, e);
    kill_runner(&d);
    // Without the locks, as a negative control: the ledger says that nothing was done. That is a
    // wrong answer: the row appears later.
    assert_head(e, NULL);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "0");
    e->options.recover_timeout_ms = 500;
    assert_int_equal(env_up(e, d.plan), DR_E_LOCKED);
    assert_non_null(strstr(e->err.message, find_waiting(&d)));
    say(&d, "ALTER SYSTEM RESET synchronous_standby_names");
    say(&d, "SELECT pg_reload_conf()");
    e->options.recover_timeout_ms = 20000;
    assert_ok(e, env_up(e, d.plan));
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_once(&d);
    end(&d);
}

// id: C06
static void
commit_in_doubt_whose_backend_is_ended_is_found_done(void **state)
{
    struct doubt d;
    struct env *e = *state;
    char sql[128];
    begin(&d, e);
    kill_runner(&d);
    (void)snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)", find_waiting(&d));
    say(&d, sql);
    assert_ok(e, env_up(e, d.plan));
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_once(&d);
    end(&d);
}

// The backend is ended while the runner still waits for its answer: it recovers by itself.
// id: C06
static void
runner_whose_backend_is_ended_in_its_commit_goes_on(void **state)
{
    struct doubt d;
    struct env *e = *state;
    char sql[128];
    int status = 0;
    begin(&d, e);
    (void)snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)", find_waiting(&d));
    say(&d, sql);
    assert_int_equal(waitpid(d.runner, &status, 0), d.runner);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_once(&d);
    end(&d);
}

// id: C07
static void
commit_in_doubt_survives_a_server_that_stops_at_once(void **state)
{
    struct doubt d;
    struct env *e = *state;
    begin(&d, e);
    kill_runner(&d);
    dr_pg_close(&d.admin);
    dr_pgcluster_kill(d.cluster);
    dr_pgcluster_restart(d.cluster);
    assert_ok(e, env_up(e, d.plan));
    // Its commit record was flushed before it waited.
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_once(&d);
    end(&d);
}

// id: C09
static void
commit_that_the_server_turns_into_a_rollback_is_a_failure(void **state)
{
    struct env *e = *state;
    static const struct tp_revision late[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE p (id integer PRIMARY KEY)",
                            "CREATE TABLE c (id integer REFERENCES p DEFERRABLE INITIALLY "
                            "DEFERRED)",
                            "INSERT INTO c VALUES (7)")}}};
    static const struct tp_revision checked[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE p (id integer PRIMARY KEY)",
                            "CREATE TABLE c (id integer REFERENCES p DEFERRABLE INITIALLY "
                            "DEFERRED)",
                            "INSERT INTO c VALUES (7)"),
                      TP_VERIFY("SELECT count(*) = 1 FROM c")}}};
    for (int i = 0; i < 2; i++) {
        struct tp_plan *p = make(e, i == 0 ? late : checked, 1);
        assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
        assert_string_equal(e->result.sqlstate, "23503");
        assert_null(strstr(e->result.detail, "7"));
        assert_false(env_has_table(e, "c"));
        assert_head(e, NULL);
        tp_free(p);
    }
}

static void
write_row_beside(void *arg, const struct dr_engine_progress *p)
{
    struct env *e = arg;
    if (!p->done &&
        strcmp(env_ask(e, "SELECT count(*) FROM drover.ledger WHERE position = 3"), "0") == 0) {
        // What a late runner would have committed: the same unit at the same place.
        env_sql(e, "INSERT INTO drover.ledger SELECT * FROM public.kept");
        env_sql(e, "INSERT INTO drover.revision SELECT * FROM public.kept_revision");
        env_sql(e, "INSERT INTO lines VALUES ('1')");
        env_sql(e, "CREATE TABLE a (id integer)");
    }
}

// A runner died, and the server read its unit late: after the next runner looked.
static void
unit_that_a_dead_runner_got_through_late_is_found_done(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, lines, 1);
    env_sql(e, "CREATE TABLE lines (unit text)");
    assert_ok(e, env_up(e, p));
    assert_ok(e, env_down(e, p));
    assert_ok(e, env_up(e, p));
    env_sql(e, "CREATE TABLE kept AS SELECT * FROM drover.ledger WHERE position = 3");
    env_sql(e, "CREATE TABLE kept_revision AS SELECT * FROM drover.revision");
    env_sql(e, "DELETE FROM drover.ledger WHERE position = 3");
    env_sql(e, "DELETE FROM drover.revision");
    env_sql(e, "DROP TABLE a");
    env_sql(e, "DELETE FROM lines");
    e->options.progress = write_row_beside;
    e->options.progress_arg = e;
    (void)env_up(e, p);
    e->options.progress = NULL;
    if (e->err.rc != DR_OK) {
        fail_msg("%s", e->err.message);
    }
    assert_head(e, "one");
    assert_string_equal(env_ask(e, "SELECT count(*) FROM lines"), "1");
    tp_free(p);
}

static struct env own;

static int
start_own(void **state)
{
    env_start(&own, DROVER__V1__ENGINE__POSTGRESQL);
    *state = &own;
    return 0;
}

#define ALONE(name)                                                                                \
    {                                                                                              \
#name, name, start_own, env_end, NULL                                                      \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(runner_that_finds_a_commit_in_doubt_waits_and_then_finds_it_done),
        ALONE(commit_in_doubt_whose_backend_is_ended_is_found_done),
        ALONE(runner_whose_backend_is_ended_in_its_commit_goes_on),
        ALONE(commit_in_doubt_survives_a_server_that_stops_at_once),
        ALONE(commit_that_the_server_turns_into_a_rollback_is_a_failure),
        ALONE(unit_that_a_dead_runner_got_through_late_is_found_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
