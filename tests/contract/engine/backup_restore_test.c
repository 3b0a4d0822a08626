// Backups that are restored into throw-away databases, and those that cannot be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "db/sqlite.h"
#include "engine/backup_keep.h"
#include "engine/backup_restore.h"
#include "engine/run.h"
#include "support/pgcluster.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64], backups[96];
    struct dr_backup_options options;
    struct dr_backup_restore_options restore;
    struct dr_backup backup;
    struct dr_backup_proof proof;
    uint8_t fingerprint[32], ledger_head[32];
    struct dr_backup_expect expect;
    struct dr_err err;
};

static struct dr_pgcluster *cluster;

static int
start_cluster(void **state)
{
    (void)state;
    cluster = dr_pgcluster_start(NULL);
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
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/drover-restore-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->backups, sizeof f->backups, "%s/backups", f->folder);
    f->options = (struct dr_backup_options){
        .folder = f->backups, .target = "production/orders", .with_rows = true};
    f->expect =
        (struct dr_backup_expect){.fingerprint = f->fingerprint, .ledger_head = f->ledger_head};
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

// What a READY says of the database.
static void
look(struct fixture *f, const char *url)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_state state = {0};
    const struct dr_engine_options options = {
        .url = url, .tolerate = f->expect.tolerate, .tolerate_count = f->expect.tolerate_count};
    struct dr_arena *arena = dr_arena_new(64u << 20);
    assert_int_equal(dr_engine_open(&options, &engine, &f->err), DR_OK);
    assert_int_equal(dr_engine_read_state(engine, arena, true, false, &state, &f->err), DR_OK);
    memcpy(f->fingerprint, state.fingerprint, 32);
    memcpy(f->ledger_head, state.ledger_head, 32);
    dr_engine_close(&engine);
    dr_arena_free(&arena);
}

// A database with what a restore stumbles over: roles that are nowhere else, rights, keys.
static const char *
make_database(void)
{
    const char *url = dr_pgcluster_new_database(cluster);
    static const char *const statements[] = {
        "CREATE TABLE public.customers (id bigint PRIMARY KEY, email text NOT NULL UNIQUE)",
        "CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "customer bigint NOT NULL REFERENCES public.customers (id), note text)",
        "CREATE TABLE public.parted (i int) PARTITION BY RANGE (i)",
        "CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (100)",
        "INSERT INTO public.customers SELECT i, 'c' || i FROM generate_series(1, 500) i",
        "INSERT INTO public.orders (customer, note) SELECT i, md5(i::text) "
        "FROM generate_series(1, 500) i",
        "INSERT INTO public.parted SELECT generate_series(1, 50)",
        "CREATE VIEW public.recent AS SELECT * FROM public.orders WHERE id > 100",
        "GRANT SELECT ON public.orders TO \"re\"\"ader\"",
        "GRANT INSERT (note) ON public.orders TO writer",
        "ALTER TABLE public.customers OWNER TO owner_of_all",
        "ALTER DEFAULT PRIVILEGES FOR ROLE owner_of_all GRANT SELECT ON TABLES TO writer",
    };
    dr_pgcluster_sql(cluster, url,
                     "DO $$BEGIN CREATE ROLE \"re\"\"ader\"; CREATE ROLE writer; CREATE ROLE "
                     "owner_of_all; EXCEPTION WHEN duplicate_object THEN NULL; END$$");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        dr_pgcluster_sql(cluster, url, statements[i]);
    }
    return url;
}

