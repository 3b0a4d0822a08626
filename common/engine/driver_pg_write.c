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

// $14 is the row's head: the first statement of the unit has put it into a setting that ends with
// the transaction, so the row cannot be written when a statement of the unit has ended that
// transaction.
#define ROW_SQL                                                                                    \
    "INSERT INTO drover.ledger (tenant, position, kind, direction, completes, revision_id, "       \
    "revision_digest, parents, unit_number, unit_digest, plan_sha256, approval_sha256, previous, " \
    "head) VALUES ($1, (CASE WHEN pg_catalog.current_setting('drover.unit', true) = "              \
    "pg_catalog.encode($14::bytea, 'hex') THEN $2 ELSE 'the transaction ended inside the unit' "   \
    "END)::int8, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::bytea) RETURNING xid"

// A row of the ledger, and what it changes in the table of revisions: one statement, so that it is
// one message and one answer. Each is prepared once per connection.
enum { ROW_ONLY, ROW_AND_REVISION, ROW_AND_END, ROW_KINDS };
static const struct {
    const char *name, *sql;
    size_t params;
} writes[ROW_KINDS] = {
    [ROW_ONLY] = {"drover_row", ROW_SQL, 14},
    [ROW_AND_REVISION] =
        {"drover_row_revision",
         "WITH l AS (" ROW_SQL
         "), v AS (INSERT INTO drover.revision AS r (tenant, id, digest, parents, state, since, "
         "is_head, position) VALUES ($1, $6, $7, $8, $16, $17, $18, $2::int8) ON CONFLICT "
         "(tenant, id) DO UPDATE SET digest = EXCLUDED.digest, parents = EXCLUDED.parents, state "
         "= EXCLUDED.state, since = EXCLUDED.since, is_head = EXCLUDED.is_head, position = CASE "
         "EXCLUDED.state WHEN 3 THEN r.position ELSE EXCLUDED.position END), h AS (UPDATE "
         "drover.revision SET is_head = false WHERE tenant = $1 AND id = ANY ($15::text[]) AND "
         "is_head) SELECT xid FROM l",
         18},
    [ROW_AND_END] =
        {"drover_row_end",
         "WITH l AS (" ROW_SQL
         "), v AS (DELETE FROM drover.revision WHERE tenant = $1 AND id = $6), h AS (UPDATE "
         "drover.revision SET is_head = true WHERE tenant = $1 AND id = ANY ($15::text[])) SELECT "
         "xid FROM l",
         15},
};

enum dr_rc
dr_pgd_ledger_prepare(struct dr_pgd *d, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = ROW_AND_REVISION; rc == DR_OK && i < ROW_KINDS; i++) {
        struct dr_pg_stmt stmt = {.sql = writes[i].sql, .name = writes[i].name};
        rc = dr_pg_pipeline_prepare(d->work, &stmt, err);
    }
    return rc;
}

enum dr_rc
dr_pgd_ledger_add(struct dr_pgd *d, const struct dr_ledger_change *c, bool may_be_prepared,
                  struct dr_err *err)
{
    const struct dr_ledger_row *row = c->row;
    char position[24], kind[8], direction[8], unit[16], bytes[6][68],
        parents[64 * DR_LEDGER_PARENTS_MAX + 4], state[8], since[24];
    const uint8_t *const digests[6] = {row->revision_digest, row->unit_digest, row->plan_sha256,
                                       row->approval_sha256, row->previous,    row->head};
    (void)snprintf(position, sizeof position, "%" PRIu64, row->position);
    (void)snprintf(kind, sizeof kind, "%d", (int)row->kind);
    (void)snprintf(direction, sizeof direction, "%d", (int)row->direction);
    (void)snprintf(unit, sizeof unit, "%" PRIu32, row->unit_number);
    (void)snprintf(state, sizeof state, "%d", (int)c->state);
    (void)snprintf(since, sizeof since, "%" PRIu64, c->since);
    for (size_t i = 0; i < 6; i++) {
        dr_pg_bytea_param(bytes[i], digests[i], 32);
    }
    dr_pg_bytea_param(parents, row->parents_count > 0 ? row->parents[0] : (const uint8_t *)"",
                      32 * row->parents_count);
    struct dr_buf heads = {0};
    if (!(c->removes ? array_param(&heads, c->promoted, c->promoted_count)
                     : array_param(&heads, c->demoted, c->demoted_count))) {
        dr_buf_fini(&heads);
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    const char *params[] = {d->tenant,
                            position,
                            kind,
                            direction,
                            row->completes ? "t" : "f",
                            row->revision_id,
                            bytes[0],
                            parents,
                            unit,
                            bytes[1],
                            bytes[2],
                            bytes[3],
                            bytes[4],
                            bytes[5],
                            heads.data,
                            state,
                            since,
                            c->is_head ? "t" : "f"};
    int which = !c->touches ? ROW_ONLY : c->removes ? ROW_AND_END : ROW_AND_REVISION;
    struct dr_pg_stmt write = {.sql = writes[which].sql,
                               .params = params,
                               .params_count = writes[which].params,
                               .max_rows = 1,
                               .name = may_be_prepared ? writes[which].name : NULL};
    enum dr_rc rc = dr_pg_pipeline_add(d->work, &write, err);
    dr_buf_fini(&heads);
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
    bool has_no_table = rc == DR_E_DB_STATEMENT && dr_pgd_ledger_is_missing(d);
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
