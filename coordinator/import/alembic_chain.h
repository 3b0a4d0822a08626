// The chain that an Alembic environment's revision modules make, from their literals alone.
#ifndef DR_IMPORT_ALEMBIC_CHAIN_H
#define DR_IMPORT_ALEMBIC_CHAIN_H

#include "coordinator/import/alembic_config.h"
#include "coordinator/import/alembic_module.h"
#include "coordinator/import/model.h"

struct dr_alembic_chain {
    const struct dr_alembic_module **modules; // parents first
    struct dr_import_revision **revisions;    // the model's, in the same order
    size_t count;
};

// Reads the modules of `config` and adds their revisions, without SQL, to `import`. What differs
// from what people read in them, and what had to be changed, is noted. DR_E_REVISION_DUPLICATE,
// DR_E_REVISION_PARENT (file and line), DR_E_REVISION_CYCLE, DR_E_NOT_FOUND (no module at all),
// those of dr_source_scan.
DR_MUST_CHECK enum dr_rc
dr_alembic_chain_read(struct dr_import *import, const struct dr_alembic_config *config,
                      struct dr_alembic_chain *out, struct dr_err *err);

#endif
