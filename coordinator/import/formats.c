#include "coordinator/import/alembic.h"
#include "coordinator/import/export.h"
#include "coordinator/import/readers.h"

#include <string.h>

static const struct dr_import_state alembic_state = {
    "alembic_version", "SELECT 'head', version_num, '', '' FROM alembic_version ORDER BY 2", NULL};
static const struct dr_import_state dbmate_state = {
    "schema_migrations", "SELECT 'one', version, '', '' FROM schema_migrations ORDER BY 2", NULL};
static const struct dr_import_state golang_migrate_state = {
    "schema_migrations",
    "SELECT 'upto', CAST(version AS text), '', CASE WHEN dirty THEN 'it is marked dirty: repair "
    "what it left behind, then: migrate force VERSION' ELSE '' END FROM schema_migrations",
    NULL};
static const struct dr_import_state goose_state = {
    "goose_db_version",
    "SELECT CASE WHEN is_applied THEN 'one' ELSE 'undone' END, CAST(version_id AS text), '', '' "
    "FROM goose_db_version WHERE version_id > 0 ORDER BY id",
    NULL};
static const struct dr_import_state flyway_state = {
    "flyway_schema_history",
    "SELECT CASE WHEN type IN ('BASELINE', 'SQL_BASELINE') THEN 'upto' WHEN type LIKE 'UNDO%' OR "
    "type = 'DELETE' THEN 'undone' ELSE 'one' END, coalesce(version, script), CASE WHEN type = "
    "'SQL' THEN coalesce(CAST(checksum AS text), '') ELSE '' END, CASE WHEN success THEN '' ELSE "
    "'it failed: repair what it left behind, then: flyway repair' END FROM flyway_schema_history "
    "WHERE type <> 'SCHEMA' ORDER BY installed_rank",
    NULL};
static const struct dr_import_state sqitch_state = {
    "changes", "SELECT 'one', change, '', '' FROM changes ORDER BY committed_at, planned_at", NULL};
static const struct dr_import_state diesel_state = {
    "__diesel_schema_migrations",
    "SELECT 'one', version, '', '' FROM __diesel_schema_migrations WHERE version <> "
    "'00000000000000' ORDER BY 2",
    NULL};
static const struct dr_import_state sqlx_state = {
    "_sqlx_migrations",
    "SELECT 'one', CAST(version AS text), '', CASE WHEN success THEN '' ELSE 'it failed: repair "
    "what it left behind and remove its row' END FROM _sqlx_migrations ORDER BY version",
    NULL};
static const struct dr_import_state liquibase_state = {
    "databasechangelog",
    "SELECT 'one', author || ':' || id, '', CASE WHEN exectype = 'MARK_RAN' THEN 'it is marked as "
    "run and was not' ELSE '' END FROM databasechangelog ORDER BY orderexecuted",
    "SELECT 'the lock of Liquibase is held: look whether it runs, then: liquibase release-locks' "
    "FROM databasechangeloglock WHERE locked"};

const struct dr_import_format dr_import_formats[] = {
    {"plain", "what drover export plain writes", dr_plain_read, NULL, dr_plain_write},
    {"alembic", "the folder with alembic.ini", dr_alembic_read, &alembic_state, dr_alembic_write},
    {"dbmate", "dbmate's db/migrations", dr_dbmate_read, &dbmate_state, dr_dbmate_write},
    {"golang-migrate", "golang-migrate's folder", dr_golang_migrate_read, &golang_migrate_state,
     NULL},
    {"goose", "goose's folder", dr_goose_read, &goose_state, NULL},
    {"flyway", "a location of Flyway's", dr_flyway_read, &flyway_state, NULL},
    {"sqitch", "the folder of sqitch.plan", dr_sqitch_read, &sqitch_state, dr_sqitch_write},
    {"diesel", "Diesel's migrations", dr_diesel_read, &diesel_state, NULL},
    {"sqlx", "sqlx's migrations", dr_sqlx_read, &sqlx_state, NULL},
    {"liquibase-sql", "Liquibase's formatted SQL", dr_liquibase_read, &liquibase_state, NULL},
    {0},
};

const struct dr_import_format *
dr_import_format_find(const char *name)
{
    for (const struct dr_import_format *f = dr_import_formats; f->name != NULL; f++) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}
