// schema show, diff, er: what a database, a file or a place in the chain has for a schema.

#include "coordinator/cli/commands.h"

#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/schema_source.h"
#include "coordinator/cli/schema_view.h"

#include "base/cmd.h"
#include "base/file.h"
#include "schema/er.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOT_MS         30000
#define DOT_OUTPUT_MAX (64u * 1048576u)

// --from, --url, the project's own database, else the chain's head.
static const char *
choose_source(struct dr_cli *cli)
{
    const char *from = dr_cli_option(cli, "from");
    const char *url = from != NULL ? NULL : dr_project_direct_url(cli);
    return from != NULL ? from : url != NULL ? url : "head";
}

// Arguments are names in a schema; who means the schema itself names it with --from.
static enum dr_rc
check_names(const struct dr_cli *cli, struct dr_err *err)
{
    for (size_t i = 0; i < cli->args_count; i++) {
        const char *name = cli->args[i];
        if (dr_db_kind_of(name) != DR_DB_UNKNOWN || dr_str_ends(name, ".sql")) {
            (void)dr_err_set(err, DR_E_USAGE, "'%s' is a %s, and no name of what is in a schema",
                             name, dr_str_ends(name, ".sql") ? "file" : "database");
            return dr_err_hint(err, "drover %s --from %s", cli->command->name, name);
        }
    }
    return DR_OK;
}

static enum dr_rc
check_kind(const struct dr_cli *cli, struct dr_err *err)
{
    const char *kind = dr_cli_option(cli, "kind");
    struct dr_buf known = {0};
    if (kind == NULL || dr_schema_kind_of(kind) != DR_SCHEMA_KINDS) {
        return DR_OK;
    }
    for (unsigned i = 0; i < DR_SCHEMA_KINDS; i++) {
        dr_buf_printf(&known, "%s%s", i == 0 ? "" : ", ",
                      dr_schema_kind_word((enum dr_schema_kind)i));
    }
    (void)dr_err_set(err, DR_E_USAGE, "there is no kind '%s'", kind);
    enum dr_rc rc = dr_err_hint(err, "one of: %s", known.data ? known.data : "");
    dr_buf_fini(&known);
    return rc;
}

static enum dr_rc
open_source(struct dr_schema_shared *shared, struct dr_schema_source *out, struct dr_err *err)
{
    enum dr_rc rc = dr_project_maybe(shared->cli, err);
    return rc == DR_OK
               ? dr_schema_source_open(shared, choose_source(shared->cli), DR_DB_UNKNOWN, out, err)
               : rc;
}

enum dr_rc
dr_cmd_schema_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_schema_shared shared = {.cli = cli};
    struct dr_schema_source source = {0};
    enum dr_rc rc = check_names(cli, err);
    rc = rc == DR_OK ? check_kind(cli, err) : rc;
    rc = rc == DR_OK ? open_source(&shared, &source, err) : rc;
    if (rc != DR_OK) {
        goto out;
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, dr_schema_view_json(cli, &source));
    } else if (dr_cli_has(cli, "sql")) {
        rc = dr_schema_view_sql(cli, &source, err);
    } else if (cli->args_count == 0) {
        rc = dr_schema_view_list(cli, &source, err);
    } else {
        rc = dr_schema_view_tables(cli, &source, err);
    }
out:
    dr_schema_source_close(&source);
    dr_schema_shared_close(&shared);
    return rc;
}

enum dr_rc
dr_cmd_schema_diff(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_schema_shared shared = {.cli = cli};
    struct dr_schema_source a = {0};
    struct dr_schema_source b = {0};
    enum dr_db_kind engine = dr_db_kind_of(cli->args[0]);
    enum dr_rc rc = dr_project_maybe(cli, err);
    engine = engine == DR_DB_UNKNOWN ? dr_db_kind_of(cli->args[1]) : engine;
    rc = rc == DR_OK ? dr_schema_source_open(&shared, cli->args[0], engine, &a, err) : rc;
    rc = rc == DR_OK ? dr_schema_source_open(&shared, cli->args[1], engine, &b, err) : rc;
    if (rc == DR_OK && a.engine != b.engine) {
        rc =
            dr_err_set(err, DR_E_USAGE, "'%s' and '%s' are of different engines", a.shown, b.shown);
    }
    size_t count = 0;
    rc = rc == DR_OK ? dr_schema_view_diff(cli, &a, &b, &count, err) : rc;
    if (rc == DR_OK && count > 0) {
        cli->exit_code = 3;
    }
    dr_schema_source_close(&a);
    dr_schema_source_close(&b);
    dr_schema_shared_close(&shared);
    return rc;
}

