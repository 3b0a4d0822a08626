// Throw-away databases of a server that others use: they go, whoever hangs on to them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "db/pg.h"
#include "engine/scratch.h"
#include "support/pgcluster.h"

#include <stdio.h>
#include <string.h>

#define OLD  "drover_scratch_65000000_0123456789ab"
#define USED "drover_scratch_65000001_0123456789ab"
#define NEW  "drover_scratch_fffffff0_0123456789ab"
#define HAND "drover_scratch_of_mine"

static struct dr_pgcluster *cluster;

static int
start_cluster(void **state)
{
    (void)state;
    cluster = dr_pgcluster_start(NULL);
    return 0;
}

static int
stop_cluster(void **state)
{
    (void)state;
    dr_pgcluster_stop(&cluster);
    return 0;
}

static const char *
names(void)
{
    return dr_pgcluster_ask(cluster, dr_pgcluster_url(cluster, "postgres"),
                            "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database "
                            "WHERE datname LIKE 'drover%scratch%'");
}

static struct dr_pg *
connect_to(const char *url)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    const struct dr_pg_options options = {.url = url, .target = "test"};
    const struct dr_db_wait wait = dr_db_wait_ms(20000);
    if (dr_pg_connect(&options, &wait, &pg, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return pg;
}

static void
database_goes_with_those_who_are_still_connected(void **state)
{
    (void)state;
    struct dr_scratch scratch = {0};
    struct dr_err err = {0};
    if (dr_scratch_open(dr_pgcluster_url(cluster, "postgres"), NULL, &scratch, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(names(), scratch.database);
    struct dr_pg *hanging = connect_to(scratch.url);
    dr_scratch_close(&scratch);
    assert_string_equal(names(), "");
    dr_pg_close(&hanging);
}

// What a process that was killed left is full of somebody's rows.
static void
what_a_killed_process_left_is_removed_by_the_next(void **state)
{
    (void)state;
    static const char *const left[] = {OLD, USED, NEW, HAND};
    const char *url = dr_pgcluster_url(cluster, "postgres");
    struct dr_scratch scratch = {0};
    struct dr_err err = {0};
    char sql[128], expected[256];
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        (void)snprintf(sql, sizeof sql, "CREATE DATABASE %s", left[i]);
        dr_pgcluster_sql(cluster, url, sql);
    }
    struct dr_pg *user = connect_to(dr_pgcluster_url(cluster, USED));
    assert_int_equal(dr_scratch_open(url, NULL, &scratch, &err), DR_OK);
    (void)snprintf(expected, sizeof expected, "%s %s %s %s", USED, scratch.database, NEW, HAND);
    assert_string_equal(names(), expected);
    dr_scratch_close(&scratch);
    dr_pg_close(&user);
    for (size_t i = 1; i < sizeof left / sizeof left[0]; i++) {
        (void)snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", left[i]);
        dr_pgcluster_sql(cluster, url, sql);
    }
}

// One that is in use has a session of its owner, even between two tools that work in it.
static void
database_in_use_shows_a_session(void **state)
{
    (void)state;
    const char *url = dr_pgcluster_url(cluster, "postgres");
    struct dr_scratch scratch = {0};
    struct dr_err err = {0};
    char sql[256];
    assert_int_equal(dr_scratch_open(url, NULL, &scratch, &err), DR_OK);
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*)::text FROM pg_stat_activity WHERE datname = '%s'",
                   scratch.database);
    assert_string_equal(dr_pgcluster_ask(cluster, url, sql), "1");
    dr_scratch_close(&scratch);
    assert_string_equal(names(), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(database_goes_with_those_who_are_still_connected),
        cmocka_unit_test(what_a_killed_process_left_is_removed_by_the_next),
        cmocka_unit_test(database_in_use_shows_a_session),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
