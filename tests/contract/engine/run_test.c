// The engine's contract: every test runs on both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

#include <unistd.h>

static struct env env;

static int
start_pg(void **state)
{
    env_start(&env, DROVER__V1__ENGINE__POSTGRESQL);
    *state = &env;
    return 0;
}

static int
start_sqlite(void **state)
{
    env_start(&env, DROVER__V1__ENGINE__SQLITE);
    *state = &env;
    return 0;
}

static int
stop(void **state)
{
    env_stop(*state);
    return 0;
}

static const struct tp_revision chain[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE a (id integer PRIMARY KEY)", "INSERT INTO a VALUES (1)"),
                  TP_VERIFY("SELECT count(*) = 1 FROM a"), TP_DOWN("DROP TABLE a")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_UP("CREATE TABLE c (id integer)"),
                  TP_DOWN("DROP TABLE c"), TP_DOWN("DROP TABLE b")}},
    {.id = "three",
     .parents = {"two"},
     .sections = {TP_UP("CREATE INDEX c_id ON c (id)"), TP_DOWN("DROP INDEX c_id")}},
};

static struct tp_plan *
make(struct env *e, const struct tp_revision *revisions, size_t count)
{
    return tp_make(e->engine, revisions, count);
}

static void
assert_head(struct env *e, const char *id)
{
    struct dr_engine_state s = env_state(e);
    assert_int_equal(s.heads_count, id == NULL ? 0 : 1);
    if (id != NULL) {
        assert_string_equal(s.heads[0].id, id);
    }
}

// ------------------------------------------------------------------------------------- up and down

// id: C1
static void
upgrade_does_every_unit_once_and_names_the_head(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.outcome, DR_ENGINE_DONE);
    assert_int_equal(e->result.units_count, 4);
    assert_int_equal(e->result.heads_count, 1);
    assert_string_equal(e->result.heads[0].id, "three");
    assert_int_equal(e->result.position, 4);
    assert_true(env_has_table(e, "a") && env_has_table(e, "b") && env_has_table(e, "c_id"));
    assert_int_equal(env_done_rows(e, "two", 1), 2);
    assert_head(e, "three");
    tp_free(p);
}

// id: V12
static void
second_upgrade_does_nothing(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_int_equal(e->result.units_count, 0);
    assert_int_equal(e->result.position, 4);
    assert_string_equal(e->result.heads[0].id, "three");
    tp_free(p);
}

// id: C4
static void
downgrade_goes_back_and_upgrade_comes_again(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3), *last = tp_make_after(e->engine, chain + 2, 1, p);
    struct dr_engine_state empty = env_state(e);
    assert_ok(e, env_up(e, p));
    assert_ok(e, env_down(e, last));
    assert_head(e, "two");
    assert_false(env_has_table(e, "c_id"));
    assert_ok(e, env_down(e, p));
    struct dr_engine_state after = env_state(e);
    assert_int_equal(after.heads_count, 0);
    assert_memory_equal(after.fingerprint, empty.fingerprint, 32);
    assert_ok(e, env_up(e, p));
    assert_head(e, "three");
    tp_free(last);
    tp_free(p);
}

static void
merge_makes_one_head_of_two(void **state)
{
    struct env *e = *state;
    static const struct tp_revision tree[] = {
        {.id = "root", .sections = {TP_UP("CREATE TABLE t (id integer)"), TP_DOWN("DROP TABLE t")}},
        {.id = "left",
         .parents = {"root"},
         .sections = {TP_UP("CREATE TABLE l (id integer)"), TP_DOWN("DROP TABLE l")}},
        {.id = "right",
         .parents = {"root"},
         .sections = {TP_UP("CREATE TABLE r (id integer)"), TP_DOWN("DROP TABLE r")}},
        {.id = "merge", .parents = {"left", "right"}},
    };
    struct tp_plan *branches = make(e, tree, 3), *p = make(e, tree, 4);
    assert_ok(e, env_up(e, branches));
    assert_int_equal(env_state(e).heads_count, 2);
    assert_ok(e, env_up(e, p));
    assert_head(e, "merge");
    struct tp_plan *last = tp_make_after(e->engine, tree + 3, 1, p);
    assert_ok(e, env_down(e, last));
    assert_int_equal(env_state(e).heads_count, 2);
    tp_free(last);
    tp_free(p);
    tp_free(branches);
}

