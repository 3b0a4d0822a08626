// Trusted: opens what this agent holds for true: the pinned first root and the folder with what
// followed from it.
#ifndef DR_AGENT_TRUSTED_H
#define DR_AGENT_TRUSTED_H

#include "agent/config.h"
#include "base/attr.h"
#include "base/err.h"
#include "trust/store.h"

// The store in the state folder, with its lock. DR_E_CONFLICT (another agent runs there),
// DR_E_NOT_PINNED, DR_E_NOT_FOUND, DR_E_IO, DR_E_BAD_*.
DR_MUST_CHECK enum dr_rc dr_agent_trust_open(const struct dr_agent_config *config,
                                             struct dr_trust_store **out, struct dr_err *err);

#endif
