// Traps on PostgreSQL: what the owner of a database can put around the ledger's tables so that a
// row that is written there is changed or swallowed. See driver_pg.h.
#include "engine/driver_pg.h"

static const char traps_sql[] =
    "SELECT pg_catalog.concat(t.what, ' on drover.', t.relname) FROM ("
    "SELECT c.relname, pg_catalog.concat('rule \"', r.rulename, '\"') AS what FROM "
    "pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE "
    "c.relnamespace = pg_catalog.to_regnamespace('drover') AND c.relkind = 'r'"
    " UNION ALL SELECT c.relname, pg_catalog.concat('trigger \"', t.tgname, '\"') FROM "
    "pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE "
    "c.relnamespace = pg_catalog.to_regnamespace('drover') AND NOT t.tgisinternal"
    " UNION ALL SELECT c.relname, 'row security' FROM pg_catalog.pg_class c WHERE "
    "c.relnamespace = pg_catalog.to_regnamespace('drover') AND (c.relrowsecurity OR "
    "c.relforcerowsecurity)"
    " UNION ALL SELECT c.relname, 'a view or another table' FROM pg_catalog.pg_class c WHERE "
    "c.relnamespace = pg_catalog.to_regnamespace('drover') AND c.relkind NOT IN ('r', 'i')"
    ") t LIMIT 1";

enum dr_rc
dr_pgd_ask_traps(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_pg_stmt stmt = {.sql = traps_sql, .max_rows = 1};
    return dr_pg_pipeline_add(d->work, &stmt, err);
}

enum dr_rc
dr_pgd_refuse_traps(const struct dr_pg_result *result, struct dr_err *err)
{
    if (dr_pg_rows(result) == 0) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_LEDGER_TAMPERED,
                     "there is %s: what drover writes there could be changed or lost",
                     dr_pg_text(result, 0, 0));
    return dr_err_hint(err, "find out who made it, and drop it");
}