// id: C13
static void
stamp_records_without_running(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    assert_false(env_has_table(e, "a"));
    assert_head(e, "three");
    tp_free(p);
}

// id: G3
static void
prove_runs_up_down_up_and_compares(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__PROVE));
    assert_true(e->result.proved);
    assert_int_equal(e->result.units_count, 12);
    assert_head(e, "three");
    tp_free(p);
}

static void
prove_notices_a_down_that_forgets(void **state)
{
    struct env *e = *state;
    static const struct tp_revision forgets[] = {
        {.id = "one",
         .sections = {
             TP_UP("CREATE TABLE IF NOT EXISTS a (id integer)", "CREATE TABLE b (id integer)"),
             TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, forgets, 1);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__PROVE));
    assert_false(e->result.proved);
    tp_free(p);
}

// ---------------------------------------------------------------------------------------- failures

// id: T3
static void
failing_statement_takes_its_whole_unit_back(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)", "INSERT INTO nowhere VALUES (1)"),
                      TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, bad, 2);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_string_equal(e->result.failed_revision, "two");
    assert_non_null(strstr(e->err.message, "nowhere"));
    assert_int_equal(e->err.line, 4);
    assert_string_equal(e->err.file, "two");
    if (env_is_pg(e)) {
        assert_string_equal(e->result.sqlstate, "42P01");
        assert_int_equal(e->err.column, 13);
    }
    assert_int_equal(e->result.units_count, 1);
    assert_true(env_has_table(e, "a"));
    assert_false(env_has_table(e, "b"));
    assert_head(e, "one");
    tp_free(p);
}

// id: T1
static void
run_goes_on_after_the_unit_that_failed(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_UP("CREATE TABLE x (id integer)")}}};
    struct tp_plan *p = make(e, bad, 1);
    env_sql(e, "CREATE TABLE x (id integer)");
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    struct dr_engine_state s = env_state(e);
    assert_true(s.is_partial);
    assert_int_equal(s.heads_count, 0);
    assert_int_equal(s.ledger.units_count, 1);
    env_sql(e, "DROP TABLE x");
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.units_count, 1);
    assert_false(env_state(e).is_partial);
    assert_int_equal(env_done_rows(e, "one", 1), 2);
    tp_free(p);
}

