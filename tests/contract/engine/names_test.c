// PostgreSQL: what a preflight names before anybody approved must be the server's own or plain
// data, whatever a user of the database made beside it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

static enum dr_rc
ask_before_approval(struct env *e, const char *preflight)
{
    const struct tp_revision revisions[] = {
        {.id = "one", .sections = {TP_PREFLIGHT(preflight), TP_UP("CREATE TABLE a (id integer)")}}};
    struct tp_plan *p = make(e, revisions, 1);
    struct dr_engine *engine = NULL;
    struct dr_check_result *checks = NULL;
    size_t count = 0;
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    enum dr_rc rc = dr_engine_preflight(engine, &job, e->arena, &checks, &count, &e->err);
    dr_engine_close(&engine);
    tp_free(p);
    return rc;
}

static void
refused(struct env *e, const char *preflight, const char *finding)
{
    enum dr_rc rc = ask_before_approval(e, preflight);
    if (rc != DR_E_PREFLIGHT_FORBIDDEN) {
        fail_msg("%s: %s %s", preflight, dr_rc_name(rc), e->err.message);
    }
    if (strstr(e->err.message, finding) == NULL) {
        fail_msg("%s: %s", preflight, e->err.message);
    }
    assert_string_equal(env_ask(e, "SELECT count(*) FROM pg_listening_channels()"), "0");
}

// id: P1
static void
a_users_function_of_an_allowed_name_is_not_called(void **state)
{
    struct env *e = *state;
    env_sql(e, "CREATE TABLE t (id integer, word varchar)");
    env_sql(e, "INSERT INTO t VALUES (1, 'A')");
    assert_ok(e, ask_before_approval(e, "SELECT lower(word) = 'a' FROM t"));
    // It fits a varchar better than the server's lower(text).
    env_sql(e, "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS"
               " 'SELECT pg_catalog.pg_advisory_lock(1); SELECT $1::text'");
    refused(e, "SELECT lower(word) = 'a' FROM t", "function public.lower(character varying)");
    refused(e, "SELECT \"lower\" (word) = 'a' FROM t", "function public.lower");
    assert_ok(e, ask_before_approval(e, "SELECT pg_catalog.lower(word) = 'a' FROM t"));
    assert_ok(e, ask_before_approval(e, "SELECT upper(word) = 'A' FROM t"));
    assert_ok(e, ask_before_approval(e, "SELECT 'lower(' <> word FROM t"));
}

// id: P1
static void
a_users_function_in_the_spelling_of_a_column_is_not_called(void **state)
{
    struct env *e = *state;
    env_sql(e, "CREATE TABLE t (id integer)");
    env_sql(e, "INSERT INTO t VALUES (1)");
    env_sql(e, "CREATE FUNCTION evil(t) RETURNS boolean LANGUAGE sql AS 'SELECT true'");
    refused(e, "SELECT t.evil FROM t", "function public.evil(public.t)");
    refused(e, "SELECT (t).evil FROM t", "function public.evil(public.t)");
    assert_ok(e, ask_before_approval(e, "SELECT t.id = 1 FROM t"));
}

// id: P1
static void
operators_views_casts_and_domains_of_users_are_not_used(void **state)
{
    struct env *e = *state;
    env_sql(e, "CREATE TABLE t (id integer, word varchar)");
    env_sql(e, "CREATE VIEW v AS SELECT pg_try_advisory_lock(1) AS yes");
    env_sql(e, "CREATE FUNCTION same(varchar, varchar) RETURNS boolean LANGUAGE sql AS"
               " 'SELECT true'");
    refused(e, "SELECT yes FROM v", "view public.v");
    refused(e, "SELECT yes FROM public.v", "view public.v");
    env_sql(e, "DROP VIEW v");
    env_sql(e, "CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same)");
    refused(e, "SELECT word = word FROM t", "operator public.=");
    env_sql(e, "DROP OPERATOR = (varchar, varchar)");
    env_sql(e, "CREATE TYPE mood AS ENUM ('sad')");
    env_sql(e, "CREATE FUNCTION as_number(mood) RETURNS integer LANGUAGE sql AS 'SELECT 1'");
    env_sql(e, "CREATE CAST (mood AS integer) WITH FUNCTION as_number(mood) AS IMPLICIT");
    refused(e, "SELECT true", "cast from public.mood to integer");
    env_sql(e, "DROP CAST (mood AS integer)");
    env_sql(e, "CREATE FUNCTION is_good(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'");
    env_sql(e, "CREATE DOMAIN good AS integer CHECK (is_good(VALUE))");
    refused(e, "SELECT true", "domain");
    env_sql(e, "DROP DOMAIN good");
    env_sql(e, "CREATE DOMAIN plain AS integer CHECK (VALUE > 0)");
    assert_ok(e, ask_before_approval(e, "SELECT true"));
    assert_ok(e, ask_before_approval(
                     e, "SELECT count(*) > 0 FROM information_schema.tables, pg_catalog.pg_views"));
}

// id: P1
static void
functions_that_an_extension_brought_may_be_called(void **state)
{
    struct env *e = *state;
    env_sql(e, "CREATE EXTENSION IF NOT EXISTS citext");
    env_sql(e, "CREATE TABLE t (word citext)");
    env_sql(e, "INSERT INTO t VALUES ('A')");
    assert_ok(e, ask_before_approval(e, "SELECT replace(word, 'a', 'b') = 'b' FROM t"));
}

#define ON_PG(name)                                                                                \
    {                                                                                              \
        "postgresql: " #name, name, env_start_pg, env_end, NULL                                    \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PG(a_users_function_of_an_allowed_name_is_not_called),
        ON_PG(a_users_function_in_the_spelling_of_a_column_is_not_called),
        ON_PG(operators_views_casts_and_domains_of_users_are_not_used),
        ON_PG(functions_that_an_extension_brought_may_be_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
