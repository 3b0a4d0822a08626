// SQLite backend: blobs as files `blobs/HEX` in the state folder; an upload grows `blobs/HEX.part`,
// piece by piece, each flushed before it is acknowledged, and gets its name when its digest is
// right.
#include "coordinator/core/store_sqlite.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "trust/try.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
folder_of(struct dr_store *store)
{
    return ((struct dr_store_sqlite *)(void *)store)->folder;
}

static void
blob_path(struct dr_store *store, const uint8_t *sha256, const char *suffix,
          char out[DR_STORE_PATH_MAX])
{
    char hex[65];

    dr_hex(hex, sha256, 32);
    (void)snprintf(out, DR_STORE_PATH_MAX, "%s/blobs/%s%s", folder_of(store), hex, suffix);
}

static enum dr_rc
sync_folder(struct dr_store *store, struct dr_err *err)
{
    char path[DR_STORE_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/blobs", folder_of(store));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int saved = errno;

        if (fd >= 0) {
            close(fd);
        }
        return dr_err_errno(err, DR_E_STORE, saved, "cannot flush folder '%s'", path);
    }
    close(fd);
    return DR_OK;
}

// The upload is whole: compare, then give it its name.
static enum dr_rc
finish_upload(struct dr_store *store, const uint8_t *sha256, struct dr_err *err)
{
    char part[DR_STORE_PATH_MAX], path[DR_STORE_PATH_MAX];
    uint8_t found[32];
    uint64_t size;

    blob_path(store, sha256, ".part", part);
    blob_path(store, sha256, "", path);
    DR_TRY(dr_file_sha256(part, found, &size, err));
    if (memcmp(found, sha256, 32) != 0) {
        (void)unlink(part);
        return dr_err_set(err, DR_E_BLOB_DIGEST,
                          "the blob's bytes do not have the digest that names it");
    }
    if (DR_FAILPOINT("core-blob-before") || rename(part, path) != 0) {
        return dr_err_errno(err, DR_E_STORE, errno, "cannot rename '%s'", part);
    }
    (void)DR_FAILPOINT("core-blob-after");
    return sync_folder(store, err);
}

