// history, heads, branches, show, sql: the chain in the folder, in Alembic's formats.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <stdio.h>
#include <string.h>

static void
show_block(const struct dr_node *node, struct dr_buf *out)
{
    const struct dr_revision *r = node->revision;
    dr_buf_printf(out, "Rev: %s", r->id);
    dr_chain_marks(node, out);
    dr_buf_str(out, dr_node_is_mergepoint(node) ? "\nMerges: " : "\nParent: ");
    dr_chain_parents(node, out);
    dr_buf_str(out, "\n");
    if (dr_node_is_branchpoint(node)) {
        dr_buf_str(out, "Branches into: ");
        for (size_t i = 0; i < node->child_count; i++) {
            dr_buf_printf(out, "%s%s", i ? ", " : "", node->children[i]->revision->id);
        }
        dr_buf_str(out, "\n");
    }
    for (size_t i = 0; i < node->depends_on_count; i++) {
        dr_buf_printf(out, "%s%s%s",
                      i ? ", " : "Also depends on: ", node->depends_on[i]->revision->id,
                      i + 1 == node->depends_on_count ? "\n" : "");
    }
    char digest[65];
    dr_hex(digest, node->digest, 32);
    dr_buf_printf(out, "Path: %s\nDigest: %s\n\n    %s\n", r->path, digest, r->message);
    for (const char *line = r->text; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        dr_buf_printf(out, "    %.*s\n", (int)len, line);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    const struct {
        const char *key, *value;
    } rows[] = {{"Create Date", r->create_date}, {"Purpose", r->purpose},
                {"Caution", r->caution},         {"Breaking", r->breaking},
                {"Destructive", r->destructive}, {"Rollback", r->rollback}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (rows[i].value != NULL && rows[i].value[0] != '\0') {
            dr_buf_printf(out, "    %s: %s\n", rows[i].key, rows[i].value);
        }
    }
}

static json_t *
node_json(const struct dr_node *node)
{
    char digest[65];
    dr_hex(digest, node->digest, 32);
    json_t *parents = json_array();
    for (size_t i = 0; i < node->parent_count; i++) {
        json_array_append_new(parents, json_string(node->parents[i]->revision->id));
    }
    json_t *labels = json_array();
    for (size_t i = 0; i < node->revision->labels.count; i++) {
        json_array_append_new(labels, json_string(node->revision->labels.items[i]));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:b, s:s, s:s}", "id", node->revision->id, "message",
                     node->revision->message, "parents", parents, "branchLabels", labels, "isHead",
                     dr_node_is_head(node), "digest", digest, "path", node->revision->path);
}

static void
print_nodes_json(const struct dr_cli *cli, const char *schema, const struct dr_nodes *nodes,
                 bool newest_first)
{
    json_t *list = json_array();
    for (size_t i = 0; i < nodes->count; i++) {
        json_array_append_new(list,
                              node_json(nodes->items[newest_first ? nodes->count - 1 - i : i]));
    }
    dr_print_json(cli, json_pack("{s:s, s:o}", "schema", schema, "revisions", list));
}

static enum dr_rc
all_nodes(struct dr_cli *cli, const struct dr_graph *graph, struct dr_nodes *out,
          struct dr_err *err)
{
    out->count = dr_graph_count(graph);
    out->items = dr_arena_array(cli->arena, out->count + 1, sizeof(*out->items));
    if (out->items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = dr_graph_at(graph, i);
    }
    return DR_OK;
}

static void
print_buf(const struct dr_cli *cli, struct dr_buf *out)
{
    struct dr_buf shown = {0};
    (void)cli;
    dr_show(&shown, out->data ? out->data : "", out->len, true);
    fputs(shown.data ? shown.data : "", stdout);
    dr_buf_fini(&shown);
    dr_buf_fini(out);
}

