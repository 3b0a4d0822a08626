// Connections to SQLite files: opened with every lock on the door that SQLite has, waits that end.
#include "db/sqlite_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

// Lower than SQLite's own: what a schema that people write never needs.
static const struct {
    int id, value;
} limit_table[] = {
    {SQLITE_LIMIT_LENGTH, (int)DR_SQLITE_VALUE_MAX},
    {SQLITE_LIMIT_SQL_LENGTH, (int)DR_SQLITE_STATEMENT_MAX},
    {SQLITE_LIMIT_ATTACHED, 1}, // VACUUM needs one
    {SQLITE_LIMIT_EXPR_DEPTH, 500},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 100},
    {SQLITE_LIMIT_FUNCTION_ARG, 100},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

// Primary result code to ours; what is not here is the statement's own fault.
static const struct {
    int code;
    enum dr_rc rc;
} code_table[] = {
    {SQLITE_BUSY, DR_E_DB_BUSY},      {SQLITE_LOCKED, DR_E_DB_BUSY},
    {SQLITE_FULL, DR_E_DB_FULL},      {SQLITE_CORRUPT, DR_E_DB_CORRUPT},
    {SQLITE_NOTADB, DR_E_DB_CORRUPT}, {SQLITE_IOERR, DR_E_DB_LOST},
    {SQLITE_NOMEM, DR_E_NOMEM},       {SQLITE_CANTOPEN, DR_E_DB_FILE},
    {SQLITE_READONLY, DR_E_DB_FILE},  {SQLITE_PERM, DR_E_DB_FILE},
    {SQLITE_MISUSE, DR_E_INTERNAL},   {SQLITE_TOOBIG, DR_E_LIMIT},
    {SQLITE_AUTH, DR_E_DB_DENIED},    {SQLITE_PROTOCOL, DR_E_DB_BUSY},
};

void
dr_sqlite_call_init(struct dr_sqlite *db)
{
    db->stop_rc = DR_OK;
    db->stop_err = (struct dr_err){0};
    db->denied[0] = '\0';
    db->hides_names = false;
    db->error = (struct dr_sqlite_error){.offset = -1};
}

// What SQLite says of names and of the statement's own text stays; other quoted text may be a
// value, and what a trigger raises may be made of values.
static void
keep_safe(struct dr_sqlite_error *error)
{
    static const char *const about_sql[] = {"near \"", "no such ", "unrecognized token",
                                            "incomplete input", "ambiguous column"};
    if (error->code == SQLITE_CONSTRAINT_TRIGGER) {
        snprintf(error->message_safe, sizeof error->message_safe, "a trigger refused it");
        return;
    }
    bool is_plain = false;
    for (size_t i = 0; i < DR_COUNT_OF(about_sql); i++) {
        is_plain = is_plain || dr_str_starts(error->message, about_sql[i]);
    }
    const char *from = is_plain ? NULL : strpbrk(error->message, "\"'");
    const char *to = from == NULL ? NULL : strrchr(error->message, *from);
    if (from == NULL) {
        memcpy(error->message_safe, error->message, sizeof error->message_safe);
        return;
    }
    snprintf(error->message_safe, sizeof error->message_safe, "%.*s%c***%c%s",
             (int)(from - error->message), error->message, *from, *from, to + 1);
}

enum dr_rc
dr_sqlite_fail(struct dr_sqlite *db, int code, struct dr_err *err)
{
    db->error.code = sqlite3_extended_errcode(db->handle);
    db->error.offset = sqlite3_error_offset(db->handle);
    snprintf(db->error.message, sizeof db->error.message, "%.*s", (int)DR_SQLITE_MESSAGE_MAX,
             sqlite3_errmsg(db->handle));
    keep_safe(&db->error);
    int primary = code & 0xff;
    if (primary == SQLITE_INTERRUPT && db->stop_rc != DR_OK) {
        if (err != NULL) {
            *err = db->stop_err;
        }
        return db->stop_rc;
    }
    if (db->denied[0] != '\0' && (primary == SQLITE_AUTH || primary == SQLITE_ERROR)) {
        return dr_err_set(err, DR_E_DB_DENIED, "%s is not allowed here", db->denied);
    }
    enum dr_rc rc = DR_E_DB_STATEMENT;
    for (size_t i = 0; i < DR_COUNT_OF(code_table); i++) {
        rc = code_table[i].code == primary ? code_table[i].rc : rc;
    }
    return dr_err_set(err, rc, "%s", db->error.message_safe);
}

const struct dr_sqlite_error *
dr_sqlite_last_error(const struct dr_sqlite *db)
{
    return &db->error;
}

// ----------------------------------------------------------------------------------------------------
// waiting

static bool
is_cancelled(const struct dr_sqlite *db)
{
    struct pollfd fd = {.fd = db->wait.cancel_fd, .events = POLLIN};
    return db->has_wait && db->wait.cancel_fd > 0 && poll(&fd, 1, 0) > 0;
}

