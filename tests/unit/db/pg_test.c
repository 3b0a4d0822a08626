// Statements on a real server: results, failures, deadlines, cancels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/db_pg.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
parameters_and_rows_come_back(void **state)
{
    struct fixture *f = *state;
    struct dr_pg_result *r = NULL;
    char bytea[9];
    uint8_t bytes[3] = {0, 255, 7};
    uint8_t back[3] = {0};
    dr_pg_bytea_param(bytea, bytes, sizeof bytes);
    const char *params[] = {"41", NULL, bytea};
    struct dr_pg_stmt stmt = {
        .sql = "SELECT $1::int + g, $2::text, $3::bytea, g = 2 FROM generate_series(1, 3) g",
        .params = params,
        .params_count = 3,
        .max_rows = 10};
    assert_int_equal(dr_pg_exec(f->pg, &stmt, &f->wait, &r, &f->err), DR_OK);
    assert_int_equal(dr_pg_rows(r), 3);
    assert_int_equal(dr_pg_columns(r), 4);
    assert_int_equal(dr_pg_int(r, 2, 0), 44);
    assert_null(dr_pg_text(r, 0, 1));
    assert_null(dr_pg_text(r, 3, 0));
    assert_true(dr_pg_bytea(r, 1, 2, back, sizeof back));
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_false(dr_pg_bytea(r, 1, 2, back, 2));
    assert_false(dr_pg_bool(r, 0, 3));
    assert_true(dr_pg_bool(r, 1, 3));
    dr_pg_result_free(&r);
    stmt = (struct dr_pg_stmt){.sql = "CREATE TABLE public.t (i int)"};
    assert_int_equal(dr_pg_exec(f->pg, &stmt, &f->wait, &r, &f->err), DR_OK);
    assert_string_equal(dr_pg_tag(r), "CREATE TABLE");
    dr_pg_result_free(&r);
}

static void
session_starts_with_settings_that_nobody_chose_before(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "ALTER ROLE postgres SET search_path = public"), DR_OK);
    const char *url = dr_pgcluster_url(dr_pgcluster_shared(), "postgres");
    struct fixture second = {.pg = connect_to(url), .wait = f->wait};
    assert_string_equal(ask(&second, "SHOW search_path"), "pg_catalog,pg_temp");
    assert_string_equal(ask(&second, "SHOW standard_conforming_strings"), "on");
    assert_string_equal(ask(&second, "SHOW application_name"), "drover/production/orders");
    dr_pg_close(&second.pg);
    assert_int_equal(run(f, "ALTER ROLE postgres RESET search_path"), DR_OK);
}

// id: S01
static void
two_statements_in_one_string_are_refused_by_the_server(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE public.a (i int); CREATE TABLE public.b (i int)"),
                     DR_E_DB_MULTI);
    assert_string_equal(ask(f, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    assert_true(dr_pg_is_alive(f->pg));
}

// id: S02
static void
hidden_commit_shows_in_the_transaction_state(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "BEGIN"), DR_OK);
    assert_int_equal(dr_pg_tx_status(f->pg), DR_PG_TX_OPEN);
    assert_int_equal(run(f, "COMMIT"), DR_OK);
    assert_int_equal(dr_pg_tx_status(f->pg), DR_PG_TX_IDLE);
    assert_int_equal(run(f, "BEGIN"), DR_OK);
    assert_int_equal(run(f, "SELECT 1/0"), DR_E_DB_STATEMENT);
    assert_int_equal(dr_pg_tx_status(f->pg), DR_PG_TX_FAILED);
    struct dr_pg_result *r = NULL;
    struct dr_pg_stmt commit = {.sql = "COMMIT"};
    assert_int_equal(dr_pg_exec(f->pg, &commit, &f->wait, &r, &f->err), DR_OK);
    assert_string_equal(dr_pg_tag(r), "ROLLBACK");
    dr_pg_result_free(&r);
}

