// Backups that are taken, checked, refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "db/sqlite.h"
#include "engine/backup.h"
#include "engine/backup_internal.h"
#include "proto/documents.pb-c.h"
#include "support/pgcluster.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64], backups[96];
    struct dr_backup_options options;
    struct dr_backup backup;
    struct dr_err err;
};

static struct dr_pgcluster *cluster; // asks for a password over TCP

static int
start_cluster(void **state)
{
    (void)state;
    struct dr_pgcluster_options options = {.with_tcp = true, .password = "s3:cr\\et"};
    cluster = dr_pgcluster_start(&options);
    return 0;
}

static int
stop_cluster(void **state)
{
    (void)state;
    dr_pgcluster_stop(&cluster);
    return 0;
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/drover-backup-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->backups, sizeof f->backups, "%s/backups", f->folder);
    f->options = (struct dr_backup_options){
        .folder = f->backups, .target = "production/orders", .timeout_ms = 60000};
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dr_dir_remove(f->folder, NULL), DR_OK);
    free(f);
    return 0;
}

// Files in the backup folder, hidden ones too.
static size_t
count_files(const struct fixture *f)
{
    size_t count = 0;
    DIR *dir = opendir(f->backups);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static void
write_script(const struct fixture *f, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0700, NULL), DR_OK);
}

// id: G1 C20
static void
dump_is_taken_checked_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    const char *url = dr_pgcluster_new_database(cluster);
    dr_pgcluster_sql(cluster, url, "CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS i");
    if (dr_backup_pg(url, &f->options, &f->backup, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_memory_equal(f->backup.tool, "pg_dump 15.", 11);
    assert_memory_equal(f->backup.server_version, "15.", 3);
    assert_int_equal(f->backup.restore_level, DR_BACKUP_LISTED);
    assert_int_equal(f->backup.entries, 2); // the table and its data
    assert_true(f->backup.finished >= f->backup.started && f->backup.started > 0);
    assert_int_equal(stat(f->backup.location, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, (off_t)f->backup.size_bytes);
    assert_non_null(strstr(f->backup.location, "/production_orders-2"));
    assert_int_equal(count_files(f), 1);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
    struct dr_arena *arena = dr_arena_new(65536);
    const Drover__V1__BackupRecord *record = dr_backup_record(&f->backup, arena);
    assert_non_null(record);
    assert_string_equal(record->location, f->backup.location);
    assert_int_equal(record->restore_level, DROVER__V1__RESTORE_LEVEL__LISTED);
    assert_int_equal(record->sha256.len, 32);
    assert_memory_equal(record->sha256.data, f->backup.sha256, 32);
    dr_arena_free(&arena);
}

// id: G1
static void
archive_is_read_by_a_program_as_new_as_the_one_that_wrote_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_OK);
    (void)snprintf(f->backup.tool, sizeof f->backup.tool, "pg_dump 98.1");
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_TOOL);
    assert_string_equal(f->err.message, "there is no pg_dump of version 98 or newer");
    (void)snprintf(f->backup.tool, sizeof f->backup.tool, "pg_dump 9.6.24");
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
}

static void
database_without_tables_can_be_backed_up(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_new_database(cluster), &f->options, &f->backup, &f->err), DR_OK);
    assert_int_equal(f->backup.entries, 0);
    struct dr_backup second;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &second, &f->err), DR_OK);
    assert_string_not_equal(f->backup.location, second.location);
}

