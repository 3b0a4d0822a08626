// The PostgreSQL programs of a backup: which of them, and how they are run. For the files of the
// backup and of the rehearsal.
#ifndef DR_ENGINE_BACKUP_TOOLS_H
#define DR_ENGINE_BACKUP_TOOLS_H

#include "base/attr.h"
#include "base/cmd.h"
#include "base/err.h"
#include "base/str.h"
#include "db/db.h"

#include <limits.h>
#include <stdint.h>

struct dr_backup_tools {
    char dump[PATH_MAX], restore[PATH_MAX];
    char version[32]; // of pg_dump: "15.20"
    unsigned long major;
};

// The programs in `bindir`, or (NULL) the oldest of Debian's folders that is as new as `major`, or
// those in PATH. DR_E_BACKUP_TOOL when there is none as new as that.
DR_MUST_CHECK enum dr_rc
dr_backup_tools_find(const char *bindir, unsigned long major, const struct dr_db_wait *wait,
                     struct dr_backup_tools *out, struct dr_err *err);
// Runs one to its end, at most as long as `wait` and (0: no other limit) `most_ms` let it.
DR_MUST_CHECK enum dr_rc
dr_backup_tool_run(const char *const *argv, const char *const *env, const struct dr_db_wait *wait,
                   uint64_t most_ms, struct dr_cmd_result *out, struct dr_err *err);
// DR_E_BACKUP_FAILED with the last error that the tool wrote.
DR_MUST_CHECK enum dr_rc
dr_backup_tool_failed(const char *tool, struct dr_cmd_result *result, struct dr_err *err);

// What a tool is given to reach a database: its --dbname and its environment. The password lies in
// memory only, in a file without a name that the tool is handed.
struct dr_backup_login {
    struct dr_buf dbname;
    int password_fd; // <= 0: none
    char passfile_env[PATH_MAX + 32], home_env[PATH_MAX + 32];
    const char *env[6];
};
// `password` NULL: the URL's or that of the environment. DR_E_DB_URL, DR_E_IO, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_backup_login_begin(const char *url, const char *password,
                                               struct dr_backup_login *out, struct dr_err *err);
void dr_backup_login_end(struct dr_backup_login *login);
// Runs one with it, as dr_backup_tool_run.
DR_MUST_CHECK enum dr_rc
dr_backup_login_run(const struct dr_backup_login *login, const char *const *argv,
                    const struct dr_db_wait *wait, struct dr_cmd_result *out, struct dr_err *err);

#endif