static int64_t
lock_deadline_ms(const struct dr_sqlite *db)
{
    return db->has_wait && db->wait.deadline_ms != 0 ? db->wait.deadline_ms
                                                     : db->busy_since_ms + DR_SQLITE_BUSY_MS;
}

// Called while another connection holds a lock; 0 gives up.
static int
on_busy(void *ctx, int tries)
{
    struct dr_sqlite *db = ctx;
    int64_t now = dr_monotonic_ms();
    if (tries == 0) {
        db->busy_since_ms = now;
    }
    if (now >= lock_deadline_ms(db) || is_cancelled(db)) {
        return 0;
    }
    struct pollfd fd = {.fd = db->has_wait && db->wait.cancel_fd > 0 ? db->wait.cancel_fd : -1,
                        .events = POLLIN};
    int64_t left = lock_deadline_ms(db) - now;
    int pause_ms = tries < 10 ? 1 + tries : 20;
    poll(&fd, 1, left < pause_ms ? (int)left : pause_ms);
    return 1;
}

static int
stop(struct dr_sqlite *db, enum dr_rc rc, const char *why)
{
    db->stop_rc = rc;
    if (db->stop_err.rc == DR_OK) {
        dr_err_set(&db->stop_err, rc, "%s", why);
    }
    return 1;
}

// Called between steps of a running statement; not 0 interrupts it.
static int
on_progress(void *ctx)
{
    struct dr_sqlite *db = ctx;
    if (!db->has_wait) {
        return 0;
    }
    int64_t now = dr_monotonic_ms();
    if (db->wait.deadline_ms != 0 && now >= db->wait.deadline_ms) {
        return stop(db, DR_E_TIMEOUT, "the statement did not end in time");
    }
    if (is_cancelled(db)) {
        return stop(db, DR_E_INTERRUPTED, "interrupted while the statement ran");
    }
    if (db->wait.on_tick != NULL && db->wait.tick_ms != 0 && now >= db->next_tick_ms) {
        db->next_tick_ms = now + db->wait.tick_ms;
        enum dr_rc rc = db->wait.on_tick(db->wait.ctx, &db->stop_err);
        return rc == DR_OK ? 0 : stop(db, rc, "stopped while the statement ran");
    }
    return 0;
}

void
dr_sqlite_set_wait(struct dr_sqlite *db, const struct dr_db_wait *wait)
{
    db->has_wait = wait != NULL;
    db->wait = wait == NULL ? (struct dr_db_wait){0} : *wait;
    db->next_tick_ms = dr_monotonic_ms() + db->wait.tick_ms;
}

void
dr_sqlite_set_guard(struct dr_sqlite *db, enum dr_sqlite_guard guard)
{
    db->guard = guard;
}

// ----------------------------------------------------------------------------------------------------
// open and close

// Resolves the folder of `path` and keeps its last part, so that SQLITE_OPEN_NOFOLLOW judges the
// file alone.
static enum dr_rc
resolve(const char *path, char out[PATH_MAX], struct dr_err *err)
{
    char copy[PATH_MAX];
    char folder[PATH_MAX];
    if (strlen(path) >= sizeof copy || *path == '\0') {
        return dr_err_set(err, DR_E_DB_FILE, "'%.200s' is no path of a file", path);
    }
    snprintf(copy, sizeof copy, "%s", path);
    if (realpath(dirname(copy), folder) == NULL) {
        enum dr_rc rc = errno == ENOENT ? DR_E_NOT_FOUND : DR_E_DB_FILE;
        return dr_err_errno(err, rc, errno, "cannot reach the folder of '%s'", path);
    }
    snprintf(copy, sizeof copy, "%s", path);
    int len =
        snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, basename(copy));
    return len < PATH_MAX ? DR_OK
                          : dr_err_set(err, DR_E_DB_FILE, "path '%.200s...' is too long", path);
}

static enum dr_rc
check_file(const char *path, const struct dr_sqlite_options *options, struct dr_err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT && options->create) {
            return DR_OK;
        }
        if (errno == ENOENT) {
            dr_err_set(err, DR_E_NOT_FOUND, "there is no database file '%s'", path);
            return dr_err_hint(err, "check the path; a new database begins with an empty file");
        }
        return dr_err_errno(err, DR_E_DB_FILE, errno, "cannot look at '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return dr_err_set(err, DR_E_DB_FILE, "'%s' is %s", path,
                          S_ISLNK(st.st_mode) ? "a symbolic link" : "not a file");
    }
    if (st.st_nlink > 1) {
        return dr_err_set(err, DR_E_DB_FILE,
                          "'%s' has %ju names: SQLite's journal would belong to one only", path,
                          (uintmax_t)st.st_nlink);
    }
    return DR_OK;
}

