// Units on PostgreSQL. See driver.h.
//
// A unit is one pipeline: BEGIN, settings with key B, its statements, its ledger row, COMMIT, and then one Sync. After a
// failure the server skips everything up to the Sync, the COMMIT too. A unit with verify sections ends its pipeline
// before the COMMIT, since a person's condition is looked at here and not by the server.
#include "engine/driver_pg.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS         250
#define DEADLINE_MAX_MS (7ull * 24 * 3600 * 1000)
#define UNLIMITED_MS    (24ull * 3600 * 1000) // stands for a statement time-out of 0

// The settings of a unit. $1, $2: key B; a server that will not give it fails the cast and with it the pipeline.
static const char settings_sql[] =
    "SELECT (CASE WHEN pg_catalog.pg_try_advisory_xact_lock($1::int4, $2::int4) THEN '0' ELSE 'drover-key-b' END)::int4,"
    " pg_catalog.set_config('search_path', $3, true), pg_catalog.set_config('lock_timeout', $4, true),"
    " pg_catalog.set_config('statement_timeout', $5, true), pg_catalog.set_config('drover.unit', $6, true),"
    " pg_catalog.set_config('synchronous_commit', CASE WHEN $7 = 'off' THEN 'off' WHEN"
    " pg_catalog.current_setting('synchronous_commit') = 'off' THEN 'on' ELSE"
    " pg_catalog.current_setting('synchronous_commit') END, true)";

enum { AT_BEGIN = 0, AT_SETTINGS = 2, AT_STATEMENTS = 3 };

struct running {
    struct dr_pgd *d;
    const struct dr_exec *exec;
    struct dr_exec_result *out;
    uint64_t at_ledger, at_commit; // places in the pipeline; UINT64_MAX: not yet known
    uint64_t finished;             // statements that ended well
    int64_t started_ms, last_ms;
    bool said_commit, said_rollback;
};

// ------------------------------------------------------------------------------------------- wait

static size_t
ask_blockers(struct dr_pgd *d, struct dr_blocker *out)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", d->info.backend_pid);
    const char *params[] = {pid};
    struct dr_pg_stmt stmt = {
        .sql = "SELECT a.pid, a.application_name, a.usename, a.state, pg_catalog.left(a.query, 150),"
               " (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start) * 1000)::int8 FROM"
               " pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) b JOIN pg_catalog.pg_stat_activity a"
               " ON a.pid = b LIMIT 8",
        .params = params,
        .params_count = 1,
        .max_rows = DR_BLOCKERS_MAX};
    struct dr_db_wait wait = dr_db_wait_ms(1000);
    struct dr_pg_result *res = NULL;
    struct dr_err ignored = {0};
    if (d->idle == NULL || !dr_pg_is_alive(d->idle) || dr_pg_exec(d->idle, &stmt, &wait, &res, &ignored) != DR_OK) {
        return 0;
    }
    size_t n = dr_pg_rows(res);
    for (size_t i = 0; i < n; i++) {
        char *const fields[] = {out[i].application, out[i].user, out[i].state, out[i].query};
        const size_t sizes[] = {sizeof out[i].application, sizeof out[i].user, sizeof out[i].state,
                                sizeof out[i].query};
        out[i].pid = (int32_t)dr_pg_int(res, i, 0);
        for (size_t k = 0; k < 4; k++) {
            const char *text = dr_pg_text(res, i, k + 1);
            (void)snprintf(fields[k], sizes[k], "%s", text == NULL ? "" : text);
        }
        out[i].age_ms = (uint64_t)dr_pg_int(res, i, 5);
    }
    dr_pg_result_free(&res);
    return n;
}

static enum dr_rc
on_tick(void *ctx, struct dr_err *err)
{
    struct running *r = ctx;
    int64_t now = dr_monotonic_ms();
    (void)err;
    if (now - r->last_ms < TICK_MS) {
        return DR_OK; // the server answers: nothing waits
    }
    struct dr_blocker blockers[DR_BLOCKERS_MAX] = {0};
    size_t n = ask_blockers(r->d, blockers);
    if (n > 0) {
        memcpy(r->out->blockers, blockers, sizeof blockers);
        r->out->blockers_count = n;
    }
    if (r->d->options.tick != NULL) {
        uint64_t place = r->finished < AT_STATEMENTS ? 0 : r->finished - AT_STATEMENTS;
        size_t last = r->exec->count == 0 ? 0 : r->exec->count - 1;
        struct dr_tick tick = {.statement = place < last ? (size_t)place : last,
                               .elapsed_ms = (uint64_t)(now - r->started_ms),
                               .blockers_count = n,
                               .blockers = blockers};
        r->d->options.tick(r->d->options.tick_arg, &tick);
    }
    return DR_OK;
}

