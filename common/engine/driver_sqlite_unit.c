// Units on SQLite: BEGIN IMMEDIATE, statements, ledger row, checks, COMMIT. See driver.h.
//
// A unit that rebuilds tables (drops one and renames another to its name) runs with foreign keys
// off, as SQLite's manual wants it (lang_altertable, section 7): with them on, the DROP would
// delete the rows of the children. What they would have refused is looked for before the COMMIT,
// and only what is new counts.
//
// EXTRA flushes the folder too once the journal is removed. Without it a power cut can bring the
// journal back, and with it the state before the COMMIT: good enough between two units, not for one
// that will be reported.
#include "engine/driver_sqlite.h"

#include "engine/alembic.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define UNLIMITED_MS (24ull * 3600 * 1000)

static enum dr_rc
count_row(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    (void)s;
    (void)err;
    (*(uint64_t *)ctx)++;
    return DR_OK;
}

static enum dr_rc
count_orphans(struct dr_sqd *d, uint64_t *out, struct dr_err *err)
{
    static const char sql[] = "PRAGMA foreign_key_check";
    uint64_t n = 0;
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_exec(d->db, sql, sizeof sql - 1, count_row, &n, err);
    *out = n;
    return rc;
}

static void
describe(struct dr_sqd *d, const struct dr_exec *x, size_t i, struct dr_exec_result *out,
         struct dr_err *err)
{
    const struct dr_sqlite_error *e = dr_sqlite_last_error(d->db);
    const struct dr_statement *s = &x->statements[i];
    uint32_t line = s->line, column = 0;
    if (e->offset >= 0 && (size_t)e->offset <= s->len) {
        column = 1;
        for (int64_t k = 0; k < e->offset; k++) {
            column = s->text[k] == '\n' ? 1 : column + 1;
            line += s->text[k] == '\n' ? 1 : 0;
        }
    }
    out->failed_statement = i;
    (void)snprintf(out->detail, sizeof out->detail, "%s", e->message_safe);
    (void)snprintf(out->words, sizeof out->words, "%s", e->message);
    (void)dr_err_at(err, x->file, line, column);
}

static enum dr_rc
run_statements(struct dr_sqd *d, const struct dr_exec *x, bool is_outside,
               struct dr_exec_result *out, struct dr_err *err)
{
    uint64_t timeout = x->statement_timeout_ms == 0 ? UNLIMITED_MS : x->statement_timeout_ms;
    for (size_t i = 0; i < x->count; i++) {
        if (x->statements[i].is_marker) {
            continue;
        }
        dr_sqd_set_wait(d, timeout);
        dr_sqlite_set_guard(d->db, DR_SQLITE_REVISION);
        enum dr_rc rc =
            dr_sqlite_exec(d->db, x->statements[i].text, x->statements[i].len, NULL, NULL, err);
        dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
        if (rc != DR_OK) {
            describe(d, x, i, out, err);
            return rc;
        }
        if (!is_outside && !dr_sqlite_in_transaction(d->db)) {
            return dr_err_set(
                err, DR_E_NEEDS_REPAIR,
                "revision '%s' ended its own transaction: part of it may be committed",
                x->revision_id);
        }
    }
    return DR_OK;
}

static enum dr_rc
run_checks(struct dr_sqd *d, const struct dr_exec *x, struct dr_exec_result *out,
           struct dr_err *err)
{
    out->checks = dr_arena_array(x->arena, x->checks_count, sizeof *out->checks);
    if (out->checks == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < x->checks_count; i++) {
        struct dr_check_result *c = &out->checks[i];
        enum dr_rc rc = dr_sqd_check_inside(d, &x->checks[i], x->arena, c, err);
        if (rc != DR_OK) {
            return rc;
        }
        out->checks_count = i + 1;
        if (c->verdict != DR_CHECK_PASSED) {
            (void)dr_err_set(err, DR_E_VERIFY_FAILED, "verify '%s' of revision '%s' failed: %s",
                             c->name, x->revision_id, c->reason);
            return dr_err_at(err, x->file,
                             x->checks[i].count > 0 ? x->checks[i].statements[0].line : 0, 0);
        }
    }
    return DR_OK;
}

static enum dr_rc
check_keys(struct dr_sqd *d, const struct dr_exec *x, uint64_t before, struct dr_err *err)
{
    uint64_t after = 0;
    enum dr_rc rc = count_orphans(d, &after, err);
    if (rc == DR_OK && after > before) {
        (void)dr_err_set(err, DR_E_DB_STATEMENT,
                         "revision '%s' leaves %llu rows whose foreign key points nowhere",
                         x->revision_id, (unsigned long long)(after - before));
        return dr_err_hint(err, "list them with: PRAGMA foreign_key_check");
    }
    return rc;
}

