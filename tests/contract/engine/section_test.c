// The engine's contract: preflight and verify, session state, units outside a transaction. Every
// test runs on both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#include <poll.h>
#include <unistd.h>

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

static enum dr_rc
look_before_approval(struct env *e, struct tp_plan *p)
{
    struct dr_engine *engine = NULL;
    struct dr_check_result *checks = NULL;
    size_t count = 0;
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    enum dr_rc rc = dr_engine_preflight(engine, &job, e->arena, &checks, &count, &e->err);
    dr_engine_close(&engine);
    return rc;
}

// id: P1
static void
preflight_before_an_approval_calls_only_known_functions(void **state)
{
    struct env *e = *state;
    static const struct tp_revision good[] = {
        {.id = "one",
         .sections = {TP_PREFLIGHT("SELECT count(*) = 0 AND lower('A') = 'a' FROM t"),
                      TP_UP("CREATE TABLE a (id integer)")}}};
    static const struct tp_revision bad[] = {
        {.id = "one",
         .sections = {TP_PREFLIGHT("SELECT false"), TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_PREFLIGHT("SELECT true", "SELECT\n lo_create(0) > 0"),
                      TP_UP("CREATE TABLE b (id integer)")}}};
    env_sql(e, "CREATE TABLE t (id integer)");
    struct tp_plan *p = make(e, good, 1);
    assert_ok(e, look_before_approval(e, p));
    tp_free(p);
    p = make(e, bad, 2);
    // The first revision's preflight is false, but it never ran.
    assert_int_equal(look_before_approval(e, p), DR_E_PREFLIGHT_FORBIDDEN);
    assert_non_null(strstr(e->err.message, "'lo_create'"));
    assert_non_null(strstr(e->err.message, "'two'"));
    assert_int_equal(e->err.line, 5);
    tp_free(p);
}

// id: P1
static void
preflight_before_an_approval_is_ended_after_five_seconds(void **state)
{
    struct env *e = *state;
    static const struct tp_revision slow[] = {
        {.id = "one",
         .sections = {TP_PREFLIGHT("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                                   " SELECT count(*) > 0 FROM n"),
                      TP_UP("CREATE TABLE a (id integer)")}}};
    struct tp_plan *p = make(e, slow, 1);
    env_sql(e, "CREATE TABLE t (id integer)");
    int64_t start = dr_monotonic_ms();
    assert_int_equal(look_before_approval(e, p), DR_E_PREFLIGHT_FAILED);
    assert_in_range(dr_monotonic_ms() - start, 4000, 15000);
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
                            "SELECT pg_advisory_lock(5), set_config('role', 'leaky', false)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"),
                      TP_VERIFY("SELECT current_setting('work_mem') <> '7MB' AND"
                                " current_user = session_user",
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
    if (env_is_pg(e)) {
        env_sql(e, "DROP ROLE IF EXISTS leaky");
        env_sql(e, "CREATE ROLE leaky SUPERUSER");
    }
    assert_ok(e, env_up(e, p));
    if (env_is_pg(e)) {
        env_sql(e, "DROP ROLE leaky");
        const char *leaks = e->result.units[0].leaks;
        assert_non_null(strstr(leaks, "setting search_path"));
        assert_non_null(strstr(leaks, "setting work_mem"));
        assert_non_null(strstr(leaks, "temporary left_over"));
        assert_non_null(strstr(leaks, "advisory lock"));
        assert_non_null(strstr(leaks, "role leaky"));
        assert_string_equal(e->result.units[1].leaks, "");
    }
    tp_free(p);
}

// Did each unit leave what is said there? "": nothing.
static void
assert_told(const struct env *e, const char *const *told, size_t count)
{
    assert_int_equal(e->result.units_count, count);
    for (size_t i = 0; i < count; i++) {
        const char *leaks = e->result.units[i].leaks;
        if (told[i][0] == '\0' ? leaks[0] != '\0' : strstr(leaks, told[i]) == NULL) {
            fail_msg("unit %zu: '%s' was told, not '%s'", i + 1, leaks, told[i]);
        }
    }
}

// What functions and triggers leave shows in no word of the unit.
static void
session_state_that_a_function_left_is_told_and_removed(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections =
             {TP_UP("CREATE TABLE a (id integer)",
                    "CREATE FUNCTION locks() RETURNS integer LANGUAGE plpgsql AS 'BEGIN PERFORM "
                    "pg_catalog.pg_advisory_lock(7); RETURN 1; END'",
                    "CREATE FUNCTION sets() RETURNS integer LANGUAGE plpgsql AS 'BEGIN PERFORM "
                    "pg_catalog.set_config(''work_mem'', ''7MB'', false); RETURN 1; END'",
                    "CREATE FUNCTION tables() RETURNS integer LANGUAGE plpgsql AS 'BEGIN EXECUTE "
                    "''CREATE '' || ''TEMP TABLE left_over (id integer)''; RETURN 1; END'"),
              TP_DOWN("DROP TABLE a")}},
        {.id = "two", .parents = {"one"}, .sections = {TP_UP("INSERT INTO a VALUES (locks())")}},
        {.id = "three", .parents = {"two"}, .sections = {TP_UP("UPDATE a SET id = sets()")}},
        {.id = "four",
         .parents = {"three"},
         .sections = {TP_UP("INSERT INTO a VALUES (tables())"), TP_VERIFY("SELECT true")}},
        {.id = "five",
         .parents = {"four"},
         .sections = {TP_UP("ALTER TABLE a ADD COLUMN x integer DEFAULT locks()")}},
        {.id = "six", .parents = {"five"}, .sections = {TP_UP("CREATE TABLE b (id integer)")}}};
    static const char *const told[] = {
        "", "advisory lock", "setting work_mem", "temporary left_over", "advisory lock", ""};
    struct tp_plan *p = make(e, revisions, DR_COUNT_OF(revisions));
    assert_ok(e, env_up(e, p));
    assert_told(e, told, DR_COUNT_OF(told));
    tp_free(p);
}

