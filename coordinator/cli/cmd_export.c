// export: the chain as files of another tool.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/import_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "coordinator/import/folder.h"
#include "coordinator/import/formats.h"

#include <string.h>

// Without --engine: SQLite when no revision is for PostgreSQL.
static void
guess_engine(const struct dr_graph *graph, struct dr_import *export)
{
    unsigned engines = 0;
    for (size_t i = 0; i < dr_graph_count(graph); i++) {
        engines |= dr_graph_at(graph, i)->revision->engines;
    }
    if (!export->is_engine_given && engines == DR_ENGINE_SQLITE) {
        export->dialect = DR_SQL_SQLITE;
    }
}

static void
print_export(const struct dr_cli *cli, const struct dr_import *export, size_t count, bool is_dry)
{
    if (cli->format == DR_CLI_TEXT) {
        if (!cli->quiet) {
            dr_import_view_notes(cli, export);
        }
        dr_say(cli, "%s %zu revision%s to '%s' for %s\n", is_dry ? "Would export" : "Exported",
               count, count == 1 ? "" : "s", export->folder, export->format);
        return;
    }
    dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:b, s:I, s:o}", "schema", "drover.v1.Export",
                                 "format", export->format, "folder", export->folder, "dry_run",
                                 is_dry, "revisions", (json_int_t)count, "notes",
                                 dr_import_view_notes_json(export)));
}

enum dr_rc
dr_cmd_export(struct dr_cli *cli, struct dr_err *err)
{
    const struct dr_import_format *format = NULL;
    struct dr_graph *graph = NULL;
    struct dr_folder *folder = NULL;
    struct dr_import export = {.arena = cli->arena, .format = cli->args[0], .folder = cli->args[1]};
    bool is_dry = dr_cli_has(cli, "dry-run");
    enum dr_rc rc = dr_import_view_format(cli, true, &format, err);
    rc = rc == DR_OK ? dr_import_view_engine(cli, &export, err) : rc;
    rc = rc == DR_OK ? dr_project_maybe(cli, err) : rc;
    rc = rc == DR_OK ? dr_chain_files_load(cli, &graph, err) : rc;
    if (rc == DR_OK) {
        guess_engine(graph, &export);
        rc = dr_folder_begin(export.folder, is_dry, &folder, err);
    }
    rc = rc == DR_OK ? format->write(graph, &export, folder, err) : rc;
    rc = rc == DR_OK ? dr_folder_end(folder, err) : rc;
    if (rc == DR_OK) {
        print_export(cli, &export, dr_graph_count(graph), is_dry);
    }
    dr_folder_free(&folder);
    dr_graph_free(&graph);
    return rc;
}
