// Backup jobs: what can be done with backups that lie there, by an order or by hand on the agent's
// host. Nothing here touches a target.
#ifndef DR_AGENT_BACKUP_JOB_H
#define DR_AGENT_BACKUP_JOB_H

#include "base/attr.h"
#include "base/err.h"
#include "engine/backup_folder.h"
#include "engine/backup_restore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Orders are not signed: whoever gives them must not fill the disk with what has to stay.
#define DR_BACKUP_ORDERED_HOUR 6u  // of one target, within an hour
#define DR_BACKUP_ORDERED_MAX  24u // of one target, whose time is not over

struct dr_backup_job {
    const char *target;         // "production/orders"
    const char *folder;         // of the backups
    const char *pg_bindir;      // NULL: looked for
    const char *restore_server; // URL; NULL: a private server
    const uint8_t *sha256;      // which backup, 32 bytes; NULL: the newest
    int cancel_fd;
    uint64_t timeout_ms; // for each step; 0: 4 h
    // Of the configuration, and what they are told; of a backup that a command made only these
    // verify, restore and remove it.
    struct dr_backup_commands commands;
    struct dr_arena *arena; // for what is found
};

// In the job's arena.
struct dr_backup_done {
    Drover__V1__Attestation *note; // of the backup, with its new restore level; NULL: not known
    bool is_newest;
    char *detail; // what was found, for people; NULL: nothing
    size_t removed;
};

// What commands are told as DROVER_DATABASE: the file, or the database that the URL names ("": it
// names none). In the arena; NULL when that is full.
const char *dr_backup_job_database(const char *url, struct dr_arena *arena);
// Options for the engine, which borrow the job; `name` (160 bytes) lends the target's name.
struct dr_backup_options dr_backup_job_options(const struct dr_backup_job *job, char name[160]);
struct dr_backup_restore_options dr_backup_job_restore(const struct dr_backup_job *job);

// May one more be taken by an order at `now` (unix seconds)? DR_E_BACKUP_TOO_MANY, and errors of
// dr_backup_list.
DR_MUST_CHECK enum dr_rc
dr_backup_job_may_take(const struct dr_backup_job *job, int64_t now, struct dr_err *err);

// Each finds the backup first: DR_E_NOT_FOUND when there is none, or nothing was noted about it.
// A backup that is found bad is an error, and its note says RESTORE_NONE from then on.
//
// Reads it back: size, digest, contents.
DR_MUST_CHECK enum dr_rc dr_backup_job_verify(const struct dr_backup_job *job,
                                              struct dr_backup_done *out, struct dr_err *err);
// Restores it into a throw-away database and reads every row.
DR_MUST_CHECK enum dr_rc dr_backup_job_restore_test(const struct dr_backup_job *job,
                                                    struct dr_backup_done *out, struct dr_err *err);
// Removes the named one, or all whose time is over; never the newest. DR_E_BACKUP_KEPT with the
// date for one whose time is not over, DR_E_BACKUP_NO_COMMAND when only a command could.
DR_MUST_CHECK enum dr_rc dr_backup_job_prune(const struct dr_backup_job *job,
                                             struct dr_backup_done *out, struct dr_err *err);

#endif