static void
forbidden_statement_is_refused_before_anything_runs(void **state)
{
    struct env *e = *state;
    static const char *const texts[] = {"COMMIT",
                                        "/* x */ -- y\n rollback",
                                        "BEGIN",
                                        "SAVEPOINT s",
                                        "CREATE TABLE y (id integer); COMMIT",
                                        "END"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        const struct tp_revision bad[] = {
            {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
            {.id = "two", .parents = {"one"}, .sections = {TP_UP(texts[i])}}};
        struct tp_plan *p = make(e, bad, 2);
        enum dr_rc rc = env_up(e, p);
        if (rc != DR_E_FORBIDDEN_STATEMENT && rc != DR_E_PLAN_MISMATCH) {
            fail_msg("'%s' gave %s: %s", texts[i], dr_rc_name(rc), e->err.message);
        }
        assert_false(env_has_table(e, "a"));
        tp_free(p);
    }
}

static void
file_with_other_bytes_is_refused(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    p->files[1][0] ^= 1;
    assert_int_equal(env_up(e, p), DR_E_FILE_DIGEST);
    assert_false(env_has_table(e, "a"));
    tp_free(p);
}

static void
changed_revision_and_missing_parent_are_refused(void **state)
{
    struct env *e = *state;
    static const struct tp_revision other[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE z (id integer)")}}};
    struct tp_plan *p = make(e, chain, 1), *q = make(e, other, 1), *far = make(e, chain + 2, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_up(e, q), DR_E_REVISION_CHANGED);
    assert_int_equal(env_up(e, far), DR_E_NOT_CONTIGUOUS);
    tp_free(far);
    tp_free(q);
    tp_free(p);
}

static void
revision_with_children_or_without_a_way_back_stays(void **state)
{
    struct env *e = *state;
    static const struct tp_revision one_way[] = {
        {.id = "one", .no_down = true, .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, one_way, 2), *first = make(e, one_way, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_down(e, p), DR_E_NO_DOWN);
    struct tp_plan *q = make(e, chain, 1);
    (void)q;
    assert_true(env_has_table(e, "b"));
    assert_int_equal(env_down(e, first), DR_E_NO_DOWN);
    tp_free(q);
    tp_free(first);
    tp_free(p);
}

static void
parent_of_an_applied_revision_cannot_go_first(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 2), *first = make(e, chain, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_down(e, first), DR_E_NOT_CONTIGUOUS);
    assert_true(env_has_table(e, "a"));
    tp_free(first);
    tp_free(p);
}

// ---------------------------------------------------------------------------------------- checks

static void
false_verify_takes_the_unit_back(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"),
                      TP_VERIFY("SELECT count(*) = 7 FROM a")}}};
    struct tp_plan *p = make(e, bad, 1);
    assert_int_equal(env_up(e, p), DR_E_VERIFY_FAILED);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_false(env_has_table(e, "a"));
    assert_int_equal(e->result.checks_count, 1);
    assert_int_equal(e->result.checks[0].verdict, DR_CHECK_FAILED);
    assert_head(e, NULL);
    tp_free(p);
}

static void
verify_may_try_rows_that_do_not_stay(void **state)
{
    struct env *e = *state;
    static const struct tp_revision good[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"),
                      TP_VERIFY("INSERT INTO a VALUES (1)", "SELECT count(*) = 1 FROM a")}}};
    struct tp_plan *p = make(e, good, 1);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM a"), "0");
    tp_free(p);
}

static void
false_preflight_stops_before_the_first_change(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT,
                       .name = "no bad rows",
                       .expect = DROVER__V1__EXPECT__EXPECT_EMPTY,
                       .statements = {"SELECT id, name FROM users WHERE name = 'bad'"}},
                      TP_UP("CREATE TABLE b (id integer)")}}};
    struct tp_plan *p = make(e, bad, 2);
    env_sql(e, "CREATE TABLE users (id integer, name text)");
    env_sql(e, "INSERT INTO users VALUES (1, 'good'), (2, 'bad')");
    assert_int_equal(env_up(e, p), DR_E_PREFLIGHT_FAILED);
    assert_false(env_has_table(e, "a"));
    assert_int_equal(e->result.checks_count, 1);
    assert_int_equal(e->result.checks[0].rows_count, 1);
    assert_string_equal(e->result.checks[0].cells[0], "2");
    assert_null(strstr(e->err.message, "bad'"));
    tp_free(p);
}

static void
preflight_of_a_table_to_come_is_asked_later(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)", "INSERT INTO a VALUES (3)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_PREFLIGHT("SELECT count(*) = 0 FROM a"),
                      TP_UP("CREATE TABLE b (id integer)")}}};
    struct tp_plan *p = make(e, revisions, 2);
    assert_int_equal(env_up(e, p), DR_E_PREFLIGHT_FAILED);
    assert_true(env_has_table(e, "a"));
    assert_false(env_has_table(e, "b"));
    env_sql(e, "DELETE FROM a");
    assert_ok(e, env_up(e, p));
    tp_free(p);
}

static void
preflight_cannot_write(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {{.id = "one",
                                              .sections = {TP_PREFLIGHT("INSERT INTO t VALUES (1)"),
                                                           TP_UP("CREATE TABLE a (id integer)")}}};
    struct tp_plan *p = make(e, bad, 1);
    env_sql(e, "CREATE TABLE t (id integer)");
    assert_int_equal(env_up(e, p), DR_E_PREFLIGHT_FAILED);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM t"), "0");
    tp_free(p);
}