static void
password_reaches_pg_dump_and_stays_nowhere(void **state)
{
    struct fixture *f = *state;
    const char *url = dr_pgcluster_url_tcp(cluster, "postgres");
    f->options.password = "s3:cr\\et";
    if (dr_backup_pg(url, &f->options, &f->backup, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(count_files(f), 1);
    f->options.password = "wrong";
    assert_int_equal(dr_backup_pg(url, &f->options, &f->backup, &f->err), DR_E_DB_AUTH);
    // Killed now, it would leave nothing either.
    char script[600], with_password[256];
    snprintf(script, sizeof script,
             "#!/bin/sh\ncase $1 in --version) ;; *) for f in %s/.[!.]*; do [ ! -e \"$f\" ] || "
             "{ echo \"pg_dump: error: $f lies there\" >&2; exit 3; }; done;; esac\n"
             "exec /usr/lib/postgresql/15/bin/pg_dump \"$@\"\n",
             f->backups);
    write_script(f, "pg_dump", script);
    write_script(f, "pg_restore", "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n");
    f->options.pg_bindir = f->folder;
    snprintf(with_password, sizeof with_password,
             "postgresql://postgres:s3%%3Acr%%5Cet@127.0.0.1:%d/postgres",
             dr_pgcluster_port(cluster));
    f->options.password = NULL;
    assert_int_equal(dr_backup_pg(with_password, &f->options, &f->backup, &f->err), DR_OK);
    assert_int_equal(count_files(f), 2);
}

// id: S15
static void
pg_dump_older_than_the_server_is_refused(void **state)
{
    struct fixture *f = *state;
    write_script(f, "pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9'\n");
    write_script(f, "pg_restore", "#!/bin/sh\n");
    f->options.pg_bindir = f->folder;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_BACKUP_TOOL);
    assert_non_null(strstr(f->err.message, "has version 14.9, but the server is of version 15"));
    f->options.pg_bindir = "/nowhere";
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_BACKUP_TOOL);
    assert_int_equal(count_files(f), 0);
}

// The snapshot waits in its transaction for as long as pg_dump takes.
// id: G1
static void
server_that_ends_idle_transactions_lets_the_snapshot_wait(void **state)
{
    struct fixture *f = *state;
    const char *url = dr_pgcluster_new_database(cluster);
    dr_pgcluster_sql(cluster, url, "CREATE TABLE public.t AS SELECT generate_series(1, 10) AS i");
    dr_pgcluster_sql(cluster, url,
                     "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET "
                     "idle_in_transaction_session_timeout = 500', current_database()); END$$");
    write_script(f, "pg_dump",
                 "#!/bin/sh\ncase $1 in --version) ;; *) sleep 1;; esac\n"
                 "exec /usr/lib/postgresql/15/bin/pg_dump \"$@\"\n");
    write_script(f, "pg_restore", "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n");
    f->options.pg_bindir = f->folder;
    f->options.with_rows = true;
    if (dr_backup_pg(url, &f->options, &f->backup, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(count_files(f), 2); // the rows stand beside it
}

// id: G16
static void
tool_that_lies_about_its_success_is_caught(void **state)
{
    struct fixture *f = *state;
    write_script(f, "pg_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.1'\n");
    write_script(f, "pg_restore", "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n");
    f->options.pg_bindir = f->folder;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_BACKUP_FAILED);
    assert_non_null(strstr(f->err.message, "pg_restore"));
    assert_int_equal(count_files(f), 0);
}

// id: G16
static void
truncated_dump_is_caught(void **state)
{
    struct fixture *f = *state;
    const char *url = dr_pgcluster_new_database(cluster);
    dr_pgcluster_sql(cluster, url,
                     "CREATE TABLE public.t AS SELECT md5(i::text) || md5((i + 1)::text) AS v FROM "
                     "generate_series(1, 20000) i");
    write_script(
        f, "pg_dump",
        "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 15.1'; exit;; esac\n"
        "/usr/lib/postgresql/15/bin/pg_dump \"$@\"\n"
        "for a; do case $a in --file=*) truncate -s -20000 \"${a#--file=}\";; esac; done\n");
    write_script(f, "pg_restore", "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n");
    f->options.pg_bindir = f->folder;
    assert_int_equal(dr_backup_pg(url, &f->options, &f->backup, &f->err), DR_E_BACKUP_FAILED);
    assert_int_equal(count_files(f), 0);
}

static void
words_of_the_tool_are_in_the_message(void **state)
{
    struct fixture *f = *state;
    write_script(f, "pg_dump",
                 "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 15.1'; exit;; esac\n"
                 "echo first >&2; echo 'pg_dump: error: the sky fell' >&2; exit 3\n");
    write_script(f, "pg_restore", "#!/bin/sh\n");
    f->options.pg_bindir = f->folder;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_BACKUP_FAILED);
    assert_string_equal(
        f->err.message,
        "backup failed: pg_dump ended with exit code 3: pg_dump: error: the sky fell");
    assert_int_equal(count_files(f), 0);
}

