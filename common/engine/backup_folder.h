// The backups that lie in a folder: each with what was noted beside it. A note is a packed
// Attestation (kind BACKUP) that nobody signed: it is read on its own host only.
#ifndef DR_ENGINE_BACKUP_FOLDER_H
#define DR_ENGINE_BACKUP_FOLDER_H

#include "engine/backup.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

#define DR_BACKUPS_MAX 10000u // of one target

// What a backup was taken from, as it stands beside it.
struct dr_backup_source {
    uint64_t size_bytes;         // of the database then; 0: not known
    const char *const *tolerate; // what the noted fingerprint left out
    size_t tolerate_count;
    bool is_ordered; // by an order that nobody signs, not for a rollout
};

struct dr_backup_kept {
    const char *location;
    int64_t keep_until; // unix seconds; 0: no promise stands beside it, so nobody removes it
    const Drover__V1__Attestation *note; // its `backup` is there; NULL: none, or not readable
    struct dr_backup_source source;      // all 0: nothing stands beside it
};

// A target's name as it stands in its backups' file names. `out` has `out_size` bytes.
void dr_backup_target_name(const char *target, char *out, size_t out_size);

// Writes "<location>.note", durable: `note->backup` and what the target was then. DR_E_IO and its
// like, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_backup_note(const Drover__V1__Attestation *note, struct dr_err *err);

// Writes "<backup>.from", durable. DR_E_IO and its like, DR_E_NOMEM, DR_E_INVALID (a pattern of
// more than one line).
DR_MUST_CHECK enum dr_rc
dr_backup_note_source(const struct dr_backup *backup, const struct dr_backup_source *source,
                      struct dr_err *err);

// This target's backups in `options->folder`, the newest first, in the arena. A folder that is not
// there has none. DR_E_IO, DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_backup_list(const struct dr_backup_options *options, struct dr_arena *arena,
               struct dr_backup_kept **out, size_t *out_n, struct dr_err *err);

// What `record` tells, to be verified or restored. False when it is too long for that.
DR_MUST_CHECK bool
dr_backup_of_record(const Drover__V1__BackupRecord *record, struct dr_backup *out);

// Removes one whose promise is over at `now`, with all that stands beside it. DR_E_BACKUP_KEPT with
// the date before that and for one without promise; DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_backup_remove(const struct dr_backup_kept *kept, int64_t now, struct dr_err *err);

#endif
