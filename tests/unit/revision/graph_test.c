// The graph: order, what is refused, and what each expression means.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "graph_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct dr_names
names_of(const char *list)
{
    const char **items = dr_arena_array(arena, NODES_MAX, sizeof *items);
    size_t count = 0;
    while (*list != '\0') {
        size_t n = strcspn(list, " ");
        items[count++] = dr_arena_strn(arena, list, n);
        list += n + (list[n] == ' ');
    }
    return (struct dr_names){items, count};
}

static const char *
text_of(const struct dr_nodes *nodes)
{
    const char *text = "";
    for (size_t i = 0; i < nodes->count; i++) {
        text = dr_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : " ",
                               nodes->items[i]->revision->id);
    }
    return text;
}

static const char *const linear[] = {"d4<c3", "a1", "c3<b2", "b2<a1", NULL};
// a1 - b2 - m9 - z0, a1 - c3 - m9; the branch 'web' stands on b2: w1 - w2; the base 'audit': x1 -
// x2, x2 depends on c3
static const char *const wide[] = {"a1",        "b2<a1", "c3<a1",    "m9<b2,c3", "z0<m9",
                                   "w1<b2>web", "w2<w1", "x1>audit", "x2<x1;c3", NULL};

struct row {
    const char *expr, *current, *expected; // expected: ids, or "!part of the message"
    enum dr_rc rc;
};

typedef enum dr_rc (*range_function)(const struct dr_graph *graph, const char *expr,
                                     const struct dr_names *current, struct dr_arena *arena,
                                     struct dr_nodes *out, struct dr_err *err);

static void
check_rows(const char *const *graph_rows, range_function range, const struct row *rows)
{
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    assert_int_equal(build(graph_rows, &g, &err), DR_OK);
    for (; rows->expr != NULL; rows++) {
        struct dr_nodes nodes = {0};
        struct dr_names current = names_of(rows->current);
        err = (struct dr_err){0};
        enum dr_rc rc = range(g, rows->expr, &current, arena, &nodes, &err);
        bool is_good = rc == rows->rc;
        if (rows->expected[0] == '!') {
            is_good =
                is_good && strstr(err.message, rows->expected + 1) != NULL && (err.hint[0] != '\0');
        } else {
            is_good = is_good && strcmp(text_of(&nodes), rows->expected) == 0;
        }
        if (!is_good) {
            print_error("'%s' at '%s': got %d '%s' '%s' hint '%s'\n", rows->expr, rows->current,
                        (int)rc, text_of(&nodes), err.message, err.hint);
            fail();
        }
    }
    dr_graph_free(&g);
}

static void
order_is_the_same_whatever_the_input_order(void **state)
{
    (void)state;
    static const char *const turned[] = {"x2<x1;c3", "w2<w1", "z0<m9",     "m9<b2,c3", "x1>audit",
                                         "c3<a1",    "b2<a1", "w1<b2>web", "a1",       NULL};
    struct dr_graph *one = NULL, *two = NULL;
    struct dr_err err = {0};
    assert_int_equal(build(wide, &one, &err), DR_OK);
    assert_int_equal(build(turned, &two, &err), DR_OK);
    const char *expected[] = {"a1", "b2", "c3", "m9", "w1", "w2", "x1", "x2", "z0"};
    assert_int_equal(dr_graph_count(one), 9);
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(dr_graph_at(one, i)->revision->id, expected[i]);
        assert_string_equal(dr_graph_at(two, i)->revision->id, expected[i]);
        assert_memory_equal(dr_graph_at(one, i)->digest, dr_graph_at(two, i)->digest,
                            DR_DIGEST_SIZE);
    }
    assert_true(dr_node_is_branchpoint(dr_graph_find(one, "a1")));
    assert_true(dr_node_is_mergepoint(dr_graph_find(one, "m9")));
    assert_true(dr_node_is_head(dr_graph_find(one, "z0")));
    assert_true(dr_node_is_base(dr_graph_find(one, "x1")));
    dr_graph_free(&one);
    dr_graph_free(&two);
}

