// Keys: the files of an agent, made on its own host and never copied from it.
#ifndef DR_AGENT_KEYS_H
#define DR_AGENT_KEYS_H

#include "agent/config.h"
#include "base/attr.h"
#include "base/err.h"

#include <stdio.h>

// Makes `folder`/agent.key, agent.transport (0600, unattended) and agent.pub, and prints the public
// line, and both keys in words. DR_E_INVALID (name), DR_E_EXISTS (any of them: nothing is made
// then), DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_agent_keys_new(const char *folder, const char *name, FILE *out, struct dr_err *err);

// Makes the pair that is to follow, beside the configured key files with DR_AGENT_KEY_NEXT behind
// their names, and KEY.next.pub; prints the same. The agent reads them after a SIGHUP.
// DR_E_EXISTS, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_agent_keys_next(const struct dr_agent_config *config, FILE *out, struct dr_err *err);

#endif
