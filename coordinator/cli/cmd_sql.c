// sql: what would run, byte for byte.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_state.h"
#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/sql_alembic.h"

#include "db/db.h"

#include <stdio.h>
#include <string.h>

#define SQL_MAX (1024u * 1048576u) // bytes that one command prints

// The engine: --engine, else that of the database that is named, else what all revisions are for.
static enum dr_rc
choose_engine(const struct dr_cli *cli, const struct dr_nodes *nodes, Drover__V1__Engine *out,
              struct dr_err *err)
{
    const char *given = dr_cli_option(cli, "engine");
    const char *url = given == NULL ? dr_project_direct_url(cli) : NULL;
    unsigned common = DR_ENGINE_ALL;
    for (size_t i = 0; i < nodes->count; i++) {
        common &= nodes->items[i]->revision->engines;
    }
    bool is_sqlite = given != NULL ? dr_str_eq(given, "sqlite")
                     : url != NULL ? dr_db_kind_of(url) == DR_DB_SQLITE
                                   : common == DR_ENGINE_SQLITE;
    if (given != NULL && !is_sqlite && !dr_str_eq(given, "postgresql")) {
        return dr_err_set(err, DR_E_USAGE, "--engine is postgresql or sqlite, not '%s'", given);
    }
    *out = is_sqlite ? DROVER__V1__ENGINE__SQLITE : DROVER__V1__ENGINE__POSTGRESQL;
    return DR_OK;
}

// A:B up; B:A, when B stands on A, is the way down, as in Alembic.
static enum dr_rc
choose_nodes(struct dr_cli *cli, const struct dr_graph *graph, bool *is_down, struct dr_nodes *out,
             struct dr_err *err)
{
    const char *expr = cli->args[0], *colon = strchr(expr, ':');
    if (colon == NULL) {
        dr_err_set(err, DR_E_USAGE, "'%s' has no ':'", expr);
        return dr_err_hint(err, "drover sql base:%s", expr);
    }
    struct dr_names current = {0};
    enum dr_rc rc = dr_chain_current(cli, expr, &current, err);
    rc = rc == DR_OK ? dr_graph_between(graph, expr, &current, cli->arena, out, err) : rc;
    if (rc == DR_OK && out->count == 0 && !*is_down && colon > expr && colon[1] != '\0') {
        const char *other =
            dr_arena_printf(cli->arena, "%s:%.*s", colon + 1, (int)(colon - expr), expr);
        rc = other == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                           : dr_graph_between(graph, other, &current, cli->arena, out, err);
        *is_down = rc == DR_OK && out->count > 0;
    }
    for (size_t i = 0; rc == DR_OK && i < out->count; i++) {
        const struct dr_err *defect = out->items[i]->revision->defect;
        if (defect != NULL) {
            *err = *defect;
            rc = defect->rc;
        }
    }
    return rc;
}

static void
add_heading(struct dr_buf *out, const struct dr_node *node, bool is_down)
{
    struct dr_buf parents = {0};
    if (node->parent_count > 0) {
        dr_chain_parents(node, &parents);
    }
    const char *below = parents.data ? parents.data : "", *id = node->revision->id;
    dr_buf_printf(out, "-- Running %s %s -> %s, %s\n", is_down ? "downgrade" : "upgrade",
                  is_down ? id : below, is_down ? below : id, node->revision->message);
    dr_buf_fini(&parents);
}

// What one command prints: all of it at the end, so that a pipe gets the whole or nothing.
struct printing {
    const struct dr_graph *graph;
    struct dr_sql_alembic table; // with .have NULL, alembic_version stays out
    bool is_down, is_text;
    struct dr_buf text;
    json_t *list;
};

