// sql: what keeps the table alembic_version in step, as Alembic's own --sql writes it.
#ifndef DR_CLI_SQL_ALEMBIC_H
#define DR_CLI_SQL_ALEMBIC_H

#include "base/str.h"
#include "revision/graph.h"

// Which revisions are there, by index; changes with each step.
struct dr_sql_alembic {
    const struct dr_graph *graph;
    bool *have;
    bool is_down;
};

// Before the steps over `nodes` (parents first): what these stand on is there, on the way down they
// too. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_sql_alembic_begin(struct dr_sql_alembic *out, const struct dr_graph *graph,
                     const struct dr_nodes *nodes, bool is_down, struct dr_arena *arena,
                     struct dr_err *err);
// Takes the next step and appends its statements; the table is made first where there is none.
void
dr_sql_alembic_step(struct dr_sql_alembic *state, const struct dr_node *node, struct dr_buf *out);

#endif
