// revisions.sum: what it notes, what it sees, what it leaves alone.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/sum.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "CREATE TABLE t (id int, name text DEFAULT 'a  b');"

struct folder {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_graph *graph;
    struct dr_sum *sum;
};

static int
set_up(void **state)
{
    static struct folder f;
    f = (struct folder){.arena = dr_arena_new(16u << 20)};
    *state = &f;
    dr_tmp_init(&f.tmp);
    return f.arena == NULL;
}

static int
tear_down(void **state)
{
    struct folder *f = *state;
    dr_graph_free(&f->graph);
    dr_arena_free(&f->arena);
    dr_tmp_fini(&f->tmp);
    return 0;
}

static void
put(const struct folder *f, const char *name, const char *text)
{
    char path[4200];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/%s", f->tmp.path, name);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0644, &err), DR_OK);
}

static void
put_revision(const struct folder *f, const char *id, const char *parent, const char *up)
{
    char text[1024], name[80];
    snprintf(text, sizeof text,
             "-- drover:revision 1\n-- Make it\n-- Revision ID: %s\n-- Revises: %s\n"
             "-- Reversible: yes\n\n-- drover:up\n%s\n-- drover:down\n%s\n",
             id, parent, up, up[0] ? "DROP TABLE t;" : "");
    snprintf(name, sizeof name, "%s.sql", id);
    put(f, name, text);
}

static void
load(struct folder *f)
{
    struct dr_err err = {0};
    dr_graph_free(&f->graph);
    assert_int_equal(dr_graph_load_drafts(f->tmp.path, &f->graph, &err), DR_OK);
}

static void
write_sum(struct folder *f, const struct dr_sum *keep)
{
    struct dr_err err = {0};
    load(f);
    assert_int_equal(dr_sum_write(f->tmp.path, f->graph, keep, &err), DR_OK);
}

// "a changed, b missing"
static const char *
differences(struct folder *f)
{
    struct dr_err err = {0};
    struct dr_sum_difference *items = NULL;
    size_t count = 0;
    char *text = dr_arena_str(f->arena, "");
    load(f);
    assert_int_equal(dr_sum_read(f->tmp.path, f->arena, &f->sum, &err), DR_OK);
    assert_int_equal(dr_sum_compare(f->sum, f->graph, f->arena, &items, &count, &err), DR_OK);
    for (size_t i = 0; i < count; i++) {
        text = dr_arena_printf(f->arena, "%s%s%s %s", text, i ? ", " : "", items[i].id,
                               dr_sum_kind_name(items[i].kind));
    }
    return text;
}

static void
every_way_in_which_a_folder_can_differ_is_named(void **state)
{
    struct folder *f = *state;
    put_revision(f, "a", "", PLAIN);
    put_revision(f, "b", "a", PLAIN);
    put_revision(f, "c", "b", PLAIN);
    write_sum(f, NULL);
    assert_string_equal(differences(f), "");
    put_revision(f, "a", "",
                 "-- why\nCREATE  TABLE /* a table */ t\n(id int, name text DEFAULT 'a  b');");
    assert_string_equal(differences(f), "a comments changed");
    put_revision(f, "b", "a", "CREATE TABLE t (id int, name text DEFAULT 'a b');");
    assert_string_equal(differences(f), "a comments changed, b changed");
    put_revision(f, "c", "b, a", PLAIN);
    assert_string_equal(differences(f), "a comments changed, b changed, c changed");
    put_revision(f, "d", "c", PLAIN);
    char path[4200];
    snprintf(path, sizeof path, "%s/d.sql", f->tmp.path);
    assert_string_equal(differences(f), "a comments changed, b changed, c changed, d not noted");
    write_sum(f, NULL);
    assert_string_equal(differences(f), "");
    assert_int_equal(remove(path), 0);
    assert_string_equal(differences(f), "d missing");
}

// What is being written may change; once it was noted whole it may not.
static void
an_empty_revision_is_open_until_it_is_noted_again(void **state)
{
    struct folder *f = *state;
    put_revision(f, "a", "", "");
    write_sum(f, NULL);
    assert_string_equal(differences(f), "");
    put_revision(f, "a", "", PLAIN);
    assert_string_equal(differences(f), "a written since");
    put_revision(f, "b", "a", "");
    write_sum(f, f->sum);
    assert_string_equal(differences(f), "");
    put_revision(f, "a", "", "CREATE TABLE other (id int);");
    assert_string_equal(differences(f), "a changed");
    put_revision(f, "c", "b", "");
    write_sum(f, f->sum); // the next revision does not make good what happened to this one
    assert_string_equal(differences(f), "a changed");
    dr_sum_forget(f->sum, "a");
    write_sum(f, f->sum);
    assert_string_equal(differences(f), "");
}

static void
a_sum_that_git_could_not_merge_says_what_to_type(void **state)
{
    struct folder *f = *state;
    struct dr_err err = {0};
    put_revision(f, "a", "", PLAIN);
    put(f, DR_SUM_NAME, "# x\n<<<<<<< HEAD\nb a open -\n=======\nc a open -\n>>>>>>> other\n");
    assert_int_equal(dr_sum_read(f->tmp.path, f->arena, &f->sum, &err), DR_E_REVISION_SUM);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.hint, "drover merge"));
    write_sum(f, NULL);
    assert_string_equal(differences(f), "");
}

static void
a_line_that_was_touched_by_hand_does_not_fit_the_head(void **state)
{
    static const char *const texts[] = {
        "a - open -\n",             // no head
        "a - open\nhead 00\n",      // too few fields
        "a - open -\nhead 00\n",    // another head
        "head \nb a open -\n",      // a line behind it
        "a - open - more\nhead \n", // too many
        "\n",                       // an empty line
    };
    struct folder *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct dr_err err = {0};
        put(f, DR_SUM_NAME, texts[i]);
        assert_int_equal(dr_sum_read(f->tmp.path, f->arena, &f->sum, &err), DR_E_REVISION_SUM);
        assert_true(err.line > 0 || i == 0);
    }
    struct dr_err err = {0};
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", f->tmp.path, DR_SUM_NAME);
    assert_int_equal(remove(path), 0);
    assert_int_equal(dr_sum_read(f->tmp.path, f->arena, &f->sum, &err), DR_E_NOT_FOUND);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_way_in_which_a_folder_can_differ_is_named),
        TEST(an_empty_revision_is_open_until_it_is_noted_again),
        TEST(a_sum_that_git_could_not_merge_says_what_to_type),
        TEST(a_line_that_was_touched_by_hand_does_not_fit_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