static void
section_for_another_environment_is_left_out(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"),
                      {.kind = DROVER__V1__UNIT_KIND__UNIT_VERIFY,
                       .only = "staging",
                       .statements = {"SELECT 1 = 0"}}}}};
    struct tp_plan *p = make(e, revisions, 1);
    e->options.environment = "staging";
    assert_int_equal(env_up(e, p), DR_E_VERIFY_FAILED);
    e->options.environment = "production";
    assert_ok(e, env_up(e, p));
    tp_free(p);
}

// ---------------------------------------------------------------------------------------- session

static void
session_state_of_a_unit_does_not_reach_the_next(void **state)
{
    struct env *e = *state;
    static const struct tp_revision pg[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE SCHEMA other", "SET search_path = other",
                            "SET work_mem = '7MB'", "CREATE TEMP TABLE left_over (id integer)",
                            "SELECT pg_advisory_lock(5)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"),
                      TP_VERIFY("SELECT current_setting('work_mem') <> '7MB'",
                                "SELECT to_regclass('left_over') IS NULL",
                                "SELECT to_regclass('public.b') IS NOT NULL",
                                "SELECT pg_my_temp_schema() = 0 OR NOT EXISTS (SELECT FROM "
                                "pg_class WHERE relnamespace ="
                                " pg_my_temp_schema())")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TEMP TABLE left_over (id integer)",
                            "CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"),
                      TP_VERIFY("SELECT count(*) = 0 FROM sqlite_temp_master")}}};
    struct tp_plan *p = make(e, env_is_pg(e) ? pg : sqlite, 2);
    assert_ok(e, env_up(e, p));
    if (env_is_pg(e)) {
        const char *leaks = e->result.units[0].leaks;
        assert_non_null(strstr(leaks, "setting search_path"));
        assert_non_null(strstr(leaks, "setting work_mem"));
        assert_non_null(strstr(leaks, "temporary left_over"));
        assert_non_null(strstr(leaks, "advisory lock"));
        assert_string_equal(e->result.units[1].leaks, "");
    }
    tp_free(p);
}

// ------------------------------------------------------------------------------------ who may run

// id: S23
static void
second_runner_is_told_that_the_database_is_locked(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    char gate[PATH_MAX], value[PATH_MAX + 64];
    (void)dr_tmp_file(&e->tmp, "gate", "", 0600, gate);
    (void)snprintf(value, sizeof value, "engine-locked=pause:%s", gate);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", value, 1);
        (void)close(ready[0]);
        enum dr_rc rc = env_up(e, p);
        _exit(rc == DR_OK ? 0 : 1);
    }
    // The child waits at the gate with the lock held; until it has it, we would get it, so look for
    // it.
    (void)close(ready[1]);
    bool was_locked = false;
    struct dr_engine *engine = NULL;
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    const uint8_t never[32] = {1};
    job.expect_head = never; // what is not locked out is refused here, and runs nothing
    for (int i = 0; i < 200 && !was_locked; i++) {
        enum dr_rc rc = dr_engine_run(engine, &job, e->arena, &e->result, &e->err);
        was_locked = rc == DR_E_LOCKED;
        (void)usleep(20000);
    }
    dr_engine_close(&engine);
    assert_true(was_locked);
    assert_int_equal(unlink(gate), 0);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(ready[0]);
    assert_head(e, "three");
    tp_free(p);
}