// id: C1 C2 C3
static void
upgrade_runs_what_is_missing_parents_first(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"head", "", "a1 b2 c3 d4", DR_OK},
        {"head", "b2", "c3 d4", DR_OK},
        {"head", "d4", "", DR_OK},
        {"+1", "", "a1", DR_OK},
        {"+2", "b2", "c3 d4", DR_OK},
        {"+3", "b2", "!not that many revisions above", DR_E_REVISION_STEP},
        {"c3", "a1", "b2 c3", DR_OK},
        {"c", "a1", "b2 c3", DR_OK},
        {"b2+1", "", "a1 b2 c3", DR_OK},
        {"d4-1", "", "a1 b2 c3", DR_OK},
        {"-1", "c3", "!lies below", DR_E_REVISION_STEP},
        {"heads", "c3", "d4", DR_OK},
        {"nope", "", "!can't locate revision identified by 'nope'", DR_E_REVISION_UNKNOWN},
        {"head", "zz", "!the database is at revision 'zz'", DR_E_REVISION_UNKNOWN},
        {"a1@@", "", "!names no place", DR_E_REVISION_EXPRESSION},
        {"", "", "!names no place", DR_E_REVISION_EXPRESSION},
        {"+x", "", "!names no place", DR_E_REVISION_EXPRESSION},
        {"@head", "", "!names no place", DR_E_REVISION_EXPRESSION},
        {"a b", "", "!names no place", DR_E_REVISION_EXPRESSION},
        {NULL, NULL, NULL, DR_OK},
    };
    check_rows(linear, dr_graph_upgrade, rows);
}

static void
upgrade_follows_branches_labels_and_dependencies(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"head", "", "!multiple head revisions are present", DR_E_REVISION_HEADS},
        {"heads", "", "a1 b2 c3 m9 w1 w2 x1 x2 z0", DR_OK},
        {"web@head", "", "a1 b2 w1 w2", DR_OK},
        {"web@head", "z0", "w1 w2", DR_OK},
        {"web@+1", "b2", "w1", DR_OK},
        {"web@+1", "w1 z0", "w2", DR_OK},
        {"audit@head", "", "a1 c3 x1 x2", DR_OK},
        {"audit@head", "z0", "x1 x2", DR_OK},
        {"web@z0", "", "!not in branch", DR_E_REVISION_UNKNOWN},
        {"wbe@head", "", "!can't locate", DR_E_REVISION_UNKNOWN},
        {"+1", "b2", "!several ways up", DR_E_REVISION_STEP},
        {"+1", "z0 w2", "!has 2 heads", DR_E_REVISION_STEP},
        {"web", "", "a1 b2 w1", DR_OK},
        {"m9-1", "", "!several ways down", DR_E_REVISION_STEP},
        {NULL, NULL, NULL, DR_OK},
    };
    check_rows(wide, dr_graph_upgrade, rows);
}

// id: C4 C5 C6
static void
downgrade_takes_off_the_newest_first(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"-1", "d4", "d4", DR_OK},
        {"-2", "d4", "d4 c3", DR_OK},
        {"-4", "d4", "d4 c3 b2 a1", DR_OK},
        {"-5", "d4", "!only 4 can be taken off", DR_E_REVISION_STEP},
        {"-1", "", "!only 0 can be taken off", DR_E_REVISION_STEP},
        {"base", "c3", "c3 b2 a1", DR_OK},
        {"a1", "d4", "d4 c3 b2", DR_OK},
        {"d4-2", "d4", "d4 c3", DR_OK},
        {"d4", "d4", "", DR_OK},
        {"d4", "b2", "!does not have revision 'd4'", DR_E_REVISION_STEP},
        {NULL, NULL, NULL, DR_OK},
    };
    check_rows(linear, dr_graph_downgrade, rows);
}

