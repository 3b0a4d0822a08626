// graph: the chain as a drawing, newest first: text, mermaid, dot, svg.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/graph_lanes.h"

#include <stdio.h>
#include <string.h>

struct drawing {
    struct dr_cli *cli;
    const struct dr_nodes *nodes; // newest first
    size_t *place;                // of each node of the graph among them; SIZE_MAX: not drawn
    struct dr_buf out;
};

// What stands beside a node.
static void
add_label(const struct dr_node *node, struct dr_buf *out)
{
    static const struct dr_chain_look look = {
        .has_labels = true, .has_points = true, .has_message = true};
    dr_chain_line(node, &look, out);
    for (size_t i = 0; i < node->depends_on_count; i++) {
        dr_buf_printf(out, "%s%s%s", i ? ", " : " (depends on ", node->depends_on[i]->revision->id,
                      i + 1 == node->depends_on_count ? ")" : "");
    }
}

// ------------------------------------------------------------------------------------------- text

static void
trim_end(struct dr_buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }
    dr_buf_str(out, "\n");
}

// A row between nodes: lines that turn off from `column` to the ends that are marked.
static void
add_turn(const struct dr_lane_row *row, const struct dr_lanes *lanes, const bool *ends, char mark,
         struct dr_buf *out)
{
    char line[2 * DR_LANES_MAX + 1];
    size_t last = 0;
    for (size_t i = 0; i < DR_LANES_MAX; i++) {
        line[2 * i] = i < lanes->count && lanes->waits[i] != NULL ? '|' : ' ';
        line[2 * i + 1] = ' ';
        last = ends[i] ? i : last;
    }
    size_t from = 2 * row->column, to = 2 * last;
    for (size_t i = (from < to ? from : to) + 1; i < (from < to ? to : from); i++) {
        line[i] = line[i] == ' ' ? '-' : line[i];
    }
    for (size_t i = 0; i < DR_LANES_MAX; i++) {
        bool is_shared = i < row->before.count && row->before.waits[i] != NULL && mark == '.';
        line[2 * i] = ends[i] ? (is_shared ? '+' : mark) : line[2 * i];
    }
    dr_buf_add(out, line, 2 * DR_LANES_MAX);
    trim_end(out);
}

static bool
has_any(const bool *ends)
{
    return memchr(ends, true, DR_LANES_MAX * sizeof(*ends)) != NULL;
}

static enum dr_rc
draw_text(struct drawing *d, struct dr_err *err)
{
    struct dr_lanes lanes = {0};
    struct dr_lane_row row;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; i < d->nodes->count; i++) {
        rc = dr_lanes_take(&lanes, d->nodes->items[i], &row, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (has_any(row.joins)) {
            add_turn(&row, &row.before, row.joins, '\'', &d->out);
        }
        size_t width = row.before.count > row.after.count ? row.before.count : row.after.count;
        for (size_t k = 0; k < width; k++) {
            bool runs = k < row.before.count && row.before.waits[k] != NULL && !row.joins[k];
            dr_buf_str(&d->out, k == row.column ? "* " : runs ? "| " : "  ");
        }
        dr_buf_str(&d->out, " ");
        add_label(row.node, &d->out);
        dr_buf_str(&d->out, "\n");
        if (has_any(row.opens)) {
            add_turn(&row, &row.after, row.opens, '.', &d->out);
        }
    }
    return rc;
}

// ------------------------------------------------------------------------------------ mermaid, dot

// The lines down from a node: to its parents, then to what it depends on; NULL: that is not drawn.
static const struct dr_node *
line_to(const struct drawing *d, const struct dr_node *node, size_t k)
{
    const struct dr_node *to =
        k < node->parent_count ? node->parents[k] : node->depends_on[k - node->parent_count];
    return d->place[to->index] == SIZE_MAX ? NULL : to;
}

static size_t
line_count(const struct dr_node *node)
{
    return node->parent_count + node->depends_on_count;
}

// Text between quotes; `quote` stands for a double quote.
static void
add_escaped(struct dr_buf *out, const char *text, const char *quote, const char *backslash)
{
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            dr_buf_str(out, quote);
        } else if (*text == '\\') {
            dr_buf_str(out, backslash);
        } else {
            dr_buf_add(out, text, 1);
        }
    }
}

