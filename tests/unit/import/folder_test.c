// New files appear all or none.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/import/folder.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char home[128];

static int
make_home(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "/tmp/drover-folder-XXXXXX");
    return mkdtemp(home) == NULL ? -1 : 0;
}

static int
remove_home(void **state)
{
    struct dr_err err;
    (void)state;
    return dr_dir_remove(home, &err) == DR_OK ? 0 : -1;
}

static const char *
path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static size_t
entries_of(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 2;
}

static void
a_new_folder_appears_whole(void **state)
{
    struct dr_folder *folder = NULL;
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_folder_begin(path_of("a/b/"), false, &folder, &err), DR_OK);
    assert_int_equal(dr_folder_add(folder, "x/1.sql", "one", 3, &err), DR_OK);
    assert_int_equal(dr_folder_add(folder, "x/1.sql", "two", 3, &err), DR_E_EXISTS);
    assert_false(dr_path_exists(path_of("a/b")));
    assert_int_equal(dr_folder_end(folder, &err), DR_OK);
    dr_folder_free(&folder);
    assert_true(dr_path_exists(path_of("a/b/x/1.sql")));
    assert_int_equal(entries_of(path_of("a")), 1);
}

static void
what_is_not_ended_leaves_nothing(void **state)
{
    struct dr_folder *folder = NULL;
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_folder_begin(path_of("c"), false, &folder, &err), DR_OK);
    assert_int_equal(dr_folder_add(folder, "1.sql", "one", 3, &err), DR_OK);
    dr_folder_free(&folder);
    assert_int_equal(entries_of(home), 0);
}

static void
files_that_are_there_stay_as_they_are(void **state)
{
    struct dr_folder *folder = NULL;
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_dir_make(path_of("d"), 0755, &err), DR_OK);
    assert_int_equal(dr_file_create(path_of("d/mine"), "x", 1, 0644, &err), DR_OK);
    assert_int_equal(dr_folder_begin(path_of("d"), false, &folder, &err), DR_OK);
    assert_int_equal(dr_folder_add(folder, "mine", "y", 1, &err), DR_E_EXISTS);
    assert_int_equal(dr_folder_add(folder, "a", "y", 1, &err), DR_OK);
    assert_int_equal(dr_folder_add(folder, "b", "y", 1, &err), DR_OK);
    assert_int_equal(dr_file_create(path_of("d/b"), "x", 1, 0644, &err), DR_OK); // meanwhile
    assert_int_equal(dr_folder_end(folder, &err), DR_E_EXISTS);
    dr_folder_free(&folder);
    assert_int_equal(entries_of(path_of("d")), 2);
}

static void
names_lead_nowhere_else_and_a_dry_run_writes_nothing(void **state)
{
    static const char *const bad[] = {"", "/etc/x", "../x", "a/../../x", "..", "a/.."};
    struct dr_folder *folder = NULL;
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_folder_begin(path_of("e"), true, &folder, &err), DR_OK);
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        assert_int_equal(dr_folder_add(folder, bad[i], "x", 1, &err), DR_E_INVALID);
    }
    assert_int_equal(dr_folder_add(folder, "x", "x", 1, &err), DR_OK);
    assert_int_equal(dr_folder_end(folder, &err), DR_OK);
    dr_folder_free(&folder);
    assert_int_equal(entries_of(home), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_folder_appears_whole, make_home, remove_home),
        cmocka_unit_test_setup_teardown(what_is_not_ended_leaves_nothing, make_home, remove_home),
        cmocka_unit_test_setup_teardown(files_that_are_there_stay_as_they_are, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(names_lead_nowhere_else_and_a_dry_run_writes_nothing,
                                        make_home, remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
