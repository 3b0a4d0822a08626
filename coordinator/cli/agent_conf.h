// An agent's configuration file, made beside its keys: the folder is then complete and can be
// copied to the agent's host.
#ifndef DR_CLI_AGENT_CONF_H
#define DR_CLI_AGENT_CONF_H

#include "coordinator/cli/cli.h"

// One database of the agent.
struct dr_agent_conf_target {
    const char *name; // environment/name
    const char *url;  // goes into the file and nowhere else
};

struct dr_agent_conf {
    const char *path; // of the new file
    const char *agent, *environment;
    const struct dr_agent_conf_target *targets;
    size_t n_targets;
};

// Can it be written? DR_E_EXISTS, DR_E_CONFIG (the root is not signed yet, so that nothing can be
// pinned). Call it before anything is changed.
DR_MUST_CHECK enum dr_rc
dr_agent_conf_check(struct dr_cli *cli, const char *path, struct dr_err *err);
// Writes the file (mode 0600: URLs may hold passwords) and a copy of the first root beside it.
// Errors: those of dr_file_create and dr_file_write.
DR_MUST_CHECK enum dr_rc
dr_agent_conf_write(struct dr_cli *cli, const struct dr_agent_conf *conf, struct dr_err *err);

#endif
