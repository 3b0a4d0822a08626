// Lanes: where the revisions of a graph stand when it is drawn newest first, one in a row, and
// which column each line to a parent runs down in.
#ifndef DR_CLI_GRAPH_LANES_H
#define DR_CLI_GRAPH_LANES_H

#include "revision/graph.h"

#define DR_LANES_MAX 64u

// What the columns wait for; `{0}` before the first row.
struct dr_lanes {
    const struct dr_node *waits[DR_LANES_MAX]; // NULL: the column is free
    size_t count;                              // columns in use, free ones between them counted
};

// One row. A line that joins ends in this row's node; one that opens begins there.
struct dr_lane_row {
    const struct dr_node *node;
    size_t column;
    struct dr_lanes before, after; // with and without the lines that join
    bool joins[DR_LANES_MAX];      // columns left of which `column` is, never itself
    bool opens[DR_LANES_MAX];      // columns of further parents; new ones are free in `before`
    size_t parent_column[DR_REVISION_LIST_MAX]; // by parent: the column that leads there
};

// Takes the next node of dr_graph_walk. DR_E_LIMIT when there are too many columns.
DR_MUST_CHECK enum dr_rc dr_lanes_take(struct dr_lanes *lanes, const struct dr_node *node,
                                       struct dr_lane_row *out, struct dr_err *err);

#endif
