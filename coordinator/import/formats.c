#include "coordinator/import/alembic.h"
#include "coordinator/import/readers.h"

#include <string.h>

const struct dr_import_format dr_import_formats[] = {
    {"alembic", "the folder with alembic.ini", dr_alembic_read, {0}, NULL},
    {"dbmate", "dbmate's db/migrations", dr_dbmate_read, {0}, NULL},
    {"golang-migrate", "golang-migrate's folder", dr_golang_migrate_read, {0}, NULL},
    {"goose", "goose's folder", dr_goose_read, {0}, NULL},
    {"flyway", "a location of Flyway's", dr_flyway_read, {0}, NULL},
    {"sqitch", "the folder of sqitch.plan", dr_sqitch_read, {0}, NULL},
    {"diesel", "Diesel's migrations", dr_diesel_read, {0}, NULL},
    {"sqlx", "sqlx's migrations", dr_sqlx_read, {0}, NULL},
    {"liquibase-sql", "Liquibase's formatted SQL", dr_liquibase_read, {0}, NULL},
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