// Where nobody made a function, a default may still call one of the server's own.
static void
setting_that_a_default_or_a_condition_left_is_told(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer, x text DEFAULT "
                            "pg_catalog.set_config('work_mem', '7MB', false))",
                            "CREATE TABLE b (id integer CHECK (length("
                            "pg_catalog.set_config('work_mem', '8MB', false)) > 0))",
                            "CREATE TABLE c (id integer)")}},
        {.id = "two", .parents = {"one"}, .sections = {TP_UP("INSERT INTO a (id) VALUES (1)")}},
        {.id = "three", .parents = {"two"}, .sections = {TP_UP("INSERT INTO b VALUES (1)")}},
        {.id = "four", .parents = {"three"}, .sections = {TP_UP("INSERT INTO c VALUES (1)")}},
        {.id = "five",
         .parents = {"four"},
         .sections = {TP_UP("CREATE VIEW d AS SELECT id, "
                            "pg_catalog.set_config('work_mem', '9MB', false) AS x FROM c")}},
        {.id = "six",
         .parents = {"five"},
         .sections = {TP_UP("INSERT INTO c SELECT length(x) FROM d")}}};
    static const char *const told[] = {"", "setting work_mem", "setting work_mem", "",
                                       "", "setting work_mem"};
    struct tp_plan *p = make(e, revisions, DR_COUNT_OF(revisions));
    assert_ok(e, env_up(e, p));
    assert_told(e, told, DR_COUNT_OF(told));
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
    for (size_t i = 0; i < e->result.units_count; i++) { // the driver's own settings are no leak
        assert_string_equal(e->result.units[i].leaks, "");
    }
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(false_verify_takes_the_unit_back),
        BOTH(verify_may_try_rows_that_do_not_stay),
        BOTH(false_preflight_stops_before_the_first_change),
        BOTH(preflight_of_a_table_to_come_is_asked_later),
        BOTH(preflight_cannot_write),
        BOTH(preflight_before_an_approval_calls_only_known_functions),
        BOTH(preflight_before_an_approval_is_ended_after_five_seconds),
        BOTH(section_for_another_environment_is_left_out),
        BOTH(session_state_of_a_unit_does_not_reach_the_next),
        {"postgresql: session_state_that_a_function_left_is_told_and_removed",
         session_state_that_a_function_left_is_told_and_removed, env_start_pg, env_end, NULL},
        {"postgresql: setting_that_a_default_or_a_condition_left_is_told",
         setting_that_a_default_or_a_condition_left_is_told, env_start_pg, env_end, NULL},
        BOTH(unit_outside_a_transaction_has_intent_and_done),
        BOTH(unit_outside_a_transaction_is_taken_up_again),
        BOTH(unit_outside_without_a_probe_stops_when_in_doubt),
        BOTH(statement_outside_that_fails_leaves_no_doubt),
        BOTH(progress_names_every_unit),
        BOTH(two_tenants_have_their_own_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