static void
downgrade_respects_branches_merges_and_dependencies(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"-1", "m9", "m9", DR_OK},
        {"-2", "m9", "!2 heads could be taken off", DR_E_REVISION_STEP},
        {"web@-1", "w2 z0", "w2", DR_OK},
        {"web@base", "w2 z0", "w2 w1", DR_OK},
        {"b2", "w2 z0", "z0 w2 w1 m9", DR_OK},
        {"c3", "x2 z0", "z0 x2 m9", DR_OK},
        {"base", "x2 z0", "z0 x2 x1 m9 c3 b2 a1", DR_OK},
        {NULL, NULL, NULL, DR_OK},
    };
    check_rows(wide, dr_graph_downgrade, rows);
}

// id: C8
static void
between_lists_ranges_with_open_ends(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a1:c3", "", "b2 c3", DR_OK},
        {":b2", "", "a1 b2", DR_OK},
        {"b2:", "", "c3 d4", DR_OK},
        {":", "", "a1 b2 c3 d4", DR_OK},
        {"base:head", "", "a1 b2 c3 d4", DR_OK},
        {"current:head", "c3", "d4", DR_OK},
        {"current:+1", "b2", "c3", DR_OK},
        {"-2:head", "", "c3 d4", DR_OK},
        {"-1:current", "b2", "b2", DR_OK},
        {"a1:+2", "", "b2 c3", DR_OK},
        {"-5:b2", "", "!there are not that many revisions below", DR_E_REVISION_STEP},
        {"b2", "", "b2", DR_OK},
        {"x:head", "", "!can't locate", DR_E_REVISION_UNKNOWN},
        {NULL, NULL, NULL, DR_OK},
    };
    check_rows(linear, dr_graph_between, rows);
}

struct refusal {
    const char *const *rows;
    enum dr_rc rc;
    const char *message, *hint, *file;
    uint32_t line;
};

