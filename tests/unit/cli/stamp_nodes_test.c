// What a stamp records as there and as gone, in a graph with a branch.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/stamp_nodes.h"

#include "base/str.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>

//   one - two - three
//       \ side (branch label "aside")
static struct dr_tmp tmp;
static struct dr_arena *arena;
static struct dr_graph *graph;
static struct dr_ledger_revision there[8];
static struct dr_ledger_view view;

static void
write_revision(const char *id, const char *parent, const char *label)
{
    char text[512], name[32], path[PATH_MAX];
    (void)snprintf(text, sizeof text,
                   "-- drover:revision 1\n-- %s\n--\n-- Revision ID: %s\n-- Revises: %s\n%s%s%s-- "
                   "Engine: sqlite\n-- Reversible: yes\n\n-- drover:up\nSELECT 1;\n\n-- "
                   "drover:down\nSELECT 1;\n",
                   id, id, parent, label[0] ? "-- Branch labels: " : "", label,
                   label[0] ? "\n" : "");
    (void)snprintf(name, sizeof name, "%s.sql", id);
    (void)dr_tmp_file(&tmp, name, text, 0600, path);
}

static int
begin(void **state)
{
    struct dr_err err = {0};
    (void)state;
    dr_tmp_init(&tmp);
    arena = dr_arena_new(16u << 20);
    write_revision("one", "", "");
    write_revision("two", "one", "");
    write_revision("three", "two", "");
    write_revision("side", "one", "aside");
    if (dr_graph_load(tmp.path, &graph, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    view = (struct dr_ledger_view){.exists = true, .owner = "", .revisions = there};
    return 0;
}

static int
end(void **state)
{
    (void)state;
    dr_graph_free(&graph);
    dr_arena_free(&arena);
    dr_tmp_fini(&tmp);
    return 0;
}

static void
holds(const char *id, enum dr_ledger_state state, bool is_head)
{
    struct dr_ledger_revision *v = &there[view.revisions_count++];
    *v = (struct dr_ledger_revision){.id = id, .state = state, .is_head = is_head};
    memcpy(v->digest, dr_graph_find(graph, id)->digest, 32);
}

static const char *
text_of(const struct dr_nodes *nodes)
{
    struct dr_buf out = {0};
    for (size_t i = 0; i < nodes->count; i++) {
        dr_buf_printf(&out, "%s%s", i ? " " : "", nodes->items[i]->revision->id);
    }
    const char *text = dr_arena_str(arena, out.data ? out.data : "");
    dr_buf_fini(&out);
    return text;
}

static void
expect(const char *expr, const char *up, const char *down, const char *after)
{
    struct dr_stamp_nodes nodes = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_ledger_index(arena, &view, &err), DR_OK);
    if (dr_stamp_choose(graph, expr, &view, arena, &nodes, &err) != DR_OK) {
        fail_msg("%s: %s", expr, err.message);
    }
    assert_string_equal(text_of(&nodes.up), up);
    assert_string_equal(text_of(&nodes.down), down);
    assert_string_equal(text_of(&nodes.after), after);
}

static void
all_that_leads_there_is_recorded(void **state)
{
    (void)state;
    expect("three", "one two three", "", "one two three");
    expect("base", "", "", "");
}

static void
what_stands_on_it_is_recorded_as_gone(void **state)
{
    (void)state;
    holds("one", DR_LEDGER_APPLIED, false);
    holds("two", DR_LEDGER_APPLIED, false);
    holds("three", DR_LEDGER_APPLIED, true);
    expect("one", "", "two three", "one");
    expect("base", "", "one two three", "");
    expect("three", "", "", "one two three");
}

static void
another_branch_stays(void **state)
{
    (void)state;
    holds("one", DR_LEDGER_APPLIED, false);
    holds("side", DR_LEDGER_APPLIED, true);
    expect("two", "two", "", "one side two");
}

static void
half_done_revision_is_finished_or_gone(void **state)
{
    (void)state;
    holds("one", DR_LEDGER_APPLIED, true);
    holds("two", DR_LEDGER_GOING_UP, false);
    expect("two", "two", "", "one two");
    expect("one", "", "two", "one");
    view.revisions_count = 1;
    holds("side", DR_LEDGER_GOING_UP, false);
    expect("two", "two", "side", "one two");
}

static void
half_taken_down_revision_is_brought_back_or_gone(void **state)
{
    (void)state;
    holds("one", DR_LEDGER_APPLIED, false);
    holds("two", DR_LEDGER_GOING_DOWN, true);
    expect("two", "two", "", "one two");
    expect("one", "", "two", "one");
}

static void
what_the_folder_does_not_hold_is_refused(void **state)
{
    struct dr_stamp_nodes nodes = {0};
    struct dr_err err = {0};
    (void)state;
    holds("one", DR_LEDGER_APPLIED, true);
    there[0].digest[0] ^= 1;
    assert_int_equal(dr_ledger_index(arena, &view, &err), DR_OK);
    assert_int_equal(dr_stamp_choose(graph, "two", &view, arena, &nodes, &err),
                     DR_E_REVISION_CHANGED);
    there[0].id = "gone";
    assert_int_equal(dr_stamp_choose(graph, "two", &view, arena, &nodes, &err),
                     DR_E_REVISION_UNKNOWN);
    assert_non_null(strstr(err.message, "'gone'"));
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(all_that_leads_there_is_recorded),
        ONE(what_stands_on_it_is_recorded_as_gone),
        ONE(another_branch_stays),
        ONE(half_done_revision_is_finished_or_gone),
        ONE(half_taken_down_revision_is_brought_back_or_gone),
        ONE(what_the_folder_does_not_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
