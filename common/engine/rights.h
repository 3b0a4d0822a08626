// Rights: may the role that works here do what a plan needs? Asked before anybody approves, so that
// a missing GRANT is told then and not by a statement that fails at night. Only reads.
#ifndef DR_ENGINE_RIGHTS_H
#define DR_ENGINE_RIGHTS_H

#include "engine/run.h"

// DR_E_DB_PRIVILEGE, with the GRANT to type in the message, when the role may not make or write the
// ledger, may not create in the tenant's schema, or does not own a table that a statement of the
// plan names. DR_E_DB_FILE for a SQLite file that cannot be written. Errors of the database door
// and of job->file.
DR_MUST_CHECK enum dr_rc
dr_engine_check_rights(struct dr_engine *engine, const struct dr_engine_job *job,
                       struct dr_arena *arena, struct dr_err *err);

#endif