static int
configure(struct dr_sqlite *db, const struct dr_sqlite_options *options)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, on_busy, db);
    sqlite3_progress_handler(db->handle, DR_SQLITE_PROGRESS_OPS, on_progress, db);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    for (size_t i = 0; i < DR_COUNT_OF(limit_table); i++) {
        sqlite3_limit(db->handle, limit_table[i].id, limit_table[i].value);
    }
    const char *settings =
        options->is_state
            ? "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA foreign_keys=ON;"
              "PRAGMA cell_size_check=ON; SELECT count(*) FROM sqlite_schema;"
            : "PRAGMA cell_size_check=ON; SELECT count(*) FROM sqlite_schema;";
    int code = sqlite3_exec(db->handle, settings, NULL, NULL, NULL);
    sqlite3_set_authorizer(db->handle, dr_sqlite_authorize, db);
    return code;
}

static enum dr_rc
remember_file(struct dr_sqlite *db, struct dr_err *err)
{
    struct stat st;
    if (db->path[0] == '\0') {
        return DR_OK;
    }
    if (stat(db->path, &st) != 0) {
        return dr_err_errno(err, DR_E_DB_FILE, errno, "cannot look at '%s'", db->path);
    }
    db->device = (uint64_t)st.st_dev;
    db->inode = (uint64_t)st.st_ino;
    return DR_OK;
}

static enum dr_rc
open_handle(struct dr_sqlite *db, const char *path, const struct dr_sqlite_options *options,
            struct dr_err *err)
{
    bool is_new = options->create && db->path[0] != '\0' && !dr_path_exists(db->path);
    // SQLite makes its files with 0644; made by us first, they are private.
    if (is_new && dr_file_create(db->path, "", 0, 0600, err) != DR_OK) {
        return dr_err_wrap(err, "cannot make database '%s'", path);
    }
    int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int code =
        sqlite3_open_v2(db->path[0] == '\0' ? ":memory:" : db->path, &db->handle, flags, NULL);
    if (db->handle == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a connection");
    }
    if (code == SQLITE_OK) {
        code = configure(db, options);
    }
    if (code != SQLITE_OK) {
        dr_sqlite_fail(db, code, err);
        return dr_err_wrap(err, "cannot open database '%s'", path);
    }
    return remember_file(db, err);
}

enum dr_rc
dr_sqlite_open(const char *path, const struct dr_sqlite_options *options, struct dr_sqlite **out,
               struct dr_err *err)
{
    struct dr_sqlite *db = calloc(1, sizeof *db);
    if (db == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a connection");
    }
    db->magic = DR_SQLITE_MAGIC;
    dr_sqlite_call_init(db);
    enum dr_rc rc = DR_OK;
    if (strcmp(path, ":memory:") != 0) {
        rc = resolve(path, db->path, err);
        rc = rc != DR_OK ? rc : check_file(db->path, options, err);
    }
    rc = rc != DR_OK ? rc : open_handle(db, path, options, err);
    if (rc != DR_OK) {
        dr_sqlite_close(&db);
        return rc;
    }
    *out = db;
    return DR_OK;
}

void
dr_sqlite_close(struct dr_sqlite **db)
{
    if (*db == NULL) {
        return;
    }
    sqlite3 *handle = (*db)->handle;
    sqlite3_stmt *left = NULL;
    while (handle != NULL && (left = sqlite3_next_stmt(handle, NULL)) != NULL) {
        sqlite3_finalize(left);
    }
    sqlite3_close_v2(handle);
    (*db)->magic = 0;
    free(*db);
    *db = NULL;
}

enum dr_rc
dr_sqlite_identify(struct dr_sqlite *db, struct dr_sqlite_identity *out, struct dr_err *err)
{
    struct stat st;
    int has_moved = 0;
    if (db->path[0] != '\0') {
        sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
        bool is_same = lstat(db->path, &st) == 0 && (uint64_t)st.st_dev == db->device &&
                       (uint64_t)st.st_ino == db->inode;
        if (has_moved != 0 || !is_same) {
            dr_err_set(err, DR_E_DB_IDENTITY, "'%s' is no longer the file that was opened",
                       db->path);
            return dr_err_hint(err, "somebody replaced or moved the file: look which one is right");
        }
    }
    out->device = db->device;
    out->inode = db->inode;
    snprintf(out->path, sizeof out->path, "%s", db->path);
    return DR_OK;
}

enum dr_rc
dr_sqlite_lock(const char *path, int *out_fd, struct dr_err *err)
{
    char resolved[PATH_MAX];
    char lock[PATH_MAX + 16];
    enum dr_rc rc = resolve(path, resolved, err);
    if (rc != DR_OK) {
        return rc;
    }
    snprintf(lock, sizeof lock, "%s.drover-lock", resolved);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return dr_err_errno(err, DR_E_DB_FILE, errno, "cannot make lock file '%s'", lock);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        close(fd);
        if (errnum == EWOULDBLOCK) {
            return dr_err_set(err, DR_E_DB_LOCKED, "another drover works on '%s'", path);
        }
        return dr_err_errno(err, DR_E_DB_FILE, errnum, "cannot lock '%s'", lock);
    }
    *out_fd = fd;
    return DR_OK;
}
