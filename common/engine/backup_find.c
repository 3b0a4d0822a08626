// What kind of backup a path names. See backup_find.h.
#include "engine/backup_find.h"

#include "base/cmd.h"
#include "base/str.h"
#include "engine/backup_internal.h"
#include "engine/backup_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC_MAX   16u
#define LIST_MS     60000
#define VERSIONS    20u // of pg_restore that are tried
#define IS_TOO_NEW  "unsupported version"
#define SERVER_MARK "Dumped from database version: "
#define TOOL_MARK   "Dumped by pg_dump version: "

// The first bytes of a file; false when it cannot be read.
static bool
read_magic(const char *path, char out[MAGIC_MAX + 1])
{
    FILE *file = fopen(path, "rbe");
    size_t n = file == NULL ? 0 : fread(out, 1, MAGIC_MAX, file);
    out[n] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return file != NULL;
}

// The version behind `mark` in what pg_restore --list says.
static bool
take_version(const char *list, const char *mark, char *out, size_t size)
{
    const char *at = list == NULL ? NULL : strstr(list, mark);
    if (at != NULL) {
        at += strlen(mark);
        (void)snprintf(out, size, "%.*s", (int)(strspn(at, "0123456789.") % 32), at);
    }
    return at != NULL;
}

static enum dr_rc
find_tools(const char *bindir, unsigned long major, const struct dr_db_wait *wait,
           struct dr_backup_tools *out, struct dr_err *err)
{
    const char *named = bindir != NULL ? bindir : getenv("PG_BIN");
    if (named != NULL && named[0] != '\0' &&
        dr_backup_tools_find(named, major, wait, out, NULL) == DR_OK) {
        return DR_OK;
    }
    return dr_backup_tools_find(NULL, major, wait, out, err);
}

// A pg_restore does not read what a newer pg_dump wrote: then a newer one is asked.
static enum dr_rc
read_list(const char *path, const char *bindir, const struct dr_db_wait *wait,
          struct dr_backup *backup, struct dr_err *err)
{
    unsigned long major = 0;
    for (unsigned i = 0; i < VERSIONS; i++) {
        struct dr_backup_tools tools;
        struct dr_cmd_result list = {0};
        char version[32] = "";
        enum dr_rc rc = find_tools(bindir, major, wait, &tools, err);
        const char *argv[] = {tools.restore, "--list", path, NULL};
        rc = rc != DR_OK ? rc : dr_backup_tool_run(argv, NULL, wait, LIST_MS, &list, err);
        bool is_read = rc == DR_OK && list.exit_code == 0 &&
                       take_version(list.output.data, SERVER_MARK, backup->server_version,
                                    sizeof backup->server_version);
        bool is_too_new = rc == DR_OK && !is_read && list.errors.data != NULL &&
                          strstr(list.errors.data, IS_TOO_NEW) != NULL;
        if (is_read) {
            (void)take_version(list.output.data, TOOL_MARK, version, sizeof version);
            (void)snprintf(backup->tool, sizeof backup->tool, "pg_dump %s", version);
        } else if (rc == DR_OK && !is_too_new) {
            (void)dr_err_set(err, DR_E_INVALID, "pg_restore cannot read '%s'", path);
            rc = dr_err_hint(err, "is it whole? %s --list %s", tools.restore, path);
        }
        dr_cmd_result_fini(&list);
        if (rc != DR_OK || is_read) {
            return rc;
        }
        major = tools.major + 1;
    }
    return dr_err_set(err, DR_E_BACKUP_TOOL, "no pg_restore here reads '%s'", path);
}

enum dr_rc
dr_backup_find(const char *path, const char *bindir, int cancel_fd, struct dr_backup *out,
               struct dr_err *err)
{
    const struct dr_backup_options options = {.cancel_fd = cancel_fd};
    const struct dr_db_wait wait = dr_backup_wait(&options);
    struct dr_backup backup = {0};
    struct stat st;
    char magic[MAGIC_MAX + 1] = "", toc[PATH_MAX + 16];
    if (realpath(path, backup.location) == NULL || stat(path, &st) != 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "there is no backup '%s'", path);
        return dr_err_hint(err, "name a file of pg_dump -Fc, a folder of pg_dump -Fd, or a copy of "
                                "a SQLite file");
    }
    bool is_folder = S_ISDIR(st.st_mode);
    (void)snprintf(toc, sizeof toc, "%s%s", backup.location, is_folder ? "/toc.dat" : "");
    bool is_read = read_magic(toc, magic);
    bool is_sqlite = !is_folder && memcmp(magic, "SQLite format 3", MAGIC_MAX) == 0;
    if (!is_read || (!is_sqlite && strncmp(magic, "PGDMP", 5) != 0)) {
        (void)dr_err_set(err, DR_E_INVALID, "'%s' is no backup that can be restored here", path);
        return dr_err_hint(err, "a file of pg_dump -Fc, a folder of pg_dump -Fd, or a copy of a "
                                "SQLite file; an SQL script of pg_dump is none");
    }
    (void)snprintf(backup.tool, sizeof backup.tool, "sqlite backup");
    enum dr_rc rc = is_sqlite ? DR_OK : read_list(backup.location, bindir, &wait, &backup, err);
    rc = rc != DR_OK
             ? rc
             : dr_backup_digest(backup.location, false, backup.sha256, &backup.size_bytes, err);
    if (rc == DR_OK) {
        *out = backup;
    }
    return rc;
}
