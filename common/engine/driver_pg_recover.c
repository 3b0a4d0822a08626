// After an unknown COMMIT on PostgreSQL: connect again, take both keys, and only then read the
// ledger. See driver.h.
//
// Key A alone is not enough: the old backend may still wait in its COMMIT (for a standby, say), its
// row invisible, and become visible later. It holds key B until then. Nor is key B enough: a
// backend that was slow may have the whole unit still unread in its socket, and take B after us. So
// it is waited for until it is gone. When it does not go in time, it is told to end, after a look
// that it is really that backend.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS     200
#define GONE_POLL_MS 20

static enum dr_rc
same_database(const struct dr_pg_info *before, const struct dr_pg_info *now, struct dr_err *err)
{
    enum dr_rc rc = dr_pg_check_identity(now, before->system_identifier, before->database, err);
    if (rc == DR_OK && before->database_oid != now->database_oid) {
        return dr_err_set(err, DR_E_DB_IDENTITY,
                          "database '%s' is not the one that was there before", now->database);
    }
    return rc;
}

// A server that restarts or fails over is waited for.
static enum dr_rc
connect_again(struct dr_pgd *d, int64_t deadline, struct dr_err *err)
{
    struct dr_pg_info now;
    for (;;) {
        enum dr_rc rc = dr_pgd_connect(d, &d->work, &now, err);
        if (rc == DR_OK) {
            rc = same_database(&d->info, &now, err);
            if (rc == DR_OK) {
                d->info = now;
            }
            return rc;
        }
        bool may_pass = rc == DR_E_DB_UNREACHABLE || rc == DR_E_DB_LOST || rc == DR_E_DB_STANDBY ||
                        rc == DR_E_TIMEOUT;
        if (!may_pass || dr_monotonic_ms() >= deadline) {
            return dr_err_wrap(err, "cannot look whether the unit was committed");
        }
        rc = dr_pgd_pause(d, RETRY_MS, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
}

static void
end_old_backend(struct dr_pgd *d, const struct dr_pg_info *old)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", old->backend_pid);
    const char *params[] = {pid, old->backend_start};
    struct dr_pg_stmt stmt = {
        .sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE"
               " pid = $1::int4 AND backend_start = $2::timestamptz AND usename = current_user",
        .params = params,
        .params_count = 2};
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    struct dr_err ignored = {0};
    if (dr_pg_exec(d->work, &stmt, &wait, NULL, &ignored) != DR_OK && !dr_pg_is_alive(d->work)) {
        dr_pg_close(&d->work);
    }
}

static enum dr_rc
is_gone(struct dr_pgd *d, const struct dr_pg_info *old, bool *out, struct dr_err *err)
{
    char pid[16], count[16];
    (void)snprintf(pid, sizeof pid, "%d", old->backend_pid);
    const char *params[] = {pid, old->backend_start};
    struct dr_pg_stmt stmt = {.sql = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity "
                                     "WHERE pid = $1::int4 AND backend_start = $2::timestamptz",
                              .params = params,
                              .params_count = 2,
                              .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pg_value(d->work, &stmt, &wait, count, sizeof count, err);
    *out = rc == DR_OK && strcmp(count, "0") == 0;
    return rc;
}

static enum dr_rc
wait_until_gone(struct dr_pgd *d, const struct dr_pg_info *old, uint64_t left_ms,
                struct dr_err *err)
{
    int64_t start = dr_monotonic_ms();
    bool was_told = false;
    for (;;) {
        bool gone = false;
        enum dr_rc rc = is_gone(d, old, &gone, err);
        if (rc != DR_OK || gone) {
            return rc;
        }
        uint64_t waited_ms = (uint64_t)(dr_monotonic_ms() - start);
        if (waited_ms >= left_ms) {
            return dr_err_set(err, DR_E_LOCKED,
                              "the session before (pid %d) has not ended for %llu ms",
                              old->backend_pid, (unsigned long long)waited_ms);
        }
        if (waited_ms >= left_ms / 2 && !was_told) {
            was_told = true;
            end_old_backend(d, old);
            if (d->work == NULL) {
                return dr_err_set(err, DR_E_DB_LOST, "the connection was lost again");
            }
        }
        rc = dr_pgd_pause(d, GONE_POLL_MS, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
}

static enum dr_rc
take_b(struct dr_pgd *d, const struct dr_pg_info *old, uint64_t left_ms, struct dr_err *err)
{
    enum dr_rc rc = dr_pgd_take_key(d, 'b', left_ms / 2, err);
    if (rc == DR_E_LOCKED) {
        end_old_backend(d, old);
        if (d->work == NULL) {
            return dr_err_set(err, DR_E_DB_LOST, "the connection was lost again");
        }
        rc = dr_pgd_take_key(d, 'b', left_ms / 2, err);
    }
    return rc;
}

// A standby that took over counts its transactions on its own: it may have given our number to
// somebody else. Then the ledger's row alone decides.
static bool
has_failed_over(const struct dr_pg_info *before, const struct dr_pg_info *now)
{
    return before->timeline != 0 && now->timeline != 0 && before->timeline != now->timeline;
}

// The row is not there. Does the server agree that the transaction did not commit?
static enum dr_rc
check_status(struct dr_pgd *d, uint64_t transaction, struct dr_err *err)
{
    char xid[24], answer[24];
    if (transaction == 0) {
        return DR_OK;
    }
    (void)snprintf(xid, sizeof xid, "%" PRIu64, transaction);
    const char *params[] = {xid};
    struct dr_pg_stmt stmt = {.sql = "SELECT pg_catalog.txid_status($1::int8)",
                              .params = params,
                              .params_count = 1,
                              .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pg_value(d->work, &stmt, &wait, answer, sizeof answer, err);
    if (rc != DR_OK) {
        // A number from the future: another server took over that never saw it. The ledger row
        // alone decides.
        *err = (struct dr_err){0};
        return dr_pg_is_alive(d->work)
                   ? DR_OK
                   : dr_err_set(err, DR_E_DB_LOST, "the connection was lost again");
    }
    if (strcmp(answer, "committed") == 0 || strcmp(answer, "in progress") == 0) {
        return dr_err_set(err, DR_E_NEEDS_REPAIR,
                          "transaction %s is %s, but its ledger row is missing", xid, answer);
    }
    return DR_OK;
}

enum dr_rc
dr_pgd_recover(struct dr_driver *driver, const struct dr_ledger_row *row, uint64_t transaction,
               bool *out_committed, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    const struct dr_pg_info old = d->info;
    int64_t deadline = dr_monotonic_ms() + (int64_t)d->options.recover_timeout_ms;
    bool is_there = false;
    *err = (struct dr_err){0};
    d->has_key_a = false;
    dr_pg_close(&d->work);
    dr_pg_close(&d->idle);
    enum dr_rc rc = connect_again(d, deadline, err);
    if (rc == DR_OK) {
        rc = dr_pgd_take_a(d, d->options.recover_timeout_ms, err);
    }
    if (rc == DR_OK) {
        rc = wait_until_gone(d, &old, d->options.recover_timeout_ms, err);
    }
    if (rc == DR_OK) {
        rc = take_b(d, &old, d->options.recover_timeout_ms, err);
    }
    if (rc == DR_OK) {
        rc = dr_pgd_ledger_has(d, row, &is_there, err);
    }
    if (rc == DR_OK && !is_there && !has_failed_over(&old, &d->info)) {
        rc = check_status(d, transaction, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    dr_pgd_drop_key(d, 'b');
    *out_committed = is_there;
    // A crash may have taken the tables, too, when nothing behind them was flushed.
    d->ledger = is_there ? LEDGER_THERE : LEDGER_NOT_SEEN;
    return dr_pgd_ledger_ensure(driver, err);
}