static void
ledger_of_an_agent_is_refused_in_direct_mode(void **state)
{
    struct env *e = *state;
    static const uint8_t key[32] = {7}, other[32] = {8};
    struct tp_plan *p = make(e, chain, 1);
    struct dr_engine *engine = NULL;
    e->options.url = e->url;
    e->options.owner = "agent-7";
    e->options.owner_key = key;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_own(engine, false, &e->err));
    dr_engine_close(&engine);
    e->options.owner_key = other;
    assert_int_equal(env_up(e, p), DR_E_LEDGER_OWNED);
    e->options.owner = NULL;
    e->options.owner_key = NULL;
    assert_int_equal(env_up(e, p), DR_E_LEDGER_OWNED);
    assert_non_null(strstr(e->err.message, "agent-7"));
    assert_false(env_has_table(e, "a"));
    e->options.owner = "agent-7";
    e->options.owner_key = key;
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_state(e).owner, "agent-7");
    tp_free(p);
}

static void
newer_ledger_is_refused(void **state)
{
    struct env *e = *state;
    char sql[128];
    struct tp_plan *p = make(e, chain, 1);
    assert_ok(e, env_up(e, p));
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET value = '2' WHERE key = 'version'",
                   env_ledger_table(e, "meta"));
    env_sql(e, sql);
    assert_int_equal(env_up(e, p), DR_E_LEDGER_NEWER);
    tp_free(p);
}

static void
changed_ledger_is_noticed(void **state)
{
    struct env *e = *state;
    static const struct {
        const char *verb, *rest;
    } changes[] = {{"UPDATE", "SET plan_sha256 = approval_sha256 WHERE position = 2"},
                   {"DELETE FROM", "WHERE position = 2"},
                   {"DELETE FROM", "WHERE position = 3"},
                   {"UPDATE", "SET revision_id = 'one' WHERE position = 3"}};
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        char sql[256];
        struct tp_plan *p = make(e, chain, 2), *all = make(e, chain, 3);
        assert_ok(e, env_up(e, p));
        (void)snprintf(sql, sizeof sql, "%s %s %s", changes[i].verb, env_ledger_table(e, "ledger"),
                       changes[i].rest);
        env_sql(e, sql);
        assert_int_equal(env_up(e, all), DR_E_LEDGER_TAMPERED);
        assert_false(env_has_table(e, "c_id"));
        tp_free(all);
        tp_free(p);
        Drover__V1__Engine engine = e->engine;
        env_stop(e);
        env_start(e, engine);
    }
}

static void
changed_list_of_revisions_is_noticed(void **state)
{
    struct env *e = *state;
    char sql[256];
    struct tp_plan *p = make(e, chain, 2), *all = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = 'two'",
                   env_ledger_table(e, "revision"));
    env_sql(e, sql);
    assert_int_equal(env_up(e, all), DR_E_LEDGER_TAMPERED);
    assert_non_null(strstr(e->err.message, "'two'"));
    tp_free(all);
    tp_free(p);
}

static void
target_that_moved_since_it_was_looked_at_is_refused(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 1), *all = make(e, chain, 3);
    struct dr_engine_state before = env_state(e);
    struct dr_engine_job job = tp_job(all, DROVER__V1__MODE__UP);
    assert_ok(e, env_up(e, p));
    job.expect_head = before.ledger_head;
    assert_int_equal(env_run_job(e, &job), DR_E_STATE_CHANGED);
    job.expect_head = NULL;
    job.expect_fingerprint = before.fingerprint;
    assert_int_equal(env_run_job(e, &job), DR_E_STATE_CHANGED);
    struct dr_engine_state now = env_state(e);
    job.expect_head = now.ledger_head;
    job.expect_fingerprint = now.fingerprint;
    assert_ok(e, env_run_job(e, &job));
    tp_free(all);
    tp_free(p);
}

static enum dr_rc
refuse(void *arg, const struct dr_engine_state *found, struct dr_err *err)
{
    *(uint64_t *)arg += 1 + found->position;
    return dr_err_set(err, DR_E_PERMISSION, "not now");
}

static void
caller_may_refuse_before_the_first_write(void **state)
{
    struct env *e = *state;
    uint64_t calls = 0;
    struct tp_plan *p = make(e, chain, 3);
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    job.begin = refuse;
    job.begin_arg = &calls;
    assert_int_equal(env_run_job(e, &job), DR_E_PERMISSION);
    assert_int_equal(calls, 1);
    assert_false(env_has_table(e, "a"));
    assert_false(env_state(e).has_ledger);
    tp_free(p);
}

