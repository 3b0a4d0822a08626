// Restoring backups into throw-away databases. See backup_restore.h.
//
// A private server knows none of the roles that the archive names. Its schema alone is restored
// first, into a database of its own, until no role is missing any more: the real restore then stops
// at the first error.
#include "engine/backup_restore.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/keep.h"
#include "base/str.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/backup_internal.h"
#include "engine/backup_tools.h"
#include "engine/cluster.h"
#include "engine/cut_off.h"
#include "engine/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_PREFIX      ".restore-"
#define LIST_PREFIX        "drover-list-"
#define ROLE_ROUNDS        10u // a role may show only when an object was made by another
#define ROLES_MAX          1000u
#define ROLE_NAME_MAX      63u
#define JOBS_MAX           64u
#define ERROR_MAX          300u
#define ARENA_MAX          65536u
#define DEBIAN_BINDIR      "/usr/lib/postgresql/%lu/bin"
#define TEMP_DEFAULT       "/tmp"
#define INDEXES_FACTOR     2 // a restored database with its WAL, to that which was dumped
#define COMPRESSION_FACTOR 4 // a dumped database, to its archive

struct dr_backup_copy {
    struct dr_cluster *cluster;
    struct dr_scratch scratch; // `options.scratch`
    struct dr_arena *arena;
    const char *url;
    char folder[PATH_MAX]; // SQLite; "": none
    int lock;              // of it; -1: none
    char file_url[PATH_MAX + 16];
};

static struct dr_db_wait
wait_of(const struct dr_backup_restore_options *options)
{
    const struct dr_backup_options same = {.timeout_ms = options->timeout_ms,
                                           .cancel_fd = options->cancel_fd};
    return dr_backup_wait(&same);
}

static bool
is_sqlite(const struct dr_backup *backup)
{
    return dr_str_starts(backup->tool, "sqlite");
}

// ------------------------------------------------------------------------------------------ tools

