// A real standby takes over from a server that is gone: with everything, without the COMMIT at
// hand, and without units that were confirmed. Connections find it by themselves: the URL names
// both servers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#include <poll.h>

#define PATIENCE_MS 60000

// The COMMIT of each is an exchange of its own, so that its transaction's number is known.
static const struct tp_revision two[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE lines (unit text)", "INSERT INTO lines VALUES ('1')"),
                  TP_VERIFY("SELECT count(*) = 1 FROM lines")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("INSERT INTO lines VALUES ('2')"),
                  TP_VERIFY("SELECT count(*) = 2 FROM lines")}},
};

struct pair {
    struct env *e;
    struct dr_pgcluster *primary, *standby;
    const char *on_primary, *on_standby; // URLs of the database
    struct tp_plan *first, *both;
    pid_t runner;
    int report; // what the runner says at its end
};

static void
until(const char *url, const char *sql, const char *want)
{
    int64_t deadline = dr_monotonic_ms() + PATIENCE_MS;
    char value[64] = "";
    struct dr_pg_options options = {.url = url};
    struct dr_db_wait wait = dr_db_wait_ms(PATIENCE_MS);
    struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    if (dr_pg_connect(&options, &wait, &pg, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    while (strcmp(value, want) != 0) {
        enum dr_rc rc = dr_pg_value(pg, &stmt, &wait, value, sizeof value, &err);
        if ((rc != DR_OK && rc != DR_E_NOT_FOUND) || dr_monotonic_ms() > deadline) {
            fail_msg("never: %s is %s: %s", sql, value, err.message);
        }
        (void)poll(NULL, 0, 20);
    }
    dr_pg_close(&pg);
}

// What the primary has written has been replayed by the standby.
static void
catch_up(struct pair *p)
{
    char sql[128];
    (void)snprintf(
        sql, sizeof sql, "SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn",
        dr_pgcluster_ask(p->primary, p->on_primary, "SELECT pg_current_wal_flush_lsn()"));
    until(p->on_standby, sql, "t");
}

// From here on the standby gets nothing any more.
static void
cut_off(struct pair *p)
{
    dr_pgcluster_sql(p->standby, p->on_standby, "ALTER SYSTEM SET primary_conninfo = ''");
    dr_pgcluster_sql(p->standby, p->on_standby, "SELECT pg_reload_conf()");
    until(p->on_standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0");
}

static void
begin(struct pair *p, struct env *e)
{
    *p = (struct pair){.e = e, .primary = dr_pgcluster_start(NULL)};
    p->on_primary = dr_pgcluster_new_database(p->primary);
    (void)snprintf(e->url, sizeof e->url, "%s", p->on_primary);
    char database[64];
    (void)snprintf(database, sizeof database, "%s", env_ask(e, "SELECT current_database()"));
    p->standby = dr_pgcluster_standby(p->primary);
    p->on_standby = dr_pgcluster_url(p->standby, database);
    (void)snprintf(e->url, sizeof e->url,
                   "postgresql:///%s?host=%s,%s&port=%d,%d&user=postgres"
                   "&target_session_attrs=read-write",
                   database, dr_pgcluster_socket(p->primary), dr_pgcluster_socket(p->standby),
                   dr_pgcluster_port(p->primary), dr_pgcluster_port(p->standby));
    p->first = make(e, two, 1);
    p->both = make(e, two, 2);
}

static void
end(struct pair *p)
{
    tp_free(p->both);
    tp_free(p->first);
    dr_pgcluster_stop(&p->standby);
    dr_pgcluster_stop(&p->primary);
}

// The second revision in a process of its own, which waits in its COMMIT: the primary has it in its
// log and waits for a standby of a name that nobody has.
static void
run_into_doubt(struct pair *p)
{
    int fds[2];
    dr_pgcluster_sql(p->primary, p->on_primary, "ALTER SYSTEM SET synchronous_standby_names = 'x'");
    dr_pgcluster_sql(p->primary, p->on_primary, "SELECT pg_reload_conf()");
    until(p->on_primary, "SHOW synchronous_standby_names", "x");
    assert_int_equal(pipe(fds), 0);
    p->runner = fork();
    if (p->runner == 0) {
        (void)alarm(120);
        enum dr_rc rc = env_up(p->e, p->both);
        char line[sizeof p->e->answer];
        int n = snprintf(line, sizeof line, "%s %d %.200s", dr_rc_name(rc), p->e->result.outcome,
                         p->e->err.message);
        _exit(write(fds[1], line, (size_t)n) == n ? 0 : 1);
    }
    (void)close(fds[1]);
    p->report = fds[0];
    until(p->on_primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1");
}

static void
fail_over(struct pair *p)
{
    dr_pgcluster_kill(p->primary);
    dr_pgcluster_sql(p->standby, p->on_standby, "SELECT pg_promote(true, 60)");
    until(p->on_standby, "SELECT pg_is_in_recovery()", "f");
}

static void
assert_runner_is_done(struct pair *p)
{
    size_t len = 0;
    ssize_t n;
    char *line = p->e->answer;
    while ((n = read(p->report, line + len, sizeof p->e->answer - 1 - len)) > 0) {
        len += (size_t)n;
    }
    line[len] = '\0';
    (void)close(p->report);
    assert_int_equal(waitpid(p->runner, NULL, 0), p->runner);
    if (strncmp(line, "ok ", 3) != 0) {
        fail_msg("the runner says: %s", line);
    }
}

static void
assert_both_once(struct pair *p)
{
    struct env *e = p->e;
    assert_head(e, "two");
    assert_string_equal(env_ask(e, "SELECT string_agg(unit, ' ' ORDER BY unit) FROM lines"), "1 2");
    assert_int_equal(env_done_rows(e, "one", 1), 1);
    assert_int_equal(env_done_rows(e, "two", 1), 1);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                        "0");
}

// The COMMIT had reached the standby: it is found there, and is not done again.
// id: C10
static void
commit_in_doubt_that_the_standby_has_is_found_done(void **state)
{
    struct pair p;
    begin(&p, *state);
    assert_ok(p.e, env_up(p.e, p.first));
    run_into_doubt(&p);
    catch_up(&p);
    fail_over(&p);
    assert_runner_is_done(&p);
    assert_both_once(&p);
    end(&p);
}

// It had not: the number of its transaction is one that the new server has not given out yet ("in
// the future"), the ledger's row is missing, so it is certain that nothing of it is there.
// id: C10 C11
static void
commit_in_doubt_that_the_standby_lacks_is_done_again(void **state)
{
    struct pair p;
    begin(&p, *state);
    assert_ok(p.e, env_up(p.e, p.first));
    catch_up(&p);
    cut_off(&p);
    run_into_doubt(&p);
    fail_over(&p);
    assert_runner_is_done(&p);
    assert_both_once(&p);
    end(&p);
}

// The new server has given the same number to somebody else's transaction meanwhile, and says of
// it that it committed. That is no word about ours.
// id: C11
static void
number_of_the_transaction_that_somebody_else_got_proves_nothing(void **state)
{
    struct pair p;
    begin(&p, *state);
    assert_ok(p.e, env_up(p.e, p.first));
    catch_up(&p);
    cut_off(&p);
    run_into_doubt(&p);
    assert_int_equal(kill(p.runner, SIGSTOP), 0);
    fail_over(&p);
    for (int i = 0; i < 30; i++) {
        dr_pgcluster_sql(p.standby, p.on_standby, "SELECT pg_current_xact_id()");
    }
    assert_int_equal(kill(p.runner, SIGCONT), 0);
    assert_runner_is_done(&p);
    assert_both_once(&p);
    end(&p);
}

static void
fail_over_in_the_middle(void *arg, const struct dr_engine_progress *progress)
{
    struct pair *p = arg;
    if (!progress->done && p->primary != NULL && strcmp(progress->revision_id, "two") == 0) {
        fail_over(p);
        dr_pgcluster_stop(&p->primary);
    }
}

// A unit that was confirmed, flushed and told is gone with the old server: the run stops and says
// so; it does not build on what is not there.
// id: C10
static void
confirmed_unit_that_the_standby_lacks_is_noticed_and_named(void **state)
{
    struct pair p;
    begin(&p, *state);
    cut_off(&p);
    assert_ok(p.e, env_up(p.e, p.first));
    p.e->options.progress = fail_over_in_the_middle;
    p.e->options.progress_arg = &p;
    if (env_up(p.e, p.both) != DR_E_LEDGER_BEHIND) {
        fail_msg("%s: %s", dr_rc_name(p.e->err.rc), p.e->err.message);
    }
    p.e->options.progress = NULL;
    assert_non_null(strstr(p.e->err.message, "failed over"));
    assert_non_null(strstr(p.e->err.message, "revision '"));
    assert_int_equal(p.e->result.outcome, DR_ENGINE_REPAIR);
    assert_false(env_has_table(p.e, "lines"));
    // Nothing is left behind; whoever decides to begin again gets both, once.
    assert_ok(p.e, env_up(p.e, p.both));
    assert_both_once(&p);
    end(&p);
}

static struct env own;

static int
start_own(void **state)
{
    // The shared cluster is not wanted here: only the environment's other parts.
    env_start(&own, DROVER__V1__ENGINE__SQLITE);
    own.engine = DROVER__V1__ENGINE__POSTGRESQL;
    own.options.recover_timeout_ms = PATIENCE_MS;
    own.options.lock_wait_ms = PATIENCE_MS;
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
        ALONE(commit_in_doubt_that_the_standby_has_is_found_done),
        ALONE(commit_in_doubt_that_the_standby_lacks_is_done_again),
        ALONE(number_of_the_transaction_that_somebody_else_got_proves_nothing),
        ALONE(confirmed_unit_that_the_standby_lacks_is_noticed_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
