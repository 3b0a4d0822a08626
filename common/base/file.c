// Files. Durable writes follow the usual order: temporary file, fsync, rename, fsync of the folder.

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_PIECE 65536u

bool
dr_fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool
dr_fd_read_all(int fd, void *bytes, size_t len)
{
    char *p = bytes;
    while (len > 0) {
        ssize_t n = read(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static enum dr_rc
open_error(struct dr_err *err, const char *path)
{
    enum dr_rc rc = errno == ENOENT || errno == ENOTDIR ? DR_E_NOT_FOUND
                    : errno == EACCES || errno == EPERM ? DR_E_PERMISSION
                                                        : DR_E_IO;
    return dr_err_errno(err, rc, errno, "'%s' cannot be read", path);
}

// Reads until the end or one byte over the limit.
static enum dr_rc
read_open(int fd, const char *path, size_t max_bytes, char **out, size_t *out_len,
          struct dr_err *err)
{
    size_t cap = 4096;
    size_t len = 0;
    char *data = malloc(cap);
    for (;;) {
        if (data == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory while reading '%s'", path);
        }
        ssize_t n = read(fd, data + len, cap - len - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            free(data);
            return dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be read", path);
        }
        len += (size_t)n;
        if (len > max_bytes) {
            free(data);
            return dr_err_set(err, DR_E_LIMIT, "'%s' is longer than %zu bytes", path, max_bytes);
        }
        if (n == 0) {
            break;
        }
        if (len + 1 == cap) {
            cap *= 2;
            char *grown = realloc(data, cap);
            if (grown == NULL) {
                free(data);
            }
            data = grown;
        }
    }
    data[len] = '\0';
    *out = data;
    *out_len = len;
    return DR_OK;
}

enum dr_rc
dr_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len, struct dr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return open_error(err, path);
    }
    enum dr_rc rc = read_open(fd, path, max_bytes, out, out_len, err);
    close(fd);
    return rc;
}

// Opens the folder that a path is in; -1 when it cannot be opened.
static int
open_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? snprintf(folder, sizeof(folder), ".")
                          : snprintf(folder, sizeof(folder), "%.*s",
                                     slash == path ? 1 : (int)(slash - path), path);
    return n > 0 && n < (int)sizeof(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static bool
is_own(int fd, mode_t type)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && st.st_uid == geteuid();
}

enum dr_rc
dr_file_read_own(const char *path, size_t max_bytes, char **out, size_t *out_len,
                 struct dr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return open_error(err, path);
    }
    int folder = open_folder_of(path);
    enum dr_rc rc =
        is_own(folder, S_IFDIR) && is_own(fd, S_IFREG)
            ? read_open(fd, path, max_bytes, out, out_len, err)
            : dr_err_set(err, DR_E_PERMISSION, "'%s' may have been written by another user", path);
    if (folder >= 0) {
        close(folder);
    }
    close(fd);
    return rc;
}

static bool
sync_folder_of(const char *path)
{
    int fd = open_folder_of(path);
    if (fd < 0) {
        return false;
    }
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

static enum dr_rc
fill_and_sync(int fd, const char *path, const void *bytes, size_t len, struct dr_err *err)
{
    if (!dr_fd_write_all(fd, bytes, len) || fsync(fd) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be written", path);
    }
    return DR_OK;
}

enum dr_rc
dr_file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct dr_err *err)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (n < 0 || n >= (int)sizeof(temporary)) {
        return dr_err_set(err, DR_E_LIMIT, "the path '%.100s...' is too long", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return dr_err_errno(err, errno == EACCES ? DR_E_PERMISSION : DR_E_IO, errno,
                            "'%s' cannot be written", path);
    }
    enum dr_rc rc = fchmod(fd, mode) == 0
                        ? fill_and_sync(fd, path, bytes, len, err)
                        : dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be written", path);
    close(fd);
    if (rc == DR_OK && (rename(temporary, path) != 0 || !sync_folder_of(path))) {
        rc = dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be written", path);
    }
    if (rc != DR_OK) {
        unlink(temporary);
    }
    return rc;
}