static void
cancel_in_two(void *arg, const struct dr_engine_progress *p)
{
    if (strcmp(p->revision_id, "two") == 0) {
        assert_int_equal(write(*(int *)arg, "x", 1), 1);
    }
}

static void
cancelled_run_leaves_a_true_state(void **state)
{
    struct env *e = *state;
    static const struct tp_revision pg[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)", "SELECT pg_sleep(60)")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP(
             "CREATE TABLE b (id integer)",
             "INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
             " count(*) FROM n")}}};
    struct tp_plan *p = make(e, env_is_pg(e) ? pg : sqlite, 2);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    e->options.cancel_fd = fds[0];
    e->options.progress = cancel_in_two;
    e->options.progress_arg = &fds[1];
    assert_int_equal(env_up(e, p), DR_E_INTERRUPTED);
    e->options = (struct dr_engine_options){0};
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_int_equal(e->result.units_count, 1);
    assert_false(env_has_table(e, "b"));
    assert_head(e, "one");
    tp_free(p);
}

// --------------------------------------------------------------------------- outside a transaction

static const struct tp_revision outside[] = {
    {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                   .is_outside = true,
                   .probe = DROVER__V1__PROBE__PROBE_IDEMPOTENT,
                   .class = DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT,
                   .statements = {"VACUUM"}},
                  TP_VERIFY("SELECT count(*) = 0 FROM a"),
                  {.kind = DROVER__V1__UNIT_KIND__UNIT_DOWN, .statements = {"DELETE FROM a"}}}},
    {.id = "three", .parents = {"two"}, .sections = {TP_UP("CREATE TABLE b (id integer)")}},
};

static void
unit_outside_a_transaction_has_intent_and_done(void **state)
{
    struct env *e = *state;
    char sql[128];
    struct tp_plan *p = make(e, outside, 3);
    assert_ok(e, env_up(e, p));
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE revision_id = 'two'",
                   env_ledger_table(e, "ledger"));
    assert_string_equal(env_ask(e, sql), "2");
    assert_head(e, "three");
    tp_free(p);
}

static void
unit_outside_a_transaction_is_taken_up_again(void **state)
{
    struct env *e = *state;
    static const char *const points[] = {"engine-intent-after=kill", "engine-outside-after=kill"};
    for (size_t i = 0; i < DR_COUNT_OF(points); i++) {
        struct tp_plan *p = make(e, outside, 3);
        struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
        int status = env_run_in_child(e, &job, points[i]);
        assert_true(WIFSIGNALED(status));
        struct dr_engine_state s = env_state(e);
        assert_true(s.is_partial);
        assert_int_equal(s.ledger.units_count, 1);
        assert_int_equal(s.ledger.units[0].kind, DR_LEDGER_INTENT);
        assert_ok(e, env_up(e, p));
        assert_int_equal(env_done_rows(e, "two", 1), 1);
        assert_head(e, "three");
        tp_free(p);
        Drover__V1__Engine engine = e->engine;
        env_stop(e);
        env_start(e, engine);
    }
}

static void
unit_outside_without_a_probe_stops_when_in_doubt(void **state)
{
    struct env *e = *state;
    static const struct tp_revision unknown[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .is_outside = true,
                       .statements = {"VACUUM"}}}}};
    struct tp_plan *p = make(e, unknown, 1);
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    assert_true(WIFSIGNALED(env_run_in_child(e, &job, "engine-outside-after=kill")));
    assert_int_equal(env_up(e, p), DR_E_NEEDS_REPAIR);
    assert_int_equal(e->result.outcome, DR_ENGINE_REPAIR);
    tp_free(p);
}

