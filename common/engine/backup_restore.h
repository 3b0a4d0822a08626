// Restoring a backup into a throw-away database: what proves that it is one. Never into a database
// that somebody uses.
#ifndef DR_ENGINE_BACKUP_RESTORE_H
#define DR_ENGINE_BACKUP_RESTORE_H

#include "engine/backup.h"

#include <stdbool.h>
#include <stddef.h>

struct dr_backup_copy; // a throw-away database with a backup in it

struct dr_backup_restore_options {
    const char *pg_bindir; // programs of pg_restore and of the private server; NULL: those of the
                           // backup's major version
    const char *scratch;   // URL of a PostgreSQL server where databases and roles may be made, as
                           // superuser; NULL: a private server that goes with the copy
    unsigned jobs;         // of pg_restore; 0: 1
    uint64_t timeout_ms;   // for all of it; 0: 4 h
    int cancel_fd;         // readable: stop, DR_E_INTERRUPTED; <= 0: none
};

// Restores `backup` into the empty database `url` of a server whose superuser it names; roles that
// lack there are made (NOLOGIN). SQLite: `url` is "sqlite:PATH" of a file that is not there yet.
// The size and digest of the backup are compared before. Blocks. DR_E_BACKUP_CHANGED,
// DR_E_BACKUP_FAILED (the tool's own words; the archive cannot be read), DR_E_BACKUP_NOT_NOW (it
// can, and something else stopped pg_restore), DR_E_BACKUP_TOOL, DR_E_TIMEOUT, DR_E_INTERRUPTED,
// connection errors.
DR_MUST_CHECK enum dr_rc
dr_backup_restore(const struct dr_backup *backup, const char *url,
                  const struct dr_backup_restore_options *options, struct dr_err *err);

// The same into a new throw-away database: for PostgreSQL of a private server of the backup's major
// version (DR_E_BACKUP_TOOL when that is not installed) or of `options->scratch`, for SQLite a
// folder of its own.
DR_MUST_CHECK enum dr_rc
dr_backup_copy_open(const struct dr_backup *backup, const struct dr_backup_restore_options *options,
                    struct dr_backup_copy **out, struct dr_err *err);
// Its URL; lives as long as the copy.
const char *dr_backup_copy_url(const struct dr_backup_copy *copy);
// It is gone then. NULL accepted, pointer cleared.
void dr_backup_copy_close(struct dr_backup_copy **copy);

// What the restored copy has to be. Everything is borrowed; NULL: any.
struct dr_backup_expect {
    const char *schema;          // the target's; NULL: ""
    const uint8_t *fingerprint;  // 32 bytes
    const uint8_t *ledger_head;  // 32 bytes
    const char *const *tolerate; // patterns that the fingerprint left out
    size_t tolerate_count;
};

struct dr_backup_proof {
    uint32_t restore_level; // reached
    uint64_t restored_ms, queried_ms;
    uint64_t tables, rows; // QUERIED: read from the copy
    bool is_compared;      // QUERIED: and equal to what stood in the backup's own snapshot
    uint8_t fingerprint[32];
    char server_version[64]; // of the copy
};

// Restores `backup` into a throw-away database, compares its fingerprint and ledger, and for
// DR_BACKUP_QUERIED reads every row of every table and compares the counts with those that were
// taken with the backup (`dr_backup_options.with_rows`). DR_E_BACKUP_OTHER when it is a backup of
// another database or of another time; otherwise as dr_backup_copy_open.
DR_MUST_CHECK enum dr_rc dr_backup_prove(const struct dr_backup *backup, uint32_t level,
                                         const struct dr_backup_expect *expect,
                                         const struct dr_backup_restore_options *options,
                                         struct dr_backup_proof *out, struct dr_err *err);
// "restored in 1.2s (PostgreSQL 15.20), fingerprint equal; 12 tables, 340 rows read, counts equal".
// `out` has 200 bytes.
void dr_backup_proof_text(const struct dr_backup_proof *proof, char out[200]);

#endif
