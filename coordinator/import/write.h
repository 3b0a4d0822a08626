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

// Which of them are written. An id that is a revision of the folder already is known: its file
// stays as it is, and its notes are forgotten.
enum dr_import_mode {
    DR_IMPORT_WHOLE, // a known one is an error
    DR_IMPORT_NEW,   // those that are not known
    DR_IMPORT_DRY,   // none; it is only told which are known
};
// Writes them into `out_folder`, all or none. DR_E_REVISION_DUPLICATE, DR_E_EXISTS for another file
// of the name, errors of dr_graph_load_drafts, DR_E_IO, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_import_write(struct dr_import *import, const struct dr_import_file *files,
                const char *out_folder, enum dr_import_mode mode, struct dr_err *err);

#endif
