// Statements outside of a transaction on PostgreSQL, and the session state that units leave. See
// driver.h.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DR_PGD_LEFT_NAME       "drover_left"
#define DR_PGD_LEFT_CALLS_NAME "drover_left_calls"

enum { TIDY_LEAKS = 0, TIDY_ROLE = 4 }; // places of the questions

#define LEAKS_SQL(BUT_SETTINGS)                                                                    \
    "SELECT pg_catalog.string_agg(what, ', ') FROM (SELECT 'setting ' || name AS what FROM "       \
    "pg_catalog.pg_settings WHERE source = 'session'" BUT_SETTINGS                                 \
    " UNION ALL SELECT 'temporary ' || relname FROM pg_catalog.pg_class WHERE relnamespace ="      \
    " pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'v', 'S')"                               \
    " UNION ALL SELECT 'advisory lock ' || classid || ' ' || objid FROM pg_catalog.pg_locks"       \
    " WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()"                           \
    " UNION ALL SELECT 'prepared statement ' || name FROM pg_catalog.pg_prepared_statements"       \
    " WHERE name <> '' AND from_sql"                                                               \
    " UNION ALL SELECT 'cursor ' || name FROM pg_catalog.pg_cursors WHERE is_holdable"             \
    " UNION ALL SELECT 'channel ' || c FROM pg_catalog.pg_listening_channels() c) leaks"

static const char leaks_sql[] = LEAKS_SQL("");
// What prepare_outside set for the session is no leak of the author's statement.
static const char leaks_outside_sql[] =
    LEAKS_SQL(" AND name NOT IN ('search_path', 'lock_timeout', 'statement_timeout',"
              " 'client_connection_check_interval')");

static const char role_sql[] =
    "SELECT 'role ' || pg_catalog.current_setting('drover.role') WHERE"
    " pg_catalog.current_setting('drover.role') <> pg_catalog.current_setting('role')";

// Session state that the committed unit left: told in one line, then removed.
// A role that set_config gave outlives RESET ALL, so it is put back by name and compared.
static const char *const tidy_sql[] = {
    leaks_sql,
    "SELECT pg_catalog.set_config('drover.role', pg_catalog.current_setting('role'), false)",
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    role_sql,
    "RESET ALL",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
    "DEALLOCATE ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
};

// Costs some 50 us. Settings (500 us) need not be asked after plain DDL: the next unit resets them.
#define LEFT_SQL                                                                                   \
    "SELECT 1 WHERE CASE WHEN pg_catalog.pg_my_temp_schema() = 0 THEN false ELSE"                  \
    " EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = "                               \
    "pg_catalog.pg_my_temp_schema()) OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE "             \
    "pronamespace = pg_catalog.pg_my_temp_schema()) END"                                           \
    " OR pg_catalog.current_setting('role') <> 'none'"                                             \
    " OR EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid ="            \
    " pg_catalog.pg_backend_pid())"                                                                \
    " OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)"                    \
    " OR EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"                             \
    " OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"

// Nor after others where there is nothing that could have set one: no function, view, rule or
// policy that somebody made (numbers from 16384 on), and no default or condition that calls
// set_config or what runs a text (their numbers are the same in every version). In a database with
// many of these the settings are the cheaper question.
#define CALLS ":funcid (2078|2924|2925|2927|2928|2930|3685|3689|3690) "
#define MAY_SET_SQL                                                                                \
    "EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384)"                                   \
    " OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE oid >= 16384)"                            \
    " OR EXISTS (SELECT FROM pg_catalog.pg_policy)"                                                \
    " OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE oid >= 16384 AND typdefault IS NOT NULL)"    \
    " OR EXISTS (SELECT FROM pg_catalog.pg_attrdef OFFSET 200)"                                    \
    " OR EXISTS (SELECT FROM pg_catalog.pg_constraint OFFSET 400)"                                 \
    " OR EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgqual IS NOT NULL)"                      \
    " OR EXISTS (SELECT FROM pg_catalog.pg_attrdef WHERE adbin::text ~ '" CALLS "')"               \
    " OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conbin::text ~ '" CALLS "')"

static const char left_sql[] = LEFT_SQL;
static const char left_calls_sql[] =
    LEFT_SQL " OR CASE WHEN " MAY_SET_SQL " THEN EXISTS (SELECT FROM pg_catalog.pg_settings WHERE "
             "source = 'session') ELSE false END";

enum dr_rc
dr_pgd_ask_left(struct dr_pgd *d, bool may_call, struct dr_err *err)
{
    struct dr_pg_stmt stmt = {.sql = may_call ? left_calls_sql : left_sql,
                              .max_rows = 1,
                              .name = may_call ? DR_PGD_LEFT_CALLS_NAME : DR_PGD_LEFT_NAME};
    return dr_pg_pipeline_add(d->work, &stmt, err);
}

enum dr_rc
dr_pgd_prepare_left(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_pg_stmt plain = {.sql = left_sql, .name = DR_PGD_LEFT_NAME};
    struct dr_pg_stmt calls = {.sql = left_calls_sql, .name = DR_PGD_LEFT_CALLS_NAME};
    enum dr_rc rc = dr_pg_pipeline_prepare(d->work, &plain, err);
    return rc == DR_OK ? dr_pg_pipeline_prepare(d->work, &calls, err) : rc;
}