enum dr_rc
dr_file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct dr_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        enum dr_rc rc = errno == EEXIST ? DR_E_EXISTS : errno == EACCES ? DR_E_PERMISSION : DR_E_IO;
        return dr_err_errno(err, rc, errno, "'%s' cannot be made", path);
    }
    enum dr_rc rc = fill_and_sync(fd, path, bytes, len, err);
    close(fd);
    if (rc == DR_OK && !sync_folder_of(path)) {
        rc = dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be written", path);
    }
    if (rc != DR_OK) {
        unlink(path);
    }
    return rc;
}

enum dr_rc
dr_file_sync_folder(const char *path, struct dr_err *err)
{
    return sync_folder_of(path)
               ? DR_OK
               : dr_err_errno(err, DR_E_IO, errno, "the folder of '%s' cannot be flushed", path);
}

enum dr_rc
dr_dir_make(const char *path, mode_t mode, struct dr_err *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(part)) {
        return dr_err_set(err, DR_E_LIMIT, "the path '%.100s' is empty or too long", path);
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            enum dr_rc rc =
                errno == EACCES || errno == EPERM || errno == EROFS ? DR_E_PERMISSION : DR_E_IO;
            return dr_err_errno(err, rc, errno, "the folder '%s' cannot be made", part);
        }
        part[i] = i < len ? '/' : '\0';
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return dr_err_set(err, DR_E_IO, "'%s' is no folder", path);
    }
    return DR_OK;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

enum dr_rc
dr_dir_remove(const char *path, struct dr_err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT) {
        return dr_err_errno(err, DR_E_IO, errno, "the folder '%s' cannot be removed", path);
    }
    return DR_OK;
}

bool
dr_path_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

enum dr_rc
dr_file_check_private(const char *path, struct dr_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return open_error(err, path);
    }
    if ((st.st_mode & 077) != 0) {
        (void)dr_err_set(err, DR_E_PERMISSION, "'%s' may be read by others (mode %04o)", path,
                         (unsigned)(st.st_mode & 07777));
        (void)dr_err_hint(err, "chmod 600 '%s'", path);
        return DR_E_PERMISSION;
    }
    if (st.st_uid != geteuid()) {
        (void)dr_err_set(err, DR_E_PERMISSION, "'%s' belongs to another user (uid %u)", path,
                         (unsigned)st.st_uid);
        (void)dr_err_hint(err, "chown %u '%s'", (unsigned)geteuid(), path);
        return DR_E_PERMISSION;
    }
    return DR_OK;
}

enum dr_rc
dr_file_lock(const char *path, int *out_fd, struct dr_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return dr_err_errno(err, errno == EACCES ? DR_E_PERMISSION : DR_E_IO, errno,
                            "'%s' cannot be opened", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int reason = errno;
        close(fd);
        return reason == EWOULDBLOCK
                   ? dr_err_set(err, DR_E_CONFLICT, "another process holds '%s'", path)
                   : dr_err_errno(err, DR_E_IO, reason, "'%s' cannot be locked", path);
    }
    *out_fd = fd;
    return DR_OK;
}

enum dr_rc
dr_file_sha256(const char *path, uint8_t out[32], uint64_t *out_size, struct dr_err *err)
{
    crypto_hash_sha256_state state;
    uint8_t piece[HASH_PIECE];
    uint64_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return open_error(err, path);
    }
    crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int reason = errno;
            close(fd);
            return dr_err_errno(err, DR_E_IO, reason, "'%s' cannot be read", path);
        }
        if (n == 0) {
            break;
        }
        crypto_hash_sha256_update(&state, piece, (unsigned long long)n);
        size += (uint64_t)n;
    }
    close(fd);
    crypto_hash_sha256_final(&state, out);
    if (out_size != NULL) {
        *out_size = size;
    }
    return DR_OK;
}