static enum dr_rc
run_inside(struct dr_sqd *d, const struct dr_exec *x, uint64_t orphans, struct dr_exec_result *out,
           struct dr_err *err)
{
    struct dr_sqd_tables *tables = NULL;
    enum dr_rc rc = x->rebuilds ? dr_sqd_rebuild_begin(d, err) : DR_OK;
    rc = rc == DR_OK ? dr_sqd_touch_begin(d, x, &tables, err) : rc;
    if (rc == DR_OK) {
        rc = run_statements(d, x, false, out, err);
    }
    if (rc == DR_OK && DR_FAILPOINT("engine-unit-sent")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    if (rc == DR_OK) {
        dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
        bool keeps = d->options.keeps_alembic;
        rc = keeps ? dr_sqd_alembic_check(d, x->change, err) : DR_OK;
        rc = rc == DR_OK ? dr_sqd_ledger_write(d, x->change, err) : rc;
        rc = rc == DR_OK && keeps ? dr_sqd_alembic_write(d, x->change, err) : rc;
    }
    if (rc == DR_OK && x->checks_count > 0) {
        rc = run_checks(d, x, out, err);
    }
    if (rc == DR_OK && x->rebuilds) {
        rc = check_keys(d, x, orphans, err);
    }
    if (rc == DR_OK && x->rebuilds) {
        rc = dr_sqd_rebuild_check(d, x, err);
    }
    rc = rc == DR_OK ? dr_sqd_touch_end(d, tables, out, err) : rc;
    if (rc == DR_OK && DR_FAILPOINT("engine-commit-before")) {
        rc = dr_err_set(err, DR_E_IO, "failpoint");
    }
    return rc;
}

static enum dr_rc
commit(struct dr_sqd *d, struct dr_exec_result *out, struct dr_err *err)
{
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    enum dr_rc rc = dr_sqlite_commit(d->db, err);
    if (rc == DR_OK && DR_FAILPOINT("engine-commit-after")) {
        rc = dr_err_set(err, DR_E_DB_LOST, "failpoint");
    }
    if (rc == DR_E_DB_LOST || rc == DR_E_DB_FULL) {
        dr_sqlite_close(&d->db);
        err->rc = DR_E_COMMIT_UNKNOWN;
        return dr_err_wrap(err, "it is not known whether the unit was committed");
    }
    out->committed = rc == DR_OK;
    return rc;
}

static void
undo(struct dr_sqd *d, enum dr_rc rc)
{
    if (d->db == NULL) {
        return;
    }
    dr_sqlite_rollback(d->db);
    if (rc == DR_E_DB_LOST || rc == DR_E_DB_CORRUPT) {
        dr_sqlite_close(&d->db); // the next open lets SQLite bring the file in order
    }
}

enum dr_rc
dr_sqd_unit(struct dr_driver *driver, const struct dr_exec *x, struct dr_exec_result *out,
            struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    uint64_t orphans = 0;
    *out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    // Only works outside of a transaction; said anew for every unit.
    rc = dr_sqlite_script(d->db,
                          x->rebuilds ? "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = OFF"
                                      : "PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF",
                          err);
    if (rc == DR_OK) {
        rc = dr_sqlite_script(
            d->db, x->synchronous ? "PRAGMA synchronous = EXTRA" : "PRAGMA synchronous = FULL",
            err);
    }
    if (rc == DR_OK && x->rebuilds) {
        rc = count_orphans(d, &orphans, err);
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_begin(d->db, err);
    }
    if (rc == DR_OK) {
        rc = run_inside(d, x, orphans, out, err);
    }
    if (rc == DR_OK) {
        rc = commit(d, out, err);
    }
    if (rc != DR_OK) {
        undo(d, rc);
    } else if (x->may_leak) {
        dr_sqlite_close(&d->db); // temporary objects and settings end with the connection
    }
    return rc;
}

enum dr_rc
dr_sqd_note(struct dr_driver *driver, const struct dr_ledger_change *change, struct dr_err *err)
{
    struct dr_exec exec = {
        .revision_id = change->row->revision_id, .file = "", .change = change, .synchronous = true};
    struct dr_exec_result out;
    return dr_sqd_unit(driver, &exec, &out, err);
}

enum dr_rc
dr_sqd_outside(struct dr_driver *driver, const struct dr_exec *x, struct dr_exec_result *out,
               struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    *out = (struct dr_exec_result){.failed_statement = SIZE_MAX};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_OK) {
        rc = run_statements(d, x, true, out, err);
    }
    if (rc == DR_E_DB_LOST) {
        dr_sqlite_close(&d->db);
        err->rc = DR_E_COMMIT_UNKNOWN;
        return dr_err_wrap(err, "it is not known whether the statement took effect");
    }
    out->committed = rc == DR_OK;
    return rc;
}