static void
add_box_text(const struct dr_node *node, const char *line_end, const char *quote,
             const char *backslash, struct dr_buf *out)
{
    const struct dr_chain_look look = {.has_labels = true};
    struct dr_buf head = {0};
    dr_chain_line(node, &look, &head);
    add_escaped(out, head.data ? head.data : "", quote, backslash);
    dr_buf_str(out, line_end);
    add_escaped(out, node->revision->message, quote, backslash);
    dr_buf_fini(&head);
}

static enum dr_rc
draw_mermaid(struct drawing *d, struct dr_err *err)
{
    (void)err;
    dr_buf_str(&d->out, "flowchart BT\n");
    for (size_t i = 0; i < d->nodes->count; i++) {
        const struct dr_node *node = d->nodes->items[i];
        dr_buf_printf(&d->out, "    r%zu[\"", node->index);
        add_box_text(node, "<br/>", "#quot;", "\\", &d->out);
        dr_buf_str(&d->out, "\"]\n");
        for (size_t k = 0; k < line_count(node); k++) {
            const struct dr_node *to = line_to(d, node, k);
            if (to != NULL) {
                dr_buf_printf(&d->out, "    r%zu %s r%zu\n", to->index,
                              k < node->parent_count ? "-->" : "-. needed by .->", node->index);
            }
        }
    }
    return DR_OK;
}

static enum dr_rc
draw_dot(struct drawing *d, struct dr_err *err)
{
    (void)err;
    dr_buf_str(&d->out, "digraph chain {\n    rankdir=BT;\n"
                        "    node [shape=box, fontname=\"sans-serif\"];\n");
    for (size_t i = 0; i < d->nodes->count; i++) {
        const struct dr_node *node = d->nodes->items[i];
        dr_buf_printf(&d->out, "    \"%s\" [label=\"", node->revision->id);
        add_box_text(node, "\\n", "\\\"", "\\\\", &d->out);
        dr_buf_str(&d->out, "\"];\n");
        for (size_t k = 0; k < line_count(node); k++) {
            const struct dr_node *to = line_to(d, node, k);
            if (to != NULL) {
                dr_buf_printf(&d->out, "    \"%s\" -> \"%s\"%s;\n", to->revision->id,
                              node->revision->id, k < node->parent_count ? "" : " [style=dashed]");
            }
        }
    }
    dr_buf_str(&d->out, "}\n");
    return DR_OK;
}

// -------------------------------------------------------------------------------------------- svg

#define DASHED " stroke-dasharray=\"3 3\""

enum { ROW = 28, COLUMN = 20, MARGIN = 20, LETTER = 8 };

static unsigned
x_of(size_t column)
{
    return MARGIN + (unsigned)column * COLUMN;
}

static unsigned
y_of(size_t row)
{
    return MARGIN + (unsigned)row * ROW;
}

static void
add_xml(struct dr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            dr_buf_str(out, "&lt;");
            break;
        case '>':
            dr_buf_str(out, "&gt;");
            break;
        case '&':
            dr_buf_str(out, "&amp;");
            break;
        default:
            dr_buf_add(out, text, 1);
        }
    }
}

// Lines first, so that the dots lie on them. A line to a parent runs down in its column.
static void
add_lines(struct drawing *d, const struct dr_lane_row *rows)
{
    for (size_t i = 0; i < d->nodes->count; i++) {
        const struct dr_node *node = rows[i].node;
        for (size_t k = 0; k < line_count(node); k++) {
            const struct dr_node *to = line_to(d, node, k);
            if (to == NULL) {
                continue;
            }
            size_t end = d->place[to->index];
            bool is_parent = k < node->parent_count;
            dr_buf_printf(&d->out, "<path%s d=\"M%u %u", is_parent ? "" : DASHED,
                          x_of(rows[i].column), y_of(i));
            if (is_parent) {
                unsigned x = x_of(rows[i].parent_column[k]);
                dr_buf_printf(&d->out, "L%u %uL%u %uL", x, y_of(i) + ROW / 2, x,
                              y_of(end) - ROW / 2);
            } else { // a bow beside the lines
                dr_buf_printf(&d->out, "Q%u %u ", x_of(0) / 8, (y_of(i) + y_of(end)) / 2);
            }
            dr_buf_printf(&d->out, "%u %u\"/>\n", x_of(rows[end].column), y_of(end));
        }
    }
}