// id: S03
static void
copy_is_failed_and_the_connection_goes_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE public.t (i int)"), DR_OK);
    assert_int_equal(run(f, "COPY public.t FROM STDIN"), DR_E_DB_COPY);
    assert_int_equal(run(f, "COPY public.t TO STDOUT"), DR_E_DB_COPY);
    assert_int_equal(run(f, "COPY (SELECT generate_series(1, 3000000)) TO STDOUT"), DR_E_DB_COPY);
    assert_string_equal(ask(f, "SELECT 7"), "7");
}

static void
failure_has_its_place_and_names(void **state)
{
    struct fixture *f = *state;
    uint32_t line = 0;
    uint32_t column = 0;
    const char *sql = "SELECT 'é',\n  nowhere";
    assert_int_equal(run(f, sql), DR_E_DB_STATEMENT);
    const struct dr_pg_error *error = dr_pg_last_error(f->pg);
    assert_string_equal(error->sqlstate, "42703");
    dr_pg_error_place(sql, error->position, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 3);
    assert_int_equal(run(f, "CREATE TABLE public.t (i int CONSTRAINT positive CHECK (i > 0))"),
                     DR_OK);
    assert_int_equal(run(f, "INSERT INTO public.t VALUES (-1)"), DR_E_DB_STATEMENT);
    assert_string_equal(dr_pg_last_error(f->pg)->constraint, "positive");
    assert_int_equal(dr_rc_exit_code(DR_E_DB_STATEMENT), 6);
}

// id: S14 T2
static void
values_of_rows_stay_out_of_the_message(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE public.t (email text PRIMARY KEY)"), DR_OK);
    assert_int_equal(run(f, "INSERT INTO public.t VALUES ('alice@example.com')"), DR_OK);
    assert_int_equal(run(f, "INSERT INTO public.t VALUES ('alice@example.com')"),
                     DR_E_DB_STATEMENT);
    assert_null(strstr(f->err.message, "alice"));
    assert_int_equal(run(f, "ALTER TABLE public.t ALTER email TYPE uuid USING email::uuid"),
                     DR_E_DB_STATEMENT);
    assert_null(strstr(f->err.message, "alice"));
    assert_non_null(strstr(f->err.message, "invalid input syntax for type uuid"));
    assert_non_null(strstr(dr_pg_last_error(f->pg)->message, "alice"));
    assert_null(strstr(dr_pg_last_error(f->pg)->message_safe, "alice"));
}

static void
empty_statement_is_a_failure(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "  -- nothing"), DR_E_DB_STATEMENT);
    assert_string_equal(f->err.message, "the statement is empty");
}

// id: S11
static void
time_outs_of_the_server_have_codes_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct fixture other = {.pg = connect_to(dr_pgcluster_url(dr_pgcluster_shared(),
                                                              ask(f, "SELECT current_database()"))),
                            .wait = f->wait};
    assert_int_equal(run(f, "CREATE TABLE public.t (i int)"), DR_OK);
    assert_int_equal(run(&other, "BEGIN"), DR_OK);
    assert_int_equal(run(&other, "LOCK public.t"), DR_OK);
    assert_int_equal(run(f, "SET lock_timeout = '20ms'"), DR_OK);
    assert_int_equal(run(f, "ALTER TABLE public.t ADD j int"), DR_E_DB_LOCK_TIMEOUT);
    dr_pg_close(&other.pg);
    assert_int_equal(run(f, "SET statement_timeout = '20ms'"), DR_OK);
    assert_int_equal(run(f, "SELECT pg_sleep(10)"), DR_E_DB_STATEMENT_TIMEOUT);
}

static void
deadline_cancels_the_statement_and_keeps_the_connection(void **state)
{
    struct fixture *f = *state;
    struct dr_db_wait wait = dr_db_wait_ms(50);
    int64_t start = dr_monotonic_ms();
    assert_int_equal(dr_pg_run(f->pg, "SELECT pg_sleep(30)", &wait, &f->err), DR_E_TIMEOUT);
    assert_true(dr_monotonic_ms() - start < 5000);
    assert_non_null(strstr(f->err.message, "did not answer within"));
    assert_string_equal(ask(f, "SELECT 7"), "7");
}

static void
cancel_descriptor_interrupts_the_statement(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    f->wait.cancel_fd = ends[0];
    assert_int_equal(run(f, "SELECT pg_sleep(30)"), DR_E_INTERRUPTED);
    f->wait.cancel_fd = 0;
    assert_string_equal(ask(f, "SELECT 7"), "7");
    close(ends[0]);
    close(ends[1]);
}

