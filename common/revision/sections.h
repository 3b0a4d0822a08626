// Sections: the sections of many revisions for one engine, checked in one go. Inside of plan and
// review.
#ifndef DR_REVISION_SECTIONS_H
#define DR_REVISION_SECTIONS_H

#include "revision/graph.h"
#include "sql/lint.h"

#include "proto/documents.pb-c.h"

// The newest PostgreSQL whose grammar drover-sqlcheck has; a revision that asks for a newer one is
// split by the lexer.
#define DR_GRAMMAR_POSTGRESQL 15u

struct dr_checked {
    const struct dr_node *node;
    const struct dr_section *section;
    struct dr_lint_section lint; // ready for dr_lint_section
};

struct dr_checked_list {
    struct dr_checked
        *items; // by revision in the order of the nodes; in a revision in the file's order
    size_t count;
};

// Checks what applies to `engine` of every node. Nodes whose Engine header lacks it are left out.
// As dr_sql_check may fail.
DR_MUST_CHECK enum dr_rc
dr_sections_check(const struct dr_nodes *nodes, Drover__V1__Engine engine, struct dr_arena *arena,
                  struct dr_checked_list *out, struct dr_err *err);

#endif
