// Units on PostgreSQL. See driver.h.
//
// A unit is one pipeline: BEGIN, settings with key B, its statements, its ledger row, COMMIT, and
// then one Sync. After a failure the server skips everything up to the Sync, the COMMIT too. A unit
// with verify sections ends its pipeline before the COMMIT, since a person's condition is looked at
// here and not by the server.
#include "engine/driver_pg.h"

#include "engine/alembic.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_NAME     "drover_settings"
#define STATE_NO_PREPARED "26000" // there is no prepared statement of this name

// The settings of a unit. $1, $2: key B; a server that will not give it fails the cast and with it
// the pipeline.
static const char settings_sql[] =
    "SELECT (CASE WHEN pg_catalog.pg_try_advisory_xact_lock($1::int4, $2::int4) THEN '0' ELSE "
    "'drover-key-b' END)::int4,"
    " pg_catalog.set_config('search_path', $3, true), pg_catalog.set_config('lock_timeout', $4, "
    "true),"
    " pg_catalog.set_config('statement_timeout', $5, true), pg_catalog.set_config('drover.unit', "
    "$6, true),"
    " pg_catalog.set_config('synchronous_commit', CASE WHEN $7 = 'off' THEN 'off' WHEN"
    " pg_catalog.current_setting('synchronous_commit') = 'off' THEN 'on' ELSE"
    " pg_catalog.current_setting('synchronous_commit') END, true),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', '60000', true),"
    // Since PostgreSQL 14: a backend whose client is gone does not go on waiting for a lock.
    " CASE WHEN pg_catalog.current_setting('server_version_num')::int4 >= 140000 THEN"
    " pg_catalog.set_config('client_connection_check_interval', '10000', true) END";

// ---------------------------------------------------------------------------------------- prepare

enum dr_rc
dr_pgd_prepare(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_pg_stmt settings = {.sql = settings_sql, .name = SETTINGS_NAME};
    enum dr_rc rc = dr_pg_pipeline_prepare(d->work, &settings, err);
    rc = rc == DR_OK ? dr_pgd_prepare_left(d, err) : rc;
    return rc == DR_OK ? dr_pgd_ledger_prepare(d, err) : rc;
}

void
dr_pgd_unprepare(struct dr_pgd *d)
{
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    struct dr_err ignored = {0};
    dr_pgd_rollback(d);
    if (d->work != NULL && dr_pg_run(d->work, "DEALLOCATE ALL", &wait, &ignored) != DR_OK) {
        dr_pg_close(&d->work);
    }
    if (d->work != NULL) {
        dr_pg_forget_prepared(d->work);
    }
}

// -------------------------------------------------------------------------------------------- add

static enum dr_rc
add(struct dr_pgd *d, const char *sql, struct dr_err *err)
{
    return dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = sql}, err);
}

static enum dr_rc
add_settings(struct dr_pgd_running *r, struct dr_err *err)
{
    const struct dr_exec *x = r->exec;
    char lock_ms[24], statement_ms[24], head[65];
    (void)snprintf(lock_ms, sizeof lock_ms, "%" PRIu64, x->lock_timeout_ms);
    (void)snprintf(statement_ms, sizeof statement_ms, "%" PRIu64, x->statement_timeout_ms);
    dr_hex(head, x->change->row->head, 32);
    const char *params[] = {r->d->key_class,
                            r->d->key_b,
                            r->d->search_path,
                            lock_ms,
                            statement_ms,
                            head,
                            x->synchronous ? "on" : "off"};
    struct dr_pg_stmt settings = {.sql = settings_sql,
                                  .params = params,
                                  .params_count = 7,
                                  .max_rows = 1,
                                  .name = SETTINGS_NAME};
    enum dr_rc rc = add(r->d, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err);
    if (rc == DR_OK) {
        rc = add(r->d, "RESET ALL", err);
    }
    return rc == DR_OK ? dr_pg_pipeline_add(r->d->work, &settings, err) : rc;
}

static enum dr_rc
add_statements(struct dr_pgd_running *r, struct dr_err *err)
{
    struct dr_buf text = {.max = DR_PG_STATEMENT_MAX};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < r->exec->count; i++) {
        dr_buf_reset(&text);
        dr_buf_add(&text, r->exec->statements[i].text, r->exec->statements[i].len);
        rc = text.failed ? dr_err_set(err, DR_E_LIMIT, "a statement is too long")
                         : add(r->d, text.data, err);
    }
    dr_buf_fini(&text);
    return rc;
}

// COMMIT at place `at`, and what the unit left in the session.
static enum dr_rc
add_commit(struct dr_pgd_running *r, uint64_t at, struct dr_err *err)
{
    r->at_commit = at;
    enum dr_rc rc = add(r->d, "COMMIT", err);
    return rc == DR_OK ? dr_pgd_ask_left(r->d, r->exec->may_call, err) : rc;
}