struct told {
    unsigned times;
    uint64_t done, total;
};

static void
note_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct told *told = arg;
    told->times++;
    told->done = done_bytes > told->done ? done_bytes : told->done;
    told->total = total_bytes;
}

static void
size_is_told_while_the_tool_writes(void **state)
{
    struct fixture *f = *state;
    struct told told = {0};
    write_script(f, "pg_dump",
                 "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 15.1'; exit;; esac\n"
                 "for a; do case $a in --file=*) printf 1234567 >\"${a#--file=}\";; esac; done\n"
                 "exec sleep 60\n");
    write_script(f, "pg_restore", "#!/bin/sh\n");
    f->options.pg_bindir = f->folder;
    f->options.timeout_ms = 2500;
    f->options.progress = note_progress;
    f->options.progress_arg = &told;
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_TIMEOUT);
    assert_true(told.times > 0);
    assert_int_equal(told.done, 7);
    assert_true(told.total > 1000000);
}

// id: G17
static void
hanging_tool_is_ended_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    write_script(f, "pg_dump",
                 "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 15.1'; exit;; "
                 "esac\nsleep 60\n");
    write_script(f, "pg_restore", "#!/bin/sh\n");
    f->options.pg_bindir = f->folder;
    f->options.timeout_ms = 700;
    int64_t start = dr_monotonic_ms();
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_TIMEOUT);
    assert_true(dr_monotonic_ms() - start < 20000);
    assert_int_equal(count_files(f), 0);
}

static void
server_that_is_down_is_no_backup(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(dr_backup_pg("postgresql://127.0.0.1:1/app", &f->options, &f->backup, &f->err),
                     DR_E_DB_UNREACHABLE);
    assert_int_equal(count_files(f), 0);
}

static void
make_sqlite(struct fixture *f, char *path, size_t path_size)
{
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {.create = true};
    snprintf(path, path_size, "%s/app.db", f->folder);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    assert_int_equal(
        dr_sqlite_script(db,
                         "PRAGMA journal_mode = wal; CREATE TABLE t (i); INSERT INTO t VALUES (1);",
                         &f->err),
        DR_OK);
    dr_sqlite_close(&db);
}

// id: G1 L11
static void
sqlite_copy_is_taken_checked_and_recorded(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct told told = {0};
    make_sqlite(f, path, sizeof path);
    f->options.progress = note_progress;
    f->options.progress_arg = &told;
    if (dr_backup_sqlite(path, &f->options, &f->backup, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_true(told.times > 0 && told.total >= f->backup.size_bytes);
    assert_memory_equal(f->backup.tool, "sqlite backup 3.", 16);
    assert_int_equal(f->backup.entries, 1);
    assert_int_equal(count_files(f), 1);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
    assert_int_equal(count_files(f), 1);
    int fd = open(f->backup.location, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 100), 1);
    close(fd);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_CHANGED);
}

// id: G1 G16
static void
a_backup_that_is_gone_or_changed_before_a_run_is_noticed(void **state)
{
    struct fixture *f = *state;
    char path[128];
    make_sqlite(f, path, sizeof path);
    assert_int_equal(dr_backup_sqlite(path, &f->options, &f->backup, &f->err), DR_OK);
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_OK);
    int fd = open(f->backup.location, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 100), 1); // as large as before
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_E_BACKUP_CHANGED);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_E_BACKUP_CHANGED);
    assert_non_null(strstr(f->err.message, "the backup has 100 bytes, and had 8192 when"));
    close(fd);
    assert_int_equal(unlink(f->backup.location), 0);
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_E_BACKUP_GONE);
    assert_non_null(strstr(f->err.message, f->backup.location));
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_GONE);
}

