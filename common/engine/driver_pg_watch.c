// What the second connection sees while a unit works: who blocks it, whom it blocks, and how far
// the server says it is. See driver_pg.h.
//
// A statement that waits for a lock makes others queue behind it, and one that holds a lock makes
// them wait for it. The first is bounded by lock_timeout, the second by max_block: a session that
// waits longer for our backend gets our statement cancelled.
#include "engine/driver_pg.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS    250  // between two looks at locks
#define PROGRESS_MS 1000 // between two looks at progress
#define ASK_MS      1000 // for one answer of the second connection

// What a server shows of another role's statement to one that is no member of pg_read_all_stats.
#define HIDDEN "<insufficient privilege>"

#define AGE_MS(since)                                                                              \
    "(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - " since ") * 1000)::int8"
#define BLOCKERS_SQL                                                                               \
    "SELECT a.pid, a.application_name, a.usename, a.state, pg_catalog.left(a.query, 80), " AGE_MS( \
        "a.xact_start") " FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::int4)) b"         \
                        " JOIN pg_catalog.pg_stat_activity a ON a.pid = b LIMIT 8"
// How long somebody has waited is told since PostgreSQL 14; before, the start of the statement is
// taken, which is never later.
#define BLOCKED_SQL(since)                                                                         \
    "SELECT a.pid, a.application_name, a.usename, a.state, ''::text, " AGE_MS(                     \
        since) " AS waits FROM pg_catalog.pg_stat_activity a WHERE a.wait_event_type = 'Lock' AND" \
               " a.backend_type = 'client backend' AND a.pid <> $1::int4 AND $1::int4 ="           \
               " ANY (pg_catalog.pg_blocking_pids(a.pid)) ORDER BY waits DESC NULLS LAST LIMIT 8"

static const char blocked_sql[] =
    BLOCKED_SQL("(SELECT pg_catalog.min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = "
                "a.pid AND NOT l.granted)");
static const char blocked_before_14_sql[] = BLOCKED_SQL("a.query_start");

static const char progress_sql[] =
    "SELECT coalesce(a.wait_event_type || ' ' || a.wait_event, ''),"
    " pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::int8,"
    " coalesce(p.phase, ''), coalesce(p.done, 0), coalesce(p.total, 0), coalesce(p.unit, '')"
    " FROM pg_catalog.pg_stat_activity a LEFT JOIN (SELECT pid, phase,"
    " CASE WHEN lockers_total > lockers_done THEN lockers_done WHEN blocks_total > 0 THEN"
    " blocks_done ELSE tuples_done END AS done,"
    " CASE WHEN lockers_total > lockers_done THEN lockers_total WHEN blocks_total > 0 THEN"
    " blocks_total ELSE tuples_total END AS total,"
    " CASE WHEN lockers_total > lockers_done THEN 'transactions' WHEN blocks_total > 0 THEN"
    " 'blocks' ELSE 'rows' END AS unit FROM pg_catalog.pg_stat_progress_create_index"
    " UNION ALL SELECT pid, phase, heap_blks_scanned, heap_blks_total, 'blocks' FROM"
    " pg_catalog.pg_stat_progress_vacuum"
    " UNION ALL SELECT pid, phase, heap_blks_scanned, heap_blks_total, 'blocks' FROM"
    " pg_catalog.pg_stat_progress_cluster) p USING (pid) WHERE a.pid = $1::int4";

// ------------------------------------------------------------------------------------------- asks

static struct dr_pg_result *
ask(struct dr_pgd *d, const char *sql)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", d->info.backend_pid);
    const char *params[] = {pid};
    struct dr_pg_stmt stmt = {
        .sql = sql, .params = params, .params_count = 1, .max_rows = DR_BLOCKERS_MAX};
    struct dr_db_wait wait = dr_db_wait_ms(ASK_MS);
    struct dr_pg_result *res = NULL;
    struct dr_err ignored = {0};
    bool is_there = d->idle != NULL && dr_pg_is_alive(d->idle);
    return is_there && dr_pg_exec(d->idle, &stmt, &wait, &res, &ignored) == DR_OK ? res : NULL;
}

static size_t
ask_sessions(struct dr_pgd *d, const char *sql, struct dr_blocker *out)
{
    struct dr_pg_result *res = ask(d, sql);
    size_t n = res == NULL ? 0 : dr_pg_rows(res);
    for (size_t i = 0; i < n; i++) {
        char *const fields[] = {out[i].application, out[i].user, out[i].state, out[i].query};
        const size_t sizes[] = {sizeof out[i].application, sizeof out[i].user, sizeof out[i].state,
                                sizeof out[i].query};
        out[i].pid = (int32_t)dr_pg_int(res, i, 0);
        for (size_t k = 0; k < DR_COUNT_OF(fields); k++) {
            const char *text = dr_pg_text(res, i, k + 1);
            (void)snprintf(fields[k], sizes[k], "%s", text == NULL ? "" : text);
        }
        if (strcmp(out[i].query, HIDDEN) == 0) {
            out[i].is_hidden = true;
            out[i].query[0] = '\0';
        }
        int64_t age = dr_pg_int(res, i, 5);
        out[i].age_ms = age > 0 ? (uint64_t)age : 0;
    }
    dr_pg_result_free(&res);
    return n;
}