static enum dr_rc
run_restore(const struct dr_backup *backup, const char *url, const struct dr_backup_tools *tools,
            const char *const *extra, const struct dr_db_wait *wait, struct dr_cmd_result *out,
            struct dr_err *err)
{
    struct dr_backup_login login;
    const char *argv[16] = {tools->restore, "--no-tablespaces", "--no-password",
                            "--no-subscriptions"};
    size_t n = 4;
    enum dr_rc rc = dr_backup_login_begin(url, NULL, &login, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (; *extra != NULL; extra++) {
        argv[n++] = *extra;
    }
    argv[n++] = login.dbname.data;
    argv[n] = backup->location;
    rc = dr_backup_login_run(&login, argv, wait, out, err);
    dr_backup_login_end(&login);
    return rc;
}

// pg_restore names the statement and the row that failed behind the error: rows stay on this host,
// so only the first error is told, without what it quotes.
static enum dr_rc
restore_failed(const struct dr_cmd_result *result, struct dr_err *err)
{
    const char *text = result->errors.data == NULL ? "" : result->errors.data;
    const char *line = strstr(text, "error:");
    struct dr_buf safe = {0};
    bool is_quoted = false;
    line = line == NULL ? text : line;
    for (size_t i = 0; line[i] != '\0' && line[i] != '\n' && i < ERROR_MAX; i++) {
        bool is_mark = line[i] == '"';
        dr_buf_str(&safe, is_mark && !is_quoted ? "\"***" : "");
        is_quoted = is_quoted != is_mark;
        dr_buf_add(&safe, &line[i], is_quoted ? 0 : 1);
    }
    struct dr_buf shown = {0};
    dr_show(&shown, safe.len > 0 ? safe.data : "", safe.len, false);
    enum dr_rc rc = dr_err_set(err, DR_E_BACKUP_FAILED, "pg_restore: %s",
                               shown.len > 0 ? shown.data : "it says nothing");
    dr_buf_fini(&shown);
    dr_buf_fini(&safe);
    return rc;
}

// ------------------------------------------------------------------------------------------- list

// "3378; 0 16389 USER MAPPING - far": is it one of what leads to other servers, or asks one?
static bool
leads_away(const char *line, size_t len)
{
    static const char *const kinds[] = {"USER MAPPING ", "MATERIALIZED VIEW DATA "};
    size_t at = strspn(line, "0123456789; ");
    for (size_t i = 0; i < DR_COUNT_OF(kinds); i++) {
        size_t n = strlen(kinds[i]);
        if (at + n <= len && memcmp(line + at, kinds[i], n) == 0) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
list_contents(const struct dr_backup *backup, const struct dr_backup_tools *tools,
              struct dr_buf *out, const struct dr_db_wait *wait, struct dr_err *err)
{
    static const char *const env[] = {"LC_ALL=C", NULL};
    const char *const argv[] = {tools->restore, "--list", backup->location, NULL};
    struct dr_cmd_result result = {0};
    enum dr_rc rc = dr_backup_tool_run(argv, env, wait, 0, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = restore_failed(&result, err);
    }
    const char *line = rc == DR_OK && result.output.data != NULL ? result.output.data : "";
    for (size_t len = 0; *line != '\0'; line += len) {
        len = strcspn(line, "\n");
        len += line[len] == '\n' ? 1 : 0;
        dr_buf_add(out, line, leads_away(line, len) ? 0 : len);
    }
    dr_cmd_result_fini(&result);
    return rc == DR_OK && out->failed ? dr_err_set(err, DR_E_NOMEM, "no memory left") : rc;
}

// The archive's table of contents without user mappings, and without the queries that fill
// materialized views: over a foreign table they go to another server. For pg_restore, in a file;
// "" in `path` when there is none to remove.
static enum dr_rc
make_list(const struct dr_backup *backup, const struct dr_backup_tools *tools, char path[PATH_MAX],
          const struct dr_db_wait *wait, struct dr_err *err)
{
    const char *temp = getenv("TMPDIR");
    struct dr_buf list = {0};
    int len = snprintf(path, PATH_MAX, "%s/" LIST_PREFIX "XXXXXX",
                       temp != NULL && temp[0] == '/' ? temp : TEMP_DEFAULT);
    int fd = len < PATH_MAX ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd < 0) {
        path[0] = '\0';
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a file in '%s'",
                            temp != NULL ? temp : TEMP_DEFAULT);
    }
    enum dr_rc rc = list_contents(backup, tools, &list, wait, err);
    if (rc == DR_OK && !dr_fd_write_all(fd, list.data, list.len)) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot write '%s'", path);
    }
    dr_buf_fini(&list);
    (void)close(fd);
    return rc;
}

// ------------------------------------------------------------------------------------------ roles

static enum dr_rc
make_role(struct dr_pg *pg, const char *name, size_t len, const struct dr_db_wait *wait,
          struct dr_err *err)
{
    struct dr_buf sql = {0};
    dr_buf_str(&sql, "CREATE ROLE \"");
    for (size_t i = 0; i < len; i++) {
        dr_buf_str(&sql, name[i] == '"' ? "\"" : "");
        dr_buf_add(&sql, name + i, 1);
    }
    dr_buf_str(&sql, "\" NOLOGIN");
    enum dr_rc rc = sql.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                               : dr_pg_run(pg, sql.data, wait, err);
    dr_buf_fini(&sql);
    return rc;
}

// The roles that pg_restore found missing. One that was made meanwhile is named again: no error.
static enum dr_rc
make_roles(struct dr_pg *pg, const char *words, const struct dr_db_wait *wait, unsigned *out_made,
           struct dr_err *err)
{
    static const char before[] = "ERROR:  role \"", after[] = "\" does not exist";
    enum dr_rc rc = DR_OK;
    *out_made = 0;
    for (const char *at = words; rc == DR_OK && (at = strstr(at, before)) != NULL;) {
        at += sizeof before - 1;
        const char *end = strstr(at, after), *line = strchr(at, '\n');
        if (end == NULL || (line != NULL && line < end) || end - at > (int)ROLE_NAME_MAX) {
            continue;
        }
        rc = make_role(pg, at, (size_t)(end - at), wait, err);
        bool is_there = rc != DR_OK && strcmp(dr_pg_last_error(pg)->sqlstate, "42710") == 0;
        *out_made += rc == DR_OK ? 1 : 0;
        rc = is_there ? DR_OK : rc;
        if (*out_made > ROLES_MAX) {
            rc = dr_err_set(err, DR_E_LIMIT, "a backup with more than %u roles", ROLES_MAX);
        }
    }
    return rc;
}

