// Pipelines on a real server: order, failures, windows, deadlines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/db_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum dr_rc
sum_up(void *ctx, uint64_t index, const struct dr_pg_result *r, struct dr_err *err)
{
    int64_t *sum = ctx;
    (void)err;
    *sum += dr_pg_int(r, 0, 0) * (int64_t)(index == 2 ? 1000 : 1);
    return DR_OK;
}

static enum dr_rc
pipeline(struct fixture *f, const char *const *sql, size_t count, int64_t *sum, uint64_t *done)
{
    f->err = (struct dr_err){0};
    assert_int_equal(
        dr_pg_pipeline_begin(f->pg, &f->wait, sum == NULL ? NULL : sum_up, sum, &f->err), DR_OK);
    for (size_t i = 0; i < count; i++) {
        struct dr_pg_stmt stmt = {.sql = sql[i], .max_rows = 1};
        if (dr_pg_pipeline_add(f->pg, &stmt, &f->err) != DR_OK) {
            break;
        }
    }
    return dr_pg_pipeline_end(f->pg, done, &f->err);
}

static void
pipeline_gives_every_result_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"BEGIN", "SELECT 4", "SELECT 2",
                                      "CREATE TABLE public.t (i int)", "COMMIT"};
    int64_t sum = 0;
    uint64_t done = 0;
    assert_int_equal(pipeline(f, sql, 5, &sum, &done), DR_OK);
    assert_int_equal(done, 5);
    assert_int_equal(sum, 2004);
    assert_int_equal(dr_pg_tx_status(f->pg), DR_PG_TX_IDLE);
    assert_string_equal(ask(f, "SELECT count(*) FROM public.t"), "0");
}

static void
pipeline_stops_at_the_first_failure(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"BEGIN", "CREATE TABLE public.t (i int)", "SELECT nowhere",
                                      "SELECT 1/0", "COMMIT"};
    uint64_t done = 0;
    assert_int_equal(pipeline(f, sql, 5, NULL, &done), DR_E_DB_STATEMENT);
    assert_int_equal(done, 2);
    assert_string_equal(dr_pg_last_error(f->pg)->sqlstate, "42703");
    assert_int_equal(dr_pg_tx_status(f->pg), DR_PG_TX_FAILED);
    assert_int_equal(run(f, "ROLLBACK"), DR_OK);
    assert_string_equal(ask(f, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

// Whatever the server could still say: what counts is that the connection is no more.
static void
pipeline_whose_backend_ends_is_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"BEGIN", "SELECT pg_terminate_backend(pg_backend_pid())",
                                      "SELECT 1", "COMMIT"};
    assert_int_equal(pipeline(f, sql, 4, NULL, NULL), DR_E_DB_LOST);
    assert_false(dr_pg_is_alive(f->pg));
    assert_int_equal(run(f, "SELECT 1"), DR_E_DB_LOST);
}

static void
pipeline_of_many_statements_keeps_to_its_window(void **state)
{
    struct fixture *f = *state;
    struct dr_pg_stmt stmt = {.sql = "INSERT INTO public.t SELECT repeat('x', 500)"};
    uint64_t done = 0;
    assert_int_equal(run(f, "CREATE TABLE public.t (v text)"), DR_OK);
    assert_int_equal(run(f, "BEGIN"), DR_OK);
    assert_int_equal(dr_pg_pipeline_begin(f->pg, &f->wait, NULL, NULL, &f->err), DR_OK);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(dr_pg_pipeline_add(f->pg, &stmt, &f->err), DR_OK);
    }
    assert_int_equal(dr_pg_pipeline_end(f->pg, &done, &f->err), DR_OK);
    assert_int_equal(done, 5000);
    assert_int_equal(run(f, "COMMIT"), DR_OK);
    assert_string_equal(ask(f, "SELECT count(*) FROM public.t"), "5000");
}

static void
pipeline_of_large_statements_does_not_pile_up(void **state)
{
    struct fixture *f = *state;
    size_t len = 3u << 20;
    char *sql = malloc(len + 32);
    uint64_t done = 0;
    assert_non_null(sql);
    memset(sql, 'x', len + 32);
    memcpy(sql, "SELECT '", 8);
    memcpy(sql + len, "'", 2);
    struct dr_pg_stmt stmt = {.sql = sql};
    assert_int_equal(dr_pg_pipeline_begin(f->pg, &f->wait, NULL, NULL, &f->err), DR_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(dr_pg_pipeline_add(f->pg, &stmt, &f->err), DR_OK);
    }
    assert_int_equal(dr_pg_pipeline_end(f->pg, &done, &f->err), DR_OK);
    assert_int_equal(done, 5);
    free(sql);
}

static void
pipeline_failure_far_back_shows_in_add_or_end(void **state)
{
    struct fixture *f = *state;
    uint64_t done = 0;
    assert_int_equal(dr_pg_pipeline_begin(f->pg, &f->wait, NULL, NULL, &f->err), DR_OK);
    enum dr_rc added = DR_OK;
    for (int i = 0; i < 3000 && added == DR_OK; i++) {
        struct dr_pg_stmt stmt = {.sql = i == 700 ? "SELECT 1/0" : "SELECT repeat('x', 9000)"};
        added = dr_pg_pipeline_add(f->pg, &stmt, &f->err);
    }
    assert_int_equal(added, DR_E_DB_STATEMENT);
    assert_int_equal(dr_pg_pipeline_end(f->pg, &done, &f->err), DR_E_DB_STATEMENT);
    assert_int_equal(done, 700);
    assert_string_equal(ask(f, "SELECT 7"), "7");
}

static void
pipeline_deadline_cancels_and_recovers(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"SELECT 1", "SELECT pg_sleep(30)", "SELECT 2"};
    uint64_t done = 0;
    f->wait = dr_db_wait_ms(50);
    assert_int_equal(pipeline(f, sql, 3, NULL, &done), DR_E_TIMEOUT);
    assert_int_equal(done, 1);
    f->wait = dr_db_wait_ms(20000);
    assert_string_equal(ask(f, "SELECT 7"), "7");
}

// id: S03
static void
copy_in_a_pipeline_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    static const char *const sql[] = {"BEGIN", "CREATE TABLE public.t (i int)",
                                      "COPY public.t FROM STDIN", "COMMIT"};
    uint64_t done = 0;
    assert_int_equal(pipeline(f, sql, 4, NULL, &done), DR_E_DB_COPY);
    assert_false(dr_pg_is_alive(f->pg));
}

static void
statement_inside_an_open_pipeline_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dr_pg_pipeline_begin(f->pg, &f->wait, NULL, NULL, &f->err), DR_OK);
    assert_int_equal(run(f, "SELECT 1"), DR_E_INTERNAL);
    assert_int_equal(dr_pg_pipeline_end(f->pg, NULL, &f->err), DR_OK);
    assert_int_equal(run(f, "SELECT 1"), DR_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DB_TEST(pipeline_gives_every_result_in_order),
        DB_TEST(pipeline_stops_at_the_first_failure),
        DB_TEST(pipeline_whose_backend_ends_is_a_lost_connection),
        DB_TEST(pipeline_of_many_statements_keeps_to_its_window),
        DB_TEST(pipeline_of_large_statements_does_not_pile_up),
        DB_TEST(pipeline_failure_far_back_shows_in_add_or_end),
        DB_TEST(pipeline_deadline_cancels_and_recovers),
        DB_TEST(copy_in_a_pipeline_ends_the_connection),
        DB_TEST(statement_inside_an_open_pipeline_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
