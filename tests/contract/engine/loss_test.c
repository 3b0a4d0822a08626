// The engine's contract: what a way down takes is counted before it runs, and nothing is written
// or held meanwhile. And preflights of the way down.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/loss.h"
#include "support/engine_env.h"

static struct dr_loss *losses;
static size_t losses_count;

static enum dr_rc
count_mode(struct env *e, struct tp_plan *p, Drover__V1__Mode mode)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_job job = tp_job(p, mode);
    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    enum dr_rc rc = dr_engine_losses(engine, &job, e->arena, &losses, &losses_count, &e->err);
    dr_engine_close(&engine);
    return rc;
}

static enum dr_rc
count(struct env *e, struct tp_plan *p)
{
    return count_mode(e, p, DROVER__V1__MODE__DOWN);
}

static void
assert_loss(size_t i, const char *text)
{
    struct dr_buf out = {0};
    assert_true(i < losses_count);
    dr_loss_text(&losses[i], &out);
    assert_string_equal(out.data, text);
    dr_buf_fini(&out);
}

static void
rows_and_values_are_counted_newest_revision_first(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE users (id integer, email text)",
                            "CREATE TABLE \"Odd \"\"name\" (id integer)"),
                      TP_DOWN("DROP TABLE users", "DROP TABLE IF EXISTS never_there",
                              "DROP TABLE \"Odd \"\"name\"")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("ALTER TABLE users ADD COLUMN note text"),
                      TP_DOWN("ALTER TABLE users DROP COLUMN note")}},
    };
    struct tp_plan *p = make(e, revisions, 2);
    assert_ok(e, count(e, p)); // at base nothing goes
    assert_int_equal(losses_count, 0);
    assert_ok(e, env_up(e, p));
    env_sql(e, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', NULL), (3, NULL, 'y')");
    assert_ok(e, count(e, p));
    assert_int_equal(losses_count, 3);
    assert_loss(0, "2 values of users.note");
    assert_string_equal(losses[0].revision_id, "two");
    assert_loss(1, "3 rows of users");
    assert_string_equal(losses[1].revision_id, "one");
    assert_int_equal(losses[2].count, 0);
    assert_non_null(strstr(losses[2].table, "Odd"));
    assert_int_equal(env_done_rows(e, "two", 2), 0);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM users"), "3");
    assert_ok(e, count_mode(e, p, DROVER__V1__MODE__UP));
    assert_int_equal(losses_count, 0);
    tp_free(p);
}

// What is held by another session does not hold the count up for long.
static void
a_locked_table_is_estimated_and_says_so(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)", "CREATE TABLE b (id integer, n text)",
                            "CREATE TABLE c (id integer)"),
                      TP_DOWN("DROP TABLE a", "DROP TABLE b", "DROP TABLE c")}}};
    struct tp_plan *p = make(e, revisions, 1);
    assert_ok(e, env_up(e, p));
    env_sql(e, "INSERT INTO a SELECT generate_series(1, 1000)");
    env_sql(e, "ANALYZE a");
    env_sql(e, "INSERT INTO b SELECT generate_series(1, 10)");
    env_sql(e, "INSERT INTO c SELECT generate_series(1, 3)");
    struct dr_pg_options o = {.url = e->url};
    struct dr_pg *other = NULL;
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    assert_ok(e, dr_pg_connect(&o, &wait, &other, &e->err));
    assert_ok(e, dr_pg_run(other, "BEGIN", &wait, &e->err));
    assert_ok(e, dr_pg_run(other, "LOCK TABLE public.a, public.b IN ACCESS EXCLUSIVE MODE", &wait,
                           &e->err));
    assert_ok(e, count(e, p));
    assert_int_equal(losses_count, 3);
    assert_loss(0, "about 1000 rows of a (estimated: the table is locked)");
    assert_true(losses[1].is_unknown);
    assert_loss(2, "3 rows of c");
    dr_pg_close(&other);
    tp_free(p);
}