static void
build_refuses_what_is_no_chain(void **state)
{
    (void)state;
    static const char *const missing[] = {"003_canvas", "004_reviews<003_canvas_management", NULL};
    static const char *const lost[] = {"a1", "b2<zzzzzz", NULL};
    static const char *const depends[] = {"a1", "b2<a1;q", NULL};
    static const char *const cycle[] = {"a<c", "b<a", "c<b", "d", NULL};
    static const char *const self[] = {"a<a", NULL};
    static const char *const label[] = {"a>x", "b<a>x", NULL};
    static const char *const label_is_id[] = {"a>b", "b<a", NULL};
    static const char *const twice[] = {"a", "a", NULL};
    static const struct refusal rows[] = {
        {missing, DR_E_REVISION_PARENT,
         "'004_reviews' revises '003_canvas_management', which is not in the folder",
         "add the file of '003_canvas_management'", "004_reviews.sql", 4},
        {lost, DR_E_REVISION_PARENT, "revises 'zzzzzz'", "add the file of 'zzzzzz'", "b2.sql", 4},
        {depends, DR_E_REVISION_PARENT, "'b2' depends on 'q'", "Depends on", "b2.sql", 6},
        {cycle, DR_E_REVISION_CYCLE, "cycle: c -> b -> a -> c", "Revises", "c.sql", 4},
        {self, DR_E_REVISION_CYCLE, "cycle: a -> a", "Revises", "a.sql", 4},
        {label, DR_E_REVISION_LABEL, "'x' of revision 'b' is taken by revision 'a'",
         "another label", "b.sql", 3},
        {label_is_id, DR_E_REVISION_LABEL, "'b' of revision 'a' is taken by revision 'b'",
         "another label", "a.sql", 3},
        {twice, DR_E_REVISION_DUPLICATE, "'a' is used twice", "another id", "a.sql", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dr_err err = {0};
        struct dr_graph *g = NULL;
        enum dr_rc rc = build(rows[i].rows, &g, &err);
        bool is_good = rc == rows[i].rc && strstr(err.message, rows[i].message) != NULL &&
                       g == NULL && strstr(err.hint, rows[i].hint) != NULL &&
                       strcmp(err.file, rows[i].file) == 0 && err.line == rows[i].line;
        if (!is_good) {
            print_error("%zu: got %d %s:%u '%s' hint '%s'\n", i, (int)rc, err.file, err.line,
                        err.message, err.hint);
            fail();
        }
    }
}

static void
missing_parent_names_what_is_near(void **state)
{
    (void)state;
    static const char *const rows[] = {"003_canvas_managment", "004_reviews<003_canvas_management",
                                       NULL};
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    assert_int_equal(build(rows, &g, &err), DR_E_REVISION_PARENT);
    assert_string_equal(err.hint, "did you mean '003_canvas_managment'?");
}

static void
a_second_head_is_refused_with_the_merge_to_type(void **state)
{
    (void)state;
    static const char *const forked[] = {"a1", "b2<a1", "c3<a1", NULL};
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    assert_int_equal(build(forked, &g, &err), DR_OK);
    assert_int_equal(dr_graph_check_heads(g, &err), DR_E_REVISION_HEADS);
    assert_non_null(strstr(err.message, "two heads, 'b2' and 'c3'"));
    assert_non_null(strstr(err.hint, "drover merge b2 c3"));
    dr_graph_free(&g);
    assert_int_equal(build(wide, &g, &err), DR_OK);
    assert_int_equal(dr_graph_check_heads(g, &err), DR_OK);
    dr_graph_free(&g);
    static const char *const labelled[] = {"a1>web", "b2<a1", "c3<a1", NULL};
    assert_int_equal(build(labelled, &g, &err), DR_OK);
    assert_int_equal(dr_graph_check_heads(g, &err), DR_E_REVISION_HEADS);
    assert_non_null(strstr(err.message, "branch 'web' has two heads"));
    dr_graph_free(&g);
}

static void
an_ambiguous_prefix_lists_its_candidates(void **state)
{
    (void)state;
    static const char *const rows[] = {"ab1", "ab2<ab1", "abc<ab2", NULL};
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    struct dr_place place = {0};
    assert_int_equal(build(rows, &g, &err), DR_OK);
    assert_int_equal(dr_graph_resolve(g, "ab", NULL, arena, &place, &err), DR_E_REVISION_AMBIGUOUS);
    assert_non_null(strstr(err.message, "'ab' is ambiguous: it fits 3 revisions"));
    assert_string_equal(err.hint, "type more of it: 'ab1', 'ab2', 'abc'");
    dr_graph_free(&g);
}

static void
the_parents_digest_is_part_of_the_childs(void **state)
{
    (void)state;
    static const char *const one[] = {"a", "b<a", NULL};
    static const char *const two[] = {"a>x", "b<a", NULL}; // a's file differs, b's does not
    struct dr_err err = {0};
    struct dr_graph *g = NULL, *h = NULL;
    assert_int_equal(build(one, &g, &err), DR_OK);
    assert_int_equal(build(two, &h, &err), DR_OK);
    const struct dr_node *b = dr_graph_find(g, "b"), *c = dr_graph_find(h, "b");
    assert_memory_equal(b->file_sha256, c->file_sha256, DR_DIGEST_SIZE);
    assert_memory_not_equal(b->digest, c->digest, DR_DIGEST_SIZE);
    dr_graph_free(&g);
    dr_graph_free(&h);
}

static void
write_revision(const char *folder, const char *name, const char *id, const char *parent)
{
    char path[300], text[400];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(text, sizeof text,
             "-- drover:revision 1\n-- x\n-- Revision ID: %s\n-- Revises: %s\n\n-- "
             "drover:up\nSELECT 1;\n-- drover:down\nSELECT 2;\n",
             id, parent);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0600, &err), DR_OK);
}

