// A connection to a fresh database of the shared cluster for one test. Included once per test
// program.
#ifndef DR_TESTS_SUPPORT_DB_PG_H
#define DR_TESTS_SUPPORT_DB_PG_H

#include "db/pg.h"
#include "support/pgcluster.h"

#include <stdlib.h>

struct fixture {
    struct dr_pg *pg;
    struct dr_db_wait wait;
    struct dr_err err;
};

static inline struct dr_pg *
connect_to(const char *url)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    struct dr_pg_options options = {.url = url, .target = "production/orders"};
    if (dr_pg_connect(&options, &wait, &pg, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return pg;
}

static inline int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->pg = connect_to(dr_pgcluster_new_database(dr_pgcluster_shared()));
    f->wait = dr_db_wait_ms(20000);
    *state = f;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;
    dr_pg_close(&f->pg);
    free(f);
    return 0;
}

static inline enum dr_rc
run(struct fixture *f, const char *sql)
{
    f->err = (struct dr_err){0};
    return dr_pg_run(f->pg, sql, &f->wait, &f->err);
}

static inline const char *
ask(struct fixture *f, const char *sql)
{
    static char value[256];
    struct dr_pg_stmt stmt = {.sql = sql};
    if (dr_pg_value(f->pg, &stmt, &f->wait, value, sizeof value, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    return value;
}

#define DB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
