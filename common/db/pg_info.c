// Who the server is, and whether revisions may run there.
#include "db/pg_internal.h"

#include <stdio.h>
#include <string.h>

#define INFO_COLUMNS                                                                               \
    "pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), "                                \
    "pg_catalog.current_setting('default_transaction_read_only'), "                                \
    "pg_catalog.current_setting('is_superuser'), pg_catalog.current_database(), current_user, "    \
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) "                \
    "pg_catalog.current_database()), "                                                             \
    "(SELECT backend_start FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())), "

// The timeline is the one that is written now: that of the last checkpoint is an old one for a
// while after a promotion. The first eight digits of a WAL file's name are it.
#define INFO_CONTROL                                                                               \
    "(SELECT system_identifier FROM pg_catalog.pg_control_system()), "                             \
    "CASE WHEN pg_catalog.pg_is_in_recovery() THEN "                                               \
    "(SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) ELSE ('x' "                      \
    "OPERATOR(pg_catalog.||) "                                                                     \
    "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))"        \
    "::bit(32)::int4 END"

static void
copy(char *out, size_t out_size, const char *text)
{
    snprintf(out, out_size, "%s", text == NULL ? "" : text);
}

static bool
is_on(const char *setting)
{
    return setting != NULL && strcmp(setting, "on") == 0;
}

int
dr_pg_server_version(const struct dr_pg *pg)
{
    return PQserverVersion(pg->conn);
}

enum dr_rc
dr_pg_inspect(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_pg_info *out,
              struct dr_err *err)
{
    struct dr_pg_result *r = NULL;
    struct dr_pg_stmt ask = {.sql = "SELECT " INFO_COLUMNS INFO_CONTROL, .max_rows = 1};
    enum dr_rc rc = dr_pg_exec(pg, &ask, wait, &r, err);
    if (rc == DR_E_DB_PRIVILEGE && dr_pg_tx_status(pg) == DR_PG_TX_IDLE) {
        ask.sql = "SELECT " INFO_COLUMNS "NULL, NULL";
        rc = dr_pg_exec(pg, &ask, wait, &r, err);
    }
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot ask the server who it is");
    }
    *out = (struct dr_pg_info){
        .server_version = PQserverVersion(pg->conn),
        .backend_pid = PQbackendPID(pg->conn),
        .is_pooled = dr_pg_int(r, 0, 0) != PQbackendPID(pg->conn),
        .in_recovery = dr_pg_bool(r, 0, 1),
        .is_read_only = is_on(dr_pg_text(r, 0, 2)),
        .is_superuser = is_on(dr_pg_text(r, 0, 3)),
        .database_oid = (uint32_t)dr_pg_int(r, 0, 6),
        .timeline = (uint32_t)dr_pg_int(r, 0, 9),
    };
    copy(out->database, sizeof out->database, dr_pg_text(r, 0, 4));
    copy(out->user, sizeof out->user, dr_pg_text(r, 0, 5));
    copy(out->backend_start, sizeof out->backend_start, dr_pg_text(r, 0, 7));
    copy(out->system_identifier, sizeof out->system_identifier, dr_pg_text(r, 0, 8));
    int version = out->server_version;
    snprintf(out->server_version_text, sizeof out->server_version_text, "%d.%d", version / 10000,
             version % 10000);
    dr_pg_result_free(&r);
    return DR_OK;
}

enum dr_rc
dr_pg_check_usable(const struct dr_pg_info *info, struct dr_err *err)
{
    if (info->server_version < DR_PG_VERSION_MIN) {
        return dr_err_set(err, DR_E_DB_VERSION, "the server is PostgreSQL %s",
                          info->server_version_text);
    }
    if (info->is_pooled) {
        return dr_err_set(err, DR_E_DB_POOLER, "a pooler stands between drover and database '%s'",
                          info->database);
    }
    if (info->in_recovery) {
        return dr_err_set(err, DR_E_DB_STANDBY, "the server of database '%s' is a standby",
                          info->database);
    }
    return DR_OK;
}

enum dr_rc
dr_pg_check_identity(const struct dr_pg_info *info, const char *system_identifier,
                     const char *database, struct dr_err *err)
{
    bool other_server = system_identifier != NULL && *system_identifier != '\0' &&
                        strcmp(system_identifier, info->system_identifier) != 0;
    if (other_server) {
        const char *found = info->system_identifier;
        return dr_err_set(err, DR_E_DB_IDENTITY,
                          "the server has system identifier '%s', but the target names '%s'",
                          *found == '\0' ? "unknown" : found, system_identifier);
    }
    if (database != NULL && *database != '\0' && strcmp(database, info->database) != 0) {
        return dr_err_set(err, DR_E_DB_IDENTITY, "the database is '%s', but the target names '%s'",
                          info->database, database);
    }
    return DR_OK;
}
