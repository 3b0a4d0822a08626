#include "coordinator/import/readers.h"

#include <string.h>

const struct dr_import_format dr_import_formats[] = {
    {"dbmate", "dbmate's db/migrations", dr_dbmate_read, {0}, NULL},
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
