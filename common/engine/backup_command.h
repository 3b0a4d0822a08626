// Backups that a configured command makes and looks after: pgBackRest, WAL-G, a script. What it
// prints is kept as a file in the backup folder; that file stands for the backup in lists, promises
// and signed records.
//
// A command is started without a shell, with these variables and no others but PATH, LANG and HOME:
// DROVER_TARGET, DROVER_ENVIRONMENT, DROVER_DATABASE, to take one also DROVER_KEEP_UNTIL (unix
// seconds), to look after one DROVER_BACKUP (its id).
#ifndef DR_ENGINE_BACKUP_COMMAND_H
#define DR_ENGINE_BACKUP_COMMAND_H

#include "engine/backup.h"
#include "engine/backup_evidence.h"

#include <stdbool.h>

// Exit code of a command that could not look now; any other but 0 is a word against the backup.
#define DR_BACKUP_COMMAND_NOT_NOW 75

// Does a record's `tool` name such a backup?
bool dr_backup_is_by_command(const char *tool);

// Runs `options->commands->take` and keeps its evidence in `options->folder`. `out->location` is
// the evidence's file, `out->sha256` the backup's digest where the tool has one, else that of the
// evidence. DR_E_BACKUP_FAILED (the command's own last words), DR_E_BACKUP_EVIDENCE,
// DR_E_BACKUP_EMPTY, DR_E_BACKUP_OTHER (of another cluster, or older than this call),
// DR_E_BACKUP_KEPT (not long enough), DR_E_BACKUP_NO_COMMAND, DR_E_TIMEOUT, DR_E_INTERRUPTED,
// DR_E_NOT_FOUND, DR_E_IO. On failure no file is left here.
DR_MUST_CHECK enum dr_rc
dr_backup_command_take(const struct dr_backup_options *options, struct dr_backup *out,
                       struct dr_backup_evidence *out_evidence, struct dr_err *err);

// Reads the evidence of a backup again: DR_E_BACKUP_GONE when it is not there, or when it names an
// absolute path where nothing is; DR_E_BACKUP_CHANGED when it is not what was recorded.
DR_MUST_CHECK enum dr_rc
dr_backup_command_check(const struct dr_backup *backup, struct dr_backup_evidence *out,
                        struct dr_err *err);

// Each checks the evidence, then runs its command. DR_E_BACKUP_NO_COMMAND when none is configured,
// DR_E_BACKUP_FAILED when it says that the backup is bad, DR_E_BACKUP_NOT_NOW when it could not
// look.
DR_MUST_CHECK enum dr_rc
dr_backup_command_verify(const struct dr_backup *backup, const struct dr_backup_options *options,
                         struct dr_err *err);
// `out->restore_level` and `out->detail` are what it proved.
DR_MUST_CHECK enum dr_rc
dr_backup_command_restore(const struct dr_backup *backup, const struct dr_backup_options *options,
                          struct dr_backup_evidence *out, struct dr_err *err);
// Has the tool remove it; the evidence here is the caller's to remove then.
DR_MUST_CHECK enum dr_rc
dr_backup_command_prune(const struct dr_backup *backup, const struct dr_backup_options *options,
                        struct dr_err *err);

#endif
