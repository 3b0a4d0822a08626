// What people see of the graph: the order and the range of a history, the labels of a branch.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "graph_rows.h"

#include <stdio.h>

// Two lines that part at b and meet at m, another base that depends on the whole; from there three
// up.
static const char *const parted[] = {"a1",    "b1<a1",   "c1<b1>left", "c2<c1",   "d1<b1>right",
                                     "d2<d1", "m<c2,d2", "z1>other",   "z2<z1;m", NULL};

static void
assert_ids(const struct dr_nodes *nodes, const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < nodes->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
                 nodes->items[i]->revision->id);
    }
    assert_string_equal(text, expected);
}

static void
a_history_follows_a_line_down_to_where_it_branched_off(void **state)
{
    (void)state;
    struct dr_graph *g = NULL;
    struct dr_nodes nodes = {0};
    struct dr_err err = {0};
    assert_int_equal(build(parted, &g, &err), DR_OK);
    assert_int_equal(dr_graph_history(g, ":", NULL, arena, &nodes, &err), DR_OK);
    assert_int_equal(dr_graph_walk(g, arena, &nodes, &err), DR_OK);
    assert_ids(&nodes, "z2 z1 m c2 c1 d2 d1 b1 a1");
    dr_graph_free(&g);
}

static void
a_history_range_has_both_ends_and_what_is_between_them(void **state)
{
    (void)state;
    struct dr_graph *g = NULL;
    struct dr_err err = {0};
    const char *at[] = {"d1"};
    const struct dr_names current = {at, 1};
    const struct {
        const char *expr, *ids;
    } rows[] = {{"a1:c1", "a1 b1 c1"},   {"c1:m", "c1 c2 m"},     {":b1", "a1 b1"},
                {"c2-2:c2", "b1 c1 c2"}, {"-2:c2", "b1 c1 c2"},   {"c1:+1", "c1 c2"},
                {"current:d2", "d1 d2"}, {"-1:current", "b1 d1"}, {"a1:a1", "a1"},
                {"z1:", "z1 z2"}};
    assert_int_equal(build(parted, &g, &err), DR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dr_nodes nodes = {0};
        assert_int_equal(dr_graph_history(g, rows[i].expr, &current, arena, &nodes, &err), DR_OK);
        assert_ids(&nodes, rows[i].ids);
    }
    struct dr_nodes nodes = {0};
    assert_int_equal(dr_graph_history(g, "c2:d2", NULL, arena, &nodes, &err),
                     DR_E_REVISION_EXPRESSION);
    assert_non_null(strstr(err.message, "along the same branch"));
    assert_int_equal(dr_graph_history(g, "c2", NULL, arena, &nodes, &err),
                     DR_E_REVISION_EXPRESSION);
    assert_int_equal(dr_graph_history(g, "a1:c1:c2", NULL, arena, &nodes, &err),
                     DR_E_REVISION_EXPRESSION);
    dr_graph_free(&g);
}

static void
labels_belong_to_a_whole_branch(void **state)
{
    (void)state;
    static const char *const line[] = {"a", "b<a>web", "c<b", "x>side", "y<x", "w<x", NULL};
    struct dr_graph *g = NULL;
    struct dr_err err = {0};
    assert_int_equal(build(parted, &g, &err), DR_OK);
    assert_int_equal(dr_graph_find(g, "b1")->labels.count, 0);
    assert_string_equal(dr_graph_find(g, "c2")->labels.items[0], "left");
    assert_int_equal(dr_graph_find(g, "m")->labels.count, 2);
    assert_int_equal(dr_graph_find(g, "m")->dependant_count, 1);
    dr_graph_free(&g);
    assert_int_equal(build(line, &g, &err), DR_OK);
    assert_string_equal(dr_graph_find(g, "a")->labels.items[0], "web"); // no other line parts
    assert_string_equal(dr_graph_find(g, "w")->labels.items[0], "side");
    dr_graph_free(&g);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_history_follows_a_line_down_to_where_it_branched_off),
        TEST(a_history_range_has_both_ends_and_what_is_between_them),
        TEST(labels_belong_to_a_whole_branch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
