// What a unit on PostgreSQL does while it waits, and how its failures are told. See driver.h.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MAX_MS (7ull * 24 * 3600 * 1000)
#define UNLIMITED_MS    (24ull * 3600 * 1000) // stands for a statement time-out of 0

struct dr_db_wait
dr_pgd_unit_wait(struct dr_pgd_running *r)
{
    uint64_t one =
        r->exec->statement_timeout_ms == 0 ? UNLIMITED_MS : r->exec->statement_timeout_ms;
    uint64_t count = r->exec->count + 1;
    uint64_t all = one > DEADLINE_MAX_MS / count ? DEADLINE_MAX_MS : one * count;
    struct dr_db_wait wait = dr_pgd_wait(r->d, all + DR_PGD_SHORT_MS);
    dr_pgd_watch(r, &wait);
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
    if (r->at_commit != UINT64_MAX && index == r->at_commit + 1) {
        r->left_state = dr_pg_rows(result) > 0;
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
    (void)snprintf(r->out->words, sizeof r->out->words, "%s%s%s", e->message,
                   e->detail[0] == '\0' ? "" : "; ", e->detail);
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
    if (d->is_connecting) {
        struct dr_db_wait wait = dr_pgd_wait(d, d->options.connect_timeout_ms);
        d->is_connecting = false;
        enum dr_rc rc = dr_pg_connect_end(d->work, &wait, err);
        if (rc != DR_OK) {
            dr_pg_close(&d->work);
        }
        return rc;
    }
    if (d->work != NULL && dr_pg_is_alive(d->work)) {
        return DR_OK;
    }
    dr_pg_close(&d->work);
    enum dr_rc rc = dr_pgd_connect(d, &d->work, &d->info, err);
    d->is_known = d->is_known || rc == DR_OK;
    return rc;
}
