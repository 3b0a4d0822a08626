// Backups of PostgreSQL by pg_dump: fixed arguments, no shell, the password in a file that lives as
// long as the call.
#include "engine/backup_internal.h"

#include "base/clock.h"
#include "base/cmd.h"
#include "base/str.h"
#include "db/pg.h"
#include "engine/backup_tools.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What one call of pg_dump needs of the server's side.
struct source {
    const char *url;
    struct dr_pg *pg;  // with a snapshot: open until the rows are counted
    char snapshot[64]; // "": none
    struct dr_pg_info info;
    uint64_t size_bytes;
};

// ----------------------------------------------------------------------------------------------------
// check

// Counts the entries of "pg_restore --list"; false when it is no such list.
static bool
count_entries(const struct dr_buf *list, uint32_t *out)
{
    bool is_list = list->data != NULL && strstr(list->data, "; Archive created at") != NULL;
    *out = 0;
    for (const char *line = list->data; is_list && line != NULL && *line != '\0';) {
        *out += isdigit((unsigned char)*line) ? 1 : 0;
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return is_list;
}

enum dr_rc
dr_backup_check_archive(const char *path, const struct dr_backup_tools *tools, bool with_data,
                        const struct dr_db_wait *wait, uint32_t *out_entries, struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    const char *list[] = {tools->restore, "--list", path, NULL};
    // Writes the archive as a script to nowhere: the only way to read all data back without a
    // server.
    const char *read_all[] = {tools->restore, "--file=/dev/null", path, NULL};
    enum dr_rc rc = dr_backup_tool_run(list, NULL, wait, 0, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_backup_tool_failed("pg_restore --list", &result, err);
    } else if (rc == DR_OK && !count_entries(&result.output, out_entries)) {
        rc = dr_err_set(err, DR_E_BACKUP_FAILED, "pg_restore --list gave no list");
    }
    dr_cmd_result_fini(&result);
    if (rc != DR_OK || !with_data) {
        return rc;
    }
    result = (struct dr_cmd_result){0};
    rc = dr_backup_tool_run(read_all, NULL, wait, 0, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_backup_tool_failed("pg_restore", &result, err);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

// ----------------------------------------------------------------------------------------------------
// dump

// A transaction whose snapshot others share, however long the server lets one wait.
static enum dr_rc
share_snapshot(struct source *source, const struct dr_db_wait *wait, struct dr_err *err)
{
    static const char *const limits[] = {"SET LOCAL idle_in_transaction_session_timeout = 0",
                                         "SET LOCAL transaction_timeout = 0"};
    const size_t known = source->info.server_version / 10000 >= 17 ? 2 : 1;
    struct dr_pg_stmt share = {.sql = "SELECT pg_catalog.pg_export_snapshot()"};
    enum dr_rc rc =
        dr_pg_run(source->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", wait, err);
    for (size_t i = 0; rc == DR_OK && i < known; i++) {
        rc = dr_pg_run(source->pg, limits[i], wait, err);
    }
    return rc != DR_OK ? rc
                       : dr_pg_value(source->pg, &share, wait, source->snapshot,
                                     sizeof source->snapshot, err);
}

// One connection: who is there, how large it is, and (with_rows) the snapshot that pg_dump then
// shares, which lasts until the connection is closed.
static enum dr_rc
look_at_server(struct source *source, const struct dr_backup_options *options,
               const struct dr_db_wait *wait, struct dr_err *err)
{
    char size[32] = "0";
    struct dr_pg_options connect = {
        .url = source->url, .password = options->password, .target = options->target};
    struct dr_pg_stmt ask = {
        .sql = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"};
    enum dr_rc rc = dr_pg_connect(&connect, wait, &source->pg, err);
    rc = rc != DR_OK ? rc : dr_pg_inspect(source->pg, wait, &source->info, err);
    rc = rc != DR_OK ? rc : dr_pg_value(source->pg, &ask, wait, size, sizeof size, err);
    source->size_bytes = strtoull(size, NULL, 10);
    if (rc != DR_OK || !options->with_rows) {
        dr_pg_close(&source->pg);
        return rc;
    }
    return share_snapshot(source, wait, err);
}

// Before 16 pg_dump knows gzip only, and takes its level alone.
static void
compress_option(const char *wanted, unsigned long major, char out[64])
{
    out[0] = '\0';
    if (wanted != NULL && (major >= 16 || dr_str_eq(wanted, "none"))) {
        (void)snprintf(out, 64, "--compress=%s", major >= 16 ? wanted : "0");
    } else if (wanted != NULL && dr_str_starts(wanted, "gzip:")) {
        (void)snprintf(out, 64, "--compress=%s", wanted + strlen("gzip:"));
    }
}

struct dumping {
    const struct dr_backup_options *options;
    const char *path;
    uint64_t total_bytes;
};

static enum dr_rc
tell(void *ctx, struct dr_err *err)
{
    const struct dumping *d = ctx;
    (void)err;
    d->options->progress(d->options->progress_arg, dr_backup_size(d->path, NULL), d->total_bytes);
    return DR_OK;
}

static enum dr_rc
dump(const struct source *source, const struct dr_backup_options *options,
     const struct dr_backup_tools *tools, const struct dr_backup_file *file,
     const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_backup_login login;
    struct dr_cmd_result result = {0};
    char file_arg[PATH_MAX + 16];
    enum dr_rc rc = dr_backup_login_begin(source->url, options->password, &login, err);
    if (rc != DR_OK) {
        return rc;
    }
    char snapshot[80] = "--no-password"; // twice is as good as once
    char jobs[32], compress[64];
    (void)snprintf(file_arg, sizeof file_arg, "--file=%s", file->partial);
    (void)snprintf(jobs, sizeof jobs, "--jobs=%u", options->jobs == 0 ? 1 : options->jobs);
    compress_option(options->compress, tools->major, compress);
    if (source->snapshot[0] != '\0') {
        (void)snprintf(snapshot, sizeof snapshot, "--snapshot=%s", source->snapshot);
    }
    const char *argv[12] = {tools->dump, "--no-password", "--lock-wait-timeout=60000", snapshot,
                            file_arg};
    size_t n = 5;
    argv[n++] = options->is_directory ? "--format=directory" : "--format=custom";
    if (options->is_directory) {
        argv[n++] = jobs;
        (void)unlink(file->partial); // pg_dump makes the folder
    }
    if (compress[0] != '\0') {
        argv[n++] = compress;
    }
    argv[n] = login.dbname.data;
    struct dumping dumping = {options, file->partial, source->size_bytes};
    struct dr_db_wait watched = *wait;
    watched.on_tick = options->progress == NULL ? NULL : tell;
    watched.ctx = &dumping;
    rc = dr_backup_login_run(&login, argv, &watched, &result, err);
    dr_backup_login_end(&login);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_backup_tool_failed("pg_dump", &result, err);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

// In the snapshot of the dump; written before the backup has its name, so that one with a name has
// its counts.
static enum dr_rc
count_rows(const struct source *source, const struct dr_backup_file *file,
           const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_buf rows = {.max = DR_BACKUP_ROWS_MAX};
    enum dr_rc rc = dr_backup_rows_pg(source->pg, false, wait, &rows, err);
    rc = rc != DR_OK ? rc : dr_backup_rows_write(file->final_path, &rows, err);
    dr_buf_fini(&rows);
    return rc;
}

static enum dr_rc
dump_and_check(const struct source *source, const struct dr_backup_options *options,
               const struct dr_backup_tools *tools, const struct dr_db_wait *wait,
               struct dr_backup *backup, struct dr_err *err)
{
    struct dr_backup_file file = {0};
    enum dr_rc rc = dr_backup_begin(options, options->is_directory ? ".dir" : ".dump",
                                    source->size_bytes, &file, err);
    rc = rc != DR_OK ? rc : dump(source, options, tools, &file, wait, err);
    rc = rc != DR_OK
             ? rc
             : dr_backup_check_archive(file.partial, tools, true, wait, &backup->entries, err);
    if (rc == DR_OK && source->pg != NULL) {
        rc = count_rows(source, &file, wait, err);
    }
    rc = rc != DR_OK ? rc : dr_backup_finish(&file, backup, err);
    if (rc != DR_OK) {
        dr_backup_abandon(&file);
    }
    return rc;
}

enum dr_rc
dr_backup_pg(const char *url, const struct dr_backup_options *options, struct dr_backup *out,
             struct dr_err *err)
{
    struct dr_db_wait wait = dr_backup_wait(options);
    struct source source = {.url = url};
    struct dr_backup_tools tools;
    struct dr_backup backup = {.started = dr_now_unix_s()};
    enum dr_rc rc = look_at_server(&source, options, &wait, err);
    if (rc == DR_OK) {
        rc = dr_backup_tools_find(options->pg_bindir,
                                  (unsigned long)source.info.server_version / 10000, &wait, &tools,
                                  err);
    }
    if (rc == DR_OK) {
        snprintf(backup.tool, sizeof backup.tool, "pg_dump %s", tools.version);
        snprintf(backup.server_version, sizeof backup.server_version, "%s",
                 source.info.server_version_text);
        backup.source_bytes = source.size_bytes;
        rc = dump_and_check(&source, options, &tools, &wait, &backup, err);
    }
    dr_pg_close(&source.pg);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "backup failed");
    }
    *out = backup;
    return DR_OK;
}