// ------------------------------------------------------------------------------------------ er

static enum dr_rc
run_dot(const struct dr_buf *dot, struct dr_buf *out, struct dr_err *err)
{
    static const char *const argv[] = {"dot", "-Tsvg", NULL};
    const struct dr_cmd cmd = {.argv = argv,
                               .input = dot->data,
                               .input_len = dot->len,
                               .timeout_ms = DOT_MS,
                               .output_max = DOT_OUTPUT_MAX};
    struct dr_cmd_result result = {0};
    enum dr_rc rc = dr_cmd_run(&cmd, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_err_set(err, DR_E_IO, "dot ended with exit code %d: %.200s", result.exit_code,
                        result.errors.data ? result.errors.data : "");
    }
    if (rc == DR_OK) {
        dr_buf_add(out, result.output.data, result.output.len);
    } else {
        (void)dr_err_hint(err, "install graphviz (apt-get install graphviz), or --format dot or "
                               "mermaid");
    }
    dr_cmd_result_fini(&result);
    return rc;
}

static enum dr_rc
make_er(struct dr_cli *cli, const struct dr_catalog *catalog, const char *format,
        struct dr_buf *out, struct dr_err *err)
{
    const char *pattern = cli->args_count > 0 ? cli->args[0] : NULL;
    if (dr_str_eq(format, "json")) {
        json_t *value = dr_er_json(catalog, pattern);
        char *text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));
        dr_buf_printf(out, "%s\n", text ? text : "");
        json_decref(value);
        if (text == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        free(text);
        return DR_OK;
    }
    if (dr_str_eq(format, "svg")) {
        struct dr_buf dot = {0};
        dr_er_text(catalog, DR_ER_DOT, pattern, &dot);
        enum dr_rc rc = run_dot(&dot, out, err);
        dr_buf_fini(&dot);
        return rc;
    }
    dr_er_text(catalog, dr_str_eq(format, "dot") ? DR_ER_DOT : DR_ER_MERMAID, pattern, out);
    return DR_OK;
}

// A pattern that nothing matches is a slip; a schema without tables is an empty diagram.
static enum dr_rc
check_tables(const struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err)
{
    const char *pattern = cli->args_count > 0 ? cli->args[0] : "*";
    for (size_t i = 0; i < source->catalog.count; i++) {
        const struct dr_schema_object *o = &source->catalog.objects[i];
        if (o->kind == DR_SCHEMA_TABLE && dr_str_glob(pattern, o->name)) {
            return DR_OK;
        }
    }
    if (cli->args_count == 0) {
        dr_print_note(cli, "note: %s has no table", source->shown);
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_NOT_FOUND, "%s has no table '%s'", source->shown, pattern);
    return dr_schema_view_hint(err, pattern);
}

enum dr_rc
dr_cmd_schema_er(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const formats[] = {"mermaid", "dot", "svg", "json"};
    struct dr_schema_shared shared = {.cli = cli};
    struct dr_schema_source source = {0};
    struct dr_buf out = {0};
    const char *given = dr_cli_option(cli, "format");
    const char *format = given != NULL ? given : cli->format != DR_CLI_TEXT ? "json" : "mermaid";
    bool is_known = false;
    for (size_t i = 0; i < DR_COUNT_OF(formats); i++) {
        is_known = is_known || dr_str_eq(format, formats[i]);
    }
    if (!is_known) {
        (void)dr_err_set(err, DR_E_USAGE, "there is no format '%s'", format);
        return dr_err_hint(err, "--format mermaid, dot, svg or json");
    }
    enum dr_rc rc = check_names(cli, err);
    rc = rc == DR_OK ? open_source(&shared, &source, err) : rc;
    rc = rc == DR_OK ? check_tables(cli, &source, err) : rc;
    rc = rc == DR_OK ? make_er(cli, &source.catalog, format, &out, err) : rc;
    if (rc == DR_OK && (out.failed || out.data == NULL)) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    const char *file = dr_cli_option(cli, "out");
    if (rc == DR_OK && file != NULL) {
        rc = dr_file_write(file, out.data, out.len, 0644, err);
        dr_print_note(cli, "%s written", rc == DR_OK ? file : "not");
    } else if (rc == DR_OK) {
        fwrite(out.data, 1, out.len, stdout);
    }
    dr_buf_fini(&out);
    dr_schema_source_close(&source);
    dr_schema_shared_close(&shared);
    return rc;
}