static void
partitions_schemas_and_foreign_names_are_counted(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE logs (at integer) PARTITION BY RANGE (at)",
                            "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10)",
                            "CREATE SCHEMA app", "CREATE TABLE app.t (id integer)",
                            "CREATE VIEW v AS SELECT 1"),
                      TP_DOWN("DROP TABLE logs", "DROP SCHEMA app CASCADE", "DROP VIEW v",
                              "DO $$ BEGIN END $$")}}};
    struct tp_plan *p = make(e, revisions, 1);
    assert_ok(e, env_up(e, p));
    env_sql(e, "INSERT INTO logs SELECT generate_series(0, 9)");
    env_sql(e, "INSERT INTO app.t VALUES (1)");
    assert_ok(e, count(e, p));
    assert_int_equal(losses_count, 3);
    assert_loss(0, "10 rows of logs");
    assert_loss(1, "1 row of app.t");
    assert_loss(2, "what DO removes is not known");
    tp_free(p);
}

static void
a_rebuild_on_sqlite_loses_what_it_does_not_copy(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE t (id integer PRIMARY KEY, a text, B text)"),
                      TP_DOWN("CREATE TABLE n (id integer PRIMARY KEY, A text)",
                              "INSERT INTO n SELECT id, a FROM t", "DROP TABLE t",
                              "ALTER TABLE n RENAME TO t")}}};
    struct tp_plan *p = make(e, revisions, 1);
    assert_ok(e, env_up(e, p));
    env_sql(e, "INSERT INTO t VALUES (1, 'x', 'y'), (2, 'x', NULL)");
    assert_ok(e, count(e, p));
    assert_int_equal(losses_count, 1);
    assert_loss(0, "1 value of t.B");
    assert_ok(e, env_down(e, p));
    tp_free(p);
}

static const struct tp_revision guarded[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE a (id integer)"),
                  {.kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN,
                   .name = "a is empty",
                   .expect = DROVER__V1__EXPECT__EXPECT_EMPTY,
                   .statements = {"SELECT id FROM a"}},
                  TP_DOWN("DROP TABLE a")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_DOWN("DROP TABLE b")}},
};

static void
a_way_down_has_its_own_preflight(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, guarded, 2);
    assert_ok(e, env_up(e, p)); // not asked on the way up, where the table is not there yet
    assert_int_equal(e->result.checks_count, 0);
    env_sql(e, "INSERT INTO a VALUES (1)");
    assert_int_equal(env_down(e, p), DR_E_PREFLIGHT_FAILED);
    assert_true(env_has_table(e, "b")); // nothing of any revision ran
    assert_head(e, "two");
    env_sql(e, "DELETE FROM a");
    assert_ok(e, env_down(e, p));
    assert_int_equal(e->result.checks_count, 1);
    assert_head(e, NULL);
    tp_free(p);
}

static void
a_deferred_preflight_that_expects_true_is_asked_again(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one", .sections = {TP_UP("INSERT INTO seen VALUES (1)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_PREFLIGHT("SELECT count(*) = 1 FROM seen"),
                      TP_UP("CREATE TABLE b (id integer)")}},
        {.id = "three",
         .parents = {"two"},
         .sections = {TP_PREFLIGHT("SELECT count(*) = 7 FROM seen"),
                      TP_UP("CREATE TABLE c (id integer)")}}};
    env_sql(e, "CREATE TABLE seen (id integer)");
    struct tp_plan *p = make(e, revisions, 3);
    // It is false now, and the revision before it may make it true: 'two' is, 'three' is not.
    assert_int_equal(env_up(e, p), DR_E_PREFLIGHT_FAILED);
    assert_non_null(strstr(e->err.message, "'three'"));
    assert_true(env_has_table(e, "b"));
    assert_false(env_has_table(e, "c"));
    assert_head(e, "two");
    size_t deferred = 0, passed = 0;
    for (size_t i = 0; i < e->result.checks_count; i++) {
        deferred += e->result.checks[i].verdict == DR_CHECK_DEFERRED ? 1 : 0;
        passed += e->result.checks[i].verdict == DR_CHECK_PASSED ? 1 : 0;
    }
    assert_int_equal(deferred, 2);
    assert_int_equal(passed, 1);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(rows_and_values_are_counted_newest_revision_first),
        BOTH(a_way_down_has_its_own_preflight),
        BOTH(a_deferred_preflight_that_expects_true_is_asked_again),
        cmocka_unit_test_setup_teardown(a_locked_table_is_estimated_and_says_so, env_start_pg,
                                        env_end),
        cmocka_unit_test_setup_teardown(partitions_schemas_and_foreign_names_are_counted,
                                        env_start_pg, env_end),
        cmocka_unit_test_setup_teardown(a_rebuild_on_sqlite_loses_what_it_does_not_copy,
                                        env_start_sqlite, env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
