// alembic_version in a SQLite file. See alembic.h.
#include "engine/alembic.h"
#include "engine/driver_sqlite.h"

#include <string.h>

// Runs `sql` with the tenant as ?1, the prefix of its keys as ?2, and two more texts.
static enum dr_rc
run_with(struct dr_sqd *d, const char *sql, const char *third, const char *fourth,
         struct dr_err *err)
{
    char prefix[DR_ALEMBIC_KEY_MAX];
    struct dr_sqlite_stmt *s = NULL;
    dr_alembic_prefix(d->tenant, prefix);
    enum dr_rc rc = dr_sqlite_prepare(d->db, sql, &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_text(s, 2, prefix);
        dr_sqlite_bind_text(s, 3, third);
        dr_sqlite_bind_text(s, 4, fourth);
        rc = dr_sqlite_finish(s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

// What alembic_version should say by the ledger. Every parameter is named, so that all may be
// bound.
#define EXPECTED                                                                                   \
    "SELECT id FROM drover_revision WHERE tenant = ?1 AND is_head AND id NOT IN (SELECT value "    \
    "FROM drover_meta WHERE substr(key, 1, length(?2)) = ?2) AND ?3 = ?3 AND ?4 = ?4"
#define ALL_BOUND "?1 = ?1 AND ?2 = ?2 AND ?3 = ?3 AND ?4 = ?4"

static enum dr_rc
check_same(struct dr_sqd *d, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    char prefix[DR_ALEMBIC_KEY_MAX];
    bool has_row = false;
    dr_alembic_prefix(d->tenant, prefix);
    enum dr_rc rc = dr_sqlite_prepare(
        d->db,
        "SELECT 1 WHERE EXISTS (SELECT version_num FROM alembic_version EXCEPT " EXPECTED
        ") OR EXISTS (" EXPECTED " EXCEPT SELECT version_num FROM alembic_version)",
        &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_text(s, 2, prefix);
        dr_sqlite_bind_text(s, 3, "");
        dr_sqlite_bind_text(s, 4, "");
        rc = dr_sqlite_step(s, &has_row, err);
    }
    dr_sqlite_finalize(&s);
    return rc == DR_OK && has_row ? dr_alembic_moved(err) : rc;
}

enum dr_rc
dr_sqd_alembic_check(struct dr_sqd *d, const struct dr_ledger_change *change, struct dr_err *err)
{
    struct dr_alembic_change c;
    if (!dr_alembic_change_of(change, &c) || c.is_stamp) {
        return DR_OK;
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    return check_same(d, err);
}

enum dr_rc
dr_sqd_alembic_write(struct dr_sqd *d, const struct dr_ledger_change *change, struct dr_err *err)
{
    struct dr_alembic_change c;
    if (!dr_alembic_change_of(change, &c)) {
        return DR_OK;
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc =
        run_with(d, "DELETE FROM drover_meta WHERE substr(key, 1, length(?3)) = ?3 AND " ALL_BOUND,
                 c.own, "", err);
    for (size_t i = 0; rc == DR_OK && i < c.depends_count; i++) {
        rc =
            run_with(d, "INSERT INTO drover_meta (key, value) SELECT ?3 || ?4, ?4 WHERE " ALL_BOUND,
                     c.own, c.depends[i], err);
    }
    rc = rc == DR_OK
             ? run_with(d, "DELETE FROM alembic_version WHERE version_num NOT IN (" EXPECTED ")",
                        "", "", err)
             : rc;
    return rc == DR_OK
               ? run_with(d, "INSERT OR IGNORE INTO alembic_version (version_num) " EXPECTED, "",
                          "", err)
               : rc;
}

static enum dr_rc
has_table(struct dr_sqd *d, const char *name, bool *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    enum dr_rc rc = dr_sqlite_prepare(
        d->db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, name);
        rc = dr_sqlite_step(s, out, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

// A list of texts; with parameters when `is_ledger`.
static enum dr_rc
read_list(struct dr_sqd *d, const char *sql, bool is_ledger, struct dr_arena *arena,
          const char *const **out, size_t *out_count, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    char prefix[DR_ALEMBIC_KEY_MAX];
    const char **ids = dr_arena_array(arena, DR_ALEMBIC_ROWS_MAX + 1, sizeof(*ids));
    size_t count = 0;
    dr_alembic_prefix(d->tenant, prefix);
    enum dr_rc rc = ids == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                                : dr_sqlite_prepare(d->db, sql, &s, err);
    for (int i = 1; rc == DR_OK && is_ledger && i <= 4; i++) {
        dr_sqlite_bind_text(s, i, i == 1 ? d->tenant : i == 2 ? prefix : "");
    }
    for (bool has_row = true; rc == DR_OK && has_row && count < DR_ALEMBIC_ROWS_MAX;) {
        rc = dr_sqlite_step(s, &has_row, err);
        if (rc == DR_OK && has_row) {
            ids[count] = dr_arena_str(arena, dr_sqlite_column_text(s, 0));
            rc = ids[count++] == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
        }
    }
    dr_sqlite_finalize(&s);
    *out = ids;
    *out_count = count;
    return rc;
}

enum dr_rc
dr_sqd_alembic_read(struct dr_driver *driver, struct dr_arena *arena, struct dr_alembic_rows *out,
                    struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    bool has_ledger = false;
    *out = (struct dr_alembic_rows){0};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_OK) {
        dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
        rc = has_table(d, "alembic_version", &out->exists, err);
    }
    rc = rc == DR_OK ? has_table(d, "drover_revision", &has_ledger, err) : rc;
    if (rc == DR_OK && out->exists) {
        rc = read_list(d, "SELECT version_num FROM alembic_version ORDER BY 1", false, arena,
                       &out->ids, &out->count, err);
    }
    if (rc == DR_OK && has_ledger) {
        rc = read_list(d, EXPECTED " ORDER BY 1", true, arena, &out->expected, &out->expected_count,
                       err);
    }
    return rc;
}

enum dr_rc
dr_sqd_alembic_make(struct dr_driver *driver, const char *const *ids, size_t count,
                    struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    enum dr_rc rc = dr_sqd_reopen(d, true, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    rc = dr_sqlite_begin(d->db, err);
    rc = rc == DR_OK ? dr_sqlite_script(d->db,
                                        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT "
                                        "NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY "
                                        "(version_num))",
                                        err)
                     : rc;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = run_with(d, "INSERT INTO alembic_version (version_num) SELECT ?3 WHERE " ALL_BOUND,
                      ids[i], "", err);
    }
    rc = rc == DR_OK ? dr_sqlite_commit(d->db, err) : rc;
    if (rc != DR_OK) {
        dr_sqlite_rollback(d->db);
        (void)dr_err_wrap(err, "alembic_version cannot be made");
    }
    return rc;
}
