// Ledger rows in a SQLite file: how they are written, and looked for afterwards. See ledger.h.
#include "engine/driver_sqlite.h"

#include <inttypes.h>
#include <string.h>

static enum dr_rc
insert_row(struct dr_sqd *d, const struct dr_ledger_row *row, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    enum dr_rc rc = dr_sqlite_prepare(d->db,
                                      "INSERT INTO drover_ledger (tenant, position, kind, "
                                      "direction, completes, revision_id, revision_digest, parents,"
                                      " unit_number, unit_digest, plan_sha256, approval_sha256, "
                                      "previous, head) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                                      " ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                                      &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_int(s, 2, (int64_t)row->position);
        dr_sqlite_bind_int(s, 3, row->kind);
        dr_sqlite_bind_int(s, 4, row->direction);
        dr_sqlite_bind_int(s, 5, row->completes ? 1 : 0);
        dr_sqlite_bind_text(s, 6, row->revision_id);
        dr_sqlite_bind_blob(s, 7, row->revision_digest, 32);
        dr_sqlite_bind_blob(s, 8, row->parents_count > 0 ? (const void *)row->parents : "",
                            32 * row->parents_count);
        dr_sqlite_bind_int(s, 9, row->unit_number);
        dr_sqlite_bind_blob(s, 10, row->unit_digest, 32);
        dr_sqlite_bind_blob(s, 11, row->plan_sha256, 32);
        dr_sqlite_bind_blob(s, 12, row->approval_sha256, 32);
        dr_sqlite_bind_blob(s, 13, row->previous, 32);
        dr_sqlite_bind_blob(s, 14, row->head, 32);
        rc = dr_sqlite_finish(s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

static enum dr_rc
change_revision(struct dr_sqd *d, const struct dr_ledger_change *c, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    const struct dr_ledger_row *row = c->row;
    enum dr_rc rc =
        dr_sqlite_prepare(d->db,
                          c->removes ? "DELETE FROM drover_revision WHERE tenant = ?1 AND id = ?2"
                                     : "INSERT INTO drover_revision (tenant, id, digest, parents, "
                                       "state, since, is_head, position) VALUES"
                                       " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant, id) "
                                       "DO UPDATE SET digest = excluded.digest,"
                                       " parents = excluded.parents, state = excluded.state, since "
                                       "= excluded.since, is_head ="
                                       " excluded.is_head, position = CASE excluded.state WHEN 3 "
                                       "THEN position ELSE excluded.position END",
                          &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_text(s, 2, row->revision_id);
        if (!c->removes) {
            dr_sqlite_bind_blob(s, 3, row->revision_digest, 32);
            dr_sqlite_bind_blob(s, 4, row->parents_count > 0 ? (const void *)row->parents : "",
                                32 * row->parents_count);
            dr_sqlite_bind_int(s, 5, c->state);
            dr_sqlite_bind_int(s, 6, (int64_t)c->since);
            dr_sqlite_bind_int(s, 7, c->is_head ? 1 : 0);
            dr_sqlite_bind_int(s, 8, (int64_t)row->position);
        }
        rc = dr_sqlite_finish(s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

static enum dr_rc
set_heads(struct dr_sqd *d, const char *const *ids, size_t count, bool is_head, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    enum dr_rc rc = DR_OK;
    if (count > 0) {
        rc = dr_sqlite_prepare(
            d->db, "UPDATE drover_revision SET is_head = ?3 WHERE tenant = ?1 AND id = ?2", &s,
            err);
    }
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_text(s, 2, ids[i]);
        dr_sqlite_bind_int(s, 3, is_head ? 1 : 0);
        rc = dr_sqlite_finish(s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

enum dr_rc
dr_sqd_ledger_write(struct dr_sqd *d, const struct dr_ledger_change *c, struct dr_err *err)
{
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = insert_row(d, c->row, err);
    if (rc == DR_OK && c->touches) {
        rc = change_revision(d, c, err);
    }
    if (rc == DR_OK) {
        rc = set_heads(d, c->demoted, c->demoted_count, false, err);
    }
    return rc == DR_OK ? set_heads(d, c->promoted, c->promoted_count, true, err) : rc;
}

static bool
is_head(struct dr_sqlite_stmt *s, const uint8_t head[32])
{
    size_t len = 0;
    const void *bytes = dr_sqlite_column_blob(s, 0, &len);
    return len == 32 && memcmp(bytes, head, 32) == 0;
}

enum dr_rc
dr_sqd_ledger_has(struct dr_sqd *d, const struct dr_ledger_row *row, bool *out, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    bool has_row = false;
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_prepare(
        d->db, "SELECT head FROM drover_ledger WHERE tenant = ?1 AND position = ?2", &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, d->tenant);
        dr_sqlite_bind_int(s, 2, (int64_t)row->position);
        rc = dr_sqlite_step(s, &has_row, err);
    }
    if (rc == DR_OK && has_row && !is_head(s, row->head)) {
        rc = dr_err_set(err, DR_E_NEEDS_REPAIR,
                        "row %" PRIu64 " of the ledger is not the one that was written",
                        row->position);
    }
    dr_sqlite_finalize(&s);
    if (rc == DR_OK) {
        *out = has_row;
    }
    return rc;
}
