// Backups of SQLite files, by its backup API.
#include "engine/backup_internal.h"

#include "base/clock.h"
#include "db/sqlite.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 500u // between two words about how far the copy is

enum dr_rc
dr_backup_check_sqlite(const char *path, const struct dr_db_wait *wait, uint32_t *out_entries,
                       struct dr_err *err)
{
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {0};
    int64_t entries = 0;
    enum dr_rc rc = dr_sqlite_open(path, &options, &db, err);
    if (rc == DR_OK) {
        dr_sqlite_set_wait(db, wait);
        rc = dr_sqlite_integrity_check(db, err);
    }
    rc = rc != DR_OK ? rc
                     : dr_sqlite_value_int(db, "SELECT count(*) FROM sqlite_schema", &entries, err);
    dr_sqlite_close(&db);
    if (rc == DR_OK) {
        *out_entries = (uint32_t)entries;
    }
    return rc;
}

// Bytes of the file with its write-ahead log: what a copy can grow to.
static uint64_t
needed_bytes(const char *path)
{
    char wal[PATH_MAX + 8];
    struct stat st;
    uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    snprintf(wal, sizeof wal, "%s-wal", path);
    return bytes + (stat(wal, &st) == 0 ? (uint64_t)st.st_size : 0);
}

struct copying {
    const struct dr_backup_options *options;
    const char *path;
    uint64_t total_bytes;
};

static enum dr_rc
tell(void *ctx, struct dr_err *err)
{
    const struct copying *c = ctx;
    (void)err;
    c->options->progress(c->options->progress_arg, dr_backup_size(c->path, NULL), c->total_bytes);
    return DR_OK;
}

// Copy and counts are of one instant when both are made in one read transaction.
static enum dr_rc
copy_and_count(struct dr_sqlite *db, const struct dr_backup_file *file, struct dr_err *err)
{
    struct dr_buf rows = {.max = DR_BACKUP_ROWS_MAX};
    enum dr_rc rc = dr_sqlite_begin_read(db, err);
    rc = rc != DR_OK ? rc : dr_backup_rows_sqlite(db, &rows, err);
    rc = rc != DR_OK ? rc : dr_sqlite_backup(db, file->partial, err);
    dr_sqlite_rollback(db);
    rc = rc != DR_OK ? rc : dr_backup_rows_write(file->final_path, &rows, err);
    dr_buf_fini(&rows);
    return rc;
}

static enum dr_rc
copy(struct dr_sqlite *db, bool with_rows, const struct dr_db_wait *wait,
     const struct dr_backup_file *file, struct dr_backup *backup, struct dr_err *err)
{
    // The backup API wants to make its file itself.
    unlink(file->partial);
    enum dr_rc rc =
        with_rows ? copy_and_count(db, file, err) : dr_sqlite_backup(db, file->partial, err);
    rc = rc != DR_OK ? rc : dr_backup_check_sqlite(file->partial, wait, &backup->entries, err);
    return rc != DR_OK ? rc : dr_backup_finish(file, backup, err);
}

enum dr_rc
dr_backup_sqlite(const char *path, const struct dr_backup_options *options, struct dr_backup *out,
                 struct dr_err *err)
{
    struct dr_db_wait wait = dr_backup_wait(options);
    struct dr_sqlite_options open_options = {0};
    struct dr_sqlite *db = NULL;
    struct dr_backup_file file = {0};
    struct dr_backup backup = {.started = dr_now_unix_s(), .source_bytes = needed_bytes(path)};
    snprintf(backup.tool, sizeof backup.tool, "sqlite backup %s", dr_sqlite_version());
    snprintf(backup.server_version, sizeof backup.server_version, "%s", dr_sqlite_version());
    enum dr_rc rc = dr_sqlite_open(path, &open_options, &db, err);
    struct copying copying = {options, file.partial, needed_bytes(path)};
    struct dr_db_wait watched = wait;
    if (options->progress != NULL) {
        watched.on_tick = tell;
        watched.tick_ms = TICK_MS;
        watched.ctx = &copying;
    }
    if (rc == DR_OK) {
        dr_sqlite_set_wait(db, &watched);
        rc = dr_backup_begin(options, ".sqlite", needed_bytes(path), &file, err);
    }
    rc = rc != DR_OK ? rc : copy(db, options->with_rows, &wait, &file, &backup, err);
    dr_sqlite_close(&db);
    if (rc != DR_OK) {
        dr_backup_abandon(&file);
        return rc;
    }
    *out = backup;
    return DR_OK;
}
