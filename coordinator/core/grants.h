// Grants: which blobs an agent may read: the plans of rollouts that have one of its targets, the
// files of their revisions, and bodies of pushes for it.
#ifndef DR_CORE_GRANTS_H
#define DR_CORE_GRANTS_H

#include "coordinator/core/core.h"

// True if `agent` was offered the blob. May read a plan from the store the first time.
bool dr_grants_may_read(struct dr_core *core, const char *agent, const uint8_t sha256[32]);
void dr_grants_free(struct dr_core *core);

#endif