static struct dr_db_wait
unit_wait(struct running *r)
{
    uint64_t one = r->exec->statement_timeout_ms == 0 ? UNLIMITED_MS : r->exec->statement_timeout_ms;
    uint64_t count = r->exec->count + 1;
    uint64_t all = one > DEADLINE_MAX_MS / count ? DEADLINE_MAX_MS : one * count;
    struct dr_db_wait wait = dr_pgd_wait(r->d, all + DR_PGD_SHORT_MS);
    wait.tick_ms = TICK_MS;
    wait.on_tick = on_tick;
    wait.ctx = r;
    return wait;
}

static enum dr_rc
on_result(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err)
{
    struct running *r = ctx;
    (void)err;
    r->finished = index + 1;
    r->last_ms = dr_monotonic_ms();
    if (index == r->at_ledger) {
        r->out->transaction = (uint64_t)dr_pg_int(result, 0, 0);
    }
    if (index == r->at_commit) {
        r->said_commit = strcmp(dr_pg_tag(result), "COMMIT") == 0;
        r->said_rollback = !r->said_commit;
    }
    return DR_OK;
}

// -------------------------------------------------------------------------------------------- add

static enum dr_rc
add(struct dr_pgd *d, const char *sql, struct dr_err *err)
{
    return dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = sql}, err);
}

static enum dr_rc
add_settings(struct running *r, struct dr_err *err)
{
    const struct dr_exec *x = r->exec;
    char lock_ms[24], statement_ms[24], head[65];
    (void)snprintf(lock_ms, sizeof lock_ms, "%" PRIu64, x->lock_timeout_ms);
    (void)snprintf(statement_ms, sizeof statement_ms, "%" PRIu64, x->statement_timeout_ms);
    dr_hex(head, x->change->row->head, 32);
    const char *params[] = {r->d->key_class, r->d->key_b, r->d->search_path, lock_ms, statement_ms, head,
                            x->synchronous ? "on" : "off"};
    struct dr_pg_stmt settings = {.sql = settings_sql, .params = params, .params_count = 7, .max_rows = 1};
    enum dr_rc rc = add(r->d, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err);
    if (rc == DR_OK) {
        rc = add(r->d, "RESET ALL", err);
    }
    return rc == DR_OK ? dr_pg_pipeline_add(r->d->work, &settings, err) : rc;
}

static enum dr_rc
add_statements(struct running *r, struct dr_err *err)
{
    struct dr_buf text = {.max = DR_PG_STATEMENT_MAX};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < r->exec->count; i++) {
        dr_buf_reset(&text);
        dr_buf_add(&text, r->exec->statements[i].text, r->exec->statements[i].len);
        rc = text.failed ? dr_err_set(err, DR_E_LIMIT, "a statement is too long") : add(r->d, text.data, err);
    }
    dr_buf_fini(&text);
    return rc;
}

static enum dr_rc
add_all(struct running *r, struct dr_err *err)
{
    uint64_t rows = 0;
    enum dr_rc rc = add_settings(r, err);
    if (rc == DR_OK) {
        rc = add_statements(r, err);
    }
    if (rc == DR_OK && DR_FAILPOINT("engine-unit-sent")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        r->at_ledger = AT_STATEMENTS + r->exec->count;
        rc = dr_pgd_ledger_add(r->d, r->exec->change, &rows, err);
    }
    if (rc == DR_OK && r->exec->checks_count == 0) {
        if (DR_FAILPOINT("engine-commit-before")) {
            return dr_err_set(err, DR_E_IO, "failpoint");
        }
        r->at_commit = r->at_ledger + rows;
        rc = add(r->d, "COMMIT", err);
    }
    return rc;
}

// --------------------------------------------------------------------------------------- outcomes

// Fills place, SQLSTATE and words of a failure that the server reported for the statement at `index`.
static void
describe(struct running *r, uint64_t index, struct dr_err *err)
{
    const struct dr_pg_error *e = dr_pg_last_error(r->d->work);
    (void)snprintf(r->out->sqlstate, sizeof r->out->sqlstate, "%s", e->sqlstate);
    (void)snprintf(r->out->detail, sizeof r->out->detail, "%s", e->message_safe);
    if (index < AT_STATEMENTS || index - AT_STATEMENTS >= r->exec->count) {
        return;
    }
    r->out->failed_statement = (size_t)(index - AT_STATEMENTS);
    const struct dr_statement *s = &r->exec->statements[r->out->failed_statement];
    uint32_t line = 0, column = 0;
    char *text = strndup(s->text, s->len);
    if (text != NULL && e->position > 0) {
        dr_pg_error_place(text, e->position, &line, &column);
    }
    free(text);
    (void)dr_err_at(err, r->exec->file, s->line + (line > 0 ? line - 1 : 0), column);
    if (strcmp(e->sqlstate, "25001") == 0) {
        (void)dr_err_hint(err, "give the statement a section of its own: -- drover:up transaction=off");
    }
}

