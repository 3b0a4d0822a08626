// Exec: the process that decides. It holds the signing key, the trusted documents, the state and
// the database URLs; it starts net and one worker per busy target, and never talks to a database or
// the network itself.
#ifndef DR_AGENT_EXEC_H
#define DR_AGENT_EXEC_H

#include "agent/config.h"

// Runs until SIGTERM or SIGINT; running workers are then asked to stop at a whole unit, and go on
// at the next start. Writes "ready\n" to `ready_fd` (-1: none) and closes it once the state is open
// and net is started. Errors only of the start: key files, root, state, another agent on the same
// state (DR_E_CONFLICT).
DR_MUST_CHECK enum dr_rc
dr_exec_main(const struct dr_agent_config *config, int ready_fd, struct dr_err *err);

#endif