static enum dr_rc
add_all(struct dr_pgd_running *r, struct dr_err *err)
{
    enum dr_rc rc = add_settings(r, err);
    if (rc == DR_OK) {
        rc = add_statements(r, err);
    }
    if (rc == DR_OK && DR_FAILPOINT("engine-unit-sent")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        bool has_alembic = false;
        rc = r->d->options.keeps_alembic
                 ? dr_pgd_alembic_add(r->d, r->exec->change, &has_alembic, err)
                 : DR_OK;
        r->at_ledger = DR_PGD_AT_STATEMENTS + r->exec->count + (has_alembic ? 1 : 0);
        r->at_alembic = has_alembic ? r->at_ledger - 1 : UINT64_MAX;
    }
    if (rc == DR_OK) {
        rc = dr_pgd_ledger_add(r->d, r->exec->change, !r->exec->may_leak, err);
    }
    if (rc == DR_OK && !dr_pgd_commits_alone(r)) {
        if (DR_FAILPOINT("engine-commit-before")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
        rc = add_commit(r, r->at_ledger + 1, err);
    }
    return rc;
}

// --------------------------------------------------------------------------------------- outcomes

// A runner that died may have sent this very unit, and the server read it late, after we had
// looked: then it fails here, on what is there already or on its place in the ledger. A look
// decides, under both locks.
static bool
is_done_already(struct dr_pgd_running *r)
{
    struct dr_err ignored = {0};
    bool is_there = false;
    enum dr_rc rc = r->d->work == NULL
                        ? DR_E_DB_LOST
                        : dr_pgd_ledger_has(r->d, r->exec->change->row, &is_there, &ignored);
    return is_there || (rc == DR_E_NEEDS_REPAIR && strcmp(r->out->sqlstate, "23505") == 0);
}

// The pipeline failed and the server is there: what it did is undone, unless something ended the
// transaction.
static enum dr_rc
failed(struct dr_pgd_running *r, uint64_t done, enum dr_rc rc, struct dr_err *err)
{
    enum dr_pg_tx tx = dr_pg_tx_status(r->d->work);
    bool was_begun = done > DR_PGD_AT_BEGIN;
    dr_pgd_describe(r, done, err);
    if (was_begun && tx == DR_PG_TX_IDLE && done < r->at_commit && r->out->sqlstate[0] != '\0') {
        return dr_err_set(err, DR_E_NEEDS_REPAIR,
                          "revision '%s' ended its own transaction: part of it may be committed",
                          r->exec->revision_id);
    }
    dr_pgd_rollback(r->d);
    if (strcmp(r->out->sqlstate, STATE_NO_PREPARED) == 0 && r->d->work != NULL) {
        r->is_unprepared = done == DR_PGD_AT_SETTINGS || done == r->at_ledger;
    }
    if (done >= DR_PGD_AT_STATEMENTS && is_done_already(r)) {
        return dr_pgd_unknown(err);
    }
    if (done == DR_PGD_AT_SETTINGS && strcmp(r->out->sqlstate, "22P02") == 0) {
        (void)dr_pgd_locked_by(r->d, 'b', err);
        return dr_err_wrap(err, "an earlier session of drover has not ended in the server");
    }
    if (done == r->at_alembic &&
        (strcmp(r->out->sqlstate, "22P02") == 0 || strcmp(r->out->sqlstate, "23505") == 0)) {
        return dr_alembic_moved(err);
    }
    return rc;
}

// Only the question behind the COMMIT failed: the session is tidied as if the answer were yes.
static enum dr_rc
unless_committed(struct dr_pgd_running *r, enum dr_rc rc, struct dr_err *err)
{
    if (rc == DR_OK || !r->said_commit || dr_pgd_is_lost(r->d)) {
        return rc;
    }
    r->left_state = true;
    *err = (struct dr_err){0};
    return DR_OK;
}

static enum dr_rc
run_pipeline(struct dr_pgd_running *r, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_unit_wait(r);
    uint64_t done = 0;
    struct dr_err later = {0};
    enum dr_rc rc = dr_pg_pipeline_begin(r->d->work, &wait, dr_pgd_on_result, r, err);
    if (rc != DR_OK) {
        return dr_pgd_is_lost(r->d) ? dr_pgd_unknown(err) : rc;
    }
    enum dr_rc added = add_all(r, err);
    rc = dr_pg_pipeline_end(r->d->work, &done, &later);
    if (rc != DR_OK) {
        *err = later;
    } else if (added != DR_OK) {
        dr_pgd_rollback(r->d);
        return added;
    }
    if (DR_FAILPOINT("engine-commit-after")) {
        dr_pg_close(&r->d->work);
        (void)dr_err_set(err, DR_E_DB_LOST, "failpoint");
    }
    if (dr_pgd_is_lost(r->d)) {
        return dr_pgd_unknown(err);
    }
    rc = unless_committed(r, rc, err);
    return rc == DR_OK ? DR_OK : failed(r, done, rc, err);
}

// Something in the database removed what this connection had prepared (a trigger may say
// DEALLOCATE): the unit left nothing, and runs again with texts.
static enum dr_rc
run_pipeline_anyhow(struct dr_pgd_running *r, struct dr_err *err)
{
    enum dr_rc rc = run_pipeline(r, err);
    if (rc == DR_OK || rc == DR_E_COMMIT_UNKNOWN || !r->is_unprepared || dr_pgd_is_lost(r->d)) {
        return rc;
    }
    dr_pgd_unprepare(r->d);
    if (r->d->work == NULL) {
        return rc;
    }
    *err = (struct dr_err){0};
    *r->out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    r->at_ledger = r->at_alembic = r->at_commit = UINT64_MAX;
    return run_pipeline(r, err);
}

static enum dr_rc
run_checks(struct dr_pgd_running *r, struct dr_err *err)
{
    const struct dr_exec *x = r->exec;
    r->out->checks = dr_arena_array(x->arena, x->checks_count, sizeof *r->out->checks);
    if (r->out->checks == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < x->checks_count; i++) {
        struct dr_check_result *c = &r->out->checks[i];
        enum dr_rc rc = dr_pgd_check_inside(r->d, &x->checks[i], x->arena, c, err);
        if (rc != DR_OK) {
            return rc;
        }
        r->out->checks_count = i + 1;
        if (c->verdict != DR_CHECK_PASSED) {
            (void)snprintf(r->out->sqlstate, sizeof r->out->sqlstate, "%s", c->sqlstate);
            (void)dr_err_set(err, DR_E_VERIFY_FAILED, "verify '%s' of revision '%s' failed: %s",
                             c->name, x->revision_id, c->reason);
            return dr_err_at(err, x->file,
                             x->checks[i].count > 0 ? x->checks[i].statements[0].line : 0, 0);
        }
    }
    return DR_OK;
}

static enum dr_rc
commit_alone(struct dr_pgd_running *r, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_unit_wait(r);
    struct dr_err later = {0};
    if (DR_FAILPOINT("engine-commit-before")) {
        return dr_err_set(err, DR_E_IO, "failpoint");
    }
    r->at_ledger = r->at_alembic = UINT64_MAX;
    enum dr_rc rc = dr_pg_pipeline_begin(r->d->work, &wait, dr_pgd_on_result, r, err);
    if (rc != DR_OK) {
        return rc;
    }
    enum dr_rc added = add_commit(r, 0, err);
    rc = dr_pg_pipeline_end(r->d->work, NULL, &later);
    if (rc != DR_OK) {
        *err = later;
    }
    rc = unless_committed(r, rc == DR_OK ? added : rc, err);
    if (rc != DR_OK && !dr_pgd_is_lost(r->d)) {
        dr_pgd_describe(r, UINT64_MAX, err);
    }
    return rc;
}

static enum dr_rc
check_and_commit(struct dr_pgd_running *r, struct dr_err *err)
{
    enum dr_rc rc = r->exec->checks_count > 0 ? run_checks(r, err) : DR_OK;
    if (rc == DR_OK && dr_pgd_observes(r)) {
        rc = dr_pgd_touch_look(r, err);
    }
    if (rc == DR_OK) {
        rc = commit_alone(r, err);
    }
    if (rc != DR_OK && dr_pgd_is_lost(r->d)) {
        return dr_pgd_unknown(err);
    }
    if (rc != DR_OK) {
        dr_pgd_rollback(r->d);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------- unit

enum dr_rc
dr_pgd_unit(struct dr_driver *driver, const struct dr_exec *exec, struct dr_exec_result *out,
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
    d->running = NULL;
    if (rc == DR_OK && d->has_key_a && (d->idle == NULL || !dr_pg_still_there(d->idle))) {
        return dr_err_set(err, DR_E_DB_LOST, "the connection that holds drover's lock is gone");
    }
    if (rc == DR_OK) {
        rc = run_pipeline_anyhow(&r, err);
    }
    if (rc == DR_OK && dr_pgd_commits_alone(&r)) {
        d->running = &r;
        rc = check_and_commit(&r, err);
        d->running = NULL;
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (r.said_rollback || !r.said_commit) {
        return dr_err_set(err, DR_E_DB_STATEMENT,
                          "the server rolled revision '%s' back instead of committing it",
                          exec->revision_id);
    }
    out->committed = true;
    dr_pgd_touch_end(&r);
    if (exec->may_leak || r.left_state) {
        dr_pgd_tidy(d, false, out);
    }
    return DR_OK;
}

enum dr_rc
dr_pgd_note(struct dr_driver *driver, const struct dr_ledger_change *change, struct dr_err *err)
{
    struct dr_exec exec = {.revision_id = change->row->revision_id,
                           .file = "",
                           .lock_timeout_ms = 2000,
                           .statement_timeout_ms = DR_PGD_SHORT_MS,
                           .change = change,
                           .synchronous = true};
    struct dr_exec_result out;
    return dr_pgd_unit(driver, &exec, &out, err);
}
