// Alembic: its environments in, and environments for it out. Rows of formats.c.
#ifndef DR_IMPORT_ALEMBIC_H
#define DR_IMPORT_ALEMBIC_H

#include "coordinator/import/formats.h"

// Reads alembic.ini, the modules and, by the user's own Alembic, their SQL. The folder may be the
// one with alembic.ini, that ini, the folder of env.py, or one of modules. What could not be
// rendered is noted as hand work; errors are those of the chain (alembic_chain.h), of a dialect
// that drover does not speak (DR_E_REVISION_ENGINE), and of running (alembic_run.h).
DR_MUST_CHECK enum dr_rc
dr_alembic_read(struct dr_import *import, const struct dr_import_options *options,
                struct dr_err *err);

// Writes an environment: alembic.ini, env.py, versions/*.py. See formats.h.
DR_MUST_CHECK enum dr_rc dr_alembic_write(const struct dr_graph *graph, struct dr_import *import,
                                          struct dr_folder *to, struct dr_err *err);

#endif
