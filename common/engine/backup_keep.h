// Retention: until when a backup must stay, written beside it, and the removal of those that need
// not stay any longer. What has no such promise beside it is somebody's, and is left alone.
#ifndef DR_ENGINE_BACKUP_KEEP_H
#define DR_ENGINE_BACKUP_KEEP_H

#include "engine/backup.h"

#include <stddef.h>

#define DR_BACKUP_STALE_S 86400 // a file of a backup that was cut off is removed after this

// Writes "<location>.keep", durable: the backup stays until `keep_until` (unix seconds) at least.
// DR_E_IO and its like.
DR_MUST_CHECK enum dr_rc
dr_backup_keep(const struct dr_backup *backup, int64_t keep_until, struct dr_err *err);

// After `newest` was taken and promised: removes this target's other backups in
// `options->folder` whose promise is over at `now`, with their promise, and what backups that were
// cut off left more than DR_BACKUP_STALE_S ago. Never `newest`, never what is younger than it, and
// not what a command made: that is its command's to remove.
// `*out_removed` is how many backups went. Errors: of the folder (DR_E_IO); a file that cannot be
// removed is the error after all others were tried.
DR_MUST_CHECK enum dr_rc
dr_backup_prune(const struct dr_backup_options *options, const struct dr_backup *newest,
                int64_t now, size_t *out_removed, struct dr_err *err);

// Removes a backup that was just taken and is not wanted, with what stands beside it.
void dr_backup_drop(const struct dr_backup *backup);

#endif
