// Whole databases: checks and the backup API.
#include "db/sqlite_internal.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKUP_PAGES_STEP 1024 // pages between looks at the deadline

struct finding {
    char text[256];
    int64_t count;
};

static enum dr_rc
keep_finding(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    struct finding *finding = ctx;
    (void)err;
    if (finding->count++ == 0) {
        snprintf(finding->text, sizeof finding->text, "%.200s", dr_sqlite_column_text(stmt, 0));
    }
    return DR_OK;
}

static enum dr_rc
run_check(struct dr_sqlite *db, const char *pragma, struct finding *out, struct dr_err *err)
{
    enum dr_sqlite_guard guard = db->guard;
    db->guard = DR_SQLITE_OWN;
    enum dr_rc rc = dr_sqlite_exec(db, pragma, strlen(pragma), keep_finding, out, err);
    db->guard = guard;
    return rc;
}

enum dr_rc
dr_sqlite_integrity_check(struct dr_sqlite *db, struct dr_err *err)
{
    struct finding finding = {0};
    enum dr_rc rc = run_check(db, "PRAGMA integrity_check(10)", &finding, err);
    if (rc == DR_OK && strcmp(finding.text, "ok") != 0) {
        rc = dr_err_set(err, DR_E_DB_CORRUPT, "the database is damaged: %s", finding.text);
    }
    return rc;
}

enum dr_rc
dr_sqlite_foreign_key_check(struct dr_sqlite *db, struct dr_err *err)
{
    struct finding finding = {0};
    enum dr_rc rc = run_check(db, "PRAGMA foreign_key_check", &finding, err);
    if (rc == DR_OK && finding.count > 0) {
        rc = dr_err_set(err, DR_E_DB_STATEMENT,
                        "%lld rows refer to rows that do not exist, the first in table '%s'",
                        (long long)finding.count, finding.text);
        dr_err_hint(err, "list them with: PRAGMA foreign_key_check");
    }
    return rc;
}

// Why the copy has to end now; DR_OK: go on.
static enum dr_rc
look_at_wait(const struct dr_sqlite *db, int64_t busy_since_ms, struct dr_err *err)
{
    struct pollfd fd = {.fd = db->wait.cancel_fd, .events = POLLIN};
    int64_t now = dr_monotonic_ms();
    if (db->has_wait && db->wait.cancel_fd > 0 && poll(&fd, 1, 0) > 0) {
        return dr_err_set(err, DR_E_INTERRUPTED, "interrupted while copying '%s'", db->path);
    }
    if (db->has_wait && db->wait.deadline_ms != 0 && now >= db->wait.deadline_ms) {
        return dr_err_set(err, DR_E_TIMEOUT, "copying '%s' did not end in time", db->path);
    }
    if (busy_since_ms != 0 && now - busy_since_ms >= DR_SQLITE_BUSY_MS) {
        return dr_err_set(err, DR_E_DB_BUSY, "'%s' stays locked by another program", db->path);
    }
    return DR_OK;
}

// Tells whoever watches that the copy goes on, as often as the wait asks for it.
static enum dr_rc
tick(const struct dr_sqlite *db, int64_t *told_ms, struct dr_err *err)
{
    int64_t now = dr_monotonic_ms();
    if (!db->has_wait || db->wait.on_tick == NULL || db->wait.tick_ms == 0 ||
        now - *told_ms < (int64_t)db->wait.tick_ms) {
        return DR_OK;
    }
    *told_ms = now;
    return db->wait.on_tick(db->wait.ctx, err);
}

static enum dr_rc
copy_pages(struct dr_sqlite *from, struct dr_sqlite *to, struct dr_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (backup == NULL) {
        return dr_sqlite_fail(to, sqlite3_errcode(to->handle), err);
    }
    enum dr_rc rc = DR_OK;
    int code = SQLITE_OK;
    int64_t busy_since_ms = 0, told_ms = 0;
    while (rc == DR_OK && code != SQLITE_DONE) {
        code = sqlite3_backup_step(backup, BACKUP_PAGES_STEP);
        bool is_busy = code == SQLITE_BUSY || code == SQLITE_LOCKED;
        if (is_busy) {
            struct pollfd fd = {.fd = -1};
            busy_since_ms = busy_since_ms == 0 ? dr_monotonic_ms() : busy_since_ms;
            poll(&fd, 1, 10);
        } else if (code != SQLITE_OK && code != SQLITE_DONE) {
            break;
        } else {
            busy_since_ms = 0;
        }
        rc = code == SQLITE_DONE ? DR_OK : look_at_wait(from, busy_since_ms, err);
        rc = rc != DR_OK ? rc : tick(from, &told_ms, err);
    }
    int end_code = sqlite3_backup_finish(backup);
    if (rc == DR_OK && end_code != SQLITE_OK) {
        rc = dr_sqlite_fail(to, end_code, err);
    }
    return rc;
}

static enum dr_rc
sync_file(const char *path, struct dr_err *err)
{
    // The copy is closed by now, so that no lock of SQLite is lost with this descriptor.
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_synced ? DR_OK : dr_err_set(err, DR_E_IO, "cannot make '%s' durable", path);
}

enum dr_rc
dr_sqlite_backup(struct dr_sqlite *db, const char *path, struct dr_err *err)
{
    struct dr_sqlite *copy = NULL;
    struct dr_sqlite_options options = {0};
    enum dr_rc rc = dr_file_create(path, "", 0, 0600, err);
    if (rc != DR_OK) {
        return rc;
    }
    // A read transaction makes the copy one instant's: without it a writer would start it over.
    bool own_tx = !dr_sqlite_in_transaction(db);
    enum dr_sqlite_guard guard = db->guard;
    db->guard = DR_SQLITE_OWN;
    rc = dr_sqlite_open(path, &options, &copy, err);
    if (rc == DR_OK && own_tx) {
        rc = dr_sqlite_script(db, "BEGIN; SELECT count(*) FROM sqlite_schema;", err);
    }
    rc = rc != DR_OK ? rc : copy_pages(db, copy, err);
    if (own_tx) {
        dr_sqlite_rollback(db);
    }
    db->guard = guard;
    dr_sqlite_close(&copy);
    rc = rc != DR_OK ? rc : sync_file(path, err);
    if (rc != DR_OK) {
        unlink(path);
    }
    return rc;
}

const char *
dr_sqlite_version(void)
{
    return sqlite3_libversion();
}
