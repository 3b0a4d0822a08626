// init --from: what an Alembic environment says about the project.
#ifndef DR_CLI_INIT_FROM_H
#define DR_CLI_INIT_FROM_H

#include "coordinator/cli/cli.h"

#define DR_INIT_VARIABLES_MAX 8u

// Strings are in the cli's arena.
struct dr_init_from {
    const char *path;     // as given
    const char *versions; // folder of the migrations, as people see it
    const char *url;      // of the database, without password; NULL: none that drover could use
    bool had_password;
    bool is_placeholder;                          // sqlalchemy.url is there, but names no database
    const char *variables[DR_INIT_VARIABLES_MAX]; // that env.py seems to take the address from
    size_t variables_count;
};

// Reads the ini and looks into its env.py. Errors of dr_alembic_config_find.
DR_MUST_CHECK enum dr_rc dr_init_from_read(struct dr_cli *cli, const char *path,
                                           struct dr_init_from *out, struct dr_err *err);
// Says what was found and what to type next.
void dr_init_from_say(const struct dr_cli *cli, const struct dr_init_from *from);

#endif
