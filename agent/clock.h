// Clock: the latest time that the agent saw in a verified document, for the host's owner.
#ifndef DR_AGENT_CLOCK_H
#define DR_AGENT_CLOCK_H

#include "agent/config.h"
#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

// Says what it is and what this host's clock says, and with `resets` forgets it. The agent must not
// run: DR_E_CONFLICT; DR_E_NOT_PINNED, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_agent_clock(const struct dr_agent_config *config, bool resets, FILE *out, struct dr_err *err);

#endif
