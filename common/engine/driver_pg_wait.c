// What a unit on PostgreSQL does while it waits, and how its failures are told. See driver.h.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS         250
#define DEADLINE_MAX_MS (7ull * 24 * 3600 * 1000)
#define UNLIMITED_MS    (24ull * 3600 * 1000) // stands for a statement time-out of 0

static size_t
ask_blockers(struct dr_pgd *d, struct dr_blocker *out)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", d->info.backend_pid);
    const char *params[] = {pid};
    struct dr_pg_stmt stmt = {
        .sql =
            "SELECT a.pid, a.application_name, a.usename, a.state, pg_catalog.left(a.query, 150),"
            " (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start) * "
            "1000)::int8 FROM"
            " pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) b JOIN "
            "pg_catalog.pg_stat_activity a"
            " ON a.pid = b LIMIT 8",
        .params = params,
        .params_count = 1,
        .max_rows = DR_BLOCKERS_MAX};
    struct dr_db_wait wait = dr_db_wait_ms(1000);
    struct dr_pg_result *res = NULL;
    struct dr_err ignored = {0};
    if (d->idle == NULL || !dr_pg_is_alive(d->idle) ||
        dr_pg_exec(d->idle, &stmt, &wait, &res, &ignored) != DR_OK) {
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
    struct dr_pgd_running *r = ctx;
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
        uint64_t place =
            r->finished < DR_PGD_AT_STATEMENTS ? 0 : r->finished - DR_PGD_AT_STATEMENTS;
        size_t last = r->exec->count == 0 ? 0 : r->exec->count - 1;
        struct dr_tick tick = {.statement = place < last ? (size_t)place : last,
                               .elapsed_ms = (uint64_t)(now - r->started_ms),
                               .blockers_count = n,
                               .blockers = blockers};
        r->d->options.tick(r->d->options.tick_arg, &tick);
    }
    return DR_OK;
}

struct dr_db_wait
dr_pgd_unit_wait(struct dr_pgd_running *r)
{
    uint64_t one =
        r->exec->statement_timeout_ms == 0 ? UNLIMITED_MS : r->exec->statement_timeout_ms;
    uint64_t count = r->exec->count + 1;
    uint64_t all = one > DEADLINE_MAX_MS / count ? DEADLINE_MAX_MS : one * count;
    struct dr_db_wait wait = dr_pgd_wait(r->d, all + DR_PGD_SHORT_MS);
    wait.tick_ms = TICK_MS;
    wait.on_tick = on_tick;
    wait.ctx = r;
    return wait;
}

enum dr_rc
dr_pgd_on_result(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err)
{
    struct dr_pgd_running *r = ctx;
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

// Fills place, SQLSTATE and words of a failure that the server reported for the statement at
// `index`.
void
dr_pgd_describe(struct dr_pgd_running *r, uint64_t index, struct dr_err *err)
{
    const struct dr_pg_error *e = dr_pg_last_error(r->d->work);
    (void)snprintf(r->out->sqlstate, sizeof r->out->sqlstate, "%s", e->sqlstate);
    (void)snprintf(r->out->detail, sizeof r->out->detail, "%s", e->message_safe);
    if (index < DR_PGD_AT_STATEMENTS || index - DR_PGD_AT_STATEMENTS >= r->exec->count) {
        return;
    }
    r->out->failed_statement = (size_t)(index - DR_PGD_AT_STATEMENTS);
    const struct dr_statement *s = &r->exec->statements[r->out->failed_statement];
    uint32_t line = 0, column = 0;
    char *text = strndup(s->text, s->len);
    if (text != NULL && e->position > 0) {
        dr_pg_error_place(text, e->position, &line, &column);
    }
    free(text);
    (void)dr_err_at(err, r->exec->file, s->line + (line > 0 ? line - 1 : 0), column);
    if (strcmp(e->sqlstate, "25001") == 0) {
        (void)dr_err_hint(err,
                          "give the statement a section of its own: -- drover:up transaction=off");
    }
}

bool
dr_pgd_is_lost(const struct dr_pgd *d)
{
    return d->work == NULL || !dr_pg_is_alive(d->work);
}

enum dr_rc
dr_pgd_unknown(struct dr_err *err)
{
    err->rc = DR_E_COMMIT_UNKNOWN;
    return dr_err_wrap(err, "it is not known whether the unit was committed");
}

enum dr_rc
dr_pgd_reconnect(struct dr_pgd *d, struct dr_err *err)
{
    if (d->work != NULL && dr_pg_is_alive(d->work)) {
        return DR_OK;
    }
    dr_pg_close(&d->work);
    return dr_pgd_connect(d, &d->work, &d->info, err);
}