// The pipeline failed and the server is there: what it did is undone, unless something ended the transaction.
static enum dr_rc
failed(struct running *r, uint64_t done, enum dr_rc rc, struct dr_err *err)
{
    enum dr_pg_tx tx = dr_pg_tx_status(r->d->work);
    bool was_begun = done > AT_BEGIN;
    describe(r, done, err);
    if (was_begun && tx == DR_PG_TX_IDLE && done < r->at_commit && r->out->sqlstate[0] != '\0') {
        return dr_err_set(err, DR_E_NEEDS_REPAIR, "revision '%s' ended its own transaction: part of it may be committed",
                          r->exec->revision_id);
    }
    dr_pgd_rollback(r->d);
    if (done == AT_SETTINGS && strcmp(r->out->sqlstate, "22P02") == 0) {
        return dr_err_set(err, DR_E_LOCKED, "an earlier session of drover is still working on this database");
    }
    return rc;
}

static bool
is_lost(const struct dr_pgd *d)
{
    return d->work == NULL || !dr_pg_is_alive(d->work);
}

static enum dr_rc
unknown(struct dr_err *err)
{
    err->rc = DR_E_COMMIT_UNKNOWN;
    return dr_err_wrap(err, "it is not known whether the unit was committed");
}

static enum dr_rc
run_pipeline(struct running *r, struct dr_err *err)
{
    struct dr_db_wait wait = unit_wait(r);
    uint64_t done = 0;
    struct dr_err later = {0};
    enum dr_rc rc = dr_pg_pipeline_begin(r->d->work, &wait, on_result, r, err);
    if (rc != DR_OK) {
        return is_lost(r->d) ? unknown(err) : rc;
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
    if (is_lost(r->d)) {
        return unknown(err);
    }
    return rc == DR_OK ? DR_OK : failed(r, done, rc, err);
}

static enum dr_rc
run_checks(struct running *r, struct dr_err *err)
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
            (void)dr_err_set(err, DR_E_VERIFY_FAILED, "verify '%s' of revision '%s' failed: %s", c->name,
                             x->revision_id, c->reason);
            return dr_err_at(err, x->file, x->checks[i].count > 0 ? x->checks[i].statements[0].line : 0, 0);
        }
    }
    return DR_OK;
}

static enum dr_rc
commit_alone(struct running *r, struct dr_err *err)
{
    struct dr_db_wait wait = unit_wait(r);
    struct dr_pg_result *res = NULL;
    if (DR_FAILPOINT("engine-commit-before")) {
        return dr_err_set(err, DR_E_IO, "failpoint");
    }
    enum dr_rc rc = dr_pg_exec(r->d->work, &(struct dr_pg_stmt){.sql = "COMMIT"}, &wait, &res, err);
    if (rc == DR_OK) {
        r->said_commit = strcmp(dr_pg_tag(res), "COMMIT") == 0;
        r->said_rollback = !r->said_commit;
    }
    dr_pg_result_free(&res);
    if (rc != DR_OK && !is_lost(r->d)) {
        describe(r, UINT64_MAX, err);
    }
    return rc;
}

