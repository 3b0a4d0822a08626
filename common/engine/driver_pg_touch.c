// What a unit locks and what it rewrites, for rehearsals. See driver_pg.h.
//
// The second connection looks while the unit's transaction is still open: pg_locks has its locks,
// and the catalog as others see it has the relations that were there before, with the files that
// they had then. What the unit made itself nobody waits for.
//
// A statement outside of a transaction ends its own. CONCURRENTLY waits for every snapshot that is
// older than its last phase, so one of the second connection holds it up until a tick has looked.
#include "engine/driver_pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A relation and the file that it had before.
struct dr_pgd_file {
    int64_t oid, file;
};

#define MODES                                                                                      \
    "ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock',"     \
    " 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']"

static const char locks_sql[] =
    "SELECT c.oid::int8, n.nspname || '.' || c.relname, (" MODES ")[pg_catalog.max("
    "pg_catalog.array_position(" MODES ", l.mode))],"
    " coalesce(pg_catalog.pg_relation_filenode(c.oid)::int8, 0)"
    " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE l.pid = $1::int4 AND l.granted AND l.locktype = 'relation'"
    " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname ="
    " pg_catalog.current_database())"
    " AND c.relkind IN ('r', 'p', 'm', 'f', 'v') AND n.nspname NOT IN ('pg_catalog',"
    " 'information_schema', 'pg_toast', 'drover') AND n.nspname !~ '^pg_temp_'"
    " AND c.relname <> 'alembic_version' GROUP BY c.oid, n.nspname, c.relname ORDER BY 2";

static const char file_sql[] =
    "SELECT coalesce(pg_catalog.pg_relation_filenode($1::oid)::int8, 0) FROM pg_catalog.pg_class"
    " WHERE oid = $1::oid";

bool
dr_pgd_observes(const struct dr_pgd_running *r)
{
    return r->d->options.observes && r->exec->arena != NULL && r->d->idle != NULL;
}

bool
dr_pgd_commits_alone(const struct dr_pgd_running *r)
{
    return r->exec->checks_count > 0 || dr_pgd_observes(r);
}

enum dr_rc
dr_pgd_touch_look(struct dr_pgd_running *r, struct dr_err *err)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", r->d->info.backend_pid);
    struct dr_pg_stmt stmt = {.sql = locks_sql,
                              .params = (const char *const[]){pid},
                              .params_count = 1,
                              .max_rows = DR_TOUCHED_MAX};
    struct dr_db_wait wait = dr_pgd_wait(r->d, DR_PGD_SHORT_MS);
    struct dr_pg_result *res = NULL;
    enum dr_rc rc = dr_pg_exec(r->d->idle, &stmt, &wait, &res, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot look at the locks");
    }
    size_t n = dr_pg_rows(res);
    struct dr_touched *list = dr_arena_array(r->exec->arena, n + 1, sizeof *list);
    r->files = dr_arena_array(r->exec->arena, n + 1, sizeof *r->files);
    for (size_t i = 0; list != NULL && r->files != NULL && i < n; i++) {
        const char *mode = dr_pg_text(res, i, 2);
        list[i].table = dr_arena_str(r->exec->arena, dr_pg_text(res, i, 1));
        list[i].lock = dr_arena_str(r->exec->arena, mode == NULL ? "" : mode);
        r->files[i] = (struct dr_pgd_file){dr_pg_int(res, i, 0), dr_pg_int(res, i, 3)};
        list = list[i].table == NULL || list[i].lock == NULL ? NULL : list;
    }
    dr_pg_result_free(&res);
    if (list == NULL || r->files == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    r->out->touched = list;
    r->out->touched_count = n;
    return DR_OK;
}

// A relation that is gone was not rewritten.
static bool
has_moved(struct dr_pgd *d, const struct dr_pgd_file *file)
{
    char oid[24], now[24];
    struct dr_err ignored = {0};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    (void)snprintf(oid, sizeof oid, "%lld", (long long)file->oid);
    struct dr_pg_stmt stmt = {
        .sql = file_sql, .params = (const char *const[]){oid}, .params_count = 1, .max_rows = 1};
    return file->file != 0 &&
           dr_pg_value(d->idle, &stmt, &wait, now, sizeof now, &ignored) == DR_OK &&
           strtoll(now, NULL, 10) != file->file;
}

static void
let_go(struct dr_pgd_running *r)
{
    struct dr_err ignored = {0};
    struct dr_db_wait wait = dr_pgd_wait(r->d, DR_PGD_SHORT_MS);
    if (r->is_holding && dr_pg_run(r->d->idle, "ROLLBACK", &wait, &ignored) != DR_OK) {
        dr_pg_close(&r->d->idle); // nothing may go on waiting for it
    }
    r->is_holding = false;
}

void
dr_pgd_touch_end(struct dr_pgd_running *r)
{
    let_go(r);
    for (size_t i = 0; r->d->idle != NULL && r->files != NULL && i < r->out->touched_count; i++) {
        r->out->touched[i].is_rewritten = has_moved(r->d, &r->files[i]);
    }
}

void
dr_pgd_touch_hold(struct dr_pgd_running *r)
{
    struct dr_err ignored = {0};
    struct dr_db_wait wait = dr_pgd_wait(r->d, DR_PGD_SHORT_MS);
    if (!dr_pgd_observes(r) ||
        dr_pg_run(r->d->idle, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &wait, &ignored) !=
            DR_OK) {
        return;
    }
    r->is_holding = true;
    if (dr_pg_run(r->d->idle, "SELECT 1", &wait, &ignored) != DR_OK) {
        let_go(r);
    }
}

void
dr_pgd_touch_tick(struct dr_pgd_running *r)
{
    struct dr_err ignored = {0};
    if (r->is_holding) {
        enum dr_rc rc = dr_pgd_touch_look(r, &ignored);
        (void)rc; // then nothing is told of it
        let_go(r);
    }
}
