// The engine's contract: what a database says of a failure is told in full to a person who is at
// the database, and without values of rows in everything that an agent could send.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

static const uint8_t agent_key[32] = {1};

static void
as_agent(struct env *e)
{
    e->options.owner = "agent-1";
    e->options.owner_key = agent_key;
}

static struct tp_plan *
cast_plan(struct env *e)
{
    static const struct tp_revision pg[] = {
        {.id = "one", .sections = {TP_UP("ALTER TABLE t ALTER v TYPE uuid USING v::uuid")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "one", .sections = {TP_UP("UPDATE t SET v = v || '!'")}}};
    env_sql(e, "CREATE TABLE t (v text)");
    env_sql(e, "INSERT INTO t VALUES ('secret-of-alice')");
    if (!env_is_pg(e)) {
        env_sql(e, "CREATE TRIGGER no BEFORE UPDATE ON t BEGIN"
                   " SELECT RAISE(ABORT, 'secret-of-alice may not change'); END");
    }
    return make(e, env_is_pg(e) ? pg : sqlite, 1);
}

static void
a_person_at_the_database_reads_the_whole_message(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = cast_plan(e);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_non_null(strstr(e->result.words, "secret-of-alice"));
    assert_null(strstr(e->err.message, "secret-of-alice"));
    assert_non_null(strstr(e->err.message, e->result.detail)); // where the CLI puts the whole
    tp_free(p);
}

static void
an_agent_holds_no_value_of_a_row(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = cast_plan(e);
    as_agent(e);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_string_equal(e->result.words, "");
    assert_null(strstr(e->err.message, "secret"));
    assert_null(strstr(e->err.hint, "secret"));
    assert_null(strstr(e->result.detail, "secret"));
    assert_string_not_equal(e->result.detail, "");
    tp_free(p);
}

static void
a_double_key_is_named_in_full_to_a_person_only(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one", .sections = {TP_UP("INSERT INTO t SELECT 'secret', 2")}}};
    env_sql(e, "CREATE TABLE t (v text PRIMARY KEY, n integer)");
    env_sql(e, "INSERT INTO t VALUES ('secret', 1)");
    struct tp_plan *p = make(e, revisions, 1);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_null(strstr(e->result.detail, "secret"));
    assert_non_null(strstr(e->result.words, env_is_pg(e) ? "Key (v)=(secret)" : "t.v"));
    tp_free(p);
}

static void
names_and_syntax_are_told_to_everybody(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one", .sections = {TP_UP("INSERT INTO \"no such thing\" VALUES (1)")}}};
    struct tp_plan *p = make(e, revisions, 1);
    as_agent(e);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_non_null(strstr(e->err.message, "no such thing"));
    tp_free(p);
}

static void
a_preflight_that_errs_keeps_its_words_here(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_PREFLIGHT("SELECT v::uuid IS NOT NULL FROM t"),
                      TP_UP("CREATE TABLE a (id integer)")}}};
    env_sql(e, "CREATE TABLE t (v text)");
    env_sql(e, "INSERT INTO t VALUES ('secret-of-alice')");
    struct tp_plan *p = make(e, revisions, 1);
    assert_int_equal(env_up(e, p), DR_E_PREFLIGHT_FAILED);
    assert_null(strstr(e->err.message, "secret"));
    assert_null(strstr(e->result.checks[0].reason, "secret"));
    assert_non_null(strstr(e->result.checks[0].words, "secret-of-alice"));
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_person_at_the_database_reads_the_whole_message),
        BOTH(an_agent_holds_no_value_of_a_row),
        BOTH(a_double_key_is_named_in_full_to_a_person_only),
        BOTH(names_and_syntax_are_told_to_everybody),
        cmocka_unit_test_setup_teardown(a_preflight_that_errs_keeps_its_words_here, env_start_pg,
                                        env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
