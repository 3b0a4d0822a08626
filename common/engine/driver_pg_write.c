// Ledger rows in PostgreSQL: how they are written, and looked for afterwards. See ledger.h.
#include "engine/driver_pg.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool
array_param(struct dr_buf *out, const char *const *ids, size_t count)
{
    dr_buf_reset(out);
    dr_buf_str(out, "{");
    for (size_t i = 0; i < count; i++) {
        dr_buf_printf(out, "%s\"%s\"", i == 0 ? "" : ",",
                      ids[i]); // ids have no quotes: run.c checks them
    }
    dr_buf_str(out, "}");
    return !out->failed;
}

static enum dr_rc
add_heads(struct dr_pgd *d, const char *sql, const char *const *ids, size_t count, uint64_t *sent,
          struct dr_err *err)
{
    if (count == 0) {
        return DR_OK;
    }
    struct dr_buf list = {0};
    enum dr_rc rc = DR_E_NOMEM;
    if (array_param(&list, ids, count)) {
        const char *params[] = {d->tenant, list.data};
        struct dr_pg_stmt stmt = {.sql = sql, .params = params, .params_count = 2};
        (*sent)++;
        rc = dr_pg_pipeline_add(d->work, &stmt, err);
    } else {
        (void)dr_err_set(err, rc, "no memory left");
    }
    dr_buf_fini(&list);
    return rc;
}

static enum dr_rc
add_revision(struct dr_pgd *d, const struct dr_ledger_change *c, const char *digest,
             const char *parents, const char *position, struct dr_err *err)
{
    char state[8], since[24];
    (void)snprintf(state, sizeof state, "%d", (int)c->state);
    (void)snprintf(since, sizeof since, "%" PRIu64, c->since);
    const char *params[] = {d->tenant, c->row->revision_id,    digest,  parents, state,
                            since,     c->is_head ? "t" : "f", position};
    struct dr_pg_stmt remove = {.sql = "DELETE FROM drover.revision WHERE tenant = $1 AND id = $2",
                                .params = params,
                                .params_count = 2};
    struct dr_pg_stmt upsert = {.sql = "INSERT INTO drover.revision AS r (tenant, id, digest, "
                                       "parents, state, since, is_head, position)"
                                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT "
                                       "(tenant, id) DO UPDATE SET digest ="
                                       " EXCLUDED.digest, parents = EXCLUDED.parents, state = "
                                       "EXCLUDED.state, since = EXCLUDED.since,"
                                       " is_head = EXCLUDED.is_head, position = CASE "
                                       "EXCLUDED.state WHEN 3 THEN r.position ELSE"
                                       " EXCLUDED.position END",
                                .params = params,
                                .params_count = 8};
    return dr_pg_pipeline_add(d->work, c->removes ? &remove : &upsert, err);
}

// $14 is the row's head: the first statement of the unit has put it into a setting that ends with
// the transaction, so the row cannot be written when a statement of the unit has ended that
// transaction.
static const char insert_sql[] = "INSERT INTO drover.ledger (tenant, position, kind, direction, "
                                 "completes, revision_id, revision_digest, parents,"
                                 " unit_number, unit_digest, plan_sha256, approval_sha256, "
                                 "previous, head) VALUES ($1, (CASE WHEN"
                                 " pg_catalog.current_setting('drover.unit', true) = "
                                 "pg_catalog.encode($14::bytea, 'hex') THEN $2 ELSE"
                                 " 'the transaction ended inside the unit' END)::int8, $3, $4, $5, "
                                 "$6, $7, $8, $9, $10, $11, $12, $13, $14::bytea)"
                                 " RETURNING xid";

enum dr_rc
dr_pgd_ledger_add(struct dr_pgd *d, const struct dr_ledger_change *c, uint64_t *out_count,
                  struct dr_err *err)
{
    const struct dr_ledger_row *row = c->row;
    char position[24], kind[8], direction[8], unit[16], bytes[6][68],
        parents[64 * DR_LEDGER_PARENTS_MAX + 4];
    const uint8_t *const digests[6] = {row->revision_digest, row->unit_digest, row->plan_sha256,
                                       row->approval_sha256, row->previous,    row->head};
    (void)snprintf(position, sizeof position, "%" PRIu64, row->position);
    (void)snprintf(kind, sizeof kind, "%d", (int)row->kind);
    (void)snprintf(direction, sizeof direction, "%d", (int)row->direction);
    (void)snprintf(unit, sizeof unit, "%" PRIu32, row->unit_number);
    for (size_t i = 0; i < 6; i++) {
        dr_pg_bytea_param(bytes[i], digests[i], 32);
    }
    dr_pg_bytea_param(parents, row->parents_count > 0 ? row->parents[0] : (const uint8_t *)"",
                      32 * row->parents_count);
    const char *params[] = {
        d->tenant,        position, kind,     direction, row->completes ? "t" : "f",
        row->revision_id, bytes[0], parents,  unit,      bytes[1],
        bytes[2],         bytes[3], bytes[4], bytes[5]};
    struct dr_pg_stmt insert = {
        .sql = insert_sql, .params = params, .params_count = 14, .max_rows = 1};
    uint64_t sent = 1;
    enum dr_rc rc = dr_pg_pipeline_add(d->work, &insert, err);
    if (rc == DR_OK && c->touches) {
        sent++;
        rc = add_revision(d, c, bytes[0], parents, position, err);
    }
    if (rc == DR_OK) {
        rc = add_heads(d,
                       "UPDATE drover.revision SET is_head = false WHERE tenant = $1 AND id = ANY "
                       "($2::text[])",
                       c->demoted, c->demoted_count, &sent, err);
    }
    if (rc == DR_OK) {
        rc = add_heads(
            d,
            "UPDATE drover.revision SET is_head = true WHERE tenant = $1 AND id = ANY ($2::text[])",
            c->promoted, c->promoted_count, &sent, err);
    }
    *out_count = sent;
    return rc;
}

enum dr_rc
dr_pgd_ledger_has(struct dr_pgd *d, const struct dr_ledger_row *row, bool *out, struct dr_err *err)
{
    char position[24], head[65], answer[80];
    dr_hex(head, row->head, 32);
    (void)snprintf(position, sizeof position, "%" PRIu64, row->position);
    const char *params[] = {d->tenant, position};
    struct dr_pg_stmt stmt = {.sql = "SELECT pg_catalog.encode(head, 'hex') FROM drover.ledger "
                                     "WHERE tenant = $1 AND position = $2",
                              .params = params,
                              .params_count = 2,
                              .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pg_value(d->work, &stmt, &wait, answer, sizeof answer, err);
    // Without its tables there is no row: a standby may have taken over that never got them.
    const char *sqlstate = dr_pg_last_error(d->work)->sqlstate;
    bool has_no_table = rc == DR_E_DB_STATEMENT &&
                        (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0);
    if (rc == DR_E_NOT_FOUND || has_no_table) {
        *err = (struct dr_err){0};
        *out = false;
        return DR_OK;
    }
    if (rc == DR_OK && strcmp(answer, head) != 0) {
        return dr_err_set(err, DR_E_NEEDS_REPAIR,
                          "row %s of the ledger is not the one that was written", position);
    }
    if (rc == DR_OK) {
        *out = true;
    }
    return rc;
}