static enum dr_rc
on_leaks(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err)
{
    struct dr_exec_result *out = ctx;
    bool tells = index == TIDY_LEAKS || index == TIDY_ROLE;
    const char *text = tells ? dr_pg_text(result, 0, 0) : NULL;
    size_t used = strlen(out->leaks);
    (void)err;
    if (text != NULL) {
        (void)snprintf(out->leaks + used, sizeof out->leaks - used, "%s%s", used > 0 ? ", " : "",
                       text);
    }
    return DR_OK;
}

// A failure here harms nothing that is committed: the connection is given up and a new one starts
// clean.
void
dr_pgd_tidy(struct dr_pgd *d, bool is_outside, struct dr_exec_result *out)
{
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    struct dr_err ignored = {0};
    uint64_t done = 0;
    enum dr_rc rc = dr_pg_pipeline_begin(d->work, &wait, on_leaks, out, &ignored);
    if (rc == DR_OK) {
        for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(tidy_sql); i++) {
            struct dr_pg_stmt stmt = {.sql = is_outside && i == TIDY_LEAKS ? leaks_outside_sql
                                                                           : tidy_sql[i],
                                      .max_rows = i == TIDY_LEAKS || i == TIDY_ROLE ? 1 : 0};
            rc = dr_pg_pipeline_add(d->work, &stmt, &ignored);
        }
        dr_pg_forget_prepared(d->work); // DEALLOCATE ALL took ours too
        rc = rc == DR_OK ? dr_pgd_prepare(d, &ignored) : rc;
        enum dr_rc end = dr_pg_pipeline_end(d->work, &done, &ignored);
        rc = rc == DR_OK ? end : rc;
    }
    if (rc != DR_OK) {
        dr_pg_close(&d->work);
    }
}

enum dr_rc
dr_pgd_flush(struct dr_driver *driver, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    if (rc != DR_OK) {
        return rc;
    }
    // A transaction with a number is flushed with all that was written before it.
    return dr_pg_run(
        d->work,
        "SELECT pg_catalog.set_config('synchronous_commit', 'on', true), pg_catalog.txid_current()",
        &wait, err);
}

// ---------------------------------------------------------------------------------------- outside

static enum dr_rc
prepare_outside(struct dr_pgd_running *r, struct dr_err *err)
{
    char lock_ms[24], statement_ms[24];
    (void)snprintf(lock_ms, sizeof lock_ms, "%" PRIu64, r->exec->lock_timeout_ms);
    (void)snprintf(statement_ms, sizeof statement_ms, "%" PRIu64, r->exec->statement_timeout_ms);
    const char *params[] = {r->d->search_path, lock_ms, statement_ms};
    struct dr_pg_stmt settings = {
        .sql = "SELECT pg_catalog.set_config('search_path', $1, false),"
               " pg_catalog.set_config('lock_timeout', $2, false),"
               " pg_catalog.set_config('statement_timeout', $3, false),"
               " CASE WHEN pg_catalog.current_setting('server_version_num')::int4 >= 140000 THEN"
               " pg_catalog.set_config('client_connection_check_interval', '10000', false) END",
        .params = params,
        .params_count = 3};
    struct dr_db_wait wait = dr_pgd_wait(r->d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pg_run(r->d->work, "RESET ALL", &wait, err);
    if (rc == DR_OK) {
        rc = dr_pgd_take_key(r->d, 'b', r->d->options.recover_timeout_ms, err);
    }
    return rc == DR_OK ? dr_pg_exec(r->d->work, &settings, &wait, NULL, err) : rc;
}

enum dr_rc
dr_pgd_outside(struct dr_driver *driver, const struct dr_exec *exec, struct dr_exec_result *out,
               struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    int64_t now = dr_monotonic_ms();
    struct dr_pgd_running r = {.d = d,
                               .exec = exec,
                               .out = out,
                               .at_ledger = UINT64_MAX,
                               .at_alembic = UINT64_MAX,
                               .at_commit = UINT64_MAX,
                               .started_ms = now,
                               .last_ms = now};
    *out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    if (rc == DR_OK) {
        rc = prepare_outside(&r, err);
    }
    char *text = rc == DR_OK ? strndup(exec->statements[0].text, exec->statements[0].len) : NULL;
    if (rc == DR_OK && text == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc == DR_OK) {
        struct dr_db_wait wait = dr_pgd_unit_wait(&r);
        dr_pgd_touch_hold(&r);
        rc = dr_pg_run(d->work, text, &wait, err);
        dr_pgd_touch_end(&r);
        if (rc != DR_OK && !dr_pgd_is_lost(d)) {
            dr_pgd_describe(&r, DR_PGD_AT_STATEMENTS, err);
        }
    }
    free(text);
    if (dr_pgd_is_lost(d)) {
        return dr_pgd_unknown(err);
    }
    dr_pgd_rollback(d);
    dr_pgd_drop_key(d, 'b');
    if (d->work != NULL && rc == DR_OK) {
        dr_pgd_tidy(d, true, out);
    } else {
        dr_pg_close(&d->work);
    }
    out->committed = rc == DR_OK;
    return rc;
}
