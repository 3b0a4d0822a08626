// plain: what `drover export plain` writes. N_ID.up.sql with a header of comments, N_ID.down.sql
// and N_ID.verify.sql, each to be run with psql; BEGIN and COMMIT frame what is one section.

#include "coordinator/import/export.h"
#include "coordinator/import/readers.h"

#include <string.h>

static const struct dr_source_file *
find_file(const struct dr_source_list *list, const char *base, const char *suffix)
{
    size_t len = strlen(base);
    for (size_t i = 0; i < list->count; i++) {
        bool is = strncmp(list->items[i].base, base, len) == 0 &&
                  strcmp(list->items[i].base + len, suffix) == 0;
        if (is) {
            return &list->items[i];
        }
    }
    return NULL;
}

static enum dr_rc
read_one(struct dr_import *import, const struct dr_source_list *list,
         const struct dr_source_file *up, struct dr_err *err)
{
    struct dr_import_revision *r;
    const char *base = dr_arena_strn(import->arena, up->base, strlen(up->base) - strlen(".up.sql"));
    enum dr_rc rc = base == NULL ? dr_import_nomem(err) : dr_import_follow(import, &r, err);
    rc = rc == DR_OK ? dr_text_file(import, r, up, true, NULL, &r->up, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    r->file = up->path;
    rc = dr_export_take_header(import, r, &r->up.items[0], err);
    if (rc == DR_OK && r->id == NULL) {
        r->id = dr_import_id(import, base);
        r->message = r->id;
        rc = r->id == NULL ? dr_import_nomem(err) : DR_OK;
    }
    rc = rc == DR_OK ? dr_export_read_verify(import, r, find_file(list, base, ".verify.sql"), err)
                     : rc;
    return rc == DR_OK ? dr_text_file(import, r, find_file(list, base, ".down.sql"), true, NULL,
                                      &r->down, err)
                       : rc;
}

enum dr_rc
dr_plain_read(struct dr_import *import, const struct dr_import_options *options, struct dr_err *err)
{
    struct dr_source_list list;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, 0, &list, err);
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        const struct dr_source_file *file = &list.items[i];
        if (dr_str_ends(file->base, ".up.sql")) {
            rc = read_one(import, &list, file, err);
        } else if (!dr_str_ends(file->base, ".down.sql") &&
                   !dr_str_ends(file->base, ".verify.sql")) {
            rc = dr_text_left_out(import, file, "it is no script of an export", err);
        }
    }
    return rc == DR_OK && import->count == 0 ? dr_text_none(import, "00001_ID.up.sql", err) : rc;
}