enum dr_rc
dr_cmd_history(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    const char *range = dr_cli_option(cli, "rev-range");
    if (rc == DR_OK) {
        static const struct dr_names none = {0};
        rc = range ? dr_graph_between(graph, range, &none, cli->arena, &nodes, err)
                   : all_nodes(cli, graph, &nodes, err);
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.History", &nodes, true);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = nodes.count; i > 0; i--) {
            if (dr_cli_has(cli, "verbose")) {
                show_block(nodes.items[i - 1], &out);
            } else {
                dr_chain_line(nodes.items[i - 1], "", &out);
            }
            dr_buf_str(&out, "\n");
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_cmd_heads(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes heads = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_heads(graph, cli->arena, &heads, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.Heads", &heads, false);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < heads.count; i++) {
            if (dr_cli_has(cli, "verbose")) {
                show_block(heads.items[i], &out);
            } else {
                dr_buf_str(&out, heads.items[i]->revision->id);
                dr_chain_marks(heads.items[i], &out);
            }
            dr_buf_str(&out, "\n");
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_cmd_branches(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    struct dr_buf out = {0};
    for (size_t i = 0; rc == DR_OK && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        if (!dr_node_is_branchpoint(node)) {
            continue;
        }
        dr_buf_str(&out, node->revision->id);
        dr_chain_marks(node, &out);
        dr_buf_str(&out, "\n");
        for (size_t j = 0; j < node->child_count; j++) {
            dr_buf_printf(&out, "%*s -> %s", (int)strlen(node->revision->id), "",
                          node->children[j]->revision->id);
            dr_chain_marks(node->children[j], &out);
            dr_buf_str(&out, "\n");
        }
    }
    print_buf(cli, &out);
    dr_graph_free(&graph);
    return rc;
}

// The nodes of an expression; a lone place is that place, a range is what lies in it.
static enum dr_rc
nodes_of(struct dr_cli *cli, const struct dr_graph *graph, const char *expr, struct dr_nodes *out,
         struct dr_err *err)
{
    static const struct dr_names none = {0};
    if (strchr(expr, ':') != NULL) {
        return dr_graph_between(graph, expr, &none, cli->arena, out, err);
    }
    struct dr_place place = {0};
    enum dr_rc rc = dr_graph_resolve(graph, expr, &none, cli->arena, &place, err);
    *out = place.nodes;
    return rc;
}

enum dr_rc
dr_cmd_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? nodes_of(cli, graph, cli->args[0], &nodes, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_nodes_json(cli, "drover.v1.Show", &nodes, false);
    } else if (rc == DR_OK) {
        struct dr_buf out = {0};
        for (size_t i = 0; i < nodes.count; i++) {
            show_block(nodes.items[i], &out);
            dr_buf_str(&out, "\n");
            if (dr_cli_has(cli, "sql")) {
                dr_buf_add(&out, nodes.items[i]->revision->bytes, nodes.items[i]->revision->size);
            }
        }
        print_buf(cli, &out);
    }
    dr_graph_free(&graph);
    return rc;
}

// Prints the units of one direction of a compiled plan, byte for byte.
static enum dr_rc
print_units(const struct dr_graph *graph, const Drover__V1__PlanRevision *revision,
            Drover__V1__UnitKind kind, struct dr_err *err)
{
    const struct dr_node *node = dr_graph_find(graph, revision->id);
    struct dr_buf out = {0};
    enum dr_rc rc = DR_OK;
    printf("-- %s %s, %s\n",
           kind == DROVER__V1__UNIT_KIND__UNIT_DOWN ? "Running downgrade" : "Running upgrade",
           revision->id, revision->message);
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        if (revision->units[i]->kind == kind) {
            rc = dr_plan_unit_sql(&out, revision->units[i], node->revision->bytes,
                                  node->revision->size, err);
            dr_buf_str(&out, "\n");
        }
    }
    fwrite(out.data ? out.data : "", 1, out.len, stdout);
    dr_buf_fini(&out);
    return rc;
}

enum dr_rc
dr_cmd_sql(struct dr_cli *cli, struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct dr_plan plan = {0};
    const char *engine = dr_cli_option(cli, "engine");
    bool is_down = dr_cli_has(cli, "down");
    bool is_sqlite = engine != NULL && dr_str_eq(engine, "sqlite");
    if (engine != NULL && !is_sqlite && !dr_str_eq(engine, "postgresql")) {
        return dr_err_set(err, DR_E_USAGE, "--engine is postgresql or sqlite, not '%s'", engine);
    }
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_between(graph, cli->args[0], &none, cli->arena, &nodes, err) : rc;
    rc = rc == DR_OK ? dr_plan_compile(cli->project->name,
                                       is_sqlite ? DROVER__V1__ENGINE__SQLITE
                                                 : DROVER__V1__ENGINE__POSTGRESQL,
                                       &nodes, cli->arena, &plan, err)
                     : rc;
    size_t n = rc == DR_OK ? plan.message->n_revisions : 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = print_units(
            graph, plan.message->revisions[is_down ? n - 1 - i : i],
            is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP, err);
    }
    dr_graph_free(&graph);
    return rc;
}
