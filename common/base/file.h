// Files: whole reads with a limit, atomic durable writes, folders, exclusive locks.
#ifndef DR_BASE_FILE_H
#define DR_BASE_FILE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Reads all of `path` into a new buffer (freed with free(); a NUL stands behind it, not counted).
// DR_E_LIMIT when it is longer than `max_bytes`, DR_E_NOT_FOUND, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_file_read(const char *path, size_t max_bytes, char **out, size_t *out_len, struct dr_err *err);

// Writes `path` so that after any crash either the old or the new content is there: temporary file
// in the same folder, fsync, rename, fsync of the folder. `mode` as for open(2).
DR_MUST_CHECK enum dr_rc
dr_file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct dr_err *err);

// Makes a new file with O_EXCL | O_NOFOLLOW; DR_E_EXISTS if there is one.
DR_MUST_CHECK enum dr_rc
dr_file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct dr_err *err);

// Makes the names in the folder of `path` durable: what was made, renamed or removed there.
// DR_E_IO.
DR_MUST_CHECK enum dr_rc dr_file_sync_folder(const char *path, struct dr_err *err);

// mkdir -p with `mode` for the new ones.
DR_MUST_CHECK enum dr_rc dr_dir_make(const char *path, mode_t mode, struct dr_err *err);
// Removes a folder with all that is in it, not following links. Only for folders that drover made.
DR_MUST_CHECK enum dr_rc dr_dir_remove(const char *path, struct dr_err *err);
bool dr_path_exists(const char *path);

// Refuses a file that group or others may read or that another user owns: DR_E_PERMISSION with the
// chmod to type.
DR_MUST_CHECK enum dr_rc dr_file_check_private(const char *path, struct dr_err *err);

// Reads a file that nobody but this user can have written: a plain file of this user's, writable
// for nobody else, in a folder of which the same is true. DR_E_PERMISSION where it is not so, and
// as dr_file_read.
DR_MUST_CHECK enum dr_rc dr_file_read_own(const char *path, size_t max_bytes, char **out,
                                          size_t *out_len, struct dr_err *err);

// Takes an exclusive lock on `path` (made if missing), without waiting: DR_E_CONFLICT when another
// process holds it.
// `*out_fd` keeps it until closed.
DR_MUST_CHECK enum dr_rc dr_file_lock(const char *path, int *out_fd, struct dr_err *err);

// SHA-256 and size of a file, read in pieces.
DR_MUST_CHECK enum dr_rc
dr_file_sha256(const char *path, uint8_t out[32], uint64_t *out_size, struct dr_err *err);

// Sequence of complete writes and reads on a descriptor, EINTR handled. False on error or end.
DR_MUST_CHECK bool dr_fd_write_all(int fd, const void *bytes, size_t len);
DR_MUST_CHECK bool dr_fd_read_all(int fd, void *bytes, size_t len);

#endif
