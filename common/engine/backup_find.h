// What kind of backup a path names, for those that nobody noted anything about.
#ifndef DR_ENGINE_BACKUP_FIND_H
#define DR_ENGINE_BACKUP_FIND_H

#include "engine/backup.h"

// Looks at `path`: a file of pg_dump -Fc, a folder of pg_dump -Fd, or a copy of a SQLite file. Size
// and digest are those of now. For PostgreSQL a pg_restore that reads it is looked for in `bindir`
// (NULL: PG_BIN of the environment, Debian's folders from the oldest on, PATH), and says of what
// server it is. Blocks for as long as the backup takes to be read once. DR_E_NOT_FOUND,
// DR_E_INVALID (no backup, or not whole), DR_E_BACKUP_TOOL, DR_E_IO, DR_E_INTERRUPTED.
DR_MUST_CHECK enum dr_rc dr_backup_find(const char *path, const char *bindir, int cancel_fd,
                                        struct dr_backup *out, struct dr_err *err);

#endif
