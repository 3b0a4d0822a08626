// What stands beside a backup: from what it was taken.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "engine/backup_folder.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "production-orders-20270115T080000Z.dump"

static struct dr_tmp tmp;
static struct dr_arena *arena;
static struct dr_backup backup;

static int
set_up(void **state)
{
    (void)state;
    dr_tmp_init(&tmp);
    arena = dr_arena_new(16u << 20);
    backup = (struct dr_backup){0};
    (void)snprintf(backup.location, sizeof backup.location, "%.900s/" NAME, tmp.path);
    assert_int_equal(dr_file_write(backup.location, "x", 1, 0600, NULL), DR_OK);
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

static const struct dr_backup_kept *
only_one(void)
{
    const struct dr_backup_options options = {.folder = tmp.path, .target = "production-orders"};
    struct dr_backup_kept *kept = NULL;
    struct dr_err err = {0};
    size_t n = 0;
    assert_int_equal(dr_backup_list(&options, arena, &kept, &n, &err), DR_OK);
    assert_int_equal(n, 1);
    return kept;
}

static void
size_and_tolerances_of_the_source_are_read_as_they_were_written(void **state)
{
    (void)state;
    static const char *const tolerate[] = {"table *", "grant x on \"odd name\""};
    const struct dr_backup_source source = {
        .size_bytes = UINT64_MAX, .tolerate = tolerate, .tolerate_count = 2, .is_ordered = true};
    struct dr_err err = {0};
    assert_int_equal(only_one()->source.tolerate_count, 0);
    assert_int_equal(dr_backup_note_source(&backup, &source, &err), DR_OK);
    const struct dr_backup_kept *kept = only_one();
    assert_true(kept->source.size_bytes == UINT64_MAX);
    assert_true(kept->source.is_ordered);
    assert_int_equal(kept->source.tolerate_count, 2);
    assert_string_equal(kept->source.tolerate[0], "table *");
    assert_string_equal(kept->source.tolerate[1], "grant x on \"odd name\"");
}

static void
tolerance_of_two_lines_is_not_written(void **state)
{
    (void)state;
    static const char *const tolerate[] = {"table *\ntolerate *"};
    const struct dr_backup_source source = {.tolerate = tolerate, .tolerate_count = 1};
    struct dr_err err = {0};
    assert_int_equal(dr_backup_note_source(&backup, &source, &err), DR_E_INVALID);
    assert_string_equal(err.message, "a tolerance has more than one line");
    assert_int_equal(only_one()->source.tolerate_count, 0);
}

static void
what_is_not_as_it_was_written_tells_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } wrong[] = {{"", 0},
                 {"size_bytes 1", 12},
                 {"size_bytes -1\n", 14},
                 {"tolerate table *\nsomething else\n", 32},
                 {"size_bytes 1\0tolerate x\n", 24}};
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s.from", backup.location);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(dr_file_write(path, wrong[i].text, wrong[i].len, 0600, NULL), DR_OK);
        const struct dr_backup_kept *kept = only_one();
        assert_int_equal(kept->source.size_bytes, 0);
        assert_int_equal(kept->source.tolerate_count, 0);
    }
}

// id: G8
static void
all_that_stands_beside_a_backup_goes_with_it(void **state)
{
    (void)state;
    const struct dr_backup_source source = {.size_bytes = 1};
    struct dr_err err = {0};
    char path[PATH_MAX + 16];
    assert_int_equal(dr_backup_note_source(&backup, &source, &err), DR_OK);
    struct dr_backup_kept kept = *only_one();
    kept.keep_until = 100;
    assert_int_equal(dr_backup_remove(&kept, 100, &err), DR_E_BACKUP_KEPT);
    assert_int_equal(dr_backup_remove(&kept, 101, &err), DR_OK);
    (void)snprintf(path, sizeof path, "%s.from", backup.location);
    assert_int_equal(access(path, F_OK), -1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(size_and_tolerances_of_the_source_are_read_as_they_were_written),
        TEST(tolerance_of_two_lines_is_not_written),
        TEST(what_is_not_as_it_was_written_tells_nothing),
        TEST(all_that_stands_beside_a_backup_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
