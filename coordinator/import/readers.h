// Readers: one function for each format of formats.c that fills the model, and what several share.
#ifndef DR_IMPORT_READERS_H
#define DR_IMPORT_READERS_H

#include "coordinator/import/formats.h"
#include "coordinator/import/text.h"

// Id, version, message and file of a revision from the name of its file. DR_E_NOMEM,
// DR_E_REVISION_DUPLICATE when the version is there already.
DR_MUST_CHECK enum dr_rc
dr_versioned_fill(struct dr_import *import, struct dr_import_revision *revision,
                  const struct dr_versioned *name, const struct dr_source_file *file,
                  struct dr_err *err);

enum dr_rc dr_plain_read(struct dr_import *import, const struct dr_import_options *options,
                         struct dr_err *err);
enum dr_rc dr_dbmate_read(struct dr_import *import, const struct dr_import_options *options,
                          struct dr_err *err);
enum dr_rc dr_golang_migrate_read(struct dr_import *import, const struct dr_import_options *options,
                                  struct dr_err *err);
enum dr_rc
dr_sqlx_read(struct dr_import *import, const struct dr_import_options *options, struct dr_err *err);
enum dr_rc dr_goose_read(struct dr_import *import, const struct dr_import_options *options,
                         struct dr_err *err);
enum dr_rc dr_diesel_read(struct dr_import *import, const struct dr_import_options *options,
                          struct dr_err *err);
enum dr_rc dr_flyway_read(struct dr_import *import, const struct dr_import_options *options,
                          struct dr_err *err);
enum dr_rc dr_sqitch_read(struct dr_import *import, const struct dr_import_options *options,
                          struct dr_err *err);
enum dr_rc dr_liquibase_read(struct dr_import *import, const struct dr_import_options *options,
                             struct dr_err *err);

#endif
