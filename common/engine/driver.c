// Which driver serves a URL. See driver.h.
#include "engine/driver.h"

#include "db/db.h"

enum dr_rc
dr_driver_find(const char *url, const struct dr_driver_ops **out, struct dr_err *err)
{
    switch (dr_db_kind_of(url)) {
    case DR_DB_POSTGRES:
        *out = &dr_driver_pg;
        return DR_OK;
    case DR_DB_SQLITE:
        *out = &dr_driver_sqlite;
        return DR_OK;
    default:
        (void)dr_err_set(err, DR_E_INVALID, "the URL names no database that drover knows");
        return dr_err_hint(err, "postgresql://user@host/database, or sqlite:path/to/file.db");
    }
}
