// Digests of backups: a file, or a folder as pg_dump -Fd writes it (plain files only).
#include "engine/backup_internal.h"

#include "base/file.h"
#include "base/str.h"
#include "trust/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

static enum dr_rc
digest_file(const char *path, bool syncs, uint8_t out[32], uint64_t *out_size, struct dr_err *err)
{
    enum dr_rc rc = dr_file_sha256(path, out, out_size, err);
    if (rc == DR_OK && syncs && !sync_path(path)) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot make '%s' durable", path);
    }
    return rc;
}

static enum dr_rc
add_line(const char *folder, const char *name, bool syncs, struct dr_buf *lines, uint64_t *size,
         struct dr_err *err)
{
    char path[PATH_MAX], hex[65];
    uint8_t sha256[32];
    uint64_t bytes = 0;
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (len < 0 || len >= (int)sizeof path) {
        return dr_err_set(err, DR_E_LIMIT, "the path of a backup is too long");
    }
    enum dr_rc rc = digest_file(path, syncs, sha256, &bytes, err);
    if (rc == DR_OK) {
        dr_hex(hex, sha256, 32);
        dr_buf_printf(lines, "%s %" PRIu64 " %s\n", name, bytes, hex);
        *size += bytes;
    }
    return rc;
}

// By bytes, whatever the locale says.
static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum dr_rc
dr_backup_digest(const char *path, bool syncs, uint8_t out_sha256[32], uint64_t *out_size,
                 struct dr_err *err)
{
    struct dirent **names = NULL;
    struct dr_buf lines = {.max = DR_BACKUP_ROWS_MAX};
    uint64_t size = 0;
    enum dr_rc rc = DR_OK;
    if (!is_folder(path)) {
        return digest_file(path, syncs, out_sha256, out_size, err);
    }
    int n = scandir(path, &names, NULL, by_name);
    if (n < 0) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot read the backup '%s'", path);
    }
    for (int i = 0; i < n; i++) {
        if (rc == DR_OK && names[i]->d_name[0] != '.') {
            rc = add_line(path, names[i]->d_name, syncs, &lines, &size, err);
        }
        free(names[i]);
    }
    free(names);
    if (rc == DR_OK && lines.failed) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory for the digest of a backup");
    }
    if (rc == DR_OK && syncs && !sync_path(path)) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot make '%s' durable", path);
    }
    if (rc == DR_OK) {
        dr_sha256((struct dr_bytes){.data = (const uint8_t *)lines.data, .len = lines.len},
                  out_sha256);
        *out_size = size;
    }
    dr_buf_fini(&lines);
    return rc;
}

bool
dr_backup_remove_path(const char *path)
{
    return is_folder(path) ? dr_dir_remove(path, NULL) == DR_OK : unlink(path) == 0;
}

static uint64_t
add_size(const struct stat *st, int64_t *changed)
{
    *changed = (int64_t)st->st_ctime > *changed ? (int64_t)st->st_ctime : *changed;
    return (uint64_t)st->st_size;
}

uint64_t
dr_backup_size(const char *path, int64_t *out_changed)
{
    struct stat st;
    int64_t changed = 0;
    uint64_t bytes = 0;
    DIR *dir = is_folder(path) ? opendir(path) : NULL;
    if (dir == NULL && stat(path, &st) == 0) {
        bytes = add_size(&st, &changed);
    }
    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        bool is_file = e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0;
        bytes += is_file ? add_size(&st, &changed) : 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (out_changed != NULL) {
        *out_changed = changed;
    }
    return bytes;
}
