// Plans in tests: revisions from texts and fixtures, and what they compile to. Included once per
// test program.
#ifndef DR_TESTS_UNIT_REVISION_PLAN_WORLD_H
#define DR_TESTS_UNIT_REVISION_PLAN_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/digest.h"
#include "revision/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PG   DROVER__V1__ENGINE__POSTGRESQL
#define LITE DROVER__V1__ENGINE__SQLITE
#define HEAD "-- drover:revision 1\n-- x\n-- Revision ID: a1\n\n"
#define DOWN "-- drover:down\nSELECT 1;\n"

static struct dr_arena *arena;
static struct dr_graph *graph;
static char *files[8];
static size_t file_count;

static inline int
set_up(void **state)
{
    (void)state;
    const char *build = getenv("DROVER_BUILD");
    setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    arena = dr_arena_new(64u << 20);
    return arena == NULL;
}

static inline int
tear_down(void **state)
{
    (void)state;
    dr_graph_free(&graph);
    dr_arena_free(&arena);
    for (size_t i = 0; i < file_count; i++) {
        free(files[i]);
    }
    file_count = 0;
    return 0;
}

static inline const struct dr_revision *
parse(const char *name, const char *text, size_t len)
{
    struct dr_err err = {0};
    struct dr_revision *r = NULL;
    if (dr_revision_parse(name, text, len, arena, &r, &err) != DR_OK) {
        print_error("%s:%u:%u: %s\n", err.file, err.line, err.column, err.message);
        fail();
    }
    return r;
}

static inline const struct dr_revision *
fixture(const char *name)
{
    char path[512];
    struct dr_err err = {0};
    size_t len = 0;
    const char *source = getenv("DROVER_SOURCE");
    snprintf(path, sizeof path, "%s/tests/unit/revision/data/%s", source == NULL ? "." : source,
             name);
    assert_int_equal(dr_file_read(path, DR_REVISION_FILE_MAX, &files[file_count], &len, &err),
                     DR_OK);
    return parse(name, files[file_count++], len);
}

static inline struct dr_nodes
build(const struct dr_revision *const *revisions, size_t count)
{
    struct dr_err err = {0};
    struct dr_nodes nodes = {0};
    dr_graph_free(&graph);
    assert_int_equal(dr_graph_build(revisions, count, &graph, &err), DR_OK);
    assert_int_equal(dr_graph_upgrade(graph, "heads", NULL, arena, &nodes, &err), DR_OK);
    return nodes;
}

// The chain of the fixtures: boards, reviews, uuid_key.
static inline struct dr_nodes
chain(void)
{
    static const char boards[] =
        "-- drover:revision 1\n-- add boards\n-- Revision ID: 003_boards\n-- Revises:\n\n"
        "-- drover:up\nCREATE TABLE boards (id uuid PRIMARY KEY);\n"
        "-- drover:down none reason=\"the first one\"\n";
    const struct dr_revision *revisions[] = {fixture("uuid_key.sql"), fixture("reviews.sql"),
                                             parse("boards.sql", boards, sizeof boards - 1)};
    return build(revisions, 3);
}

static inline struct dr_plan
must_compile(const struct dr_nodes *nodes, Drover__V1__Engine engine)
{
    struct dr_err err = {0};
    struct dr_plan plan = {0};
    if (dr_plan_compile("shop", engine, nodes, arena, &plan, &err) != DR_OK) {
        print_error("%s:%u:%u: %s (%s)\n", err.file, err.line, err.column, err.message, err.hint);
        fail();
    }
    for (size_t i = 0; i < plan.message->n_revisions; i++) {
        Drover__V1__PlanRevision *r = plan.message->revisions[i];
        const struct dr_revision *f = NULL;
        for (size_t k = 0; k < nodes->count; k++) {
            bool is_it = memcmp(nodes->items[k]->digest, r->digest.data, DR_DIGEST_SIZE) == 0;
            f = is_it ? nodes->items[k]->revision : f;
        }
        assert_non_null(f);
        if (dr_plan_check_sections(r, engine, f->bytes, f->size, arena, &err) != DR_OK) {
            fail_msg("%s", err.message); // what is compiled is what the file says
        }
    }
    return plan;
}

#endif