static void
load_reads_the_sql_files_of_a_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/drover-graph-XXXXXX";
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    assert_non_null(mkdtemp(folder));
    write_revision(folder, "2.sql", "b", "a");
    write_revision(folder, "1.sql", "a", "");
    write_revision(folder, ".hidden.sql", "a", "");
    write_revision(folder, "readme.txt", "a", "");
    assert_int_equal(dr_graph_load(folder, &g, &err), DR_OK);
    assert_int_equal(dr_graph_count(g), 2);
    dr_graph_free(&g);
    write_revision(folder, "3.sql", "a", "");
    assert_int_equal(dr_graph_load(folder, &g, &err), DR_E_REVISION_DUPLICATE);
    assert_non_null(strstr(err.message, "first in"));
    assert_non_null(strstr(err.message, "1.sql"));
    assert_non_null(strstr(err.file, "3.sql"));
    assert_int_equal(dr_dir_remove(folder, &err), DR_OK);
    assert_int_equal(dr_graph_load(folder, &g, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.hint, "drover init"));
}

// id: V23
static void
a_revision_without_sql_hides_no_other_one(void **state)
{
    (void)state;
    static const char stub[] = "-- drover:revision 1\n-- later\n-- Revision ID: b\n"
                               "-- Revises: a\n\n-- drover:up\n\n-- drover:down\n";
    static const char half[] = "-- drover:revision 1\n-- half\n-- Revision ID: c\n"
                               "-- Revises: b\n\n-- drover:up\nSELECT 1;\n";
    char folder[] = "/tmp/drover-graph-XXXXXX";
    char path[64];
    struct dr_err err = {0};
    struct dr_graph *g = NULL;
    assert_non_null(mkdtemp(folder));
    write_revision(folder, "1.sql", "a", "");
    snprintf(path, sizeof path, "%s/2.sql", folder);
    assert_int_equal(dr_file_write(path, stub, sizeof stub - 1, 0644, &err), DR_OK);
    snprintf(path, sizeof path, "%s/3.sql", folder);
    assert_int_equal(dr_file_write(path, half, sizeof half - 1, 0644, &err), DR_OK);
    assert_int_equal(dr_graph_load(folder, &g, &err), DR_E_REVISION_EMPTY);
    assert_int_equal(err.line, 6);
    err = (struct dr_err){0};
    assert_int_equal(dr_graph_load_drafts(folder, &g, &err), DR_OK);
    assert_int_equal(dr_graph_count(g), 3);
    assert_null(dr_graph_find(g, "a")->revision->defect);
    assert_int_equal(dr_graph_find(g, "b")->revision->defect->rc, DR_E_REVISION_EMPTY);
    assert_int_equal(dr_graph_find(g, "b")->revision->defect->line, 6);
    assert_int_equal(dr_graph_find(g, "b")->revision->section_count, 0);
    assert_int_equal(dr_graph_find(g, "c")->revision->defect->rc, DR_E_REVISION_DOWN);
    dr_graph_free(&g);
    assert_int_equal(dr_dir_remove(folder, &err), DR_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(order_is_the_same_whatever_the_input_order),
        TEST(a_revision_without_sql_hides_no_other_one),
        TEST(upgrade_runs_what_is_missing_parents_first),
        TEST(upgrade_follows_branches_labels_and_dependencies),
        TEST(downgrade_takes_off_the_newest_first),
        TEST(downgrade_respects_branches_merges_and_dependencies),
        TEST(between_lists_ranges_with_open_ends),
        TEST(build_refuses_what_is_no_chain),
        TEST(missing_parent_names_what_is_near),
        TEST(a_second_head_is_refused_with_the_merge_to_type),
        TEST(an_ambiguous_prefix_lists_its_candidates),
        TEST(the_parents_digest_is_part_of_the_childs),
        TEST(load_reads_the_sql_files_of_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