// The units of one direction of a compiled plan: each is a transaction, or one statement outside.
static enum dr_rc
add_units(struct printing *p, const Drover__V1__PlanRevision *revision, const struct dr_node *node,
          struct dr_buf *out, struct dr_err *err)
{
    Drover__V1__UnitKind kind =
        p->is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    enum dr_rc rc = DR_OK;
    size_t left = 0;
    for (size_t i = 0; i < revision->n_units; i++) {
        left += revision->units[i]->kind == kind ? 1 : 0;
    }
    if (left == 0 && p->table.have != NULL) { // a merge without SQL
        dr_sql_alembic_step(&p->table, node, out);
    }
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        const Drover__V1__Unit *unit = revision->units[i];
        bool is_begun = p->is_text && !unit->outside_transaction;
        if (unit->kind == kind) {
            dr_buf_str(out, is_begun ? "BEGIN;\n" : "");
            rc = dr_plan_unit_sql(out, unit, node->revision->bytes, node->revision->size, err);
            if (--left == 0 && p->table.have != NULL) {
                dr_sql_alembic_step(&p->table, node, out);
            }
            dr_buf_str(out, is_begun ? "COMMIT;\n\n" : "\n");
        }
    }
    return rc;
}

static enum dr_rc
add_revision(struct printing *p, const Drover__V1__PlanRevision *revision, struct dr_err *err)
{
    const struct dr_node *node = dr_graph_find(p->graph, revision->id);
    if (p->is_down && revision->no_down) {
        dr_err_set(err, DR_E_NO_DOWN, "revision '%s' has no way down: %s", revision->id,
                   node->revision->down_none_reason);
        return dr_err_at(err, node->revision->path, node->revision->id_line, 1);
    }
    struct dr_buf one = {0}, *out = p->is_text ? &p->text : &one;
    if (p->is_text) {
        add_heading(out, node, p->is_down);
    }
    enum dr_rc rc = add_units(p, revision, node, out, err);
    if (rc == DR_OK && out->failed) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left for the SQL of '%s'", revision->id);
    }
    if (rc == DR_OK && !p->is_text) {
        json_array_append_new(p->list,
                              json_pack("{s:s, s:s, s:s}", "id", revision->id, "message",
                                        revision->message, "sql", out->data ? out->data : ""));
    }
    dr_buf_fini(&one);
    return rc;
}

static void
print_all(const struct dr_cli *cli, struct printing *p, Drover__V1__Engine engine)
{
    if (p->is_text) {
        fwrite(p->text.data ? p->text.data : "", 1, p->text.len, stdout);
        return;
    }
    dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:O}", "schema", "drover.v1.Sql", "engine",
                                 engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql",
                                 "direction", p->is_down ? "down" : "up", "revisions", p->list));
}

enum dr_rc
dr_cmd_sql(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct dr_plan plan = {0};
    Drover__V1__Engine engine = DROVER__V1__ENGINE__POSTGRESQL;
    bool is_down = dr_cli_has(cli, "down");
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? choose_nodes(cli, graph, &is_down, &nodes, err) : rc;
    rc = rc == DR_OK ? choose_engine(cli, &nodes, &engine, err) : rc;
    rc = rc == DR_OK ? dr_plan_compile(cli->project->name, engine, &nodes, cli->arena, &plan, err)
                     : rc;
    size_t n = rc == DR_OK ? plan.message->n_revisions : 0;
    struct printing p = {.graph = graph,
                         .is_down = is_down,
                         .is_text = cli->format == DR_CLI_TEXT,
                         .text = {.max = SQL_MAX},
                         .list = json_array()};
    if (rc == DR_OK && dr_cli_has(cli, "alembic-table")) {
        cli->project->keeps_alembic = true;
    }
    if (rc == DR_OK && cli->project->keeps_alembic) {
        rc = dr_chain_check_ids(cli, &nodes, err);
    }
    if (rc == DR_OK && cli->project->keeps_alembic) {
        rc = dr_sql_alembic_begin(&p.table, graph, &nodes, is_down, cli->arena, err);
    }
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = add_revision(&p, plan.message->revisions[is_down ? n - 1 - i : i], err);
    }
    if (rc == DR_OK && n == 0) {
        dr_print_note(cli, "note: nothing lies between the ends of '%s'", cli->args[0]);
    }
    if (rc == DR_OK) {
        print_all(cli, &p, engine);
    }
    dr_buf_fini(&p.text);
    json_decref(p.list);
    dr_graph_free(&graph);
    return rc;
}
