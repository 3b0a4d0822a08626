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
dr_pgd_check_traps(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_pg_stmt stmt = {.sql = traps_sql, .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    char what[256];
    enum dr_rc rc = dr_pg_value(d->work, &stmt, &wait, what, sizeof what, err);
    if (rc == DR_E_NOT_FOUND) {
        *err = (struct dr_err){0};
        return DR_OK;
    }
    if (rc != DR_OK) {
        return rc;
    }
    (void)dr_err_set(err, DR_E_LEDGER_TAMPERED,
                     "there is %s: what drover writes there could be changed or lost", what);
    return dr_err_hint(err, "find out who made it, and drop it");
}