static enum dr_rc
check_and_commit(struct running *r, struct dr_err *err)
{
    enum dr_rc rc = run_checks(r, err);
    if (rc == DR_OK) {
        rc = commit_alone(r, err);
    }
    if (rc != DR_OK && is_lost(r->d)) {
        return unknown(err);
    }
    if (rc != DR_OK) {
        dr_pgd_rollback(r->d);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------ leaks

// Session state that the committed unit left: told in one line, then removed.
static const char *const tidy_sql[] = {
    "SELECT pg_catalog.string_agg(what, ', ') FROM (SELECT 'setting ' || name AS what FROM pg_catalog.pg_settings WHERE"
    " source = 'session' UNION ALL SELECT 'temporary ' || relname FROM pg_catalog.pg_class WHERE relnamespace ="
    " pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'v', 'S') UNION ALL SELECT 'advisory lock ' || classid || ' '"
    " || objid FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() UNION ALL"
    " SELECT 'prepared statement ' || name FROM pg_catalog.pg_prepared_statements WHERE name <> '' AND from_sql"
    " UNION ALL SELECT 'cursor ' || name FROM pg_catalog.pg_cursors WHERE is_holdable UNION ALL"
    " SELECT 'channel ' || c FROM pg_catalog.pg_listening_channels() c) leaks",
    "RESET ALL",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
    "DEALLOCATE ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
};

static enum dr_rc
on_leaks(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err)
{
    struct dr_exec_result *out = ctx;
    const char *text = index == 0 ? dr_pg_text(result, 0, 0) : NULL;
    (void)err;
    if (text != NULL) {
        (void)snprintf(out->leaks, sizeof out->leaks, "%s", text);
    }
    return DR_OK;
}

// A failure here harms nothing that is committed: the connection is given up and a new one starts clean.
static void
tidy(struct dr_pgd *d, struct dr_exec_result *out)
{
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    struct dr_err ignored = {0};
    uint64_t done = 0;
    enum dr_rc rc = dr_pg_pipeline_begin(d->work, &wait, on_leaks, out, &ignored);
    if (rc == DR_OK) {
        for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(tidy_sql); i++) {
            struct dr_pg_stmt stmt = {.sql = tidy_sql[i], .max_rows = i == 0 ? 1 : 0};
            rc = dr_pg_pipeline_add(d->work, &stmt, &ignored);
        }
        rc = dr_pg_pipeline_end(d->work, &done, &ignored);
    }
    if (rc != DR_OK) {
        dr_pg_close(&d->work);
    }
}

// ------------------------------------------------------------------------------------------- unit

static enum dr_rc
reconnect(struct dr_pgd *d, struct dr_err *err)
{
    if (d->work != NULL && dr_pg_is_alive(d->work)) {
        return DR_OK;
    }
    dr_pg_close(&d->work);
    return dr_pgd_connect(d, &d->work, &d->info, err);
}

enum dr_rc
dr_pgd_unit(struct dr_driver *driver, const struct dr_exec *exec, struct dr_exec_result *out, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    int64_t now = dr_monotonic_ms();
    struct running r = {.d = d, .exec = exec, .out = out, .at_ledger = UINT64_MAX, .at_commit = UINT64_MAX,
                        .started_ms = now, .last_ms = now};
    *out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    enum dr_rc rc = reconnect(d, err);
    if (rc == DR_OK && d->has_key_a && (d->idle == NULL || !dr_pg_still_there(d->idle))) {
        return dr_err_set(err, DR_E_DB_LOST, "the connection that holds drover's lock is gone");
    }
    if (rc == DR_OK) {
        rc = run_pipeline(&r, err);
    }
    if (rc == DR_OK && exec->checks_count > 0) {
        rc = check_and_commit(&r, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (r.said_rollback || !r.said_commit) {
        return dr_err_set(err, DR_E_DB_STATEMENT, "the server rolled revision '%s' back instead of committing it",
                          exec->revision_id);
    }
    out->committed = true;
    if (exec->may_leak) {
        tidy(d, out);
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

enum dr_rc
dr_pgd_flush(struct dr_driver *driver, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = reconnect(d, err);
    if (rc != DR_OK) {
        return rc;
    }
    // A transaction with a number is flushed with all that was written before it.
    return dr_pg_run(d->work, "SELECT pg_catalog.set_config('synchronous_commit', 'on', true), pg_catalog.txid_current()",
                     &wait, err);
}

// ---------------------------------------------------------------------------------------- outside

static enum dr_rc
prepare_outside(struct running *r, struct dr_err *err)
{
    char lock_ms[24], statement_ms[24];
    (void)snprintf(lock_ms, sizeof lock_ms, "%" PRIu64, r->exec->lock_timeout_ms);
    (void)snprintf(statement_ms, sizeof statement_ms, "%" PRIu64, r->exec->statement_timeout_ms);
    const char *params[] = {r->d->search_path, lock_ms, statement_ms};
    struct dr_pg_stmt settings = {.sql = "SELECT pg_catalog.set_config('search_path', $1, false),"
                                         " pg_catalog.set_config('lock_timeout', $2, false),"
                                         " pg_catalog.set_config('statement_timeout', $3, false)",
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
dr_pgd_outside(struct dr_driver *driver, const struct dr_exec *exec, struct dr_exec_result *out, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    int64_t now = dr_monotonic_ms();
    struct running r = {.d = d, .exec = exec, .out = out, .at_ledger = UINT64_MAX, .at_commit = UINT64_MAX,
                        .started_ms = now, .last_ms = now};
    *out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    enum dr_rc rc = reconnect(d, err);
    if (rc == DR_OK) {
        rc = prepare_outside(&r, err);
    }
    char *text = rc == DR_OK ? strndup(exec->statements[0].text, exec->statements[0].len) : NULL;
    if (rc == DR_OK && text == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc == DR_OK) {
        struct dr_db_wait wait = unit_wait(&r);
        rc = dr_pg_run(d->work, text, &wait, err);
        if (rc != DR_OK && !is_lost(d)) {
            describe(&r, AT_STATEMENTS, err);
        }
    }
    free(text);
    if (is_lost(d)) {
        return unknown(err);
    }
    dr_pgd_rollback(d);
    dr_pgd_drop_key(d, 'b');
    if (d->work != NULL && rc == DR_OK) {
        tidy(d, out);
    } else {
        dr_pg_close(&d->work);
    }
    out->committed = rc == DR_OK;
    return rc;
}
