// Backup of a target before its schema changes: taken by pg_dump or SQLite's backup API, checked,
// and named by its digest.
#ifndef DR_ENGINE_BACKUP_H
#define DR_ENGINE_BACKUP_H

#include "base/attr.h"
#include "base/err.h"
#include "db/db.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct dr_arena;
struct Drover__V1__BackupRecord;

// As in documents.proto (RestoreLevel): LISTED: the table of contents was read back, or
// integrity_check passed.
#define DR_BACKUP_LISTED   1
#define DR_BACKUP_RESTORED 2 // restored into a throw-away database: it has the recorded fingerprint
#define DR_BACKUP_QUERIED  3 // and every row of every table was read there

struct dr_backup {
    char tool[64];           // "pg_dump 15.20", "sqlite backup 3.40.1"
    char location[PATH_MAX]; // absolute path
    char server_version[32];
    uint8_t sha256[32];
    uint64_t size_bytes;
    int64_t started, finished; // unix seconds
    uint32_t restore_level;
    uint64_t source_bytes; // of the database when it was taken; 0: not known
    uint32_t entries; // objects in the archive's table of contents; SQLite: rows of sqlite_schema
};

// A configured command makes backups and looks after them: backup_command.h. Each of the four ends
// with NULL; NULL: there is none.
struct dr_backup_commands {
    const char *const *take, *const *verify, *const *restore, *const *prune;
    const char *target, *environment; // "production/orders", "production"
    const char *database;             // PostgreSQL's name of it, or the SQLite file; "": not known
    const char *system_identifier;    // of the cluster that a backup has to be of; "": not known
    uint64_t keep_s;                  // how long one has to stay
};

struct dr_backup_options {
    const char *folder;    // where the file goes (made with 0700 if missing)
    const char *target;    // first part of the file's name
    const char *password;  // PostgreSQL; NULL: the URL's
    const char *pg_bindir; // where pg_dump and pg_restore are; NULL: the newest fitting of
                           // /usr/lib/postgresql and PATH
    bool with_rows;        // counts every table's rows in the backup's snapshot, for
                           // DR_BACKUP_QUERIED
    bool is_directory;     // PostgreSQL: a folder with a file for each table (pg_dump -Fd)
    unsigned jobs;         // with is_directory: tables dumped at once; 0: 1
    const char *compress;  // "zstd:3", "gzip:6", "none"; NULL: as the tool does. Before pg_dump 16
                           // zstd is what the tool does without it
    // Told while it is written, about twice a second. The total is the database's size, which a
    // compressed backup does not reach; both are 0 where a command makes it. NULL: nobody asks.
    void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    void *progress_arg;
    uint64_t timeout_ms;                       // for all of it; 0: 4 h
    int cancel_fd;                             // readable: stop, DR_E_INTERRUPTED; <= 0: none
    const struct dr_backup_commands *commands; // NULL: none
};

// Takes a backup into "<folder>/<target>-<UTC time>.dump" (".dir", ".sqlite"), under another name
// until it is checked and durable. Blocks. DR_E_BACKUP_TOOL (no pg_dump as new as the server),
// DR_E_BACKUP_SPACE, DR_E_BACKUP_FAILED (tool's own words in the message), DR_E_BACKUP_EMPTY,
// DR_E_TIMEOUT, DR_E_INTERRUPTED, and connection errors of db. On failure no file is left.
DR_MUST_CHECK enum dr_rc dr_backup_pg(const char *url, const struct dr_backup_options *options,
                                      struct dr_backup *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_backup_sqlite(const char *path, const struct dr_backup_options *options,
                                          struct dr_backup *out, struct dr_err *err);

// Size and digest as recorded: DR_E_BACKUP_CHANGED otherwise, DR_E_BACKUP_GONE. Of a backup by a
// command its evidence, see backup_command.h.
DR_MUST_CHECK enum dr_rc dr_backup_check_digest(const struct dr_backup *backup, struct dr_err *err);
// Is it still there, as far as can be told before a run that waits for it? Its size always; its
// digest when it has at most DR_BACKUP_QUICK_MAX bytes, or when a file of it changed after it was
// finished: a large one that nothing touched is not read. Blocks for that long. Errors as above.
#define DR_BACKUP_QUICK_MAX (64ull * 1048576)
DR_MUST_CHECK enum dr_rc dr_backup_check_there(const struct dr_backup *backup, struct dr_err *err);
// Reads a backup again: size and digest as recorded (DR_E_BACKUP_CHANGED otherwise), and its
// contents' list. One that a command made is verified by `options->commands`.
DR_MUST_CHECK enum dr_rc
dr_backup_verify(const struct dr_backup *backup, const struct dr_backup_options *options,
                 struct dr_err *err);

// The record for documents, its strings and bytes in `arena`; heads, fingerprint and keep_until are
// the caller's. NULL when the arena is full.
struct Drover__V1__BackupRecord *
dr_backup_record(const struct dr_backup *backup, struct dr_arena *arena);

#endif
