// Backup files: a working name until all is proved, then one rename.
#include "engine/backup_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/str.h"
#include "engine/backup_command.h"
#include "engine/backup_tools.h"
#include "proto/documents.pb-c.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define NAMES_MAX   100u // backups of one target within one second
#define SPARE_BYTES (16ull * 1048576)

struct dr_db_wait
dr_backup_wait(const struct dr_backup_options *options)
{
    uint64_t timeout_ms = options->timeout_ms == 0 ? DR_BACKUP_TIMEOUT_MS : options->timeout_ms;
    struct dr_db_wait wait = dr_db_wait_ms((int64_t)timeout_ms);
    wait.cancel_fd = options->cancel_fd;
    return wait;
}

uint64_t
dr_backup_left_ms(const struct dr_db_wait *wait)
{
    int64_t left = wait->deadline_ms - dr_monotonic_ms();
    return left > 0 ? (uint64_t)left : 1;
}

enum dr_rc
dr_backup_check_space(const char *folder, uint64_t needed_bytes, struct dr_err *err)
{
    struct statvfs fs;
    if (statvfs(folder, &fs) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot ask for the free space of '%s'", folder);
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes < needed_bytes + SPARE_BYTES) {
        char has[32];
        char needs[32];
        dr_format_size(has, free_bytes);
        dr_format_size(needs, needed_bytes + SPARE_BYTES);
        return dr_err_set(err, DR_E_BACKUP_SPACE, "'%s' has %s free, and %s may be needed", folder,
                          has, needs);
    }
    return DR_OK;
}

void
dr_backup_plain_name(const char *target, char out[DR_BACKUP_NAME_MAX + 1])
{
    size_t len = 0;
    for (; target[len] != '\0' && len < DR_BACKUP_NAME_MAX; len++) {
        bool is_plain =
            isalnum((unsigned char)target[len]) || (strchr("._-", target[len]) != NULL && len > 0);
        out[len] = is_plain ? target[len] : '_';
    }
    out[len] = '\0';
}

static enum dr_rc
reserve(struct dr_backup_file *file, const char *target, const char *suffix, struct dr_err *err)
{
    char name[DR_BACKUP_NAME_MAX + 1];
    char stamp[32];
    struct tm tm;
    time_t now = (time_t)dr_now_unix_s();
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    dr_backup_plain_name(target, name);
    for (unsigned n = 1; n <= NAMES_MAX; n++) {
        char number[16] = "";
        if (n > 1) {
            snprintf(number, sizeof number, "-%u", n);
        }
        int len = snprintf(file->final_path, sizeof file->final_path, "%s/%s-%s%s%s", file->folder,
                           name, stamp, number, suffix);
        int partial_len =
            snprintf(file->partial, sizeof file->partial, "%s.partial", file->final_path);
        if (len >= PATH_MAX || partial_len >= PATH_MAX) {
            return dr_err_set(err, DR_E_INVALID, "backup folder '%.200s...' has too long a path",
                              file->folder);
        }
        if (dr_path_exists(file->final_path)) {
            continue;
        }
        enum dr_rc rc = dr_file_create(file->partial, "", 0, 0600, err);
        if (rc != DR_E_EXISTS) {
            return rc;
        }
    }
    return dr_err_set(err, DR_E_EXISTS, "'%s' has too many backups of '%s'", file->folder, target);
}

enum dr_rc
dr_backup_begin(const struct dr_backup_options *options, const char *suffix, uint64_t needed_bytes,
                struct dr_backup_file *out, struct dr_err *err)
{
    enum dr_rc rc = dr_dir_make(options->folder, 0700, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot make the backup folder");
    }
    if (realpath(options->folder, out->folder) == NULL) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot reach backup folder '%s'",
                            options->folder);
    }
    rc = dr_backup_check_space(out->folder, needed_bytes, err);
    return rc != DR_OK ? rc : reserve(out, options->target, suffix, err);
}

void
dr_backup_abandon(const struct dr_backup_file *file)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; file->partial[0] != '\0' && i < DR_COUNT_OF(suffixes); i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s%s", file->partial, suffixes[i]);
        bool is_gone = dr_backup_remove_path(path);
        (void)is_gone; // what stays is removed when it is a day old
    }
    if (file->partial[0] != '\0') {
        char rows[PATH_MAX + 16];
        snprintf(rows, sizeof rows, "%s" DR_BACKUP_ROWS_SUFFIX, file->final_path);
        unlink(rows);
    }
}

static bool
sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_synced;
}

