// drover-agent backup ...: what lies in this host's backup folder, without the coordinator.
#ifndef DR_AGENT_BACKUP_CLI_H
#define DR_AGENT_BACKUP_CLI_H

#include "agent/config.h"

#include <stdio.h>

// `what`: "list", "verify", "restore-test", "prune"; of `target`, or (NULL) of every target, one
// after the other. What is found is noted beside the backup and printed to `out`; the agent signs
// nothing of it. Errors of agent/backup_job.h, the first of several; DR_E_AGENT_NO_TARGET.
DR_MUST_CHECK enum dr_rc dr_agent_backup(const struct dr_agent_config *config, const char *what,
                                         const char *target, FILE *out, struct dr_err *err);

#endif
