// How long backups stay: as promised, and not a second less.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "engine/backup_keep.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY  86400
#define NOW  1800000000
#define LAST "production_orders-20270115T080000Z.dump"

static struct dr_tmp tmp;
static struct dr_backup_options options;

static int
set_up(void **state)
{
    (void)state;
    dr_tmp_init(&tmp);
    options = (struct dr_backup_options){.folder = tmp.path, .target = "production/orders"};
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_tmp_fini(&tmp);
    return 0;
}

static const char *
path_of(const char *name)
{
    static char path[1024];
    (void)snprintf(path, sizeof path, "%.500s/%.400s", tmp.path, name);
    return path;
}

static struct dr_backup
backup_of(const char *name)
{
    struct dr_backup b = {0};
    struct dr_err err = {0};
    (void)snprintf(b.location, sizeof b.location, "%.400s", path_of(name));
    assert_int_equal(dr_file_write(b.location, "x", 1, 0600, &err), DR_OK);
    return b;
}

static void
promised(const char *name, int64_t until)
{
    struct dr_err err = {0};
    struct dr_backup b = backup_of(name);
    assert_int_equal(dr_backup_keep(&b, until, &err), DR_OK);
}

static bool
is_there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static size_t
prune(int64_t now)
{
    struct dr_err err = {0};
    size_t removed = 99;
    struct dr_backup newest = backup_of(LAST);
    if (dr_backup_prune(&options, &newest, now, &removed, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return removed;
}

// id: G8
static void
a_backup_stays_until_its_promise_is_over(void **state)
{
    (void)state;
    promised("production_orders-20261216T080000Z.dump", NOW);
    promised("production_orders-20261216T080001Z-2.dump", NOW + 1);
    promised(LAST, NOW + 30 * DAY);
    assert_int_equal(prune(NOW), 0);
    assert_int_equal(prune(NOW + 1), 1);
    assert_false(is_there("production_orders-20261216T080000Z.dump"));
    assert_false(is_there("production_orders-20261216T080000Z.dump.keep"));
    assert_true(is_there("production_orders-20261216T080001Z-2.dump"));
    assert_int_equal(prune(NOW + 2), 1);
}

static void
the_newest_backup_always_stays(void **state)
{
    (void)state;
    promised(LAST, NOW - 1000 * DAY);
    promised("production_orders-20270115T080000Z-2.dump", NOW - DAY); // as young
    promised("production_orders-20270116T080000Z.dump", NOW - DAY);   // younger
    assert_int_equal(prune(NOW), 0);
    assert_true(is_there(LAST));
}

static void
what_has_no_promise_or_another_name_is_somebodys(void **state)
{
    (void)state;
    static const char *const names[] = {
        "production_orders-20260101T000000Z.dump",     // no promise
        "production_orders-eu-20260101T000000Z.dump",  // another target
        "production_orders-20260101T000000Z.dump.old", // renamed by a person
        "production_orders-20260101T00000Z.dump",      // no stamp
        "notes.txt",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (i == 0) {
            (void)backup_of(names[i]);
        } else {
            promised(names[i], 1);
        }
    }
    struct dr_err err = {0};
    (void)backup_of("production_orders-20260102T000000Z.dump");
    assert_int_equal(dr_file_write(path_of("production_orders-20260102T000000Z.dump.keep"),
                                   "soon\n", 5, 0600, &err),
                     DR_OK);
    assert_int_equal(prune(NOW), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(is_there(names[i]));
    }
    assert_true(is_there("production_orders-20260102T000000Z.dump"));
}

static void
leftovers_of_a_backup_that_was_cut_off_go_after_a_day(void **state)
{
    (void)state;
    struct stat st;
    (void)backup_of("production_orders-20260101T000000Z.dump.partial");
    assert_int_equal(stat(path_of("production_orders-20260101T000000Z.dump.partial"), &st), 0);
    assert_int_equal(prune(st.st_mtime + DR_BACKUP_STALE_S), 0);
    assert_true(is_there("production_orders-20260101T000000Z.dump.partial"));
    assert_int_equal(prune(st.st_mtime + DR_BACKUP_STALE_S + 1), 0);
    assert_false(is_there("production_orders-20260101T000000Z.dump.partial"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_backup_stays_until_its_promise_is_over),
        TEST(the_newest_backup_always_stays),
        TEST(what_has_no_promise_or_another_name_is_somebodys),
        TEST(leftovers_of_a_backup_that_was_cut_off_go_after_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
