// Fingerprints of a PostgreSQL database that a test fills. Included once per test program.
#ifndef DR_TESTS_SUPPORT_FINGERPRINT_PG_H
#define DR_TESTS_SUPPORT_FINGERPRINT_PG_H

#include "db/pg.h"
#include "engine/fingerprint.h"
#include "support/pgcluster.h"

static inline struct dr_pg *
new_database(void)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    struct dr_pg_options options = {.url = dr_pgcluster_new_database(dr_pgcluster_shared())};
    assert_int_equal(dr_pg_connect(&options, &wait, &pg, &err), DR_OK);
    return pg;
}

static inline void
run(struct dr_pg *pg, const char *const *sql)
{
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    for (; *sql != NULL; sql++) {
        if (dr_pg_run(pg, *sql, &wait, &err) != DR_OK) {
            fail_msg("%s: %s", *sql, err.message);
        }
    }
}
#define RUN(pg, ...) run(pg, (const char *const[]){__VA_ARGS__, NULL})

static inline struct dr_fingerprint
take(struct dr_pg *pg, const char *schema)
{
    struct dr_err err = {0};
    struct dr_fingerprint out = {0};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_fingerprint_options options = {.schema = schema};
    if (dr_fingerprint_pg(pg, &options, &wait, &out, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return out;
}

#endif
