// Withdrawn revisions: they are no heads, nothing goes up to them, and their text stays.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/graph.h"
#include "revision/withdrawn.h"
#include "support/test_tmp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_graph *graph;
    struct dr_err err;
};

static void
put(struct world *w, const char *id, const char *parent)
{
    char path[PATH_MAX];
    char text[512];
    struct dr_err err = {0};
    (void)snprintf(path, sizeof path, "%s/%s.sql", w->tmp.path, id);
    (void)snprintf(text, sizeof text,
                   "-- drover:revision 1\n-- Make %s\n--\n-- Revision ID: %s\n-- Revises: %s\n"
                   "-- Engine: sqlite\n-- Reversible: yes\n\n-- drover:up\nCREATE TABLE t_%s (i "
                   "int);\n\n-- drover:down\nDROP TABLE t_%s;\n",
                   id, id, parent, id, id);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0644, &err), DR_OK);
}

static enum dr_rc
load(struct world *w)
{
    dr_graph_free(&w->graph);
    w->err = (struct dr_err){0};
    return dr_graph_load(w->tmp.path, &w->graph, &w->err);
}

static void
withdraw(struct world *w, const char *id)
{
    assert_int_equal(load(w), DR_OK);
    const struct dr_node *node = dr_graph_find(w->graph, id);
    assert_non_null(node);
    assert_int_equal(dr_withdrawn_add(w->tmp.path, id, node->digest, "too\nslow", &w->err), DR_OK);
    assert_int_equal(dr_withdrawn_add(w->tmp.path, id, node->digest, "again", &w->err), DR_OK);
}

static int
setup(void **state)
{
    static struct world w;
    w = (struct world){0};
    dr_tmp_init(&w.tmp);
    w.arena = dr_arena_new(16u << 20);
    put(&w, "one", "");
    put(&w, "two", "one");
    *state = &w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    dr_graph_free(&w->graph);
    dr_arena_free(&w->arena);
    dr_tmp_fini(&w->tmp);
    return 0;
}

static void
one_is_no_head_and_what_takes_its_place_is(void **state)
{
    struct world *w = *state;
    struct dr_place place = {0};
    static const struct dr_names none = {0};
    withdraw(w, "two");
    assert_int_equal(load(w), DR_OK);
    assert_string_equal(dr_graph_find(w->graph, "two")->withdrawn, "too slow");
    assert_true(dr_node_is_head(dr_graph_find(w->graph, "one")));
    assert_false(dr_node_is_head(dr_graph_find(w->graph, "two")));
    put(w, "three", "one");
    assert_int_equal(load(w), DR_OK);
    assert_int_equal(dr_graph_check_heads(w->graph, &w->err), DR_OK);
    assert_int_equal(dr_graph_resolve(w->graph, "head", &none, w->arena, &place, &w->err), DR_OK);
    assert_string_equal(place.nodes.items[0]->revision->id, "three");
    assert_false(dr_node_is_branchpoint(dr_graph_find(w->graph, "one")));
}

static void
nothing_goes_up_to_it_or_over_it_and_it_goes_down(void **state)
{
    struct world *w = *state;
    struct dr_nodes nodes = {0};
    static const struct dr_names none = {0};
    static const char *const two[] = {"two"};
    const struct dr_names has_two = {.items = (const char **)(uintptr_t)two, .count = 1};
    withdraw(w, "two");
    assert_int_equal(load(w), DR_OK);
    assert_int_equal(dr_graph_upgrade(w->graph, "two", &none, w->arena, &nodes, &w->err),
                     DR_E_WITHDRAWN);
    assert_string_equal(w->err.message, "revision 'two' was withdrawn: too slow");
    assert_int_equal(dr_graph_upgrade(w->graph, "head", &has_two, w->arena, &nodes, &w->err),
                     DR_E_WITHDRAWN);
    assert_string_equal(w->err.hint, "drover downgrade one");
    assert_int_equal(dr_graph_downgrade(w->graph, "one", &has_two, w->arena, &nodes, &w->err),
                     DR_OK);
    assert_int_equal(nodes.count, 1);
    assert_string_equal(nodes.items[0]->revision->id, "two");
}

static void
nothing_stands_on_it_and_its_text_stays(void **state)
{
    struct world *w = *state;
    withdraw(w, "two");
    put(w, "three", "two");
    assert_int_equal(load(w), DR_E_WITHDRAWN);
    assert_non_null(
        strstr(w->err.message, "revision 'three' stands on 'two', which was withdrawn"));
    assert_string_equal(w->err.hint, "let it stand on 'one'");
    put(w, "three", "one");
    put(w, "two", "one\n-- more: than before");
    assert_int_not_equal(load(w), DR_OK);
}

static void
line_that_is_none_is_named(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", w->tmp.path, DR_WITHDRAWN_NAME);
    assert_int_equal(dr_file_write(path, "# words\ntwo\n", 12, 0644, &w->err), DR_OK);
    assert_int_equal(load(w), DR_E_REVISION_SUM);
    assert_int_equal(w->err.line, 2);
    assert_int_equal(dr_file_write(path, "gone 12\n", 8, 0644, &w->err), DR_OK);
    assert_int_equal(load(w), DR_E_REVISION_SUM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_no_head_and_what_takes_its_place_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_goes_up_to_it_or_over_it_and_it_goes_down, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_stands_on_it_and_its_text_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(line_that_is_none_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
