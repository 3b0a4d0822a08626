// The server crashes while it runs a statement, at each statement of a plan whose units are not
// flushed one by one: by the death of the backend, and as a whole. What it has then is a prefix of
// the plan that the ledger names truly, and the runner goes on from there.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#include <poll.h>

#define PATIENCE_MS 60000
#define STATEMENTS  8

// public.gate(N) waits where the test wants it to, and is true. Its table is unlogged: a crash
// empties it, so nothing waits a second time.
static const struct tp_revision four[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE lines AS SELECT '1'::text AS unit WHERE public.gate(1)",
                        "CREATE TABLE one AS SELECT public.gate(2)")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("INSERT INTO lines SELECT '2' WHERE public.gate(3)",
                        "CREATE TABLE two AS SELECT public.gate(4)")}},
    {.id = "three",
     .parents = {"two"},
     .sections = {TP_UP("INSERT INTO lines SELECT '3' WHERE public.gate(5)",
                        "CREATE TABLE three AS SELECT public.gate(6)"),
                  TP_VERIFY("SELECT count(*) = 3 FROM lines")}},
    {.id = "four",
     .parents = {"three"},
     .sections = {TP_UP("INSERT INTO lines SELECT '4' WHERE public.gate(7)",
                        "CREATE TABLE four AS SELECT public.gate(8)")}},
};

struct crash {
    struct env *e;
    struct dr_pgcluster *cluster;
    struct tp_plan *plan;
    uint8_t undisturbed[32]; // fingerprint
    unsigned lost;           // units that were committed and not flushed, over all crashes
};

static void
fresh(struct crash *c)
{
    struct env *e = c->e;
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(c->cluster));
    env_sql(e, "CREATE UNLOGGED TABLE gate_at (n integer)");
    env_sql(e, "CREATE FUNCTION gate(wanted integer) RETURNS boolean LANGUAGE plpgsql AS"
               " 'BEGIN PERFORM pg_catalog.pg_sleep(60) FROM public.gate_at WHERE n = wanted;"
               " RETURN true; END'");
}

// The first value of a query, from a server that may be coming back.
static bool
ask(struct env *e, const char *sql, char *out, size_t size)
{
    struct dr_pg_options o = {.url = e->url};
    struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    struct dr_db_wait wait = dr_db_wait_ms(PATIENCE_MS);
    struct dr_pg *pg = NULL;
    struct dr_err ignored = {0};
    bool is_good = dr_pg_connect(&o, &wait, &pg, &ignored) == DR_OK &&
                   dr_pg_value(pg, &stmt, &wait, out, size, &ignored) == DR_OK;
    dr_pg_close(&pg);
    return is_good;
}

static void
wait_for(struct env *e, const char *sql, char *out, size_t size)
{
    int64_t deadline = dr_monotonic_ms() + PATIENCE_MS;
    while (!ask(e, sql, out, size)) {
        if (dr_monotonic_ms() > deadline) {
            fail_msg("never: %s", sql);
        }
        (void)poll(NULL, 0, 20);
    }
}

// What the ledger names is what is there, and it is a prefix. Gives its length.
static unsigned
assert_prefix(struct crash *c)
{
    static const char *const names[] = {"one", "two", "three", "four"};
    struct env *e = c->e;
    struct dr_engine_state s = env_state(e);
    unsigned length = 0;
    assert_false(s.is_partial);
    assert_in_range(s.heads_count, 0, 1);
    while (s.heads_count == 1 && strcmp(s.heads[0].id, names[length]) != 0) {
        assert_in_range(++length, 0, 3);
    }
    length += s.heads_count == 1 ? 1 : 0;
    assert_int_equal(s.position, length);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(env_has_table(e, names[i]), i < length);
        assert_int_equal(env_done_rows(e, names[i], 1), i < length ? 1 : 0);
    }
    assert_int_equal(env_has_table(e, "lines"), length > 0);
    if (length > 0) {
        assert_int_equal(strtol(env_ask(e, "SELECT count(*) FROM lines"), NULL, 10), length);
    }
    return length;
}

static void
crash_at(struct crash *c, int statement, bool whole)
{
    struct env *e = c->e;
    char sql[128], pid[32];
    int status = 0;
    fresh(c);
    (void)snprintf(sql, sizeof sql, "INSERT INTO gate_at VALUES (%d)", statement);
    env_sql(e, sql);
    pid_t runner = fork();
    if (runner == 0) {
        (void)alarm(120);
        _exit(env_up(e, c->plan) == DR_OK ? 0 : 1);
    }
    wait_for(e, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'", pid, sizeof pid);
    assert_int_equal(kill(runner, SIGSTOP), 0);
    if (whole) {
        dr_pgcluster_kill(c->cluster);
        dr_pgcluster_restart(c->cluster);
    } else {
        assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), SIGKILL), 0);
    }
    // A server that is ending still answers for a moment.
    wait_for(e, "SELECT 'back' WHERE NOT EXISTS (SELECT FROM public.gate_at)", pid, sizeof pid);
    unsigned committed = (unsigned)(statement - 1) / 2, length = assert_prefix(c);
    assert_in_range(length, 0, committed);
    c->lost += committed - length;
    assert_int_equal(kill(runner, SIGCONT), 0);
    assert_int_equal(waitpid(runner, &status, 0), runner);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("statement %d: the runner did not go on", statement);
    }
    assert_int_equal(assert_prefix(c), 4);
    assert_memory_equal(env_state(e).fingerprint, c->undisturbed, 32);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                        "0");
}

static void
crash_at_each(struct crash *c, bool whole)
{
    fresh(c);
    assert_ok(c->e, env_up(c->e, c->plan));
    memcpy(c->undisturbed, env_state(c->e).fingerprint, 32);
    for (int statement = 1; statement <= STATEMENTS; statement++) {
        crash_at(c, statement, whole);
    }
    print_message("%u units were committed, not flushed, and done again\n", c->lost);
}

static void
with_cluster(struct env *e, bool whole)
{
    static const char *const settings[] = {"wal_writer_delay=10s", "autovacuum=off", NULL};
    const struct dr_pgcluster_options o = {.settings = settings};
    struct crash c = {.e = e, .cluster = dr_pgcluster_start(&o), .plan = make(e, four, 4)};
    crash_at_each(&c, whole);
    assert_true(c.lost > 0); // otherwise the flush was not missing, and nothing was shown
    dr_pgcluster_stop(&c.cluster);
    tp_free(c.plan);
}

// id: C08
static void
backend_killed_at_each_statement_leaves_a_prefix(void **state)
{
    with_cluster(*state, false);
}

// id: C07 C08
static void
server_stopped_at_once_at_each_statement_leaves_a_prefix(void **state)
{
    with_cluster(*state, true);
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
        ALONE(backend_killed_at_each_statement_leaves_a_prefix),
        ALONE(server_stopped_at_once_at_each_statement_leaves_a_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
