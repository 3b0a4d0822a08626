// Files with a version in front, as golang-migrate and sqlx have them: an up and a down script of
// their own, in the order of the versions as numbers.

#include "coordinator/import/readers.h"

#include <stdlib.h>
#include <string.h>

enum dr_rc
dr_versioned_fill(struct dr_import *import, struct dr_import_revision *revision,
                  const struct dr_versioned *name, const struct dr_source_file *file,
                  struct dr_err *err)
{
    for (size_t i = 0; i < import->count; i++) {
        const struct dr_import_revision *r = import->items[i];
        if (r->version != NULL && strcmp(r->version, name->version) == 0) {
            (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' and '%s' have one version",
                             r->file == NULL ? "" : r->file, file->path);
            return dr_err_hint(err, "give one of them another version, as %s itself would ask",
                               import->format);
        }
    }
    const char *title = dr_text_title(import, name->title);
    revision->id = dr_import_id(import, name->version);
    revision->version = name->version;
    revision->file = file->path;
    if (revision->id == NULL || title == NULL) {
        return dr_import_nomem(err);
    }
    revision->message = dr_import_message(import, title, strlen(title), name->version);
    return revision->message == NULL ? dr_import_nomem(err) : DR_OK;
}
