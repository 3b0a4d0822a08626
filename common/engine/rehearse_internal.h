// What the files of a rehearsal share. Nobody else includes this.
#ifndef DR_ENGINE_REHEARSE_INTERNAL_H
#define DR_ENGINE_REHEARSE_INTERNAL_H

#include "db/db.h"
#include "engine/backup_restore.h"
#include "engine/cluster.h"
#include "engine/rehearse.h"
#include "engine/scratch.h"

#define DR_REHEARSE_SHORT_MS 30000 // connecting, and each of our own statements

// A copy. `{0}` is none.
struct dr_copy {
    struct dr_cluster *cluster;      // PostgreSQL
    struct dr_scratch scratch;       // SQLite
    struct dr_backup_copy *restored; // SQLite, a whole backup: in a folder beside it
    const char *url;                 // in the arena
};

// What is left of the rehearsal's time, and who may interrupt.
struct dr_db_wait dr_rehearse_wait(int64_t deadline_ms, int cancel_fd);

// rehearse_copy_pg.c, rehearse_copy_sqlite.c: `copy` is to be closed also after a failure.
DR_MUST_CHECK enum dr_rc
dr_copy_pg(struct dr_copy *copy, const struct dr_rehearse_options *options, bool has_ledger,
           int64_t deadline_ms, struct dr_arena *arena, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_copy_sqlite(struct dr_copy *copy, const struct dr_rehearse_options *options,
               struct dr_arena *arena, struct dr_err *err);

// rehearse_estimate.c: rows and bytes of the units' tables, from the target (or from the copy of a
// backup): `url`.
DR_MUST_CHECK enum dr_rc
dr_rehearse_estimate(struct dr_rehearsal *rehearsal, const char *url, int64_t deadline_ms,
                     int cancel_fd, struct dr_err *err);

#endif
