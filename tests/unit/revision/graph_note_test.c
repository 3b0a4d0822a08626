// The note of a folder: right while nothing changed, and gone with the first change.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "revision/graph_note.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATER_MS 10000 // behind every file of the test

struct folder {
    struct dr_tmp tmp;
    char revisions[PATH_MAX], note[PATH_MAX];
};

static void
write_file(const struct folder *f, const char *id, const char *parent, const char *sql)
{
    char path[PATH_MAX], name[80], text[500];
    struct dr_err err = {0};
    int n = snprintf(text, sizeof text,
                     "-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises:%s%s\n"
                     "-- Engine: sqlite\n\n-- drover:up\n%s;\n\n-- drover:down\nSELECT 1;\n",
                     id, id, parent[0] == '\0' ? "" : " ", parent, sql);
    (void)snprintf(name, sizeof name, "revisions/%s.sql", id);
    (void)dr_tmp_path(&f->tmp, name, path);
    if (dr_file_write(path, text, (size_t)n, 0644, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
}

static int
set_up(void **state)
{
    static struct folder f;
    dr_tmp_init(&f.tmp);
    (void)dr_tmp_path(&f.tmp, "revisions", f.revisions);
    (void)dr_tmp_path(&f.tmp, "cache/drover/x.note", f.note);
    assert_int_equal(mkdir(f.revisions, 0755), 0);
    write_file(&f, "one", "", "CREATE TABLE a (id integer)");
    write_file(&f, "two", "one", "CREATE TABLE b (id integer)");
    write_file(&f, "other", "one", "CREATE TABLE c (id integer)");
    *state = &f;
    return 0;
}

static int
tear_down(void **state)
{
    struct folder *f = *state;
    dr_tmp_fini(&f->tmp);
    return 0;
}

static void
note_it(struct folder *f, int64_t since_ms)
{
    struct dr_graph *graph = NULL;
    struct dr_err err = {0};
    if (dr_graph_load(f->revisions, &graph, &err) != DR_OK ||
        dr_graph_note_write(graph, f->note, f->revisions, since_ms, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    dr_graph_free(&graph);
}

static bool
is_noted(struct folder *f)
{
    struct dr_graph_note *note = NULL;
    struct dr_err err = {0};
    enum dr_rc rc = dr_graph_note_read(f->note, f->revisions, &note, &err);
    assert_true(rc == DR_OK || rc == DR_E_NOT_FOUND);
    dr_graph_note_free(&note);
    return rc == DR_OK;
}

static void
note_knows_ids_and_heads(void **state)
{
    struct folder *f = *state;
    struct dr_graph_note *note = NULL;
    struct dr_err err = {0};
    assert_false(is_noted(f));
    note_it(f, dr_now_unix_ms() + LATER_MS);
    assert_int_equal(dr_graph_note_read(f->note, f->revisions, &note, &err), DR_OK);
    assert_int_equal(dr_graph_note_heads(note), 2);
    assert_string_equal(dr_graph_note_marks(note, "one"), "b");
    assert_string_equal(dr_graph_note_marks(note, "other"), "h");
    assert_string_equal(dr_graph_note_marks(note, "two"), "h");
    assert_null(dr_graph_note_marks(note, "three"));
    dr_graph_note_free(&note);
}

static void
every_change_of_the_folder_ends_the_note(void **state)
{
    struct folder *f = *state;
    char path[PATH_MAX];
    (void)dr_tmp_path(&f->tmp, "revisions/two.sql", path);
    note_it(f, dr_now_unix_ms() + LATER_MS);
    assert_true(is_noted(f));

    write_file(f, "two", "one", "CREATE TABLE d (id integer)"); // the same size, another file
    assert_false(is_noted(f));
    note_it(f, dr_now_unix_ms() + LATER_MS);
    assert_true(is_noted(f));

    write_file(f, "three", "two", "CREATE TABLE e (id integer)");
    assert_false(is_noted(f));
    note_it(f, dr_now_unix_ms() + LATER_MS);
    assert_true(is_noted(f));

    assert_int_equal(chmod(path, 0600), 0); // its time of change moves, as with every write
    assert_false(is_noted(f));
    note_it(f, dr_now_unix_ms() + LATER_MS);

    (void)dr_tmp_path(&f->tmp, "revisions/three.sql", path);
    assert_int_equal(unlink(path), 0);
    assert_false(is_noted(f));
    (void)dr_tmp_path(&f->tmp, "revisions/notes.txt", path);
    note_it(f, dr_now_unix_ms() + LATER_MS);
    FILE *other = fopen(path, "w");
    assert_non_null(other);
    assert_int_equal(fclose(other), 0);
    assert_true(is_noted(f)); // no revision
}

// What is written within the grain of the clock after it was read looks unchanged.
static void
file_that_changed_just_before_is_not_trusted(void **state)
{
    struct folder *f = *state;
    note_it(f, dr_now_unix_ms());
    assert_false(is_noted(f));
}

// The note tells of the files that were read.
static void
file_that_came_while_others_were_read_ends_the_note(void **state)
{
    struct folder *f = *state;
    struct dr_graph *graph = NULL;
    struct dr_err err = {0};
    assert_int_equal(dr_graph_load(f->revisions, &graph, &err), DR_OK);
    write_file(f, "three", "two", "CREATE TABLE e (id integer)");
    assert_int_equal(
        dr_graph_note_write(graph, f->note, f->revisions, dr_now_unix_ms() + LATER_MS, &err),
        DR_OK);
    dr_graph_free(&graph);
    assert_false(is_noted(f));
}

static void
torn_note_is_none(void **state)
{
    struct folder *f = *state;
    struct stat s;
    note_it(f, dr_now_unix_ms() + LATER_MS);
    assert_true(is_noted(f));
    assert_int_equal(stat(f->note, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    for (off_t len = s.st_size - 1; len >= 0; len -= 7) {
        assert_int_equal(truncate(f->note, len), 0);
        assert_false(is_noted(f));
    }
}

static void
note_lies_in_the_users_cache(void **state)
{
    struct folder *f = *state;
    char path[PATH_MAX], wanted[PATH_MAX];
    setenv("XDG_CACHE_HOME", f->tmp.path, 1);
    assert_true(dr_graph_note_path(f->revisions, path, sizeof path));
    (void)dr_tmp_path(&f->tmp, "drover/", wanted);
    assert_memory_equal(path, wanted, strlen(wanted));
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/nowhere", 1);
    assert_true(dr_graph_note_path(f->revisions, path, sizeof path));
    assert_memory_equal(path, "/nowhere/.cache/drover/", 23);
    unsetenv("HOME");
    assert_false(dr_graph_note_path(f->revisions, path, sizeof path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(note_knows_ids_and_heads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_change_of_the_folder_ends_the_note, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(file_that_changed_just_before_is_not_trusted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(file_that_came_while_others_were_read_ends_the_note, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(torn_note_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(note_lies_in_the_users_cache, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