static enum dr_rc
find_roles(const struct dr_backup *backup, const char *url, const struct dr_backup_tools *tools,
           const char *use_list, const struct dr_db_wait *wait, struct dr_err *err)
{
    const char *const extra[] = {"--schema-only", use_list, NULL};
    struct dr_pg *pg = NULL;
    const struct dr_pg_options connect = {.url = url, .target = "restore"};
    unsigned made = 1;
    enum dr_rc rc = dr_pg_connect(&connect, wait, &pg, err);
    for (unsigned round = 0; rc == DR_OK && made > 0 && round < ROLE_ROUNDS; round++) {
        struct dr_scratch probe = {0};
        struct dr_cmd_result result = {0};
        rc = dr_scratch_open(url, NULL, &probe, err);
        rc = rc != DR_OK ? rc : run_restore(backup, probe.url, tools, extra, wait, &result, err);
        if (rc == DR_OK) {
            const char *words = result.errors.data == NULL ? "" : result.errors.data;
            rc = make_roles(pg, words, wait, &made, err);
        }
        dr_cmd_result_fini(&result);
        dr_scratch_close(&probe);
    }
    dr_pg_close(&pg);
    return rc;
}

// ---------------------------------------------------------------------------------------- restore

static enum dr_rc
restore_part(const struct dr_backup *backup, const char *url, const struct dr_backup_tools *tools,
             const char *const *extra, const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    enum dr_rc rc = run_restore(backup, url, tools, extra, wait, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = restore_failed(&result, err);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

// Objects first, then nothing of them may lead to another server any more, then the rows.
static enum dr_rc
restore_parts(const struct dr_backup *backup, const char *url,
              const struct dr_backup_restore_options *options, const struct dr_backup_tools *tools,
              const char *use_list, const struct dr_db_wait *wait, struct dr_err *err)
{
    char jobs[32];
    bool has_foreign = false;
    unsigned n = options->jobs == 0 ? 1 : options->jobs > JOBS_MAX ? JOBS_MAX : options->jobs;
    const char *const objects[] = {"--exit-on-error", jobs, "--section=pre-data", use_list, NULL};
    const char *rows[] = {"--exit-on-error",     jobs,     "--section=data",
                          "--section=post-data", use_list, NULL};
    (void)snprintf(jobs, sizeof jobs, "--jobs=%u", n);
    enum dr_rc rc = find_roles(backup, url, tools, use_list, wait, err);
    rc = rc != DR_OK ? rc : restore_part(backup, url, tools, objects, wait, err);
    rc = rc != DR_OK ? rc : dr_cut_off(url, wait, &has_foreign, err);
    if (!has_foreign) {
        rows[4] = NULL; // materialized views are filled from here
    }
    return rc != DR_OK ? rc : restore_part(backup, url, tools, rows, wait, err);
}

// As new as the server and as the pg_dump that wrote it; where the folder that is named has an
// older one, that is looked for elsewhere.
static enum dr_rc
find_tools(const struct dr_backup *backup, const char *bindir, const struct dr_db_wait *wait,
           struct dr_backup_tools *out, struct dr_err *err)
{
    unsigned long server = strtoul(backup->server_version, NULL, 10);
    unsigned long tool = strtoul(backup->tool + strcspn(backup->tool, " "), NULL, 10);
    unsigned long major = tool > server ? tool : server;
    return bindir != NULL && dr_backup_tools_find(bindir, major, wait, out, NULL) == DR_OK
               ? DR_OK
               : dr_backup_tools_find(NULL, major, wait, out, err);
}

// pg_restore ends the same way for a bad archive and for a disk without room or an extension that
// is not installed here. An archive that is read to its end without a server is not the one to
// blame, unless its rows break its own constraints.
static enum dr_rc
find_fault(const struct dr_backup *backup, const struct dr_backup_tools *tools,
           const struct dr_db_wait *wait, struct dr_err *err)
{
    uint32_t entries = 0;
    struct dr_err why = {0};
    if (strstr(err->message, " violates ") != NULL) {
        return err->rc;
    }
    enum dr_rc rc = dr_backup_check_archive(backup->location, tools, true, wait, &entries, &why);
    if (rc != DR_E_BACKUP_FAILED) {
        err->rc = DR_E_BACKUP_NOT_NOW;
        (void)dr_err_hint(err, "nothing was learnt about the backup: mend what stopped pg_restore "
                               "on the agent's host or its restore_server, and ask again");
    }
    return err->rc;
}

static enum dr_rc
restore_pg(const struct dr_backup *backup, const char *url,
           const struct dr_backup_restore_options *options, const struct dr_db_wait *wait,
           struct dr_err *err)
{
    struct dr_backup_tools tools;
    char list[PATH_MAX] = "", use_list[PATH_MAX + 16];
    enum dr_rc rc = find_tools(backup, options->pg_bindir, wait, &tools, err);
    rc = rc != DR_OK ? rc : make_list(backup, &tools, list, wait, err);
    (void)snprintf(use_list, sizeof use_list, "--use-list=%s", list);
    rc = rc != DR_OK ? rc : restore_parts(backup, url, options, &tools, use_list, wait, err);
    if (list[0] != '\0') {
        (void)unlink(list);
    }
    return rc == DR_E_BACKUP_FAILED ? find_fault(backup, &tools, wait, err) : rc;
}

static enum dr_rc
restore_sqlite(const struct dr_backup *backup, const char *url, const struct dr_db_wait *wait,
               struct dr_err *err)
{
    const struct dr_sqlite_options options = {0};
    struct dr_sqlite *db = NULL;
    char path[PATH_MAX];
    uint32_t entries = 0;
    enum dr_rc rc = dr_db_sqlite_path(url, path, sizeof path, err);
    rc = rc != DR_OK ? rc : dr_sqlite_open(backup->location, &options, &db, err);
    if (rc == DR_OK) {
        dr_sqlite_set_wait(db, wait);
        rc = dr_sqlite_backup(db, path, err);
    }
    dr_sqlite_close(&db);
    return rc != DR_OK ? rc : dr_backup_check_sqlite(path, wait, &entries, err);
}

enum dr_rc
dr_backup_restore(const struct dr_backup *backup, const char *url,
                  const struct dr_backup_restore_options *options, struct dr_err *err)
{
    const struct dr_db_wait wait = wait_of(options);
    enum dr_rc rc = dr_backup_check_digest(backup, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = is_sqlite(backup) ? restore_sqlite(backup, url, &wait, err)
                           : restore_pg(backup, url, options, &wait, err);
    return rc == DR_OK ? DR_OK
                       : dr_err_wrap(err, "backup '%s' cannot be restored",
                                     strrchr(backup->location, '/') + 1);
}

// ------------------------------------------------------------------------------------------- copy

// In a folder beside the backup, which has room: memory is no place for a whole database.
static enum dr_rc
open_folder(struct dr_backup_copy *copy, const struct dr_backup *backup, struct dr_err *err)
{
    char parent[PATH_MAX], lock[PATH_MAX + 16];
    (void)snprintf(parent, sizeof parent, "%s", backup->location);
    *strrchr(parent, '/') = '\0';
    dr_keep_sweep(parent, FOLDER_PREFIX, geteuid()); // of runs that were killed
    enum dr_rc rc = dr_backup_check_space(parent, backup->size_bytes, err);
    if (rc != DR_OK) {
        return rc;
    }
    int len = snprintf(copy->folder, sizeof copy->folder, "%s/" FOLDER_PREFIX "XXXXXX", parent);
    if (len >= PATH_MAX || mkdtemp(copy->folder) == NULL) {
        copy->folder[0] = '\0';
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a folder in '%s'", parent);
    }
    (void)snprintf(lock, sizeof lock, "%s/" DR_KEEP_LOCK, copy->folder);
    rc = dr_file_lock(lock, &copy->lock, err);
    (void)snprintf(copy->file_url, sizeof copy->file_url, "sqlite:%.*s/copy.db", PATH_MAX - 16,
                   copy->folder);
    copy->url = copy->file_url;
    return rc;
}

// Where nothing tells how large the database was: as large as a well compressed one.
static uint64_t
needed_bytes(const struct dr_backup *backup)
{
    uint64_t source =
        backup->source_bytes != 0 ? backup->source_bytes : backup->size_bytes * COMPRESSION_FACTOR;
    return source * INDEXES_FACTOR;
}

static enum dr_rc
open_server(struct dr_backup_copy *copy, const struct dr_backup *backup,
            const struct dr_backup_restore_options *options, struct dr_err *err)
{
    char bindir[PATH_MAX];
    const char *temp = getenv("TMPDIR");
    unsigned long major = strtoul(backup->server_version, NULL, 10);
    if (options->scratch != NULL) {
        enum dr_rc rc = dr_scratch_open(options->scratch, NULL, &copy->scratch, err);
        copy->url = copy->scratch.url;
        return rc;
    }
    (void)snprintf(bindir, sizeof bindir, DEBIAN_BINDIR, major);
    const struct dr_cluster_options cluster = {
        .bindir = options->pg_bindir != NULL ? options->pg_bindir : bindir};
    enum dr_rc rc = dr_backup_check_space(temp != NULL && temp[0] == '/' ? temp : TEMP_DEFAULT,
                                          needed_bytes(backup), err);
    rc = rc != DR_OK ? rc : dr_cluster_start(&cluster, &copy->cluster, err);
    if (rc == DR_E_NOT_FOUND) {
        (void)dr_err_set(err, DR_E_BACKUP_TOOL,
                         "to restore this backup a PostgreSQL %lu server has to be installed here",
                         major);
        return dr_err_hint(err,
                           "apt install postgresql-%lu, or name a server for it in the "
                           "agent's configuration: restore_server = \"postgresql://...\"",
                           major);
    }
    copy->arena = rc == DR_OK ? dr_arena_new(ARENA_MAX) : NULL;
    if (rc == DR_OK && copy->arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    return rc != DR_OK
               ? rc
               : dr_cluster_database(copy->cluster, "restored", copy->arena, &copy->url, err);
}

enum dr_rc
dr_backup_copy_open(const struct dr_backup *backup, const struct dr_backup_restore_options *options,
                    struct dr_backup_copy **out, struct dr_err *err)
{
    struct dr_backup_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    copy->lock = -1;
    // Before a server is started for it.
    enum dr_rc rc = dr_backup_check_digest(backup, err);
    rc = rc != DR_OK         ? rc
         : is_sqlite(backup) ? open_folder(copy, backup, err)
                             : open_server(copy, backup, options, err);
    rc = rc != DR_OK ? rc : dr_backup_restore(backup, copy->url, options, err);
    if (rc != DR_OK) {
        dr_backup_copy_close(&copy);
        return rc;
    }
    *out = copy;
    return DR_OK;
}

const char *
dr_backup_copy_url(const struct dr_backup_copy *copy)
{
    return copy->url;
}

void
dr_backup_copy_close(struct dr_backup_copy **copy)
{
    struct dr_backup_copy *c = *copy;
    if (c == NULL) {
        return;
    }
    dr_cluster_stop(&c->cluster);
    dr_scratch_close(&c->scratch);
    dr_arena_free(&c->arena);
    if (c->folder[0] != '\0') {
        struct dr_err ignored = {0};
        enum dr_rc rc = dr_dir_remove(c->folder, &ignored);
        (void)rc; // the next copy sweeps it
    }
    if (c->lock >= 0) {
        (void)close(c->lock);
    }
    free(c);
    *copy = NULL;
}
