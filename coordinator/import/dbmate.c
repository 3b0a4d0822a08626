// dbmate: one file a migration, VERSION_title.sql, with `-- migrate:up` and `-- migrate:down`; each
// part runs in a transaction unless it says transaction:false.

#include "coordinator/import/export.h"
#include "coordinator/import/readers.h"

#include <string.h>
#include <strings.h>

struct parts {
    struct dr_text up, down;
    bool up_outside, down_outside, has_up, has_down;
};

static bool
has_option(const struct dr_source_line *line, const char *from, const char *option)
{
    size_t len = line->len - (size_t)(from - line->start);
    return memmem(from, len, option, strlen(option)) != NULL;
}

// Where a line belongs; `*now` is the part that is open.
static enum dr_rc
take_line(struct dr_import *import, struct dr_import_revision *revision, struct parts *p,
          struct dr_text **now, const struct dr_source_line *line, struct dr_err *err)
{
    const char *up = dr_text_comment(line, "migrate:up");
    const char *down = dr_text_comment(line, "migrate:down");
    if (up != NULL) {
        *now = &p->up;
        p->has_up = true;
        p->up_outside = has_option(line, up, "transaction:false");
    } else if (down != NULL) {
        *now = &p->down;
        p->has_down = true;
        p->down_outside = has_option(line, down, "transaction:false");
    } else if (*now != NULL) {
        dr_text_add(*now, line, false);
    } else if (!dr_text_is_blank(line->start, line->len)) {
        return dr_import_note(import, revision, DR_IMPORT_HAND, revision->file, line->number, err,
                              "this stands before '-- migrate:up', where dbmate runs nothing: move "
                              "or remove it");
    }
    return DR_OK;
}

static enum dr_rc
read_file(struct dr_import *import, struct dr_import_revision *revision,
          const struct dr_source_file *file, struct dr_err *err)
{
    const char *text = "";
    size_t len = 0, pos = 0;
    struct parts p = {0};
    struct dr_text *now = NULL;
    struct dr_source_line line = {0};
    enum dr_rc rc = dr_source_read(import, revision, file, &text, &len, err);
    rc = rc == DR_OK ? dr_export_read_header(import, revision, text, len, err) : rc;
    rc = rc == DR_OK ? dr_text_begin(import, file->path, len, &p.up, err) : rc;
    rc = rc == DR_OK ? dr_text_begin(import, file->path, len, &p.down, err) : rc;
    while (rc == DR_OK && dr_source_line(text, len, &pos, &line)) {
        rc = take_line(import, revision, &p, &now, &line, err);
    }
    if (rc == DR_OK && !p.has_up && len > 0) {
        rc = dr_import_note(import, revision, DR_IMPORT_HAND, file->path, 1, err,
                            "there is no line '-- migrate:up': dbmate refuses the file");
    }
    rc = rc == DR_OK ? dr_text_piece(&p.up, p.up_outside, NULL, &revision->up, err) : rc;
    return rc == DR_OK ? dr_text_piece(&p.down, p.down_outside, NULL, &revision->down, err) : rc;
}

enum dr_rc
dr_dbmate_read(struct dr_import *import, const struct dr_import_options *options,
               struct dr_err *err)
{
    struct dr_source_list list;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, 1, &list, err);
    rc = rc == DR_OK ? dr_source_choose(import, &list, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        const struct dr_source_file *file = &list.items[i];
        struct dr_import_revision *revision;
        struct dr_versioned name;
        bool is_one = strchr(file->name, '/') == NULL &&
                      dr_text_versioned(import, file->base, '\0', &name) &&
                      strcmp(name.rest, ".sql") == 0;
        if (!is_one) {
            rc = dr_text_left_out(import, file, "dbmate runs files named VERSION_title.sql", err);
            continue;
        }
        rc = dr_import_follow(import, &revision, err);
        if (rc == DR_OK) {
            rc = dr_versioned_fill(import, revision, &name, file, err);
        }
        rc = rc == DR_OK ? read_file(import, revision, file, err) : rc;
    }
    return rc == DR_OK && import->count == 0
               ? dr_text_none(import, "20240102030405_create_users.sql", err)
               : rc;
}
