#include "coordinator/cli/graph_lanes.h"

// The column that waits for a node, else the first free one; DR_LANES_MAX: there is none.
static size_t
column_for(const struct dr_lanes *lanes, const struct dr_node *node)
{
    size_t empty = DR_LANES_MAX;
    for (size_t i = lanes->count; i-- > 0;) {
        if (node != NULL && lanes->waits[i] == node) {
            empty = i;
        }
    }
    for (size_t i = 0; i < DR_LANES_MAX && empty == DR_LANES_MAX; i++) {
        if (i >= lanes->count || lanes->waits[i] == NULL) {
            empty = i;
        }
    }
    return empty;
}

static void
put(struct dr_lanes *lanes, size_t column, const struct dr_node *node)
{
    lanes->waits[column] = node;
    lanes->count = column >= lanes->count ? column + 1 : lanes->count;
    while (lanes->count > 0 && lanes->waits[lanes->count - 1] == NULL) {
        lanes->count--;
    }
}

enum dr_rc
dr_lanes_take(struct dr_lanes *lanes, const struct dr_node *node, struct dr_lane_row *out,
              struct dr_err *err)
{
    *out = (struct dr_lane_row){.node = node, .column = column_for(lanes, node)};
    bool is_full = out->column == DR_LANES_MAX;
    if (!is_full) {
        put(lanes, out->column, node);
    }
    out->before = *lanes;
    for (size_t i = lanes->count; i-- > out->column + 1 && !is_full;) {
        if (lanes->waits[i] == node) {
            out->joins[i] = true;
            put(lanes, i, NULL);
        }
    }
    for (size_t k = 0; k < node->parent_count && !is_full; k++) {
        size_t column = k == 0 ? out->column : column_for(lanes, node->parents[k]);
        is_full = column == DR_LANES_MAX;
        if (!is_full) {
            out->opens[column] = k > 0;
            out->parent_column[k] = column;
            put(lanes, column, node->parents[k]);
        }
    }
    if (node->parent_count == 0 && !is_full) {
        put(lanes, out->column, NULL);
    }
    out->after = *lanes;
    if (is_full) {
        dr_err_set(err, DR_E_LIMIT, "more than %u lines run side by side", DR_LANES_MAX);
        return dr_err_hint(err, "drover graph --format dot");
    }
    return DR_OK;
}
