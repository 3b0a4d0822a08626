// What the role may not do on PostgreSQL. See rights.h.
#include "engine/driver_pg.h"

#define TABLES_MAX 10000u // of other owners

// The first right that is missing, as one letter; "" for none.
static const char missing_sql[] =
    "SELECT CASE WHEN pg_catalog.to_regnamespace('drover') IS NULL THEN CASE WHEN NOT "
    "pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') THEN 'd' ELSE '' "
    "END WHEN NOT pg_catalog.has_schema_privilege('drover', 'USAGE') THEN 'l' WHEN "
    "pg_catalog.to_regclass('drover.ledger') IS NULL THEN CASE WHEN NOT "
    "pg_catalog.has_schema_privilege('drover', 'CREATE') THEN 'l' ELSE '' END WHEN NOT "
    "pg_catalog.has_table_privilege('drover.ledger', 'INSERT') THEN 'l' ELSE '' END || CASE WHEN "
    "NOT pg_catalog.has_schema_privilege($1, 'CREATE') THEN 's' ELSE '' END";

static const char tables_sql[] =
    "SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) "
    "(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) $1) AND "
    "c.relkind IN ('r', 'p', 'v', 'm') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') AND NOT "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid OPERATOR(pg_catalog.=) "
    "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid OPERATOR(pg_catalog.=) c.oid AND "
    "d.deptype OPERATOR(pg_catalog.=) 'e') ORDER BY 1";

static enum dr_rc
say_missing(const struct dr_pgd *d, const char *missing, struct dr_err *err)
{
    const char *role = d->info.user, *database = d->info.database;
    if (missing[0] == 'd') {
        return dr_err_set(err, DR_E_DB_PRIVILEGE,
                          "role '%s' may not make the ledger's schema: GRANT CREATE ON DATABASE "
                          "\"%s\" TO \"%s\"",
                          role, database, role);
    }
    if (missing[0] == 'l') {
        return dr_err_set(err, DR_E_DB_PRIVILEGE,
                          "role '%s' may not write the ledger, which another role owns: GRANT its "
                          "owner's role TO \"%s\"",
                          role, role);
    }
    return dr_err_set(
        err, DR_E_DB_PRIVILEGE,
        "role '%s' may not create in schema '%s': GRANT CREATE, USAGE ON SCHEMA \"%s\" "
        "TO \"%s\"",
        role, d->schema, d->schema, role);
}

enum dr_rc
dr_pgd_rights(struct dr_driver *driver, struct dr_arena *arena, const char *const **out,
              size_t *out_count, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    const char *params[] = {d->schema};
    struct dr_pg_stmt ask = {
        .sql = missing_sql, .params = params, .params_count = 1, .max_rows = TABLES_MAX};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    struct dr_pg_result *res = NULL;
    char missing[8];
    enum dr_rc rc = dr_pg_value(d->work, &ask, &wait, missing, sizeof missing, err);
    if (rc == DR_OK && missing[0] != '\0') {
        return say_missing(d, missing, err);
    }
    ask.sql = tables_sql;
    rc = rc == DR_OK ? dr_pg_exec(d->work, &ask, &wait, &res, err) : rc;
    size_t n = rc == DR_OK ? dr_pg_rows(res) : 0;
    const char **list = dr_arena_array(arena, n + 1, sizeof *list);
    for (size_t i = 0; rc == DR_OK && list != NULL && i < n; i++) {
        list[i] = dr_arena_str(arena, dr_pg_text(res, i, 0));
        rc = list[i] == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
    }
    dr_pg_result_free(&res);
    if (rc == DR_OK && list == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc == DR_OK) {
        *out = list;
        *out_count = n;
    }
    return rc;
}
