// The N-th allocation of reading and compiling a project's files fails: an error, or the same plan.
#include "support/alloc_faults.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "revision/graph.h"
#include "revision/plan.h"

#include <string.h>

static const char *const files[] = {
    "-- drover:revision 1\n-- add boards\n-- Revision ID: 001_boards\n-- Revises:\n\n"
    "-- drover:up\nCREATE TABLE boards (id integer PRIMARY KEY, name text);\n"
    "INSERT INTO boards VALUES (1, 'first; one');\n"
    "-- drover:down\nDROP TABLE boards;\n",
    "-- drover:revision 1\n-- add pins\n-- Revision ID: 002_pins\n-- Revises: 001_boards\n\n"
    "-- drover:preflight \"few boards\"\nSELECT count(*) < 100 FROM boards;\n"
    "-- drover:up\nCREATE TABLE pins (id integer);\nCREATE INDEX pins_id ON pins (id);\n"
    "-- drover:verify \"no pins\"\nSELECT count(*) = 0 FROM pins;\n"
    "-- drover:down\nDROP TABLE pins;\n",
};
#define FILES (sizeof files / sizeof files[0])

static enum dr_rc
compile(struct dr_arena *arena, Drover__V1__Engine engine, struct dr_plan *out, struct dr_err *err)
{
    const struct dr_revision *revisions[FILES];
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < FILES; i++) {
        struct dr_revision *one = NULL;
        rc = dr_revision_parse("file.sql", files[i], strlen(files[i]), arena, &one, err);
        revisions[i] = one;
    }
    rc = rc == DR_OK ? dr_graph_build(revisions, FILES, &graph, err) : rc;
    rc = rc == DR_OK ? dr_graph_upgrade(graph, "heads", NULL, arena, &nodes, err) : rc;
    rc = rc == DR_OK ? dr_plan_compile("shop", engine, &nodes, arena, out, err) : rc;
    dr_graph_free(&graph);
    return rc;
}

static void
try_all(Drover__V1__Engine engine, uint64_t dense, uint64_t stride)
{
    struct dr_err err = {0};
    struct dr_plan good = {0};
    struct dr_arena *kept = dr_arena_new(64u << 20);
    uint64_t at = 1;
    unsigned runs = 0;
    if (compile(kept, engine, &good, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    for (bool was_hit = true; was_hit; runs++) {
        struct dr_arena *arena = dr_arena_new(64u << 20);
        struct dr_plan plan = {0};
        err = (struct dr_err){0};
        alloc_fault_set(at, runs % 2 == 0);
        enum dr_rc rc = compile(arena, engine, &plan, &err);
        was_hit = alloc_fault_end();
        if (rc == DR_OK) {
            assert_memory_equal(plan.digest, good.digest, DR_DIGEST_SIZE);
        } else if (!was_hit || err.message[0] == '\0') {
            fail_msg("allocation %llu: %s '%s'", (unsigned long long)at, dr_rc_name(rc),
                     err.message);
        }
        at = alloc_fault_next(at, dense, stride);
        dr_arena_free(&arena);
    }
    print_message("%u of about %llu allocations\n", runs, (unsigned long long)at);
    assert_in_range(runs, 50, 100000);
    dr_arena_free(&kept);
}

// id: C16
static void
compilation_for_sqlite_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    try_all(DROVER__V1__ENGINE__SQLITE, 100000, 1);
}

// Each starts the checker of statements, so not all are tried.
// id: C16
static void
compilation_for_postgresql_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    try_all(DROVER__V1__ENGINE__POSTGRESQL, 100, 10);
}

int
main(void)
{
    const char *build = getenv("DROVER_BUILD");
    (void)setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compilation_for_sqlite_survives_the_failure_of_any_allocation),
        cmocka_unit_test(compilation_for_postgresql_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