static void
add_dots(struct drawing *d, const struct dr_lane_row *rows, unsigned text_x)
{
    for (size_t i = 0; i < d->nodes->count; i++) {
        struct dr_buf label = {0};
        add_label(rows[i].node, &label);
        dr_buf_printf(&d->out, "<circle cx=\"%u\" cy=\"%u\" r=\"5\"/><text x=\"%u\" y=\"%u\">",
                      x_of(rows[i].column), y_of(i), text_x, y_of(i) + 4);
        add_xml(&d->out, label.data ? label.data : "");
        dr_buf_str(&d->out, "</text>\n");
        dr_buf_fini(&label);
    }
}

static enum dr_rc
draw_svg(struct drawing *d, struct dr_err *err)
{
    size_t count = d->nodes->count, columns = 0, letters = 0;
    struct dr_lane_row *rows = dr_arena_array(d->cli->arena, count + 1, sizeof(*rows));
    struct dr_lanes lanes = {0};
    if (rows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        struct dr_buf label = {0};
        enum dr_rc rc = dr_lanes_take(&lanes, d->nodes->items[i], &rows[i], err);
        if (rc != DR_OK) {
            return rc;
        }
        add_label(rows[i].node, &label);
        letters = label.len > letters ? label.len : letters;
        columns = rows[i].before.count > columns ? rows[i].before.count : columns;
        columns = rows[i].after.count > columns ? rows[i].after.count : columns;
        dr_buf_fini(&label);
    }
    unsigned text_x = x_of(columns) + MARGIN / 2;
    dr_buf_printf(&d->out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                  "<g fill=\"none\" stroke=\"#57606a\" stroke-width=\"2\">\n",
                  text_x + (unsigned)letters * LETTER + MARGIN, y_of(count) + MARGIN / 2);
    add_lines(d, rows);
    dr_buf_str(&d->out, "</g>\n<g fill=\"#0550ae\">\n");
    add_dots(d, rows, text_x);
    dr_buf_str(&d->out, "</g>\n</svg>\n");
    return DR_OK;
}

// -------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    enum dr_rc (*draw)(struct drawing *d, struct dr_err *err);
} formats[] = {
    {"text", draw_text}, {"mermaid", draw_mermaid}, {"dot", draw_dot}, {"svg", draw_svg}};

static enum dr_rc
number(struct drawing *d, size_t all, struct dr_err *err)
{
    d->place = dr_arena_array(d->cli->arena, all + 1, sizeof(*d->place));
    if (d->place == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < all; i++) {
        d->place[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < d->nodes->count; i++) {
        d->place[d->nodes->items[i]->index] = i;
    }
    return DR_OK;
}

enum dr_rc
dr_cmd_graph(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct drawing d = {.cli = cli, .nodes = &nodes};
    const char *format = dr_cli_option(cli, "format"), *range = dr_cli_option(cli, "rev-range");
    size_t at = 0;
    while (format != NULL && at < DR_COUNT_OF(formats) && !dr_str_eq(formats[at].name, format)) {
        at++;
    }
    if (at == DR_COUNT_OF(formats)) {
        return dr_err_set(err, DR_E_USAGE, "--format is text, mermaid, dot or svg, not '%s'",
                          format);
    }
    struct dr_names current = {0};
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_chain_current(cli, range, &current, err) : rc;
    rc = rc != DR_OK ? rc
         : range     ? dr_graph_history(graph, range, &current, cli->arena, &nodes, err)
                     : dr_chain_all(cli, graph, &nodes, err);
    rc = rc == DR_OK ? dr_graph_walk(graph, cli->arena, &nodes, err) : rc;
    rc = rc == DR_OK ? number(&d, dr_graph_count(graph), err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_chain_print_json(cli, "drover.v1.Graph", &nodes, NULL);
    } else if (rc == DR_OK) {
        rc = formats[at].draw(&d, err);
    }
    if (rc == DR_OK && d.out.failed) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left for the drawing");
    }
    if (rc == DR_OK) {
        dr_chain_print(cli, &d.out);
    } else {
        dr_buf_fini(&d.out);
    }
    dr_graph_free(&graph);
    return rc;
}