static void
ask_progress(struct dr_pgd_running *r)
{
    struct dr_pg_result *res = ask(r->d, progress_sql);
    struct dr_server_progress *p = &r->server;
    if (res == NULL || dr_pg_rows(res) == 0) {
        dr_pg_result_free(&res);
        return;
    }
    uint64_t wal = (uint64_t)dr_pg_int(res, 0, 1);
    r->first_wal = r->first_wal == 0 ? wal : r->first_wal;
    p->wal_bytes = wal - r->first_wal;
    (void)snprintf(p->waits_for, sizeof p->waits_for, "%s", dr_pg_text(res, 0, 0));
    (void)snprintf(p->phase, sizeof p->phase, "%s", dr_pg_text(res, 0, 2));
    (void)snprintf(p->unit, sizeof p->unit, "%s", dr_pg_text(res, 0, 5));
    p->done = (uint64_t)dr_pg_int(res, 0, 3);
    p->total = (uint64_t)dr_pg_int(res, 0, 4);
    dr_pg_result_free(&res);
}

// ---------------------------------------------------------------------------------------- verdicts

// What lets reads and writes through is waited for by other definitions only: they may wait.
static bool
may_block(const struct dr_pgd_running *r)
{
    return r->exec->max_block_ms == 0 && r->exec->count == 1 &&
           r->exec->statements[0].class == DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT;
}

static enum dr_rc
check_blocked(struct dr_pgd_running *r, size_t blockers_count, struct dr_err *err)
{
    struct dr_blocker blocked[DR_BLOCKERS_MAX] = {0};
    uint64_t own = r->exec->max_block_ms, max = own != 0 ? own : r->d->options.max_block_ms;
    const char *sql = r->d->info.server_version >= 140000 ? blocked_sql : blocked_before_14_sql;
    if (max == 0 || may_block(r) || ask_sessions(r->d, sql, blocked) == 0 ||
        blocked[0].age_ms < max) {
        return DR_OK;
    }
    // While it waits itself it holds nothing that others need: it may come back later.
    enum dr_rc rc = blockers_count > 0 ? DR_E_DB_LOCK_TIMEOUT : DR_E_BLOCKS_OTHERS;
    return dr_err_set(err, rc,
                      "cancelled, since others waited for it: pid %d (%s) for %llu ms, at most "
                      "%llu ms are allowed",
                      (int)blocked[0].pid, blocked[0].application,
                      (unsigned long long)blocked[0].age_ms, (unsigned long long)max);
}

// With a grace period a unit may still end after it was told to stop.
static enum dr_rc
check_stop(struct dr_pgd_running *r, int64_t now, struct dr_err *err)
{
    const struct dr_driver_options *o = &r->d->options;
    struct pollfd p = {.fd = o->stop_fd, .events = POLLIN};
    if (o->stop_fd <= 0 || poll(&p, 1, 0) <= 0) {
        return DR_OK;
    }
    r->stop_ms = r->stop_ms == 0 ? now : r->stop_ms;
    return (uint64_t)(now - r->stop_ms) < o->stop_grace_ms
               ? DR_OK
               : dr_err_set(err, DR_E_INTERRUPTED,
                            "told to stop, and the unit did not end within %llu ms",
                            (unsigned long long)o->stop_grace_ms);
}

static enum dr_rc
on_tick(void *ctx, struct dr_err *err)
{
    struct dr_pgd_running *r = ctx;
    int64_t now = dr_monotonic_ms();
    enum dr_rc rc = check_stop(r, now, err);
    dr_pgd_touch_tick(r);
    if (rc != DR_OK || now - r->watched_ms < WATCH_MS) {
        return rc;
    }
    struct dr_blocker blockers[DR_BLOCKERS_MAX] = {0};
    size_t n = now - r->last_ms < WATCH_MS ? 0 : ask_sessions(r->d, BLOCKERS_SQL, blockers);
    r->watched_ms = now;
    if (n > 0) {
        memcpy(r->out->blockers, blockers, sizeof blockers);
        r->out->blockers_count = n;
    }
    rc = check_blocked(r, n, err);
    if (rc == DR_OK && r->d->options.tick != NULL) {
        if (now - r->started_ms >= PROGRESS_MS && now - r->asked_ms >= PROGRESS_MS) {
            r->asked_ms = now;
            ask_progress(r);
        }
        uint64_t place =
            r->finished < DR_PGD_AT_STATEMENTS ? 0 : r->finished - DR_PGD_AT_STATEMENTS;
        size_t last = r->exec->count == 0 ? 0 : r->exec->count - 1;
        struct dr_tick tick = {.statement = place < last ? (size_t)place : last,
                               .elapsed_ms = (uint64_t)(now - r->started_ms),
                               .blockers_count = n,
                               .blockers = blockers,
                               .server = r->asked_ms == 0 ? NULL : &r->server};
        r->d->options.tick(r->d->options.tick_arg, &tick);
    }
    return rc;
}

void
dr_pgd_watch(struct dr_pgd_running *r, struct dr_db_wait *wait)
{
    wait->tick_ms = WATCH_MS;
    wait->on_tick = on_tick;
    wait->ctx = r;
}
