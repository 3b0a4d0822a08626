// Backups that lie in a folder: which of them is meant, and what is said of it afterwards.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/backup_job.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "db/sqlite.h"
#include "engine/backup_keep.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct dr_tmp tmp;
static struct dr_arena *arena;
static struct dr_backup backup;
static struct dr_backup_job job;
static struct dr_backup_done done;
static struct dr_err err;

// A folder with one backup, taken long ago, of a database of one table.
static int
set_up(void **state)
{
    (void)state;
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options create = {.create = true};
    char path[1024], name[160];
    dr_tmp_init(&tmp);
    arena = dr_arena_new(64u << 20);
    done = (struct dr_backup_done){0};
    err = (struct dr_err){0};
    job = (struct dr_backup_job){.target = "production/lite", .folder = tmp.path, .arena = arena};
    (void)snprintf(path, sizeof path, "%.900s/app.db", tmp.path);
    assert_int_equal(dr_sqlite_open(path, &create, &db, &err), DR_OK);
    assert_int_equal(dr_sqlite_script(db, "CREATE TABLE t (i); INSERT INTO t VALUES (1)", &err),
                     DR_OK);
    dr_sqlite_close(&db);
    const struct dr_backup_options options = dr_backup_job_options(&job, name);
    assert_int_equal(dr_backup_sqlite(path, &options, &backup, &err), DR_OK);
    Drover__V1__Attestation note = DROVER__V1__ATTESTATION__INIT;
    note.kind = DROVER__V1__ATTESTATION_KIND__BACKUP;
    note.backup = dr_backup_record(&backup, arena);
    assert_non_null(note.backup);
    assert_int_equal(dr_backup_note(&note, &err), DR_OK);
    assert_int_equal(dr_backup_keep(&backup, dr_now_unix_s() - 1, &err), DR_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    dr_tmp_fini(&tmp);
    return 0;
}

// Younger than any other, and nothing stands beside it.
static void
leave_half_a_backup(char path[1024])
{
    (void)snprintf(path, 1024, "%.900s/production-lite-29991231T000000Z.sqlite", tmp.path);
    assert_int_equal(dr_file_write(path, "x", 1, 0600, &err), DR_OK);
}

// id: G1
static void
without_a_digest_the_newest_that_is_noted_is_meant(void **state)
{
    (void)state;
    char half[1024];
    leave_half_a_backup(half);
    if (dr_backup_job_verify(&job, &done, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(done.note->backup->location, backup.location);
    assert_true(done.is_newest);
    done = (struct dr_backup_done){0};
    if (dr_backup_job_restore_test(&job, &done, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(done.note->backup->location, backup.location);
}

// id: G8
static void
half_a_backup_does_not_let_the_last_good_one_go(void **state)
{
    (void)state;
    char half[1024];
    leave_half_a_backup(half);
    assert_int_equal(dr_backup_job_prune(&job, &done, &err), DR_OK);
    assert_int_equal(done.removed, 0);
    job.sha256 = backup.sha256;
    assert_int_equal(dr_backup_job_prune(&job, &done, &err), DR_E_BACKUP_KEPT);
    assert_non_null(strstr(err.message, "is the newest of 'production/lite'"));
    assert_int_equal(access(backup.location, F_OK), 0);
}

static void
backup_that_nothing_was_noted_about_is_named_when_there_is_no_other(void **state)
{
    (void)state;
    char half[1024];
    dr_backup_drop(&backup);
    leave_half_a_backup(half);
    assert_int_equal(dr_backup_job_verify(&job, &done, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "nothing is noted about backup"));
    assert_int_equal(dr_backup_job_prune(&job, &done, &err), DR_OK);
    assert_int_equal(access(half, F_OK), 0);
}

// Before a server is started for it; and that there is no room says nothing about the backup.
// id: G1 G16
static void
room_for_a_restore_is_looked_for_by_the_size_that_the_database_had(void **state)
{
    (void)state;
    struct dr_backup dump = {.tool = "pg_dump 15.20", .server_version = "15.20", .size_bytes = 1};
    struct dr_backup_source source = {.size_bytes = UINT64_MAX / 8};
    Drover__V1__Attestation note = DROVER__V1__ATTESTATION__INIT;
    (void)snprintf(dump.location, sizeof dump.location,
                   "%.900s/production-lite-29991231T000000Z.dump", tmp.path);
    assert_int_equal(dr_file_write(dump.location, "x", 1, 0600, &err), DR_OK);
    assert_int_equal(dr_file_sha256(dump.location, dump.sha256, &dump.size_bytes, &err), DR_OK);
    dump.restore_level = DR_BACKUP_LISTED;
    note.kind = DROVER__V1__ATTESTATION_KIND__BACKUP;
    note.backup = dr_backup_record(&dump, arena);
    assert_int_equal(dr_backup_note(&note, &err), DR_OK);
    assert_int_equal(dr_backup_note_source(&dump, &source, &err), DR_OK);
    assert_int_equal(dr_backup_job_restore_test(&job, &done, &err), DR_E_BACKUP_SPACE);
    assert_int_equal(done.note->backup->restore_level, DR_BACKUP_LISTED);
}

static void
leave_ordered(unsigned number, int64_t finished, int64_t keep_until)
{
    struct dr_backup one = {.tool = "pg_dump 15.20", .finished = finished};
    const struct dr_backup_source source = {.is_ordered = true};
    Drover__V1__Attestation note = DROVER__V1__ATTESTATION__INIT;
    (void)snprintf(one.location, sizeof one.location,
                   "%.900s/production-lite-20300101T0000%02uZ.dump", tmp.path, number);
    assert_int_equal(dr_file_write(one.location, "x", 1, 0600, &err), DR_OK);
    note.backup = dr_backup_record(&one, arena);
    assert_int_equal(dr_backup_note(&note, &err), DR_OK);
    assert_int_equal(dr_backup_note_source(&one, &source, &err), DR_OK);
    assert_int_equal(dr_backup_keep(&one, keep_until, &err), DR_OK);
}

// Nobody signs them.
// id: G1 G8
static void
orders_do_not_fill_the_disk_with_what_has_to_stay(void **state)
{
    (void)state;
    const int64_t now = 2000000000, day = 86400;
    assert_int_equal(dr_backup_job_may_take(&job, now, &err), DR_OK);
    for (unsigned i = 0; i < DR_BACKUP_ORDERED_HOUR; i++) {
        assert_int_equal(dr_backup_job_may_take(&job, now, &err), DR_OK);
        leave_ordered(i, now, now + day);
    }
    assert_int_equal(dr_backup_job_may_take(&job, now + 3599, &err), DR_E_BACKUP_TOO_MANY);
    assert_string_equal(err.message, "6 backups of 'production/lite' were ordered within an hour");
    assert_int_equal(dr_backup_job_may_take(&job, now + 3600, &err), DR_OK);
    for (unsigned i = DR_BACKUP_ORDERED_HOUR; i < DR_BACKUP_ORDERED_MAX; i++) {
        leave_ordered(i, now - day, now + day);
    }
    assert_int_equal(dr_backup_job_may_take(&job, now + day, &err), DR_E_BACKUP_TOO_MANY);
    assert_non_null(strstr(err.message, "has 24 backups that were ordered and have to stay, the "
                                        "first until 2033-05-1"));
    assert_int_equal(dr_backup_job_may_take(&job, now + day + 1, &err), DR_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_digest_the_newest_that_is_noted_is_meant),
        TEST(half_a_backup_does_not_let_the_last_good_one_go),
        TEST(room_for_a_restore_is_looked_for_by_the_size_that_the_database_had),
        TEST(orders_do_not_fill_the_disk_with_what_has_to_stay),
        TEST(backup_that_nothing_was_noted_about_is_named_when_there_is_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