enum dr_rc
dr_backup_finish(const struct dr_backup_file *file, struct dr_backup *backup, struct dr_err *err)
{
    enum dr_rc rc = dr_backup_digest(file->partial, true, backup->sha256, &backup->size_bytes, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (backup->size_bytes == 0) {
        return dr_err_set(err, DR_E_BACKUP_EMPTY, "the backup file is empty");
    }
    (void)DR_FAILPOINT("engine-backup-before");
    // The name was free and the working file reserves it; network file systems know no
    // RENAME_NOREPLACE.
    bool is_named =
        renameat2(AT_FDCWD, file->partial, AT_FDCWD, file->final_path, RENAME_NOREPLACE) == 0 ||
        (errno == EINVAL && rename(file->partial, file->final_path) == 0);
    if (!is_named) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot name the backup '%s'", file->final_path);
    }
    if (!sync_path(file->folder, O_RDONLY | O_DIRECTORY)) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot make folder '%s' durable", file->folder);
        bool is_gone = dr_backup_remove_path(file->final_path);
        (void)is_gone; // what stays has no note: nobody takes it for a backup
        return rc;
    }
    (void)DR_FAILPOINT("engine-backup-after");
    snprintf(backup->location, sizeof backup->location, "%s", file->final_path);
    backup->restore_level = DR_BACKUP_LISTED;
    backup->finished = dr_now_unix_s();
    return DR_OK;
}

enum dr_rc
dr_backup_check_digest(const struct dr_backup *backup, struct dr_err *err)
{
    uint8_t sha256[32];
    uint64_t size_bytes = 0;
    if (dr_backup_is_by_command(backup->tool)) {
        struct dr_backup_evidence evidence;
        return dr_backup_command_check(backup, &evidence, err);
    }
    if (!dr_path_exists(backup->location)) {
        return dr_err_set(err, DR_E_BACKUP_GONE, "backup '%s' is gone", backup->location);
    }
    enum dr_rc rc = dr_backup_digest(backup->location, false, sha256, &size_bytes, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (size_bytes != backup->size_bytes || memcmp(sha256, backup->sha256, sizeof sha256) != 0) {
        return dr_err_set(err, DR_E_BACKUP_CHANGED, "backup '%s' is not what was recorded",
                          backup->location);
    }
    return DR_OK;
}

enum dr_rc
dr_backup_check_there(const struct dr_backup *backup, struct dr_err *err)
{
    int64_t changed = 0;
    if (dr_backup_is_by_command(backup->tool) || !dr_path_exists(backup->location)) {
        return dr_backup_check_digest(backup, err);
    }
    uint64_t size_bytes = dr_backup_size(backup->location, &changed);
    if (size_bytes != backup->size_bytes) {
        return dr_err_set(err, DR_E_BACKUP_CHANGED,
                          "the backup has %llu bytes, and had %llu when it was recorded: '%s'",
                          (unsigned long long)size_bytes, (unsigned long long)backup->size_bytes,
                          backup->location);
    }
    bool is_untouched = changed <= backup->finished;
    return size_bytes > DR_BACKUP_QUICK_MAX && is_untouched ? DR_OK
                                                            : dr_backup_check_digest(backup, err);
}

enum dr_rc
dr_backup_verify(const struct dr_backup *backup, const struct dr_backup_options *options,
                 struct dr_err *err)
{
    uint32_t entries = 0;
    enum dr_rc rc = dr_backup_check_digest(backup, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (dr_backup_is_by_command(backup->tool)) {
        return dr_backup_command_verify(backup, options, err);
    }
    struct dr_db_wait wait = dr_backup_wait(options);
    if (dr_str_starts(backup->tool, "sqlite")) {
        return dr_backup_check_sqlite(backup->location, &wait, &entries, err);
    }
    struct dr_backup_tools tools;
    const char *version = backup->tool + strcspn(backup->tool, " "); // "pg_dump 15.20"
    rc = dr_backup_tools_find(options->pg_bindir, strtoul(version, NULL, 10), &wait, &tools, err);
    return rc != DR_OK
               ? rc
               : dr_backup_check_archive(backup->location, &tools, false, &wait, &entries, err);
}

struct Drover__V1__BackupRecord *
dr_backup_record(const struct dr_backup *backup, struct dr_arena *arena)
{
    Drover__V1__BackupRecord *record = dr_arena_alloc(arena, sizeof *record);
    if (record == NULL) {
        return NULL;
    }
    drover__v1__backup_record__init(record);
    record->tool = dr_arena_str(arena, backup->tool);
    record->location = dr_arena_str(arena, backup->location);
    record->server_version = dr_arena_str(arena, backup->server_version);
    record->sha256.data = dr_arena_copy(arena, backup->sha256, sizeof backup->sha256);
    record->sha256.len = sizeof backup->sha256;
    record->size_bytes = backup->size_bytes;
    record->started = backup->started;
    record->finished = backup->finished;
    record->restore_level = (Drover__V1__RestoreLevel)backup->restore_level;
    bool is_whole = record->tool != NULL && record->location != NULL &&
                    record->server_version != NULL && record->sha256.data != NULL;
    return is_whole ? record : NULL;
}
