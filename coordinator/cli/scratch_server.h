// Scratch server: the PostgreSQL server in which a command makes its throw-away databases: the one
// that is named, or a private one for as long as the command runs.
#ifndef DR_CLI_SCRATCH_SERVER_H
#define DR_CLI_SCRATCH_SERVER_H

#include "coordinator/cli/cli.h"
#include "engine/cluster.h"

// `{0}` is closed.
struct dr_scratch_server {
    const char *url;            // for dr_scratch_open; lives until close
    struct dr_cluster *cluster; // NULL: it was named
};

// The option --scratch, the variable DROVER_SCRATCH_URL, else a private server (engine/cluster.h;
// about a second) with the roles of the option --roles. DR_E_USAGE when what is named is no
// PostgreSQL, or roles are for a server that is not ours; errors of dr_cluster_start.
DR_MUST_CHECK enum dr_rc
dr_scratch_server_open(const struct dr_cli *cli, struct dr_scratch_server *out, struct dr_err *err);
// Ends a private one. `{0}` accepted.
void dr_scratch_server_close(struct dr_scratch_server *server);

#endif
