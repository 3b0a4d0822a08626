// Scratch: a throw-away database in which a chain is built from nothing, to know what schema it
// makes. It is gone when it is closed.
#ifndef DR_ENGINE_SCRATCH_H
#define DR_ENGINE_SCRATCH_H

#include "engine/run.h"

#include <limits.h>

struct dr_pg;

// `{0}` is closed.
struct dr_scratch {
    char *url;         // of the scratch database
    char *made_from;   // PostgreSQL: URL by which the database was made and is dropped; NULL: it
                       // was named by a person, and is left
    char database[40]; // PostgreSQL: its name
    struct dr_pg *session; // PostgreSQL: in it, so that everybody sees that it is in use
    char folder[PATH_MAX]; // SQLite: the folder of its file
    int lock;              // SQLite: descriptor + 1 that keeps others from sweeping it; 0: none
};

// Beside `url`: SQLite's in a folder of its own below TMPDIR (without it /dev/shm, where nobody
// waits for a disk, or /tmp), PostgreSQL's as a new database of the
// same server; with `named` (may be NULL) in that empty database instead. What processes that were
// killed left is removed first: SQLite's folders that nobody holds, and this role's databases of
// such a name that are older than an hour and that nobody is connected to. DR_E_DB_PRIVILEGE with
// the option to type when the role may not create a database; DR_E_EXISTS when the named one is not
// empty; DR_E_IO, DR_E_NOMEM, connection errors.
DR_MUST_CHECK enum dr_rc
dr_scratch_open(const char *url, const char *named, struct dr_scratch *out, struct dr_err *err);
// Drops what was made, whoever is still connected to it. Says nothing when that fails: the name
// drover_scratch_* tells what it is, and a later open removes it.
void dr_scratch_close(struct dr_scratch *scratch);

// Runs `job` (UP, from nothing; without a plan nothing runs) in it; `environment` and `schema` as
// in the real one (may be NULL).
// `*out` is the schema that it made: only fingerprint and fingerprint_text are to be read. Errors
// of dr_engine_run.
DR_MUST_CHECK enum dr_rc
dr_scratch_build(const struct dr_scratch *scratch, const struct dr_engine_job *job,
                 const char *environment, const char *schema, struct dr_arena *arena,
                 struct dr_engine_state *out, struct dr_err *err);

#endif
