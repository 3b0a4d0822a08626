// alembic_version in PostgreSQL, in the tenant's schema. See alembic.h.
#include "engine/alembic.h"
#include "engine/driver_pg.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

// Before the ledger's row is written: $1 tenant, $2 heads that go, $3 heads that come, $4 whether
// it is a stamp, which believes the ledger and not the table. Otherwise both must say the same, and
// what goes must really go: Alembic may be at work at this moment. $5 and $6 are the prefixes of
// keys in meta, of the tenant and of the revision; $7 what the revision depends on.
#define COVERED "SELECT value FROM drover.meta WHERE pg_catalog.starts_with(key, $5)"
#define CHANGE_SQL                                                                                 \
    "WITH a AS (SELECT version_num::text AS v FROM %s.alembic_version), o AS (SELECT id FROM "     \
    "drover.revision WHERE tenant = $1 AND is_head), h AS (SELECT id FROM o WHERE id NOT IN "      \
    "(" COVERED ")), n AS (SELECT id FROM (SELECT id FROM o WHERE id <> ALL ($2::text[]) UNION "   \
    "SELECT pg_catalog.unnest($3::text[])) x WHERE id <> ALL ($7::text[]) AND id NOT IN (" COVERED \
    " AND NOT pg_catalog.starts_with(key, $6))), d AS (DELETE FROM %s.alembic_version WHERE "      \
    "version_num NOT IN (SELECT id FROM n) RETURNING 1), i AS (INSERT INTO %s.alembic_version "    \
    "(version_num) SELECT id FROM n WHERE id NOT IN (SELECT v FROM a)), m AS (DELETE FROM "        \
    "drover.meta WHERE pg_catalog.starts_with(key, $6) AND $7 = '{}'), w AS (INSERT INTO "         \
    "drover.meta (key, value) SELECT $6 || x, x FROM pg_catalog.unnest($7::text[]) x ON CONFLICT " \
    "DO NOTHING) SELECT (CASE WHEN $4::bool OR (NOT EXISTS (SELECT v FROM a EXCEPT SELECT id "     \
    "FROM h) AND NOT EXISTS (SELECT id FROM h EXCEPT SELECT v FROM a) AND (SELECT "                \
    "pg_catalog.count(*) FROM d) = (SELECT pg_catalog.count(*) FROM a WHERE v NOT IN (SELECT id "  \
    "FROM n))) THEN '0' ELSE 'alembic_version was changed' END)::int4"

// ids have no quotes: run.c checks them. NULL when memory is out.
static const char *
array_text(struct dr_buf *out, const char *const *ids, size_t count)
{
    dr_buf_str(out, "{");
    for (size_t i = 0; i < count; i++) {
        dr_buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",", ids[i]);
    }
    dr_buf_str(out, "}");
    return out->failed ? NULL : out->data;
}

enum dr_rc
dr_pgd_alembic_add(struct dr_pgd *d, const struct dr_ledger_change *change, bool *out_added,
                   struct dr_err *err)
{
    struct dr_alembic_change c;
    struct dr_buf sql = {0}, gone = {0}, come = {0}, depends = {0};
    enum dr_rc rc = DR_OK;
    if (!dr_alembic_change_of(change, &c)) {
        return DR_OK;
    }
    const char *schema = d->search_path; // the tenant's, quoted
    dr_buf_printf(&sql, CHANGE_SQL, schema, schema, schema);
    const char *params[] = {d->tenant,
                            array_text(&gone, c.gone, c.gone_count),
                            array_text(&come, c.come, c.come_count),
                            c.is_stamp ? "t" : "f",
                            c.prefix,
                            c.own,
                            array_text(&depends, c.depends, c.depends_count)};
    if (sql.failed || params[1] == NULL || params[2] == NULL || params[6] == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    } else {
        struct dr_pg_stmt write = {
            .sql = sql.data, .params = params, .params_count = 7, .max_rows = 1};
        rc = dr_pg_pipeline_add(d->work, &write, err);
        *out_added = rc == DR_OK;
    }
    dr_buf_fini(&sql);
    dr_buf_fini(&gone);
    dr_buf_fini(&come);
    dr_buf_fini(&depends);
    return rc;
}

