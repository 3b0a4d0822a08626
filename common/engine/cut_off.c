// A wrapper without a handler can still be named by new servers and foreign tables: only going
// there fails, with the server's own words. See cut_off.h.
#include "engine/cut_off.h"

#include "db/pg.h"

#define STATEMENTS_MAX 20000u

static const char statements_sql[] =
    "SELECT s FROM (SELECT 1 AS place, pg_catalog.format('DROP USER MAPPING FOR %s SERVER %I',"
    " CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(usename) END, srvname) AS s"
    " FROM pg_catalog.pg_user_mappings"
    " UNION ALL SELECT 2, pg_catalog.format('ALTER FOREIGN DATA WRAPPER %I NO HANDLER', fdwname)"
    " FROM pg_catalog.pg_foreign_data_wrapper w WHERE fdwhandler <> 0 AND EXISTS (SELECT FROM"
    " pg_catalog.pg_depend d WHERE d.classid ="
    " 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass AND d.objid = w.oid"
    " AND d.deptype = 'e')) cuts ORDER BY place";

static const char has_foreign_sql[] =
    "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_foreign_table) THEN 'yes' ELSE 'no' END";

enum dr_rc
dr_cut_off(const char *url, const struct dr_db_wait *wait, bool *out_has_foreign,
           struct dr_err *err)
{
    const struct dr_pg_stmt has_foreign = {.sql = has_foreign_sql, .max_rows = 1};
    char answer[8] = "";
    const struct dr_pg_options connect = {.url = url, .target = "copy"};
    const struct dr_pg_stmt ask = {.sql = statements_sql, .max_rows = STATEMENTS_MAX};
    struct dr_pg_result *list = NULL;
    struct dr_pg *pg = NULL;
    enum dr_rc rc = dr_pg_connect(&connect, wait, &pg, err);
    rc = rc == DR_OK ? dr_pg_exec(pg, &ask, wait, &list, err) : rc;
    size_t n = rc == DR_OK ? dr_pg_rows(list) : 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = dr_pg_run(pg, dr_pg_text(list, i, 0), wait, err);
    }
    rc = rc == DR_OK ? dr_pg_value(pg, &has_foreign, wait, answer, sizeof answer, err) : rc;
    dr_pg_result_free(&list);
    dr_pg_close(&pg);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "the copy cannot be cut off from other servers");
    }
    if (out_has_foreign != NULL) {
        *out_has_foreign = answer[0] == 'y';
    }
    return DR_OK;
}
