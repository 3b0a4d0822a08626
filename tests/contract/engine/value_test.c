// A probe's value: what it may ask, and what comes of it. On both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

#include "engine/value.h"

static struct dr_engine_value
ask(struct env *e, const char *sql)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_value value = {0};

    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_value(engine, (enum dr_sql_dialect)e->engine, "errors", sql, e->arena,
                                 &value, &e->err));
    dr_engine_close(&engine);
    return value;
}

static void
says_nothing(struct env *e, const char *sql, const char *why)
{
    struct dr_engine_value value = ask(e, sql);

    assert_string_equal(value.text, "");
    if (strstr(value.why, why) == NULL) {
        fail_msg("%s: '%s', not '%s'", sql, value.why, why);
    }
}

// id: G7
static void
one_number_is_a_value(void **state)
{
    struct env *e = *state;

    env_sql(e, "CREATE TABLE t (n integer)");
    env_sql(e, "INSERT INTO t VALUES (3), (4)");
    assert_string_equal(ask(e, "SELECT count(*) FROM t").text, "2");
    assert_string_equal(ask(e, "SELECT max(n) + 0.5 FROM t;").text, "4.5");
    assert_string_equal(ask(e, "SELECT -1").text, "-1");
}

// id: G7
static void
what_is_no_number_is_inconclusive(void **state)
{
    struct env *e = *state;

    env_sql(e, "CREATE TABLE t (n integer, word text)");
    says_nothing(e, "SELECT n FROM t", "no row");
    env_sql(e, "INSERT INTO t VALUES (NULL, 'secret'), (1, '')");
    says_nothing(e, "SELECT n FROM t", "more than one row");
    says_nothing(e, "SELECT n, word FROM t WHERE n = 1", "more than one row or column");
    says_nothing(e, "SELECT max(n) FROM t WHERE n > 1", "NULL");
    says_nothing(e, "SELECT word FROM t WHERE n IS NULL", "no number");
    says_nothing(e, "SELECT word FROM t WHERE n = 1", "no number");
    says_nothing(e, "SELECT n FROM nowhere", "nowhere");
    says_nothing(e, "SELECT 1 / CASE", "");
}

// id: P1, G7
static void
a_probe_only_reads(void **state)
{
    struct env *e = *state;

    env_sql(e, "CREATE TABLE t (n integer)");
    says_nothing(e, "INSERT INTO t VALUES (1)", "");
    says_nothing(e, "DELETE FROM t", "");
    says_nothing(e, "SELECT 1; DELETE FROM t", "not one statement");
    says_nothing(e, "", "not one statement");
    if (env_is_pg(e)) {
        says_nothing(e, "SELECT pg_sleep(1)", "pg_sleep");
        says_nothing(e, "SELECT setval('s', 1)", "setval");
        says_nothing(e, "SELECT lo_create(0)", "lo_create");
        says_nothing(e, "WITH a AS (INSERT INTO t VALUES (1) RETURNING n) SELECT n FROM a", "");
        env_sql(e, "CREATE FUNCTION evil() RETURNS integer LANGUAGE sql AS"
                   " 'INSERT INTO t VALUES (1); SELECT 1'");
        says_nothing(e, "SELECT evil()", "evil");
    } else {
        says_nothing(e, "SELECT load_extension('x')", "load_extension");
        says_nothing(e, "PRAGMA user_version = 7", "");
    }
    assert_string_equal(env_ask(e, "SELECT count(*) FROM t"), "0");
}

static void
bounds_decide(void **unused)
{
    static const struct {
        const char *value, *least, *most;
        Drover__V1__ProbeOutcome outcome;
    } rows[] = {
        {"5", "", "5", DROVER__V1__PROBE_OUTCOME__PASSED},
        {"5.01", "", "5", DROVER__V1__PROBE_OUTCOME__NOT_PASSED},
        {"5", "5", "", DROVER__V1__PROBE_OUTCOME__PASSED},
        {"-1", "0", "", DROVER__V1__PROBE_OUTCOME__NOT_PASSED},
        {"1e3", "999", "1001", DROVER__V1__PROBE_OUTCOME__PASSED},
        {"7", "", "", DROVER__V1__PROBE_OUTCOME__PASSED},
        {"", "", "", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"nan", "", "5", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"inf", "", "5", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"1e999", "", "5", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"0x10", "", "5", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"1", "", "five", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
        {"1", "one", "", DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(dr_value_judge(rows[i].value, rows[i].least, rows[i].most),
                         rows[i].outcome);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(one_number_is_a_value),
        BOTH(what_is_no_number_is_inconclusive),
        BOTH(a_probe_only_reads),
        cmocka_unit_test(bounds_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