// A list of texts; `*out_missing`: the table is not there.
static enum dr_rc
read_list(struct dr_pgd *d, const struct dr_pg_stmt *ask, struct dr_arena *arena,
          const char *const **out, size_t *out_count, bool *out_missing, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    struct dr_pg_result *res = NULL;
    enum dr_rc rc = dr_pg_exec(d->work, ask, &wait, &res, err);
    *out_missing = rc != DR_OK && dr_pgd_ledger_is_missing(d);
    *out_count = 0;
    if (*out_missing) {
        *err = (struct dr_err){0};
        return DR_OK;
    }
    if (rc != DR_OK) {
        return dr_err_wrap(err, "alembic_version cannot be read");
    }
    size_t count = dr_pg_rows(res);
    const char **ids = dr_arena_array(arena, count + 1, sizeof(*ids));
    rc = ids == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        const char *id = dr_pg_text(res, i, 0);
        ids[i] = dr_arena_str(arena, id == NULL ? "" : id);
        rc = ids[i] == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
    }
    *out = ids;
    *out_count = count;
    dr_pg_result_free(&res);
    return rc;
}

enum dr_rc
dr_pgd_alembic_read(struct dr_driver *driver, struct dr_arena *arena, struct dr_alembic_rows *out,
                    struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    char sql[320], prefix[DR_ALEMBIC_KEY_MAX];
    bool is_missing = false;
    (void)snprintf(sql, sizeof sql,
                   "SELECT version_num::text FROM %s.alembic_version ORDER BY 1 LIMIT 1001",
                   d->search_path);
    dr_alembic_prefix(d->tenant, prefix);
    const char *params[] = {d->tenant, prefix};
    *out = (struct dr_alembic_rows){0};
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    struct dr_pg_stmt ask = {.sql = sql, .max_rows = DR_ALEMBIC_ROWS_MAX + 1};
    struct dr_pg_stmt ask_ledger = {
        .sql = "SELECT id FROM drover.revision WHERE tenant = $1 AND is_head AND id NOT IN (SELECT "
               "value FROM drover.meta WHERE pg_catalog.starts_with(key, $2)) ORDER BY 1",
        .params = params,
        .params_count = 2,
        .max_rows = DR_ALEMBIC_ROWS_MAX};
    rc = rc == DR_OK ? read_list(d, &ask, arena, &out->ids, &out->count, &is_missing, err) : rc;
    out->exists = rc == DR_OK && !is_missing;
    return rc == DR_OK ? read_list(d, &ask_ledger, arena, &out->expected, &out->expected_count,
                                   &is_missing, err)
                       : rc;
}

enum dr_rc
dr_pgd_alembic_make(struct dr_driver *driver, const char *const *ids, size_t count,
                    struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    struct dr_buf sql = {0};
    dr_buf_printf(&sql,
                  "CREATE TABLE %s.alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT "
                  "alembic_version_pkc PRIMARY KEY (version_num))",
                  d->search_path);
    enum dr_rc rc = sql.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                               : dr_pg_run(d->work, "BEGIN", &wait, err);
    rc = rc == DR_OK ? dr_pg_run(d->work, sql.data, &wait, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        char insert[320];
        (void)snprintf(insert, sizeof insert, "INSERT INTO %s.alembic_version VALUES ($1)",
                       d->search_path);
        struct dr_pg_stmt stmt = {.sql = insert, .params = &ids[i], .params_count = 1};
        rc = dr_pg_exec(d->work, &stmt, &wait, NULL, err);
    }
    rc = rc == DR_OK ? dr_pg_run(d->work, "COMMIT", &wait, err) : rc;
    if (rc != DR_OK) {
        dr_pgd_rollback(d);
        (void)dr_err_wrap(err, "alembic_version cannot be made");
    }
    dr_buf_fini(&sql);
    return rc;
}
