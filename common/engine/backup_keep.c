// Retention of backups. See backup_keep.h.
#include "engine/backup_keep.h"

#include "engine/backup_internal.h"

#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAMP_LEN    16u // 20260213T140000Z
#define PARTIAL_MARK ".partial"
#define KEEP_MAX     32u // bytes of a promise

enum dr_rc
dr_backup_keep(const struct dr_backup *backup, int64_t keep_until, struct dr_err *err)
{
    char path[PATH_MAX + 8], text[KEEP_MAX];
    (void)snprintf(path, sizeof path, "%s" DR_BACKUP_KEEP_SUFFIX, backup->location);
    int len = snprintf(text, sizeof text, "%" PRId64 "\n", keep_until);
    enum dr_rc rc = dr_file_write(path, text, (size_t)len, 0600, err);
    return rc == DR_OK
               ? DR_OK
               : dr_err_wrap(err, "cannot note until when backup '%s' is kept", backup->location);
}

// The stamp of "<target>-<stamp>[-N]<suffix>"; NULL: not a backup of this target. `*out_rest` is
// what stands behind it.
static const char *
stamp_of(const char *name, const char *target, const char **out_rest)
{
    static const char shape[] = "ddddddddTddddddZ";
    size_t len = strlen(target);
    if (strncmp(name, target, len) != 0 || name[len] != '-') {
        return NULL;
    }
    const char *stamp = name + len + 1;
    for (size_t i = 0; i < STAMP_LEN; i++) {
        bool fits = shape[i] == 'd' ? stamp[i] >= '0' && stamp[i] <= '9' : stamp[i] == shape[i];
        if (!fits) {
            return NULL;
        }
    }
    const char *rest = stamp + STAMP_LEN;
    rest += *rest == '-' ? 1 + strspn(rest + 1, "0123456789") : 0;
    *out_rest = rest;
    return stamp;
}

static bool
is_backup(const char *rest)
{
    return dr_str_eq(rest, ".dump") || dr_str_eq(rest, ".dir") || dr_str_eq(rest, ".sqlite");
}

// The evidence of a backup that a command made: only the command removes that.
static bool
is_evidence(const char *rest)
{
    return dr_str_eq(rest, ".command");
}

int64_t
dr_backup_promise(const char *location)
{
    char keep[PATH_MAX + 320], *text = NULL;
    size_t len = 0;
    uint64_t until = 0;
    struct dr_err ignored = {0};
    (void)snprintf(keep, sizeof keep, "%s" DR_BACKUP_KEEP_SUFFIX, location);
    if (dr_file_read(keep, KEEP_MAX, &text, &len, &ignored) != DR_OK) {
        return 0;
    }
    bool is_whole = len > 1 && text[len - 1] == '\n';
    if (is_whole) {
        text[len - 1] = '\0';
    }
    bool is_known = is_whole && dr_parse_u64(text, 1, INT64_MAX, &until);
    free(text);
    return is_known ? (int64_t)until : 0;
}

// False without a promise, or with one that is not readable: then nobody removes it.
static bool
is_over(const char *path, int64_t now)
{
    int64_t until = dr_backup_promise(path);
    return until != 0 && until < now;
}

bool
dr_backup_is_of(const char *name, const char *plain_target)
{
    const char *rest = NULL;
    return stamp_of(name, plain_target, &rest) != NULL && (is_backup(rest) || is_evidence(rest));
}

static bool
is_stale(const char *path, int64_t now)
{
    struct stat st;
    return lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
           (int64_t)st.st_mtime < now - DR_BACKUP_STALE_S;
}

bool
dr_backup_remove_all(const char *location)
{
    static const char *const beside[] = {DR_BACKUP_ROWS_SUFFIX, DR_BACKUP_NOTE_SUFFIX,
                                         DR_BACKUP_FROM_SUFFIX, DR_BACKUP_KEEP_SUFFIX};
    bool is_gone = dr_backup_remove_path(location);
    for (size_t i = 0; is_gone && i < DR_COUNT_OF(beside); i++) {
        char path[PATH_MAX + 320];
        (void)snprintf(path, sizeof path, "%s%s", location, beside[i]);
        is_gone = unlink(path) == 0 || errno == ENOENT;
    }
    return is_gone;
}

enum dr_rc
dr_backup_prune(const struct dr_backup_options *options, const struct dr_backup *newest,
                int64_t now, size_t *out_removed, struct dr_err *err)
{
    char target[DR_BACKUP_NAME_MAX + 1];
    const char *rest = NULL, *slash = strrchr(newest->location, '/');
    dr_backup_plain_name(options->target, target);
    const char *last = stamp_of(slash == NULL ? newest->location : slash + 1, target, &rest);
    *out_removed = 0;
    if (last == NULL) {
        return dr_err_set(err, DR_E_INVALID, "'%s' is no backup of '%s'", newest->location,
                          options->target);
    }
    DIR *dir = opendir(options->folder);
    if (dir == NULL) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot read the backup folder '%s'",
                            options->folder);
    }
    enum dr_rc rc = DR_OK;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[PATH_MAX + 300];
        const char *stamp = stamp_of(e->d_name, target, &rest);
        if (stamp == NULL || strncmp(stamp, last, STAMP_LEN) >= 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", options->folder, e->d_name);
        bool is_old = is_backup(rest) && is_over(path, now);
        bool is_left = strstr(rest, PARTIAL_MARK) != NULL && is_stale(path, now);
        bool is_gone =
            is_old ? dr_backup_remove_all(path) : !is_left || dr_backup_remove_path(path);
        *out_removed += is_old && is_gone ? 1 : 0;
        if (!is_gone) {
            rc = dr_err_errno(err, DR_E_IO, errno, "cannot remove the old backup '%s'", path);
        }
    }
    closedir(dir);
    return rc;
}

void
dr_backup_drop(const struct dr_backup *backup)
{
    bool is_gone = dr_backup_remove_all(backup->location);
    (void)is_gone; // the error is what went before
}