static void
take(struct fixture *f, const char *url)
{
    if (dr_backup_pg(url, &f->options, &f->backup, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    look(f, url);
}

static enum dr_rc
prove(struct fixture *f, uint32_t level)
{
    return dr_backup_prove(&f->backup, level, &f->expect, &f->restore, &f->proof, &f->err);
}

// id: G1
static void
dump_is_restored_into_a_private_server_and_every_row_is_read(void **state)
{
    struct fixture *f = *state;
    char text[200];
    const char *url = make_database();
    take(f, url);
    dr_pgcluster_sql(cluster, url, "INSERT INTO public.customers VALUES (501, 'later')");
    if (prove(f, DR_BACKUP_QUERIED) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(f->proof.restore_level, DR_BACKUP_QUERIED);
    assert_int_equal(f->proof.tables, 3);
    assert_int_equal(f->proof.rows, 1050);
    assert_true(f->proof.is_compared);
    assert_memory_equal(f->proof.fingerprint, f->fingerprint, 32);
    dr_backup_proof_text(&f->proof, text);
    assert_non_null(strstr(text, "restored in "));
    assert_non_null(strstr(text, "1050 rows of 3 tables read in "));
    assert_non_null(strstr(text, "as many as in the backup's snapshot"));
    // On a server that is named, too; and what was made there is gone.
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    f->restore.jobs = 2;
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_OK);
    assert_int_equal(f->proof.restore_level, DR_BACKUP_RESTORED);
    assert_string_equal(dr_pgcluster_ask(cluster, dr_pgcluster_url(cluster, "postgres"),
                                         "SELECT count(*)::text FROM pg_database WHERE datname "
                                         "LIKE 'drover%scratch%'"),
                        "0");
}

// id: G1
static void
folder_of_several_jobs_is_named_by_the_digest_of_its_files(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX + 16];
    f->options.is_directory = true;
    f->options.jobs = 3;
    f->options.compress = "gzip:1";
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    f->restore.jobs = 3;
    take(f, make_database());
    assert_non_null(strstr(f->backup.location, "Z.dir"));
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
    if (prove(f, DR_BACKUP_QUERIED) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_true(f->proof.is_compared);
    (void)snprintf(path, sizeof path, "%s/toc.dat", f->backup.location);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    (void)close(fd);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_CHANGED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_CHANGED);
    dr_backup_drop(&f->backup);
    assert_int_equal(access(f->backup.location, F_OK), -1);
}

// id: G1 G16
static void
dump_of_another_database_or_of_another_time_is_found(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX + 16];
    const char *url = make_database(), *rows = "499 public.customers\n500 public.orders\n";
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    take(f, url);
    look(f, dr_pgcluster_new_database(cluster));
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_OTHER);
    assert_non_null(strstr(f->err.message, "another schema than the target"));
    dr_pgcluster_sql(cluster, url, "ALTER TABLE public.orders ADD COLUMN late int");
    look(f, url);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_OTHER);
    dr_pgcluster_sql(cluster, url, "ALTER TABLE public.orders DROP COLUMN late");
    look(f, url);
    memset(f->ledger_head, 7, 32);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_OTHER);
    assert_non_null(strstr(f->err.message, "another history"));
    look(f, url);
    (void)snprintf(path, sizeof path, "%s.rows", f->backup.location);
    assert_int_equal(dr_file_write(path, rows, strlen(rows), 0600, NULL), DR_OK);
    assert_int_equal(prove(f, DR_BACKUP_QUERIED), DR_E_BACKUP_OTHER);
    assert_non_null(strstr(f->err.message, "'499 public.customers' there, '500 public.customers'"));
}

// What the policy tolerates is no part of the fingerprint that was recorded.
// id: G1
static void
dump_with_objects_that_are_tolerated_is_what_was_recorded(void **state)
{
    struct fixture *f = *state;
    static const char *const tolerate[] = {"* aside", "column aside.*"};
    const char *url = make_database();
    dr_pgcluster_sql(cluster, url, "CREATE TABLE public.aside (i int)");
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    f->expect.tolerate = tolerate;
    f->expect.tolerate_count = 2;
    take(f, url);
    if (prove(f, DR_BACKUP_QUERIED) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_memory_equal(f->proof.fingerprint, f->fingerprint, 32);
    f->expect.tolerate_count = 0;
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_OTHER);
}

// A materialized view over a foreign table would be filled again from the real server.
// id: G1 P1
static void
dump_with_foreign_tables_is_restored_without_going_there(void **state)
{
    struct fixture *f = *state;
    static const char *const statements[] = {
        "CREATE EXTENSION postgres_fdw",
        "CREATE SEQUENCE public.reads",
        "CREATE VIEW public.read_it AS SELECT nextval('public.reads') AS x",
        "DO $$ BEGIN EXECUTE format('CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
        "(host %L, port %L, dbname %L)', split_part(current_setting('unix_socket_directories'), "
        "',', 1), current_setting('port'), current_database()); END $$",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (password 'secret')",
        "CREATE FOREIGN TABLE public.far_away (x bigint) SERVER far OPTIONS (table_name 'read_it')",
        "CREATE MATERIALIZED VIEW public.kept AS SELECT x FROM public.far_away",
    };
    const char *url = make_database();
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        dr_pgcluster_sql(cluster, url, statements[i]);
    }
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    take(f, url);
    if (prove(f, DR_BACKUP_QUERIED) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(f->proof.rows, 1050);
    assert_string_equal(dr_pgcluster_ask(cluster, url, "SELECT last_value::text FROM public.reads"),
                        "1");
    // For as long as somebody works with it, too.
    const char *copy = dr_pgcluster_new_database(cluster);
    f->restore.jobs = 2;
    assert_int_equal(dr_backup_restore(&f->backup, copy, &f->restore, &f->err), DR_OK);
    assert_string_equal(dr_pgcluster_ask(cluster, copy,
                                         "SELECT count(*)::text || (SELECT fdwhandler::text FROM "
                                         "pg_foreign_data_wrapper) FROM pg_user_mappings"),
                        "00");
}

// The contents' list is sound and so is the digest, but the data cannot be read.
// id: G1 G16
static void
dump_that_lists_and_does_not_restore_is_found(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    const char *url = make_database();
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    take(f, url);
    assert_int_equal(stat(f->backup.location, &st), 0);
    int fd = open(f->backup.location, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "XXXXXXXXXXXXXXXX", 16, st.st_size - 2000), 16);
    (void)close(fd);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_CHANGED); // before anything starts
    assert_int_equal(
        dr_file_sha256(f->backup.location, f->backup.sha256, &f->backup.size_bytes, &f->err),
        DR_OK);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_FAILED);
    assert_non_null(strstr(f->err.message, "cannot be restored: pg_restore"));
}

