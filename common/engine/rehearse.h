// Rehearsal: a plan on a throw-away copy of a target, there, back and there again, to know before
// anybody approves whether it goes, whether its way back gives the schema from before, what it
// locks and how long it takes. The copy holds the schema alone, or a backup with its rows; for
// PostgreSQL it is in a private server (engine/cluster.h), never on the target's.
#ifndef DR_ENGINE_REHEARSE_H
#define DR_ENGINE_REHEARSE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "engine/backup.h"
#include "engine/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_REHEARSE_DIFF_LINES 40u

enum dr_rehearse_stage {
    DR_REHEARSE_COPY = 1,  // the copy is made
    DR_REHEARSE_THERE = 2, // the plan's direction
    DR_REHEARSE_BACK = 3,
    DR_REHEARSE_AGAIN = 4,
    DR_REHEARSE_ESTIMATE = 5, // the target is asked how large its tables are
};

struct dr_rehearse_options {
    const char *url;             // the target's; NULL: none, which needs a backup
    const char *schema;          // these as struct dr_engine_options has them
    const char *tenant;          //
    const char *environment;     //
    const char *const *tolerate; // the same: patterns that fingerprints leave out
    size_t tolerate_count;
    // Its rows are in the copy, too. Location, digest and size of it are needed, and for PostgreSQL
    // the server's version; NULL: the schema alone.
    const struct dr_backup *backup;
    const char *const *roles; // that a backup's server is to have besides; ends with NULL. NULL:
                              // none
    const char *pg_bindir; // programs of a PostgreSQL server; NULL: those of the target's version
    uint64_t timeout_ms;   // for all of it; 0: 1 h
    int cancel_fd;         // readable: stop, DR_E_INTERRUPTED; <= 0: none
    // `at`: NULL when a stage begins.
    void (*progress)(void *arg, enum dr_rehearse_stage stage, const struct dr_engine_progress *at);
    void *progress_arg;
};

// A table that was there before the plan and that a unit locks.
struct dr_rehearsed_table {
    const char *table; // "public.users"
    const char *lock;  // strongest; "AccessExclusiveLock". SQLite: "EXCLUSIVE"
    bool is_rewritten;
    bool is_known;       // the target has it: rows and bytes are of its statistics
    uint64_t rows;       // SQLite: counted
    uint64_t size_bytes; // with indexes; SQLite: 0
};

// A unit of the first way there, or of the way back.
struct dr_rehearsed_unit {
    const char *revision_id;
    uint8_t revision_digest[32], unit_digest[32];
    Drover__V1__Mode mode; // UP or DOWN
    uint64_t duration_ms;
    size_t statements;
    size_t tables_count;
    struct dr_rehearsed_table *tables; // by name
};

// All in the arena that was given.
struct dr_rehearsal {
    const char *server_version; // of the copy's server: "15.20"
    uint64_t duration_ms;
    uint8_t before[32], there[32], back[32]; // fingerprints of the copy; `back` zero: not gone
    bool has_network;        // what ran on the copy could have reached other machines
    bool went_back;          // false: no way back, or the copy began half-way through a revision
    const char *no_way_back; // id of the revision that has none; "" when all have
    const char *there_text;  // of the fingerprint `there`, what is tolerated too; NULL: not there
    const char *unlike;      // lines: in what the copy differs from the target; "" for nothing
    const char *differences; // lines, with DR_E_REHEARSAL_DIFFERS: the objects; "" for none
    enum dr_rehearse_stage stage; // that it came to
    size_t units_count;
    struct dr_rehearsed_unit *units;
    struct dr_engine_result result; // of the run that was last: what failed, and its checks
    const uint8_t *backup_sha256;   // 32 bytes; NULL: of the schema
};

// Makes the copy, runs what of the plan `state` lacks (UP, PROVE) or holds (DOWN), back, and there
// again, removes the copy. `state`: the target's, with fingerprint; NULL for a backup without a
// target. Nothing is written to the target. `*out` is filled also on failure, as far as it came.
// Blocks. Errors: DR_E_REHEARSAL_DIFFERS (the way back does not give the schema from before, or
// going again does not give what the first way gave), DR_E_REHEARSAL_COPY (the copy cannot be made:
// an extension, a server of that version), DR_E_NOT_FOUND (no server's programs), DR_E_TIMEOUT,
// DR_E_INTERRUPTED, and those of dr_engine_run.
DR_MUST_CHECK enum dr_rc
dr_rehearse(const struct dr_rehearse_options *options, const struct dr_engine_job *job,
            const struct dr_engine_state *state, struct dr_arena *arena, struct dr_rehearsal *out,
            struct dr_err *err);

// For documents, in the arena; NULL when that is full.
Drover__V1__Rehearsal *
dr_rehearsal_message(const struct dr_rehearsal *rehearsal, struct dr_arena *arena);

// "there", "back": what people call a stage of a plan in that mode ("up", "down", "up again").
const char *dr_rehearse_stage_word(enum dr_rehearse_stage stage, Drover__V1__Mode mode);

#endif
