// The project: the folder with drover.conf, its revisions, and what a person's drover needs to
// reach the coordinator.
#ifndef DR_CLI_PROJECT_H
#define DR_CLI_PROJECT_H

#include "base/attr.h"
#include "base/conf.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct dr_cli;

// Plain data; paths are absolute; "" when not set. Values come from flags, then DROVER_* variables,
// then drover.conf.
struct dr_project {
    char folder[PATH_MAX]; // of drover.conf
    char conf_path[PATH_MAX];
    char name[128];           // `project`: [a-z0-9._-]{1,64}
    char revisions[PATH_MAX]; // folder of the .sql files
    char trust[PATH_MAX];     // folder of this person's trusted documents (common/trust/store.h)
    char root[PATH_MAX];      // file of the first root
    char url[4096];           // default database of direct mode
    char coordinator[512];    // tcp://host:port
    bool has_coordinator_key;
    uint8_t coordinator_key[32]; // X25519
    bool has_root_pin;
    uint8_t root_sha256[32];
    char person[128];         // who I am
    char key[PATH_MAX];       // my signing key file
    char transport[PATH_MAX]; // my transport key file
    char environment[128];    // default of -e; may be ""
    char desired[4096];       // schema that the chain should make: a file or a URL
    bool keeps_alembic;       // version_table = "alembic"
};

// Finds drover.conf (--config, DROVER_CONFIG, this folder, the folders above), reads it into
// cli->project once. DR_E_NOT_FOUND with `drover init` as the hint.
DR_MUST_CHECK enum dr_rc dr_project_need(struct dr_cli *cli, struct dr_err *err);
// The same, but an absent drover.conf is fine: `revisions` is then ./revisions.
DR_MUST_CHECK enum dr_rc dr_project_maybe(struct dr_cli *cli, struct dr_err *err);
void dr_project_close(struct dr_project **project);

// The keys of drover.conf, ended by {0}, and the variable that goes before one: DROVER_<KEY>, its
// value NULL when it is not set. `out_name` has 64 bytes.
extern const struct dr_conf_key dr_project_keys[];
const char *dr_project_variable(const char *key, char out_name[64]);
// The variable of another tool that names the database, and its value; NULL when none is set.
const char *dr_project_foreign_url(const char **out_name);

// The database that a command works on directly: --url, then DROVER_URL; in a project without a
// coordinator also ALEMBIC_DB_URL, DATABASE_URL and `url` of drover.conf. NULL when the command
// goes through the coordinator.
const char *dr_project_direct_url(const struct dr_cli *cli);
// A path as a person here would write it: relative when it lies in or below this folder. In the
// cli's arena, or `path` itself.
const char *dr_project_shown(const struct dr_cli *cli, const char *path);
// DR_E_CONFIG unless coordinator, coordinator_key, root_sha256 and transport are all set; names
// what is missing.
DR_MUST_CHECK enum dr_rc dr_project_need_coordinator(struct dr_cli *cli, struct dr_err *err);

#endif