static void
statement_outside_that_fails_leaves_no_doubt(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one",
         .sections = {
             {.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
              .is_outside = true,
              .statements = {"INSERT INTO later VALUES (1)"}},
             {.kind = DROVER__V1__UNIT_KIND__UNIT_DOWN, .statements = {"DELETE FROM later"}}}}};
    struct tp_plan *p = make(e, bad, 1);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_false(env_state(e).is_partial);
    env_sql(e, "CREATE TABLE later (id integer)");
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM later"), "1");
    assert_head(e, "one");
    assert_ok(e, env_down(e, p));
    assert_head(e, NULL);
    tp_free(p);
}

// ---------------------------------------------------------------------------------------- the rest

struct seen {
    size_t calls, done;
    char last[65];
};

static void
on_progress(void *arg, const struct dr_engine_progress *p)
{
    struct seen *s = arg;
    s->calls++;
    s->done += p->done ? 1 : 0;
    (void)snprintf(s->last, sizeof s->last, "%s", p->revision_id);
    assert_true(p->revision >= 1 && p->revision <= p->revisions);
    assert_true(p->unit >= 1 && p->unit <= p->units);
}

static void
progress_names_every_unit(void **state)
{
    struct env *e = *state;
    struct seen seen = {0};
    struct tp_plan *p = make(e, chain, 3);
    e->options.progress = on_progress;
    e->options.progress_arg = &seen;
    assert_ok(e, env_up(e, p));
    assert_int_equal(seen.done, 4);
    assert_true(seen.calls >= 8);
    assert_string_equal(seen.last, "three");
    tp_free(p);
}

static void
two_tenants_have_their_own_history(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 1);
    e->options.tenant = "one";
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    e->options.tenant = "two";
    assert_head(e, NULL);
    e->options.tenant = "one";
    assert_head(e, "one");
    tp_free(p);
}

#define BOTH(name)                                                                                 \
    {"postgresql: " #name, name, start_pg, stop, NULL},                                            \
    {                                                                                              \
        "sqlite: " #name, name, start_sqlite, stop, NULL                                           \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(upgrade_does_every_unit_once_and_names_the_head),
        BOTH(second_upgrade_does_nothing),
        BOTH(downgrade_goes_back_and_upgrade_comes_again),
        BOTH(merge_makes_one_head_of_two),
        BOTH(stamp_records_without_running),
        BOTH(prove_runs_up_down_up_and_compares),
        BOTH(prove_notices_a_down_that_forgets),
        BOTH(failing_statement_takes_its_whole_unit_back),
        BOTH(run_goes_on_after_the_unit_that_failed),
        BOTH(forbidden_statement_is_refused_before_anything_runs),
        BOTH(file_with_other_bytes_is_refused),
        BOTH(changed_revision_and_missing_parent_are_refused),
        BOTH(revision_with_children_or_without_a_way_back_stays),
        BOTH(parent_of_an_applied_revision_cannot_go_first),
        BOTH(false_verify_takes_the_unit_back),
        BOTH(verify_may_try_rows_that_do_not_stay),
        BOTH(false_preflight_stops_before_the_first_change),
        BOTH(preflight_of_a_table_to_come_is_asked_later),
        BOTH(preflight_cannot_write),
        BOTH(section_for_another_environment_is_left_out),
        BOTH(session_state_of_a_unit_does_not_reach_the_next),
        BOTH(second_runner_is_told_that_the_database_is_locked),
        BOTH(ledger_of_an_agent_is_refused_in_direct_mode),
        BOTH(newer_ledger_is_refused),
        BOTH(changed_ledger_is_noticed),
        BOTH(changed_list_of_revisions_is_noticed),
        BOTH(target_that_moved_since_it_was_looked_at_is_refused),
        BOTH(caller_may_refuse_before_the_first_write),
        BOTH(cancelled_run_leaves_a_true_state),
        BOTH(unit_outside_a_transaction_has_intent_and_done),
        BOTH(unit_outside_a_transaction_is_taken_up_again),
        BOTH(unit_outside_without_a_probe_stops_when_in_doubt),
        BOTH(statement_outside_that_fails_leaves_no_doubt),
        BOTH(progress_names_every_unit),
        BOTH(two_tenants_have_their_own_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
