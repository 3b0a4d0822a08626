// A graph from rows of text, for the tests of the graph.
#ifndef DR_TEST_GRAPH_ROWS_H
#define DR_TEST_GRAPH_ROWS_H

#include "revision/graph.h"

#include <string.h>

#define NODES_MAX 32

static struct dr_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = dr_arena_new(16u << 20);
    return arena == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

// "id<parents>labels;depends", e.g. "c<a,b" or "x<a>web" or "d<c;x".
static enum dr_rc
build(const char *const *rows, struct dr_graph **out, struct dr_err *err)
{
    const struct dr_revision *revisions[NODES_MAX];
    size_t count = 0;
    for (; rows[count] != NULL; count++) {
        char id[80] = "", parents[160] = "", labels[80] = "", depends[80] = "";
        size_t n = strcspn(rows[count], "<>;");
        memcpy(id, rows[count], n);
        for (const char *at = rows[count] + n; *at != '\0';) {
            char *to = *at == '<' ? parents : *at == '>' ? labels : depends;
            n = strcspn(at + 1, "<>;");
            memcpy(to, at + 1, n);
            at += n + 1;
        }
        char *text = dr_arena_printf(
            arena,
            "-- drover:revision 1\n-- %s\n-- Revision ID: %s\n-- Revises: %s\n-- Branch labels: "
            "%s\n"
            "-- Depends on: %s\n\n-- drover:up\nSELECT 1;\n-- drover:down\nSELECT 2;\n",
            id, id, parents, labels, depends);
        char *path = dr_arena_printf(arena, "%s.sql", id);
        struct dr_revision *r = NULL;
        assert_int_equal(dr_revision_parse(path, text, strlen(text), arena, &r, err), DR_OK);
        revisions[count] = r;
    }
    return dr_graph_build(revisions, count, out, err);
}

#endif