// id: G1
static void
a_large_backup_is_read_before_a_run_only_when_something_touched_it(void **state)
{
    struct fixture *f = *state;
    snprintf(f->backup.location, sizeof f->backup.location, "%s/large.dump", f->folder);
    snprintf(f->backup.tool, sizeof f->backup.tool, "pg_dump 15.1");
    int fd = open(f->backup.location, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    f->backup.size_bytes = DR_BACKUP_QUICK_MAX + 1;
    assert_int_equal(ftruncate(fd, (off_t)f->backup.size_bytes),
                     0); // of a digest that is not its own
    close(fd);
    f->backup.finished = dr_now_unix_s() + 1;
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_OK);
    f->backup.finished = dr_now_unix_s() - 100;
    assert_int_equal(dr_backup_check_there(&f->backup, &f->err), DR_E_BACKUP_CHANGED);
}

static void
sqlite_file_that_is_missing_or_interrupted_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int ends[2];
    make_sqlite(f, path, sizeof path);
    assert_int_equal(dr_backup_sqlite("/nowhere/app.db", &f->options, &f->backup, &f->err),
                     DR_E_NOT_FOUND);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    f->options.cancel_fd = ends[0];
    assert_int_equal(
        dr_backup_pg(dr_pgcluster_url(cluster, "postgres"), &f->options, &f->backup, &f->err),
        DR_E_INTERRUPTED);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(count_files(f), 0);
}

// id: G1 G16
static void
disk_without_room_is_noticed_before_anything_is_written(void **state)
{
    struct fixture *f = *state;
    struct dr_backup_file file = {0};
    assert_int_equal(dr_backup_begin(&f->options, ".dump", UINT64_MAX / 4, &file, &f->err),
                     DR_E_BACKUP_SPACE);
    assert_non_null(strstr(f->err.message, " free, and "));
    assert_non_null(strstr(f->err.message, " may be needed"));
    assert_int_equal(count_files(f), 0);
}

static void
folder_that_cannot_be_made_is_named(void **state)
{
    struct fixture *f = *state;
    char path[128];
    make_sqlite(f, path, sizeof path);
    f->options.folder = path; // a file
    assert_int_not_equal(dr_backup_sqlite(path, &f->options, &f->backup, &f->err), DR_OK);
    assert_non_null(strstr(f->err.message, path));
}

int
main(void)
{
#define BACKUP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(dump_is_taken_checked_and_recorded),
        BACKUP_TEST(archive_is_read_by_a_program_as_new_as_the_one_that_wrote_it),
        BACKUP_TEST(database_without_tables_can_be_backed_up),
        BACKUP_TEST(password_reaches_pg_dump_and_stays_nowhere),
        BACKUP_TEST(pg_dump_older_than_the_server_is_refused),
        BACKUP_TEST(server_that_ends_idle_transactions_lets_the_snapshot_wait),
        BACKUP_TEST(tool_that_lies_about_its_success_is_caught),
        BACKUP_TEST(truncated_dump_is_caught),
        BACKUP_TEST(words_of_the_tool_are_in_the_message),
        BACKUP_TEST(size_is_told_while_the_tool_writes),
        BACKUP_TEST(hanging_tool_is_ended_at_the_deadline),
        BACKUP_TEST(server_that_is_down_is_no_backup),
        BACKUP_TEST(sqlite_copy_is_taken_checked_and_recorded),
        BACKUP_TEST(a_backup_that_is_gone_or_changed_before_a_run_is_noticed),
        BACKUP_TEST(a_large_backup_is_read_before_a_run_only_when_something_touched_it),
        BACKUP_TEST(sqlite_file_that_is_missing_or_interrupted_leaves_nothing),
        BACKUP_TEST(disk_without_room_is_noticed_before_anything_is_written),
        BACKUP_TEST(folder_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
