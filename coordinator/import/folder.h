// Folder: new files that appear all or none. They are written into a temporary folder beside their
// own and moved when all are there.
#ifndef DR_IMPORT_FOLDER_H
#define DR_IMPORT_FOLDER_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct dr_folder;

#define DR_FOLDER_FILES_MAX 100000u

// Begins to write into `path`, which is made when it is missing. `is_dry`: nothing is written,
// names are checked all the same. DR_E_IO, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_folder_begin(const char *path, bool is_dry, struct dr_folder **out, struct dr_err *err);
// Adds a file; `name` may have folders ("deploy/users.sql") but neither ".." nor a leading '/'.
// DR_E_EXISTS when there is one already, here or in the folder.
DR_MUST_CHECK enum dr_rc dr_folder_add(struct dr_folder *folder, const char *name,
                                       const void *bytes, size_t len, struct dr_err *err);
// Moves the files to their place. After a failure those that were moved are taken back.
DR_MUST_CHECK enum dr_rc dr_folder_end(struct dr_folder *folder, struct dr_err *err);
// Forgets what was not ended. NULL accepted, pointer cleared.
void dr_folder_free(struct dr_folder **folder);

#endif