// Appends at the end of the part that is there; `*out_size` is what it has then.
static enum dr_rc
append_piece(struct dr_store *store, const char *part, uint64_t offset, struct dr_bytes piece,
             uint64_t *out_size, struct dr_err *err)
{
    struct stat st;
    bool is_first = access(part, F_OK) != 0;
    int fd = open(part, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum dr_rc rc = DR_OK;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = dr_err_errno(err, DR_E_STORE, errno, "cannot open '%s'", part);
        goto out;
    }
    *out_size = (uint64_t)st.st_size;
    if (offset != *out_size) {
        goto out; // a repeated or early piece: the caller is told where to go on
    }
    if (lseek(fd, (off_t)offset, SEEK_SET) < 0 || !dr_fd_write_all(fd, piece.data, piece.len) ||
        fdatasync(fd) != 0) {
        int saved = errno;

        (void)!ftruncate(fd, (off_t)offset);
        rc = dr_err_errno(err, DR_E_STORE, saved, "cannot write '%s'", part);
        goto out;
    }
    *out_size += piece.len;
    if (is_first) {
        rc = sync_folder(store, err);
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

enum dr_rc
dr_store_sqlite_blob_put(struct dr_store *store, const uint8_t *sha256, uint64_t offset,
                         uint64_t total, struct dr_bytes piece, uint64_t *out_received,
                         bool *out_complete, struct dr_err *err)
{
    char path[DR_STORE_PATH_MAX];
    struct stat st;
    uint64_t size = 0;

    if (piece.len > DR_BLOB_PIECE_MAX || total > DR_BLOB_MAX || offset > total ||
        piece.len > total - offset) {
        return dr_err_set(err, DR_E_LIMIT,
                          "a blob of %" PRIu64 " bytes, piece %zu at %" PRIu64
                          ": at most %u in pieces of %u",
                          total, piece.len, offset, DR_BLOB_MAX, DR_BLOB_PIECE_MAX);
    }
    blob_path(store, sha256, "", path);
    if (stat(path, &st) == 0) {
        *out_received = (uint64_t)st.st_size;
        *out_complete = true;
        return DR_OK;
    }
    blob_path(store, sha256, ".part", path);
    DR_TRY(append_piece(store, path, offset, piece, &size, err));
    if (size == total) {
        DR_TRY(finish_upload(store, sha256, err));
    }
    *out_received = size;
    *out_complete = size == total;
    return DR_OK;
}

static enum dr_rc
open_blob(struct dr_store *store, const uint8_t *sha256, int *out_fd, uint64_t *out_size,
          struct dr_err *err)
{
    char path[DR_STORE_PATH_MAX], hex[65];
    struct stat st;

    blob_path(store, sha256, "", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        dr_hex(hex, sha256, 32);
        return dr_err_set(err, DR_E_NOT_FOUND, "there is no blob '%.16s'", hex);
    }
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size > DR_BLOB_MAX) {
        close(fd);
        return dr_err_set(err, DR_E_STORE, "blob '%s' cannot be read", path);
    }
    *out_fd = fd;
    *out_size = (uint64_t)st.st_size;
    return DR_OK;
}

static enum dr_rc
read_range(struct dr_store *store, const uint8_t *sha256, uint64_t offset, uint64_t max,
           struct dr_arena *arena, struct dr_bytes *out, uint64_t *out_total, struct dr_err *err)
{
    int fd = -1;
    uint64_t total = 0;

    DR_TRY(open_blob(store, sha256, &fd, &total, err));
    enum dr_rc rc = DR_OK;
    uint64_t len = offset > total ? 0 : total - offset;
    len = len > max ? max : len;
    uint8_t *bytes = dr_arena_alloc(arena, (size_t)len);

    if (offset > total) {
        rc = dr_err_set(err, DR_E_INVALID, "offset %" PRIu64 " is behind the blob's end", offset);
    } else if (bytes == NULL) {
        rc = dr_err_set(err, DR_E_LIMIT,
                        "a blob of %" PRIu64 " bytes is too large for this request", total);
    } else if (lseek(fd, (off_t)offset, SEEK_SET) < 0 || !dr_fd_read_all(fd, bytes, (size_t)len)) {
        rc = dr_err_errno(err, DR_E_STORE, errno, "cannot read a blob");
    }
    close(fd);
    if (rc == DR_OK) {
        *out = (struct dr_bytes){bytes, (size_t)len};
        *out_total = total;
    }
    return rc;
}

enum dr_rc
dr_store_sqlite_blob_get(struct dr_store *store, const uint8_t *sha256, uint64_t offset,
                         struct dr_arena *arena, struct dr_bytes *out_piece, uint64_t *out_total,
                         struct dr_err *err)
{
    return read_range(store, sha256, offset, DR_BLOB_PIECE_MAX, arena, out_piece, out_total, err);
}

enum dr_rc
dr_store_sqlite_blob_read(struct dr_store *store, const uint8_t *sha256, struct dr_arena *arena,
                          struct dr_bytes *out, struct dr_err *err)
{
    uint64_t total;

    return read_range(store, sha256, 0, DR_BLOB_MAX, arena, out, &total, err);
}

void
dr_store_sqlite_blob_drop(struct dr_store *store, const uint8_t *sha256)
{
    char path[DR_STORE_PATH_MAX];

    blob_path(store, sha256, "", path);
    (void)unlink(path);
}

enum dr_rc
dr_store_sqlite_blob_sweep(struct dr_store *store, int64_t now, struct dr_err *err)
{
    char path[DR_STORE_PATH_MAX];
    const struct dirent *entry;

    (void)snprintf(path, sizeof path, "%s/blobs", folder_of(store));
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return dr_err_errno(err, DR_E_STORE, errno, "cannot read folder '%s'", path);
    }
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;

        if (dr_str_ends(entry->d_name, ".part") &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < now - DR_BLOB_PART_KEEP_S) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    closedir(dir);
    return DR_OK;
}
