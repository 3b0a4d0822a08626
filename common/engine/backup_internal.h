// Inside the backup only: the file that is being made.
#ifndef DR_ENGINE_BACKUP_INTERNAL_H
#define DR_ENGINE_BACKUP_INTERNAL_H

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

// backup_pg.c: reads an archive of pg_dump back: its list always, all its data if `with_data`.
DR_MUST_CHECK enum dr_rc
dr_backup_check_archive(const char *path, const char *bindir, bool with_data,
                        const struct dr_db_wait *wait, uint32_t *out_entries, struct dr_err *err);
// backup_sqlite.c
DR_MUST_CHECK enum dr_rc dr_backup_check_sqlite(const char *path, const struct dr_db_wait *wait,
                                                uint32_t *out_entries, struct dr_err *err);

#endif