static enum dr_rc
third_tick_stops(void *ctx, struct dr_err *err)
{
    int *ticks = ctx;
    return ++*ticks < 3 ? DR_OK : dr_err_set(err, DR_E_CONFLICT, "others have waited too long");
}

static void
tick_runs_meanwhile_and_may_stop_the_statement(void **state)
{
    struct fixture *f = *state;
    int ticks = 0;
    f->wait.tick_ms = 5;
    f->wait.on_tick = third_tick_stops;
    f->wait.ctx = &ticks;
    assert_int_equal(run(f, "SELECT pg_sleep(30)"), DR_E_CONFLICT);
    assert_string_equal(f->err.message, "others have waited too long");
    assert_int_equal(ticks, 3);
}

// id: S12
static void
large_result_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct dr_pg_result *r = NULL;
    struct dr_pg_stmt stmt = {.sql = "SELECT generate_series(1, 500000)", .max_rows = 10};
    assert_int_equal(dr_pg_exec(f->pg, &stmt, &f->wait, &r, &f->err), DR_E_LIMIT);
    assert_null(r);
    stmt.max_rows = 0;
    assert_int_equal(dr_pg_exec(f->pg, &stmt, &f->wait, &r, &f->err), DR_OK);
    assert_int_equal(dr_pg_rows(r), 0);
    assert_int_equal(dr_pg_rows_seen(r), 500000);
    dr_pg_result_free(&r);
}

// id: S13
static void
flood_of_notices_is_counted_and_cut(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        run(f, "DO $$ BEGIN FOR i IN 1..5000 LOOP RAISE NOTICE 'n% %', i, repeat('x', 5000); "
               "END LOOP; END $$"),
        DR_OK);
    assert_int_equal(dr_pg_notices_seen(f->pg), 5000);
    assert_int_equal(dr_pg_notices_kept(f->pg), DR_PG_NOTICES_MAX);
    assert_memory_equal(dr_pg_notice(f->pg, 1), "NOTICE: n2 x", 12);
    assert_int_equal(strlen(dr_pg_notice(f->pg, 1)), DR_PG_MESSAGE_MAX);
    dr_pg_notices_clear(f->pg);
    assert_int_equal(dr_pg_notices_seen(f->pg), 0);
}

static void
killed_backend_is_a_lost_connection(void **state)
{
    struct fixture *f = *state;
    char sql[320];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)", ask(f, "SELECT pg_backend_pid()"));
    dr_pgcluster_sql(dr_pgcluster_shared(), dr_pgcluster_url(dr_pgcluster_shared(), "postgres"),
                     sql);
    assert_int_equal(run(f, "SELECT 1"), DR_E_DB_LOST);
    assert_false(dr_pg_is_alive(f->pg));
    assert_int_equal(run(f, "SELECT 1"), DR_E_DB_LOST);
    assert_int_equal(dr_rc_exit_code(DR_E_DB_LOST), 5);
    assert_true(strlen(dr_rc_hint(DR_E_DB_LOST)) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DB_TEST(parameters_and_rows_come_back),
        DB_TEST(session_starts_with_settings_that_nobody_chose_before),
        DB_TEST(two_statements_in_one_string_are_refused_by_the_server),
        DB_TEST(hidden_commit_shows_in_the_transaction_state),
        DB_TEST(copy_is_failed_and_the_connection_goes_on),
        DB_TEST(failure_has_its_place_and_names),
        DB_TEST(values_of_rows_stay_out_of_the_message),
        DB_TEST(empty_statement_is_a_failure),
        DB_TEST(time_outs_of_the_server_have_codes_of_their_own),
        DB_TEST(deadline_cancels_the_statement_and_keeps_the_connection),
        DB_TEST(cancel_descriptor_interrupts_the_statement),
        DB_TEST(tick_runs_meanwhile_and_may_stop_the_statement),
        DB_TEST(large_result_is_bounded),
        DB_TEST(flood_of_notices_is_counted_and_cut),
        DB_TEST(killed_backend_is_a_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
