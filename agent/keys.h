// Keys: the files of an agent, made on its own host and never copied from it.
#ifndef DR_AGENT_KEYS_H
#define DR_AGENT_KEYS_H

#include "base/attr.h"
#include "base/err.h"

#include <stdio.h>

// Makes `folder`/agent.key, agent.transport (0600, unattended) and agent.pub, and prints the public
// line, and both keys in words. DR_E_INVALID (name), DR_E_EXISTS (any of them: nothing is made
// then), DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_agent_keys_new(const char *folder, const char *name, FILE *out, struct dr_err *err);

#endif