// A disk without room, an extension that is not installed there: the archive itself can be read.
// id: G1 G16
static void
fault_of_the_host_says_nothing_about_the_backup(void **state)
{
    struct fixture *f = *state;
    static const char script[] =
        "#!/bin/sh\nfor a; do case $a in --dbname=*)\n"
        "echo 'pg_restore: error: could not extend file: No space left on device' >&2\nexit 1;; "
        "esac; done\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n";
    static const char dump[] = "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_dump \"$@\"\n";
    char path[128];
    take(f, make_database());
    (void)snprintf(path, sizeof path, "%s/pg_restore", f->folder);
    assert_int_equal(dr_file_write(path, script, sizeof script - 1, 0700, NULL), DR_OK);
    (void)snprintf(path, sizeof path, "%s/pg_dump", f->folder);
    assert_int_equal(dr_file_write(path, dump, sizeof dump - 1, 0700, NULL), DR_OK);
    f->restore.scratch = dr_pgcluster_url(cluster, "postgres");
    f->restore.pg_bindir = f->folder;
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_NOT_NOW);
    assert_non_null(strstr(f->err.message, "No space left on device"));
    assert_non_null(strstr(f->err.hint, "nothing was learnt about the backup"));
}

// id: G1
static void
server_that_is_not_installed_is_named(void **state)
{
    struct fixture *f = *state;
    take(f, dr_pgcluster_new_database(cluster));
    (void)snprintf(f->backup.server_version, sizeof f->backup.server_version, "97.1");
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_TOOL);
    assert_non_null(strstr(f->err.hint, "apt install postgresql-97"));
}

static void
make_sqlite(struct fixture *f, char *path, size_t path_size)
{
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {.create = true};
    (void)snprintf(path, path_size, "%s/app.db", f->folder);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_script(db,
                                      "PRAGMA journal_mode = wal; CREATE TABLE t (i);"
                                      "CREATE TABLE \"odd \"\" name\" (i);"
                                      "INSERT INTO t VALUES (1), (2), (3);"
                                      "INSERT INTO \"odd \"\" name\" VALUES (1);",
                                      &f->err),
                     DR_OK);
    dr_sqlite_close(&db);
}

// id: G1
static void
sqlite_copy_is_opened_as_a_copy_and_read(void **state)
{
    struct fixture *f = *state;
    char path[128], url[160], other[160];
    make_sqlite(f, path, sizeof path);
    (void)snprintf(url, sizeof url, "sqlite:%s", path);
    assert_int_equal(dr_backup_sqlite(path, &f->options, &f->backup, &f->err), DR_OK);
    look(f, url);
    if (prove(f, DR_BACKUP_QUERIED) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    assert_int_equal(f->proof.restore_level, DR_BACKUP_QUERIED);
    assert_int_equal(f->proof.tables, 2);
    assert_int_equal(f->proof.rows, 4);
    assert_true(f->proof.is_compared);
    f->fingerprint[0] ^= 1;
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_OTHER);
    (void)snprintf(other, sizeof other, "sqlite:%s/copy.db", f->folder);
    assert_int_equal(dr_backup_restore(&f->backup, other, &f->restore, &f->err), DR_OK);
    assert_int_equal(dr_backup_restore(&f->backup, other, &f->restore, &f->err), DR_E_EXISTS);
    assert_int_equal(truncate(f->backup.location, (off_t)f->backup.size_bytes / 2), 0);
    assert_int_equal(prove(f, DR_BACKUP_RESTORED), DR_E_BACKUP_CHANGED);
    assert_int_equal(
        dr_file_sha256(f->backup.location, f->backup.sha256, &f->backup.size_bytes, &f->err),
        DR_OK);
    assert_int_not_equal(prove(f, DR_BACKUP_RESTORED), DR_OK);
}

int
main(void)
{
#define RESTORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RESTORE_TEST(dump_is_restored_into_a_private_server_and_every_row_is_read),
        RESTORE_TEST(folder_of_several_jobs_is_named_by_the_digest_of_its_files),
        RESTORE_TEST(dump_of_another_database_or_of_another_time_is_found),
        RESTORE_TEST(dump_with_objects_that_are_tolerated_is_what_was_recorded),
        RESTORE_TEST(dump_with_foreign_tables_is_restored_without_going_there),
        RESTORE_TEST(dump_that_lists_and_does_not_restore_is_found),
        RESTORE_TEST(fault_of_the_host_says_nothing_about_the_backup),
        RESTORE_TEST(server_that_is_not_installed_is_named),
        RESTORE_TEST(sqlite_copy_is_opened_as_a_copy_and_read),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
