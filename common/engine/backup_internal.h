// Inside the backup only: the file that is being made.
#ifndef DR_ENGINE_BACKUP_INTERNAL_H
#define DR_ENGINE_BACKUP_INTERNAL_H

#include "base/str.h"
#include "db/db.h"
#include "engine/backup.h"

#include <stdbool.h>

#define DR_BACKUP_TIMEOUT_MS (4ull * 3600 * 1000)
#define DR_BACKUP_OUTPUT_MAX                                                                       \
    (16u * 1048576u) // of a tool: pg_restore --list writes a line per object

#define DR_BACKUP_NAME_MAX 100 // bytes of the target's name in the file's name

// The target's name with what a file name should not have replaced.
void dr_backup_plain_name(const char *target, char out[DR_BACKUP_NAME_MAX + 1]);

// The backup under its working name.
struct dr_backup_file {
    char partial[PATH_MAX], final_path[PATH_MAX];
    char folder[PATH_MAX];
};

// The wait that the options ask for, from now.
struct dr_db_wait dr_backup_wait(const struct dr_backup_options *options);
// Milliseconds that are left; at least 1.
uint64_t dr_backup_left_ms(const struct dr_db_wait *wait);

// Makes the folder and the empty working file (0600) beside a final name that is free.
// DR_E_BACKUP_SPACE when less than `needed_bytes` are free there.
DR_MUST_CHECK enum dr_rc
dr_backup_begin(const struct dr_backup_options *options, const char *suffix, uint64_t needed_bytes,
                struct dr_backup_file *out, struct dr_err *err);
// Size, digest, times; renames, makes it durable. DR_E_BACKUP_EMPTY.
DR_MUST_CHECK enum dr_rc
dr_backup_finish(const struct dr_backup_file *file, struct dr_backup *backup, struct dr_err *err);
void dr_backup_abandon(const struct dr_backup_file *file);

// DR_E_BACKUP_SPACE when less than that (and some to spare) is free in `folder`.
DR_MUST_CHECK enum dr_rc
dr_backup_check_space(const char *folder, uint64_t needed_bytes, struct dr_err *err);

// What stands beside a backup under its name.
#define DR_BACKUP_ROWS_SUFFIX ".rows" // "COUNT TABLE" lines, by name
#define DR_BACKUP_NOTE_SUFFIX ".note" // a packed Attestation: backup_folder.h
#define DR_BACKUP_KEEP_SUFFIX ".keep" // until when it stays
#define DR_BACKUP_FROM_SUFFIX ".from" // what it was taken from: backup_folder.h
#define DR_BACKUP_ROWS_MAX    (16u * 1048576u)

// backup_digest.c: of a file its SHA-256 and size; of a folder the SHA-256 of the lines "NAME SIZE
// SHA256" of its files, by name, and their size together. `syncs`: makes all of it durable.
DR_MUST_CHECK enum dr_rc dr_backup_digest(const char *path, bool syncs, uint8_t out_sha256[32],
                                          uint64_t *out_size, struct dr_err *err);
// Bytes that a file or the files of a folder have by now; 0 when it is not there. `out_changed`
// (NULL: nobody asks) is when one of them last changed, in contents or status.
uint64_t dr_backup_size(const char *path, int64_t *out_changed);
// A file, or a folder with its files; false with errno.
bool dr_backup_remove_path(const char *path);

// backup_keep.c: the promise beside a backup, unix seconds; 0: none, or one that is not readable.
int64_t dr_backup_promise(const char *location);
// Is this the name of a backup of the target (as dr_backup_plain_name gives it)?
bool dr_backup_is_of(const char *name, const char *plain_target);
// The backup and all that stands beside it; false with errno.
bool dr_backup_remove_all(const char *location);

// backup_rows.c: appends a line for each table to `out`, in the caller's transaction. `reads_all`:
// also every value is read.
struct dr_pg;
struct dr_sqlite;
DR_MUST_CHECK enum dr_rc
dr_backup_rows_pg(struct dr_pg *pg, bool reads_all, const struct dr_db_wait *wait,
                  struct dr_buf *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_backup_rows_sqlite(struct dr_sqlite *db, struct dr_buf *out, struct dr_err *err);
// Writes them beside a backup. DR_E_IO and its like.
DR_MUST_CHECK enum dr_rc
dr_backup_rows_write(const char *location, const struct dr_buf *rows, struct dr_err *err);
// Compares `rows` with what stands beside the backup: DR_E_BACKUP_OTHER with the first table that
// differs. `*out_is_compared` false: nothing stands there.
DR_MUST_CHECK enum dr_rc dr_backup_rows_compare(const char *location, const struct dr_buf *rows,
                                                bool *out_is_compared, struct dr_err *err);

// backup_pg.c: reads an archive of pg_dump back, by programs at least as new as that one: its list
// always, all its data if `with_data`.
struct dr_backup_tools;
DR_MUST_CHECK enum dr_rc
dr_backup_check_archive(const char *path, const struct dr_backup_tools *tools, bool with_data,
                        const struct dr_db_wait *wait, uint32_t *out_entries, struct dr_err *err);
// backup_sqlite.c
DR_MUST_CHECK enum dr_rc dr_backup_check_sqlite(const char *path, const struct dr_db_wait *wait,
                                                uint32_t *out_entries, struct dr_err *err);

#endif
