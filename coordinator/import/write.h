// Write: an imported chain as revision files. Transaction commands of the author are taken out,
// COPY data become INSERTs, and statements that cannot run in a transaction get sections of their
// own; no byte of another statement changes.
#ifndef DR_IMPORT_WRITE_H
#define DR_IMPORT_WRITE_H

#include "coordinator/import/model.h"

struct dr_folder;

// The file of one revision, ready to be written.
struct dr_import_file {
    const char *name; // "0001_users.sql"
    const char *text;
    size_t len;
    const struct dr_import_revision *revision;
};

// Makes the text of every revision, adding notes; `*out` has import->count items in the arena.
// A statement that no revision may hold stays where it is, so that the file is refused until
// somebody has mended it, and is noted as hand work. Errors of dr_sql_check;
// DR_E_REVISION_DUPLICATE when an id is there twice, DR_E_REVISION_PARENT for an unknown one,
// DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_import_render(struct dr_import *import, struct dr_import_file **out, struct dr_err *err);

// Writes them into `folder` (revisions that are there already must have other ids and names).
DR_MUST_CHECK enum dr_rc
dr_import_write(const struct dr_import *import, const struct dr_import_file *files,
                const char *out_folder, bool is_dry, struct dr_err *err);

#endif
