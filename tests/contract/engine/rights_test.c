// What a role lacks is told before anybody approves: real roles on PostgreSQL, a file on SQLite.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/rights.h"
#include "support/engine_env.h"

static const struct tp_revision work[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_UP("ALTER TABLE \"Orders\" ADD x text"),
                  TP_DOWN("DROP TABLE a"), TP_DOWN("ALTER TABLE \"Orders\" DROP x")}}};

static enum dr_rc
check(struct env *e, const char *url)
{
    struct dr_engine *engine = NULL;
    struct tp_plan *p = make(e, work, 1);
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    e->err = (struct dr_err){0};
    e->options.url = url;
    enum dr_rc rc = dr_engine_open(&e->options, &engine, &e->err);
    rc = rc == DR_OK ? dr_engine_check_rights(engine, &job, e->arena, &e->err) : rc;
    dr_engine_close(&engine);
    tp_free(p);
    return rc;
}

#define assert_lacks(e, url, text)                                                                 \
    do {                                                                                           \
        assert_int_equal(check(e, url), DR_E_DB_PRIVILEGE);                                        \
        assert_non_null(strstr((e)->err.message, text));                                           \
    } while (0)

static void
role_that_lacks_a_right_is_told_which_grant_helps(void **state)
{
    struct env *e = *state;
    char url[600], database[64], sql[256];
    (void)snprintf(database, sizeof database, "%.63s", env_ask(e, "SELECT current_database()"));
    (void)snprintf(url, sizeof url, "%s", e->url);
    char *user = strstr(url, "user=postgres");
    assert_non_null(user);
    memcpy(user, "user=rightful", strlen("user=rightful"));
    env_sql(e, "DROP ROLE IF EXISTS rightful");
    env_sql(e, "CREATE ROLE rightful LOGIN");

    assert_lacks(e, url, "GRANT CREATE ON DATABASE");
    (void)snprintf(sql, sizeof sql, "GRANT CREATE ON DATABASE \"%s\" TO rightful", database);
    env_sql(e, sql);
    assert_lacks(e, url, "may not create in schema 'public': GRANT CREATE");
    env_sql(e, "GRANT CREATE, USAGE ON SCHEMA public TO rightful");
    assert_int_equal(check(e, url), DR_OK);

    // Only a table that the plan names counts.
    env_sql(e, "CREATE TABLE other (id integer)");
    assert_int_equal(check(e, url), DR_OK);
    env_sql(e, "CREATE TABLE \"Orders\" (id integer)");
    assert_lacks(e, url, "revision 'one' works on table 'Orders', which another role owns");
    env_sql(e, "ALTER TABLE \"Orders\" OWNER TO rightful");
    assert_int_equal(check(e, url), DR_OK);

    // A ledger that another role made.
    struct tp_plan *p = make(e, chain, 1);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    assert_lacks(e, url, "may not write the ledger");
    tp_free(p);
    (void)snprintf(sql, sizeof sql, "DROP OWNED BY rightful");
    env_sql(e, sql);
    env_sql(e, "DROP ROLE rightful");
}

static void
owner_of_the_database_lacks_nothing(void **state)
{
    struct env *e = *state;
    assert_int_equal(check(e, e->url), DR_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(owner_of_the_database_lacks_nothing),
        cmocka_unit_test_setup_teardown(role_that_lacks_a_right_is_told_which_grant_helps,
                                        env_start_pg, env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
